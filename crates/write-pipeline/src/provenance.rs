//! Who asked for a write, and for what.

use std::collections::BTreeMap;
use std::fmt;

use ossature_schema_spec::Fingerprint;
use serde_json::Value;

use crate::KeyRange;

/// What becomes of the rows that a table holds.
///
/// Except for an append, the files of a table are those of its rows, whatever led to them: a replacement, a merge and a
/// compaction leave the bytes that an overwrite with the same rows would leave, and rewrite only files that differ. Files
/// that stay keep their names, and the columns and the layout that they were written with; so after columns were added, or
/// a policy changed, an overwrite would leave others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteMode {
    /// The written rows take their place.
    Overwrite,
    /// They stay, and the written rows are added, in files of their own.
    Append,
    /// There are none: the table must not exist, but for what a creation left behind whose rows never came.
    ErrorIfExists,
    /// The written rows take the place of those in the ranges, and lie in them. Without rows the ranges are emptied.
    Replace(Vec<KeyRange>),
    /// The written rows take the place of those with the same key, and the others stay. The key has to lead the order.
    Merge,
    /// No rows are written; those that are there go into the files that an overwrite would have put them into.
    Compact,
}

impl WriteMode {
    /// The name in commits and artifacts.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Overwrite => "overwrite",
            Self::Append => "append",
            Self::ErrorIfExists => "error_if_exists",
            Self::Replace(_) => "replace",
            Self::Merge => "merge",
            Self::Compact => "compact",
        }
    }
}

impl fmt::Display for WriteMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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
    /// When the run began: milliseconds since 1970-01-01 00:00:00 UTC. No row and no file depends on a clock.
    pub at_unix_ms: i64,
    /// The fingerprint of the plan that computed the rows, where a plan did.
    pub plan: Option<Fingerprint>,
    /// The transaction, where the caller wants a write to happen once, and a later run's rows to stand.
    pub transaction: Option<TransactionId>,
    /// More keys for the commit; none may begin with `ossature.`.
    pub metadata: BTreeMap<String, Value>,
}
