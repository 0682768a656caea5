//! `cargo xtask ci`: every check that a change must pass, cheap ones first.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::error::Error;
use crate::process;

/// One check.
struct Step {
    name: &'static str,
    /// Set for this command only.
    env: &'static [(&'static str, &'static str)],
    /// The command, which is also how to run the step alone.
    command: &'static [&'static str],
}

/// In order: what answers in seconds comes first. The lock file is never updated on the way.
const STEPS: &[Step] = &[
    Step {
        name: "format",
        env: &[],
        command: &["cargo", "fmt", "--all", "--", "--check"],
    },
    Step {
        name: "tidy",
        env: &[],
        command: &["cargo", "xtask", "tidy"],
    },
    Step {
        name: "licences",
        env: &[],
        command: &["cargo", "xtask", "licences"],
    },
    Step {
        name: "lint",
        env: &[],
        command: &[
            "cargo",
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    },
    Step {
        name: "documentation",
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        command: &["cargo", "doc", "--locked", "--workspace", "--no-deps"],
    },
    // Includes the examples in the documentation, and the freshness of contracts and goldens.
    Step {
        name: "test",
        env: &[],
        command: &["cargo", "test", "--locked", "--workspace"],
    },
    // A test that wrote into the clone would make the next run see other files than this one.
    Step {
        name: UNTOUCHED,
        env: &[],
        command: &["git", "status", "--porcelain"],
    },
];

/// The step that runs in here: it compares the clone with what it was at the start.
const UNTOUCHED: &str = "untouched";

/// Runs the steps and stops at the first that fails.
///
/// **Errors**: [`Error::Step`] with the command that runs the failed step alone.
pub(crate) fn run(root: &Path) -> Result<(), Error> {
    let started = Instant::now();
    let before = state(root)?;
    for step in STEPS {
        println!("== {}: {}", step.name, step.line());
        let step_started = Instant::now();
        step.run(root, &before)?;
        println!(
            "== {}: {:.1} s",
            step.name,
            step_started.elapsed().as_secs_f64()
        );
    }
    println!(
        "== all {} steps: {:.1} s",
        STEPS.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// One line per step: its name and its command.
pub(crate) fn render_steps() -> String {
    let mut text = String::new();
    for step in STEPS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<14} {}", step.name, step.line());
    }
    text
}

impl Step {
    fn line(&self) -> String {
        process::render(self.command, self.env)
    }

    fn run(&self, root: &Path, before: &str) -> Result<(), Error> {
        if self.name == UNTOUCHED {
            let after = state(root)?;
            if after != before {
                println!("before:\n{before}after:\n{after}");
            }
            return self.demand(after == before);
        }
        match process::run(root, self.command, self.env) {
            Err(Error::Failed { .. }) => self.demand(false),
            other => other,
        }
    }

    fn demand(&self, holds: bool) -> Result<(), Error> {
        if holds {
            return Ok(());
        }
        Err(Error::Step {
            step: self.name,
            rerun: self.line(),
        })
    }
}

/// What git sees as changed or new, so that a clone that starts with changes can be checked too.
fn state(root: &Path) -> Result<String, Error> {
    process::output(root, &["git", "status", "--porcelain"])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::expect;

    use super::{STEPS, Step, UNTOUCHED, render_steps};

    #[test]
    fn each_step_can_be_run_alone() {
        expect![[r"
            format         cargo fmt --all -- --check
            tidy           cargo xtask tidy
            licences       cargo xtask licences
            lint           cargo clippy --locked --workspace --all-targets -- -D warnings
            documentation  RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps
            test           cargo test --locked --workspace
            untouched      git status --porcelain
        "]]
        .assert_eq(&render_steps());
    }

    #[test]
    fn a_failed_step_says_how_to_run_it_again() {
        let step = Step {
            name: "broken",
            env: &[],
            command: &["git", "no-such-verb"],
        };
        let error = step
            .run(Path::new("."), "")
            .expect_err("the verb does not exist");
        expect!["step `broken` failed; run it again with: git no-such-verb"]
            .assert_eq(&error.to_string());
    }

    #[test]
    fn a_clone_that_changed_on_the_way_is_a_failure() {
        let step = Step {
            name: UNTOUCHED,
            env: &[],
            command: &["git", "status", "--porcelain"],
        };
        assert!(
            step.run(Path::new("."), "?? a-file-that-is-gone\n")
                .is_err()
        );
    }

    #[test]
    fn the_step_that_runs_in_here_exists() {
        assert!(STEPS.iter().any(|step| step.name == UNTOUCHED));
    }
}
