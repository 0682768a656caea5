//! The extractor against CPython 3.11: syntax trees and symbol tables of a corpus that has every construct.
//!
//! Without CPython 3.11 the tests say so and compare nothing; where `CI` is set, they fail.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test is run by a person or by a build machine, which the environment tells apart"
)]

#[path = "../examples/dump/render.rs"]
mod render;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle")
}

fn python() -> Option<&'static str> {
    let is_right = |python: &&str| {
        let version = Command::new(python)
            .args([
                "-c",
                "import sys; print(sys.implementation.name, *sys.version_info[:2])",
            ])
            .output();
        version.is_ok_and(|output| output.stdout.trim_ascii() == b"cpython 3 11")
    };
    let found = ["python3.11", "python3"].into_iter().find(is_right);
    if found.is_none() {
        assert!(
            std::env::var("CI").is_err(),
            "a build machine needs CPython 3.11"
        );
        // Past the capture of output, which would hide it as long as the test passes.
        let mut stderr = io::stderr().lock();
        stderr
            .write_all(b"SKIPPED: there is no CPython 3.11 to compare with\n")
            .unwrap();
    }
    found
}

/// Runs the comparison over facts that were extracted with one thread.
fn compare(python: &str, arguments: &[&str]) -> Output {
    let corpus = folder().join("corpus");
    let scratch = tempfile::tempdir().unwrap();
    let facts = scratch.path().join("facts.jsonl");
    let mut out = BufWriter::new(File::create(&facts).unwrap());
    render::dump(&corpus, NonZeroUsize::MIN, None, &mut out)
        .unwrap()
        .unwrap();
    Command::new(python)
        .arg(folder().join("oracle.py"))
        .arg("--corpus")
        .arg(corpus)
        .arg("--facts")
        .arg(facts)
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn check(arguments: &[&str], is_equal: bool) {
    let Some(python) = python() else { return };
    let output = compare(python, arguments);
    let said = String::from_utf8_lossy(&output.stdout);
    let summary = said.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(i32::from(!is_equal)), "{said}");
    assert_eq!(
        summary.ends_with("passed, 0 failed, 0 not parsed by CPython"),
        is_equal,
        "{said}"
    );
}

#[test]
fn every_node_of_the_syntax_tree_is_that_of_cpython() {
    check(&["--only", "ast"], true);
}

#[test]
fn every_scope_and_every_name_is_that_of_cpython() {
    check(&["--only", "symtable"], true);
}

#[test]
fn a_damaged_tree_is_noticed() {
    for kind in ["drop", "shift", "parent"] {
        check(&["--only", "ast", "--damage", kind], false);
    }
}

#[test]
fn a_damaged_symbol_table_is_noticed() {
    for kind in ["flag", "name", "scope"] {
        check(&["--only", "symtable", "--damage", kind], false);
    }
}
