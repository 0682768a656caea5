//! Rust sources: how a file opens, what it may be called, and how a lint or a test may be switched off.

use crate::problem::Problem;
use crate::repo::Repo;

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &["helpers", "utils", "util", "common", "misc"];

/// Attributes that hide a failure, and what to write instead.
const REFUSED_ATTRIBUTES: &[(&str, &str)] = &[
    ("ignore", "run the test, or delete it"),
    ("should_panic", "return the error and compare it"),
    (
        "allow(",
        "write `#[expect(lint, reason = \"...\")]`, which fails when it is no longer needed",
    ),
];

/// Every file opens with what it owns, has a telling name, and hides no failure.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let files = repo.rust_files();
    files
        .flat_map(|(path, text)| check_file(path, text))
        .collect()
}

fn check_file(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let opens = text
        .strip_prefix("//! ")
        .is_some_and(|rest| !rest.trim_start().is_empty());
    if !opens {
        let instead = "open with a `//!` line that says what the file owns";
        problems.push(Problem::of(
            path,
            "the file does not say what it is",
            instead,
        ));
    }
    if let Some(name) = empty_name(path) {
        let what = format!("the name `{name}` holds anything");
        problems.push(Problem::of(path, what, "name the file after what it holds"));
    }
    for (number, line) in text.lines().enumerate() {
        for (attribute, instead) in REFUSED_ATTRIBUTES {
            if has_attribute(line, attribute) {
                let what = format!("`#[{attribute}`");
                problems.push(Problem::at(path, number + 1, what, *instead));
            }
        }
    }
    problems
}

/// The first part of the path that is one of [`EMPTY_NAMES`].
fn empty_name(path: &str) -> Option<&str> {
    let parts = path.trim_end_matches(".rs").split('/');
    parts.into_iter().find(|part| EMPTY_NAMES.contains(part))
}

/// Whether the line begins with attributes of which one begins like this. Text inside a literal does not count.
fn has_attribute(line: &str, beginning: &str) -> bool {
    let mut rest = line.trim_start();
    while let Some(attribute) = rest.strip_prefix("#![").or_else(|| rest.strip_prefix("#[")) {
        let inner = match attribute.strip_prefix("cfg_attr(") {
            Some(conditional) => conditional.split_once(',').map_or("", |(_, inner)| inner),
            None => attribute,
        };
        if inner.trim_start().starts_with(beginning) {
            return true;
        }
        rest = attribute
            .split_once(']')
            .map_or("", |(_, rest)| rest.trim_start());
    }
    false
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check_file;
    use crate::problem::render;

    #[track_caller]
    fn check(path: &str, text: &str, want: &Expect) {
        want.assert_eq(&render(&check_file(path, text)));
    }

    #[test]
    fn a_tidy_file_is_silent() {
        check(
            "crates/udfs/src/span.rs",
            "//! Spans.\n#[expect(dead_code, reason = \"soon\")]\nfn f() { g(\"#[allow(x)]\") }\n",
            &expect![""],
        );
    }

    #[test]
    fn a_file_says_what_it_is() {
        check(
            "src/a.rs",
            "use std::fmt;\n",
            &expect![[r"
                src/a.rs:1: the file does not say what it is - open with a `//!` line that says what the file owns
            "]],
        );
        check(
            "src/a.rs",
            "//! \n",
            &expect![[r"
                src/a.rs:1: the file does not say what it is - open with a `//!` line that says what the file owns
            "]],
        );
    }

    #[test]
    fn a_name_says_what_it_holds() {
        check(
            "crates/udfs/src/helpers.rs",
            "//! Things.\n",
            &expect![[r"
                crates/udfs/src/helpers.rs:1: the name `helpers` holds anything - name the file after what it holds
            "]],
        );
        check(
            "tests/it/common/mod.rs",
            "//! Things.\n",
            &expect![[r"
                tests/it/common/mod.rs:1: the name `common` holds anything - name the file after what it holds
            "]],
        );
    }

    #[test]
    fn no_attribute_hides_a_failure() {
        check(
            "src/a.rs",
            "//! A.\n    #[test] #[ignore = \"slow\"]\n#[should_panic]\n#![allow(unused)]\n#[cfg_attr(test, allow(x))]\n",
            &expect![[r#"
                src/a.rs:2: `#[ignore` - run the test, or delete it
                src/a.rs:3: `#[should_panic` - return the error and compare it
                src/a.rs:4: `#[allow(` - write `#[expect(lint, reason = "...")]`, which fails when it is no longer needed
                src/a.rs:5: `#[allow(` - write `#[expect(lint, reason = "...")]`, which fails when it is no longer needed
            "#]],
        );
    }
}
