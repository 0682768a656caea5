//! Why a policy is refused.

use std::fmt;

use ossature_schema_spec::{Change, ColumnName, ColumnType, DatasetName};

use crate::{DeltaFeature, DropReason, SchemaMode};

/// Why a policy, or what it was applied to, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Explicit statistics without a column.
    #[error("`{dataset}` asks for statistics on named columns, but names none")]
    NoStatisticsColumns {
        /// The dataset.
        dataset: DatasetName,
    },
    /// Explicit statistics on a column that the dataset does not have.
    #[error("`{dataset}` asks for statistics on column `{column}`, but declares no such column")]
    UnknownStatisticsColumn {
        /// The dataset.
        dataset: DatasetName,
        /// The column that is missing.
        column: ColumnName,
    },
    /// Explicit statistics on a column that cannot have them.
    #[error("`{dataset}` asks for statistics on column `{column}`, which gets none: {}", reason.explain())]
    StatisticsRefused {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// Why it gets none.
        reason: DropReason,
    },
    /// A number of rows that no file can hold.
    #[error("rows_per_file_max is {rows}, wanted 1 to 2147483648")]
    RowsOutOfRange {
        /// The rows that were given.
        rows: u64,
    },
    /// A number of small files that is none at all, or that nobody waits for.
    #[error("compaction above {small_files_max} small files is out of range, wanted 1 to 100000")]
    CompactionOutOfRange {
        /// The files that were given.
        small_files_max: u32,
    },
    /// A clustering beside an order.
    #[error(
        "`{dataset}` has a declared order and is to be clustered: rows have one layout, not two"
    )]
    ClusterWithOrder {
        /// The dataset.
        dataset: DatasetName,
    },
    /// A column that rows cannot be clustered by.
    #[error("`{dataset}` cannot be clustered by column `{column}`: {reason}")]
    ClusterColumn {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// Why.
        reason: &'static str,
    },
    /// A clustering by one column, or by more than have an effect.
    #[error("`{dataset}` is to be clustered by {found} columns, wanted 2 to 8")]
    ClusterCount {
        /// The dataset.
        dataset: DatasetName,
        /// How many columns were given.
        found: usize,
    },
    /// A constraint that is not admissible.
    #[error("constraint `{name}` is refused: {reason}")]
    ConstraintInvalid {
        /// Its name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A constraint that is kept in the table, and that the policy has with another expression.
    #[error("the table keeps constraint `{name}` as `{found}`, wanted `{wanted}`")]
    ConstraintPersisted {
        /// Its name.
        name: String,
        /// Its expression in the table.
        found: String,
        /// Its expression in the policy.
        wanted: String,
    },
    /// A feature that no policy may ask for.
    #[error("table feature `{feature}` is refused: {reason}")]
    FeatureRefused {
        /// The feature.
        feature: DeltaFeature,
        /// What would happen.
        reason: &'static str,
    },
    /// A feature that follows from another field of the policy.
    #[error("table feature `{feature}` is not asked for by name: it follows from {field}")]
    FeatureFollows {
        /// The feature.
        feature: DeltaFeature,
        /// Where it follows from.
        field: &'static str,
    },
    /// Two features that exclude each other.
    #[error("table feature `{feature}` is refused: no table has it together with `{other}`")]
    FeatureConflict {
        /// The feature that was asked for.
        feature: DeltaFeature,
        /// The feature that is wanted too, or active in the table.
        other: DeltaFeature,
    },
    /// A feature that an existing table cannot get.
    #[error("table feature `{feature}` cannot be enabled on an existing table: {reason}")]
    CannotEnableOnExisting {
        /// The feature.
        feature: DeltaFeature,
        /// Why.
        reason: String,
    },
    /// A feature that the table has, that the policy does not want, and that stays.
    #[error("table feature `{feature}` cannot be disabled safely once enabled: {reason}")]
    CannotDisable {
        /// The feature.
        feature: DeltaFeature,
        /// Why.
        reason: &'static str,
    },
    /// A feature that raises the protocol further than is allowed.
    #[error(
        "table feature `{feature}` needs a protocol of listed features (reader {reader}, writer {writer}), which is not \
         allowed"
    )]
    ProtocolUpgrade {
        /// The feature.
        feature: DeltaFeature,
        /// The reader version that the table would have.
        reader: u32,
        /// The writer version that the table would have.
        writer: u32,
    },
    /// A table that the runtime does not write.
    #[error("the table cannot be changed: {problem}")]
    TableNotWritable {
        /// What the runtime does not know.
        problem: String,
    },
    /// A table property that a field of the policy decides.
    #[error("table property `{key}` is not set by name: {field} decides it")]
    PropertyHasField {
        /// The key.
        key: String,
        /// The field of the policy.
        field: &'static str,
    },
    /// A table property that contradicts how tables are written here.
    #[error("table property `{key}` is refused: {reason}")]
    PropertyRefused {
        /// The key.
        key: String,
        /// Why.
        reason: &'static str,
    },
    /// A table property that the runtime does not know, and refuses when it creates a table.
    #[error("table property `{key}` is unknown")]
    PropertyUnknown {
        /// The key.
        key: String,
    },
    /// A table property whose value the runtime would take and ignore.
    #[error("table property `{key}` is `{found}`, wanted {wanted}")]
    PropertyValue {
        /// The key.
        key: String,
        /// The value that was given.
        found: String,
        /// The values that are valid.
        wanted: &'static str,
    },
    /// A retention that is no time at all, or longer than engines can compute with.
    #[error("retention of {days} days is out of range, wanted 1 to 36500")]
    RetentionOutOfRange {
        /// The days that were given.
        days: u32,
    },
    /// A setting of a column's layout that a leaf of it cannot have.
    #[error("`{leaf}` of type {leaf_type} cannot have {setting}: {reason}")]
    LayoutMismatch {
        /// The leaf, dotted below nested columns.
        leaf: String,
        /// Its type.
        leaf_type: Box<ColumnType>,
        /// The setting.
        setting: String,
        /// Why.
        reason: &'static str,
    },
    /// A column that has no layout, or that is given two.
    #[error("layout of `{dataset}`: column `{column}` is refused: {reason}")]
    LayoutColumn {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// Why.
        reason: &'static str,
    },
    /// A number in a layout that is out of range.
    #[error(
        "layout of `{dataset}`: {setting}{} is {found}, wanted {wanted}",
        column.as_ref().map_or(String::new(), |column| format!(" of column `{column}`"))
    )]
    LayoutOutOfRange {
        /// The dataset.
        dataset: DatasetName,
        /// The column, where the number is about one.
        column: Option<ColumnName>,
        /// The setting.
        setting: &'static str,
        /// The number that was given.
        found: u64,
        /// The numbers that are valid.
        wanted: &'static str,
    },
    /// A table differs from its declaration in a way that the schema policy does not settle.
    #[error(
        "`{dataset}` and its table differ, which schema mode `{mode}` does not settle: {change}"
    )]
    SchemaDiffers {
        /// The dataset.
        dataset: DatasetName,
        /// The schema mode.
        mode: SchemaMode,
        /// The column, what was wanted and what was found.
        change: Box<Change>,
    },
    /// A column is declared wider than it is in the table.
    #[error(
        "`{dataset}` declares a wider type than its table has ({change}), and the runtime does not read tables with table \
         feature `typeWidening`"
    )]
    SchemaWidens {
        /// The dataset.
        dataset: DatasetName,
        /// The column, what was wanted and what was found.
        change: Box<Change>,
    },
    /// A table is partitioned by other columns than its declaration says.
    #[error(
        "`{dataset}` is partitioned by [{wanted}] and its table by [{found}], which schema mode `{mode}` does not settle"
    )]
    PartitionDiffers {
        /// The dataset.
        dataset: DatasetName,
        /// The schema mode.
        mode: SchemaMode,
        /// The declared columns.
        wanted: String,
        /// The columns found.
        found: String,
    },
    /// Columns are to be replaced by a write that keeps rows.
    #[error("schema mode `replace` is refused: the write does not replace every row")]
    ReplaceNeedsOverwrite,
}

impl Error {
    /// The same about another dataset, where it is about one.
    pub(crate) fn as_of(&self, other: &DatasetName) -> Self {
        let mut same = self.clone();
        match &mut same {
            Self::NoStatisticsColumns { dataset, .. }
            | Self::UnknownStatisticsColumn { dataset, .. }
            | Self::StatisticsRefused { dataset, .. }
            | Self::ClusterWithOrder { dataset, .. }
            | Self::ClusterColumn { dataset, .. }
            | Self::ClusterCount { dataset, .. }
            | Self::LayoutColumn { dataset, .. }
            | Self::LayoutOutOfRange { dataset, .. }
            | Self::SchemaDiffers { dataset, .. }
            | Self::SchemaWidens { dataset, .. }
            | Self::PartitionDiffers { dataset, .. } => dataset.clone_from(other),
            _ => {}
        }
        same
    }

    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoStatisticsColumns { .. } => "no_statistics_columns",
            Self::UnknownStatisticsColumn { .. } => "unknown_statistics_column",
            Self::StatisticsRefused { .. } => "statistics_refused",
            Self::RowsOutOfRange { .. } => "rows_out_of_range",
            Self::CompactionOutOfRange { .. } => "compaction_out_of_range",
            Self::ClusterWithOrder { .. } => "cluster_with_order",
            Self::ClusterColumn { .. } => "cluster_column",
            Self::ClusterCount { .. } => "cluster_count",
            Self::ConstraintInvalid { .. } => "constraint_invalid",
            Self::ConstraintPersisted { .. } => "constraint_persisted",
            Self::FeatureRefused { .. } => "feature_refused",
            Self::FeatureFollows { .. } => "feature_follows",
            Self::FeatureConflict { .. } => "feature_conflict",
            Self::CannotEnableOnExisting { .. } => "cannot_enable_on_existing",
            Self::CannotDisable { .. } => "cannot_disable",
            Self::ProtocolUpgrade { .. } => "protocol_upgrade",
            Self::TableNotWritable { .. } => "table_not_writable",
            Self::PropertyHasField { .. } => "property_has_field",
            Self::PropertyRefused { .. } => "property_refused",
            Self::PropertyUnknown { .. } => "property_unknown",
            Self::PropertyValue { .. } => "property_value",
            Self::RetentionOutOfRange { .. } => "retention_out_of_range",
            Self::LayoutMismatch { .. } => "layout_mismatch",
            Self::LayoutColumn { .. } => "layout_column",
            Self::LayoutOutOfRange { .. } => "layout_out_of_range",
            Self::SchemaDiffers { .. } => "schema_differs",
            Self::SchemaWidens { .. } => "schema_widens",
            Self::PartitionDiffers { .. } => "partition_differs",
            Self::ReplaceNeedsOverwrite => "replace_needs_overwrite",
        }
    }

    /// The table feature that is refused, where it is one.
    pub fn refused_feature(&self) -> Option<DeltaFeature> {
        match self {
            Self::FeatureRefused { feature, .. }
            | Self::FeatureFollows { feature, .. }
            | Self::FeatureConflict { feature, .. }
            | Self::CannotEnableOnExisting { feature, .. }
            | Self::CannotDisable { feature, .. }
            | Self::ProtocolUpgrade { feature, .. } => Some(*feature),
            _ => None,
        }
    }

    /// The keys of the policy that it is about, as configuration files spell them; none where it is about a table.
    pub fn path(&self) -> Vec<String> {
        let path: &[&str] = match self {
            Self::NoStatisticsColumns { .. }
            | Self::UnknownStatisticsColumn { .. }
            | Self::StatisticsRefused { .. } => &["statistics"],
            Self::RowsOutOfRange { .. } => &["rows_per_file_max"],
            Self::CompactionOutOfRange { .. } => &["compaction", "small_files_max"],
            Self::ClusterWithOrder { .. }
            | Self::ClusterColumn { .. }
            | Self::ClusterCount { .. } => &["cluster_by"],
            Self::ConstraintInvalid { name, .. } | Self::ConstraintPersisted { name, .. } => {
                &["constraints", name]
            }
            Self::FeatureConflict { feature, .. }
            | Self::CannotEnableOnExisting { feature, .. }
            | Self::CannotDisable { feature, .. } => &[field_of(*feature)],
            Self::FeatureRefused { .. }
            | Self::FeatureFollows { .. }
            | Self::ProtocolUpgrade { .. } => &["features"],
            Self::PropertyHasField { key, .. }
            | Self::PropertyRefused { key, .. }
            | Self::PropertyUnknown { key }
            | Self::PropertyValue { key, .. } => &["properties", key],
            Self::LayoutMismatch { leaf, .. } => {
                let column = leaf.split('.').next().unwrap_or(leaf);
                &["parquet", "columns", column]
            }
            Self::LayoutColumn { column, .. } => &["parquet", "columns", column.as_str()],
            Self::LayoutOutOfRange {
                column: Some(column),
                setting,
                ..
            } => &[
                "parquet",
                "columns",
                column.as_str(),
                "bloom_filter",
                setting,
            ],
            Self::LayoutOutOfRange {
                setting: "zstd level",
                ..
            } => &["parquet", "codec"],
            Self::LayoutOutOfRange { setting, .. } => &["parquet", setting],
            Self::SchemaDiffers { .. }
            | Self::SchemaWidens { .. }
            | Self::PartitionDiffers { .. }
            | Self::ReplaceNeedsOverwrite => &["schema_mode"],
            Self::TableNotWritable { .. } | Self::RetentionOutOfRange { .. } => &[],
        };
        path.iter().map(|key| (*key).to_owned()).collect()
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStatisticsColumns { .. } => {
                Some("name a column, or switch statistics off".to_owned())
            }
            Self::StatisticsRefused { .. } => {
                Some("leave it out, or say `strict = false`".to_owned())
            }
            Self::ClusterWithOrder { .. } => {
                Some("leave the clustering out, or declare no order".to_owned())
            }
            Self::ClusterCount { found: 0 | 1, .. } => {
                Some("declare an order by that column instead".to_owned())
            }
            Self::ClusterCount { .. } => {
                Some("keep those that queries filter by most".to_owned())
            }
            Self::ConstraintPersisted { .. } => Some(
                "constraints are dropped one by one: declare it as it is, or drop it in the table first"
                    .to_owned(),
            ),
            Self::CannotEnableOnExisting { .. } => {
                Some("write to a new table, or leave it out".to_owned())
            }
            Self::CannotDisable {
                feature: DeltaFeature::ColumnMapping,
                ..
            } => Some("say `column_mapping` as the table has it, or write to a new table".to_owned()),
            Self::CannotDisable {
                feature: DeltaFeature::Invariants | DeltaFeature::GeneratedColumns,
                ..
            } => Some("write to a new table and leave this one to its owner".to_owned()),
            Self::CannotDisable { feature, .. } => Some(format!(
                "name `{feature}` in `features`, or write to a new table"
            )),
            Self::ProtocolUpgrade { .. } => Some(
                "set `allow_protocol_upgrade`; readers and writers that do not know lists of features no longer open the \
                 table then"
                    .to_owned(),
            ),
            Self::FeatureFollows { .. } => Some("leave it out of `features`".to_owned()),
            Self::PropertyHasField { field, .. } => Some(format!("set {field} instead")),
            Self::FeatureConflict { feature, other } => {
                Some(format!("choose between `{feature}` and `{other}`"))
            }
            Self::TableNotWritable { .. } => {
                Some("write to a new table and leave this one to its owner".to_owned())
            }
            Self::PropertyUnknown { .. } => Some("check the spelling, or leave it out".to_owned()),
            Self::SchemaDiffers { .. } | Self::PartitionDiffers { .. } => {
                Some("rebuild the table under schema mode `replace`, or declare it as it is".to_owned())
            }
            Self::SchemaWidens { .. } => Some(
                "rebuild the table under schema mode `replace`, or declare the narrow type: it widens where it is opened"
                    .to_owned(),
            ),
            Self::ReplaceNeedsOverwrite => {
                Some("overwrite the whole table, or choose `additive`".to_owned())
            }
            _ => None,
        }
    }
}

/// The key under which a policy asks for a feature.
fn field_of(feature: DeltaFeature) -> &'static str {
    match feature {
        DeltaFeature::ChangeDataFeed => "change_feed",
        DeltaFeature::CheckConstraints => "persist_constraints",
        DeltaFeature::ColumnMapping => "column_mapping",
        _ => "features",
    }
}

/// Everything that is wrong with a policy; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(Vec<Error>);

impl Errors {
    /// `value` if nothing went wrong.
    pub(crate) fn none_or<T>(found: Vec<Error>, value: T) -> Result<T, Self> {
        if found.is_empty() {
            Ok(value)
        } else {
            Err(Self(found))
        }
    }

    /// All of these, at least one.
    pub(crate) fn all(found: Vec<Error>) -> Self {
        Self(found)
    }

    /// The errors, in the order of the policy's fields.
    pub fn iter(&self) -> std::slice::Iter<'_, Error> {
        self.0.iter()
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for Errors {
    type Item = Error;
    type IntoIter = std::vec::IntoIter<Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Error;
    type IntoIter = std::slice::Iter<'a, Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

const _: () = assert!(size_of::<Error>() <= 104);
