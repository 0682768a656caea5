//! `ossature replay`: a published run, carried out again from what it recorded.

use std::sync::Arc;

use ossature_pipeline::{Replay, ReplayOutcome, ReplayRequest, ReplayedTable};
use ossature_registry::{Lake, SessionSpec};
use serde::Serialize;

use crate::build::{BATCH_ROWS, STREAMS_MAX, versions};
use crate::cli::{Format, ReplayArguments};
use crate::error::{Error, escape_control};
use crate::graph::graph;
use crate::interrupt::Signals;
use crate::output::{print, print_json, table};
use crate::progress::Progress;

/// Carries a run out again, and tells which tables are not what they were.
pub(crate) async fn replay(arguments: ReplayArguments) -> Result<(), Error> {
    let lake = Lake::try_new(&arguments.lake).map_err(ossature_pipeline::Error::from)?;
    // Before there is a folder to remove.
    let mut signals = Signals::listen().map_err(|source| Error::Runtime { source })?;
    // Removed when this ends, however it ends; by a second signal it stays.
    let folder = tempfile::Builder::new()
        .prefix("ossature-replay-")
        .tempdir()
        .map_err(|source| Error::Scratch { source })?;
    let unusable = |reason: String| Error::Scratch {
        source: std::io::Error::new(std::io::ErrorKind::InvalidInput, reason),
    };
    if let (Some(lake), Ok(scratch)) = (lake.local_path(), folder.path().canonicalize())
        && lake
            .canonicalize()
            .is_ok_and(|lake| scratch.starts_with(lake))
    {
        return Err(unusable(
            "it would lie inside of the lake, where nothing is written".to_owned(),
        ));
    }
    let path = folder.path().to_str();
    let path = path.ok_or_else(|| unusable("its name is no UTF-8".to_owned()))?;
    let scratch = Lake::try_new(path).map_err(|error| unusable(error.to_string()))?;
    let progress = Arc::new(Progress::of_files(0));
    let observer = Arc::clone(&progress);
    let request = ReplayRequest {
        lake,
        run_id: arguments.run.clone(),
        scratch,
        graph: graph()?,
        versions: versions(),
        session: SessionSpec {
            threads: arguments.threads().min(STREAMS_MAX),
            memory_bytes_max: usize::try_from(arguments.max_memory_bytes).unwrap_or(usize::MAX),
            batch_rows: BATCH_ROWS as usize,
        },
        observer: Arc::new(move |event| observer.observe(&event)),
    };
    let replayed = tokio::select! {
        biased;
        interrupt = signals.next() => Err(Error::Stopped(interrupt)),
        replayed = ossature_pipeline::replay(&request) => replayed.map_err(Error::from),
    };
    progress.finish();
    let replay = replayed?;
    match arguments.format {
        Format::Json => print_json(&Report::of(&replay))?,
        Format::Human => print(&human(&replay))?,
    }
    match replay.differences().count() {
        0 => Ok(()),
        tables if replay.differences().all(ReplayedTable::is_unknown) => {
            let is_memory = |it: &ReplayedTable| match &it.outcome {
                ReplayOutcome::Failed { code, .. } => *code == "memory_exhausted",
                _ => false,
            };
            let is_memory = replay.differences().all(is_memory);
            Err(Error::Unreplayed { tables, is_memory })
        }
        tables => Err(Error::NotReplayed { tables }),
    }
}

/// What `--format json` prints. Scripts rely on its names.
#[derive(Serialize)]
struct Report<'a> {
    run_id: &'a str,
    is_other_environment: bool,
    tables: Vec<Table<'a>>,
}

#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    outcome: &'static str,
    recorded_hash: String,
    found_hash: Option<String>,
    code: Option<&'static str>,
    reason: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn of(replay: &'a Replay) -> Self {
        let tables = replay.tables.iter().map(|table| {
            let (found, code, reason) = match &table.outcome {
                ReplayOutcome::Differs { found } => (Some(found.to_hex()), None, None),
                ReplayOutcome::Failed { code, reason } => {
                    (None, Some(*code), Some(reason.as_str()))
                }
                ReplayOutcome::Same => (Some(table.recorded.to_hex()), None, None),
                _ => (None, None, None),
            };
            Table {
                name: &table.dataset,
                outcome: word(&table.outcome),
                recorded_hash: table.recorded.to_hex(),
                found_hash: found,
                code,
                reason,
            }
        });
        Self {
            run_id: &replay.run_id,
            is_other_environment: replay.is_other_environment,
            tables: tables.collect(),
        }
    }
}

fn word(outcome: &ReplayOutcome) -> &'static str {
    match outcome {
        ReplayOutcome::Same => "same",
        ReplayOutcome::Source => "source",
        ReplayOutcome::Differs { .. } => "differs",
        _ => "failed",
    }
}

fn human(replay: &Replay) -> String {
    let rows = replay.tables.iter().map(|it: &ReplayedTable| {
        let found = match &it.outcome {
            ReplayOutcome::Differs { found } => found.short(),
            ReplayOutcome::Failed { reason, .. } => reason.clone(),
            ReplayOutcome::Same => it.recorded.short(),
            _ => String::new(),
        };
        let outcome = word(&it.outcome).to_owned();
        vec![it.dataset.clone(), outcome, it.recorded.short(), found]
    });
    let tables = table(["table", "outcome", "recorded", "found"], rows, usize::MAX);
    let of = |wanted: &str| {
        let same = replay
            .tables
            .iter()
            .filter(|it| word(&it.outcome) == wanted);
        same.count()
    };
    let mut text = format!(
        "{tables}\nrun {}: {} tables computed again and the same, {} read, {} not the same",
        escape_control(&replay.run_id),
        of("same"),
        of("source"),
        of("differs") + of("failed"),
    );
    if replay.is_other_environment {
        text.push_str(
            "\nthe run was planned in another environment: `ossature show` tells in which one",
        );
    }
    text
}
