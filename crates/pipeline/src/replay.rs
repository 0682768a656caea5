//! Replay: a run carried out again from what it recorded, and compared with what it published.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use ossature_artifacts::{
    DigestV1, OutputV1, Payload, PlanInputV1, RecordedPlan, RecordedWrite, RunManifestV1,
    artifact_id,
};
use ossature_lineage::{Environment, PlanEncoding, schema_hash};
use ossature_registry::{Catalog, Dataset, Lake, Published, SessionSpec};
use ossature_schema_spec::{DatasetName, DatasetSpec, Fingerprint, Version};
use ossature_view_graph::ViewGraph;
use ossature_write_pipeline::{EncodePool, Provenance, WriteMode, WriteOutcome, WriteRequest};

use crate::published::find;
use crate::run::{function_versions, write_computed};
use crate::{Error, Event, Observer, describe};

/// Which run is carried out again, and where.
#[derive(Clone)]
pub struct ReplayRequest {
    /// Where the run's tables lie. Nothing is written there.
    pub lake: Lake,
    /// The run; the newest published one without it.
    pub run_id: Option<String>,
    /// Where the tables are written that are compared, one after the other. Whoever asks removes what is left.
    pub scratch: Lake,
    /// What the tables are. Plans and policies come from the records.
    pub graph: ViewGraph,
    /// The versions of whatever decides about plans besides the query engine, by name, as in a run's request.
    pub versions: BTreeMap<String, String>,
    /// The session that computes.
    pub session: SessionSpec,
    /// Is told what happens.
    pub observer: Arc<Observer>,
}

impl std::fmt::Debug for ReplayRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplayRequest")
            .field("lake", &self.lake.to_string())
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

/// What came of a replay.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replay {
    /// The run.
    pub run_id: String,
    /// What it published, ordered by name.
    pub tables: Vec<ReplayedTable>,
    /// Whether the plans of the run were made in another environment than they were executed in now. That is no difference of
    /// tables; where there is one, it may be why.
    pub is_other_environment: bool,
}

impl ReplayedTable {
    /// Whether nothing is known of it, because memory or storage gave out.
    pub fn is_unknown(&self) -> bool {
        match &self.outcome {
            ReplayOutcome::Failed { code, .. } => matches!(
                *code,
                "memory_exhausted" | "engine_failure" | "store_failure" | "delta_failure"
            ),
            _ => false,
        }
    }
}

impl Replay {
    /// The tables that are not what was recorded, or could not be made again.
    pub fn differences(&self) -> impl Iterator<Item = &ReplayedTable> {
        self.tables
            .iter()
            .filter(|table| !matches!(table.outcome, ReplayOutcome::Same | ReplayOutcome::Source))
    }
}

/// One table that a run published.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReplayedTable {
    /// The dataset.
    pub dataset: String,
    /// The digest of its files, as the run recorded it.
    pub recorded: Fingerprint,
    /// What came of it.
    pub outcome: ReplayOutcome,
}

/// What came of one table.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayOutcome {
    /// It was computed again, and every byte is the same.
    Same,
    /// It came from outside, and was read.
    Source,
    /// Its files have another digest.
    Differs {
        /// The digest.
        found: Fingerprint,
    },
    /// It could not be computed again, or its records are missing or are not those that the manifest names.
    Failed {
        /// The stable identifier of the reason.
        code: &'static str,
        /// The reason.
        reason: String,
    },
}

/// Carries a run out again: every recorded plan is executed over the versions that it read, and its rows are written as the
/// recorded policy says, into the scratch lake. Then the digests of the files are compared.
///
/// Every table is computed from what the run read, not from what the replay computed: one table that differs does not make
/// others differ. A table that cannot be computed does not keep the others from it.
///
/// **Errors**: [`Error::NothingPublished`], [`Error::NoSuchRun`], [`Error::Records`] when the records cannot be read or are not
/// what was recorded, [`Error::Encoders`], and those of making the session.
pub async fn replay(request: &ReplayRequest) -> Result<Replay, Error> {
    let manifest = find(&request.lake, request.run_id.as_deref()).await?;
    let plans = RecordedPlan::of(&request.lake, &manifest.run_id).await?;
    let writes = RecordedWrite::of(&request.lake, &manifest.run_id).await?;
    let replayer = Replayer {
        request,
        manifest: &manifest,
        pool: EncodePool::try_new(request.session.threads).map_err(Error::Encoders)?,
        functions: function_versions(),
    };
    let mut tables = Vec::new();
    for output in &manifest.outputs {
        let outcome = match output.plan_fingerprint {
            None => ReplayOutcome::Source,
            Some(fingerprint) => {
                let plan = plans.iter().find(|plan| {
                    plan.artifact.dataset == output.name && plan.artifact.fingerprint == fingerprint
                });
                let write = writes.iter().find(|write| {
                    write.artifact.dataset == output.name
                        && write.artifact.version == output.version
                });
                let replayed = Box::pin(replayer.table(output, plan, write)).await;
                replayed.unwrap_or_else(|error| ReplayOutcome::Failed {
                    code: error.code(),
                    reason: describe(&error),
                })
            }
        };
        tables.push(ReplayedTable {
            dataset: output.name.clone(),
            recorded: output.content_hash.fingerprint(),
            outcome,
        });
    }
    let session = crate::run::session(&request.session)?;
    let recorded = manifest.environment.as_ref();
    let is_other_environment = recorded.is_some_and(|recorded| {
        let now = Environment::of(&session.state(), &request.versions);
        recorded.hash.fingerprint() != now.hash()
    });
    Ok(Replay {
        run_id: manifest.run_id.clone(),
        tables,
        is_other_environment,
    })
}

struct Replayer<'a> {
    request: &'a ReplayRequest,
    manifest: &'a RunManifestV1,
    pool: EncodePool,
    functions: BTreeMap<String, String>,
}

impl Replayer<'_> {
    async fn table(
        &self,
        output: &OutputV1,
        plan: Option<&RecordedPlan>,
        write: Option<&RecordedWrite>,
    ) -> Result<ReplayOutcome, Error> {
        let unrecorded = |what| Error::Unrecorded {
            dataset: output.name.clone(),
            what,
        };
        let plan = plan.ok_or_else(|| unrecorded("plan"))?;
        let write = write.ok_or_else(|| unrecorded("write"))?;
        // The manifest names the records by their digests, and they have those of what lies beside them.
        let is_of_run = output.plan_artifact_id == Some(id_of(&plan.artifact)?)
            && output.write_artifact_id == id_of(&write.artifact)?;
        if !is_of_run {
            return Err(Error::OtherRecord {
                dataset: output.name.clone(),
            });
        }
        let contract = self.contract(output, plan)?;
        (self.request.observer)(Event::Began {
            dataset: contract.name().clone(),
        });
        let catalog = self.inputs(&output.name, &plan.artifact.inputs).await?;
        let state = catalog.session().state();
        let executed = plan.plan.decode(&state).await;
        let executed = executed.map_err(|source| Error::Lineage {
            view: contract.name().clone(),
            source,
        })?;
        let outcome = self.write(state, executed, contract, write).await?;
        (self.request.observer)(Event::wrote(&outcome, false));
        self.forget(&outcome)?;
        let found = outcome.content;
        Ok(if found == output.content_hash.fingerprint() {
            ReplayOutcome::Same
        } else {
            ReplayOutcome::Differs { found }
        })
    }

    /// What the table is, if that is what it was, and if the functions of its plan are what they were.
    fn contract(&self, output: &OutputV1, plan: &RecordedPlan) -> Result<DatasetSpec, Error> {
        let changed = |what: String| Error::CannotReplay {
            dataset: output.name.clone(),
            what,
        };
        if plan.plan.encoding() == PlanEncoding::Text {
            let reason = plan.artifact.fallback_reason.clone().unwrap_or_default();
            return Err(changed(format!(
                "its plan was recorded as text only: {reason}"
            )));
        }
        for (name, recorded) in &plan.artifact.functions {
            match self.functions.get(name) {
                Some(version) if version == recorded => {}
                Some(version) => {
                    return Err(changed(format!(
                        "`{name}` was at version {recorded} and is at version {version}"
                    )));
                }
                None => return Err(changed(format!("there is no function `{name}` any more"))),
            }
        }
        let name = DatasetName::try_new(&output.name).ok();
        let contract = name.and_then(|name| self.request.graph.contract(&name));
        let contract = contract.ok_or_else(|| changed("it is not declared any more".to_owned()))?;
        let (was, is) = (output.contract_hash.fingerprint(), contract.contract_hash());
        if was == is {
            Ok(contract.clone())
        } else {
            let (was, is) = (was.short(), is.short());
            Err(changed(format!(
                "it is declared otherwise: its contract was {was} and is {is}"
            )))
        }
    }

    /// A session in which the pinned inputs can be named, and nothing else.
    async fn inputs(&self, dataset: &str, inputs: &[PlanInputV1]) -> Result<Catalog, Error> {
        let mut catalog = Catalog::new(crate::run::session(&self.request.session)?);
        for PlanInputV1 {
            pin,
            schema_hash: recorded,
            ..
        } in inputs
        {
            let changed = |how: &str| Error::CannotReplay {
                dataset: dataset.to_owned(),
                what: format!("`{}`, which it reads, is {how}", pin.dataset),
            };
            let unknown = || changed("not declared any more");
            let name = DatasetName::try_new(&pin.dataset).map_err(|_| unknown())?;
            let contract = self.request.graph.contract(&name).ok_or_else(unknown)?;
            let published = Published {
                version: Version::new(pin.version),
                table_id: pin.table_id.clone(),
                snapshot: pin.snapshot_hash.fingerprint(),
            };
            let open = published.open(&self.request.lake.location(&name)?).await?;
            let dataset = Dataset::try_new(contract, &open).await?;
            if schema_hash(&dataset.provider().schema()) != recorded.fingerprint() {
                return Err(changed("declared otherwise"));
            }
            catalog.register(&dataset)?;
        }
        Ok(catalog)
    }

    /// Removes a table that was compared, so that the scratch lake never holds more than one. What cannot be removed stays for
    /// whoever removes the lake.
    fn forget(&self, outcome: &WriteOutcome) -> Result<(), Error> {
        let scratch = &self.request.scratch;
        let location = scratch.location(outcome.contract.name())?;
        if scratch.local_path().is_some()
            && let Ok(folder) = location.url().to_file_path()
        {
            let _ = std::fs::remove_dir_all(folder);
        }
        Ok(())
    }

    async fn write(
        &self,
        state: SessionState,
        plan: LogicalPlan,
        contract: DatasetSpec,
        write: &RecordedWrite,
    ) -> Result<WriteOutcome, Error> {
        let name = contract.name().clone();
        let request = WriteRequest {
            location: self.request.scratch.location(contract.name())?,
            contract,
            policy: write.policy()?,
            mode: WriteMode::Overwrite,
            provenance: Provenance {
                run_id: self.manifest.run_id.clone(),
                at_unix_ms: self.manifest.started_at_unix_ms,
                plan: None,
                transaction: None,
                metadata: BTreeMap::new(),
            },
        };
        let written = Box::pin(write_computed(request, self.pool.clone(), plan, state)).await?;
        written.map_err(|source| Error::Write {
            dataset: name.clone(),
            source,
        })
    }
}

fn id_of<P: Payload>(payload: &P) -> Result<DigestV1, Error> {
    Ok(DigestV1::from(artifact_id(payload)?))
}

#[cfg(test)]
mod tests;
