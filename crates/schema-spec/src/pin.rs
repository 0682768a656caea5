//! Pins: which version of which table a dataset is read at.

use std::fmt;

use crate::{DatasetName, Fingerprint};

/// A version of a Delta table, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// Takes a version number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// What stands for the rows of a pinned table in a plan's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PinIdentity {
    /// The digest of the rows, which the writer recorded in the commit: equal rows are equal in every lake.
    Content(Fingerprint),
    /// The table and its version, for tables that somebody else wrote.
    TableVersion,
}

/// A dataset, read at one version of one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TablePin {
    /// The dataset.
    pub dataset: DatasetName,
    /// The id in the table's metadata; a table that was dropped and made anew has another one.
    pub table_id: String,
    /// The version.
    pub version: Version,
    /// A digest of what the log says of the version; no plan's fingerprint depends on it.
    pub snapshot: Fingerprint,
    /// What stands for the rows.
    pub identity: PinIdentity,
}

impl fmt::Display for TablePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.dataset, self.version)
    }
}
