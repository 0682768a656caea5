//! `docs/dependencies.md` against the manifests: every outside dependency has a row that says why.
//!
//! Dependencies stand in the root manifest, those of packages outside of the workspace in their own.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::layers::folder_of;
use crate::manifest::{Manifest, line_of};
use crate::problem::Problem;
use crate::repo::Repo;

const PATH: &str = "docs/dependencies.md";
const ROOT: &str = "Cargo.toml";

#[derive(Deserialize)]
struct RootManifest {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    #[serde(default)]
    dependencies: BTreeMap<String, Spanned<Value>>,
}

/// Every dependency has exactly one row, every row a dependency, and none is renamed.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let Some(manifest) = repo.text(ROOT) else {
        return vec![Problem::of(ROOT, "the file is missing", "commit it")];
    };
    let Ok(root) = toml::from_str::<RootManifest>(manifest) else {
        return vec![Problem::of(
            ROOT,
            "the manifest does not parse",
            "correct it",
        )];
    };
    let mut rows = rows(repo.text(PATH).unwrap_or_default());
    let mut problems = Vec::new();
    let instead = "add a row that says why it is needed and who may use it";
    for (name, value) in &root.workspace.dependencies {
        let line = line_of(manifest, value.span().start);
        if value.as_ref().get("package").is_some() {
            let what = format!("`{name}` stands for another package");
            problems.push(Problem::at(ROOT, line, what, "use the package's own name"));
        }
        if folder_of(name).is_some() {
            continue;
        }
        if rows.remove(name.as_str()).is_none() {
            let what = format!("`{name}` has no row in {PATH}");
            problems.push(Problem::at(ROOT, line, what, instead));
        }
    }
    let manifests = Manifest::all(repo).0;
    for manifest in manifests.iter().filter(|it| it.is_outside) {
        for dependency in manifest.dependencies.iter().filter(|it| !it.from_path) {
            let name = &dependency.name;
            if rows.remove(name.as_str()).is_none() {
                let what = format!("`{name}` has no row in {PATH}");
                problems.push(Problem::at(&manifest.path, dependency.line, what, instead));
            }
        }
    }
    for (name, line) in rows {
        let what = format!("`{name}` is not a dependency of the workspace");
        problems.push(Problem::at(PATH, line, what, "delete the row"));
    }
    problems
}

/// The name in the first cell of each row, with its line.
fn rows(text: &str) -> BTreeMap<&str, usize> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(number, line)| {
            let (name, _) = line.strip_prefix("| `")?.split_once("` |")?;
            Some((name, number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_repo;
    use crate::problem::render;
    use crate::repo::Repo;

    #[track_caller]
    fn check(rows: &str, want: &Expect) {
        let manifest = "[workspace]\n[workspace.dependencies]\nossature-udfs = { path = \"crates/udfs\" }\nbytes = \"1\"\nurl = \"2\"\n";
        let repo = Repo::of([("Cargo.toml", manifest), ("docs/dependencies.md", rows)]);
        want.assert_eq(&render(&check_repo(&repo)));
    }

    #[test]
    fn one_row_each_is_silent() {
        check("| `bytes` | why |\n| `url` | why |\n", &expect![""]);
    }

    #[test]
    fn missing_and_stale_rows_are_refused() {
        check(
            "| `bytes` | why |\n| `rand` | why |\n",
            &expect![[r"
                Cargo.toml:5: `url` has no row in docs/dependencies.md - add a row that says why it is needed and who may use it
                docs/dependencies.md:2: `rand` is not a dependency of the workspace - delete the row
            "]],
        );
    }

    #[test]
    fn packages_outside_of_the_workspace_have_rows_too() {
        let manifest = "[package]\nname = \"ossature-fuzz\"\n[workspace]\n[dependencies]\nrand = \"1\"\nlibc = \"0\"\nossature-udfs = { path = \"../crates/udfs\" }\n";
        let repo = Repo::of([
            ("Cargo.toml", "[workspace]\n"),
            ("fuzz/Cargo.toml", manifest),
            ("docs/dependencies.md", "| `rand` | why |\n"),
        ]);
        expect![[r#"
            fuzz/Cargo.toml:6: `libc` has no row in docs/dependencies.md - add a row that says why it is needed and who may use it
        "#]].assert_eq(&render(&check_repo(&repo)));
    }

    #[test]
    fn a_renamed_dependency_would_pass_the_fences() {
        let manifest =
            "[workspace.dependencies]\nengine = { package = \"datafusion\", version = \"55\" }\n";
        let repo = Repo::of([
            ("Cargo.toml", manifest),
            ("docs/dependencies.md", "| `engine` | why |\n"),
        ]);
        expect![[r"
            Cargo.toml:2: `engine` stands for another package - use the package's own name
        "]]
        .assert_eq(&render(&check_repo(&repo)));
    }
}
