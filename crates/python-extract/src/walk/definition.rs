//! What modules, classes, functions, lambdas and comprehensions have in common.

use ossature_schema_spec::SymbolKind;
use ruff_python_ast::{Decorator, Expr, Stmt};
use ruff_text_size::Ranged;

use super::{Walk, count};
use crate::datasets::{DefinitionRow, DocstringRow};
use crate::symbols::{Meaning, SymbolIndex};
use crate::tree::{Field, NodeKind, Ordinal, labels};

labels! {
    /// What is defined.
    pub(super) enum DefinitionKind {
        Module = "module",
        Class = "class",
        Function = "function",
        AsyncFunction = "async_function",
        Lambda = "lambda",
        Comprehension = "comprehension",
    }
}

impl DefinitionKind {
    fn symbol_kind(self) -> SymbolKind {
        match self {
            Self::Module => SymbolKind::Module,
            Self::Class => SymbolKind::Class,
            _ => SymbolKind::Function,
        }
    }

    fn is_function_like(self) -> bool {
        self.symbol_kind() == SymbolKind::Function
    }
}

/// A definition that encloses what the walk looks at.
#[derive(Debug)]
pub(super) struct Container {
    pub node: Ordinal,
    pub qualified_name: String,
    pub kind: DefinitionKind,
}

impl Container {
    pub(super) fn new(node: Ordinal, qualified_name: String, kind: DefinitionKind) -> Self {
        Self {
            node,
            qualified_name,
            kind,
        }
    }
}

/// A definition that the walk begins.
#[derive(Debug)]
pub(super) struct Definition<'a> {
    pub node: Ordinal,
    pub kind: DefinitionKind,
    pub name: &'a str,
    pub qualified_name: String,
    /// The name that the statement binds.
    pub symbol: Option<SymbolIndex>,
}

/// What the decorators of a definition say about it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag for each column")]
pub(super) struct Decorations {
    pub is_static: bool,
    pub is_classmethod: bool,
    pub is_property: bool,
    pub is_abstract: bool,
    pub is_overload: bool,
}

impl Decorations {
    pub(super) fn of(decorators: &[Decorator]) -> Self {
        let mut found = Self::default();
        for name in decorators
            .iter()
            .filter_map(|decorator| decorator_name(&decorator.expression))
        {
            match name {
                "staticmethod" => found.is_static = true,
                "classmethod" => found.is_classmethod = true,
                "overload" => found.is_overload = true,
                "property" | "setter" | "getter" | "deleter" => found.is_property = true,
                _ => {}
            }
            found.is_property |= name.ends_with("_property") || name == "abstractproperty";
            found.is_abstract |= name.starts_with("abstract");
        }
        found
    }
}

/// The last name of a decorator, a call looked through.
fn decorator_name(decorator: &Expr) -> Option<&str> {
    match decorator {
        Expr::Call(call) => decorator_name(&call.func),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        Expr::Name(name) => Some(name.id.as_str()),
        _ => None,
    }
}

impl<'a> Walk<'a> {
    /// The dotted name of something defined here. What is declared `global` belongs to the module.
    pub(super) fn qualified_name(&mut self, name: &str, symbol: Option<SymbolIndex>) -> String {
        let is_global = symbol
            .is_some_and(|symbol| self.table.symbol(symbol).meaning == Meaning::GlobalExplicit);
        let prefix = self
            .containers
            .last()
            .map_or(0, |outer| outer.qualified_name.len());
        if !self.names.spend(prefix + name.len()) {
            return String::new();
        }
        match self.containers.last() {
            None => name.to_owned(),
            Some(_) if is_global => format!("{}.{name}", self.file.module_name),
            Some(outer) if outer.kind.is_function_like() => {
                format!("{}.<locals>.{name}", outer.qualified_name)
            }
            Some(outer) => format!("{}.{name}", outer.qualified_name),
        }
    }

    /// Adds the row of a definition and returns its index; the caller completes the row.
    pub(super) fn define(&mut self, definition: Definition<'a>) -> usize {
        let kind = definition.kind;
        let (symbol_id, duplicate_index) =
            self.symbol_id(kind.symbol_kind(), &definition.qualified_name);
        let binding_id = definition.symbol.and_then(|symbol| self.binding_id(symbol));
        if let Some(target) = definition
            .symbol
            .and_then(|symbol| self.table.target(symbol))
            && let Some(binding) = &mut self.bindings[target as usize]
        {
            binding.symbol_id = Some(symbol_id);
        }
        let container = self.containers.last();
        let is_function = matches!(
            kind,
            DefinitionKind::Function | DefinitionKind::AsyncFunction
        );
        let row = DefinitionRow {
            node_id: self.id(definition.node),
            definition_kind: kind.as_str(),
            name: definition.name,
            qualified_name: definition.qualified_name,
            duplicate_index,
            symbol_id,
            binding_id,
            scope_id: self.scope_id(),
            container_id: container.map(|outer| self.id(outer.node)),
            body_scope_id: 0,
            signature: None,
            bases: None,
            decorator_count: 0,
            docstring_id: None,
            is_async: kind == DefinitionKind::AsyncFunction,
            is_generator: false,
            is_method: is_function
                && container.is_some_and(|outer| outer.kind == DefinitionKind::Class),
            is_static: false,
            is_classmethod: false,
            is_property: false,
            is_abstract: false,
            is_overload: false,
        };
        self.rows.definitions.push(row);
        self.rows.definitions.len() - 1
    }

    /// The decorators, and what they say about the definition in `slot`.
    pub(super) fn decorators(&mut self, slot: usize, decorators: &'a [Decorator]) {
        let said = Decorations::of(decorators);
        let row = &mut self.rows.definitions[slot];
        row.decorator_count = count(decorators.len());
        row.is_static = said.is_static;
        row.is_classmethod = said.is_classmethod;
        row.is_property = said.is_property;
        row.is_abstract = said.is_abstract;
        row.is_overload = said.is_overload;
        for decorator in decorators {
            let node = self.rows.tree.open(NodeKind::Annotation, decorator.range());
            node.field(Field::DecoratorList).name = decorator_name(&decorator.expression);
            self.expression(&decorator.expression, Field::DecoratorList);
            self.rows.tree.close();
        }
    }

    /// The docstring of a body, as a node and a row; the statement itself stays in the body.
    pub(super) fn docstring(&mut self, owner: Ordinal, body: &'a [Stmt]) -> Option<i64> {
        let Stmt::Expr(statement) = body.first()? else {
            return None;
        };
        let literal = statement.value.as_string_literal_expr()?;
        let text = literal.value.to_str();
        self.rows
            .tree
            .open(NodeKind::Docstring, literal.range())
            .field(Field::Body);
        let node = self.rows.tree.close();
        let node_id = self.id(node);
        let summary = text.lines().map(str::trim).find(|line| !line.is_empty());
        self.rows.docstrings.push(DocstringRow {
            node_id,
            owner_id: self.id(owner),
            text,
            summary,
        });
        Some(node_id)
    }

    /// 63 bits of SHA-256 over the source of the definition that is open.
    pub(super) fn hash_source(&mut self, node: Ordinal, range: ruff_text_size::TextRange) {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(self.slice(range).as_bytes());
        let mut head = [0; 8];
        for (to, from) in head.iter_mut().zip(digest) {
            *to = from;
        }
        self.rows
            .tree
            .hash(node, i64::from_be_bytes(head) & i64::MAX);
    }
}
