//! The catalogue of edge kinds: which labels each joins.

/// Nodes that bind a name.
const BINDERS: &[&str] = &["LOCAL", "MEMBER", "METHOD_PARAMETER_IN", "PY_BINDING"];
/// Nodes that are expressions.
const EXPRESSIONS: &[&str] = &[
    "CALL",
    "IDENTIFIER",
    "LITERAL",
    "METHOD_REF",
    "TYPE_REF",
    "UNKNOWN",
];
/// Nodes that define something.
const DEFINITIONS: &[&str] = &["METHOD", "NAMESPACE_BLOCK", "TYPE_DECL"];
/// Nodes that stand for names in other files.
const SYMBOLS: &[&str] = &["PY_EXTERNAL", "PY_SYMBOL"];

/// A kind of edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeKind {
    /// The kind, as it is stored.
    pub name: &'static str,
    /// Labels of nodes that it may begin at.
    pub sources: &'static [&'static str],
    /// Labels of nodes that it may end at.
    pub destinations: &'static [&'static str],
    /// What it says, and what its label and position are.
    pub doc: &'static str,
}

/// Every kind of edge that is stored. `AST` and `CONTAINS` are views: they follow from the tree.
pub const EDGE_KINDS: &[EdgeKind] = &[
    EdgeKind {
        name: "ARGUMENT",
        sources: &["CALL"],
        destinations: EXPRESSIONS,
        doc: "A call has an argument. Position: from 1 in source order. Label: the keyword, `*` or `**`.",
    },
    EdgeKind {
        name: "BINDS",
        sources: &["PY_SCOPE"],
        destinations: BINDERS,
        doc: "A scope knows a name.",
    },
    EdgeKind {
        name: "CALL",
        sources: &["CALL"],
        destinations: SYMBOLS,
        doc: "A call may call this. Label: `instantiates` when it is a class, `__init__` for what that runs.",
    },
    EdgeKind {
        name: "CAPTURE",
        sources: BINDERS,
        destinations: BINDERS,
        doc: "A free name is the one of an enclosing function.",
    },
    EdgeKind {
        name: "DECLARES",
        sources: &[
            "LOCAL",
            "MEMBER",
            "METHOD",
            "METHOD_PARAMETER_IN",
            "NAMESPACE_BLOCK",
            "PY_BINDING",
            "TYPE_DECL",
        ],
        destinations: &["PY_SYMBOL"],
        doc: "A site declares a symbol.",
    },
    EdgeKind {
        name: "IMPORTS",
        sources: &["IMPORT"],
        destinations: SYMBOLS,
        doc: "An import names this.",
    },
    EdgeKind {
        name: "INHERITS_FROM",
        sources: &["PY_SYMBOL"],
        destinations: SYMBOLS,
        doc: "A class has a base. Position: from 0 in source order.",
    },
    EdgeKind {
        name: "PY_DOCUMENTS",
        sources: &["PY_DOCSTRING"],
        destinations: DEFINITIONS,
        doc: "A docstring documents a definition.",
    },
    EdgeKind {
        name: "PY_EXPORTS",
        sources: &["FILE"],
        destinations: BINDERS,
        doc: "A module offers a name. Label: what decides about star imports, `all` or `implicit`. Position: in `__all__`, from 0.",
    },
    EdgeKind {
        name: "PY_HAS_DIAGNOSTIC",
        sources: &["FILE"],
        destinations: &["PY_DIAGNOSTIC"],
        doc: "Something is wrong with a file.",
    },
    EdgeKind {
        name: "PY_SCOPE_PARENT",
        sources: &["PY_SCOPE"],
        destinations: &["PY_SCOPE"],
        doc: "A scope lies in another.",
    },
    EdgeKind {
        name: "RECEIVER",
        sources: &["CALL"],
        destinations: EXPRESSIONS,
        doc: "The expression before the last dot of a callee.",
    },
    EdgeKind {
        name: "REF",
        sources: &["IDENTIFIER"],
        destinations: BINDERS,
        doc: "A name means a binding of its file. Label: `load`, `store` or `delete`.",
    },
];
