//! Asked to stop: a run ends as failed, or it was too late and it is published; the exit code says which.

use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Answer, Failure, Lake};
use crate::shop::Tree;

fn send(signal: &str, to: &Child) -> Result<(), Failure> {
    let sent = Command::new("kill")
        .args(["-s", signal, &to.id().to_string()])
        .status()?;
    assert!(sent.success(), "{signal}");
    Ok(())
}

fn end(build: Child) -> Result<Answer, Failure> {
    let output = build.wait_with_output()?;
    Ok(Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

#[test]
fn a_signal_ends_the_run_as_failed_and_readers_see_the_run_before() -> Result<(), Failure> {
    let (tree, lake) = (Tree::of_the_shop()?, Lake::new()?);
    let before = lake.build(tree.root(), 2)?;
    let paths = "SELECT path FROM extract.files ORDER BY path";
    let published = lake.query(paths)?;
    for (signal, name, code) in [("TERM", "SIGTERM", 143), ("INT", "Ctrl-C", 130)] {
        tree.write(
            format!("{name}.py"),
            format!("def f():\n    return {code}\n"),
        )?;
        let build = lake.build_until(tree.root(), 5)?;
        send(signal, &build)?;
        let answer = end(build)?;
        assert_eq!(answer.code, Some(code), "{}", answer.stderr);
        assert_eq!(answer.stdout, "");
        for word in ["interrupted", name, "nothing was published"] {
            assert!(answer.stderr.contains(word), "{}", answer.stderr);
        }
        assert!(!answer.stderr.contains("warning"), "{}", answer.stderr);

        let runs = lake.runs()?;
        assert_eq!(runs[0]["status"], "failed");
        assert_eq!(runs[0]["failure"]["code"], "interrupted");
        assert_eq!(lake.query(paths)?, published);
    }
    let runs = lake.runs()?;
    assert_eq!(runs.len(), 3);
    assert_eq!(runs[2]["run_id"], before["run_id"]);
    assert_eq!(runs[2]["status"], "completed");
    Ok(())
}

#[test]
fn a_signal_that_comes_while_a_run_is_published_comes_too_late() -> Result<(), Failure> {
    let (tree, lake) = (Tree::empty()?, Lake::new()?);
    tree.write("a.py", "def f():\n    return f()\n")?;
    let mut build = lake.build_until(tree.root(), 1)?;
    // The first table that publishing writes.
    let plans = lake.path().join("_ossature/plan_artifacts");
    while !plans.exists() && build.try_wait()?.is_none() {
        sleep(Duration::from_millis(1));
    }
    send("TERM", &build)?;
    let answer = end(build)?;
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let summary: Value = serde_json::from_str(&answer.stdout)?;
    assert_eq!(summary["status"], "completed");
    // A machine that does other things meanwhile may have let the program end first.
    let is_told = answer.stderr.starts_with("warning: SIGTERM came too late");
    assert!(is_told || answer.stderr.is_empty(), "{}", answer.stderr);
    assert_eq!(lake.runs()?[0]["status"], "completed");
    Ok(())
}

#[test]
fn a_signal_at_the_very_beginning_is_not_lost() -> Result<(), Failure> {
    let (tree, lake) = (Tree::of_the_shop()?, Lake::new()?);
    let build = lake.build_until(tree.root(), 1)?;
    send("TERM", &build)?;
    let answer = end(build)?;
    assert_eq!(answer.code, Some(143), "{}", answer.stderr);
    let runs = lake.runs()?;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["status"], "failed");
    assert_eq!(runs[0]["failure"]["code"], "interrupted");
    Ok(())
}
