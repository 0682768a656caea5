//! What is wrong with a file: complaints of the parser, or the reason why there is no tree.

use ruff_python_ast::ModModule;
use ruff_python_parser::Parsed;
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::Reason;

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// `error` or `warning`.
    pub severity: &'static str,
    pub code: &'static str,
    pub message: String,
    pub range: TextRange,
}

impl Diagnostic {
    /// The reason why a file was skipped.
    pub(crate) fn skipped(reason: Reason) -> Self {
        Self {
            severity: "error",
            code: reason.as_str(),
            message: reason.message().to_owned(),
            range: TextRange::default(),
        }
    }

    /// The complaints of the parser, in source order.
    ///
    /// Syntax that a newer Python has is a warning, since the tree holds it in full.
    pub(crate) fn of(parsed: &Parsed<ModModule>, end: TextSize) -> Vec<Self> {
        let errors = parsed.errors().iter().map(|error| Self {
            severity: "error",
            code: Reason::SyntaxError.as_str(),
            message: error.error.to_string(),
            range: within(error.range(), end),
        });
        let newer = parsed.unsupported_syntax_errors().iter().map(|error| Self {
            severity: "warning",
            code: "unsupported_syntax",
            message: error.to_string(),
            range: within(error.range(), end),
        });
        let mut found: Vec<Self> = errors.chain(newer).collect();
        found.sort_by_key(|diagnostic| (diagnostic.range.start(), diagnostic.range.end()));
        found
    }
}

/// The part of a range that is inside the text; an error at the end of a file may point behind it.
fn within(range: TextRange, end: TextSize) -> TextRange {
    TextRange::new(range.start().min(end), range.end().min(end))
}
