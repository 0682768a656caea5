//! `ossature verify`: whether a lake still holds what its runs recorded.

use indicatif::{HumanBytes, HumanCount};
use ossature_pipeline::{Finding, Verification, VerifiedRuns, VerifyRequest};
use ossature_registry::Lake;
use ossature_schema_spec::Version;
use serde::Serialize;

use crate::cli::{Format, VerifyArguments, available_threads};
use crate::error::Error;
use crate::graph::graph;
use crate::interrupt::Signals;
use crate::output::{print, print_json, table};

/// Reads every file of what was published, and tells what is not as it was recorded.
pub(crate) async fn verify(arguments: VerifyArguments) -> Result<(), Error> {
    let request = VerifyRequest {
        lake: Lake::try_new(&arguments.lake).map_err(ossature_pipeline::Error::from)?,
        graph: graph()?,
        runs: match arguments.run {
            Some(run) => VerifiedRuns::One(run),
            None if arguments.all => VerifiedRuns::All,
            None => VerifiedRuns::Newest,
        },
        threads: available_threads(),
    };
    let mut signals = Signals::listen().map_err(|source| Error::Runtime { source })?;
    let verification = tokio::select! {
        biased;
        interrupt = signals.next() => return Err(Error::Stopped(interrupt)),
        verified = ossature_pipeline::verify(&request) => verified?,
    };
    match arguments.format {
        Format::Json => print_json(&Report::of(&verification))?,
        Format::Human => print(&human(&verification))?,
    }
    let findings = &verification.findings;
    let is_of_storage = |finding: &Finding| finding.difference.is_of_storage();
    match findings.len() {
        0 => Ok(()),
        findings_of_storage if findings.iter().all(is_of_storage) => Err(Error::Unverified {
            findings: findings_of_storage,
        }),
        differences => Err(Error::Differs {
            findings: differences,
            hint: remedy(findings),
        }),
    }
}

/// What helps: the least of what does.
fn remedy(findings: &[Finding]) -> &'static str {
    let is_of_records = |finding: &Finding| finding.dataset.stage() == "runs";
    if findings.iter().any(is_of_records) {
        "no build restores records of runs: restore the folder `_ossature` from a copy"
    } else if findings
        .iter()
        .all(|finding| finding.difference.is_restorable())
    {
        "build the same sources again: that restores the damaged files of the newest run's tables"
    } else {
        "restore the tables' folders from a copy; or remove them and build the same sources again, \
         after which runs before that one cannot be read any more"
    }
}

/// What `--format json` prints. Scripts rely on its names.
#[derive(Serialize)]
struct Report<'a> {
    runs: &'a [String],
    tables: Vec<Table<'a>>,
    findings: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    version: u64,
    files: usize,
    bytes: u64,
    files_without_digest: usize,
}

#[derive(Serialize)]
struct Found<'a> {
    code: &'static str,
    name: &'a str,
    version: Option<u64>,
    path: Option<&'a str>,
    message: String,
}

impl<'a> Report<'a> {
    fn of(verification: &'a Verification) -> Self {
        let tables = verification.tables.iter().map(|table| Table {
            name: table.dataset.as_str(),
            version: table.version.number(),
            files: table.files,
            bytes: table.bytes,
            files_without_digest: table.without_digest,
        });
        let findings = verification.findings.iter().map(|finding| Found {
            code: finding.difference.code(),
            name: finding.dataset.as_str(),
            version: finding.version.map(Version::number),
            path: finding.difference.path(),
            message: finding.difference.to_string(),
        });
        Self {
            runs: &verification.runs,
            tables: tables.collect(),
            findings: findings.collect(),
        }
    }
}

/// The findings, and what was looked at.
fn human(verification: &Verification) -> String {
    let Verification {
        runs,
        tables,
        findings,
        ..
    } = verification;
    let files: usize = tables.iter().map(|table| table.files).sum();
    let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
    let without_digest: usize = tables.iter().map(|table| table.without_digest).sum();
    let mut lines = Vec::new();
    if !findings.is_empty() {
        let rows = findings.iter().map(row);
        lines.push(table(
            ["table", "version", "found", "what"],
            rows,
            usize::MAX,
        ));
    }
    if without_digest > 0 {
        lines.push(format!(
            "{} files were written by somebody else: of them only the length is known",
            HumanCount(without_digest as u64)
        ));
    }
    let count = |number: usize, what: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{} {what}{plural}", HumanCount(number as u64))
    };
    if runs.is_empty() {
        let why = "the records of the runs come first: they say what was written";
        lines.push(format!("no table was compared, since {why}"));
    }
    lines.push(format!(
        "verified {} of {}: {} with {}; {}",
        count(tables.len(), "version"),
        count(runs.len(), "run"),
        count(files, "file"),
        HumanBytes(bytes),
        match findings.len() {
            0 => "everything is as it was written".to_owned(),
            findings => count(findings, "difference"),
        }
    ));
    lines.join("\n")
}

fn row(finding: &Finding) -> Vec<String> {
    let version = finding.version.map(|version| version.to_string());
    vec![
        finding.dataset.to_string(),
        version.unwrap_or_default(),
        finding.difference.code().to_owned(),
        finding.difference.to_string(),
    ]
}
