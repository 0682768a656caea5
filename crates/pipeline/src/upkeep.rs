//! Upkeep of a lake: every table that a run may write, kept up as its policy says.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use ossature_artifacts::{
    ArtifactTable, MaintenanceFactV1, MaintenanceRecord, RunArtifacts, RunLedger, RunManifestV1,
    RunStatusV1, WriteFailureV1,
};
use ossature_delta_policy::{LakeOverrides, PolicyOverrides, ResolvedPolicy, TablePolicy, resolve};
use ossature_registry::Lake;
use ossature_schema_spec::{DatasetName, DatasetSpec, Version};
use ossature_view_graph::{ConsumerIndex, ViewGraph};
use ossature_write_pipeline::{
    EncodePool, MaintenanceRequest, Provenance, WriteFailure, WriteMode, WriteRequest, maintain,
};

use crate::consumers::used_columns;
use crate::{Error, describe};

/// Which lake is kept up, and how.
#[derive(Debug, Clone)]
pub struct UpkeepRequest {
    /// Where the tables lie. Whoever asks sees to it that nobody else writes into them.
    pub lake: Lake,
    /// Sources and views.
    pub graph: ViewGraph,
    /// Who reads the tables, and by which columns.
    pub consumers: ConsumerIndex,
    /// How each table is kept.
    pub policy: fn(&DatasetName) -> TablePolicy,
    /// What the lake and whoever asks say instead. For the records of the runs only what is said of all tables about
    /// compaction and vacuum counts.
    pub overrides: LakeOverrides,
    /// Names this upkeep, in commits and in records: no two have the same.
    pub maintenance_id: String,
    /// When it began, in milliseconds since 1970-01-01 00:00:00 UTC.
    pub at_unix_ms: i64,
    /// Encoders that work at once.
    pub threads: NonZeroUsize,
    /// Only tells what would be done.
    pub is_dry_run: bool,
}

/// What came of the upkeep of a lake.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct UpkeepOutcome {
    /// What was done to each table, or why it was not, in the order in which the tables are written; the records of the
    /// runs come last.
    pub facts: Vec<MaintenanceFactV1>,
    /// The tables that could not be kept up, or whose facts could not be stored: [`Error::Upkeep`] and [`Error::Records`].
    pub failures: Vec<Error>,
}

/// Keeps up every table of a lake that exists: those of the sources and the views, then the records of the runs.
///
/// No file is deleted that a published run reads or wrote, whatever its age. What was done to a table is recorded before
/// the next one is looked at, and so is what failed; where nothing was done, and in a dry run, nothing is stored. A table that
/// fails does not keep the others from their upkeep.
///
/// **Errors**: [`Error::Policy`] before anything is done, [`Error::Records`] when it cannot be told what was published,
/// [`Error::NothingPublished`] when the lake has no run at all, [`Error::Encoders`].
pub async fn keep_up(request: &UpkeepRequest) -> Result<UpkeepOutcome, Error> {
    let tables = tables(request)?;
    let runs = RunLedger::of(&request.lake).runs().await?;
    if runs.is_empty() {
        return Err(Error::NothingPublished {
            lake: request.lake.to_string(),
        });
    }
    let pins = pins(runs.iter().map(|run| &run.manifest));
    let pool = EncodePool::try_new(request.threads).map_err(Error::Encoders)?;
    let record = MaintenanceRecord::of(&request.lake);
    let mut outcome = UpkeepOutcome::default();
    for (contract, policy) in tables {
        let name = contract.name().clone();
        let pinned = pins.get(name.as_str()).cloned().unwrap_or_default();
        let asked = table_request(request, contract, policy, pinned)?;
        let done = Box::pin(maintain(&asked, &pool)).await;
        match done.failure {
            Some(failure) if is_no_table(&failure) => continue,
            Some(source) => {
                let error = Error::Upkeep {
                    dataset: name,
                    source,
                };
                if !request.is_dry_run
                    && let Err(error) = record_failure(request, &error).await
                {
                    outcome.failures.push(error);
                }
                outcome.failures.push(error);
            }
            None => {}
        }
        let facts: Vec<_> = done.facts.iter().map(MaintenanceFactV1::from).collect();
        if !request.is_dry_run && facts.iter().any(|fact| fact.is_done) {
            let stored = record.append(&facts, &request.maintenance_id, request.at_unix_ms);
            if let Err(error) = stored.await {
                outcome.failures.push(error.into());
            }
        }
        outcome.facts.extend(facts);
    }
    Ok(outcome)
}

/// Stores what failed beside the failed writes of runs, with the names of the files that it left behind.
async fn record_failure(request: &UpkeepRequest, error: &Error) -> Result<(), Error> {
    let Error::Upkeep { source, .. } = error else {
        return Ok(());
    };
    let mut artifacts = RunArtifacts::of(&request.maintenance_id);
    let said = describe(source.as_ref());
    artifacts.record_failure(WriteFailureV1::of(source, error.code(), &said))?;
    artifacts.store(&request.lake, request.at_unix_ms).await?;
    Ok(())
}

/// Every table with its policy, the one that the upkeep itself is recorded in last: what is appended meanwhile is part of
/// what it is kept up for.
fn tables(request: &UpkeepRequest) -> Result<Vec<(DatasetSpec, ResolvedPolicy)>, Error> {
    let UpkeepRequest {
        graph, overrides, ..
    } = request;
    let mut tables = Vec::new();
    for contract in graph.written() {
        let asked = overrides.request(contract.name());
        let declared = (request.policy)(contract.name());
        let used = used_columns(&request.consumers, contract);
        let policy = resolve(&asked, &overrides.location, contract, &declared, &used)?;
        tables.push((contract.clone(), policy));
    }
    let location = PolicyOverrides {
        compaction: overrides.location.compaction,
        vacuum: overrides.location.vacuum,
        ..PolicyOverrides::none()
    };
    for table in ArtifactTable::ALL {
        let contract = table.spec()?;
        let none = PolicyOverrides::none();
        let policy = resolve(&none, &location, &contract, &table.policy(), &[])?;
        tables.push((contract, policy));
    }
    Ok(tables)
}

/// The versions that published runs read and wrote, by dataset.
fn pins<'a>(
    manifests: impl Iterator<Item = &'a RunManifestV1>,
) -> BTreeMap<&'a str, BTreeSet<Version>> {
    let mut pins: BTreeMap<&str, BTreeSet<Version>> = BTreeMap::new();
    for manifest in manifests.filter(|it| it.status == RunStatusV1::Completed) {
        let inputs = manifest.inputs.iter();
        let inputs = inputs.map(|pin| (pin.dataset.as_str(), pin.version));
        let outputs = manifest.outputs.iter();
        let outputs = outputs.map(|output| (output.name.as_str(), output.version));
        for (dataset, version) in inputs.chain(outputs) {
            pins.entry(dataset)
                .or_default()
                .insert(Version::new(version));
        }
    }
    pins
}

fn table_request(
    request: &UpkeepRequest,
    contract: DatasetSpec,
    policy: ResolvedPolicy,
    pinned: BTreeSet<Version>,
) -> Result<MaintenanceRequest, Error> {
    Ok(MaintenanceRequest {
        write: WriteRequest {
            location: request.lake.location(contract.name())?,
            contract,
            policy,
            mode: WriteMode::Compact,
            provenance: Provenance {
                run_id: request.maintenance_id.clone(),
                at_unix_ms: request.at_unix_ms,
                plan: None,
                transaction: None,
                metadata: BTreeMap::new(),
            },
        },
        pinned,
        is_dry_run: request.is_dry_run,
    })
}

fn is_no_table(failure: &WriteFailure) -> bool {
    use ossature_write_pipeline::Error as WriteError;
    matches!(
        failure.source,
        WriteError::Registry(ossature_registry::Error::NoTable { .. })
    )
}
