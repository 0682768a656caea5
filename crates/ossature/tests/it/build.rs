//! What `build` says of a run: scripts rely on it.

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::expect;
use ossature_cpg_views::{sources, views};
use ossature_schema_spec::{DatasetName, DatasetSpec};
use ossature_view_graph::{Materialization, View};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Failure, Lake, command, keys, of_outputs, output};
use crate::shop::{Tree, shop};

#[test]
fn its_json_has_exactly_these_keys() -> Result<(), Failure> {
    let summary = &shop()?.summary;
    expect!["calls elapsed_ms files outputs run_id status"].assert_eq(&keys(summary));
    expect!["listed parsed partial skipped"].assert_eq(&keys(&summary["files"]));
    expect!["ambiguous external resolved unresolved"].assert_eq(&keys(&summary["calls"]));
    let outputs = summary["outputs"].as_array().ok_or("no outputs")?;
    for output in outputs {
        expect!["bytes cache content_hash files logical_fingerprint name rows table_uri version"]
            .assert_eq(&keys(output));
    }
    Ok(())
}

#[test]
fn it_completes_and_counts_every_file_and_call_once() -> Result<(), Failure> {
    let shop = shop()?;
    assert_eq!(shop.summary["status"], "completed");
    let sum = |part: &str, of: &[&str]| -> u64 {
        of.iter()
            .filter_map(|name| shop.summary[part][name].as_u64())
            .sum()
    };
    let listed = sum("files", &["listed"]);
    assert!(listed > 30);
    assert_eq!(sum("files", &["parsed", "partial", "skipped"]), listed);
    assert_eq!(sum("files", &["partial"]), 1);
    assert_eq!(
        shop.lake
            .number("SELECT count(*) AS n FROM extract.files")?,
        listed
    );
    let calls = sum(
        "calls",
        &["resolved", "external", "ambiguous", "unresolved"],
    );
    assert_eq!(
        shop.lake
            .number("SELECT count(*) AS n FROM extract.calls")?,
        calls
    );
    Ok(())
}

#[test]
fn its_outputs_are_the_declared_tables_in_order_of_name() -> Result<(), Failure> {
    let outputs = shop()?.summary["outputs"].as_array().ok_or("no outputs")?;
    let names: Vec<&str> = outputs
        .iter()
        .filter_map(|output| output["name"].as_str())
        .collect();
    let (sources, views) = (sources()?, views()?);
    let tables = views
        .iter()
        .filter(|view| view.materialization() == Materialization::Table)
        .map(View::name);
    let declared: BTreeSet<&str> = sources
        .iter()
        .map(DatasetSpec::name)
        .chain(tables)
        .map(DatasetName::as_str)
        .collect();
    assert_eq!(names, declared.into_iter().collect::<Vec<_>>());
    Ok(())
}

#[test]
fn what_it_says_of_a_table_is_what_lies_in_the_lake() -> Result<(), Failure> {
    let shop = shop()?;
    let counts: Vec<String> = of_outputs(&shop.summary, "rows")
        .keys()
        .map(|name| format!("SELECT '{name}' AS name, count(*) AS rows FROM {name}"))
        .collect();
    let counted = shop.lake.query(&counts.join(" UNION ALL "))?;
    let said = of_outputs(&shop.summary, "rows");
    assert_eq!(counted.len(), said.len());
    for row in &counted {
        let name = row["name"].as_str().unwrap_or_default();
        assert_eq!(said.get(name), Some(&&row["rows"]), "{name}");
    }
    for (name, uri) in of_outputs(&shop.summary, "table_uri") {
        let folder = shop.lake.path().join(name.replace('.', "/"));
        assert_eq!(
            uri.as_str().map(|uri| uri.trim_end_matches('/')),
            folder.to_str()
        );
    }
    let planned = of_outputs(&shop.summary, "logical_fingerprint");
    for (name, fingerprint) in planned {
        let is_source = name.starts_with("extract.");
        assert_eq!(fingerprint == &Value::Null, is_source, "{name}");
    }
    Ok(())
}

#[test]
fn the_closing_table_names_the_lake_as_it_was_typed() -> Result<(), Failure> {
    let (tree, folder) = (Tree::empty()?, TempDir::new()?);
    tree.write("a.py", "x = 1\n")?;
    let source = tree.root().to_string_lossy();
    let mut build = command(["build", &source, "--lake", "my/lake"]);
    let answer = build.current_dir(folder.path()).output()?;
    assert!(answer.status.success());
    let said = String::from_utf8(answer.stdout)?;
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("lake   my/lake ("), "{last}");
    Ok(())
}

#[test]
fn what_may_not_be_meant_is_warned_of() -> Result<(), Failure> {
    let tree = Tree::empty()?;
    tree.write("__init__.py", "")?;
    tree.write("a.py", "def f():\n    return f()\n")?;
    let inside = tree.root().join("lake");
    let policy = tree.root().join("policy.toml");
    std::fs::write(&policy, "[defaults]\nparquet.codec = \"snappy\"\n")?;
    let build = |policy: Option<&Path>| -> Result<String, Failure> {
        let mut build = command(["build"]);
        build.arg(tree.root()).arg("--lake").arg(&inside);
        if let Some(policy) = policy {
            build.arg("--policy").arg(policy);
        }
        let answer = build.output()?;
        assert!(answer.status.success());
        Ok(String::from_utf8(answer.stderr)?)
    };
    let first = build(Some(&policy))?;
    for warning in ["inside of the source tree", "is a package itself"] {
        assert!(first.contains(warning), "{first}");
    }
    let forgotten = "kept by other policies than in the run before";
    assert!(!build(Some(&policy))?.contains(forgotten));
    assert!(build(None)?.contains(forgotten));
    assert!(!build(None)?.contains(forgotten));
    Ok(())
}

#[test]
fn builds_of_one_lake_wait_for_each_other() -> Result<(), Failure> {
    let tree = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    std::fs::write(tree.path().join("m.py"), "def f(): return f()\n")?;
    let lake = Lake::new()?;
    let builds = (0..3)
        .map(|_| command(lake.build_arguments(tree.path(), 1)).spawn())
        .collect::<Result<Vec<_>, _>>()?;
    for build in builds {
        let output = build.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
    let completed = "SELECT count(*) AS n FROM runs.run_manifest WHERE status = 'completed'";
    assert_eq!(lake.number(completed)?, 3);
    Ok(())
}

#[test]
fn a_lake_may_have_a_name_of_any_letters() -> Result<(), Failure> {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree)?;
    std::fs::write(tree.join("m.py"), "def f(): return f()\n")?;
    for name in ["zé 日本 😀", "a#c?d*~[e]{f}", "tree/../up"] {
        let lake = folder.path().join(name).to_string_lossy().into_owned();
        let source = tree.to_string_lossy().into_owned();
        output(["build", &source, "--lake", &lake, "--format", "json"])?;
        let sql = "SELECT count(*) AS n FROM extract.files";
        let rows = output(["query", sql, "--lake", &lake, "--format", "csv"])?;
        assert_eq!(rows, "n\n1\n", "{name}");
    }
    assert!(folder.path().join("up/cpg").is_dir());
    Ok(())
}
