//! What a module offers: the names that it binds, and its `__all__`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ruff_python_ast::{Expr, Operator};

use super::{Walk, count};
use crate::datasets::ExportRow;
use crate::symbols::Usage;

/// The names in `__all__`, as far as they can be read without running the module.
#[derive(Debug, Default)]
pub(super) struct AllList<'a> {
    /// `None` until a list is seen.
    names: Option<Vec<&'a str>>,
}

impl<'a> AllList<'a> {
    fn assign(&mut self, value: Option<&'a Expr>) {
        if let Some(names) = value.and_then(listed_names) {
            self.names = Some(names);
        }
    }

    fn extend(&mut self, names: Vec<&'a str>) {
        self.names.get_or_insert_default().extend(names);
    }

    fn remove(&mut self, name: &str) {
        if let Some(names) = &mut self.names
            && let Some(at) = names.iter().position(|listed| *listed == name)
        {
            names.remove(at);
        }
    }
}

/// The strings of a list or tuple, or of a sum of them; what is computed is left out.
fn listed_names(expr: &Expr) -> Option<Vec<&str>> {
    match expr {
        Expr::List(list) => Some(list.elts.iter().filter_map(text).collect()),
        Expr::Tuple(tuple) => Some(tuple.elts.iter().filter_map(text).collect()),
        Expr::BinOp(sum) if sum.op == Operator::Add => {
            match (listed_names(&sum.left), listed_names(&sum.right)) {
                (Some(mut left), Some(right)) => {
                    left.extend(right);
                    Some(left)
                }
                (left, right) => left.or(right),
            }
        }
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    Some(expr.as_string_literal_expr()?.value.to_str())
}

fn is_all(expr: &Expr) -> bool {
    matches!(expr, Expr::Name(name) if name.id.as_str() == "__all__")
}

impl<'a> Walk<'a> {
    /// `__all__ = [...]` in the module's own scope.
    pub(super) fn note_all_assignment(&mut self, target: &'a Expr, value: Option<&'a Expr>) {
        if self.scope == 0 && is_all(target) {
            self.all.assign(value);
        }
    }

    /// `__all__ += [...]`.
    pub(super) fn note_all_extension(&mut self, target: &'a Expr, value: &'a Expr) {
        if self.scope == 0
            && is_all(target)
            && let Some(names) = listed_names(value)
        {
            self.all.extend(names);
        }
    }

    /// `__all__.append("x")`, `.extend([...])` and `.remove("x")`.
    pub(super) fn note_all_call(&mut self, expr: &'a Expr) {
        let Expr::Call(call) = expr else { return };
        let Expr::Attribute(method) = call.func.as_ref() else {
            return;
        };
        if self.scope != 0 || !is_all(&method.value) {
            return;
        }
        let Some(argument) = call.arguments.find_positional(0) else {
            return;
        };
        match (method.attr.as_str(), text(argument), listed_names(argument)) {
            ("append", Some(name), _) => self.all.extend(vec![name]),
            ("remove", Some(name), _) => self.all.remove(name),
            ("extend", _, Some(names)) => self.all.extend(names),
            _ => {}
        }
    }

    /// The rows of all names that the module binds or lists, by name.
    pub(super) fn collect_exports(&mut self) {
        let export_kind = if self.all.names.is_some() {
            "all"
        } else {
            "implicit"
        };
        let mut rows = BTreeMap::new();
        for symbol in &self.table.scope(0).symbols {
            if self
                .table
                .symbol(*symbol)
                .usage
                .any(Usage::BOUND.with(Usage::GLOBAL))
            {
                let name = self.table.name(*symbol);
                let mut row = self.export(name, export_kind);
                if let Some(binding) = &self.bindings[*symbol as usize] {
                    row.binding_id = Some(self.id(binding.node));
                    row.symbol_id = binding.symbol_id;
                    row.import_id = binding.import.map(|node| self.id(node));
                }
                rows.insert((name, 0), row);
            }
        }
        for (position, name) in self.all.names.iter().flatten().enumerate() {
            let row = rows
                .entry((*name, 0))
                .or_insert_with(|| self.export(name, export_kind));
            row.is_in_all = true;
            row.position.get_or_insert(count(position));
        }
        for (ordinal, node) in self.star_imports.iter().enumerate() {
            let mut row = self.export("*", export_kind);
            row.ordinal = count(ordinal);
            row.import_id = Some(self.id(*node));
            rows.insert(("*", row.ordinal), row);
        }
        self.rows.exports = rows.into_values().collect();
    }

    fn export(&self, name: &'a str, export_kind: &'static str) -> ExportRow<'a> {
        ExportRow {
            file_id: self.file.file_id,
            name: Cow::Borrowed(name),
            ordinal: 0,
            export_kind,
            is_in_all: false,
            binding_id: None,
            symbol_id: None,
            import_id: None,
            position: None,
        }
    }
}
