//! Appending rows that depend on what the table holds, while others append too.

use arrow_array::RecordBatch;
use ossature_registry::Lake;

use crate::Error;
use crate::table::ArtifactTable;

/// How often an append is begun anew because somebody else was faster. One of those who append always gets through.
const ATTEMPTS_MAX: u32 = 16;

/// Appends the rows that `rows` gives, which is asked again for every attempt, and returns what it says of them.
///
/// The table is opened before `rows` reads it: whatever `rows` did not see, because it came later, makes the commit fail
/// and the attempt begin anew. Checks that `rows` makes therefore hold when its rows are committed.
pub(crate) async fn append<T>(
    table: ArtifactTable,
    lake: &Lake,
    run_id: &str,
    at_unix_ms: i64,
    rows: impl AsyncFn() -> Result<(RecordBatch, T), Error>,
) -> Result<T, Error> {
    let mut attempt = 1;
    loop {
        let done = async {
            let mut writer = table.append(lake, run_id, at_unix_ms).await?;
            let (rows, told) = rows().await?;
            writer.push(&rows).await?;
            writer.finish().await?;
            Ok(told)
        };
        match done.await {
            Err(Error::Write(error)) if error.is_retryable() && attempt < ATTEMPTS_MAX => {
                attempt += 1;
            }
            done => return done,
        }
    }
}
