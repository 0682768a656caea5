//! One decision per field, with the place it was made at.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use ossature_schema_spec::{
    CanonicalHasher, ColumnName, ColumnType, DatasetName, DatasetSpec, Fingerprint,
};

use crate::overrides::decide;
use crate::plan::check_features;
use crate::{
    DEFAULTS, Decided, DeltaFeature, Enablement, EnablingProperty, Error, Errors, PolicyOverrides,
    Retention, SchemaMode, StatsDecision, TablePolicy, properties, statistics,
};

/// How a table is written: one value per field, and who decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub log_retention: Decided<Retention>,
    /// How long files are kept that only old versions use.
    pub deleted_file_retention: Decided<Retention>,
    /// Other table properties.
    pub properties: Decided<BTreeMap<String, String>>,
}

impl ResolvedPolicy {
    /// Every table feature that the table should have: asked for, needed by its columns, or by the change feed.
    pub fn wanted_features(&self) -> BTreeSet<DeltaFeature> {
        let mut wanted = &self.features.value | &self.column_features;
        if self.change_feed.value {
            wanted.insert(DeltaFeature::ChangeDataFeed);
        }
        wanted
    }

    /// The properties that activate features in the first commit.
    pub(crate) fn properties_at_creation(&self) -> impl Iterator<Item = EnablingProperty> {
        self.wanted_features()
            .into_iter()
            .map(DeltaFeature::spec)
            .filter(|spec| spec.enablement == Enablement::AtCreation)
            .filter_map(|spec| spec.property)
    }

    /// A digest of everything that was decided.
    ///
    /// Who decided, and which candidates for statistics were left out, is not part of it: the table is the same.
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
        } = self;
        let mut hasher = CanonicalHasher::new("ossature.table_policy.v1");
        hasher.text(dataset.as_str());
        hasher.text(&rows_per_file_max.value.to_string());
        let StatsDecision {
            policy: _,
            columns,
            dropped: _,
        } = &statistics.value;
        hasher.list(columns.len());
        for column in columns {
            hasher.text(column.as_str());
        }
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
        hasher.list(properties.value.len());
        for (key, value) in &properties.value {
            hasher.text(key);
            hasher.text(value);
        }
        hasher.finish()
    }
}

/// Decides every field of a table's policy.
///
/// The strongest place that says something wins, as a whole: the request, then the location, then the dataset's
/// declaration, then [`DEFAULTS`]. `lineage` are the columns that views downstream filter and join by; those that the
/// dataset lacks are left out, because a plan may read more than it writes.
///
/// **Determinism**: a function of its arguments only; the order within `lineage` does not matter.
/// **Errors**: everything that is wrong, at once: [`Error::NoStatisticsColumns`], [`Error::UnknownStatisticsColumn`],
/// [`Error::FeatureRefused`], [`Error::FeatureFollows`], [`Error::FeatureConflict`], [`Error::PropertyHasField`],
/// [`Error::PropertyRefused`], [`Error::PropertyUnknown`], [`Error::PropertyValue`].
pub fn resolve(
    request: &PolicyOverrides,
    location: &PolicyOverrides,
    dataset: &DatasetSpec,
    policy: &TablePolicy,
    lineage: &[ColumnName],
) -> Result<ResolvedPolicy, Errors> {
    let mut errors = Vec::new();
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
    let resolved = ResolvedPolicy {
        dataset: dataset.name().clone(),
        rows_per_file_max: decided!(rows_per_file_max, DEFAULTS.rows_per_file_max),
        statistics: decided!(statistics, DEFAULTS.statistics)
            .map(|wanted| statistics::select(wanted, dataset, lineage, &mut errors)),
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
    };
    errors.extend(check_names(&resolved.features.value));
    errors.extend(check_features(&resolved.wanted_features()));
    errors.extend(properties::check(&resolved.properties.value));
    Errors::none_or(errors, resolved)
}

/// Features that follow from something else are not asked for by name: there is one way to say a thing.
fn check_names(features: &BTreeSet<DeltaFeature>) -> impl Iterator<Item = Error> {
    features.iter().filter_map(|feature| {
        let field = match feature {
            DeltaFeature::ChangeDataFeed => "`change_feed`",
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
