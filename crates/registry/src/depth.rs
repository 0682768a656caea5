//! How deep a tree a text of SQL may become.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// Operators in a text of SQL: each may be a level of its tree, and the engine walks trees by recursion. Where a text has too
/// many for the stack, the process ends, so they are counted before anything is parsed.
///
/// What the parser itself nests, as calls and parentheses, it limits itself. Of a text that has no tokens there are none: the
/// parser says what is wrong with it.
///
/// ```
/// use ossature_registry::count_operators;
/// assert_eq!(count_operators("a + b = 3 AND f(c, 'x + y') IS NULL"), 4);
/// ```
pub fn count_operators(sql: &str) -> usize {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let tokens = tokens.unwrap_or_default().into_iter();
    tokens.filter(is_operator).count()
}

/// Whether a token joins or wraps expressions: everything but values, names and separators.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::IN
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::JOIN
        ),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::SemiColon
        | Token::EOF => false,
        _ => true,
    }
}
