//! Names and texts of constraints.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check_one(name: &str, expression: &str, want: &Expect) {
    let constraints = [(name.to_owned(), expression.to_owned())].into();
    let lines: Vec<String> = check(&constraints)
        .iter()
        .map(|error| format!("{}: {error}", error.code()))
        .collect();
    want.assert_eq(&lines.join("\n"));
}

#[test]
fn names_are_parts_of_keys() {
    check_one("_positive_1", "id > 0", &expect![""]);
    check_one(&"a".repeat(NAME_BYTES_MAX), "id > 0", &expect![""]);
    for name in ["", "1st", "a.b", "a b", "größe"] {
        let found = check(&[(name.to_owned(), "id > 0".to_owned())].into());
        assert_eq!(found.len(), 1, "{name}");
    }
    check_one(
        "a.b",
        "id > 0",
        &expect![
            "constraint_invalid: constraint `a.b` is refused: its name holds something else than letters, digits and `_`, or begins with a digit"
        ],
    );
    check_one(
        &"a".repeat(NAME_BYTES_MAX + 1),
        "id > 0",
        &expect![
            "constraint_invalid: constraint `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is refused: its name is longer than 128 characters"
        ],
    );
}

#[test]
fn expressions_are_there_and_short() {
    check_one(
        "positive",
        " \n",
        &expect!["constraint_invalid: constraint `positive` is refused: its expression is empty"],
    );
    let long = "x".repeat(EXPRESSION_BYTES_MAX);
    check_one("positive", &long, &expect![""]);
    check_one(
        "positive",
        &format!("{long}x"),
        &expect![
            "constraint_invalid: constraint `positive` is refused: its expression is longer than 4096 bytes"
        ],
    );
    check_one(
        "a b",
        "",
        &expect![[r#"
        constraint_invalid: constraint `a b` is refused: its name holds something else than letters, digits and `_`, or begins with a digit
        constraint_invalid: constraint `a b` is refused: its expression is empty"#]],
    );
}

#[test]
fn names_are_unique_without_case() {
    let constraints = ["Positive", "positive"].map(|name| (name.to_owned(), "id > 0".to_owned()));
    assert_eq!(check(&constraints.into()).len(), 1);
}
