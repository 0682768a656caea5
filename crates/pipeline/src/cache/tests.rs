//! What a second run computes, on real tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use ossature_artifacts::StoredArtifacts;
use ossature_delta_policy::TablePolicy;
use ossature_registry::Lake;
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
use ossature_view_graph::{View, ViewGraph};
use tempfile::TempDir;

use super::*;
use crate::fixture::{dataset, request, rows};
use crate::{Event, Run, RunRequest};

/// Even things, by way of a view without a table; and the tens among them.
fn graph() -> ViewGraph {
    let halves = "SELECT id, id % 2 AS rest FROM extract.things";
    let rest = ColumnSpec::required("rest", ColumnType::Int64).unwrap();
    let halved = DatasetSpec::builder(
        "normalize.halved",
        "Things with what is left of half of them.",
    )
    .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
    .column(rest)
    .build();
    let even = "SELECT id FROM normalize.halved WHERE rest = 0";
    let tens = "SELECT id FROM cpg.even WHERE id % 10 = 0";
    let views = [
        View::inline(halved.unwrap(), halves),
        View::table(dataset("cpg.even"), even),
        View::table(dataset("cpg.tens"), tens),
    ];
    ViewGraph::try_new([dataset("extract.things")], views).unwrap()
}

struct World {
    folder: TempDir,
    lake: Lake,
    runs: usize,
    policy: fn(&DatasetName) -> TablePolicy,
    use_cache: bool,
    versions: BTreeMap<String, String>,
    /// Whether runs end by being published, or are given up.
    is_published: bool,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::try_new(&folder.path().to_string_lossy()).unwrap();
        Self {
            folder,
            lake,
            runs: 0,
            policy: |_| TablePolicy::default(),
            use_cache: true,
            versions: BTreeMap::new(),
            is_published: true,
        }
    }

    /// Builds the graph over these things; gives back what became of the views, and which tables were there already.
    async fn build(&mut self, ids: impl IntoIterator<Item = i64>) -> (String, Vec<String>) {
        Box::pin(self.build_from(rows(ids))).await
    }

    async fn build_from(&mut self, rows: RecordBatch) -> (String, Vec<String>) {
        self.runs += 1;
        let kept: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&kept);
        let run_id = self.runs.to_string();
        let mut run = Run::begin(RunRequest {
            versions: self.versions.clone(),
            policy: self.policy,
            use_cache: self.use_cache,
            observer: Arc::new(move |event| {
                if let Event::Wrote {
                    dataset,
                    is_cached: true,
                    ..
                } = event
                {
                    seen.lock().unwrap().push(dataset.to_string());
                }
            }),
            ..request(&self.lake, &run_id, graph())
        })
        .await
        .unwrap();
        let mut sources = run.source_writers().await.unwrap();
        let things = dataset("extract.things");
        sources.push(things.name(), &rows).await.unwrap();
        run.finish_sources(sources).await.unwrap();
        run.compute_views().await.unwrap();
        let ended = if self.is_published {
            run.publish(2, None, None).await
        } else {
            run.fail(2, "given_up", &std::fmt::Error).await
        };
        ended.unwrap();
        let stored = StoredArtifacts::of(&self.lake, &run_id).await.unwrap();
        let caches = stored.caches.iter().map(|cache| {
            let differs = cache.differs.join(",");
            format!("{} {} {differs}", cache.dataset, cache.status.as_str())
        });
        let caches: Vec<String> = caches.map(|line| line.trim_end().to_owned()).collect();
        let kept = std::mem::take(&mut *kept.lock().unwrap());
        (caches.join("\n"), kept)
    }

    #[track_caller]
    fn check((found, kept): (String, Vec<String>), want: &str) {
        assert_eq!(found, want.replace("; ", "\n"));
        let hits = found.lines().filter(|line| line.ends_with(" hit"));
        let hits: Vec<&str> = hits.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(kept, hits, "who watches is told the same");
    }

    /// The data files of a table.
    fn files(&self, table: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join(table)).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files.filter(|file| file.is_file()).collect()
    }

    /// Why a view was computed by the last run, or was not.
    async fn reason(&self, dataset: &str) -> String {
        let run_id = self.runs.to_string();
        let stored = StoredArtifacts::of(&self.lake, &run_id).await.unwrap();
        let mut caches = stored.caches.into_iter();
        caches.find(|it| it.dataset == dataset).unwrap().reason
    }

    async fn manifest(&self) -> RunManifestV1 {
        let ledger = ossature_artifacts::RunLedger::of(&self.lake);
        ledger.latest_completed().await.unwrap().unwrap()
    }
}

const INLINE: &str = "normalize.halved inline";

#[tokio::test]
async fn a_second_run_over_the_same_rows_computes_nothing() {
    let mut world = World::new();
    let first = world.build(0..40).await;
    World::check(first, &format!("cpg.even miss; cpg.tens miss; {INLINE}"));
    let before = world.manifest().await;
    let second = world.build(0..40).await;
    World::check(second, &format!("cpg.even hit; cpg.tens hit; {INLINE}"));
    let after = world.manifest().await;
    for (before, after) in before.outputs.iter().zip(&after.outputs) {
        assert_eq!(after.version, before.version);
        assert_eq!(after.version_before, before.version);
        assert_eq!(after.content_hash, before.content_hash);
        assert_eq!((after.rows, after.bytes), (before.rows, before.bytes));
        assert_eq!(after.snapshot_hash, before.snapshot_hash);
    }
    let stored = StoredArtifacts::of(&world.lake, "2").await.unwrap();
    assert_eq!((stored.plans.len(), stored.writes.len()), (2, 3));
    let even = &stored.caches[0];
    assert_eq!(even.compared_with.as_deref(), Some("1"));
    assert_eq!((even.version, even.rows), (Some(1), Some(20)));
    assert_eq!(
        (&even.inputs[..], &even.readers[..]),
        (
            &["normalize.halved".to_owned()][..],
            &["cpg.tens".to_owned()][..]
        )
    );
}

#[tokio::test]
async fn what_reads_rows_that_came_out_the_same_is_not_computed() {
    let mut world = World::new();
    world.build([0, 10, 12]).await;
    // Another even thing, and the same tens.
    let second = world.build([0, 10, 12, 14]).await;
    World::check(
        second,
        &format!("cpg.even miss rows; cpg.tens miss rows; {INLINE}"),
    );
    let wanted = "other rows of extract.things than in the published run";
    assert_eq!(world.reason("cpg.even").await, wanted);
    // Another odd thing: what is even is computed again, and comes out the same.
    let third = world.build([0, 10, 12, 13, 14]).await;
    World::check(
        third,
        &format!("cpg.even miss rows; cpg.tens hit; {INLINE}"),
    );
}

#[tokio::test]
async fn another_way_to_keep_the_table_is_another_key() {
    let mut world = World::new();
    world.build(0..40).await;
    world.policy = |name| match name.stage() {
        "extract" => TablePolicy::default(),
        _ => TablePolicy::default().rows_per_file_max(7.try_into().unwrap()),
    };
    let second = world.build(0..40).await;
    // The files of a table are what is known of its rows: other ones are other rows to whoever reads them.
    let want = "cpg.even miss policy; cpg.tens miss rows,policy";
    World::check(second, &format!("{want}; {INLINE}"));
    assert!(world.files("cpg/even").len() > 3);
}

#[tokio::test]
async fn another_environment_is_another_key() {
    let mut world = World::new();
    world.build(0..40).await;
    world
        .versions
        .insert("ossature".to_owned(), "0.0.1".to_owned());
    let second = world.build(0..40).await;
    let want = "cpg.even miss environment; cpg.tens miss environment";
    World::check(second, &format!("{want}; {INLINE}"));
}

#[tokio::test]
async fn damaged_files_are_written_again() {
    let mut world = World::new();
    world.build(0..40).await;
    let [file] = &world.files("cpg/even")[..] else {
        panic!("there is one file");
    };
    let sound = fs::read(file).unwrap();
    let mut flipped = sound.clone();
    flipped[20] ^= 1;
    fs::write(file, flipped).unwrap();
    let second = world.build(0..40).await;
    World::check(second, &format!("cpg.even stale; cpg.tens hit; {INLINE}"));
    assert_eq!(fs::read(file).unwrap(), sound);

    fs::remove_file(file).unwrap();
    let third = world.build(0..40).await;
    World::check(third, &format!("cpg.even stale; cpg.tens hit; {INLINE}"));
    assert_eq!(fs::read(file).unwrap(), sound);
}

#[tokio::test]
async fn a_version_that_was_written_and_not_published_is_not_taken() {
    let mut world = World::new();
    world.build(0..40).await;
    world.is_published = false;
    world.build(0..20).await;
    world.is_published = true;
    let third = world.build(0..40).await;
    World::check(third, &format!("cpg.even stale; cpg.tens stale; {INLINE}"));
    let reason = world.reason("cpg.even").await;
    assert!(
        reason.ends_with("its newest version is v2, not v1"),
        "{reason}"
    );
    let manifest = world.manifest().await;
    assert_eq!(manifest.output("cpg.even").unwrap().rows, 20);
    assert_eq!(manifest.output("cpg.even").unwrap().version, 3);
}

#[tokio::test]
async fn nobody_looks_where_nothing_is_to_be_taken() {
    let mut world = World::new();
    world.build(0..40).await;
    world.use_cache = false;
    let second = world.build(0..40).await;
    World::check(
        second,
        &format!("cpg.even disabled; cpg.tens disabled; {INLINE}"),
    );
    // What was computed so can be taken.
    world.use_cache = true;
    let third = world.build(0..40).await;
    World::check(third, &format!("cpg.even hit; cpg.tens hit; {INLINE}"));
}

#[tokio::test]
async fn a_table_that_somebody_keeps_otherwise_is_written_again() {
    let mut world = World::new();
    world.build(0..40).await;
    // Somebody asks for more than the policy does, after the version that was published.
    let log = world.folder.path().join("cpg/even/_delta_log");
    let first = fs::read_to_string(log.join("00000000000000000000.json")).unwrap();
    let metadata = first
        .lines()
        .find(|line| line.contains("\"metaData\""))
        .unwrap();
    let metadata = metadata.replace(
        "\"configuration\":{",
        "\"configuration\":{\"delta.appendOnly\":\"true\",",
    );
    fs::write(log.join("00000000000000000002.json"), metadata + "\n").unwrap();
    let second = world.build(0..40).await;
    World::check(second, &format!("cpg.even stale; cpg.tens hit; {INLINE}"));
    let reason = world.reason("cpg.even").await;
    assert!(
        reason.ends_with("its newest version is v2, not v1"),
        "{reason}"
    );
}

#[tokio::test]
async fn parts_that_differ_are_named() {
    let mut world = World::new();
    world.build(0..40).await;
    let run = world.manifest().await;
    let output = run.output("cpg.even").unwrap();
    let stored = StoredArtifacts::of(&world.lake, "1").await.unwrap();
    let plan = stored.plans.into_iter();
    let plan = plan
        .clone()
        .find(|plan| plan.dataset == "cpg.even")
        .unwrap();
    let fingerprint = |it: Option<DigestV1>| it.unwrap().fingerprint();
    let key = CacheKey {
        plan: fingerprint(output.plan_fingerprint),
        environment: run.environment.as_ref().unwrap().hash.fingerprint(),
        contract: output.contract_hash.fingerprint(),
        policy: output.policy_hash.fingerprint(),
        writer: output.writer_version,
    };
    assert_eq!(DigestV1::from(key.digest()), stored.caches[0].key.unwrap());
    assert!(key.differing(&plan, &run, output).is_empty());
    let other = Fingerprint::from_bytes([9; 32]);
    let changed = [
        ("functions", CacheKey { plan: other, ..key }),
        (
            "environment",
            CacheKey {
                environment: other,
                ..key
            },
        ),
        (
            "contract",
            CacheKey {
                contract: other,
                ..key
            },
        ),
        (
            "policy",
            CacheKey {
                policy: other,
                ..key
            },
        ),
        ("writer", CacheKey { writer: 9, ..key }),
    ];
    for (part, key) in changed {
        assert_eq!(key.differing(&plan, &run, output), [part]);
    }
    let key = CacheKey { plan: other, ..key };
    let mut reworded = plan.clone();
    reworded.plan_hash = DigestV1::from(other);
    assert_eq!(key.differing(&reworded, &run, output), ["query"]);
    let mut reread = plan;
    reread.inputs[0].pin.content_hash = Some(DigestV1::from(other));
    assert_eq!(key.differing(&reread, &run, output), ["rows"]);
}

#[test]
fn every_part_of_a_key_tells_keys_apart() {
    let digest = |byte| Fingerprint::from_bytes([byte; 32]);
    let key = CacheKey {
        plan: digest(1),
        environment: digest(2),
        contract: digest(3),
        policy: digest(4),
        writer: 5,
    };
    let other = digest(9);
    let changed = [
        CacheKey { plan: other, ..key },
        CacheKey {
            environment: other,
            ..key
        },
        CacheKey {
            contract: other,
            ..key
        },
        CacheKey {
            policy: other,
            ..key
        },
        CacheKey { writer: 9, ..key },
        // Two parts that have changed places.
        CacheKey {
            plan: key.policy,
            policy: key.plan,
            ..key
        },
    ];
    let digests: BTreeSet<Fingerprint> =
        changed.iter().chain([&key]).map(CacheKey::digest).collect();
    assert_eq!(digests.len(), changed.len() + 1);
}
