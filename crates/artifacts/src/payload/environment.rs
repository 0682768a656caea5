//! What planned the queries of a run, and how they were carried out.

use std::collections::BTreeMap;

use ossature_lineage::Environment;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DigestV1;

/// What plans, as far as plans depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentV1 {
    /// A digest of all of it.
    pub hash: DigestV1,
    /// The versions of the engines and of this program's parts, by name.
    pub versions: BTreeMap<String, String>,
    /// The settings that decide about plans; null for those that have no value.
    pub settings: BTreeMap<String, Option<String>>,
    /// The rules that complete a plan, in their order.
    pub analyzer_rules: Vec<String>,
    /// The rules that rewrite it, in their order.
    pub optimizer_rules: Vec<String>,
    /// The rules that rewrite its physical form, in their order.
    pub physical_rules: Vec<String>,
}

impl From<&Environment> for EnvironmentV1 {
    fn from(environment: &Environment) -> Self {
        // The type is open to new fields, so `..` has to stand here.
        let Environment {
            versions,
            settings,
            analyzer_rules,
            optimizer_rules,
            physical_rules,
            ..
        } = environment.clone();
        Self {
            hash: DigestV1::from(environment.hash()),
            versions,
            settings,
            analyzer_rules,
            optimizer_rules,
            physical_rules,
        }
    }
}
