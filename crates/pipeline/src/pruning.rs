//! What readers of a table skip: predicted from the log when their queries are planned, and measured by running them.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use ossature_artifacts::{OutputV1, StatsDecisionV1, StoredArtifacts};
use ossature_delta_policy::UsedColumn;
use ossature_registry::{Lake, LoggedFile, SessionSpec};
use ossature_schema_spec::{ColumnSpec, DatasetName};
use ossature_view_graph::{ConsumerIndex, SavedQuery, Suggestion, ViewGraph, suggestions};

use crate::consumers::used_columns;
use crate::{Error, PublishedRun};

/// Whose reading of which table is looked at.
#[derive(Debug, Clone)]
pub struct PruningRequest {
    /// Where the table lies.
    pub lake: Lake,
    /// The run whose version is read; the newest published one without it.
    pub run_id: Option<String>,
    /// The table.
    pub dataset: DatasetName,
    /// Sources and views.
    pub graph: ViewGraph,
    /// Who reads the tables, and by which columns.
    pub consumers: ConsumerIndex,
    /// The queries that are run. Views are not: they read their inputs whole.
    pub queries: Vec<SavedQuery>,
    /// The session that runs them.
    pub session: SessionSpec,
}

/// What is known of a table's statistics, and what comes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TablePruning {
    /// What was read.
    pub output: OutputV1,
    /// Its columns, in their order.
    pub columns: Vec<ColumnStatistics>,
    /// What the queries skip that read the table, in the order in which they were given.
    pub queries: Vec<QueryPruning>,
}

/// The statistics of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ColumnStatistics {
    /// The column.
    pub column: ColumnSpec,
    /// Whether the run decided that the log keeps its bounds.
    pub is_indexed: bool,
    /// Why the run decided otherwise, as a stable identifier, where it was a candidate.
    pub reason: Option<String>,
    /// Files of the version of which the log has its bounds.
    pub files_bounded: usize,
    /// Who reads by it, as of now, if anybody does.
    pub used: Option<UsedColumn>,
    /// What it could have besides.
    pub suggestions: BTreeSet<Suggestion>,
}

/// What one query skips of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryPruning {
    /// The query.
    pub query: String,
    /// How often it scans the table.
    pub scans: usize,
    /// Files in all of its scans of the table.
    pub files: usize,
    /// Files that are left when the query has been planned: the log tells of the others that they hold nothing of it.
    pub files_planned: usize,
    /// Files that were opened when it ran; values that are only known then may skip more.
    pub files_opened: usize,
    /// Bytes that were read of them.
    pub bytes_read: u64,
    /// Why it could not be run.
    pub failure: Option<String>,
}

/// Tells what statistics a published table has, and what the queries that read it skip by them. Every query is run once, and its
/// rows are counted and let go.
///
/// **Errors**: [`Error::NotPublished`], [`Error::NothingPublished`], [`Error::NoSuchRun`], [`Error::Records`],
/// [`Error::Registry`]. A query that fails says so itself.
pub async fn pruning(request: &PruningRequest) -> Result<TablePruning, Error> {
    let PruningRequest {
        lake,
        run_id,
        dataset,
        graph,
        consumers,
        queries,
        session,
    } = request;
    let published = PublishedRun::open(lake, graph, run_id.as_deref(), session).await?;
    let manifest = published.manifest();
    let unpublished = || Error::NotPublished {
        dataset: dataset.clone(),
        run_id: manifest.run_id.clone(),
    };
    let output = manifest.output(dataset.as_str()).ok_or_else(unpublished)?;
    let contract = graph.contract(dataset).ok_or_else(unpublished)?;
    let open = output.published().open(&lake.location(dataset)?).await?;
    let files = open.logged_files()?;
    let writes = StoredArtifacts::of(lake, &manifest.run_id).await?.writes;
    let write = writes.iter().find(|it| it.dataset == output.name);
    let write = write.ok_or_else(|| Error::Unrecorded {
        dataset: output.name.clone(),
        what: "write",
    })?;
    let decision = &write.policy.statistics.value;
    let used = used_columns(consumers, contract);
    let mut suggested = suggestions(contract, &consumers.candidates(contract));
    let columns = contract.columns().iter().map(|column| ColumnStatistics {
        suggestions: suggested.remove(column.name()).unwrap_or_default(),
        ..column_statistics(column, decision, &files, &used)
    });
    let columns = columns.collect();
    let readers = consumers.consumers(dataset);
    let mut pruned = Vec::new();
    for query in queries
        .iter()
        .filter(|it| readers.contains(it.name.as_ref()))
    {
        pruned.push(query_pruning(&published, dataset, query, &files).await);
    }
    Ok(TablePruning {
        output: output.clone(),
        columns,
        queries: pruned,
    })
}

fn column_statistics(
    column: &ColumnSpec,
    decision: &StatsDecisionV1,
    files: &[LoggedFile],
    used: &[UsedColumn],
) -> ColumnStatistics {
    let name = column.name();
    let dropped = decision.dropped.iter();
    let mut reasons = dropped
        .filter(|it| it.column == name.as_str())
        .map(|it| it.reason.clone());
    ColumnStatistics {
        column: column.clone(),
        is_indexed: decision.columns.iter().any(|it| it == name.as_str()),
        reason: reasons.next(),
        files_bounded: files
            .iter()
            .filter(|it| it.bounded.contains(name.as_str()))
            .count(),
        used: used.iter().find(|it| it.column == *name).cloned(),
        suggestions: BTreeSet::new(),
    }
}

async fn query_pruning(
    published: &PublishedRun,
    dataset: &DatasetName,
    query: &SavedQuery,
    files: &[LoggedFile],
) -> QueryPruning {
    let mut pruning = QueryPruning {
        query: query.name.to_string(),
        scans: 0,
        files: 0,
        files_planned: 0,
        files_opened: 0,
        bytes_read: 0,
        failure: None,
    };
    if let Err(error) = run(published, dataset, &query.sql, files, &mut pruning).await {
        pruning.failure = Some(error.strip_backtrace());
    }
    pruning
}

async fn run(
    published: &PublishedRun,
    dataset: &DatasetName,
    sql: &str,
    files: &[LoggedFile],
    pruning: &mut QueryPruning,
) -> Result<(), DataFusionError> {
    let session = published.catalog().session();
    let (state, query) = session.sql(sql).await?.into_parts();
    let query = state.optimize(&query)?;
    let stage = &state.config_options().catalog.default_schema;
    // A scan of which no file is left is not in the physical plan.
    query.apply_with_subqueries(|node| {
        // A recursive query may be called like the table.
        if let LogicalPlan::TableScan(scan) = node
            && source_as_provider(&scan.source)?
                .downcast_ref::<CteWorkTable>()
                .is_none()
            && scan.table_name.table() == dataset.table()
            && scan.table_name.schema().unwrap_or(stage) == dataset.stage()
        {
            pruning.scans += 1;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let planner = state.query_planner();
    let plan = planner.create_physical_plan(&query, &state).await?;
    let mut scans = Vec::new();
    find_scans(&plan, &paths_of(dataset, files), &mut scans);
    pruning.files = pruning.scans * files.len();
    pruning.files_planned = scans.iter().map(|scan| scan.files).sum();
    let mut rows = execute_stream(plan, session.task_ctx())?;
    while let Some(batch) = rows.next().await {
        batch?;
    }
    for scan in scans {
        pruning.files_opened += counted(&scan.node, "files_opened");
        pruning.bytes_read += counted(&scan.node, "bytes_scanned") as u64;
    }
    Ok(())
}

/// A scan of the table in a plan.
struct Scan {
    node: Arc<dyn ExecutionPlan>,
    files: usize,
}

/// The ends of the paths under which stores know the files of a table.
fn paths_of(dataset: &DatasetName, files: &[LoggedFile]) -> BTreeSet<String> {
    let paths = files.iter();
    let paths = paths.map(|file| format!("/{}/{}", dataset.table(), file.path));
    paths.collect()
}

/// Scans whose files are those of the table.
fn find_scans(plan: &Arc<dyn ExecutionPlan>, paths: &BTreeSet<String>, scans: &mut Vec<Scan>) {
    if let Some(source) = plan.downcast_ref::<DataSourceExec>()
        && let Some(config) = source.data_source().downcast_ref::<FileScanConfig>()
    {
        let groups = config.file_groups.iter().flat_map(FileGroup::iter);
        let opened: BTreeSet<String> = groups
            .map(|it| format!("/{}", it.object_meta.location))
            .collect();
        let is_of_table = |it: &&String| paths.iter().any(|path| it.ends_with(path));
        let of_table = opened.iter().filter(is_of_table).count();
        if of_table > 0 {
            scans.push(Scan {
                node: Arc::clone(plan),
                files: of_table,
            });
        }
    }
    for child in plan.children() {
        find_scans(child, paths, scans);
    }
}

fn counted(node: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let metrics = node.metrics().and_then(|all| all.sum_by_name(name));
    metrics.map_or(0, |value| value.as_usize())
}
