//! Deterministic by construction: what the writer promises, read back from folders and logs.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;
use ossature_registry::{COMMIT_KEY_PREFIX, open_table};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write};
use ossature_write_pipeline::{Error, TransactionId, WriteMode};

/// Data files below a folder: path and bytes.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            for (name, bytes) in files(&path)? {
                found.insert(format!("{}/{name}", path.display()), bytes);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            found.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(found)
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
        seen.push((files(Path::new(&folder))?, outcome.content));
    }
    assert!(seen[0].0.len() > 5);
    assert!(seen.iter().all(|one| *one == seen[0]));
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
    ];
    for (batch, want) in bad {
        let error = write(request()?, 1, [batch]).await.err();
        let error = error.and_then(|error| error.downcast::<Error>().ok());
        assert_eq!(error.map(|error| error.code()), Some(want));
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
    let pool = ossature_write_pipeline::EncodePool::new(std::num::NonZeroUsize::MIN);
    let mut stale = ossature_write_pipeline::TableWriter::open(request()?, pool).await?;
    stale.push(&rows(0..10)?).await?;
    write(request()?, 1, [rows(0..60)?]).await?;
    let lost = stale.finish().await.err();
    assert_eq!(lost.as_ref().map(Error::code), Some("commit_conflict"));
    assert!(lost.is_some_and(|error| error.is_retryable()));
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
    let error = write(numbered(1)?, 1, [rows(0..10)?]).await.err();
    let error = error.and_then(|error| error.downcast::<Error>().ok());
    assert_eq!(error.map(|error| error.code()), Some("superseded"));
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
    let error = error.and_then(|error| error.downcast::<Error>().ok());
    assert_eq!(error.map(|error| error.code()), Some("reserved_commit_key"));
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
    let dataset =
        ossature_registry::open_dataset(&contract, &lake.location("cpg.things")?, None).await?;
    assert_eq!(dataset.facts().rows, Some(20));
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
            (
                "id",
                std::sync::Arc::new(arrow_array::Int64Array::from(ids)) as _,
            ),
            (
                "family",
                std::sync::Arc::new(arrow_array::StringArray::from(families)) as _,
            ),
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
    let dataset = ossature_registry::open_dataset(&contract, &location, None).await?;
    let mut catalog =
        ossature_registry::Catalog::new(ossature_registry::SessionSpec::default().build()?);
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
