//! Dependencies that a manifest lists and no source of its package names.

use crate::manifest::{Dependency, Manifest, Section};
use crate::problem::Problem;
use crate::repo::{Repo, has_extension};

/// Every dependency of code or of tests is named by a source file of the package.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    // What a package outside of the workspace compiles lies in part elsewhere.
    let inside = Manifest::all(repo).0;
    for manifest in inside.into_iter().filter(|it| !it.is_outside) {
        for dependency in &manifest.dependencies {
            if !is_named(repo, &manifest, dependency) {
                let what = format!("nothing names `{}`", dependency.name);
                let instead = "delete the line, or move it to `[dev-dependencies]` if tests do";
                problems.push(Problem::at(&manifest.path, dependency.line, what, instead));
            }
        }
    }
    problems
}

/// Build scripts may want a package only to have it downloaded, and so may name nothing.
fn is_named(repo: &Repo, manifest: &Manifest, dependency: &Dependency) -> bool {
    let folder = manifest.path.trim_end_matches("Cargo.toml");
    let within = match dependency.section {
        Section::Normal if manifest.is_layered() => format!("{folder}src/"),
        Section::Normal | Section::Dev => folder.to_owned(),
        Section::Build => return true,
    };
    let name = dependency.name.replace('-', "_");
    repo.files
        .iter()
        .filter(|(path, _)| path.starts_with(&within) && has_extension(path, "rs"))
        .flat_map(|(_, text)| text.lines())
        .any(|line| names(line, &name))
}

/// Whether the name begins a path or stands in a `use`, outside of a comment. An example in documentation is code.
fn names(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let code = line.trim_start();
    let is_documentation = code.starts_with("///") || code.starts_with("//!");
    if code.starts_with("//") && !is_documentation {
        return false;
    }
    code.match_indices(name).any(|(at, _)| {
        let after = &code[at + name.len()..];
        let begins = !code[..at].ends_with(is_word);
        begins
            && (after.starts_with("::") || (code.contains("use ") && !after.starts_with(is_word)))
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_repo;
    use crate::problem::render;
    use crate::repo::Repo;

    const MANIFEST: &str = "[package]\nname = \"ossature-udfs\"\n[dependencies]\nrmp-serde.workspace = true\n[dev-dependencies]\ntempfile.workspace = true\n[build-dependencies]\nprotoc-bin-vendored.workspace = true\n";

    #[track_caller]
    fn check(source: &str, test: &str, want: &Expect) {
        let repo = Repo::of([
            ("crates/udfs/Cargo.toml", MANIFEST),
            ("crates/udfs/src/lib.rs", source),
            ("crates/udfs/tests/it.rs", test),
        ]);
        want.assert_eq(&render(&check_repo(&repo)));
    }

    #[test]
    fn named_dependencies_are_silent() {
        check(
            "let bytes = rmp_serde::to_vec(&value);\n",
            "//! use tempfile::TempDir;\n",
            &expect![""],
        );
    }

    #[test]
    fn what_nothing_names_is_refused() {
        check(
            "// rmp_serde::to_vec\nlet x = my_rmp_serde::y;\n",
            "let tempfile = 1;\n",
            &expect![[r"
                crates/udfs/Cargo.toml:4: nothing names `rmp-serde` - delete the line, or move it to `[dev-dependencies]` if tests do
                crates/udfs/Cargo.toml:6: nothing names `tempfile` - delete the line, or move it to `[dev-dependencies]` if tests do
            "]],
        );
    }

    #[test]
    fn tests_do_not_count_for_what_the_code_lists() {
        check(
            "",
            "use rmp_serde as _;\nuse tempfile::TempDir;\n",
            &expect![[r"
                crates/udfs/Cargo.toml:4: nothing names `rmp-serde` - delete the line, or move it to `[dev-dependencies]` if tests do
            "]],
        );
    }
}
