//! Whether a view was computed, or its table held already what its plan computes.

use ossature_schema_spec::{DatasetName, Fingerprint, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, Payload};

/// What became of a view when a run came to it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CacheStatusV1 {
    /// Its table holds, byte for byte, what the same work gave an earlier run: nothing was computed.
    Hit,
    /// Other work was done for the version that is published, or none: it was computed.
    Miss,
    /// The same work was done, but its table no longer holds what it gave: it was computed again.
    Stale,
    /// Nobody looked: it was computed.
    Disabled,
    /// It has no table; whoever names it computes it.
    Inline,
}

impl CacheStatusV1 {
    /// The name in artifact tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Disabled => "disabled",
            Self::Inline => "inline",
        }
    }
}

/// Whether the rows of a view had to be computed, and what that was decided by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewCacheV1 {
    /// The view, as `stage.table`.
    pub dataset: String,
    /// What became of it.
    pub status: CacheStatusV1,
    /// Why, in words.
    pub reason: String,
    /// What differs from the published version: `rows` of inputs, the `query`, the `environment`, the `contract`, the `policy` or
    /// the `writer`; `functions` stands for the versions of functions and the columns of inputs, where rows and query are the
    /// same. Empty unless it is a miss, and where nothing was published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// What the rows and the bytes of the table depend on, as one digest; none of a view without a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<DigestV1>,
    /// The published run whose version was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<String>,
    /// The version that was taken as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Rows that did not have to be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes of files that were read and compared instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Sources and views that it names, ordered by name.
    pub inputs: Vec<String>,
    /// Views that name it, ordered by name.
    pub readers: Vec<String>,
}

impl Payload for ViewCacheV1 {
    const KIND: &'static str = "view_cache";
    const VERSION: u32 = 1;
}

impl ViewCacheV1 {
    /// A view of which nothing more is known.
    pub fn of(dataset: &DatasetName, status: CacheStatusV1, reason: impl Into<String>) -> Self {
        Self {
            dataset: dataset.to_string(),
            status,
            reason: reason.into(),
            differs: Vec::new(),
            key: None,
            compared_with: None,
            version: None,
            rows: None,
            bytes: None,
            inputs: Vec::new(),
            readers: Vec::new(),
        }
    }

    /// With the key, and the run whose version was looked at.
    #[must_use]
    pub fn keyed(mut self, key: Fingerprint, compared_with: Option<&str>) -> Self {
        self.key = Some(DigestV1::from(key));
        self.compared_with = compared_with.map(str::to_owned);
        self
    }

    /// With the version that was taken as it is, its rows and its bytes.
    #[must_use]
    pub fn taken(mut self, version: Version, rows: u64, bytes: u64) -> Self {
        self.version = Some(version.number());
        self.rows = Some(rows);
        self.bytes = Some(bytes);
        self
    }

    /// With its neighbours among sources and views.
    #[must_use]
    pub fn between<'a>(
        mut self,
        inputs: impl IntoIterator<Item = &'a DatasetName>,
        readers: impl IntoIterator<Item = &'a DatasetName>,
    ) -> Self {
        self.inputs = inputs.into_iter().map(ToString::to_string).collect();
        self.readers = readers.into_iter().map(ToString::to_string).collect();
        self
    }
}
