//! The part of a table's log that a window of its change feed needs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::ScalarValue;
use deltalake_core::DeltaResult;
use deltalake_core::kernel::Snapshot;
use deltalake_core::kernel::transaction::TransactionError;
use deltalake_core::logstore::{CommitOrBytes, LogStore, LogStoreConfig, LogStoreRef};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStore;
use object_store::path::Path;
use ossature_delta_policy::{maps_columns, records_changes};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{Error, TableLocation};

/// Requests that are under way side by side.
pub(super) const REQUESTS_MAX: usize = 16;

/// Digits of a version in a file's name.
const VERSION_DIGITS: usize = 20;

/// Which commits and checkpoints a log has.
#[derive(Debug, Default)]
pub(super) struct Listing {
    commits: BTreeSet<u64>,
    checkpoints: BTreeSet<u64>,
}

impl Listing {
    /// Lists a log.
    pub(super) async fn read(log: &dyn LogStore) -> Result<Self, Error> {
        let store = log.object_store(None);
        let found = store.list_with_delimiter(Some(log.log_path())).await;
        let found = found.map_err(|error| Error::delta("listing a log")(error.into()))?;
        let names = found
            .objects
            .iter()
            .filter_map(|file| file.location.filename());
        Ok(Self::of_names(names))
    }

    fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut listing = Self::default();
        for name in names {
            let Some((digits, rest)) = name.split_at_checked(VERSION_DIGITS) else {
                continue;
            };
            let Ok(version) = digits.parse() else {
                continue;
            };
            if rest == ".json" {
                listing.commits.insert(version);
            } else if rest.starts_with(".checkpoint.") {
                listing.checkpoints.insert(version);
            }
        }
        listing
    }

    /// The first version of a range whose commit is not there.
    pub(super) fn first_missing(&self, from: u64, to: u64) -> Option<u64> {
        (from..=to).find(|version| !self.commits.contains(version))
    }

    /// The oldest version from which all commits up to `newest` are there.
    pub(super) fn oldest(&self, newest: u64) -> u64 {
        (0..=newest)
            .rev()
            .take_while(|version| self.commits.contains(version))
            .last()
            .unwrap_or(newest)
    }

    /// Whether the log still tells what the table was at a version: from a checkpoint on, or from the beginning.
    pub(super) fn tells_state(&self, version: u64) -> bool {
        match self.checkpoints.range(..=version).next_back() {
            Some(checkpoint) => self.first_missing(checkpoint + 1, version).is_none(),
            None => self.first_missing(0, version).is_none(),
        }
    }
}

/// What a table's metadata says that matters to a feed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Description {
    /// The table's id.
    pub(super) id: String,
    /// Whether changes are recorded.
    pub(super) records_changes: bool,
    /// Whether columns have other names in files.
    pub(super) maps_columns: bool,
    /// The partition columns, in their order.
    pub(super) partition_columns: Vec<String>,
    /// Type and nullability of every column, as the log spells them, without what is said about columns.
    pub(super) columns: BTreeMap<String, (Value, bool)>,
}

impl Description {
    /// What held at a version.
    pub(super) async fn at(log: &dyn LogStore, version: u64) -> Result<Self, Error> {
        let doing = "reading a table's metadata";
        let snapshot = Snapshot::try_new(log, Some(version)).await;
        let snapshot = snapshot.map_err(Error::delta(doing))?;
        let metadata = serde_json::to_value(snapshot.metadata());
        let metadata = metadata.map_err(|error| Error::delta(doing)(error.into()))?;
        Ok(Self::parse(&metadata))
    }

    pub(super) fn parse(metadata: &Value) -> Self {
        let properties: HashMap<String, String> = metadata["configuration"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        let schema: Value = metadata["schemaString"]
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let columns = schema["fields"].as_array().into_iter().flatten();
        let partition_columns = metadata["partitionColumns"].as_array();
        Self {
            id: metadata["id"].as_str().unwrap_or_default().to_owned(),
            records_changes: records_changes(&properties),
            maps_columns: maps_columns(&properties),
            partition_columns: partition_columns
                .into_iter()
                .flatten()
                .filter_map(|name| Some(name.as_str()?.to_owned()))
                .collect(),
            columns: columns
                .filter_map(|field| {
                    let name = field["name"].as_str()?.to_owned();
                    let nullable = field["nullable"].as_bool().unwrap_or(true);
                    Some((name, (without_metadata(&field["type"]), nullable)))
                })
                .collect(),
        }
    }
}

/// A type without what is said about its fields.
fn without_metadata(of: &Value) -> Value {
    match of {
        Value::Object(entries) => entries
            .iter()
            .filter(|(key, _)| *key != "metadata")
            .map(|(key, value)| (key.clone(), without_metadata(value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_metadata).collect(),
        plain => plain.clone(),
    }
}

/// What one commit says that matters to a feed.
#[derive(Debug, Clone)]
pub(super) struct FeedCommit {
    pub(super) version: u64,
    /// Milliseconds since 1970, as the commit says; 0 where it says none, as the runtime has it.
    pub(super) at_unix_ms: i64,
    /// The table's metadata, where the commit sets it.
    pub(super) description: Option<Description>,
    /// The actions whose files hold the changed rows.
    pub(super) actions: Vec<FileAction>,
}

/// An action that names a file with changed rows.
#[derive(Debug, Clone)]
pub(super) struct FileAction {
    /// The action as the runtime reads it, without statistics.
    action: Value,
    /// The path of the file, unescaped once.
    pub(super) path: String,
    /// The action's name in the log: `cdc`, `add` or `remove`.
    pub(super) kind: &'static str,
}

impl FileAction {
    /// Takes an action of a kind out of a line of the log, when it is one.
    fn take(kind: &'static str, line: &mut Value) -> Option<Self> {
        let action = line.get_mut(kind)?;
        let path = action["path"].as_str()?;
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        if let Some(entries) = action.as_object_mut() {
            entries.remove("stats");
            entries.remove("tags");
        }
        Some(Self {
            action: action.take(),
            path,
            kind,
        })
    }

    /// Where the store has the file, below the table's folder.
    pub(super) fn location(&self) -> Path {
        // A path that is made from text is escaped once more, and names another file.
        Path::parse(&self.path).unwrap_or_else(|_| Path::from(self.path.as_str()))
    }

    /// Whether rows of the file are left out.
    pub(super) fn has_deletion_vector(&self) -> bool {
        !self.action["deletionVector"].is_null()
    }

    /// Whether the action says how long the file is and which partition it belongs to.
    pub(super) fn is_complete(&self) -> bool {
        self.action["size"].is_u64() && self.action["partitionValues"].is_object()
    }

    /// Whether the value of a partition column is an empty text.
    pub(super) fn has_empty_partition(&self, column: &str) -> bool {
        self.action["partitionValues"][column] == ""
    }

    /// The values of the partition columns. An empty text stands for null, whatever the type.
    ///
    /// **Errors**: [`Error::Corrupt`] for a text that is no value of its column.
    pub(super) fn partition_values(
        &self,
        columns: &[FieldRef],
        location: &TableLocation,
    ) -> Result<Vec<ScalarValue>, Error> {
        let value = |field: &FieldRef| {
            let text = self.action["partitionValues"][field.name()].as_str();
            match text.filter(|text| !text.is_empty()) {
                None => ScalarValue::try_from(field.data_type()),
                Some(text) => ScalarValue::try_from_string(text.to_owned(), field.data_type()),
            }
        };
        let values = columns.iter().map(value).collect::<Result<_, _>>();
        values.map_err(|error| Error::Corrupt {
            what: "a partition value",
            location: location.to_string(),
            reason: error.to_string(),
        })
    }
}

impl FeedCommit {
    /// Reads a commit; nothing when it is no longer there.
    pub(super) async fn read(log: &dyn LogStore, version: u64) -> Result<Option<Self>, Error> {
        let commit = log.read_commit_entry(version).await;
        let commit = commit.map_err(Error::delta("reading a commit"))?;
        commit
            .map(|lines| Self::parse(log, version, &lines))
            .transpose()
    }

    fn parse(log: &dyn LogStore, version: u64, lines: &[u8]) -> Result<Self, Error> {
        let mut commit = Self {
            version,
            at_unix_ms: 0,
            description: None,
            actions: Vec::new(),
        };
        let mut changes = Vec::new();
        for line in serde_json::Deserializer::from_slice(lines).into_iter::<Value>() {
            let mut line = line.map_err(|error| Error::Corrupt {
                what: "a commit",
                location: log.root_url().path().to_owned(),
                reason: format!("v{version}: {error}"),
            })?;
            if let Some(time) = time_of(&line["commitInfo"]) {
                commit.at_unix_ms = time;
            }
            if line["metaData"].is_object() {
                commit.description = Some(Description::parse(&line["metaData"]));
            }
            for kind in ["add", "remove"] {
                if line[kind]["dataChange"] != false {
                    changes.extend(FileAction::take(kind, &mut line));
                }
            }
            commit.actions.extend(FileAction::take("cdc", &mut line));
        }
        // Where changes are recorded, added and removed files hold rows that did not change as well.
        if commit.actions.is_empty() {
            commit.actions = changes;
        }
        Ok(commit)
    }

    /// Whether it removes rows, or changes them.
    pub(super) fn removes_rows(&self) -> bool {
        self.actions.iter().any(|file| file.kind != "add")
    }

    /// The commit as the runtime is to read it: its time, and the files with changed rows.
    fn render(&self) -> Result<Bytes, serde_json::Error> {
        let mut lines = json!({"commitInfo": {"timestamp": self.at_unix_ms}}).to_string();
        for file in &self.actions {
            let mut line = Map::new();
            line.insert(file.kind.to_owned(), file.action.clone());
            // Writing to a text cannot fail.
            let _ = write!(lines, "\n{}", serde_json::to_string(&line)?);
        }
        Ok(lines.into())
    }
}

/// The time of a commit, the one that readers compare where there are two.
fn time_of(info: &Value) -> Option<i64> {
    let time = |key: &str| info[key].as_i64();
    time("inCommitTimestamp").or_else(|| time("timestamp"))
}

/// Reads commits in order, up to the first that is no longer there.
pub(super) async fn read_commits(
    log: &LogStoreRef,
    versions: impl Iterator<Item = u64>,
) -> Result<Vec<FeedCommit>, Error> {
    let reads = versions.map(|version| {
        let log = Arc::clone(log);
        async move { FeedCommit::read(log.as_ref(), version).await }
    });
    stream::iter(reads)
        .buffered(REQUESTS_MAX)
        .try_take_while(|commit| futures::future::ready(Ok(commit.is_some())))
        .try_filter_map(|commit| futures::future::ready(Ok(commit)))
        .try_collect()
        .await
}

/// A log that ends with a window, and whose commits are those that were there when the window was opened.
///
/// The runtime reads the log whenever a feed is scanned, up to what is newest then. Through this one it sees the same
/// commits each time, whatever is committed, cleaned up or made anew in between.
pub(super) struct PinnedLog {
    inner: LogStoreRef,
    commits: BTreeMap<u64, Bytes>,
}

impl PinnedLog {
    /// Keeps what is needed of the commits. Without any, there is one that says nothing: the runtime wants a newest one.
    pub(super) fn try_new(inner: LogStoreRef, commits: &[FeedCommit]) -> Result<Self, Error> {
        let mut kept = BTreeMap::from([(commits.first().map_or(0, |it| it.version), Bytes::new())]);
        for commit in commits {
            let lines = commit.render();
            let lines = lines.map_err(|error| Error::delta("keeping a commit")(error.into()))?;
            kept.insert(commit.version, lines);
        }
        Ok(Self {
            inner,
            commits: kept,
        })
    }

    fn refuse() -> TransactionError {
        TransactionError::LogStoreError {
            msg: "nothing is written through a change feed".to_owned(),
            source: "the log is pinned".into(),
        }
    }
}

#[async_trait]
impl LogStore for PinnedLog {
    fn name(&self) -> String {
        "PinnedLog".to_owned()
    }

    async fn read_commit_entry(&self, version: u64) -> DeltaResult<Option<Bytes>> {
        Ok(self.commits.get(&version).cloned())
    }

    async fn write_commit_entry(
        &self,
        _version: u64,
        _commit: CommitOrBytes,
        _operation: Uuid,
    ) -> Result<(), TransactionError> {
        Err(Self::refuse())
    }

    async fn abort_commit_entry(
        &self,
        _version: u64,
        _commit: CommitOrBytes,
        _operation: Uuid,
    ) -> Result<(), TransactionError> {
        Err(Self::refuse())
    }

    async fn get_latest_version(&self, start: u64) -> DeltaResult<u64> {
        Ok(self.commits.keys().next_back().copied().unwrap_or(start))
    }

    fn object_store(&self, operation: Option<Uuid>) -> Arc<dyn ObjectStore> {
        self.inner.object_store(operation)
    }

    fn root_object_store(&self, operation: Option<Uuid>) -> Arc<dyn ObjectStore> {
        self.inner.root_object_store(operation)
    }

    fn config(&self) -> &LogStoreConfig {
        self.inner.config()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_changes_is_named_by_its_action() {
        let mut line = json!({"add": {"path": "k=a%2520b/%C3%A9", "stats": "{}", "size": 1}});
        assert!(FileAction::take("remove", &mut line).is_none());
        let file = FileAction::take("add", &mut line).unwrap();
        assert_eq!(file.path, "k=a%20b/é");
        assert_eq!(file.action["stats"], Value::Null);
        assert!(!file.is_complete());
        // A line may be anything.
        for mut line in [json!(5), json!("add"), json!([1]), json!({"add": 5})] {
            assert!(FileAction::take("add", &mut line).is_none());
        }
    }

    fn listing(commits: impl IntoIterator<Item = u64>, checkpoints: &[u64]) -> Listing {
        Listing {
            commits: commits.into_iter().collect(),
            checkpoints: checkpoints.iter().copied().collect(),
        }
    }

    #[test]
    fn a_listing_is_of_commits_and_checkpoints() {
        let names = [
            "00000000000000000003.json",
            "00000000000000000003.checkpoint.parquet",
            "00000000000000000004.00000000000000000009.compacted.json",
            "00000000000000000005.crc",
            "_last_checkpoint",
            "é",
        ];
        let found = Listing::of_names(names.into_iter());
        assert_eq!(found.commits, BTreeSet::from([3]));
        assert_eq!(found.checkpoints, BTreeSet::from([3]));
    }

    #[test]
    fn a_state_is_told_from_a_checkpoint_or_from_the_beginning_on() {
        let whole = listing(0..=5, &[]);
        assert!(whole.tells_state(0) && whole.tells_state(5));
        let cleaned = listing(3..=9, &[6]);
        assert!(!cleaned.tells_state(5));
        assert!(cleaned.tells_state(6) && cleaned.tells_state(9));
        assert_eq!(cleaned.oldest(9), 3);
        assert_eq!(cleaned.first_missing(2, 9), Some(2));
        let torn = listing([0, 1, 2, 7, 8], &[6]);
        assert!(torn.tells_state(6) && !torn.tells_state(5));
        assert_eq!(torn.oldest(8), 7);
    }
}
