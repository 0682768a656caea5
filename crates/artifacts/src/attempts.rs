//! Beginning anew when somebody else was faster.

use crate::Error;

/// How often an append is begun anew. One of those who append at the same time always gets through.
const ATTEMPTS_MAX: u32 = 16;

/// The attempts that are left.
#[derive(Debug)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// All of them, the first one included.
    pub(crate) fn new() -> Self {
        Self(ATTEMPTS_MAX)
    }

    /// Whether work that failed like this is begun anew.
    pub(crate) fn allow(&mut self, error: &Error) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0 && error.is_retryable()
    }
}
