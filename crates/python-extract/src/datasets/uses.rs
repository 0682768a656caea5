//! Tables of imports and calls.

use std::borrow::Cow;

use super::table::table;

table! {
    /// One row for every name of every import statement.
    struct ImportRow<'a> => ImportColumns in "extract.imports", key [node_id];
    /// The IMPORT node of the alias.
    node_id: i64 as NodeId,
    /// The IMPORT node of the statement.
    statement_id: i64 as NodeId,
    /// The scope that binds the name.
    scope_id: i64 as NodeId,
    /// `import` or `from`.
    import_kind: &'a str,
    /// The module as written, without leading dots; null in `from . import x`.
    module: Option<&'a str>,
    /// Number of leading dots.
    level: i32,
    /// The name that is taken from the module; null for `import`.
    imported_name: Option<&'a str>,
    /// The name after `as`.
    asname: Option<&'a str>,
    /// The name that is bound; null for a star import.
    bound_name: Option<&'a str>,
    /// The binding.
    binding_id: Option<i64> as NodeId,
    /// Whether everything is imported.
    is_star: bool,
    /// The absolute name of the module, leading dots resolved; empty for the root itself, null when the dots climb
    /// above it.
    target_module: Option<Cow<'a, str>>,
    /// Whether it stands below `if TYPE_CHECKING:`.
    is_type_checking: bool,
    /// Whether it is a `from __future__` import.
    is_future: bool,
}

table! {
    /// One row for every call expression.
    struct CallRow<'a> => CallColumns in "extract.calls", key [node_id];
    /// The CALL node.
    node_id: i64 as NodeId,
    /// The scope in which the call is evaluated.
    scope_id: i64 as NodeId,
    /// The METHOD in which it is evaluated.
    method_id: i64 as NodeId,
    /// The expression that is called.
    callee_id: i64 as NodeId,
    /// `name`, `attribute`, `subscript`, `call`, `lambda` or `other`.
    callee_shape: &'a str,
    /// The callee as written, white space folded, at most 200 characters.
    callee_text: Cow<'a, str>,
    /// The last name of the callee.
    callee_name: Option<&'a str>,
    /// The leftmost name, when the callee is a name or dotted.
    root_name: Option<&'a str>,
    /// Its IDENTIFIER.
    root_id: Option<i64> as NodeId,
    /// What it means in this file.
    root_binding_id: Option<i64> as NodeId,
    /// The dotted rest after the root; null when the callee is the root itself or has none.
    path: Option<String>,
    /// The expression before the last dot.
    receiver_id: Option<i64> as NodeId,
    /// Arguments without a name and without stars.
    positional_count: i32,
    /// Arguments with a name.
    keyword_count: i32,
    /// Whether there is an argument `*x`.
    has_star: bool,
    /// Whether there is an argument `**x`.
    has_double_star: bool,
}

table! {
    /// One row for every argument of every call.
    struct ArgumentRow<'a> => ArgumentColumns in "extract.arguments", key [call_id, position];
    /// The CALL.
    call_id: i64 as NodeId,
    /// The place in source order, from 1.
    position: i32,
    /// The argument's expression: with the star for `*x`, without the stars for `**x`.
    node_id: i64 as NodeId,
    /// `positional`, `keyword`, `star` or `double_star`.
    argument_kind: &'a str,
    /// The name of a keyword argument.
    keyword: Option<&'a str>,
}
