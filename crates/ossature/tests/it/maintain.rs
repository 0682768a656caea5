//! `maintain`: what it does to a lake, what it leaves alone, and what readers see afterwards.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::policy::File;
use crate::program::{Failure, Lake, files_below, ossature, output};
use crate::shop::Tree;

const POLICY: &str =
    "[defaults]\nvacuum = { after_days = 7 }\ncompaction = { small_files_max = 4 }\n";

const LONG_AGO_UNIX_MS: u64 = 1_600_000_000_000;

const ORPHAN: &str = "cpg/cpg_nodes/part-left-behind.parquet";

/// Three builds of a tree that changes, and a file that no version has; all of it looks old.
struct Old {
    lake: Lake,
    policy: File,
}

impl Old {
    fn new() -> Result<Self, Failure> {
        let (lake, tree, policy) = (Lake::new()?, Tree::empty()?, File::new(POLICY)?);
        let function = |number| format!("def f{number}(a):\n    return g{number}(a)\n\n");
        for builds in 1..=3 {
            let text: String = (0..builds).map(function).collect();
            tree.write("one.py", text)?;
            output(policy.build(&lake, &tree))?;
        }
        fs::write(lake.path().join(ORPHAN), "no version has it")?;
        for file in files_below(&lake.path())? {
            age(&file)?;
        }
        Ok(Self { lake, policy })
    }

    fn arguments(&self, arguments: &[&str]) -> Vec<OsString> {
        let mut all = self.lake.arguments(&["maintain", "--format", "json"]);
        all.extend(self.policy.arguments(arguments));
        all
    }

    /// What maintenance says of every table.
    #[track_caller]
    fn maintain(&self, arguments: &[&str]) -> Result<Vec<Value>, Failure> {
        Ok(serde_json::from_str(&output(self.arguments(arguments))?)?)
    }

    /// Every file of the lake with its bytes.
    fn files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, Failure> {
        let files = files_below(&self.lake.path())?.into_iter();
        files
            .map(|path| Ok((path.clone(), fs::read(path)?)))
            .collect()
    }

    /// The rows of every run, by run and query.
    fn rows(&self) -> Result<BTreeMap<(String, &'static str), Vec<String>>, Failure> {
        let mut rows = BTreeMap::new();
        for run in self.lake.runs()? {
            let run = run["run_id"].as_str().unwrap_or_default();
            for sql in ["SELECT * FROM cpg_nodes", "SELECT * FROM cpg_edges"] {
                let query = ["query", sql, "--format", "csv", "--run", run];
                let said = output(self.lake.arguments(&query))?;
                let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
                assert!(lines.len() > 1, "{sql}");
                lines.sort_unstable();
                rows.insert((run.to_owned(), sql), lines);
            }
        }
        Ok(rows)
    }
}

/// Makes a file look as if it had been written long ago, and what a commit removes as if it had been removed then.
fn age(path: &Path) -> Result<(), Failure> {
    if path.extension().is_some_and(|it| it == "json") {
        let mut text = String::new();
        for line in fs::read_to_string(path)?.lines() {
            let mut action: Value = serde_json::from_str(line)?;
            if action["remove"].is_object() {
                action["remove"]["deletionTimestamp"] = LONG_AGO_UNIX_MS.into();
            }
            text.push_str(&action.to_string());
            text.push('\n');
        }
        fs::write(path, text)?;
    }
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_millis(LONG_AGO_UNIX_MS);
    let file = fs::File::options().write(true).open(path)?;
    Ok(file.set_modified(long_ago)?)
}

/// What was done: table and kind of upkeep.
fn done(facts: &[Value]) -> Vec<(&str, &str)> {
    let done = facts.iter().filter(|fact| fact["is_done"] == true);
    done.filter_map(|fact| Some((fact["dataset"].as_str()?, fact["upkeep"].as_str()?)))
        .collect()
}

#[test]
fn published_runs_outlive_maintenance_and_orphans_do_not() -> Result<(), Failure> {
    let old = Old::new()?;
    let (files, rows) = (old.files()?, old.rows()?);
    assert_eq!(rows.len(), 6);

    let planned = old.maintain(&["--dry-run"])?;
    assert_eq!(old.files()?, files, "a dry run changes nothing");
    let facts = old.maintain(&[])?;
    assert_eq!(
        done(&facts),
        [
            ("cpg.cpg_nodes", "vacuum"),
            ("runs.run_manifest", "compaction")
        ]
    );
    assert_eq!(done(&planned), done(&facts));
    let after = old.files()?;
    let gone: Vec<&PathBuf> = files
        .keys()
        .filter(|file| !after.contains_key(*file))
        .collect();
    assert_eq!(gone, [&old.lake.path().join(ORPHAN)]);
    assert_eq!(old.rows()?, rows);

    let again = old.maintain(&[])?;
    assert_eq!(done(&again), []);
    assert_eq!(old.files()?, after, "there is nothing left to do");
    let recorded = "SELECT count(*) FROM runs.maintenance_facts WHERE is_done";
    assert_eq!(old.lake.number(recorded)?, 2);
    let recorded = "SELECT sum(files_deleted) FROM runs.maintenance_facts";
    assert_eq!(old.lake.number(recorded)?, 1);
    Ok(())
}

#[test]
fn a_table_that_cannot_be_opened_is_named_and_the_others_are_kept_up() -> Result<(), Failure> {
    let old = Old::new()?;
    for table in ["cpg/calls", "extract/files"] {
        let log = old.lake.path().join(table).join("_delta_log");
        fs::write(log.join("00000000000000000000.json"), "{ this is no commit")?;
    }
    let answer = ossature(old.arguments(&[]))?;
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    for words in ["upkeep_failed", "`cpg.calls`", "`extract.files`"] {
        assert!(
            answer.stderr.contains(words),
            "{words} in\n{}",
            answer.stderr
        );
    }
    let facts: Vec<Value> = serde_json::from_str(&answer.stdout)?;
    assert!(done(&facts).contains(&("cpg.cpg_nodes", "vacuum")));
    assert!(facts.iter().all(|fact| fact["dataset"] != "cpg.calls"));
    assert!(!old.lake.path().join(ORPHAN).exists());
    Ok(())
}

#[test]
fn people_get_a_table() -> Result<(), Failure> {
    let old = Old::new()?;
    let mut arguments = old.lake.arguments(&["maintain", "--dry-run"]);
    arguments.extend(old.policy.arguments(&[]));
    let said = output(arguments)?;
    let row = said
        .lines()
        .find(|line| line.contains("cpg.cpg_nodes") && line.contains("vacuum"));
    let row = row.ok_or("the nodes have a row")?;
    assert!(row.contains("pinned"), "{row}");
    assert!(said.contains("would be done"), "{said}");
    // What is not due is counted.
    assert!(!said.contains("cpg.calls"), "{said}");
    let counted = "38 tables looked at; would be done: 2";
    assert!(said.ends_with(&format!("{counted}\n")), "{said}");
    Ok(())
}

#[test]
fn a_lake_without_runs_is_usage_and_stays_away() -> Result<(), Failure> {
    let lake = Lake::new()?;
    for option in [None, Some("--dry-run")] {
        let mut arguments = lake.arguments(&["maintain"]);
        arguments.extend(option.map(OsString::from));
        let answer = ossature(arguments)?;
        assert_eq!(answer.code, Some(2), "{}", answer.stderr);
        assert!(
            answer.stderr.contains("nothing_published"),
            "{}",
            answer.stderr
        );
        assert!(!lake.path().exists());
    }
    Ok(())
}
