//! Links in documents: what they point at inside the clone exists.

use crate::problem::Problem;
use crate::repo::{Repo, has_extension};

/// Every relative link of a Markdown file leads to a file or a folder.
pub(crate) fn check(repo: &Repo) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, text) in &repo.files {
        if !has_extension(path, "md") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for target in targets(line) {
                if !exists(repo, &resolve(path, target)) {
                    let what = format!("a link to {target}, which does not exist");
                    problems.push(Problem::at(path, number + 1, what, "correct the link"));
                }
            }
        }
    }
    problems
}

/// The targets of a line's links that lie inside the clone, without the part after `#`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let after = line.split("](").skip(1);
    after
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://"))
}

/// A target as seen from the folder of a document.
fn resolve(document: &str, target: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn exists(repo: &Repo, path: &str) -> bool {
    let folder = format!("{path}/");
    repo.text(path).is_some() || repo.files.keys().any(|file| file.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check as check_repo;
    use crate::problem::render;
    use crate::repo::Repo;

    #[track_caller]
    fn check(text: &str, want: &Expect) {
        let repo = Repo::of([
            ("docs/guide.md", text),
            ("README.md", ""),
            ("docs/decisions/0001.md", ""),
        ]);
        want.assert_eq(&render(&check_repo(&repo)));
    }

    #[test]
    fn links_that_lead_somewhere_are_silent() {
        check(
            "[a](../README.md#top), [b](decisions), [c](./decisions/0001.md), [d](https://example.org), [e](#here)",
            &expect![""],
        );
    }

    #[test]
    fn links_that_lead_nowhere_are_refused() {
        check(
            "[a](decisions)\n[b](README.md) and [c](decisions/0002.md)",
            &expect![[r"
                docs/guide.md:2: a link to README.md, which does not exist - correct the link
                docs/guide.md:2: a link to decisions/0002.md, which does not exist - correct the link
            "]],
        );
    }
}
