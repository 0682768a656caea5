//! One run: sources in, views computed and written in order, everything recorded, then published.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::datasource::ViewTable;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionContext;
use ossature_artifacts::{
    CacheStatusV1, OutputRecords, OutputV1, PinV1, PlanArtifactV1, PlanRecord, RunArtifacts,
    RunCompletion, RunLedger, RunManifestV1, RunStart, RunStatusV1, ViewCacheV1,
};
use ossature_delta_policy::{LakeOverrides, TablePolicy, resolve};
use ossature_lineage::{PlanBundle, PlanContext, optimize};
use ossature_registry::{Catalog, Lake, SessionSpec, open_dataset, open_table};
use ossature_schema_spec::{DatasetName, DatasetSpec, Fingerprint, TablePin};
use ossature_udfs::snapshot;
use ossature_view_graph::{ConsumerIndex, Step, View, ViewGraph, ViewValidation, plan_view};
use ossature_write_pipeline::{
    EncodePool, Provenance, TableWriter, TransactionId, WriteFailure, WriteMode, WriteOutcome,
    WriteRequest, check_table, write_plan, write_stream,
};

use crate::cache::{self, CacheKey, Lookup, ViewCache};
use crate::consumers::used_columns;
use crate::failures::Failures;
use crate::{Error, Event, Observer, SourceWriters};

/// What a run is asked to do.
#[derive(Clone)]
pub struct RunRequest {
    /// Where the tables lie.
    pub lake: Lake,
    /// What is known of the run when it begins; what plans its queries is filled in.
    pub start: RunStart,
    /// The versions of whatever decides about plans besides the query engine, by name.
    pub versions: BTreeMap<String, String>,
    /// Sources and views.
    pub graph: ViewGraph,
    /// Who reads the tables, and by which columns.
    pub consumers: ConsumerIndex,
    /// How each table is kept.
    pub policy: fn(&DatasetName) -> TablePolicy,
    /// What the lake and whoever asks for the run say instead.
    pub overrides: LakeOverrides,
    /// Whether views are taken as they are whose tables hold already what their plans compute.
    pub use_cache: bool,
    /// The session that computes.
    pub session: SessionSpec,
    /// Is told what happens.
    pub observer: Arc<Observer>,
}

impl std::fmt::Debug for RunRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunRequest")
            .field("lake", &self.lake.to_string())
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

impl RunRequest {
    /// Looks whether every table of the run, or the one that would be created, may be written as its policy says. Nothing
    /// is written.
    ///
    /// **Errors**: [`Error::Policy`]; [`Error::Tables`] with everything that is refused, and [`Error::Table`] when it
    /// cannot be told.
    pub async fn check_tables(&self) -> Result<(), Error> {
        let mut refused = Vec::new();
        for contract in self.graph.written() {
            let request = self.write_request(contract)?;
            // Rows of sources come as they are found, and nobody computes them twice.
            let is_placed = request.policy.cluster_by.value.is_empty()
                || self.graph.view(contract.name()).is_some();
            let checked = if is_placed {
                check_table(&request).await
            } else {
                Err(ossature_write_pipeline::Error::Clustered {
                    dataset: contract.name().clone(),
                    mode: request.mode.as_str(),
                })
            };
            match checked {
                Ok(()) => {}
                Err(error) if error.is_refusal() => refused.push((contract.name().clone(), error)),
                Err(error) => {
                    return Err(Error::Table {
                        dataset: contract.name().clone(),
                        source: Box::new(error),
                    });
                }
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(Error::Tables(refused))
        }
    }

    /// The write of a whole table, without what only the run itself knows.
    fn write_request(&self, contract: &DatasetSpec) -> Result<WriteRequest, Error> {
        let policy = (self.policy)(contract.name());
        let request = self.overrides.request(contract.name());
        Ok(WriteRequest {
            contract: contract.clone(),
            location: self.lake.location(contract.name())?,
            policy: resolve(
                &request,
                &self.overrides.location,
                contract,
                &policy,
                &used_columns(&self.consumers, contract),
            )?,
            mode: WriteMode::Overwrite,
            provenance: Provenance {
                run_id: self.start.run_id.clone(),
                at_unix_ms: self.start.started_at_unix_ms,
                plan: None,
                transaction: None,
                metadata: BTreeMap::new(),
            },
        })
    }
}

/// A run that has begun. It ends by [`Run::publish`], or by [`Run::fail`] when that or anything before it fails; one that
/// just stops stays `running` in the ledger and changes nothing for readers.
#[derive(Debug)]
pub struct Run {
    request: RunRequest,
    ledger: RunLedger,
    manifest: RunManifestV1,
    catalog: Catalog,
    context: PlanContext,
    pool: EncodePool,
    artifacts: RunArtifacts,
    plans: Vec<PlanArtifactV1>,
    decisions: Vec<ViewCacheV1>,
    outputs: Vec<OutputV1>,
    cache: ViewCache,
    failures: Failures,
}

impl Run {
    /// Writes down that the run has begun, unless the log of a table that it would write is not what was published: what is
    /// built on it would be published as if it were.
    ///
    /// **Errors**: [`Error::Changed`], [`Error::Encoders`], [`Error::Records`], [`Error::Registry`] when a function cannot be registered.
    pub async fn begin(mut request: RunRequest) -> Result<Self, Error> {
        let session = session(&request.session)?;
        let pool = EncodePool::try_new(request.session.threads).map_err(Error::Encoders)?;
        let context = PlanContext::of(&session.state(), &request.versions, function_versions());
        request.start.environment = Some(context.environment().clone());
        request.start.profile = Some(context.execution().clone());
        let ledger = RunLedger::of(&request.lake);
        let published = ledger.latest_completed().await?;
        if let Some(published) = &published {
            check_logs(&request, published).await?;
        }
        let manifest = ledger.begin(&request.start).await?;
        Ok(Self {
            pool,
            artifacts: RunArtifacts::of(&manifest.run_id),
            catalog: Catalog::new(session),
            plans: Vec::new(),
            decisions: Vec::new(),
            outputs: Vec::new(),
            cache: ViewCache::of(published, request.session.threads, request.use_cache),
            failures: Failures::default(),
            context,
            ledger,
            manifest,
            request,
        })
    }

    /// The run as the ledger knows it.
    pub fn manifest(&self) -> &RunManifestV1 {
        &self.manifest
    }

    /// The plans that rows were computed with so far, in the order of the schedule.
    pub fn plans(&self) -> &[PlanArtifactV1] {
        &self.plans
    }

    /// What became of the views so far, in the order of the schedule.
    pub fn decisions(&self) -> &[ViewCacheV1] {
        &self.decisions
    }

    /// The datasets that were written so far, at the versions that were written.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Opens a writer for every source.
    ///
    /// **Errors**: [`Error::Policy`], [`Error::Registry`], [`Error::Write`].
    pub async fn source_writers(&self) -> Result<SourceWriters, Error> {
        let mut writers = BTreeMap::new();
        for contract in self.request.graph.sources() {
            let name = contract.name().clone();
            (self.request.observer)(Event::Began {
                dataset: name.clone(),
            });
            let request = self.write_request(contract, None)?;
            let opened = TableWriter::open_or_fail(request, self.pool.clone()).await;
            let writer = opened.map_err(|failure| self.failures.note(failure))?;
            writers.insert(name, writer);
        }
        Ok(SourceWriters::new(
            writers,
            Arc::clone(&self.request.observer),
            self.failures.clone(),
        ))
    }

    /// Commits the sources and opens the versions that were written.
    ///
    /// **Errors**: [`Error::Write`], [`Error::Registry`], [`Error::Records`].
    pub async fn finish_sources(&mut self, writers: SourceWriters) -> Result<(), Error> {
        for outcome in writers.finish().await? {
            self.take(&outcome, None, None).await?;
        }
        Ok(())
    }

    /// Computes every view in the order of the schedule, and writes those that are tables.
    ///
    /// **Errors**: [`Error::Views`], [`Error::Lineage`], [`Error::Policy`], [`Error::Compute`], [`Error::Write`].
    pub async fn compute_views(&mut self) -> Result<(), Error> {
        for step in self.request.graph.schedule() {
            let Some(view) = self.request.graph.view(step.dataset()).cloned() else {
                continue;
            };
            if let Step::Write { .. } = step {
                Box::pin(self.write_view(&view)).await?;
            } else {
                register_inline(&self.catalog, &view).await?;
                self.decide(cache::inline(view.name()), view.name())?;
            }
        }
        Ok(())
    }

    async fn write_view(&mut self, view: &View) -> Result<(), Error> {
        let name = view.name();
        (self.request.observer)(Event::Began {
            dataset: name.clone(),
        });
        let frame = match plan_view(self.catalog.session(), view).await {
            Ok(frame) => frame,
            Err(error) => {
                if let ossature_view_graph::Error::ContractDiffers { validation, .. } = &error {
                    self.artifacts.record_validation(validation)?;
                }
                return Err(error.into());
            }
        };
        let validation = ViewValidation::of(view, frame.logical_plan())?;
        self.artifacts.record_validation(&validation)?;
        let (state, plan) = frame.into_parts();
        let unplanned = |source| Error::Lineage {
            view: name.clone(),
            source,
        };
        let plan = optimize(&plan, &state).map_err(unplanned)?;
        let bundle = PlanBundle::try_new(&plan, &state, self.catalog.pins(), &self.context)
            .map_err(unplanned)?;
        // What is executed is what is recorded, so that a replay computes the same.
        let (bundle, plan) = Box::pin(bundle.settle(&plan, &state))
            .await
            .map_err(unplanned)?;
        // Before anything is computed, so that the plan of a view that fails is known.
        let artifact_id = self.artifacts.record_plan(name, &bundle)?;
        let request = self.write_request(view.contract(), Some(bundle.fingerprint()))?;
        let key = CacheKey::of(&bundle, &request);
        let planned = PlanArtifactV1::of(name, &bundle);
        let Lookup { decision, stored } =
            Box::pin(self.cache.look_up(&key, &planned, &request)).await;
        let cache_status = Some(decision.status);
        self.decide(decision, name)?;
        let plan_record = Some(PlanRecord {
            fingerprint: bundle.fingerprint(),
            plan_hash: planned.plan_hash,
            artifact_id,
        });
        self.plans.push(planned);
        if let Some(outcome) = stored {
            (self.request.observer)(Event::wrote(&outcome, true));
            return self.take(&outcome, plan_record, cache_status).await;
        }
        let outcome = Box::pin(write_computed(request, self.pool.clone(), plan, state))
            .await?
            .map_err(|failure| self.failures.note(failure))?;
        (self.request.observer)(Event::wrote(&outcome, false));
        self.take(&outcome, plan_record, cache_status).await
    }

    /// Records what became of a view, with the sources and views on both sides of it.
    fn decide(&mut self, decision: ViewCacheV1, view: &DatasetName) -> Result<(), Error> {
        let graph = &self.request.graph;
        let decision = decision.between(graph.inputs(view), graph.readers(view));
        self.artifacts.record_cache(decision.clone())?;
        self.decisions.push(decision);
        Ok(())
    }

    /// Records a written version and makes it nameable.
    async fn take(
        &mut self,
        outcome: &WriteOutcome,
        plan: Option<PlanRecord>,
        cache_status: Option<CacheStatusV1>,
    ) -> Result<(), Error> {
        let location = self.request.lake.location(outcome.contract.name())?;
        let dataset = open_dataset(&outcome.contract, &location, Some(outcome.version)).await?;
        let records = OutputRecords {
            plan,
            write_artifact_id: self.artifacts.record_write(outcome)?,
            cache_status,
        };
        self.artifacts.record_scan(dataset.facts())?;
        self.catalog.register(&dataset)?;
        self.outputs
            .push(OutputV1::of(outcome, &dataset.facts().pin, records));
        Ok(())
    }

    fn write_request(
        &self,
        contract: &DatasetSpec,
        plan: Option<Fingerprint>,
    ) -> Result<WriteRequest, Error> {
        let mut request = self.request.write_request(contract)?;
        request.provenance.plan = plan;
        request.provenance.transaction = Some(TransactionId {
            application: format!("ossature/{}", contract.name()),
            number: self.manifest.run_number,
        });
        Ok(request)
    }

    /// Stores the artifacts and then the manifest, which makes the run visible. A run that is published already stays as
    /// it is.
    ///
    /// **Errors**: [`Error::Records`]; as far as the ledger can be read, the run is not published then.
    pub async fn publish(
        &mut self,
        ended_at_unix_ms: i64,
        extract: Option<ossature_artifacts::ExtractSummaryV1>,
        calls: Option<ossature_artifacts::CallCoverageV1>,
    ) -> Result<RunManifestV1, Error> {
        self.store_artifacts(ended_at_unix_ms).await?;
        let sources: Vec<&DatasetName> = self
            .request
            .graph
            .sources()
            .map(DatasetSpec::name)
            .collect();
        let is_source = |pin: &&TablePin| sources.contains(&&pin.dataset);
        let inputs = self
            .catalog
            .pins()
            .values()
            .filter(is_source)
            .map(PinV1::from)
            .collect();
        let completion = RunCompletion {
            ended_at_unix_ms,
            inputs,
            outputs: self.outputs.clone(),
            extract,
            calls,
        };
        let run_id = &self.manifest.run_id;
        let error = match self.ledger.complete(run_id, &completion).await {
            Ok(manifest) => return Ok(manifest),
            Err(error) => error,
        };
        // A store may fail after it has done what it was asked to.
        match self.ledger.run(run_id).await {
            Ok(Some(record)) if record.manifest.status == RunStatusV1::Completed => {
                Ok(record.manifest)
            }
            _ => Err(error.into()),
        }
    }

    /// Writes down why the run failed: an error of the pipeline, or of whoever drives it, under its stable code. What was
    /// recorded until then is stored as well, failed writes with what they left behind; where that is impossible, the failure says so.
    ///
    /// **Errors**: [`Error::Records`]; the run stays `running` in the ledger then.
    pub async fn fail(
        &mut self,
        ended_at_unix_ms: i64,
        code: &str,
        reason: &dyn std::error::Error,
    ) -> Result<RunManifestV1, Error> {
        let mut message = crate::describe(reason);
        if let Err(unstored) = self.store_artifacts(ended_at_unix_ms).await {
            let unstored = crate::describe(&unstored);
            message =
                format!("{message}; the artifacts of the run could not be stored: {unstored}");
        }
        let run_id = &self.manifest.run_id;
        Ok(self
            .ledger
            .fail(run_id, ended_at_unix_ms, code, &message)
            .await?)
    }

    async fn store_artifacts(&mut self, at_unix_ms: i64) -> Result<(), ossature_artifacts::Error> {
        for failure in self.failures.take() {
            self.artifacts.record_failure(failure)?;
        }
        Box::pin(self.artifacts.store(&self.request.lake, at_unix_ms)).await
    }
}

/// Writes the rows that an optimized plan computes, as they come, or clustered.
///
/// **Errors**: [`Error::Compute`] before anything is written; what fails later is the failure of the write, and so is whatever
/// fails of one that is clustered.
pub(crate) async fn write_computed(
    request: WriteRequest,
    pool: EncodePool,
    plan: LogicalPlan,
    state: SessionState,
) -> Result<Result<WriteOutcome, Box<WriteFailure>>, Error> {
    if !request.policy.cluster_by.value.is_empty() {
        return Ok(Box::pin(write_plan(request, pool, &state, plan)).await);
    }
    let rows = begin_rows(request.contract.name().clone(), plan, state).await?;
    Ok(write_stream(request, pool, rows).await)
}

/// Begins to compute the rows of a view by an optimized plan.
async fn begin_rows(
    view: DatasetName,
    plan: LogicalPlan,
    state: SessionState,
) -> Result<SendableRecordBatchStream, Error> {
    let planner = state.query_planner();
    let physical = planner.create_physical_plan(&plan, &state).await;
    let rows = physical.and_then(|physical| execute_stream(physical, state.task_ctx()));
    rows.map_err(|source| Error::Compute {
        view,
        source: Box::new(source),
    })
}

/// A session with the functions of ours.
pub(crate) fn session(spec: &SessionSpec) -> Result<SessionContext, Error> {
    let mut session = spec.build()?;
    ossature_udfs::register(&mut session).map_err(|error| ossature_registry::Error::Engine {
        doing: "registering functions",
        source: Box::new(error),
    })?;
    Ok(session)
}

/// The functions of ours, each with the version of its implementation.
pub(crate) fn function_versions() -> BTreeMap<String, String> {
    let entries = snapshot().entries.into_iter();
    entries
        .map(|entry| (entry.name.to_owned(), entry.version.to_string()))
        .collect()
}

/// Whether the logs of the tables that a run writes say what they said when the newest run was published.
///
/// A table that is gone, or was made anew, holds nothing that could be taken for what was published.
async fn check_logs(request: &RunRequest, published: &RunManifestV1) -> Result<(), Error> {
    let mut changed = Vec::new();
    for contract in request.graph.written() {
        let dataset = contract.name();
        let Some(output) = published.output(dataset.as_str()) else {
            continue;
        };
        let output = output.published();
        let location = request.lake.location(dataset)?;
        let Ok(open) = open_table(&location, output.version).await else {
            continue;
        };
        if let Err(error @ ossature_registry::Error::LogDiffers { .. }) = output.check(&open) {
            changed.push(error);
        }
    }
    if changed.is_empty() {
        Ok(())
    } else {
        Err(Error::Changed(changed))
    }
}

/// Records the runs that the ledger calls running as aborted: their processes are gone. Gives back which ones they are.
///
/// Whoever calls it has made sure that nobody else builds into the lake.
///
/// **Errors**: [`Error::Records`]; runs that were recorded before it stay so.
pub async fn abort_abandoned(lake: &Lake, at_unix_ms: i64) -> Result<Vec<String>, Error> {
    let ledger = RunLedger::of(lake);
    let mut aborted = Vec::new();
    for run in ledger.runs().await? {
        if run.manifest.status == RunStatusV1::Running {
            let run = ledger.abort(&run.manifest.run_id, at_unix_ms).await?;
            aborted.push(run.run_id);
        }
    }
    Ok(aborted)
}

/// Makes a view nameable that is computed where it is named.
pub(crate) async fn register_inline(catalog: &Catalog, view: &View) -> Result<(), Error> {
    let compute = |source| Error::Compute {
        view: view.name().clone(),
        source: Box::new(source),
    };
    let frame = plan_view(catalog.session(), view).await?;
    let table = ViewTable::new(frame.into_unoptimized_plan(), Some(view.sql().to_owned()));
    let reference =
        datafusion::common::TableReference::partial(view.name().stage(), view.name().table());
    catalog
        .session()
        .register_table(reference, Arc::new(table))
        .map_err(compute)?;
    Ok(())
}

#[cfg(test)]
mod tests;
