//! One run: pin, plan, schedule, write, record, publish. Between runs: upkeep.
//!
//! | question | answer |
//! |---|---|
//! | how does a run begin, and what is it asked? | [`Run::begin`], [`RunRequest`] |
//! | how do rows from outside come in? | [`Run::source_writers`], [`SourceWriters::push`] |
//! | how are views computed? | [`Run::compute_views`] |
//! | when do readers see it? | [`Run::publish`] |
//! | who reads the tables, by which columns? | [`index_consumers`] |
//! | what do they skip by the statistics that a table has? | [`pruning`], [`TablePruning`] |
//! | how are the tables kept up between runs? | [`keep_up`], [`UpkeepRequest`], [`UpkeepOutcome`] |
//! | does the lake still hold what was published? | [`verify`], [`Verification`], [`Finding`] |
//! | does a run give the same, carried out again? | [`replay`], [`Replay`], [`ReplayOutcome`] |
//! | why do two runs have different fingerprints? | [`explain_difference`], [`FieldDifference`] |
//! | how does somebody keep in step with a published table? | [`FeedConsumer`], [`FeedReading`] |
//! | how is a published run read? | [`PublishedRun::open`] |
//! | what becomes of runs whose processes are gone? | [`abort_abandoned`] |
//! | who answers for a query that failed? | [`is_fault_of_query`] |
//!
//! Knows: the layers below, and their order. Does not know: Python, the graph's domain, clocks. Run id and times come in as
//! arguments.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use arrow_array::{Int64Array, RecordBatch};
//! use ossature_artifacts::{ExecutionProfileV1, RunOptionsV1, RunStart};
//! use ossature_delta_policy::{LakeOverrides, TablePolicy};
//! use ossature_pipeline::{PublishedRun, Run, RunRequest, index_consumers};
//! use ossature_registry::{Lake, SessionSpec};
//! use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
//! use ossature_view_graph::{View, ViewGraph};
//!
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # runtime.block_on(async {
//! let dataset = |name| {
//!     DatasetSpec::builder(name, "One row per thing.")
//!         .column(ColumnSpec::required("id", ColumnType::Int64)?)
//!         .key(["id"])
//!         .order_by(["id"])
//!         .build()
//! };
//! let even = View::table(dataset("cpg.even")?, "SELECT id FROM extract.things WHERE id % 2 = 0");
//! let graph = ViewGraph::try_new([dataset("extract.things")?], [even])?;
//! let folder = tempfile::tempdir()?;
//! let lake = Lake::try_new(&folder.path().to_string_lossy())?;
//!
//! let mut run = Run::begin(RunRequest {
//!     lake: lake.clone(),
//!     start: RunStart {
//!         run_id: "first".to_owned(),
//!         parent_run_id: None,
//!         source: None,
//!         code_version: "0.0.0".to_owned(),
//!         environment: None,
//!         profile: None,
//!         options: RunOptionsV1 { python_version: "3.14".to_owned(), max_file_bytes: 1 << 23 },
//!         execution: ExecutionProfileV1 { threads: 1, memory_bytes_max: 1 << 29, batch_rows: 8192 },
//!         started_at_unix_ms: 0,
//!     },
//!     versions: BTreeMap::new(),
//!     graph: graph.clone(),
//!     consumers: index_consumers(&graph, &[]).await?,
//!     policy: |_| TablePolicy::default(),
//!     overrides: LakeOverrides::default(),
//!     use_cache: true,
//!     session: SessionSpec::default(),
//!     observer: Arc::new(|_| {}),
//! })
//! .await?;
//! let mut sources = run.source_writers().await?;
//! let rows = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1, 2, 4])) as _)])?;
//! sources.push(dataset("extract.things")?.name(), &rows).await?;
//! run.finish_sources(sources).await?;
//! run.compute_views().await?;
//! run.publish(1, None, None).await?;
//!
//! let published = PublishedRun::open(&lake, &graph, None, &SessionSpec::default()).await?;
//! let even = published.catalog().session().sql("SELECT id FROM even").await?;
//! assert_eq!(even.count().await?, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod consumers;
mod difference;
mod error;
mod event;
mod failures;
mod fault;
mod feed;
#[cfg(test)]
mod fixture;
mod pruning;
mod published;
mod replay;
mod run;
mod sources;
mod upkeep;
mod verify;

pub use consumers::{index_consumers, used_columns};
pub use difference::{DifferenceKind, FieldDifference, RunDifference, explain_difference};
pub use error::{Error, describe, own_words};
pub use event::{Event, Observer};
pub use fault::is_fault_of_query;
pub use feed::{FeedConsumer, FeedReading, FeedRows, OnBrokenFeed};
pub use pruning::{ColumnStatistics, PruningRequest, QueryPruning, TablePruning, pruning};
pub use published::PublishedRun;
pub use replay::{Replay, ReplayOutcome, ReplayRequest, ReplayedTable, replay};
pub use run::{Run, RunRequest, abort_abandoned};
pub use sources::SourceWriters;
pub use upkeep::{UpkeepOutcome, UpkeepRequest, keep_up};
pub use verify::{
    Difference, Finding, Verification, VerifiedRuns, VerifiedTable, VerifyRequest, verify,
};

pub use ossature_write_pipeline::{Damage, UnusableConstraint, check_constraints};
