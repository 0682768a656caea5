//! Modules: a source file that no other file declares is compiled by nobody, and nobody notices.

use crate::problem::Problem;
use crate::repo::Repo;

/// Folders in which a crate begins: libraries and programs, and the one binary of end-to-end tests.
const ROOTS: &[&str] = &["src/", "tests/it/"];

/// Every file below one of [`ROOTS`] is the root of a crate or declared by the file above it.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, _) in repo.rust_files() {
        let Some((parents, module)) = parents(path) else {
            continue;
        };
        let is_declared = parents
            .iter()
            .filter_map(|parent| repo.text(parent))
            .any(|text| declares(text, module));
        if !is_declared {
            let what = format!("no file declares `mod {module}`");
            problems.push(Problem::of(path, what, "declare it, or delete the file"));
        }
    }
    problems
}

/// The files that may declare this one, and its name. `None` for roots of crates and other targets.
fn parents(path: &str) -> Option<([String; 2], &str)> {
    let path = path.strip_suffix(".rs")?;
    let at = ROOTS
        .iter()
        .find_map(|root| Some(path.find(root)? + root.len()))?;
    let (root, inside) = path.split_at(at);
    let module = inside.strip_suffix("/mod").unwrap_or(inside);
    match module.rsplit_once('/') {
        None if matches!(module, "lib" | "main") => None,
        None => Some((
            ["lib", "main"].map(|page| format!("{root}{page}.rs")),
            module,
        )),
        Some(("bin", _)) => None,
        Some((folder, name)) => Some((
            ["", "/mod"].map(|form| format!("{root}{folder}{form}.rs")),
            name,
        )),
    }
}

/// Whether a line is `mod name;`, with any visibility.
fn declares(text: &str, module: &str) -> bool {
    text.lines().any(|line| {
        let declaration = line
            .trim()
            .strip_suffix(';')
            .and_then(|line| line.strip_suffix(module));
        declaration.is_some_and(|before| before == "mod " || before.ends_with(" mod "))
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::check;
    use crate::problem::render;
    use crate::repo::Repo;

    #[test]
    fn declared_files_are_silent() {
        let repo = Repo::of([
            ("crates/a/src/lib.rs", "mod b;\npub(crate) mod d;\n"),
            ("crates/a/src/b.rs", "#[cfg(test)]\nmod tests;\n"),
            ("crates/a/src/b/tests.rs", ""),
            ("crates/a/src/d/mod.rs", "mod e;\n"),
            ("crates/a/src/d/e.rs", ""),
            ("crates/a/src/bin/tool.rs", ""),
            ("crates/a/tests/it.rs", ""),
            ("tests/it/main.rs", "mod guards;\n"),
            ("tests/it/guards.rs", ""),
            ("crates/c/src/main.rs", ""),
        ]);
        expect![""].assert_eq(&render(&check(&repo)));
    }

    #[test]
    fn files_that_nobody_declares_are_refused() {
        let repo = Repo::of([
            ("crates/a/src/lib.rs", "mod bee;\n// mod c\n"),
            ("crates/a/src/b.rs", ""),
            ("crates/a/src/bee.rs", ""),
            ("crates/a/src/bee/c.rs", ""),
            ("crates/a/src/d/mod.rs", ""),
            ("tests/it/main.rs", "mod guards;\n"),
            ("tests/it/goldens.rs", ""),
        ]);
        expect![[r"
            crates/a/src/b.rs:1: no file declares `mod b` - declare it, or delete the file
            crates/a/src/bee/c.rs:1: no file declares `mod c` - declare it, or delete the file
            crates/a/src/d/mod.rs:1: no file declares `mod d` - declare it, or delete the file
            tests/it/goldens.rs:1: no file declares `mod goldens` - declare it, or delete the file
        "]]
        .assert_eq(&render(&check(&repo)));
    }
}
