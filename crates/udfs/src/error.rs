//! What can go wrong inside a function.

use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;

/// Why a function refuses its arguments.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call with too few or too many arguments.
    #[error("`{function}` takes {wanted} arguments, not {found}")]
    ArgumentCount {
        /// The function.
        function: &'static str,
        /// Arguments of the call.
        found: usize,
        /// Arguments of the declaration.
        wanted: usize,
    },
    /// An argument of a type that the function does not read.
    #[error("argument `{argument}` of `{function}` is {found}, not {wanted}")]
    ArgumentType {
        /// The function.
        function: &'static str,
        /// The argument.
        argument: &'static str,
        /// The type of the call.
        found: DataType,
        /// What is read.
        wanted: &'static str,
    },
    /// A text that names no kind of symbol.
    #[error("`{found}` is no kind of symbol; the kinds are {wanted}")]
    UnknownSymbolKind {
        /// The text.
        found: String,
        /// The kinds, comma separated.
        wanted: String,
    },
    /// A number outside of what it counts.
    #[error("{what} must be at least {least}, not {found}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        found: i64,
        /// The smallest number allowed.
        least: i64,
    },
    /// Two names with one symbol id.
    #[error("`{one}` and `{other}` have one symbol id")]
    SymbolCollision {
        /// A name.
        one: String,
        /// The other.
        other: String,
    },
    /// A key that occurs twice in one map.
    #[error("key `{key}` occurs twice in one map")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A null where a value is needed.
    #[error("`{function}` needs a value for `{argument}`, not null")]
    MissingValue {
        /// The function.
        function: &'static str,
        /// The argument.
        argument: &'static str,
    },
    /// A row of [`resolve_names`](crate::functions) with a role that it does not know.
    #[error("`{found}` is no role of `resolve_names`; the roles are {wanted}")]
    UnknownRole {
        /// The role.
        found: String,
        /// The roles, comma separated.
        wanted: &'static str,
    },
    /// The engine failed.
    #[error("the engine failed while {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<DataFusionError>,
    },
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ArgumentCount { .. } => "argument_count",
            Self::ArgumentType { .. } => "argument_type",
            Self::UnknownSymbolKind { .. } => "unknown_symbol_kind",
            Self::OutOfRange { .. } => "out_of_range",
            Self::SymbolCollision { .. } => "symbol_collision",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::MissingValue { .. } => "missing_value",
            Self::UnknownRole { .. } => "unknown_role",
            Self::Engine { .. } => "engine",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::DuplicateKey { .. } => {
                Some("group by the entity and keep one value for each key".to_owned())
            }
            Self::SymbolCollision { .. } => {
                Some("rename one of them, or leave its file out of the source tree".to_owned())
            }
            Self::ArgumentType { wanted, .. } => Some(format!("cast it to {wanted}")),
            _ => None,
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Engine { source, .. } => *source,
            own => Self::External(Box::new(own)),
        }
    }
}

/// Names what was being done when the engine failed.
pub(crate) fn engine<E: Into<DataFusionError>>(doing: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::Engine {
        doing,
        source: Box::new(source.into()),
    }
}
