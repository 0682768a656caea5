//! The contracts of all payloads, as a table: schema, example, and examples that are refused.

mod annotation;
mod classify;
mod example;

use serde_json::Value;

pub use classify::{Compatibility, SchemaChange, classify};

use crate::schema::envelope_schema;
use crate::{
    ArtifactTable, Envelope, Error, FeedConsumptionV1, MaintenanceFactV1, Payload, PlanArtifactV1,
    PolicyArtifactV1, ProtocolReportV1, Rejection, RunManifestV1, ScanArtifactV1,
    SemanticValidationV1, StatsDecisionV1, ViewCacheV1, WriteArtifactV1, WriteFailureV1,
};

/// The part of the system that a payload belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Domain {
    /// What was computed, and from what.
    Plan,
    /// What became of a table.
    Write,
    /// What was read of a table.
    Scan,
    /// The life of a run, and what it published.
    Run,
    /// What was wanted of a table, and whether it can be had.
    Policy,
    /// What was done to tables between runs.
    Maintenance,
    /// What was taken from the change feeds of tables.
    Feed,
}

impl Domain {
    /// The keyword of schemas that names it.
    const KEYWORD: &str = "x-domain";

    /// A stable identifier, for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Write => "write",
            Self::Scan => "scan",
            Self::Run => "run",
            Self::Policy => "policy",
            Self::Maintenance => "maintenance",
            Self::Feed => "feed",
        }
    }
}

/// The contract of one kind of payload.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Contract {
    /// The kind, as envelopes name it.
    pub kind: &'static str,
    /// The version of the contract.
    pub version: u32,
    /// The part of the system that the payload belongs to.
    pub domain: Domain,
    /// The table whose rows carry the payload. Without one, it is a part of other payloads.
    pub table: Option<ArtifactTable>,
    /// An envelope that meets the contract and has every field.
    pub example: fn() -> Result<Envelope, Error>,
    /// Decodes an envelope of this kind and seals the payload again.
    pub reseal: fn(&Envelope) -> Result<Envelope, Rejection>,
    /// Ways in which the example stops to meet the contract.
    pub rejected: &'static [RejectedExample],
    /// The rules of the schema alone.
    rules: fn() -> Value,
}

impl Contract {
    /// The stem of the contract's files: `run_manifest.v1`.
    pub fn stem(&self) -> String {
        format!("{}.v{}", self.kind, self.version)
    }

    /// The name of the contract among all schemas: `urn:ossature:contract:run_manifest:v1`.
    pub fn urn(&self) -> String {
        format!("urn:ossature:contract:{}:v{}", self.kind, self.version)
    }

    /// The JSON Schema (2020-12) of the envelopes that carry the payload.
    ///
    /// Beside the rules it says `x-domain`, `x-strictness` (`strict`: fields that it does not name are refused) and, for
    /// every field, `x-maturity` (`stable`, `experimental` or `deprecated`).
    pub fn schema(&self) -> Value {
        annotation::annotated(self, (self.rules)())
    }

    const fn of<P: Payload>(
        domain: Domain,
        example: fn() -> Result<Envelope, Error>,
        rejected: &'static [RejectedExample],
    ) -> Self {
        Self {
            kind: P::KIND,
            version: P::VERSION,
            domain,
            table: None,
            example,
            reseal: |envelope| {
                let payload: P = envelope.open()?;
                Envelope::seal(&payload).map_err(|error| Rejection::unreadable(&error))
            },
            rejected,
            rules: envelope_schema::<P>,
        }
    }

    /// The table whose rows carry the payload.
    const fn kept_in(mut self, table: ArtifactTable) -> Self {
        self.table = Some(table);
        self
    }
}

/// An example that is no longer one after these edits.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RejectedExample {
    /// What is wrong with it, as a part of a file name.
    pub name: &'static str,
    /// JSON Pointers to fields, each with the JSON text of its new value; without one the field is removed.
    pub edits: &'static [(&'static str, Option<&'static str>)],
}

const fn rejected(
    name: &'static str,
    edits: &'static [(&'static str, Option<&'static str>)],
) -> RejectedExample {
    RejectedExample { name, edits }
}

/// The contract of every kind of payload, ordered by name.
pub const CONTRACTS: &[Contract] = &[
    Contract::of::<FeedConsumptionV1>(
        Domain::Feed,
        example::feed_consumption,
        &[rejected("mode", &[("/payload/mode", Some(r#""all""#))])],
    )
    .kept_in(ArtifactTable::FeedConsumptions),
    Contract::of::<MaintenanceFactV1>(
        Domain::Maintenance,
        example::maintenance_fact,
        &[rejected("no_upkeep", &[("/payload/upkeep", None)])],
    )
    .kept_in(ArtifactTable::MaintenanceFacts),
    Contract::of::<PlanArtifactV1>(
        Domain::Plan,
        example::plan_artifact,
        &[
            rejected("digest", &[("/payload/fingerprint", Some(r#""ABC""#))]),
            rejected("missing_input", &[("/payload/inputs/0/pin/dataset", None)]),
        ],
    )
    .kept_in(ArtifactTable::PlanArtifacts),
    Contract::of::<PolicyArtifactV1>(
        Domain::Policy,
        example::policy_artifact,
        &[rejected(
            "negative_rows",
            &[("/payload/rows_per_file_max/value", Some("-1"))],
        )],
    ),
    Contract::of::<ProtocolReportV1>(
        Domain::Policy,
        example::protocol_report,
        &[rejected(
            "no_version",
            &[("/payload/found/reader_version", Some("null"))],
        )],
    ),
    Contract::of::<RunManifestV1>(
        Domain::Run,
        example::run_manifest,
        &[
            rejected("kind", &[("/kind", Some(r#""run""#))]),
            rejected("status", &[("/payload/status", Some(r#""done""#))]),
            rejected(
                "several",
                &[
                    ("/payload/calls/resolved", Some(r#""7""#)),
                    ("/payload/colour", Some(r#""red""#)),
                    ("/payload/execution/threads", Some("4294967296")),
                    ("/payload/outputs/0/version", Some("true")),
                    ("/payload/run_id", None),
                ],
            ),
            rejected("version", &[("/version", Some("2"))]),
        ],
    )
    .kept_in(ArtifactTable::RunManifest),
    Contract::of::<ScanArtifactV1>(
        Domain::Scan,
        example::scan_artifact,
        &[rejected("mode", &[("/payload/mode", Some(r#""quick""#))])],
    )
    .kept_in(ArtifactTable::ScanArtifacts),
    Contract::of::<SemanticValidationV1>(
        Domain::Plan,
        example::semantic_validation,
        &[rejected(
            "verdict",
            &[("/payload/is_valid", Some(r#""yes""#))],
        )],
    )
    .kept_in(ArtifactTable::SemanticValidations),
    Contract::of::<StatsDecisionV1>(
        Domain::Policy,
        example::stats_decision,
        &[rejected(
            "columns",
            &[("/payload/columns", Some(r#""node_id""#))],
        )],
    ),
    Contract::of::<ViewCacheV1>(
        Domain::Plan,
        example::view_cache,
        &[rejected("status", &[("/payload/status", Some("true"))])],
    )
    .kept_in(ArtifactTable::ViewCache),
    Contract::of::<WriteArtifactV1>(
        Domain::Write,
        example::write_artifact,
        &[rejected("unknown", &[("/payload/duration_ms", Some("7"))])],
    )
    .kept_in(ArtifactTable::WriteArtifacts),
    Contract::of::<WriteFailureV1>(
        Domain::Write,
        example::write_failure,
        &[rejected("orphans", &[("/payload/orphans", Some("2"))])],
    )
    .kept_in(ArtifactTable::WriteFailures),
];
