//! Table properties: every `delta.*` string of the project, who decides its value, and how values are written.

use std::collections::BTreeMap;

use ossature_schema_spec::ColumnName;

use crate::{
    DeltaFeature, Enablement, EnablingProperty, Error, FEATURES, ResolvedPolicy, StatsDecision,
    TableState,
};

/// The keys of table properties.
pub(crate) mod key {
    pub(crate) const APPEND_ONLY: &str = "delta.appendOnly";
    pub(crate) const CHECKPOINT_INTERVAL: &str = "delta.checkpointInterval";
    pub(crate) const CHECKPOINT_POLICY: &str = "delta.checkpointPolicy";
    pub(crate) const CHECKPOINT_STATS_AS_JSON: &str = "delta.checkpoint.writeStatsAsJson";
    pub(crate) const CHECKPOINT_STATS_AS_STRUCT: &str = "delta.checkpoint.writeStatsAsStruct";
    pub(crate) const COLUMN_MAPPING_MODE: &str = "delta.columnMapping.mode";
    pub(crate) const CONSTRAINT_PREFIX: &str = "delta.constraints.";
    pub(crate) const DELETED_FILE_RETENTION: &str = "delta.deletedFileRetentionDuration";
    pub(crate) const ENABLE_CHANGE_DATA_FEED: &str = "delta.enableChangeDataFeed";
    pub(crate) const ENABLE_DELETION_VECTORS: &str = "delta.enableDeletionVectors";
    pub(crate) const ENABLE_ICEBERG_COMPAT_V1: &str = "delta.enableIcebergCompatV1";
    pub(crate) const ENABLE_ICEBERG_COMPAT_V2: &str = "delta.enableIcebergCompatV2";
    pub(crate) const ENABLE_ICEBERG_COMPAT_V3: &str = "delta.enableIcebergCompatV3";
    pub(crate) const ENABLE_IN_COMMIT_TIMESTAMPS: &str = "delta.enableInCommitTimestamps";
    pub(crate) const ENABLE_ROW_TRACKING: &str = "delta.enableRowTracking";
    pub(crate) const ENABLE_TYPE_WIDENING: &str = "delta.enableTypeWidening";
    pub(crate) const FEATURE_PREFIX: &str = "delta.feature.";
    pub(crate) const ISOLATION_LEVEL: &str = "delta.isolationLevel";
    pub(crate) const LOG_RETENTION: &str = "delta.logRetentionDuration";
    /// The dataset that the table was created for: its policy decides all of the table, and of others what it speaks of.
    pub(crate) const DATASET: &str = "ossature.dataset";
    pub(crate) const STATS_COLUMNS: &str = "delta.dataSkippingStatsColumns";
    pub(crate) const STATS_COLUMNS_COUNT: &str = "delta.dataSkippingNumIndexedCols";
}

/// The keys that the protocol gives a meaning in the metadata of a column, and the property that counts columns.
pub mod schema_key {
    /// The number of a mapped column.
    pub const COLUMN_ID: &str = "delta.columnMapping.id";
    /// The name of a mapped column in files, statistics and partition values.
    pub const PHYSICAL_NAME: &str = "delta.columnMapping.physicalName";
    /// The largest number that a column of the table ever had: a table property.
    pub const MAX_COLUMN_ID: &str = "delta.columnMapping.maxColumnId";
    /// An expression of SQL that every row satisfies, as JSON.
    pub const INVARIANT: &str = "delta.invariants";
    /// The expression of SQL that a column is computed by.
    pub const GENERATION_EXPRESSION: &str = "delta.generationExpression";
}

/// Whether a table with these properties keeps its columns under other names than its schema has.
///
/// ```
/// # use std::collections::HashMap;
/// use ossature_delta_policy::maps_columns;
/// let properties = |mode: &str| HashMap::from([("delta.columnMapping.mode".to_owned(), mode.to_owned())]);
/// assert!(maps_columns(&properties("name")) && maps_columns(&properties("id")));
/// assert!(!maps_columns(&properties("none")) && !maps_columns(&HashMap::new()));
/// ```
pub fn maps_columns<'a>(properties: impl IntoIterator<Item = (&'a String, &'a String)>) -> bool {
    properties
        .into_iter()
        .any(|(key, mode)| key == key::COLUMN_MAPPING_MODE && mode != "none")
}

/// Whether a table with these properties records what changes, for its change feed.
///
/// ```
/// # use std::collections::HashMap;
/// use ossature_delta_policy::records_changes;
/// let properties = |value: &str| HashMap::from([("delta.enableChangeDataFeed".to_owned(), value.to_owned())]);
/// assert!(records_changes(&properties("true")) && records_changes(&properties("TRUE")));
/// assert!(!records_changes(&properties("false")) && !records_changes(&HashMap::new()));
/// ```
pub fn records_changes<'a>(properties: impl IntoIterator<Item = (&'a String, &'a String)>) -> bool {
    properties.into_iter().any(|(key, value)| {
        key == key::ENABLE_CHANGE_DATA_FEED && value.eq_ignore_ascii_case("true")
    })
}

/// Whether the commits of a table tell their times themselves, so that those of the files in its log do not count.
pub fn tells_times<'a>(properties: impl IntoIterator<Item = (&'a String, &'a String)>) -> bool {
    properties.into_iter().any(|(key, value)| {
        key == key::ENABLE_IN_COMMIT_TIMESTAMPS && value.eq_ignore_ascii_case("true")
    })
}

/// The values of a property that policies may set by its key.
#[derive(Debug, Clone, Copy)]
enum Values {
    Boolean,
    /// Digests of logs rest on it that nobody switches it off.
    True,
    IsolationLevel,
}

impl Values {
    fn wanted(self) -> &'static str {
        match self {
            Self::Boolean => "`true` or `false`",
            Self::True => "`true`, since digests of logs are of statistics as JSON",
            Self::IsolationLevel => "`Serializable`, `WriteSerializable` or `SnapshotIsolation`",
        }
    }

    fn admit(self, value: &str) -> bool {
        match self {
            Self::Boolean => matches!(value, "true" | "false"),
            Self::True => value == "true",
            Self::IsolationLevel => matches!(
                value,
                "Serializable" | "WriteSerializable" | "SnapshotIsolation"
            ),
        }
    }
}

/// Who decides the value of a property.
#[derive(Debug, Clone, Copy)]
enum Owner {
    /// The policy's properties, with these values.
    Caller(Values),
    /// Another field of the policy.
    Field(&'static str),
    /// Nobody.
    Nobody(&'static str),
}

const CUT_BY_ROWS: &str = "files are cut by rows and by key, not by bytes";
const NAMED_BY_CONTENT: &str = "files are named by their content";
const LAID_OUT: &str = "files are laid out by the deterministic writer";

/// Properties besides those that switch a feature.
const PROPERTIES: &[(&str, Owner)] = &[
    ("delta.autoOptimize.autoCompact", Owner::Nobody(LAID_OUT)),
    ("delta.autoOptimize.optimizeWrite", Owner::Nobody(LAID_OUT)),
    (key::CHECKPOINT_STATS_AS_JSON, Owner::Caller(Values::True)),
    (
        key::CHECKPOINT_STATS_AS_STRUCT,
        Owner::Caller(Values::Boolean),
    ),
    (
        key::CHECKPOINT_INTERVAL,
        Owner::Field("`checkpoint_commits_interval`"),
    ),
    (schema_key::MAX_COLUMN_ID, Owner::Field("`column_mapping`")),
    (key::STATS_COLUMNS_COUNT, Owner::Field("`statistics`")),
    (key::STATS_COLUMNS, Owner::Field("`statistics`")),
    (
        key::DELETED_FILE_RETENTION,
        Owner::Field("`deleted_file_retention_days`"),
    ),
    (
        "delta.enableExpiredLogCleanup",
        Owner::Field("`log_retention_days`"),
    ),
    (key::ISOLATION_LEVEL, Owner::Caller(Values::IsolationLevel)),
    (key::LOG_RETENTION, Owner::Field("`log_retention_days`")),
    ("delta.minReaderVersion", Owner::Field("`features`")),
    ("delta.minWriterVersion", Owner::Field("`features`")),
    (
        "delta.randomizeFilePrefixes",
        Owner::Nobody(NAMED_BY_CONTENT),
    ),
    ("delta.randomPrefixLength", Owner::Nobody(NAMED_BY_CONTENT)),
    (
        "delta.setTransactionRetentionDuration",
        Owner::Nobody("a transaction identifier that expires lets a retried write happen twice"),
    ),
    ("delta.targetFileSize", Owner::Nobody(CUT_BY_ROWS)),
    ("delta.tuneFileSizesForRewrites", Owner::Nobody(CUT_BY_ROWS)),
    (
        key::DATASET,
        Owner::Nobody("it tells for which dataset a table was created"),
    ),
];

fn owner(key: &str) -> Option<Owner> {
    if key.starts_with(key::FEATURE_PREFIX) {
        return Some(Owner::Field("`features`"));
    }
    if key.starts_with(key::CONSTRAINT_PREFIX) {
        return Some(Owner::Field("`constraints`"));
    }
    if key == key::COLUMN_MAPPING_MODE {
        return Some(Owner::Field("`column_mapping`"));
    }
    if key == key::ENABLE_CHANGE_DATA_FEED {
        return Some(Owner::Field("`change_feed`"));
    }
    if switches().any(|(_, property)| property.key == key) {
        return Some(Owner::Field("`features`"));
    }
    PROPERTIES
        .iter()
        .find(|(known, _)| *known == key)
        .map(|(_, owner)| *owner)
}

/// The features that a property switches.
fn switches() -> impl Iterator<Item = (DeltaFeature, EnablingProperty)> {
    FEATURES
        .iter()
        .filter_map(|row| Some((row.feature, row.property?)))
}

/// What is wrong with properties that a policy sets by their keys.
///
/// The runtime takes any value of a key that it knows and then ignores what it cannot parse, so values are checked here.
pub(crate) fn check(properties: &BTreeMap<String, String>) -> impl Iterator<Item = Error> {
    properties.iter().filter_map(|(name, value)| {
        let key = name.clone();
        match owner(name) {
            Some(Owner::Caller(values)) if values.admit(value) => None,
            Some(Owner::Caller(values)) => Some(Error::PropertyValue {
                key,
                found: value.clone(),
                wanted: values.wanted(),
            }),
            Some(Owner::Field(field)) => Some(Error::PropertyHasField { key, field }),
            Some(Owner::Nobody(reason)) => Some(Error::PropertyRefused { key, reason }),
            None => Some(Error::PropertyUnknown { key }),
        }
    })
}

/// The properties of a table that is created under a policy: what its first commit's metadata holds, those that switch a
/// feature on included.
///
/// What a mapped table has besides (the highest number of a field) follows from its schema, which is not looked at here.
///
/// **Determinism**: a function of its argument only, in the order of keys.
/// **Source**: Delta protocol and the table properties that the linked runtime parses.
pub fn render_properties(policy: &ResolvedPolicy) -> BTreeMap<String, String> {
    let mut properties = policy.properties.value.clone();
    let mut set = |key: &str, value: String| properties.insert(key.to_owned(), value);
    set(
        key::CHECKPOINT_INTERVAL,
        policy.checkpoint_commits_interval.value.to_string(),
    );
    set(key::LOG_RETENTION, policy.log_retention.value.to_string());
    set(
        key::DELETED_FILE_RETENTION,
        policy.deleted_file_retention.value.to_string(),
    );
    set(key::DATASET, policy.dataset.to_string());
    let (statistics, columns) = render_statistics(&policy.statistics.value);
    set(statistics, columns);
    for (name, expression) in policy.persisted_constraints() {
        let key = format!("{}{name}", key::CONSTRAINT_PREFIX);
        set(&key, expression.clone());
    }
    properties.extend(policy.feature_request().properties_at_creation());
    properties
}

/// Without a property the runtime keeps statistics of the first 32 columns, so none at all has to be said.
fn render_statistics(decision: &StatsDecision) -> (&'static str, String) {
    if decision.columns.is_empty() {
        return (key::STATS_COLUMNS_COUNT, "0".to_owned());
    }
    // Column names hold neither dots nor commas, so none is quoted.
    let names: Vec<&str> = decision.columns.iter().map(ColumnName::as_str).collect();
    (key::STATS_COLUMNS, names.join(","))
}

/// What to change in the properties of an existing table, so that it is as if created under a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyChange {
    /// Keys with the values that they get.
    pub set: BTreeMap<String, String>,
    /// Keys that go; a leftover list of statistics columns would win over their absence.
    pub unset: Vec<String>,
}

impl PropertyChange {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.unset.is_empty()
    }
}

/// Compares the properties that a table has with those that a policy gives.
///
/// Features that are on and not wanted are switched off, as far as they can be; in a table that somebody else created,
/// those that the policy speaks of. Keys that no policy decides stay as they are. A feature that is to be on needs its
/// protocol in the same commit, see [`plan_change`](crate::plan_change).
pub fn plan_properties(current: &TableState, policy: &ResolvedPolicy) -> PropertyChange {
    let wanted = render_properties(policy);
    let wanted_features = policy.wanted_features();
    let is_ours = current.properties.contains_key(key::DATASET);
    let unset = [key::STATS_COLUMNS, key::STATS_COLUMNS_COUNT]
        .into_iter()
        .filter(|key| current.properties.contains_key(*key) && !wanted.contains_key(*key))
        .map(str::to_owned)
        .collect();
    let switched_off = switches()
        .filter(|(feature, _)| !wanted_features.contains(feature) && current.has_active(*feature))
        .filter(|(feature, _)| !matches!(feature.spec().enablement, Enablement::Refused(_)))
        .filter(|(feature, _)| feature.spec().permanent.is_none())
        .filter(|(feature, _)| is_ours || policy.speaks_of(*feature))
        .map(|(_, property)| (property.key.to_owned(), property.off.to_owned()));
    let set = wanted
        .into_iter()
        .filter(|(key, value)| key != key::DATASET && current.properties.get(key) != Some(value))
        .chain(switched_off)
        .collect();
    PropertyChange { set, unset }
}

#[cfg(test)]
mod tests;
