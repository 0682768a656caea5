//! The manifests of the workspace's packages: their names, their dependencies, and on which line each stands.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use crate::problem::Problem;
use crate::repo::Repo;

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// Where it lies, from the root of the clone.
    pub(crate) path: String,
    /// The name of its folder, which for `crates/*` is the name of the crate.
    pub(crate) folder: String,
    /// `package.name`.
    pub(crate) package: String,
    /// All dependencies: normal, of tests, of build scripts; each group sorted by name.
    pub(crate) dependencies: Vec<Dependency>,
    /// Whether it takes the workspace's lints.
    pub(crate) takes_workspace_lints: bool,
    /// Whether it has dependencies for some platforms only.
    pub(crate) has_target_tables: bool,
    /// Whether it is a workspace of its own, outside of the one at the root.
    pub(crate) is_outside: bool,
}

/// One line of a dependency table.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// As it is written, with `-`.
    pub(crate) name: String,
    /// The table that it stands in.
    pub(crate) section: Section,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Whether it is exactly `name.workspace = true`.
    pub(crate) from_workspace: bool,
    /// Whether it is a package of the clone, named by its folder.
    pub(crate) from_path: bool,
}

/// Which dependency table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// `[dependencies]`
    Normal,
    /// `[dev-dependencies]`
    Dev,
    /// `[build-dependencies]`
    Build,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CargoToml {
    package: Package,
    #[serde(default)]
    dependencies: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    build_dependencies: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    lints: Table,
    #[serde(default)]
    target: Table,
    workspace: Option<Table>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

impl Manifest {
    /// Every manifest below the root, and a problem for each that cannot be read.
    pub(crate) fn all(repo: &Repo) -> (Vec<Self>, Vec<Problem>) {
        let mut manifests = Vec::new();
        let mut problems = Vec::new();
        for (path, text) in &repo.files {
            if path.ends_with("/Cargo.toml") {
                match Self::parse(path, text) {
                    Ok(manifest) => manifests.push(manifest),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        (manifests, problems)
    }

    fn parse(path: &str, text: &str) -> Result<Self, Problem> {
        let parsed: CargoToml = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let what = format!("the manifest does not parse: {}", error.message());
            Problem::at(path, line_of(text, offset), what, "correct it")
        })?;
        let sections = [
            (Section::Normal, parsed.dependencies),
            (Section::Dev, parsed.dev_dependencies),
            (Section::Build, parsed.build_dependencies),
        ];
        let mut dependencies = Vec::new();
        for (section, table) in sections {
            dependencies.extend(table.into_iter().map(|(name, value)| Dependency {
                name,
                section,
                line: line_of(text, value.span().start),
                from_workspace: takes_from_workspace(value.as_ref()),
                from_path: value.as_ref().get("path").is_some(),
            }));
        }
        let folder = path.trim_end_matches("/Cargo.toml").rsplit('/').next();
        Ok(Self {
            path: path.to_owned(),
            folder: folder.unwrap_or_default().to_owned(),
            package: parsed.package.name,
            dependencies,
            takes_workspace_lints: parsed.lints.get("workspace") == Some(&Value::Boolean(true)),
            has_target_tables: !parsed.target.is_empty(),
            is_outside: parsed.workspace.is_some(),
        })
    }

    /// Whether it lies in `crates/`.
    pub(crate) fn is_layered(&self) -> bool {
        self.path.starts_with("crates/")
    }
}

fn takes_from_workspace(value: &Value) -> bool {
    value.as_table().is_some_and(|table| {
        table.len() == 1 && table.get("workspace") == Some(&Value::Boolean(true))
    })
}

/// The line, counted from 1, that holds this byte.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Manifest;

    #[track_caller]
    fn check(text: &str, want: &Expect) {
        let got = match Manifest::parse("crates/registry/Cargo.toml", text) {
            Ok(manifest) => {
                let lines = manifest.dependencies.iter().map(|dependency| {
                    format!(
                        "{} {} {:?} {}",
                        dependency.line,
                        dependency.name,
                        dependency.section,
                        dependency.from_workspace
                    )
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            Err(problem) => problem.to_string(),
        };
        want.assert_eq(&got);
    }

    #[test]
    fn each_dependency_has_its_line() {
        check(
            "[package]\nname = \"a\"\n[dependencies]\nurl.workspace = true\nbytes = \"1\"\n\
             [dev-dependencies]\nserde = { workspace = true, features = [\"rc\"] }\n",
            &expect![[r"
                5 bytes Normal false
                4 url Normal true
                7 serde Dev false"]],
        );
    }

    #[test]
    fn a_broken_manifest_is_a_problem_of_its_line() {
        check(
            "[package]\nname = \"a\"\nversion =\n",
            &expect![
                "crates/registry/Cargo.toml:3: the manifest does not parse: string values must be quoted, expected literal string - correct it"
            ],
        );
    }
}
