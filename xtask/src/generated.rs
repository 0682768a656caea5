//! Generated files: a test of the crate that owns them writes them, or fails when they are stale.

use std::path::Path;

use crate::error::Error;
use crate::process;

/// Whether a generator writes or only compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write what is stale.
    Write,
    /// Fail on what is stale.
    Check,
    /// Freeze what is there as a release.
    Release,
}

/// One generator: the test that writes.
///
/// It is run out of the whole workspace, because a package alone would have the engines compiled with other features.
#[derive(Debug)]
pub(crate) struct Generator {
    command: &'static [&'static str],
}

/// The JSON Schemas and examples in `contracts/`, and `docs/contracts.md`.
pub(crate) const CONTRACTS: Generator = Generator {
    command: &["cargo", "test", "--workspace", "--test", "contracts"],
};

/// The released versions in `contracts/released/`, which are only ever added to.
const RELEASED: Generator = Generator {
    command: &[
        "cargo",
        "test",
        "--workspace",
        "--test",
        "contracts",
        "frozen_when_it_is_asked_for",
    ],
};

/// The rendered plans in `tests/goldens/`, and `docs/tables.md`.
pub(crate) const GOLDENS: Generator = Generator {
    command: &["cargo", "test", "--workspace", "--test", "it", "goldens"],
};

/// Freezes the contracts, once nothing about them is stale or broken, and prints what came of it.
///
/// **Errors**: those of [`Generator::run`].
pub(crate) fn release_contracts(root: &Path) -> Result<(), Error> {
    CONTRACTS.run(Mode::Check, root)?;
    RELEASED.run(Mode::Release, root)?;
    process::run(
        root,
        &["git", "status", "--short", "contracts/released"],
        &[],
    )
}

impl Generator {
    /// Starts the generator.
    ///
    /// **Errors**: [`Error::Failed`] when something is stale, [`Error::NothingToRun`] when a filter matches
    /// no test, which cargo takes for success.
    pub(crate) fn run(&self, mode: Mode, root: &Path) -> Result<(), Error> {
        let listing = [self.command, &["--", "--list"]].concat();
        if !lists_a_test(&process::output(root, &listing)?) {
            return Err(Error::NothingToRun {
                line: process::render(self.command, env(mode)),
            });
        }
        process::run(root, self.command, env(mode))
    }
}

/// Whether a listing of `cargo test -- --list` names a test.
fn lists_a_test(listing: &str) -> bool {
    listing.lines().any(|line| line.ends_with(": test"))
}

/// `expect-test` writes instead of comparing when the first is set; the test that freezes does nothing without the second.
fn env(mode: Mode) -> &'static [(&'static str, &'static str)] {
    match mode {
        Mode::Write => &[("UPDATE_EXPECT", "1")],
        Mode::Check => &[],
        Mode::Release => &[("OSSATURE_RELEASE", "1")],
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{CONTRACTS, GOLDENS, Mode, RELEASED, env, lists_a_test};
    use crate::process::render;

    #[test]
    fn only_writing_updates_expectations() {
        expect!["UPDATE_EXPECT=1 cargo test --workspace --test contracts"]
            .assert_eq(&render(CONTRACTS.command, env(Mode::Write)));
        expect!["cargo test --workspace --test it goldens"]
            .assert_eq(&render(GOLDENS.command, env(Mode::Check)));
        expect![
            "OSSATURE_RELEASE=1 cargo test --workspace --test contracts frozen_when_it_is_asked_for"
        ]
        .assert_eq(&render(RELEASED.command, env(Mode::Release)));
    }

    #[test]
    fn a_filter_that_matches_nothing_is_noticed() {
        assert!(lists_a_test(
            "goldens::views: test\n\n1 test, 0 benchmarks\n"
        ));
        assert!(!lists_a_test("\n0 tests, 0 benchmarks\n"));
    }
}
