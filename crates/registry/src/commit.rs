//! What our writer says in the commits that it makes, and what a reader may believe of it.

use std::collections::BTreeMap;

use ossature_schema_spec::{ColumnName, Fingerprint, SortKey};
use serde_json::Value;

/// Every key that the writer adds to a commit begins with this; callers cannot set such keys.
pub const COMMIT_KEY_PREFIX: &str = "ossature.";

/// The keys that the writer adds to a commit.
pub mod commit_keys {
    /// The version of the writer's rules for bytes and names.
    pub const WRITER: &str = "ossature.writer";
    /// The digest of the version's files.
    pub const CONTENT_HASH: &str = "ossature.contentHash";
    /// The order that holds inside and across the files, as a list of columns, ` desc` behind the descending ones.
    pub const ORDER: &str = "ossature.order";
    /// What became of the rows that the table held: `overwrite`, `append` and so on.
    pub const MODE: &str = "ossature.mode";
    /// The fingerprint of the plan that computed the rows.
    pub const PLAN: &str = "ossature.plan";
    /// The digest of the dataset's contract.
    pub const CONTRACT: &str = "ossature.contract";
    /// The digest of the resolved policy.
    pub const POLICY: &str = "ossature.policy";
    /// The attempt that made the commit: no two commits have the same.
    pub const ATTEMPT: &str = "ossature.attempt";
    /// The run that made the commit.
    pub const RUN: &str = "ossature.run";
}

/// An order that was proven when the files were written, and that no later commit has put in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderingClaim(Vec<SortKey>);

impl OrderingClaim {
    /// The order.
    pub fn keys(&self) -> &[SortKey] {
        &self.0
    }

    /// The text form in the commit: `["a","b desc"]`.
    pub fn render(order: &[SortKey]) -> Value {
        order
            .iter()
            .map(|key| Value::String(key.to_string()))
            .collect()
    }

    fn parse(value: &Value) -> Option<Self> {
        let keys: Option<Vec<SortKey>> = value
            .as_array()?
            .iter()
            .map(|key| {
                let text = key.as_str()?;
                let (name, descending) = match text.strip_suffix(" desc") {
                    Some(name) => (name, true),
                    None => (text, false),
                };
                Some(SortKey {
                    column: ColumnName::try_new(name).ok()?,
                    descending,
                })
            })
            .collect();
        keys.filter(|keys| !keys.is_empty()).map(Self)
    }
}

/// What the commit of one version says.
///
/// Only the commit of exactly the pinned version counts: a commit that somebody else made on top says nothing, and
/// so withdraws what was claimed before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitFacts {
    /// Whether our writer made it.
    pub ours: bool,
    /// The digest of the version's files.
    pub content: Option<Fingerprint>,
    /// The proven order.
    pub order: Option<OrderingClaim>,
    /// Every key of ours, as text.
    pub keys: BTreeMap<String, String>,
}

impl CommitFacts {
    /// Reads the JSON lines of a commit file.
    pub fn parse(lines: &[u8]) -> Self {
        let info = lines
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .find_map(|action| action.get("commitInfo").cloned());
        let Some(Value::Object(info)) = info else {
            return Self::default();
        };
        let fingerprint = |key| info.get(key)?.as_str().and_then(Fingerprint::from_hex);
        Self {
            ours: info.contains_key(commit_keys::WRITER),
            content: fingerprint(commit_keys::CONTENT_HASH),
            order: info.get(commit_keys::ORDER).and_then(OrderingClaim::parse),
            keys: info
                .iter()
                .filter(|(key, _)| key.starts_with(COMMIT_KEY_PREFIX))
                .map(|(key, value)| {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    (key.clone(), text)
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_of_somebody_else_claims_nothing() {
        let facts = CommitFacts::parse(br#"{"commitInfo":{"operation":"WRITE"}}"#);
        assert_eq!(facts, CommitFacts::default());
        assert_eq!(CommitFacts::parse(b"not json\n"), CommitFacts::default());
    }

    #[test]
    fn claims_are_read_back_as_they_were_written() {
        let order = [("a", false), ("b", true)].map(|(name, descending)| SortKey {
            column: ColumnName::try_new(name).unwrap(),
            descending,
        });
        let content = Fingerprint::from_bytes([7; 32]);
        let info = serde_json::json!({"commitInfo": {
            commit_keys::WRITER: "1",
            commit_keys::CONTENT_HASH: content.to_hex(),
            commit_keys::ORDER: OrderingClaim::render(&order),
        }});
        let facts = CommitFacts::parse(info.to_string().as_bytes());
        assert!(facts.ours);
        assert_eq!(facts.content, Some(content));
        assert_eq!(facts.order.unwrap().keys(), order);
    }
}
