//! A broken house rule: where it is, what it is, and what to do instead.

use std::fmt::{self, Write as _};

/// One broken rule. Shows as `path:line: what - what to do instead`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// The file, from the root of the clone, with `/`.
    pub(crate) path: String,
    /// The line, counted from 1; 1 when the whole file is meant.
    pub(crate) line: usize,
    /// What was found.
    pub(crate) what: String,
    /// What to do instead.
    pub(crate) instead: String,
}

impl Problem {
    /// A problem on one line.
    pub(crate) fn at(
        path: &str,
        line: usize,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
            instead: instead.into(),
        }
    }

    /// A problem of a whole file.
    pub(crate) fn of(path: &str, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self::at(path, 1, what, instead)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            what,
            instead,
        } = self;
        write!(f, "{path}:{line}: {what} - {instead}")
    }
}

/// One line per problem.
pub(crate) fn render(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{problem}");
    }
    text
}
