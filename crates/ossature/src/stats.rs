//! `ossature stats`: which statistics a table has and why, and what those who read it skip by them.

use std::collections::BTreeMap;

use indicatif::{HumanBytes, HumanCount};
use ossature_pipeline::{ColumnStatistics, PruningRequest, QueryPruning, TablePruning, pruning};
use ossature_registry::{Lake, SessionSpec};
use ossature_schema_spec::DatasetName;
use ossature_view_graph::SavedQuery;
use serde::Serialize;

use crate::cli::{Format, StatsArguments, available_threads};
use crate::error::Error;
use crate::graph::graph;
use crate::interrupt::Signals;
use crate::output::{print, print_json, table};
use crate::policy::{Kept, check_names};

/// Tells of one table.
pub(crate) async fn stats(arguments: StatsArguments) -> Result<(), Error> {
    let graph = graph()?;
    check_names(std::slice::from_ref(&arguments.table), &graph)?;
    let Kept {
        queries, consumers, ..
    } = Kept::by(arguments.policy.as_deref(), &graph).await?;
    let dataset = DatasetName::try_new(&arguments.table).map_err(|_| Error::NoSuchTable {
        found: arguments.table.clone(),
        nearest: None,
    })?;
    let request = PruningRequest {
        lake: Lake::try_new(&arguments.lake).map_err(ossature_pipeline::Error::from)?,
        run_id: arguments.run,
        dataset,
        graph,
        consumers,
        queries,
        session: SessionSpec {
            threads: available_threads(),
            ..SessionSpec::default()
        },
    };
    let mut signals = Signals::listen().map_err(|source| Error::Runtime { source })?;
    let found = tokio::select! {
        biased;
        interrupt = signals.next() => return Err(Error::Stopped(interrupt)),
        found = Box::pin(pruning(&request)) => found?,
    };
    match arguments.format {
        Format::Json => print_json(&Report::of(&found, &request.queries))?,
        Format::Human => print(&human(&found))?,
    }
    let failed = found.queries.iter().filter(|query| query.failure.is_some());
    match failed.count() {
        0 => Ok(()),
        queries => Err(Error::QueriesFailed { queries }),
    }
}

/// What `--format json` prints. Scripts rely on its names.
#[derive(Serialize)]
struct Report<'a> {
    table: &'a str,
    version: u64,
    rows: u64,
    files: u64,
    bytes: u64,
    columns: Vec<Column<'a>>,
    queries: Vec<Query<'a>>,
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_name: String,
    is_indexed: bool,
    reason: Option<&'a str>,
    files_bounded: usize,
    score: u32,
    roles: BTreeMap<&'a str, Vec<&'a str>>,
    suggestions: Vec<&'static str>,
}

#[derive(Serialize)]
struct Query<'a> {
    name: &'a str,
    sql: &'a str,
    scans: usize,
    files: usize,
    files_planned: usize,
    files_opened: usize,
    bytes_read: u64,
    failure: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn of(found: &'a TablePruning, queries: &'a [SavedQuery]) -> Self {
        let columns = found.columns.iter().map(|it| {
            let used = it.used.iter();
            let roles = used.clone().flat_map(|used| &used.roles);
            Column {
                name: it.column.name().as_str(),
                type_name: it.column.column_type().to_string(),
                is_indexed: it.is_indexed,
                reason: it.reason.as_deref(),
                files_bounded: it.files_bounded,
                score: used.map(|used| used.score).sum(),
                suggestions: it.suggestions.iter().map(|it| it.as_str()).collect(),
                roles: roles
                    .map(|(role, consumers)| {
                        (
                            role.as_str(),
                            consumers.iter().map(String::as_str).collect(),
                        )
                    })
                    .collect(),
            }
        });
        let pruned = found.queries.iter().map(|it| {
            let query = queries.iter().find(|query| query.name == it.query);
            Query {
                name: &it.query,
                sql: query.map_or("", |query| query.sql.as_ref()),
                scans: it.scans,
                files: it.files,
                files_planned: it.files_planned,
                files_opened: it.files_opened,
                bytes_read: it.bytes_read,
                failure: it.failure.as_deref(),
            }
        });
        Self {
            table: &found.output.name,
            version: found.output.version,
            rows: found.output.rows,
            files: found.output.files,
            bytes: found.output.bytes,
            columns: columns.collect(),
            queries: pruned.collect(),
        }
    }
}

fn human(found: &TablePruning) -> String {
    let output = &found.output;
    let title = format!(
        "{} v{}: {} rows in {} files of {}",
        output.name,
        output.version,
        HumanCount(output.rows),
        HumanCount(output.files),
        HumanBytes(output.bytes),
    );
    let columns = found.columns.iter().map(column_row);
    let columns = table(
        [
            "column",
            "type",
            "bounds",
            "files",
            "score",
            "read by",
            "could have",
        ],
        columns,
        usize::MAX,
    );
    if found.queries.is_empty() {
        return format!("{title}\n{columns}\nno saved query reads it");
    }
    let queries = found.queries.iter().map(query_row);
    let queries = table(
        ["query", "scans", "files", "planned", "opened", "read"],
        queries,
        1,
    );
    format!("{title}\n{columns}\n{queries}")
}

fn column_row(it: &ColumnStatistics) -> Vec<String> {
    let roles = it.used.iter().flat_map(|used| &used.roles);
    // What is only read needs no bounds.
    let roles = roles.filter(|(role, _)| !matches!(role.as_str(), "read" | "projected"));
    let roles = roles.map(|(role, consumers)| format!("{role} {}", consumers.len()));
    let bounds = match &it.reason {
        _ if it.is_indexed => "yes",
        Some(reason) => reason,
        None => "",
    };
    vec![
        it.column.name().to_string(),
        it.column.column_type().to_string(),
        bounds.to_owned(),
        it.files_bounded.to_string(),
        it.used.as_ref().map_or(0, |used| used.score).to_string(),
        roles.collect::<Vec<_>>().join(", "),
        it.suggestions
            .iter()
            .map(|it| it.as_str())
            .collect::<Vec<_>>()
            .join(", "),
    ]
}

fn query_row(it: &QueryPruning) -> Vec<String> {
    let read = match &it.failure {
        Some(failure) => failure.clone(),
        None => HumanBytes(it.bytes_read).to_string(),
    };
    vec![
        it.query.clone(),
        it.scans.to_string(),
        it.files.to_string(),
        it.files_planned.to_string(),
        it.files_opened.to_string(),
        read,
    ]
}
