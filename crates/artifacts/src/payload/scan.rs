//! What was decided when a dataset was opened.

use std::collections::BTreeMap;

use ossature_registry::{AlignmentPlan, ColumnAlignment, ScanFacts, ScanMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, Payload, PinV1, ProtocolV1};

/// What was decided when a dataset was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanArtifactV1 {
    /// The dataset and the version that is read.
    pub pin: PinV1,
    /// The table's folder, without secrets.
    pub table_uri: String,
    /// Who reads the files.
    pub mode: ScanModeV1,
    /// A digest of the contract that it is read under.
    pub contract_hash: DigestV1,
    /// What readers of the version have to know.
    pub protocol: ProtocolV1,
    /// How files are read, by the name of the setting.
    pub settings: BTreeMap<String, String>,
    /// The order that the contract declares, ` desc` behind the descending columns.
    pub declared_order: Vec<String>,
    /// The order that scans declare; empty when none was proven.
    pub order: Vec<String>,
    /// Whether scans declare the order that the contract declares.
    pub is_ordered_as_declared: bool,
    /// What the order rests on, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_proof: Option<OrderProofV1>,
    /// Whether the stored columns are the declared ones.
    pub is_identity: bool,
    /// How the declared columns come to be that are not stored as they are declared, in declared order.
    pub alignments: Vec<ScanAlignmentV1>,
    /// Stored columns that the contract does not declare.
    pub dropped: Vec<String>,
    /// Files of the version, where the scan lists them itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Bytes of those files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Rows in those files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// What an ordering claim rests on. It holds inside and across all files of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderProofV1 {
    /// The version whose commit claims it; for no other one it holds.
    pub version: u64,
    /// The version of the writer's rules under which it compared every row with the one before.
    pub writer: String,
}

/// Who reads the files of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScanModeV1 {
    /// The guarded scan.
    Direct,
    /// The Delta runtime, behind guards.
    Delegated,
}

impl ScanModeV1 {
    /// The name in artifact tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Delegated => "delegated",
        }
    }
}

/// How one declared column comes to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanAlignmentV1 {
    /// The column.
    pub column: String,
    /// How: `tag`, `cast from <type>`, `default <value>`, `null`, `rename from <column>` or `expression <SQL>`; the last two
    /// with `, cast from <type>` behind them where the type is another one.
    pub alignment: String,
    /// Its value, as normalised SQL over the stored columns.
    pub sql: String,
    /// The stored columns that it is made of, ordered by name.
    pub sources: Vec<String>,
}

impl Payload for ScanArtifactV1 {
    const KIND: &'static str = "scan_artifact";
    const VERSION: u32 = 1;
}

impl From<&ScanFacts> for ScanArtifactV1 {
    fn from(facts: &ScanFacts) -> Self {
        let ScanFacts {
            pin,
            location,
            mode,
            contract,
            protocol,
            settings,
            declared_order,
            order,
            order_proof,
            alignment,
            files,
            bytes,
            rows,
        } = facts;
        Self {
            pin: PinV1::from(pin),
            table_uri: location.clone(),
            mode: match mode {
                ScanMode::Direct => ScanModeV1::Direct,
                _ => ScanModeV1::Delegated,
            },
            contract_hash: DigestV1::from(*contract),
            protocol: ProtocolV1::from(protocol),
            settings: (settings.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            declared_order: declared_order.iter().map(ToString::to_string).collect(),
            order: order.iter().map(ToString::to_string).collect(),
            is_ordered_as_declared: order == declared_order,
            order_proof: order_proof.as_ref().map(|proof| OrderProofV1 {
                version: proof.version.number(),
                writer: proof.writer.clone(),
            }),
            is_identity: alignment.is_identity(),
            alignments: alignments(alignment),
            dropped: alignment.dropped().to_vec(),
            files: files.map(|files| files as u64),
            bytes: *bytes,
            rows: rows.map(|rows| rows as u64),
        }
    }
}

fn alignments(plan: &AlignmentPlan) -> Vec<ScanAlignmentV1> {
    let columns = plan.columns().iter();
    columns
        .filter(|column| *column.alignment() != ColumnAlignment::Pass)
        .map(|column| ScanAlignmentV1 {
            column: column.name().to_string(),
            alignment: column.alignment().to_string(),
            sql: column.sql(),
            sources: column.sources().into_iter().collect(),
        })
        .collect()
}
