//! The front page of a crate: `lib.rs` is a guided tour with a tested example and no logic.

use crate::problem::Problem;
use crate::repo::Repo;

/// Beginnings of lines that are not a tour: items at the outermost level.
const LOGIC: &[&str] = &[
    "fn ",
    "pub fn ",
    "async fn ",
    "pub async fn ",
    "impl",
    "struct ",
    "pub struct ",
    "enum ",
    "pub enum ",
    "trait ",
    "pub trait ",
];

/// Every library of `crates/` has a front page that says what it knows and shows it.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for folder in repo.crates() {
        let path = format!("crates/{folder}/src/lib.rs");
        match repo.text(&path) {
            Some(text) => problems.extend(check_page(&path, text)),
            None if repo.text(&format!("crates/{folder}/src/main.rs")).is_some() => {}
            None => problems.push(Problem::of(
                &path,
                "the crate has no front page",
                "write it",
            )),
        }
    }
    problems
}

fn check_page(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let page: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .collect();
    if !has_doctest(&page) {
        let instead = "add a short example in a ``` block that `cargo test` compiles and runs";
        problems.push(Problem::of(
            path,
            "the front page shows no tested example",
            instead,
        ));
    }
    // A sentence may go on in the next line.
    let prose: Vec<&str> = page
        .iter()
        .flat_map(|line| line.split_whitespace())
        .collect();
    let prose = prose.join(" ").to_lowercase();
    for phrase in ["Knows", "Does not know"] {
        if !prose.contains(&phrase.to_lowercase()) {
            let what = format!("the front page has no \"{phrase}\"");
            problems.push(Problem::of(
                path,
                what,
                "say what the crate knows and does not know",
            ));
        }
    }
    for (number, line) in text.lines().enumerate() {
        if LOGIC.iter().any(|beginning| line.starts_with(beginning)) {
            let instead = "move it to a module that is named after it";
            problems.push(Problem::at(
                path,
                number + 1,
                "the front page holds logic",
                instead,
            ));
        }
        if line.starts_with("pub use ") && line.ends_with("::*;") {
            let instead = "name what is exported, so that the page lists it";
            problems.push(Problem::at(path, number + 1, "a glob re-export", instead));
        }
    }
    problems
}

/// Whether a code block of the page is compiled and run.
fn has_doctest(page: &[&str]) -> bool {
    let mut is_open = false;
    for fence in page
        .iter()
        .filter_map(|line| line.trim_start().strip_prefix("```"))
    {
        if !is_open && matches!(fence.trim(), "" | "rust") {
            return true;
        }
        is_open = !is_open;
    }
    false
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_repo;
    use crate::problem::render;
    use crate::repo::Repo;

    #[track_caller]
    fn check(lib: &str, want: &Expect) {
        let repo = Repo::of([
            ("crates/udfs/Cargo.toml", ""),
            ("crates/udfs/src/lib.rs", lib),
        ]);
        want.assert_eq(&render(&check_repo(&repo)));
    }

    #[test]
    fn a_guided_tour_is_silent() {
        check(
            "//! Functions.\n//!\n//! Knows: a. Does not\n//! know: b.\n//!\n//! ```\n//! assert!(true);\n//! ```\nmod a;\npub use a::A;\n",
            &expect![""],
        );
    }

    #[test]
    fn a_drawing_is_no_example() {
        check(
            "//! Knows: a. Does not know: b.\n//!\n//! ```text\n//! a -> b\n//! ```\n",
            &expect![[r"
                crates/udfs/src/lib.rs:1: the front page shows no tested example - add a short example in a ``` block that `cargo test` compiles and runs
            "]],
        );
    }

    #[test]
    fn the_page_states_its_limits_and_holds_no_logic() {
        check(
            "//! ```\n//! ```\npub use a::*;\npub fn f() {}\n",
            &expect![[r#"
                crates/udfs/src/lib.rs:1: the front page has no "Knows" - say what the crate knows and does not know
                crates/udfs/src/lib.rs:1: the front page has no "Does not know" - say what the crate knows and does not know
                crates/udfs/src/lib.rs:3: a glob re-export - name what is exported, so that the page lists it
                crates/udfs/src/lib.rs:4: the front page holds logic - move it to a module that is named after it
            "#]],
        );
    }

    #[test]
    fn a_crate_without_a_page_is_refused() {
        let repo = Repo::of([("crates/udfs/Cargo.toml", "")]);
        expect![[r"
            crates/udfs/src/lib.rs:1: the crate has no front page - write it
        "]]
        .assert_eq(&render(&check_repo(&repo)));
    }
}
