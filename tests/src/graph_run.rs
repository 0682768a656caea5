//! Runs of the code property graph, in this process.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use ossature_artifacts::{ExecutionProfileV1, RunOptionsV1, RunStart};
use ossature_cpg_views::{queries, sources, views};
use ossature_delta_policy::{LakeOverrides, TablePolicy};
use ossature_pipeline::{Run, RunRequest, index_consumers};
use ossature_python_extract::{Dataset, ExtractOptions, ScanOptions, extract, list_sources};
use ossature_registry::SessionSpec;
use ossature_schema_spec::DatasetName;
use ossature_view_graph::ViewGraph;

use crate::{Failure, TemporaryLake};

/// The sources and views of the graph.
pub fn graph() -> Result<ViewGraph, Failure> {
    Ok(ViewGraph::try_new(sources()?, views()?)?)
}

/// The batches of a source tree.
pub fn facts_of(root: &Path) -> Result<Vec<(Dataset, RecordBatch)>, Failure> {
    let listing = list_sources(root, &ScanOptions::everything())?;
    let mut batches = Vec::new();
    let options = ExtractOptions::with_threads(NonZeroUsize::MIN);
    extract(&listing, &options, |dataset, batch| {
        batches.push((dataset, batch));
        ControlFlow::Continue(())
    })?;
    Ok(batches)
}

/// A run whose views are computed, over these rows of the sources.
pub async fn graph_run(
    lake: &TemporaryLake,
    threads: usize,
    policy: fn(&DatasetName) -> TablePolicy,
    rows: &[(Dataset, RecordBatch)],
) -> Result<Run, Failure> {
    // Far larger than what a caller should hold.
    Box::pin(computed(lake, threads, policy, rows)).await
}

async fn computed(
    lake: &TemporaryLake,
    threads: usize,
    policy: fn(&DatasetName) -> TablePolicy,
    rows: &[(Dataset, RecordBatch)],
) -> Result<Run, Failure> {
    let session = SessionSpec {
        threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
        ..SessionSpec::default()
    };
    let start = RunStart {
        run_id: "golden".to_owned(),
        parent_run_id: None,
        source: None,
        code_version: "0.0.0".to_owned(),
        environment: None,
        profile: None,
        options: RunOptionsV1 {
            python_version: "3.14".to_owned(),
            max_file_bytes: 8 << 20,
        },
        execution: ExecutionProfileV1 {
            threads: u32::try_from(threads)?,
            memory_bytes_max: session.memory_bytes_max as u64,
            batch_rows: u32::try_from(session.batch_rows)?,
        },
        started_at_unix_ms: 0,
    };
    let mut run = Run::begin(RunRequest {
        lake: lake.lake.clone(),
        start,
        versions: BTreeMap::new(),
        consumers: index_consumers(&graph()?, &queries()).await?,
        graph: graph()?,
        policy,
        overrides: LakeOverrides::default(),
        use_cache: true,
        session,
        observer: Arc::new(|_| {}),
    })
    .await?;
    let mut writers = run.source_writers().await?;
    for (dataset, batch) in rows {
        writers.push(dataset.spec()?.name(), batch).await?;
    }
    run.finish_sources(writers).await?;
    run.compute_views().await?;
    Ok(run)
}
