//! The symbol table of one file: which scopes there are, which names each knows, and what each name means.
//!
//! This is CPython 3.11's `symtable` in two passes: [`collect`](collect()) notes how every scope uses every name,
//! and [`resolve`](resolve()) decides from that what is local, free, a cell or global.

mod collect;
mod mangle;
mod resolve;

pub(crate) use collect::collect;
pub(crate) use resolve::resolve;

use std::borrow::Cow;
use std::collections::HashMap;

use ossature_schema_spec::ORDINAL_MAX;
use ruff_python_ast::AtomicNodeIndex;
use ruff_text_size::TextRange;

use crate::Reason;
use crate::tree::labels;

/// Index into [`SymbolTable::scopes`].
pub(crate) type ScopeIndex = u32;
/// Index into [`SymbolTable::symbols`].
pub(crate) type SymbolIndex = u32;
/// Index into [`Names`].
pub(crate) type NameIndex = u32;

labels! {
    /// What opens a scope.
    pub(crate) enum ScopeKind {
        Module = "module",
        Class = "class",
        Function = "function",
        Lambda = "lambda",
        Comprehension = "comprehension",
        /// The type parameters of a generic class, function or alias (PEP 695).
        TypeParameters = "type_parameters",
        /// Annotations that are never evaluated, under `from __future__ import annotations`: names in them bind
        /// nothing and are no use of a name, so CPython's table does not show the scope, and neither does ours.
        Annotation = "annotation",
    }
}

impl ScopeKind {
    /// Whether inner scopes close over its names.
    pub(crate) fn is_function_like(self) -> bool {
        matches!(
            self,
            Self::Function | Self::Lambda | Self::Comprehension | Self::TypeParameters
        )
    }
}

/// How a scope uses a name: a set of the constants below, CPython's `DEF_*` flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage(u16);

impl Usage {
    pub(crate) const GLOBAL: Self = Self(1);
    pub(crate) const LOCAL: Self = Self(1 << 1);
    pub(crate) const PARAMETER: Self = Self(1 << 2);
    pub(crate) const NONLOCAL: Self = Self(1 << 3);
    pub(crate) const USE: Self = Self(1 << 4);
    pub(crate) const IMPORT: Self = Self(1 << 7);
    pub(crate) const ANNOTATED: Self = Self(1 << 8);
    /// Any of the ways in which a name is bound.
    pub(crate) const BOUND: Self = Self(Self::LOCAL.0 | Self::PARAMETER.0 | Self::IMPORT.0);

    /// Both.
    #[must_use]
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether they have something in common.
    pub(crate) const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What a name means in a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Local,
    /// Local, and an inner function uses it.
    Cell,
    /// A local of an enclosing function.
    Free,
    GlobalExplicit,
    GlobalImplicit,
}

/// One name in one scope.
#[derive(Debug)]
pub(crate) struct Symbol {
    pub scope: ScopeIndex,
    pub name: NameIndex,
    pub usage: Usage,
    pub meaning: Meaning,
    /// The symbol in an outer scope that it means; `None` for locals and for names that the file does not bind.
    pub target: Option<SymbolIndex>,
    /// Where the name first occurs; where it is first bound, if it is.
    pub range: TextRange,
}

/// One scope.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub kind: ScopeKind,
    /// As `symtable` names it: `top`, `lambda`, `listcomp`, or the name of the class or function.
    pub name: &'a str,
    pub parent: Option<ScopeIndex>,
    /// How many scopes enclose it.
    pub depth: u32,
    pub symbols: Vec<SymbolIndex>,
    /// Whether a function is among the enclosing scopes.
    pub is_nested: bool,
    pub is_generator: bool,
}

/// The scopes of a file in the order in which they open, and their symbols.
#[derive(Debug, Default)]
pub(crate) struct SymbolTable<'a> {
    pub scopes: Vec<Scope<'a>>,
    pub symbols: Vec<Symbol>,
    pub names: Names<'a>,
    index: HashMap<(ScopeIndex, NameIndex), SymbolIndex>,
}

/// How many scopes may nest. A free name has a symbol in every scope between its use and its binding, and a qualified
/// name repeats all of its scopes, so the cost of a file is its length times this.
const DEPTH_MAX: u32 = 200;

impl<'a> SymbolTable<'a> {
    /// Refuses scopes that nest too deeply.
    fn check_depth(&self) -> Result<(), Reason> {
        let is_too_deep = self.scopes.iter().any(|scope| scope.depth > DEPTH_MAX);
        if is_too_deep {
            Err(Reason::TooDeep)
        } else {
            Ok(())
        }
    }

    /// Refuses more symbols than a file has ids.
    fn check_count(&self) -> Result<(), Reason> {
        if self.symbols.len() > ORDINAL_MAX as usize {
            Err(Reason::TooManyNodes)
        } else {
            Ok(())
        }
    }

    /// The symbol of a name in exactly that scope.
    pub(crate) fn find(&self, scope: ScopeIndex, name: NameIndex) -> Option<SymbolIndex> {
        self.index.get(&(scope, name)).copied()
    }

    /// The scope at an index.
    pub(crate) fn scope(&self, scope: ScopeIndex) -> &Scope<'a> {
        &self.scopes[scope as usize]
    }

    /// The symbol at an index.
    pub(crate) fn symbol(&self, symbol: SymbolIndex) -> &Symbol {
        &self.symbols[symbol as usize]
    }

    /// The name of a symbol, mangled where the language mangles it.
    pub(crate) fn name(&self, symbol: SymbolIndex) -> &str {
        self.names.text(self.symbol(symbol).name)
    }

    /// The symbol that a symbol finally means: itself, or the one in an outer scope.
    pub(crate) fn target(&self, symbol: SymbolIndex) -> Option<SymbolIndex> {
        let found = self.symbol(symbol);
        match found.meaning {
            Meaning::Local | Meaning::Cell => Some(symbol),
            _ => found.target,
        }
    }

    /// Adds a symbol, or adds to the usage of the one that is there.
    fn touch(
        &mut self,
        scope: ScopeIndex,
        name: NameIndex,
        usage: Usage,
        range: TextRange,
    ) -> SymbolIndex {
        let next = index(self.symbols.len());
        let symbol = *self.index.entry((scope, name)).or_insert(next);
        if symbol == next {
            let meaning = Meaning::GlobalImplicit;
            self.symbols.push(Symbol {
                scope,
                name,
                usage,
                meaning,
                target: None,
                range,
            });
            self.scopes[scope as usize].symbols.push(symbol);
        } else {
            let found = &mut self.symbols[symbol as usize];
            if usage.any(Usage::BOUND) && !found.usage.any(Usage::BOUND) {
                found.range = range;
            }
            found.usage = found.usage.with(usage);
        }
        symbol
    }
}

/// Every name of a file, once.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    texts: Vec<Cow<'a, str>>,
    index: HashMap<Cow<'a, str>, NameIndex>,
}

impl<'a> Names<'a> {
    /// The index of a name, which is added if it is new.
    pub(crate) fn intern(&mut self, name: Cow<'a, str>) -> NameIndex {
        if let Some(found) = self.index.get(name.as_ref()) {
            return *found;
        }
        let next = index(self.texts.len());
        self.texts.push(name.clone());
        self.index.insert(name, next);
        next
    }

    /// The index of a name that is there.
    pub(crate) fn find(&self, name: &str) -> Option<NameIndex> {
        self.index.get(name).copied()
    }

    /// The name at an index.
    pub(crate) fn text(&self, name: NameIndex) -> &str {
        &self.texts[name as usize]
    }
}

/// A length as an index. The parser refuses sources above 4 GiB, so no list of their parts is longer.
fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What [`collect`](collect()) noted on a syntax node: the scope that it opens, or the symbol that it names.
pub(crate) fn noted(node: &AtomicNodeIndex) -> Option<u32> {
    node.load().as_u32()
}
