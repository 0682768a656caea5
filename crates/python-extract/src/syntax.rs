//! The door to the parser: the only place that starts it, after a look at how deep the source nests.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ModModule, PythonVersion as RuffVersion};
use ruff_python_parser::{Mode, ParseOptions, Parsed, lexer, parse_unchecked};

use crate::Reason;

/// How deep a source may nest: CPython's own parser stops at 6,000 levels.
///
/// The stack of a worker is made for it, see `run.rs`.
const DEPTH_MAX: u32 = 6_000;

/// How many blocks may nest: CPython's tokenizer stops at 100 levels of indentation.
const INDENTS_MAX: u32 = 100;

/// How many tokens a source may have; each is about one node.
const TOKENS_MAX: u32 = 1 << 22;

/// A version of Python 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonVersion {
    /// The number after `3.`.
    pub minor: u8,
}

impl PythonVersion {
    /// Python 3.11.
    pub const PY311: Self = Self { minor: 11 };
}

/// Parses a module. There is always a tree; what is wrong stands beside it.
///
/// **Errors**: [`Reason::TooDeep`], [`Reason::TooManyNodes`]; then the parser was not started.
pub(crate) fn parse(text: &str, version: PythonVersion) -> Result<Parsed<ModModule>, Reason> {
    measure(text)?;
    let version = RuffVersion {
        major: 3,
        minor: version.minor,
    };
    let options = ParseOptions::from(Mode::Module).with_target_version(version);
    parse_unchecked(text, options)
        .try_into_module()
        .ok_or(Reason::Internal)
}

/// Refuses what would overflow the stack of a recursive parser or the ids of a file.
fn measure(text: &str) -> Result<(), Reason> {
    let mut lexer = lexer::lex(text, Mode::Module);
    let mut nesting = Nesting::default();
    for _ in 0..TOKENS_MAX {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            token => nesting.take(token),
        }
        if nesting.depth > DEPTH_MAX || nesting.indents > INDENTS_MAX {
            return Err(Reason::TooDeep);
        }
    }
    Err(Reason::TooManyNodes)
}

/// An upper bound of the depth of the syntax tree, from tokens alone.
///
/// Brackets nest. So may every operator between two commas (`a.b.c`, `not not a`, `a + b + c`), so all
/// of those are counted, and forgotten at the comma or line end that closes their expression.
#[derive(Debug, Default)]
struct Nesting {
    depth: u32,
    indents: u32,
    outer: Vec<Level>,
    level: Level,
}

/// What is open between two brackets.
#[derive(Debug, Default)]
struct Level {
    operators: u32,
    /// Lambdas whose parameters are being read; their commas close no expression.
    lambdas: u32,
}

impl Nesting {
    fn take(&mut self, token: TokenKind) {
        match token {
            TokenKind::Lpar
            | TokenKind::Lsqb
            | TokenKind::Lbrace
            | TokenKind::FStringStart
            | TokenKind::TStringStart => {
                self.depth += 1;
                self.outer.push(std::mem::take(&mut self.level));
            }
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => {
                if let Some(outer) = self.outer.pop() {
                    self.depth -= self.level.operators + 1;
                    self.level = outer;
                }
                self.deepen();
            }
            TokenKind::Comma if self.level.lambdas > 0 => {}
            TokenKind::Comma | TokenKind::Semi | TokenKind::Newline => {
                self.depth -= self.level.operators;
                self.level = Level::default();
            }
            TokenKind::Colon => self.level.lambdas = self.level.lambdas.saturating_sub(1),
            TokenKind::Lambda => {
                self.level.lambdas += 1;
                self.deepen();
            }
            TokenKind::Indent => self.indents += 1,
            TokenKind::Dedent => self.indents = self.indents.saturating_sub(1),
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Ellipsis
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => {}
            _ => self.deepen(),
        }
    }

    fn deepen(&mut self) {
        self.depth += 1;
        self.level.operators += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::measure;
    use crate::Reason;

    /// So many blocks, each in the one before.
    fn staircase(levels: usize) -> String {
        let mut source = String::new();
        for level in 0..levels {
            source.push_str(&" ".repeat(level));
            source.push_str("if a:\n");
        }
        source
    }

    #[test]
    fn what_nests_is_refused_beyond_the_limit() {
        let deep = 7_000;
        for source in [
            "(".repeat(deep),
            format!("x = {}1", "not ".repeat(deep)),
            format!("x = {}1", "-".repeat(deep)),
            format!("x = {}1", "lambda a, b: ".repeat(deep)),
            format!("x = {}1", "a if b else ".repeat(deep)),
            format!("x = a{}", ".b".repeat(deep)),
            format!("x = a{}", "()".repeat(deep)),
            format!("x = a{}", "[0]".repeat(deep)),
            format!("x = a{}", " ** a".repeat(deep)),
            staircase(102),
        ] {
            assert_eq!(measure(&source), Err(Reason::TooDeep), "{source:.20}");
        }
    }

    #[test]
    fn what_is_only_long_is_not() {
        for source in [
            "x = a + b\n".repeat(7_000),
            format!("x = [{}]", "(a + b), ".repeat(7_000)),
            format!("x = [{}]", "lambda a, b: 0, ".repeat(7_000)),
            format!("x = {{{}}}", "'a': b.c, ".repeat(7_000)),
            format!("x = ({})", "'a' ".repeat(7_000)),
            staircase(100),
            "if a: pass\n".to_owned() + &"elif a: pass\n".repeat(7_000),
        ] {
            assert_eq!(measure(&source), Ok(()), "{source:.20}");
        }
    }
}
