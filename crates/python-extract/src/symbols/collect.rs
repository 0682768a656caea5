//! The first pass: opens the scopes and notes how each uses its names, in the order of CPython's `symtable.c`.
//!
//! What is found is noted on the syntax nodes themselves ([`noted`](super::noted)): the scope that a node opens, the
//! symbol that a name, a parameter, an alias or a declared identifier stands for. The walk that builds the tree reads
//! it there and never looks a name up again.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, AtomicNodeIndex, Comprehension, ExceptHandler, Expr, ExprContext, Identifier, ModModule,
    NodeIndex, Parameter, Parameters, Pattern, Stmt, StmtClassDef, StmtFunctionDef, TypeParam,
    TypeParams,
};
use ruff_text_size::{Ranged, TextRange};

use super::mangle::mangle;
use super::{Scope, ScopeIndex, ScopeKind, SymbolIndex, SymbolTable, Usage, index};

/// Collects the scopes and names of a module.
pub(crate) fn collect(module: &ModModule) -> SymbolTable<'_> {
    let mut collector = Collector {
        table: SymbolTable::default(),
        scope: 0,
        class: None,
        lazy_annotations: has_lazy_annotations(&module.body),
    };
    collector.open(ScopeKind::Module, "top", None);
    collector.visit_body(&module.body);
    collector.table
}

/// Whether the module begins with `from __future__ import annotations`.
fn has_lazy_annotations(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::ImportFrom(import) => {
            import.module.as_deref() == Some("__future__")
                && import
                    .names
                    .iter()
                    .any(|alias| alias.name.as_str() == "annotations")
        }
        _ => false,
    })
}

struct Collector<'a> {
    table: SymbolTable<'a>,
    scope: ScopeIndex,
    /// The class whose private names are mangled.
    class: Option<&'a str>,
    lazy_annotations: bool,
}

impl<'a> Collector<'a> {
    fn open(&mut self, kind: ScopeKind, name: &'a str, node: Option<&AtomicNodeIndex>) {
        let scope = index(self.table.scopes.len());
        let parent = (scope > 0).then_some(self.scope);
        let is_nested = parent.is_some_and(|parent| {
            let parent = self.table.scope(parent);
            parent.is_nested || parent.kind.is_function_like()
        });
        let depth = parent.map_or(0, |parent| self.table.scope(parent).depth + 1);
        self.table.scopes.push(Scope {
            kind,
            name,
            parent,
            depth,
            symbols: Vec::new(),
            is_nested,
            is_generator: false,
        });
        self.scope = scope;
        if let Some(node) = node {
            node.set(NodeIndex::from(scope));
        }
    }

    fn close(&mut self) {
        self.scope = self.table.scope(self.scope).parent.unwrap_or(0);
    }

    fn note(&mut self, name: &'a str, usage: Usage, range: TextRange) -> SymbolIndex {
        self.note_in(self.scope, name, usage, range)
    }

    fn note_in(
        &mut self,
        scope: ScopeIndex,
        name: &'a str,
        usage: Usage,
        range: TextRange,
    ) -> SymbolIndex {
        let name = self.table.names.intern(mangle(self.class, name));
        let symbol = self.table.touch(scope, name, usage, range);
        if usage.any(Usage::GLOBAL) && scope != 0 {
            // A `global` declaration makes the name known to the module, whether the module binds it or not.
            self.table.touch(0, name, Usage::GLOBAL, range);
        }
        symbol
    }

    fn note_on(&mut self, identifier: &'a Identifier, usage: Usage) {
        let symbol = self.note(identifier.as_str(), usage, identifier.range());
        identifier.node_index.set(NodeIndex::from(symbol));
    }

    fn function(&mut self, def: &'a StmtFunctionDef) {
        self.note_on(&def.name, Usage::LOCAL);
        self.defaults(&def.parameters);
        for decorator in &def.decorator_list {
            self.visit_expr(&decorator.expression);
        }
        if let Some(parameters) = &def.type_params {
            self.open(
                ScopeKind::TypeParameters,
                def.name.as_str(),
                Some(&parameters.node_index),
            );
            self.visit_type_params(parameters);
        }
        for parameter in def.parameters.iter_source_order() {
            if let Some(annotation) = parameter.annotation() {
                self.visit_annotation(annotation);
            }
        }
        if let Some(returns) = &def.returns {
            self.visit_annotation(returns);
        }
        self.open(
            ScopeKind::Function,
            def.name.as_str(),
            Some(&def.node_index),
        );
        self.parameters(&def.parameters);
        self.visit_body(&def.body);
        self.close();
        if def.type_params.is_some() {
            self.close();
        }
    }

    fn class(&mut self, def: &'a StmtClassDef) {
        self.note_on(&def.name, Usage::LOCAL);
        for decorator in &def.decorator_list {
            self.visit_expr(&decorator.expression);
        }
        let outer = self.class;
        if let Some(parameters) = &def.type_params {
            self.open(
                ScopeKind::TypeParameters,
                def.name.as_str(),
                Some(&parameters.node_index),
            );
            self.class = Some(def.name.as_str());
            self.visit_type_params(parameters);
        }
        if let Some(arguments) = &def.arguments {
            self.visit_arguments(arguments);
        }
        self.open(ScopeKind::Class, def.name.as_str(), Some(&def.node_index));
        self.class = Some(def.name.as_str());
        self.visit_body(&def.body);
        self.class = outer;
        self.close();
        if def.type_params.is_some() {
            self.close();
        }
    }

    fn defaults(&mut self, parameters: &'a Parameters) {
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(default) = parameter.default() {
                self.visit_expr(default);
            }
        }
    }

    fn parameters(&mut self, parameters: &'a Parameters) {
        for parameter in parameters {
            self.parameter(parameter.as_parameter());
        }
    }

    fn parameter(&mut self, parameter: &'a Parameter) {
        let symbol = self.note(
            parameter.name.as_str(),
            Usage::PARAMETER,
            parameter.name.range(),
        );
        parameter.node_index.set(NodeIndex::from(symbol));
    }

    fn comprehension(
        &mut self,
        name: &'static str,
        node: &'a AtomicNodeIndex,
        generators: &'a [Comprehension],
        elements: [Option<&'a Expr>; 2],
    ) {
        let Some((first, rest)) = generators.split_first() else {
            return;
        };
        self.visit_expr(&first.iter);
        self.open(ScopeKind::Comprehension, name, Some(node));
        self.note(".0", Usage::PARAMETER, TextRange::empty(first.iter.start()));
        self.visit_expr(&first.target);
        for condition in &first.ifs {
            self.visit_expr(condition);
        }
        for generator in rest {
            self.visit_comprehension(generator);
        }
        for element in elements.into_iter().rev().flatten() {
            self.visit_expr(element);
        }
        self.table.scopes[self.scope as usize].is_generator = name == "genexpr";
        self.close();
    }

    /// An assignment expression inside comprehensions binds its name in the scope around them.
    fn carry_out(&mut self, target: &'a Expr) {
        let Expr::Name(name) = target else { return };
        let mut at = Some(self.scope);
        while let Some(scope) = at {
            let (kind, parent) = (self.table.scope(scope).kind, self.table.scope(scope).parent);
            match kind {
                ScopeKind::Comprehension | ScopeKind::Annotation => at = parent,
                ScopeKind::Function | ScopeKind::Lambda | ScopeKind::TypeParameters => {
                    let is_global = self
                        .table
                        .names
                        .find(name.id.as_str())
                        .and_then(|known| self.table.find(scope, known))
                        .is_some_and(|known| self.table.symbol(known).usage.any(Usage::GLOBAL));
                    let usage = if is_global {
                        Usage::GLOBAL
                    } else {
                        Usage::NONLOCAL
                    };
                    self.note(name.id.as_str(), usage, name.range());
                    self.note_in(scope, name.id.as_str(), Usage::LOCAL, name.range());
                    return;
                }
                ScopeKind::Module => {
                    self.note(name.id.as_str(), Usage::GLOBAL, name.range());
                    self.note_in(scope, name.id.as_str(), Usage::GLOBAL, name.range());
                    return;
                }
                // CPython refuses it in a class body.
                ScopeKind::Class => return,
            }
        }
    }

    fn mark_generator(&mut self) {
        self.table.scopes[self.scope as usize].is_generator = true;
    }
}

impl<'a> Visitor<'a> for Collector<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(def) => self.function(def),
            Stmt::ClassDef(def) => self.class(def),
            Stmt::AnnAssign(assign) => {
                match assign.target.as_ref() {
                    Expr::Name(name) => {
                        let usage = match (assign.simple, &assign.value) {
                            (true, _) => Some(Usage::ANNOTATED.with(Usage::LOCAL)),
                            (false, Some(_)) => Some(Usage::LOCAL),
                            (false, None) => None,
                        };
                        if let Some(usage) = usage {
                            let symbol = self.note(name.id.as_str(), usage, name.range());
                            name.node_index.set(NodeIndex::from(symbol));
                        }
                    }
                    target => self.visit_expr(target),
                }
                self.visit_annotation(&assign.annotation);
                if let Some(value) = &assign.value {
                    self.visit_expr(value);
                }
            }
            Stmt::TypeAlias(alias) => {
                self.visit_expr(&alias.name);
                if let Some(parameters) = &alias.type_params {
                    let name = alias
                        .name
                        .as_name_expr()
                        .map_or("", |name| name.id.as_str());
                    self.open(
                        ScopeKind::TypeParameters,
                        name,
                        Some(&parameters.node_index),
                    );
                    self.visit_type_params(parameters);
                }
                self.visit_expr(&alias.value);
                if alias.type_params.is_some() {
                    self.close();
                }
            }
            Stmt::Global(global) => {
                for name in &global.names {
                    self.note_on(name, Usage::GLOBAL);
                }
            }
            Stmt::Nonlocal(nonlocal) => {
                for name in &nonlocal.names {
                    self.note_on(name, Usage::NONLOCAL);
                }
            }
            _ => visitor::walk_stmt(self, stmt),
        }
    }

    fn visit_annotation(&mut self, annotation: &'a Expr) {
        if self.lazy_annotations {
            self.open(ScopeKind::Annotation, "_annotation", None);
            self.visit_expr(annotation);
            self.close();
        } else {
            self.visit_expr(annotation);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // What is missing in broken source stands in the tree as an empty name.
            Expr::Name(name) if name.id.is_empty() => {}
            Expr::Name(name) => {
                let usage = match name.ctx {
                    ExprContext::Load | ExprContext::Invalid => Usage::USE,
                    ExprContext::Store | ExprContext::Del => Usage::LOCAL,
                };
                let symbol = self.note(name.id.as_str(), usage, name.range());
                name.node_index.set(NodeIndex::from(symbol));
                // A call of `super()` reads the class through a hidden cell.
                if usage == Usage::USE
                    && name.id.as_str() == "super"
                    && self.table.scope(self.scope).kind.is_function_like()
                {
                    self.note("__class__", Usage::USE, name.range());
                }
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.defaults(parameters);
                }
                self.open(ScopeKind::Lambda, "lambda", Some(&lambda.node_index));
                if let Some(parameters) = &lambda.parameters {
                    self.parameters(parameters);
                }
                self.visit_expr(&lambda.body);
                self.close();
            }
            Expr::Named(named) => {
                if self.table.scope(self.scope).kind == ScopeKind::Comprehension {
                    self.carry_out(&named.target);
                }
                self.visit_expr(&named.value);
                self.visit_expr(&named.target);
            }
            Expr::ListComp(comp) => {
                self.comprehension(
                    "listcomp",
                    &comp.node_index,
                    &comp.generators,
                    [Some(&comp.elt), None],
                );
            }
            Expr::SetComp(comp) => {
                self.comprehension(
                    "setcomp",
                    &comp.node_index,
                    &comp.generators,
                    [Some(&comp.elt), None],
                );
            }
            Expr::DictComp(comp) => {
                let elements = [comp.key.as_deref(), Some(comp.value.as_ref())];
                self.comprehension("dictcomp", &comp.node_index, &comp.generators, elements);
            }
            Expr::Generator(comp) => {
                self.comprehension(
                    "genexpr",
                    &comp.node_index,
                    &comp.generators,
                    [Some(&comp.elt), None],
                );
            }
            Expr::Yield(_) | Expr::YieldFrom(_) => {
                self.mark_generator();
                visitor::walk_expr(self, expr);
            }
            _ => visitor::walk_expr(self, expr),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.note_on(name, Usage::LOCAL);
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_alias(&mut self, alias: &'a Alias) {
        let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
        let bound = name.split_once('.').map_or(name, |(first, _)| first);
        if bound != "*" {
            let symbol = self.note(bound, Usage::IMPORT, alias.range());
            alias.node_index.set(NodeIndex::from(symbol));
        }
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let captured = match pattern {
            Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = captured {
            self.note_on(name, Usage::LOCAL);
        }
        visitor::walk_pattern(self, pattern);
    }

    fn visit_type_params(&mut self, parameters: &'a TypeParams) {
        for parameter in parameters {
            let name = match parameter {
                TypeParam::TypeVar(parameter) => &parameter.name,
                TypeParam::TypeVarTuple(parameter) => &parameter.name,
                TypeParam::ParamSpec(parameter) => &parameter.name,
            };
            self.note_on(name, Usage::LOCAL);
        }
        visitor::walk_type_params(self, parameters);
    }
}
