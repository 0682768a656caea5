//! What each of the graph's tables wants of Delta.

use std::num::NonZeroU64;

use ossature_delta_policy::{StatsPolicy, TablePolicy};
use ossature_schema_spec::DatasetName;

/// A quarter of a million rows: a file is the unit that memory is spent on and that a change rewrites.
const ROWS_PER_FILE_MAX: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 18) - 1);

/// How the table of a dataset is kept, whether the extractor's or the graph's.
///
/// Tables that are keyed by the text of a query are only ever read whole, so their files need no statistics.
pub fn policy(dataset: &DatasetName) -> TablePolicy {
    let policy = TablePolicy::default().rows_per_file_max(ROWS_PER_FILE_MAX);
    match dataset.as_str() {
        "normalize.call_meanings" | "normalize.import_meanings" => {
            policy.statistics(StatsPolicy::Off)
        }
        _ => policy,
    }
}
