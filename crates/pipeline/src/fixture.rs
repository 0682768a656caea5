//! What the tests of runs have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use ossature_artifacts::{ExecutionProfileV1, RunOptionsV1, RunStart};
use ossature_delta_policy::{LakeOverrides, TablePolicy};
use ossature_registry::{Lake, SessionSpec};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
use ossature_view_graph::{ConsumerIndex, ViewGraph};

use crate::RunRequest;

/// A dataset of things that have no more than an id.
pub(crate) fn dataset(name: &str) -> DatasetSpec {
    DatasetSpec::builder(name, "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .key(["id"])
        .order_by(["id"])
        .build()
        .unwrap()
}

/// Things by their ids.
pub(crate) fn rows(ids: impl IntoIterator<Item = i64>) -> RecordBatch {
    let ids: Int64Array = ids.into_iter().map(Some).collect();
    RecordBatch::try_from_iter([("id", Arc::new(ids) as _)]).unwrap()
}

/// What is known of a run that begins.
pub(crate) fn start(run_id: &str) -> RunStart {
    RunStart {
        run_id: run_id.to_owned(),
        parent_run_id: None,
        source: None,
        code_version: "0.0.0".to_owned(),
        environment: None,
        profile: None,
        options: RunOptionsV1 {
            python_version: "3.14".to_owned(),
            max_file_bytes: 1 << 23,
        },
        execution: ExecutionProfileV1 {
            threads: 1,
            memory_bytes_max: 1 << 29,
            batch_rows: 8192,
        },
        started_at_unix_ms: 1,
    }
}

/// A run over a graph, of which nothing else is asked.
pub(crate) fn request(lake: &Lake, run_id: &str, graph: ViewGraph) -> RunRequest {
    RunRequest {
        lake: lake.clone(),
        start: start(run_id),
        versions: BTreeMap::new(),
        graph,
        consumers: ConsumerIndex::default(),
        policy: |_| TablePolicy::default(),
        overrides: LakeOverrides::default(),
        use_cache: true,
        session: SessionSpec::default(),
        observer: Arc::new(|_| {}),
    }
}
