//! The walk's beginning and end: the file, its diagnostics, its module, and what can be said only when all is seen.

use ossature_schema_spec::SymbolKind;
use ruff_python_ast::ModModule;
use ruff_text_size::{Ranged, TextLen, TextRange};

use super::definition::{Container, Definition, DefinitionKind};
use super::{FileFacts, Rows, Walk};
use crate::Reason;
use crate::diagnostic::Diagnostic;
use crate::symbols::{ScopeIndex, SymbolTable};
use crate::tree::{AstKind, Field, NodeKind, empty_at};

/// The scope of the module.
const MODULE: ScopeIndex = 0;

/// Builds the tree and the rows of a file.
///
/// **Errors**: [`Reason::TooManyNodes`], [`Reason::NamesTooLong`].
pub(crate) fn walk<'a>(
    file: FileFacts<'a>,
    module: &'a ModModule,
    table: &'a SymbolTable<'a>,
    diagnostics: &[Diagnostic],
) -> Result<Rows<'a>, Reason> {
    let mut walk = Walk::new(file, table);
    let whole = TextRange::up_to(file.text.text_len());
    walk.rows.tree.open(NodeKind::File, whole);
    for diagnostic in diagnostics {
        walk.rows
            .tree
            .open(NodeKind::Diagnostic, diagnostic.range)
            .name(diagnostic.code);
        walk.rows.tree.close();
    }
    walk.module(module, whole);
    walk.rows.tree.close();
    if walk.rows.tree.overflowed() {
        return Err(Reason::TooManyNodes);
    }
    walk.finish()
}

impl<'a> Walk<'a> {
    fn module(&mut self, module: &'a ModModule, whole: TextRange) {
        let name = self.file.module_name;
        self.rows
            .tree
            .open(NodeKind::NamespaceBlock, whole)
            .ast(AstKind::Module)
            .name(name);
        let node = self.rows.tree.current();
        self.rows.tree.qualify(node, name);
        let slot = self.define(Definition {
            node,
            kind: DefinitionKind::Module,
            name,
            qualified_name: name.to_owned(),
            symbol: None,
        });
        self.containers.push(Container::new(
            node,
            name.to_owned(),
            DefinitionKind::Module,
        ));
        self.rows
            .tree
            .open(NodeKind::Method, whole)
            .name("<module>");
        self.open_scope(MODULE);
        self.body(slot, node, &module.body, module.range().end());
        self.rows.tree.close();
        self.containers.pop();
        self.rows.tree.close();
    }

    /// The docstring, the statements and the exit of the definition that is open.
    pub(super) fn body(
        &mut self,
        slot: usize,
        owner: u32,
        body: &'a [ruff_python_ast::Stmt],
        end: ruff_text_size::TextSize,
    ) {
        let docstring = self.docstring(owner, body);
        let scope_id = self.scope_id();
        if let Some(row) = self.rows.definitions.get_mut(slot) {
            row.docstring_id = docstring;
            row.body_scope_id = scope_id;
            if row.container_id.is_none() {
                row.scope_id = scope_id;
            }
        }
        self.block(body, Field::Body, end);
        self.method_return(end);
    }

    /// The exit of the METHOD that is open.
    pub(super) fn method_return(&mut self, end: ruff_text_size::TextSize) {
        self.rows.tree.open(NodeKind::MethodReturn, empty_at(end));
        self.rows.tree.close();
    }

    fn finish(mut self) -> Result<Rows<'a>, Reason> {
        self.collect_bindings();
        self.collect_exports();
        let rows = &mut self.rows;
        rows.scopes.sort_by_key(|row| row.scope_id);
        rows.class_bases
            .sort_by_key(|row| (row.class_id, row.position));
        rows.arguments
            .sort_by_key(|row| (row.call_id, row.position));
        rows.parameters.sort_by_key(|row| row.node_id);
        if self.names.is_exhausted() {
            Err(Reason::NamesTooLong)
        } else {
            Ok(self.rows)
        }
    }

    /// The id of the symbol of that kind and name, unlike any that was declared before.
    pub(super) fn symbol_id(&mut self, kind: SymbolKind, qualified_name: &str) -> (i64, i32) {
        let duplicate = self.declare(kind, qualified_name);
        let symbol = ossature_schema_spec::SymbolId::of(kind, qualified_name, duplicate);
        (symbol.value(), i32::try_from(duplicate).unwrap_or(i32::MAX))
    }
}
