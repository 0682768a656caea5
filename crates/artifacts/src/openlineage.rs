//! The events of a run in the form of `OpenLineage`, for tools that draw lineage and watch jobs.
//!
//! Tools draw a graph of jobs and datasets, so a run is told as several:
//!
//! | job | one run of it is | reads | writes |
//! |---|---|---|---|
//! | `ossature.build` | the run of ours; the parent of the others | | |
//! | `ossature.build.extract` | the passage over the source tree | the source tree | every source table |
//! | `ossature.build.<stage>.<table>` | the computation of one view | the tables that its plan reads | its table |
//!
//! The parent has no inputs and outputs of its own: tools would draw it as a second way from everything to everything.
//! A job of a view is what its SQL, its column lineage and its fingerprint are about; with one job for all of them, a tool
//! could not tell which input an output comes from.
//!
//! Only what was published is told of as written. The runs of views are therefore told when the parent has completed, with
//! the times at which they worked; a run that fails or is ended is told by its own last event alone.
//!
//! Ids of runs have to be UUIDs. That of the parent is our run id, which is one; those of its children are derived from it
//! and the name of their job, so that the same run is always told under the same ids.
//!
//! Inputs and outputs have their facets in the last event of a run; the first one is short. A tool puts the two together.
//!
//! The types are written here and not taken from `openlineage-client` (0.0.4): that one knows no version, storage,
//! documentation and type of a dataset, would have `uuid` compiled with other features, and the engines with it, and its
//! companion `datafusion-openlineage` (0.0.7) is for another DataFusion and derives a lineage that is not the recorded one.
//!
//! **Source**: `spec/OpenLineage.json` 2-0-2 and `spec/facets` of the project `OpenLineage`.

mod column;
mod event;
mod facet;
mod place;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use ossature_registry::Lake;
use ossature_schema_spec::{CanonicalHasher, DatasetName, DatasetSpec};
use ossature_view_graph::ViewGraph;
use ossature_write_pipeline::redact;
use uuid::{Builder, Uuid};

use crate::{Error, FailureV1, OutputV1, PlanArtifactV1, RunManifestV1};

pub use event::RunEvent;

use event::{Dataset, EventType, Job, Run};
use facet::{
    BuildIdentity, ColumnLineage, DataSource, DatasetFacets, DatasetType, Documentation,
    ErrorMessage, Facet, JobClass, JobFacets, LifecycleStateChange, OutputDatasetFacets,
    OutputStatistics, Parent, ParentJob, ParentRun, PlanIdentity, ProcessingEngine, RunFacets,
    Schema, Sql, Storage, Symlinks, TableIdentity, TableVersion,
};
use place::Place;

/// The job of a run of ours, and the beginning of the names of the others.
const BUILD: &str = "ossature.build";

/// The job that fills the source tables.
const EXTRACT: &str = "extract";

/// From when to when a dataset was worked on, in milliseconds since 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkTimes {
    /// When the work began.
    pub began_at_unix_ms: i64,
    /// When its table was written.
    pub ended_at_unix_ms: i64,
}

/// How a run ends that publishes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnpublishedEnd {
    /// Something went wrong.
    Failed,
    /// Somebody ended it.
    Aborted,
}

/// A run, as far as its events depend on it.
#[derive(Debug, Clone, Copy)]
pub struct LineageSubject<'a> {
    /// The namespace of the jobs; tools take jobs of one name in one namespace for the same.
    pub namespace: &'a str,
    /// Where the tables lie.
    pub lake: &'a Lake,
    /// What was declared: contracts, and the SQL of the views.
    pub graph: &'a ViewGraph,
    /// The run.
    pub manifest: &'a RunManifestV1,
}

impl LineageSubject<'_> {
    /// The event that tells that the run has begun.
    pub fn started(&self) -> RunEvent {
        let at = self.manifest.started_at_unix_ms;
        self.event(
            EventType::Start,
            at,
            self.parent_run(None),
            self.parent_job(),
        )
    }

    /// The events of a run that is published, in the order in which they are to be told: every job of it begins and
    /// completes, then the run itself completes. `plans` are the recorded ones; a dataset without `times` was worked on from
    /// the beginning of the run to its end.
    ///
    /// **Errors**: [`Error::Declaration`] and [`Error::Registry`], when a plan reads what has no place in the lake.
    pub fn completed(
        &self,
        plans: &[PlanArtifactV1],
        times: &BTreeMap<DatasetName, WorkTimes>,
    ) -> Result<Vec<RunEvent>, Error> {
        let ended_at_unix_ms = self.manifest.at_unix_ms();
        let whole = WorkTimes {
            began_at_unix_ms: self.manifest.started_at_unix_ms,
            ended_at_unix_ms,
        };
        let mut events = self.extraction(times, whole)?;
        for contract in self.graph.written() {
            let name = contract.name();
            let plan = plans.iter().find(|plan| plan.dataset == name.as_str());
            let output = self.manifest.output(name.as_str());
            if let (Some(plan), Some(output)) = (plan, output) {
                let times = times.get(name).copied().unwrap_or(whole);
                events.extend(self.computation(contract, plan, output, times)?);
            }
        }
        let (run, job) = (self.parent_run(None), self.parent_job());
        events.push(self.event(EventType::Complete, ended_at_unix_ms, run, job));
        Ok(events)
    }

    /// The event that tells that the run has ended and published nothing. Secrets in the message are removed.
    pub fn unpublished(
        &self,
        end: UnpublishedEnd,
        failure: &FailureV1,
        ended_at_unix_ms: i64,
    ) -> RunEvent {
        let event_type = match end {
            UnpublishedEnd::Failed => EventType::Fail,
            UnpublishedEnd::Aborted => EventType::Abort,
        };
        let run = self.parent_run(Some(failure));
        self.event(event_type, ended_at_unix_ms, run, self.parent_job())
    }

    /// The event that tells that the process of an earlier run is gone, which had told at most that the run began.
    pub fn abandoned(&self, run_id: &str, found_at_unix_ms: i64) -> RunEvent {
        let message = ErrorMessage::of("the process of the run is gone".to_owned());
        let run = Run {
            run_id: run_uuid(run_id, found_at_unix_ms),
            facets: RunFacets {
                error_message: Some(self.facet(message)),
                ..RunFacets::default()
            },
        };
        self.event(EventType::Abort, found_at_unix_ms, run, self.parent_job())
    }

    /// The passage over the source tree.
    fn extraction(
        &self,
        times: &BTreeMap<DatasetName, WorkTimes>,
        whole: WorkTimes,
    ) -> Result<Vec<RunEvent>, Error> {
        let mut outputs = Vec::new();
        let mut worked: Option<WorkTimes> = None;
        for contract in self.graph.sources() {
            if let Some(output) = self.manifest.output(contract.name().as_str()) {
                outputs.push(self.output(contract, output, None)?);
            }
            if let Some(times) = times.get(contract.name()) {
                let all = worked.get_or_insert(*times);
                all.began_at_unix_ms = all.began_at_unix_ms.min(times.began_at_unix_ms);
                all.ended_at_unix_ms = all.ended_at_unix_ms.max(times.ended_at_unix_ms);
            }
        }
        if outputs.is_empty() {
            return Ok(Vec::new());
        }
        let inputs = self.manifest.source.iter().map(|tree| self.tree(tree));
        let job = self.job(EXTRACT, "EXTRACTION");
        Ok(self.child(
            job,
            worked.unwrap_or(whole),
            None,
            inputs.collect(),
            outputs,
        ))
    }

    /// The computation of a view.
    fn computation(
        &self,
        contract: &DatasetSpec,
        plan: &PlanArtifactV1,
        output: &OutputV1,
        times: WorkTimes,
    ) -> Result<Vec<RunEvent>, Error> {
        let mut inputs = Vec::new();
        let mut places = BTreeMap::new();
        for input in &plan.inputs {
            let name = DatasetName::try_new(&input.pin.dataset)?;
            let place = self.place(&name)?;
            let mut facets = self.dataset_facets(&name);
            facets.version = Some(self.facet(TableVersion::of(input.pin.version)));
            let published = self.manifest.output(name.as_str());
            let same = published.filter(|output| output.version == input.pin.version);
            let table =
                same.map_or_else(|| TableIdentity::read(&input.pin), TableIdentity::written);
            facets.ossature_table = Some(self.facet(table));
            inputs.push(Dataset::input(place.clone(), facets));
            places.insert(input.pin.dataset.as_str(), place);
        }
        let lineage = ColumnLineage::of(plan, &places);
        let outputs = vec![self.output(contract, output, Some(lineage))?];
        let mut job = self.job(contract.name().as_str(), "VIEW");
        let description = contract.description().to_owned();
        job.facets.documentation = Some(self.facet(Documentation::of_job(description)));
        let sql = self
            .graph
            .view(contract.name())
            .map(|view| Sql::of(view.sql()));
        job.facets.sql = sql.map(|sql| self.facet(sql));
        Ok(self.child(job, times, Some((plan, output)), inputs, outputs))
    }

    /// The two events of a run whose parent is the run of ours.
    fn child(
        &self,
        job: Job,
        times: WorkTimes,
        plan: Option<(&PlanArtifactV1, &OutputV1)>,
        inputs: Vec<Dataset>,
        outputs: Vec<Dataset>,
    ) -> Vec<RunEvent> {
        let manifest = self.manifest;
        let parent = Parent {
            run: ParentRun {
                run_id: self.run_uuid(),
            },
            job: ParentJob {
                namespace: self.namespace.to_owned(),
                name: BUILD.to_owned(),
            },
        };
        let run = Run {
            run_id: derived_uuid(&manifest.run_id, &job.name, manifest.started_at_unix_ms),
            facets: RunFacets {
                processing_engine: Some(self.engine()),
                parent: Some(self.facet(parent)),
                ossature_plan: plan
                    .map(|(plan, output)| self.facet(PlanIdentity::of(plan, output))),
                ..RunFacets::default()
            },
        };
        let began_at = times.began_at_unix_ms;
        let begins = self.event(EventType::Start, began_at, run.clone(), job.clone());
        let mut completes = self.event(EventType::Complete, times.ended_at_unix_ms, run, job);
        completes.inputs = inputs;
        completes.outputs = outputs;
        vec![begins, completes]
    }

    fn event(&self, event_type: EventType, at_unix_ms: i64, run: Run, job: Job) -> RunEvent {
        RunEvent {
            event_type,
            event_time: time(at_unix_ms),
            run,
            job,
            inputs: Vec::new(),
            outputs: Vec::new(),
            producer: self.producer(),
            schema_url: RunEvent::SCHEMA_URL,
        }
    }

    /// The run of ours, and why it failed.
    fn parent_run(&self, failure: Option<&FailureV1>) -> Run {
        let message = failure.map(|failure| ErrorMessage::of(redact(&failure.message)));
        let build = BuildIdentity::of(self.manifest, failure);
        Run {
            run_id: self.run_uuid(),
            facets: RunFacets {
                processing_engine: Some(self.engine()),
                error_message: message.map(|message| self.facet(message)),
                ossature_build: Some(self.facet(build)),
                ..RunFacets::default()
            },
        }
    }

    fn parent_job(&self) -> Job {
        Job {
            namespace: self.namespace.to_owned(),
            name: BUILD.to_owned(),
            facets: JobFacets {
                job_type: Some(self.facet(JobClass::of("BUILD"))),
                ..JobFacets::default()
            },
        }
    }

    fn job(&self, name: &str, job_type: &'static str) -> Job {
        Job {
            namespace: self.namespace.to_owned(),
            name: format!("{BUILD}.{name}"),
            facets: JobFacets {
                job_type: Some(self.facet(JobClass::of(job_type))),
                ..JobFacets::default()
            },
        }
    }

    /// What was read to fill the source tables.
    fn tree(&self, source: &str) -> Dataset {
        let place = Place::of_source(source);
        let facets = DatasetFacets {
            dataset_type: Some(self.facet(DatasetType::FILE)),
            ..DatasetFacets::default()
        };
        Dataset::input(place, facets)
    }

    /// A published version of a table.
    fn output(
        &self,
        contract: &DatasetSpec,
        output: &OutputV1,
        lineage: Option<ColumnLineage>,
    ) -> Result<Dataset, Error> {
        let name = contract.name();
        let mut facets = self.dataset_facets(name);
        facets.version = Some(self.facet(TableVersion::of(output.version)));
        facets.column_lineage = lineage.map(|lineage| self.facet(lineage));
        let is_changed = output.version != output.version_before;
        facets.lifecycle_state_change =
            is_changed.then(|| self.facet(LifecycleStateChange::OVERWRITE));
        facets.ossature_table = Some(self.facet(TableIdentity::written(output)));
        let statistics = OutputDatasetFacets {
            output_statistics: self.facet(OutputStatistics::of(output)),
        };
        Ok(Dataset::output(self.place(name)?, facets, statistics))
    }

    fn place(&self, name: &DatasetName) -> Result<Place, Error> {
        Ok(Place::of(self.lake.location(name)?.url()))
    }

    /// The facets of a dataset that no run changes.
    fn dataset_facets(&self, name: &DatasetName) -> DatasetFacets {
        let root = place::root(self.lake.url());
        let contract = self.graph.contract(name);
        let description = contract.map(|contract| contract.description().to_owned());
        DatasetFacets {
            schema: contract.map(|contract| self.facet(Schema::of(contract))),
            data_source: Some(self.facet(DataSource::of(root.clone()))),
            documentation: description.map(|it| self.facet(Documentation::of_dataset(it))),
            symlinks: Some(self.facet(Symlinks::of(root, name))),
            storage: Some(self.facet(Storage::DELTA)),
            dataset_type: Some(self.facet(DatasetType::TABLE)),
            ..DatasetFacets::default()
        }
    }

    fn engine(&self) -> Facet<ProcessingEngine> {
        self.facet(ProcessingEngine::of(self.manifest))
    }

    fn facet<T: facet::Content>(&self, content: T) -> Facet<T> {
        Facet {
            producer: self.producer(),
            schema_url: content.schema_url(),
            content,
        }
    }

    /// Which program tells it.
    fn producer(&self) -> String {
        format!("urn:ossature:program:{}", self.manifest.code_version)
    }

    fn run_uuid(&self) -> Uuid {
        run_uuid(&self.manifest.run_id, self.manifest.started_at_unix_ms)
    }
}

/// The id of a run of ours, which is a UUID where the program chose it.
fn run_uuid(run_id: &str, at_unix_ms: i64) -> Uuid {
    Uuid::try_parse(run_id).unwrap_or_else(|_| derived_uuid(run_id, BUILD, at_unix_ms))
}

/// The id of a run of a job, as a UUID of version 7 whose random part is a digest: it sorts by time, as ids of the clients
/// of `OpenLineage` do.
fn derived_uuid(run_id: &str, job: &str, at_unix_ms: i64) -> Uuid {
    let mut hasher = CanonicalHasher::new("ossature.openlineage_run.v1");
    hasher.text(run_id);
    hasher.text(job);
    let digest = hasher.finish();
    let mut random = [0; 10];
    for (to, from) in random.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    let at_unix_ms = u64::try_from(at_unix_ms).unwrap_or_default();
    Builder::from_unix_timestamp_millis(at_unix_ms, &random).into_uuid()
}

/// A time as the specification wants it.
fn time(unix_ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
