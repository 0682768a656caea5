//! The run ledger: the history of a lake's runs, and the one place where a run becomes visible.

use arrow_array::RecordBatch;
use ossature_registry::Lake;
use ossature_schema_spec::Fingerprint;
use serde::Serialize;

use crate::attempts::Attempts;
use crate::stored::{PayloadColumns, Stored, payloads};
use crate::table::ArtifactTable;
use crate::{Error, PinV1, RunCompletion, RunManifestV1, RunStart, RunStatusV1, artifact_id};

/// A run as its last event left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// The manifest of the last event.
    pub manifest: RunManifestV1,
    /// The id of that manifest as an artifact.
    pub artifact_id: Fingerprint,
}

/// The history of a lake's runs, in the table `runs.run_manifest`.
///
/// A run has two rows: one when it begins, one when it completes, fails or is found to have been aborted. The row of a
/// completed run is the publication: until it is there, readers see the run before, whole.
#[derive(Debug, Clone)]
pub struct RunLedger {
    lake: Lake,
}

const TABLE: ArtifactTable = ArtifactTable::RunManifest;

/// The newest rows last; a run's last row behind its first.
const HISTORY: &str = "SELECT payload FROM runs.run_manifest \
    ORDER BY run_number, run_id, sequence";

/// The last row of the newest run that has completed. Files of rows that begin runs are skipped by their statistics.
const LATEST: &str = "SELECT payload FROM runs.run_manifest \
    WHERE sequence = 1 AND status = 'completed' ORDER BY run_number DESC, run_id DESC LIMIT 1";

impl RunLedger {
    /// The ledger of a lake. Nothing is read yet; a lake without a ledger has no runs.
    pub fn of(lake: &Lake) -> Self {
        Self { lake: lake.clone() }
    }

    /// Every run, the newest last. A run whose last row is `running` is reported as such: whether its process is alive is
    /// the caller's to decide.
    ///
    /// **Errors**: [`Error::Registry`], [`Error::Corrupt`], [`Error::Engine`].
    pub async fn runs(&self) -> Result<Vec<RunRecord>, Error> {
        let mut runs: Vec<RunRecord> = Vec::new();
        for manifest in self.manifests(HISTORY).await? {
            let record = RunRecord {
                artifact_id: artifact_id(&manifest)?,
                manifest,
            };
            match runs.last_mut() {
                Some(last) if last.manifest.run_id == record.manifest.run_id => *last = record,
                _ => runs.push(record),
            }
        }
        Ok(runs)
    }

    /// The run of that id.
    ///
    /// **Errors**: those of [`RunLedger::runs`].
    pub async fn run(&self, run_id: &str) -> Result<Option<RunRecord>, Error> {
        let runs = self.runs().await?;
        Ok(runs.into_iter().find(|run| run.manifest.run_id == run_id))
    }

    /// What readers see: the manifest of the newest run that has completed.
    ///
    /// **Errors**: those of [`RunLedger::runs`].
    pub async fn latest_completed(&self) -> Result<Option<RunManifestV1>, Error> {
        Ok(self.manifests(LATEST).await?.pop())
    }

    /// The number that the next run gets, unless somebody else begins one first; [`RunLedger::begin`] decides.
    ///
    /// **Errors**: those of [`RunLedger::runs`].
    pub async fn next_run_number(&self) -> Result<i64, Error> {
        Ok(next_number(&self.runs().await?))
    }

    /// Begins a run: gives it the next number and says that it is running.
    ///
    /// **Errors**: [`Error::RunExists`], and those of reading and writing the table.
    pub async fn begin(&self, start: &RunStart) -> Result<RunManifestV1, Error> {
        self.append_event(&start.run_id, start.started_at_unix_ms, |runs| {
            if runs.iter().any(|run| run.manifest.run_id == start.run_id) {
                return Err(Error::RunExists {
                    run_id: start.run_id.clone(),
                });
            }
            Ok(RunManifestV1::running(start, next_number(runs)))
        })
        .await
    }

    /// Publishes a run: from here on readers see its outputs.
    ///
    /// **Errors**: [`Error::UnknownRun`], [`Error::RunEnded`], and those of reading and writing the table. After an error
    /// of the store [`RunLedger::run`] tells whether the run was published all the same.
    pub async fn complete(
        &self,
        run_id: &str,
        completion: &RunCompletion,
    ) -> Result<RunManifestV1, Error> {
        let records = self.records().await?;
        self.append_event(run_id, completion.ended_at_unix_ms, |runs| {
            let run = running(runs, run_id, RunStatusV1::Completed)?;
            Ok(run.completed(completion, records.clone()))
        })
        .await
    }

    /// Says that a run has failed, and why; `code` is the error's stable identifier. Secrets in the message are removed.
    ///
    /// **Errors**: as [`RunLedger::complete`].
    pub async fn fail(
        &self,
        run_id: &str,
        ended_at_unix_ms: i64,
        code: &str,
        message: &str,
    ) -> Result<RunManifestV1, Error> {
        self.append_event(run_id, ended_at_unix_ms, |runs| {
            Ok(running(runs, run_id, RunStatusV1::Failed)?.failed(ended_at_unix_ms, code, message))
        })
        .await
    }

    /// Says that the process of a run is gone, and that the run has published nothing. Only the caller can know that.
    ///
    /// **Errors**: as [`RunLedger::complete`].
    pub async fn abort(&self, run_id: &str, at_unix_ms: i64) -> Result<RunManifestV1, Error> {
        self.append_event(run_id, at_unix_ms, |runs| {
            Ok(running(runs, run_id, RunStatusV1::Aborted)?.aborted(at_unix_ms))
        })
        .await
    }

    /// The tables of the records as they are now.
    async fn records(&self) -> Result<Vec<PinV1>, Error> {
        let mut pins = Vec::new();
        for table in ArtifactTable::ALL {
            pins.extend(
                table
                    .open(&self.lake)
                    .await?
                    .map(|open| PinV1::from(&open.facts().pin)),
            );
        }
        pins.sort_by(|a, b| a.dataset.cmp(&b.dataset));
        Ok(pins)
    }

    async fn manifests(&self, sql: &str) -> Result<Vec<RunManifestV1>, Error> {
        payloads(TABLE, &TABLE.query(&self.lake, sql, &[]).await?)
    }

    /// Appends the event that `next` makes of the history.
    async fn append_event(
        &self,
        run_id: &str,
        at_unix_ms: i64,
        next: impl Fn(&[RunRecord]) -> Result<RunManifestV1, Error>,
    ) -> Result<RunManifestV1, Error> {
        let mut attempts = Attempts::at_appending();
        loop {
            match self.try_event(run_id, at_unix_ms, &next).await {
                Err(error) if attempts.allow_append(&error) => {}
                done => return done,
            }
        }
    }

    /// The table is opened for writing before its history is read: an event that came too late to be in the history makes
    /// the commit fail. What `next` found therefore still holds when the event is committed.
    async fn try_event(
        &self,
        run_id: &str,
        at_unix_ms: i64,
        next: impl Fn(&[RunRecord]) -> Result<RunManifestV1, Error>,
    ) -> Result<RunManifestV1, Error> {
        let mut writer = TABLE.writer(&self.lake, run_id, at_unix_ms).await?;
        let manifest = next(&self.runs().await?)?;
        writer.push(&event_row(&manifest)?).await?;
        writer.finish().await?;
        Ok(manifest)
    }
}

fn next_number(runs: &[RunRecord]) -> i64 {
    let last = runs.iter().map(|run| run.manifest.run_number).max();
    last.unwrap_or_default().saturating_add(1)
}

/// The manifest of a run that has not ended.
fn running<'a>(
    runs: &'a [RunRecord],
    run_id: &str,
    wanted: RunStatusV1,
) -> Result<&'a RunManifestV1, Error> {
    let run = runs.iter().find(|run| run.manifest.run_id == run_id);
    let manifest = &run
        .ok_or_else(|| Error::UnknownRun {
            run_id: run_id.to_owned(),
        })?
        .manifest;
    if manifest.status == RunStatusV1::Running {
        Ok(manifest)
    } else {
        Err(Error::RunEnded {
            run_id: run_id.to_owned(),
            found: manifest.status.as_str(),
            wanted: wanted.as_str(),
        })
    }
}

/// A row of the ledger.
#[derive(Serialize)]
struct EventRow<'a> {
    run_id: &'a str,
    sequence: i32,
    status: &'static str,
    at_unix_ms: i64,
    run_number: i64,
    parent_run_id: Option<&'a str>,
    source: Option<&'a str>,
    code_version: &'a str,
    environment_hash: Option<String>,
    #[serde(flatten)]
    payload: &'a PayloadColumns,
}

fn event_row(manifest: &RunManifestV1) -> Result<RecordBatch, Error> {
    let stored = Stored::of(manifest.clone())?;
    TABLE.batch(&[EventRow {
        run_id: &manifest.run_id,
        sequence: i32::from(manifest.status != RunStatusV1::Running),
        status: manifest.status.as_str(),
        at_unix_ms: manifest.at_unix_ms(),
        run_number: manifest.run_number,
        parent_run_id: manifest.parent_run_id.as_deref(),
        source: manifest.source.as_deref(),
        code_version: &manifest.code_version,
        environment_hash: manifest.environment.as_ref().map(|it| it.hash.to_string()),
        payload: &stored.columns,
    }])
}
