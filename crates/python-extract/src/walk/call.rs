//! Calls and their arguments.

use ruff_python_ast::{ArgOrKeyword, Expr, ExprCall, ExprName, Keyword};
use ruff_text_size::Ranged;

use super::text::fold_head;
use super::{Walk, count};
use crate::datasets::{ArgumentRow, CallRow};
use crate::symbols::noted;
use crate::tree::{AstKind, Field, NodeKind, Ordinal};

/// Characters of a callee that are kept.
const CALLEE_CHARACTERS_MAX: usize = 200;

/// A dotted expression, `root.a.b`.
#[derive(Debug)]
pub(super) struct Dotted<'a> {
    /// The leftmost name and its node, if the expression is nothing but names and dots.
    pub root: Option<(&'a ExprName, Ordinal)>,
    /// The names after the root.
    pub path: Option<String>,
}

impl<'a> Dotted<'a> {
    /// Takes an expression apart whose node is `node`. Subscripts are looked through.
    ///
    /// The value of an attribute or subscript is its first child, so its node is the next one.
    pub(super) fn of(expr: &'a Expr, node: Ordinal) -> Self {
        let mut names = Vec::new();
        let (mut at, mut depth) = (expr, 0);
        let root = loop {
            match at {
                Expr::Attribute(attribute) => {
                    names.push(attribute.attr.as_str());
                    at = &attribute.value;
                }
                Expr::Subscript(subscript) => at = &subscript.value,
                Expr::Name(name) if !name.id.is_empty() => break Some((name, node + depth)),
                _ => break None,
            }
            depth += 1;
        };
        names.reverse();
        let path = (root.is_some() && !names.is_empty()).then(|| names.join("."));
        Self { root, path }
    }
}

impl<'a> Walk<'a> {
    /// A call.
    pub(super) fn call(&mut self, call: &'a ExprCall, field: Field) -> Ordinal {
        let callee_name = match call.func.as_ref() {
            Expr::Name(name) => Some(name.id.as_str()),
            Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
            _ => None,
        };
        self.rows
            .tree
            .open(NodeKind::Call, call.range())
            .ast(AstKind::Call)
            .field(field)
            .name = callee_name;
        let node = self.rows.tree.current();
        let slot = self.rows.calls.len();
        let row = self.call_row(call, node, callee_name);
        self.rows.calls.push(row);
        self.expression(&call.func, Field::Func);
        for (at, argument) in call.arguments.iter_source_order().enumerate() {
            self.argument(slot, node, count(at + 1), argument, call);
        }
        self.rows.tree.close()
    }

    /// The row of a call; the node of its callee is the first after its own.
    fn call_row(
        &self,
        call: &'a ExprCall,
        node: Ordinal,
        callee_name: Option<&'a str>,
    ) -> CallRow<'a> {
        let callee = node + 1;
        let (shape, receiver) = match call.func.as_ref() {
            Expr::Name(_) => ("name", None),
            Expr::Attribute(_) => ("attribute", Some(callee + 1)),
            Expr::Subscript(_) => ("subscript", None),
            Expr::Call(_) => ("call", None),
            Expr::Lambda(_) => ("lambda", None),
            _ => ("other", None),
        };
        let is_dotted = has_only_dots(&call.func);
        let dotted = Dotted::of(&call.func, callee);
        let root = dotted.root.filter(|_| is_dotted);
        CallRow {
            node_id: self.id(node),
            scope_id: self.scope_id(),
            method_id: self.id(self.methods[self.scope as usize]),
            callee_id: self.id(callee),
            callee_shape: shape,
            callee_text: fold_head(self.slice(call.func.range()), CALLEE_CHARACTERS_MAX),
            callee_name,
            root_name: root.map(|(name, _)| name.id.as_str()),
            root_id: root.map(|(_, node)| self.id(node)),
            root_binding_id: root.and_then(|(name, _)| self.binding_id(noted(&name.node_index)?)),
            path: dotted.path.filter(|_| is_dotted),
            receiver_id: receiver.map(|node| self.id(node)),
            positional_count: 0,
            keyword_count: 0,
            has_star: false,
            has_double_star: false,
        }
    }

    fn argument(
        &mut self,
        slot: usize,
        call_node: Ordinal,
        position: i32,
        argument: ArgOrKeyword<'a>,
        call: &'a ExprCall,
    ) {
        let (node, argument_kind, keyword) = match argument {
            ArgOrKeyword::Arg(expr @ Expr::Generator(generator)) if !generator.parenthesized => (
                self.comprehension(expr, call.arguments.range(), Field::Args),
                "positional",
                None,
            ),
            ArgOrKeyword::Arg(expr @ Expr::Starred(_)) => {
                (self.expression(expr, Field::Args), "star", None)
            }
            ArgOrKeyword::Arg(expr) => (self.expression(expr, Field::Args), "positional", None),
            ArgOrKeyword::Keyword(keyword) => match &keyword.arg {
                Some(name) => (self.keyword(keyword), "keyword", Some(name.as_str())),
                None => (self.keyword(keyword), "double_star", None),
            },
        };
        let row = &mut self.rows.calls[slot];
        match argument_kind {
            "positional" => row.positional_count += 1,
            "keyword" => row.keyword_count += 1,
            "star" => row.has_star = true,
            _ => row.has_double_star = true,
        }
        let row = ArgumentRow {
            call_id: self.id(call_node),
            position,
            node_id: self.id(node),
            argument_kind,
            keyword,
        };
        self.rows.arguments.push(row);
    }

    /// A keyword argument; returns the node of its value.
    pub(super) fn keyword(&mut self, keyword: &'a Keyword) -> Ordinal {
        let node = self.rows.tree.open(NodeKind::Block, keyword.range());
        node.ast(AstKind::Keyword).field(Field::Keywords).name = keyword
            .arg
            .as_ref()
            .map(ruff_python_ast::Identifier::as_str);
        let value = self.expression(&keyword.value, Field::Value);
        self.rows.tree.close();
        value
    }
}

/// Whether an expression is a name, or names joined by dots.
fn has_only_dots(mut expr: &Expr) -> bool {
    while let Expr::Attribute(attribute) = expr {
        expr = &attribute.value;
    }
    expr.is_name_expr()
}
