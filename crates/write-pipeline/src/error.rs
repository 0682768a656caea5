//! Why rows do not become a version of a table.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;

use arrow_schema::{ArrowError, DataType};
use datafusion::error::DataFusionError;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::TransactionError;
use ossature_delta_policy::{DeltaFeature, Errors, ProtocolReport};
use ossature_schema_spec::{Change, ColumnName, DatasetName, Fingerprint, Version};
use parquet::errors::ParquetError;
use rayon::ThreadPoolBuildError;
use tokio::task::JoinError;

/// Why rows do not become a version of a table. Whatever the reason, the table stays as it was; only where the last commit of two
/// fails, a table that was append-only is so no longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The rows do not have the columns that the contract declares.
    #[error("the rows for `{dataset}` are not as declared:{}", lines(changes))]
    RowsDiffer {
        /// The dataset.
        dataset: DatasetName,
        /// Every difference.
        changes: Vec<Change>,
    },
    /// The stored table differs from the contract in a way that the policy's schema mode does not settle.
    #[error(
        "the table of `{dataset}` was created under another contract:{}",
        lines(errors)
    )]
    ContractChanged {
        /// The dataset.
        dataset: DatasetName,
        /// Every difference.
        errors: Errors,
    },
    /// The stored table keeps its columns under other names, which the writer does not.
    #[error(
        "the table of `{dataset}` maps its columns to other names, in which the writer writes no files"
    )]
    MappedColumns {
        /// The dataset.
        dataset: DatasetName,
    },
    /// The table lets no row go, or would not once it is as its policy says.
    #[error(
        "the table of `{dataset}` is append-only, or is to be, so nothing is written to it by {mode}"
    )]
    AppendOnly {
        /// The dataset.
        dataset: DatasetName,
        /// The mode of the write.
        mode: &'static str,
    },
    /// A column that is never null has a null.
    #[error("`{dataset}`.`{column}` is declared as never null; row {row} has a null")]
    UnexpectedNull {
        /// The dataset.
        dataset: DatasetName,
        /// The column, dotted below nested ones.
        column: String,
        /// The row, counted from 0 in the order of writing.
        row: u64,
    },
    /// The rows are not in the declared order.
    #[error(
        "the rows for `{dataset}` are not ordered by {order}: row {row} is smaller than the one before"
    )]
    OutOfOrder {
        /// The dataset.
        dataset: DatasetName,
        /// The declared order.
        order: String,
        /// The row, counted from 0 in the order of writing.
        row: u64,
    },
    /// Two rows have one key.
    #[error("`{dataset}` declares its key {key} as unique; rows {} and {row} have the same", row - 1)]
    DuplicateKey {
        /// The dataset.
        dataset: DatasetName,
        /// The columns of the key.
        key: String,
        /// The second row, counted from 0 in the order of writing.
        row: u64,
    },
    /// A constraint is not true of a row.
    #[error(
        "`{dataset}`: row {row} ({values}) does not satisfy constraint `{constraint}`: {expression}"
    )]
    ConstraintViolated {
        /// The dataset.
        dataset: DatasetName,
        /// The name of the constraint.
        constraint: String,
        /// What should be true.
        expression: String,
        /// The row, counted from 0 in the order of writing.
        row: u64,
        /// Its values in the columns of the key and in those that the constraint looks at, long ones shortened.
        values: String,
    },
    /// A constraint is not true of rows that the table keeps, and would be said of all its rows.
    #[error(
        "`{dataset}`: constraint `{constraint}` is new, and a row of version {version} ({values}) does not satisfy it: {expression}"
    )]
    StoredRowsViolate {
        /// The dataset.
        dataset: DatasetName,
        /// The name of the constraint.
        constraint: String,
        /// What should be true.
        expression: String,
        /// The version that was read.
        version: Version,
        /// The row's values, as in [`Error::ConstraintViolated`].
        values: String,
    },
    /// A constraint that cannot be evaluated, of the policy or of the table.
    #[error("`{dataset}`: constraint `{constraint}` cannot be evaluated: {expression}: {reason}")]
    ConstraintUnusable {
        /// The dataset.
        dataset: DatasetName,
        /// The name of the constraint.
        constraint: String,
        /// What should be true.
        expression: String,
        /// Why.
        reason: String,
    },
    /// The table exists, and the write was to create it.
    #[error("the table of `{dataset}` exists already, at version {version}")]
    TableExists {
        /// The dataset.
        dataset: DatasetName,
        /// The version that was found.
        version: Version,
    },
    /// A range that does not fit the declared order.
    #[error("a range of `{dataset}` is refused: {reason}")]
    RangeRefused {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        reason: String,
    },
    /// A row lies in none of the ranges that are replaced.
    #[error("`{dataset}`: row {row} lies in none of the ranges that are replaced")]
    OutsideRanges {
        /// The dataset.
        dataset: DatasetName,
        /// The row, counted from 0 in the order of writing.
        row: u64,
    },
    /// A merge into a dataset whose key does not lead its order.
    #[error("`{dataset}` cannot be merged into: its key does not lead its order")]
    NoLeadingKey {
        /// The dataset.
        dataset: DatasetName,
    },
    /// A merge into a partitioned dataset whose key does not say the partition: rows with one key may lie in several.
    #[error("`{dataset}` cannot be merged into: partition column `{column}` is not in its key")]
    KeyAcrossPartitions {
        /// The dataset.
        dataset: DatasetName,
        /// The first such column.
        column: ColumnName,
    },
    /// More is asked of a writer whose last rows were refused, or not waited for.
    #[error(
        "`{dataset}`: earlier rows did not get through, so no others are taken and nothing is committed"
    )]
    BrokenOff {
        /// The dataset.
        dataset: DatasetName,
    },
    /// An empty text in a partition column, which every reader of Delta tables takes for null.
    #[error(
        "`{dataset}`: a partition column has an empty text, which the log cannot tell from null"
    )]
    EmptyPartitionValue {
        /// The dataset.
        dataset: DatasetName,
    },
    /// A clustered dataset that is not written by a plan, or whose rows would go among others.
    #[error("`{dataset}` is clustered, so {mode} needs all rows of a plan")]
    Clustered {
        /// The dataset.
        dataset: DatasetName,
        /// The mode of the write.
        mode: &'static str,
    },
    /// Rows for a write that takes none.
    #[error("`{dataset}` is compacted, which takes no rows")]
    RowsForCompaction {
        /// The dataset.
        dataset: DatasetName,
    },
    /// The keys that a caller adds to a commit are too large.
    #[error("the keys for the commit are {found} bytes long, at most {max} are allowed")]
    MetadataTooLarge {
        /// Their bytes as JSON.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// An Arrow type that cannot be written.
    #[error("rows of type {found} cannot be written")]
    UnsupportedType {
        /// The type.
        found: DataType,
    },
    /// A written file's footer does not say what was asked for.
    #[error("the footer of {file} says {what} is {found}, not {wanted}")]
    FooterDiffers {
        /// The file.
        file: String,
        /// Which property, with the column where it belongs to one.
        what: String,
        /// What was asked for.
        wanted: String,
        /// What the footer says.
        found: String,
    },
    /// The runtime cannot write the table as its protocol demands.
    #[error("the table of `{dataset}` cannot be written: {}", report.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    ProtocolRefused {
        /// The dataset.
        dataset: DatasetName,
        /// What was required and found, and everything that is missing.
        report: Box<ProtocolReport>,
    },
    /// The policy or the layout cannot be applied to the table.
    #[error(transparent)]
    Policy(#[from] Errors),
    /// A caller tried to set a commit key that the writer owns.
    #[error("commit key `{key}` is reserved for the writer")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// Somebody else committed to the table after it was read.
    #[error("`{dataset}` was changed by somebody else after version {read} was read")]
    Conflict {
        /// The dataset.
        dataset: DatasetName,
        /// The version that was read.
        read: u64,
        /// The conflict.
        source: Box<DeltaTableError>,
    },
    /// A later run has already written the table.
    #[error("`{dataset}` was already written by a later run: {found} > {wanted}")]
    Superseded {
        /// The dataset.
        dataset: DatasetName,
        /// The transaction's number.
        wanted: i64,
        /// The newest number in the table.
        found: i64,
    },
    /// The transaction is in the table, and somebody else committed on top of it.
    #[error(
        "`{dataset}` has the transaction already; what version {version} holds of it cannot be told, as somebody else committed since"
    )]
    TransactionBuried {
        /// The dataset.
        dataset: DatasetName,
        /// The version that was found.
        version: Version,
    },
    /// What a write would give is not what the table holds.
    #[error("`{dataset}` cannot be taken as it is: {reason}")]
    NotStored {
        /// The dataset.
        dataset: DatasetName,
        /// What was found, and what was wanted.
        reason: String,
    },
    /// The table cannot be opened.
    #[error(transparent)]
    Registry(#[from] ossature_registry::Error),
    /// The Delta runtime failed.
    #[error("while {doing}")]
    Delta {
        /// What was being done.
        doing: &'static str,
        /// The failure.
        source: Box<DeltaTableError>,
    },
    /// The query engine failed.
    #[error("while computing rows")]
    Engine(#[source] Box<DataFusionError>),
    /// Arrow refused a batch.
    #[error("while handling a batch")]
    Arrow(#[from] ArrowError),
    /// Parquet refused rows.
    #[error("while encoding {file}")]
    Parquet {
        /// The file or the dataset that it belongs to.
        file: String,
        /// The failure.
        source: Box<ParquetError>,
    },
    /// A stored file is not what was written, so its rows are not taken on.
    #[error(
        "`{file}` of `{dataset}` is damaged: its digest is {found}, and that of what was written {wanted}"
    )]
    Damaged {
        /// The dataset.
        dataset: DatasetName,
        /// The file, below the table's folder.
        file: String,
        /// The digest of what was written.
        wanted: Fingerprint,
        /// The digest of what is there.
        found: Fingerprint,
    },
    /// What a table is to be written anew from has not all its rows.
    #[error(
        "`{dataset}` cannot be written anew: version {version} has {wanted} rows, and {found} were read"
    )]
    RowsLost {
        /// The dataset.
        dataset: DatasetName,
        /// The version that was read.
        version: Version,
        /// Its rows, as its log tells them.
        wanted: u64,
        /// The rows that were read.
        found: u64,
    },
    /// A file could not be stored.
    #[error("while storing {file}")]
    Store {
        /// The file.
        file: String,
        /// The failure.
        source: Box<object_store::Error>,
    },
    /// Threads that encode could not be started.
    #[error("{threads} threads that encode could not be started")]
    Threads {
        /// How many were asked for.
        threads: NonZeroUsize,
        /// The failure.
        source: ThreadPoolBuildError,
    },
    /// Work was cancelled because the runtime shut down.
    #[error("the runtime shut down while files were being encoded")]
    Cancelled,
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RowsDiffer { .. } => "rows_differ",
            Self::ContractChanged { .. } => "contract_changed",
            Self::MappedColumns { .. } => "mapped_columns",
            Self::AppendOnly { .. } => "append_only",
            Self::UnexpectedNull { .. } => "unexpected_null",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::ConstraintViolated { .. } => "constraint_violated",
            Self::StoredRowsViolate { .. } => "stored_rows_violate",
            Self::ConstraintUnusable { .. } => "constraint_unusable",
            Self::TableExists { .. } => "table_exists",
            Self::RangeRefused { .. } => "range_refused",
            Self::OutsideRanges { .. } => "outside_ranges",
            Self::NoLeadingKey { .. } => "no_leading_key",
            Self::KeyAcrossPartitions { .. } => "key_across_partitions",
            Self::BrokenOff { .. } => "broken_off",
            Self::EmptyPartitionValue { .. } => "empty_partition_value",
            Self::Clustered { .. } => "clustered",
            Self::RowsForCompaction { .. } => "rows_for_compaction",
            Self::MetadataTooLarge { .. } => "commit_metadata_too_large",
            Self::UnsupportedType { .. } => "unsupported_type",
            Self::FooterDiffers { .. } => "footer_differs",
            Self::ProtocolRefused { .. } => "protocol_refused",
            Self::Policy(_) => "policy_refused",
            Self::ReservedKey { .. } => "reserved_commit_key",
            Self::Conflict { .. } => "commit_conflict",
            Self::Superseded { .. } => "superseded",
            Self::TransactionBuried { .. } => "transaction_buried",
            Self::NotStored { .. } => "not_stored",
            Self::Registry(error) => error.code(),
            Self::Delta { .. } => "delta_failure",
            Self::Engine(_) => "engine_failure",
            Self::Arrow(_) => "arrow_failure",
            Self::Parquet { .. } => "parquet_failure",
            Self::Damaged { .. } => "file_damaged",
            Self::RowsLost { .. } => "rows_lost",
            Self::Store { .. } => "store_failure",
            Self::Threads { .. } => "threads",
            Self::Cancelled => "cancelled",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MappedColumns { .. } => {
                Some("write to a new table and leave this one to its owner".to_owned())
            }
            Self::AppendOnly { .. } => Some(
                "leave `appendOnly` out of `features`, or say so with `features = []` to a table that somebody else created"
                    .to_owned(),
            ),
            Self::ContractChanged { .. } => {
                Some("build into a new lake, or delete the table's folder".to_owned())
            }
            Self::ConstraintViolated { .. } => {
                Some("mend the rows, or drop the constraint".to_owned())
            }
            Self::Damaged { .. } => Some(
                "write all rows of the table again, which restores the file, or take it from a copy"
                    .to_owned(),
            ),
            Self::StoredRowsViolate { .. } => {
                Some("overwrite the table, or drop the constraint".to_owned())
            }
            Self::TableExists { .. } => {
                Some("write it in another mode, or to another place".to_owned())
            }
            Self::Clustered { .. } => {
                Some("overwrite or append with `write_plan`, or declare an order".to_owned())
            }
            Self::NoLeadingKey { .. } => {
                Some("order the dataset by its key, or replace ranges".to_owned())
            }
            Self::KeyAcrossPartitions { .. } => Some(
                "declare the partition columns as part of the key, or replace ranges".to_owned(),
            ),
            Self::ProtocolRefused { .. } => Some(
                "leave the table to whoever raised its protocol: build into a new lake, or take the table from a copy"
                    .to_owned(),
            ),
            Self::Threads { .. } => Some("ask for fewer threads".to_owned()),
            Self::BrokenOff { .. } => Some("begin the write again".to_owned()),
            Self::Conflict { .. } => {
                Some("run it again from the table's present version".to_owned())
            }
            Self::TransactionBuried { .. } => {
                Some("nothing is lost: the rows are written; read the table as it is".to_owned())
            }
            Self::Superseded { .. } => Some("nothing: the later run's tables stand".to_owned()),
            Self::Registry(error) => error.hint(),
            Self::Policy(errors) => errors.iter().find_map(ossature_delta_policy::Error::hint),
            _ => None,
        }
    }

    /// Whether it is the policy, or the contract, that the table cannot be written with; nothing else went wrong.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Policy(_)
                | Self::ProtocolRefused { .. }
                | Self::ContractChanged { .. }
                | Self::AppendOnly { .. }
                | Self::Clustered { .. }
                | Self::MappedColumns { .. }
                | Self::ConstraintUnusable { .. }
        )
    }

    /// Whether the same work, begun anew, may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    pub(crate) fn delta(doing: &'static str) -> impl FnOnce(DeltaTableError) -> Self {
        move |source| Self::Delta {
            doing,
            source: Box::new(source),
        }
    }

    pub(crate) fn parquet(file: &str) -> impl Fn(ParquetError) -> Self {
        move |source| Self::Parquet {
            file: file.to_owned(),
            source: Box::new(source),
        }
    }

    /// Whether a commit failed because somebody else was faster.
    pub(crate) fn is_lost_race(error: &TransactionError) -> bool {
        matches!(
            error,
            TransactionError::CommitConflict(_)
                | TransactionError::MaxCommitAttempts(_)
                | TransactionError::VersionAlreadyExists(_)
        )
    }

    /// A failed commit: a conflict where somebody else was faster.
    pub(crate) fn commit(dataset: &DatasetName, read: u64, source: DeltaTableError) -> Self {
        if matches!(&source, DeltaTableError::Transaction { source } if Self::is_lost_race(source))
        {
            Self::Conflict {
                dataset: dataset.clone(),
                read,
                source: Box::new(source),
            }
        } else {
            Self::Delta {
                doing: "committing",
                source: Box::new(source),
            }
        }
    }

    /// A task that did not end: its panic goes on here, as it is a broken claim of ours.
    pub(crate) fn joined(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Self::Cancelled,
        }
    }
}

/// A write that failed: why, and what it left behind. The table is as it was.
#[derive(Debug, thiserror::Error)]
#[error("writing `{dataset}` failed{}", orphans_left(orphans))]
#[non_exhaustive]
pub struct WriteFailure {
    /// The dataset.
    pub dataset: DatasetName,
    /// The table's folder, without secrets.
    pub location: String,
    /// The version that stands; 0 when the table could not be opened.
    pub version: Version,
    /// Files that were stored, or may have been, and that the version does not have: their paths below the folder. An
    /// older version may have them, as equal rows give equal files, so it is for a vacuum to remove them.
    pub orphans: Vec<String>,
    /// Why.
    pub source: Error,
}

impl WriteFailure {
    /// A failure before the table was opened.
    pub fn before(dataset: DatasetName, location: String, source: Error) -> Self {
        Self::at(dataset, location, Version::new(0), source)
    }

    /// A failure at a version, before anything was stored.
    pub(crate) fn at(
        dataset: DatasetName,
        location: String,
        version: Version,
        source: Error,
    ) -> Self {
        Self {
            dataset,
            location,
            version,
            orphans: Vec::new(),
            source,
        }
    }

    /// The reason's stable identifier.
    pub fn code(&self) -> &'static str {
        self.source.code()
    }

    /// What is wrong with the table's protocol, where that is the reason.
    pub fn protocol(&self) -> Option<&ProtocolReport> {
        match &self.source {
            Error::ProtocolRefused { report, .. } => Some(report),
            _ => None,
        }
    }

    /// The table features that are refused, where they are the reason, each with why. One may have several reasons.
    pub fn refused_features(&self) -> Vec<(DeltaFeature, String)> {
        let Error::Policy(errors) = &self.source else {
            return Vec::new();
        };
        let refused = errors.iter();
        refused
            .filter_map(|error| Some((error.refused_feature()?, error.to_string())))
            .collect()
    }

    /// What to do about the reason, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        self.source.hint()
    }

    /// Whether the same work, begun anew, may succeed.
    pub fn is_retryable(&self) -> bool {
        self.source.is_retryable()
    }
}

impl From<Box<WriteFailure>> for Error {
    /// The reason alone.
    fn from(failure: Box<WriteFailure>) -> Self {
        failure.source
    }
}

fn orphans_left(orphans: &[String]) -> String {
    match orphans.len() {
        0 => String::new(),
        1 => ", and left a file behind".to_owned(),
        count => format!(", and left {count} files behind"),
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(Box::new(error))
    }
}

fn lines<'a, T: Display + 'a>(changes: impl IntoIterator<Item = &'a T>) -> String {
    changes
        .into_iter()
        .fold(String::new(), |text, change| format!("{text}\n  {change}"))
}
