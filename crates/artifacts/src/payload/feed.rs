//! What somebody has taken from the change feed of a table.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, Payload};

/// How the changes of a table were taken.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FeedModeV1 {
    /// All rows of a version, because nothing had been taken before.
    InitialSnapshot,
    /// The changes of the versions behind the cursor.
    Changes,
    /// All rows of a version, because the changes behind the cursor cannot be read.
    FullRefresh,
}

impl FeedModeV1 {
    /// The name in artifact tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InitialSnapshot => "initial_snapshot",
            Self::Changes => "changes",
            Self::FullRefresh => "full_refresh",
        }
    }
}

/// What one consumer has taken from a table, once it had done with it what it wanted. The newest one is its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedConsumptionV1 {
    /// Who took it.
    pub consumer: String,
    /// The attempt at which it was taken, as whoever took it names it.
    pub attempt: String,
    /// The dataset, as `stage.table`.
    pub dataset: String,
    /// The table's folder, without secrets.
    pub table_uri: String,
    /// The id in the table's metadata.
    pub table_id: String,
    /// Its place among those of this consumer and this dataset, from 0 on.
    pub sequence: u64,
    /// How it was taken.
    pub mode: FeedModeV1,
    /// Why it was taken so, in words.
    pub reason: String,
    /// What was found of the versions behind the cursor: `ok`, `empty`, `gap`, `disabled`, `vacuumed`, `out_of_range`,
    /// `schema_changed`, `unsupported`, `recreated` or `restored`; none where nothing had been taken before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The last version that had been taken before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor_before: Option<u64>,
    /// The last version that has been taken now.
    pub cursor: u64,
    /// A digest of what the log says of that version: a table that was put back from a copy has other versions under the same
    /// numbers.
    pub snapshot_hash: DigestV1,
    /// Rows by kind: `insert`, `delete`, `update_preimage` and `update_postimage`; those of a whole version are `snapshot`.
    pub rows: BTreeMap<String, u64>,
}

impl Payload for FeedConsumptionV1 {
    const KIND: &'static str = "feed_consumption";
    const VERSION: u32 = 1;
}
