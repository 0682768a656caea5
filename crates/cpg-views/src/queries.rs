//! Questions that are asked of the graph again and again: what its tables are laid out for.

use ossature_view_graph::SavedQuery;

/// A question, as SQL over the published tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphQuery {
    /// Its name.
    pub name: &'static str,
    /// What it answers.
    pub doc: &'static str,
    /// The query.
    pub sql: &'static str,
}

const fn query(name: &'static str, doc: &'static str, sql: &'static str) -> GraphQuery {
    GraphQuery { name, doc, sql }
}

/// The questions. The names in them are of the standard library, where most trees have something to find.
pub const QUERIES: &[GraphQuery] = &[
    query(
        "node_by_id",
        "One node.",
        "SELECT node_kind, name, qualified_name, line FROM cpg.cpg_nodes WHERE node_id = 4611686018427387904",
    ),
    query(
        "node_by_name",
        "A definition, by its qualified name.",
        "SELECT node_id, node_kind, file_id, line FROM cpg.cpg_nodes WHERE qualified_name = 'json.decoder.JSONDecoder'",
    ),
    query(
        "children",
        "The nodes right below one.",
        "SELECT node_id, node_kind, name FROM cpg.cpg_nodes WHERE parent_id = 4611686018427387904 ORDER BY position",
    ),
    query(
        "subtree",
        "Every node below one.",
        "SELECT below.node_id, below.node_kind, below.name \
         FROM cpg.cpg_nodes AS top_node JOIN cpg.cpg_nodes AS below \
         ON below.node_id BETWEEN top_node.node_id AND top_node.subtree_end \
         WHERE top_node.node_id = 4611686018427387904",
    ),
    query(
        "nodes_of_file",
        "The nodes of one file.",
        "SELECT node_id, node_kind, name FROM cpg.cpg_nodes WHERE file_id = 4611686018427387904",
    ),
    query(
        "callers",
        "Who calls a function.",
        "SELECT caller.qualified_name FROM cpg.cpg_edges AS calls \
         JOIN cpg.cpg_nodes AS callee ON callee.node_id = calls.dst_node_id \
         JOIN cpg.cpg_nodes AS caller ON caller.node_id = calls.src_node_id \
         WHERE calls.edge_kind = 'CALL' AND callee.qualified_name = 'json.dumps'",
    ),
    query(
        "most_called",
        "What is called most.",
        "SELECT callee.qualified_name, count(*) AS calls FROM cpg.cpg_edges AS edges \
         JOIN cpg.cpg_nodes AS callee ON callee.node_id = edges.dst_node_id \
         WHERE edges.edge_kind = 'CALL' GROUP BY callee.qualified_name ORDER BY calls DESC, 1 LIMIT 20",
    ),
    query(
        "base_classes",
        "What each class inherits from.",
        "SELECT class.qualified_name AS class, base.qualified_name AS base FROM cpg.cpg_edges AS edges \
         JOIN cpg.cpg_nodes AS class ON class.node_id = edges.src_node_id \
         JOIN cpg.cpg_nodes AS base ON base.node_id = edges.dst_node_id \
         WHERE edges.edge_kind = 'INHERITS_FROM'",
    ),
    query(
        "edges_out",
        "Everything that leaves a node.",
        "SELECT edge_kind, dst_node_id, label FROM cpg.cpg_edges WHERE src_node_id = 4611686018427387904",
    ),
    query(
        "neighbours_out",
        "The nodes that a node leads to, in one row.",
        "SELECT * FROM cpg.cpg_edges_by_src WHERE node_id = 4611686018427387904",
    ),
    query(
        "neighbours_in",
        "The nodes that lead to a node, in one row.",
        "SELECT * FROM cpg.cpg_edges_by_dst WHERE node_id = 4611686018427387904",
    ),
    query(
        "reachable_calls",
        "Everything that a function calls, and what that calls, and so on.",
        "WITH RECURSIVE reached AS ( \
         SELECT dst_node_id AS node_id FROM cpg.cpg_edges \
         WHERE src_node_id = 4611686018427387904 AND edge_kind = 'CALL' \
         UNION SELECT edges.dst_node_id FROM cpg.cpg_edges AS edges \
         JOIN reached ON edges.src_node_id = reached.node_id WHERE edges.edge_kind = 'CALL' \
         ) SELECT nodes.qualified_name FROM reached JOIN cpg.cpg_nodes AS nodes ON nodes.node_id = reached.node_id",
    ),
    query(
        "properties",
        "What is known of a node.",
        "SELECT prop_key, value_type FROM cpg.cpg_props WHERE entity_kind = 'node' AND entity_id = 4611686018427387904",
    ),
    query(
        "property_values",
        "Every node that has a property.",
        "SELECT entity_id FROM cpg.cpg_props WHERE prop_key = 'is_generator'",
    ),
    query(
        "property_map",
        "What is known of a node, in one row.",
        "SELECT * FROM cpg.cpg_props_map WHERE entity_kind = 'node' AND entity_id = 4611686018427387904",
    ),
    query(
        "unresolved_calls",
        "Which calls are not resolved, and why.",
        "SELECT reason, count(*) AS calls FROM cpg.calls WHERE status = 'unresolved' GROUP BY reason ORDER BY calls DESC, reason",
    ),
    query(
        "file_by_path",
        "One source file.",
        "SELECT file_id, sha256, line_count FROM extract.files WHERE path = 'json/decoder.py'",
    ),
];

/// The questions as consumers of the tables.
pub fn queries() -> Vec<SavedQuery> {
    let queries = QUERIES.iter().map(|query| SavedQuery {
        name: query.name.into(),
        sql: query.sql.into(),
    });
    queries.collect()
}
