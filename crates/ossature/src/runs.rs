//! `ossature runs` and `ossature show`: what was built, from what, and how it was decided.

use indicatif::{HumanBytes, HumanCount};
use ossature_artifacts::{RunLedger, RunManifestV1};
use ossature_registry::Lake;

use crate::cli::{Format, RunsArguments, ShowArguments};
use crate::error::Error;
use crate::output::{print, print_json, table};

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
    match arguments.format {
        Format::Json => print_json(&manifest),
        Format::Human => print(&human(&manifest)),
    }
}

fn open_lake(location: &str) -> Result<Lake, Error> {
    Ok(Lake::try_new(location).map_err(ossature_pipeline::Error::from)?)
}

fn seconds(manifest: &RunManifestV1) -> String {
    match manifest.ended_at_unix_ms {
        None => String::new(),
        Some(ended) => {
            let ms = (ended - manifest.started_at_unix_ms).max(0);
            format!("{}.{:03}", ms / 1000, ms % 1000)
        }
    }
}

fn human(manifest: &RunManifestV1) -> String {
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
    for (engine, version) in &manifest.engine_versions {
        facts.push((engine, version.clone()));
    }
    if let Some(failure) = &manifest.failure {
        facts.push(("failure", format!("{}: {}", failure.code, failure.message)));
    }
    let facts = facts
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value]);
    let outputs = manifest.outputs.iter().map(|output| {
        let plan = output
            .plan_fingerprint
            .map(|digest| digest.fingerprint().short());
        vec![
            output.name.clone(),
            plan.unwrap_or_else(|| "extracted".to_owned()),
            output.content_hash.fingerprint().short(),
            format!("v{}", output.version),
            HumanCount(output.rows).to_string(),
            HumanBytes(output.bytes).to_string(),
        ]
    });
    format!(
        "{}\n{}",
        table(["fact", "value"], facts, usize::MAX),
        table(
            ["table", "plan", "content", "version", "rows", "size"],
            outputs,
            3
        )
    )
}
