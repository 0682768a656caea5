//! Why a policy is refused.

use std::fmt;

use ossature_schema_spec::{Change, ColumnName, ColumnType, DatasetName};

use crate::{DeltaFeature, FEATURES};

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
    /// A number in a layout that is out of range.
    #[error("layout of `{dataset}`: {setting} is {found}, wanted {wanted}")]
    LayoutOutOfRange {
        /// The dataset.
        dataset: DatasetName,
        /// The setting.
        setting: String,
        /// The number that was given.
        found: u64,
        /// The numbers that are valid.
        wanted: &'static str,
    },
    /// A name in a configuration that no table feature has.
    #[error("table feature `{found}` is unknown")]
    UnknownFeature {
        /// The name that was given.
        found: String,
    },
    /// A name in a configuration that no column can have.
    #[error(transparent)]
    InvalidColumnName(Box<ossature_schema_spec::Error>),
    /// A field that a configuration both sets and puts back to its default.
    #[error("`{field}` is set, and put back to its default as well")]
    SetAndCleared {
        /// The field.
        field: &'static str,
    },
    /// A table differs from its declaration in a way that the schema policy does not settle.
    #[error(
        "`{dataset}` and its table differ, which schema mode `{mode}` does not settle: {change}"
    )]
    SchemaDiffers {
        /// The dataset.
        dataset: DatasetName,
        /// The schema mode.
        mode: &'static str,
        /// The column, what was wanted and what was found.
        change: Box<Change>,
    },
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoStatisticsColumns { .. } => "no_statistics_columns",
            Self::UnknownStatisticsColumn { .. } => "unknown_statistics_column",
            Self::FeatureRefused { .. } => "feature_refused",
            Self::FeatureFollows { .. } => "feature_follows",
            Self::FeatureConflict { .. } => "feature_conflict",
            Self::TableNotWritable { .. } => "table_not_writable",
            Self::PropertyHasField { .. } => "property_has_field",
            Self::PropertyRefused { .. } => "property_refused",
            Self::PropertyUnknown { .. } => "property_unknown",
            Self::PropertyValue { .. } => "property_value",
            Self::RetentionOutOfRange { .. } => "retention_out_of_range",
            Self::LayoutMismatch { .. } => "layout_mismatch",
            Self::LayoutOutOfRange { .. } => "layout_out_of_range",
            Self::UnknownFeature { .. } => "unknown_feature",
            Self::InvalidColumnName(_) => "invalid_column_name",
            Self::SetAndCleared { .. } => "set_and_cleared",
            Self::SchemaDiffers { .. } => "schema_differs",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStatisticsColumns { .. } => {
                Some("name a column, or switch statistics off".to_owned())
            }
            Self::FeatureFollows { .. } => Some("leave it out of `features`".to_owned()),
            Self::PropertyHasField { field, .. } => Some(format!("set {field} instead")),
            Self::FeatureConflict { feature, other } => {
                Some(format!("choose between `{feature}` and `{other}`"))
            }
            Self::TableNotWritable { .. } => {
                Some("write to a new table and leave this one to its owner".to_owned())
            }
            Self::UnknownFeature { found } => {
                closest_feature(found).map(|feature| format!("write `{feature}`"))
            }
            Self::InvalidColumnName(source) => source.hint(),
            Self::SetAndCleared { .. } => Some("do one of the two".to_owned()),
            Self::PropertyUnknown { .. } => Some("check the spelling, or leave it out".to_owned()),
            Self::SchemaDiffers { .. } => {
                Some("rebuild the table, or declare the columns as they are".to_owned())
            }
            _ => None,
        }
    }
}

/// The feature that is meant by a name in another spelling: `change_data_feed` is `changeDataFeed`.
fn closest_feature(found: &str) -> Option<DeltaFeature> {
    let letters = |name: &str| {
        name.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_lowercase())
            .collect::<String>()
    };
    FEATURES
        .iter()
        .find(|row| letters(row.name) == letters(found))
        .map(|row| row.feature)
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

const _: () = assert!(size_of::<Error>() <= 96);
