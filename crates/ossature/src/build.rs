//! `ossature build`: from a source tree to a published graph.

use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arrow::array::cast::AsArray;
use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Int64Type;
use indicatif::{HumanBytes, HumanCount};
use ossature_artifacts::{
    CacheStatusV1, CallCoverageV1, ExecutionProfileV1, ExtractSummaryV1, OutputV1, RunManifestV1,
    RunOptionsV1, RunStart, ViewCacheV1,
};
use ossature_pipeline::{Run, RunRequest, describe};
use ossature_python_extract::{
    Dataset, ExtractOptions, PythonVersion, ScanOptions, SourceListing, extract, list_sources,
};
use ossature_registry::{Lake, SessionSpec};
use ossature_schema_spec::DatasetName;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::cli::{BuildArguments, Format};
use crate::error::{Error, escape_control};
use crate::graph::graph;
use crate::interrupt::{Interrupt, Signals};
use crate::lock::LakeLock;
use crate::openlineage::Events;
use crate::output::{print, print_json, table, warn};
use crate::policy::{Kept, tell_warnings};
use crate::progress::Progress;

/// Streams that a plan runs in: more than these only divide the memory of sorts into shares that are too small.
pub(crate) const STREAMS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(15);

/// Rows in a batch of the engine.
pub(crate) const BATCH_ROWS: u32 = 8192;

/// Batches that wait for the writers. Each holds the facts of about a quarter of a megabyte of source.
const WAITING_BATCHES: usize = 4;

/// Bytes of source whose facts are one batch of each table: small, so that their memory is soon used again.
const UNIT_BYTES: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 18) - 1);

/// Builds, publishes, and tells what came of it.
///
/// A signal ends the run at once while it works, and as soon as it has begun while it begins: it is recorded as failed.
/// Once publishing has begun it goes on to its end, and the signal came too late. A second signal ends the program
/// wherever it is.
pub(crate) async fn build(arguments: BuildArguments) -> Result<(), Error> {
    let began = Instant::now();
    let lake = Lake::try_new(&arguments.lake).map_err(ossature_pipeline::Error::from)?;
    let graph = graph()?;
    let kept = Kept::by(arguments.policy.as_deref(), &graph).await?;
    let (overrides, consumers) = (kept.overrides, kept.consumers);
    let mut events = Events::of(arguments.openlineage.as_deref(), &lake, &graph)?;
    let listing = list_sources(&arguments.source, &ScanOptions::everything())?;
    if listing.files().is_empty() {
        let source = arguments.source.display();
        warn(&format!("no Python files found below {source}"));
    }
    let progress = Arc::new(Progress::of_files(listing.files().len() as u64));
    let observer = Arc::clone(&progress);
    let times = events.times();
    let mut request = RunRequest {
        start: run_start(&arguments),
        versions: versions(),
        graph,
        consumers,
        policy: ossature_cpg_views::policy,
        overrides,
        use_cache: !arguments.no_cache,
        session: SessionSpec {
            threads: arguments.threads().min(STREAMS_MAX),
            memory_bytes_max: usize::try_from(arguments.max_memory_bytes).unwrap_or(usize::MAX),
            batch_rows: BATCH_ROWS as usize,
        },
        observer: Arc::new(move |event| {
            observer.observe(&event);
            times.observe(&event);
        }),
        lake: lake.clone(),
    };
    if arguments.policy.is_some() {
        // Before anything is made. What the program declares of its tables itself can be kept, and is meant.
        request.check_tables().await?;
        tell_warnings(&request.overrides, &request.graph, &request.consumers)?;
    }
    warn_of_places(&arguments.source, &lake);
    let mut signals = Signals::listen().map_err(|source| Error::Runtime { source })?;
    let lock = LakeLock::take(&lake, &mut signals).await?;
    let abandoned = lock.abort_abandoned(&lake).await?;
    // To wait for somebody else's build is no part of the run.
    request.start.started_at_unix_ms = now_unix_ms();
    let (begun, interrupt) = signals
        .hold_back(Box::pin(Run::begin(request)))
        .await
        .map_err(|interrupt| Error::Abandoned(interrupt, "begun"))?;
    let mut run = begun?;
    tracing::info!(run_id = run.manifest().run_id, "the run has begun");
    events.begin(run.manifest(), &abandoned);
    let done = match interrupt {
        Some(interrupt) => Err(Error::Interrupted(interrupt)),
        None => carry_out(&mut run, listing, &arguments, &mut signals).await,
    };
    progress.finish();
    let (manifest, too_late) = match done {
        Ok(done) => done,
        Err(error) => {
            record_failure(&mut run, &error, &mut signals).await;
            // Nobody waits for the lake while events are delivered.
            drop(lock);
            events.end_unpublished(&error, &mut signals).await;
            return Err(error);
        }
    };
    drop(lock);
    if let Some(interrupt) = too_late {
        warn(&format!(
            "{interrupt} came too late: the run was being published, and now it is"
        ));
    }
    let is_kept_otherwise = |it: &&ViewCacheV1| it.differs.iter().any(|part| part == "policy");
    let others = run.decisions().iter().filter(is_kept_otherwise).count();
    if others > 0 && arguments.policy.is_none() {
        warn(&format!(
            "{others} tables of views are kept by other policies than in the run before, and no `--policy` was given; `ossature explain-diff` names the values"
        ));
    }
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let printed = match arguments.format {
        Format::Json => print_json(&Summary::of(&manifest, elapsed_ms)),
        Format::Human => {
            let lake = as_typed(&arguments.lake, &lake);
            print(&human(&manifest, run.decisions(), &lake, elapsed_ms))
        }
    };
    events
        .end_published(&manifest, run.plans(), &mut signals)
        .await;
    printed
}

/// Tells what may not be meant of where the sources and the lake lie.
fn warn_of_places(source: &Path, lake: &Lake) {
    let whole = source.canonicalize();
    if let (Ok(source), Some(lake)) = (&whole, lake.local_path())
        && std::path::absolute(&lake).is_ok_and(|lake| lake.starts_with(source))
    {
        warn("the lake lies inside of the source tree");
    }
    if source.join("__init__.py").is_file() {
        warn(
            "the source tree is a package itself, and names begin below it; build the folder above for names like those in imports",
        );
    }
}

/// Fills the tables and publishes them; gives back the signal that came too late to stop it.
async fn carry_out(
    run: &mut Run,
    listing: SourceListing,
    arguments: &BuildArguments,
    signals: &mut Signals,
) -> Result<(RunManifestV1, Option<Interrupt>), Error> {
    // What is under way is dropped at a signal, so that nothing is committed after it but the end of the run.
    let Counted { files, calls } = tokio::select! {
        biased;
        interrupt = signals.next() => return Err(Error::Interrupted(interrupt)),
        filled = fill(run, listing, arguments) => filled?,
    };
    let publication = run.publish(now_unix_ms(), Some(files), Some(calls));
    let (published, too_late) = signals
        .hold_back(Box::pin(publication))
        .await
        .map_err(|interrupt| Error::Abandoned(interrupt, "published"))?;
    Ok((published?, too_late))
}

/// Records why a run failed. Where that is impossible, the ledger says that the run goes on, so somebody has to know.
async fn record_failure(run: &mut Run, error: &Error, signals: &mut Signals) {
    if matches!(error, Error::Abandoned(..)) {
        // Whoever asks a second time does not want to wait for the record either.
        return;
    }
    let run_id = run.manifest().run_id.clone();
    let unrecorded = tokio::select! {
        biased;
        interrupt = signals.next() => Some(format!("interrupted by {interrupt}")),
        recorded = run.fail(now_unix_ms(), error.code(), error) => {
            recorded.err().map(|unrecorded| describe(&unrecorded))
        }
    };
    if let Some(reason) = unrecorded {
        warn(&format!(
            "the failure could not be recorded, and `ossature runs` still lists {run_id} as running: {reason}"
        ));
    }
}

/// A local lake as it was typed, which is how it is found from here; another one without what may be secret.
fn as_typed(typed: &str, lake: &Lake) -> String {
    if typed.contains("://") {
        lake.to_string()
    } else {
        escape_control(typed)
    }
}

/// The version of the program, and a digest of the sources that it was built from: two builds of one version may compute
/// other rows.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("OSSATURE_SOURCES"));

/// The versions that decide about plans, but for that of the query engine.
pub(crate) fn versions() -> BTreeMap<String, String> {
    let mut versions = ossature_registry::engine_versions();
    versions.insert("ossature".to_owned(), VERSION.to_owned());
    versions
}

fn run_start(arguments: &BuildArguments) -> RunStart {
    let source =
        std::path::absolute(&arguments.source).unwrap_or_else(|_| arguments.source.clone());
    RunStart {
        run_id: uuid::Uuid::now_v7().to_string(),
        parent_run_id: None,
        source: Some(source.display().to_string()),
        code_version: VERSION.to_owned(),
        environment: None,
        profile: None,
        options: RunOptionsV1 {
            python_version: format!("3.{}", arguments.python_version),
            max_file_bytes: arguments.max_file_bytes,
        },
        execution: ExecutionProfileV1 {
            threads: u32::try_from(arguments.threads().get()).unwrap_or(u32::MAX),
            memory_bytes_max: arguments.max_memory_bytes,
            batch_rows: BATCH_ROWS,
        },
        started_at_unix_ms: now_unix_ms(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the program is where times come from"
)]
pub(crate) fn now_unix_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

struct Counted {
    files: ExtractSummaryV1,
    calls: CallCoverageV1,
}

/// Extracts the sources and computes the views.
async fn fill(
    run: &mut Run,
    listing: SourceListing,
    arguments: &BuildArguments,
) -> Result<Counted, Error> {
    let mut writers = run.source_writers().await?;
    let names = Dataset::ALL
        .iter()
        .map(|dataset| Ok((*dataset, dataset.spec()?.name().clone())))
        .collect::<Result<BTreeMap<Dataset, DatasetName>, Error>>()?;
    let (sender, mut receiver) = mpsc::channel::<(Dataset, RecordBatch)>(WAITING_BATCHES);
    let listed = listing.files().len() as u64;
    let options = ExtractOptions {
        python_version: PythonVersion {
            minor: arguments.python_version,
        },
        file_bytes_max: arguments.max_file_bytes,
        threads: arguments.threads(),
        unit_bytes: UNIT_BYTES,
    };
    let extraction = tokio::task::spawn_blocking(move || {
        extract(&listing, &options, |dataset, batch| {
            match sender.blocking_send((dataset, batch)) {
                Ok(()) => ControlFlow::Continue(()),
                // The writers have failed and say why.
                Err(_) => ControlFlow::Break(()),
            }
        })
    });
    while let Some((dataset, batch)) = receiver.recv().await {
        if let Some(name) = names.get(&dataset) {
            writers.push(name, &batch).await?;
        }
    }
    match extraction.await {
        Ok(done) => done?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
    run.finish_sources(writers).await?;
    run.compute_views().await?;

    let files = count_by(
        run,
        "SELECT status, count(*) FROM extract.files GROUP BY status",
    )
    .await?;
    let calls = count_by(
        run,
        "SELECT status, count(*) FROM cpg.calls GROUP BY status",
    )
    .await?;
    let of = |counts: &BTreeMap<String, u64>, status| counts.get(status).copied().unwrap_or(0);
    Ok(Counted {
        files: ExtractSummaryV1 {
            listed,
            parsed: of(&files, "parsed"),
            partial: of(&files, "partial"),
            skipped: of(&files, "skipped"),
        },
        calls: CallCoverageV1 {
            resolved: of(&calls, "resolved"),
            external: of(&calls, "external"),
            ambiguous: of(&calls, "ambiguous"),
            unresolved: of(&calls, "unresolved"),
        },
    })
}

/// The rows of a query for a name and a number.
async fn count_by(run: &Run, sql: &str) -> Result<BTreeMap<String, u64>, Error> {
    // The words of the query are ours.
    let failed = |error| Error::Engine(Box::new(error));
    let frame = run.catalog().session().sql(sql).await.map_err(failed)?;
    let mut counts = BTreeMap::new();
    for batch in frame.collect().await.map_err(failed)? {
        let names = batch.column(0).as_string::<i32>();
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        for at in 0..names.len() {
            let number = u64::try_from(numbers.value(at)).unwrap_or_default();
            counts.insert(names.value(at).to_owned(), number);
        }
    }
    Ok(counts)
}

/// What `--format json` prints. Scripts rely on its names.
#[derive(Serialize)]
struct Summary<'a> {
    run_id: &'a str,
    status: &'static str,
    files: Option<ExtractSummaryV1>,
    calls: Option<CallCoverageV1>,
    outputs: Vec<Output<'a>>,
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    table_uri: &'a str,
    version: u64,
    rows: u64,
    bytes: u64,
    files: u64,
    logical_fingerprint: Option<String>,
    content_hash: String,
    /// Whether it was computed, of a view.
    cache: Option<&'static str>,
}

impl<'a> Summary<'a> {
    fn of(manifest: &'a RunManifestV1, elapsed_ms: u64) -> Self {
        Self {
            run_id: &manifest.run_id,
            status: manifest.status.as_str(),
            files: manifest.extract,
            calls: manifest.calls,
            outputs: manifest.outputs.iter().map(Output::of).collect(),
            elapsed_ms,
        }
    }
}

impl<'a> Output<'a> {
    fn of(output: &'a OutputV1) -> Self {
        Self {
            name: &output.name,
            table_uri: &output.table_uri,
            version: output.version,
            rows: output.rows,
            bytes: output.bytes,
            files: output.files,
            logical_fingerprint: output
                .plan_fingerprint
                .map(|digest| digest.fingerprint().to_hex()),
            content_hash: output.content_hash.fingerprint().to_hex(),
            cache: output.cache_status.map(CacheStatusV1::as_str),
        }
    }
}

/// The closing table.
fn human(
    manifest: &RunManifestV1,
    decisions: &[ViewCacheV1],
    lake: &str,
    elapsed_ms: u64,
) -> String {
    let rows = manifest.outputs.iter().map(|output| {
        vec![
            output.name.clone(),
            format!("v{}", output.version),
            HumanCount(output.rows).to_string(),
            HumanCount(output.files).to_string(),
            HumanBytes(output.bytes).to_string(),
        ]
    });
    let tables = table(["table", "version", "rows", "files", "size"], rows, 1);
    let files = manifest.extract.unwrap_or_default();
    let calls = manifest.calls.unwrap_or_default();
    let bytes: u64 = manifest.outputs.iter().map(|output| output.bytes).sum();
    let all = calls.resolved + calls.external + calls.ambiguous + calls.unresolved;
    let with = |status| decisions.iter().filter(|it| it.status == status).count() as u64;
    let (kept, inline) = (with(CacheStatusV1::Hit), with(CacheStatusV1::Inline));
    let computed = decisions.len() as u64 - kept - inline;
    let share = |part: u64| (part * 1000 + all / 2).checked_div(all).unwrap_or_default();
    let percent = |part| format!("{}.{}%", share(part) / 10, share(part) % 10);
    format!(
        "{tables}\n\
         files  {} listed: {} parsed, {} partial, {} skipped\n\
         calls  {}: {} resolved, {} external, {} ambiguous, {} unresolved\n\
         views  {} computed, {} kept as they were\n\
         run    {} in {}.{:03} s\n\
         lake   {lake} ({})",
        HumanCount(files.listed),
        HumanCount(files.parsed),
        HumanCount(files.partial),
        HumanCount(files.skipped),
        HumanCount(all),
        percent(calls.resolved),
        percent(calls.external),
        percent(calls.ambiguous),
        percent(calls.unresolved),
        HumanCount(computed),
        HumanCount(kept),
        manifest.run_id,
        elapsed_ms / 1000,
        elapsed_ms % 1000,
        HumanBytes(bytes),
    )
}
