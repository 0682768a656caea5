//! Imports.

use std::borrow::Cow;

use ruff_python_ast::{Alias, Identifier, StmtImport, StmtImportFrom};
use ruff_text_size::Ranged;

use super::Walk;
use crate::datasets::ImportRow;
use crate::module_name::absolute;
use crate::symbols::noted;
use crate::tree::{AstKind, Field, NodeKind, Ordinal};

/// What the aliases of one statement have in common.
struct Origin<'a> {
    statement: Ordinal,
    kind: &'static str,
    module: Option<&'a str>,
    level: u32,
    target: Option<Cow<'a, str>>,
}

impl<'a> Walk<'a> {
    /// `import a.b, c as d`.
    pub(super) fn import(&mut self, import: &'a StmtImport, field: Field) {
        self.rows
            .tree
            .open(NodeKind::Import, import.range)
            .ast(AstKind::Import)
            .field(field);
        let statement = self.rows.tree.current();
        for alias in &import.names {
            let module = alias.name.as_str();
            let target = Some(Cow::Borrowed(module));
            self.alias(
                alias,
                Origin {
                    statement,
                    kind: "import",
                    module: Some(module),
                    level: 0,
                    target,
                },
            );
        }
        self.rows.tree.close();
    }

    /// `from ..a import b, c as d`.
    pub(super) fn import_from(&mut self, import: &'a StmtImportFrom, field: Field) {
        let module = import.module.as_ref().map(Identifier::as_str);
        let node = self.rows.tree.open(NodeKind::Import, import.range);
        node.ast(AstKind::ImportFrom).field(field).name = module;
        let statement = self.rows.tree.current();
        for alias in &import.names {
            let target = match import.level {
                0 => module.map(Cow::Borrowed),
                level => absolute(self.file.module_name, self.file.is_package, level, module)
                    .map(Cow::Owned),
            };
            self.alias(
                alias,
                Origin {
                    statement,
                    kind: "from",
                    module,
                    level: import.level,
                    target,
                },
            );
        }
        self.rows.tree.close();
    }

    fn alias(&mut self, alias: &'a Alias, origin: Origin<'a>) {
        let name = alias.name.as_str();
        let node = self.rows.tree.open(NodeKind::Import, alias.range());
        node.ast(AstKind::Alias).field(Field::Names).name(name);
        let node = self.rows.tree.close();
        let asname = alias.asname.as_ref().map(Identifier::as_str);
        let is_from = origin.kind == "from";
        let is_star = is_from && name == "*";
        let symbol = noted(&alias.node_index);
        if let Some(target) = symbol.and_then(|symbol| self.table.target(symbol))
            && let Some(binding) = &mut self.bindings[target as usize]
        {
            binding.import = Some(node);
        }
        if is_star && self.scope == 0 {
            self.star_imports.push(node);
        }
        let first = || name.split_once('.').map_or(name, |(first, _)| first);
        let row = ImportRow {
            node_id: self.id(node),
            statement_id: self.id(origin.statement),
            scope_id: self.scope_id(),
            import_kind: origin.kind,
            module: origin.module,
            level: i32::try_from(origin.level).unwrap_or(i32::MAX),
            imported_name: is_from.then_some(name),
            asname,
            bound_name: if is_star {
                None
            } else {
                Some(asname.unwrap_or_else(first))
            },
            binding_id: symbol.and_then(|symbol| self.binding_id(symbol)),
            is_star,
            is_future: is_from && origin.level == 0 && origin.module == Some("__future__"),
            target_module: origin.target,
            is_type_checking: self.is_type_checking,
        };
        self.rows.imports.push(row);
    }
}
