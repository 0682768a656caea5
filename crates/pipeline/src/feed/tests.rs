//! Consumers of real tables that real runs publish.

use std::collections::BTreeSet;
use std::fs;

use arrow_array::RecordBatch;
use ossature_delta_policy::TablePolicy;
use ossature_registry::{Catalog, Lake};
use ossature_schema_spec::{ColumnSpec, ColumnType};
use ossature_view_graph::ViewGraph;
use tempfile::TempDir;

use super::*;
use crate::fixture::{dataset, request, rows};
use crate::{Run, RunRequest};

fn things() -> DatasetSpec {
    dataset("extract.things")
}

struct World {
    folder: TempDir,
    lake: Lake,
    runs: usize,
    policy: fn(&ossature_schema_spec::DatasetName) -> TablePolicy,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::try_new(&folder.path().to_string_lossy()).unwrap();
        Self {
            folder,
            lake,
            runs: 0,
            policy: |_| TablePolicy::default().change_feed(true),
        }
    }

    /// Writes these things, and publishes them or gives them up.
    async fn write(&mut self, ids: impl IntoIterator<Item = i64>, is_published: bool) {
        Box::pin(self.write_rows(rows(ids), is_published)).await;
    }

    async fn write_rows(&mut self, rows: RecordBatch, is_published: bool) {
        self.runs += 1;
        let graph = ViewGraph::try_new([things()], []).unwrap();
        let mut run = Run::begin(RunRequest {
            policy: self.policy,
            ..request(&self.lake, &self.runs.to_string(), graph)
        })
        .await
        .unwrap();
        let mut sources = run.source_writers().await.unwrap();
        sources.push(things().name(), &rows).await.unwrap();
        run.finish_sources(sources).await.unwrap();
        let ended = if is_published {
            run.publish(2, None, None).await
        } else {
            run.fail(2, "given_up", &std::fmt::Error).await
        };
        ended.unwrap();
    }

    fn consumer(&self, name: &str, on_broken: OnBrokenFeed) -> FeedConsumer {
        FeedConsumer {
            lake: self.lake.clone(),
            name: name.to_owned(),
            contract: things(),
            on_broken,
        }
    }
}

/// A set of ids that somebody keeps in step with the table.
#[derive(Default)]
struct Copy(BTreeSet<i64>);

impl Copy {
    /// Takes what there is to take. What it does with the rows can be done twice.
    async fn apply(&mut self, reading: &FeedReading) {
        match reading.rows() {
            FeedRows::Snapshot(dataset) => {
                let mut catalog = Catalog::new(SessionSpec::default().build().unwrap());
                catalog.register(dataset).unwrap();
                self.0 = ids(&catalog, "SELECT id FROM extract.things").await;
            }
            FeedRows::Changes(_) => {
                let session = SessionSpec::default().build().unwrap();
                let of = |keep| {
                    let net = reading.net(&session).unwrap();
                    let is_gone = ident(CHANGE_TYPE).eq(lit("delete"));
                    net.filter(if keep { is_gone.is_not_true() } else { is_gone })
                };
                let gone = collect(of(false).unwrap()).await;
                self.0.retain(|id| !gone.contains(id));
                self.0.extend(collect(of(true).unwrap()).await);
            }
        }
    }
}

async fn ids(catalog: &Catalog, sql: &str) -> BTreeSet<i64> {
    collect(catalog.session().sql(sql).await.unwrap()).await
}

async fn collect(rows: DataFrame) -> BTreeSet<i64> {
    let rows = rows.collect().await.unwrap();
    rows.iter()
        .flat_map(|batch| {
            let ids = batch.column(0).as_primitive::<Int64Type>();
            ids.values().to_vec()
        })
        .collect()
}

#[tokio::test]
async fn a_copy_is_kept_in_step_through_every_kind_of_change() {
    let mut world = World::new();
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let mut copy = Copy::default();
    let scripts: [&[i64]; 6] = [
        &[1, 2, 3],
        &[1, 2, 3, 4],
        &[2, 4],
        &[],
        &[9, 10],
        &[1, 9, 11],
    ];
    for (number, wanted) in scripts.into_iter().enumerate() {
        world.write(wanted.iter().copied(), true).await;
        // Every other time there is more than one version to take.
        if number % 2 == 1 {
            continue;
        }
        let reading = consumer.begin("1").await.unwrap().unwrap();
        copy.apply(&reading).await;
        assert_eq!(copy.0, wanted.iter().copied().collect());
        // A process that ends here is given the same again.
        drop(reading);
        let again = consumer.begin("1").await.unwrap().unwrap();
        copy.apply(&again).await;
        assert_eq!(copy.0, wanted.iter().copied().collect());
        again.finish(7).await.unwrap();
        assert!(consumer.begin("1").await.unwrap().is_none());
    }
    let taken = FeedCursors::of(&world.lake).all().await.unwrap();
    let taken = taken.iter().map(|taken| {
        let rows = taken
            .rows
            .iter()
            .map(|(kind, rows)| format!("{kind} {rows}"));
        let rows: Vec<String> = rows.collect();
        let class = taken.class.as_deref().unwrap_or("none");
        let (before, cursor) = (taken.cursor_before, taken.cursor);
        let (mode, reason) = (taken.mode.as_str(), &taken.reason);
        format!(
            "{before:?} to {cursor}: {mode}, {class}, {reason}: {}",
            rows.join(", ")
        )
    });
    expect_test::expect![[r#"
        None to 1: initial_snapshot, none, nothing had been taken before: snapshot 3
        Some(1) to 3: changes, ok, versions behind 1, up to 3, were not taken yet: delete 7, insert 6
        Some(3) to 5: changes, ok, versions behind 3, up to 5, were not taken yet: delete 2, insert 2"#]]
    .assert_eq(&taken.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn what_is_not_published_is_not_taken() {
    let mut world = World::new();
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let refused = consumer.begin("1").await.unwrap_err();
    assert_eq!(refused.code(), "nothing_published");
    world.write([1], true).await;
    world.write([1, 2], false).await;
    let reading = consumer.begin("1").await.unwrap().unwrap();
    let mut copy = Copy::default();
    copy.apply(&reading).await;
    assert_eq!(copy.0, [1].into());
    reading.finish(1).await.unwrap();
    assert!(consumer.begin("1").await.unwrap().is_none());
}

#[tokio::test]
async fn two_processes_under_one_name_do_not_both_move_the_cursor() {
    let mut world = World::new();
    world.write([1], true).await;
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let one = consumer.begin("1").await.unwrap().unwrap();
    let other = consumer.begin("2").await.unwrap().unwrap();
    one.finish(1).await.unwrap();
    // After a store that failed when it had appended the row.
    one.finish(1).await.unwrap();
    let refused = other.finish(2).await.unwrap_err();
    assert_eq!(refused.code(), "cursor_moved");
    assert!(describe(&refused).contains("moved by `1`"));

    world.write([1, 2], true).await;
    let late = consumer.begin("1").await.unwrap().unwrap();
    world.write([1, 2, 3], true).await;
    let newer = consumer.begin("1").await.unwrap().unwrap();
    newer.finish(3).await.unwrap();
    let refused = late.finish(4).await.unwrap_err();
    assert_eq!(refused.code(), "cursor_moved");
    // Somebody else's name is somebody else's cursor.
    let stranger = world.consumer("index", OnBrokenFeed::Refuse);
    let reading = stranger.begin("1").await.unwrap().unwrap();
    assert_eq!(reading.mode(), FeedModeV1::InitialSnapshot);
}

/// What a consumer is told that took the first version, and goes on.
async fn goes_on(world: &World, want: &str) {
    let strict = world.consumer("copy", OnBrokenFeed::Refuse);
    match strict.begin("1").await.unwrap_err() {
        Error::FeedBroken { class, .. } => assert_eq!(class, want),
        other => panic!("{other}"),
    }
    let lenient = world.consumer("copy", OnBrokenFeed::FullRefresh);
    let reading = lenient.begin("1").await.unwrap().unwrap();
    assert_eq!(reading.mode(), FeedModeV1::FullRefresh);
    assert!(!reading.reason().is_empty());
    let mut copy = Copy([77].into());
    copy.apply(&reading).await;
    assert_eq!(copy.0, [1, 2].into());
    let taken = reading.finish(5).await.unwrap().clone();
    assert_eq!(taken.class.as_deref(), Some(want));
    assert!(strict.begin("1").await.unwrap().is_none());
}

async fn taken_once(world: &mut World) {
    world.write([1], true).await;
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let reading = consumer.begin("1").await.unwrap().unwrap();
    reading.finish(1).await.unwrap();
}

#[tokio::test]
async fn changes_that_nobody_recorded_are_not_taken_for_none() {
    let mut world = World::new();
    world.policy = |_| TablePolicy::default();
    taken_once(&mut world).await;
    world.write([1, 2], true).await;
    goes_on(&world, "disabled").await;
}

#[tokio::test]
async fn another_table_in_its_place_is_taken_as_a_whole() {
    let mut world = World::new();
    taken_once(&mut world).await;
    fs::remove_dir_all(world.folder.path().join("extract/things")).unwrap();
    world.write([1, 2], true).await;
    goes_on(&world, "recreated").await;
}

#[tokio::test]
async fn another_version_under_the_same_number_is_taken_as_a_whole() {
    let mut world = World::new();
    world.write([1], true).await;
    let folder = world.folder.path().join("extract/things");
    let copy = tempfile::tempdir().unwrap();
    let all = |from: &std::path::Path, to: &std::path::Path| {
        fs::create_dir_all(to.join("_delta_log")).unwrap();
        for part in ["", "_delta_log"] {
            for file in fs::read_dir(from.join(part)).unwrap() {
                let file = file.unwrap().path();
                if file.is_file() {
                    fs::copy(&file, to.join(part).join(file.file_name().unwrap())).unwrap();
                }
            }
        }
    };
    all(&folder, copy.path());
    world.write([1, 5], true).await;
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let reading = consumer.begin("1").await.unwrap().unwrap();
    reading.finish(1).await.unwrap();

    fs::remove_dir_all(&folder).unwrap();
    all(copy.path(), &folder);
    world.write([1, 2], true).await;
    goes_on(&world, "restored").await;
}

/// What comes and goes between two published versions is not told by what is left in the end.
#[tokio::test]
async fn of_every_key_the_last_change_is_told() {
    let mut world = World::new();
    taken_once(&mut world).await;
    world.write([1, 99], false).await;
    world.write([1, 2], true).await;
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let reading = consumer.begin("1").await.unwrap().unwrap();
    let session = SessionSpec::default().build().unwrap();
    let net = reading.net(&session).unwrap();
    let columns = [ident("id"), ident(CHANGE_TYPE)];
    let net = net
        .select(columns)
        .unwrap()
        .sort_by(vec![ident("id")])
        .unwrap();
    let net = net.collect().await.unwrap();
    let shown = datafusion::arrow::util::pretty::pretty_format_batches(&net).unwrap();
    expect_test::expect![[r#"
        +----+--------------+
        | id | _change_type |
        +----+--------------+
        | 1  | insert       |
        | 2  | insert       |
        | 99 | delete       |
        +----+--------------+"#]]
    .assert_eq(&shown.to_string());
    assert_eq!(reading.counts()["insert"], 4);
}

#[tokio::test]
async fn columns_that_are_stored_otherwise_than_declared_are_told() {
    let mut world = World::new();
    taken_once(&mut world).await;
    world.write([1, 2], true).await;
    let mut consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    consumer.contract = DatasetSpec::builder("extract.things", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .column(ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
        .key(["id"])
        .order_by(["id"])
        .build()
        .unwrap();
    match consumer.begin("1").await.unwrap_err() {
        Error::FeedBroken { class, .. } => assert_eq!(class, "schema_changed"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_recorded_is_refused() {
    let world = World::new();
    let long = "x".repeat(201);
    for name in ["", "a\nb", &long] {
        let consumer = world.consumer(name, OnBrokenFeed::Refuse);
        let refused = consumer.begin("1").await.unwrap_err();
        assert_eq!(refused.code(), "consumer_name");
    }
}

#[tokio::test]
async fn files_that_are_gone_are_told() {
    let mut world = World::new();
    taken_once(&mut world).await;
    let files = || {
        let files = fs::read_dir(world.folder.path().join("extract/things")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files.filter(|file| file.is_file()).collect::<Vec<_>>()
    };
    let [first] = &files()[..] else {
        panic!("there is one file");
    };
    let first = first.clone();
    world.write([1, 2], true).await;
    fs::remove_file(first).unwrap();
    goes_on(&world, "vacuumed").await;
}
