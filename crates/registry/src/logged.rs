//! What the log says of the files of a version: how large they are, and of which columns it keeps bounds.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{Error, OpenTable};

/// A file of a version, as the log tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedFile {
    /// Its path below the table's folder, as stores spell it.
    pub path: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// The columns of which the log keeps the smallest and the largest value, by their names in files.
    pub bounded: BTreeSet<String>,
}

impl OpenTable {
    /// The files of the version, ordered by path.
    ///
    /// **Errors**: [`Error::Corrupt`] when statistics cannot be read.
    pub fn logged_files(&self) -> Result<Vec<LoggedFile>, Error> {
        let mut files = Vec::new();
        for view in self.snapshot()?.log_data().iter() {
            let statistics: Value = match view.stats() {
                Some(text) => serde_json::from_str(&text).map_err(|error| Error::Corrupt {
                    what: "the statistics",
                    location: self.location().to_string(),
                    reason: error.to_string(),
                })?,
                None => Value::Null,
            };
            let of = |bounds: &str| -> BTreeSet<String> {
                let values = statistics.get(bounds).and_then(Value::as_object);
                let values = values.into_iter().flatten();
                let known = values.filter(|(_, value)| !value.is_null());
                known.map(|(column, _)| column.clone()).collect()
            };
            files.push(LoggedFile {
                path: view.object_store_path().to_string(),
                bytes: u64::try_from(view.size()).map_err(|_| Error::Corrupt {
                    what: "the length of a file",
                    location: self.location().to_string(),
                    reason: format!("it has {} bytes", view.size()),
                })?,
                bounded: &of("minValues") & &of("maxValues"),
            });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}
