//! What is done to a table between writes, as its policy says: compaction, checkpoints, vacuum. No row is changed.

use std::collections::BTreeSet;
use std::fmt;

use chrono::TimeDelta;
use deltalake_core::checkpoints::create_checkpoint;
use deltalake_core::operations::vacuum::VacuumMode;
use futures::stream::{self, StreamExt as _};
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use ossature_delta_policy::{Compaction, Retention, Vacuum};
use ossature_registry::{OpenTable, commit_keys, open_table};
use ossature_schema_spec::{DatasetName, Version};
use serde_json::Value;

use crate::commit::rules;
use crate::plan::cluster_anew;
use crate::table::check_writable;
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
/// A table whose protocol the runtime does not write is left alone: its files and its log may hold what only others know of.
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
    let WriteRequest {
        contract, location, ..
    } = &request.write;
    let (name, place) = (contract.name(), location.to_string());
    let open = || async {
        let opened = open_table(location, None).await.map_err(Error::from);
        opened.map_err(|error| WriteFailure::before(name.clone(), place.clone(), error))
    };
    let table = open().await?;
    let refused = |error| WriteFailure::at(name.clone(), place.clone(), table.version(), error);
    let protocol = table.protocol().map_err(Error::from).map_err(refused)?;
    check_writable(&request.write, &protocol).map_err(refused)?;
    facts.push(compact(request, &table, pool).await?);
    let table = open().await?;
    let version = table.version();
    let failed = |error| WriteFailure::at(name.clone(), place.clone(), version, error);
    facts.push(checkpoint(request, &table).await.map_err(failed)?);
    let (fact, error) = vacuum(request, &table).await.map_err(failed)?;
    facts.push(fact);
    error.map_or(Ok(()), |error| Err(failed(error).into()))
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
    let is_clustered = !policy.cluster_by.value.is_empty();
    if is_clustered && is_written_so(request, open) {
        let reason = "all rows of the newest version were clustered, and the policy is as it was";
        return Ok(fact(false, reason.to_owned()));
    }
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
    let outcome = if is_clustered {
        Box::pin(cluster_anew(write, open.version(), pool.clone())).await?
    } else {
        let writer = TableWriter::open_or_fail(write, pool.clone()).await?;
        Box::pin(writer.finish()).await?
    };
    Ok(MaintenanceFact {
        version: outcome.version,
        files_added: outcome.files_added,
        files_removed: outcome.files_removed,
        ..fact(outcome.version != open.version(), found)
    })
}

/// Whether the newest commit is one of ours that wrote all rows of the table by the same rules.
fn is_written_so(request: &MaintenanceRequest, open: &OpenTable) -> bool {
    let told = &open.commit().keys;
    let is_same =
        |(key, value): (&String, &Value)| told.get(key).map(String::as_str) == value.as_str();
    let modes = [WriteMode::Overwrite, WriteMode::Compact].map(|mode| mode.as_str());
    let mode = told.get(commit_keys::MODE);
    let is_whole = mode.is_some_and(|mode| modes.contains(&mode.as_str()));
    let rules = rules(&request.write);
    let mut rules = rules.iter().filter(|(key, _)| *key != commit_keys::WRITER);
    open.commit().ours && is_whole && rules.all(is_same)
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

/// Deletes files; gives back those that are gone, and the error that ended it.
///
/// A store deletes many with one request, and does not tell which one failed; behind an error no others are begun.
async fn delete(open: &OpenTable, files: Vec<String>) -> (Vec<String>, Option<Error>) {
    let store = open.table().object_store();
    let mut gone = Vec::with_capacity(files.len());
    for files in files.chunks(DELETIONS_MAX) {
        let path = |file: &String| Path::parse(file).unwrap_or_else(|_| Path::from(file.as_str()));
        let paths: Vec<_> = files.iter().map(|file| Ok(path(file))).collect();
        let mut deleted = BTreeSet::new();
        let mut failed = None;
        let mut deleting = store.delete_stream(stream::iter(paths).boxed());
        while let Some(done) = deleting.next().await {
            match done {
                Ok(path) => drop(deleted.insert(path)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => drop(failed.get_or_insert(source)),
            }
        }
        let Some(source) = failed else {
            // Those that were not found are gone as well.
            gone.extend(files.iter().cloned());
            continue;
        };
        let is_deleted = |file: &&String| deleted.contains(&path(file));
        gone.extend(files.iter().filter(is_deleted).cloned());
        let error = Error::Store {
            file: "a file that nothing needs".to_owned(),
            source: Box::new(source),
        };
        return (gone, Some(error));
    }
    (gone, None)
}

/// Files that are deleted at a time: as many as stores take with one request.
const DELETIONS_MAX: usize = 1000;
