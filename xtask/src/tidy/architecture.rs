//! `ARCHITECTURE.md` against the clone: its crates, the files that it points at, its layer table.

use std::collections::BTreeSet;

use super::{layers, markers};
use crate::problem::Problem;
use crate::repo::{Repo, has_extension};

/// The file.
pub(crate) const PATH: &str = "ARCHITECTURE.md";

/// The name of its generated part.
const TABLE: &str = "layers";

/// It has one section per crate and none for others, points at files that exist, and its table is fresh.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let Some(text) = repo.text(PATH) else {
        return vec![Problem::of(PATH, "the file is missing", "write it")];
    };
    let mut problems = check_sections(repo, text);
    let instead = "run `cargo xtask tidy --fix`";
    match fixed(repo) {
        None => {
            let (begin, end) = markers::lines(TABLE);
            let instead = format!("add the lines `{begin}` and `{end}`");
            problems.push(Problem::of(PATH, "the layer table has no markers", instead));
        }
        Some(fixed) if fixed != text => {
            problems.push(Problem::of(PATH, "the layer table is stale", instead));
        }
        Some(_) => {}
    }
    problems
}

/// The text with a fresh table. `None` when the file or the markers are missing.
pub(crate) fn fixed(repo: &Repo) -> Option<String> {
    markers::replace(repo.text(PATH)?, TABLE, &layers::render())
}

fn check_sections(repo: &Repo, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let crates: BTreeSet<&str> = repo.crates().collect();
    let mut described = BTreeSet::new();
    let mut section = None;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        if let Some(name) = section_name(line) {
            section = Some(name);
            described.insert(name);
            if !crates.contains(name) {
                let what = format!("describes crate `{name}`, which does not exist");
                problems.push(Problem::at(PATH, number, what, "delete the section"));
            }
        } else if line.starts_with('#') {
            section = None;
        }
        if let (Some(folder), Some((_, files))) = (section, line.split_once("Start at:")) {
            for file in backticked(files).filter(|file| has_extension(file, "rs")) {
                let path = format!("crates/{folder}/src/{file}");
                if repo.text(&path).is_none() {
                    let what = format!("points at {path}, which does not exist");
                    problems.push(Problem::at(PATH, number, what, "point at a file that does"));
                }
            }
        }
    }
    for missing in crates.difference(&described) {
        let instead = format!("add a section `### \\`{missing}\\``");
        problems.push(Problem::of(
            PATH,
            format!("does not describe crate `{missing}`"),
            instead,
        ));
    }
    problems
}

/// The crate of a heading such as ``### `registry` ``.
fn section_name(line: &str) -> Option<&str> {
    line.strip_prefix("### `")?.strip_suffix('`')
}

/// The words between backticks.
fn backticked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{check as check_repo, fixed};
    use crate::problem::render;
    use crate::repo::Repo;
    use crate::tidy::markers;

    const PAGE: &str = "### `udfs`\n\nStart at: `span.rs`.\n";

    fn repo(page: &str) -> Repo {
        let (begin, end) = markers::lines(super::TABLE);
        let page = format!("{page}{begin}\n{end}\n");
        let mut repo = Repo::of([
            ("ARCHITECTURE.md", page.as_str()),
            ("crates/udfs/Cargo.toml", ""),
            ("crates/udfs/src/span.rs", ""),
        ]);
        let page = fixed(&repo).expect("the markers are there");
        repo.files.insert("ARCHITECTURE.md".to_owned(), page);
        repo
    }

    #[track_caller]
    fn check(page: &str, want: &Expect) {
        want.assert_eq(&render(&check_repo(&repo(page))));
    }

    #[test]
    fn a_page_that_matches_is_silent() {
        check(PAGE, &expect![""]);
    }

    #[test]
    fn crates_and_sections_match() {
        check(
            "### `planner`\n",
            &expect![[r"
                ARCHITECTURE.md:1: describes crate `planner`, which does not exist - delete the section
                ARCHITECTURE.md:1: does not describe crate `udfs` - add a section `### \`udfs\``
            "]],
        );
    }

    #[test]
    fn files_that_are_pointed_at_exist() {
        check(
            "### `udfs`\n\nStart at: `gone.rs`, `span.rs`.\n",
            &expect![[r"
                ARCHITECTURE.md:3: points at crates/udfs/src/gone.rs, which does not exist - point at a file that does
            "]],
        );
    }

    #[test]
    fn a_stale_table_is_refused() {
        let mut repo = repo(PAGE);
        if let Some(page) = repo.files.get_mut("ARCHITECTURE.md") {
            *page = page.replace("| 0 | `schema-spec`", "| 0 | `spec`");
        }
        expect![[r"
            ARCHITECTURE.md:1: the layer table is stale - run `cargo xtask tidy --fix`
        "]]
        .assert_eq(&render(&check_repo(&repo)));
    }

    #[test]
    fn a_page_without_markers_and_no_page_are_refused() {
        let repo = Repo::of([("ARCHITECTURE.md", "")]);
        expect![[r"
            ARCHITECTURE.md:1: the layer table has no markers - add the lines `<!-- begin layers: written by `cargo xtask tidy --fix` -->` and `<!-- end layers -->`
        "]]
        .assert_eq(&render(&check_repo(&repo)));
        expect![[r"
            ARCHITECTURE.md:1: the file is missing - write it
        "]]
        .assert_eq(&render(&check_repo(&Repo::default())));
    }
}
