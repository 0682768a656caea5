//! The one commit of a write.

use std::collections::{BTreeMap, BTreeSet};

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use ossature_registry::{COMMIT_KEY_PREFIX, CommitFacts, OpenTable, OrderingClaim, commit_keys};
use ossature_schema_spec::{CanonicalHasher, DatasetSpec, Fingerprint, Version};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::partition::PartitionValues;
use crate::redaction::redact_field;
use crate::stored::{LiveFile, file_tags, known_files, longest_chain, order_inside};
use crate::table::{Release, commit_release};
use crate::{Error, WRITER_VERSION, WriteMode, WriteRequest};

/// One file of the version to be, or of what is appended.
#[derive(Debug)]
pub(crate) struct FileFacts {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// The digest of its bytes.
    pub(crate) content: Fingerprint,
    /// The row-encoded sort keys of its first and of its last row.
    pub(crate) first: Vec<u8>,
    pub(crate) last: Vec<u8>,
    /// The values of the partition columns, as text.
    pub(crate) partition: PartitionValues,
    /// What the log says of a file that is new; nothing for one that stays.
    pub(crate) statistics: Option<String>,
}

/// What a commit is made of.
pub(crate) struct CommitPlan<'a> {
    pub(crate) request: &'a WriteRequest,
    pub(crate) open: &'a OpenTable,
    /// The table's files whose rows are all in it, by their paths.
    pub(crate) live: &'a BTreeSet<String>,
    /// Changes of the table's protocol and metadata, which go first.
    pub(crate) changes: Vec<Action>,
    /// What has to be committed before, where files go.
    pub(crate) release: Option<Release>,
    pub(crate) files: &'a [FileFacts],
}

/// What the commit did.
pub(crate) struct Committed {
    pub(crate) version_before: Version,
    pub(crate) version: Version,
    pub(crate) added: usize,
    pub(crate) removed: usize,
    /// The digest of the version's files, for an append of those that were added.
    pub(crate) content: Fingerprint,
}

/// Whether the transaction of a write is in the table already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transacted {
    No,
    Yes,
}

/// Looks for the transaction of a write, and refuses a run that is earlier than the one that wrote the table.
///
/// The runtime commits the same transaction twice when it is asked to. It need not be asked again when the files are
/// committed: who commits in between makes that commit fail.
///
/// **Errors**: [`Error::Superseded`].
pub(crate) async fn check_transaction(
    request: &WriteRequest,
    open: &OpenTable,
) -> Result<Transacted, Error> {
    let Some(transaction) = &request.provenance.transaction else {
        return Ok(Transacted::No);
    };
    let written = open
        .snapshot()?
        .transaction_version(open.table().log_store().as_ref(), &transaction.application)
        .await
        .map_err(Error::delta("reading the transaction identifiers"))?;
    match written {
        Some(found) if found > transaction.number => Err(Error::Superseded {
            dataset: request.contract.name().clone(),
            wanted: transaction.number,
            found,
        }),
        Some(found) if found == transaction.number => Ok(Transacted::Yes),
        _ => Ok(Transacted::No),
    }
}

/// The files whose rows are all in the table, by the names that they have there.
///
/// A file with a deletion vector is none of them: what is written under its name again has the deleted rows, too.
pub(crate) fn live_files(open: &OpenTable) -> Result<BTreeSet<String>, Error> {
    let snapshot = open.snapshot()?;
    Ok(snapshot
        .log_data()
        .iter()
        .filter(|file| file.deletion_vector_descriptor().is_none())
        .map(|file| file.path().to_string())
        .collect())
}

/// Makes the files the table's files, or adds them to it.
pub(crate) async fn commit(plan: CommitPlan<'_>) -> Result<Committed, Error> {
    let CommitPlan {
        request,
        open,
        live,
        changes,
        release,
        files,
    } = plan;
    let snapshot = open.snapshot()?;
    let wanted: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let moves_rows = request.mode != WriteMode::Compact;
    let mut actions = changes;
    let mut removed = 0;
    if request.mode != WriteMode::Append {
        let stays = |path: &str| live.contains(path) && wanted.contains(path);
        let mut gone: Vec<_> = snapshot
            .log_data()
            .iter()
            .filter(|file| !stays(&file.path()))
            .map(|file| file.remove_action(moves_rows))
            .collect();
        gone.sort_by(|a, b| a.path.cmp(&b.path));
        removed = gone.len();
        actions.extend(gone.into_iter().map(Action::Remove));
    }
    let new = files.iter().filter(|file| !live.contains(&file.path));
    let order = order_inside(&request.contract);
    let order = Some(order.as_str()).filter(|_| request.policy.cluster_by.value.is_empty());
    let new: Vec<Add> = new
        .filter_map(|file| add(request, order, file, moves_rows))
        .collect();
    let added = new.len();
    actions.extend(new.into_iter().map(Action::Add));

    let version = version_facts(request, open, files)?;
    let content = content_of(files);
    let claims_stand = open.commit().content == version.content;
    let nothing_to_say = request.mode == WriteMode::Append || claims_stand;
    if actions.is_empty() && nothing_to_say {
        return Ok(Committed {
            version_before: open.version(),
            version: open.version(),
            added: 0,
            removed: 0,
            content,
        });
    }

    let released = match release.filter(|_| removed > 0) {
        Some(release) => Some(commit_release(request, open, release).await?),
        None => None,
    };
    let open = released.as_ref().unwrap_or(open);
    let attempt = Uuid::now_v7().to_string();
    let mut properties = CommitProperties::default()
        .with_metadata(commit_metadata(request, &version, &attempt)?)
        // The files were computed from what was there when the table was opened; should anything have changed since,
        // the commit must fail instead of hiding it.
        .with_max_retries(0)
        .with_cleanup_expired_logs(Some(false));
    if let Some(transaction) = &request.provenance.transaction {
        properties = properties.with_application_transaction(Transaction::new(
            &transaction.application,
            transaction.number,
        ));
    }
    let commit = CommitBuilder::from(properties).with_actions(actions).build(
        Some(open.snapshot()?.snapshot()),
        open.table().log_store(),
        operation(request),
    );
    let interval = request.policy.checkpoint_commits_interval.value.get();
    let done = async {
        let done = commit.into_prepared_commit_future().await?.await?;
        let version = done.version;
        // Behind a commit the runtime loads the version, which only a checkpoint needs.
        if (version + 1).is_multiple_of(interval.into()) {
            done.await?;
        }
        Ok(version)
    };
    let found = match done.await {
        Ok(version) => Version::new(version),
        Err(error) => {
            let error = why_not(request, open, error);
            recognise(open, &attempt).await.ok_or(error)?
        }
    };
    Ok(Committed {
        version_before: open.version(),
        version: found,
        added,
        removed,
        content,
    })
}

/// Why a commit is not there.
fn why_not(request: &WriteRequest, open: &OpenTable, error: DeltaTableError) -> Error {
    let dataset = request.contract.name();
    let read = open.version().number();
    match Error::commit(dataset, read, error) {
        // Somebody else has created it meanwhile.
        Error::Conflict { .. } if request.mode == WriteMode::ErrorIfExists => Error::TableExists {
            dataset: dataset.clone(),
            version: Version::new(read + 1),
        },
        error => error,
    }
}

/// A store may fail after it has done what it was asked to: whether the commit is there in spite of an error.
///
/// Neither the run nor the rows tell it: two writers of one run may append equal rows, and both have to.
pub(crate) async fn recognise(open: &OpenTable, attempt: &str) -> Option<Version> {
    let next = open.version().number().checked_add(1)?;
    let entry = open.table().log_store().read_commit_entry(next).await;
    let found = CommitFacts::parse(entry.ok().flatten()?.as_ref());
    let is_ours = found.keys.get(commit_keys::ATTEMPT).map(String::as_str) == Some(attempt);
    is_ours.then(|| Version::new(next))
}

fn operation(request: &WriteRequest) -> DeltaOperation {
    let partition = request.contract.partition();
    match &request.mode {
        WriteMode::Compact => DeltaOperation::Optimize {
            predicate: None,
            target_size: 0,
        },
        mode => DeltaOperation::Write {
            mode: match mode {
                WriteMode::Append => SaveMode::Append,
                _ => SaveMode::Overwrite,
            },
            partition_by: (!partition.is_empty())
                .then(|| partition.iter().map(ToString::to_string).collect()),
            predicate: None,
        },
    }
}

/// What can be said of the version that a commit makes.
struct VersionFacts {
    /// The digest of all its files, if every one tells its own.
    content: Option<Fingerprint>,
    /// Whether the rows are in the declared order, inside of files and across those of a partition.
    is_ordered: bool,
}

fn version_facts(
    request: &WriteRequest,
    open: &OpenTable,
    files: &[FileFacts],
) -> Result<VersionFacts, Error> {
    let added = files
        .iter()
        .map(|file| (file.partition.clone(), Some(live(file))));
    let mut all: Vec<_> = added.collect();
    if request.mode == WriteMode::Append {
        all.extend(known_files(&request.contract, open)?);
    }
    let mut partitions: BTreeMap<PartitionValues, Vec<LiveFile>> = BTreeMap::new();
    for (partition, file) in all {
        let Some(file) = file else {
            return Ok(VersionFacts {
                content: None,
                is_ordered: false,
            });
        };
        partitions.entry(partition).or_default().push(file);
    }
    let content = digest_files(partitions.iter().flat_map(|(partition, files)| {
        files
            .iter()
            .map(move |file| (partition, file.rows as u64, file.content, &file.first))
    }));
    let follow = |files: Vec<LiveFile>| longest_chain(files).1.is_empty();
    let is_ordered = !request.contract.order().is_empty() && partitions.into_values().all(follow);
    Ok(VersionFacts {
        content: Some(content),
        is_ordered,
    })
}

fn live(file: &FileFacts) -> LiveFile {
    LiveFile {
        path: file.path.clone(),
        rows: usize::try_from(file.rows).unwrap_or(usize::MAX),
        bytes: file.bytes,
        content: file.content,
        first: file.first.clone(),
        last: file.last.clone(),
    }
}

pub(crate) fn content_of(files: &[FileFacts]) -> Fingerprint {
    digest_files(
        files
            .iter()
            .map(|file| (&file.partition, file.rows, file.content, &file.first)),
    )
}

/// The digest of a version's files, if the log tells that of every one.
pub(crate) fn content_of_stored(
    contract: &DatasetSpec,
    open: &OpenTable,
) -> Result<Option<Fingerprint>, Error> {
    let files = known_files(contract, open)?.into_iter();
    let files: Option<Vec<_>> = files
        .map(|(partition, file)| Some((partition, file?)))
        .collect();
    Ok(files.map(|files| {
        digest_files(
            files
                .iter()
                .map(|(partition, file)| (partition, file.rows as u64, file.content, &file.first)),
        )
    }))
}

/// The digest of rows that lie in several files: of the digests of the files, by partition and key.
fn digest_files<'a>(
    files: impl Iterator<Item = (&'a PartitionValues, u64, Fingerprint, &'a Vec<u8>)>,
) -> Fingerprint {
    let mut files: Vec<_> = files
        .map(|(partition, rows, content, first)| (partition, first, content, rows))
        .collect();
    files.sort();
    let mut hasher = CanonicalHasher::new("ossature.table_content.v2");
    hasher.list(files.len());
    for (partition, _, content, rows) in files {
        hasher.list(partition.len());
        for value in partition {
            match value {
                Some(value) => hasher.text(value),
                None => hasher.absent(),
            }
        }
        hasher.text(&rows.to_string());
        hasher.fingerprint(content);
    }
    hasher.finish()
}

/// The action that adds a file which was written, with its rows in an order or without; nothing for one that stays.
fn add(
    request: &WriteRequest,
    order: Option<&str>,
    file: &FileFacts,
    moves_rows: bool,
) -> Option<Add> {
    let contract = &request.contract;
    let statistics = file.statistics.clone()?;
    let tags = file_tags(order, file.content, &file.first, &file.last).into_iter();
    Some(Add {
        path: file.path.clone(),
        partition_values: contract
            .partition()
            .iter()
            .map(ToString::to_string)
            .zip(file.partition.iter().cloned())
            .collect(),
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: request.provenance.at_unix_ms,
        data_change: moves_rows,
        stats: Some(statistics),
        tags: Some(tags.map(|(key, value)| (key, Some(value))).collect()),
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    })
}

/// Bytes that the keys of a caller may have together, as JSON.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// By which rules a commit was made: what every one of ours says, with rows or without.
pub(crate) fn rules(request: &WriteRequest) -> BTreeMap<String, Value> {
    let contract = request.contract.contract_hash().to_hex();
    let policy = request.policy.fingerprint().to_hex();
    BTreeMap::from([
        (commit_keys::WRITER.to_owned(), json!(WRITER_VERSION)),
        (commit_keys::CONTRACT.to_owned(), json!(contract)),
        (commit_keys::POLICY.to_owned(), json!(policy)),
    ])
}

fn commit_metadata(
    request: &WriteRequest,
    version: &VersionFacts,
    attempt: &str,
) -> Result<BTreeMap<String, Value>, Error> {
    let WriteRequest {
        contract,
        mode,
        provenance,
        ..
    } = request;
    let mut metadata = provenance.metadata.clone();
    check_metadata(&metadata)?;
    for (key, value) in &mut metadata {
        redact_field(key, value);
    }
    metadata.extend(rules(request));
    let mut set = |key: &str, value: Value| metadata.insert(key.to_owned(), value);
    set(commit_keys::MODE, json!(mode.as_str()));
    set(commit_keys::RUN, json!(provenance.run_id));
    set(commit_keys::ATTEMPT, json!(attempt));
    if let Some(plan) = provenance.plan {
        set(commit_keys::PLAN, json!(plan.to_hex()));
    }
    if let Some(content) = version.content {
        set(commit_keys::CONTENT_HASH, json!(content.to_hex()));
    }
    if version.is_ordered {
        set(commit_keys::ORDER, OrderingClaim::render(contract.order()));
    }
    Ok(metadata)
}

/// Whether the keys of a caller may go into a commit: none is the writer's or the protocol's, and they are small.
pub(crate) fn check_metadata(metadata: &BTreeMap<String, Value>) -> Result<(), Error> {
    let is_reserved =
        |key: &&String| key.starts_with(COMMIT_KEY_PREFIX) || PROTOCOL_KEYS.contains(&key.as_str());
    if let Some(key) = metadata.keys().find(is_reserved) {
        return Err(Error::ReservedKey { key: key.clone() });
    }
    let bytes = json!(metadata).to_string().len();
    if bytes > METADATA_BYTES_MAX {
        return Err(Error::MetadataTooLarge {
            found: bytes,
            max: METADATA_BYTES_MAX,
        });
    }
    Ok(())
}

/// The keys of a commit that the protocol, or the runtime, gives a meaning.
const PROTOCOL_KEYS: [&str; 13] = [
    "clientVersion",
    "engineInfo",
    "inCommitTimestamp",
    "isBlindAppend",
    "isolationLevel",
    "operation",
    "operationMetrics",
    "operationParameters",
    "readVersion",
    "timestamp",
    "txnId",
    "userId",
    "userName",
];
