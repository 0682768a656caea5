//! The second pass: decides what every name means, from the scopes outside inwards and then back.

use ruff_text_size::TextRange;

use crate::Reason;

use super::{Meaning, NameIndex, ScopeIndex, ScopeKind, SymbolIndex, SymbolTable, Usage};

/// The module's scope.
const MODULE: ScopeIndex = 0;

/// Decides the meaning of every symbol and adds the symbols that carry free names through the scopes between.
///
/// **Errors**: [`Reason::TooDeep`], [`Reason::TooManyNodes`].
pub(crate) fn resolve(table: &mut SymbolTable<'_>) -> Result<(), Reason> {
    table.check_depth()?;
    let class_cell = table.names.find("__class__");
    for symbol in 0..super::index(table.symbols.len()) {
        let (meaning, target) = meaning_of(table, symbol, class_cell);
        let found = &mut table.symbols[symbol as usize];
        found.meaning = meaning;
        found.target = target;
    }
    carry_free_names(table, class_cell)
}

fn meaning_of(
    table: &SymbolTable<'_>,
    symbol: SymbolIndex,
    class_cell: Option<NameIndex>,
) -> (Meaning, Option<SymbolIndex>) {
    let (scope, name) = (table.symbol(symbol).scope, table.symbol(symbol).name);
    let usage = table.symbol(symbol).usage;
    if usage.any(Usage::GLOBAL) {
        let target = if scope == MODULE {
            Some(symbol)
        } else {
            global(table, name)
        };
        return (Meaning::GlobalExplicit, target);
    }
    if !usage.any(Usage::NONLOCAL) && usage.any(Usage::BOUND) {
        return (Meaning::Local, None);
    }
    match enclosing(table, scope, name, class_cell) {
        Enclosing::Symbol(target) => (Meaning::Free, Some(target)),
        Enclosing::ClassCell => (Meaning::Free, None),
        Enclosing::None if usage.any(Usage::NONLOCAL) => (Meaning::Free, None),
        Enclosing::None => (
            Meaning::GlobalImplicit,
            class_member(table, scope, name).or_else(|| global(table, name)),
        ),
    }
}

/// What encloses a name that its own scope does not bind.
enum Enclosing {
    /// A local of an enclosing function.
    Symbol(SymbolIndex),
    /// The `__class__` that every class offers to its methods.
    ClassCell,
    /// No function: the name is global.
    None,
}

fn enclosing(
    table: &SymbolTable<'_>,
    scope: ScopeIndex,
    name: NameIndex,
    class_cell: Option<NameIndex>,
) -> Enclosing {
    let mut at = table.scope(scope).parent;
    while let Some(outer) = at {
        let kind = table.scope(outer).kind;
        if kind == ScopeKind::Class && class_cell == Some(name) {
            return Enclosing::ClassCell;
        }
        if kind.is_function_like()
            && let Some(symbol) = table.find(outer, name)
        {
            let usage = table.symbol(symbol).usage;
            if usage.any(Usage::GLOBAL) {
                return Enclosing::None;
            }
            if usage.any(Usage::BOUND) && !usage.any(Usage::NONLOCAL) {
                return Enclosing::Symbol(symbol);
            }
        }
        at = table.scope(outer).parent;
    }
    Enclosing::None
}

/// The module's symbol of that name, if the file binds it.
fn global(table: &SymbolTable<'_>, name: NameIndex) -> Option<SymbolIndex> {
    let symbol = table.find(MODULE, name)?;
    table
        .symbol(symbol)
        .usage
        .any(Usage::BOUND.with(Usage::GLOBAL))
        .then_some(symbol)
}

/// The class attribute of that name that type parameters and annotations of a class see, and nothing else does.
fn class_member(
    table: &SymbolTable<'_>,
    scope: ScopeIndex,
    name: NameIndex,
) -> Option<SymbolIndex> {
    let inner = table.scope(scope);
    if !matches!(
        inner.kind,
        ScopeKind::TypeParameters | ScopeKind::Annotation
    ) {
        return None;
    }
    let outer = inner.parent?;
    if table.scope(outer).kind != ScopeKind::Class {
        return None;
    }
    let symbol = table.find(outer, name)?;
    table
        .symbol(symbol)
        .usage
        .any(Usage::BOUND)
        .then_some(symbol)
}

/// Marks the locals that inner functions use as cells, and gives every scope between a free symbol.
///
/// Inner scopes have larger indices than outer ones, so one walk from the last scope to the first sees children before
/// their parents.
fn carry_free_names(
    table: &mut SymbolTable<'_>,
    class_cell: Option<NameIndex>,
) -> Result<(), Reason> {
    let mut needed: Vec<Vec<NameIndex>> = vec![Vec::new(); table.scopes.len()];
    for scope in (0..super::index(table.scopes.len())).rev() {
        let kind = table.scope(scope).kind;
        let mut from_children = std::mem::take(&mut needed[scope as usize]);
        from_children.sort_unstable();
        from_children.dedup();
        from_children.retain(|name| !satisfies(table, scope, *name, class_cell));
        let own = table.scope(scope).symbols.clone();
        for name in &from_children {
            if table.find(scope, *name).is_none() {
                add_free(table, scope, *name, class_cell);
            }
        }
        table.check_count()?;
        if kind == ScopeKind::Annotation {
            continue;
        }
        let Some(parent) = table.scope(scope).parent else {
            continue;
        };
        let upward = &mut needed[parent as usize];
        upward.append(&mut from_children);
        for symbol in own {
            let symbol = &table.symbols[symbol as usize];
            if symbol.meaning == Meaning::Free {
                upward.push(symbol.name);
            }
        }
    }
    Ok(())
}

/// Whether the scope itself provides a name that a child needs; a local that does becomes a cell.
fn satisfies(
    table: &mut SymbolTable<'_>,
    scope: ScopeIndex,
    name: NameIndex,
    class_cell: Option<NameIndex>,
) -> bool {
    let kind = table.scope(scope).kind;
    if kind == ScopeKind::Class {
        return class_cell == Some(name);
    }
    if !kind.is_function_like() {
        return false;
    }
    let Some(symbol) = table.find(scope, name) else {
        return false;
    };
    let symbol = &mut table.symbols[symbol as usize];
    if symbol.meaning == Meaning::Local {
        symbol.meaning = Meaning::Cell;
    }
    symbol.meaning == Meaning::Cell
}

fn add_free(
    table: &mut SymbolTable<'_>,
    scope: ScopeIndex,
    name: NameIndex,
    class_cell: Option<NameIndex>,
) {
    let target = match enclosing(table, scope, name, class_cell) {
        Enclosing::Symbol(target) => Some(target),
        Enclosing::ClassCell => None,
        Enclosing::None => return,
    };
    let symbol = table.touch(scope, name, Usage::default(), TextRange::default());
    let added = &mut table.symbols[symbol as usize];
    added.meaning = Meaning::Free;
    added.target = target;
}
