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

/// At most that many characters of the text.
pub(super) fn truncate(text: Cow<'_, str>, characters_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters_max) {
        None => text,
        Some((end, _)) => match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
            Cow::Owned(mut text) => {
                text.truncate(end);
                Cow::Owned(text)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{fold, truncate};

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
    fn text_is_cut_between_characters() {
        assert_eq!(truncate("äöü".into(), 2), "äö");
        assert_eq!(truncate("äö".into(), 2), "äö");
    }
}
