//! The house rules: what each one checks is a function from the clone's text to problems.

mod architecture;
mod decisions;
mod dependencies;
mod fences;
mod front_page;
mod layering;
mod layers;
mod links;
mod lock;
mod manifests;
mod markers;
mod modules;
mod places;
mod removed;
mod sources;
mod unused;

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::problem::Problem;
use crate::repo::Repo;

type Check = fn(&Repo) -> Vec<Problem>;

const CHECKS: &[Check] = &[
    layering::check,
    manifests::check,
    fences::check,
    unused::check,
    sources::check,
    removed::check,
    modules::check,
    front_page::check,
    architecture::check,
    lock::check,
    dependencies::check,
    places::check,
    links::check,
    decisions::check,
];

/// All problems of all checks, by file and line.
pub(crate) fn problems(repo: &Repo) -> Vec<Problem> {
    let mut problems: Vec<Problem> = CHECKS.iter().flat_map(|check| check(repo)).collect();
    problems.sort();
    problems.dedup();
    problems
}

/// Rewrites the generated parts of tracked files and returns the paths that changed.
pub(crate) fn fix(root: &Path, repo: &Repo) -> Result<Vec<&'static str>, Error> {
    let mut rewritten = Vec::new();
    for (path, text) in [(architecture::PATH, architecture::fixed(repo))] {
        let Some(text) = text else { continue };
        if repo.text(path) != Some(text.as_str()) {
            fs::write(root.join(path), text).map_err(|source| Error::Io {
                path: root.join(path),
                source,
            })?;
            rewritten.push(path);
        }
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::problems;
    use crate::problem::render;
    use crate::repo::Repo;

    #[test]
    fn this_clone_is_tidy() {
        let repo = Repo::read(crate::root()).expect("git lists the files");
        assert!(repo.text("Cargo.toml").is_some(), "the clone was read");
        let problems = problems(&repo);
        assert!(problems.is_empty(), "\n{}", render(&problems));
    }

    #[test]
    fn an_empty_clone_is_not() {
        assert!(!problems(&Repo::default()).is_empty());
    }
}
