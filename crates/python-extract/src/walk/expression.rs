//! Expressions.

use ruff_python_ast::{
    self as ast, Comprehension, Expr, FStringPart, InterpolatedStringElement,
    InterpolatedStringElements,
};
use ruff_text_size::{Ranged, TextRange};

use super::Walk;
use crate::tree::{AstKind, Field, NodeKind, Ordinal, operator};

impl<'a> Walk<'a> {
    /// An expression, in a field of its parent; returns its node.
    pub(super) fn expression(&mut self, expr: &'a Expr, field: Field) -> Ordinal {
        match expr {
            Expr::Name(name) => return self.name_expression(name, field),
            Expr::Call(call) => return self.call(call, field),
            Expr::Attribute(attribute) => {
                self.operator(
                    attribute.range,
                    AstKind::Attribute,
                    "<operator>.fieldAccess",
                    field,
                );
                self.expression(&attribute.value, Field::Value);
                self.field_identifier(&attribute.attr, Field::Attr);
            }
            Expr::StringLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::NumberLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::EllipsisLiteral(_) => self.constant(expr.range(), field),
            Expr::Lambda(lambda) => return self.lambda(lambda, field),
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {
                return self.comprehension(expr, expr.range(), field);
            }
            Expr::FString(string) => self.f_string(string, field),
            Expr::TString(string) => {
                self.operator(
                    string.range,
                    AstKind::TemplateStr,
                    "<operator>.templateString",
                    field,
                );
                for part in &string.value {
                    self.interpolated(&part.elements, AstKind::Interpolation);
                }
            }
            Expr::BinOp(_)
            | Expr::BoolOp(_)
            | Expr::UnaryOp(_)
            | Expr::Compare(_)
            | Expr::If(_)
            | Expr::Named(_)
            | Expr::Await(_)
            | Expr::Yield(_)
            | Expr::YieldFrom(_) => self.operation(expr, field),
            _ => self.display(expr, field),
        }
        self.rows.tree.close()
    }

    /// An expression that may be absent.
    pub(super) fn optional(&mut self, expr: Option<&'a Expr>, field: Field) -> Option<Ordinal> {
        expr.map(|expr| self.expression(expr, field))
    }

    fn expressions(&mut self, exprs: &'a [Expr], field: Field) {
        for expr in exprs {
            self.expression(expr, field);
        }
    }

    fn constant(&mut self, range: TextRange, field: Field) {
        self.rows
            .tree
            .open(NodeKind::Literal, range)
            .ast(AstKind::Constant)
            .field(field);
    }

    /// A name after a dot.
    pub(super) fn field_identifier(&mut self, name: &'a ast::Identifier, field: Field) {
        self.rows
            .tree
            .open(NodeKind::FieldIdentifier, name.range())
            .field(field)
            .name(name.as_str());
        self.rows.tree.close();
    }

    /// Opens an operation and walks its operands.
    fn operation(&mut self, expr: &'a Expr, field: Field) {
        match expr {
            Expr::BinOp(op) => {
                self.operator(op.range, AstKind::BinOp, operator::binary(op.op), field);
                self.expression(&op.left, Field::Left);
                self.expression(&op.right, Field::Right);
            }
            Expr::BoolOp(op) => {
                self.operator(op.range, AstKind::BoolOp, operator::boolean(op.op), field);
                self.expressions(&op.values, Field::Values);
            }
            Expr::UnaryOp(op) => {
                self.operator(op.range, AstKind::UnaryOp, operator::unary(op.op), field);
                self.expression(&op.operand, Field::Operand);
            }
            Expr::Compare(op) => {
                self.operator(
                    op.range,
                    AstKind::Compare,
                    operator::comparison(&op.ops),
                    field,
                );
                self.expression(&op.left, Field::Left);
                self.expressions(&op.comparators, Field::Comparators);
            }
            Expr::If(op) => {
                self.operator(op.range, AstKind::IfExp, "<operator>.conditional", field);
                self.expression(&op.body, Field::Body);
                self.expression(&op.test, Field::Test);
                self.expression(&op.orelse, Field::Orelse);
            }
            Expr::Named(op) => {
                self.operator(op.range, AstKind::NamedExpr, "<operator>.assignment", field);
                self.expression(&op.target, Field::Target);
                self.expression(&op.value, Field::Value);
            }
            Expr::Await(op) => {
                self.operator(op.range, AstKind::Await, "<operator>.await", field);
                self.expression(&op.value, Field::Value);
            }
            Expr::Yield(op) => {
                self.operator(op.range, AstKind::Yield, "<operator>.yield", field);
                self.optional(op.value.as_deref(), Field::Value);
            }
            Expr::YieldFrom(op) => {
                self.operator(op.range, AstKind::YieldFrom, "<operator>.yieldFrom", field);
                self.expression(&op.value, Field::Value);
            }
            _ => {}
        }
    }

    /// Opens a display, a subscript or a part of one, and walks what is in it.
    fn display(&mut self, expr: &'a Expr, field: Field) {
        match expr {
            Expr::Tuple(display) => {
                self.operator(
                    display.range,
                    AstKind::Tuple,
                    "<operator>.tupleLiteral",
                    field,
                );
                self.expressions(&display.elts, Field::Elts);
            }
            Expr::List(display) => {
                self.operator(
                    display.range,
                    AstKind::List,
                    "<operator>.listLiteral",
                    field,
                );
                self.expressions(&display.elts, Field::Elts);
            }
            Expr::Set(display) => {
                self.operator(display.range, AstKind::Set, "<operator>.setLiteral", field);
                self.expressions(&display.elts, Field::Elts);
            }
            Expr::Dict(display) => {
                self.operator(
                    display.range,
                    AstKind::Dict,
                    "<operator>.dictLiteral",
                    field,
                );
                for item in display {
                    self.optional(item.key.as_ref(), Field::Keys);
                    self.expression(&item.value, Field::Values);
                }
            }
            Expr::Subscript(op) => {
                self.operator(
                    op.range,
                    AstKind::Subscript,
                    "<operator>.indexAccess",
                    field,
                );
                self.expression(&op.value, Field::Value);
                self.expression(&op.slice, Field::Slice);
            }
            Expr::Slice(op) => {
                self.operator(op.range, AstKind::Slice, "<operator>.slice", field);
                self.optional(op.lower.as_deref(), Field::Lower);
                self.optional(op.upper.as_deref(), Field::Upper);
                self.optional(op.step.as_deref(), Field::Step);
            }
            Expr::Starred(op) => {
                self.operator(
                    op.range,
                    AstKind::Starred,
                    "<operator>.starredUnpack",
                    field,
                );
                self.expression(&op.value, Field::Value);
            }
            // Shell escapes are no Python; the rest is dealt with before.
            _ => {
                self.rows
                    .tree
                    .open(NodeKind::Unknown, expr.range())
                    .field(field);
            }
        }
    }

    fn f_string(&mut self, string: &'a ast::ExprFString, field: Field) {
        self.operator(
            string.range,
            AstKind::JoinedStr,
            "<operator>.formatString",
            field,
        );
        for part in &string.value {
            match part {
                FStringPart::Literal(literal) => {
                    self.constant(literal.range, Field::Values);
                    self.rows.tree.close();
                }
                FStringPart::FString(part) => {
                    self.interpolated(&part.elements, AstKind::FormattedValue);
                }
            }
        }
    }

    fn interpolated(&mut self, elements: &'a InterpolatedStringElements, kind: AstKind) {
        for element in elements {
            match element {
                InterpolatedStringElement::Literal(literal) => {
                    self.constant(literal.range, Field::Values);
                }
                InterpolatedStringElement::Interpolation(value) => {
                    self.operator(
                        value.range,
                        kind,
                        "<operator>.formattedValue",
                        Field::Values,
                    );
                    self.expression(&value.expression, Field::Value);
                    if let Some(spec) = &value.format_spec {
                        self.operator(
                            spec.range,
                            AstKind::JoinedStr,
                            "<operator>.formatString",
                            Field::FormatSpec,
                        );
                        self.interpolated(&spec.elements, kind);
                        self.rows.tree.close();
                    }
                }
            }
            self.rows.tree.close();
        }
    }

    /// One `for ... in ... if ...` of a comprehension; the first iterable is evaluated outside of it.
    pub(super) fn generator(&mut self, generator: &'a Comprehension, outer: Option<u32>) {
        self.rows
            .tree
            .open(NodeKind::ControlStructure, generator.range)
            .field(Field::Generators)
            .name("for");
        self.expression(&generator.target, Field::Target);
        match outer {
            Some(scope) => self.within(scope, |walk| walk.expression(&generator.iter, Field::Iter)),
            None => self.expression(&generator.iter, Field::Iter),
        };
        self.expressions(&generator.ifs, Field::Ifs);
        self.rows.tree.close();
    }
}
