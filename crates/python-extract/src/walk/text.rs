//! Source text as it is shown in columns.

use std::borrow::Cow;

use ruff_text_size::TextRange;

use super::Walk;

impl<'a> Walk<'a> {
    /// The source of a range.
    pub(super) fn slice(&self, range: TextRange) -> &'a str {
        self.file
            .text
            .get(range.start().to_usize()..range.end().to_usize())
            .unwrap_or_default()
    }

    /// The source of a range on one line.
    pub(super) fn folded(&self, range: TextRange) -> Cow<'a, str> {
        fold(self.slice(range))
    }
}

/// Bytes that may be spent on texts which repeat what encloses them: nesting makes their sum quadratic.
///
/// A file of the largest length with a definition in every other line needs less than a quarter of it.
const REPEATED_BYTES_MAX: usize = 128 << 20;

/// What is left of [`REPEATED_BYTES_MAX`].
#[derive(Debug)]
pub(super) struct Budget(Option<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Some(REPEATED_BYTES_MAX))
    }
}

impl Budget {
    /// Spends some bytes, and says whether they were left; once they were not, nothing is left.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        self.0 = self.0.and_then(|left| left.checked_sub(bytes));
        self.0.is_some()
    }

    /// Whether more was asked for than there was.
    pub(super) fn is_exhausted(&self) -> bool {
        self.0.is_none()
    }
}

/// The text with every run of white space as one space.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    let is_plain = |pair: &[u8]| {
        !pair[0].is_ascii_whitespace() || (pair[0] == b' ' && !pair[1].is_ascii_whitespace())
    };
    let bytes = text.as_bytes();
    if bytes.windows(2).all(is_plain) && !bytes.last().is_some_and(u8::is_ascii_whitespace) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

/// The first so many characters of a folded text. What follows is not looked at, so that the callees of a long chain
/// of calls, each of which begins with all those before it, cost no more than their beginnings.
pub(super) fn fold_head(text: &str, characters_max: usize) -> Cow<'_, str> {
    let is_short = text.len() <= characters_max;
    if is_short {
        return fold(text);
    }
    let mut head = String::new();
    let mut characters = 0;
    for word in text.split_ascii_whitespace() {
        let separator = if head.is_empty() { "" } else { " " };
        for character in separator.chars().chain(word.chars()) {
            if characters == characters_max {
                return Cow::Owned(head);
            }
            head.push(character);
            characters += 1;
        }
    }
    Cow::Owned(head)
}

#[cfg(test)]
mod tests {
    use super::{Budget, REPEATED_BYTES_MAX, fold, fold_head};

    #[test]
    fn white_space_is_folded() {
        for (text, want) in [
            ("a.b", "a.b"),
            ("a . b", "a . b"),
            ("a\n  .b ", "a .b"),
            ("", ""),
            ("a  b", "a b"),
        ] {
            assert_eq!(fold(text), want);
        }
    }

    #[test]
    fn heads_are_cut_between_characters() {
        for (text, want) in [
            ("äöü", "äö"),
            ("äö", "äö"),
            ("a  bcd", "a "),
            ("abcdef", "ab"),
        ] {
            assert_eq!(fold_head(text, 2), want);
        }
    }

    #[test]
    fn what_was_refused_once_stays_refused() {
        let mut budget = Budget::default();
        assert!(budget.spend(REPEATED_BYTES_MAX) && !budget.is_exhausted());
        assert!(!budget.spend(1) && budget.is_exhausted());
        assert!(!budget.spend(0));
    }
}
