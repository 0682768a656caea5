//! `runs` and `show`: what was built, for programs and for people.

use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::{Value, json};

use crate::program::{Failure, keys, of_outputs, output};
use crate::shop::shop;

#[test]
fn a_run_is_listed_and_shown_with_one_manifest() -> Result<(), Failure> {
    let shop = shop()?;
    let runs = shop.lake.runs()?;
    let [run] = runs.as_slice() else {
        return Err("one run was made".into());
    };
    assert_eq!(run["run_id"], shop.summary["run_id"]);
    assert_eq!(run["status"], "completed");
    assert_eq!(run["source"].as_str(), shop.tree.root().to_str());
    assert_eq!(run["extract"], shop.summary["files"]);
    assert_eq!(run["calls"], shop.summary["calls"]);
    assert_eq!(of_outputs(run, "rows"), of_outputs(&shop.summary, "rows"));
    expect!["calls code_version ended_at_unix_ms environment execution execution_settings extract inputs options outputs records run_id run_number source started_at_unix_ms status"]
        .assert_eq(&keys(run));

    let run_id = run["run_id"].as_str().unwrap_or_default();
    let shown = output(shop.lake.arguments(&["show", run_id, "--format", "json"]))?;
    let mut shown: Value = serde_json::from_str(&shown)?;
    for key in ["decisions", "plans"] {
        let beside = shown.as_object_mut().and_then(|shown| shown.remove(key));
        assert!(beside.is_some(), "{key}");
    }
    assert_eq!(&shown, run);
    Ok(())
}

/// What `value` points to in a list of objects, by what `name` points to.
fn by_name<'a>(list: &'a Value, name: &str, value: &str) -> BTreeMap<&'a str, &'a Value> {
    let objects = list.as_array().into_iter().flatten();
    objects
        .filter_map(|object| Some((object.pointer(name)?.as_str()?, object.pointer(value)?)))
        .collect()
}

#[test]
fn a_run_is_shown_with_its_plans_and_decisions() -> Result<(), Failure> {
    let shop = shop()?;
    let run_id = shop.summary["run_id"].as_str().unwrap_or_default();
    let shown = output(shop.lake.arguments(&["show", run_id, "--format", "json"]))?;
    let shown: Value = serde_json::from_str(&shown)?;
    let (outputs, writes) = (&shown["outputs"], &shown["decisions"]["writes"]);
    let scans = &shown["decisions"]["scans"];
    assert!(by_name(outputs, "/name", "/version").len() > 20);

    // What the manifest names is found beside it.
    assert_eq!(
        by_name(&shown["plans"], "/dataset", "/fingerprint"),
        by_name(outputs, "/name", "/plan_fingerprint")
    );
    for (of_output, of_write) in [
        ("/policy_hash", "/policy/policy_hash"),
        ("/content_hash", "/content_hash"),
        ("/version", "/version"),
    ] {
        assert_eq!(
            by_name(writes, "/dataset", of_write),
            by_name(outputs, "/name", of_output)
        );
    }
    assert_eq!(
        by_name(scans, "/pin/dataset", "/pin/version"),
        by_name(outputs, "/name", "/version")
    );

    let plans = by_name(&shown["plans"], "/dataset", "/text");
    let nodes = plans["cpg.cpg_nodes"].as_str().unwrap_or_default();
    assert!(nodes.contains("TableScan"), "{nodes}");
    let orders = by_name(scans, "/pin/dataset", "/order");
    assert_eq!(orders["cpg.cpg_nodes"], &json!(["node_id"]));
    // Of every table, and not only of one: its order is declared, proven, and declared by scans.
    assert_eq!(by_name(scans, "/pin/dataset", "/declared_order"), orders);
    for (name, order) in &orders {
        assert_ne!(*order, &json!([]), "{name}");
    }
    let is_ordered = by_name(scans, "/pin/dataset", "/is_ordered_as_declared");
    assert!(is_ordered.values().all(|found| **found == json!(true)));
    let compressions = by_name(writes, "/dataset", "/policy/layout/value/compression/value");
    assert_eq!(compressions["cpg.cpg_nodes"], "zstd(1)");
    Ok(())
}

#[test]
fn people_get_tables() -> Result<(), Failure> {
    let shop = shop()?;
    let run_id = shop.summary["run_id"].as_str().unwrap_or_default();
    let listed = output(shop.lake.arguments(&["runs"]))?;
    assert!(
        listed.contains(run_id) && listed.contains("completed"),
        "{listed}"
    );
    let shown = output(shop.lake.arguments(&["show", run_id]))?;
    for (name, fingerprint) in of_outputs(&shop.summary, "logical_fingerprint") {
        // Read from outside, or planned and not kept; then published and decided.
        let cell = format!(" {name} ");
        let rows = shown.lines().filter(|line| line.contains(&cell));
        let wanted = if fingerprint.is_null() { 3 } else { 4 };
        assert_eq!(rows.count(), wanted, "{name} in\n{shown}");
        let short = fingerprint.as_str().and_then(|digits| digits.get(..12));
        if let Some(short) = short {
            assert_eq!(shown.matches(short).count(), 2, "{name} in\n{shown}");
        }
    }
    for heading in ["read", "planned", "view", "published", "decided"] {
        let cell = format!("│ {heading} ");
        assert!(shown.contains(&cell), "{heading} in\n{shown}");
    }
    Ok(())
}
