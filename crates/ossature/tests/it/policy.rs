//! Policy files: what they change, and what is said of those that do not hold.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Failure, Lake, of_outputs, ossature, output};
use crate::shop::Tree;

/// A policy file in a folder that is removed with it.
pub(crate) struct File {
    folder: TempDir,
}

impl File {
    pub(crate) fn new(text: impl AsRef<[u8]>) -> Result<Self, Failure> {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let file = Self { folder };
        fs::write(file.path(), text)?;
        Ok(file)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }

    /// Arguments, followed by those that name this file.
    pub(crate) fn arguments(&self, arguments: &[&str]) -> Vec<OsString> {
        let policy = [OsString::from("--policy"), self.path().into()];
        arguments.iter().map(OsString::from).chain(policy).collect()
    }

    /// A build of a small tree under this policy.
    pub(crate) fn build(&self, lake: &Lake, tree: &Tree) -> Vec<OsString> {
        let mut arguments = lake.build_arguments(tree.root(), 1);
        arguments.extend(self.arguments(&[]));
        arguments
    }
}

fn tree() -> Result<Tree, Failure> {
    let tree = Tree::empty()?;
    tree.write(
        "one.py",
        "def f(a):\n    return g(a)\n\ndef g(b):\n    return b\n",
    )?;
    Ok(tree)
}

/// The policies of tables by their names.
fn policies(arguments: &[OsString]) -> Result<Vec<Value>, Failure> {
    Ok(serde_json::from_str(&output(arguments)?)?)
}

/// The program ends with `code`, says `words` on standard error and nothing on standard output.
#[track_caller]
fn check_refused(arguments: Vec<OsString>, code: i32, words: &[&str]) -> Result<(), Failure> {
    let answer = ossature(arguments)?;
    assert_eq!(answer.code, Some(code), "{}", answer.stderr);
    assert_eq!(answer.stdout, "");
    // Long lines are folded, wherever that is.
    let without_space = |text: &str| text.split_whitespace().collect::<String>().replace('│', "");
    let said = without_space(&answer.stderr);
    for word in words {
        assert!(
            said.contains(&without_space(word)),
            "`{word}` in\n{}",
            answer.stderr
        );
    }
    Ok(())
}

#[test]
fn every_table_shows_what_is_decided_and_by_whom() -> Result<(), Failure> {
    let all = policies(&["policy", "--format", "json"].map(OsString::from))?;
    let names: Vec<&str> = all.iter().filter_map(|it| it["dataset"].as_str()).collect();
    assert!(names.contains(&"extract.files") && names.contains(&"cpg.cpg_props_map"));
    for policy in &all {
        assert_eq!(policy["rows_per_file_max"]["source"], "dataset");
        assert_eq!(
            policy["vacuum"],
            json!({"value": "off", "source": "default"})
        );
        assert_eq!(policy["warnings"], json!([]));
    }
    let shown = output(["policy", "cpg.cpg_nodes"])?;
    for part in [
        "cpg.cpg_nodes",
        "rows_per_file_max",
        "262144",
        "auto, at most 8",
        "allow_protocol_upgrade",
        "leading_sort_key",
        "131072 values, 10000 per million (dataset)",
    ] {
        assert!(shown.contains(part), "`{part}` in\n{shown}");
    }
    assert!(!shown.contains("cpg.calls"));
    Ok(())
}

#[test]
fn a_file_speaks_for_all_tables_and_for_one() -> Result<(), Failure> {
    let file = File::new(
        r#"
        [defaults]
        rows_per_file_max = 5000
        parquet.codec = "snappy"
        [tables."cpg.cpg_nodes"]
        rows_per_file_max = 100
        statistics = { auto = 1 }
        vacuum = { after_days = 3 }
        parquet.columns.qualified_name.default = ["bloom_filter"]
        "#,
    )?;
    let arguments = ["policy", "cpg.calls", "cpg.cpg_nodes", "--format", "json"];
    let policies = policies(&file.arguments(&arguments))?;
    assert_eq!(policies.len(), 2);
    let named = |name| policies.iter().find(|it| it["dataset"] == name);
    let nodes = named("cpg.cpg_nodes").ok_or("the nodes are shown")?;
    let calls = named("cpg.calls").ok_or("the calls are shown")?;
    let decided = |value: Value, source| json!({"value": value, "source": source});
    assert_eq!(calls["rows_per_file_max"], decided(json!(5000), "location"));
    assert_eq!(nodes["rows_per_file_max"], decided(json!(100), "request"));
    assert_eq!(nodes["layout"]["source"], "request");
    let codec = decided(json!("snappy"), "location");
    assert_eq!(nodes["layout"]["value"]["compression"], codec);
    assert_eq!(
        nodes["vacuum"],
        decided(json!({"after_days": 3}), "request")
    );
    let codes: Vec<&Value> = nodes["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| &it["code"])
        .collect();
    assert_eq!(
        codes,
        ["statistics_over_cap", "small_files", "short_vacuum"]
    );
    let shown = output(file.arguments(&["policy", "cpg.cpg_nodes"]))?;
    assert!(
        shown.contains("warning: files are deleted 3 days after"),
        "{shown}"
    );
    assert!(!shown.contains("per million"), "{shown}");
    Ok(())
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_with_its_line() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let unreadable = File::new(
        "[defaults]\nrows_per_file = 5\nvacuum = 3\n[tables.\"cpg.cpg_nodes\"]\nfeatures = [\"change_data_feed\"]\n",
    )?;
    let words = [
        "policy_file_invalid",
        "policy.toml:2:1: defaults.rows_per_file: found key `rows_per_file`, wanted `rows_per_file_max`",
        "write `rows_per_file_max`",
        "policy.toml:3:10: defaults.vacuum: found `3`, wanted",
        "policy.toml:5:13: tables.\"cpg.cpg_nodes\".features: found the text `change_data_feed`",
        "write `changeDataFeed`",
    ];
    check_refused(unreadable.build(&lake, &tree), 2, &words)?;
    check_refused(unreadable.arguments(&["policy"]), 2, &words)?;

    let broken = File::new("[defaults]\nvacuum = \n")?;
    check_refused(
        broken.build(&lake, &tree),
        2,
        &["policy.toml:2:10: this is no TOML"],
    )?;

    let unknown = File::new("[tables.\"cpg.cpg_node\"]\n")?;
    let words = [
        "policy.toml:1:9: tables.\"cpg.cpg_node\"",
        "write `cpg.cpg_nodes`",
    ];
    check_refused(unknown.build(&lake, &tree), 2, &words)?;
    assert!(
        !lake.path().exists(),
        "a file that does not hold makes no lake"
    );
    Ok(())
}

#[test]
fn a_policy_that_no_table_can_have_is_refused_before_anything_is_made() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new(
        "[tables.\"cpg.cpg_edges\"]\ncluster_by = [\"family\", \"gone\"]\nstatistics = { explicit = [\"confidence\"] }\n\
         [tables.\"cpg.calls\"]\nproperties = { \"delta.enableRowTracking\" = \"true\" }\n",
    )?;
    let words = [
        "policy_refused",
        "policy.toml:2:1",
        "has a declared order",
        "`family`: it is a partition column",
        "`gone`: the dataset declares no such column",
        "policy.toml:3:1",
        "it may hold NaN",
        "policy.toml:5:16",
        "`features` decides it",
    ];
    check_refused(file.build(&lake, &tree), 3, &words)?;
    check_refused(file.arguments(&["policy"]), 3, &words)?;
    assert!(!lake.path().exists());
    Ok(())
}

#[test]
fn queries_of_a_file_are_readers_of_the_tables() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new(
        "[queries.on_line]\nsql = \"SELECT name FROM cpg.cpg_nodes WHERE line = 7 AND bend > 8\"\n",
    )?;
    let policy = output(file.arguments(&["policy", "cpg.cpg_nodes", "--format", "json"]))?;
    let policy: Value = serde_json::from_str(&policy)?;
    let used = policy[0]["statistics"]["value"]["used"].as_array();
    let mut used = used.into_iter().flatten();
    let line = used.find(|it| it["column"] == "line");
    let line = line.ok_or("somebody reads by the line")?;
    assert_eq!(line["roles"]["filter_eq"], json!(["on_line"]));

    output(file.build(&lake, &tree))?;
    let mut stats = file.arguments(&["stats", "cpg.cpg_nodes", "--format", "json"]);
    stats.extend(lake.arguments(&[]));
    let stats: Value = serde_json::from_str(&output(stats)?)?;
    let mut queries = stats["queries"].as_array().into_iter().flatten();
    assert!(
        queries.any(|it| it["name"] == "on_line" && it["failure"].is_null()),
        "{stats}"
    );

    let taken = File::new("[queries.callers]\nsql = \"SELECT 1\"\n")?;
    let words = [
        "policy_file_invalid",
        "policy.toml:2:1: queries.callers.sql: the program asks `callers` itself",
    ];
    check_refused(taken.build(&lake, &tree), 2, &words)?;
    let wrong = File::new(
        "[queries.gone]\nsql = \"SELECT name FROM cpg.cpg_node\"\n[queries.changes]\nsql = \"DROP TABLE cpg.cpg_nodes\"\n[queries.open]\nsql = \"SELECT name FROM cpg.cpg_nodes WHERE line = $1\"\n",
    )?;
    let words = [
        "policy.toml:2:1: queries.gone.sql:",
        "policy.toml:4:1: queries.changes.sql:",
        "policy.toml:6:1: queries.open.sql:",
        "it has a parameter",
    ];
    check_refused(wrong.arguments(&["policy"]), 2, &words)?;
    Ok(())
}

#[test]
fn files_and_tables_that_are_not_there_are_usage() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let mut arguments = lake.build_arguments(tree.root(), 1);
    arguments.extend(["--policy".into(), tree.root().join("none.toml").into()]);
    check_refused(arguments, 2, &["policy_file_unreadable", "none.toml"])?;
    let bytes = File::new([0xff, 0xfe])?;
    check_refused(bytes.arguments(&["policy"]), 2, &["policy_file_unreadable"])?;
    let long = File::new(vec![b'#'; 300_000])?;
    let words = ["policy_file_unreadable", "more than 262144 bytes"];
    check_refused(long.arguments(&["policy"]), 2, &words)?;
    let arguments = ["policy", "cpg.cpg_node"].map(OsString::from).to_vec();
    check_refused(arguments, 2, &["no_such_table", "write `cpg.cpg_nodes`"])?;
    Ok(())
}

#[test]
fn a_build_writes_its_tables_as_the_file_says_and_records_it() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new(
        r#"
        [tables."cpg.cpg_nodes"]
        rows_per_file_max = 3
        change_feed = true
        parquet = { codec = "snappy", columns.name = { encoding = "DELTA_BYTE_ARRAY" } }
        "#,
    )?;
    let built = ossature(file.build(&lake, &tree))?;
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    let summary: Value = serde_json::from_str(&built.stdout)?;
    let files = of_outputs(&summary, "files");
    assert!(files["cpg.cpg_nodes"].as_u64() > Some(1), "{summary}");
    let run = summary["run_id"].as_str().unwrap_or_default();
    let shown = output(lake.arguments(&["show", run, "--format", "json"]))?;
    let shown: Value = serde_json::from_str(&shown)?;
    let writes = shown["decisions"]["writes"].as_array();
    let nodes = writes
        .into_iter()
        .flatten()
        .find(|write| write["dataset"] == "cpg.cpg_nodes");
    let nodes = nodes.ok_or("the nodes were written")?;
    assert_eq!(
        nodes["policy"]["rows_per_file_max"],
        json!({"value": 3, "source": "request"})
    );
    assert_eq!(nodes["protocol"]["found"]["writer_version"], 4);
    assert_eq!(nodes["protocol"]["is_compatible"], true);
    assert_eq!(
        nodes["enablement"]["newly_enabled"],
        json!(["changeDataFeed"])
    );
    assert_eq!(nodes["enablement"]["protocol_before"], Value::Null);

    // Nobody says anything any more, so the feed is switched off, and the protocol stays.
    let again = ossature(lake.build_arguments(tree.root(), 1))?;
    let forgotten = "warning: 1 tables of views are kept by other policies";
    assert!(again.stderr.starts_with(forgotten), "{}", again.stderr);
    let again: Value = serde_json::from_str(&again.stdout)?;
    let run = again["run_id"].as_str().unwrap_or_default();
    let shown = output(lake.arguments(&["show", run, "--format", "json"]))?;
    let shown: Value = serde_json::from_str(&shown)?;
    let writes = shown["decisions"]["writes"].as_array();
    let nodes = writes
        .into_iter()
        .flatten()
        .find(|write| write["dataset"] == "cpg.cpg_nodes");
    let nodes = nodes.ok_or("the nodes were written")?;
    assert_eq!(nodes["policy"]["rows_per_file_max"]["source"], "dataset");
    assert_eq!(
        nodes["enablement"]["properties_set"]["delta.enableChangeDataFeed"],
        "false"
    );
    assert_eq!(nodes["protocol"]["found"]["writer_version"], 4);
    Ok(())
}

#[test]
fn a_protocol_that_shuts_readers_out_has_to_be_allowed() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let asking = File::new("[tables.\"cpg.calls\"]\nfeatures = [\"v2Checkpoint\"]\n")?;
    let words = [
        "policy_refused",
        "`v2Checkpoint`",
        "`allow_protocol_upgrade`",
    ];
    check_refused(asking.build(&lake, &tree), 3, &words)?;
    assert!(!lake.path().exists());
    let allowing = File::new(
        "[tables.\"cpg.calls\"]\nfeatures = [\"v2Checkpoint\"]\nallow_protocol_upgrade = true\n",
    )?;
    output(allowing.build(&lake, &tree))?;
    assert_eq!(lake.number("SELECT count(*) FROM cpg.calls")?, 1);
    Ok(())
}

#[test]
fn what_a_file_may_say_of_all_tables_is_done_to_all() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new(
        r#"
        [defaults]
        column_mapping = "name"
        parquet = { codec = "zstd(3)" }
        "#,
    )?;
    let versions = || -> Result<Vec<(String, Value)>, Failure> {
        let summary: Value = serde_json::from_str(&output(file.build(&lake, &tree))?)?;
        let versions = of_outputs(&summary, "version").into_iter();
        Ok(versions
            .map(|(name, version)| (name.to_owned(), version.clone()))
            .collect())
    };
    assert_eq!(versions()?, versions()?);
    let plain = Lake::new()?;
    output(plain.build_arguments(tree.root(), 1))?;
    for table in ["cpg.cpg_nodes", "cpg.cpg_edges", "cpg.calls"] {
        let rows = format!("SELECT count(*) FROM {table}");
        assert_eq!(lake.number(&rows)?, plain.number(&rows)?, "{table}");
    }
    Ok(())
}

#[test]
fn what_the_tables_that_are_there_cannot_become_is_told_before_the_run_begins()
-> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    output(lake.build_arguments(tree.root(), 1))?;
    let file = File::new(
        "[defaults]\ncolumn_mapping = \"name\"\n[tables.\"cpg.calls\"]\nfeatures = [\"v2Checkpoint\"]\n",
    )?;
    let words = [
        "tables cannot be kept like that",
        "extract.arguments and 28 others: table feature `columnMapping`",
        "cpg.calls: table feature `v2Checkpoint`",
    ];
    check_refused(file.build(&lake, &tree), 3, &words)?;
    assert_eq!(lake.runs()?.len(), 1);
    Ok(())
}

/// What is wrong in one way hides nothing that is wrong in another.
#[test]
fn everything_that_is_wrong_with_a_file_is_told_at_once() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new(
        r#"
        [defaults]
        constraints = { everywhere = "nowhere" }
        [tables."cpg.calls"]
        rows_per_file = 5
        cluster_by = ["node_id", "status"]
        [tables."cpg.cpg_nodes"]
        cluster_by = ["node_id", "name"]
        [tables."cpg.cpg_edges"]
        constraints = { absent = "nope > 1" }
        [tables."cpg.nothing"]
        [queries.broken]
        sql = "SELECT nothing FROM cpg.calls"
        [queries.callers]
        sql = "SELECT 1"
        "#,
    )?;
    let words = [
        ":3:25: defaults.constraints.everywhere: found `nowhere`",
        "(26 tables)",
        ":5:9: tables.\"cpg.calls\".rows_per_file: found key",
        ":8:9: tables.\"cpg.cpg_nodes\".cluster_by: `cpg.cpg_nodes` has a declared order",
        ":10:25: tables.\"cpg.cpg_edges\".constraints.absent: found `nope > 1`",
        ":11:17: tables.\"cpg.nothing\": found table",
        ":13:9: queries.broken.sql: found a query that cannot be planned",
    ];
    check_refused(file.build(&lake, &tree), 2, &words)?;
    // It may be a consequence of what was misspelt beside it.
    let said = ossature(file.build(&lake, &tree))?.stderr;
    assert!(!said.contains("\"cpg.calls\".cluster_by"), "{said}");
    assert!(!lake.path().exists());
    Ok(())
}

#[test]
fn a_build_warns_of_what_may_not_be_meant() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new(
        "[defaults]\nrows_per_file_max = 999\n[tables.\"cpg.calls\"]\nvacuum = { after_days = 1 }\n",
    )?;
    let answer = ossature(file.build(&lake, &tree))?;
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let warnings: Vec<&str> = answer.stderr.lines().collect();
    let [small, vacuum] = warnings[..] else {
        return Err(answer.stderr.into());
    };
    assert!(
        small.starts_with("warning: extract.arguments and 28 others: "),
        "{small}"
    );
    assert!(vacuum.starts_with("warning: cpg.calls: "), "{vacuum}");
    Ok(())
}

#[test]
fn no_table_of_the_graph_is_made_that_may_only_grow() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new("[defaults]\nfeatures = [\"appendOnly\"]\n")?;
    check_refused(
        file.build(&lake, &tree),
        3,
        &["append_only", "leave `appendOnly` out"],
    )?;
    output(lake.build_arguments(tree.root(), 1))?;
    Ok(())
}

#[test]
fn constraints_that_cannot_be_evaluated_are_all_told_before_anything_is_made() -> Result<(), Failure>
{
    let (lake, tree) = (Lake::new()?, tree()?);
    let file = File::new(
        r#"
        [tables."cpg.calls"]
        constraints = { absent = "nope > 1", number = "node_id + 1" }
        [tables."cpg.cpg_nodes"]
        constraints = { broken = "node_id >" }
        "#,
    )?;
    let words = [
        ":3:25: tables.\"cpg.calls\".constraints.absent: found `nope > 1`, which cannot be evaluated",
        ":3:46: tables.\"cpg.calls\".constraints.number: found `node_id + 1`",
        ":5:25: tables.\"cpg.cpg_nodes\".constraints.broken: found `node_id >`",
    ];
    check_refused(file.build(&lake, &tree), 3, &words)?;
    check_refused(file.arguments(&["policy"]), 3, &words)?;
    assert!(!lake.path().exists());
    Ok(())
}
