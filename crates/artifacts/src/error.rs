//! Why an artifact is not stored or not read back.

use datafusion::error::DataFusionError;

use crate::Rejection;

/// Why an artifact is not stored or not read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A run of that id was begun before.
    #[error("run `{run_id}` was begun before; a run id is used once")]
    RunExists {
        /// The run.
        run_id: String,
    },
    /// No run of that id was begun.
    #[error("run `{run_id}` was never begun")]
    UnknownRun {
        /// The run.
        run_id: String,
    },
    /// The run has ended otherwise.
    #[error("run `{run_id}` has ended as {found}; it cannot end as {wanted}")]
    RunEnded {
        /// The run.
        run_id: String,
        /// How it ended.
        found: &'static str,
        /// How it should have ended.
        wanted: &'static str,
    },
    /// Somebody else has moved the cursor of a consumer of a change feed.
    #[error(
        "the cursor of `{consumer}` on `{dataset}` was moved by `{attempt}`: it was {}, and is {}",
        at(*wanted), at(*found)
    )]
    CursorMoved {
        /// The consumer.
        consumer: String,
        /// The dataset.
        dataset: String,
        /// The version that had been taken when the consumption began.
        wanted: Option<u64>,
        /// The version that has been taken by now.
        found: Option<u64>,
        /// The attempt that has taken it.
        attempt: String,
    },
    /// A stored artifact does not meet its contract.
    #[error("an artifact in `{table}` cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        source: Box<Rejection>,
    },
    /// What lies beside an artifact is not what the artifact tells of.
    #[error("the {what} of `{dataset}` in `{table}` is not the recorded one: {reason}")]
    RecordDiffers {
        /// The table.
        table: &'static str,
        /// The dataset that the artifact is about.
        dataset: String,
        /// What lies beside it: the plan, the policy.
        what: &'static str,
        /// How that shows.
        reason: String,
    },
    /// The rows of an artifact table do not have the columns that they were asked for.
    #[error("`{table}` returned no column `{column}` of type {wanted}")]
    UnexpectedColumn {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The Arrow type.
        wanted: &'static str,
    },
    /// A payload that has no JSON form.
    #[error("a payload cannot be encoded")]
    Unencodable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An artifact table is declared wrongly.
    #[error(transparent)]
    Declaration(#[from] ossature_schema_spec::Error),
    /// An artifact table's policy cannot be applied.
    #[error(transparent)]
    Policy(#[from] ossature_delta_policy::Errors),
    /// An artifact table cannot be opened.
    #[error(transparent)]
    Registry(#[from] ossature_registry::Error),
    /// An artifact table cannot be written.
    #[error(transparent)]
    Write(#[from] ossature_write_pipeline::Error),
    /// The query engine failed.
    #[error("while {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// The failure.
        source: Box<DataFusionError>,
    },
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RunExists { .. } => "run_exists",
            Self::UnknownRun { .. } => "unknown_run",
            Self::RunEnded { .. } => "run_ended",
            Self::CursorMoved { .. } => "cursor_moved",
            Self::Corrupt { .. } => "corrupt_artifact",
            Self::RecordDiffers { .. } => "record_differs",
            Self::UnexpectedColumn { .. } => "unexpected_column",
            Self::Unencodable(_) => "unencodable_payload",
            Self::Declaration(error) => error.code(),
            Self::Policy(_) => "policy_refused",
            Self::Registry(error) => error.code(),
            Self::Write(error) => error.code(),
            Self::Engine { .. } => "engine_failure",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Corrupt { .. } => {
                Some("a newer version of this program may have written it".to_owned())
            }
            Self::RecordDiffers { .. } | Self::Engine { .. } => Some(
                "`ossature verify` tells which of the records is damaged: restore that file from a copy"
                    .to_owned(),
            ),
            Self::CursorMoved { .. } => Some(
                "let one process at a time consume under a name; take the changes anew from where the cursor is now"
                    .to_owned(),
            ),
            Self::Declaration(error) => error.hint(),
            Self::Registry(error) => error.hint(),
            Self::Write(error) => error.hint(),
            _ => None,
        }
    }

    /// Whether the same work, begun anew, may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Write(error) if error.is_retryable())
    }

    pub(crate) fn unencodable(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unencodable(Box::new(error))
    }

    pub(crate) fn engine(doing: &'static str) -> impl FnOnce(DataFusionError) -> Self {
        move |source| Self::Engine {
            doing,
            source: Box::new(source),
        }
    }
}

fn at(cursor: Option<u64>) -> String {
    cursor.map_or_else(
        || "at no version".to_owned(),
        |version| format!("at version {version}"),
    )
}

impl From<Box<ossature_write_pipeline::WriteFailure>> for Error {
    /// The reason alone: what an append of artifacts left behind is of no table that a run publishes.
    fn from(failure: Box<ossature_write_pipeline::WriteFailure>) -> Self {
        Self::Write(failure.into())
    }
}
