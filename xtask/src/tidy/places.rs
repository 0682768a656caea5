//! Places that only one machine has: absolute paths and the hosts of package registries.

use crate::problem::Problem;
use crate::repo::Repo;

/// Beginnings of absolute paths. In two parts, so that this file does not hold what it looks for.
const FOLDERS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("C:\\", "Users"),
];

/// Hosts that packages come from, which a user may have replaced by a mirror.
const HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("--index", "-url"),
];

/// Written by cargo, which names the default registry whatever the mirror.
const EXEMPT: &[&str] = &["Cargo.lock"];

/// No tracked text names a place that only one machine has.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in &repo.files {
        if EXEMPT.contains(&path.as_str()) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if FOLDERS.iter().any(|folder| names_folder(line, folder)) {
                let instead = "write it relative to the clone, or take it as an argument";
                problems.push(Problem::at(path, number + 1, "an absolute path", instead));
            }
            if HOSTS.iter().any(|host| line.contains(host)) {
                let instead = "leave the choice of a registry to its client";
                problems.push(Problem::at(
                    path,
                    number + 1,
                    "the host of a registry",
                    instead,
                ));
            }
        }
    }
    problems
}

/// Whether the folder is the beginning of a path, and not a part of a longer one.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~}$*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_repo;
    use crate::problem::render;
    use crate::repo::Repo;

    #[track_caller]
    fn check(path: &str, text: &str, want: &Expect) {
        want.assert_eq(&render(&check_repo(&Repo::of([(path, text)]))));
    }

    #[test]
    fn relative_paths_are_silent() {
        check(
            "a.md",
            "src/home/page.rs, ~/work/, ${X}/tmp/a",
            &expect![""],
        );
        check(
            "Cargo.lock",
            concat!("source = \"crates", ".io-index\""),
            &expect![""],
        );
    }

    #[test]
    fn absolute_paths_are_refused() {
        check(
            "a.md",
            concat!("first\nsee /ho", "me/ann/lake\nand file:///tm", "p/x\n"),
            &expect![[r"
                a.md:2: an absolute path - write it relative to the clone, or take it as an argument
                a.md:3: an absolute path - write it relative to the clone, or take it as an argument
            "]],
        );
    }

    #[test]
    fn registries_are_refused() {
        check(
            "run.sh",
            concat!("pip install --index", "-url X duckdb"),
            &expect![[r"
                run.sh:1: the host of a registry - leave the choice of a registry to its client
            "]],
        );
    }
}
