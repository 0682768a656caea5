//! Lambdas and comprehensions: expressions that are references to a METHOD of their own.

use ruff_python_ast::{Comprehension, Expr, ExprLambda};
use ruff_text_size::{Ranged, TextRange};

use super::Walk;
use super::definition::{Container, Definition, DefinitionKind};
use super::function::ParameterFacts;
use crate::symbols::{ScopeIndex, noted};
use crate::tree::{AstKind, Field, NodeKind, Ordinal, empty_at};

impl<'a> Walk<'a> {
    /// A `lambda`: a reference to a METHOD of its own.
    pub(super) fn lambda(&mut self, lambda: &'a ExprLambda, field: Field) -> Ordinal {
        self.rows
            .tree
            .open(NodeKind::MethodRef, lambda.range)
            .ast(AstKind::Lambda)
            .field(field);
        let outer = self.scope;
        let parameters = lambda.parameters.as_deref();
        let (slot, qualified_name) =
            self.open_inner(lambda.range, "<lambda>", DefinitionKind::Lambda);
        let node = self.rows.tree.current();
        self.parameters(node, &qualified_name, parameters, outer);
        self.rows.definitions[slot].signature = Some(self.signature(parameters, None));
        self.containers
            .push(Container::new(node, qualified_name, DefinitionKind::Lambda));
        if let Some(scope) = noted(&lambda.node_index) {
            self.enter_inner(slot, scope);
        }
        self.rows
            .tree
            .open(NodeKind::Block, lambda.body.range())
            .field(Field::Body);
        self.expression(&lambda.body, Field::Body);
        self.rows.tree.close();
        self.close_inner(outer, lambda.range)
    }

    /// A comprehension or generator expression. `range` is where it stands: a lone argument includes the parentheses
    /// of its call, as in CPython's tree.
    pub(super) fn comprehension(
        &mut self,
        expr: &'a Expr,
        range: TextRange,
        field: Field,
    ) -> Ordinal {
        let (ast, name, index, generators): (_, _, _, &[Comprehension]) = match expr {
            Expr::ListComp(comp) => (
                AstKind::ListComp,
                "<listcomp>",
                &comp.node_index,
                &comp.generators,
            ),
            Expr::SetComp(comp) => (
                AstKind::SetComp,
                "<setcomp>",
                &comp.node_index,
                &comp.generators,
            ),
            Expr::DictComp(comp) => (
                AstKind::DictComp,
                "<dictcomp>",
                &comp.node_index,
                &comp.generators,
            ),
            Expr::Generator(comp) => (
                AstKind::GeneratorExp,
                "<genexpr>",
                &comp.node_index,
                &comp.generators,
            ),
            _ => return self.expression(expr, field),
        };
        self.rows
            .tree
            .open(NodeKind::MethodRef, range)
            .ast(ast)
            .field(field);
        let outer = self.scope;
        let (slot, qualified_name) = self.open_inner(range, name, DefinitionKind::Comprehension);
        let node = self.rows.tree.current();
        let scope = noted(index);
        if let Some(scope) = scope {
            self.received_iterator(node, &qualified_name, scope, generators);
        }
        self.containers.push(Container::new(
            node,
            qualified_name,
            DefinitionKind::Comprehension,
        ));
        if let Some(scope) = scope {
            self.enter_inner(slot, scope);
        }
        self.rows.definitions[slot].is_async =
            generators.iter().any(|generator| generator.is_async);
        self.rows
            .tree
            .open(NodeKind::Block, range)
            .field(Field::Body);
        self.elements(expr);
        for (at, generator) in generators.iter().enumerate() {
            self.generator(generator, (at == 0).then_some(outer));
        }
        self.rows.tree.close();
        self.close_inner(outer, range)
    }

    fn elements(&mut self, expr: &'a Expr) {
        match expr {
            Expr::ListComp(comp) => self.expression(&comp.elt, Field::Elt),
            Expr::SetComp(comp) => self.expression(&comp.elt, Field::Elt),
            Expr::Generator(comp) => self.expression(&comp.elt, Field::Elt),
            Expr::DictComp(comp) => {
                self.optional(comp.key.as_deref(), Field::Key);
                self.expression(&comp.value, Field::Value)
            }
            _ => 0,
        };
    }

    /// Opens the METHOD of a lambda or comprehension and adds its definition.
    fn open_inner(
        &mut self,
        range: TextRange,
        name: &'static str,
        kind: DefinitionKind,
    ) -> (usize, String) {
        let qualified_name = self.qualified_name(name, None);
        self.rows.tree.open(NodeKind::Method, range).name(name);
        let node = self.rows.tree.current();
        self.rows.tree.qualify(node, qualified_name.clone());
        let definition = Definition {
            node,
            kind,
            name,
            qualified_name: qualified_name.clone(),
            symbol: None,
        };
        (self.define(definition), qualified_name)
    }

    fn enter_inner(&mut self, slot: usize, scope: ScopeIndex) {
        self.open_scope(scope);
        let body_scope_id = self.scope_id();
        let row = &mut self.rows.definitions[slot];
        row.body_scope_id = body_scope_id;
        row.is_generator = self.table.scope(scope).is_generator;
    }

    /// Closes the METHOD of a lambda or comprehension and the reference to it, and returns the reference.
    fn close_inner(&mut self, outer: ScopeIndex, range: TextRange) -> Ordinal {
        self.method_return(range.end());
        self.containers.pop();
        self.scope = outer;
        self.rows.tree.close();
        self.rows.tree.close()
    }

    /// The parameter `.0`, through which a comprehension receives its first iterator.
    fn received_iterator(
        &mut self,
        method: Ordinal,
        function: &str,
        scope: ScopeIndex,
        generators: &'a [Comprehension],
    ) {
        let Some(first) = generators.first() else {
            return;
        };
        let symbol = self
            .table
            .names
            .find(".0")
            .and_then(|name| self.table.find(scope, name));
        self.rows
            .tree
            .open(NodeKind::Parameter, empty_at(first.iter.start()))
            .name(".0");
        let node = self.rows.tree.close();
        let formal = ParameterFacts {
            name: ".0",
            kind: "positional_only",
            position: 0,
            symbol,
        };
        self.parameter_row(node, method, function, &formal, [None, None]);
    }
}
