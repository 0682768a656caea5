//! The shape of a manifest: its name, its lints, and versions that stand in one place only.
//!
//! A package outside of the workspace has no lints to take and no versions to leave to the root; it is refused unless it is
//! one of the few that have a reason to be there.

use super::layers::PROGRAM;
use crate::manifest::Manifest;
use crate::problem::Problem;
use crate::repo::Repo;

/// The folders of packages outside of the workspace: a fuzzer compiles everything anew, with instruments.
const OUTSIDE: &[&str] = &["fuzz"];

/// Packages are named after their folders, take the workspace's lints, and leave versions to the root.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let (manifests, mut problems) = Manifest::all(repo);
    for manifest in &manifests {
        problems.extend(check_one(manifest));
    }
    problems
}

fn check_one(manifest: &Manifest) -> Vec<Problem> {
    let path = manifest.path.as_str();
    let mut problems = Vec::new();
    let name = match manifest.folder.as_str() {
        folder @ (PROGRAM | "xtask") => folder.to_owned(),
        folder => format!("ossature-{folder}"),
    };
    if manifest.package != name {
        let what = format!("the package is named `{}`", manifest.package);
        problems.push(Problem::of(
            path,
            what,
            format!("name it `{name}`, after its folder"),
        ));
    }
    if manifest.is_outside {
        if !OUTSIDE.contains(&manifest.folder.as_str()) {
            let instead = "delete its `[workspace]` table, and add it to the members";
            problems.push(Problem::of(
                path,
                "a package outside of the workspace",
                instead,
            ));
        }
        return problems;
    }
    if !manifest.takes_workspace_lints {
        let instead = "add `[lints]` with `workspace = true`";
        problems.push(Problem::of(
            path,
            "the workspace's lints are not taken",
            instead,
        ));
    }
    if manifest.has_target_tables {
        let instead = "list the dependency for every platform, so that the fences see it";
        problems.push(Problem::of(path, "a `[target]` table", instead));
    }
    for dependency in &manifest.dependencies {
        if !dependency.from_workspace {
            let name = &dependency.name;
            problems.push(Problem::at(
                path,
                dependency.line,
                format!("`{name}` says more than `workspace = true`"),
                format!("write `{name}.workspace = true`; version and features stand in the root manifest"),
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::check;
    use crate::problem::render;
    use crate::repo::Repo;

    #[test]
    fn a_well_formed_manifest_is_silent() {
        let repo = Repo::of([(
            "crates/udfs/Cargo.toml",
            "[package]\nname = \"ossature-udfs\"\n[dependencies]\nurl.workspace = true\n[lints]\nworkspace = true\n",
        )]);
        expect![""].assert_eq(&render(&check(&repo)));
    }

    #[test]
    fn outside_of_the_workspace_are_those_that_have_a_reason() {
        let manifest = |name: &str| format!("[package]\nname = \"ossature-{name}\"\n[workspace]\n");
        let (fuzz, udfs) = (manifest("fuzz"), manifest("udfs"));
        let repo = Repo::of([
            ("fuzz/Cargo.toml", fuzz.as_str()),
            ("crates/udfs/Cargo.toml", udfs.as_str()),
        ]);
        expect![[r#"
            crates/udfs/Cargo.toml:1: a package outside of the workspace - delete its `[workspace]` table, and add it to the members
        "#]].assert_eq(&render(&check(&repo)));
    }

    #[test]
    fn each_deviation_is_a_problem() {
        let repo = Repo::of([
            (
                "crates/udfs/Cargo.toml",
                "[package]\nname = \"udfs\"\n[dependencies]\nurl = \"2\"\n[target.'cfg(unix)'.dependencies]\nlibc = \"0\"\n",
            ),
            ("tests/Cargo.toml", "[package\n"),
        ]);
        expect![[r"
            tests/Cargo.toml:1: the manifest does not parse: unclosed table, expected `]` - correct it
            crates/udfs/Cargo.toml:1: the package is named `udfs` - name it `ossature-udfs`, after its folder
            crates/udfs/Cargo.toml:1: the workspace's lints are not taken - add `[lints]` with `workspace = true`
            crates/udfs/Cargo.toml:1: a `[target]` table - list the dependency for every platform, so that the fences see it
            crates/udfs/Cargo.toml:4: `url` says more than `workspace = true` - write `url.workspace = true`; version and features stand in the root manifest
        "]]
        .assert_eq(&render(&check(&repo)));
    }
}
