//! Lakes in buckets: the same program, the same tables. Each test wants a server, which a variable names; without one it is
//! skipped, aloud.
//!
//! `OSSATURE_TEST_S3=s3://bucket/folder` with `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP` and so on;
//! `OSSATURE_TEST_AZURE=az://container/folder` with `AZURE_STORAGE_USE_EMULATOR` and so on.

use std::ffi::OsString;

use serde_json::Value;

use crate::program::{Failure, Lake, command, output};
use crate::shop::Tree;

/// Where the lake is to lie, in a folder of its own.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "servers are no part of a test run, and their absence is to be seen"
)]
fn bucket(variable: &str) -> Option<String> {
    let Ok(root) = std::env::var(variable) else {
        eprintln!("skipped: {variable} names no lake");
        return None;
    };
    let folder = std::process::id();
    Some(format!("{}/{folder}", root.trim_end_matches('/')))
}

fn on(lake: &str, arguments: &[&str]) -> Vec<OsString> {
    let lake = ["--lake", lake].into_iter();
    arguments
        .iter()
        .copied()
        .chain(lake)
        .map(OsString::from)
        .collect()
}

fn json(lake: &str, arguments: &[&str]) -> Result<Value, Failure> {
    Ok(serde_json::from_str(&output(on(lake, arguments))?)?)
}

/// The content of what was built, by table.
fn contents(runs: &Value) -> Vec<(String, String)> {
    let outputs = runs[0]["outputs"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    outputs
        .map(|output| (text(&output["name"]), text(&output["content_hash"])))
        .collect()
}

fn check(lake: &str) -> Result<(), Failure> {
    let (local, tree) = (Lake::new()?, Tree::of_the_shop()?);
    let root = tree.root().display().to_string();
    let build = ["build", &root, "--format", "json"];
    json(lake, &build)?;
    local.build(tree.root(), 2)?;
    let want = contents(&Value::from(local.runs()?));
    assert!(want.len() > 20);
    let runs = ["runs", "--format", "json"];
    assert_eq!(contents(&json(lake, &runs)?), want);

    let sql = "SELECT count(*) AS nodes FROM cpg_nodes";
    let rows = json(lake, &["query", sql, "--format", "json"])?;
    assert_eq!(rows[0]["nodes"].as_u64(), Some(local.number(sql)?));
    let lookup = "SELECT name FROM cpg_nodes WHERE node_id = (SELECT max(node_id) FROM cpg_nodes)";
    assert_eq!(
        json(lake, &["query", lookup, "--format", "json"])?,
        Value::from(local.query(lookup)?)
    );

    // The same again commits nothing, and two at once do not harm each other.
    let before = json(lake, &runs)?[0]["outputs"].clone();
    let other = command(on(lake, &build)).spawn()?;
    let one = command(on(lake, &build)).output()?;
    let other = other.wait_with_output()?;
    assert!(one.status.success() || other.status.success());
    let after = json(lake, &runs)?;
    assert_eq!(after[0]["outputs"], before);
    let verified = json(lake, &["verify", "--all", "--format", "json"])?;
    assert_eq!(verified["findings"], Value::from(Vec::<Value>::new()));
    Ok(())
}

#[test]
fn a_lake_in_s3_is_a_lake() -> Result<(), Failure> {
    bucket("OSSATURE_TEST_S3").map_or(Ok(()), |lake| check(&lake))
}

#[test]
fn a_lake_in_azure_is_a_lake() -> Result<(), Failure> {
    bucket("OSSATURE_TEST_AZURE").map_or(Ok(()), |lake| check(&lake))
}
