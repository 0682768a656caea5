//! The command line of the macro bench.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::Failure;

const USAGE: &str = "usage: macro SRC [--runs N] [--program PATH]";

/// How often everything is measured when nobody says otherwise.
const RUNS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

/// Mark the processes that the bench starts of itself.
pub(crate) const EXTRACT: &str = "--extract";
pub(crate) const PARSE: &str = "--parse";

/// What the process is for.
#[derive(Debug)]
pub(crate) enum Task {
    /// Measure a tree and report.
    Compare {
        source: PathBuf,
        runs: NonZeroUsize,
        /// The program; built from this clone when it is not given.
        program: Option<PathBuf>,
    },
    /// Extract a tree, to be measured by another process.
    Extract { source: PathBuf },
    /// Parse a tree, to be measured by another process.
    Parse { source: PathBuf },
}

impl Task {
    /// What the words after the program's name ask for.
    pub(crate) fn of(mut words: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut next = || words.next().ok_or(USAGE);
        let first = next()?;
        if first == EXTRACT {
            let source = next()?.into();
            return Ok(Self::Extract { source });
        }
        if first == PARSE {
            let source = next()?.into();
            return Ok(Self::Parse { source });
        }
        let (mut runs, mut program) = (RUNS, None);
        while let Some(option) = words.next() {
            let value = words.next().ok_or(USAGE)?;
            match option.to_str() {
                Some("--runs") => runs = value.to_str().ok_or(USAGE)?.parse()?,
                Some("--program") => program = Some(PathBuf::from(value)),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(Self::Compare {
            source: first.into(),
            runs,
            program,
        })
    }
}
