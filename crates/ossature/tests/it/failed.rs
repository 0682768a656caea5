//! A run that fails is recorded as failed, and where that is impossible, somebody is told.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::policy::File;
use crate::program::{Failure, Lake, ossature, output};
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

/// The files that a commit adds, in its order: that of the rows.
fn added(table: &Path, version: u64) -> Result<Vec<String>, Failure> {
    let commit = table.join(format!("_delta_log/{version:020}.json"));
    let mut files = Vec::new();
    for line in fs::read_to_string(commit)?.lines() {
        let action: Value = serde_json::from_str(line)?;
        files.extend(action["add"]["path"].as_str().map(str::to_owned));
    }
    Ok(files)
}

#[test]
fn a_failed_write_tells_what_it_left_behind() -> Result<(), Failure> {
    let (tree, lake) = (tree()?, Lake::new()?);
    let policy = File::new("[tables.\"cpg.cpg_nodes\"]\nrows_per_file_max = 2\n")?;
    // Equal rows give equal files, so another lake tells which file is stored last.
    let sound = Lake::new()?;
    let built = ossature(policy.build(&sound, &tree))?;
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    let files = added(&sound.path().join("cpg/cpg_nodes"), 1)?;
    let last = files.last().ok_or("files were added")?;
    assert!(files.len() > 2, "{files:?}");
    let table = lake.path().join("cpg/cpg_nodes");
    fs::create_dir_all(table.join(last).join("in the way"))?;

    let answer = ossature(policy.build(&lake, &tree))?;
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    let runs = lake.runs()?;
    let run = runs[0]["run_id"].as_str().unwrap_or_default();
    let shown = output(lake.arguments(&["show", run, "--format", "json"]))?;
    let shown: Value = serde_json::from_str(&shown)?;
    let failures = shown["decisions"]["failures"].as_array();
    let Some([failure]) = failures.map(Vec::as_slice) else {
        return Err("one write failed".into());
    };
    assert_eq!(failure["dataset"], "cpg.cpg_nodes");
    assert_eq!(failure["code"], shown["failure"]["code"]);
    assert_eq!(failure["version"], 0);
    let message = failure["message"].as_str().unwrap_or_default();
    assert!(message.contains(last), "{message}");
    let orphans = failure["orphans"].as_array().into_iter().flatten();
    let orphans: Vec<&str> = orphans.filter_map(Value::as_str).collect();
    assert!(orphans.len() > 1, "{failure}");
    let live = added(&table, 0)?;
    let people = output(lake.arguments(&["show", run]))?;
    for orphan in orphans {
        assert!(table.join(orphan).exists(), "{orphan}");
        assert!(!live.iter().any(|file| file == orphan), "{orphan}");
        assert!(people.contains(orphan), "{orphan} in\n{people}");
    }
    assert!(!table.join("_delta_log/00000000000000000001.json").exists());

    // Whoever wants to read what it published is told what became of it.
    for command in [
        &["query", "SELECT 1", "--run", run][..],
        &["verify", run],
        &["replay", run],
    ] {
        let answer = ossature(lake.arguments(command))?;
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert!(
            answer.stderr.contains("run_not_published"),
            "{}",
            answer.stderr
        );
    }
    Ok(())
}
