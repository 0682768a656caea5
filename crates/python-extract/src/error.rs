//! What stops a scan or an extraction as a whole. A bad source file does not: it costs one row.

use std::path::PathBuf;

/// Why a source tree cannot be listed or its facts cannot be delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The root is missing, is no directory or cannot be opened.
    #[error("`{}` is no readable directory: {source}", path.display())]
    Root {
        /// The root that was given.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A table of this crate breaks a rule of the schema layer.
    #[error("a table is declared wrongly: {0}")]
    Declaration(#[source] ossature_schema_spec::Error),
    /// The collected columns do not fit the declared schema.
    #[error("the rows do not fit their table: {0}")]
    Batch(#[source] arrow_schema::ArrowError),
    /// A worker thread could not be started.
    #[error("no worker thread could be started: {0}")]
    Thread(#[source] std::io::Error),
    /// A worker stopped before it had delivered its part.
    #[error("a worker stopped at unit {unit} of {units}")]
    WorkerLost {
        /// The unit that is missing, from 0.
        unit: usize,
        /// How many units there are.
        units: usize,
    },
}

impl Error {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Root { .. } => "source_root_unreadable",
            Self::Declaration(_) => "extract_declaration",
            Self::Batch(_) => "extract_batch",
            Self::Thread(_) => "worker_not_started",
            Self::WorkerLost { .. } => "worker_lost",
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Root { .. } => Some("name the folder that holds the Python sources".to_owned()),
            Self::Thread(_) => {
                Some("allow more threads or address space, or ask for fewer threads".to_owned())
            }
            Self::Declaration(_) | Self::Batch(_) | Self::WorkerLost { .. } => None,
        }
    }
}
