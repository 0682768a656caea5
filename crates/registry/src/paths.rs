//! The paths of a table's files, as its log spells them.
//!
//! A path in a log is a URI, and one file can be spelled in several ways: with or without the scheme `file`, with
//! letters beyond ASCII escaped or not. Spark brings paths into one form before it compares them. The runtime compares
//! them as they stand, so that a file that was added under one spelling and removed under another stays in the table,
//! and rows that were deleted come back.

use std::collections::{BTreeMap, BTreeSet};

use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use datafusion::arrow::array::Array as _;
use datafusion::arrow::util::display::array_value_to_string;
use deltalake_core::DeltaTable;
use deltalake_core::kernel::Snapshot;
use futures::TryStreamExt;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{Error, TableLocation};

/// A file, and the deletion vector that it was added or removed with.
type FileKey = (String, Option<String>);

/// Refuses a table with a live file that its log removed under another spelling.
///
/// Only files whose paths can be spelled in several ways are looked at, and the log only when it removes one of them.
///
/// **Errors**: [`Error::AmbiguousPath`], [`Error::Delta`].
pub(crate) async fn check_spellings(
    location: &TableLocation,
    table: &DeltaTable,
) -> Result<(), Error> {
    let snapshot = table.snapshot().map_err(Error::delta("reading paths"))?;
    let mut doubtful: BTreeMap<FileKey, String> = snapshot
        .log_data()
        .iter()
        .filter(|file| has_spellings(&file.path()))
        .map(|file| {
            let vector = file.deletion_vector_descriptor();
            let vector = vector.map(|vector| vector.path_or_inline_dv);
            (
                (one_spelling(&file.path()), vector),
                file.path().into_owned(),
            )
        })
        .collect();
    if doubtful.is_empty() {
        return Ok(());
    }
    let removed: BTreeSet<String> = snapshot
        .all_tombstones(table.log_store().as_ref())
        .try_fold(BTreeSet::new(), |mut removed, file| async move {
            removed.insert(one_spelling(&file.path()));
            Ok(removed)
        })
        .await
        .map_err(Error::delta("reading the removed files"))?;
    doubtful.retain(|(path, _), _| removed.contains(path));
    // The last word on a file decides, and versions are read from the newest on.
    for version in (0..=snapshot.version()).rev() {
        if doubtful.is_empty() {
            return Ok(());
        }
        let commit = table.log_store().read_commit_entry(version).await;
        let Some(commit) = commit.map_err(Error::delta("reading a commit"))? else {
            break;
        };
        for (key, is_removed) in last_words(&commit) {
            let Some(path) = doubtful.remove(&key) else {
                continue;
            };
            if is_removed {
                return Err(ambiguous(location, path));
            }
        }
    }
    // What is left was settled in a checkpoint, which says of a file without a vector that it was removed only if it
    // is no longer there.
    match doubtful
        .into_iter()
        .find(|((_, vector), _)| vector.is_none())
    {
        Some((_, path)) => Err(ambiguous(location, path)),
        None => Ok(()),
    }
}

/// Refuses a table of which the runtime could not remove a file, because it spells the path in another way than the log
/// does.
///
/// **Errors**: [`Error::Unremovable`], [`Error::Delta`].
pub(crate) async fn check_removable(
    location: &TableLocation,
    table: &DeltaTable,
) -> Result<(), Error> {
    let snapshot = table.snapshot().map_err(Error::delta("reading paths"))?;
    let mut doubtful = BTreeMap::new();
    for file in snapshot.log_data().iter() {
        let path = file.path();
        if !is_own(&path) {
            let action = serde_json::to_value(file.remove_action(true));
            let action = action.map_err(|error| Error::delta("spelling a path")(error.into()))?;
            let spelled = action["path"].as_str().unwrap_or_default();
            doubtful.insert(spelled.to_owned(), path.into_owned());
        }
    }
    if doubtful.is_empty() {
        return Ok(());
    }
    for path in paths_in_log(table).await? {
        doubtful.remove(&path);
    }
    match doubtful.into_values().next() {
        Some(path) => Err(Error::Unremovable {
            location: location.to_string(),
            path,
        }),
        None => Ok(()),
    }
}

/// The paths of the live files, letter for letter.
pub(crate) async fn paths_in_log(table: &DeltaTable) -> Result<Vec<String>, Error> {
    let version = table.version();
    let log_store = table.log_store();
    let failed = || Error::delta("reading paths");
    let snapshot = Snapshot::try_new(log_store.as_ref(), version).await;
    let scan = snapshot.and_then(|snapshot| snapshot.into_scan_builder().build());
    let scan = scan.map_err(failed())?;
    let mut found = scan.scan_metadata(log_store.engine(None));
    let mut paths = Vec::new();
    while let Some(files) = found.try_next().await.map_err(failed())? {
        let (data, selected) = files.scan_files.into_parts();
        let data = ArrowEngineData::try_from_engine_data(data);
        let data = data.map_err(|error| failed()(error.into()))?;
        let Some(column) = data.record_batch().column_by_name("path") else {
            continue;
        };
        for row in 0..column.len() {
            // What is not said to be left out is there.
            if selected.get(row).copied().unwrap_or(true) {
                let path = array_value_to_string(column, row);
                paths.push(path.map_err(|error| failed()(error.into()))?);
            }
        }
    }
    Ok(paths)
}

fn ambiguous(location: &TableLocation, path: String) -> Error {
    Error::AmbiguousPath {
        location: location.to_string(),
        path,
    }
}

/// The files that a commit adds or removes, with whether it removes them. Adding counts where it does both.
fn last_words(commit: &[u8]) -> BTreeMap<FileKey, bool> {
    let mut words = BTreeMap::new();
    for line in commit.split(|byte| *byte == b'\n') {
        let Ok(action) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        for (name, is_removed) in [("remove", true), ("add", false)] {
            let Some(path) = action[name]["path"].as_str() else {
                continue;
            };
            let path = percent_decode_str(path).decode_utf8_lossy();
            let vector = action[name]["deletionVector"]["pathOrInlineDv"].as_str();
            let key = (one_spelling(&path), vector.map(str::to_owned));
            let word = words.entry(key).or_insert(is_removed);
            *word &= is_removed;
        }
    }
    words
}

/// Whether a path has the form that our writer gives to files: `part-`, and 32 digits of a digest.
pub(crate) fn is_own(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let digits = name.strip_prefix("part-").and_then(|name| name.get(..32));
    !path.starts_with('/')
        && !path.contains(':')
        && digits.is_some_and(|digits| {
            let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            digits.bytes().all(is_digit)
        })
}

/// Whether writers spell an unescaped path in different ways.
fn has_spellings(path: &str) -> bool {
    path.starts_with('/')
        || path.contains(':')
        || path
            .bytes()
            .any(|byte| !byte.is_ascii_alphanumeric() && !b"-_.~!'()=/@&+$,;".contains(&byte))
}

/// The unescaped path in the form in which paths are compared: a local file has no scheme and no host.
fn one_spelling(path: &str) -> String {
    match path.strip_prefix("file:") {
        Some(rest) => format!("/{}", rest.trim_start_matches('/')),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_file_are_one() {
        for path in ["/a/b", "file:/a/b", "file:///a/b"] {
            assert!(has_spellings(path));
            assert_eq!(one_spelling(path), "/a/b");
        }
        for path in ["k=é/b", "k=*/b", "a b", "s3://bucket/a"] {
            assert!(has_spellings(path), "{path}");
            assert_eq!(one_spelling(path), path);
        }
        assert!(!has_spellings("k=1/part-00000-a.c000.snappy.parquet"));
    }

    #[test]
    fn files_of_others_are_told_from_ours() {
        for ours in [
            "part-0123456789abcdef0123456789abcdef.parquet",
            "part-0123456789abcdef0123456789abcdef-2_2.parquet",
            "family=a/part-0123456789abcdef0123456789abcdef.parquet",
        ] {
            assert!(is_own(ours), "{ours}");
        }
        for theirs in [
            "part-00000-2abbde89-2d0f-465e-a2f0-3e84f1b84654-c000.snappy.parquet",
            "part-00000-2abbde89-2d0f-465e-a2f0-3e84f1b84654-c000.snappy.parquet",
            "/a/part-0123456789abcdef0123456789abcdef.parquet",
            "s3://a/part-0123456789abcdef0123456789abcdef.parquet",
            "a.parquet",
        ] {
            assert!(!is_own(theirs), "{theirs}");
        }
    }

    #[test]
    fn the_last_word_of_a_commit_is_that_a_file_is_there() {
        let commit = concat!(
            r#"{"add":{"path":"k=%C3%A9/a"}}"#,
            "\n",
            r#"{"remove":{"path":"k=é/a"}}"#,
            "\n",
            r#"{"remove":{"path":"file:/b","deletionVector":{"pathOrInlineDv":"v"}}}"#,
        );
        let want = [
            (("/b".to_owned(), Some("v".to_owned())), true),
            (("k=é/a".to_owned(), None), false),
        ];
        assert_eq!(last_words(commit.as_bytes()), want.into());
    }
}
