//! The manifests against the layer table.

use std::collections::BTreeSet;

use super::layers::{LAYERS, Layer, folder_of, is_above};
use crate::manifest::{Manifest, Section};
use crate::problem::Problem;
use crate::repo::Repo;

/// Every folder has a row, every row a folder, and every manifest names only what its row allows.
///
/// Tests are freer: `[dev-dependencies]` may name any row above, because a test may build what it reads
/// with any lower crate. Never a row below, and nothing may name the program.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    check_against(LAYERS, repo)
}

fn check_against(layers: &[Layer], repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    let folders: BTreeSet<&str> = repo.crates().collect();
    for layer in layers {
        if !folders.contains(layer.folder) {
            let path = format!("crates/{}/Cargo.toml", layer.folder);
            let what = format!(
                "LAYERS has a row for `{}`, which does not exist",
                layer.folder
            );
            problems.push(Problem::of(&path, what, "add the crate or delete the row"));
        }
    }
    for manifest in Manifest::all(repo).0 {
        if manifest.is_layered() {
            problems.extend(check_layered(layers, &manifest));
        } else if manifest.folder == "xtask" {
            problems.extend(check_xtask(&manifest));
        }
    }
    problems
}

fn check_layered(layers: &[Layer], manifest: &Manifest) -> Vec<Problem> {
    let folder = manifest.folder.as_str();
    let Some(row) = layers.iter().position(|layer| layer.folder == folder) else {
        return vec![Problem::of(
            &manifest.path,
            format!("`{folder}` has no row in LAYERS"),
            "add the row to xtask/src/tidy/layers.rs, below everything that the crate uses",
        )];
    };
    let mut problems = Vec::new();
    for dependency in &manifest.dependencies {
        let Some(used) = folder_of(&dependency.name) else {
            continue;
        };
        let is_allowed = match dependency.section {
            Section::Normal | Section::Build => layers[row].may_use.contains(&used),
            Section::Dev => is_above(layers, row, used),
        };
        if !is_allowed {
            problems.push(Problem::at(
                &manifest.path,
                dependency.line,
                format!("`{folder}` must not depend on `{used}`"),
                "move the shared type to a row above, or return a value and let a row below act",
            ));
        }
    }
    problems
}

/// `tidy` answers at once only as long as this program builds without the crates that it checks.
fn check_xtask(manifest: &Manifest) -> Vec<Problem> {
    let used = manifest.dependencies.iter();
    used.filter(|dependency| folder_of(&dependency.name).is_some())
        .map(|dependency| {
            Problem::at(
                &manifest.path,
                dependency.line,
                format!("`xtask` must not depend on `{}`", dependency.name),
                "write the generator as a test of that crate and start it from here",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check_against;
    use crate::problem::render;
    use crate::repo::Repo;
    use crate::tidy::layers::Layer;

    const fn layer(folder: &'static str, may_use: &'static [&'static str]) -> Layer {
        Layer {
            folder,
            owns: "",
            may_use,
            does_not_know: "",
        }
    }

    const TABLE: &[Layer] = &[
        layer("ground", &[]),
        layer("middle", &[]),
        layer("top", &["ground"]),
    ];

    const GROUND: (&str, &str) = (
        "crates/ground/Cargo.toml",
        "[package]\nname = \"ossature-ground\"\n",
    );
    const MIDDLE: (&str, &str) = (
        "crates/middle/Cargo.toml",
        "[package]\nname = \"ossature-middle\"\n",
    );

    #[track_caller]
    fn check(top: &str, want: &Expect) {
        let top = format!("[package]\nname = \"ossature-top\"\n{top}");
        let repo = Repo::of([GROUND, MIDDLE, ("crates/top/Cargo.toml", top.as_str())]);
        want.assert_eq(&render(&check_against(TABLE, &repo)));
    }

    #[test]
    fn an_allowed_dependency_is_silent() {
        check(
            "[dependencies]\nossature-ground.workspace = true\n",
            &expect![""],
        );
    }

    #[test]
    fn a_dependency_that_the_row_lacks_is_refused() {
        check(
            "[dependencies]\nossature-middle.workspace = true\n",
            &expect![[r"
                crates/top/Cargo.toml:4: `top` must not depend on `middle` - move the shared type to a row above, or return a value and let a row below act
            "]],
        );
    }

    #[test]
    fn a_test_may_use_any_row_above_and_none_below() {
        check(
            "[dev-dependencies]\nossature-middle.workspace = true\n",
            &expect![""],
        );
        let upward = "[package]\nname = \"ossature-middle\"\n[dev-dependencies]\nossature-top.workspace = true\n";
        let repo = Repo::of([
            GROUND,
            ("crates/middle/Cargo.toml", upward),
            (
                "crates/top/Cargo.toml",
                "[package]\nname = \"ossature-top\"\n",
            ),
        ]);
        expect![[r"
            crates/middle/Cargo.toml:4: `middle` must not depend on `top` - move the shared type to a row above, or return a value and let a row below act
        "]]
        .assert_eq(&render(&check_against(TABLE, &repo)));
    }

    #[test]
    fn a_folder_without_a_row_and_a_row_without_a_folder_are_refused() {
        let repo = Repo::of([
            GROUND,
            MIDDLE,
            (
                "crates/new/Cargo.toml",
                "[package]\nname = \"ossature-new\"\n",
            ),
        ]);
        expect![[r"
            crates/top/Cargo.toml:1: LAYERS has a row for `top`, which does not exist - add the crate or delete the row
            crates/new/Cargo.toml:1: `new` has no row in LAYERS - add the row to xtask/src/tidy/layers.rs, below everything that the crate uses
        "]]
        .assert_eq(&render(&check_against(TABLE, &repo)));
    }

    #[test]
    fn xtask_uses_no_crate() {
        let repo = Repo::of([(
            "xtask/Cargo.toml",
            "[package]\nname = \"xtask\"\n[dependencies]\nossature-ground.workspace = true\n",
        )]);
        expect![[r"
            xtask/Cargo.toml:4: `xtask` must not depend on `ossature-ground` - write the generator as a test of that crate and start it from here
        "]]
        .assert_eq(&render(&check_against(&[], &repo)));
    }
}
