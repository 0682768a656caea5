//! Tables about files as a whole.

use std::borrow::Cow;

use super::table::table;

table! {
    /// One row for every source file that the scan listed, whether it could be read or not.
    struct FileRow<'a> => FileColumns in "extract.files", key [file_id];
    /// The FILE node of the file: its key shifted left by 22 bits.
    file_id: i64 as NodeId,
    /// The path below the root, parts separated by `/`; bytes that are not UTF-8 are shown as U+FFFD.
    path: &'a str,
    /// The path's bytes, only where `path` does not show them exactly.
    path_bytes: Option<&'a [u8]>,
    /// SHA-256 of the bytes that were parsed, in hexadecimal digits; null when the file was not read.
    sha256: Option<String>,
    /// Length in bytes.
    size_bytes: i64,
    /// The encoding that the file was decoded from, as Python names it; null when it was not decoded.
    encoding: Option<Cow<'a, str>>,
    /// Lines of the decoded text; null when it was not decoded.
    line_count: Option<i32>,
    /// The dotted name under which the file is imported.
    module_name: Option<&'a str>,
    /// Whether the file is an `__init__.py`, so that its module is a package.
    is_package: bool,
    /// `parsed`, `partial` (with syntax errors: the tree holds what could be recovered) or `skipped`.
    status: &'a str,
    /// Why the file is not `parsed`: a stable code in snake case.
    reason: Option<&'a str>,
    /// 0, or the salt with which the path was hashed again because another path has the same key.
    salt: i32,
    /// Nodes of the file's tree.
    node_count: i32,
    /// Rows of the file in `extract.definitions`.
    definition_count: i32,
    /// Rows of the file in `extract.calls`.
    call_count: i32,
    /// A digest of what other files can see of this one: exports, definitions, signatures, bases and decorators.
    interface_hash: Option<String>,
}

table! {
    /// One row for everything that is wrong with a file.
    struct DiagnosticRow<'a> => DiagnosticColumns in "extract.diagnostics", key [node_id];
    /// The `PY_DIAGNOSTIC` node.
    node_id: i64 as NodeId,
    /// `error` or `warning`.
    severity: &'a str,
    /// A stable code in snake case: `syntax_error`, `unsupported_syntax`, or the reason why the file was skipped.
    code: &'a str,
    /// One sentence for people.
    message: String,
    /// First byte in the decoded text.
    bstart: i32,
    /// The byte after the last one.
    bend: i32,
    /// The line of `bstart`, from 1.
    line: i32,
}

table! {
    /// One row for every name that a module offers to `import`, and one named `*` for every star import of its scope.
    ///
    /// `from m import name` finds any row. A star import of `m` takes the rows with `is_in_all`, and when
    /// `export_kind` is `implicit` all those whose name does not begin with an underscore.
    struct ExportRow<'a> => ExportColumns in "extract.exports", key [file_id, name, ordinal];
    /// The FILE node of the module's file.
    file_id: i64 as NodeId,
    /// The name; `*` for what a star import brings.
    name: Cow<'a, str>,
    /// 0, except for the second and later star imports of a module.
    ordinal: i32,
    /// What decides about star imports of this module, the same in all its rows: `all` when it has an `__all__` that
    /// can be read without running it, else `implicit`.
    export_kind: &'a str,
    /// Whether `__all__` lists the name.
    is_in_all: bool,
    /// The module's binding of the name; null when `__all__` lists a name that the file does not bind.
    binding_id: Option<i64> as NodeId,
    /// The symbol: of the definition that the name stands for, else of the module attribute.
    symbol_id: Option<i64> as NodeId,
    /// The import alias that binds the name, when the name is re-exported; the star import in a row named `*`.
    import_id: Option<i64> as NodeId,
    /// The place in `__all__`, from 0.
    position: Option<i32>,
}
