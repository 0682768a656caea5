//! Why facts about a plan cannot be stated.

use datafusion::error::DataFusionError;

use crate::PlanEncoding;

/// Why facts about a plan cannot be stated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plan reads a dataset whose version is not pinned.
    #[error("the plan reads `{input}`, which is not pinned to a version")]
    UnpinnedInput {
        /// The dataset as the plan names it.
        input: String,
    },
    /// A plan calls a function whose value depends on more than its arguments.
    #[error("the plan calls `{function}`, whose value differs from call to call")]
    VolatileFunction {
        /// The function.
        function: String,
    },
    /// A plan does something else than to answer a query, or has a node of which nothing is known.
    #[error("`{node}` is no query, or of a kind that cannot be traced")]
    NotAQuery {
        /// The node, as the engine prints it.
        node: String,
    },
    /// Recorded bytes stand for no plan that this engine can execute over these tables.
    #[error("the plan cannot be read back from {encoding}: {reason}")]
    NotDecodable {
        /// How it is written down.
        encoding: PlanEncoding,
        /// Why.
        reason: String,
    },
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
            Self::UnpinnedInput { .. } => "unpinned_input",
            Self::VolatileFunction { .. } => "volatile_function",
            Self::NotAQuery { .. } => "untraceable_plan",
            Self::NotDecodable { .. } => "plan_not_decodable",
            Self::Engine { .. } => "engine_failure",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnpinnedInput { .. } => Some("open the dataset at a version first".to_owned()),
            Self::VolatileFunction { .. } => {
                Some("pass the value in as a literal or as a column".to_owned())
            }
            Self::NotAQuery { .. } | Self::NotDecodable { .. } | Self::Engine { .. } => None,
        }
    }

    pub(crate) fn engine(doing: &'static str) -> impl FnOnce(DataFusionError) -> Self {
        move |source| Self::Engine {
            doing,
            source: Box::new(source),
        }
    }
}
