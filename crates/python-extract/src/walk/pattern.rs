//! Patterns of `match` statements.

use ruff_python_ast::Pattern;
use ruff_text_size::Ranged;

use super::Walk;
use crate::tree::{AstKind, Field};

impl<'a> Walk<'a> {
    /// A pattern, in a field of its parent.
    pub(super) fn pattern(&mut self, pattern: &'a Pattern, field: Field) {
        let (kind, name) = match pattern {
            Pattern::MatchValue(_) => (AstKind::MatchValue, "<operator>.matchValue"),
            Pattern::MatchSingleton(_) => (AstKind::MatchSingleton, "<operator>.matchSingleton"),
            Pattern::MatchSequence(_) => (AstKind::MatchSequence, "<operator>.matchSequence"),
            Pattern::MatchMapping(_) => (AstKind::MatchMapping, "<operator>.matchMapping"),
            Pattern::MatchClass(_) => (AstKind::MatchClass, "<operator>.matchClass"),
            Pattern::MatchStar(_) => (AstKind::MatchStar, "<operator>.matchStar"),
            Pattern::MatchAs(_) => (AstKind::MatchAs, "<operator>.matchAs"),
            Pattern::MatchOr(_) => (AstKind::MatchOr, "<operator>.matchOr"),
        };
        self.operator(pattern.range(), kind, name, field);
        self.pattern_parts(pattern);
        self.rows.tree.close();
    }

    fn pattern_parts(&mut self, pattern: &'a Pattern) {
        match pattern {
            Pattern::MatchValue(pattern) => {
                self.expression(&pattern.value, Field::Value);
            }
            Pattern::MatchSingleton(_) => {}
            Pattern::MatchSequence(pattern) => self.patterns(&pattern.patterns),
            Pattern::MatchOr(pattern) => self.patterns(&pattern.patterns),
            Pattern::MatchMapping(pattern) => {
                for (key, value) in pattern.keys.iter().zip(&pattern.patterns) {
                    self.expression(key, Field::Keys);
                    self.pattern(value, Field::Patterns);
                }
                if let Some(rest) = &pattern.rest {
                    self.bound_identifier(rest, Field::Rest);
                }
            }
            Pattern::MatchClass(pattern) => {
                self.expression(&pattern.cls, Field::Cls);
                self.patterns(&pattern.arguments.patterns);
                for keyword in &pattern.arguments.keywords {
                    self.field_identifier(&keyword.attr, Field::KwdAttrs);
                    self.pattern(&keyword.pattern, Field::KwdPatterns);
                }
            }
            Pattern::MatchStar(pattern) => {
                if let Some(name) = &pattern.name {
                    self.bound_identifier(name, Field::Name);
                }
            }
            Pattern::MatchAs(pattern) => {
                if let Some(inner) = &pattern.pattern {
                    self.pattern(inner, Field::Pattern);
                }
                if let Some(name) = &pattern.name {
                    self.bound_identifier(name, Field::Name);
                }
            }
        }
    }

    fn patterns(&mut self, patterns: &'a [Pattern]) {
        for pattern in patterns {
            self.pattern(pattern, Field::Patterns);
        }
    }
}
