//! What a failed write left behind.

use ossature_write_pipeline::{WriteFailure, redact};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Payload;

/// A write that failed. The table is as it was.
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
        }
    }
}
