//! The graph that was stored keeps its rules, asked through the program.

use ossature_cpg_views::rules;
use serde_json::{Value, json};

use crate::program::{Failure, Lake};
use crate::shop::shop;

/// The queries that give rows, with how many; all are asked at once.
#[track_caller]
fn broken(lake: &Lake, rules: &[(&str, String)]) -> Result<Vec<Value>, Failure> {
    let counts: Vec<String> = rules
        .iter()
        .map(|(name, sql)| {
            format!("SELECT '{name}' AS rule, count(*) AS violations FROM ({sql}) AS violations")
        })
        .collect();
    let mut counted = lake.query(&counts.join("\nUNION ALL\n"))?;
    assert_eq!(counted.len(), rules.len());
    counted.retain(|rule| rule["violations"] != 0);
    Ok(counted)
}

/// No query of these gives a row.
#[track_caller]
fn check(lake: &Lake, rules: &[(&str, String)]) -> Result<(), Failure> {
    assert_eq!(broken(lake, rules)?, Vec::<Value>::new());
    Ok(())
}

/// Every rule of the graph holds in a lake.
#[track_caller]
pub(crate) fn check_rules(lake: &Lake) -> Result<(), Failure> {
    let rules: Vec<_> = rules()
        .into_iter()
        .map(|rule| (rule.name, rule.sql))
        .collect();
    assert!(rules.len() > 5);
    check(lake, &rules)
}

#[test]
fn no_rule_is_broken() -> Result<(), Failure> {
    check_rules(&shop()?.lake)
}

/// The same in other words: neither the rules nor the columns that they use are taken on trust.
#[test]
fn edges_end_at_nodes_and_trees_are_trees() -> Result<(), Failure> {
    let ends = |end: &str| {
        format!(
            "SELECT * FROM cpg.edges_all WHERE {end} NOT IN (SELECT node_id FROM cpg.cpg_nodes)"
        )
    };
    let parents = "SELECT nodes.node_id FROM cpg.cpg_nodes AS nodes \
        LEFT JOIN cpg.edges_all AS edges ON edges.dst_node_id = nodes.node_id AND edges.edge_kind = 'AST' \
        WHERE nodes.file_id IS NOT NULL GROUP BY nodes.node_id, nodes.node_kind \
        HAVING count(edges.src_node_id) <> CASE nodes.node_kind WHEN 'FILE' THEN 0 ELSE 1 END";
    let files = "SELECT path FROM extract.files EXCEPT \
        SELECT files.path FROM extract.files AS files \
        JOIN cpg.cpg_nodes AS nodes ON nodes.node_id = files.file_id AND nodes.node_kind = 'FILE'";
    check(
        &shop()?.lake,
        &[
            ("source of every edge", ends("src_node_id")),
            ("destination of every edge", ends("dst_node_id")),
            ("one parent of every node", parents.to_owned()),
            ("one node of every file", files.to_owned()),
        ],
    )
}

#[test]
fn accelerators_explode_to_their_tables() -> Result<(), Failure> {
    let mut rules = Vec::new();
    let mut both_ways = |name, left: &str, right: &str| {
        for (one, other) in [(left, right), (right, left)] {
            rules.push((name, format!("{one} EXCEPT {other}")));
        }
        // The difference of two sets is silent about rows that occur more than once.
        let counts = "SELECT count(*) AS rows FROM";
        rules.push((
            name,
            format!("{counts} ({left}) AS l EXCEPT {counts} ({right}) AS r"),
        ));
    };
    for (name, own, other) in [
        ("by source", "src", "dst"),
        ("by destination", "dst", "src"),
    ] {
        let exploded = format!(
            "SELECT e['edge_kind'], own, e['{other}_node_id'], e['label'], e['position'], e['origin'], \
             e['resolution'], e['confidence'], e['ambiguity_group'], e['family'] \
             FROM (SELECT node_id AS own, unnest(entries) AS e FROM cpg.cpg_edges_by_{own}) AS exploded"
        );
        let stored = format!(
            "SELECT edge_kind, {own}_node_id, {other}_node_id, label, position, origin, resolution, \
             confidence, ambiguity_group, family FROM cpg.cpg_edges"
        );
        both_ways(name, &exploded, &stored);
    }
    both_ways(
        "properties",
        "SELECT entity_kind, entity_id, k, v['value_type'], v['value_string'], v['value_int'], \
         v['value_float'], v['value_bool'] FROM (SELECT entity_kind, entity_id, \
         unnest(map_keys(props)) AS k, unnest(map_values(props)) AS v FROM cpg.cpg_props_map) AS exploded",
        "SELECT entity_kind, entity_id, prop_key, value_type, value_string, value_int, value_float, \
         value_bool FROM cpg.cpg_props",
    );
    check(&shop()?.lake, &rules)
}

/// The check itself has something to say.
#[test]
fn a_broken_rule_is_noticed() -> Result<(), Failure> {
    let rules = [
        ("holds", "SELECT 1 WHERE false".to_owned()),
        ("no file", "SELECT path FROM extract.files".to_owned()),
    ];
    let shop = shop()?;
    let files = &shop.summary["files"]["listed"];
    let want = [json!({"rule": "no file", "violations": files})];
    assert_eq!(broken(&shop.lake, &rules)?, want);
    Ok(())
}
