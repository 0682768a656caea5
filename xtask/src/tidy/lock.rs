//! `Cargo.lock`: the engines share one version of what they exchange.

use serde::Deserialize;

use crate::problem::Problem;
use crate::repo::Repo;

const PATH: &str = "Cargo.lock";

/// Two versions of one of these compile, and then a batch of one is not a batch of the other.
const ONE_VERSION: &[&str] = &["arrow", "datafusion", "object_store", "parquet"];

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Each of [`ONE_VERSION`] is locked exactly once.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let Some(text) = repo.text(PATH) else {
        return vec![Problem::of(PATH, "the file is missing", "commit it")];
    };
    let Ok(lock) = toml::from_str::<Lock>(text) else {
        return vec![Problem::of(
            PATH,
            "the file does not parse",
            "run `cargo update --workspace`",
        )];
    };
    ONE_VERSION
        .iter()
        .filter_map(|name| check_one(&lock, name))
        .collect()
}

fn check_one(lock: &Lock, name: &str) -> Option<Problem> {
    let packages = lock.package.iter().filter(|package| package.name == name);
    let versions: Vec<&str> = packages.map(|package| package.version.as_str()).collect();
    let found = match versions[..] {
        [_] => return None,
        [] => "not at all".to_owned(),
        _ => format!("as {}", versions.join(" and ")),
    };
    Some(Problem::of(
        PATH,
        format!("`{name}` is locked {found}"),
        format!("choose versions in the root manifest that share one `{name}`"),
    ))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::check as check_repo;
    use crate::problem::render;
    use crate::repo::Repo;

    #[track_caller]
    fn check(packages: &[(&str, &str)], want: &Expect) {
        let mut lock = String::new();
        for (name, version) in packages {
            writeln!(
                lock,
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\""
            )
            .expect("writing to a string");
        }
        let repo = Repo::of([("Cargo.lock", lock.as_str())]);
        want.assert_eq(&render(&check_repo(&repo)));
    }

    const REST: [(&str, &str); 3] = [
        ("datafusion", "55.2.0"),
        ("object_store", "0.13.2"),
        ("parquet", "59.3.2"),
    ];

    #[test]
    fn one_version_each_is_silent() {
        check(&[&[("arrow", "59.3.2")], &REST[..]].concat(), &expect![""]);
    }

    #[test]
    fn a_second_version_and_a_missing_one_are_refused() {
        check(
            &[&[("arrow", "58.0.0"), ("arrow", "59.3.2")], &REST[1..]].concat(),
            &expect![[r"
                Cargo.lock:1: `arrow` is locked as 58.0.0 and 59.3.2 - choose versions in the root manifest that share one `arrow`
                Cargo.lock:1: `datafusion` is locked not at all - choose versions in the root manifest that share one `datafusion`
            "]],
        );
    }
}
