//! One decision per field, with the place it was made at.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use ossature_schema_spec::{
    CanonicalHasher, ColumnName, ColumnType, DatasetName, DatasetSpec, Fingerprint,
};
use serde::{Deserialize, Serialize};

use crate::layout::decide_layout;
use crate::overrides::decide;
use crate::plan::check_features;
use crate::{
    ColumnMapping, Compaction, DEFAULTS, Decided, DeltaFeature, DropReason, Error, Errors,
    FeatureRequest, ParquetLayout, PolicyOverrides, Retention, SchemaMode, Source, StatsDecision,
    StatsPolicy, TablePolicy, UsedColumn, Vacuum, Warning, cluster, constraint, properties,
    statistics,
};

/// How a table is written: one value per field, and who decided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ResolvedPolicy {
    /// The dataset.
    pub dataset: DatasetName,
    /// How many rows a file holds at the most.
    pub rows_per_file_max: Decided<NonZeroU64>,
    /// Which columns get statistics, and why others do not.
    pub statistics: Decided<StatsDecision>,
    /// How columns may change.
    pub schema_mode: Decided<SchemaMode>,
    /// The table features that were asked for by name.
    pub features: Decided<BTreeSet<DeltaFeature>>,
    /// The table features that the columns need, whoever asks for what.
    pub column_features: BTreeSet<DeltaFeature>,
    /// Whether commits tell which rows they changed.
    pub change_feed: Decided<bool>,
    /// After how many commits a checkpoint is written.
    pub checkpoint_commits_interval: Decided<NonZeroU32>,
    /// How long the log of old versions is kept.
    #[serde(rename = "log_retention_days")]
    pub log_retention: Decided<Retention>,
    /// How long files are kept that only old versions use.
    #[serde(rename = "deleted_file_retention_days")]
    pub deleted_file_retention: Decided<Retention>,
    /// Other table properties.
    pub properties: Decided<BTreeMap<String, String>>,
    /// How every leaf column is written. The source is the strongest place that says anything about it.
    pub layout: Decided<ParquetLayout>,
    /// The columns that rows are clustered by; none for rows in their order.
    pub cluster_by: Decided<Vec<ColumnName>>,
    /// The expressions of SQL that every row satisfies, by name.
    pub constraints: Decided<BTreeMap<String, String>>,
    /// Whether the constraints are kept in the table.
    pub persist_constraints: Decided<bool>,
    /// Under which names files keep the columns.
    pub column_mapping: Decided<ColumnMapping>,
    /// Whether features may shut readers and writers out that do not know lists of features.
    pub allow_protocol_upgrade: Decided<bool>,
    /// When small files are put together.
    pub compaction: Decided<Compaction>,
    /// When files are deleted that no kept version uses.
    pub vacuum: Decided<Vacuum>,
    /// What is admissible and may not be meant.
    pub warnings: Vec<Warning>,
}

impl ResolvedPolicy {
    /// Every table feature that the table should have: asked for, needed by its columns, or by another field.
    pub fn wanted_features(&self) -> BTreeSet<DeltaFeature> {
        let mut wanted = &self.features.value | &self.column_features;
        if self.change_feed.value {
            wanted.insert(DeltaFeature::ChangeDataFeed);
        }
        if !self.persisted_constraints().is_empty() {
            wanted.insert(DeltaFeature::CheckConstraints);
        }
        if self.column_mapping.value != ColumnMapping::None {
            wanted.insert(DeltaFeature::ColumnMapping);
        }
        wanted
    }

    /// Whether anybody says if the table should have a feature.
    pub(crate) fn speaks_of(&self, feature: DeltaFeature) -> bool {
        let source = match feature {
            DeltaFeature::ChangeDataFeed if self.features.source == Source::Default => {
                self.change_feed.source
            }
            _ => self.features.source,
        };
        source != Source::Default
    }

    /// What [`plan_features`](crate::plan_features) needs to know.
    pub fn feature_request(&self) -> FeatureRequest {
        FeatureRequest {
            wanted: self.wanted_features(),
            needed_by_columns: self.column_features.clone(),
            column_mapping: self.column_mapping.value,
            allow_protocol_upgrade: self.allow_protocol_upgrade.value,
        }
    }

    /// The constraints that are kept in the table.
    pub fn persisted_constraints(&self) -> &BTreeMap<String, String> {
        const NONE: &BTreeMap<String, String> = &BTreeMap::new();
        if self.persist_constraints.value {
            &self.constraints.value
        } else {
            NONE
        }
    }

    /// A digest of everything that was decided.
    ///
    /// Who decided, what is known of the readers, which candidates for statistics were left out, and what was warned of, is not part of it: the table is
    /// the same.
    pub fn fingerprint(&self) -> Fingerprint {
        let Self {
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
            warnings: _,
        } = self;
        let mut hasher = CanonicalHasher::new("ossature.table_policy.v2");
        hasher.text(dataset.as_str());
        hasher.text(&rows_per_file_max.value.to_string());
        let StatsDecision {
            policy: _,
            columns,
            dropped: _,
            used: _,
        } = &statistics.value;
        hash_names(&mut hasher, columns);
        hasher.text(schema_mode.value.as_str());
        for features in [&features.value, column_features] {
            hasher.list(features.len());
            for feature in features {
                hasher.text(feature.name());
            }
        }
        hasher.flag(change_feed.value);
        hasher.integer(i64::from(checkpoint_commits_interval.value.get()));
        hasher.integer(i64::from(log_retention.value.days()));
        hasher.integer(i64::from(deleted_file_retention.value.days()));
        hash_texts(&mut hasher, &properties.value);
        hasher.bytes(layout.value.fingerprint().as_bytes());
        hash_names(&mut hasher, &cluster_by.value);
        hash_texts(&mut hasher, &constraints.value);
        hasher.flag(persist_constraints.value);
        hasher.text(column_mapping.value.as_str());
        hasher.flag(allow_protocol_upgrade.value);
        match compaction.value {
            Compaction::Off => hasher.absent(),
            Compaction::Auto { small_files_max } => hasher.integer(i64::from(small_files_max)),
        }
        match vacuum.value {
            Vacuum::Off => hasher.absent(),
            Vacuum::After(retention) => hasher.integer(i64::from(retention.days())),
        }
        hasher.finish()
    }
}

fn hash_names(hasher: &mut CanonicalHasher, names: &[ColumnName]) {
    hasher.list(names.len());
    for name in names {
        hasher.text(name.as_str());
    }
}

fn hash_texts(hasher: &mut CanonicalHasher, texts: &BTreeMap<String, String>) {
    hasher.list(texts.len());
    for (key, value) in texts {
        hasher.text(key);
        hasher.text(value);
    }
}

/// Decides every field of a table's policy.
///
/// The strongest place that says something wins, as a whole: the request, then the location, then the dataset's
/// declaration, then [`DEFAULTS`]. Only the layout of files is decided field by field and column by column. `used` are the
/// columns that those who read the table keep and match rows by.
///
/// **Determinism**: a function of its arguments only; the order within `used` does not matter.
/// **Errors**: everything that is wrong, at once: [`Error::RowsOutOfRange`], [`Error::NoStatisticsColumns`],
/// [`Error::UnknownStatisticsColumn`], [`Error::StatisticsRefused`], [`Error::FeatureRefused`],
/// [`Error::FeatureFollows`], [`Error::FeatureConflict`], [`Error::PropertyHasField`], [`Error::PropertyRefused`],
/// [`Error::PropertyUnknown`], [`Error::PropertyValue`], [`Error::ClusterWithOrder`], [`Error::ClusterColumn`],
/// [`Error::ClusterCount`], [`Error::ConstraintInvalid`], [`Error::CompactionOutOfRange`], and those of
/// [`resolve_layout`](crate::resolve_layout). What depends on the table is told by [`plan_change`](crate::plan_change).
pub fn resolve(
    request: &PolicyOverrides,
    location: &PolicyOverrides,
    dataset: &DatasetSpec,
    policy: &TablePolicy,
    used: &[UsedColumn],
) -> Result<ResolvedPolicy, Errors> {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    macro_rules! decided {
        ($field:ident, $default:expr) => {
            decide(
                &request.$field,
                &location.$field,
                policy.$field.as_ref(),
                $default,
            )
        };
    }
    let cluster_by = decided!(cluster_by, Vec::new());
    cluster::check(dataset, &cluster_by.value, &mut errors, &mut warnings);
    let layout = decide_layout(
        dataset,
        &cluster_by.value,
        &request.parquet,
        &location.parquet,
        &mut errors,
    );
    let statistics = decided!(statistics, DEFAULTS.statistics).map(|wanted| {
        statistics::select(
            wanted,
            dataset,
            &cluster_by.value,
            &layout.value,
            used,
            &mut errors,
        )
    });
    let resolved = ResolvedPolicy {
        dataset: dataset.name().clone(),
        rows_per_file_max: decided!(rows_per_file_max, DEFAULTS.rows_per_file_max),
        statistics,
        schema_mode: decided!(schema_mode, DEFAULTS.schema_mode),
        features: decided!(features, BTreeSet::new()),
        column_features: column_features(dataset),
        change_feed: decided!(change_feed, DEFAULTS.change_feed),
        checkpoint_commits_interval: decided!(
            checkpoint_commits_interval,
            DEFAULTS.checkpoint_commits_interval
        ),
        log_retention: decided!(log_retention, DEFAULTS.log_retention),
        deleted_file_retention: decided!(deleted_file_retention, DEFAULTS.deleted_file_retention),
        properties: decided!(properties, BTreeMap::new()),
        layout,
        cluster_by,
        constraints: decided!(constraints, BTreeMap::new()),
        persist_constraints: decided!(persist_constraints, DEFAULTS.persist_constraints),
        column_mapping: decided!(column_mapping, DEFAULTS.column_mapping),
        allow_protocol_upgrade: decided!(allow_protocol_upgrade, DEFAULTS.allow_protocol_upgrade),
        compaction: decided!(compaction, DEFAULTS.compaction),
        vacuum: decided!(vacuum, DEFAULTS.vacuum),
        warnings,
    };
    errors.extend(check_numbers(&resolved));
    errors.extend(check_names(&resolved.features.value));
    errors.extend(check_features(&resolved.wanted_features()));
    errors.extend(properties::check(&resolved.properties.value));
    errors.extend(constraint::check(&resolved.constraints.value));
    let warnings = warn(&resolved);
    Errors::none_or(
        errors,
        ResolvedPolicy {
            warnings,
            ..resolved
        },
    )
}

/// Readers count the rows of a file in 32 bits.
const ROWS_PER_FILE_MAX: u64 = 1 << 31;
/// Fewer rows than this in a file are worth a warning.
const ROWS_PER_FILE_FEW: u64 = 1000;
/// Nobody waits for so many small files.
const SMALL_FILES_MAX: u32 = 100_000;
/// Days after which no query that began before is still running.
const VACUUM_DAYS_FEW: u32 = 7;

fn check_numbers(policy: &ResolvedPolicy) -> Vec<Error> {
    let mut errors = Vec::new();
    let rows = policy.rows_per_file_max.value.get();
    if rows > ROWS_PER_FILE_MAX {
        errors.push(Error::RowsOutOfRange { rows });
    }
    if let Compaction::Auto { small_files_max } = policy.compaction.value
        && !(1..=SMALL_FILES_MAX).contains(&small_files_max)
    {
        errors.push(Error::CompactionOutOfRange { small_files_max });
    }
    errors
}

/// What was warned of already, and what follows from the decisions.
fn warn(policy: &ResolvedPolicy) -> Vec<Warning> {
    let mut warnings = policy.warnings.clone();
    let statistics = &policy.statistics.value;
    let over_cap = statistics
        .dropped
        .iter()
        .filter(|dropped| dropped.reason == DropReason::OverCap);
    let over_cap: Vec<ColumnName> = over_cap.map(|dropped| dropped.column.clone()).collect();
    if let StatsPolicy::Auto { columns_max } = statistics.policy
        && !over_cap.is_empty()
    {
        warnings.push(Warning::StatisticsOverCap {
            columns: over_cap,
            columns_max,
        });
    }
    let rows_per_file_max = policy.rows_per_file_max.value;
    if rows_per_file_max.get() < ROWS_PER_FILE_FEW {
        warnings.push(Warning::SmallFiles { rows_per_file_max });
    }
    if let Vacuum::After(retention) = policy.vacuum.value
        && retention.days() < VACUUM_DAYS_FEW
    {
        warnings.push(Warning::ShortVacuum {
            days: retention.days(),
        });
    }
    warnings
}

/// Features that follow from something else are not asked for by name: there is one way to say a thing.
fn check_names(features: &BTreeSet<DeltaFeature>) -> impl Iterator<Item = Error> {
    features.iter().filter_map(|feature| {
        let field = match feature {
            DeltaFeature::ChangeDataFeed => "`change_feed`",
            DeltaFeature::CheckConstraints => "`persist_constraints`",
            DeltaFeature::ColumnMapping => "`column_mapping`",
            DeltaFeature::TimestampNtz => "the dataset's columns",
            _ => return None,
        };
        Some(Error::FeatureFollows {
            feature: *feature,
            field,
        })
    })
}

fn column_features(dataset: &DatasetSpec) -> BTreeSet<DeltaFeature> {
    dataset
        .columns()
        .iter()
        .any(|column| has_timestamp_ntz(column.column_type()))
        .then_some(DeltaFeature::TimestampNtz)
        .into_iter()
        .collect()
}

fn has_timestamp_ntz(column_type: &ColumnType) -> bool {
    match column_type {
        ColumnType::TimestampNtz => true,
        ColumnType::List(element) => has_timestamp_ntz(element.column_type()),
        ColumnType::Struct(fields) => fields
            .iter()
            .any(|field| has_timestamp_ntz(field.column_type())),
        ColumnType::Map { key, value } => {
            has_timestamp_ntz(key) || has_timestamp_ntz(value.column_type())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
