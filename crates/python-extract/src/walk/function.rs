//! Functions: decorators, parameters, type parameters, body.

use ossature_schema_spec::SymbolKind;
use ruff_python_ast::{Parameters, StmtFunctionDef, TypeParam, TypeParams};
use ruff_text_size::{Ranged, TextRange};

use super::definition::{Container, Definition, DefinitionKind};
use super::signature::formals;
use super::{Binding, Walk, count};
use crate::datasets::ParameterRow;
use crate::symbols::{ScopeIndex, noted};
use crate::tree::{AstKind, Field, NodeKind, Ordinal};

impl<'a> Walk<'a> {
    /// A `def` statement.
    pub(super) fn function(&mut self, def: &'a StmtFunctionDef, field: Field) {
        let (ast, kind) = if def.is_async {
            (AstKind::AsyncFunctionDef, DefinitionKind::AsyncFunction)
        } else {
            (AstKind::FunctionDef, DefinitionKind::Function)
        };
        let name = def.name.as_str();
        let symbol = noted(&def.name.node_index);
        let qualified_name = self.qualified_name(name, symbol);
        self.rows
            .tree
            .open(NodeKind::Method, def.range)
            .ast(ast)
            .field(field)
            .name(name);
        let node = self.rows.tree.current();
        self.rows.tree.qualify(node, qualified_name.clone());
        self.hash_source(node, def.range);
        let slot = self.define(Definition {
            node,
            kind,
            name,
            qualified_name: qualified_name.clone(),
            symbol,
        });
        self.decorators(slot, &def.decorator_list);
        let outer = self.scope;
        self.type_parameters(def.type_params.as_deref());
        self.parameters(node, &qualified_name, Some(&def.parameters), outer);
        self.optional(def.returns.as_deref(), Field::Returns);
        let signature = self.signature(Some(&def.parameters), def.returns.as_deref());
        self.rows.definitions[slot].signature = Some(signature);
        self.containers
            .push(Container::new(node, qualified_name, kind));
        if let Some(scope) = noted(&def.node_index) {
            self.rows.definitions[slot].is_generator = self.table.scope(scope).is_generator;
            self.open_scope(scope);
        }
        self.body(slot, node, &def.body, def.range.end());
        self.containers.pop();
        self.scope = outer;
        self.rows.tree.close();
    }

    /// The parameters of the METHOD that is open. Defaults are evaluated in the scope around the function, before
    /// its type parameters exist.
    pub(super) fn parameters(
        &mut self,
        method: Ordinal,
        function: &str,
        parameters: Option<&'a Parameters>,
        outer: ScopeIndex,
    ) {
        for (position, formal) in parameters.into_iter().flat_map(formals).enumerate() {
            let name = &formal.parameter.name;
            let range = TextRange::new(name.start(), formal.parameter.end());
            let node = self.rows.tree.open(NodeKind::Parameter, range);
            node.ast(AstKind::Arg)
                .field(Field::Args)
                .name(name.as_str());
            let node = self.rows.tree.current();
            let facts = ParameterFacts {
                name: name.as_str(),
                kind: formal.kind,
                position,
                symbol: noted(&formal.parameter.node_index),
            };
            let row = self.parameter_row(node, method, function, &facts, [None, None]);
            let annotation = self.optional(formal.parameter.annotation(), Field::Annotation);
            let default = self.within(outer, |walk| walk.optional(formal.default, Field::Default));
            self.rows.tree.close();
            self.rows.parameters[row].annotation_id = annotation.map(|node| self.id(node));
            self.rows.parameters[row].default_id = default.map(|node| self.id(node));
        }
    }

    pub(super) fn parameter_row(
        &mut self,
        node: Ordinal,
        method: Ordinal,
        function: &str,
        facts: &ParameterFacts<'a>,
        [annotation_id, default_id]: [Option<i64>; 2],
    ) -> usize {
        let is_affordable = self.names.spend(function.len() + facts.name.len());
        let function = if is_affordable { function } else { "" };
        let qualified_name = format!("{function}.{}", facts.name);
        let (symbol_id, _) = self.symbol_id(SymbolKind::Parameter, &qualified_name);
        self.rows.tree.qualify(node, qualified_name.clone());
        if let Some(symbol) = facts.symbol {
            self.bindings[symbol as usize] = Some(Binding {
                node,
                qualified_name: Some(qualified_name.clone()),
                symbol_id: Some(symbol_id),
                import: None,
            });
        }
        let row = ParameterRow {
            node_id: self.id(node),
            method_id: self.id(method),
            position: count(facts.position),
            name: facts.name,
            parameter_kind: facts.kind,
            default_id,
            annotation_id,
            symbol_id,
            qualified_name,
        };
        self.rows.parameters.push(row);
        self.rows.parameters.len() - 1
    }

    /// Type parameters (PEP 695), whose scope stays the one at hand until the caller restores it.
    pub(super) fn type_parameters(&mut self, parameters: Option<&'a TypeParams>) {
        let Some(parameters) = parameters else { return };
        if let Some(scope) = noted(&parameters.node_index) {
            self.open_scope(scope);
        }
        for parameter in parameters {
            let (ast, name, bound, default) = match parameter {
                TypeParam::TypeVar(p) => (
                    AstKind::TypeVar,
                    &p.name,
                    p.bound.as_deref(),
                    p.default.as_deref(),
                ),
                TypeParam::TypeVarTuple(p) => {
                    (AstKind::TypeVarTuple, &p.name, None, p.default.as_deref())
                }
                TypeParam::ParamSpec(p) => {
                    (AstKind::ParamSpec, &p.name, None, p.default.as_deref())
                }
            };
            let node = self.rows.tree.open(NodeKind::TypeExpr, parameter.range());
            node.ast(ast).field(Field::TypeParams).name(name.as_str());
            self.optional(bound, Field::Bound);
            self.optional(default, Field::DefaultValue);
            self.rows.tree.close();
        }
    }
}

/// A parameter on its way into its row.
pub(super) struct ParameterFacts<'a> {
    pub name: &'a str,
    pub kind: &'static str,
    pub position: usize,
    pub symbol: Option<u32>,
}
