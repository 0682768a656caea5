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
}

/// One generator: the test that writes.
///
/// It is run out of the whole workspace, because a package alone would have the engines compiled with other features.
#[derive(Debug)]
pub(crate) struct Generator {
    command: &'static [&'static str],
}

/// The JSON Schemas and examples in `contracts/`.
pub(crate) const CONTRACTS: Generator = Generator {
    command: &["cargo", "test", "--workspace", "--test", "contracts"],
};

/// The rendered plans in `tests/goldens/`, and `docs/tables.md`.
pub(crate) const GOLDENS: Generator = Generator {
    command: &["cargo", "test", "--workspace", "--test", "it", "goldens"],
};

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

/// `expect-test` writes instead of comparing when this is set.
fn env(mode: Mode) -> &'static [(&'static str, &'static str)] {
    match mode {
        Mode::Write => &[("UPDATE_EXPECT", "1")],
        Mode::Check => &[],
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{CONTRACTS, GOLDENS, Mode, env, lists_a_test};
    use crate::process::render;

    #[test]
    fn only_writing_updates_expectations() {
        expect!["UPDATE_EXPECT=1 cargo test --workspace --test contracts"]
            .assert_eq(&render(CONTRACTS.command, env(Mode::Write)));
        expect!["cargo test --workspace --test it goldens"]
            .assert_eq(&render(GOLDENS.command, env(Mode::Check)));
    }

    #[test]
    fn a_filter_that_matches_nothing_is_noticed() {
        assert!(lists_a_test(
            "goldens::views: test\n\n1 test, 0 benchmarks\n"
        ));
        assert!(!lists_a_test("\n0 tests, 0 benchmarks\n"));
    }
}
