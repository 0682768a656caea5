//! The table of nodes.

use super::table::table;

table! {
    /// One row for every node of every file's tree, in preorder.
    struct NodeRow<'a> => NodeColumns in "extract.nodes", key [node_id];
    /// The node: file key and preorder position.
    node_id: i64 as NodeId,
    /// The label in the code property graph.
    node_kind: &'a str,
    /// The class in CPython's `ast`; null for nodes that only the graph has.
    ast_kind: Option<&'a str>,
    /// The parent; null for the FILE.
    parent_id: Option<i64> as NodeId,
    /// The field of the nearest ancestor with an `ast_kind` in which the node sits.
    field: Option<&'a str>,
    /// The place among all children of the parent, from 0.
    position: i32,
    /// The largest id in the subtree; the node itself when it has no children.
    subtree_end: i64 as NodeId,
    /// First byte in the decoded text.
    bstart: i32,
    /// The byte after the last one.
    bend: i32,
    /// The line of `bstart`, from 1.
    line: i32,
    /// The name: of an identifier, a definition, a callee, an operator, a control structure.
    name: Option<&'a str>,
    /// The dotted name from the module downwards, for modules, classes, methods, parameters, members and bindings of
    /// the module.
    qualified_name: Option<&'a str>,
    /// 63 bits of SHA-256 over the source of a class or function, decorators included.
    code_hash: Option<i64>,
}
