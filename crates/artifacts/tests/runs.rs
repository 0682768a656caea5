//! Runs and their artifacts in real tables.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use datafusion::arrow::util::pretty::pretty_format_batches;
use expect_test::{Expect, expect};
use ossature_artifacts::{
    ArtifactTable, CallCoverageV1, Envelope, Error, ExecutionProfileV1, ExtractSummaryV1,
    OutputRecords, OutputV1, PinV1, PlanArtifactV1, RunArtifacts, RunCompletion, RunLedger,
    RunManifestV1, RunOptionsV1, RunRecord, RunStart, ScanArtifactV1, StoredArtifacts,
    WriteArtifactV1,
};
use ossature_delta_policy::{PolicyOverrides, TablePolicy, resolve};
use ossature_lineage::{PlanBundle, PlanContext};
use ossature_registry::{Catalog, Dataset, Lake, SessionSpec, open_dataset};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Fingerprint, TablePin, Version};
use ossature_write_pipeline::{
    EncodePool, Provenance, TableWriter, WriteMode, WriteOutcome, WriteRequest,
};
use tempfile::TempDir;

fn lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::try_new(&folder.path().to_string_lossy()).unwrap();
    (folder, lake)
}

fn start(run_id: &str, started_at_unix_ms: i64) -> RunStart {
    RunStart {
        run_id: run_id.to_owned(),
        parent_run_id: None,
        source: Some("src".to_owned()),
        code_version: "0.1.0".to_owned(),
        environment: None,
        profile: None,
        options: RunOptionsV1 {
            python_version: "3.13".to_owned(),
            max_file_bytes: 1 << 22,
        },
        execution: ExecutionProfileV1 {
            threads: 1,
            memory_bytes_max: 512 << 20,
            batch_rows: 8192,
        },
        started_at_unix_ms,
    }
}

fn completion(ended_at_unix_ms: i64) -> RunCompletion {
    RunCompletion {
        ended_at_unix_ms,
        inputs: Vec::new(),
        outputs: Vec::new(),
        extract: None,
        calls: None,
    }
}

fn things() -> DatasetSpec {
    DatasetSpec::builder("extract.things", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .column(ColumnSpec::nullable("size", ColumnType::Int64).unwrap())
        .key(["id"])
        .order_by(["id"])
        .build()
        .unwrap()
}

async fn write_things(lake: &Lake, run_id: &str, ids: &[i64]) -> WriteOutcome {
    let contract = things();
    let none = PolicyOverrides::none();
    let request = WriteRequest {
        location: lake.location(contract.name()).unwrap(),
        policy: resolve(&none, &none, &contract, &TablePolicy::default(), &[]).unwrap(),
        contract,
        mode: WriteMode::Overwrite,
        provenance: Provenance {
            run_id: run_id.to_owned(),
            at_unix_ms: 0,
            plan: None,
            transaction: None,
            metadata: BTreeMap::new(),
        },
    };
    let column = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let rows = [("id", column(ids)), ("size", column(ids))];
    let rows = RecordBatch::try_from_iter(rows).unwrap();
    let pool = EncodePool::try_new(NonZeroUsize::MIN).unwrap();
    let mut writer = TableWriter::open(request, pool).await.unwrap();
    writer.push(&rows).await.unwrap();
    writer.finish().await.unwrap()
}

async fn open(contract: &DatasetSpec, lake: &Lake, version: Option<Version>) -> Dataset {
    let location = lake.location(contract.name()).unwrap();
    open_dataset(contract, &location, version).await.unwrap()
}

async fn pin_of(outcome: &WriteOutcome, lake: &Lake) -> TablePin {
    let dataset = open(&outcome.contract, lake, Some(outcome.version)).await;
    dataset.facts().pin.clone()
}

/// Queries an artifact table as anybody would.
async fn check(lake: &Lake, table: ArtifactTable, sql: &str, want: &Expect) {
    let dataset = open(&table.spec().unwrap(), lake, None).await;
    let mut catalog = Catalog::new(SessionSpec::default().build().unwrap());
    catalog.register(&dataset).unwrap();
    let rows = catalog.session().sql(sql).await.unwrap();
    let rows = rows.collect().await.unwrap();
    want.assert_eq(&pretty_format_batches(&rows).unwrap().to_string());
}

fn render(runs: &[RunRecord]) -> String {
    let line = |run: &RunRecord| {
        let RunManifestV1 {
            run_id,
            run_number,
            status,
            started_at_unix_ms,
            ended_at_unix_ms,
            ..
        } = &run.manifest;
        let end = ended_at_unix_ms.map_or("...".to_owned(), |it| it.to_string());
        format!(
            "{run_number} {run_id} {} {started_at_unix_ms} to {end}",
            status.as_str()
        )
    };
    runs.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The records of an output that no plan computed.
fn unplanned() -> OutputRecords {
    OutputRecords {
        plan: None,
        write_artifact_id: Fingerprint::from_bytes([7; 32]),
        cache_status: None,
    }
}

#[tokio::test]
async fn a_lake_without_a_ledger_has_no_runs() {
    let (_folder, lake) = lake();
    let ledger = RunLedger::of(&lake);
    assert_eq!(ledger.runs().await.unwrap(), []);
    assert_eq!(ledger.latest_completed().await.unwrap(), None);
    assert_eq!(ledger.next_run_number().await.unwrap(), 1);
}

#[tokio::test]
async fn readers_see_a_run_when_it_has_completed_and_not_before() {
    let (_folder, lake) = lake();
    let ledger = RunLedger::of(&lake);
    let first = ledger.begin(&start("a", 10)).await.unwrap();
    assert_eq!(ledger.latest_completed().await.unwrap(), None);
    let outcome = write_things(&lake, "a", &[1, 2, 3]).await;
    let done = RunCompletion {
        inputs: vec![PinV1::from(&open(&things(), &lake, None).await.facts().pin)],
        outputs: vec![OutputV1::of(
            &outcome,
            &pin_of(&outcome, &lake).await,
            unplanned(),
        )],
        extract: Some(ExtractSummaryV1 {
            listed: 2,
            parsed: 1,
            partial: 1,
            skipped: 0,
        }),
        calls: Some(CallCoverageV1::default()),
        ..completion(20)
    };
    let published = ledger.complete(&first.run_id, &done).await.unwrap();
    ledger.begin(&start("b", 30)).await.unwrap();

    // Another process, as it were.
    let reader = RunLedger::of(&lake);
    let seen = reader.latest_completed().await.unwrap().unwrap();
    assert_eq!(seen, published);
    let output = seen.output("extract.things").unwrap();
    assert_eq!((output.version, output.rows, output.files), (1, 3, 1));
    let version = Some(Version::new(output.version));
    assert_eq!(open(&things(), &lake, version).await.facts().rows, Some(3));
    let pin = TablePin::try_from(&seen.inputs[0]).unwrap();
    assert_eq!(pin, open(&things(), &lake, None).await.facts().pin);

    expect![[r#"
        1 a completed 10 to 20
        2 b running 30 to ..."#]]
    .assert_eq(&render(&reader.runs().await.unwrap()));
    check(
        &lake,
        ArtifactTable::RunManifest,
        "SELECT run_number, run_id, sequence, status, at_unix_ms, source, payload_version
         FROM runs.run_manifest ORDER BY run_number, sequence",
        &expect![[r#"
            +------------+--------+----------+-----------+------------+--------+-----------------+
            | run_number | run_id | sequence | status    | at_unix_ms | source | payload_version |
            +------------+--------+----------+-----------+------------+--------+-----------------+
            | 1          | a      | 0        | running   | 10         | src    | 1               |
            | 1          | a      | 1        | completed | 20         | src    | 1               |
            | 2          | b      | 0        | running   | 30         | src    | 1               |
            +------------+--------+----------+-----------+------------+--------+-----------------+"#]],
    )
    .await;
}

#[tokio::test]
async fn a_failed_run_stays_visible_and_publishes_nothing() {
    let (_folder, lake) = lake();
    let ledger = RunLedger::of(&lake);
    ledger.begin(&start("a", 1)).await.unwrap();
    let published = ledger.complete("a", &completion(2)).await.unwrap();
    ledger.begin(&start("b", 3)).await.unwrap();
    ledger.fail("b", 4, "out_of_order", "row 7").await.unwrap();
    assert_eq!(ledger.latest_completed().await.unwrap(), Some(published));
    expect![[r#"
        1 a completed 1 to 2
        2 b failed 3 to 4"#]]
    .assert_eq(&render(&ledger.runs().await.unwrap()));
    let failure = ledger
        .run("b")
        .await
        .unwrap()
        .unwrap()
        .manifest
        .failure
        .unwrap();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("out_of_order", "row 7")
    );
}

#[tokio::test]
async fn a_run_begins_once_and_ends_once() {
    let (_folder, lake) = lake();
    let ledger = RunLedger::of(&lake);
    let unknown = ledger.complete("a", &completion(2)).await.unwrap_err();
    assert!(matches!(unknown, Error::UnknownRun { .. }), "{unknown}");
    ledger.begin(&start("a", 1)).await.unwrap();
    let twice = ledger.begin(&start("a", 1)).await.unwrap_err();
    assert!(matches!(twice, Error::RunExists { .. }), "{twice}");
    ledger.complete("a", &completion(2)).await.unwrap();
    let ended = ledger.fail("a", 3, "late", "too late").await.unwrap_err();
    expect!["run `a` has ended as completed; it cannot end as failed"]
        .assert_eq(&ended.to_string());
    assert_eq!(ledger.runs().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_begin_at_once_get_different_numbers() {
    let (_folder, lake) = lake();
    RunLedger::of(&lake)
        .begin(&start("first", 0))
        .await
        .unwrap();
    let others: Vec<_> = ["p", "q", "r", "s"]
        .into_iter()
        .map(|run_id| {
            let ledger = RunLedger::of(&lake);
            tokio::spawn(async move {
                ledger.begin(&start(run_id, 1)).await.unwrap();
                ledger
                    .complete(run_id, &completion(2))
                    .await
                    .unwrap()
                    .run_number
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for other in others {
        numbers.push(other.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5]);
    let runs = RunLedger::of(&lake).runs().await.unwrap();
    assert_eq!(runs.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_create_the_ledger_at_once_share_it() {
    // Without looking twice at a table that is being created, every fourth round fails.
    for _ in 0..20 {
        create_at_once().await;
    }
}

async fn create_at_once() {
    let (_folder, lake) = lake();
    let other = RunLedger::of(&lake);
    let theirs = tokio::spawn(async move { other.begin(&start("theirs", 0)).await });
    let ours = RunLedger::of(&lake).begin(&start("ours", 0)).await;
    let mut numbers = [
        ours.unwrap().run_number,
        theirs.await.unwrap().unwrap().run_number,
    ];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn plans_writes_and_scans_are_queried_beside_the_manifest() {
    let (_folder, lake) = lake();
    let outcome = write_things(&lake, "a", &[1, 2, 3]).await;
    let dataset = open(&things(), &lake, None).await;
    let mut catalog = Catalog::new(SessionSpec::default().build().unwrap());
    catalog.register(&dataset).unwrap();
    let plan = catalog
        .session()
        .sql("SELECT max(size) AS size FROM extract.things WHERE id > 1")
        .await
        .unwrap()
        .into_optimized_plan()
        .unwrap();
    let state = catalog.session().state();
    let functions = BTreeMap::from([("max".to_owned(), "1".to_owned())]);
    let context = PlanContext::of(&state, &BTreeMap::new(), functions);
    let bundle = PlanBundle::try_new(&plan, &state, catalog.pins(), &context).unwrap();

    let mut artifacts = RunArtifacts::of("a");
    let id = artifacts.record_plan(things().name(), &bundle).unwrap();
    assert_eq!(artifacts.record_plan(things().name(), &bundle).unwrap(), id);
    artifacts.record_write(&outcome).unwrap();
    artifacts.record_scan(dataset.facts()).unwrap();
    artifacts.store(&lake, 7).await.unwrap();
    let mut later = RunArtifacts::of("b");
    later.record_scan(dataset.facts()).unwrap();
    later.store(&lake, 8).await.unwrap();
    let stored = StoredArtifacts::of(&lake, "a").await.unwrap();
    assert_eq!(stored.plans, [PlanArtifactV1::of(things().name(), &bundle)]);

    check(
        &lake,
        ArtifactTable::PlanArtifacts,
        "SELECT run_id, dataset, encoding, functions,
           length(encode(plan, 'hex')) > 0 AS has_plan
         FROM runs.plan_artifacts",
        &expect![[r#"
            +--------+----------------+-----------+---------------------------+----------+
            | run_id | dataset        | encoding  | functions                 | has_plan |
            +--------+----------------+-----------+---------------------------+----------+
            | a      | extract.things | substrait | [{name: max, version: 1}] | true     |
            +--------+----------------+-----------+---------------------------+----------+"#]],
    )
    .await;
    check(
        &lake,
        ArtifactTable::WriteArtifacts,
        "SELECT run_id, dataset, version, rows, files, files_added, files_removed
         FROM runs.write_artifacts",
        &expect![[r#"
            +--------+----------------+---------+------+-------+-------------+---------------+
            | run_id | dataset        | version | rows | files | files_added | files_removed |
            +--------+----------------+---------+------+-------+-------------+---------------+
            | a      | extract.things | 1       | 3    | 1     | 1           | 0             |
            +--------+----------------+---------+------+-------+-------------+---------------+"#]],
    )
    .await;
    check(
        &lake,
        ArtifactTable::ScanArtifacts,
        "SELECT run_id, dataset, version, mode, is_identity, alignments, files, rows
         FROM runs.scan_artifacts ORDER BY run_id",
        &expect![[r#"
            +--------+----------------+---------+--------+-------------+------------+-------+------+
            | run_id | dataset        | version | mode   | is_identity | alignments | files | rows |
            +--------+----------------+---------+--------+-------------+------------+-------+------+
            | a      | extract.things | 1       | direct | true        | []         | 1     | 3    |
            | b      | extract.things | 1       | direct | true        | []         | 1     | 3    |
            +--------+----------------+---------+--------+-------------+------------+-------+------+"#]],
    )
    .await;
}

#[tokio::test]
async fn the_artifacts_of_a_run_are_stored_once_and_read_back() {
    let (_folder, lake) = lake();
    let none = StoredArtifacts::of(&lake, "a").await.unwrap();
    assert_eq!((none.plans, none.writes, none.scans), Default::default());

    // The name of a run is no part of the query's text.
    let run = "a' OR run_id = 'b";
    let outcome = write_things(&lake, run, &[1, 2, 3]).await;
    let dataset = open(&things(), &lake, None).await;
    for run in [run, "b"] {
        let mut artifacts = RunArtifacts::of(run);
        artifacts.record_write(&outcome).unwrap();
        artifacts.store(&lake, 7).await.unwrap();
        artifacts.record_scan(dataset.facts()).unwrap();
        artifacts.store(&lake, 8).await.unwrap();
    }

    let stored = StoredArtifacts::of(&lake, run).await.unwrap();
    assert_eq!(stored.plans, []);
    assert_eq!(stored.writes, [WriteArtifactV1::from(&outcome)]);
    assert_eq!(stored.scans, [ScanArtifactV1::from(dataset.facts())]);
    let write = &stored.writes[0];
    assert_eq!(write.policy.layout.value.compression.value, "zstd(1)");
    let output = OutputV1::of(&outcome, &pin_of(&outcome, &lake).await, unplanned());
    assert_eq!(output.policy_hash, write.policy.policy_hash);
}

#[tokio::test]
async fn equal_artifacts_have_equal_ids_in_every_run() {
    let (_folder, lake) = lake();
    let outcome = write_things(&lake, "a", &[1]).await;
    let id = |run: &str| RunArtifacts::of(run).record_write(&outcome).unwrap();
    assert_eq!(id("a"), id("b"));
    let again = write_things(&lake, "b", &[1, 2]).await;
    assert_ne!(id("a"), RunArtifacts::of("b").record_write(&again).unwrap());
}

/// Every file below a folder, with all its bytes.
fn contents(folder: &Path, found: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contents(&path, found);
        } else {
            found.extend(std::fs::read(&path).unwrap());
        }
    }
}

#[tokio::test]
async fn secrets_are_neither_in_payloads_nor_in_files() {
    let (folder, lake) = lake();
    let ledger = RunLedger::of(&lake);
    let leaky = RunStart {
        source: Some("https://me:hunter2@example.org/repo?token=hunter2".to_owned()),
        ..start("a", 1)
    };
    ledger.begin(&leaky).await.unwrap();
    let message = "PUT s3://bucket/x?X-Amz-Signature=hunter2 AWS_SECRET_ACCESS_KEY=hunter2";
    let failed = ledger.fail("a", 2, "store_failure", message).await.unwrap();
    expect!["https://example.org/repo"].assert_eq(failed.source.as_deref().unwrap());
    expect!["PUT s3://bucket/x AWS_SECRET_ACCESS_KEY=<removed>"]
        .assert_eq(&failed.failure.unwrap().message);
    let runs = ledger.runs().await.unwrap();
    assert!(!format!("{runs:?}").contains("hunter2"));
    let mut bytes = Vec::new();
    contents(folder.path(), &mut bytes);
    assert!(bytes.len() > 1_000);
    assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
}

#[tokio::test]
async fn a_payload_that_does_not_meet_its_contract_is_an_error_not_a_missing_run() {
    let (_folder, lake) = lake();
    RunLedger::of(&lake).begin(&start("a", 1)).await.unwrap();
    let contract = ArtifactTable::RunManifest.spec().unwrap();
    let none = PolicyOverrides::none();
    let policy = ArtifactTable::RunManifest.policy();
    let request = WriteRequest {
        location: lake.location(contract.name()).unwrap(),
        policy: resolve(&none, &none, &contract, &policy, &[]).unwrap(),
        contract: contract.clone(),
        mode: WriteMode::Append,
        provenance: Provenance {
            run_id: "b".to_owned(),
            at_unix_ms: 0,
            plan: None,
            transaction: None,
            metadata: BTreeMap::new(),
        },
    };
    let dataset = open(&contract, &lake, None).await;
    let session = SessionSpec::default().build().unwrap();
    let rows = session
        .read_table(dataset.provider())
        .unwrap()
        .collect()
        .await
        .unwrap();
    let mut columns = rows[0].columns().to_vec();
    let at = rows[0].schema().index_of("payload").unwrap();
    let stored = Envelope::from_msgpack(columns[at].as_binary::<i32>().value(0)).unwrap();
    let version_2 = stored
        .to_json()
        .unwrap()
        .replace(r#","version":1}"#, r#","version":2}"#);
    let version_2 = Envelope::from_json(&version_2)
        .unwrap()
        .to_msgpack()
        .unwrap();
    columns[at] = Arc::new(BinaryArray::from_iter_values([version_2]));
    let from_the_future = RecordBatch::try_new(rows[0].schema(), columns).unwrap();
    let pool = EncodePool::try_new(NonZeroUsize::MIN).unwrap();
    let mut writer = TableWriter::open(request, pool).await.unwrap();
    writer.push(&from_the_future).await.unwrap();
    writer.finish().await.unwrap();

    let error = RunLedger::of(&lake).runs().await.unwrap_err();
    let Error::Corrupt { table, source } = &error else {
        panic!("{error}")
    };
    expect!["runs.run_manifest: /version: expected 1, found 2 (wrong_value)"]
        .assert_eq(&format!("{table}: {}", source.violations()[0]));
}

#[tokio::test]
async fn artifact_tables_are_plain_and_append_only() {
    let (folder, lake) = lake();
    RunLedger::of(&lake).begin(&start("a", 1)).await.unwrap();
    let log = folder
        .path()
        .join("_ossature/run_manifest/_delta_log/00000000000000000000.json");
    let first = std::fs::read_to_string(log).unwrap();
    assert!(first.contains(r#""delta.appendOnly":"true""#), "{first}");
    assert!(first.contains(r#""minWriterVersion":2"#), "{first}");
}
