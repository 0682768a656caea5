//! Why a run fails.

use datafusion::error::DataFusionError;
use ossature_registry::Lake;
use ossature_schema_spec::DatasetName;
use ossature_write_pipeline::WriteFailure;

use crate::fault::refusal_of_rows;

/// Why a run fails. Whatever the reason, the run before stays published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The declared views do not fit together.
    #[error("the declared views do not fit together")]
    Views(#[from] ossature_view_graph::Error),
    /// A policy refuses what is declared.
    #[error("a policy refuses what is declared")]
    Policy(#[from] ossature_delta_policy::Errors),
    /// A table cannot be opened.
    #[error("a table cannot be opened")]
    Registry(#[from] ossature_registry::Error),
    /// A plan has no identity.
    #[error("the plan of `{view}` has no identity")]
    Lineage {
        /// The view.
        view: DatasetName,
        /// The reason.
        source: ossature_lineage::Error,
    },
    /// A table cannot be written.
    #[error("`{dataset}` cannot be written")]
    Write {
        /// The dataset.
        dataset: DatasetName,
        /// The reason.
        source: Box<WriteFailure>,
    },
    /// A table cannot be kept up.
    #[error("`{dataset}` cannot be kept up")]
    Upkeep {
        /// The dataset.
        dataset: DatasetName,
        /// The reason.
        source: Box<WriteFailure>,
    },
    /// What a table is cannot be read.
    #[error("`{dataset}` cannot be looked at")]
    Table {
        /// The dataset.
        dataset: DatasetName,
        /// The reason.
        source: Box<ossature_write_pipeline::Error>,
    },
    /// Tables cannot be kept as their policies say.
    #[error("tables cannot be kept like that:{}", tables(.0))]
    Tables(Vec<(DatasetName, ossature_write_pipeline::Error)>),
    /// Logs of tables are not what was published.
    #[error("what the tables of the lake are built on was changed:{}", reasons(.0))]
    Changed(Vec<ossature_registry::Error>),
    /// The threads that encode cannot be started.
    #[error("files cannot be encoded")]
    Encoders(#[source] ossature_write_pipeline::Error),
    /// A record of the run cannot be read or stored.
    #[error("the records of the runs cannot be read or stored")]
    Records(#[from] Box<ossature_artifacts::Error>),
    /// A view cannot be computed.
    #[error("`{view}` cannot be computed")]
    Compute {
        /// The view.
        view: DatasetName,
        /// The failure.
        source: Box<DataFusionError>,
    },
    /// Rows came for a dataset that is no source.
    #[error("rows came for `{dataset}`, which is no source of this run")]
    UnknownSource {
        /// The dataset.
        dataset: DatasetName,
    },
    /// What a run did is in no record.
    #[error("there is no record of the {what} of `{dataset}`")]
    Unrecorded {
        /// The dataset.
        dataset: String,
        /// What is missing: the plan, the write.
        what: &'static str,
    },
    /// The records of a table are others than those that the run named when it was published.
    #[error("the records of `{dataset}` are not those that the run published it with")]
    OtherRecord {
        /// The dataset.
        dataset: String,
    },
    /// A table cannot be computed again as it was.
    #[error("`{dataset}` cannot be computed again as it was: {what}")]
    CannotReplay {
        /// The dataset.
        dataset: String,
        /// What is not as it was.
        what: String,
    },
    /// A run published no such table.
    #[error("run `{run_id}` published no table `{dataset}`")]
    NotPublished {
        /// The table.
        dataset: DatasetName,
        /// The run.
        run_id: String,
    },
    /// A consumer has no name that a cursor can be recorded under.
    #[error(
        "a consumer of changes cannot be called {found:?}: wanted 1 to 200 characters, none of which controls a terminal"
    )]
    ConsumerName {
        /// The name.
        found: String,
    },
    /// The changes that a consumer has not taken yet cannot be read.
    #[error("`{consumer}` cannot go on with the changes of `{dataset}`: {reason}")]
    FeedBroken {
        /// The consumer.
        consumer: String,
        /// The dataset.
        dataset: DatasetName,
        /// What was found: `gap`, `disabled`, `vacuumed`, `out_of_range`, `schema_changed`, `unsupported`, `recreated` or `restored`.
        class: String,
        /// The same in words.
        reason: String,
    },
    /// The lake has no published run.
    #[error("{lake} has no published run")]
    NothingPublished {
        /// The lake.
        lake: String,
    },
    /// The run has published nothing.
    #[error("run `{run_id}` of {lake} has published nothing: it is {status}{}", because(reason.as_deref()))]
    RunNotPublished {
        /// The lake.
        lake: String,
        /// The run.
        run_id: String,
        /// Where it stands.
        status: &'static str,
        /// The stable identifier of the error that it ended with.
        reason: Option<String>,
    },
    /// The lake has no run of that name.
    #[error("{lake} has no run `{wanted}`")]
    NoSuchRun {
        /// The lake.
        lake: String,
        /// The run that was asked for.
        wanted: String,
    },
}

impl Error {
    /// A stable identifier of the innermost reason, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Views(error) => error.code(),
            Self::Policy(errors) => errors.iter().next().map_or("policy_refused", |e| e.code()),
            Self::Registry(error) => error.code(),
            Self::Lineage { source, .. } => source.code(),
            Self::Write { source, .. } => self.code_of_engine().unwrap_or(source.code()),
            Self::Upkeep { source, .. } => source.code(),
            Self::Table { source, .. } => source.code(),
            Self::Tables(refused) => refused.first().map_or("policy_refused", |(_, e)| e.code()),
            Self::Changed(changed) => changed.first().map_or("log_differs", |e| e.code()),
            Self::Encoders(error) => error.code(),
            Self::Records(error) => error.code(),
            Self::Compute { .. } => self.code_of_engine().unwrap_or("engine_failure"),
            Self::UnknownSource { .. } => "unknown_source",
            Self::Unrecorded { .. } => "unrecorded",
            Self::OtherRecord { .. } => "record_differs",
            Self::NotPublished { .. } => "not_published",
            Self::ConsumerName { .. } => "consumer_name",
            Self::FeedBroken { .. } => "feed_broken",
            Self::CannotReplay { .. } => "cannot_replay",
            Self::NothingPublished { .. } => "nothing_published",
            Self::NoSuchRun { .. } => "no_such_run",
            Self::RunNotPublished { .. } => "run_not_published",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Views(error) => error.hint(),
            Self::Policy(errors) => errors.iter().find_map(ossature_delta_policy::Error::hint),
            Self::Registry(error) => error.hint(),
            Self::Lineage { source, .. } => source.hint(),
            Self::Write { source, .. } => match self.engine().and_then(refusal_of_rows) {
                Some(refusal) => refusal.hint(),
                None => source.hint(),
            },
            Self::Compute { .. } => refusal_of_rows(self.engine()?)?.hint(),
            Self::Upkeep { source, .. } => source.hint(),
            Self::Table { source, .. } => source.hint(),
            Self::Tables(refused) => refused.iter().find_map(|(_, error)| error.hint()),
            Self::Changed(changed) => changed.iter().find_map(ossature_registry::Error::hint),
            Self::Encoders(error) => error.hint(),
            Self::Records(error) => error.hint(),
            Self::NothingPublished { lake } => {
                let build = format!("`ossature build SRC --lake {lake}`");
                let folder = Lake::try_new(lake).ok().and_then(|lake| lake.local_path());
                Some(match folder {
                    Some(folder) if !folder.exists() => {
                        format!("there is no such folder: see to `--lake`, or run {build}")
                    }
                    _ => format!("run {build}"),
                })
            }
            Self::RunNotPublished { lake, run_id, .. } => {
                Some(format!("`ossature show {run_id} --lake {lake}` tells how it ended"))
            }
            Self::NoSuchRun { lake, .. } => Some(format!("run `ossature runs --lake {lake}`")),
            Self::OtherRecord { .. } => Some(
                "`ossature verify` tells which of the records is damaged: restore that file from a copy"
                    .to_owned(),
            ),
            Self::CannotReplay { .. } => Some(
                "a run is carried out again by the version of the program that made it".to_owned(),
            ),
            Self::FeedBroken { .. } => Some(
                "take the whole table once, by `OnBrokenFeed::FullRefresh`, and its changes from then on"
                    .to_owned(),
            ),
            Self::NotPublished { .. } => {
                Some("build with the views that have it; `ossature runs` and `ossature show RUN` tell what was published".to_owned())
            }
            Self::ConsumerName { .. } => Some("name it after what it keeps, like `search-index`".to_owned()),
            Self::UnknownSource { .. } | Self::Unrecorded { .. } => None,
        }
    }

    /// The failure of the engine that computed a view.
    fn engine(&self) -> Option<&DataFusionError> {
        match self {
            Self::Compute { source, .. } => Some(source),
            Self::Write { source, .. } => match &source.source {
                ossature_write_pipeline::Error::Engine(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the engine failed by, where that has a name of its own.
    fn code_of_engine(&self) -> Option<&'static str> {
        let error = self.engine()?;
        if let Some(refusal) = refusal_of_rows(error) {
            return Some(refusal.code());
        }
        let is_exhausted = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
        is_exhausted.then_some("memory_exhausted")
    }
}

fn because(reason: Option<&str>) -> String {
    reason.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// Every reason once, with the tables that it holds for.
fn tables(refused: &[(DatasetName, ossature_write_pipeline::Error)]) -> String {
    // A reason that names its table is the same as that of another one.
    let key = |dataset: &DatasetName, reason: &str| reason.replace(dataset.as_str(), "");
    let mut reasons: Vec<(String, String, Vec<&str>)> = Vec::new();
    let all = refused.iter().flat_map(|(dataset, error)| {
        let each = match error {
            ossature_write_pipeline::Error::Policy(errors) => {
                errors.iter().map(|error| describe(error)).collect()
            }
            error => vec![describe(error)],
        };
        each.into_iter().map(move |reason| (dataset, reason))
    });
    for (dataset, reason) in all {
        let same = key(dataset, &reason);
        match reasons.iter_mut().find(|(told, ..)| *told == same) {
            Some((.., datasets)) => datasets.push(dataset.as_str()),
            None => reasons.push((same, reason, vec![dataset.as_str()])),
        }
    }
    let lines = reasons
        .into_iter()
        .map(|(_, reason, datasets)| match &datasets[..] {
            [one] => format!("\n  {one}: {reason}"),
            [first, others @ ..] => format!("\n  {first} and {} others: {reason}", others.len()),
            [] => String::new(),
        });
    lines.collect()
}

fn reasons(errors: &[ossature_registry::Error]) -> String {
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    format!("\n  {}", told.join("\n  "))
}

impl From<ossature_artifacts::Error> for Error {
    fn from(error: ossature_artifacts::Error) -> Self {
        Self::Records(Box::new(error))
    }
}

/// An error with everything that caused it, in one line.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = own_words(error);
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = own_words(inner);
        // Transparent variants repeat the text of what they wrap.
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// The text of one error without a backtrace, which engines append when the environment asks for one: it names places
/// of the machine that built the program, and differs from build to build.
pub fn own_words(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let is_frame = |line: &str| {
        let line = line.trim_start();
        let digits = line.trim_start_matches(|char: char| char.is_ascii_digit());
        digits.len() < line.len() && digits.starts_with(": ")
            || line.starts_with("at /")
            || line.starts_with("at ./")
            || matches!(line.trim_end(), "backtrace:" | "stack backtrace:")
            || line.starts_with("backtrace: ")
    };
    let lines: Vec<&str> = text.lines().take_while(|line| !is_frame(line)).collect();
    if lines.is_empty() {
        return text;
    }
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str);

    #[test]
    fn a_collision_of_names_is_told_as_one() {
        let collision = || {
            DataFusionError::from(ossature_udfs::Error::SymbolCollision {
                one: "m.f".to_owned(),
                other: "n.g".to_owned(),
            })
        };
        let dataset = DatasetName::try_new("normalize.symbols").unwrap();
        let computed = Error::Compute {
            view: dataset.clone(),
            source: Box::new(collision()),
        };
        let source = collision().context("while merging").into();
        let written = Error::Write {
            dataset: dataset.clone(),
            source: Box::new(WriteFailure::before(dataset, String::new(), source)),
        };
        for error in [computed, written] {
            assert_eq!(error.code(), "symbol_collision");
            assert!(error.hint().is_some());
            let said = describe(&error);
            assert!(
                said.contains("`m.f` and `n.g` have one symbol id"),
                "{said}"
            );
        }
    }

    #[test]
    fn exhausted_memory_is_told_apart() {
        let source = DataFusionError::ResourcesExhausted("no more".to_owned());
        let error = Error::Compute {
            view: DatasetName::try_new("cpg.cpg_edges").unwrap(),
            source: Box::new(source.context("while sorting")),
        };
        assert_eq!(error.code(), "memory_exhausted");
    }

    #[test]
    fn backtraces_are_left_out() {
        let words = |text| own_words(&Said(text));
        assert_eq!(
            words("no table\n\nbacktrace:    0: std::backtrace::create\n   1: main"),
            "no table"
        );
        assert_eq!(
            words("no table\n   0: core::ops\n             at /rustc/x.rs:5"),
            "no table"
        );
        assert_eq!(
            words("line 3: bad\nwanted: good"),
            "line 3: bad\nwanted: good"
        );
    }
}
