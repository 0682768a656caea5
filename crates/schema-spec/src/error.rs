//! Why a declaration is refused.

use arrow_schema::DataType;

use crate::{ColumnName, DatasetName};

/// Why a dataset declaration, or a schema that should meet one, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A dataset name is not `stage.table` in lower case.
    #[error(
        "dataset name `{found}` is not of the form `stage.table` (lower-case letters, digits and `_`)"
    )]
    InvalidDatasetName {
        /// The text that was given.
        found: String,
    },
    /// A column name cannot be read by every engine that reads Delta tables.
    #[error("column name `{found}` is refused: {reason}")]
    InvalidColumnName {
        /// The text that was given.
        found: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Two columns have names that are equal when case is ignored.
    #[error("`{dataset}` declares column `{column}` twice (names are compared without case)")]
    DuplicateColumn {
        /// The dataset.
        dataset: DatasetName,
        /// The second column of that name.
        column: ColumnName,
    },
    /// A key, an order, a partition or a layout names a column that is not declared.
    #[error("`{dataset}` names column `{column}` in its {role}, but declares no such column")]
    UndeclaredColumn {
        /// The dataset.
        dataset: DatasetName,
        /// The column that is missing.
        column: ColumnName,
        /// Where it is named: `key`, `order`, `partition`, `parquet layout`.
        role: &'static str,
    },
    /// A key, an order or a partition names a column twice.
    #[error("`{dataset}` names column `{column}` twice in its {role}")]
    RepeatedColumn {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// Where it is named: `key`, `order`, `partition`.
        role: &'static str,
    },
    /// A partition column does not lead the order. Files belong to one partition each, so rows of several partitions can only
    /// follow each other.
    #[error("`{dataset}` is partitioned by `{column}`, which does not lead its order")]
    PartitionBehindOrder {
        /// The dataset.
        dataset: DatasetName,
        /// The partition column.
        column: ColumnName,
    },
    /// A dataset without columns, or whose columns are all partition columns.
    #[error("`{dataset}` declares no column that a file could hold")]
    NoColumns {
        /// The dataset.
        dataset: DatasetName,
    },
    /// A default does not belong to the column's type.
    #[error("default {found} of column `{column}` does not fit its type {wanted}")]
    DefaultMismatch {
        /// The column.
        column: ColumnName,
        /// The default as declared.
        found: String,
        /// The column's type.
        wanted: String,
    },
    /// A semantic type was put on a storage type that cannot carry it.
    #[error("column `{column}` cannot be a `{semantic}`: that is stored as {wanted}, not {found}")]
    SemanticMismatch {
        /// The column.
        column: ColumnName,
        /// The semantic type's extension name.
        semantic: &'static str,
        /// The storage type that the semantic type needs.
        wanted: String,
        /// The storage type that was declared.
        found: String,
    },
    /// An Arrow type that Delta does not have.
    #[error("column `{column}` has Arrow type {found}, which Delta cannot store")]
    UnsupportedType {
        /// The column, dotted for nested fields.
        column: String,
        /// The Arrow type.
        found: DataType,
    },
    /// A decimal whose precision or scale is out of range.
    #[error(
        "decimal({precision}, {scale}) is out of range: 1 <= precision <= 38 and 0 <= scale <= precision"
    )]
    InvalidDecimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidDatasetName { .. } => "invalid_dataset_name",
            Self::InvalidColumnName { .. } => "invalid_column_name",
            Self::DuplicateColumn { .. } => "duplicate_column",
            Self::UndeclaredColumn { .. } => "undeclared_column",
            Self::RepeatedColumn { .. } => "repeated_column",
            Self::PartitionBehindOrder { .. } => "partition_behind_order",
            Self::NoColumns { .. } => "no_columns",
            Self::DefaultMismatch { .. } => "default_mismatch",
            Self::SemanticMismatch { .. } => "semantic_mismatch",
            Self::UnsupportedType { .. } => "unsupported_type",
            Self::InvalidDecimal { .. } => "invalid_decimal",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidDatasetName { .. } => Some("write it like `extract.nodes`".to_owned()),
            Self::PartitionBehindOrder { column, .. } => Some(format!(
                "order by `{column}` first: within a partition that changes nothing"
            )),
            Self::UnsupportedType { found, .. } => match found {
                DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
                    Some("cast it to a signed type that is twice as wide".to_owned())
                }
                DataType::UInt64 => Some("cast it to Int64 or decimal(20, 0)".to_owned()),
                DataType::Null => Some("declare the type that the column will have".to_owned()),
                DataType::Timestamp(..) => {
                    Some("cast it to microseconds, in UTC or without a zone".to_owned())
                }
                _ => None,
            },
            _ => None,
        }
    }
}
