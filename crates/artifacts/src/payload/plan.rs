//! What a plan reads, how, and what identifies it.

use std::collections::BTreeMap;

use ossature_lineage::{CanonicalPlan, ColumnOrigin, InputFacts, OutputColumn, PlanBundle, Role};
use ossature_schema_spec::{CanonicalHasher, DatasetName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, Payload, PinV1};

/// An optimized plan, its inputs and its identity. The encoded plan itself lies beside the payload, in the artifact table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanArtifactV1 {
    /// The dataset whose rows the plan computes, as `stage.table`.
    pub dataset: String,
    /// What is computed, over which rows.
    pub fingerprint: DigestV1,
    /// The engine that planned: versions, planning settings, optimizer rules. Not part of the fingerprint.
    pub environment_hash: DigestV1,
    /// How the engine carried the plan out: partitions, batches, memory. Part of no identity.
    pub execution_hash: DigestV1,
    /// How the plan is written down: `substrait`, `datafusion_proto` or `text`.
    pub encoding: String,
    /// Why the preferred encoding was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_reason: Option<String>,
    /// Length of the encoded plan, in bytes.
    pub plan_bytes: u64,
    /// A digest of the encoded plan.
    pub plan_hash: DigestV1,
    /// The datasets that are read, ordered by name.
    pub inputs: Vec<PlanInputV1>,
    /// The columns of the result, in their order, with where they come from.
    pub outputs: Vec<PlanOutputV1>,
    /// The functions of ours that are called, with the version of each.
    pub functions: BTreeMap<String, String>,
    /// Every function that is called, ordered by name.
    pub calls: Vec<String>,
    /// The optimized plan, for people: one line per node, indented.
    pub text: String,
}

/// One input of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanInputV1 {
    /// The version that is read.
    pub pin: PinV1,
    /// A digest of the names, types and meanings of the input's columns.
    pub schema_hash: DigestV1,
    /// The columns that are used, ordered by name.
    pub columns: Vec<PlanColumnV1>,
}

/// One column of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanColumnV1 {
    /// The column.
    pub name: String,
    /// What it is used for, in this order: `read`, `projected`, `filter_eq`, `filter_range`, `filter`, `join_key`, `join`,
    /// `group_key`, `sort_key`, `window`.
    pub roles: Vec<String>,
}

/// One column of a plan's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanOutputV1 {
    /// The column.
    pub name: String,
    /// The columns of inputs that it comes from, ordered by name; none for constants.
    pub origins: Vec<ColumnOriginV1>,
}

/// A column of an input that a column of a result comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnOriginV1 {
    /// The input, as `stage.table`.
    pub dataset: String,
    /// The column.
    pub column: String,
    /// How, in this order: `identity`, `cast`, `transformation`, `aggregation`, `conditional`, `window`.
    pub derivations: Vec<String>,
}

impl From<&OutputColumn> for PlanOutputV1 {
    fn from(output: &OutputColumn) -> Self {
        let origins = output.origins.iter().map(|(origin, derivations)| {
            let ColumnOrigin { input, column } = origin.clone();
            let derivations = derivations.iter().map(ToString::to_string).collect();
            ColumnOriginV1 {
                dataset: input,
                column,
                derivations,
            }
        });
        Self {
            name: output.name.clone(),
            origins: origins.collect(),
        }
    }
}

impl Payload for PlanArtifactV1 {
    const KIND: &'static str = "plan_artifact";
    const VERSION: u32 = 1;
}

impl PlanArtifactV1 {
    /// The artifact of the plan that computes `dataset`.
    pub fn of(dataset: &DatasetName, bundle: &PlanBundle) -> Self {
        let canonical = bundle.canonical();
        let input = |facts: &InputFacts| {
            let InputFacts { pin, schema } = facts;
            let columns = bundle.facts().columns(pin.dataset.as_str());
            PlanInputV1 {
                pin: PinV1::from(pin),
                schema_hash: DigestV1::from(*schema),
                columns: columns
                    .map(|(name, roles)| PlanColumnV1 {
                        name: name.to_owned(),
                        roles: roles
                            .iter()
                            .copied()
                            .map(Role::as_str)
                            .map(str::to_owned)
                            .collect(),
                    })
                    .collect(),
            }
        };
        Self {
            dataset: dataset.to_string(),
            fingerprint: DigestV1::from(bundle.fingerprint()),
            environment_hash: DigestV1::from(bundle.environment()),
            execution_hash: DigestV1::from(bundle.execution()),
            encoding: canonical.encoding().as_str().to_owned(),
            fallback_reason: canonical.fallback_reason().map(str::to_owned),
            plan_bytes: canonical.bytes().len() as u64,
            plan_hash: plan_hash(canonical),
            inputs: bundle.inputs().iter().map(input).collect(),
            outputs: bundle
                .facts()
                .outputs()
                .iter()
                .map(PlanOutputV1::from)
                .collect(),
            functions: bundle.functions().clone(),
            calls: bundle.facts().functions().iter().cloned().collect(),
            text: bundle.text().to_owned(),
        }
    }
}

/// A digest of an encoded plan.
pub(crate) fn plan_hash(plan: &CanonicalPlan) -> DigestV1 {
    let mut hasher = CanonicalHasher::new("ossature.plan_bytes.v1");
    hasher.bytes(plan.bytes());
    DigestV1::from(hasher.finish())
}
