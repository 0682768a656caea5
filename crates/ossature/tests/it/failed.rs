//! A run that fails is recorded as failed, and where that is impossible, somebody is told.

use std::fs;

use serde_json::Value;

use crate::program::{Failure, Lake, ossature};
use crate::shop::Tree;

fn tree() -> Result<Tree, Failure> {
    let tree = Tree::empty()?;
    tree.write("a.py", "def f():\n    return f()\n")?;
    Ok(tree)
}

#[test]
fn a_run_that_cannot_be_published_is_recorded_as_failed() -> Result<(), Failure> {
    let (tree, lake) = (tree()?, Lake::new()?);
    fs::create_dir_all(lake.path().join("_ossature"))?;
    let plans = lake.path().join("_ossature/plan_artifacts");
    fs::write(&plans, "a file where a table should be")?;
    let answer = ossature(lake.build_arguments(tree.root(), 1))?;
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    assert!(!answer.stderr.contains("warning"), "{}", answer.stderr);

    let runs = lake.runs()?;
    let [run] = runs.as_slice() else {
        return Err("one run was begun".into());
    };
    assert_eq!(run["status"], "failed");
    let message = run["failure"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("; the artifacts of the run could not be stored: "),
        "{message}"
    );

    fs::remove_file(plans)?;
    let summary = lake.build(tree.root(), 1)?;
    assert_eq!(summary["status"], "completed");
    Ok(())
}

#[test]
fn a_failure_that_cannot_be_recorded_is_told() -> Result<(), Failure> {
    let (tree, lake) = (Tree::of_the_shop()?, Lake::new()?);
    // More than the ledger has then: the run has begun, and tables are being made.
    let build = lake.build_until(tree.root(), 6)?;
    let log = lake.path().join("_ossature/run_manifest/_delta_log");
    let commit = log.join("00000000000000000000.json");
    let sound = fs::read(&commit)?;
    fs::write(&commit, "{ this is no commit")?;
    let answer = build.wait_with_output()?;
    let said = String::from_utf8(answer.stderr)?;
    assert_eq!(answer.status.code(), Some(5), "{said}");
    assert!(
        said.contains(
            "warning: the failure could not be recorded, and `ossature runs` still lists"
        ),
        "{said}"
    );

    fs::write(&commit, sound)?;
    let statuses: Vec<Value> = lake
        .runs()?
        .iter()
        .map(|run| run["status"].clone())
        .collect();
    assert_eq!(statuses, ["running"]);
    Ok(())
}
