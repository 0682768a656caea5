//! Beginning anew when somebody else was faster.

use ossature_registry::Error as RegistryError;
use ossature_write_pipeline::Error as WriteError;

use crate::Error;

/// How often an append is begun. One of those who append at the same time always gets through.
const APPENDS_MAX: u32 = 16;

/// How often a table is opened that seems to be there and cannot be read.
const OPENINGS_MAX: u32 = 4;

/// The attempts that are left.
#[derive(Debug)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Those of an append, the first one included.
    pub(crate) fn at_appending() -> Self {
        Self(APPENDS_MAX)
    }

    /// Those of opening a table, the first one included.
    pub(crate) fn at_opening() -> Self {
        Self(OPENINGS_MAX)
    }

    /// Whether an append that failed like this is begun anew.
    pub(crate) fn allow_append(&mut self, error: &Error) -> bool {
        self.is_one_left() && error.is_retryable()
    }

    /// Whether a table that could not be opened, and to which nothing was written yet, is looked at again: somebody who
    /// creates it shows its folder before its first version.
    pub(crate) fn allow_opening(&mut self, error: &Error) -> bool {
        let is_half_there = matches!(
            error,
            Error::Registry(RegistryError::Delta { .. } | RegistryError::InvalidLog { .. })
                | Error::Write(
                    WriteError::Registry(
                        RegistryError::Delta { .. } | RegistryError::InvalidLog { .. }
                    ) | WriteError::Delta { .. }
                )
        );
        self.is_one_left() && is_half_there
    }

    fn is_one_left(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}
