//! What differs between two runs, field by field: why one fingerprint became another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use ossature_artifacts::{
    DigestV1, EnvironmentV1, OutputV1, Payload, PlanArtifactV1, PlanInputV1, PolicyArtifactV1,
    RunManifestV1, StoredArtifacts, artifact_id, field_texts,
};
use ossature_registry::Lake;

use crate::Error;
use crate::published::find;

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// What was asked for, and over which rows: options, contracts, policies, plans and their inputs. A fingerprint differs where a
    /// field of its plan does.
    Identity,
    /// What planned it.
    Environment,
    /// How it was carried out; no row depends on it.
    Execution,
    /// What came of it.
    Outcome,
}

impl DifferenceKind {
    /// The name, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Environment => "environment",
            Self::Execution => "execution",
            Self::Outcome => "outcome",
        }
    }
}

impl Display for DifferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One field that has two values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct FieldDifference {
    /// What it is about.
    pub kind: DifferenceKind,
    /// The dataset; `None` for the run as a whole.
    pub dataset: Option<String>,
    /// The field, like `inputs.extract.nodes.content_hash`.
    pub field: String,
    /// Its value in the one run; `None` where it has none.
    pub one: Option<String>,
    /// Its value in the other.
    pub other: Option<String>,
}

/// What differs between two published runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunDifference {
    /// The one run.
    pub one: String,
    /// The other.
    pub other: String,
    /// Every field that has two values, ordered by kind, dataset and field. When something ran and what it was called is no
    /// difference.
    pub fields: Vec<FieldDifference>,
}

/// Compares two published runs of a lake.
///
/// **Errors**: [`Error::NoSuchRun`], [`Error::Records`]; [`Error::Unrecorded`] and [`Error::OtherRecord`] where the plans or the
/// writes of a run are missing or are not those that its manifest names.
pub async fn explain_difference(
    lake: &Lake,
    one: &str,
    other: &str,
) -> Result<RunDifference, Error> {
    let side = async |run_id: &str| -> Result<Side, Error> {
        let manifest = find(lake, Some(run_id)).await?;
        let artifacts = StoredArtifacts::of(lake, &manifest.run_id).await?;
        Side::of(&manifest, &artifacts)
    };
    let (left, right) = (side(one).await?, side(other).await?);
    let keys: BTreeSet<&Key> = left.0.keys().chain(right.0.keys()).collect();
    let fields = keys.into_iter().filter_map(|key| {
        let (one, other) = (left.0.get(key), right.0.get(key));
        let (kind, dataset, field) = key;
        (one != other).then(|| {
            let (one, other) = shown(one, other);
            FieldDifference {
                kind: *kind,
                dataset: dataset.clone(),
                field: field.clone(),
                one,
                other,
            }
        })
    });
    Ok(RunDifference {
        one: one.to_owned(),
        other: other.to_owned(),
        fields: fields.collect(),
    })
}

/// Of long texts only the first lines that differ are shown.
fn shown(one: Option<&String>, other: Option<&String>) -> (Option<String>, Option<String>) {
    if let (Some(one), Some(other)) = (one, other)
        && (one.contains('\n') || other.contains('\n'))
    {
        let (mut lines, mut others) = (one.lines(), other.lines());
        loop {
            let (line, other) = (lines.next(), others.next());
            if line != other || line.is_none() {
                let told = |line: Option<&str>| line.map(|line| line.trim().to_owned());
                return (told(line), told(other));
            }
        }
    }
    (one.cloned(), other.cloned())
}

/// What a field is about, its dataset, its name.
type Key = (DifferenceKind, Option<String>, String);

/// Every field of one run.
#[derive(Default)]
struct Side(BTreeMap<Key, String>);

impl Side {
    fn of(manifest: &RunManifestV1, artifacts: &StoredArtifacts) -> Result<Self, Error> {
        let mut side = Self::default();
        side.run(manifest);
        if let Some(environment) = &manifest.environment {
            side.environment(environment);
        }
        for output in &manifest.outputs {
            side.output(output);
            let name = &output.name;
            let writes = artifacts.writes.iter();
            let written = writes.filter(|write| write.dataset == *name);
            let write = recorded(written, name, "write", output.write_artifact_id)?;
            side.policy(&write.policy)?;
            let Some(id) = output.plan_artifact_id else {
                continue;
            };
            let planned = artifacts.plans.iter().filter(|plan| plan.dataset == *name);
            side.plan(recorded(planned, name, "plan", id)?);
        }
        Ok(side)
    }

    fn add(
        &mut self,
        kind: DifferenceKind,
        dataset: Option<&str>,
        field: impl Into<String>,
        value: impl Display,
    ) {
        let key = (kind, dataset.map(str::to_owned), field.into());
        self.0.insert(key, value.to_string());
    }

    fn run(&mut self, manifest: &RunManifestV1) {
        use DifferenceKind::{Environment, Execution, Identity};
        let options = &manifest.options;
        self.add(
            Identity,
            None,
            "options.python_version",
            &options.python_version,
        );
        self.add(
            Identity,
            None,
            "options.max_file_bytes",
            options.max_file_bytes,
        );
        self.add(Environment, None, "code_version", &manifest.code_version);
        let execution = &manifest.execution;
        self.add(Execution, None, "execution.threads", execution.threads);
        self.add(
            Execution,
            None,
            "execution.memory_bytes_max",
            execution.memory_bytes_max,
        );
        self.add(
            Execution,
            None,
            "execution.batch_rows",
            execution.batch_rows,
        );
        for (name, value) in &manifest.execution_settings {
            let value = value.as_deref().unwrap_or("no value");
            self.add(Execution, None, format!("settings.{name}"), value);
        }
    }

    fn environment(&mut self, environment: &EnvironmentV1) {
        let EnvironmentV1 {
            hash: _,
            versions,
            settings,
            analyzer_rules,
            optimizer_rules,
            physical_rules,
        } = environment;
        let kind = DifferenceKind::Environment;
        for (name, version) in versions {
            self.add(kind, None, format!("versions.{name}"), version);
        }
        for (name, value) in settings {
            let value = value.as_deref().unwrap_or("no value");
            self.add(kind, None, format!("settings.{name}"), value);
        }
        for (name, rules) in [
            ("analyzer_rules", analyzer_rules),
            ("optimizer_rules", optimizer_rules),
            ("physical_rules", physical_rules),
        ] {
            self.add(kind, None, name, rules.join("\n"));
        }
    }

    fn output(&mut self, output: &OutputV1) {
        use DifferenceKind::{Identity, Outcome};
        let dataset = Some(output.name.as_str());
        self.add(Identity, dataset, "contract_hash", output.contract_hash);
        self.add(Identity, dataset, "policy_hash", output.policy_hash);
        self.add(Outcome, dataset, "content_hash", output.content_hash);
        self.add(Outcome, dataset, "rows", output.rows);
    }

    /// Every value, and who decided it.
    fn policy(&mut self, policy: &PolicyArtifactV1) -> Result<(), Error> {
        for (field, text) in field_texts(policy)? {
            if !matches!(field.as_str(), "dataset" | "policy_hash") {
                let field = format!("policy.{field}");
                self.add(DifferenceKind::Identity, Some(&policy.dataset), field, text);
            }
        }
        Ok(())
    }

    fn plan(&mut self, plan: &PlanArtifactV1) {
        let kind = DifferenceKind::Identity;
        let dataset = Some(plan.dataset.as_str());
        self.add(kind, dataset, "plan.fingerprint", plan.fingerprint);
        self.add(kind, dataset, "plan.encoding", &plan.encoding);
        self.add(kind, dataset, "plan.bytes", plan.plan_hash);
        self.add(kind, dataset, "plan.text", &plan.text);
        for PlanInputV1 {
            pin, schema_hash, ..
        } in &plan.inputs
        {
            let field = |name| format!("inputs.{}.{name}", pin.dataset);
            self.add(kind, dataset, field("schema_hash"), schema_hash);
            // As it enters the fingerprint.
            if let Some(content) = pin.content_hash {
                self.add(kind, dataset, field("content_hash"), content);
            } else {
                self.add(kind, dataset, field("table_id"), &pin.table_id);
                self.add(kind, dataset, field("version"), pin.version);
            }
        }
        for (name, version) in &plan.functions {
            self.add(kind, dataset, format!("functions.{name}"), version);
        }
    }
}

/// The record of a dataset that the manifest names by its id.
fn recorded<'a, P: Payload + 'a>(
    records: impl Iterator<Item = &'a P>,
    dataset: &str,
    what: &'static str,
    wanted: DigestV1,
) -> Result<&'a P, Error> {
    let mut is_recorded = false;
    for record in records {
        is_recorded = true;
        if DigestV1::from(artifact_id(record)?) == wanted {
            return Ok(record);
        }
    }
    let dataset = dataset.to_owned();
    Err(if is_recorded {
        Error::OtherRecord { dataset }
    } else {
        Error::Unrecorded { dataset, what }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_texts_the_first_lines_that_differ_are_shown() {
        let text = |text: &str| text.to_owned();
        let (one, other) = (
            text("Sort\n  Filter: a > 1\n    Scan"),
            text("Sort\n  Filter: a > 2"),
        );
        assert_eq!(
            shown(Some(&one), Some(&other)),
            (Some(text("Filter: a > 1")), Some(text("Filter: a > 2")))
        );
        let longer = text("Sort\n  Filter: a > 2\n    Scan");
        assert_eq!(
            shown(Some(&other), Some(&longer)),
            (None, Some(text("Scan")))
        );
        assert_eq!(shown(None, Some(&text("7"))), (None, Some(text("7"))));
    }
}
