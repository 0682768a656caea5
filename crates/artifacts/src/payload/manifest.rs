//! The run manifest: what a run read, what it published, and how it ended.

use std::collections::BTreeMap;

use ossature_lineage::{Environment, ExecutionProfile};
use ossature_registry::Published;
use ossature_schema_spec::{Fingerprint, TablePin, Version};
use ossature_write_pipeline::WriteOutcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CacheStatusV1, DigestV1, EnvironmentV1, Payload, PinV1};
use ossature_write_pipeline::{WRITER_VERSION, redact};

/// Where a run stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RunStatusV1 {
    /// It was begun and has not ended; or its process is gone, which a manifest cannot know.
    Running,
    /// Its outputs are published.
    Completed,
    /// It ended without publishing anything.
    Failed,
    /// Its process ended before it could record how, and published nothing; whoever came next found that out.
    Aborted,
}

impl RunStatusV1 {
    /// The name in artifact tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

/// A run. The manifest of a completed run is the publication of its outputs: readers open exactly these versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunManifestV1 {
    /// The run, named once and for all.
    pub run_id: String,
    /// Its place in the lake's history, from 1 on; a later run has a greater one.
    pub run_number: i64,
    /// The run whose outputs it was computed from, if it did not begin with nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<String>,
    /// Where it stands.
    pub status: RunStatusV1,
    /// What was read: a folder or a URL, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The version of the program.
    pub code_version: String,
    /// What planned its queries, where it had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentV1>,
    /// Options that change rows.
    pub options: RunOptionsV1,
    /// How it was executed; no row depends on it.
    pub execution: ExecutionProfileV1,
    /// The settings of the engine that decide about that, where it had queries; null for those that have no value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub execution_settings: BTreeMap<String, Option<String>>,
    /// When it began, in milliseconds since 1970-01-01 00:00:00 UTC.
    pub started_at_unix_ms: i64,
    /// When it ended, or was found to have ended, in milliseconds since 1970-01-01 00:00:00 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_unix_ms: Option<i64>,
    /// The versions that it read, ordered by dataset; empty until it has completed.
    pub inputs: Vec<PinV1>,
    /// The versions that it publishes, ordered by name; empty unless it has completed.
    pub outputs: Vec<OutputV1>,
    /// The tables of the run's records as it found them when it completed, ordered by dataset: its plans, writes and scans
    /// are in them, and of the ledger all rows but the one with this manifest. Empty unless it has completed.
    pub records: Vec<PinV1>,
    /// What became of the source files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<ExtractSummaryV1>,
    /// How many calls were resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallCoverageV1>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureV1>,
}

/// Options of a run that change rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunOptionsV1 {
    /// The version of Python that the source is read as, like `3.13`.
    pub python_version: String,
    /// Larger files are not parsed, in bytes.
    pub max_file_bytes: u64,
}

/// How a run was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutionProfileV1 {
    /// Streams and encoders side by side.
    pub threads: u32,
    /// What operators may hold before they spill to disk, in bytes.
    pub memory_bytes_max: u64,
    /// Rows in a batch.
    pub batch_rows: u32,
}

/// A version of a table that a run publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputV1 {
    /// The dataset, as `stage.table`.
    pub name: String,
    /// The table's folder, without secrets.
    pub table_uri: String,
    /// The version before.
    pub version_before: u64,
    /// The version to open.
    pub version: u64,
    /// The id in the table's metadata.
    pub table_id: String,
    /// A digest of what the log says of the version.
    pub snapshot_hash: DigestV1,
    /// Rows of the version.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Its files.
    pub files: u64,
    /// The fingerprint of the plan that computed the rows, where a plan did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_fingerprint: Option<DigestV1>,
    /// A digest of the plan as it was written down, without the rows that it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_hash: Option<DigestV1>,
    /// A digest of the version's files.
    pub content_hash: DigestV1,
    /// A digest of the contract under which they were written.
    pub contract_hash: DigestV1,
    /// A digest of the policy under which they were written.
    pub policy_hash: DigestV1,
    /// The id of the artifact that tells of the write.
    pub write_artifact_id: DigestV1,
    /// The id of the artifact that tells of the plan, where a plan computed the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_artifact_id: Option<DigestV1>,
    /// The version of the rules by which rows become files.
    pub writer_version: u32,
    /// Whether a plan computed the rows in this run, or the version was there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_status: Option<CacheStatusV1>,
}

/// The records that tell how an output came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputRecords {
    /// The plan that computed the rows.
    pub plan: Option<PlanRecord>,
    /// The id of the write's artifact.
    pub write_artifact_id: Fingerprint,
    /// What became of the view, where a plan computed the rows.
    pub cache_status: Option<CacheStatusV1>,
}

/// The record of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanRecord {
    /// The fingerprint of the plan.
    pub fingerprint: Fingerprint,
    /// A digest of the plan as it was written down.
    pub plan_hash: DigestV1,
    /// The id of its artifact.
    pub artifact_id: Fingerprint,
}

impl OutputV1 {
    /// What a write published, the pin at which the version was opened behind it, and what is recorded about it. The outcome
    /// must not be one of an append, which tells of the added rows only.
    pub fn of(outcome: &WriteOutcome, pin: &TablePin, records: OutputRecords) -> Self {
        let WriteOutcome {
            contract,
            location,
            policy,
            mode: _,
            version_before,
            version,
            rows,
            bytes,
            files,
            files_added: _,
            files_removed: _,
            files_restored: _,
            content,
            protocol: _,
            enablement: _,
            enabled_in: _,
        } = outcome;
        let OutputRecords {
            plan,
            write_artifact_id,
            cache_status,
        } = records;
        Self {
            name: contract.name().to_string(),
            table_uri: location.clone(),
            version_before: version_before.number(),
            version: version.number(),
            table_id: pin.table_id.clone(),
            snapshot_hash: DigestV1::from(pin.snapshot),
            rows: *rows,
            bytes: *bytes,
            files: *files as u64,
            plan_fingerprint: plan.map(|it| DigestV1::from(it.fingerprint)),
            plan_hash: plan.map(|it| it.plan_hash),
            content_hash: DigestV1::from(*content),
            contract_hash: DigestV1::from(contract.contract_hash()),
            policy_hash: DigestV1::from(policy.fingerprint()),
            write_artifact_id: DigestV1::from(write_artifact_id),
            plan_artifact_id: plan.map(|it| DigestV1::from(it.artifact_id)),
            writer_version: WRITER_VERSION,
            cache_status,
        }
    }
}

impl OutputV1 {
    /// What a reader is to find.
    pub fn published(&self) -> Published {
        Published {
            version: Version::new(self.version),
            table_id: self.table_id.clone(),
            snapshot: self.snapshot_hash.fingerprint(),
        }
    }
}

/// What became of the source files, in files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtractSummaryV1 {
    /// Files that were found.
    pub listed: u64,
    /// Files that were parsed without an error.
    pub parsed: u64,
    /// Files that were parsed in spite of errors.
    pub partial: u64,
    /// Files that were not parsed.
    pub skipped: u64,
}

/// How many calls were resolved, in call sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallCoverageV1 {
    /// Calls of exactly one definition in the source tree.
    pub resolved: u64,
    /// Calls of something outside of it.
    pub external: u64,
    /// Calls with several candidates.
    pub ambiguous: u64,
    /// Calls without any.
    pub unresolved: u64,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureV1 {
    /// The error's stable identifier.
    pub code: String,
    /// The error in words, without secrets.
    pub message: String,
}

/// What is known of a run when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStart {
    /// The run, named once and for all.
    pub run_id: String,
    /// The run whose outputs it is computed from.
    pub parent_run_id: Option<String>,
    /// What is read: a folder or a URL. Secrets in it are removed.
    pub source: Option<String>,
    /// The version of the program.
    pub code_version: String,
    /// What plans its queries.
    pub environment: Option<Environment>,
    /// How the engine carries them out.
    pub profile: Option<ExecutionProfile>,
    /// Options that change rows.
    pub options: RunOptionsV1,
    /// How it is executed.
    pub execution: ExecutionProfileV1,
    /// Milliseconds since 1970-01-01 00:00:00 UTC.
    pub started_at_unix_ms: i64,
}

/// What is known of a run when it has completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCompletion {
    /// Milliseconds since 1970-01-01 00:00:00 UTC.
    pub ended_at_unix_ms: i64,
    /// The versions that it read.
    pub inputs: Vec<PinV1>,
    /// The versions that it publishes.
    pub outputs: Vec<OutputV1>,
    /// What became of the source files.
    pub extract: Option<ExtractSummaryV1>,
    /// How many calls were resolved.
    pub calls: Option<CallCoverageV1>,
}

impl Payload for RunManifestV1 {
    const KIND: &'static str = "run_manifest";
    const VERSION: u32 = 1;
}

impl RunManifestV1 {
    /// The manifest of a run that begins.
    pub(crate) fn running(start: &RunStart, run_number: i64) -> Self {
        let RunStart {
            run_id,
            parent_run_id,
            source,
            code_version,
            environment,
            profile,
            options,
            execution,
            started_at_unix_ms,
        } = start.clone();
        Self {
            run_id,
            run_number,
            parent_run_id,
            status: RunStatusV1::Running,
            source: source.as_deref().map(redact),
            code_version,
            environment: environment.as_ref().map(EnvironmentV1::from),
            options,
            execution,
            execution_settings: profile.map(|it| it.settings).unwrap_or_default(),
            started_at_unix_ms,
            ended_at_unix_ms: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            records: Vec::new(),
            extract: None,
            calls: None,
            failure: None,
        }
    }

    /// The same run, completed.
    pub(crate) fn completed(&self, completion: &RunCompletion, records: Vec<PinV1>) -> Self {
        let RunCompletion {
            ended_at_unix_ms,
            mut inputs,
            mut outputs,
            extract,
            calls,
        } = completion.clone();
        inputs.sort_by(|a, b| (&a.dataset, a.version).cmp(&(&b.dataset, b.version)));
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            status: RunStatusV1::Completed,
            ended_at_unix_ms: Some(ended_at_unix_ms),
            inputs,
            outputs,
            records,
            extract,
            calls,
            ..self.clone()
        }
    }

    /// The same run, failed.
    pub(crate) fn failed(&self, ended_at_unix_ms: i64, code: &str, message: &str) -> Self {
        Self {
            status: RunStatusV1::Failed,
            ended_at_unix_ms: Some(ended_at_unix_ms),
            failure: Some(FailureV1 {
                code: code.to_owned(),
                message: redact(message),
            }),
            ..self.clone()
        }
    }

    /// The same run, aborted.
    pub(crate) fn aborted(&self, found_at_unix_ms: i64) -> Self {
        Self {
            status: RunStatusV1::Aborted,
            ended_at_unix_ms: Some(found_at_unix_ms),
            ..self.clone()
        }
    }

    /// When its last event happened, in milliseconds since 1970-01-01 00:00:00 UTC.
    pub fn at_unix_ms(&self) -> i64 {
        self.ended_at_unix_ms.unwrap_or(self.started_at_unix_ms)
    }

    /// The published version of a dataset.
    pub fn output(&self, name: &str) -> Option<&OutputV1> {
        self.outputs.iter().find(|output| output.name == name)
    }
}
