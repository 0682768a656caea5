//! The record of upkeep: what was done to the lake's tables between runs.

use arrow_array::RecordBatch;
use ossature_registry::Lake;
use serde::Serialize;

use crate::stored::{PayloadColumns, Stored, count, payloads};
use crate::table::ArtifactTable;
use crate::{Error, MaintenanceFactV1};

/// What was done to the tables of a lake between runs, in the table `runs.maintenance_facts`.
#[derive(Debug, Clone)]
pub struct MaintenanceRecord {
    lake: Lake,
}

const TABLE: ArtifactTable = ArtifactTable::MaintenanceFacts;

/// The newest facts last.
const HISTORY: &str = "SELECT payload FROM runs.maintenance_facts \
    ORDER BY at_unix_ms, dataset, upkeep";

impl MaintenanceRecord {
    /// The record of a lake. Nothing is read yet; a lake without a record was never maintained.
    pub fn of(lake: &Lake) -> Self {
        Self { lake: lake.clone() }
    }

    /// Stores facts, in one commit; none where there is nothing to store. `maintenance_id` names whoever did it, in the
    /// commit, and the time is milliseconds since 1970-01-01 00:00:00 UTC.
    ///
    /// **Errors**: [`Error::Write`] and [`Error::Registry`].
    pub async fn append(
        &self,
        facts: &[MaintenanceFactV1],
        maintenance_id: &str,
        at_unix_ms: i64,
    ) -> Result<(), Error> {
        let rows = rows(facts, at_unix_ms)?;
        TABLE
            .append(&self.lake, &rows, maintenance_id, at_unix_ms)
            .await
    }

    /// Every fact, the newest last.
    ///
    /// **Errors**: [`Error::Registry`], [`Error::Corrupt`], [`Error::Engine`].
    pub async fn facts(&self) -> Result<Vec<MaintenanceFactV1>, Error> {
        payloads(TABLE, &TABLE.query(&self.lake, HISTORY, &[]).await?)
    }
}

fn rows(facts: &[MaintenanceFactV1], at_unix_ms: i64) -> Result<RecordBatch, Error> {
    let rows = facts.iter().cloned().map(Stored::of);
    let mut rows: Vec<Stored<MaintenanceFactV1>> = rows.collect::<Result<_, _>>()?;
    rows.sort_by(|a, b| {
        let key = |row: &Stored<MaintenanceFactV1>| {
            (row.payload.dataset.clone(), row.payload.upkeep.clone())
        };
        key(a).cmp(&key(b))
    });
    let rows = rows.iter().map(
        |Stored {
             payload, columns, ..
         }| FactRow {
            at_unix_ms,
            dataset: &payload.dataset,
            upkeep: &payload.upkeep,
            is_done: payload.is_done,
            reason: &payload.reason,
            version_before: count(payload.version_before),
            version: count(payload.version),
            files_added: count(payload.files_added),
            files_removed: count(payload.files_removed),
            files_deleted: count(payload.deleted.len()),
            payload: columns,
        },
    );
    TABLE.batch(&rows.collect::<Vec<_>>())
}

/// A row of the record.
#[derive(Serialize)]
struct FactRow<'a> {
    at_unix_ms: i64,
    dataset: &'a str,
    upkeep: &'a str,
    is_done: bool,
    reason: &'a str,
    version_before: i64,
    version: i64,
    files_added: i64,
    files_removed: i64,
    files_deleted: i64,
    #[serde(flatten)]
    payload: &'a PayloadColumns,
}
