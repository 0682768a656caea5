//! Deterministic by construction: what the writer promises, read back from folders and logs.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Int16Array, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use ossature_registry::{COMMIT_KEY_PREFIX, Catalog, SessionSpec, open_dataset, open_table};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Fingerprint, Version};
use ossature_tests::{
    Failure, TemporaryLake, code_of, files_below, request, rows, things, write, write_foreign,
};
use ossature_write_pipeline::{
    EncodePool, TableWriter, TransactionId, WRITER_VERSION, WriteFailure, WriteMode,
};
use serde_json::{Value, json};

/// The data files of a table: their paths below its folder, and their bytes.
fn files_in(folder: &str) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    files_below(Path::new(folder), Path::new(folder))
}

/// The files that a commit added, in its order.
fn added(folder: &Path, version: u64) -> Result<Vec<Value>, Failure> {
    let log = folder.join(format!("_delta_log/{version:020}.json"));
    let mut files = Vec::new();
    for line in std::fs::read_to_string(log)?.lines() {
        let mut action: Value = serde_json::from_str(line)?;
        if action["add"].is_object() {
            files.push(action["add"].take());
        }
    }
    Ok(files)
}

fn paths(files: &[Value]) -> Vec<&str> {
    files
        .iter()
        .filter_map(|file| file["path"].as_str())
        .collect()
}

fn in_batches(all: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    (0..all.num_rows())
        .step_by(rows)
        .map(|at| all.slice(at, rows.min(all.num_rows() - at)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bytes_do_not_depend_on_threads_or_batches() -> Result<(), Failure> {
    let all = rows((0..5000).map(|id| id * 7919))?;
    let mut seen = Vec::new();
    for (threads, batch_rows) in [(1, 8192), (2, 100), (8, 333)] {
        let lake = TemporaryLake::try_new()?;
        let contract = things("cpg.things")?;
        let request = request(&lake.lake, &contract, 700, WriteMode::Overwrite)?;
        let outcome = write(request, threads, in_batches(&all, batch_rows)).await?;
        let folder = lake.location("cpg.things")?.to_string();
        let log = added(Path::new(&folder), 1)?;
        seen.push((files_in(&folder)?, log, outcome.content));
    }
    assert!(seen[0].0.len() > 5);
    assert!(seen.iter().all(|one| *one == seen[0]));
    Ok(())
}

/// As the files say it, whatever is claimed of them.
#[tokio::test]
async fn rows_are_in_order_inside_of_files_and_across_them() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = request(&lake.lake, &contract, 700, WriteMode::Overwrite)?;
    write(
        request,
        4,
        in_batches(&rows((0..5000).map(|id| id * 7919))?, 100),
    )
    .await?;
    let folder = lake.location("cpg.things")?.to_string();
    let mut files: Vec<Vec<i64>> = Vec::new();
    for bytes in files_in(&folder)?.into_values() {
        let reader = ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 1000)?;
        let mut ids = Vec::new();
        for batch in reader {
            let batch = batch?;
            let column = batch.column_by_name("id").ok_or("there are ids")?;
            ids.extend_from_slice(column.as_primitive::<Int64Type>().values());
        }
        files.push(ids);
    }
    files.sort();
    let ids = files.concat();
    assert_eq!(ids.len(), 5000);
    assert!(ids.is_sorted());
    Ok(())
}

#[tokio::test]
async fn the_same_rows_again_commit_nothing() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::Overwrite);
    let first = write(request()?, 1, [rows(0..500)?]).await?;
    let second = write(request()?, 2, in_batches(&rows(0..500)?, 77)).await?;
    assert_eq!(second.version, first.version);
    assert_eq!((second.files_added, second.files_removed), (0, 0));
    assert_eq!(second.content, first.content);
    Ok(())
}

#[tokio::test]
async fn a_local_change_rewrites_only_its_file() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::Overwrite);
    let first = write(request()?, 1, [rows(0..1000)?]).await?;
    let without_one = (0..1000).filter(|id| *id != 17);
    let second = write(request()?, 1, [rows(without_one)?]).await?;
    assert_eq!((second.files_added, second.files_removed), (1, 1));
    assert_eq!(second.version.number(), first.version.number() + 1);
    Ok(())
}

/// Rows of [`things`] with ids of a narrower type.
fn with_ids(ids: &[Option<i32>]) -> Result<RecordBatch, Failure> {
    with_column(Arc::new(Int32Array::from(ids.to_vec())))
}

fn with_texts(ids: &[&str]) -> Result<RecordBatch, Failure> {
    with_column(Arc::new(StringArray::from(ids.to_vec())))
}

fn with_column(ids: ArrayRef) -> Result<RecordBatch, Failure> {
    let plain = rows((0..).take(ids.len()))?;
    let [name, weight] = [0, 1].map(|at| Arc::clone(plain.column(at)));
    let columns = [("id", ids), ("name", name), ("weight", weight)];
    let columns = columns.map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// As if they had arrived in the declared types.
#[tokio::test]
async fn narrower_integers_are_widened() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::Overwrite);
    let narrow = with_ids(&[Some(0), Some(1), Some(2)])?;
    let first = write(request()?, 1, [narrow]).await?;
    let again = write(request()?, 1, [rows(0..3)?]).await?;
    assert_eq!(
        (again.version, again.content),
        (first.version, first.content)
    );
    Ok(())
}

/// What a commit says of itself: the attempt is another one each time.
async fn keys_of(lake: &TemporaryLake, version: u64) -> Result<BTreeMap<String, String>, Failure> {
    let location = lake.location("cpg.things")?;
    let open = open_table(&location, Some(Version::new(version))).await?;
    let mut keys = open.commit().keys.clone();
    let attempt = keys.remove("ossature.attempt");
    assert_eq!(attempt.is_some(), version > 0);
    Ok(keys)
}

#[tokio::test]
async fn commits_say_by_which_rules_they_were_made() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let planned = |mode| -> Result<_, Failure> {
        let mut request = request(&lake.lake, &contract, 100, mode)?;
        request.provenance.plan = Some(Fingerprint::from_bytes([7; 32]));
        Ok(request)
    };
    let first = planned(WriteMode::Overwrite)?;
    let by_contract = contract.contract_hash().to_hex();
    let by_policy = first.policy.fingerprint().to_hex();
    let outcome = write(first, 1, [rows(0..10)?]).await?;
    let rules = [
        ("ossature.writer", WRITER_VERSION.to_string()),
        ("ossature.contract", by_contract),
        ("ossature.policy", by_policy),
    ];
    let of_rules = rules.map(|(key, value)| (key.to_owned(), value));
    let created = BTreeMap::from(of_rules.clone());
    assert_eq!(keys_of(&lake, 0).await?, created);

    let whole = |mode: &str, content: Fingerprint| {
        let said = [
            ("ossature.mode", mode.to_owned()),
            ("ossature.run", "test".to_owned()),
            ("ossature.plan", "07".repeat(32)),
            ("ossature.contentHash", content.to_hex()),
            ("ossature.order", r#"["id"]"#.to_owned()),
        ];
        let said = said.map(|(key, value)| (key.to_owned(), value));
        let all = of_rules.iter().cloned().chain(said);
        all.collect::<BTreeMap<_, _>>()
    };
    let of_first = keys_of(&lake, 1).await?;
    assert_eq!(of_first, whole("overwrite", outcome.content));

    // Rows that do not follow each other are in no order, and the digest is that of all files.
    let outcome = write(planned(WriteMode::Append)?, 1, [rows(5..7)?]).await?;
    let mut of_second = keys_of(&lake, 2).await?;
    let content = of_second.remove("ossature.contentHash");
    assert!(content.is_some_and(|it| it != of_first["ossature.contentHash"]));
    let mut want = whole("append", outcome.content);
    want.remove("ossature.contentHash");
    want.remove("ossature.order");
    assert_eq!(of_second, want);
    Ok(())
}

#[tokio::test]
async fn rows_that_break_the_contract_leave_the_table_as_it_was() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::Overwrite);
    let first = write(request()?, 1, [rows(0..50)?]).await?;
    let bad = [
        (rows([2, 1])?, "out_of_order"),
        (rows([1, 1])?, "duplicate_key"),
        (rows([1])?.project(&[0, 1])?, "rows_differ"),
        (with_ids(&[Some(1), None])?, "unexpected_null"),
        (with_texts(&["1", "2"])?, "rows_differ"),
    ];
    for (batch, want) in bad {
        let error = write(request()?, 1, [batch]).await.err();
        assert_eq!(error.as_ref().and_then(code_of), Some(want));
    }
    let now = open_table(&lake.location("cpg.things")?, None).await?;
    assert_eq!(now.version(), first.version);
    Ok(())
}

#[tokio::test]
async fn a_stale_writer_does_not_hide_what_came_between() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::Overwrite);
    write(request()?, 1, [rows(0..50)?]).await?;
    let pool = EncodePool::try_new(NonZeroUsize::MIN)?;
    let mut stale = TableWriter::open(request()?, pool).await?;
    stale.push(&rows(0..10)?).await?;
    write(request()?, 1, [rows(0..60)?]).await?;
    let lost = stale.finish().await.err();
    let lost = lost.as_deref();
    assert_eq!(lost.map(WriteFailure::code), Some("commit_conflict"));
    // Its file is there, and no version has it.
    assert_eq!(lost.map(|failure| failure.orphans.len()), Some(1));
    assert!(lost.is_some_and(WriteFailure::is_retryable));
    Ok(())
}

/// Neither the run nor the rows tell whose commit it is.
#[tokio::test]
async fn of_two_appends_of_equal_rows_by_one_run_none_is_taken_for_the_other() -> Result<(), Failure>
{
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::Append);
    write(request()?, 1, [rows(0..50)?]).await?;
    let pool = EncodePool::try_new(NonZeroUsize::MIN)?;
    let mut first = TableWriter::open(request()?, pool.clone()).await?;
    let mut second = TableWriter::open(request()?, pool).await?;
    for writer in [&mut first, &mut second] {
        writer.push(&rows(50..60)?).await?;
    }
    first.finish().await?;
    let lost = second.finish().await.err();
    assert_eq!(
        lost.as_deref().map(WriteFailure::code),
        Some("commit_conflict")
    );
    Ok(())
}

#[tokio::test]
async fn a_transaction_below_a_foreign_commit_tells_nothing() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let numbered = || -> Result<_, Failure> {
        let mut request = request(&lake.lake, &contract, 100, WriteMode::Append)?;
        request.provenance.transaction = Some(TransactionId {
            application: "test/cpg.things".to_owned(),
            number: 1,
        });
        Ok(request)
    };
    write(numbered()?, 1, [rows(0..50)?]).await?;
    let location = lake.location("cpg.things")?;
    write_foreign(&location, [rows(50..60)?]).await?;
    let again = write(numbered()?, 1, [rows(0..50)?]).await.err();
    assert_eq!(again.as_ref().and_then(code_of), Some("transaction_buried"));
    assert_eq!(open_table(&location, None).await?.version().number(), 2);
    Ok(())
}

#[tokio::test]
async fn an_earlier_run_does_not_replace_a_later_one() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let numbered = |number| -> Result<_, Failure> {
        let mut request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
        let application = "test/cpg.things".to_owned();
        request.provenance.transaction = Some(TransactionId {
            application,
            number,
        });
        Ok(request)
    };
    write(numbered(2)?, 1, [rows(0..50)?]).await?;
    // Before it has computed a row.
    let earlier = TableWriter::open(numbered(1)?, EncodePool::try_new(NonZeroUsize::MIN)?).await;
    assert_eq!(earlier.err().map(|error| error.code()), Some("superseded"));
    Ok(())
}

#[tokio::test]
async fn a_transaction_happens_once() -> Result<(), Failure> {
    for mode in [WriteMode::Append, WriteMode::Overwrite] {
        let lake = TemporaryLake::try_new()?;
        let contract = things("cpg.things")?;
        let numbered = |number| -> Result<_, Failure> {
            let mut request = request(&lake.lake, &contract, 100, mode.clone())?;
            let application = "test/cpg.things".to_owned();
            request.provenance.transaction = Some(TransactionId {
                application,
                number,
            });
            Ok(request)
        };
        let first = write(numbered(1)?, 1, [rows(0..50)?]).await?;
        let again = write(numbered(1)?, 1, [rows(0..50)?]).await?;
        assert_eq!(again.version, first.version);
        assert_eq!((again.rows, again.content), (50, first.content));
        let next = write(numbered(2)?, 1, [rows(50..60)?]).await?;
        assert_eq!(next.version.number(), first.version.number() + 1);
    }
    Ok(())
}

#[tokio::test]
async fn callers_cannot_set_the_writers_commit_keys() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let mut request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    let key = format!("{COMMIT_KEY_PREFIX}contentHash");
    request
        .provenance
        .metadata
        .insert(key, serde_json::json!("forged"));
    let error = write(request, 1, [rows(0..10)?]).await.err();
    assert_eq!(
        error.as_ref().and_then(code_of),
        Some("reserved_commit_key")
    );
    Ok(())
}

/// What a log says is read in full by everybody who opens the table, and means what the protocol says it means.
#[tokio::test]
async fn keys_of_a_caller_are_small_and_none_of_the_protocols() -> Result<(), Failure> {
    let contract = things("cpg.things")?;
    let with = async |key: &str, value: Value| -> Result<_, Failure> {
        let lake = TemporaryLake::try_new()?;
        let mut request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
        let metadata = &mut request.provenance.metadata;
        metadata.insert(key.to_owned(), value);
        let refused = write(request, 1, [rows(0..10)?]).await.err();
        let location = lake.location("cpg.things")?.to_string();
        assert_eq!(refused.is_some(), !Path::new(&location).exists());
        Ok(refused.as_ref().and_then(code_of))
    };
    for key in [
        "engineInfo",
        "operation",
        "timestamp",
        "txnId",
        "clientVersion",
    ] {
        assert_eq!(
            with(key, "x".into()).await?,
            Some("reserved_commit_key"),
            "{key}"
        );
    }
    // With its key and what stands around it, 64 KiB.
    let fits = (64 << 10) - r#"{"note":""}"#.len();
    assert_eq!(with("note", "x".repeat(fits).into()).await?, None);
    let refused = with("note", "x".repeat(fits + 1).into()).await?;
    assert_eq!(refused, Some("commit_metadata_too_large"));
    Ok(())
}

#[tokio::test]
async fn secrets_in_the_keys_of_a_caller_reach_no_log() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let mut request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    let metadata = &mut request.provenance.metadata;
    let nested = serde_json::json!({
        "endpoint": "https://me:hunter2@host/path", "aws_session_token": ["hunter2"], "depth": 3,
    });
    metadata.insert("storage".to_owned(), nested);
    metadata.insert("password".to_owned(), "hunter2".into());
    metadata.insert("note".to_owned(), "SECRET_KEY=hunter2 is not told".into());
    write(request, 1, [rows(0..10)?]).await?;
    for (path, bytes) in files_below(lake.path(), lake.path())? {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter2"), "{path}");
    }
    let log = lake.location("cpg.things")?.to_string() + "_delta_log/00000000000000000001.json";
    let log = std::fs::read_to_string(log)?;
    for kept in [
        r#""endpoint":"https://host/path""#,
        r#""depth":3"#,
        "is not told",
    ] {
        assert!(log.contains(kept), "{kept} in {log}");
    }
    Ok(())
}

#[tokio::test]
async fn no_rows_are_no_commit() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let overwrite = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(overwrite, 1, [rows(0..500)?]).await?;
    let before = files_below(lake.path(), lake.path())?;
    for mode in [
        WriteMode::Append,
        WriteMode::Merge,
        WriteMode::Replace(Vec::new()),
    ] {
        for batches in [vec![], vec![rows([])?]] {
            let nothing = request(&lake.lake, &contract, 100, mode.clone())?;
            let outcome = write(nothing, 1, batches).await?;
            assert_eq!(outcome.version.number(), 1, "{mode}");
            assert_eq!(outcome.files_added, 0);
        }
    }
    assert_eq!(files_below(lake.path(), lake.path())?, before);
    Ok(())
}

#[tokio::test]
async fn appended_rows_stay_beside_equal_ones() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    for _ in 0..2 {
        let request = request(&lake.lake, &contract, 100, WriteMode::Append)?;
        write(request, 1, [rows(0..10)?]).await?;
    }
    let dataset = open_dataset(&contract, &lake.location("cpg.things")?, None).await?;
    assert_eq!(dataset.facts().rows, Some(20));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_files_of_one_write_are_all_kept() -> Result<(), Failure> {
    let contract = DatasetSpec::builder("cpg.notes", "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .order_by(["id"])
        .build()?;
    let ids = |count| {
        rows([7].repeat(count))?
            .project(&[2])
            .map_err(Failure::from)
    };
    let mut seen = Vec::new();
    for threads in [1, 4] {
        let lake = TemporaryLake::try_new()?;
        let request = |mode| request(&lake.lake, &contract, 10, mode);
        let first = write(request(WriteMode::Overwrite)?, threads, [ids(25)?]).await?;
        assert_eq!((first.files, first.files_added), (3, 3));
        let location = lake.location("cpg.notes")?;
        let dataset = open_dataset(&contract, &location, None).await?;
        assert_eq!(dataset.facts().rows, Some(25));
        let again = write(request(WriteMode::Overwrite)?, threads, [ids(25)?]).await?;
        assert_eq!(again.version, first.version);
        // One file less, of which there are equal ones.
        write(request(WriteMode::Overwrite)?, threads, [ids(15)?]).await?;
        write(request(WriteMode::Append)?, threads, [ids(20)?]).await?;
        let dataset = open_dataset(&contract, &location, None).await?;
        assert_eq!(dataset.facts().rows, Some(35));
        let folder = location.to_string();
        let log = (1..=3).map(|version| added(Path::new(&folder), version));
        seen.push((files_in(&folder)?, log.collect::<Result<Vec<_>, _>>()?));
    }
    assert_eq!(seen[0], seen[1]);
    Ok(())
}

#[tokio::test]
async fn a_file_that_cannot_be_stored_ends_the_write() -> Result<(), Failure> {
    let contract = things("cpg.things")?;
    let batches = in_batches(&rows(0..10_000)?, 100);
    let stored = TemporaryLake::try_new()?;
    let whole = request(&stored.lake, &contract, 100, WriteMode::Overwrite)?;
    write(whole, 1, batches.clone()).await?;
    let folder = stored.location("cpg.things")?.to_string();
    let added = added(Path::new(&folder), 1)?;

    let lake = TemporaryLake::try_new()?;
    let folder = lake.location("cpg.things")?.to_string();
    // Where the first file should go there is a folder.
    std::fs::create_dir_all(Path::new(&folder).join(paths(&added)[0]))?;
    let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    let mut writer = TableWriter::open(request, EncodePool::try_new(NonZeroUsize::MIN)?).await?;
    let mut refused = None;
    for batch in &batches {
        if let Err(error) = writer.push(batch).await {
            refused = Some(error.code());
            break;
        }
    }
    assert_eq!(refused, Some("store_failure"));
    drop(writer);
    let others = std::fs::read_dir(&folder)?.filter_map(Result::ok);
    let others = others.filter(|entry| entry.path().is_file()).count();
    // Those that were on their way when it failed.
    let all = added.len();
    assert!(others * 10 < all, "{others} of {all} files were stored");
    Ok(())
}

#[tokio::test]
async fn a_writer_that_is_dropped_stores_no_more_files() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let pool = EncodePool::try_new(NonZeroUsize::MIN)?;
    let open = async |name: &str| -> Result<TableWriter, Failure> {
        let request = request(&lake.lake, &things(name)?, 10, WriteMode::Overwrite)?;
        Ok(TableWriter::open(request, pool.clone()).await?)
    };
    let mut dropped = open("cpg.dropped").await?;
    // One file is on its way.
    dropped.push(&rows(0..11)?).await?;
    drop(dropped);
    // Who waits for the only encoder waits for everything that the dropped writer still does with it.
    let mut other = open("cpg.other").await?;
    other.push(&rows(0..10)?).await?;
    other.finish().await?;
    let folder = lake.location("cpg.dropped")?.to_string();
    assert_eq!(files_in(&folder)?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn bounds_in_the_log_are_of_the_declared_types() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let money = ColumnType::Decimal {
        precision: 10,
        scale: 2,
    };
    let contract = DatasetSpec::builder("cpg.sales", "")
        .column(ColumnSpec::required("day", ColumnType::Date)?)
        .column(ColumnSpec::required("price", money)?)
        .column(ColumnSpec::required("at", ColumnType::TimestampUtc)?)
        .column(ColumnSpec::nullable("count", ColumnType::Int16)?)
        .order_by(["day", "price", "at", "count"])
        .build()?;
    let columns: [(&str, ArrayRef); 4] = [
        ("day", Arc::new(Date32Array::from(vec![19_782, 19_783]))),
        (
            "price",
            Arc::new(Decimal128Array::from(vec![150, 225]).with_precision_and_scale(10, 2)?),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![1_001, 2_002]).with_timezone("UTC")),
        ),
        ("count", Arc::new(Int16Array::from(vec![None, Some(-3)]))),
    ];
    let rows = RecordBatch::try_from_iter(columns)?;
    let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(request, 1, [rows]).await?;

    let location = lake.location("cpg.sales")?;
    let log = added(Path::new(&location.to_string()), 1)?;
    let statistics: Value = serde_json::from_str(log[0]["stats"].as_str().unwrap_or_default())?;
    let want = json!({
        "minValues": {"day": "2024-02-29", "count": -3},
        "maxValues": {"day": "2024-03-01", "count": -3},
        "nullCount": {"day": 0, "count": 1},
        "numRecords": 2,
    });
    assert_eq!(statistics, want);

    let dataset = open_dataset(&contract, &location, None).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let count = async |filter: &str| {
        let sql = format!("SELECT day FROM sales WHERE {filter}");
        catalog.session().sql(&sql).await?.count().await
    };
    assert_eq!(count("price = 1.50").await?, 1);
    assert_eq!(count("day = DATE '2024-03-01'").await?, 1);
    assert_eq!(count("day > DATE '2024-03-01'").await?, 0);
    let early = "at < TIMESTAMP '1970-01-01T00:00:00.001500Z'";
    assert_eq!(count(early).await?, 1);
    assert_eq!(count("count = -3").await?, 1);
    assert_eq!(count("count IS NULL").await?, 1);
    Ok(())
}

#[tokio::test]
async fn partitions_are_folders_and_keep_their_order() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = DatasetSpec::builder("cpg.edges", "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::required("family", ColumnType::Utf8)?)
        .key(["family", "id"])
        .order_by(["family", "id"])
        .partition_by(["family"])
        .build()?;
    let batch = |family: &str, ids: std::ops::Range<i64>| -> Result<RecordBatch, Failure> {
        let ids: Vec<i64> = ids.collect();
        let families = vec![family; ids.len()];
        Ok(RecordBatch::try_from_iter([
            ("id", Arc::new(arrow_array::Int64Array::from(ids)) as _),
            ("family", Arc::new(StringArray::from(families)) as _),
        ])?)
    };
    let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(
        request,
        2,
        [batch("linked", 0..150)?, batch("local", 0..50)?],
    )
    .await?;
    let location = lake.location("cpg.edges")?;
    assert!(
        Path::new(&location.to_string())
            .join("family=linked")
            .is_dir()
    );
    let dataset = open_dataset(&contract, &location, None).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let count = async |sql: &str| catalog.session().sql(sql).await?.count().await;
    assert_eq!(
        count("SELECT id FROM edges WHERE family = 'local'").await?,
        50
    );
    assert_eq!(
        count("SELECT id FROM edges WHERE family = 'local' OR NULL").await?,
        50
    );
    assert_eq!(count("SELECT id FROM edges WHERE id < 10").await?, 20);
    Ok(())
}
