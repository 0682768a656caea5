//! `replay` and `explain-diff`: a run carried out again, and two runs compared.

use std::fs;

use serde_json::Value;

use crate::program::{Failure, Lake, command, files_below, ossature, output};
use crate::shop::{Tree, shop};

fn json(lake: &Lake, arguments: &[&str]) -> Result<(Value, Option<i32>), Failure> {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    let answer = ossature(lake.arguments(&all))?;
    let said = serde_json::from_str(&answer.stdout)
        .map_err(|error| format!("{error}: {}", answer.stderr))?;
    Ok((said, answer.code))
}

/// The tables of a replay with that outcome.
fn of_outcome<'a>(replay: &'a Value, outcome: &str) -> Vec<&'a str> {
    let tables = replay["tables"].as_array().into_iter().flatten();
    tables
        .filter(|table| table["outcome"] == outcome)
        .filter_map(|table| table["name"].as_str())
        .collect()
}

#[test]
fn a_run_carried_out_again_gives_every_byte() -> Result<(), Failure> {
    let shop = shop()?;
    let before = files_below(&shop.lake.path())?;
    for threads in ["1", "4"] {
        let (replay, code) = json(&shop.lake, &["replay", "--threads", threads])?;
        assert_eq!(code, Some(0), "{replay}");
        assert_eq!(replay["run_id"], shop.summary["run_id"]);
        assert_eq!(replay["is_other_environment"], false);
        let same = of_outcome(&replay, "same");
        assert!(
            same.len() > 10 && same.contains(&"cpg.cpg_edges"),
            "{same:?}"
        );
        let sources = of_outcome(&replay, "source");
        assert!(
            sources.iter().all(|it| it.starts_with("extract.")),
            "{sources:?}"
        );
        let outputs = shop.summary["outputs"].as_array().map(Vec::len);
        assert_eq!(Some(same.len() + sources.len()), outputs);
    }
    assert_eq!(
        files_below(&shop.lake.path())?,
        before,
        "nothing is written into the lake"
    );
    Ok(())
}

#[test]
fn what_is_computed_again_does_not_lie_in_the_lake() -> Result<(), Failure> {
    let shop = shop()?;
    let inside = shop.lake.path();
    let replay = command(shop.lake.arguments(&["replay"]))
        .env("TMPDIR", &inside)
        .output()?;
    let said = String::from_utf8_lossy(&replay.stderr).into_owned();
    assert_eq!(replay.status.code(), Some(5), "{said}");
    assert!(
        said.contains("scratch_failed") && said.contains("TMPDIR"),
        "{said}"
    );
    Ok(())
}

/// Two lakes whose sources differ by one word of a docstring, of the same length.
fn twins() -> Result<[(Lake, Tree); 2], Failure> {
    let built = |word: &str| -> Result<(Lake, Tree), Failure> {
        let (lake, tree) = (Lake::new()?, Tree::empty()?);
        tree.write("one.py", format!("\"\"\"Of {word}.\"\"\"\n"))?;
        lake.build(tree.root(), 1)?;
        Ok((lake, tree))
    };
    Ok([built("left")?, built("pert")?])
}

#[test]
fn rows_that_are_not_those_that_were_read_show() -> Result<(), Failure> {
    let [(lake, _), (other, _)] = twins()?;
    let file_of = |lake: &Lake| -> Result<std::path::PathBuf, Failure> {
        let files = files_below(&lake.path().join("extract/docstrings"))?.into_iter();
        let mut files = files.filter(|path| path.extension().is_some_and(|it| it == "parquet"));
        Ok(files.next().ok_or("the docstrings have a file")?)
    };
    let (ours, theirs) = (file_of(&lake)?, file_of(&other)?);
    // The log tells how long a file is, and nothing else that would show.
    assert_eq!(fs::metadata(&ours)?.len(), fs::metadata(&theirs)?.len());
    fs::copy(theirs, ours)?;
    let (replay, code) = json(&lake, &["replay"])?;
    assert_eq!(code, Some(4), "{replay}");
    let differs = of_outcome(&replay, "differs");
    assert!(differs.contains(&"cpg.cpg_props"), "{replay}");
    // The others were not computed from it.
    assert!(!of_outcome(&replay, "same").is_empty(), "{replay}");
    let said = ossature(lake.arguments(&["replay"]))?;
    assert!(said.stderr.contains("replay_differs"), "{}", said.stderr);
    Ok(())
}

#[test]
fn a_table_that_cannot_be_computed_again_does_not_keep_the_others_from_it() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, Tree::empty()?);
    tree.write(
        "one.py",
        "import os\n\n\ndef f(a):\n    return os.path.join(a)\n",
    )?;
    lake.build(tree.root(), 1)?;
    fs::remove_dir_all(lake.path().join("extract/docstrings"))?;
    let (replay, code) = json(&lake, &["replay"])?;
    assert_eq!(code, Some(4));
    let failed = of_outcome(&replay, "failed");
    assert!(failed.contains(&"cpg.cpg_edges"), "{replay}");
    assert!(
        of_outcome(&replay, "same").contains(&"cpg.calls"),
        "{replay}"
    );
    let tables = replay["tables"].as_array().into_iter().flatten();
    let mut codes = tables.filter_map(|table| table["code"].as_str());
    assert!(codes.all(|code| code == "no_table"), "{replay}");
    Ok(())
}

#[test]
fn what_differs_between_two_runs_is_named() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, Tree::empty()?);
    tree.write("one.py", "def f(a):\n    return f(a)\n")?;
    let build = |threads| -> Result<String, Failure> {
        let summary = lake.build(tree.root(), threads)?;
        let run_id = summary["run_id"].as_str().map(str::to_owned);
        Ok(run_id.ok_or("a run has an id")?)
    };
    let first = build(1)?;
    let again = build(1)?;
    let parallel = build(2)?;
    tree.write("one.py", "def f(a):\n    return f(b)\n")?;
    let changed = build(1)?;

    let fields = |one: &str, other: &str| -> Result<(Vec<String>, Option<i32>), Failure> {
        let (said, code) = json(&lake, &["explain-diff", one, other])?;
        let differences = said["differences"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let named = differences.iter().map(|it| {
            let dataset = text(&it["dataset"]);
            format!("{} {dataset} {}", text(&it["kind"]), text(&it["field"]))
        });
        Ok((named.collect(), code))
    };
    assert_eq!(fields(&first, &again)?, (vec![], Some(0)));
    let (of_threads, code) = fields(&first, &parallel)?;
    assert_eq!(code, Some(1));
    assert!(
        of_threads.contains(&"execution  execution.threads".to_owned()),
        "{of_threads:?}"
    );
    assert!(
        of_threads.iter().all(|it| it.starts_with("execution ")),
        "{of_threads:?}"
    );
    let (of_source, _) = fields(&first, &changed)?;
    for wanted in [
        "identity cpg.cpg_nodes inputs.extract.nodes.content_hash",
        "identity cpg.cpg_nodes plan.fingerprint",
        "outcome cpg.cpg_nodes content_hash",
    ] {
        assert!(
            of_source.contains(&wanted.to_owned()),
            "{wanted}: {of_source:?}"
        );
    }
    assert!(
        !of_source.iter().any(|it| it.contains("plan.bytes")),
        "{of_source:?}"
    );

    // Another policy is told by the values that are others, with who decided them.
    let policy = tempfile::NamedTempFile::new()?;
    fs::write(policy.path(), "[defaults]\nparquet.codec = \"snappy\"\n")?;
    let mut arguments = lake.build_arguments(tree.root(), 1);
    arguments.extend(["--policy".into(), policy.path().into()]);
    let kept: Value = serde_json::from_str(&output(arguments)?)?;
    let kept = kept["run_id"].as_str().ok_or("a run has an id")?;
    let (of_policy, _) = fields(&changed, kept)?;
    for wanted in [
        "identity cpg.cpg_nodes policy.layout.value.compression.value",
        "identity cpg.cpg_nodes policy.layout.value.compression.source",
        "identity cpg.cpg_nodes policy_hash",
    ] {
        assert!(
            of_policy.contains(&wanted.to_owned()),
            "{wanted}: {of_policy:?}"
        );
    }
    let of_policies = of_policy.iter().filter(|it| it.contains(" policy."));
    let others: Vec<_> = of_policies
        .filter(|it| !it.contains(" policy.layout."))
        .collect();
    assert!(others.is_empty(), "{others:?}");

    let unknown = ossature(lake.arguments(&["explain-diff", &first, "nobody"]))?;
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    Ok(())
}
