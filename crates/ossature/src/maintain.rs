//! `ossature maintain`: the upkeep of a lake's tables.

use std::collections::BTreeSet;

use ossature_artifacts::{MaintenanceFactV1, RunLedger};
use ossature_pipeline::{UpkeepOutcome, UpkeepRequest, keep_up};
use ossature_registry::Lake;

use crate::build::now_unix_ms;
use crate::cli::{Format, MaintainArguments, available_threads};
use crate::error::Error;
use crate::graph::graph;
use crate::interrupt::Signals;
use crate::lock::LakeLock;
use crate::output::{print, print_json, table};
use crate::policy::Kept;

/// Keeps the tables of a lake up, and tells what was done to each.
pub(crate) async fn maintain(arguments: MaintainArguments) -> Result<(), Error> {
    let lake = Lake::try_new(&arguments.lake).map_err(ossature_pipeline::Error::from)?;
    let graph = graph()?;
    let kept = Kept::by(arguments.policy.as_deref(), &graph).await?;
    let (overrides, consumers) = (kept.overrides, kept.consumers);
    let mut signals = Signals::listen().map_err(|source| Error::Runtime { source })?;
    let _lock = lock(&lake, arguments.dry_run, &mut signals).await?;
    let request = UpkeepRequest {
        lake,
        graph,
        consumers,
        policy: ossature_cpg_views::policy,
        overrides,
        maintenance_id: format!("maintenance-{}", uuid::Uuid::now_v7()),
        at_unix_ms: now_unix_ms(),
        threads: available_threads(),
        is_dry_run: arguments.dry_run,
    };
    let UpkeepOutcome {
        facts, failures, ..
    } = tokio::select! {
        biased;
        interrupt = signals.next() => return Err(Error::Stopped(interrupt)),
        kept_up = keep_up(&request) => kept_up?,
    };
    match arguments.format {
        Format::Json => print_json(&facts)?,
        Format::Human => print(&human(&facts, arguments.dry_run))?,
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Error::Upkeep(failures))
    }
}

/// The lake's lock, which a dry run does without: taking it writes a file. So does a lake without runs, which is none.
async fn lock(
    lake: &Lake,
    is_dry_run: bool,
    signals: &mut Signals,
) -> Result<Option<LakeLock>, Error> {
    let runs = RunLedger::of(lake).runs().await;
    let runs = runs.map_err(ossature_pipeline::Error::from)?;
    if is_dry_run || runs.is_empty() {
        return Ok(None);
    }
    let lock = LakeLock::take(lake, signals).await?;
    lock.abort_abandoned(lake).await?;
    Ok(Some(lock))
}

/// What was done, or would be. What is not due is counted; `--format json` tells why.
fn human(facts: &[MaintenanceFactV1], is_dry_run: bool) -> String {
    let done = facts.iter().filter(|fact| fact.is_done);
    let rows = done.clone().map(|fact| {
        vec![
            fact.dataset.clone(),
            fact.upkeep.clone(),
            fact.reason.clone(),
            fact.files_added.to_string(),
            fact.files_removed.to_string(),
            fact.deleted.len().to_string(),
        ]
    });
    let tables: BTreeSet<&str> = facts.iter().map(|fact| fact.dataset.as_str()).collect();
    let (due, tables) = (done.clone().count(), tables.len());
    let told = if is_dry_run { "would be done" } else { "done" };
    if due == 0 {
        return format!("{tables} tables looked at: nothing to do");
    }
    let counted = format!("{tables} tables looked at; {told}: {due}");
    let headings = ["table", told, "why", "added", "removed", "deleted"];
    format!("{}\n{counted}", table(headings, rows, 3))
}
