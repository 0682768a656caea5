//! Who asked for a write, and for what.

use std::collections::BTreeMap;

use ossature_schema_spec::Fingerprint;
use serde_json::Value;

/// What becomes of the rows that a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteMode {
    /// The written rows take their place.
    Overwrite,
    /// They stay, and the written rows are added.
    Append,
}

/// Identifies a write across retries: the number grows from run to run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransactionId {
    /// The pipeline and the dataset.
    pub application: String,
    /// The number of the run.
    pub number: i64,
}

/// Who asked for a write, and for what. It goes into the commit, and changes no byte of any file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The run.
    pub run_id: String,
    /// When the run began: milliseconds since 1970-01-01 00:00:00 UTC. The writer reads no clock.
    pub at_unix_ms: i64,
    /// The fingerprint of the plan that computed the rows, where a plan did.
    pub plan: Option<Fingerprint>,
    /// The transaction, where the caller wants a later run's rows to stand.
    pub transaction: Option<TransactionId>,
    /// More keys for the commit; none may begin with `ossature.`.
    pub metadata: BTreeMap<String, Value>,
}
