//! `ossature runs` and `ossature show`: what was built, from what, and how it was decided.

use std::collections::{BTreeMap, BTreeSet};

use indicatif::{HumanBytes, HumanCount};
use ossature_artifacts::{
    OutputV1, PinV1, PlanArtifactV1, RunLedger, RunManifestV1, RunStatusV1, ScanArtifactV1,
    StoredArtifacts, ViewCacheV1, WriteArtifactV1, WriteFailureV1,
};
use ossature_registry::Lake;
use serde::Serialize;

use crate::cli::{Format, RunsArguments, ShowArguments};
use crate::error::Error;
use crate::output::{print, print_json, table, warn};

/// Lists the runs of a lake, newest first.
pub(crate) async fn runs(arguments: RunsArguments) -> Result<(), Error> {
    let ledger = RunLedger::of(&open_lake(&arguments.lake)?);
    let mut manifests: Vec<RunManifestV1> = ledger
        .runs()
        .await
        .map_err(ossature_pipeline::Error::from)?
        .into_iter()
        .map(|record| record.manifest)
        .collect();
    manifests.reverse();
    if manifests.is_empty() {
        warn(&format!(
            "no run is recorded in {}",
            open_lake(&arguments.lake)?
        ));
    }
    match arguments.format {
        Format::Json => print_json(&manifests),
        Format::Human => {
            let rows = manifests.iter().map(|manifest| {
                let outputs = &manifest.outputs;
                let bytes = outputs.iter().map(|output| output.bytes).sum();
                vec![
                    manifest.run_id.clone(),
                    manifest.status.as_str().to_owned(),
                    manifest.source.clone().unwrap_or_default(),
                    seconds(manifest),
                    HumanCount(outputs.iter().map(|output| output.rows).sum()).to_string(),
                    HumanBytes(bytes).to_string(),
                ]
            });
            print(&table(
                ["run", "status", "source", "seconds", "rows", "size"],
                rows,
                3,
            ))
        }
    }
}

/// Shows one run.
pub(crate) async fn show(arguments: ShowArguments) -> Result<(), Error> {
    let lake = open_lake(&arguments.lake)?;
    let ledger = RunLedger::of(&lake);
    let record = ledger
        .run(&arguments.run)
        .await
        .map_err(ossature_pipeline::Error::from)?;
    let Some(manifest) = record.map(|record| record.manifest) else {
        return Err(Error::Pipeline(ossature_pipeline::Error::NoSuchRun {
            lake: lake.to_string(),
            wanted: arguments.run,
        }));
    };
    let artifacts = StoredArtifacts::of(&lake, &manifest.run_id)
        .await
        .map_err(ossature_pipeline::Error::from)?;
    match arguments.format {
        Format::Json => print_json(&Shown::of(&manifest, &artifacts)),
        Format::Human => print(&human(&manifest, &artifacts)),
    }
}

/// What `show --format json` prints: the manifest, and beside it what the run planned and decided.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    manifest: &'a RunManifestV1,
    plans: &'a [PlanArtifactV1],
    decisions: Decisions<'a>,
}

#[derive(Serialize)]
struct Decisions<'a> {
    writes: &'a [WriteArtifactV1],
    scans: &'a [ScanArtifactV1],
    views: &'a [ViewCacheV1],
    failures: &'a [WriteFailureV1],
}

impl<'a> Shown<'a> {
    fn of(manifest: &'a RunManifestV1, artifacts: &'a StoredArtifacts) -> Self {
        Self {
            manifest,
            plans: &artifacts.plans,
            decisions: Decisions {
                writes: &artifacts.writes,
                scans: &artifacts.scans,
                views: &artifacts.caches,
                failures: &artifacts.failures,
            },
        }
    }
}

fn open_lake(location: &str) -> Result<Lake, Error> {
    Ok(Lake::try_new(location).map_err(ossature_pipeline::Error::from)?)
}

fn seconds(manifest: &RunManifestV1) -> String {
    // When an aborted run ended, nobody knows.
    let ended = manifest.ended_at_unix_ms;
    match ended.filter(|_| manifest.status != RunStatusV1::Aborted) {
        None => String::new(),
        Some(ended) => {
            let ms = (ended - manifest.started_at_unix_ms).max(0);
            format!("{}.{:03}", ms / 1000, ms % 1000)
        }
    }
}

/// The facts of a run, and what it read, planned, wrote and decided.
fn human(manifest: &RunManifestV1, artifacts: &StoredArtifacts) -> String {
    let StoredArtifacts {
        plans,
        writes,
        caches,
        failures,
        ..
    } = artifacts;
    let tables = [
        Some(facts_table(manifest)),
        (!manifest.inputs.is_empty()).then(|| pins_table(&manifest.inputs)),
        (!plans.is_empty()).then(|| plans_table(plans)),
        (!caches.is_empty()).then(|| caches_table(caches)),
        (!manifest.outputs.is_empty()).then(|| outputs_table(&manifest.outputs)),
        (!writes.is_empty()).then(|| decisions_table(artifacts)),
        (!failures.is_empty()).then(|| failures_table(failures)),
    ];
    tables.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn facts_table(manifest: &RunManifestV1) -> String {
    let mut facts = vec![
        ("run", manifest.run_id.clone()),
        ("number", manifest.run_number.to_string()),
        ("status", manifest.status.as_str().to_owned()),
        ("source", manifest.source.clone().unwrap_or_default()),
        ("seconds", seconds(manifest)),
        ("program", manifest.code_version.clone()),
        ("python", manifest.options.python_version.clone()),
        ("threads", manifest.execution.threads.to_string()),
    ];
    let versions = manifest.environment.iter().flat_map(|it| &it.versions);
    for (engine, version) in versions.filter(|(name, _)| *name != "ossature") {
        facts.push((engine, version.clone()));
    }
    if let Some(failure) = &manifest.failure {
        facts.push(("failure", format!("{}: {}", failure.code, failure.message)));
    }
    let facts = facts
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value]);
    table(["fact", "value"], facts, usize::MAX)
}

fn pins_table(pins: &[PinV1]) -> String {
    let pins = pins.iter().map(|pin| {
        let content = pin.content_hash.map(|digest| digest.fingerprint().short());
        vec![
            pin.dataset.clone(),
            format!("v{}", pin.version),
            content.unwrap_or_default(),
            pin.table_id.clone(),
        ]
    });
    table(["read", "version", "content", "table id"], pins, usize::MAX)
}

fn plans_table(plans: &[PlanArtifactV1]) -> String {
    let plans = plans.iter().map(|plan| {
        vec![
            plan.dataset.clone(),
            plan.fingerprint.fingerprint().short(),
            plan.encoding.clone(),
            HumanCount(plan.inputs.len() as u64).to_string(),
            HumanCount(plan.calls.len() as u64).to_string(),
            HumanBytes(plan.plan_bytes).to_string(),
        ]
    });
    table(
        ["planned", "plan", "encoding", "inputs", "functions", "size"],
        plans,
        3,
    )
}

/// Which views were computed, and why.
fn caches_table(caches: &[ViewCacheV1]) -> String {
    let caches = caches.iter().map(|cache| {
        let key = cache.key.map(|digest| digest.fingerprint().short());
        vec![
            cache.dataset.clone(),
            cache.status.as_str().to_owned(),
            key.unwrap_or_default(),
            cache.reason.clone(),
        ]
    });
    table(["view", "cache", "key", "why"], caches, usize::MAX)
}

fn outputs_table(outputs: &[OutputV1]) -> String {
    let outputs = outputs.iter().map(|output| {
        let plan = output
            .plan_fingerprint
            .map(|digest| digest.fingerprint().short());
        vec![
            output.name.clone(),
            plan.unwrap_or_else(|| "extracted".to_owned()),
            output.content_hash.fingerprint().short(),
            output.policy_hash.fingerprint().short(),
            format!("v{}", output.version),
            HumanCount(output.rows).to_string(),
            HumanBytes(output.bytes).to_string(),
        ]
    });
    table(
        [
            "published",
            "plan",
            "content",
            "policy",
            "version",
            "rows",
            "size",
        ],
        outputs,
        4,
    )
}

/// How each version was written, and the order in which it is read.
fn decisions_table(artifacts: &StoredArtifacts) -> String {
    let orders: BTreeMap<(&str, u64), &[String]> = artifacts
        .scans
        .iter()
        .map(|scan| {
            let read = (scan.pin.dataset.as_str(), scan.pin.version);
            (read, scan.order.as_slice())
        })
        .collect();
    let decisions = artifacts.writes.iter().map(|write| {
        let statistics = &write.policy.statistics.value;
        let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
        for dropped in &statistics.dropped {
            *left_out.entry(&dropped.reason).or_default() += 1;
        }
        let left_out = left_out
            .iter()
            .map(|(reason, columns)| format!("{columns} {reason}"));
        let order = orders.get(&(write.dataset.as_str(), write.version));
        vec![
            write.dataset.clone(),
            statistics.columns.len().to_string(),
            left_out.collect::<Vec<_>>().join(", "),
            write.policy.layout.value.compression.value.clone(),
            protocol(write),
            order.map(|order| order.join(", ")).unwrap_or_default(),
        ]
    });
    table(
        [
            "decided",
            "statistics",
            "left out",
            "compression",
            "protocol",
            "order",
        ],
        decisions,
        usize::MAX,
    )
}

/// The writes that failed. What they left behind is named in full: somebody may want to look at it.
fn failures_table(failures: &[WriteFailureV1]) -> String {
    let failures = failures.iter().map(|failure| {
        vec![
            failure.dataset.clone(),
            format!("v{}", failure.version),
            failure.code.clone(),
            failure.message.clone(),
            failure.orphans.join("\n"),
        ]
    });
    table(
        ["failed", "stands", "code", "why", "left behind"],
        failures,
        usize::MAX,
    )
}

/// The versions of reader and writer, and the features that the table names.
fn protocol(write: &WriteArtifactV1) -> String {
    let found = &write.protocol.found;
    let features: BTreeSet<&str> = found
        .reader_features
        .iter()
        .chain(&found.writer_features)
        .map(String::as_str)
        .collect();
    let versions = format!("{}/{}", found.reader_version, found.writer_version);
    [versions.as_str()]
        .into_iter()
        .chain(features)
        .collect::<Vec<_>>()
        .join(" ")
}
