//! Tables of definitions and what belongs to them.

use std::borrow::Cow;

use super::table::table;

table! {
    /// One row for every module, class, function, lambda and comprehension.
    struct DefinitionRow<'a> => DefinitionColumns in "extract.definitions", key [node_id];
    /// The node: `NAMESPACE_BLOCK`, `TYPE_DECL` or METHOD.
    node_id: i64 as NodeId,
    /// `module`, `class`, `function`, `async_function`, `lambda` or `comprehension`.
    definition_kind: &'a str,
    /// The name; `<lambda>`, `<listcomp>` and the like where there is none.
    name: &'a str,
    /// The dotted name from the module downwards, with `<locals>` below functions, as `__qualname__` has it.
    qualified_name: String,
    /// 0 for the first definition of that kind and qualified name in the file, then 1, 2, ...
    duplicate_index: i32,
    /// The symbol.
    symbol_id: i64 as NodeId,
    /// The binding that the statement assigns; null for lambdas, comprehensions and the module.
    binding_id: Option<i64> as NodeId,
    /// The scope in which the definition is evaluated; for the module its own.
    scope_id: i64 as NodeId,
    /// The definition around it; null for the module.
    container_id: Option<i64> as NodeId,
    /// The scope that the definition opens.
    body_scope_id: i64 as NodeId,
    /// Parameters and result as written, white space folded: `(self, x: int = 0, *, y) -> str`.
    signature: Option<String>,
    /// The bases of a class as written, separated by `, `.
    bases: Option<String>,
    /// Number of decorators.
    decorator_count: i32,
    /// The `PY_DOCSTRING` node.
    docstring_id: Option<i64> as NodeId,
    /// Whether it is `async`, or an asynchronous comprehension.
    is_async: bool,
    /// Whether calling it makes a generator.
    is_generator: bool,
    /// Whether it is a function directly in a class body.
    is_method: bool,
    /// Decorated with `staticmethod`.
    is_static: bool,
    /// Decorated with `classmethod`.
    is_classmethod: bool,
    /// Decorated with `property`, a name that ends in `_property` or `cached_property`, or a property's `setter`,
    /// `getter` or `deleter`.
    is_property: bool,
    /// Decorated with `abstractmethod` or a name that begins with `abstract`.
    is_abstract: bool,
    /// Decorated with `overload`.
    is_overload: bool,
}

table! {
    /// One row for every base of every class, in order.
    struct ClassBaseRow<'a> => ClassBaseColumns in "extract.class_bases", key [class_id, position];
    /// The `TYPE_DECL` of the class.
    class_id: i64 as NodeId,
    /// The place among the bases, from 0.
    position: i32,
    /// The expression.
    node_id: i64 as NodeId,
    /// The expression as written, white space folded.
    text: Cow<'a, str>,
    /// The leftmost name of a dotted base; subscripts are looked through, so that `t.Generic[T]` has the root `t`.
    root_name: Option<&'a str>,
    /// What the root means in this file.
    root_binding_id: Option<i64> as NodeId,
    /// The dotted rest after the root; null when the base is the root itself.
    path: Option<String>,
}

table! {
    /// One row for every parameter, in order of their functions.
    struct ParameterRow<'a> => ParameterColumns in "extract.parameters", key [node_id];
    /// The `METHOD_PARAMETER_IN` node.
    node_id: i64 as NodeId,
    /// The METHOD.
    method_id: i64 as NodeId,
    /// The place in the signature, from 0.
    position: i32,
    /// The name as written; `.0` for the iterator that a comprehension receives.
    name: &'a str,
    /// `positional_only`, `positional_or_keyword`, `var_positional`, `keyword_only` or `var_keyword`.
    parameter_kind: &'a str,
    /// The default's expression.
    default_id: Option<i64> as NodeId,
    /// The annotation's expression.
    annotation_id: Option<i64> as NodeId,
    /// The symbol.
    symbol_id: i64 as NodeId,
    /// The function's qualified name, a dot and the name.
    qualified_name: String,
}

table! {
    /// One row for every docstring.
    struct DocstringRow<'a> => DocstringColumns in "extract.docstrings", key [node_id];
    /// The `PY_DOCSTRING` node.
    node_id: i64 as NodeId,
    /// The definition that it documents.
    owner_id: i64 as NodeId,
    /// The text, escapes evaluated.
    text: &'a str,
    /// The first line that is not blank.
    summary: Option<&'a str>,
}
