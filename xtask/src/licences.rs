//! The licences of everything that the lock file names, on every platform.

use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::problem::Problem;
use crate::process;

/// Licences that a program under Apache-2.0 may be linked with.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // Data: the root certificates of the web.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    // Asks for the source of the library alone, which we do not change.
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

/// Asks cargo for every package and judges its licence.
pub(crate) fn problems(root: &Path) -> Result<Vec<Problem>, Error> {
    let command = ["cargo", "metadata", "--locked", "--format-version", "1"];
    let text = process::output(root, &command)?;
    let metadata: Metadata =
        serde_json::from_str(&text).map_err(|source| Error::Metadata { source })?;
    Ok(judge(&metadata.packages))
}

fn judge(packages: &[Package]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Package {
        name,
        version,
        license,
    } in packages
    {
        let found = license.as_deref().unwrap_or("nothing");
        if !is_accepted(found) {
            problems.push(Problem::of(
                "Cargo.lock",
                format!("`{name}` {version} is licensed under {found}"),
                "do without it, or read the licence and add it to ACCEPTED in xtask/src/licences.rs",
            ));
        }
    }
    problems
}

/// Whether an SPDX expression leaves a choice of which everything is accepted.
fn is_accepted(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest) && rest.is_empty()
}

/// `a OR b`: both sides are read, whatever the first one says.
fn any_of(rest: &mut &[&str]) -> bool {
    let mut accepted = all_of(rest);
    while take(rest, "OR") {
        accepted |= all_of(rest);
    }
    accepted
}

/// `a AND b`, which binds tighter than `OR`.
fn all_of(rest: &mut &[&str]) -> bool {
    let mut accepted = one(rest);
    while take(rest, "AND") {
        accepted &= one(rest);
    }
    accepted
}

/// A licence, perhaps with an exception, or an expression in parentheses.
fn one(rest: &mut &[&str]) -> bool {
    if take(rest, "(") {
        let accepted = any_of(rest);
        return take(rest, ")") && accepted;
    }
    let licence = match **rest {
        [licence, "WITH", exception, ..] => {
            *rest = &rest[3..];
            format!("{licence} WITH {exception}")
        }
        [licence, ..] => {
            *rest = &rest[1..];
            licence.to_owned()
        }
        [] => return false,
    };
    ACCEPTED.contains(&licence.as_str())
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    let is_next = rest.first() == Some(&word);
    if is_next {
        *rest = &rest[1..];
    }
    is_next
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Package, is_accepted, judge};
    use crate::problem::render;

    #[track_caller]
    fn check(expression: &str, want: bool) {
        assert_eq!(is_accepted(expression), want, "{expression}");
    }

    #[test]
    fn one_accepted_choice_is_enough() {
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0-only OR MIT", true);
        check("MIT OR Apache-2.0 OR LGPL-2.1-or-later", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("(GPL-3.0-only OR MIT) AND ISC", true);
    }

    #[test]
    fn every_part_of_a_choice_must_be_accepted() {
        check("GPL-3.0-only", false);
        check("MIT AND GPL-3.0-only", false);
        check("MIT AND GPL-3.0-only OR SSPL-1.0", false);
        check("GPL-3.0-only WITH Classpath-exception-2.0", false);
        check("MIT AND (GPL-3.0-only OR SSPL-1.0)", false);
    }

    #[test]
    fn what_is_no_expression_is_not_accepted() {
        check("", false);
        check("MIT MIT", false);
        check("(MIT", false);
        check("MIT AND", false);
        check("OR MIT", false);
    }

    #[test]
    fn a_package_without_a_licence_is_a_problem() {
        let package = Package {
            name: "mystery".to_owned(),
            version: "1.2.3".to_owned(),
            license: None,
        };
        expect![[r"
            Cargo.lock:1: `mystery` 1.2.3 is licensed under nothing - do without it, or read the licence and add it to ACCEPTED in xtask/src/licences.rs
        "]]
        .assert_eq(&render(&judge(&[package])));
    }
}
