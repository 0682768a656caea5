//! What a table asks of its readers and writers, and whether the runtime meets it.

use std::collections::{BTreeMap, BTreeSet};

use ossature_delta_policy::{
    EnablementReport, FeatureGate, Protocol, ProtocolReport, ProtocolSupport,
};
use ossature_schema_spec::Version;
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
    /// Whether the table has what is required, and the runtime reads and writes it.
    pub is_compatible: bool,
    /// What is wrong, in words; empty when nothing is.
    pub problems: Vec<String>,
}

/// What was asked for of a table's features, what was there, and what is new. A feature that is refused fails the write, and is in
/// the record of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnablementV1 {
    /// The features that the table should have.
    pub requested: Vec<String>,
    /// Those of them that it had.
    pub already_enabled: Vec<String>,
    /// Those of them that it got.
    pub newly_enabled: Vec<String>,
    /// The protocol before; absent when the table was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_before: Option<ProtocolV1>,
    /// The protocol after.
    pub protocol_after: ProtocolV1,
    /// The properties that were set in the same commit.
    pub properties_set: BTreeMap<String, String>,
    /// The version whose commit brought the new features and properties, though the end of append-only may be one version
    /// earlier; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_version: Option<u64>,
}

impl EnablementV1 {
    /// The record of a report, and of the version whose commit did what it tells.
    pub fn of(report: &EnablementReport, version: Option<Version>) -> Self {
        let EnablementReport {
            requested,
            already_enabled,
            newly_enabled,
            protocol_before,
            protocol_after,
            properties_set,
        } = report;
        Self {
            requested: feature_names(requested),
            already_enabled: feature_names(already_enabled),
            newly_enabled: feature_names(newly_enabled),
            protocol_before: protocol_before.as_ref().map(ProtocolV1::from),
            protocol_after: ProtocolV1::from(protocol_after),
            properties_set: properties_set.clone(),
            commit_version: version.map(Version::number),
        }
    }
}

/// A table feature that was asked for, or that a table has, and why that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedFeatureV1 {
    /// The feature, as the protocol spells it.
    pub feature: String,
    /// Why, in words.
    pub reason: String,
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
            is_compatible: report.is_compatible(),
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
