//! What an object or a list is made of.

use expect_test::expect;
use serde_json::{Value, json};

use super::{check, check_fields, render};

#[test]
fn a_field_comes() {
    check_fields(
        ("{}", "[]"),
        (r#"{"a": {"type": "string"}}"#, "[]"),
        &expect![
            "/properties/a: a new field that may be absent (backward compatible, forward breaking)"
        ],
    );
    check_fields(
        ("{}", "[]"),
        (r#"{"a": {"type": "string"}}"#, r#"["a"]"#),
        &expect![
            "/properties/a: a new field that has to be there (backward breaking, forward breaking)"
        ],
    );
    check_fields(
        ("{}", "[]"),
        (r#"{"a": false}"#, "[]"),
        &expect![
            "/properties/a: a new field that may be absent (backward compatible, forward compatible)"
        ],
    );
}

#[test]
fn a_field_goes() {
    check_fields(
        (r#"{"a": {"type": "string"}}"#, "[]"),
        ("{}", "[]"),
        &expect![
            "/properties/a: the field is no longer accepted (backward breaking, forward compatible)"
        ],
    );
    check_fields(
        (r#"{"a": {"type": "string"}}"#, r#"["a"]"#),
        ("{}", "[]"),
        &expect![
            "/properties/a: the field is no longer accepted (backward breaking, forward breaking)"
        ],
    );
}

#[test]
fn a_field_is_renamed() {
    check_fields(
        (r#"{"a/b": {"type": "string"}}"#, r#"["a/b"]"#),
        (r#"{"a~b": {"type": "string"}}"#, r#"["a~b"]"#),
        &expect![[r#"
            /properties/a~0b: a new field that has to be there (backward breaking, forward breaking)
            /properties/a~1b: the field is no longer accepted (backward breaking, forward breaking)"#]],
    );
}

#[test]
fn a_field_becomes_optional_or_required() {
    let field = r#"{"a": {"type": "string"}}"#;
    check_fields(
        (field, r#"["a"]"#),
        (field, "[]"),
        &expect!["/properties/a: the field may be absent (backward compatible, forward breaking)"],
    );
    check_fields(
        (field, "[]"),
        (field, r#"["a"]"#),
        &expect![
            "/properties/a: the field may no longer be absent (backward breaking, forward compatible)"
        ],
    );
    check_fields(
        ("{}", "[]"),
        ("{}", r#"["a"]"#),
        &expect![
            "/properties/a: the field may no longer be absent (backward breaking, forward compatible)"
        ],
    );
}

#[test]
fn an_absent_field_is_read_otherwise() {
    let field = |default: &str| format!(r#"{{"a": {{"type": "integer"{default}}}}}"#);
    let (zero, one, none) = (
        field(r#", "default": 0"#),
        field(r#", "default": 1"#),
        field(""),
    );
    check_fields(
        (&zero, "[]"),
        (&one, "[]"),
        &expect![
            "/properties/a: where the field is absent it is read as 1, before as 0 (backward breaking, forward breaking)"
        ],
    );
    check_fields(
        (&none, "[]"),
        (&one, "[]"),
        &expect![
            "/properties/a: where the field is absent it is read as 1, before as absent (backward breaking, forward breaking)"
        ],
    );
    // No document of before lacks it.
    check_fields(
        (&none, r#"["a"]"#),
        (&one, "[]"),
        &expect!["/properties/a: the field may be absent (backward compatible, forward breaking)"],
    );
}

#[test]
fn a_field_is_relied_on_more_or_less() {
    let field = |maturity: &str| format!(r#"{{"a": {{"x-maturity": "{maturity}"}}}}"#);
    let words = ["stable", "experimental", "deprecated"];
    let mut lines = String::new();
    for old in words {
        for new in words {
            let object =
                |word| json!({"properties": serde_json::from_str::<Value>(&field(word)).unwrap()});
            lines += &render(&object(old), &object(new));
            lines += "\n";
        }
    }
    expect![[r#"

        /properties/a: the field is experimental, before stable (backward breaking, forward breaking)
        /properties/a: the field is deprecated, before stable (backward compatible, forward compatible)
        /properties/a: the field is stable, before experimental (backward compatible, forward compatible)

        /properties/a: the field is deprecated, before experimental (backward compatible, forward compatible)
        /properties/a: the field is stable, before deprecated (backward compatible, forward compatible)
        /properties/a: the field is experimental, before deprecated (backward breaking, forward breaking)

    "#]].assert_eq(&lines);
    check_fields(
        (r#"{"a": {}}"#, "[]"),
        (&field("experimental"), "[]"),
        &expect![
            "/properties/a: the field is experimental, before stable (backward breaking, forward breaking)"
        ],
    );
    check_fields(
        (r#"{"a": {}}"#, "[]"),
        (&field("solid"), "[]"),
        &expect![
            "/properties/a: `x-maturity` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
}

#[test]
fn other_fields_are_accepted_or_refused() {
    let open = r#"{"type": "object", "properties": {"a": {"type": "null"}}}"#;
    let closed = r#"{"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false}"#;
    check(
        open,
        closed,
        &expect![
            "the schema: fields that are not named are no longer accepted (backward breaking, forward compatible)"
        ],
    );
    check(
        closed,
        open,
        &expect![
            "the schema: fields that are not named are accepted (backward compatible, forward breaking)"
        ],
    );
    check(
        r#"{"type": "object"}"#,
        open,
        &expect![
            "/properties/a: a field that was not named (backward breaking, forward compatible)"
        ],
    );
    check(
        open,
        r#"{"type": "object"}"#,
        &expect![
            "/properties/a: the field is accepted as any that is not named (backward compatible, forward breaking)"
        ],
    );
}

#[test]
fn the_values_of_a_map_change() {
    let map = |name: &str| {
        format!(r#"{{"type": "object", "additionalProperties": {{"type": "{name}"}}}}"#)
    };
    check(
        &map("integer"),
        &map("number"),
        &expect![
            "/additionalProperties: `fraction` is accepted as well (backward compatible, forward breaking)"
        ],
    );
    check(
        &map("number"),
        &map("integer"),
        &expect![
            "/additionalProperties: `fraction` is no longer accepted (backward breaking, forward compatible)"
        ],
    );
    check(
        &map("string"),
        r#"{"type": "object", "additionalProperties": {"type": "string"}, "properties": {"a": {"type": "string"}}}"#,
        &expect![
            "/properties/a: a field that was not named (backward compatible, forward compatible)"
        ],
    );
    check(
        &map("string"),
        r#"{"type": "object", "additionalProperties": {"type": "string"}, "properties": {"a": {"type": "null"}}}"#,
        &expect!["/properties/a: a field that was not named (backward breaking, forward breaking)"],
    );
}

#[test]
fn a_list_changes() {
    let of = |words: &str| format!(r#"{{"type": "array", {words}}}"#);
    check(
        &of(r#""items": {"type": "integer"}"#),
        &of(r#""items": {"type": "string"}"#),
        &expect!["/items: `string` instead of `integer` (backward breaking, forward breaking)"],
    );
    check(
        r#"{"type": "array"}"#,
        &of(r#""items": {"type": "string"}"#),
        &expect![
            "/items: `array`, `boolean`, `fraction`, `integer`, `null`, `object` is no longer accepted (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""items": false"#),
        &of(r#""items": {"type": "string"}"#),
        &expect![
            "/items: values are accepted where none was (backward compatible, forward breaking)"
        ],
    );
    check(
        r#"{"type": "array"}"#,
        &of(r#""uniqueItems": true"#),
        &expect![
            "the schema: a list may no longer hold a value twice (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""uniqueItems": true"#),
        &of(r#""uniqueItems": false"#),
        &expect![
            "the schema: a list may hold a value twice (backward compatible, forward breaking)"
        ],
    );
    check(
        &of(r#""minItems": 1"#),
        &of(r#""minItems": 2"#),
        &expect!["the schema: `minItems` is 2, before 1 (backward breaking, forward compatible)"],
    );
}
