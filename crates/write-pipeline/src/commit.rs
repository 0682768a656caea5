//! The one commit of a write.

use std::collections::{BTreeMap, BTreeSet};

use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{Action, Add, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use ossature_registry::{COMMIT_KEY_PREFIX, OpenTable, OrderingClaim, commit_keys};
use ossature_schema_spec::{Fingerprint, Version};
use serde_json::{Value, json};

use crate::{Error, Provenance, WRITER_VERSION, WriteMode, WriteRequest};

/// A stored file, as the log will name it.
#[derive(Debug)]
pub(crate) struct FileFacts {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) statistics: String,
    pub(crate) partition: BTreeMap<String, Option<String>>,
}

/// What the commit did.
pub(crate) struct Committed {
    pub(crate) version: Version,
    pub(crate) added: usize,
    pub(crate) removed: usize,
}

/// Refuses a run that is earlier than the one that wrote the table.
///
/// It need not be asked again when the files are committed: who commits in between makes that commit fail.
///
/// **Errors**: [`Error::Superseded`].
pub(crate) async fn check_transaction(
    request: &WriteRequest,
    open: &OpenTable,
) -> Result<(), Error> {
    let Some(transaction) = &request.provenance.transaction else {
        return Ok(());
    };
    let written = open
        .table()
        .snapshot()
        .map_err(Error::delta("reading a table"))?
        .transaction_version(open.table().log_store().as_ref(), &transaction.application)
        .await
        .map_err(Error::delta("reading the transaction identifiers"))?;
    match written {
        Some(found) if found > transaction.number => Err(Error::Superseded {
            dataset: request.contract.name().clone(),
            wanted: transaction.number,
            found,
        }),
        _ => Ok(()),
    }
}

/// The files whose rows are all in the table, by the names that they have there.
///
/// A file with a deletion vector is none of them: what is written under its name again has the deleted rows, too.
pub(crate) fn live_files(open: &OpenTable) -> Result<BTreeSet<String>, Error> {
    let snapshot = open
        .table()
        .snapshot()
        .map_err(Error::delta("reading a table"))?;
    Ok(snapshot
        .log_data()
        .iter()
        .filter(|file| file.deletion_vector_descriptor().is_none())
        .map(|file| file.path().to_string())
        .collect())
}

/// Makes the written files the table's files, or adds them to it.
pub(crate) async fn commit(
    request: &WriteRequest,
    open: &OpenTable,
    files: &[FileFacts],
    content: Fingerprint,
) -> Result<Committed, Error> {
    let dataset = request.contract.name();
    let snapshot = open
        .table()
        .snapshot()
        .map_err(Error::delta("reading a table"))?;
    let mut actions = Vec::new();
    let live = live_files(open)?;
    let wanted: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut removed = 0;
    if request.mode == WriteMode::Overwrite {
        let stays = |path: &str| live.contains(path) && wanted.contains(path);
        let mut gone: Vec<_> = snapshot
            .log_data()
            .iter()
            .filter(|file| !stays(&file.path()))
            .map(|file| file.remove_action(true))
            .collect();
        gone.sort_by(|a, b| a.path.cmp(&b.path));
        removed = gone.len();
        actions.extend(gone.into_iter().map(Action::Remove));
    }
    let new = files.iter().filter(|file| !live.contains(&file.path));
    let adds: Vec<Action> = new
        .map(|file| Action::Add(add(file, &request.provenance)))
        .collect();
    let added = adds.len();
    actions.extend(adds);

    let claims_stand = open.commit().content == Some(content);
    let nothing_to_say = match request.mode {
        WriteMode::Overwrite => claims_stand,
        WriteMode::Append => true,
    };
    if actions.is_empty() && nothing_to_say {
        return Ok(Committed {
            version: open.version(),
            added: 0,
            removed: 0,
        });
    }

    let mut properties = CommitProperties::default()
        .with_metadata(commit_metadata(request, content)?)
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
    let operation = DeltaOperation::Write {
        mode: match request.mode {
            WriteMode::Overwrite => SaveMode::Overwrite,
            WriteMode::Append => SaveMode::Append,
        },
        partition_by: (!request.contract.partition().is_empty()).then(|| {
            request
                .contract
                .partition()
                .iter()
                .map(ToString::to_string)
                .collect()
        }),
        predicate: None,
    };
    let done = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(
            Some(snapshot.snapshot()),
            open.table().log_store(),
            operation,
        )
        .await
        .map_err(|error| Error::commit(dataset, open.version().number(), error))?;
    Ok(Committed {
        version: Version::new(done.version()),
        added,
        removed,
    })
}

fn add(file: &FileFacts, provenance: &Provenance) -> Add {
    Add {
        path: file.path.clone(),
        partition_values: file.partition.clone().into_iter().collect(),
        size: i64::try_from(file.bytes).unwrap_or(i64::MAX),
        modification_time: provenance.at_unix_ms,
        data_change: true,
        stats: Some(file.statistics.clone()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn commit_metadata(
    request: &WriteRequest,
    content: Fingerprint,
) -> Result<BTreeMap<String, Value>, Error> {
    let WriteRequest {
        contract,
        policy,
        mode,
        provenance,
        ..
    } = request;
    let mut metadata = provenance.metadata.clone();
    if let Some(key) = metadata
        .keys()
        .find(|key| key.starts_with(COMMIT_KEY_PREFIX))
    {
        return Err(Error::ReservedKey { key: key.clone() });
    }
    let mut set = |key: &str, value: Value| metadata.insert(key.to_owned(), value);
    set(commit_keys::WRITER, json!(WRITER_VERSION));
    set(
        commit_keys::CONTRACT,
        json!(contract.contract_hash().to_hex()),
    );
    set(commit_keys::POLICY, json!(policy.fingerprint().to_hex()));
    set(commit_keys::RUN, json!(provenance.run_id));
    if let Some(plan) = provenance.plan {
        set(commit_keys::PLAN, json!(plan.to_hex()));
    }
    // What was appended says nothing of the rows before it.
    if *mode == WriteMode::Overwrite {
        set(commit_keys::CONTENT_HASH, json!(content.to_hex()));
        if !contract.order().is_empty() {
            set(commit_keys::ORDER, OrderingClaim::render(contract.order()));
        }
    }
    Ok(metadata)
}
