//! Generated parts of hand-written files: the text between two marker lines.

/// Replaces what stands between the marker lines of `part`. `None` when the markers are missing.
pub(crate) fn replace(text: &str, part: &str, generated: &str) -> Option<String> {
    let (begin, end) = lines(part);
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{generated}\n{end}{after}"))
}

/// The two marker lines.
pub(crate) fn lines(part: &str) -> (String, String) {
    (
        format!("<!-- begin {part}: written by `cargo xtask tidy --fix` -->"),
        format!("<!-- end {part} -->"),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{lines, replace};

    #[test]
    fn only_the_marked_part_changes() {
        let (begin, end) = lines("list");
        let text = format!("a\n{begin}\nold\n{end}\nb\n");
        let got = replace(&text, "list", "new").expect("the markers are there");
        expect![[r"
            a
            <!-- begin list: written by `cargo xtask tidy --fix` -->
            new
            <!-- end list -->
            b
        "]]
        .assert_eq(&got);
        assert_eq!(replace(&got, "list", "new").as_deref(), Some(got.as_str()));
    }

    #[test]
    fn missing_markers_are_found() {
        assert_eq!(replace("text", "list", "new"), None);
    }
}
