//! What came of a write.

use ossature_write_pipeline::WriteOutcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, EnablementV1, Payload, PolicyArtifactV1, ProtocolReportV1};

/// One version of a table, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteArtifactV1 {
    /// The dataset, as `stage.table`.
    pub dataset: String,
    /// A digest of the contract under which the rows were written.
    pub contract_hash: DigestV1,
    /// The table's folder, without secrets.
    pub table_uri: String,
    /// What became of the rows that were there: `overwrite`, `append` and so on.
    pub mode: String,
    /// The version before.
    pub version_before: u64,
    /// The version that holds the rows: the one before when nothing had to be committed.
    pub version: u64,
    /// Rows written.
    pub rows: u64,
    /// Bytes of the version's files, for an append of the added files.
    pub bytes: u64,
    /// Files of the version, for an append the added files.
    pub files: u64,
    /// Files that the commit added.
    pub files_added: u64,
    /// Files that the commit removed.
    pub files_removed: u64,
    /// Damaged files of the version that were restored.
    #[serde(default)]
    pub files_restored: u64,
    /// A digest of the files that hold the written rows.
    pub content_hash: DigestV1,
    /// The policy that was applied.
    pub policy: PolicyArtifactV1,
    /// What the table's protocol demands, and whether the runtime provides it.
    pub protocol: ProtocolReportV1,
    /// What became of the table's features.
    pub enablement: EnablementV1,
}

impl Payload for WriteArtifactV1 {
    const KIND: &'static str = "write_artifact";
    const VERSION: u32 = 1;
}

impl From<&WriteOutcome> for WriteArtifactV1 {
    fn from(outcome: &WriteOutcome) -> Self {
        let WriteOutcome {
            contract,
            location,
            policy,
            mode,
            version_before,
            version,
            rows,
            bytes,
            files,
            files_added,
            files_removed,
            files_restored,
            content,
            protocol,
            enablement,
            enabled_in,
        } = outcome;
        Self {
            dataset: contract.name().to_string(),
            contract_hash: DigestV1::from(contract.contract_hash()),
            table_uri: location.clone(),
            mode: mode.to_string(),
            version_before: version_before.number(),
            version: version.number(),
            rows: *rows,
            bytes: *bytes,
            files: *files as u64,
            files_added: *files_added as u64,
            files_removed: *files_removed as u64,
            files_restored: *files_restored as u64,
            content_hash: DigestV1::from(*content),
            policy: PolicyArtifactV1::from(policy),
            protocol: ProtocolReportV1::from(protocol),
            enablement: EnablementV1::of(enablement, *enabled_in),
        }
    }
}
