//! How far the consumers of change feeds have come.

use arrow_array::RecordBatch;
use ossature_registry::Lake;
use ossature_schema_spec::DatasetName;
use serde::Serialize;

use crate::attempts::Attempts;
use crate::stored::{PayloadColumns, Stored, count, payloads};
use crate::table::ArtifactTable;
use crate::{Error, FeedConsumptionV1};

/// How far the consumers of change feeds have come, in the table `runs.feed_consumptions`: a row is appended whenever one
/// of them has done with some changes what it wanted, and its newest row is its cursor.
#[derive(Debug, Clone)]
pub struct FeedCursors {
    lake: Lake,
}

const TABLE: ArtifactTable = ArtifactTable::FeedConsumptions;

/// The newest row of a consumer and a dataset.
const NEWEST: &str = "SELECT payload FROM runs.feed_consumptions \
    WHERE consumer = $consumer AND dataset = $dataset ORDER BY sequence DESC LIMIT 1";

/// A consumer's rows one after the other.
const ALL: &str = "SELECT payload FROM runs.feed_consumptions \
    ORDER BY consumer, dataset, sequence";

impl FeedCursors {
    /// The cursors of a lake. Nothing is read yet; in a lake without them, nobody has taken anything.
    pub fn of(lake: &Lake) -> Self {
        Self { lake: lake.clone() }
    }

    /// What a consumer has taken last from a dataset; nothing when it has taken nothing yet.
    ///
    /// **Errors**: [`Error::Registry`], [`Error::Corrupt`], [`Error::Engine`].
    pub async fn newest(
        &self,
        consumer: &str,
        dataset: &DatasetName,
    ) -> Result<Option<FeedConsumptionV1>, Error> {
        self.find(consumer, dataset.as_str()).await
    }

    /// Everything that was taken: by consumer, by dataset, the newest last.
    ///
    /// **Errors**: as [`FeedCursors::newest`].
    pub async fn all(&self) -> Result<Vec<FeedConsumptionV1>, Error> {
        payloads(TABLE, &TABLE.query(&self.lake, ALL, &[]).await?)
    }

    /// Moves a cursor, if it stands where the consumption began; one that was moved so already stays, so this may be called
    /// again after an error of the store. `at_unix_ms` is in milliseconds since 1970-01-01 00:00:00 UTC.
    ///
    /// **Errors**: [`Error::CursorMoved`] when somebody else has moved it, and those of reading and writing the table.
    pub async fn advance(
        &self,
        consumption: &FeedConsumptionV1,
        at_unix_ms: i64,
    ) -> Result<(), Error> {
        let mut attempts = Attempts::at_appending();
        loop {
            match self.try_advance(consumption, at_unix_ms).await {
                Err(error) if attempts.allow_append(&error) => {}
                done => return done,
            }
        }
    }

    /// The table is opened for writing before the cursor is read: whoever moves it in between makes the commit fail.
    async fn try_advance(
        &self,
        consumption: &FeedConsumptionV1,
        at_unix_ms: i64,
    ) -> Result<(), Error> {
        let mut writer = TABLE
            .writer(&self.lake, &consumption.attempt, at_unix_ms)
            .await?;
        let found = self
            .find(&consumption.consumer, &consumption.dataset)
            .await?;
        if found.as_ref() == Some(consumption) {
            return Ok(());
        }
        let next = found.as_ref().map_or(0, |found| found.sequence + 1);
        if next != consumption.sequence {
            return Err(Error::CursorMoved {
                consumer: consumption.consumer.clone(),
                dataset: consumption.dataset.clone(),
                wanted: consumption.cursor_before,
                found: found.as_ref().map(|found| found.cursor),
                attempt: found.map(|found| found.attempt).unwrap_or_default(),
            });
        }
        writer.push(&row(consumption, at_unix_ms)?).await?;
        Box::pin(writer.finish()).await?;
        Ok(())
    }

    async fn find(
        &self,
        consumer: &str,
        dataset: &str,
    ) -> Result<Option<FeedConsumptionV1>, Error> {
        let names = [("consumer", consumer), ("dataset", dataset)];
        let rows = TABLE.query(&self.lake, NEWEST, &names).await?;
        Ok(payloads(TABLE, &rows)?.pop())
    }
}

/// A row of the table.
#[derive(Serialize)]
struct ConsumptionRow<'a> {
    consumer: &'a str,
    dataset: &'a str,
    sequence: i64,
    attempt: &'a str,
    at_unix_ms: i64,
    mode: &'static str,
    reason: &'a str,
    class: Option<&'a str>,
    table_id: &'a str,
    cursor_before: Option<i64>,
    cursor: i64,
    rows: Vec<KindRow<'a>>,
    #[serde(flatten)]
    payload: &'a PayloadColumns,
}

#[derive(Serialize)]
struct KindRow<'a> {
    kind: &'a str,
    rows: i64,
}

fn row(consumption: &FeedConsumptionV1, at_unix_ms: i64) -> Result<RecordBatch, Error> {
    let stored = Stored::of(consumption.clone())?;
    let FeedConsumptionV1 {
        consumer,
        attempt,
        dataset,
        table_uri: _,
        table_id,
        sequence,
        mode,
        reason,
        class,
        cursor_before,
        cursor,
        snapshot_hash: _,
        rows,
    } = &stored.payload;
    TABLE.batch(&[ConsumptionRow {
        consumer,
        dataset,
        sequence: count(*sequence),
        attempt,
        at_unix_ms,
        mode: mode.as_str(),
        reason,
        class: class.as_deref(),
        table_id,
        cursor_before: cursor_before.map(count),
        cursor: count(*cursor),
        rows: rows
            .iter()
            .map(|(kind, rows)| KindRow {
                kind,
                rows: count(*rows),
            })
            .collect(),
        payload: &stored.columns,
    }])
}
