//! The command line: words in, one [`Command`] out.

use std::path::PathBuf;

use crate::error::Error;
use crate::generated::Mode;

/// What `cargo xtask help` prints.
pub(crate) const USAGE: &str = "\
cargo xtask tidy [--fix]            check the house rules; --fix rewrites the generated parts
cargo xtask licences                check the licences of all dependencies
cargo xtask contracts [--check]     write (or only compare) contracts/ and docs/contracts.md
cargo xtask contracts --release     freeze the versions in contracts/ that were not released before
cargo xtask goldens [--check]       write (or only compare) the plan goldens in tests/goldens/
cargo xtask fuzz SECONDS            look for bytes that decoding does not bear (needs cargo-fuzz)
cargo xtask oracle --corpus DIR     compare the extractor with CPython over every Python file below DIR
cargo xtask ci [--list]             run every check that a change must pass; --list names them
cargo xtask help                    print this text
";

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print [`USAGE`].
    Help,
    /// Check the house rules.
    Tidy {
        /// Rewrite the generated parts first.
        fix: bool,
    },
    /// Check the licences of all dependencies.
    Licences,
    /// The published JSON Schemas, their examples and their reference.
    Contracts(Mode),
    /// Freeze the contracts that are there.
    ReleaseContracts,
    /// The rendered plans.
    Goldens(Mode),
    /// Decoding against a fuzzer.
    Fuzz {
        /// How long, at the most.
        seconds: u32,
    },
    /// The extractor against CPython.
    Oracle {
        /// The folder whose Python files are compared.
        corpus: PathBuf,
    },
    /// Every check, in order.
    Ci,
    /// Only the names of the checks.
    CiSteps,
}

impl Command {
    /// Reads the words after `cargo xtask`.
    ///
    /// **Errors**: [`Error::Usage`] for anything that [`USAGE`] does not list.
    pub(crate) fn parse(words: &[String]) -> Result<Self, Error> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Ok(match words[..] {
            [] | ["help" | "--help" | "-h"] => Self::Help,
            ["tidy"] => Self::Tidy { fix: false },
            ["tidy", "--fix"] => Self::Tidy { fix: true },
            ["licences"] => Self::Licences,
            ["contracts"] => Self::Contracts(Mode::Write),
            ["contracts", "--check"] => Self::Contracts(Mode::Check),
            ["contracts", "--release"] => Self::ReleaseContracts,
            ["goldens"] => Self::Goldens(Mode::Write),
            ["goldens", "--check"] => Self::Goldens(Mode::Check),
            ["fuzz", seconds] => Self::Fuzz {
                seconds: seconds.parse().map_err(|_| Error::Usage {
                    found: words.join(" "),
                })?,
            },
            ["oracle", "--corpus", corpus] => Self::Oracle {
                corpus: PathBuf::from(corpus),
            },
            ["ci"] => Self::Ci,
            ["ci", "--list"] => Self::CiSteps,
            _ => {
                return Err(Error::Usage {
                    found: words.join(" "),
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Command;

    #[track_caller]
    fn check(line: &str, want: &Expect) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let got = match Command::parse(&words) {
            Ok(command) => format!("{command:?}"),
            Err(error) => format!("refused: {error}"),
        };
        want.assert_eq(&got);
    }

    #[test]
    fn each_command_has_one_spelling() {
        check("", &expect!["Help"]);
        check("tidy --fix", &expect!["Tidy { fix: true }"]);
        check("contracts --check", &expect!["Contracts(Check)"]);
        check("contracts --release", &expect!["ReleaseContracts"]);
        check("goldens", &expect!["Goldens(Write)"]);
        check("fuzz 60", &expect!["Fuzz { seconds: 60 }"]);
        check(
            "oracle --corpus lib",
            &expect![[r#"Oracle { corpus: "lib" }"#]],
        );
        check("ci --list", &expect!["CiSteps"]);
    }

    #[test]
    fn unknown_words_are_refused() {
        check(
            "tidy --fixx",
            &expect!["refused: `tidy --fixx` is not a command"],
        );
        check("oracle", &expect!["refused: `oracle` is not a command"]);
        check("fuzz -1", &expect!["refused: `fuzz -1` is not a command"]);
    }
}
