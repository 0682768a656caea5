//! What is not as it was when a run is carried out again.

use std::path::Path;

use ossature_artifacts::{ArtifactTable, CacheStatusV1, RunCompletion, RunLedger};
use ossature_delta_policy::{PolicyOverrides, TablePolicy, resolve};
use ossature_schema_spec::{ColumnName, ColumnSpec, ColumnType, DatasetName, DatasetSpecBuilder};
use ossature_view_graph::View;
use ossature_write_pipeline::TableWriter;

use super::*;
use crate::{PublishedRun, Run, RunRequest, fixture};

fn dataset(name: &str, columns: &[&str]) -> DatasetSpec {
    let builder = DatasetSpec::builder(name, "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap());
    let columns = columns.iter();
    let columns = columns.map(|it| ColumnSpec::nullable(it, ColumnType::Int64).unwrap());
    let builder = columns.fold(builder, DatasetSpecBuilder::column);
    builder.key(["id"]).order_by(["id"]).build().unwrap()
}

fn graph(sources: &[&str], view: &[&str], sql: &'static str) -> ViewGraph {
    let view = View::table(dataset("cpg.even", view), sql);
    ViewGraph::try_new([dataset("extract.things", sources)], [view]).unwrap()
}

const EVEN: &str = "SELECT id FROM extract.things WHERE id % 2 = 0";

fn versions(program: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("program".to_owned(), program.to_owned())])
}

async fn built(folder: &Path, graph: &ViewGraph) -> Lake {
    let lake = Lake::try_new(folder.to_str().unwrap()).unwrap();
    let mut run = Run::begin(RunRequest {
        versions: versions("1"),
        ..fixture::request(&lake, "first", graph.clone())
    })
    .await
    .unwrap();
    let mut sources = run.source_writers().await.unwrap();
    let rows = fixture::rows([1, 2, 4]);
    let things = dataset("extract.things", &[]);
    sources.push(things.name(), &rows).await.unwrap();
    run.finish_sources(sources).await.unwrap();
    run.compute_views().await.unwrap();
    run.publish(2, None, None).await.unwrap();
    lake
}

/// The outcome of the view, as a word or a code and a reason, and whether the environment is another one.
async fn replayed(lake: &Lake, graph: ViewGraph, program: &str) -> (String, bool) {
    let scratch = tempfile::tempdir().unwrap();
    let request = ReplayRequest {
        lake: lake.clone(),
        run_id: None,
        scratch: Lake::try_new(scratch.path().to_str().unwrap()).unwrap(),
        graph,
        versions: versions(program),
        session: SessionSpec::default(),
        observer: Arc::new(|_| {}),
    };
    let replay = replay(&request).await.unwrap();
    // What was compared does not stay.
    let left = std::fs::read_dir(scratch.path().join("cpg"));
    assert_eq!(left.map_or(0, Iterator::count), 0);
    let view = replay
        .tables
        .iter()
        .find(|it| it.dataset == "cpg.even")
        .unwrap();
    let outcome = match &view.outcome {
        ReplayOutcome::Failed { code, reason } => format!("{code}: {reason}"),
        other => format!("{other:?}"),
    };
    (outcome, replay.is_other_environment)
}

#[tokio::test]
async fn what_is_declared_otherwise_is_not_computed_again() {
    let folder = tempfile::tempdir().unwrap();
    let as_it_was = graph(&[], &[], EVEN);
    let lake = Box::pin(built(folder.path(), &as_it_was)).await;
    assert_eq!(
        replayed(&lake, as_it_was.clone(), "1").await,
        ("Same".to_owned(), false)
    );
    // What a view says now does not matter: its plan was recorded.
    let reworded = graph(&[], &[], "SELECT id FROM extract.things");
    assert_eq!(replayed(&lake, reworded, "1").await.0, "Same");
    // Another version of the program may compute the same, and says that it is another one.
    assert_eq!(
        replayed(&lake, as_it_was, "2").await,
        ("Same".to_owned(), true)
    );

    let wider = graph(&[], &["size"], "SELECT id, id AS size FROM extract.things");
    let (outcome, _) = replayed(&lake, wider, "1").await;
    assert!(outcome.starts_with("cannot_replay: "), "{outcome}");
    assert!(
        outcome.contains("declared otherwise: its contract was"),
        "{outcome}"
    );
    let (outcome, _) = replayed(&lake, graph(&["size"], &[], EVEN), "1").await;
    assert!(outcome.starts_with("cannot_replay: "), "{outcome}");
    assert!(
        outcome.contains("`extract.things`, which it reads, is declared otherwise"),
        "{outcome}"
    );
    let none = ViewGraph::try_new([dataset("extract.things", &[])], []).unwrap();
    let (outcome, _) = replayed(&lake, none, "1").await;
    assert!(outcome.contains("it is not declared any more"), "{outcome}");
}

#[tokio::test]
async fn a_run_without_its_records_is_not_carried_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let as_it_was = graph(&[], &[], EVEN);
    let lake = Box::pin(built(folder.path(), &as_it_was)).await;
    std::fs::remove_dir_all(folder.path().join("_ossature/plan_artifacts")).unwrap();
    let (outcome, _) = replayed(&lake, as_it_was, "1").await;
    assert_eq!(
        outcome,
        "unrecorded: there is no record of the plan of `cpg.even`"
    );
}

/// Appends the rows that a run has in a table of records once more, as those of another run.
async fn copy_records(lake: &Lake, table: ArtifactTable, run_id: &str) {
    let none = ViewGraph::try_new([], []).unwrap();
    let session = SessionSpec::default();
    let run = PublishedRun::open(lake, &none, None, &session)
        .await
        .unwrap();
    let sql = format!(
        "SELECT * REPLACE ('{run_id}' AS run_id) FROM {}",
        table.name()
    );
    let rows = run.catalog().session().sql(&sql).await.unwrap();
    let rows = rows.collect().await.unwrap();
    let contract = table.spec().unwrap();
    let none = PolicyOverrides::none();
    let request = WriteRequest {
        location: lake.location(contract.name()).unwrap(),
        policy: resolve(&none, &none, &contract, &table.policy(), &[]).unwrap(),
        contract,
        mode: WriteMode::Append,
        provenance: Provenance {
            run_id: run_id.to_owned(),
            at_unix_ms: 3,
            plan: None,
            transaction: None,
            metadata: BTreeMap::new(),
        },
    };
    let pool = EncodePool::try_new(std::num::NonZeroUsize::MIN).unwrap();
    let mut writer = TableWriter::open(request, pool).await.unwrap();
    for batch in &rows {
        writer.push(batch).await.unwrap();
    }
    writer.finish().await.unwrap();
}

/// The manifest names the records of each table by their digests: records that tell something else belong to no run.
#[tokio::test]
async fn records_that_the_run_does_not_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let as_it_was = graph(&[], &[], EVEN);
    let lake = Box::pin(built(folder.path(), &as_it_was)).await;
    for table in [ArtifactTable::PlanArtifacts, ArtifactTable::WriteArtifacts] {
        copy_records(&lake, table, "forged").await;
    }
    let ledger = RunLedger::of(&lake);
    let first = ledger.latest_completed().await.unwrap().unwrap();
    let start = fixture::start("forged");
    ledger.begin(&start).await.unwrap();
    let mut outputs = first.outputs.clone();
    let view = outputs.iter_mut().find(|it| it.name == "cpg.even").unwrap();
    view.write_artifact_id = view.content_hash;
    let completion = RunCompletion {
        ended_at_unix_ms: 4,
        inputs: first.inputs.clone(),
        outputs,
        extract: None,
        calls: None,
    };
    ledger.complete("forged", &completion).await.unwrap();
    let (outcome, _) = replayed(&lake, as_it_was, "1").await;
    assert!(
        outcome.starts_with("record_differs: the records of `cpg.even`"),
        "{outcome}"
    );
}

/// Rows of a clustered view are placed by how their values are spread, in the run and when it is carried out again.
#[tokio::test]
async fn a_clustered_view_is_written_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::try_new(folder.path().to_str().unwrap()).unwrap();
    let builder = DatasetSpec::builder("cpg.even", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .column(ColumnSpec::required("other", ColumnType::Int64).unwrap());
    let sql = "SELECT id, -id AS other FROM extract.things";
    let view = View::table(builder.build().unwrap(), sql);
    let graph = ViewGraph::try_new([dataset("extract.things", &[])], [view]).unwrap();
    let request = |run_id: &str| RunRequest {
        versions: versions("1"),
        policy: |dataset| {
            let columns = ["id", "other"].map(|name| ColumnName::try_new(name).unwrap());
            match dataset.as_str() {
                "cpg.even" => TablePolicy::default().cluster_by(columns.to_vec()),
                _ => TablePolicy::default(),
            }
        },
        ..fixture::request(&lake, run_id, graph.clone())
    };
    request("first").check_tables().await.unwrap();
    let name = DatasetName::try_new("extract.things").unwrap();
    for (run_id, status) in [
        ("first", CacheStatusV1::Miss),
        ("again", CacheStatusV1::Hit),
    ] {
        let mut run = Run::begin(request(run_id)).await.unwrap();
        let mut sources = run.source_writers().await.unwrap();
        let rows = fixture::rows([1, 2, 4]);
        sources.push(&name, &rows).await.unwrap();
        run.finish_sources(sources).await.unwrap();
        run.compute_views().await.unwrap();
        let found: Vec<_> = run.decisions().iter().map(|it| it.status).collect();
        assert_eq!(found, [status], "{run_id}");
        run.publish(2, None, None).await.unwrap();
    }
    assert_eq!(
        replayed(&lake, graph, "1").await,
        ("Same".to_owned(), false)
    );
}
