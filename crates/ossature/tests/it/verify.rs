//! `verify`: damage of every kind is found, and the next build restores what it can.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{Failure, Lake, files_below, ossature, output};
use crate::shop::Tree;

/// A lake of a small tree.
fn built() -> Result<(Lake, Tree), Failure> {
    let (lake, tree) = (Lake::new()?, Tree::empty()?);
    tree.write(
        "one.py",
        "import os\n\n\ndef f(a):\n    return os.path.join(a, g(a))\n\n\ndef g(b):\n    return b\n",
    )?;
    lake.build(tree.root(), 2)?;
    Ok((lake, tree))
}

/// The one data file of a table.
fn file_of(lake: &Lake, table: &str) -> Result<PathBuf, Failure> {
    let files = files_below(&lake.path().join(table))?.into_iter();
    let mut files = files.filter(|path| path.extension().is_some_and(|it| it == "parquet"));
    files
        .next()
        .ok_or_else(|| format!("{table} has no file").into())
}

/// What `verify` finds, as codes and tables, and its exit code.
type Verified = (Vec<(String, String)>, Option<i32>);

#[track_caller]
fn verify(lake: &Lake, arguments: &[&str]) -> Result<Verified, Failure> {
    let mut all = vec!["verify", "--format", "json"];
    all.extend(arguments);
    let answer = ossature(lake.arguments(&all))?;
    let said: Value = serde_json::from_str(&answer.stdout)?;
    let findings = said["findings"].as_array().ok_or("it has findings")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = findings
        .iter()
        .map(|finding| (text(&finding["code"]), text(&finding["name"])));
    Ok((found.collect(), answer.code))
}

fn flip_a_bit(path: &Path) -> Result<(), Failure> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(path, bytes)?)
}

#[test]
fn a_lake_that_nobody_touched_is_as_it_was_written() -> Result<(), Failure> {
    let (lake, tree) = built()?;
    assert_eq!(verify(&lake, &[])?, (vec![], Some(0)));
    tree.write("two.py", "x = 1\n")?;
    lake.build(tree.root(), 2)?;
    assert_eq!(verify(&lake, &["--all"])?, (vec![], Some(0)));
    let said = output(lake.arguments(&["verify", "--all"]))?;
    assert!(said.contains(" of 2 runs: "), "{said}");
    assert!(
        said.ends_with("everything is as it was written\n"),
        "{said}"
    );
    Ok(())
}

#[test]
fn damage_is_found_and_a_build_of_the_same_sources_restores_it() -> Result<(), Failure> {
    let (lake, tree) = built()?;
    let before = lake.data_files()?;
    flip_a_bit(&file_of(&lake, "cpg/cpg_nodes")?)?;
    fs::remove_file(file_of(&lake, "cpg/cpg_edges")?)?;
    let shorter = file_of(&lake, "extract/nodes")?;
    let bytes = fs::read(&shorter)?;
    fs::write(&shorter, &bytes[..bytes.len() - 1])?;

    let want = [
        ("file_missing", "cpg.cpg_edges"),
        ("file_content_differs", "cpg.cpg_nodes"),
        ("file_length_differs", "extract.nodes"),
    ];
    let want: Vec<_> = want
        .map(|(code, table)| (code.to_owned(), table.to_owned()))
        .into();
    assert_eq!(verify(&lake, &[])?, (want, Some(4)));
    let answer = ossature(lake.arguments(&["verify"]))?;
    assert!(answer.stdout.contains("3 differences"), "{}", answer.stdout);
    assert!(answer.stderr.contains("lake_differs"), "{}", answer.stderr);

    let answer = ossature(lake.build_arguments(tree.root(), 2))?;
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    for table in ["cpg.cpg_edges", "cpg.cpg_nodes", "extract.nodes"] {
        let words = format!("damaged files of {table} restored: 1\n");
        assert!(answer.stderr.contains(&words), "{}", answer.stderr);
    }
    assert_eq!(answer.stderr.lines().count(), 3, "{}", answer.stderr);
    assert_eq!(lake.data_files()?, before);
    assert_eq!(verify(&lake, &["--all"])?, (vec![], Some(0)));
    let restored = "SELECT count(*) FROM runs.write_artifacts WHERE files_restored = 1";
    assert_eq!(lake.number(restored)?, 3);
    Ok(())
}

#[test]
fn a_table_that_somebody_else_changed_is_not_what_was_published() -> Result<(), Failure> {
    let (lake, _) = built()?;
    let log = lake.path().join("cpg/calls/_delta_log");
    let commit = log.join("00000000000000000001.json");
    let text = fs::read_to_string(&commit)?;
    let is_add = |line: &&str| line.starts_with("{\"add\"");
    assert_eq!(text.lines().filter(is_add).count(), 1);
    let others: Vec<&str> = text.lines().filter(|line| !is_add(line)).collect();
    fs::write(&commit, others.join("\n"))?;
    let want = ("table_content_differs".to_owned(), "cpg.calls".to_owned());
    assert_eq!(verify(&lake, &[])?, (vec![want], Some(4)));

    fs::write(log.join("00000000000000000000.json"), "{ this is no commit")?;
    let (found, code) = verify(&lake, &[])?;
    assert_eq!(code, Some(4));
    let [(_, table)] = found.as_slice() else {
        return Err(format!("{found:?}").into());
    };
    assert_eq!(table, "cpg.calls");
    Ok(())
}

/// Replaces text in the newest commit of a table.
#[track_caller]
fn edit_log(lake: &Lake, table: &str, from: &str, to: &str) -> Result<(), Failure> {
    let log = lake.path().join(table).join("_delta_log");
    let commit = log.join("00000000000000000001.json");
    let text = fs::read_to_string(&commit)?;
    assert!(text.contains(from), "{from} is not in {text}");
    Ok(fs::write(commit, text.replacen(from, to, 1))?)
}

#[test]
fn bounds_that_were_changed_lose_no_rows_in_silence() -> Result<(), Failure> {
    let (lake, tree) = built()?;
    edit_log(
        &lake,
        "extract/files",
        r#"\"maxValues\":{\"file_id\":"#,
        r#"\"maxValues\":{\"file_id\":-"#,
    )?;
    let want = vec![("log_differs".to_owned(), "extract.files".to_owned())];
    assert_eq!(verify(&lake, &[])?, (want, Some(4)));
    let answer = ossature(lake.arguments(&["query", "SELECT count(*) FROM extract.files"]))?;
    assert_eq!(answer.code, Some(4), "{}", answer.stderr);
    assert!(answer.stderr.contains("log_differs"), "{}", answer.stderr);
    assert!(answer.stderr.contains("help: "), "{}", answer.stderr);

    // What was built on it would be published as if nothing had happened.
    let answer = ossature(lake.build_arguments(tree.root(), 2))?;
    assert_eq!(answer.code, Some(4), "{}", answer.stderr);
    assert!(answer.stderr.contains("log_differs"), "{}", answer.stderr);
    assert_eq!(lake.runs()?.len(), 1);

    // What the message says.
    fs::remove_dir_all(lake.path().join("extract/files"))?;
    lake.build(tree.root(), 2)?;
    assert_eq!(verify(&lake, &[])?, (vec![], Some(0)));
    let answer = ossature(lake.arguments(&["verify", "--all"]))?;
    assert!(
        answer.stdout.contains("table_recreated"),
        "{}",
        answer.stdout
    );
    Ok(())
}

#[test]
fn records_that_lost_their_end_are_missed() -> Result<(), Failure> {
    let (lake, tree) = built()?;
    edit_log(&lake, "_ossature/plan_artifacts", "cpg.", "cpa.")?;
    let want = |code: &str, table: &str| (code.to_owned(), table.to_owned());
    assert_eq!(
        verify(&lake, &[])?,
        (vec![want("log_differs", "runs.plan_artifacts")], Some(4))
    );

    let ledger = lake.path().join("_ossature/run_manifest/_delta_log");
    let last = ledger.join("00000000000000000002.json");
    fs::remove_file(&last)?;
    // The run has begun, as far as is known, and has published nothing.
    let answer = ossature(lake.arguments(&["verify"]))?;
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    fs::remove_dir_all(lake.path().join("_ossature/run_manifest"))?;
    let (found, code) = verify(&lake, &[])?;
    assert_eq!(code, Some(4));
    assert!(
        found.contains(&want("run_unknown", "cpg.cpg_nodes")),
        "{found:?}"
    );
    // A run that finds the same there publishes it, whoever wrote it.
    lake.build(tree.root(), 2)?;
    let (found, _) = verify(&lake, &[])?;
    assert!(
        found.iter().all(|(code, _)| code != "run_unknown"),
        "{found:?}"
    );
    Ok(())
}

#[test]
fn damaged_records_are_found_though_they_cannot_be_read() -> Result<(), Failure> {
    let (lake, _) = built()?;
    for file in files_below(&lake.path().join("_ossature/run_manifest"))? {
        if file.extension().is_some_and(|it| it == "parquet") {
            fs::write(file, "PAR1 this is no Parquet PAR1")?;
        }
    }
    let length = (
        "file_length_differs".to_owned(),
        "runs.run_manifest".to_owned(),
    );
    assert_eq!(verify(&lake, &[])?, (vec![length.clone(), length], Some(4)));
    // Other commands cannot go on, and say what can be done.
    let answer = ossature(lake.arguments(&["runs"]))?;
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("`ossature verify` tells"),
        "{}",
        answer.stderr
    );
    Ok(())
}

#[test]
fn records_that_every_run_writes_are_missed() -> Result<(), Failure> {
    let (lake, _) = built()?;
    let answer = ossature(lake.arguments(&["verify", "no-such-run"]))?;
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    fs::remove_dir_all(lake.path().join("_ossature/write_artifacts"))?;
    let lost = ("no_table".to_owned(), "runs.write_artifacts".to_owned());
    assert_eq!(verify(&lake, &[])?, (vec![lost], Some(4)));
    flip_a_bit(&file_of(&lake, "_ossature/plan_artifacts")?)?;
    // It is the caller who is wrong, whatever else there is.
    let answer = ossature(lake.arguments(&["verify", "no-such-run"]))?;
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    Ok(())
}

#[test]
fn records_that_were_lost_are_missed_after_the_next_run() -> Result<(), Failure> {
    let (lake, tree) = built()?;
    let log = lake.path().join("_ossature/write_artifacts/_delta_log");
    fs::remove_file(log.join("00000000000000000001.json"))?;
    tree.write("two.py", "x = 1\n")?;
    lake.build(tree.root(), 2)?;
    assert_eq!(verify(&lake, &[])?, (vec![], Some(0)));
    let lost = ("log_differs".to_owned(), "runs.write_artifacts".to_owned());
    assert_eq!(verify(&lake, &["--all"])?, (vec![lost], Some(4)));
    Ok(())
}

#[test]
fn a_store_that_does_not_answer_is_no_difference() -> Result<(), Failure> {
    let (lake, _) = built()?;
    // A link that leads to itself cannot be followed, by no user.
    let file = file_of(&lake, "cpg/cpg_nodes")?;
    let bytes = fs::read(&file)?;
    fs::remove_file(&file)?;
    std::os::unix::fs::symlink(&file, &file)?;
    let unreadable = ("file_unreadable".to_owned(), "cpg.cpg_nodes".to_owned());
    assert_eq!(verify(&lake, &[])?, (vec![unreadable], Some(5)));
    fs::remove_file(&file)?;
    fs::write(&file, bytes)?;
    assert_eq!(verify(&lake, &[])?, (vec![], Some(0)));
    Ok(())
}

#[test]
fn runs_are_named() -> Result<(), Failure> {
    let (lake, tree) = built()?;
    let first = lake.runs()?[0]["run_id"]
        .as_str()
        .ok_or("it has an id")?
        .to_owned();
    flip_a_bit(&file_of(&lake, "extract/imports")?)?;
    tree.write("one.py", "def f(a):\n    return a\n")?;
    lake.build(tree.root(), 2)?;
    assert_eq!(verify(&lake, &[])?, (vec![], Some(0)));
    let damaged = (
        "file_content_differs".to_owned(),
        "extract.imports".to_owned(),
    );
    assert_eq!(verify(&lake, &[&first])?, (vec![damaged.clone()], Some(4)));
    assert_eq!(verify(&lake, &["--all"])?, (vec![damaged], Some(4)));
    let answer = ossature(lake.arguments(&["verify", "no-such-run"]))?;
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    Ok(())
}

#[test]
fn a_killed_run_is_aborted_when_the_next_one_begins() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, Tree::of_the_shop()?);
    let mut build = lake.build_until(tree.root(), 10)?;
    build.kill()?;
    build.wait()?;
    let killed = lake.runs()?;
    lake.build(tree.root(), 2)?;
    let runs = lake.runs()?;
    assert_eq!(runs[0]["status"], "completed");
    assert_eq!(runs.len(), killed.len() + 1);
    for run in &runs[1..] {
        assert_eq!(run["status"], "aborted", "{run}");
        assert!(run["ended_at_unix_ms"].is_i64(), "{run}");
    }
    Ok(())
}
