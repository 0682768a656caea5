//! What was decided about a table, and by whom.

use std::collections::{BTreeMap, BTreeSet};

use ossature_delta_policy::{Decided, DeltaFeature, Dropped, ResolvedPolicy, StatsDecision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, Payload};

/// A value and who decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DecidedV1_of_{T}")]
pub struct DecidedV1<T> {
    /// The value.
    pub value: T,
    /// Who decided it: `request`, `location`, `dataset` or `default`.
    pub source: String,
}

impl<T> DecidedV1<T> {
    fn of<U>(decided: &Decided<U>, value: impl FnOnce(&U) -> T) -> Self {
        Self {
            value: value(&decided.value),
            source: decided.source.as_str().to_owned(),
        }
    }
}

/// How a table is written: one value per field, and who decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyArtifactV1 {
    /// The dataset, as `stage.table`.
    pub dataset: String,
    /// A digest of everything that was decided; who decided is not part of it.
    pub policy_hash: DigestV1,
    /// Rows in a file, at the most.
    pub rows_per_file_max: DecidedV1<u64>,
    /// Which columns get statistics.
    pub statistics: DecidedV1<StatsDecisionV1>,
    /// How columns may change: `strict` or `additive`.
    pub schema_mode: DecidedV1<String>,
    /// Table features that were asked for by name, in the protocol's spelling.
    pub features: DecidedV1<Vec<String>>,
    /// Table features that the columns need.
    pub column_features: Vec<String>,
    /// Whether commits tell which rows they changed.
    pub change_feed: DecidedV1<bool>,
    /// A checkpoint is written after so many commits.
    pub checkpoint_commits_interval: DecidedV1<u32>,
    /// How long the log of old versions is kept, in days.
    pub log_retention_days: DecidedV1<u32>,
    /// How long files are kept that only old versions use, in days.
    pub deleted_file_retention_days: DecidedV1<u32>,
    /// Other table properties.
    pub properties: DecidedV1<BTreeMap<String, String>>,
}

impl Payload for PolicyArtifactV1 {
    const KIND: &'static str = "policy_artifact";
    const VERSION: u32 = 1;
}

impl From<&ResolvedPolicy> for PolicyArtifactV1 {
    fn from(policy: &ResolvedPolicy) -> Self {
        // The type is open to new fields, so `..` has to stand here; the digest covers what it hides.
        let ResolvedPolicy {
            dataset,
            rows_per_file_max,
            statistics,
            schema_mode,
            features,
            column_features,
            change_feed,
            checkpoint_commits_interval,
            log_retention,
            deleted_file_retention,
            properties,
            ..
        } = policy;
        Self {
            dataset: dataset.to_string(),
            policy_hash: DigestV1::from(policy.fingerprint()),
            rows_per_file_max: DecidedV1::of(rows_per_file_max, |rows| rows.get()),
            statistics: DecidedV1::of(statistics, |decision| decision.into()),
            schema_mode: DecidedV1::of(schema_mode, |mode| mode.as_str().to_owned()),
            features: DecidedV1::of(features, feature_names),
            column_features: feature_names(column_features),
            change_feed: DecidedV1::of(change_feed, |is_on| *is_on),
            checkpoint_commits_interval: DecidedV1::of(checkpoint_commits_interval, |it| it.get()),
            log_retention_days: DecidedV1::of(log_retention, |it| it.days()),
            deleted_file_retention_days: DecidedV1::of(deleted_file_retention, |it| it.days()),
            properties: DecidedV1::of(properties, BTreeMap::clone),
        }
    }
}

/// The names of features, in the order of the protocol's table.
pub(super) fn feature_names(features: &BTreeSet<DeltaFeature>) -> Vec<String> {
    let names = features.iter().map(|feature| feature.name());
    names.map(str::to_owned).collect()
}

/// Which columns get file statistics, and why the others do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatsDecisionV1 {
    /// The policy that decided, in words.
    pub policy: String,
    /// The columns, in schema order. Empty means that files tell how many rows they hold and nothing else.
    pub columns: Vec<String>,
    /// The other candidates, in the order in which they were considered.
    pub dropped: Vec<DroppedV1>,
}

/// A candidate that gets no statistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DroppedV1 {
    /// The column.
    pub column: String,
    /// Why, as a stable identifier.
    pub reason: String,
}

impl Payload for StatsDecisionV1 {
    const KIND: &'static str = "stats_decision";
    const VERSION: u32 = 1;
}

impl From<&StatsDecision> for StatsDecisionV1 {
    fn from(decision: &StatsDecision) -> Self {
        // The type is open to new fields, so `..` has to stand here.
        let StatsDecision {
            policy,
            columns,
            dropped,
            ..
        } = decision;
        Self {
            policy: policy.to_string(),
            columns: columns.iter().map(ToString::to_string).collect(),
            dropped: dropped.iter().map(DroppedV1::from).collect(),
        }
    }
}

impl From<&Dropped> for DroppedV1 {
    fn from(dropped: &Dropped) -> Self {
        let Dropped { column, reason } = dropped;
        Self {
            column: column.to_string(),
            reason: reason.as_str().to_owned(),
        }
    }
}
