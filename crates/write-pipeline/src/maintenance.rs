//! What is done to a table between writes, as its policy says: compaction, checkpoints, vacuum. No row is changed.

use std::collections::BTreeSet;
use std::fmt;

use chrono::TimeDelta;
use deltalake_core::checkpoints::create_checkpoint;
use deltalake_core::operations::vacuum::VacuumMode;
use futures::stream::{self, StreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use ossature_delta_policy::{Compaction, Retention, Vacuum};
use ossature_registry::{OpenTable, open_table};
use ossature_schema_spec::{DatasetName, Version};
use serde_json::Value;

use crate::plan::cluster_anew;
use crate::{EncodePool, Error, TableWriter, WriteFailure, WriteMode, WriteRequest};

/// One kind of upkeep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Upkeep {
    /// Rows go into the files that an overwrite would have put them into.
    Compaction,
    /// The state of the table is written down at one version, so that fewer commits are read to open it.
    Checkpoint,
    /// Files that no kept version uses are deleted.
    Vacuum,
}

impl Upkeep {
    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compaction => "compaction",
            Self::Checkpoint => "checkpoint",
            Self::Vacuum => "vacuum",
        }
    }
}

impl fmt::Display for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was done to a table, or why it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaintenanceFact {
    /// The dataset.
    pub dataset: DatasetName,
    /// The table's folder, without secrets.
    pub location: String,
    /// What kind of upkeep it is.
    pub upkeep: Upkeep,
    /// Whether anything was done.
    pub is_done: bool,
    /// Why it was done, or was not: what the policy says and what was found.
    pub reason: String,
    /// The version before.
    pub version_before: Version,
    /// The version after.
    pub version: Version,
    /// Files that were added to the table.
    pub files_added: usize,
    /// Files that were removed from the table. Earlier versions still have them.
    pub files_removed: usize,
    /// Files that were deleted, or would have been: their paths below the folder.
    pub deleted: Vec<String>,
}

/// How a table is kept up.
#[derive(Debug, Clone)]
pub struct MaintenanceRequest {
    /// The table, its contract and its policy. The mode says nothing here.
    pub write: WriteRequest,
    /// Versions that somebody may still read, whatever their age. No file of theirs is deleted.
    pub pinned: BTreeSet<Version>,
    /// Only tells what would be done.
    pub is_dry_run: bool,
}

/// What came of the upkeep of a table.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MaintenanceOutcome {
    /// What was done, in that order, also where something failed behind it, or halfway.
    pub facts: Vec<MaintenanceFact>,
    /// What ended it early: the failures of a write, and [`Error::Delta`] and [`Error::Store`] of the checkpoint and the vacuum.
    pub failure: Option<Box<WriteFailure>>,
}

/// Keeps a table up: compaction, then a checkpoint, then vacuum, each if the policy wants it now.
///
/// A clustered table is compacted by clustering all its rows anew, as they are spread by then; any other by putting the rows of
/// small files into the files that an overwrite would have put them into.
///
/// A vacuum deletes files and commits nothing, so that what the last commit claims stays true. Only files are deleted that
/// no version within the retention and no pinned version has; those that failed writes left behind are among them.
pub async fn maintain(request: &MaintenanceRequest, pool: &EncodePool) -> MaintenanceOutcome {
    let mut facts = Vec::new();
    let failure = Box::pin(try_maintain(request, pool, &mut facts))
        .await
        .err();
    MaintenanceOutcome { facts, failure }
}

async fn try_maintain(
    request: &MaintenanceRequest,
    pool: &EncodePool,
    facts: &mut Vec<MaintenanceFact>,
) -> Result<(), Box<WriteFailure>> {
    let failed = |error| {
        let WriteRequest {
            contract, location, ..
        } = &request.write;
        let dataset = contract.name().clone();
        Box::new(WriteFailure::before(dataset, location.to_string(), error))
    };
    let open = || async {
        open_table(&request.write.location, None)
            .await
            .map_err(Error::from)
    };
    facts.push(compact(request, &open().await.map_err(failed)?, pool).await?);
    let table = open().await.map_err(failed)?;
    facts.push(checkpoint(request, &table).await.map_err(failed)?);
    let (fact, error) = vacuum(request, &table).await.map_err(failed)?;
    facts.push(fact);
    error.map_or(Ok(()), |error| Err(failed(error)))
}

fn fact(
    request: &MaintenanceRequest,
    open: &OpenTable,
    upkeep: Upkeep,
    is_done: bool,
    reason: String,
) -> MaintenanceFact {
    MaintenanceFact {
        dataset: request.write.contract.name().clone(),
        location: request.write.location.to_string(),
        upkeep,
        is_done,
        reason,
        version_before: open.version(),
        version: open.version(),
        files_added: 0,
        files_removed: 0,
        deleted: Vec::new(),
    }
}

async fn compact(
    request: &MaintenanceRequest,
    open: &OpenTable,
    pool: &EncodePool,
) -> Result<MaintenanceFact, Box<WriteFailure>> {
    let policy = &request.write.policy;
    let fact = |is_done, reason| fact(request, open, Upkeep::Compaction, is_done, reason);
    let Compaction::Auto { small_files_max } = policy.compaction.value else {
        return Ok(fact(false, "the policy has it off".to_owned()));
    };
    let half = policy.rows_per_file_max.value.get() / 2;
    let (mut small, mut all) = (0_u64, 0_u64);
    if let Ok(snapshot) = open.table().snapshot() {
        for file in snapshot.log_data().iter() {
            let rows = file.num_records().and_then(|rows| u64::try_from(rows).ok());
            small += u64::from(rows.is_none_or(|rows| rows < half));
            all += 1;
        }
    }
    let found =
        format!("{small} of {all} files hold fewer than {half} rows, {small_files_max} may");
    if small <= u64::from(small_files_max) {
        return Ok(fact(false, found));
    }
    if request.is_dry_run {
        return Ok(fact(true, found));
    }
    let mut write = request.write.clone();
    write.mode = WriteMode::Compact;
    write.provenance.transaction = None;
    let outcome = if policy.cluster_by.value.is_empty() {
        let writer = TableWriter::open_or_fail(write, pool.clone()).await?;
        Box::pin(writer.finish()).await?
    } else {
        Box::pin(cluster_anew(write, open.version(), pool.clone())).await?
    };
    Ok(MaintenanceFact {
        version: outcome.version,
        files_added: outcome.files_added,
        files_removed: outcome.files_removed,
        ..fact(outcome.version != open.version(), found)
    })
}

async fn checkpoint(
    request: &MaintenanceRequest,
    open: &OpenTable,
) -> Result<MaintenanceFact, Error> {
    let interval = u64::from(request.write.policy.checkpoint_commits_interval.value.get());
    let last = last_checkpoint(open).await?;
    let commits = match last {
        Some(last) => open.version().number().saturating_sub(last),
        None => open.version().number() + 1,
    };
    let reason = format!("{commits} commits since the last one, {interval} may be");
    let is_due = commits >= interval;
    if is_due && !request.is_dry_run {
        create_checkpoint(open.table(), None)
            .await
            .map_err(Error::delta("writing a checkpoint"))?;
    }
    Ok(fact(request, open, Upkeep::Checkpoint, is_due, reason))
}

/// The version of the newest checkpoint, as the log's own hint tells it.
async fn last_checkpoint(open: &OpenTable) -> Result<Option<u64>, Error> {
    let path = Path::from("_delta_log/_last_checkpoint");
    let store = open.table().object_store();
    let read = async { store.get(&path).await?.bytes().await };
    match read.await {
        Ok(bytes) => {
            let hint: Option<Value> = serde_json::from_slice(&bytes).ok();
            Ok(hint.and_then(|hint| hint.get("version")?.as_u64()))
        }
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(Error::Store {
            file: path.to_string(),
            source: Box::new(source),
        }),
    }
}

/// Deletes what nothing needs; an error that comes up meanwhile stands beside what was deleted until then.
async fn vacuum(
    request: &MaintenanceRequest,
    open: &OpenTable,
) -> Result<(MaintenanceFact, Option<Error>), Error> {
    let fact = |is_done, reason| fact(request, open, Upkeep::Vacuum, is_done, reason);
    let Vacuum::After(retention) = request.write.policy.vacuum.value else {
        return Ok((fact(false, "the policy has it off".to_owned()), None));
    };
    let unused = unused_files(request, open, retention).await?;
    let days = retention.days();
    let pinned = request.pinned.len();
    let reason = format!(
        "{} files are used by no version of the last {days} days and by none of {pinned} pinned ones",
        unused.len()
    );
    let (deleted, error) = if request.is_dry_run {
        (unused, None)
    } else {
        delete(open, unused).await
    };
    let fact = fact(!deleted.is_empty(), reason);
    Ok((MaintenanceFact { deleted, ..fact }, error))
}

/// The files that nothing needs. The runtime finds them; deleting them itself, it would commit twice, and nobody could
/// believe any more what our commit below claims.
async fn unused_files(
    request: &MaintenanceRequest,
    open: &OpenTable,
    retention: Retention,
) -> Result<Vec<String>, Error> {
    let newest = open.version().number();
    let mut kept: BTreeSet<u64> = request.pinned.iter().map(|it| it.number()).collect();
    kept.retain(|version| *version < newest);
    kept.insert(newest);
    let kept: Vec<u64> = kept.into_iter().collect();
    let (_, found) = open
        .table()
        .clone()
        .vacuum()
        .with_retention_period(TimeDelta::days(i64::from(retention.days())))
        // The table property protects files from other engines; here the pinned versions are known.
        .with_enforce_retention_duration(false)
        .with_keep_versions(&kept)
        .with_mode(VacuumMode::Full)
        .with_dry_run(true)
        .await
        .map_err(Error::delta("looking for files that nothing needs"))?;
    let mut files = found.files_deleted;
    files.sort();
    Ok(files)
}

/// Deletes files; gives back those that are gone, and the first error.
async fn delete(open: &OpenTable, files: Vec<String>) -> (Vec<String>, Option<Error>) {
    let store = open.table().object_store();
    let (mut gone, mut first) = (Vec::with_capacity(files.len()), None);
    let deleting = stream::iter(files).map(|file| {
        let path = Path::parse(&file).unwrap_or_else(|_| Path::from(file.as_str()));
        let store = &store;
        async move { (store.delete(&path).await, file) }
    });
    let mut deleting = deleting.buffered(DELETIONS_MAX);
    while let Some((deleted, file)) = deleting.next().await {
        match deleted {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => gone.push(file),
            Err(source) => {
                first.get_or_insert(Error::Store {
                    file,
                    source: Box::new(source),
                });
            }
        }
    }
    (gone, first)
}

/// Files that are deleted at a time.
const DELETIONS_MAX: usize = 8;
