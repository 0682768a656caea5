//! Names of datasets and columns, checked once, when they are made.

use std::fmt;

use crate::Error;

/// The name of a dataset: `stage.table`, for example `extract.nodes`.
///
/// The stage is the folder of the lake and the SQL schema; the table is the folder below it and the SQL table.
///
/// ```
/// use ossature_schema_spec::DatasetName;
/// let name = DatasetName::try_new("extract.nodes")?;
/// assert_eq!((name.stage(), name.table()), ("extract", "nodes"));
/// assert!(DatasetName::try_new("../nodes").is_err());
/// # Ok::<(), ossature_schema_spec::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetName {
    text: String,
    dot: usize,
}

impl DatasetName {
    /// Parses `stage.table`; both parts match `[a-z][a-z0-9_]*` and have at most 64 characters.
    ///
    /// **Errors**: [`Error::InvalidDatasetName`].
    pub fn try_new(text: &str) -> Result<Self, Error> {
        let refuse = || Error::InvalidDatasetName {
            found: text.to_owned(),
        };
        let (stage, table) = text.split_once('.').ok_or_else(refuse)?;
        if is_lower_identifier(stage) && is_lower_identifier(table) {
            Ok(Self {
                text: text.to_owned(),
                dot: stage.len(),
            })
        } else {
            Err(refuse())
        }
    }

    /// The part before the dot.
    pub fn stage(&self) -> &str {
        self.text.get(..self.dot).unwrap_or_default()
    }

    /// The part after the dot.
    pub fn table(&self) -> &str {
        self.text.get(self.dot + 1..).unwrap_or_default()
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// The name of a column that every reader of Delta tables accepts.
///
/// Letters, digits and `_`, not starting with a digit, at most 128 characters, and none of the names that the change
/// data feed adds. Engines differ on everything else: Spark refuses ` ,;{}()\n\t=`, SQL folds case, DataFusion
/// reads a dot as a qualifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnName(String);

/// Names that a change data feed adds to every row.
const CHANGE_FEED_COLUMNS: [&str; 3] = ["_change_type", "_commit_version", "_commit_timestamp"];

impl ColumnName {
    /// Checks and takes a name.
    ///
    /// **Errors**: [`Error::InvalidColumnName`], which says what rule is broken.
    pub fn try_new(text: &str) -> Result<Self, Error> {
        let refuse = |reason| {
            Err(Error::InvalidColumnName {
                found: text.to_owned(),
                reason,
            })
        };
        let mut chars = text.chars();
        match chars.next() {
            None => return refuse("it is empty"),
            Some(first) if !(first.is_ascii_alphabetic() || first == '_') => {
                return refuse("it must start with a letter or `_`");
            }
            Some(_) => {}
        }
        if !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return refuse("only letters, digits and `_` are read by every engine");
        }
        if text.len() > 128 {
            return refuse("it is longer than 128 characters");
        }
        if CHANGE_FEED_COLUMNS.contains(&text.to_ascii_lowercase().as_str()) {
            return refuse("the change data feed adds a column of that name");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn is_lower_identifier(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(names: &[&str], want: &Expect) {
        let verdicts: Vec<String> = names
            .iter()
            .map(|name| match ColumnName::try_new(name) {
                Ok(column) => format!("{column}: ok"),
                Err(error) => error.to_string(),
            })
            .collect();
        want.assert_eq(&verdicts.join("\n"));
    }

    #[test]
    fn column_names_that_some_reader_refuses_are_refused_here() {
        check(
            &[
                "node_id",
                "_x",
                "1st",
                "a b",
                "a.b",
                "",
                "é",
                "_Commit_Version",
            ],
            &expect![[r"
                node_id: ok
                _x: ok
                column name `1st` is refused: it must start with a letter or `_`
                column name `a b` is refused: only letters, digits and `_` are read by every engine
                column name `a.b` is refused: only letters, digits and `_` are read by every engine
                column name `` is refused: it is empty
                column name `é` is refused: it must start with a letter or `_`
                column name `_Commit_Version` is refused: the change data feed adds a column of that name"]],
        );
    }

    #[test]
    fn dataset_names_cannot_leave_their_folder() {
        for name in [
            "nodes", "a.b.c", "../x.y", "A.b", "a.", ".b", "a.b/c", "a b.c",
        ] {
            assert!(DatasetName::try_new(name).is_err(), "{name}");
        }
    }
}
