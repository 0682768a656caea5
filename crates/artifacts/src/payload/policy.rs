//! What was decided about a table, and by whom.

use std::collections::{BTreeMap, BTreeSet};

use ossature_delta_policy::{
    Compaction, Decided, DeltaFeature, Dropped, ResolvedPolicy, Source, StatsDecision, UsedColumn,
    Vacuum, Warning,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, LayoutV1, Payload};

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
        self::decided(value(&decided.value), decided.source)
    }
}

/// A value that goes with a source.
pub(super) fn decided<T>(value: T, source: Source) -> DecidedV1<T> {
    DecidedV1 {
        value,
        source: source.as_str().to_owned(),
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
    /// How columns may change: `strict`, `additive` or `replace`.
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
    /// How files are encoded. The source is the strongest place that says anything about it.
    pub layout: DecidedV1<LayoutV1>,
    /// The columns that rows are clustered by; none for rows in their order.
    pub cluster_by: DecidedV1<Vec<String>>,
    /// The expressions of SQL that every row satisfies, by name.
    pub constraints: DecidedV1<BTreeMap<String, String>>,
    /// Whether the constraints are kept in the table.
    pub persist_constraints: DecidedV1<bool>,
    /// Under which names files keep the columns: `none`, `name` or `id`.
    pub column_mapping: DecidedV1<String>,
    /// Whether features may shut readers and writers out that do not know lists of features.
    pub allow_protocol_upgrade: DecidedV1<bool>,
    /// When small files are put together.
    pub compaction: DecidedV1<CompactionV1>,
    /// When files are deleted that no kept version uses.
    pub vacuum: DecidedV1<VacuumV1>,
    /// What is admissible and may not be meant.
    pub warnings: Vec<WarningV1>,
}

/// When small files are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompactionV1 {
    /// Never.
    Off,
    /// When there are more than this many.
    SmallFilesMax(u32),
}

impl From<&Compaction> for CompactionV1 {
    fn from(compaction: &Compaction) -> Self {
        match compaction {
            Compaction::Off => Self::Off,
            Compaction::Auto { small_files_max } => Self::SmallFilesMax(*small_files_max),
        }
    }
}

/// When files are deleted that no kept version uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VacuumV1 {
    /// Never.
    Off,
    /// So many days after the last version that used them.
    AfterDays(u32),
}

impl From<&Vacuum> for VacuumV1 {
    fn from(vacuum: &Vacuum) -> Self {
        match vacuum {
            Vacuum::Off => Self::Off,
            Vacuum::After(retention) => Self::AfterDays(retention.days()),
        }
    }
}

/// Something about a policy that is admissible and may not be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarningV1 {
    /// A stable identifier.
    pub code: String,
    /// The warning in words.
    pub message: String,
}

impl From<&Warning> for WarningV1 {
    fn from(warning: &Warning) -> Self {
        Self {
            code: warning.code().to_owned(),
            message: warning.to_string(),
        }
    }
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
            layout,
            cluster_by,
            constraints,
            persist_constraints,
            column_mapping,
            allow_protocol_upgrade,
            compaction,
            vacuum,
            warnings,
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
            layout: DecidedV1::of(layout, |layout| layout.into()),
            cluster_by: DecidedV1::of(cluster_by, |columns| {
                columns.iter().map(ToString::to_string).collect()
            }),
            constraints: DecidedV1::of(constraints, BTreeMap::clone),
            persist_constraints: DecidedV1::of(persist_constraints, |is_on| *is_on),
            column_mapping: DecidedV1::of(column_mapping, |it| it.as_str().to_owned()),
            allow_protocol_upgrade: DecidedV1::of(allow_protocol_upgrade, |it| *it),
            compaction: DecidedV1::of(compaction, |it| it.into()),
            vacuum: DecidedV1::of(vacuum, |it| it.into()),
            warnings: warnings.iter().map(WarningV1::from).collect(),
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
    /// What was known of the readers: the columns that they use, the most important first.
    pub used: Vec<UsedColumnV1>,
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

/// A column that readers of a table keep, match or gather rows by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsedColumnV1 {
    /// The column.
    pub column: String,
    /// How much depends on it; the larger, the more.
    pub score: u32,
    /// How it is used, each way with the names of those who use it so: views as `stage.table`, and saved queries.
    pub roles: BTreeMap<String, Vec<String>>,
}

impl From<&UsedColumn> for UsedColumnV1 {
    fn from(used: &UsedColumn) -> Self {
        let UsedColumn {
            column,
            score,
            roles,
        } = used;
        let roles = roles.iter().map(|(role, consumers)| {
            let consumers = consumers.iter().cloned().collect();
            (role.clone(), consumers)
        });
        Self {
            column: column.to_string(),
            score: *score,
            roles: roles.collect(),
        }
    }
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
            used,
            ..
        } = decision;
        Self {
            policy: policy.to_string(),
            columns: columns.iter().map(ToString::to_string).collect(),
            dropped: dropped.iter().map(DroppedV1::from).collect(),
            used: used.iter().map(UsedColumnV1::from).collect(),
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
