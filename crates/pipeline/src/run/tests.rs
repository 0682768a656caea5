//! How runs end when storage fails, on real tables.

use std::fs;
use std::path::PathBuf;

use ossature_artifacts::{RunStatusV1, StoredArtifacts};
use ossature_delta_policy::{ColumnMapping, Override, PolicyOverrides};
use tempfile::TempDir;

use super::*;
use crate::fixture::{self, dataset, rows};
use crate::{PublishedRun, UpkeepRequest, keep_up};

/// A run with one source that has been written, and its lake.
struct Filled {
    folder: TempDir,
    lake: Lake,
    run: Run,
}

/// A run over sources whose files hold two rows at the most.
fn request<const N: usize>(lake: &Lake, sources: [&str; N]) -> RunRequest {
    let graph = ViewGraph::try_new(sources.map(dataset), []).unwrap();
    RunRequest {
        policy: |_| TablePolicy::default().rows_per_file_max(2.try_into().unwrap()),
        ..fixture::request(lake, "first", graph)
    }
}

impl Filled {
    async fn new() -> Self {
        Box::pin(Self::written()).await
    }

    async fn written() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::try_new(&folder.path().to_string_lossy()).unwrap();
        let mut run = Run::begin(request(&lake, ["extract.things"]))
            .await
            .unwrap();
        let mut sources = run.source_writers().await.unwrap();
        let name = dataset("extract.things").name().clone();
        sources.push(&name, &rows([1, 2, 4])).await.unwrap();
        run.finish_sources(sources).await.unwrap();
        Self { folder, lake, run }
    }

    fn records(&self, path: &str) -> PathBuf {
        self.folder.path().join("_ossature").join(path)
    }

    async fn recorded(&self) -> RunManifestV1 {
        let runs = RunLedger::of(&self.lake).runs().await.unwrap();
        assert_eq!(runs.len(), 1);
        runs[0].manifest.clone()
    }

    /// Rows of a table of records.
    async fn rows_of(&self, table: &str) -> usize {
        let none = ViewGraph::try_new([], []).unwrap();
        let session = SessionSpec::default();
        let run = PublishedRun::open(&self.lake, &none, None, &session)
            .await
            .unwrap();
        let sql = format!("SELECT * FROM runs.{table}");
        let rows = run.catalog().session().sql(&sql).await.unwrap();
        rows.count().await.unwrap()
    }

    async fn artifacts(&self) -> (usize, usize) {
        let stored = StoredArtifacts::of(&self.lake, "first").await.unwrap();
        (stored.writes.len(), stored.scans.len())
    }
}

#[tokio::test]
async fn a_run_whose_artifacts_cannot_be_stored_is_recorded_as_failed() {
    let mut filled = Filled::new().await;
    fs::write(filled.records("write_artifacts"), "no folder").unwrap();
    let error = filled.run.publish(2, None, None).await.unwrap_err();
    assert_eq!(filled.recorded().await.status, RunStatusV1::Running);

    let failed = filled.run.fail(3, error.code(), &error).await.unwrap();
    assert_eq!(filled.recorded().await, failed);
    let failure = failed.failure.unwrap();
    assert_eq!(
        (failed.status, failure.code.as_str()),
        (RunStatusV1::Failed, error.code())
    );
    let told = "; the artifacts of the run could not be stored: ";
    assert!(failure.message.contains(told), "{}", failure.message);
}

#[tokio::test]
async fn a_run_that_fails_while_it_is_published_keeps_its_artifacts_once() {
    let mut filled = Filled::new().await;
    let log = filled.records("run_manifest/_delta_log/00000000000000000000.json");
    let sound = fs::read(&log).unwrap();
    fs::write(&log, "{ this is no commit").unwrap();
    let error = filled.run.publish(2, None, None).await.unwrap_err();
    let unrecorded = filled.run.fail(3, error.code(), &error).await.unwrap_err();
    assert!(matches!(unrecorded, Error::Records(_)), "{unrecorded}");
    fs::write(&log, sound).unwrap();
    assert_eq!(filled.recorded().await.status, RunStatusV1::Running);

    filled.run.fail(4, error.code(), &error).await.unwrap();
    assert_eq!(filled.recorded().await.status, RunStatusV1::Failed);
    assert_eq!(filled.artifacts().await, (1, 1));
}

#[tokio::test]
async fn what_was_stored_before_a_failure_is_not_stored_again() {
    let mut filled = Filled::new().await;
    let blocked = filled.records("write_artifacts");
    fs::write(&blocked, "no folder").unwrap();
    filled.run.publish(2, None, None).await.unwrap_err();
    fs::remove_file(&blocked).unwrap();
    filled.run.publish(3, None, None).await.unwrap();
    for table in [
        "protocol_reports",
        "stats_decisions",
        "write_artifacts",
        "scan_artifacts",
    ] {
        assert_eq!(filled.rows_of(table).await, 1, "{table}");
    }
}

/// Whoever drives a run may do so on any thread.
#[tokio::test]
async fn a_run_can_be_driven_by_a_task() {
    let mut filled = Filled::new().await;
    let computing = tokio::spawn(async move { filled.run.compute_views().await });
    computing.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_run_is_published_once() {
    let mut filled = Filled::new().await;
    let published = filled.run.publish(2, None, None).await.unwrap();
    assert_eq!(published.status, RunStatusV1::Completed);
    // As after a store that failed when it had appended the row.
    let again = filled.run.publish(3, None, None).await.unwrap();
    assert_eq!(again, published);
    assert_eq!(filled.artifacts().await, (1, 1));
    let late = filled.run.fail(4, "late", &std::fmt::Error).await;
    assert!(matches!(late, Err(Error::Records(_))));
    assert_eq!(filled.recorded().await, published);
}

#[tokio::test]
async fn sources_that_are_given_up_tell_what_they_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::try_new(&folder.path().to_string_lossy()).unwrap();
    let names = ["extract.idle", "extract.others", "extract.things"];
    let mut run = Run::begin(request(&lake, names)).await.unwrap();
    let mut sources = run.source_writers().await.unwrap();
    let [_, others, things] = names.map(|name| dataset(name).name().clone());
    // So many files that encoders have to be waited for, so that some are stored.
    sources.push(&others, &rows(0..500)).await.unwrap();
    sources.push(&things, &rows(0..500)).await.unwrap();
    let error = sources.push(&things, &rows([7])).await.unwrap_err();
    assert_eq!(error.code(), "out_of_order");
    let late = sources.push(&others, &rows([500])).await.unwrap_err();
    assert_eq!(late.code(), "unknown_source");
    // Whoever drives the run says it in other words.
    run.fail(2, "stopped", &std::fmt::Error).await.unwrap();

    let stored = StoredArtifacts::of(&lake, "first").await.unwrap();
    let told: Vec<(&str, &str)> = stored
        .failures
        .iter()
        .map(|failure| (failure.dataset.as_str(), failure.code.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("extract.others", "given_up"),
            ("extract.things", "out_of_order")
        ]
    );
    for failure in &stored.failures {
        assert!(!failure.orphans.is_empty(), "{}", failure.dataset);
        let table = folder.path().join(failure.dataset.replace('.', "/"));
        // What was just being stored may not be there.
        let mut orphans = failure.orphans.iter();
        assert!(orphans.any(|orphan| table.join(orphan).is_file()));
    }
}

/// What a table demands that the runtime does not provide, and what a policy may not ask for, is told as data, not as text alone.
#[tokio::test]
async fn what_is_refused_of_a_table_is_recorded() {
    let mut filled = Filled::new().await;
    filled.run.publish(2, None, None).await.unwrap();
    let log = filled.folder.path().join("extract/things/_delta_log");
    let refused = async |run_id: &str, overrides: LakeOverrides| {
        let graph = ViewGraph::try_new([dataset("extract.things")], []).unwrap();
        let request = RunRequest {
            overrides,
            ..fixture::request(&filled.lake, run_id, graph)
        };
        let mut run = Run::begin(request).await.unwrap();
        let error = run.source_writers().await.err().unwrap();
        run.fail(3, error.code(), &error).await.unwrap();
        let stored = StoredArtifacts::of(&filled.lake, run_id).await.unwrap();
        let failure = stored.failures.into_iter().next().unwrap();
        assert_eq!(failure.code, error.code());
        failure
    };

    // A feature that a table has from its beginning or never.
    let overrides = LakeOverrides {
        location: PolicyOverrides {
            column_mapping: Override::Set(ColumnMapping::Name),
            ..PolicyOverrides::none()
        },
        ..LakeOverrides::default()
    };
    let failure = Box::pin(refused("mapped", overrides)).await;
    assert_eq!(
        (failure.code.as_str(), failure.version),
        ("policy_refused", 1)
    );
    assert_eq!(failure.protocol, None);
    let features: Vec<_> = failure
        .refused_features
        .iter()
        .map(|it| &it.feature)
        .collect();
    assert_eq!(features, ["columnMapping"]);
    assert!(
        failure.refused_features[0]
            .reason
            .contains("existing table")
    );
    assert_eq!(filled.rows_of("protocol_reports").await, 1);

    let features = r#"["rowTracking","domainMetadata"]"#;
    let protocol = format!(
        r#"{{"protocol":{{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":{features}}}}}"#
    );
    fs::write(log.join("00000000000000000002.json"), protocol + "\n").unwrap();
    let failure = Box::pin(refused("tracked", LakeOverrides::default())).await;
    assert_eq!(
        (failure.code.as_str(), failure.version),
        ("protocol_refused", 2)
    );
    let report = failure.protocol.unwrap();
    assert!(!report.is_compatible);
    assert_eq!(
        report.found.writer_features,
        ["domainMetadata", "rowTracking"]
    );
    assert_eq!(report.problems.len(), 2);
    assert_eq!(
        filled
            .rows_of("protocol_reports WHERE NOT is_compatible AND version = 2")
            .await,
        1
    );
}

/// A checkpoint cannot be put where a folder is.
#[tokio::test]
async fn an_upkeep_that_fails_is_recorded() {
    let mut filled = Filled::new().await;
    filled.run.publish(2, None, None).await.unwrap();
    let log = filled.folder.path().join("extract/things/_delta_log");
    fs::create_dir_all(log.join("00000000000000000001.checkpoint.parquet/inside")).unwrap();
    let request = UpkeepRequest {
        lake: filled.lake.clone(),
        graph: ViewGraph::try_new([dataset("extract.things")], []).unwrap(),
        consumers: ConsumerIndex::default(),
        policy: |_| TablePolicy::default().checkpoint_commits_interval(1.try_into().unwrap()),
        overrides: LakeOverrides::default(),
        maintenance_id: "upkeep".to_owned(),
        at_unix_ms: 3,
        threads: std::num::NonZeroUsize::MIN,
        is_dry_run: true,
    };
    let planned = Box::pin(keep_up(&request)).await.unwrap();
    assert_eq!(
        (
            planned.failures.len(),
            filled.rows_of("write_failures").await
        ),
        (0, 0)
    );
    let request = UpkeepRequest {
        is_dry_run: false,
        ..request
    };
    let done = Box::pin(keep_up(&request)).await.unwrap();
    assert_eq!(done.failures.len(), 1);
    let recorded =
        "write_failures WHERE run_id = 'upkeep' AND dataset = 'extract.things' AND version = 1";
    assert_eq!(filled.rows_of(recorded).await, 1);
}
