//! What a table asks of its readers and writers, and whether the runtime meets it.

use std::collections::BTreeSet;

use ossature_delta_policy::{FeatureGate, Protocol, ProtocolReport, ProtocolSupport};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::feature_names;
use crate::Payload;

/// What was required of a table, what was found, and everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolReportV1 {
    /// What was required.
    pub required: RequiredProtocolV1,
    /// The table's protocol.
    pub found: ProtocolV1,
    /// The newest versions and the features that the runtime knows.
    pub runtime: ProtocolV1,
    /// What is wrong, in words; empty when nothing is.
    pub problems: Vec<String>,
}

/// What somebody requires a table to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiredProtocolV1 {
    /// The least reader version, 0 for any.
    pub reader_version_min: u32,
    /// The least writer version, 0 for any.
    pub writer_version_min: u32,
    /// The features that the table must be allowed to use.
    pub features: Vec<String>,
}

/// Versions and features of readers and writers, ordered by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolV1 {
    /// The reader version.
    pub reader_version: u32,
    /// The writer version.
    pub writer_version: u32,
    /// The features of readers.
    pub reader_features: Vec<String>,
    /// The features of writers.
    pub writer_features: Vec<String>,
}

impl Payload for ProtocolReportV1 {
    const KIND: &'static str = "protocol_report";
    const VERSION: u32 = 1;
}

impl From<&ProtocolReport> for ProtocolReportV1 {
    fn from(report: &ProtocolReport) -> Self {
        let ProtocolReport {
            required,
            found,
            runtime,
            problems,
        } = report;
        Self {
            required: RequiredProtocolV1::from(required),
            found: ProtocolV1::from(found),
            runtime: ProtocolV1::from(runtime),
            problems: problems.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&FeatureGate> for RequiredProtocolV1 {
    fn from(gate: &FeatureGate) -> Self {
        let FeatureGate {
            min_reader_version,
            min_writer_version,
            features,
        } = gate;
        Self {
            reader_version_min: *min_reader_version,
            writer_version_min: *min_writer_version,
            features: feature_names(features),
        }
    }
}

impl From<&Protocol> for ProtocolV1 {
    fn from(protocol: &Protocol) -> Self {
        let Protocol {
            min_reader_version,
            min_writer_version,
            reader_features,
            writer_features,
        } = protocol;
        Self {
            reader_version: *min_reader_version,
            writer_version: *min_writer_version,
            reader_features: names(reader_features),
            writer_features: names(writer_features),
        }
    }
}

impl From<&ProtocolSupport> for ProtocolV1 {
    fn from(support: &ProtocolSupport) -> Self {
        let ProtocolSupport {
            max_reader_version,
            max_writer_version,
            reader_features,
            writer_features,
        } = support;
        Self {
            reader_version: *max_reader_version,
            writer_version: *max_writer_version,
            reader_features: names(reader_features),
            writer_features: names(writer_features),
        }
    }
}

fn names(features: &BTreeSet<String>) -> Vec<String> {
    features.iter().cloned().collect()
}
