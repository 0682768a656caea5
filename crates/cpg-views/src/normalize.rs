//! Tables between the extractor's and the graph's: symbols, resolved imports and bases, class hierarchies, candidates of
//! calls.

use ossature_schema_spec::{ColumnType, DatasetSpec, Error};
use ossature_view_graph::View;

use crate::column::{maybe, maybe_node, maybe_text, node, required, text};
use crate::policy::laid_out;

/// The views of this stage, in the order of their dependencies.
pub(crate) fn views() -> Result<Vec<View>, Error> {
    Ok(vec![
        View::table(
            laid_out(symbols()?)?,
            include_str!("views/normalize_symbols.sql"),
        ),
        View::inline(targets()?, include_str!("views/normalize_targets.sql")),
        View::inline(
            binding_roots()?,
            include_str!("views/normalize_binding_roots.sql"),
        ),
        View::inline(
            name_facts()?,
            include_str!("views/normalize_name_facts.sql"),
        ),
        View::inline(
            import_queries()?,
            include_str!("views/normalize_import_queries.sql"),
        ),
        View::table(
            laid_out(
                meanings(
                    "normalize.import_meanings",
                    "What the names of imports and bases mean, without inheritance.",
                )?
                .key(["query_key", "symbol_id"])
                .order_by(["query_key", "symbol_id", "qualified_name", "status"])
                .build()?,
            )?,
            include_str!("views/normalize_import_meanings.sql"),
        ),
        View::table(
            laid_out(resolved_imports()?)?,
            include_str!("views/normalize_resolved_imports.sql"),
        ),
        View::table(
            laid_out(resolved_bases()?)?,
            include_str!("views/normalize_resolved_bases.sql"),
        ),
        View::table(
            laid_out(class_mro()?)?,
            include_str!("views/normalize_class_mro.sql"),
        ),
        View::inline(
            class_initialisers()?,
            include_str!("views/normalize_class_initialisers.sql"),
        ),
        View::inline(
            call_queries()?,
            include_str!("views/normalize_call_queries.sql"),
        ),
        View::table(
            laid_out(call_meanings()?)?,
            include_str!("views/normalize_call_meanings.sql"),
        ),
        View::table(
            laid_out(call_candidates()?)?,
            include_str!("views/normalize_call_candidates.sql"),
        ),
        View::table(
            laid_out(external_symbols()?)?,
            include_str!("views/normalize_external_symbols.sql"),
        ),
    ])
}

fn symbols() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.symbols",
        "One row for everything in the tree that has a name of its own.",
    )
    .columns([
        node("symbol_id", "The symbol.")?,
        text(
            "symbol_kind",
            "`module`, `class`, `function`, `parameter` or `attribute`.",
        )?,
        text("name", "The last part of the qualified name.")?,
        text(
            "qualified_name",
            "The dotted name from the module downwards.",
        )?,
        required(
            "is_overload",
            ColumnType::Boolean,
            "Whether every definition of it is decorated with `overload`.",
        )?,
        required(
            "declaration_count",
            ColumnType::Int32,
            "How many sites declare it.",
        )?,
    ])
    .key(["symbol_id"])
    .order_by(["symbol_id"])
    .build()
}

fn targets() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.targets",
        "The symbols that a dotted name may mean.",
    )
    .columns([
        node("symbol_id", "The symbol.")?,
        text(
            "symbol_kind",
            "`module`, `class`, `function` or `attribute`.",
        )?,
        text(
            "qualified_name",
            "The dotted name from the module downwards.",
        )?,
        text(
            "status",
            "How `resolve_names` calls it: `module`, `class` or `name`.",
        )?,
    ])
    .key(["symbol_id"])
    .order_by(["symbol_id"])
    .build()
}

fn binding_roots() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.binding_roots",
        "What a binding may mean; several rows when it is bound more than once.",
    )
    .columns([
        node("binding_id", "The binding.")?,
        text("origin", "`import` or `definition`.")?,
        text(
            "root",
            "A module for imports, a qualified name for definitions.",
        )?,
        maybe_text(
            "path",
            "The dotted path in the module; null for the module itself.",
        )?,
    ])
    .key(["binding_id", "origin", "root", "path"])
    .order_by(["binding_id", "origin", "root", "path"])
    .build()
}

fn name_facts() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.name_facts",
        "The program as the function `resolve_names` reads it.",
    )
    .columns([
        text(
            "role",
            "What the row says: `module`, `class`, `name`, `alias`, `star` or `public`.",
        )?,
        text("name", "What it is said of.")?,
        maybe_text("target", "The other module or name.")?,
        maybe_text("path", "The dotted path in the target.")?,
        maybe("rank", ColumnType::Int32, "The order of star imports.")?,
    ])
    .key(["role", "name", "target", "path", "rank"])
    .order_by(["role", "name", "target", "path", "rank"])
    .build()
}

fn import_queries() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.import_queries",
        "What imports and the bases of classes ask for.",
    )
    .columns([
        text("asker", "`import` or `base`.")?,
        node("node_id", "The IMPORT, or the TYPE_DECL whose base it is.")?,
        required(
            "position",
            ColumnType::Int32,
            "The place among the bases; 0 for imports.",
        )?,
        text("role", "`module_query` or `name_query`.")?,
        text("root", "The module or qualified name to start from.")?,
        maybe_text("path", "The dotted path from there.")?,
    ])
    .key(["asker", "node_id", "position", "role", "root", "path"])
    .order_by(["asker", "node_id", "position", "role", "root", "path"])
    .build()
}

fn meanings(name: &str, doc: &str) -> Result<ossature_schema_spec::DatasetSpecBuilder, Error> {
    Ok(DatasetSpec::builder(name, doc).columns([
        text("query_key", "The query: its role, its root and its path, separated by `:`.")?,
        node("symbol_id", "One symbol that it may mean.")?,
        text("symbol_kind", "`module`, `class`, `function`, `attribute` or `external`.")?,
        text("qualified_name", "The symbol's dotted name.")?,
        text("status", "`module`, `class`, `name`, `external`, or `missing` when a module of the tree does not offer the name.")?,
    ]))
}

fn resolved_imports() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder("normalize.resolved_imports", "One row for everything that an import may name.")
        .columns([
            node("node_id", "The IMPORT of the alias.")?,
            node("symbol_id", "What it names.")?,
            text("symbol_kind", "`module`, `class`, `function`, `attribute` or `external`.")?,
            text("qualified_name", "The symbol's dotted name.")?,
            text("status", "`resolved`, `external`, `ambiguous`, or `missing` when a module of the tree does not offer the name.")?,
            required("candidate_count", ColumnType::Int32, "Rows of the same import.")?,
        ])
        .key(["node_id", "symbol_id"])
        .order_by(["node_id", "symbol_id", "qualified_name", "status"])
        .build()
}

fn resolved_bases() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.resolved_bases",
        "One row for everything that a base of a class may be.",
    )
    .columns([
        node("class_id", "The class's symbol.")?,
        required(
            "position",
            ColumnType::Int32,
            "The place among the bases, from 0.",
        )?,
        maybe_node("base_id", "The base's symbol; null when it is not known.")?,
        maybe_text(
            "base_kind",
            "`class` or `external`; null when it is not known.",
        )?,
        text("class_name", "The class's qualified name.")?,
        maybe_text(
            "base_name",
            "The base's dotted name; null when it is not known.",
        )?,
    ])
    .key(["class_id", "position", "base_id"])
    .order_by(["class_id", "position", "base_id", "class_name", "base_name"])
    .build()
}

fn class_mro() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.class_mro",
        "The C3 linearisation of every class of the tree, one row for each ancestor.",
    )
    .columns([
        node("class_id", "The class's symbol.")?,
        required(
            "position",
            ColumnType::Int32,
            "The place in the lookup order; 0 is the class itself.",
        )?,
        node("ancestor_id", "The ancestor's symbol.")?,
        text("class_name", "The class's qualified name.")?,
        text("ancestor_name", "The ancestor's dotted name.")?,
        required(
            "is_exact",
            ColumnType::Boolean,
            "False where C3 has no answer, and above an unknown base.",
        )?,
    ])
    .key(["class_id", "position"])
    .order_by([
        "class_id",
        "position",
        "ancestor_id",
        "class_name",
        "ancestor_name",
    ])
    .build()
}

fn class_initialisers() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.class_initialisers",
        "The `__init__` that a call of a class runs.",
    )
    .columns([
        node("class_id", "The class's symbol.")?,
        node("symbol_id", "The function's symbol.")?,
    ])
    .key(["class_id"])
    .order_by(["class_id"])
    .build()
}

fn call_queries() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.call_queries",
        "What the callees of calls ask for, where they begin with a name.",
    )
    .columns([
        node("node_id", "The CALL.")?,
        text("role", "`module_query` or `name_query`.")?,
        text("root", "The module or qualified name to start from.")?,
        maybe_text("path", "The dotted path from there.")?,
        text(
            "method",
            "`local_definition`, `class_attribute`, `import`, `star_import` or `builtin`.",
        )?,
        required(
            "is_reassigned",
            ColumnType::Boolean,
            "Whether something else is assigned to the defined name, too.",
        )?,
    ])
    .key(["node_id", "role", "root", "path"])
    .order_by(["node_id", "role", "root", "path"])
    .build()
}

fn call_meanings() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder("normalize.call_meanings", "What callees mean, with inheritance.")
        .columns([
            text("query_key", "The query: its role, its root and its path, separated by `:`.")?,
            maybe_node("symbol_id", "One symbol that it may mean; null when nothing was found.")?,
            maybe_text("symbol_kind", "`module`, `class`, `function`, `attribute` or `external`; null when nothing was found.")?,
            text("qualified_name", "The symbol's dotted name, or the last one on the way that was found.")?,
            text("status", "`module`, `class`, `name`, `external`, `missing` or `stuck`.")?,
            maybe_text("rest", "The part of the path that is left when it is stuck.")?,
        ])
        .key(["query_key", "symbol_id", "qualified_name", "status", "rest"])
        .order_by(["query_key", "symbol_id", "qualified_name", "status", "rest"])
        .build()
}

fn call_candidates() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.call_candidates",
        "One row for everything that a call may call.",
    )
    .columns([
        node("node_id", "The CALL.")?,
        node("symbol_id", "A function, a class or an external name.")?,
        text("symbol_kind", "`class`, `function` or `external`.")?,
        text("qualified_name", "The symbol's dotted name.")?,
        text("status", "`resolved`, `external` or `ambiguous`.")?,
        text(
            "method",
            "`local_definition`, `class_attribute`, `import`, `star_import` or `builtin`.",
        )?,
        required(
            "confidence",
            ColumnType::Float64,
            "Above 0, at most 1; candidates share it.",
        )?,
        required(
            "candidate_count",
            ColumnType::Int32,
            "Rows of the same call.",
        )?,
    ])
    .key(["node_id", "symbol_id"])
    .order_by(["node_id", "symbol_id"])
    .build()
}

fn external_symbols() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "normalize.external_symbols",
        "One row for every name outside of the tree that something in it names.",
    )
    .columns([
        node("symbol_id", "The symbol.")?,
        text("qualified_name", "The dotted name.")?,
    ])
    .key(["symbol_id"])
    .order_by(["symbol_id"])
    .build()
}
