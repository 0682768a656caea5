//! The graph's own tables: nodes, edges and the status of every call.

use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Error};
use ossature_view_graph::View;

use crate::column::{maybe, maybe_node, maybe_text, node, required, text};
use crate::policy::laid_out;

/// Nodes, edges, calls and the views of derived edges, in the order of their dependencies.
pub(crate) fn views() -> Result<Vec<View>, Error> {
    Ok(vec![
        View::table(laid_out(nodes()?)?, include_str!("views/cpg_nodes.sql")),
        View::table(laid_out(edges()?)?, include_str!("views/cpg_edges.sql")),
        View::table(laid_out(calls()?)?, include_str!("views/cpg_calls.sql")),
        View::inline(
            derived_edges(
                "cpg.ast_edges",
                "The tree of every file as edges from parents to children.",
            )?,
            include_str!("views/cpg_ast_edges.sql"),
        ),
        View::inline(
            derived_edges(
                "cpg.contains_edges",
                "The innermost method around every expression and statement, the innermost class around every method, and the file around every method and class.",
            )?,
            include_str!("views/cpg_contains_edges.sql"),
        ),
        View::inline(
            derived_edges("cpg.edges_all", "Every edge, stored or derived.")?,
            include_str!("views/cpg_edges_all.sql"),
        ),
    ])
}

fn nodes() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "cpg.cpg_nodes",
        "One row for every node of the graph: sites of files, then symbols.",
    )
    .columns([
        node("node_id", "The node: a site below 2^62, a symbol above.")?,
        text("node_kind", "The label, as in the code property graph's specification; `PY_` begins those that Python adds.")?,
        maybe_node("file_id", "The FILE of a site; null for symbols.")?,
        maybe_node("parent_id", "The parent in the file's tree; null for FILE and symbols.")?,
        maybe_node("subtree_end", "The largest id in the subtree; null for symbols.")?,
        maybe("position", ColumnType::Int32, "The place among all children of the parent, from 0; null for symbols.")?,
        maybe_text("name", "The name: of an identifier, a definition, a callee, an operator, a symbol.")?,
        maybe_text("qualified_name", "The dotted name from the module downwards, where there is one.")?,
        maybe("bstart", ColumnType::Int32, "First byte in the decoded file; null for symbols.")?,
        maybe("bend", ColumnType::Int32, "The byte after the last one; null for symbols.")?,
        maybe("line", ColumnType::Int32, "The line of `bstart`, from 1; null for symbols.")?,
    ])
    .key(["node_id"])
    .order_by(["node_id"])
    .build()
}

/// The columns that make an edge differ from every other one.
const EDGE_KEY: [&str; 5] = [
    "edge_kind",
    "src_node_id",
    "dst_node_id",
    "label",
    "position",
];
/// The order in which edges are stored.
const EDGE_ORDER: [&str; 6] = [
    "family",
    "src_node_id",
    "edge_kind",
    "dst_node_id",
    "label",
    "position",
];

fn edge_columns() -> Result<Vec<ColumnSpec>, Error> {
    Ok(vec![
        text(
            "edge_kind",
            "What the edge says, see the catalogue of edge kinds.",
        )?,
        node("src_node_id", "Where it begins.")?,
        node("dst_node_id", "Where it ends.")?,
        maybe_text(
            "label",
            "What tells it from edges of its kind: the use of a name, the keyword of an argument, how a callee is reached.",
        )?,
        maybe(
            "position",
            ColumnType::Int32,
            "Its place among the edges of its kind, where they are in order.",
        )?,
        text("origin", "The analysis that found it.")?,
        text("resolution", "How it was resolved.")?,
        required(
            "confidence",
            ColumnType::Float64,
            "How certain it is: above 0, at most 1; candidates share it.",
        )?,
        maybe(
            "ambiguity_group",
            ColumnType::Int64,
            "The same number for all candidates of one question: the id of its site; null where there is one answer.",
        )?,
        text(
            "family",
            "`local`: a function of one file; `linked`: of several.",
        )?,
    ])
}

fn edges() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "cpg.cpg_edges",
        "One row for every edge but those of the tree, which `cpg.edges_all` adds.",
    )
    .columns(edge_columns()?)
    .key(EDGE_KEY)
    .order_by(EDGE_ORDER)
    .partition_by(["family"])
    .build()
}

fn derived_edges(name: &str, doc: &str) -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(name, doc)
        .columns(edge_columns()?)
        .key(EDGE_KEY)
        .order_by(EDGE_ORDER)
        .build()
}

fn calls() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "cpg.calls",
        "One row for every call expression: never absence, always a status.",
    )
    .columns([
        node("node_id", "The CALL.")?,
        text("status", "`resolved`, `external`, `ambiguous` or `unresolved`.")?,
        text("method", "The rung that decided: `local_definition`, `class_attribute`, `import`, `star_import`, `builtin` or `none`.")?,
        required("confidence", ColumnType::Float64, "That of the likeliest candidate; 0 when there is none.")?,
        maybe_text("reason", "Why it is unresolved: a stable code in snake case; null otherwise.")?,
        required("candidate_count", ColumnType::Int32, "How many functions, classes and external names it may call.")?,
    ])
    .key(["node_id"])
    .order_by(["node_id"])
    .build()
}
