//! The contracts of all payloads, as a table: schema, example, and examples that are refused.

mod example;

use serde_json::Value;

use crate::schema::envelope_schema;
use crate::{
    Envelope, Error, MaintenanceFactV1, Payload, PlanArtifactV1, PolicyArtifactV1,
    ProtocolReportV1, Rejection, RunManifestV1, ScanArtifactV1, StatsDecisionV1, WriteArtifactV1,
    WriteFailureV1,
};

/// The contract of one kind of payload.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Contract {
    /// The kind, as envelopes name it.
    pub kind: &'static str,
    /// The version of the contract.
    pub version: u32,
    /// The JSON Schema of the envelopes that carry it.
    pub schema: fn() -> Value,
    /// An envelope that meets the contract and has every field.
    pub example: fn() -> Result<Envelope, Error>,
    /// Decodes an envelope of this kind and seals the payload again.
    pub reseal: fn(&Envelope) -> Result<Envelope, Rejection>,
    /// Ways in which the example stops to meet the contract.
    pub rejected: &'static [RejectedExample],
}

impl Contract {
    /// The stem of the contract's files: `run_manifest.v1`.
    pub fn stem(&self) -> String {
        format!("{}.v{}", self.kind, self.version)
    }

    const fn of<P: Payload>(
        example: fn() -> Result<Envelope, Error>,
        rejected: &'static [RejectedExample],
    ) -> Self {
        Self {
            kind: P::KIND,
            version: P::VERSION,
            schema: envelope_schema::<P>,
            example,
            reseal: |envelope| {
                let payload: P = envelope.open()?;
                Envelope::seal(&payload).map_err(|error| Rejection::unreadable(&error))
            },
            rejected,
        }
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
    Contract::of::<MaintenanceFactV1>(
        example::maintenance_fact,
        &[rejected("no_upkeep", &[("/payload/upkeep", None)])],
    ),
    Contract::of::<PlanArtifactV1>(
        example::plan_artifact,
        &[
            rejected("digest", &[("/payload/fingerprint", Some(r#""ABC""#))]),
            rejected("missing_input", &[("/payload/inputs/0/pin/dataset", None)]),
        ],
    ),
    Contract::of::<PolicyArtifactV1>(
        example::policy_artifact,
        &[rejected(
            "negative_rows",
            &[("/payload/rows_per_file_max/value", Some("-1"))],
        )],
    ),
    Contract::of::<ProtocolReportV1>(
        example::protocol_report,
        &[rejected(
            "no_version",
            &[("/payload/found/reader_version", Some("null"))],
        )],
    ),
    Contract::of::<RunManifestV1>(
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
    ),
    Contract::of::<ScanArtifactV1>(
        example::scan_artifact,
        &[rejected("mode", &[("/payload/mode", Some(r#""quick""#))])],
    ),
    Contract::of::<StatsDecisionV1>(
        example::stats_decision,
        &[rejected(
            "columns",
            &[("/payload/columns", Some(r#""node_id""#))],
        )],
    ),
    Contract::of::<WriteArtifactV1>(
        example::write_artifact,
        &[rejected("unknown", &[("/payload/duration_ms", Some("7"))])],
    ),
    Contract::of::<WriteFailureV1>(
        example::write_failure,
        &[rejected("orphans", &[("/payload/orphans", Some("2"))])],
    ),
];
