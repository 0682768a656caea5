//! Whether a view's query returns what the view declares.

use ossature_schema_spec::Change;
use ossature_view_graph::ViewValidation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DigestV1, Payload};

/// What the query of a view returns, held against the view's contract when it was planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticValidationV1 {
    /// The view, as `stage.table`.
    pub dataset: String,
    /// A digest of the contract.
    pub contract_hash: DigestV1,
    /// Columns that the contract declares.
    pub columns: u64,
    /// Whether nothing was found that the writer does not settle.
    pub is_valid: bool,
    /// What is not as it is declared: what is refused first, then what the writer settles.
    pub findings: Vec<SemanticFindingV1>,
}

/// One difference between a contract and what a query returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticFindingV1 {
    /// The column.
    pub column: String,
    /// The kind: `missing`, `extra`, `type`, `nullability`, `meaning` or `position`.
    pub code: String,
    /// The difference in words.
    pub message: String,
    /// Whether it is refused.
    pub is_refused: bool,
}

impl SemanticFindingV1 {
    fn of(change: &Change, is_refused: bool) -> Self {
        Self {
            column: change.column().to_string(),
            code: change.code().to_owned(),
            message: change.to_string(),
            is_refused,
        }
    }
}

impl Payload for SemanticValidationV1 {
    const KIND: &'static str = "semantic_validation";
    const VERSION: u32 = 1;
}

impl From<&ViewValidation> for SemanticValidationV1 {
    fn from(validation: &ViewValidation) -> Self {
        // The type is open to new fields, so `..` has to stand here.
        let ViewValidation {
            view,
            contract,
            columns,
            accepted,
            refused,
            ..
        } = validation;
        let refused = refused.iter().map(|it| SemanticFindingV1::of(it, true));
        let accepted = accepted.iter().map(|it| SemanticFindingV1::of(it, false));
        Self {
            dataset: view.to_string(),
            contract_hash: DigestV1::from(*contract),
            columns: *columns as u64,
            is_valid: validation.is_valid(),
            findings: refused.chain(accepted).collect(),
        }
    }
}
