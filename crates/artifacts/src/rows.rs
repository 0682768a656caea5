//! The rows of the artifact tables that the artifacts of a run go to.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::stored::{Bytes, PayloadColumns, Stored, count};
use crate::{
    PlanArtifactV1, PlanInputV1, ScanAlignmentV1, SemanticFindingV1, ViewCacheV1, WriteArtifactV1,
};

#[derive(Serialize)]
pub(crate) struct PlanRow<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) fingerprint: String,
    pub(crate) encoding: &'a str,
    pub(crate) environment_hash: String,
    pub(crate) execution_hash: String,
    pub(crate) inputs: Vec<InputRow<'a>>,
    pub(crate) functions: Vec<FunctionRow<'a>>,
    pub(crate) plan_text: &'a str,
    pub(crate) plan: &'a Bytes,
    #[serde(flatten)]
    pub(crate) payload: &'a PayloadColumns,
}

#[derive(Serialize)]
pub(crate) struct InputRow<'a> {
    dataset: &'a str,
    version: i64,
    table_id: &'a str,
    content_hash: Option<String>,
    schema_hash: String,
}

impl<'a> InputRow<'a> {
    pub(crate) fn of(input: &'a PlanInputV1) -> Self {
        let PlanInputV1 {
            pin,
            schema_hash,
            columns: _,
        } = input;
        Self {
            dataset: &pin.dataset,
            version: count(pin.version),
            table_id: &pin.table_id,
            content_hash: pin.content_hash.map(|hash| hash.to_string()),
            schema_hash: schema_hash.to_string(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct FunctionRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LineageRow<'a> {
    run_id: &'a str,
    dataset: &'a str,
    column: &'a str,
    input: &'a str,
    input_column: &'a str,
    derivation: &'a str,
}

impl<'a> LineageRow<'a> {
    pub(crate) fn of(run_id: &'a str, plan: &'a PlanArtifactV1) -> impl Iterator<Item = Self> {
        plan.outputs.iter().flat_map(move |output| {
            output.origins.iter().flat_map(move |origin| {
                origin.derivations.iter().map(move |derivation| Self {
                    run_id,
                    dataset: &plan.dataset,
                    column: &output.name,
                    input: &origin.dataset,
                    input_column: &origin.column,
                    derivation,
                })
            })
        })
    }
}

#[derive(Serialize)]
pub(crate) struct WriteRow<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) version: i64,
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) files: i64,
    pub(crate) files_added: i64,
    pub(crate) files_removed: i64,
    pub(crate) files_restored: i64,
    pub(crate) content_hash: String,
    pub(crate) contract_hash: String,
    pub(crate) policy_hash: String,
    pub(crate) policy: &'a Bytes,
    #[serde(flatten)]
    pub(crate) payload: &'a PayloadColumns,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DecisionRow<'a> {
    run_id: &'a str,
    dataset: &'a str,
    version: i64,
    column: &'a str,
    is_indexed: bool,
    reason: Option<&'a str>,
    score: i64,
    roles: Vec<&'a str>,
    consumers: Vec<&'a str>,
}

impl<'a> DecisionRow<'a> {
    /// A column that was named twice is told once: with what it got, or else with the first reason. One that readers use and
    /// that was no candidate has no reason.
    pub(crate) fn of(run_id: &'a str, write: &'a WriteArtifactV1) -> Vec<Self> {
        let decision = &write.policy.statistics.value;
        let chosen = decision.columns.iter().map(|it| (it.as_str(), true, None));
        let dropped = decision.dropped.iter();
        let dropped = dropped.map(|it| (it.column.as_str(), false, Some(it.reason.as_str())));
        let used = decision
            .used
            .iter()
            .map(|it| (it.column.as_str(), false, None));
        let mut rows: Vec<Self> = Vec::new();
        for (column, is_indexed, reason) in chosen.chain(dropped).chain(used) {
            if rows.iter().any(|row| row.column == column) {
                continue;
            }
            let used = decision.used.iter().find(|it| it.column == column);
            let roles = used.into_iter().flat_map(|it| &it.roles);
            let consumers: BTreeSet<&str> = roles
                .clone()
                .flat_map(|(_, consumers)| consumers.iter().map(String::as_str))
                .collect();
            rows.push(Self {
                run_id,
                dataset: &write.dataset,
                version: count(write.version),
                column,
                is_indexed,
                reason,
                score: used.map_or(0, |it| i64::from(it.score)),
                roles: roles.map(|(role, _)| role.as_str()).collect(),
                consumers: consumers.into_iter().collect(),
            });
        }
        rows
    }
}

#[derive(Serialize)]
pub(crate) struct ProtocolRow<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) version: i64,
    pub(crate) is_compatible: bool,
    pub(crate) reader_version: i64,
    pub(crate) writer_version: i64,
    pub(crate) problems: &'a [String],
}

#[derive(Serialize)]
pub(crate) struct FailureRow<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) version: i64,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    pub(crate) orphans: i64,
    #[serde(flatten)]
    pub(crate) payload: &'a PayloadColumns,
}

#[derive(Serialize)]
pub(crate) struct ScanRow<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) version: i64,
    pub(crate) mode: &'a str,
    pub(crate) is_identity: bool,
    pub(crate) is_ordered_as_declared: bool,
    pub(crate) alignments: &'a [ScanAlignmentV1],
    pub(crate) files: Option<i64>,
    pub(crate) bytes: Option<i64>,
    pub(crate) rows: Option<i64>,
    #[serde(flatten)]
    pub(crate) payload: &'a PayloadColumns,
}

#[derive(Serialize)]
pub(crate) struct ValidationRow<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) columns: i64,
    pub(crate) is_valid: bool,
    pub(crate) findings: &'a [SemanticFindingV1],
    #[serde(flatten)]
    pub(crate) payload: &'a PayloadColumns,
}

#[derive(Serialize)]
pub(crate) struct CacheRow<'a> {
    run_id: &'a str,
    dataset: &'a str,
    status: &'static str,
    reason: &'a str,
    differs: &'a [String],
    key: Option<String>,
    compared_with: Option<&'a str>,
    version: Option<i64>,
    rows: Option<i64>,
    bytes: Option<i64>,
    #[serde(flatten)]
    payload: &'a PayloadColumns,
}

impl<'a> CacheRow<'a> {
    pub(crate) fn of(run_id: &'a str, stored: &'a Stored<ViewCacheV1>) -> Self {
        let ViewCacheV1 {
            dataset,
            status,
            reason,
            differs,
            key,
            compared_with,
            version,
            rows,
            bytes,
            inputs: _,
            readers: _,
        } = &stored.payload;
        Self {
            run_id,
            dataset,
            status: status.as_str(),
            reason,
            differs,
            key: key.map(|key| key.to_string()),
            compared_with: compared_with.as_deref(),
            version: version.map(count),
            rows: rows.map(count),
            bytes: bytes.map(count),
            payload: &stored.columns,
        }
    }
}
