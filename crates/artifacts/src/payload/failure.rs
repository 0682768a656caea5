//! What a failed write left behind.

use ossature_write_pipeline::{WriteFailure, redact};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Payload, ProtocolReportV1, RefusedFeatureV1};

/// A write that failed. No rows were committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteFailureV1 {
    /// The dataset, as `stage.table`.
    pub dataset: String,
    /// The table's folder, without secrets.
    pub table_uri: String,
    /// The version that stands; 0 when the table could not be opened.
    pub version: u64,
    /// The error's stable identifier.
    pub code: String,
    /// The error in words, without secrets.
    pub message: String,
    /// Files that were stored, or may have been, and that the version does not have: their paths below the folder.
    pub orphans: Vec<String>,
    /// What was required of the table's protocol and what was found, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<ProtocolReportV1>,
    /// The table features that were refused, where they are why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_features: Vec<RefusedFeatureV1>,
}

impl Payload for WriteFailureV1 {
    const KIND: &'static str = "write_failure";
    const VERSION: u32 = 1;
}

impl WriteFailureV1 {
    /// The record of a failure; `code` and `message` are what the run says of it. Secrets in the message are removed.
    pub fn of(failure: &WriteFailure, code: &str, message: &str) -> Self {
        let WriteFailure {
            dataset,
            location,
            version,
            orphans,
            ..
        } = failure;
        Self {
            dataset: dataset.to_string(),
            table_uri: location.clone(),
            version: version.number(),
            code: code.to_owned(),
            message: redact(message),
            orphans: orphans.clone(),
            protocol: failure.protocol().map(ProtocolReportV1::from),
            refused_features: (failure.refused_features().into_iter())
                .map(|(feature, reason)| RefusedFeatureV1 {
                    feature: feature.name().to_owned(),
                    reason,
                })
                .collect(),
        }
    }
}
