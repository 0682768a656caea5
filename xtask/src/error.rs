//! Why a command of `cargo xtask` fails.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The words are not a command.
    #[error("`{found}` is not a command")]
    Usage {
        /// The words after `cargo xtask`.
        found: String,
    },
    /// A file or folder of the clone could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{line}`: {source}")]
    NotStarted {
        /// The command line.
        line: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program ran and reported failure.
    #[error("failed: `{line}`")]
    Failed {
        /// The command line, ready to be run again.
        line: String,
    },
    /// Cargo described the packages in a form that we cannot read.
    #[error("cannot read what `cargo metadata` printed: {source}")]
    Metadata {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A generator has no test.
    #[error("no test matches: `{line}`")]
    NothingToRun {
        /// The command line that would have succeeded by doing nothing.
        line: String,
    },
    /// The house rules are broken.
    #[error("{count} problem(s)")]
    Untidy {
        /// How many problems were printed.
        count: usize,
    },
    /// A step of `ci` failed.
    #[error("step `{step}` failed; run it again with: {rerun}")]
    Step {
        /// The name of the step, as in `cargo xtask ci --list`.
        step: &'static str,
        /// The command that runs only this step.
        rerun: String,
    },
}

impl Error {
    /// What to do about it, when that is not obvious.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Usage { .. } => Some("`cargo xtask help` lists the commands"),
            Self::NotStarted { .. } => Some("is the program installed and on the PATH?"),
            Self::Untidy { .. } => {
                Some("`cargo xtask tidy --fix` rewrites generated parts; the rest is by hand")
            }
            Self::Io { .. }
            | Self::Failed { .. }
            | Self::Metadata { .. }
            | Self::NothingToRun { .. }
            | Self::Step { .. } => None,
        }
    }

    /// 2 for a wrong command line, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage { .. } => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
