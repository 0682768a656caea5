//! Consumers of real tables that real runs publish.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use ossature_artifacts::{ExecutionProfileV1, RunOptionsV1, RunStart};
use ossature_delta_policy::{LakeOverrides, TablePolicy};
use ossature_registry::{Catalog, Lake};
use ossature_schema_spec::{ColumnSpec, ColumnType};
use ossature_view_graph::{ConsumerIndex, ViewGraph};
use tempfile::TempDir;

use super::*;
use crate::{Run, RunRequest};

fn things() -> DatasetSpec {
    DatasetSpec::builder("extract.things", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .key(["id"])
        .order_by(["id"])
        .build()
        .unwrap()
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
        let ids = ids.into_iter().map(Some).collect();
        Box::pin(self.write_rows(ids, is_published)).await;
    }

    async fn write_rows(&mut self, ids: Int64Array, is_published: bool) {
        self.runs += 1;
        let mut run = Run::begin(RunRequest {
            lake: self.lake.clone(),
            start: RunStart {
                run_id: self.runs.to_string(),
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
            },
            versions: BTreeMap::new(),
            graph: ViewGraph::try_new([things()], []).unwrap(),
            consumers: ConsumerIndex::default(),
            policy: self.policy,
            overrides: LakeOverrides::default(),
            use_cache: true,
            session: SessionSpec::default(),
            observer: Arc::new(|_| {}),
        })
        .await
        .unwrap();
        let rows = RecordBatch::try_from_iter([("id", Arc::new(ids) as _)]).unwrap();
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
            FeedRows::Changes(feed) => {
                let mut catalog = Catalog::new(SessionSpec::default().build().unwrap());
                catalog.register_change_feed(feed).await.unwrap();
                // The last thing that became of a row is what counts; in one version, what came.
                let last = "SELECT id, row_number() OVER (PARTITION BY id \
                    ORDER BY _commit_version DESC, _change_type = 'delete') AS place, \
                    _change_type FROM extract.things__cdf";
                let of = |kind| format!("SELECT id FROM ({last}) WHERE place = 1 AND {kind}");
                let gone = ids(&catalog, &of("_change_type = 'delete'")).await;
                self.0.retain(|id| !gone.contains(id));
                self.0
                    .extend(ids(&catalog, &of("_change_type <> 'delete'")).await);
            }
        }
    }
}

async fn ids(catalog: &Catalog, sql: &str) -> BTreeSet<i64> {
    let rows = catalog.session().sql(sql).await.unwrap();
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
        let reading = consumer.begin().await.unwrap().unwrap();
        copy.apply(&reading).await;
        assert_eq!(copy.0, wanted.iter().copied().collect());
        // A process that ends here is given the same again.
        drop(reading);
        let again = consumer.begin().await.unwrap().unwrap();
        copy.apply(&again).await;
        assert_eq!(copy.0, wanted.iter().copied().collect());
        again.finish(7).await.unwrap();
        assert!(consumer.begin().await.unwrap().is_none());
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
        Some(1) to 3: changes, ok, versions v2 to v3 were not taken yet: delete 7, insert 6
        Some(3) to 5: changes, ok, versions v4 to v5 were not taken yet: delete 2, insert 2"#]]
    .assert_eq(&taken.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn what_is_not_published_is_not_taken() {
    let mut world = World::new();
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let refused = consumer.begin().await.unwrap_err();
    assert_eq!(refused.code(), "nothing_published");
    world.write([1], true).await;
    world.write([1, 2], false).await;
    let reading = consumer.begin().await.unwrap().unwrap();
    let mut copy = Copy::default();
    copy.apply(&reading).await;
    assert_eq!(copy.0, [1].into());
    reading.finish(1).await.unwrap();
    assert!(consumer.begin().await.unwrap().is_none());
}

#[tokio::test]
async fn two_processes_under_one_name_do_not_both_move_the_cursor() {
    let mut world = World::new();
    world.write([1], true).await;
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let one = consumer.begin().await.unwrap().unwrap();
    let other = consumer.begin().await.unwrap().unwrap();
    // It has the same to tell, which may be what a store did that seemed to fail.
    let first = one.finish(1).await.unwrap();
    assert_eq!(other.finish(2).await.unwrap(), first);

    world.write([1, 2], true).await;
    let late = consumer.begin().await.unwrap().unwrap();
    world.write([1, 2, 3], true).await;
    let newer = consumer.begin().await.unwrap().unwrap();
    newer.finish(3).await.unwrap();
    let refused = late.finish(4).await.unwrap_err();
    assert_eq!(refused.code(), "cursor_moved");
    // Somebody else's name is somebody else's cursor.
    let stranger = world.consumer("index", OnBrokenFeed::Refuse);
    let reading = stranger.begin().await.unwrap().unwrap();
    assert_eq!(reading.mode(), FeedModeV1::InitialSnapshot);
}

/// What a consumer is told that took the first version, and goes on.
async fn goes_on(world: &World, want: &str) {
    let strict = world.consumer("copy", OnBrokenFeed::Refuse);
    match strict.begin().await.unwrap_err() {
        Error::FeedBroken { class, .. } => assert_eq!(class, want),
        other => panic!("{other}"),
    }
    let lenient = world.consumer("copy", OnBrokenFeed::FullRefresh);
    let reading = lenient.begin().await.unwrap().unwrap();
    assert_eq!(reading.mode(), FeedModeV1::FullRefresh);
    assert!(!reading.reason().is_empty());
    let mut copy = Copy([77].into());
    copy.apply(&reading).await;
    assert_eq!(copy.0, [1, 2].into());
    let taken = reading.finish(5).await.unwrap();
    assert_eq!(taken.class.as_deref(), Some(want));
    assert!(strict.begin().await.unwrap().is_none());
}

async fn taken_once(world: &mut World) {
    world.write([1], true).await;
    let consumer = world.consumer("copy", OnBrokenFeed::Refuse);
    let reading = consumer.begin().await.unwrap().unwrap();
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
