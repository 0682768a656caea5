//! Tables of scopes and names.

use std::borrow::Cow;

use super::table::table;

table! {
    /// One row for every scope, as CPython's `symtable` sees it.
    struct ScopeRow<'a> => ScopeColumns in "extract.scopes", key [scope_id];
    /// The `PY_SCOPE` node.
    scope_id: i64 as NodeId,
    /// The METHOD whose names these are; for type parameters the class, function or alias that has them.
    node_id: i64 as NodeId,
    /// The enclosing scope; null for the module.
    parent_scope_id: Option<i64> as NodeId,
    /// `module`, `class`, `function`, `lambda`, `comprehension` or `type_parameters`.
    scope_kind: &'a str,
    /// The name as CPython has it: `top`, `lambda`, `genexpr`, `listcomp`, or that of the class or function.
    name: &'a str,
    /// Whether a function encloses it.
    is_nested: bool,
    /// Whether its locals are slots: true for functions, lambdas and comprehensions.
    is_optimized: bool,
}

table! {
    /// One row for every name in every scope that knows it, bound or only used.
    struct BindingRow<'a> => BindingColumns in "extract.bindings", key [binding_id];
    /// The node: `METHOD_PARAMETER_IN` for parameters, else a child of the scope's `PY_SCOPE`.
    binding_id: i64 as NodeId,
    /// The scope.
    scope_id: i64 as NodeId,
    /// The name, mangled where the language mangles it.
    name: Cow<'a, str>,
    /// `parameter`, `local`, `global_implicit`, `global_explicit`, `free`, `cell`, `class_attribute`,
    /// `module_attribute` or `import`.
    binding_kind: &'a str,
    /// Whether it is a parameter.
    is_parameter: bool,
    /// Whether the scope owns it.
    is_local: bool,
    /// Whether it is a name of the module or a builtin.
    is_global: bool,
    /// Whether a `global` statement says so.
    is_declared_global: bool,
    /// Whether a `nonlocal` statement names it, or an assignment expression in a comprehension binds it outside.
    is_nonlocal: bool,
    /// Whether an enclosing function owns it.
    is_free: bool,
    /// Whether an import binds it.
    is_imported: bool,
    /// Whether an assignment, a definition, a deletion or the like binds it.
    is_assigned: bool,
    /// Whether the scope reads it.
    is_referenced: bool,
    /// Whether it is annotated.
    is_annotated: bool,
    /// Whether a scope directly inside has the same name.
    is_namespace: bool,
    /// The dotted name, for attributes of the module and of classes, and for parameters.
    qualified_name: Option<Cow<'a, str>>,
    /// The symbol of an attribute of the module or of a class: that of the last definition bound to it, else its own.
    /// For a parameter, the parameter's.
    symbol_id: Option<i64> as NodeId,
    /// For free and global names: the binding of the same file that they mean.
    resolves_to: Option<i64> as NodeId,
}

table! {
    /// One row for every identifier that is read, bound or deleted.
    struct ReferenceRow<'a> => ReferenceColumns in "extract.references", key [node_id];
    /// The IDENTIFIER node.
    node_id: i64 as NodeId,
    /// The scope in which it is evaluated.
    scope_id: i64 as NodeId,
    /// The name as written.
    name: &'a str,
    /// `load`, `store` or `delete`.
    context: &'a str,
    /// `local` (this scope's), `free` (an enclosing function's), `global` (the module's), `builtin` or `unresolved`.
    resolution: &'a str,
    /// The binding of this file that the name finally means; null for `builtin` and `unresolved`, and for the
    /// `__class__` that the language provides.
    binding_id: Option<i64> as NodeId,
}
