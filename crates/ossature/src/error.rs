//! What goes wrong, as the program says it: code, message, causes, hint, and the exit code.

use std::io;
use std::path::PathBuf;

use datafusion::error::DataFusionError;
use miette::Diagnostic;
use ossature_delta_policy::PolicyFileErrors;
use ossature_pipeline::{describe, is_fault_of_query, own_words};

use crate::interrupt::Interrupt;

/// What goes wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the source tree cannot be read")]
    Extract(#[from] ossature_python_extract::Error),
    #[error("the graph's declarations do not hold")]
    Views(#[from] ossature_cpg_views::Error),
    #[error(transparent)]
    Pipeline(#[from] ossature_pipeline::Error),
    #[error("the query is refused: {reason}")]
    QueryRefused { reason: String },
    #[error("the query cannot be answered")]
    Query(#[source] Box<DataFusionError>),
    #[error("the engine or the storage failed while rows were computed")]
    Engine(#[source] Box<DataFusionError>),
    #[error("the query has {found} operators, and at most {wanted} are followed")]
    TooDeep { found: usize, wanted: usize },
    #[error("Parquet goes to a file")]
    NoOutputFile,
    #[error("`{}` cannot be written", path.display())]
    OutputFile { path: PathBuf, source: io::Error },
    #[error("`{}` cannot be made, so nothing can be written into the lake", path.display())]
    Lake { path: PathBuf, source: io::Error },
    #[error("policy file `{}` cannot be read", path.display())]
    PolicyFile { path: PathBuf, source: io::Error },
    #[error("the policy file does not hold:\n{0}")]
    Policy(PolicyFileErrors),
    #[error("events cannot be sent where `--openlineage` says: {reason}")]
    EventTarget { reason: &'static str },
    #[error("no table is called `{found}`")]
    NoSuchTable {
        found: String,
        nearest: Option<String>,
    },
    #[error("`{found}` has no table of its own: whoever names it computes it, from {reads}")]
    NotATable { found: String, reads: String },
    #[error("saved queries that could not be run: {queries}")]
    QueriesFailed { queries: usize },
    #[error("{} of the lake's tables could not be kept up:{}", .0.len(), list(.0))]
    Upkeep(Vec<ossature_pipeline::Error>),
    #[error("things in the lake that are not as they were recorded: {findings}")]
    Differs { findings: usize, hint: &'static str },
    #[error("things in the lake that cannot be read, so that nothing is known of them: {findings}")]
    Unverified { findings: usize },
    #[error("a folder for what is computed again cannot be made")]
    Scratch { source: io::Error },
    #[error("tables that are not what the run published, carried out again: {tables}")]
    NotReplayed { tables: usize },
    #[error("tables that could not be computed again, so that nothing is known of them: {tables}")]
    Unreplayed { tables: usize, is_memory: bool },
    #[error("fields that differ: {fields}")]
    RunsDiffer { fields: usize },
    #[error("standard output cannot be written")]
    Output { source: io::Error },
    #[error("the result cannot be rendered")]
    Render(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("interrupted by {0}")]
    Interrupted(Interrupt),
    #[error("interrupted by {0}")]
    Stopped(Interrupt),
    #[error("interrupted by {0} while the run was being {1}")]
    Abandoned(Interrupt, &'static str),
    #[error("the runtime cannot be started")]
    Runtime { source: io::Error },
}

impl Error {
    /// Why a query has no answer: what it asks for, or what it runs on.
    pub(crate) fn of_query(error: DataFusionError) -> Self {
        if is_fault_of_query(&error) {
            Self::Query(Box::new(error))
        } else {
            Self::Engine(Box::new(error))
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Extract(error) => error.code(),
            Self::Views(error) => error.code(),
            Self::Pipeline(error) => error.code(),
            Self::QueryRefused { .. } => "query_refused",
            Self::Query(_) => "query_failed",
            Self::Engine(_) => "engine_failure",
            Self::TooDeep { .. } => "query_too_deep",
            Self::NoOutputFile => "no_output_file",
            Self::OutputFile { .. } => "output_failed",
            Self::Lake { .. } => "lake_not_writable",
            Self::PolicyFile { .. } => "policy_file_unreadable",
            Self::Policy(errors) => errors.code(),
            Self::EventTarget { .. } => "openlineage_target_invalid",
            Self::NoSuchTable { .. } => "no_such_table",
            Self::NotATable { .. } => "not_a_table",
            Self::QueriesFailed { .. } => "queries_failed",
            Self::Upkeep(_) => "upkeep_failed",
            Self::Differs { .. } => "lake_differs",
            Self::Unverified { .. } => "lake_unreadable",
            Self::Scratch { .. } => "scratch_failed",
            Self::NotReplayed { .. } => "replay_differs",
            Self::Unreplayed { .. } => "replay_incomplete",
            Self::RunsDiffer { .. } => "runs_differ",
            Self::Output { .. } => "stdout_failed",
            Self::Render(_) => "render_failed",
            Self::Interrupted(_) | Self::Stopped(_) | Self::Abandoned(..) => "interrupted",
            Self::Runtime { .. } => "runtime_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Extract(error) => error.hint(),
            Self::Views(error) => error.hint(),
            Self::Pipeline(error) if error.code() == "memory_exhausted" => Some(
                "give it more with `--max-memory-bytes`, or let it do less at a time with `--threads`"
                    .to_owned(),
            ),
            Self::Pipeline(error) => error.hint(),
            Self::QueryRefused { .. } => {
                Some("`ossature query` only reads: write a SELECT".to_owned())
            }
            Self::Query(error) => {
                let is_about_names = matches!(
                    error.find_root(),
                    DataFusionError::Plan(_) | DataFusionError::SchemaError(..)
                );
                is_about_names.then(|| {
                    "`SHOW TABLES` lists the tables, `DESCRIBE cpg_nodes` the columns of one"
                        .to_owned()
                })
            }
            Self::Interrupted(_) => {
                Some("nothing was published; the run before is still what readers see".to_owned())
            }
            Self::Abandoned(..) => Some("the next build records what became of the run, and `ossature runs` tells".to_owned()),
            Self::Render(_) => Some(
                "cast the column in the query, to text for instance, or choose another `--format`"
                    .to_owned(),
            ),
            Self::TooDeep { .. } => Some(
                "write long chains of comparisons as a list: `node_id IN (1, 2, 3)`".to_owned(),
            ),
            Self::NoSuchTable { nearest, .. } => nearest
                .as_ref()
                .map(|nearest| format!("write `{nearest}`"))
                .or_else(|| Some("`ossature policy` lists all of them".to_owned())),
            Self::NotATable { .. } => {
                Some("ask for a table that it is computed from".to_owned())
            }
            Self::QueriesFailed { .. } => {
                Some("the reasons are in the table; `ossature verify` tells whether files are damaged".to_owned())
            }
            Self::Upkeep(errors) => errors.iter().find_map(ossature_pipeline::Error::hint),
            Self::Differs { hint, .. } => Some((*hint).to_owned()),
            Self::Unverified { .. } => {
                Some("see to the storage, and verify again: nothing was found that differs".to_owned())
            }
            Self::Scratch { .. } => {
                Some("set TMPDIR to a folder that can be written into".to_owned())
            }
            Self::Unreplayed { is_memory: true, .. } => Some(
                "give it more with `--max-memory-bytes`, or another folder with TMPDIR; the reasons are in the table"
                    .to_owned(),
            ),
            Self::Engine(_) | Self::Unreplayed { .. } => Some(
                "`ossature verify` tells whether files are missing or damaged; a build of the same sources restores them"
                    .to_owned(),
            ),
            Self::NotReplayed { .. } => Some(
                "`ossature verify` tells whether the lake was changed since; the reasons are in the table"
                    .to_owned(),
            ),
            Self::EventTarget { .. } => Some(
                "name a file, or a URL like `http://localhost:5000`; a key belongs in OPENLINEAGE_API_KEY"
                    .to_owned(),
            ),
            Self::NoOutputFile => Some("name the file with `--output FILE`".to_owned()),
            _ => None,
        }
    }

    /// 1 for what the sources hold, 2 for what the caller got wrong, 3 for what a policy refuses, 4 for what is not as
    /// it was recorded, 5 for storage and engines; after a signal what shells expect of it.
    pub(crate) fn exit_code(&self) -> u8 {
        if let Self::Interrupted(interrupt)
        | Self::Stopped(interrupt)
        | Self::Abandoned(interrupt, _) = self
        {
            return interrupt.exit_code();
        }
        if let Self::Pipeline(ossature_pipeline::Error::Policy(_)) = self {
            return 3;
        }
        match self.code() {
            "query_refused"
            | "policy_refused"
            | "protocol_refused"
            | "contract_changed"
            | "append_only"
            | "constraint_unusable"
            | "constraint_violated"
            | "stored_rows_violate"
            | "mapped_columns" => 3,
            "symbol_collision" | "runs_differ" => 1,
            "lake_differs" | "log_differs" | "table_recreated" | "replay_differs"
            | "record_differs" => 4,
            "source_root_unreadable"
            | "no_output_file"
            | "openlineage_target_invalid"
            | "query_too_deep"
            | "invalid_location"
            | "query_failed"
            | "render_failed"
            | "nothing_published"
            | "no_such_run"
            | "run_not_published"
            | "not_published"
            | "no_such_table"
            | "not_a_table"
            | "policy_file_unreadable"
            | "policy_file_invalid" => 2,
            _ => 5,
        }
    }

    /// Prints the error on standard error.
    pub(crate) fn report(self) {
        let report = miette::Report::new(Report::of(self));
        let mut stderr = io::stderr().lock();
        // There is nobody left to tell when standard error is gone.
        let _ = io::Write::write_fmt(&mut stderr, format_args!("{report:?}"));
    }
}

/// The form in which miette renders an error.
#[derive(Debug)]
struct Report {
    error: Error,
    cause: Option<Cause>,
}

/// What caused an error, in words that the error itself does not say already: engines repeat their causes.
#[derive(Debug)]
struct Cause {
    text: String,
    cause: Option<Box<Cause>>,
}

impl Report {
    fn of(error: Error) -> Self {
        let mut said = own_words(&error);
        let mut texts = Vec::new();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let text = own_words(cause);
            if !said.contains(&text) {
                said.clone_from(&text);
                texts.push(escape_control(&text));
            }
            source = cause.source();
        }
        let cause = texts
            .into_iter()
            .rev()
            .fold(None, |cause: Option<Cause>, text| {
                Some(Cause {
                    text,
                    cause: cause.map(Box::new),
                })
            });
        Self { error, cause }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&escape_control(&own_words(&self.error)))
    }
}

impl std::error::Error for Report {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

impl Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.error.code()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.error
            .hint()
            .map(|hint| Box::new(hint) as Box<dyn std::fmt::Display>)
    }
}

/// Errors with their causes, each on a line of its own.
fn list(errors: &[ossature_pipeline::Error]) -> String {
    let lines = errors
        .iter()
        .map(|error| format!("\n  {}", describe(error)));
    lines.collect()
}

/// Text from a source tree, without what a terminal would obey.
pub(crate) fn escape_control(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let plain = (!char.is_control() || char == '\n').then_some(char);
            let escaped = plain.is_none().then(|| char.escape_default());
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}
