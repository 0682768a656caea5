//! `stats`: what is known of a table's statistics, and what its readers skip by them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{Failure, Lake, ossature, output};
use crate::shop::Tree;

/// A lake whose tables have many files.
fn built() -> Result<(Lake, Tree), Failure> {
    let (lake, tree) = (Lake::new()?, Tree::empty()?);
    for module in 0..6 {
        let functions = (0..40).map(|at| format!("def f{at}(a):\n    return f{at}(a)\n\n"));
        tree.write(format!("m{module}.py"), functions.collect::<String>())?;
    }
    let policy = tree.root().join("policy.toml");
    std::fs::write(&policy, "[defaults]\nrows_per_file_max = 1000\n")?;
    let root = tree.root().to_string_lossy().into_owned();
    let policy = policy.to_string_lossy().into_owned();
    output(lake.arguments(&["build", &root, "--policy", &policy]))?;
    Ok((lake, tree))
}

fn by_name(list: &Value) -> BTreeMap<&str, &Value> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|it| Some((it["name"].as_str()?, it)))
        .collect()
}

#[test]
fn readers_skip_what_the_log_rules_out() -> Result<(), Failure> {
    let (lake, _tree) = built()?;
    let said = output(lake.arguments(&["stats", "cpg.cpg_nodes", "--format", "json"]))?;
    let said: Value = serde_json::from_str(&said)?;
    let files = said["files"].as_u64().unwrap_or_default();
    assert!(files > 3, "{said}");

    let columns = by_name(&said["columns"]);
    let id = columns["node_id"];
    assert_eq!(
        (&id["is_indexed"], id["files_bounded"].as_u64()),
        (&Value::Bool(true), Some(files))
    );
    assert!(
        id["roles"]["join_key"]
            .as_array()
            .is_some_and(|it| it.len() > 2),
        "{id}"
    );
    assert!(id["score"].as_u64() > columns["parent_id"]["score"].as_u64());
    let line = columns["line"];
    assert_eq!(
        (&line["is_indexed"], &line["files_bounded"]),
        (&Value::Bool(false), &0.into())
    );

    let queries = by_name(&said["queries"]);
    assert!(queries.values().all(|it| it["failure"].is_null()), "{said}");
    // The lake has no such node, and the log knows.
    for query in ["node_by_id", "children", "nodes_of_file"] {
        assert_eq!(queries[query]["files"], files, "{query}");
        assert_eq!(queries[query]["files_planned"], 0, "{query}");
        assert_eq!(queries[query]["files_opened"], 0, "{query}");
    }
    let most_called = queries["most_called"];
    assert_eq!(most_called["files_planned"], files);
    assert_eq!(most_called["files_opened"], files, "{most_called}");
    assert!(
        most_called["bytes_read"].as_u64() > Some(0),
        "{most_called}"
    );
    assert!(
        !queries.contains_key("file_by_path"),
        "it reads another table"
    );

    let edges = output(lake.arguments(&["stats", "cpg.cpg_edges"]))?;
    assert!(
        edges.contains("partition_column") && edges.contains("edges_out"),
        "{edges}"
    );
    Ok(())
}

#[test]
fn decisions_are_rows() -> Result<(), Failure> {
    let (lake, _tree) = built()?;
    let sql = "SELECT \"column\", is_indexed, score, array_to_string(consumers, ' ') AS consumers \
        FROM runs.stats_decisions WHERE dataset = 'cpg.cpg_nodes' ORDER BY score DESC, \"column\" LIMIT 2";
    let rows = output(lake.arguments(&["query", sql, "--format", "csv"]))?;
    let lines: Vec<&str> = rows.lines().collect();
    assert!(
        lines[1].starts_with("node_id,true,") && lines[1].contains("callers"),
        "{rows}"
    );
    assert!(lines[2].starts_with("qualified_name,true,"), "{rows}");
    let lineage = "SELECT count(*) FROM runs.column_lineage WHERE dataset = 'cpg.cpg_nodes' \
        AND \"column\" = 'node_id' AND input = 'extract.nodes' AND derivation = 'identity'";
    assert_eq!(lake.number(lineage)?, 1);
    assert!(lake.number("SELECT count(*) FROM runs.protocol_reports WHERE is_compatible")? > 20);
    Ok(())
}

#[test]
fn what_is_no_table_is_refused() -> Result<(), Failure> {
    let lake = Lake::new()?;
    let unknown = ossature(lake.arguments(&["stats", "cpg.cpg_node"]))?;
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("cpg.cpg_nodes"),
        "{}",
        unknown.stderr
    );
    let empty = ossature(lake.arguments(&["stats", "cpg.cpg_nodes"]))?;
    assert_eq!(empty.code, Some(2), "{}", empty.stderr);
    assert!(
        empty.stderr.contains("nothing_published"),
        "{}",
        empty.stderr
    );
    let inline = ossature(lake.arguments(&["stats", "cpg.edges_all"]))?;
    assert_eq!(inline.code, Some(2), "{}", inline.stderr);
    for word in ["no table of its own", "cpg.cpg_edges"] {
        assert!(inline.stderr.contains(word), "{}", inline.stderr);
    }
    Ok(())
}

#[test]
fn queries_that_fail_are_no_success() -> Result<(), Failure> {
    let (lake, _tree) = built()?;
    let files = lake.data_files()?;
    let nodes = files
        .keys()
        .filter(|path| path.starts_with("cpg/cpg_nodes"));
    for file in nodes {
        std::fs::remove_file(lake.path().join(file))?;
    }
    let answer = ossature(lake.arguments(&["stats", "cpg.cpg_nodes"]))?;
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("queries_failed"),
        "{}",
        answer.stderr
    );
    assert!(answer.stdout.contains("node_id"), "{}", answer.stdout);
    Ok(())
}
