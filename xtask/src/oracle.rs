//! The extractor against CPython: our facts of a corpus, compared with what CPython's own modules say.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::process;

/// The program that prints our facts of a source tree.
const BUILD: &[&str] = &[
    "cargo",
    "build",
    "--release",
    "-p",
    "ossature-python-extract",
    "--example",
    "dump",
];

/// The script that compares them.
const ORACLE: &str = "tests/oracle/oracle.py";

/// Builds the extractor's example `dump` and hands it, with the corpus, to the comparison.
///
/// **Errors**: [`Error::Failed`] when a difference was found, or when something did not run.
pub(crate) fn run(root: &Path, corpus: &Path) -> Result<(), Error> {
    let corpus = corpus.canonicalize().map_err(|source| Error::Io {
        path: corpus.to_owned(),
        source,
    })?;
    process::run(root, BUILD, &[])?;
    let dump = target_folder()?.join("release/examples/dump");
    let (corpus, dump) = (corpus.to_string_lossy(), dump.to_string_lossy());
    let command = ["python3", ORACLE, "--corpus", &corpus, "--dump", &dump];
    process::run(root, &command, &[])
}

/// Where cargo builds: this program lies in `debug/xtask` of that folder.
fn target_folder() -> Result<PathBuf, Error> {
    let here = std::env::current_exe().map_err(|source| Error::Io {
        path: PathBuf::from("xtask"),
        source,
    })?;
    Ok(here.ancestors().nth(2).unwrap_or(&here).to_owned())
}
