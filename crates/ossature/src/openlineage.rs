//! Tells a build as `OpenLineage` events, and keeps what goes wrong with that away from the build.
//!
//! The first event is sent while the run works. All others are sent when it has been published, or recorded as failed, and
//! the lake is free for the next one: nothing that the run does waits for an endpoint.
//!
//! There is no delivery but this: events are sent one after another, in their order, and the first that fails ends it with
//! one warning. What failed at the beginning is tried once more at the end. So with an endpoint that nobody listens at, or
//! that never answers, a build ends at most [`ANSWER_MAX`] twice later than without it, and with a slow one at most
//! [`DELIVERY_MAX`] later; a signal ends the delivery at once.

mod delivery;
mod target;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ossature_artifacts::{
    FailureV1, LineageSubject, PlanArtifactV1, RunEvent, RunManifestV1, UnpublishedEnd, WorkTimes,
};
use ossature_pipeline::{Event, describe};
use ossature_registry::Lake;
use ossature_schema_spec::DatasetName;
use ossature_view_graph::ViewGraph;
use tokio::task::JoinHandle;

use crate::build::now_unix_ms;
use crate::error::Error;
use crate::interrupt::Signals;
use crate::output::warn;

use delivery::{Outbox, Undelivered};
use target::{Destination, Variables};

/// How long a connection to an endpoint may take.
const CONNECTION_MAX: Duration = Duration::from_secs(2);

/// How long an endpoint may take to answer to one event, or a file to take it.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long all the events at the end of a run may take.
const DELIVERY_MAX: Duration = Duration::from_secs(30);

/// Tells a run, if somebody wants to know.
pub(crate) struct Events {
    told: Option<Told>,
    times: Arc<Times>,
}

/// What is told, and to whom.
struct Told {
    destination: Destination,
    lake: Lake,
    graph: ViewGraph,
    run: Option<Begun>,
}

/// A run that has begun.
struct Begun {
    manifest: RunManifestV1,
    /// Delivers the first event, and gives back what may deliver the others.
    delivering: JoinHandle<Outbox>,
}

impl Events {
    /// To where the command line says, or the environment.
    ///
    /// **Errors**: [`Error::EventTarget`] for what the command line says. The environment is not what somebody typed for this
    /// run: what cannot be meant there is a warning.
    pub(crate) fn of(
        argument: Option<&str>,
        lake: &Lake,
        graph: &ViewGraph,
    ) -> Result<Self, Error> {
        let variables = Variables::of_environment();
        let destination = match Destination::of(argument, &variables) {
            Ok(destination) => destination,
            Err(reason) if argument.is_some() => return Err(Error::EventTarget { reason }),
            Err(reason) => {
                let code = "openlineage_target_invalid";
                warn(&format!(
                    "OpenLineage events cannot be sent where OPENLINEAGE_URL says ({code}): {reason}"
                ));
                None
            }
        };
        let told = destination.map(|destination| Told {
            destination,
            lake: lake.clone(),
            graph: graph.clone(),
            run: None,
        });
        Ok(Self {
            told,
            times: Arc::default(),
        })
    }

    /// Takes note of when datasets are worked on.
    pub(crate) fn times(&self) -> Arc<Times> {
        Arc::clone(&self.times)
    }

    /// Begins to tell that the run has begun, and which earlier ones were found to have ended. Does not wait.
    pub(crate) fn begin(&mut self, manifest: &RunManifestV1, abandoned: &[String]) {
        let Some(told) = &mut self.told else {
            return;
        };
        let subject = told.subject(manifest);
        let now = now_unix_ms();
        let mut events: Vec<RunEvent> = abandoned
            .iter()
            .map(|run_id| subject.abandoned(run_id, now))
            .collect();
        events.push(subject.started());
        let mut outbox = Outbox::of(told.destination.clone());
        outbox.put(events);
        told.run = Some(Begun {
            manifest: manifest.clone(),
            delivering: tokio::spawn(async move {
                // What was not delivered stays in the box, and is tried once more at the end.
                if let Err(undelivered) = outbox.deliver().await {
                    let code = undelivered.code();
                    tracing::info!(
                        code,
                        "the first OpenLineage event was not delivered: {undelivered}"
                    );
                }
                outbox
            }),
        });
    }

    /// Tells what was published.
    pub(crate) async fn end_published(
        self,
        manifest: &RunManifestV1,
        plans: &[PlanArtifactV1],
        signals: &mut Signals,
    ) {
        let times = self.times.taken();
        self.end(signals, |told| {
            told.subject(manifest).completed(plans, &times)
        })
        .await;
    }

    /// Tells why nothing was published. Nothing is told after a second signal: it ends the program wherever it is.
    pub(crate) async fn end_unpublished(self, error: &Error, signals: &mut Signals) {
        let end = match error {
            Error::Abandoned(..) => return,
            Error::Interrupted(_) => UnpublishedEnd::Aborted,
            _ => UnpublishedEnd::Failed,
        };
        let Some(begun) = self.told.as_ref().and_then(|told| told.run.as_ref()) else {
            return;
        };
        let manifest = begun.manifest.clone();
        let failure = FailureV1 {
            code: error.code().to_owned(),
            message: describe(error),
        };
        self.end(signals, |told| {
            let subject = told.subject(&manifest);
            Ok(vec![subject.unpublished(end, &failure, now_unix_ms())])
        })
        .await;
    }

    /// Delivers the last events, and warns where that is impossible.
    async fn end(
        self,
        signals: &mut Signals,
        last: impl FnOnce(&Told) -> Result<Vec<RunEvent>, ossature_artifacts::Error>,
    ) {
        let Some(mut told) = self.told else {
            return;
        };
        let Some(begun) = told.run.take() else {
            return;
        };
        let events = last(&told).map_err(Undelivered::Unmade);
        let delivery = async {
            let mut outbox = match begun.delivering.await {
                Ok(outbox) => outbox,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            outbox.put(events?);
            outbox.deliver().await
        };
        let delivered = tokio::select! {
            biased;
            interrupt = signals.next() => Err(Undelivered::Interrupted(interrupt)),
            done = tokio::time::timeout(DELIVERY_MAX, Box::pin(delivery)) => {
                done.unwrap_or(Err(Undelivered::Late(DELIVERY_MAX)))
            }
        };
        if let Err(undelivered) = delivered {
            let (target, code) = (&told.destination.target, undelivered.code());
            let reason = describe(&undelivered);
            warn(&format!(
                "OpenLineage events of the run did not reach {target} ({code}): {reason}"
            ));
        }
    }
}

impl Told {
    fn subject<'a>(&'a self, manifest: &'a RunManifestV1) -> LineageSubject<'a> {
        LineageSubject {
            namespace: &self.destination.namespace,
            lake: &self.lake,
            graph: &self.graph,
            manifest,
        }
    }
}

/// When datasets were worked on.
#[derive(Default)]
pub(crate) struct Times(Mutex<BTreeMap<DatasetName, WorkTimes>>);

impl Times {
    /// Takes note of what happened.
    pub(crate) fn observe(&self, event: &Event) {
        let (Event::Began { dataset } | Event::Wrote { dataset, .. }) = event else {
            return;
        };
        let now = now_unix_ms();
        let Ok(mut times) = self.0.lock() else {
            return;
        };
        match times.entry(dataset.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(WorkTimes {
                    began_at_unix_ms: now,
                    ended_at_unix_ms: now,
                });
            }
            Entry::Occupied(mut entry) => entry.get_mut().ended_at_unix_ms = now,
        }
    }

    fn taken(&self) -> BTreeMap<DatasetName, WorkTimes> {
        let taken = self.0.lock().map(|times| times.clone());
        taken.unwrap_or_default()
    }
}
