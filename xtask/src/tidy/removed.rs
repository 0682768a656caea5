//! What was removed for good, and must not come back: rows that bypass Delta, JSON in columns, payloads without a contract.

use crate::problem::Problem;
use crate::repo::Repo;

/// Words that stand for something removed.
struct Removed {
    /// A part of a line.
    words: &'static [&'static str],
    /// Where the words are refused: beginnings of paths.
    below: &'static [&'static str],
    /// Where they stay: paths.
    stays_in: &'static [&'static str],
    /// What is wrong with it, and what to do.
    instead: &'static str,
}

const REMOVED: &[Removed] = &[
    Removed {
        words: &[
            "register_batch(",
            "read_batch(",
            "read_batches(",
            "MemTable",
        ],
        below: &["crates/"],
        stays_in: &[],
        instead: "rows that outlive a query are a Delta table: write them, and open the version",
    },
    Removed {
        words: &[
            "register_csv(",
            "register_json(",
            "register_parquet(",
            "ListingTable",
        ],
        below: &["crates/"],
        stays_in: &[],
        instead: "persisted rows are opened through the registry, at a pinned version",
    },
    Removed {
        words: &["_json\""],
        below: &[
            "crates/artifacts/src/",
            "crates/cpg-views/src/",
            "crates/python-extract/src/",
        ],
        // The code of an error: text that is no JSON.
        stays_in: &["crates/artifacts/src/rejection.rs"],
        instead: "no column holds JSON: give it structured columns, or MsgPack for machines",
    },
    Removed {
        words: &[
            "serde_json::to_string",
            "serde_json::to_vec",
            "rmp_serde::to_",
        ],
        below: &["crates/artifacts/src/", "crates/pipeline/src/"],
        stays_in: &["crates/artifacts/src/canonical.rs"],
        instead: "payloads have one encoding: `canonical_json` and `canonical_msgpack`",
    },
];

/// No library says what was removed. Tests may, behind `#[cfg(test)]` and in files of their own.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in repo.rust_files() {
        if is_test(path) {
            continue;
        }
        let library = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in library.lines().enumerate() {
            // What is said about it is no use of it.
            if line.trim_start().starts_with("//") {
                continue;
            }
            for removed in REMOVED.iter().filter(|it| it.covers(path)) {
                for word in removed.words.iter().filter(|word| line.contains(**word)) {
                    let what = format!("`{}` was removed", word.trim_end_matches('('));
                    problems.push(Problem::at(path, number + 1, what, removed.instead));
                }
            }
        }
    }
    problems
}

fn is_test(path: &str) -> bool {
    let mut folders = path.split('/');
    folders.any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
}

impl Removed {
    fn covers(&self, path: &str) -> bool {
        self.below.iter().any(|below| path.starts_with(below)) && !self.stays_in.contains(&path)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_removed;
    use crate::problem::render;
    use crate::repo::Repo;

    #[track_caller]
    fn check(path: &str, text: &str, want: &Expect) {
        want.assert_eq(&render(&check_removed(&Repo::of([(path, text)]))));
    }

    #[test]
    fn each_thing_that_was_removed_is_refused_where_it_was() {
        check(
            "crates/pipeline/src/run.rs",
            "session.register_batch(\"t\", rows)?;",
            &expect![[r"
                crates/pipeline/src/run.rs:1: `register_batch` was removed - rows that outlive a query are a Delta table: write them, and open the version
            "]],
        );
        check(
            "crates/registry/src/open.rs",
            "ListingTable::try_new(config)?",
            &expect![[r"
                crates/registry/src/open.rs:1: `ListingTable` was removed - persisted rows are opened through the registry, at a pinned version
            "]],
        );
        check(
            "crates/artifacts/src/table/columns.rs",
            "(\"inputs_json\", Utf8, \"\")",
            &expect![[r#"
                crates/artifacts/src/table/columns.rs:1: `_json"` was removed - no column holds JSON: give it structured columns, or MsgPack for machines
            "#]],
        );
        check(
            "crates/pipeline/src/run.rs",
            "let text = serde_json::to_string(&plan)?;",
            &expect![[r"
                crates/pipeline/src/run.rs:1: `serde_json::to_string` was removed - payloads have one encoding: `canonical_json` and `canonical_msgpack`
            "]],
        );
    }

    #[test]
    fn tests_comments_and_other_places_are_left_alone() {
        let none = &expect![""];
        check("crates/pipeline/src/run/tests.rs", "register_batch(", none);
        check("tests/it/guards.rs", "MemTable", none);
        check("benches/scan.rs", "ListingTable", none);
        check(
            "crates/artifacts/src/canonical.rs",
            "serde_json::to_string(",
            none,
        );
        check(
            "crates/udfs/src/lib.rs",
            "// no MemTable here\n//! nor ListingTable",
            none,
        );
        check(
            "crates/udfs/src/lib.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests { use MemTable; }",
            none,
        );
    }
}
