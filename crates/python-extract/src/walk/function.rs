//! Functions, lambdas and comprehensions: parameters, signature, body.

use ossature_schema_spec::SymbolKind;
use ruff_python_ast::{
    Comprehension, Expr, ExprLambda, Parameter, ParameterWithDefault, Parameters, StmtFunctionDef,
    TypeParam, TypeParams,
};
use ruff_text_size::{Ranged, TextRange};

use super::definition::{Container, Definition, DefinitionKind};
use super::{Binding, Walk, count};
use crate::datasets::ParameterRow;
use crate::symbols::{ScopeIndex, noted};
use crate::tree::{AstKind, Field, NodeKind, Ordinal, empty_at};

/// One parameter as the signature has it.
struct Formal<'a> {
    parameter: &'a Parameter,
    default: Option<&'a Expr>,
    kind: &'static str,
}

impl<'a> Formal<'a> {
    fn of(parameter: &'a ParameterWithDefault, kind: &'static str) -> Self {
        Self {
            parameter: &parameter.parameter,
            default: parameter.default(),
            kind,
        }
    }

    fn variadic(parameter: &'a Parameter, kind: &'static str) -> Self {
        Self {
            parameter,
            default: None,
            kind,
        }
    }
}

/// The parameters of a function in the order of its signature.
fn formals(parameters: &Parameters) -> impl Iterator<Item = Formal<'_>> {
    let positional_only = parameters
        .posonlyargs
        .iter()
        .map(|p| Formal::of(p, "positional_only"));
    let positional = parameters
        .args
        .iter()
        .map(|p| Formal::of(p, "positional_or_keyword"));
    let variadic = parameters
        .vararg
        .iter()
        .map(|p| Formal::variadic(p, "var_positional"));
    let keyword_only = parameters
        .kwonlyargs
        .iter()
        .map(|p| Formal::of(p, "keyword_only"));
    let keywords = parameters
        .kwarg
        .iter()
        .map(|p| Formal::variadic(p, "var_keyword"));
    positional_only
        .chain(positional)
        .chain(variadic)
        .chain(keyword_only)
        .chain(keywords)
}

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

    /// The parameters of the METHOD that is open. Defaults are evaluated in the scope around the function, before
    /// its type parameters exist.
    fn parameters(
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

    fn parameter_row(
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

    /// The parameters and the result as written, on one line.
    fn signature(
        &mut self,
        parameters: Option<&'a Parameters>,
        returns: Option<&'a Expr>,
    ) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut before = "";
        for formal in parameters.into_iter().flat_map(formals) {
            if before == "positional_only" && formal.kind != before {
                parts.push("/".to_owned());
            }
            if formal.kind == "keyword_only" && !matches!(before, "keyword_only" | "var_positional")
            {
                parts.push("*".to_owned());
            }
            before = formal.kind;
            parts.push(self.formal_text(&formal));
        }
        if before == "positional_only" {
            parts.push("/".to_owned());
        }
        let parts = parts.join(", ");
        match returns {
            Some(returns) => format!("({parts}) -> {}", self.folded(returns.range())),
            None => format!("({parts})"),
        }
    }

    fn formal_text(&mut self, formal: &Formal<'a>) -> String {
        let default = formal
            .default
            .map_or(0, |default| default.range().len().to_usize());
        if !self
            .names
            .spend(formal.parameter.range().len().to_usize() + default)
        {
            return String::new();
        }
        let stars = match formal.kind {
            "var_positional" => "*",
            "var_keyword" => "**",
            _ => "",
        };
        let mut text = format!("{stars}{}", formal.parameter.name.as_str());
        if let Some(annotation) = formal.parameter.annotation() {
            text.push_str(": ");
            text.push_str(&self.folded(annotation.range()));
        }
        if let Some(default) = formal.default {
            text.push_str(if formal.parameter.annotation().is_some() {
                " = "
            } else {
                "="
            });
            text.push_str(&self.folded(default.range()));
        }
        text
    }
}

/// A parameter on its way into its row.
struct ParameterFacts<'a> {
    name: &'a str,
    kind: &'static str,
    position: usize,
    symbol: Option<u32>,
}
