//! Statements.

use ruff_python_ast::{
    self as ast, ElifElseClause, ExceptHandler, Expr, MatchCase, Stmt, StmtFor, StmtIf, StmtTry,
    StmtWith,
};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::Walk;
use crate::tree::{AstKind, Field, NodeKind, empty_at, operator};

impl<'a> Walk<'a> {
    /// A statement, in a field of its parent.
    pub(super) fn statement(&mut self, statement: &'a Stmt, field: Field) {
        match statement {
            Stmt::FunctionDef(def) => self.function(def, field),
            Stmt::ClassDef(def) => self.class(def, field),
            Stmt::Import(import) => self.import(import, field),
            Stmt::ImportFrom(import) => self.import_from(import, field),
            Stmt::If(stmt) => self.if_statement(stmt, field),
            Stmt::For(stmt) => self.for_statement(stmt, field),
            Stmt::With(stmt) => self.with_statement(stmt, field),
            Stmt::Try(stmt) => self.try_statement(stmt, field),
            Stmt::While(stmt) => {
                self.control(stmt.range, AstKind::While, "while", field);
                self.expression(&stmt.test, Field::Test);
                self.block(&stmt.body, Field::Body, stmt.test.end());
                self.optional_block(&stmt.orelse, Field::Orelse);
                self.rows.tree.close();
            }
            Stmt::Match(stmt) => {
                self.control(stmt.range, AstKind::Match, "match", field);
                self.expression(&stmt.subject, Field::Subject);
                for case in &stmt.cases {
                    self.case(case);
                }
                self.rows.tree.close();
            }
            _ => self.simple_statement(statement, field),
        }
    }

    fn simple_statement(&mut self, statement: &'a Stmt, field: Field) {
        match statement {
            Stmt::Return(stmt) => {
                self.rows
                    .tree
                    .open(NodeKind::Return, stmt.range)
                    .ast(AstKind::Return)
                    .field(field);
                self.optional(stmt.value.as_deref(), Field::Value);
            }
            Stmt::Raise(stmt) => {
                self.control(stmt.range, AstKind::Raise, "raise", field);
                self.optional(stmt.exc.as_deref(), Field::Exc);
                self.optional(stmt.cause.as_deref(), Field::Cause);
            }
            Stmt::Assert(stmt) => {
                self.control(stmt.range, AstKind::Assert, "assert", field);
                self.expression(&stmt.test, Field::Test);
                self.optional(stmt.msg.as_deref(), Field::Msg);
            }
            Stmt::Break(stmt) => self.control(stmt.range, AstKind::Break, "break", field),
            Stmt::Continue(stmt) => self.control(stmt.range, AstKind::Continue, "continue", field),
            Stmt::Pass(stmt) => {
                self.rows
                    .tree
                    .open(NodeKind::Block, stmt.range)
                    .ast(AstKind::Pass)
                    .field(field);
            }
            Stmt::Expr(stmt) => {
                self.rows
                    .tree
                    .open(NodeKind::Block, stmt.range)
                    .ast(AstKind::Expr)
                    .field(field);
                self.note_all_call(&stmt.value);
                self.expression(&stmt.value, Field::Value);
            }
            Stmt::Global(stmt) => self.declaration(stmt.range, AstKind::Global, &stmt.names, field),
            Stmt::Nonlocal(stmt) => {
                self.declaration(stmt.range, AstKind::Nonlocal, &stmt.names, field);
            }
            Stmt::TypeAlias(alias) => self.type_alias(alias, field),
            Stmt::Delete(_) | Stmt::Assign(_) | Stmt::AugAssign(_) | Stmt::AnnAssign(_) => {
                self.assignment(statement, field);
            }
            // Shell escapes are no Python; the rest is dealt with before.
            _ => {
                self.rows
                    .tree
                    .open(NodeKind::Unknown, statement.range())
                    .field(field);
            }
        }
        self.rows.tree.close();
    }

    /// Opens an assignment or a deletion and walks its parts.
    fn assignment(&mut self, statement: &'a Stmt, field: Field) {
        match statement {
            Stmt::Assign(stmt) => {
                self.operator(stmt.range, AstKind::Assign, "<operator>.assignment", field);
                for target in &stmt.targets {
                    self.note_all_assignment(target, Some(&stmt.value));
                    self.expression(target, Field::Targets);
                }
                self.expression(&stmt.value, Field::Value);
            }
            Stmt::AugAssign(stmt) => {
                self.operator(
                    stmt.range,
                    AstKind::AugAssign,
                    operator::augmented(stmt.op),
                    field,
                );
                self.note_all_extension(&stmt.target, &stmt.value);
                self.expression(&stmt.target, Field::Target);
                self.expression(&stmt.value, Field::Value);
            }
            Stmt::AnnAssign(stmt) => {
                self.operator(
                    stmt.range,
                    AstKind::AnnAssign,
                    "<operator>.assignment",
                    field,
                );
                self.note_all_assignment(&stmt.target, stmt.value.as_deref());
                self.expression(&stmt.target, Field::Target);
                self.expression(&stmt.annotation, Field::Annotation);
                self.optional(stmt.value.as_deref(), Field::Value);
            }
            Stmt::Delete(stmt) => {
                self.operator(stmt.range, AstKind::Delete, "<operator>.delete", field);
                for target in &stmt.targets {
                    self.expression(target, Field::Targets);
                }
            }
            _ => {}
        }
    }

    fn declaration(
        &mut self,
        range: TextRange,
        kind: AstKind,
        names: &'a [ast::Identifier],
        field: Field,
    ) {
        self.rows
            .tree
            .open(NodeKind::Block, range)
            .ast(kind)
            .field(field);
        for name in names {
            self.declared_identifier(name, Field::Names);
        }
    }

    fn type_alias(&mut self, alias: &'a ast::StmtTypeAlias, field: Field) {
        self.rows
            .tree
            .open(NodeKind::TypeDecl, alias.range)
            .ast(AstKind::TypeAlias)
            .field(field)
            .name = alias.name.as_name_expr().map(|name| name.id.as_str());
        self.expression(&alias.name, Field::Name);
        let outer = self.scope;
        self.type_parameters(alias.type_params.as_deref());
        self.expression(&alias.value, Field::Value);
        self.scope = outer;
    }

    fn control(&mut self, range: TextRange, kind: AstKind, name: &'static str, field: Field) {
        self.rows
            .tree
            .open(NodeKind::ControlStructure, range)
            .ast(kind)
            .field(field)
            .name(name);
    }

    /// Opens an operator.
    pub(super) fn operator(
        &mut self,
        range: TextRange,
        kind: AstKind,
        name: &'static str,
        field: Field,
    ) {
        self.rows
            .tree
            .open(NodeKind::Call, range)
            .ast(kind)
            .field(field)
            .name(name);
    }

    /// `elif` is an `if` in the `else` branch, as in CPython's tree; the chain is walked, not recursed into.
    fn if_statement(&mut self, stmt: &'a StmtIf, field: Field) {
        self.control(stmt.range, AstKind::If, "if", field);
        self.expression(&stmt.test, Field::Test);
        self.guarded_block(&stmt.test, &stmt.body);
        let mut open = 1;
        for clause in &stmt.elif_else_clauses {
            self.rows
                .tree
                .open(NodeKind::Block, TextRange::new(clause.start(), stmt.end()))
                .field(Field::Orelse);
            open += 1;
            open += self.elif_or_else(clause, stmt.end());
        }
        for _ in 0..open {
            self.rows.tree.close();
        }
    }

    /// Walks a clause in the block that is open and returns how many nodes it left open.
    fn elif_or_else(&mut self, clause: &'a ElifElseClause, end: TextSize) -> usize {
        let Some(test) = &clause.test else {
            for statement in &clause.body {
                self.statement(statement, Field::Orelse);
            }
            return 0;
        };
        self.control(
            TextRange::new(clause.start(), end),
            AstKind::If,
            "if",
            Field::Orelse,
        );
        self.expression(test, Field::Test);
        self.guarded_block(test, &clause.body);
        1
    }

    /// The body of an `if`; imports below `TYPE_CHECKING` are never run.
    fn guarded_block(&mut self, test: &'a Expr, body: &'a [Stmt]) {
        let outer = self.is_type_checking;
        self.is_type_checking |= match test {
            Expr::Name(name) => name.id.as_str() == "TYPE_CHECKING",
            Expr::Attribute(attribute) => attribute.attr.as_str() == "TYPE_CHECKING",
            _ => false,
        };
        self.block(body, Field::Body, test.end());
        self.is_type_checking = outer;
    }

    fn for_statement(&mut self, stmt: &'a StmtFor, field: Field) {
        let kind = if stmt.is_async {
            AstKind::AsyncFor
        } else {
            AstKind::For
        };
        self.control(stmt.range, kind, "for", field);
        self.expression(&stmt.target, Field::Target);
        self.expression(&stmt.iter, Field::Iter);
        self.block(&stmt.body, Field::Body, stmt.iter.end());
        self.optional_block(&stmt.orelse, Field::Orelse);
        self.rows.tree.close();
    }

    fn with_statement(&mut self, stmt: &'a StmtWith, field: Field) {
        let kind = if stmt.is_async {
            AstKind::AsyncWith
        } else {
            AstKind::With
        };
        self.control(stmt.range, kind, "with", field);
        for item in &stmt.items {
            self.expression(&item.context_expr, Field::ContextExpr);
            self.optional(item.optional_vars.as_deref(), Field::OptionalVars);
        }
        self.block(&stmt.body, Field::Body, stmt.range.end());
        self.rows.tree.close();
    }

    fn try_statement(&mut self, stmt: &'a StmtTry, field: Field) {
        let kind = if stmt.is_star {
            AstKind::TryStar
        } else {
            AstKind::Try
        };
        self.control(stmt.range, kind, "try", field);
        self.block(&stmt.body, Field::Body, stmt.range.start());
        for ExceptHandler::ExceptHandler(handler) in &stmt.handlers {
            self.control(
                handler.range,
                AstKind::ExceptHandler,
                "except",
                Field::Handlers,
            );
            self.optional(handler.type_.as_deref(), Field::Type);
            if let Some(name) = &handler.name {
                self.bound_identifier(name, Field::Name);
            }
            self.block(&handler.body, Field::Body, handler.range.end());
            self.rows.tree.close();
        }
        self.optional_block(&stmt.orelse, Field::Orelse);
        self.optional_block(&stmt.finalbody, Field::Finalbody);
        self.rows.tree.close();
    }

    fn case(&mut self, case: &'a MatchCase) {
        self.rows
            .tree
            .open(NodeKind::ControlStructure, case.range)
            .field(Field::Cases)
            .name("case");
        self.pattern(&case.pattern, Field::Pattern);
        self.optional(case.guard.as_deref(), Field::Guard);
        self.block(&case.body, Field::Body, case.range.end());
        self.rows.tree.close();
    }

    /// A BLOCK of statements; `end` is where an empty one is.
    pub(super) fn block(&mut self, body: &'a [Stmt], field: Field, end: TextSize) {
        let range = match (body.first(), body.last()) {
            (Some(first), Some(last)) => TextRange::new(first.start(), last.end()),
            _ => empty_at(end),
        };
        self.rows.tree.open(NodeKind::Block, range).field(field);
        for statement in body {
            self.statement(statement, field);
        }
        self.rows.tree.close();
    }

    fn optional_block(&mut self, body: &'a [Stmt], field: Field) {
        if !body.is_empty() {
            self.block(body, field, TextSize::default());
        }
    }
}
