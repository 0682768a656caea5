//! Whether the names and texts of constraints are admissible. What the expressions mean, the writer finds out.

use std::collections::{BTreeMap, BTreeSet};

use crate::Error;

/// A longer expression is a query, and belongs into a view.
const EXPRESSION_BYTES_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 128;

/// What is wrong with constraints.
pub(crate) fn check(constraints: &BTreeMap<String, String>) -> Vec<Error> {
    let mut folded = BTreeSet::new();
    let mut errors = Vec::new();
    for (name, expression) in constraints {
        let is_repeated = !folded.insert(name.to_ascii_lowercase());
        let reasons = [
            check_name(name),
            is_repeated.then_some("another constraint has that name, but for the case of letters"),
            check_expression(expression),
        ];
        errors.extend(
            reasons
                .into_iter()
                .flatten()
                .map(|reason| Error::ConstraintInvalid {
                    name: name.clone(),
                    reason,
                }),
        );
    }
    errors
}

/// Table properties are named after constraints, so a name is one part of a key.
fn check_name(name: &str) -> Option<&'static str> {
    let mut chars = name.chars();
    let begins_well = chars
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let goes_on_well = chars.all(|char| char.is_ascii_alphanumeric() || char == '_');
    if !(begins_well && goes_on_well) {
        Some("its name holds something else than letters, digits and `_`, or begins with a digit")
    } else if name.len() > NAME_BYTES_MAX {
        Some("its name is longer than 128 characters")
    } else {
        None
    }
}

fn check_expression(expression: &str) -> Option<&'static str> {
    if expression.trim().is_empty() {
        Some("its expression is empty")
    } else if expression.len() > EXPRESSION_BYTES_MAX {
        Some("its expression is longer than 4096 bytes")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
