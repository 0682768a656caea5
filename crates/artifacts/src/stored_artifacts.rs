//! What a run left behind besides its tables, read back.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use ossature_delta_policy::ResolvedPolicy;
use ossature_lineage::{CanonicalPlan, PlanEncoding};
use ossature_registry::Lake;

use crate::payload::plan_hash;
use crate::stored::payloads;
use crate::table::ArtifactTable;
use crate::{
    DigestV1, Error, Payload, PlanArtifactV1, ScanArtifactV1, ViewCacheV1, WriteArtifactV1,
    WriteFailureV1, decode_msgpack,
};

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
    /// What became of the views when it came to them.
    pub caches: Vec<ViewCacheV1>,
    /// The writes that failed, and what they left behind.
    pub failures: Vec<WriteFailureV1>,
}

impl StoredArtifacts {
    /// Reads the artifacts of a run.
    ///
    /// **Errors**: [`Error::Registry`], [`Error::Corrupt`], [`Error::Engine`].
    pub async fn of(lake: &Lake, run_id: &str) -> Result<Self, Error> {
        use ArtifactTable::{
            PlanArtifacts, ScanArtifacts, ViewCache, WriteArtifacts, WriteFailures,
        };
        Ok(Self {
            plans: read(PlanArtifacts, "dataset, fingerprint", lake, run_id).await?,
            writes: read(WriteArtifacts, "dataset, version", lake, run_id).await?,
            scans: read(ScanArtifacts, "dataset, version", lake, run_id).await?,
            caches: read(ViewCache, "dataset", lake, run_id).await?,
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

/// A plan of a run, with the bytes that execute it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedPlan {
    /// What the run tells of it.
    pub artifact: PlanArtifactV1,
    /// The plan.
    pub plan: CanonicalPlan,
}

impl RecordedPlan {
    /// The plans of a run, ordered by dataset.
    ///
    /// **Errors**: those of [`StoredArtifacts::of`], and [`Error::RecordDiffers`] when the bytes of a plan are not those that
    /// its artifact tells of.
    pub async fn of(lake: &Lake, run_id: &str) -> Result<Vec<Self>, Error> {
        const TABLE: ArtifactTable = ArtifactTable::PlanArtifacts;
        let rows = beside(TABLE, "plan", "dataset, fingerprint", lake, run_id).await?;
        let artifacts = payloads::<PlanArtifactV1>(TABLE, &rows)?.into_iter();
        let plans = artifacts.zip(bytes(TABLE, "plan", &rows)?);
        plans
            .map(|(artifact, bytes)| {
                let differs = |reason: String| Error::RecordDiffers {
                    table: TABLE.name(),
                    dataset: artifact.dataset.clone(),
                    what: "plan",
                    reason,
                };
                let encoding = PlanEncoding::from_name(&artifact.encoding)
                    .ok_or_else(|| differs(format!("no plan is in `{}`", artifact.encoding)))?;
                let plan = CanonicalPlan::recorded(encoding, bytes);
                let found = plan_hash(&plan);
                if found != artifact.plan_hash {
                    let wanted = artifact.plan_hash;
                    return Err(differs(format!("its digest is {found}, wanted {wanted}")));
                }
                Ok(Self { artifact, plan })
            })
            .collect()
    }
}

/// A write of a run, with the policy that it was carried out by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedWrite {
    /// What the run tells of it.
    pub artifact: WriteArtifactV1,
    policy: Vec<u8>,
}

impl RecordedWrite {
    /// The writes of a run, ordered by dataset.
    ///
    /// **Errors**: those of [`StoredArtifacts::of`].
    pub async fn of(lake: &Lake, run_id: &str) -> Result<Vec<Self>, Error> {
        const TABLE: ArtifactTable = ArtifactTable::WriteArtifacts;
        let rows = beside(TABLE, "policy", "dataset, version", lake, run_id).await?;
        let artifacts = payloads::<WriteArtifactV1>(TABLE, &rows)?.into_iter();
        let writes = artifacts.zip(bytes(TABLE, "policy", &rows)?);
        Ok(writes
            .map(|(artifact, policy)| Self { artifact, policy })
            .collect())
    }

    /// The policy.
    ///
    /// **Errors**: [`Error::RecordDiffers`] when it cannot be read, as after a change of what policies are, or is not the one that
    /// the artifact tells of.
    pub fn policy(&self) -> Result<ResolvedPolicy, Error> {
        let differs = |reason: String| Error::RecordDiffers {
            table: ArtifactTable::WriteArtifacts.name(),
            dataset: self.artifact.dataset.clone(),
            what: "policy",
            reason,
        };
        let value = decode_msgpack(&self.policy).map_err(|error| differs(error.to_string()))?;
        let policy: ResolvedPolicy =
            serde_json::from_value(value).map_err(|error| differs(error.to_string()))?;
        let found = DigestV1::from(policy.fingerprint());
        let wanted = self.artifact.policy.policy_hash;
        if found == wanted {
            Ok(policy)
        } else {
            Err(differs(format!("its digest is {found}, wanted {wanted}")))
        }
    }
}

/// The payloads of a run's rows, with a column of bytes beside them.
async fn beside(
    table: ArtifactTable,
    column: &str,
    order: &str,
    lake: &Lake,
    run_id: &str,
) -> Result<Vec<RecordBatch>, Error> {
    let sql = format!(
        "SELECT payload, {column} FROM {} WHERE run_id = $run_id ORDER BY {order}",
        table.name()
    );
    table.query(lake, &sql, &[("run_id", run_id)]).await
}

fn bytes(
    table: ArtifactTable,
    column: &'static str,
    rows: &[RecordBatch],
) -> Result<Vec<Vec<u8>>, Error> {
    let mut all = Vec::new();
    for batch in rows {
        let values = batch
            .column_by_name(column)
            .and_then(|column| column.as_binary_opt::<i32>())
            .ok_or(Error::UnexpectedColumn {
                table: table.name(),
                column,
                wanted: "Binary",
            })?;
        all.extend(values.iter().map(|it| it.unwrap_or_default().to_vec()));
    }
    Ok(all)
}
