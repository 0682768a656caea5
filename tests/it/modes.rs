//! What becomes of the rows that a table has: every mode of the writer, held against a model of the table in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::common::ScalarValue;
use ossature_registry::{Catalog, SessionSpec, open_dataset, open_table};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
use ossature_tests::{
    Failure, TemporaryLake, code_of, files_below, request, rows, things, write, write_foreign,
};
use ossature_write_pipeline::{KeyRange, WriteMode, WriteOutcome};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Two columns of order, of which the first alone is not the key, and a value.
fn edges() -> Result<DatasetSpec, Failure> {
    Ok(DatasetSpec::builder("cpg.edges", "One row per edge.")
        .column(ColumnSpec::required("src", ColumnType::Int64)?)
        .column(ColumnSpec::required("dst", ColumnType::Int64)?)
        .column(ColumnSpec::required("kind", ColumnType::Utf8)?)
        .key(["src", "dst"])
        .order_by(["src", "dst", "kind"])
        .build()?)
}

/// A table in memory: the kinds of edges.
type Model = BTreeMap<(i64, i64), u8>;

fn batch(edges: &Model) -> Result<RecordBatch, Failure> {
    let column = |of: fn((i64, i64)) -> i64| -> ArrayRef {
        Arc::new(edges.keys().map(|key| of(*key)).collect::<Int64Array>())
    };
    let kinds: StringArray = edges
        .values()
        .map(|kind| Some(format!("kind {kind}")))
        .collect();
    Ok(RecordBatch::try_from_iter([
        ("src", column(|key| key.0)),
        ("dst", column(|key| key.1)),
        ("kind", Arc::new(kinds) as ArrayRef),
    ])?)
}

/// Batches of a few rows.
fn batches(edges: &Model, rows: usize) -> Result<Vec<RecordBatch>, Failure> {
    let all = batch(edges)?;
    Ok((0..all.num_rows())
        .step_by(rows)
        .map(|at| all.slice(at, rows.min(all.num_rows() - at)))
        .collect())
}

/// What is done to a table.
#[derive(Debug, Clone)]
enum Action {
    Overwrite(Model),
    Append(Model),
    /// Takes the place of the sources in the ranges.
    Replace(Vec<(i64, i64)>, Model),
    Merge(Model),
    Compact,
    /// A writer that is dropped before it commits.
    Abandon(Model),
}

fn model(sources: std::ops::Range<i64>, max: usize) -> impl Strategy<Value = Model> {
    proptest::collection::btree_map((sources, 0_i64..40), 0_u8..3, 0..max)
}

fn action() -> impl Strategy<Value = Action> {
    let range = (0_i64..60, 1_i64..8).prop_map(|(from, length)| (from, from + length));
    prop_oneof![
        1 => model(0..60, 200).prop_map(Action::Overwrite),
        2 => model(0..60, 30).prop_map(Action::Append),
        4 => (proptest::collection::vec(range, 0..4), model(0..60, 60))
            .prop_map(|(ranges, rows)| Action::Replace(ranges, rows)),
        4 => model(0..60, 40).prop_map(Action::Merge),
        1 => Just(Action::Compact),
        1 => model(0..60, 40).prop_map(Action::Abandon),
    ]
}

const ROWS_PER_FILE: u64 = 16;

/// A table and what should be in it.
struct Table {
    lake: TemporaryLake,
    contract: DatasetSpec,
    rows: Model,
    /// Whether rows were appended since the files were last those of the rows.
    is_loose: bool,
}

impl Table {
    async fn write(&self, mode: WriteMode, rows: &Model) -> Result<WriteOutcome, Failure> {
        let request = request(&self.lake.lake, &self.contract, ROWS_PER_FILE, mode)?;
        write(request, 2, batches(rows, 7)?).await
    }

    async fn apply(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Overwrite(rows) => {
                self.write(WriteMode::Overwrite, &rows).await?;
                self.rows = rows;
                self.is_loose = false;
            }
            Action::Append(mut rows) => {
                // The key stays one: nothing is looked up when rows are appended.
                rows.retain(|key, _| !self.rows.contains_key(key));
                self.write(WriteMode::Append, &rows).await?;
                self.is_loose |= !rows.is_empty();
                self.rows.extend(rows);
            }
            Action::Replace(ranges, mut rows) => {
                let is_inside =
                    |src: i64| ranges.iter().any(|(from, to)| (*from..*to).contains(&src));
                rows.retain(|(src, _), _| is_inside(*src));
                let place = |src: i64| vec![ScalarValue::from(src)];
                let ranges = ranges
                    .iter()
                    .map(|(from, to)| KeyRange::between(place(*from), place(*to)));
                self.write(WriteMode::Replace(ranges.collect()), &rows)
                    .await?;
                self.rows.retain(|(src, _), _| !is_inside(*src));
                self.rows.extend(rows);
                self.is_loose = false;
            }
            Action::Merge(rows) => {
                self.write(WriteMode::Merge, &rows).await?;
                self.rows.extend(rows);
                self.is_loose = false;
            }
            Action::Compact => {
                self.write(WriteMode::Compact, &Model::new()).await?;
                self.is_loose = false;
            }
            Action::Abandon(rows) => {
                let request = request(
                    &self.lake.lake,
                    &self.contract,
                    ROWS_PER_FILE,
                    WriteMode::Merge,
                )?;
                let pool =
                    ossature_write_pipeline::EncodePool::try_new(std::num::NonZeroUsize::MIN)?;
                let mut writer = ossature_write_pipeline::TableWriter::open(request, pool).await?;
                for batch in batches(&rows, 7)? {
                    writer.push(&batch).await?;
                }
            }
        }
        Ok(())
    }

    /// The rows, as a reader finds them in their order.
    async fn read(&self) -> Result<Vec<RecordBatch>, Failure> {
        let location = self.lake.location(self.contract.name().as_str())?;
        let dataset = open_dataset(&self.contract, &location, None).await?;
        let mut catalog = Catalog::new(SessionSpec::default().build()?);
        catalog.register(&dataset)?;
        let sql = "SELECT src, dst, kind FROM edges ORDER BY src, dst";
        Ok(catalog.session().sql(sql).await?.collect().await?)
    }

    /// The paths of the files that the newest version has, and their bytes.
    async fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let location = self.lake.location(self.contract.name().as_str())?;
        let open = open_table(&location, None).await?;
        let live = open.table().snapshot()?.log_data();
        let live: BTreeSet<String> = live.iter().map(|file| file.path().to_string()).collect();
        let folder = location.to_string();
        let mut files = files_below(Path::new(&folder), Path::new(&folder))?;
        files.retain(|path, _| live.contains(path));
        assert_eq!(files.len(), live.len());
        Ok(files)
    }

    /// The files that an overwrite with the same rows leaves in a new table.
    async fn files_of_overwrite(&self) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let fresh = Table {
            lake: TemporaryLake::try_new()?,
            contract: self.contract.clone(),
            rows: Model::new(),
            is_loose: false,
        };
        fresh.write(WriteMode::Overwrite, &self.rows).await?;
        fresh.files().await
    }
}

fn found(batches: &[RecordBatch]) -> Model {
    let mut found = Model::new();
    for batch in batches {
        let column = |at: usize| batch.column(at).as_primitive::<Int64Type>();
        let kinds = batch.column(2).as_string::<i32>();
        for row in 0..batch.num_rows() {
            let kind = kinds
                .value(row)
                .trim_start_matches("kind ")
                .parse()
                .unwrap_or(255);
            found.insert((column(0).value(row), column(1).value(row)), kind);
        }
    }
    found
}

async fn check(actions: Vec<Action>) -> Result<(), Failure> {
    let mut table = Table {
        lake: TemporaryLake::try_new()?,
        contract: edges()?,
        rows: Model::new(),
        is_loose: false,
    };
    for action in actions {
        let described = format!("{action:?}");
        table.apply(action).await?;
        if described.starts_with("Abandon") && table.rows.is_empty() {
            continue;
        }
        let rows = table.read().await?;
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(
            (count, &found(&rows)),
            (table.rows.len(), &table.rows),
            "after {described}"
        );
        if !table.is_loose {
            let (files, want) = (table.files().await?, table.files_of_overwrite().await?);
            // Files that were appended and fit keep their names, so contents are compared.
            let contents = |files: BTreeMap<String, Vec<u8>>| -> Vec<Vec<u8>> {
                let mut contents: Vec<_> = files.into_values().collect();
                contents.sort();
                contents
            };
            assert!(
                contents(files) == contents(want),
                "other files after {described}"
            );
        }
    }
    Ok(())
}

#[test]
fn any_sequence_of_writes_leaves_the_rows_and_the_files_of_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let sequences = proptest::collection::vec(action(), 1..8);
    let checked = runner.run(&sequences, |actions| {
        let ended = runtime.block_on(check(actions));
        ended.map_err(|error| TestCaseError::fail(error.to_string()))
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[tokio::test]
async fn a_replacement_rewrites_only_the_files_next_to_it() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = |mode| request(&lake.lake, &contract, 100, mode);
    let first = write(request(WriteMode::Overwrite)?, 1, [rows(0..5000)?]).await?;
    let place = |id: i64| vec![ScalarValue::from(id)];
    let ranges = vec![KeyRange::between(place(2000), place(2010))];
    let second = write(
        request(WriteMode::Replace(ranges.clone()))?,
        1,
        [rows(2003..2005)?],
    )
    .await?;
    assert!(first.files > 50);
    assert!(
        second.files_added <= 2,
        "{} files were added",
        second.files_added
    );
    assert_eq!(second.rows, 4992);
    // The same again changes nothing.
    let third = write(request(WriteMode::Replace(ranges))?, 1, [rows(2003..2005)?]).await?;
    assert_eq!(third.version, second.version);
    // A row in none of the ranges.
    let ranges = vec![KeyRange::prefix(place(7))];
    let refused = write(request(WriteMode::Replace(ranges))?, 1, [rows(7..9)?])
        .await
        .err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("outside_ranges"));
    Ok(())
}

#[tokio::test]
async fn a_merge_takes_the_place_of_equal_keys() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = |mode| request(&lake.lake, &contract, 100, mode);
    write(
        request(WriteMode::Overwrite)?,
        1,
        [rows((0..500).map(|id| id * 2))?],
    )
    .await?;
    let merged = write(request(WriteMode::Merge)?, 1, [rows(0..100)?]).await?;
    assert_eq!(merged.rows, 550);
    let contract = DatasetSpec::builder("cpg.notes", "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::required("at", ColumnType::Int64)?)
        .key(["id"])
        .order_by(["at", "id"])
        .build()?;
    let refused = write(
        ossature_tests::request(&lake.lake, &contract, 100, WriteMode::Merge)?,
        1,
        [],
    )
    .await
    .err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("no_leading_key"));
    Ok(())
}

#[tokio::test]
async fn rows_of_others_are_sorted_in_when_a_table_is_compacted() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = |mode| request(&lake.lake, &contract, 100, mode);
    write(request(WriteMode::Overwrite)?, 1, [rows(0..500)?]).await?;
    let location = lake.location("cpg.things")?;
    // Unsorted, and between the rows that are there.
    let foreign = rows((500..900).rev().map(|id| id - 1_000))?;
    write_foreign(&location, [foreign]).await?;
    let open = open_table(&location, None).await?;
    assert_eq!(open.commit().order, None);
    let compacted = write(request(WriteMode::Compact)?, 1, []).await?;
    assert_eq!(compacted.rows, 900);
    let open = open_table(&location, None).await?;
    assert!(open.commit().order.is_some());
    let fresh = TemporaryLake::try_new()?;
    let all = ossature_tests::request(&fresh.lake, &contract, 100, WriteMode::Overwrite)?;
    let want = write(all, 1, [rows((-500..-100).chain(0..500))?]).await?;
    assert_eq!(
        (want.content, want.files),
        (compacted.content, compacted.files)
    );
    // Rows were moved and none was changed.
    let entry = open
        .table()
        .log_store()
        .read_commit_entry(open.version().number())
        .await?;
    let text = String::from_utf8_lossy(entry.as_deref().unwrap_or_default()).into_owned();
    assert!(text.contains(r#""dataChange":false"#) && !text.contains(r#""dataChange":true"#));
    let again = write(request(WriteMode::Compact)?, 1, []).await?;
    assert_eq!(again.version, compacted.version);
    Ok(())
}

#[tokio::test]
async fn appends_keep_the_order_as_long_as_they_follow() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let append = |ids: std::ops::Range<i64>| {
        let request = request(&lake.lake, &contract, 100, WriteMode::Append);
        async { write(request?, 1, [rows(ids)?]).await }
    };
    let location = lake.location("cpg.things")?;
    for (ids, is_ordered) in [(0..50, true), (50..80, true), (20..30, false)] {
        append(ids.clone()).await?;
        let open = open_table(&location, None).await?;
        assert_eq!(open.commit().order.is_some(), is_ordered, "after {ids:?}");
        assert!(open.commit().content.is_some());
    }
    Ok(())
}

#[tokio::test]
async fn a_table_that_exists_is_not_created_again() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::ErrorIfExists);
    let first = write(request()?, 1, [rows(0..50)?]).await?;
    assert_eq!(first.version.number(), 1);
    let refused = write(request()?, 1, [rows(0..50)?]).await.err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("table_exists"));
    Ok(())
}

#[tokio::test]
async fn a_creation_whose_rows_never_came_is_begun_again() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let request = || request(&lake.lake, &contract, 100, WriteMode::ErrorIfExists);
    for falling in [[rows(50..60)?, rows(0..50)?], [rows(0..60)?, rows(59..90)?]] {
        assert!(write(request()?, 1, falling).await.is_err());
    }
    let created = write(request()?, 1, [rows(0..50)?]).await?;
    assert_eq!((created.version.number(), created.rows), (1, 50));
    // One without rows is there as well.
    let other = things("cpg.others")?;
    let request = || {
        let mode = WriteMode::ErrorIfExists;
        ossature_tests::request(&lake.lake, &other, 100, mode)
    };
    assert_eq!(write(request()?, 1, []).await?.version.number(), 1);
    let refused = write(request()?, 1, [rows(0..50)?]).await.err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("table_exists"));
    Ok(())
}

/// What a version's commit says of its files, rewritten by `change`.
fn retag(
    lake: &TemporaryLake,
    version: u64,
    change: impl Fn(&mut serde_json::Value),
) -> Result<usize, Failure> {
    let folder = lake.location("cpg.things")?.to_string();
    let log = Path::new(&folder).join(format!("_delta_log/{version:020}.json"));
    let mut lines = String::new();
    let mut changed = 0;
    for line in std::fs::read_to_string(&log)?.lines() {
        let mut action: serde_json::Value = serde_json::from_str(line)?;
        if let Some(tags) = action.pointer_mut("/add/tags") {
            change(tags);
            changed += 1;
        }
        lines = lines + &action.to_string() + "\n";
    }
    std::fs::write(log, lines)?;
    Ok(changed)
}

/// Whatever else they say: another version of the writer may encode keys otherwise, and other orders have other keys.
#[tokio::test]
async fn tags_of_other_rules_are_not_believed() -> Result<(), Failure> {
    for (tag, value) in [
        ("ossature.writer", "999"),
        ("ossature.order", "name string"),
        ("ossature.order", "id desc long"),
        ("ossature.firstKey", "zz"),
        ("ossature.contentHash", "12"),
    ] {
        let lake = TemporaryLake::try_new()?;
        let contract = things("cpg.things")?;
        let request = |mode| request(&lake.lake, &contract, 100, mode);
        let first = write(request(WriteMode::Overwrite)?, 1, [rows(0..300)?]).await?;
        let changed = retag(&lake, 1, |tags| {
            // Believed, the rows would lie behind all others, so that none of them would be found to be replaced.
            for key in ["ossature.firstKey", "ossature.lastKey"] {
                tags[key] = "ff".repeat(9).into();
            }
            tags[tag] = value.into();
        })?;
        assert_eq!(changed, first.files);
        let merged = write(request(WriteMode::Merge)?, 1, [rows([50, 120, 300])?]).await?;
        assert_eq!(merged.rows, 301, "{tag}");
        let dataset = open_dataset(&contract, &lake.location("cpg.things")?, None).await?;
        assert_eq!(dataset.facts().rows, Some(301), "{tag}");
        let mut catalog = Catalog::new(SessionSpec::default().build()?);
        catalog.register(&dataset)?;
        let sorted = "SELECT id FROM things ORDER BY id";
        let mut ids: Vec<i64> = Vec::new();
        for batch in catalog.session().sql(sorted).await?.collect().await? {
            ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
        }
        assert_eq!(ids, (0..301).collect::<Vec<_>>(), "{tag}");
    }
    Ok(())
}
