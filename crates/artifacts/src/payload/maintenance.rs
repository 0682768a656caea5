//! What was done to a table between writes.

use ossature_write_pipeline::MaintenanceFact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Payload;

/// What one kind of upkeep did to a table, or why it did nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceFactV1 {
    /// The dataset, as `stage.table`.
    pub dataset: String,
    /// The table's folder, without secrets.
    pub table_uri: String,
    /// What kind of upkeep it is: `compaction`, `checkpoint` or `vacuum`.
    pub upkeep: String,
    /// Whether anything was done; of a dry run, whether anything would have been.
    pub is_done: bool,
    /// Why it was done, or was not: what the policy says and what was found.
    pub reason: String,
    /// The version before.
    pub version_before: u64,
    /// The version after.
    pub version: u64,
    /// Files that were added to the table.
    pub files_added: u64,
    /// Files that were removed from the table. Earlier versions still have them.
    pub files_removed: u64,
    /// Files that were deleted, or would have been: their paths below the folder.
    pub deleted: Vec<String>,
}

impl Payload for MaintenanceFactV1 {
    const KIND: &'static str = "maintenance_fact";
    const VERSION: u32 = 1;
}

impl From<&MaintenanceFact> for MaintenanceFactV1 {
    fn from(fact: &MaintenanceFact) -> Self {
        // The fact may grow, so it is not taken apart: its crate lets nobody else do that.
        Self {
            dataset: fact.dataset.to_string(),
            table_uri: fact.location.clone(),
            upkeep: fact.upkeep.as_str().to_owned(),
            is_done: fact.is_done,
            reason: fact.reason.clone(),
            version_before: fact.version_before.number(),
            version: fact.version.number(),
            files_added: fact.files_added as u64,
            files_removed: fact.files_removed as u64,
            deleted: fact.deleted.clone(),
        }
    }
}
