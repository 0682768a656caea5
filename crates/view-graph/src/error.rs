//! Why views cannot be scheduled.

use datafusion::error::DataFusionError;
use ossature_schema_spec::{Change, DatasetName};

use crate::ViewValidation;

/// Why views cannot be scheduled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two declarations have one name.
    #[error("`{name}` is declared twice")]
    DuplicateName {
        /// The name.
        name: DatasetName,
    },
    /// A view names a dataset that is neither a source nor a view.
    #[error(
        "view `{view}` reads `{input}`, which is neither a source nor a view{}",
        nearest(nearest_name.as_ref())
    )]
    MissingInput {
        /// The view.
        view: DatasetName,
        /// The dataset that it names.
        input: String,
        /// The declared name that is most alike.
        nearest_name: Option<DatasetName>,
    },
    /// Views read each other in a circle.
    #[error("views read each other in a circle: {}", path.iter().map(DatasetName::as_str).collect::<Vec<_>>().join(" -> "))]
    Cycle {
        /// The circle; the first view is repeated at the end.
        path: Vec<DatasetName>,
    },
    /// A view's query does not return what its contract declares.
    #[error("view `{}` does not return what it declares:{}", validation.view, lines(&validation.refused))]
    ContractDiffers {
        /// Every difference.
        validation: Box<ViewValidation>,
    },
    /// A view's query is no query.
    #[error("view `{view}` is no query: {reason}")]
    NotAQuery {
        /// The view.
        view: DatasetName,
        /// What it is instead.
        reason: String,
    },
    /// A view's query cannot be planned.
    #[error("view `{view}` cannot be planned")]
    Unplannable {
        /// The view.
        view: DatasetName,
        /// The failure.
        source: Box<DataFusionError>,
    },
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DuplicateName { .. } => "duplicate_name",
            Self::MissingInput { .. } => "missing_input",
            Self::Cycle { .. } => "view_cycle",
            Self::ContractDiffers { .. } => "contract_differs",
            Self::NotAQuery { .. } => "not_a_query",
            Self::Unplannable { .. } => "unplannable_view",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingInput { nearest_name, .. } => {
                nearest_name.as_ref().map(|name| format!("write `{name}`"))
            }
            Self::Cycle { .. } => Some("store what they share in a view of its own".to_owned()),
            Self::ContractDiffers { .. } => {
                Some("name and cast the columns as the contract declares them".to_owned())
            }
            _ => None,
        }
    }
}

fn nearest(name: Option<&DatasetName>) -> String {
    name.map(|name| format!("; is it `{name}`?"))
        .unwrap_or_default()
}

fn lines(changes: &[Change]) -> String {
    changes
        .iter()
        .fold(String::new(), |text, change| format!("{text}\n  {change}"))
}
