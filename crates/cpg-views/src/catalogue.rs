//! The catalogue of properties: what is known of a node beyond its columns, where it comes from and what it may be.

/// What the value of a property is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueType {
    /// Text.
    String,
    /// An integer of 64 bits.
    Int,
    /// A truth value; only true ones are stored.
    Bool,
}

impl ValueType {
    /// The type as it is stored in `value_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Bool => "bool",
        }
    }
}

/// One property: its meaning, and the column that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// The key. Several tables may give one key, never for one node.
    pub key: &'static str,
    /// What its value is.
    pub value_type: ValueType,
    /// The only values that it may have; empty when there is no such list.
    pub values: &'static [&'static str],
    /// What it says.
    pub doc: &'static str,
    /// The table.
    pub(crate) source: &'static str,
    /// The column of the node.
    pub(crate) entity: &'static str,
    /// The column of the value.
    pub(crate) column: &'static str,
    /// Which rows have it, beside those whose value is null.
    pub(crate) condition: &'static str,
}

/// A table and its column of nodes.
#[derive(Clone, Copy)]
struct Source(&'static str, &'static str);

impl Source {
    const fn string(self, key: &'static str, doc: &'static str) -> Property {
        self.property(key, ValueType::String, doc)
    }

    const fn int(self, key: &'static str, doc: &'static str) -> Property {
        self.property(key, ValueType::Int, doc)
    }

    const fn flag(self, key: &'static str, doc: &'static str) -> Property {
        self.property(key, ValueType::Bool, doc).only(key)
    }

    const fn property(
        self,
        key: &'static str,
        value_type: ValueType,
        doc: &'static str,
    ) -> Property {
        Property {
            key,
            value_type,
            values: &[],
            doc,
            source: self.0,
            entity: self.1,
            column: key,
            condition: "",
        }
    }
}

impl Property {
    const fn from(self, column: &'static str) -> Self {
        Self { column, ..self }
    }

    const fn one_of(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    const fn only(self, condition: &'static str) -> Self {
        Self { condition, ..self }
    }
}

const FILES: Source = Source("extract.files", "file_id");
const NODES: Source = Source("extract.nodes", "node_id");
const SCOPES: Source = Source("extract.scopes", "scope_id");
const BINDINGS: Source = Source("extract.bindings", "binding_id");
const DEFINITIONS: Source = Source("extract.definitions", "node_id");
const PARAMETERS: Source = Source("extract.parameters", "node_id");
const IMPORTS: Source = Source("extract.imports", "node_id");
const CALLS: Source = Source("extract.calls", "node_id");
const DOCSTRINGS: Source = Source("extract.docstrings", "node_id");
const DIAGNOSTICS: Source = Source("extract.diagnostics", "node_id");
const SYMBOLS: Source = Source("normalize.symbols", "symbol_id");

/// Every property, table by table.
pub const CATALOGUE: &[Property] = &[
    FILES.string("path", "The path below the root, parts separated by `/`."),
    FILES.string("sha256", "SHA-256 of the bytes that were parsed, in hexadecimal digits."),
    FILES.int("size_bytes", "Length in bytes."),
    FILES.string("encoding", "The encoding that the file was decoded from."),
    FILES.int("line_count", "Lines of the decoded text."),
    FILES.string("module_name", "The dotted name under which the file is imported."),
    FILES.flag("is_package", "Whether the file is an `__init__.py`."),
    FILES
        .string("parse_status", "Whether the tree is whole.")
        .from("status")
        .one_of(&["parsed", "partial", "skipped"]),
    FILES.string("parse_reason", "Why the file is not parsed.").from("reason"),
    FILES.string("interface_hash", "A digest of what other files can see."),
    NODES
        .string("ast_kind", "The class in CPython's `ast`, where the label and the name do not tell it.")
        .only("node_kind IN ('CONTROL_STRUCTURE', 'IMPORT', 'METHOD', 'METHOD_REF', 'TYPE_DECL', 'UNKNOWN')"),
    NODES.int("code_hash", "63 bits of SHA-256 over the source of a class or function."),
    SCOPES.string("scope_kind", "What opens the scope.").one_of(&[
        "module",
        "class",
        "function",
        "lambda",
        "comprehension",
        "type_parameters",
        "annotation",
    ]),
    SCOPES.flag("is_nested", "Whether a function encloses the scope."),
    BINDINGS
        .string("binding_kind", "How the name is bound in its scope.")
        .one_of(&[
            "local",
            "global_implicit",
            "global_explicit",
            "free",
            "cell",
            "class_attribute",
            "module_attribute",
            "import",
        ])
        .only("binding_kind <> 'parameter'"),
    BINDINGS.flag("is_annotated", "Whether the name is annotated in its scope."),
    DEFINITIONS
        .string("definition_kind", "What is defined.")
        .one_of(&["module", "class", "function", "async_function", "lambda", "comprehension"]),
    DEFINITIONS.string("signature", "Parameters and result as written."),
    DEFINITIONS.string("bases", "The bases of a class as written, separated by `, `."),
    DEFINITIONS
        .int("duplicate_index", "1 for the second definition of one name in a file, and so on.")
        .only("duplicate_index > 0"),
    DEFINITIONS.int("decorator_count", "Number of decorators.").only("decorator_count > 0"),
    DEFINITIONS.flag("is_async", "Whether it is `async`."),
    DEFINITIONS.flag("is_generator", "Whether calling it makes a generator."),
    DEFINITIONS.flag("is_method", "Whether it is a function directly in a class body."),
    DEFINITIONS.flag("is_static", "Decorated with `staticmethod`."),
    DEFINITIONS.flag("is_classmethod", "Decorated with `classmethod`."),
    DEFINITIONS.flag("is_property", "A property, or an accessor of one."),
    DEFINITIONS.flag("is_abstract", "Decorated as abstract."),
    DEFINITIONS.flag("is_overload", "Decorated with `overload`."),
    PARAMETERS.string("parameter_kind", "How an argument reaches it.").one_of(&[
        "positional_only",
        "positional_or_keyword",
        "var_positional",
        "keyword_only",
        "var_keyword",
    ]),
    PARAMETERS.int("default_id", "The default's expression."),
    PARAMETERS.int("annotation_id", "The annotation's expression."),
    IMPORTS.string("import_kind", "The statement.").one_of(&["import", "from"]),
    IMPORTS.string("module", "The module as written, without leading dots."),
    IMPORTS.int("level", "Number of leading dots.").only("level > 0"),
    IMPORTS.string("imported_name", "The name that is taken from the module."),
    IMPORTS.string("asname", "The name after `as`."),
    IMPORTS.flag("is_star", "Whether everything is imported."),
    IMPORTS.flag("is_type_checking", "Whether it stands below `if TYPE_CHECKING:`."),
    IMPORTS.flag("is_future", "Whether it is a `from __future__` import."),
    CALLS
        .string("callee_shape", "What the callee looks like.")
        .one_of(&["name", "attribute", "subscript", "call", "lambda", "other"]),
    CALLS.string("callee_text", "The callee as written, at most 200 characters."),
    DOCSTRINGS.string("docstring", "The text, escapes evaluated.").from("text"),
    DOCSTRINGS.string("summary", "The first line of a docstring that is not blank."),
    DIAGNOSTICS.string("severity", "How bad it is.").one_of(&["error", "warning"]),
    DIAGNOSTICS.string("code", "A stable code in snake case."),
    DIAGNOSTICS.string("message", "One sentence for people."),
    SYMBOLS
        .string("symbol_kind", "What kind of thing the symbol names.")
        .one_of(&["module", "class", "function", "parameter", "attribute"]),
    SYMBOLS
        .int("declaration_count", "How many sites declare the symbol, when it is more than one.")
        .only("declaration_count > 1"),
];
