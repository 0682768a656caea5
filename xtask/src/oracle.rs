//! The extractor against CPython: our tables of a corpus, compared with what CPython's own modules say.

use std::path::Path;

use crate::error::Error;
use crate::process;

/// The program that writes our tables of a corpus.
const BUILD: &[&str] = &[
    "cargo",
    "build",
    "--release",
    "-p",
    "ossature-python-extract",
    "--example",
    "dump",
];

/// Builds the extractor's example `dump` and hands the corpus to the comparison.
///
/// **Errors**: [`Error::Failed`] when a difference was found, or when something did not run.
pub(crate) fn run(root: &Path, corpus: &Path) -> Result<(), Error> {
    process::run(root, BUILD, &[])?;
    let corpus = corpus.to_string_lossy();
    process::run(root, &["python3", "tests/oracle/oracle.py", &corpus], &[])
}
