//! The fuzzer: its versions are those of the workspace, and it starts from the examples of contracts.

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::process;

/// Without a sanitizer, for which the toolchain would have to be another one: the code has no `unsafe`, and what is looked
/// for are panics, endless recursion and large allocations.
const COMMAND: &[&str] = &[
    "cargo",
    "fuzz",
    "run",
    "--sanitizer",
    "none",
    "decode",
    "fuzz/corpus/decode",
    "contracts/examples",
    "contracts/rejected",
    "--",
];

/// Runs the fuzzer for so long, or until it found something.
///
/// **Errors**: [`Error::Io`] when the lock file cannot be copied, [`Error::Failed`] when something was found.
pub(crate) fn run(root: &Path, seconds: u32) -> Result<(), Error> {
    let corpus = root.join("fuzz/corpus/decode");
    fs::create_dir_all(&corpus).map_err(|source| Error::Io {
        path: corpus,
        source,
    })?;
    let lock = root.join("fuzz/Cargo.lock");
    fs::copy(root.join("Cargo.lock"), &lock).map_err(|source| Error::Io { path: lock, source })?;
    let limit = format!("-max_total_time={seconds}");
    process::run(root, &[COMMAND, &[limit.as_str()]].concat(), &[])
}
