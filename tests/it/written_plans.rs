//! Plans become tables: sorted as declared within the session's memory, or clustered by ranks.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use datafusion::prelude::SessionContext;
use deltalake_core::DeltaTable;
use deltalake_core::operations::optimize::OptimizeType;
use ossature_delta_policy::{Compaction, PolicyOverrides, StatsPolicy, TablePolicy, resolve};
use ossature_registry::{SessionSpec, open_table};
use ossature_schema_spec::{ColumnName, ColumnSpec, ColumnType, DatasetSpec};
use ossature_tests::{
    Failure, TemporaryLake, code_of, files_below, request, rows, things, write, write_foreign,
};
use ossature_write_pipeline::{
    EncodePool, MaintenanceOutcome, MaintenanceRequest, WriteMode, WriteOutcome, WriteRequest,
    maintain, write_plan,
};
use serde_json::Value;

async fn write_sql(
    request: WriteRequest,
    session: &SessionContext,
    threads: usize,
    sql: &str,
) -> Result<WriteOutcome, Failure> {
    let pool = EncodePool::try_new(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))?;
    let (state, plan) = session.sql(sql).await?.into_parts();
    Ok(write_plan(request, pool, &state, plan).await?)
}

/// A session of so many threads with a table `shuffled` in it.
fn session(
    threads: usize,
    memory_bytes_max: usize,
    rows: &RecordBatch,
) -> Result<SessionContext, Failure> {
    let spec = SessionSpec {
        threads: NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN),
        memory_bytes_max,
        ..SessionSpec::default()
    };
    let session = spec.build()?;
    // Copies: of a slice, all that it is cut from would be counted as held.
    let batches = (0..rows.num_rows()).step_by(1000).map(|at| {
        let end = rows.num_rows().min(at + 1000);
        let places = (at..end).map(|row| row as u64).collect::<UInt64Array>();
        take_record_batch(rows, &places)
    });
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<Vec<RecordBatch>> = batches.chunks(400).map(<[RecordBatch]>::to_vec).collect();
    let table = datafusion::datasource::MemTable::try_new(rows.schema(), parts)?;
    session.register_table("shuffled", Arc::new(table))?;
    Ok(session)
}

fn files_of(lake: &TemporaryLake) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    files_below(lake.path(), lake.path())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_is_sorted_whatever_the_session() -> Result<(), Failure> {
    let all = rows((0..300_000).map(|id| id * 7919 % 300_000))?;
    let contract = things("cpg.things")?;
    let mut seen = Vec::new();
    // The last one holds a fraction of the rows and spills the others.
    for (threads, memory) in [(1, 512 << 20), (4, 512 << 20), (1, 12 << 20)] {
        let lake = TemporaryLake::try_new()?;
        let session = session(threads, memory, &all)?;
        let request = request(&lake.lake, &contract, 20_000, WriteMode::Overwrite)?;
        let sql = "SELECT weight, name, id FROM shuffled";
        let outcome = write_sql(request, &session, threads, sql).await?;
        assert_eq!(outcome.rows, 300_000);
        seen.push((files_of(&lake)?, outcome.content));
    }
    assert!(seen.iter().all(|one| *one == seen[0]));
    Ok(())
}

/// The new rows only: those that the table has stay where they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_is_sorted_for_an_append_too() -> Result<(), Failure> {
    let contract = things("cpg.things")?;
    let new = rows((0..300_000).map(|id| 1000 + id * 7919 % 300_000))?;
    let mut seen = Vec::new();
    for (threads, memory) in [(4, 512 << 20), (1, 12 << 20)] {
        let lake = TemporaryLake::try_new()?;
        let request = |mode| request(&lake.lake, &contract, 20_000, mode);
        let first = write(request(WriteMode::Overwrite)?, 1, [rows(0..1000)?]).await?;
        let session = session(threads, memory, &new)?;
        let sql = "SELECT weight, name, id FROM shuffled";
        let outcome = write_sql(request(WriteMode::Append)?, &session, threads, sql).await?;
        assert_eq!((outcome.rows, outcome.files_removed), (300_000, 0));
        let files = files_of(&lake)?;
        assert_eq!(files.len(), first.files + outcome.files);
        for bytes in files.values() {
            let reader =
                ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes.clone()), 1 << 20)?;
            let mut ids = Vec::new();
            for batch in reader {
                let batch = batch?;
                let column = batch.column_by_name("id").ok_or("there are ids")?;
                ids.extend_from_slice(column.as_primitive::<Int64Type>().values());
            }
            assert!(ids.is_sorted());
        }
        // They all come behind, so that the whole is in order.
        let open = open_table(&lake.location("cpg.things")?, None).await?;
        let order = open.commit().order.clone().ok_or("no order is claimed")?;
        assert_eq!(order.keys(), contract.order());
        seen.push((files, outcome.content));
    }
    assert!(seen[0] == seen[1]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_other_columns_decide_where_the_order_does_not() -> Result<(), Failure> {
    let contract = DatasetSpec::builder("cpg.notes", "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
        .order_by(["id"])
        .build()?;
    let mut seen = Vec::new();
    for threads in [1, 4] {
        let lake = TemporaryLake::try_new()?;
        let session = session(threads, 64 << 20, &rows((0..120_000).rev())?)?;
        let request = request(&lake.lake, &contract, 10_000, WriteMode::Overwrite)?;
        let sql = "SELECT id % 100 AS id, name FROM shuffled";
        write_sql(request, &session, threads, sql).await?;
        seen.push(files_of(&lake)?);
    }
    assert!(seen[0] == seen[1]);
    Ok(())
}

/// Places in two dimensions, as a number and as a text whose beginning all texts share.
fn places() -> Result<RecordBatch, Failure> {
    let spread = |id: i64, factor: i64| id * factor % 10_007;
    let across = (0..40_000)
        .map(|id| spread(id, 7919))
        .collect::<Int64Array>();
    let along = (0..40_000).map(|id| format!("src/package/module/{:05}", spread(id, 4001) * 9));
    let along = StringArray::from_iter_values(along);
    Ok(RecordBatch::try_from_iter([
        ("across", Arc::new(across) as ArrayRef),
        ("along", Arc::new(along) as ArrayRef),
    ])?)
}

/// How many of a table's files may hold a value, by the bounds in the log.
async fn files_with(
    lake: &TemporaryLake,
    column: &str,
    value: &Value,
) -> Result<(usize, usize), Failure> {
    let open = open_table(&lake.location("cpg.places")?, None).await?;
    let files = open.table().snapshot()?.log_data();
    let text = |value: &Value| match value {
        Value::Number(number) => format!("{number:0>12}"),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let (mut with, mut all) = (0, 0);
    for file in files.iter() {
        let statistics: Value = serde_json::from_str(&file.stats().unwrap_or_default())?;
        let (low, high) = (
            &statistics["minValues"][column],
            &statistics["maxValues"][column],
        );
        all += 1;
        with += usize::from(text(low) <= text(value) && text(value) <= text(high));
    }
    Ok((with, all))
}

/// A write of [`places`] that are clustered by both columns, in files of at most `rows_per_file` rows.
fn clustered(
    lake: &TemporaryLake,
    policy: TablePolicy,
    rows_per_file: u64,
    mode: WriteMode,
) -> Result<WriteRequest, Failure> {
    let contract = DatasetSpec::builder("cpg.places", "")
        .column(ColumnSpec::required("across", ColumnType::Int64)?)
        .column(ColumnSpec::required("along", ColumnType::Utf8)?)
        .build()?;
    let columns = vec![
        ColumnName::try_new("across")?,
        ColumnName::try_new("along")?,
    ];
    let policy = policy
        .rows_per_file_max(rows_per_file.try_into()?)
        .cluster_by(columns.clone())
        .statistics(StatsPolicy::Explicit(columns));
    let nothing = PolicyOverrides::none();
    Ok(WriteRequest {
        policy: resolve(&nothing, &nothing, &contract, &policy, &[])?,
        ..request(&lake.lake, &contract, rows_per_file, mode)?
    })
}

const ALL_PLACES: &str = "SELECT along, across FROM shuffled";

#[tokio::test]
async fn clustering_by_ranks_skips_files_by_both_columns() -> Result<(), Failure> {
    let mut seen = Vec::new();
    for threads in [1, 3] {
        let lake = TemporaryLake::try_new()?;
        let asked = |mode| clustered(&lake, TablePolicy::default(), 1000, mode);
        let session = session(threads, 64 << 20, &places()?)?;
        let overwrite = asked(WriteMode::Overwrite)?;
        write_sql(overwrite, &session, threads, ALL_PLACES).await?;
        let (with, all) = files_with(&lake, "across", &5000.into()).await?;
        assert!(with * 4 <= all, "{with} of {all} files by the number");
        let (with, all) = files_with(&lake, "along", &"src/package/module/45000".into()).await?;
        assert!(with * 4 <= all, "{with} of {all} files by the text");
        let again = write_sql(asked(WriteMode::Overwrite)?, &session, 1, ALL_PLACES).await?;
        assert_eq!(again.version.number(), 1);
        seen.push(files_of(&lake)?);
        // It is no order, and rows do not go between.
        let open = open_table(&lake.location("cpg.places")?, None).await?;
        assert_eq!(open.commit().order, None);
        let refused = write(asked(WriteMode::Merge)?, 1, []).await.err();
        assert_eq!(refused.as_ref().and_then(code_of), Some("no_leading_key"));
        let refused = write(asked(WriteMode::Overwrite)?, 1, []).await.err();
        assert_eq!(refused.as_ref().and_then(code_of), Some("clustered"));
    }
    assert!(seen[0] == seen[1]);
    Ok(())
}

/// The upkeep of a table that is written so.
async fn maintained(write: WriteRequest, is_dry_run: bool) -> Result<MaintenanceOutcome, Failure> {
    let request = MaintenanceRequest {
        write,
        pinned: BTreeSet::new(),
        is_dry_run,
    };
    Ok(maintain(&request, &EncodePool::try_new(NonZeroUsize::MIN)?).await)
}

/// Rows that were appended lie by themselves until all are clustered anew, and no reader of changes sees it.
#[tokio::test]
async fn appended_rows_are_clustered_with_the_others_by_upkeep() -> Result<(), Failure> {
    let policy = TablePolicy::default().compaction(Compaction::Auto { small_files_max: 3 });
    let asked = |lake: &TemporaryLake, mode| clustered(lake, policy.clone(), 8000, mode);
    let (lake, fresh) = (TemporaryLake::try_new()?, TemporaryLake::try_new()?);
    let session = session(2, 64 << 20, &places()?)?;
    let wanted = asked(&fresh, WriteMode::Overwrite)?;
    let wanted = write_sql(wanted, &session, 2, ALL_PLACES).await?;
    for part in 0..16 {
        let sql = format!("{ALL_PLACES} WHERE across % 16 = {part}");
        let part = asked(&lake, WriteMode::Append)?;
        write_sql(part, &session, 2, &sql).await?;
    }
    // What is asked of new rows does not keep those that are there from being moved.
    let constrained = policy.clone().constraints([("none", "across < 0")]);
    let kept = || clustered(&lake, constrained.clone(), 8000, WriteMode::Overwrite);
    assert!(maintained(kept()?, true).await?.facts[0].is_done);
    let done = maintained(kept()?, false).await?;
    assert!(done.failure.is_none());
    let compaction = &done.facts[0];
    assert_eq!(
        (compaction.is_done, compaction.version.number()),
        (true, 17)
    );
    assert_eq!(compaction.files_added, wanted.files);
    let open = open_table(&lake.location("cpg.places")?, None).await?;
    assert_eq!(open.commit().content, Some(wanted.content));
    let log = lake.location("cpg.places")?.to_string() + "_delta_log/00000000000000000017.json";
    let log = std::fs::read_to_string(log)?;
    assert!(log.contains(r#""dataChange":false"#) && !log.contains(r#""dataChange":true"#));
    let again = maintained(kept()?, false).await?;
    let reason = &again.facts[0].reason;
    assert!(
        !again.facts[0].is_done && reason.contains("were clustered"),
        "{reason}"
    );
    // Whoever brings rows changes them.
    let compact = asked(&lake, WriteMode::Compact)?;
    let refused = write_sql(compact, &session, 1, ALL_PLACES).await.err();
    assert_eq!(
        refused.as_ref().and_then(code_of),
        Some("rows_for_compaction")
    );
    Ok(())
}

/// What is written anew replaces all that is there, so all of it has to have been read.
#[tokio::test]
async fn a_table_that_is_not_read_in_full_is_not_clustered_anew() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let policy = TablePolicy::default().compaction(Compaction::Auto { small_files_max: 1 });
    let asked = || clustered(&lake, policy.clone(), 1 << 20, WriteMode::Append);
    let session = session(1, 64 << 20, &places()?)?;
    for part in 0..2 {
        let sql = format!("{ALL_PLACES} WHERE across % 2 = {part}");
        write_sql(asked()?, &session, 1, &sql).await?;
    }
    // A log that tells of more rows than its file has.
    let log = lake.location("cpg.places")?.to_string() + "_delta_log/00000000000000000002.json";
    let told = std::fs::read_to_string(&log)?;
    std::fs::write(&log, told.replace(r#"numRecords\":"#, r#"numRecords\":1"#))?;
    let done = maintained(asked()?, false).await?;
    let failure = done.failure.ok_or("rows were lost")?;
    assert_eq!((failure.code(), failure.version.number()), ("rows_lost", 2));
    let open = open_table(&lake.location("cpg.places")?, None).await?;
    assert_eq!(open.version().number(), 2);
    Ok(())
}

/// Rows without an order, or with partitions, come in one sequence, whatever the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn plans_without_an_order_give_equal_files_too() -> Result<(), Failure> {
    let contract = |partition: &[&str]| {
        DatasetSpec::builder("cpg.notes", "")
            .column(ColumnSpec::required("id", ColumnType::Int64)?)
            .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
            .key(["id"])
            .partition_by(partition.iter().copied())
            .build()
    };
    for partition in [&[][..], &["name"]] {
        let contract = contract(partition)?;
        let mut seen = Vec::new();
        for threads in [1, 4] {
            let lake = TemporaryLake::try_new()?;
            let session = session(threads, 64 << 20, &rows((0..120_000).rev())?)?;
            let request = request(&lake.lake, &contract, 10_000, WriteMode::Overwrite)?;
            let sql = "SELECT id, concat('part ', id % 3) AS name FROM shuffled";
            write_sql(request, &session, threads, sql).await?;
            // A key alone is no order.
            let open = open_table(&lake.location("cpg.notes")?, None).await?;
            assert_eq!(open.commit().order, None);
            seen.push(files_of(&lake)?);
        }
        assert!(seen[0] == seen[1], "{partition:?}");
    }
    Ok(())
}

/// Why ranks: the runtime's own clustering looks at the first bytes of values.
#[tokio::test]
async fn the_runtimes_z_order_skips_nothing_by_texts_that_begin_alike() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let location = lake.location("cpg.places")?;
    let table = write_foreign(&location, [places()?]).await?;
    let columns = vec!["across".to_owned(), "along".to_owned()];
    table
        .optimize()
        .with_type(OptimizeType::ZOrder(columns))
        .with_target_size(std::num::NonZeroU64::new(20_000).unwrap_or(std::num::NonZeroU64::MIN))
        .await?;
    let (with, all) = files_with(&lake, "along", &"src/package/module/45000".into()).await?;
    assert!(all > 8 && with == all, "{with} of {all} files");
    let folder = location.to_string();
    assert!(Path::new(&folder).is_dir());
    let _: DeltaTable = DeltaTable::try_from_url(location.url().clone()).await?;
    Ok(())
}
