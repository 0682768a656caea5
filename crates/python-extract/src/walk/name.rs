//! Scopes, the nodes of their names, and every use of a name.

use std::borrow::Cow;
use std::collections::HashSet;

use ossature_schema_spec::SymbolKind;
use ruff_python_ast::{AtomicNodeIndex, ExprContext, ExprName, Identifier};
use ruff_text_size::{Ranged, TextRange};

use super::{Binding, Walk};
use crate::builtins::is_builtin;
use crate::datasets::{BindingRow, ReferenceRow, ScopeRow};
use crate::symbols::{
    Meaning, NameIndex, Scope, ScopeIndex, ScopeKind, Symbol, SymbolIndex, Usage, noted,
};
use crate::tree::{AstKind, Field, NodeKind, Ordinal};

impl<'a> Walk<'a> {
    /// Adds the `PY_SCOPE` of a scope below the node that is open, with a node for every name that has none yet, and
    /// makes it the scope at hand.
    pub(super) fn open_scope(&mut self, scope: ScopeIndex) {
        let found = self.table.scope(scope);
        let (method, owner) = (self.rows.tree.current(), self.rows.tree.current_range());
        self.rows.tree.open(NodeKind::Scope, owner).name(found.name);
        let node = self.rows.tree.current();
        self.scope_nodes[scope as usize] = node;
        // Type parameters are evaluated where their definition is.
        self.methods[scope as usize] = match found.kind {
            ScopeKind::TypeParameters => self.methods[self.scope as usize],
            _ => method,
        };
        let row = ScopeRow {
            scope_id: self.id(node),
            node_id: self.id(method),
            parent_scope_id: self
                .visible_parent(found)
                .map(|parent| self.id(self.scope_nodes[parent as usize])),
            scope_kind: found.kind.as_str(),
            name: found.name,
            is_nested: found.is_nested,
            is_optimized: found.kind.is_function_like(),
        };
        self.rows.scopes.push(row);
        for symbol in &found.symbols {
            if self.bindings[*symbol as usize].is_none() {
                self.binding_node(found.kind, *symbol, owner);
            }
        }
        self.rows.tree.close();
        self.scope = scope;
    }

    fn binding_node(&mut self, kind: ScopeKind, symbol: SymbolIndex, owner: TextRange) {
        let found = self.table.symbol(symbol);
        let is_owned = matches!(found.meaning, Meaning::Local | Meaning::Cell);
        let node_kind = match kind {
            ScopeKind::Class if is_owned => NodeKind::Member,
            _ if kind.is_function_like() && is_owned => NodeKind::Local,
            _ => NodeKind::PyBinding,
        };
        let name = self.table.name(symbol);
        let range = if found.range.is_empty() {
            TextRange::empty(owner.start())
        } else {
            found.range
        };
        self.rows.tree.open(node_kind, range).name(name);
        let node = self.rows.tree.close();
        let is_attribute = is_attribute(kind, found);
        let qualified_name = is_attribute.then(|| self.qualified_name(name, None));
        if let Some(qualified_name) = &qualified_name {
            self.rows.tree.qualify(node, qualified_name.clone());
        }
        self.bindings[symbol as usize] = Some(Binding {
            node,
            qualified_name,
            ..Binding::default()
        });
    }

    /// The nearest enclosing scope that has a node.
    fn visible_parent(&self, scope: &Scope<'_>) -> Option<ScopeIndex> {
        let parent = scope.parent?;
        match self.table.scope(parent) {
            outer if outer.kind == ScopeKind::Annotation => self.visible_parent(outer),
            _ => Some(parent),
        }
    }

    /// A name in an expression.
    pub(super) fn name_expression(&mut self, name: &'a ExprName, field: Field) -> Ordinal {
        if name.id.is_empty() {
            // What is missing in broken source stands in the syntax as an empty name.
            self.rows
                .tree
                .open(NodeKind::Unknown, name.range())
                .field(field);
            return self.rows.tree.close();
        }
        let context = match name.ctx {
            ExprContext::Load | ExprContext::Invalid => "load",
            ExprContext::Store => "store",
            ExprContext::Del => "delete",
        };
        let node = self.rows.tree.open(NodeKind::Identifier, name.range());
        node.ast(AstKind::Name).field(field).name(name.id.as_str());
        let node = self.rows.tree.close();
        self.reference(node, name.id.as_str(), context, &name.node_index);
        node
    }

    /// A name that a statement or pattern binds and that is no expression in CPython's tree.
    pub(super) fn bound_identifier(&mut self, identifier: &'a Identifier, field: Field) {
        let node = self.declared_identifier(identifier, field);
        self.reference(node, identifier.as_str(), "store", &identifier.node_index);
    }

    /// A name that stands in a statement without being read or bound.
    pub(super) fn declared_identifier(
        &mut self,
        identifier: &'a Identifier,
        field: Field,
    ) -> Ordinal {
        self.rows
            .tree
            .open(NodeKind::Identifier, identifier.range())
            .field(field)
            .name(identifier.as_str());
        self.rows.tree.close()
    }

    fn reference(
        &mut self,
        node: Ordinal,
        name: &'a str,
        context: &'static str,
        index: &AtomicNodeIndex,
    ) {
        let symbol = noted(index);
        let row = ReferenceRow {
            node_id: self.id(node),
            scope_id: self.scope_id(),
            name,
            context,
            resolution: symbol.map_or("unresolved", |symbol| self.resolution(symbol)),
            binding_id: symbol.and_then(|symbol| self.binding_id(symbol)),
        };
        self.rows.references.push(row);
    }

    fn resolution(&self, symbol: SymbolIndex) -> &'static str {
        match self.table.target(symbol) {
            Some(target) if self.table.symbol(target).scope == 0 => "global",
            Some(target) if target == symbol => "local",
            Some(_) => "free",
            None if self.table.symbol(symbol).meaning == Meaning::Free => "free",
            None if is_builtin(self.table.name(symbol)) => "builtin",
            None => "unresolved",
        }
    }

    /// The rows of all names that have a node.
    pub(super) fn collect_bindings(&mut self) {
        let namespaces = self.namespaces();
        let mut rows = Vec::with_capacity(self.bindings.len());
        for at in 0..self.bindings.len() {
            let Ok(symbol) = SymbolIndex::try_from(at) else {
                continue;
            };
            let found = self.table.symbol(symbol);
            let kind = self.table.scope(found.scope).kind;
            self.name_attribute(at, is_attribute(kind, found));
            let Some(binding) = &self.bindings[at] else {
                continue;
            };
            rows.push(self.binding_row(symbol, kind, binding, &namespaces));
        }
        rows.sort_by_key(|row| row.binding_id);
        self.rows.bindings = rows;
    }

    /// Gives an attribute of the module or of a class its own symbol, unless a definition gave it one.
    fn name_attribute(&mut self, at: usize, is_attribute: bool) {
        let Some(binding) = &self.bindings[at] else {
            return;
        };
        let (None, Some(name), true) = (binding.symbol_id, &binding.qualified_name, is_attribute)
        else {
            return;
        };
        let name = name.clone();
        let (symbol_id, _) = self.symbol_id(SymbolKind::Attribute, &name);
        if let Some(binding) = &mut self.bindings[at] {
            binding.symbol_id = Some(symbol_id);
        }
    }

    fn binding_row(
        &self,
        symbol: SymbolIndex,
        kind: ScopeKind,
        binding: &Binding,
        namespaces: &HashSet<(ScopeIndex, NameIndex)>,
    ) -> BindingRow<'a> {
        let found = self.table.symbol(symbol);
        let is_owned = matches!(found.meaning, Meaning::Local | Meaning::Cell);
        let in_module = kind == ScopeKind::Module && found.usage.any(Usage::BOUND);
        let target = self.table.target(symbol).filter(|target| *target != symbol);
        BindingRow {
            binding_id: self.id(binding.node),
            scope_id: self.id(self.scope_nodes[found.scope as usize]),
            name: Cow::Borrowed(self.table.name(symbol)),
            binding_kind: binding_kind(kind, found),
            is_parameter: found.usage.any(Usage::PARAMETER),
            is_local: is_owned || in_module,
            is_global: matches!(
                found.meaning,
                Meaning::GlobalExplicit | Meaning::GlobalImplicit
            ) || in_module,
            is_declared_global: found.meaning == Meaning::GlobalExplicit,
            is_nonlocal: found.usage.any(Usage::NONLOCAL),
            is_free: found.meaning == Meaning::Free,
            is_imported: found.usage.any(Usage::IMPORT),
            is_assigned: found.usage.any(Usage::LOCAL),
            is_referenced: found.usage.any(Usage::USE),
            is_annotated: found.usage.any(Usage::ANNOTATED),
            is_namespace: namespaces.contains(&(found.scope, found.name)),
            qualified_name: binding.qualified_name.clone().map(Cow::Owned),
            symbol_id: binding.symbol_id,
            resolves_to: target.and_then(|target| self.binding_id(target)),
        }
    }

    /// The names of scopes, each with the scope directly around.
    fn namespaces(&self) -> HashSet<(ScopeIndex, NameIndex)> {
        self.table
            .scopes
            .iter()
            .filter(|scope| scope.kind != ScopeKind::Annotation)
            .filter_map(|scope| Some((scope.parent?, self.table.names.find(scope.name)?)))
            .collect()
    }
}

/// Whether a name is an attribute of the module or class whose scope it is in.
fn is_attribute(kind: ScopeKind, symbol: &Symbol) -> bool {
    match kind {
        ScopeKind::Module => symbol.usage.any(Usage::BOUND.with(Usage::GLOBAL)),
        ScopeKind::Class => symbol.meaning == Meaning::Local,
        _ => false,
    }
}

fn binding_kind(kind: ScopeKind, symbol: &Symbol) -> &'static str {
    match symbol.meaning {
        _ if symbol.usage.any(Usage::PARAMETER) => "parameter",
        Meaning::GlobalImplicit => "global_implicit",
        Meaning::Free => "free",
        Meaning::GlobalExplicit if kind != ScopeKind::Module => "global_explicit",
        _ if symbol.usage.any(Usage::IMPORT) => "import",
        Meaning::GlobalExplicit => "module_attribute",
        Meaning::Cell => "cell",
        Meaning::Local => match kind {
            ScopeKind::Module => "module_attribute",
            ScopeKind::Class => "class_attribute",
            _ => "local",
        },
    }
}
