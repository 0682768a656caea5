//! Rules that the graph keeps. Each is a query whose rows are the violations.

use crate::kinds::EDGE_KINDS;
use crate::props;

/// A rule of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrityRule {
    /// The name, a stable identifier.
    pub name: &'static str,
    /// What holds when the query gives no row.
    pub doc: &'static str,
    /// Selects what breaks the rule.
    pub sql: String,
}

/// Every rule.
pub fn rules() -> Vec<IntegrityRule> {
    vec![
        rule(
            "node_ids_are_unique",
            "No two nodes have one id; of two names with one symbol id, both are shown.",
            "SELECT node_id, count(*) AS nodes, min(qualified_name) AS one_name, max(qualified_name) AS other_name\n\
             FROM cpg.cpg_nodes GROUP BY node_id HAVING count(*) > 1",
        ),
        rule(
            "symbols_have_one_name",
            "A symbol's id comes from one name and one kind.",
            "SELECT symbol_id, min(qualified_name) AS one_name, max(qualified_name) AS other_name\n\
             FROM (SELECT symbol_id, qualified_name FROM extract.definitions\n\
             UNION ALL SELECT symbol_id, qualified_name FROM extract.parameters\n\
             UNION ALL SELECT symbol_id, qualified_name FROM normalize.external_symbols) AS declared\n\
             GROUP BY symbol_id HAVING min(qualified_name) <> max(qualified_name)",
        ),
        rule(
            "sites_have_parents",
            "Every site but a FILE hangs below a site of its own file that holds it.",
            "SELECT child.node_id, child.node_kind, child.parent_id\n\
             FROM cpg.cpg_nodes AS child\n\
             LEFT JOIN cpg.cpg_nodes AS parent ON parent.node_id = child.parent_id\n\
             WHERE child.file_id IS NOT NULL AND child.node_kind <> 'FILE' AND (parent.node_id IS NULL\n\
             OR parent.file_id <> child.file_id OR child.node_id <= parent.node_id\n\
             OR child.subtree_end > parent.subtree_end)",
        ),
        rule(
            "edges_end_at_nodes",
            "Both ends of every edge are nodes.",
            "SELECT edges.*\n\
             FROM cpg.cpg_edges AS edges\n\
             LEFT JOIN cpg.cpg_nodes AS src ON src.node_id = edges.src_node_id\n\
             LEFT JOIN cpg.cpg_nodes AS dst ON dst.node_id = edges.dst_node_id\n\
             WHERE src.node_id IS NULL OR dst.node_id IS NULL",
        ),
        IntegrityRule {
            name: "edges_join_what_their_kind_allows",
            doc: "Every edge joins labels that the catalogue of edge kinds names.",
            sql: kinds_sql(),
        },
        rule(
            "edges_are_unique",
            "No two edges have the same kind, ends, label and position.",
            "SELECT edge_kind, src_node_id, dst_node_id, label, position, count(*) AS edges\n\
             FROM cpg.cpg_edges\n\
             GROUP BY edge_kind, src_node_id, dst_node_id, label, position HAVING count(*) > 1",
        ),
        rule(
            "local_edges_stay_in_their_file",
            "Both ends of a local edge lie in one file, or the second is a symbol.",
            "SELECT * FROM cpg.cpg_edges\n\
             WHERE family = 'local' AND NOT is_symbol(dst_node_id) AND file_of(src_node_id) <> file_of(dst_node_id)",
        ),
        rule(
            "sites_cross_files_only_through_symbols",
            "A linked edge ends at a symbol.",
            "SELECT * FROM cpg.cpg_edges WHERE family = 'linked' AND NOT is_symbol(dst_node_id)",
        ),
        rule(
            "every_call_has_a_status",
            "Calls and their statuses match one to one, and only unresolved ones have a reason.",
            "SELECT calls.node_id, status.status, status.reason\n\
             FROM extract.calls AS calls\n\
             FULL JOIN cpg.calls AS status ON status.node_id = calls.node_id\n\
             WHERE calls.node_id IS NULL OR status.node_id IS NULL\n\
             OR (status.status = 'unresolved') <> (status.reason IS NOT NULL)\n\
             OR (status.status = 'unresolved') <> (status.candidate_count = 0)",
        ),
        rule(
            "properties_belong_to_nodes",
            "The entity of every property is a node, and no key occurs twice.",
            "SELECT props.entity_id, props.prop_key, count(*) AS properties\n\
             FROM cpg.cpg_props AS props\n\
             LEFT JOIN cpg.cpg_nodes AS nodes ON nodes.node_id = props.entity_id\n\
             GROUP BY props.entity_kind, props.entity_id, props.prop_key\n\
             HAVING count(*) > 1 OR count(nodes.node_id) = 0",
        ),
        IntegrityRule {
            name: "properties_are_in_the_catalogue",
            doc: "Keys, types and enumerated values are those of the catalogue of properties.",
            sql: props::violations_sql(),
        },
    ]
}

fn rule(name: &'static str, doc: &'static str, sql: &str) -> IntegrityRule {
    IntegrityRule {
        name,
        doc,
        sql: sql.to_owned(),
    }
}

fn kinds_sql() -> String {
    let quoted = |labels: &[&str]| format!("('{}')", labels.join("', '"));
    let allowed: Vec<String> = EDGE_KINDS
        .iter()
        .map(|kind| {
            format!(
                "(edges.edge_kind = '{}' AND src.node_kind IN {} AND dst.node_kind IN {})",
                kind.name,
                quoted(kind.sources),
                quoted(kind.destinations)
            )
        })
        .collect();
    format!(
        "SELECT edges.edge_kind, src.node_kind AS src_kind, dst.node_kind AS dst_kind, count(*) AS edges\n\
         FROM cpg.cpg_edges AS edges\n\
         JOIN cpg.cpg_nodes AS src ON src.node_id = edges.src_node_id\n\
         JOIN cpg.cpg_nodes AS dst ON dst.node_id = edges.dst_node_id\n\
         WHERE NOT ({})\n\
         GROUP BY edges.edge_kind, src.node_kind, dst.node_kind",
        allowed.join("\nOR ")
    )
}
