//! What a run left behind besides its tables, read back.

use ossature_registry::Lake;

use crate::stored::payloads;
use crate::table::ArtifactTable;
use crate::{Error, Payload, PlanArtifactV1, ScanArtifactV1, WriteArtifactV1, WriteFailureV1};

/// The artifacts of one run, each list ordered by dataset. They are stored when a run ends: one that has not ended, or
/// whose process is gone, has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifacts {
    /// The plans that it computed rows with.
    pub plans: Vec<PlanArtifactV1>,
    /// The versions that it wrote, or found written already, and how that was decided.
    pub writes: Vec<WriteArtifactV1>,
    /// The versions that it read, and how that was decided.
    pub scans: Vec<ScanArtifactV1>,
    /// The writes that failed, and what they left behind.
    pub failures: Vec<WriteFailureV1>,
}

impl StoredArtifacts {
    /// Reads the artifacts of a run.
    ///
    /// **Errors**: [`Error::Registry`], [`Error::Corrupt`], [`Error::Engine`].
    pub async fn of(lake: &Lake, run_id: &str) -> Result<Self, Error> {
        use ArtifactTable::{PlanArtifacts, ScanArtifacts, WriteArtifacts, WriteFailures};
        Ok(Self {
            plans: read(PlanArtifacts, "dataset, fingerprint", lake, run_id).await?,
            writes: read(WriteArtifacts, "dataset, version", lake, run_id).await?,
            scans: read(ScanArtifacts, "dataset, version", lake, run_id).await?,
            failures: read(WriteFailures, "dataset", lake, run_id).await?,
        })
    }
}

async fn read<P: Payload>(
    table: ArtifactTable,
    order: &str,
    lake: &Lake,
    run_id: &str,
) -> Result<Vec<P>, Error> {
    let sql = format!(
        "SELECT payload FROM {} WHERE run_id = $run_id ORDER BY {order}",
        table.name()
    );
    payloads(
        table,
        &table.query(lake, &sql, &[("run_id", run_id)]).await?,
    )
}
