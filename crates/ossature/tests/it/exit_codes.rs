//! Exit codes: 2 for what the caller got wrong, 5 for storage and engines; standard output stays empty.

use std::ffi::OsString;
use std::fs;

use crate::program::{Failure, Lake, ossature, output};
use crate::shop::{Tree, shop};

/// The program ends with `code`, says `words` on standard error and nothing on standard output.
#[track_caller]
fn check(arguments: Vec<OsString>, code: i32, words: &[&str]) -> Result<(), Failure> {
    let answer = ossature(arguments)?;
    assert_eq!(answer.code, Some(code), "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
    // Long lines are folded.
    let said = answer
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for word in words {
        assert!(said.contains(word), "`{word}` in\n{}", answer.stderr);
    }
    Ok(())
}

#[test]
fn arguments_that_cannot_be_read_are_usage() -> Result<(), Failure> {
    let lake = Lake::new()?;
    check(Vec::new(), 2, &["Usage"])?;
    check(vec!["demolish".into()], 2, &["demolish"])?;
    check(vec!["query".into(), "SELECT 1".into()], 2, &["--lake"])?;
    for (option, value) in [
        ("--threads", "0"),
        ("--python-version", "2.7"),
        ("--python-version", "3.99"),
        ("--max-file-bytes", "0"),
        ("--format", "xml"),
    ] {
        check(
            lake.arguments(&["build", ".", option, value]),
            2,
            &[option, value],
        )?;
    }
    Ok(())
}

#[test]
fn a_lake_without_runs_has_nothing_to_query() -> Result<(), Failure> {
    let lake = Lake::new()?;
    check(
        lake.arguments(&["query", "SELECT 1"]),
        2,
        &[
            "nothing_published",
            "has no published run",
            "help: there is no such folder: see to `--lake`, or run `ossature build",
        ],
    )?;
    let runs = ossature(lake.arguments(&["runs", "--format", "json"]))?;
    assert_eq!((runs.code, runs.stdout.trim()), (Some(0), "[]"));
    assert!(runs.stderr.starts_with("warning: no run is recorded in"));
    check(
        lake.arguments(&["show", "nobody"]),
        2,
        &["no_such_run", "`nobody`"],
    )?;
    assert!(!lake.path().exists(), "readers make no lake");
    Ok(())
}

#[test]
fn what_does_not_exist_is_usage() -> Result<(), Failure> {
    let lake = &shop()?.lake;
    check(
        lake.arguments(&["show", "nobody"]),
        2,
        &["no_such_run", "`nobody`", "help: run `ossature runs"],
    )?;
    check(
        lake.arguments(&["query", "SELECT 1", "--run", "nobody"]),
        2,
        &["no_such_run"],
    )?;
    check(
        lake.arguments(&["query", "SELECT * FROM nowhere"]),
        2,
        &["query_failed", "nowhere", "SHOW TABLES"],
    )?;
    check(lake.arguments(&["query", "SELEC 1"]), 2, &["query_failed"])?;
    check(
        lake.arguments(&["query", "SELECT 1; SELECT 2"]),
        2,
        &["query_failed"],
    )?;
    check(
        lake.arguments(&["query", "SELECT 1", "--format", "parquet"]),
        2,
        &["no_output_file", "--output"],
    )
}

#[test]
fn a_source_that_is_no_folder_is_usage_and_makes_no_lake() -> Result<(), Failure> {
    let lake = Lake::new()?;
    let tree = Tree::empty()?;
    tree.write("file.py", "x = 1\n")?;
    for name in ["missing", "file.py"] {
        let source = tree.root().join(name);
        check(
            lake.build_arguments(&source, 1),
            2,
            &["source_root_unreadable", name],
        )?;
    }
    assert!(!lake.path().exists());
    Ok(())
}

#[test]
fn help_tells_every_exit_code() -> Result<(), Failure> {
    let help = output(["--help"])?;
    for code in ["0", "1", "2", "3", "4", "5", "130", "143"] {
        let is_row = |line: &str| line.split_whitespace().next() == Some(code);
        assert!(help.lines().any(is_row), "{code} in\n{help}");
    }
    let help = output(["build", "--help"])?;
    assert!(help.contains("130 or 143"), "{help}");
    Ok(())
}

#[test]
fn a_lake_that_is_no_folder_is_usage() -> Result<(), Failure> {
    let (tree, lake) = (Tree::empty()?, Lake::new()?);
    fs::write(lake.path(), "a file where the lake should be")?;
    check(
        lake.build_arguments(tree.root(), 1),
        2,
        &["invalid_location", "is not a folder"],
    )
}

#[test]
fn values_that_a_format_cannot_hold_are_usage() -> Result<(), Failure> {
    let sql = "SELECT MAP {1: 2} AS numbers";
    for format in ["csv", "json"] {
        check(
            shop()?.lake.arguments(&["query", sql, "--format", format]),
            2,
            &["render_failed", "help: cast the column"],
        )?;
    }
    Ok(())
}

#[test]
fn storage_that_fails_is_five() -> Result<(), Failure> {
    let lake = Lake::new()?;
    let log = lake.path().join("_ossature/run_manifest/_delta_log");
    fs::create_dir_all(&log)?;
    fs::write(log.join("00000000000000000000.json"), "{ this is no commit")?;
    check(lake.arguments(&["query", "SELECT 1"]), 5, &[])?;

    let output = lake.path().join("no/such/folder/rows.csv");
    let output = output.to_str().unwrap_or_default();
    let arguments = ["query", "SELECT 1 AS one", "--output", output];
    check(shop()?.lake.arguments(&arguments), 5, &["output_failed"])
}
