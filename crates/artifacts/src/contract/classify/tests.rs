//! Every keyword, one change at a time.

mod choices;
mod fields;
mod references;
mod values;

use expect_test::{Expect, expect};
use serde_json::Value;

use super::classify;
use crate::CONTRACTS;

fn render(old: &Value, new: &Value) -> String {
    let changes = classify(old, new);
    let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Compares two schemas, given as JSON text.
#[track_caller]
fn check(old: &str, new: &str, want: &Expect) {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    want.assert_eq(&render(&read(old), &read(new)));
}

/// Compares two objects with fields that are all there is, given as the JSON text of `properties` and `required`.
#[track_caller]
fn check_fields(old: (&str, &str), new: (&str, &str), want: &Expect) {
    let object = |(properties, required): (&str, &str)| {
        format!(
            r#"{{"type": "object", "additionalProperties": false, "properties": {properties}, "required": {required}}}"#
        )
    };
    check(&object(old), &object(new), want);
}

#[test]
fn a_contract_differs_in_nothing_from_itself() {
    for contract in CONTRACTS {
        let schema = contract.schema();
        assert_eq!(render(&schema, &schema), "", "{}", contract.kind);
    }
}

#[test]
fn two_contracts_differ() {
    for pair in CONTRACTS.windows(2) {
        assert_ne!(render(&pair[0].schema(), &pair[1].schema()), "");
    }
}

#[test]
fn what_is_said_beside_the_rules_is_no_change() {
    check(
        r#"{"title": "a", "description": "b", "examples": [1], "$id": "urn:a", "$comment": "c", "x-domain": "run"}"#,
        r#"{"title": "d", "x-strictness": "strict", "deprecated": true, "$id": "urn:b", "readOnly": true}"#,
        &expect![""],
    );
    check_fields(
        (r#"{"a": {"description": "b", "x-unit": "rows"}}"#, "[]"),
        (r#"{"a": {"title": "c", "x-maturity": "stable"}}"#, "[]"),
        &expect![""],
    );
}

#[test]
fn what_is_not_understood_is_breaking() {
    check(
        "{}",
        r#"{"not": {"type": "null"}}"#,
        &expect![
            "the schema: `not` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
    check(
        r#"{"allOf": [{"type": "null"}]}"#,
        "{}",
        &expect![
            "the schema: `allOf` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
    check(
        r#"{"not": {"type": "null"}, "title": "a"}"#,
        r#"{"not": {"type": "null"}}"#,
        &expect![""],
    );
    // The keyword is as it was, and what it says depends on what stands beside it.
    check(
        r#"{"unevaluatedProperties": false, "properties": {"a": {}}}"#,
        r#"{"unevaluatedProperties": false, "properties": {"b": {}}}"#,
        &expect![[r#"
            the schema: `unevaluatedProperties` is not understood, so nothing is sure (backward breaking, forward breaking)
            /properties/a: the field is accepted as any that is not named (backward compatible, forward compatible)
            /properties/b: a field that was not named (backward compatible, forward compatible)"#]],
    );
    // The keyword is as it was, and what it refers to is not.
    let not = |name: &str| {
        format!(r##"{{"not": {{"$ref": "#/$defs/A"}}, "$defs": {{"A": {{"type": "{name}"}}}}}}"##)
    };
    check(&not("null"), &not("null"), &expect![""]);
    check(
        &not("null"),
        &not("string"),
        &expect![
            "the schema: `not` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
    check(
        "{}",
        r#"{"properties": 5}"#,
        &expect![
            "the schema: `properties` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
    check(
        r#"{"minimum": "a"}"#,
        r#"{"minimum": "b"}"#,
        &expect![[r#"
        the schema: `minimum` is another, beside a bound that is no integer (backward breaking, forward breaking)
        the schema: `minimum` is not understood, so nothing is sure (backward breaking, forward breaking)"#]],
    );
    check(
        "5",
        "{}",
        &expect![
            "the schema: `5` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
    check(
        r#"{"properties": {"a": {"$id": "urn:a"}}}"#,
        r#"{"properties": {"a": {"$id": "urn:b"}}}"#,
        &expect![
            "/properties/a: `$id` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
    check(
        r#"{"$schema": "a"}"#,
        r#"{"$schema": "b"}"#,
        &expect![
            "the schema: keywords mean what another version of JSON Schema says (backward breaking, forward breaking)"
        ],
    );
}
