//! Change feeds: a window holds what operations did between two versions, or says why it cannot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use deltalake_core::DeltaTable;
use deltalake_core::delta_datafusion::DeltaCdfTableProvider;
use deltalake_core::kernel::{DataType as DeltaType, StructField};
use deltalake_core::operations::write::SchemaMode;
use deltalake_core::protocol::SaveMode;
use expect_test::expect;
use ossature_delta_policy::TablePolicy;
use ossature_registry::{
    Catalog, ChangeFeed, ChangeFeedRequest, ChangeFilter, Changes, DatasetKind, Error, FeedBound,
    FeedClass, FeedOutcome, FeedPolicy, FeedSelection, ScanProvider, SchemaBreak, SessionSpec,
    TableLocation, classify_change_feed, open_change_feed, open_dataset, select_change_feed,
};
use ossature_schema_spec::{ColumnName, DatasetName, DatasetSpec, Version};
use ossature_tests::{Failure, HandMade, TemporaryLake, request, rows, things, write};
use ossature_write_pipeline::WriteMode;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

use crate::guards::deletion_vector;

/// A row of a feed: the version, what became of the row, and its id.
type Change = (i64, String, i64);

const RECORDS: (&str, &str) = ("delta.enableChangeDataFeed", "true");

/// A table that delta-rs writes, with `id`, `name` and `weight`.
struct Theirs {
    name: DatasetName,
    location: TableLocation,
    lake: TemporaryLake,
    table: DeltaTable,
}

impl Theirs {
    /// A table that records changes.
    async fn try_new() -> Result<Self, Failure> {
        Self::with(&[RECORDS], &[]).await
    }

    async fn with(properties: &[(&str, &str)], partition: &[&str]) -> Result<Self, Failure> {
        let lake = TemporaryLake::try_new()?;
        let location = lake.location("cpg.things")?;
        Ok(Self {
            name: name()?,
            table: create(&location, properties, partition).await?,
            location,
            lake,
        })
    }

    fn folder(&self) -> PathBuf {
        self.lake.path().join("cpg/things")
    }

    fn commit_file(&self, version: u64) -> PathBuf {
        self.folder().join(format!("_delta_log/{version:020}.json"))
    }

    async fn write(
        &mut self,
        mode: SaveMode,
        schema: Option<SchemaMode>,
        batch: RecordBatch,
    ) -> Result<(), Failure> {
        let write = self.table.clone().write([batch]).with_save_mode(mode);
        self.table = match schema {
            Some(schema) => write.with_schema_mode(schema).await?,
            None => write.await?,
        };
        Ok(())
    }

    async fn append(&mut self, ids: impl IntoIterator<Item = i64>) -> Result<(), Failure> {
        let rows = ordered(&rows(ids)?)?;
        self.write(SaveMode::Append, None, rows).await
    }

    async fn update(&mut self, predicate: &str) -> Result<(), Failure> {
        let update = self.table.clone().update().with_predicate(predicate);
        self.table = update.with_update("name", "'new'").await?.0;
        Ok(())
    }

    async fn delete(&mut self, predicate: &str) -> Result<(), Failure> {
        let delete = self.table.clone().delete().with_predicate(predicate);
        self.table = delete.await?.0;
        Ok(())
    }

    /// Updates the rows with these ids, and inserts those that are not there.
    async fn merge(&mut self, ids: impl IntoIterator<Item = i64>) -> Result<(), Failure> {
        let source = SessionContext::new().read_batch(rows(ids)?)?;
        let merge = self.table.clone().merge(source, "t.id = s.id");
        let merge = merge.with_source_alias("s").with_target_alias("t");
        let merge = merge.when_matched_update(|update| update.update("name", "'merged'"))?;
        let merge = merge.when_not_matched_insert(|insert| {
            insert
                .set("id", "s.id")
                .set("name", "s.name")
                .set("weight", "s.weight")
        })?;
        self.table = merge.await?.0;
        Ok(())
    }

    async fn set(&mut self, value: &str) -> Result<(), Failure> {
        let properties = HashMap::from([(RECORDS.0.to_owned(), value.to_owned())]);
        let set = self.table.clone().set_tbl_properties();
        self.table = set.with_properties(properties).await?;
        Ok(())
    }

    /// Ten rows, of which three are updated and two deleted, and a merge: versions 1 to 4.
    async fn busy() -> Result<Self, Failure> {
        let mut table = Self::try_new().await?;
        table.append(0..10).await?;
        table.update("id < 3").await?;
        table.delete("id >= 8").await?;
        table.merge([2, 20]).await?;
        Ok(table)
    }

    async fn open(&self, request: &ChangeFeedRequest) -> Result<ChangeFeed, Error> {
        open_change_feed(&self.name, &self.location, request).await
    }

    async fn window(&self, from: u64, to: u64) -> Result<ChangeFeed, Error> {
        self.open(&versions(from, to)).await
    }

    async fn class(&self, request: &ChangeFeedRequest) -> Result<FeedClass, Failure> {
        Ok(classify_change_feed(&self.location, request).await?.class)
    }

    async fn class_of(&self, from: u64, to: u64) -> Result<FeedClass, Failure> {
        self.class(&versions(from, to)).await
    }

    /// Rewrites a commit by hand.
    fn edit(&self, version: u64, edit: impl Fn(&mut Value)) -> Result<(), Failure> {
        let file = self.commit_file(version);
        let mut lines = Vec::new();
        for line in std::fs::read_to_string(&file)?.lines() {
            let mut line: Value = serde_json::from_str(line)?;
            edit(&mut line);
            lines.push(line.to_string());
        }
        Ok(std::fs::write(file, lines.join("\n"))?)
    }

    /// Commits by hand what the first version says of the table, changed.
    fn describe_anew(&self, version: u64, edit: impl Fn(&mut Value)) -> Result<(), Failure> {
        let first = std::fs::read_to_string(self.commit_file(0))?;
        for line in first.lines() {
            let mut line: Value = serde_json::from_str(line)?;
            if line["metaData"].is_object() {
                edit(&mut line["metaData"]);
                let lines = format!("{}\n{line}", json!({"commitInfo": {"timestamp": 1}}));
                std::fs::write(self.commit_file(version), lines)?;
            }
        }
        Ok(())
    }
}

fn name() -> Result<DatasetName, Failure> {
    Ok(DatasetName::try_new("cpg.things")?)
}

fn versions(from: u64, to: u64) -> ChangeFeedRequest {
    ChangeFeedRequest::versions(Version::new(from), Version::new(to))
}

async fn create(
    location: &TableLocation,
    properties: &[(&str, &str)],
    partition: &[&str],
) -> Result<DeltaTable, Failure> {
    std::fs::create_dir_all(location.to_string())?;
    let table = DeltaTable::try_from_url(location.url().clone()).await?;
    let properties = properties.iter().map(|(key, value)| (*key, Some(*value)));
    let columns = [
        ("id", DeltaType::LONG),
        ("name", DeltaType::STRING),
        ("weight", DeltaType::DOUBLE),
    ];
    let columns = columns.map(|(name, of)| StructField::new(name, of, true));
    Ok(table
        .create()
        .with_columns(columns)
        .with_partition_columns(partition.iter().copied())
        .with_configuration(properties)
        .await?)
}

/// The columns in the table's order.
fn ordered(rows: &RecordBatch) -> Result<RecordBatch, Failure> {
    Ok(rows.project(&[2, 0, 1])?)
}

/// Rows with the given names.
fn named(names: &[(i64, Option<&str>)]) -> Result<RecordBatch, Failure> {
    let rows = ordered(&rows(names.iter().map(|(id, _)| *id))?)?;
    let names: StringArray = names.iter().map(|(_, name)| *name).collect();
    let columns = [
        Arc::clone(rows.column(0)),
        Arc::new(names),
        Arc::clone(rows.column(2)),
    ];
    Ok(RecordBatch::try_new(rows.schema(), columns.to_vec())?)
}

async fn catalog(feed: &ChangeFeed) -> Result<Catalog, Failure> {
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register_change_feed(feed).await?;
    Ok(catalog)
}

async fn count(session: &SessionContext, sql: &str) -> Result<usize, Failure> {
    Ok(session.sql(sql).await?.count().await?)
}

/// The rows of `SELECT <version>, <change>, <id> ...`, sorted.
async fn select(session: &SessionContext, sql: &str) -> Result<Vec<Change>, Failure> {
    let mut found = Vec::new();
    for batch in session.sql(sql).await?.collect().await? {
        let versions = batch.column(0).as_primitive::<Int64Type>();
        let kinds = batch.column(1).as_string::<i32>();
        let ids = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            found.push((
                versions.value(row),
                kinds.value(row).to_owned(),
                ids.value(row),
            ));
        }
    }
    found.sort();
    Ok(found)
}

const SELECT: &str = "SELECT _commit_version, _change_type, id FROM things__cdf";

async fn changes(feed: &ChangeFeed) -> Result<Vec<Change>, Failure> {
    select(catalog(feed).await?.session(), SELECT).await
}

/// What operations did: a version, a kind of change, and the ids that it happened to.
fn done(operations: &[(i64, &str, Vec<i64>)]) -> Vec<Change> {
    let mut rows: Vec<Change> = operations
        .iter()
        .flat_map(|(version, kind, ids)| ids.iter().map(|id| (*version, (*kind).to_owned(), *id)))
        .collect();
    rows.sort();
    rows
}

/// What [`Theirs::busy`] did.
fn busy_changes() -> Vec<Change> {
    done(&[
        (1, "insert", (0..10).collect()),
        (2, "update_postimage", vec![0, 1, 2]),
        (3, "delete", vec![8, 9]),
        (4, "update_postimage", vec![2]),
        (4, "insert", vec![20]),
    ])
}

fn raw(table: &DeltaTable, from: u64, to: Option<u64>) -> Result<SessionContext, Failure> {
    let feed = table.clone().scan_cdf().with_starting_version(from);
    let feed = match to {
        Some(to) => feed.with_ending_version(to),
        None => feed,
    };
    let session = SessionContext::new();
    session.register_table("feed", Arc::new(DeltaCdfTableProvider::try_new(feed)?))?;
    Ok(session)
}

async fn explain(session: &SessionContext, sql: &str) -> Result<String, Failure> {
    let plan = session.sql(sql).await?.create_physical_plan().await?;
    let text = datafusion::physical_plan::displayable(plan.as_ref());
    Ok(text.indent(false).to_string())
}

#[tokio::test]
async fn a_feed_holds_what_operations_did() -> Result<(), Failure> {
    let mut table = Theirs::busy().await?;
    let ids = rows(30..35)?;
    table
        .write(SaveMode::Overwrite, None, ordered(&ids)?)
        .await?;
    table.append([40]).await?;
    let optimized = table.table.clone().optimize().await?;
    table.table = optimized.0;
    assert_eq!(table.table.version(), Some(7));

    let feed = table.open(&ChangeFeedRequest::default()).await?;
    let mut want = busy_changes();
    want.extend(done(&[
        (5, "delete", (0..8).chain([20]).collect()),
        (5, "insert", (30..35).collect()),
        (6, "insert", vec![40]),
    ]));
    want.sort();
    assert_eq!(changes(&feed).await?, want);
    let facts = feed.facts();
    assert_eq!(facts.class, FeedClass::Ok);
    assert_eq!(facts.versions, Some((Version::new(0), Version::new(7))));
    assert_eq!(
        (facts.newest, facts.pin.version),
        (Version::new(7), Version::new(7))
    );
    assert_eq!(facts.enabled_since, Some(Version::new(0)));
    assert_eq!(
        Some(facts.pin.table_id.as_str()),
        table.table.snapshot()?.metadata().id().into()
    );

    // Every window has the part of it that is in its versions.
    for (from, to) in [(1, 1), (2, 3), (3, 6), (5, 5), (4, 7)] {
        let feed = table.window(from, to).await?;
        let inside = |version: i64| (from..=to).contains(&u64::try_from(version).unwrap());
        let want: Vec<Change> = want.iter().filter(|it| inside(it.0)).cloned().collect();
        assert_eq!(changes(&feed).await?, want, "{from} to {to}");
    }
    Ok(())
}

/// The rows of a table that delta-rs reads: ids, and whether an operation gave them their name.
async fn rows_of(table: &DeltaTable) -> Result<BTreeMap<i64, String>, Failure> {
    let session = SessionContext::new();
    table.update_datafusion_session(&session.state())?;
    session.register_table("t", table.table_provider().await?)?;
    let sql = "SELECT id, arrow_cast(coalesce(name, 'none'), 'Utf8') FROM t";
    let mut rows = BTreeMap::new();
    for batch in session.sql(sql).await?.collect().await? {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let names = batch.column(1).as_string::<i32>();
        for row in 0..batch.num_rows() {
            rows.insert(ids.value(row), names.value(row).to_owned());
        }
    }
    Ok(rows)
}

/// Whatever was done to a table, its feed does the same to an empty one.
#[tokio::test]
async fn a_feed_that_is_played_back_gives_the_table() -> Result<(), Failure> {
    for seed in 1..=3_u64 {
        let mut random = seed;
        let mut next = |below: i64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            i64::try_from(random >> 33).unwrap() % below
        };
        let mut table = Theirs::try_new().await?;
        let mut fresh = 0;
        let mut states = vec![BTreeMap::new()];
        for _ in 0..10 {
            let (at, few) = (next(40), next(6) + 1);
            let known = table.table.version();
            match next(6) {
                0 | 1 => {
                    table.append(fresh..fresh + few).await?;
                    fresh += few;
                }
                2 => table.update(&format!("id % 7 = {}", at % 7)).await?,
                3 => table.delete(&format!("id % 9 = {}", at % 9)).await?,
                4 => {
                    table.merge([at % (fresh + 1), fresh]).await?;
                    fresh += 1;
                }
                _ => {
                    let rows = ordered(&rows(fresh..fresh + few)?)?;
                    table.write(SaveMode::Overwrite, None, rows).await?;
                    fresh += few;
                }
            }
            // What changes nothing commits nothing, or a version without changes.
            if table.table.version() != known {
                states.push(rows_of(&table.table).await?);
            }
        }
        let newest = u64::try_from(states.len() - 1)?;
        assert_eq!(table.table.version(), Some(newest));
        let feed = table.window(0, newest).await?;
        let catalog = catalog(&feed).await?;
        let mut state = BTreeMap::new();
        for (version, want) in states.iter().enumerate() {
            // Deletions come first: a row that was carried along is deleted and inserted.
            let sql = format!(
                "SELECT id, coalesce(name, 'none'), _change_type FROM things__cdf \
                 WHERE _commit_version = {version} ORDER BY _change_type"
            );
            for batch in catalog.session().sql(&sql).await?.collect().await? {
                let ids = batch.column(0).as_primitive::<Int64Type>();
                let names = batch.column(1).as_string::<i32>();
                let kinds = batch.column(2).as_string::<i32>();
                for row in 0..batch.num_rows() {
                    match kinds.value(row) {
                        "delete" => state.remove(&ids.value(row)),
                        _ => state.insert(ids.value(row), names.value(row).to_owned()),
                    };
                }
            }
            assert_eq!(&state, want, "seed {seed}, v{version}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_columns_are_the_stored_ones_and_three_more() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    let feed = table.window(0, 4).await?;
    let schema = feed.provider().schema();
    let fields: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| format!("{}: {}", field.name(), field.data_type()))
        .collect();
    expect![[r#"
        id: Int64
        name: Utf8
        weight: Float64
        _change_type: Utf8
        _commit_version: Int64
        _commit_timestamp: Timestamp(µs, "UTC")"#]]
    .assert_eq(&fields.join("\n"));
    let catalog = catalog(&feed).await?;
    let rows = catalog
        .session()
        .sql("SELECT * FROM things__cdf")
        .await?
        .collect()
        .await?;
    assert!(
        rows.iter()
            .all(|batch| batch.schema().fields() == schema.fields())
    );
    // Times are those of the commits.
    let sql = "SELECT DISTINCT CAST(_commit_timestamp AS BIGINT) t FROM things__cdf WHERE _commit_version = 2";
    let times = catalog.session().sql(sql).await?.collect().await?;
    let time = times[0].column(0).as_primitive::<Int64Type>().value(0);
    let commit = std::fs::read_to_string(table.commit_file(2))?;
    let said = commit.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["commitInfo"]["timestamp"].as_i64()
    });
    assert_eq!(Some(time), said.map(|ms| ms * 1000));
    Ok(())
}

#[tokio::test]
async fn rows_before_an_update_come_only_when_they_are_asked_for() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    let with = async |changed: Changes| -> Result<Vec<Change>, Failure> {
        let request = ChangeFeedRequest {
            changes: changed,
            ..versions(0, 4)
        };
        let feed = table.open(&request).await?;
        changes(&feed).await
    };
    let only = |types: &[&str]| -> Vec<Change> {
        let all = busy_changes();
        all.into_iter()
            .filter(|it| types.contains(&it.1.as_str()))
            .collect()
    };
    let filter = |insert, update_postimage, delete| {
        Changes::Chosen(ChangeFilter {
            insert,
            update_postimage,
            delete,
        })
    };
    assert_eq!(with(filter(true, true, true)).await?, busy_changes());
    assert_eq!(with(filter(true, false, false)).await?, only(&["insert"]));
    assert_eq!(
        with(filter(false, true, true)).await?,
        only(&["update_postimage", "delete"])
    );
    assert_eq!(with(filter(false, false, false)).await?, []);

    let mut want = busy_changes();
    want.extend(done(&[
        (2, "update_preimage", vec![0, 1, 2]),
        (4, "update_preimage", vec![2]),
    ]));
    want.sort();
    assert_eq!(with(Changes::WithPreimages).await?, want);
    Ok(())
}

/// One of the three parts of the plan is empty in every window, two are in most.
#[tokio::test]
async fn rows_can_be_sorted_where_parts_of_the_plan_are_empty() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    for (from, to) in [(1, 1), (2, 2), (1, 4), (0, 0)] {
        let feed = table.window(from, to).await?;
        let catalog = catalog(&feed).await?;
        let sql = "SELECT id FROM things__cdf ORDER BY id, _commit_version, _change_type";
        let mut ids: Vec<i64> = Vec::new();
        for batch in catalog.session().sql(sql).await?.collect().await? {
            ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
        }
        let mut want: Vec<i64> = busy_changes()
            .iter()
            .filter(|it| (from..=to).contains(&u64::try_from(it.0).unwrap()))
            .map(|it| it.2)
            .collect();
        want.sort_unstable();
        assert_eq!(ids, want, "{from} to {to}");
    }
    Ok(())
}

/// The defect that the guard is for: should delta-rs mend it, this test says so.
#[tokio::test]
async fn delta_rs_cannot_sort_a_feed_with_an_empty_part() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    let session = raw(&table.table, 1, Some(1))?;
    let frame = session.sql("SELECT id FROM feed ORDER BY id").await?;
    let error = frame.collect().await.err().map(|error| error.to_string());
    assert!(error.is_some_and(|it| it.contains("SanityCheckPlan")));
    Ok(())
}

#[tokio::test]
async fn the_same_window_has_the_same_rows_for_ever() -> Result<(), Failure> {
    let mut table = Theirs::busy().await?;
    let open_end = ChangeFeedRequest::starting(FeedBound::Version(Version::new(1)));
    let feed = table.open(&open_end).await?;
    let catalog = catalog(&feed).await?;
    assert_eq!(select(catalog.session(), SELECT).await?, busy_changes());

    table.append(50..60).await?;
    table.delete("id = 4").await?;
    let wider = ["id", "name", "weight", "extra"]
        .map(|name| (name, Arc::new(Int64Array::from(vec![70])) as ArrayRef));
    let wider = RecordBatch::try_from_iter(wider.into_iter().map(|(name, ids)| match name {
        "name" => (name, Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
        "weight" => (
            name,
            Arc::new(arrow_array::Float64Array::from(vec![1.0])) as ArrayRef,
        ),
        _ => (name, ids),
    }))?;
    table
        .write(SaveMode::Append, Some(SchemaMode::Merge), wider)
        .await?;
    assert_eq!(select(catalog.session(), SELECT).await?, busy_changes());

    // Opened again by its versions, it is what it was, columns included.
    let again = table.window(1, 4).await?;
    assert_eq!(changes(&again).await?, busy_changes());
    assert_eq!(again.provider().schema(), feed.provider().schema());
    assert_eq!(again.facts().pin, feed.facts().pin);
    assert_eq!(again.facts().newest, Version::new(7));

    // A log that is cleaned up after a window was opened does not matter to it.
    std::fs::remove_dir_all(table.folder().join("_delta_log"))?;
    assert_eq!(select(catalog.session(), SELECT).await?, busy_changes());
    Ok(())
}

#[tokio::test]
async fn delta_rs_reads_up_to_what_is_newest_when_it_runs() -> Result<(), Failure> {
    let mut table = Theirs::busy().await?;
    let session = raw(&table.table, 4, None)?;
    assert_eq!(count(&session, "SELECT * FROM feed").await?, 3);
    table.append(50..60).await?;
    assert_eq!(count(&session, "SELECT * FROM feed").await?, 13);
    Ok(())
}

#[tokio::test]
async fn a_table_that_was_made_anew_is_another_one() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    let feed = table.window(1, 4).await?;
    let catalog = catalog(&feed).await?;
    let id = feed.facts().pin.table_id.clone();
    std::fs::remove_dir_all(table.folder())?;
    let mut anew = Theirs {
        table: create(&table.location, &[RECORDS], &[]).await?,
        ..table
    };
    for ids in [0..2, 2..4, 4..6, 6..8] {
        anew.append(ids).await?;
    }
    // The window does not turn into one of the new table.
    assert!(select(catalog.session(), SELECT).await.is_err());
    let request = ChangeFeedRequest {
        table_id: Some(id),
        ..versions(1, 4)
    };
    let refused = anew.open(&request).await.err();
    assert_eq!(refused.map(|error| error.code()), Some("table_recreated"));
    assert_eq!(changes(&anew.window(1, 4).await?).await?.len(), 8);

    // Nor does a session have the feed of one table and the rows of another.
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&open_dataset(&nullable()?, &anew.location, None).await?)?;
    let refused = catalog.register_change_feed(&feed).await.err();
    assert_eq!(refused.map(|error| error.code()), Some("table_recreated"));

    // One that replaced itself inside of the window.
    anew.describe_anew(5, |metadata| metadata["id"] = "another".into())?;
    let refused = anew.window(1, 5).await.err();
    assert_eq!(refused.map(|error| error.code()), Some("table_recreated"));
    assert_eq!(changes(&anew.window(1, 4).await?).await?.len(), 8);
    Ok(())
}

/// [`things`] as somebody else writes them.
fn nullable() -> Result<DatasetSpec, Failure> {
    use ossature_schema_spec::{ColumnSpec, ColumnType};
    Ok(DatasetSpec::builder("cpg.things", "")
        .column(ColumnSpec::nullable("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
        .column(ColumnSpec::nullable("weight", ColumnType::Float64)?)
        .build()?)
}

#[tokio::test]
async fn windows_that_hold_no_version_are_empty_or_out_of_range() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    let newest = Version::new(4);
    let out = |from, to| FeedClass::OutOfRange {
        from: Some(Version::new(from)),
        to: Some(Version::new(to)),
        newest,
    };
    let starting = |from| ChangeFeedRequest::starting(FeedBound::Version(Version::new(from)));
    // A reader that has seen everything.
    assert_eq!(table.class(&starting(5)).await?, FeedClass::Empty);
    assert_eq!(table.class_of(5, 4).await?, FeedClass::Empty);
    // No version of it changed a row.
    assert_eq!(table.class_of(0, 0).await?, FeedClass::Empty);
    assert_eq!(table.class(&starting(6)).await?, out(6, 4));
    assert_eq!(table.class_of(3, 2).await?, out(3, 2));
    // Its rows would be others after the next commit.
    assert_eq!(table.class_of(3, 9).await?, out(3, 9));

    for (from, to, want) in [(6, 7, vec![]), (3, 2, vec![]), (4, 9, vec![2, 20])] {
        let request = ChangeFeedRequest {
            allow_out_of_range: true,
            ..versions(from, to)
        };
        let feed = table.open(&request).await?;
        let ids: BTreeSet<i64> = changes(&feed).await?.iter().map(|it| it.2).collect();
        assert_eq!(ids, want.iter().copied().collect(), "{from} to {to}");
        let versions = feed.facts().versions.map(|(_, to)| to);
        assert_eq!(versions, (!want.is_empty()).then_some(newest));
    }
    let feed = table.open(&starting(5)).await?;
    assert_eq!(feed.facts().class, FeedClass::Empty);
    assert_eq!(changes(&feed).await?, []);
    let sorted = catalog(&feed).await?;
    let sql = "SELECT id FROM things__cdf WHERE id > 3 ORDER BY id";
    assert_eq!(count(sorted.session(), sql).await?, 0);
    Ok(())
}

#[tokio::test]
async fn times_become_versions_when_a_window_is_opened() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    for version in 0..=4 {
        table.edit(version, |line| {
            if line["commitInfo"].is_object() {
                line["commitInfo"]["timestamp"] = (1000 * (version + 1)).into();
            }
        })?;
    }
    let window = |start, end: Option<i64>| ChangeFeedRequest {
        end: end.map(FeedBound::UnixMs),
        ..ChangeFeedRequest::starting(FeedBound::UnixMs(start))
    };
    let versions = async |start, end| -> Result<Option<(u64, u64)>, Failure> {
        let feed = table.open(&window(start, end)).await?;
        let found = feed.facts().versions;
        Ok(found.map(|(from, to)| (from.number(), to.number())))
    };
    assert_eq!(versions(0, None).await?, Some((0, 4)));
    assert_eq!(versions(2000, None).await?, Some((1, 4)));
    assert_eq!(versions(2001, None).await?, Some((2, 4)));
    assert_eq!(versions(2001, Some(4000)).await?, Some((2, 3)));
    assert_eq!(versions(2001, Some(3999)).await?, Some((2, 2)));
    assert_eq!(versions(5000, Some(i64::MAX)).await?, Some((4, 4)));
    // Nothing was committed between them.
    assert_eq!(versions(2001, Some(2999)).await?, None);
    let class = table.class(&window(2001, Some(2999))).await?;
    assert_eq!(class, FeedClass::Empty);

    let out = |from: Option<u64>, to: Option<u64>| FeedClass::OutOfRange {
        from: from.map(Version::new),
        to: to.map(Version::new),
        newest: Version::new(4),
    };
    assert_eq!(table.class(&window(5001, None)).await?, out(None, Some(4)));
    assert_eq!(
        table.class(&window(2000, Some(999))).await?,
        out(Some(1), None)
    );
    // The time that readers compare is the one of the log, where it keeps both.
    table.edit(1, |line| {
        if line["commitInfo"].is_object() {
            line["commitInfo"]["inCommitTimestamp"] = 2500.into();
        }
    })?;
    assert_eq!(versions(2400, Some(2600)).await?, Some((1, 1)));
    let feed = table.open(&window(2400, Some(2600))).await?;
    let sql =
        "SELECT 1 FROM things__cdf WHERE _commit_timestamp = TIMESTAMP '1970-01-01T00:00:02.5Z'";
    assert_eq!(count(catalog(&feed).await?.session(), sql).await?, 10);
    Ok(())
}

#[tokio::test]
async fn a_log_that_was_cleaned_up_is_a_gap() -> Result<(), Failure> {
    let mut table = Theirs::busy().await?;
    deltalake_core::checkpoints::create_checkpoint(&table.table, None).await?;
    table.append([30]).await?;
    for version in 0..2 {
        std::fs::remove_file(table.commit_file(version))?;
    }
    let gap = |missing| FeedClass::Gap {
        missing: Version::new(missing),
    };
    assert_eq!(table.class_of(0, 5).await?, gap(0));
    assert_eq!(table.class_of(1, 1).await?, gap(1));
    // The commit is there, and nothing says any more what the table was.
    assert_eq!(table.class_of(2, 5).await?, gap(2));
    let by_time = ChangeFeedRequest::starting(FeedBound::UnixMs(0));
    assert_eq!(table.class(&by_time).await?, gap(1));
    let feed = table.window(4, 5).await?;
    let want = done(&[
        (4, "update_postimage", vec![2]),
        (4, "insert", vec![20]),
        (5, "insert", vec![30]),
    ]);
    assert_eq!(changes(&feed).await?, want);
    assert_eq!(feed.facts().enabled_since, None);
    let refused = table.window(1, 4).await.err();
    assert_eq!(refused.map(|error| error.code()), Some("feed_gap"));
    Ok(())
}

#[tokio::test]
async fn changes_that_are_not_recorded_are_no_feed() -> Result<(), Failure> {
    let mut table = Theirs::with(&[], &[]).await?;
    table.append(0..5).await?;
    table.set("true").await?;
    table.append(5..8).await?;
    let off = |at, since: Option<u64>| FeedClass::Disabled {
        at: Version::new(at),
        enabled_since: since.map(Version::new),
    };
    assert_eq!(table.class_of(0, 3).await?, off(0, Some(2)));
    assert_eq!(table.class_of(1, 3).await?, off(1, Some(2)));
    assert_eq!(table.class_of(1, 1).await?, off(1, None));
    for from in [2, 3] {
        let feed = table.window(from, 3).await?;
        assert_eq!(changes(&feed).await?, done(&[(3, "insert", vec![5, 6, 7])]));
        assert_eq!(feed.facts().enabled_since, Some(Version::new(2)));
    }
    let refused = table.window(1, 3).await.err().unwrap();
    assert_eq!(refused.code(), "feed_disabled");
    assert!(refused.hint().unwrap().contains("start at v2"));

    table.set("false").await?;
    table.append([9]).await?;
    table.set("true").await?;
    table.append([10]).await?;
    assert_eq!(table.class_of(2, 7).await?, off(4, Some(6)));
    assert_eq!(table.class_of(5, 7).await?, off(5, Some(6)));
    assert_eq!(table.class_of(2, 3).await?, FeedClass::Ok);
    let feed = table.window(6, 7).await?;
    assert_eq!(changes(&feed).await?, done(&[(7, "insert", vec![10])]));
    assert_eq!(feed.facts().enabled_since, Some(Version::new(6)));

    // A property that is taken away is off as well; and a reader at the end would wait for changes in vain.
    table.describe_anew(8, |_| {})?;
    assert_eq!(table.class_of(6, 8).await?, off(8, None));
    let waiting = ChangeFeedRequest::starting(FeedBound::Version(Version::new(9)));
    assert_eq!(table.class(&waiting).await?, off(8, None));
    Ok(())
}

/// The defects that the classes are for: should delta-rs mend them, this test says so.
#[tokio::test]
async fn delta_rs_reads_changes_that_were_not_recorded() -> Result<(), Failure> {
    let mut table = Theirs::with(&[], &[]).await?;
    table.append(0..10).await?;
    table.delete("id < 3").await?;
    let session = raw(&table.table, 2, None)?;
    // The whole file went and came: ten deletions, seven insertions.
    assert_eq!(count(&session, "SELECT * FROM feed").await?, 17);

    let mut table = Theirs::try_new().await?;
    table.append(0..10).await?;
    table.describe_anew(2, |metadata| metadata["configuration"] = json!({}))?;
    table.table.update_state().await?;
    table.append(10..20).await?;
    let session = raw(&table.table, 1, None)?;
    assert_eq!(count(&session, "SELECT * FROM feed").await?, 20);
    let class = table.class_of(1, 3).await?;
    assert_eq!(class.code(), "disabled");
    Ok(())
}

/// Removes the files below a folder whose names end so, and returns how many there were.
fn remove_files(folder: &Path) -> Result<usize, Failure> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "parquet") {
            std::fs::remove_file(path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[tokio::test]
async fn a_file_that_was_vacuumed_is_named() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    assert!(remove_files(&table.folder().join("_change_data"))? >= 3);
    let FeedClass::Vacuumed { at, path } = table.class_of(0, 4).await? else {
        return Err("the window has lost a file".into());
    };
    assert_eq!(at, Version::new(2));
    assert!(path.starts_with("_change_data/"), "{path}");
    assert_eq!(changes(&table.window(0, 1).await?).await?.len(), 10);

    // Files that the window needs are looked for, live or not.
    assert!(remove_files(&table.folder())? >= 2);
    let FeedClass::Vacuumed { at, path } = table.class_of(1, 1).await? else {
        return Err("the window has lost a file".into());
    };
    assert_eq!(at, Version::new(1));
    assert!(!path.contains('/'), "{path}");
    assert_eq!(table.class_of(0, 0).await?, FeedClass::Empty);
    let refused = table.window(1, 1).await.err();
    assert_eq!(refused.map(|error| error.code()), Some("feed_vacuumed"));
    Ok(())
}

#[tokio::test]
async fn columns_may_come_and_not_go() -> Result<(), Failure> {
    let mut table = Theirs::try_new().await?;
    table.append(0..3).await?;
    let extra = |ids: &[i64], columns: &[&str]| -> Result<RecordBatch, Failure> {
        let columns = columns.iter().map(|name| {
            let values: ArrayRef = match *name {
                "name" => Arc::new(StringArray::from(vec!["a"; ids.len()])),
                _ => Arc::new(Int64Array::from(ids.to_vec())),
            };
            (*name, values, true)
        });
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    };
    let merge = Some(SchemaMode::Merge);
    let wider = extra(&[10, 11], &["id", "name", "extra"])?;
    table.write(SaveMode::Append, merge, wider).await?;
    let feed = table.window(0, 2).await?;
    let catalog = catalog(&feed).await?;
    let sql = |filter: &str| format!("{SELECT} WHERE {filter}");
    let found = select(catalog.session(), &sql("extra = 11")).await?;
    assert_eq!(found, done(&[(2, "insert", vec![11])]));
    let found = select(catalog.session(), &sql("extra IS NULL")).await?;
    assert_eq!(found, done(&[(1, "insert", vec![0, 1, 2])]));
    assert_eq!(
        table.window(0, 1).await?.provider().schema().fields().len(),
        6
    );

    let overwrite = Some(SchemaMode::Overwrite);
    let narrower = extra(&[20], &["id", "name"])?;
    table
        .write(SaveMode::Overwrite, overwrite, narrower)
        .await?;
    let broken = |class: &FeedClass| match class {
        FeedClass::SchemaChanged { at, change } => format!("{at}: {change}"),
        class => class.code().to_owned(),
    };
    assert_eq!(
        broken(&table.class_of(0, 3).await?),
        "v3: column `extra` dropped"
    );
    // The rows that it deleted had the columns from before.
    assert_eq!(
        broken(&table.class_of(3, 3).await?),
        "v3: column `extra` dropped"
    );
    assert_eq!(broken(&table.class_of(0, 2).await?), "ok");

    let retyped = extra(&[20], &["name", "weight"])?;
    let retyped = retyped.project(&[1, 0])?;
    let schema = datafusion::arrow::datatypes::Schema::new(vec![
        retyped.schema().field(1).clone().with_name("id"),
        retyped.schema().field(0).clone().with_name("name"),
    ]);
    let columns = [Arc::clone(retyped.column(1)), Arc::clone(retyped.column(0))];
    let retyped = RecordBatch::try_new(schema.into(), columns.to_vec())?;
    table.write(SaveMode::Overwrite, overwrite, retyped).await?;
    assert_eq!(
        broken(&table.class_of(4, 4).await?),
        "v4: column `id` of another type"
    );
    let refused = table.window(4, 4).await.err();
    assert_eq!(
        refused.map(|error| error.code()),
        Some("feed_schema_changed")
    );
    Ok(())
}

#[tokio::test]
async fn nulls_and_nan_are_found_as_in_any_table() -> Result<(), Failure> {
    let mut table = Theirs::try_new().await?;
    for ids in [0..200, 200..400, 400..600] {
        table.append(ids).await?;
    }
    table.delete("id % 5 = 0").await?;
    let feed = table.window(0, 4).await?;
    let catalog = catalog(&feed).await?;
    let deleted = |id: &i64| id % 5 == 0;
    // Every row came; some went.
    let rows: Vec<i64> = (0..600).chain((0..600).filter(deleted)).collect();
    let of = |test: &dyn Fn(i64) -> bool| rows.iter().filter(|id| test(**id)).count();
    for (filter, want) in [
        ("CAST(NULL AS BOOLEAN)", 0),
        ("name = CAST(NULL AS VARCHAR)", 0),
        ("id < 10 AND name = CAST(NULL AS VARCHAR)", 0),
        ("id < 10 OR CAST(NULL AS BOOLEAN)", of(&|id| id < 10)),
        ("name IS NULL", of(&|id| id % 2 != 0)),
        ("name IS DISTINCT FROM 'thing 4'", of(&|id| id != 4)),
        ("weight > 100000", of(&|id| id % 3 == 0)),
        ("weight = 'NaN'::DOUBLE", of(&|id| id % 3 == 0)),
        (
            "weight >= 100000.5 AND id < 90",
            of(&|id| id % 3 == 0 && id < 90),
        ),
        ("weight IS NULL", of(&|id| id % 3 == 2)),
    ] {
        let sql = format!("SELECT id FROM things__cdf WHERE {filter}");
        assert_eq!(count(catalog.session(), &sql).await?, want, "{filter}");
    }
    // A filter that is made while the plan runs does not leave NaN out either.
    let sql = "SELECT id FROM things__cdf WHERE weight IS NOT NULL ORDER BY weight DESC, id DESC LIMIT 200";
    let mut found: Vec<i64> = Vec::new();
    for batch in catalog.session().sql(sql).await?.collect().await? {
        found.extend(batch.column(0).as_primitive::<Int64Type>().values());
    }
    assert!(found.len() == 200 && found.iter().all(|id| id % 3 == 0));
    Ok(())
}

#[tokio::test]
async fn delta_rs_prunes_nan_away_in_a_feed() -> Result<(), Failure> {
    let mut table = Theirs::try_new().await?;
    table.append(0..400).await?;
    let session = raw(&table.table, 0, None)?;
    let sql = "SELECT id FROM feed WHERE weight > 100000";
    assert_eq!(count(&session, sql).await?, 0);
    Ok(())
}

#[tokio::test]
async fn filters_and_columns_reach_the_files() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    let feed = table.window(1, 4).await?;
    let catalog = catalog(&feed).await?;
    let plan = explain(
        catalog.session(),
        "SELECT name FROM things__cdf WHERE id = 2",
    )
    .await?;
    let scans = || plan.lines().filter(|line| line.contains("DataSourceExec"));
    assert_eq!(scans().count(), 2, "{plan}");
    assert!(
        scans().all(|line| line.contains("predicate=") && line.contains("id@0 = 2")),
        "{plan}"
    );
    assert!(scans().all(|line| !line.contains("weight")), "{plan}");

    let request = ChangeFeedRequest {
        columns: Some(vec![ColumnName::try_new("name")?]),
        predicate: Some("id > 1 AND _commit_version >= 2".to_owned()),
        ..versions(1, 4)
    };
    let feed = table.open(&request).await?;
    let names = [
        "name",
        "_change_type",
        "_commit_version",
        "_commit_timestamp",
    ];
    assert_eq!(feed.facts().columns, names);
    let catalog = crate::change_feed::catalog(&feed).await?;
    let plan = explain(catalog.session(), "SELECT name FROM things__cdf").await?;
    let scans = || plan.lines().filter(|line| line.contains("DataSourceExec"));
    assert!(
        scans().all(|line| line.contains("id@0 > 1") && !line.contains("weight")),
        "{plan}"
    );
    let want = busy_changes();
    let want = want.iter().filter(|it| it.2 > 1 && it.0 >= 2).count();
    assert_eq!(
        count(catalog.session(), "SELECT * FROM things__cdf").await?,
        want
    );
    let found = count(
        catalog.session(),
        "SELECT * FROM things__cdf WHERE name = 'merged'",
    );
    assert_eq!(found.await?, 1);
    Ok(())
}

/// delta-rs makes a stream of every version, and puts them in an order of chance.
#[tokio::test]
async fn a_window_is_read_in_few_streams_and_in_the_order_of_versions() -> Result<(), Failure> {
    let mut table = Theirs::try_new().await?;
    for id in 0..12 {
        table.append([id]).await?;
    }
    let feed = table.open(&ChangeFeedRequest::default()).await?;
    let catalog = catalog(&feed).await?;
    let frame = catalog.session().sql("SELECT id FROM things__cdf").await?;
    let plan = frame.clone().create_physical_plan().await?;
    assert_eq!(plan.properties().output_partitioning().partition_count(), 1);
    let mut ids: Vec<i64> = Vec::new();
    for batch in frame.collect().await? {
        ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
    }
    assert_eq!(ids, (0..12).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_is_not_asked_well_is_refused_when_a_window_is_opened() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    for predicate in [
        "id >",
        "missing = 1",
        "id + 1",
        "name = now()",
        "random() > 0.5",
        "id = ARRAY['a']",
        "id IN (SELECT 1)",
        "sum(id) > 1",
        "EXISTS (SELECT 1)",
    ] {
        let request = ChangeFeedRequest {
            predicate: Some(predicate.to_owned()),
            ..versions(0, 4)
        };
        let refused = table.open(&request).await.err();
        assert_eq!(
            refused.map(|it| it.code()),
            Some("invalid_feed_predicate"),
            "{predicate}"
        );
    }
    for columns in [vec!["missing"], vec!["id", "id"]] {
        let columns = columns.into_iter().map(ColumnName::try_new);
        let request = ChangeFeedRequest {
            columns: Some(columns.collect::<Result<_, _>>()?),
            ..versions(0, 4)
        };
        let refused = table.open(&request).await.err();
        assert_eq!(refused.map(|it| it.code()), Some("unknown_feed_column"));
    }
    Ok(())
}

/// delta-rs keeps partition columns elsewhere in its plans than in the schema, and looks for files by escaped paths.
#[tokio::test]
async fn partitions_are_read_as_they_are() -> Result<(), Failure> {
    let mut table = Theirs::with(&[RECORDS], &["name"]).await?;
    let names = [
        Some("a"),
        Some("a b"),
        Some("50%"),
        Some("é/ü"),
        Some("x=y:z"),
        None,
        Some(""),
    ];
    let rows: Vec<(i64, Option<&str>)> = (0..).zip(names).collect();
    table.write(SaveMode::Append, None, named(&rows)?).await?;
    table.delete("id = 1").await?;
    let update = table.table.clone().update().with_predicate("id = 3");
    table.table = update.with_update("weight", "7.0").await?.0;
    let feed = table.window(0, 3).await?;
    let all = done(&[
        (1, "insert", (0..7).collect()),
        (2, "delete", vec![1]),
        (3, "update_postimage", vec![3]),
    ]);
    assert_eq!(changes(&feed).await?, all);
    let catalog = catalog(&feed).await?;
    let name_of = |id: i64| {
        let name = names[usize::try_from(id).unwrap()];
        name.filter(|name| !name.is_empty())
    };
    let check = async |filter: &str, test: &dyn Fn(&Change) -> bool| -> Result<(), Failure> {
        let found = select(catalog.session(), &format!("{SELECT} WHERE {filter}")).await?;
        let want: Vec<Change> = all.iter().filter(|it| test(it)).cloned().collect();
        assert_eq!(found, want, "{filter}");
        Ok(())
    };
    check("name = 'a b'", &|it| name_of(it.2) == Some("a b")).await?;
    check("name = 'é/ü' AND weight = 7", &|it| it.0 == 3).await?;
    check("name IS NULL", &|it| name_of(it.2).is_none()).await?;
    check("name <> 'a'", &|it| {
        name_of(it.2).is_some_and(|it| it != "a")
    })
    .await?;
    check("name = ''", &|_| false).await?;
    check("_change_type = 'delete'", &|it| it.1 == "delete").await?;
    check("_change_type <> 'insert' AND id > 1", &|it| it.0 == 3).await?;
    check("_commit_version = 2", &|it| it.0 == 2).await?;
    check("_commit_version > 1 AND name > 'a'", &|it| it.0 > 1).await?;
    check(
        "_commit_timestamp > TIMESTAMP '2001-01-01T00:00:00Z'",
        &|_| true,
    )
    .await?;
    check("name = 'a' OR _commit_version = 3", &|it| {
        it.2 == 0 || it.0 == 3
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn partition_values_are_what_the_protocol_says_or_are_refused() -> Result<(), Failure> {
    let long = "12345678901234567890123456789012345678";
    let of_long = format!("p = '{long}'::DECIMAL(38, 0)");
    for (data_type, value, filter) in [
        ("string", "", Some("p IS NULL")),
        ("string", "a=b/é %41", Some("p = 'a=b/é %41'")),
        ("binary", "", Some("p IS NULL")),
        ("integer", "", Some("p IS NULL")),
        ("byte", "-128", Some("p = -128")),
        ("boolean", "true", Some("p")),
        ("double", "NaN", Some("p > 5 AND p = 'NaN'::DOUBLE")),
        ("double", "1.0E10", Some("p = 10000000000")),
        ("decimal(10,2)", "-1.50", Some("p = -1.5")),
        ("decimal(38,0)", long, Some(of_long.as_str())),
        ("date", "0001-01-01", Some("p = '0001-01-01'::DATE")),
        (
            "timestamp",
            "2021-01-01 00:00:00.123456",
            Some("p = '2021-01-01T00:00:00.123456Z'::TIMESTAMP"),
        ),
        (
            "timestamp",
            "2021-01-01T00:00:00.123456Z",
            Some("p = '2021-01-01T00:00:00.123456Z'::TIMESTAMP"),
        ),
        ("integer", "x", None),
        ("date", "x", None),
        ("timestamp", "x", None),
    ] {
        let lake = TemporaryLake::try_new()?;
        let mut table = HandMade::try_new(lake.path().join("cpg/things"))?;
        let field = |name: &str, of: &str| HandMade::field(name, of, true, &json!({}));
        let fields = json!([field("p", data_type), field("id", "long")]);
        let metadata = HandMade::metadata(&fields, &["p"], &json!({RECORDS.0: "true"}));
        table.commit(&[HandMade::versions(1, 4), metadata])?;
        let ids = Arc::new(Int64Array::from(vec![7])) as ArrayRef;
        let ids = RecordBatch::try_from_iter([("id", ids)])?;
        let add = table.add("a.parquet", &ids, &json!({"p": value}))?;
        table.commit(std::slice::from_ref(&add))?;
        let mut remove = add["add"].clone();
        remove["deletionTimestamp"] = 0.into();
        table.commit(&[json!({"remove": remove})])?;
        let location = lake.location("cpg.things")?;
        let what = format!("{data_type} {value:?}");
        let feed = open_change_feed(&name()?, &location, &versions(1, 2)).await;
        let Some(filter) = filter else {
            let refused = feed.err().map(|it| it.code());
            let wanted = [Some("corrupt_table"), Some("invalid_log")];
            assert!(wanted.contains(&refused), "{what}: {refused:?}");
            continue;
        };
        let catalog = catalog(&feed?).await?;
        let want = done(&[(1, "insert", vec![7]), (2, "delete", vec![7])]);
        let found = select(catalog.session(), &format!("{SELECT} WHERE {filter}")).await?;
        assert_eq!(found, want, "{what}");
        let found = select(catalog.session(), &format!("{SELECT} WHERE NOT ({filter})")).await?;
        assert_eq!(found, [], "{what}");
    }
    Ok(())
}

/// In the engine's default unit the year 1 comes out as another.
#[tokio::test]
async fn times_of_96_bits_keep_their_years_in_a_feed() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let mut table = HandMade::try_new(lake.path().join("cpg/things"))?;
    let path = table.folder().join("a.parquet");
    let schema = Arc::new(parse_message_type("message m { optional int96 at; }")?);
    let mut writer = SerializedFileWriter::new(File::create(&path)?, schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    let mut column = group.next_column()?.ok_or("no column")?;
    let mut value = Int96::new();
    // A Julian day: the first of the year 1.
    value.set_data(0, 0, 1_721_426);
    let typed = column.typed::<Int96Type>();
    typed.write_batch(&[value], Some(&[1]), None)?;
    column.close()?;
    group.close()?;
    writer.close()?;
    let field = HandMade::field("at", "timestamp", true, &json!({}));
    let metadata = HandMade::metadata(&json!([field]), &[], &json!({RECORDS.0: "true"}));
    let add = json!({"add": {
        "path": "a.parquet", "partitionValues": {}, "size": path.metadata()?.len(),
        "modificationTime": 0, "dataChange": true,
    }});
    table.commit(&[HandMade::versions(1, 4), metadata, add])?;
    let feed = open_change_feed(&name()?, &lake.location("cpg.things")?, &versions(0, 0)).await?;
    let sql = "SELECT 1 FROM things__cdf WHERE CAST(at AS BIGINT) = -62135596800000000";
    assert_eq!(count(catalog(&feed).await?.session(), sql).await?, 1);
    Ok(())
}

#[tokio::test]
async fn our_own_writer_has_a_feed_of_whole_files() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let policy = TablePolicy::default().change_feed(true);
    let nothing = ossature_delta_policy::PolicyOverrides::none();
    for (mode, ids) in [
        (WriteMode::Overwrite, 0..10),
        (WriteMode::Append, 10..12),
        (WriteMode::Overwrite, 5..15),
    ] {
        let mut request = request(&lake.lake, &contract, 100, mode)?;
        request.policy =
            ossature_delta_policy::resolve(&nothing, &nothing, &contract, &policy, &[])?;
        write(request, 1, [rows(ids)?]).await?;
    }
    let location = lake.location("cpg.things")?;
    let feed = open_change_feed(&name()?, &location, &ChangeFeedRequest::default()).await?;
    let want = done(&[
        (1, "insert", (0..10).collect()),
        (2, "insert", vec![10, 11]),
        (3, "delete", (0..12).collect()),
        (3, "insert", (5..15).collect()),
    ]);
    assert_eq!(changes(&feed).await?, want);
    // Feed and rows in one session.
    let mut catalog = catalog(&feed).await?;
    catalog.register(&open_dataset(&contract, &location, None).await?)?;
    let sql = "SELECT t.id FROM things t JOIN things__cdf f ON t.id = f.id AND f._commit_version = 3 \
               WHERE f._change_type = 'insert'";
    assert_eq!(count(catalog.session(), sql).await?, 10);
    Ok(())
}

#[tokio::test]
async fn a_session_has_one_window_and_takes_no_rows() -> Result<(), Failure> {
    let table = Theirs::busy().await?;
    let feed = table.window(1, 3).await?;
    let mut catalog = catalog(&feed).await?;
    catalog.register_change_feed(&feed).await?;
    catalog
        .register_change_feed(&table.window(1, 3).await?)
        .await?;
    let refused = catalog
        .register_change_feed(&table.window(1, 4).await?)
        .await;
    assert_eq!(refused.err().map(|it| it.code()), Some("conflicting_feeds"));

    let sql = "INSERT INTO things__cdf VALUES (1, 'a', 1.0, 'insert', 9, TIMESTAMP '2020-01-01T00:00:00Z')";
    let inserted = match catalog.session().sql(sql).await {
        Ok(frame) => frame.collect().await.err(),
        Err(error) => Some(error),
    };
    assert!(inserted.is_some());
    let sql = "SELECT 1 FROM information_schema.views \
               WHERE table_name = 'things__cdf' AND definition LIKE '%v1 to v3%'";
    assert_eq!(count(catalog.session(), sql).await?, 1);
    Ok(())
}

#[tokio::test]
async fn tables_whose_feed_the_runtime_reads_wrongly_are_refused() -> Result<(), Failure> {
    let refusal = async |table: &HandMade, from, to| -> Result<String, Failure> {
        let location = TableLocation::try_new(&table.folder().to_string_lossy())?;
        let refused = open_change_feed(&name()?, &location, &versions(from, to))
            .await
            .err();
        Ok(refused.map_or("opened".to_owned(), |it| format!("{}: {it}", it.code())))
    };
    let field = |metadata: &Value| json!([HandMade::field("id", "long", true, metadata)]);
    let ids = |ids: Vec<i64>| {
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(ids)) as ArrayRef)])
    };
    let lake = TemporaryLake::try_new()?;

    let mut mapped = HandMade::try_new(lake.path().join("mapped"))?;
    let number = json!({"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "id"});
    let properties = json!({RECORDS.0: "true", "delta.columnMapping.mode": "name"});
    let metadata = HandMade::metadata(&field(&number), &[], &properties);
    mapped.commit(&[HandMade::versions(2, 5), metadata])?;
    mapped.commit(&[mapped.add("a.parquet", &ids(vec![1])?, &json!({}))?])?;
    let refused = refusal(&mapped, 0, 1).await?;
    assert!(refused.starts_with("unsupported_table: "), "{refused}");
    assert!(refused.contains("other names in files"), "{refused}");
    assert!(
        refusal(&mapped, 2, 1)
            .await?
            .starts_with("unsupported_table: ")
    );

    let mut twice = HandMade::try_new(lake.path().join("twice"))?;
    let fields = json!([HandMade::field("_commit_version", "long", true, &json!({}))]);
    let metadata = HandMade::metadata(&fields, &[], &json!({RECORDS.0: "true"}));
    twice.commit(&[HandMade::versions(1, 4), metadata])?;
    let refused = refusal(&twice, 0, 0).await?;
    assert!(
        refused.contains("which its change feed would add"),
        "{refused}"
    );

    let mut outside = HandMade::try_new(lake.path().join("outside"))?;
    let metadata = HandMade::metadata(&field(&json!({})), &[], &json!({RECORDS.0: "true"}));
    let mut add = outside.add("a.parquet", &ids(vec![1])?, &json!({}))?;
    let path = outside.folder().join("a.parquet");
    add["add"]["path"] = format!("file://{}", path.display()).into();
    outside.commit(&[HandMade::versions(1, 4), metadata, add])?;
    let refused = refusal(&outside, 0, 0).await?;
    assert!(refused.contains("lies outside of the table"), "{refused}");

    let mut widened = HandMade::try_new(lake.path().join("widened"))?;
    let metadata = HandMade::metadata(
        &field(&json!({})),
        &[],
        &json!({RECORDS.0: "true", "delta.enableTypeWidening": "true"}),
    );
    let features = ["typeWidening", "changeDataFeed"];
    widened.commit(&[HandMade::features(&features[..1], &features), metadata])?;
    let refused = refusal(&widened, 0, 0).await?;
    assert!(refused.starts_with("unsupported_table: "), "{refused}");

    let mut bare = HandMade::try_new(lake.path().join("bare"))?;
    let metadata = HandMade::metadata(&field(&json!({})), &[], &json!({RECORDS.0: "true"}));
    bare.commit(&[HandMade::versions(1, 4), metadata.clone()])?;
    bare.commit(&[bare.add("a.parquet", &ids(vec![1])?, &json!({}))?])?;
    bare.commit(&[
        json!({"remove": {"path": "a.parquet", "dataChange": true, "extendedFileMetadata": true}}),
    ])?;
    assert_eq!(refusal(&bare, 0, 1).await?, "opened");
    let refused = refusal(&bare, 0, 2).await?;
    assert!(
        refused.contains("without its size and partition"),
        "{refused}"
    );

    let marked = with_vector(&lake, &field(&json!({})), &ids((0..10).collect())?)?;
    assert_eq!(refusal(&marked, 0, 1).await?, "opened");
    for (from, to) in [(0, 2), (3, 3)] {
        let refused = refusal(&marked, from, to).await?;
        assert!(refused.contains("has a deletion vector"), "{refused}");
    }
    Ok(())
}

/// A table of one file, of which two rows are marked as deleted in version 2, and the others are deleted in version 3.
fn with_vector(
    lake: &TemporaryLake,
    fields: &Value,
    rows: &RecordBatch,
) -> Result<HandMade, Failure> {
    let mut table = HandMade::try_new(lake.path().join("marked"))?;
    let properties = json!({RECORDS.0: "true", "delta.enableDeletionVectors": "true"});
    let metadata = HandMade::metadata(fields, &[], &properties);
    let features = HandMade::features(&["deletionVectors"], &["deletionVectors", "changeDataFeed"]);
    table.commit(&[features, metadata])?;
    let whole = table.add("a.parquet", rows, &json!({}))?;
    table.commit(std::slice::from_ref(&whole))?;
    let mut marked = whole.clone();
    marked["add"]["deletionVector"] = json!({
        "storageType": "i", "pathOrInlineDv": deletion_vector(&[3, 4]), "sizeInBytes": 40, "cardinality": 2,
    });
    let remove = |add: &Value| {
        let mut remove = add["add"].clone();
        remove["deletionTimestamp"] = 0.into();
        remove["extendedFileMetadata"] = true.into();
        json!({"remove": remove})
    };
    table.commit(&[remove(&whole), marked.clone()])?;
    table.commit(&[remove(&marked)])?;
    Ok(table)
}

/// The defect that the refusal is for: should delta-rs mend it, this test says so.
#[tokio::test]
async fn delta_rs_takes_rows_that_were_deleted_before_for_those_that_are_deleted()
-> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let fields = json!([HandMade::field("id", "long", true, &json!({}))]);
    let ids = Arc::new(Int64Array::from_iter_values(0..10)) as ArrayRef;
    let table = with_vector(&lake, &fields, &RecordBatch::try_from_iter([("id", ids)])?)?;
    let location = TableLocation::try_new(&table.folder().to_string_lossy())?;
    let mut table = DeltaTable::try_from_url(location.url().clone()).await?;
    table.load().await?;
    let session = raw(&table, 3, None)?;
    let sql = "SELECT CAST(_commit_version AS BIGINT), _change_type, id FROM feed";
    // Eight rows are deleted in version 3, and none of these two.
    assert_eq!(
        select(&session, sql).await?,
        done(&[(3, "delete", vec![3, 4])])
    );
    Ok(())
}

#[tokio::test]
async fn a_required_feed_is_there_or_nothing_is_registered() -> Result<(), Failure> {
    let mut table = Theirs::with(&[], &[]).await?;
    table.append(0..5).await?;
    let (dataset, location) = (table.name.clone(), table.location.clone());
    let select =
        async |selection: &FeedSelection| select_change_feed(&dataset, &location, selection).await;
    let asked = FeedSelection {
        request: Some(versions(0, 1)),
        ..FeedSelection::default()
    };
    let FeedOutcome::Unavailable {
        code,
        class,
        reason,
        ..
    } = select(&asked).await?
    else {
        return Err("changes are not recorded".into());
    };
    assert_eq!(code, "feed_disabled");
    assert_eq!(class.map(|it| it.code()), Some("disabled"));
    assert!(reason.contains("cannot be read"));

    let required = FeedSelection {
        policy: FeedPolicy {
            required: true,
            allow_out_of_range: false,
        },
        ..asked.clone()
    };
    let refused = select(&required).await.err().unwrap();
    let want = "the change feed of `cpg.things` is required, and it is unavailable";
    assert_eq!(
        (refused.code(), refused.to_string().as_str()),
        ("feed_required", want)
    );
    let unconfigured = FeedSelection {
        request: None,
        ..required.clone()
    };
    let refused = select(&unconfigured).await.err().unwrap();
    let want = "the policy wants a change feed of `cpg.things`, and no window is given";
    assert_eq!(refused.to_string(), want);
    let kind = FeedSelection {
        kind: DatasetKind::DeltaCdf,
        ..FeedSelection::default()
    };
    let refused = select(&kind).await.err();
    assert_eq!(refused.map(|it| it.code()), Some("feed_not_configured"));
    let primary = FeedSelection {
        provider: Some(ScanProvider::Primary),
        ..required.clone()
    };
    assert!(matches!(select(&primary).await?, FeedOutcome::Primary(_)));

    // What is asked wrongly is wrong with or without a feed.
    table.set("true").await?;
    let beyond = FeedSelection {
        policy: FeedPolicy {
            required: true,
            allow_out_of_range: true,
        },
        request: Some(versions(7, 9)),
        ..FeedSelection::default()
    };
    assert!(matches!(select(&beyond).await?, FeedOutcome::Opened { .. }));
    let wrong = FeedSelection {
        request: Some(ChangeFeedRequest {
            predicate: Some("nonsense".to_owned()),
            ..versions(2, 2)
        }),
        ..FeedSelection::default()
    };
    let refused = select(&wrong).await.err();
    assert_eq!(refused.map(|it| it.code()), Some("invalid_feed_predicate"));
    Ok(())
}

#[test]
fn refusals_say_what_is_found_what_is_wanted_and_what_to_do() {
    let v = Version::new;
    let off = |since: Option<u64>| FeedClass::Disabled {
        at: v(2),
        enabled_since: since.map(v),
    };
    let out = |from: Option<u64>, to: Option<u64>| FeedClass::OutOfRange {
        from: from.map(v),
        to: to.map(v),
        newest: v(4),
    };
    let change = |change| FeedClass::SchemaChanged { at: v(3), change };
    let column = || "name".to_owned();
    let path = "_change_data/cdc-1.parquet".to_owned();
    let classes = [
        FeedClass::Gap { missing: v(3) },
        off(None),
        off(Some(5)),
        FeedClass::Vacuumed { at: v(2), path },
        out(Some(9), Some(4)),
        out(None, Some(4)),
        out(Some(1), None),
        change(SchemaBreak::Dropped { column: column() }),
        change(SchemaBreak::Retyped { column: column() }),
        change(SchemaBreak::Required { column: column() }),
        change(SchemaBreak::Partitioned),
    ];
    let text: Vec<String> = classes
        .into_iter()
        .map(|class| {
            let error = Error::ChangeFeed {
                location: "/lake/cpg/things/".to_owned(),
                class: Box::new(class),
            };
            let hint = error.hint().unwrap_or_default();
            format!("{}: {error}\n  {hint}", error.code())
        })
        .collect();
    expect![[r#"
        feed_gap: the change feed of /lake/cpg/things/ cannot be read: wanted the log of every version, and that of v3 was cleaned up
          read the whole table once, and its feed from then on; keep logs for longer
        feed_disabled: the change feed of /lake/cpg/things/ cannot be read: wanted changes recorded in every version, and in v2 they are not
          switch the change feed on by the policy's `change_feed`; read the whole table once, and its feed from then on
        feed_disabled: the change feed of /lake/cpg/things/ cannot be read: wanted changes recorded in every version, and in v2 they are not
          start at v5, or read the whole table once, and its feed from then on
        feed_vacuumed: the change feed of /lake/cpg/things/ cannot be read: wanted the file `_change_data/cdc-1.parquet` with changes of v2, and it is gone
          read the whole table once, and its feed from then on; keep removed files for longer
        feed_out_of_range: the change feed of /lake/cpg/things/ cannot be read: wanted v9 to v4, and found v0 to v4
          ask for versions from v0 to v4, the first one first; or allow windows that are out of range
        feed_out_of_range: the change feed of /lake/cpg/things/ cannot be read: it would begin after the newest version, v4
          ask for versions from v0 to v4, the first one first; or allow windows that are out of range
        feed_out_of_range: the change feed of /lake/cpg/things/ cannot be read: it would end before the oldest version
          ask for versions from v0 to v4, the first one first; or allow windows that are out of range
        feed_schema_changed: the change feed of /lake/cpg/things/ cannot be read: wanted rows of one kind, and v3 made a change of columns: column `name` dropped
          end before v3, or read the whole table once, and its feed from then on
        feed_schema_changed: the change feed of /lake/cpg/things/ cannot be read: wanted rows of one kind, and v3 made a change of columns: column `name` of another type
          end before v3, or read the whole table once, and its feed from then on
        feed_schema_changed: the change feed of /lake/cpg/things/ cannot be read: wanted rows of one kind, and v3 made a change of columns: column `name` never null, as rows before may be
          end before v3, or read the whole table once, and its feed from then on
        feed_schema_changed: the change feed of /lake/cpg/things/ cannot be read: wanted rows of one kind, and v3 made a change of columns: other partition columns
          end before v3, or read the whole table once, and its feed from then on"#]].assert_eq(&text.join("\n"));
}
