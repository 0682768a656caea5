//! Verification: whether the lake still holds what its runs recorded.

use std::num::NonZeroUsize;

use ossature_artifacts::{
    ArtifactTable, DigestV1, OutputV1, PinV1, RunLedger, RunManifestV1, RunRecord, RunStatusV1,
};
use ossature_registry::{Lake, OpenTable, Published, commit_keys, open_table};
use ossature_schema_spec::{DatasetName, DatasetSpec, Fingerprint, TablePin, Version};
use ossature_view_graph::ViewGraph;
use ossature_write_pipeline::{Damage, FileVerifier, VerifiedFiles, redact};

use crate::published::{check_published, stored_contract};
use crate::{Error, describe};

/// Which runs of a lake are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifiedRuns {
    /// The newest published one.
    Newest,
    /// The published one of that id.
    One(String),
    /// Every published one.
    All,
}

/// What is compared with what.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// Where the tables lie.
    pub lake: Lake,
    /// Sources and views, which tell the columns that tables are partitioned and ordered by.
    pub graph: ViewGraph,
    /// Whose tables.
    pub runs: VerifiedRuns,
    /// Files that are read side by side.
    pub threads: NonZeroUsize,
}

/// One version of a table that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedTable {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version.
    pub version: Version,
    /// Its files.
    pub files: usize,
    /// Their bytes, as the log has them.
    pub bytes: u64,
    /// Files whose digest nobody recorded. Of them the length was compared.
    pub without_digest: usize,
}

/// What is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// The version cannot be opened.
    #[error("{reason}")]
    Unreadable {
        /// The stable identifier of the reason.
        code: &'static str,
        /// The reason.
        reason: String,
    },
    /// The table, or what its log says of the version, is not what was published: what readers take from the log, bounds and
    /// types among it, may have any value.
    #[error("{reason}")]
    Log {
        /// The stable identifier of the reason.
        code: &'static str,
        /// The reason.
        reason: String,
    },
    /// A run that the records do not know has written the table: they lack what came last.
    #[error("`{run_id}` wrote it, and is in no record")]
    UnknownRun {
        /// The run, as the commit names it.
        run_id: String,
    },
    /// The log says something else of a version's content than the run that published it.
    #[error("content hash {wanted} was recorded, and {}", told(*.found))]
    Content {
        /// What the run recorded.
        wanted: Fingerprint,
        /// What the commit claims, or the digests of the files in the log add up to; nothing when neither tells.
        found: Option<Fingerprint>,
    },
    /// A file is damaged.
    #[error("`{path}`: {damage}")]
    File {
        /// Its path below the table's folder.
        path: String,
        /// What is wrong with it.
        damage: Damage,
    },
}

fn told(found: Option<Fingerprint>) -> String {
    match found {
        Some(found) => format!("the log tells of {found}"),
        None => "the log does not tell of any".to_owned(),
    }
}

impl Difference {
    /// A stable identifier, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { code, .. } | Self::Log { code, .. } => code,
            Self::UnknownRun { .. } => "run_unknown",
            Self::Content { .. } => "table_content_differs",
            Self::File { damage, .. } => damage.code(),
        }
    }

    /// Whether the store did not answer, so that nothing is known.
    pub fn is_of_storage(&self) -> bool {
        match self {
            Self::Unreadable { code, .. } => *code == "delta_failure",
            Self::File { damage, .. } => matches!(damage, Damage::Unreadable { .. }),
            _ => false,
        }
    }

    /// Whether a build of the same sources restores it.
    pub fn is_restorable(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// The file that it is about, below the table's folder.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::File { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// A difference, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The dataset.
    pub dataset: DatasetName,
    /// The version; for the records of the runs the newest one, if they can be opened.
    pub version: Option<Version>,
    /// What differs.
    pub difference: Difference,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The runs whose tables were looked at, the oldest first.
    pub runs: Vec<String>,
    /// Every version, once: the records of the runs, then the tables by name.
    pub tables: Vec<VerifiedTable>,
    /// What is not as it was recorded, in the order of the tables.
    pub findings: Vec<Finding>,
}

/// Compares the tables of published runs, and the records of all runs, with what was recorded of them: the digest of every
/// file with the one in the log, the files of the log with the content that the commit claims, and what the log says with
/// the manifest.
///
/// Nothing is written. A version that several runs publish is looked at once, and so is a file that several versions have.
///
/// Where the ledger itself is damaged, no table is looked at.
///
/// **Errors**: [`Error::NothingPublished`] when no table was written either, [`Error::NoSuchRun`], and [`Error::Records`]
/// when the ledger cannot be read though all its files are as they were written. Whatever else cannot be read is a finding.
pub async fn verify(request: &VerifyRequest) -> Result<Verification, Error> {
    let VerifyRequest { lake, graph, .. } = request;
    let mut verifier = FileVerifier::new(request.threads);
    let mut verification = Verification::default();
    let mut absent = Vec::new();
    // The records go first: what they say is what the tables are compared with.
    for table in ArtifactTable::ALL {
        let contract = table.spec()?;
        let dataset = contract.name().clone();
        let open = match open_table(&lake.location(&dataset)?, None).await {
            Err(ossature_registry::Error::NoTable { .. }) => {
                absent.push(dataset);
                continue;
            }
            open => open,
        };
        let version = open.as_ref().ok().map(OpenTable::version);
        let looked = match open {
            Ok(open) => look(&mut verifier, &contract, &open, None).await,
            Err(error) => Err(error.into()),
        };
        verification.take(&dataset, version, None, looked);
    }
    // Damaged records can be read as anything, or not at all: nothing can be compared with them.
    if verification.has_findings_of(ArtifactTable::RunManifest) {
        return Ok(verification);
    }
    let runs = RunLedger::of(lake).runs().await?;
    verification
        .look_for_unknown_runs(lake, graph, &runs)
        .await?;
    let manifests = match published(lake, &runs, &request.runs) {
        // Whoever wrote tables has begun by recording a run.
        Err(Error::NothingPublished { .. }) if !verification.findings.is_empty() => {
            return Ok(verification);
        }
        manifests => manifests?,
    };
    let mut pins: Vec<&PinV1> = manifests.iter().flat_map(|run| &run.records).collect();
    pins.sort_by_key(|pin| (&pin.dataset, pin.version, &pin.table_id));
    pins.dedup();
    for pin in &pins {
        verification.compare_records(lake, pin).await?;
    }
    // Every published run has written down what it planned, wrote and read.
    let recorded = |dataset: &DatasetName| pins.iter().any(|pin| pin.dataset == dataset.as_str());
    for dataset in absent.into_iter().filter(recorded) {
        let location = lake.location(&dataset)?.to_string();
        let lost = ossature_registry::Error::NoTable { location };
        verification.take(&dataset, None, None, Err(lost.into()));
    }
    for (dataset, output) in versions(&manifests) {
        let version = Version::new(output.version);
        let looked = async {
            let open = open_table(&lake.location(&dataset)?, Some(version)).await?;
            let contract = match graph.contract(&dataset) {
                Some(contract) => contract.clone(),
                None => stored_contract(&open, &dataset)?,
            };
            look(&mut verifier, &contract, &open, Some(&output.published())).await
        };
        let looked = looked.await;
        let content = output.content_hash.fingerprint();
        verification.take(&dataset, Some(version), Some(content), looked);
    }
    verification.runs = manifests.iter().map(|run| run.run_id.clone()).collect();
    Ok(verification)
}

/// What was found of a version.
struct Looked {
    files: VerifiedFiles,
    /// How the log differs from what was published.
    log: Option<Difference>,
    /// What its commit says of its content.
    claimed: Option<Fingerprint>,
}

async fn look(
    verifier: &mut FileVerifier,
    contract: &DatasetSpec,
    open: &OpenTable,
    published: Option<&Published>,
) -> Result<Looked, Error> {
    let files = verifier.verify(contract, open).await;
    Ok(Looked {
        files: files.map_err(|error| Error::Table {
            dataset: contract.name().clone(),
            source: Box::new(error),
        })?,
        log: published.and_then(|published| log_differs(published, open)),
        claimed: open.commit().content,
    })
}

fn log_differs(published: &Published, open: &OpenTable) -> Option<Difference> {
    let error = published.check(open).err()?;
    Some(Difference::Log {
        code: error.code(),
        reason: redact(&describe(&error)),
    })
}

impl Verification {
    fn has_findings_of(&self, table: ArtifactTable) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.dataset.as_str() == table.name())
    }

    /// Takes note of what was found of a version, which was published with that content.
    fn take(
        &mut self,
        dataset: &DatasetName,
        version: Option<Version>,
        wanted: Option<Fingerprint>,
        looked: Result<Looked, Error>,
    ) {
        let differences = match looked {
            Err(error) => vec![Difference::Unreadable {
                code: error.code(),
                reason: redact(&describe(&error)),
            }],
            Ok(Looked {
                files,
                log,
                claimed,
            }) => {
                let content = content_differs(wanted, claimed, files.content);
                // Other files are said in a log that differs.
                let differences = content.or(log).into_iter();
                let damaged = files.damaged.into_iter();
                let damaged = damaged.map(|(path, damage)| Difference::File { path, damage });
                let differences = differences.chain(damaged).collect();
                self.tables.extend(version.map(|version| VerifiedTable {
                    dataset: dataset.clone(),
                    version,
                    files: files.files,
                    bytes: files.bytes,
                    without_digest: files.without_digest,
                }));
                differences
            }
        };
        for difference in differences {
            self.find(dataset, version, difference);
        }
    }

    fn find(&mut self, dataset: &DatasetName, version: Option<Version>, difference: Difference) {
        self.findings.push(Finding {
            dataset: dataset.clone(),
            version,
            difference,
        });
    }

    /// Whether the newest commit of every table is of a run that the ledger has. One that cannot be opened is looked at
    /// where its versions are.
    async fn look_for_unknown_runs(
        &mut self,
        lake: &Lake,
        graph: &ViewGraph,
        runs: &[RunRecord],
    ) -> Result<(), Error> {
        let mut unknown = Vec::new();
        for contract in graph.written() {
            let dataset = contract.name();
            let Ok(open) = open_table(&lake.location(dataset)?, None).await else {
                continue;
            };
            let keys = &open.commit().keys;
            // Who keeps a table up is no run.
            let is_upkeep = keys
                .get(commit_keys::MODE)
                .is_some_and(|it| it == "compact");
            let run = keys.get(commit_keys::RUN).filter(|_| !is_upkeep);
            let is_known =
                |run: &&String| has_run(runs, run) || is_published(runs, dataset, open.version());
            if let Some(run_id) = run.filter(|run| !is_known(run)) {
                unknown.push((dataset.clone(), open.version(), run_id.clone()));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        // A run may have begun since the ledger was read: whoever wrote a table was recorded before.
        let runs = RunLedger::of(lake).runs().await?;
        for (dataset, version, run_id) in unknown {
            if !has_run(&runs, &run_id) {
                self.find(&dataset, Some(version), Difference::UnknownRun { run_id });
            }
        }
        Ok(())
    }

    /// Whether a table of the records still has what it had when the run completed.
    async fn compare_records(&mut self, lake: &Lake, pin: &PinV1) -> Result<(), Error> {
        let Ok(pin) = TablePin::try_from(pin) else {
            return Ok(());
        };
        let published = Published::from(&pin);
        let location = lake.location(&pin.dataset)?;
        let open = open_table(&location, pin.version).await;
        let checked = open.and_then(|open| published.check(&open));
        let difference = match checked {
            // Looked for elsewhere.
            Ok(()) | Err(ossature_registry::Error::NoTable { .. }) => return Ok(()),
            Err(error) => Difference::Log {
                code: error.code(),
                reason: redact(&describe(&error)),
            },
        };
        self.find(&pin.dataset, Some(pin.version), difference);
        Ok(())
    }
}

/// What was published, what the commit claims and what the files of the log add up to are one content. The records of the
/// runs are published by nobody.
fn content_differs(
    published: Option<Fingerprint>,
    claimed: Option<Fingerprint>,
    added_up: Option<Fingerprint>,
) -> Option<Difference> {
    let wanted = published.or(claimed)?;
    let found = [claimed, added_up].into_iter().flatten();
    let other = found.clone().find(|found| *found != wanted);
    (other.is_some() || found.count() == 0).then_some(Difference::Content {
        wanted,
        found: other,
    })
}

/// Whether a run publishes a version, whoever wrote it: one that would have written the same wrote nothing.
fn is_published(runs: &[RunRecord], dataset: &DatasetName, version: Version) -> bool {
    let mut outputs = runs.iter().flat_map(|run| &run.manifest.outputs);
    outputs.any(|it| it.name == dataset.as_str() && it.version == version.number())
}

fn has_run(runs: &[RunRecord], run_id: &str) -> bool {
    runs.iter().any(|run| run.manifest.run_id == run_id)
}

/// The manifests of the runs that are asked for, the oldest first.
fn published(
    lake: &Lake,
    runs: &[RunRecord],
    wanted: &VerifiedRuns,
) -> Result<Vec<RunManifestV1>, Error> {
    let completed = runs.iter().map(|run| &run.manifest);
    let mut completed = completed.filter(|run| run.status == RunStatusV1::Completed);
    let found: Vec<RunManifestV1> = match wanted {
        VerifiedRuns::Newest => completed.next_back().into_iter().cloned().collect(),
        VerifiedRuns::All => completed.cloned().collect(),
        VerifiedRuns::One(wanted) => {
            let run = runs
                .iter()
                .map(|run| &run.manifest)
                .find(|run| run.run_id == *wanted);
            vec![check_published(lake, wanted, run)?.clone()]
        }
    };
    if found.is_empty() {
        return Err(Error::NothingPublished {
            lake: lake.to_string(),
        });
    }
    Ok(found)
}

/// The versions that runs publish, each once. Two runs publish other things under one number when the table was made anew
/// between them. A name that no dataset can have is none of ours.
fn versions(manifests: &[RunManifestV1]) -> Vec<(DatasetName, &OutputV1)> {
    let outputs = manifests.iter().flat_map(|run| &run.outputs);
    let named = outputs.filter_map(|output| {
        let dataset = DatasetName::try_new(&output.name).ok()?;
        Some((dataset, output))
    });
    let mut versions: Vec<_> = named.collect();
    let key = |(dataset, output): &(DatasetName, &OutputV1)| {
        let digests = [output.snapshot_hash, output.content_hash].map(DigestV1::fingerprint);
        (
            dataset.clone(),
            output.version,
            output.table_id.clone(),
            digests,
        )
    };
    versions.sort_by_cached_key(key);
    versions.dedup_by_key(|version| key(version));
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_content_is_published_claimed_and_added_up() {
        let [one, other] = [1, 2].map(|byte| Fingerprint::from_bytes([byte; 32]));
        let differs = |published, claimed, added_up| {
            content_differs(published, claimed, added_up).map(|difference| match difference {
                Difference::Content { wanted, found } => (wanted, found),
                other => panic!("{other}"),
            })
        };
        assert_eq!(differs(Some(one), Some(one), Some(one)), None);
        // Where the log does not tell the digest of every file, the commit speaks for them, and the other way round.
        assert_eq!(differs(Some(one), Some(one), None), None);
        assert_eq!(differs(Some(one), None, Some(one)), None);
        let found = Some((one, Some(other)));
        assert_eq!(differs(Some(one), Some(other), Some(one)), found);
        assert_eq!(differs(Some(one), Some(one), Some(other)), found);
        // A commit on top by somebody else.
        assert_eq!(differs(Some(one), None, None), Some((one, None)));
        // Records of runs.
        assert_eq!(differs(None, Some(one), Some(one)), None);
        assert_eq!(differs(None, Some(one), Some(other)), found);
        assert_eq!(differs(None, None, Some(one)), None);
    }
}
