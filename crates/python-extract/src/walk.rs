//! One walk over a file's syntax that builds its tree and collects the rows of every table.

mod anonymous;
mod call;
mod class;
mod definition;
mod export;
mod expression;
mod function;
mod import;
mod interface;
mod module;
mod name;
mod pattern;
mod signature;
mod statement;
mod text;

pub(crate) use module::walk;

use std::collections::HashMap;

use ossature_schema_spec::SymbolKind;

use crate::datasets::{
    ArgumentRow, BindingRow, CallRow, ClassBaseRow, DefinitionRow, DocstringRow, ExportRow,
    ImportRow, ParameterRow, ReferenceRow, ScopeRow,
};
use crate::symbols::{ScopeIndex, SymbolIndex, SymbolTable};
use crate::tree::{Ordinal, Tree};
use definition::Container;
use export::AllList;
use text::Budget;

/// What is known about a file before its syntax is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileFacts<'a> {
    /// The id of the FILE node.
    pub file_id: i64,
    /// The module's dotted name.
    pub module_name: &'a str,
    /// Whether the module is a package.
    pub is_package: bool,
    /// The decoded text.
    pub text: &'a str,
}

/// The rows of one file, each table in the order of its key, and the tree.
#[derive(Debug, Default)]
pub(crate) struct Rows<'a> {
    pub tree: Tree<'a>,
    pub scopes: Vec<ScopeRow<'a>>,
    pub bindings: Vec<BindingRow<'a>>,
    pub references: Vec<ReferenceRow<'a>>,
    pub definitions: Vec<DefinitionRow<'a>>,
    pub class_bases: Vec<ClassBaseRow<'a>>,
    pub parameters: Vec<ParameterRow<'a>>,
    pub imports: Vec<ImportRow<'a>>,
    pub calls: Vec<CallRow<'a>>,
    pub arguments: Vec<ArgumentRow<'a>>,
    pub docstrings: Vec<DocstringRow<'a>>,
    pub exports: Vec<ExportRow<'a>>,
}

/// The state of the walk.
struct Walk<'a> {
    file: FileFacts<'a>,
    table: &'a SymbolTable<'a>,
    rows: Rows<'a>,
    /// The scope in which the syntax at hand is evaluated.
    scope: ScopeIndex,
    /// The `PY_SCOPE` of each scope.
    scope_nodes: Vec<Ordinal>,
    /// The METHOD of each scope.
    methods: Vec<Ordinal>,
    /// The node of each symbol, once it has one.
    bindings: Vec<Option<Binding>>,
    /// The definitions around the syntax at hand, the module first.
    containers: Vec<Container>,
    /// How often a symbol of that kind and qualified name was declared.
    declared: HashMap<(SymbolKind, String), u32>,
    all: AllList<'a>,
    star_imports: Vec<Ordinal>,
    is_type_checking: bool,
    /// What may still be spent on qualified names and signatures.
    names: Budget,
}

/// What the walk learns about a symbol.
#[derive(Debug, Default)]
struct Binding {
    node: Ordinal,
    qualified_name: Option<String>,
    /// The symbol of the last definition that it was bound to, or of the parameter.
    symbol_id: Option<i64>,
    /// The last import alias that bound it.
    import: Option<Ordinal>,
}

impl<'a> Walk<'a> {
    fn new(file: FileFacts<'a>, table: &'a SymbolTable<'a>) -> Self {
        let bindings = std::iter::repeat_with(|| None)
            .take(table.symbols.len())
            .collect();
        Self {
            file,
            table,
            rows: Rows {
                tree: Tree::for_text(file.text.len()),
                ..Rows::default()
            },
            scope: 0,
            scope_nodes: vec![0; table.scopes.len()],
            methods: vec![0; table.scopes.len()],
            bindings,
            containers: Vec::new(),
            declared: HashMap::new(),
            all: AllList::default(),
            star_imports: Vec::new(),
            is_type_checking: false,
            names: Budget::default(),
        }
    }

    /// The id of a node of this file.
    fn id(&self, ordinal: Ordinal) -> i64 {
        self.file.file_id | i64::from(ordinal)
    }

    /// The id of the scope at hand.
    fn scope_id(&self) -> i64 {
        self.id(self.scope_nodes[self.scope as usize])
    }

    /// Runs a part of the walk in another scope.
    fn within<T>(&mut self, scope: ScopeIndex, part: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.scope, scope);
        let result = part(self);
        self.scope = outer;
        result
    }

    /// The binding that a symbol finally means, if the file has it.
    fn binding_id(&self, symbol: SymbolIndex) -> Option<i64> {
        let target = self.table.target(symbol)?;
        let binding = self.bindings[target as usize].as_ref()?;
        Some(self.id(binding.node))
    }

    /// The next duplicate index of a symbol: 0 for the first.
    fn declare(&mut self, kind: SymbolKind, qualified_name: &str) -> u32 {
        let count = self
            .declared
            .entry((kind, qualified_name.to_owned()))
            .or_insert(0);
        *count += 1;
        *count - 1
    }
}

/// A count that fits a column; no file has as many of anything as the column can hold.
fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
