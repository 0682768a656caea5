//! The contracts of payloads: what is committed of them, what was released of them, and what decoding does with anything else.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]

mod decoding;
mod files;
mod hostile;
mod reference;
mod release;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect_file;
use ossature_artifacts::{CONTRACTS, Contract, Envelope};

/// The root of the clone.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where what was generated from [`CONTRACTS`] lies.
fn folder() -> PathBuf {
    root().join("contracts")
}

/// The files below a folder: their paths from it, each behind a prefix. A folder that is not there has none.
fn files_below(folder: &Path, prefix: &str) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path(), &format!("{path}/")));
        } else {
            files.insert(path);
        }
    }
    files
}

/// Compares a file, given by its path from the root, or writes it under `UPDATE_EXPECT=1`.
#[track_caller]
fn check(file: &str, want: &str) {
    let path = root().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    expect_file![path].assert_eq(want);
}

fn contract(kind: &str) -> &'static Contract {
    CONTRACTS.iter().find(|it| it.kind == kind).unwrap()
}

/// Canonical `MsgPack` as text: base64 and a line break.
fn to_base64(envelope: &Envelope) -> String {
    STANDARD.encode(envelope.to_msgpack().unwrap()) + "\n"
}

/// The bytes of such a text. `None` when it is not exactly that.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_suffix('\n')?).ok()
}
