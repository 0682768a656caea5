//! Every keyword, one change at a time.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

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
fn a_type_changes() {
    let of = |name: &str| format!(r#"{{"type": {name}}}"#);
    check(
        &of(r#""string""#),
        &of(r#""integer""#),
        &expect!["the schema: `integer` instead of `string` (backward breaking, forward breaking)"],
    );
    check(
        &of(r#""string""#),
        &of(r#"["string", "null"]"#),
        &expect!["the schema: `null` is accepted as well (backward compatible, forward breaking)"],
    );
    check(
        &of(r#"["string", "null"]"#),
        &of(r#""string""#),
        &expect![
            "the schema: `null` is no longer accepted (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#"["string", "null"]"#),
        &of(r#"["null", "string"]"#),
        &expect![""],
    );
    check(
        &of(r#""integer""#),
        &of(r#""number""#),
        &expect![
            "the schema: `fraction` is accepted as well (backward compatible, forward breaking)"
        ],
    );
    check(
        &of(r#""number""#),
        &of(r#""integer""#),
        &expect![
            "the schema: `fraction` is no longer accepted (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""string""#),
        "{}",
        &expect!["the schema: any type is accepted (backward compatible, forward breaking)"],
    );
    check(
        "true",
        &of(r#""string""#),
        &expect![
            "the schema: `array`, `boolean`, `fraction`, `integer`, `null`, `object` is no longer accepted (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""string""#),
        &of(r#""text""#),
        &expect![
            "the schema: `type` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
}

#[test]
fn a_list_of_values_changes() {
    let of = |values: &str| format!(r#"{{"enum": {values}}}"#);
    check(
        &of(r#"["a"]"#),
        &of(r#"["a", "b"]"#),
        &expect![[
            r#"the schema: "b" is accepted as well (backward compatible, forward breaking)"#
        ]],
    );
    check(
        &of(r#"["a", "b"]"#),
        &of(r#"["b"]"#),
        &expect![[
            r#"the schema: "a" is no longer accepted (backward breaking, forward compatible)"#
        ]],
    );
    check(&of(r#"["a"]"#), r#"{"const": "a"}"#, &expect![""]);
    check(
        r#"{"const": 1}"#,
        r#"{"const": 2}"#,
        &expect![[r#"
        the schema: 1 is no longer accepted (backward breaking, forward compatible)
        the schema: 2 is accepted as well (backward compatible, forward breaking)"#]],
    );
    check(
        &of(r#"["a"]"#),
        r#"{"type": "string"}"#,
        &expect![[
            r#"the schema: more than "a" is accepted (backward compatible, forward breaking)"#
        ]],
    );
    check(
        &of(r#"["a", 1]"#),
        r#"{"type": "string"}"#,
        &expect![[
            r#"the schema: more than "a", 1 is accepted (backward breaking, forward breaking)"#
        ]],
    );
    check(
        r#"{"type": "string"}"#,
        &of(r#"["a"]"#),
        &expect![[
            r#"the schema: nothing but "a" is accepted any more (backward breaking, forward compatible)"#
        ]],
    );
    check(
        r#"{"type": "string"}"#,
        &of("[1]"),
        &expect![
            "the schema: nothing but 1 is accepted any more (backward breaking, forward breaking)"
        ],
    );
    check(
        r#"{"enum": ["a", 1], "type": "string"}"#,
        r#"{"const": "a"}"#,
        &expect![""],
    );
}

#[test]
fn a_range_of_numbers_changes() {
    let of = |words: &str| format!(r#"{{"type": "integer", {words}}}"#);
    let format = |name: &str| of(&format!(r#""format": "{name}""#));
    check(
        &format("uint32"),
        &format("uint64"),
        &expect![
            "the schema: numbers from 0 to 18446744073709551615, before from 0 to 4294967295 (backward compatible, forward breaking)"
        ],
    );
    check(
        &format("int64"),
        &format("int32"),
        &expect![
            "the schema: numbers from -2147483648 to 2147483647, before from -9223372036854775808 to 9223372036854775807 (backward breaking, forward compatible)"
        ],
    );
    check(
        &format("uint32"),
        &format("int32"),
        &expect![
            "the schema: numbers from -2147483648 to 2147483647, before from 0 to 4294967295 (backward breaking, forward breaking)"
        ],
    );
    check(
        &of(r#""minimum": 0"#),
        &of(r#""minimum": 1"#),
        &expect![
            "the schema: numbers from 1, before from 0 (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""minimum": 1"#),
        &of(r#""minimum": 0"#),
        &expect![
            "the schema: numbers from 0, before from 1 (backward compatible, forward breaking)"
        ],
    );
    check(
        &of(r#""maximum": 9"#),
        r#"{"type": "integer"}"#,
        &expect![
            "the schema: numbers any on, before any on to 9 (backward compatible, forward breaking)"
        ],
    );
    check(
        &format("uint8"),
        &of(r#""minimum": 0, "maximum": 255"#),
        &expect![[""]],
    );
    check(
        &of(r#""minimum": 0"#),
        &of(r#""minimum": 0, "format": "uint64""#),
        &expect![
            "the schema: numbers from 0 to 18446744073709551615, before from 0 (backward breaking, forward compatible)"
        ],
    );
    check(
        r#"{"type": "number", "minimum": 0, "maximum": 9}"#,
        r#"{"type": "number", "format": "uint8"}"#,
        &expect![
            "the schema: numbers from 0 to 255, before from 0 to 9, fractions too (backward breaking, forward breaking)"
        ],
    );
    check(
        &of(r#""minimum": 0.5"#),
        &of(r#""minimum": 0.25"#),
        &expect![
            "the schema: `minimum` is another, beside a bound that is no integer (backward breaking, forward breaking)"
        ],
    );
    check(
        &of(r#""exclusiveMinimum": 1"#),
        &of(r#""exclusiveMinimum": 0"#),
        &expect![
            "the schema: `exclusiveMinimum` is 0, before 1 (backward compatible, forward breaking)"
        ],
    );
    check(
        &of(r#""exclusiveMaximum": 1"#),
        &of(r#""exclusiveMaximum": 0"#),
        &expect![
            "the schema: `exclusiveMaximum` is 0, before 1 (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""multipleOf": 2"#),
        &of(r#""multipleOf": 4"#),
        &expect!["the schema: `multipleOf` is 4, before 2 (backward breaking, forward breaking)"],
    );
}

#[test]
fn a_text_changes_its_form() {
    let of = |words: &str| format!(r#"{{"type": "string", {words}}}"#);
    let text = r#"{"type": "string"}"#;
    check(
        text,
        &of(r#""pattern": "^a$""#),
        &expect![[
            r#"the schema: `pattern` is "^a$", before none (backward breaking, forward compatible)"#
        ]],
    );
    check(
        &of(r#""pattern": "^a$""#),
        text,
        &expect![[
            r#"the schema: `pattern` is no more "^a$" (backward compatible, forward breaking)"#
        ]],
    );
    check(
        &of(r#""pattern": "^a$""#),
        &of(r#""pattern": "^b$""#),
        &expect![[
            r#"the schema: `pattern` is "^b$", before "^a$" (backward breaking, forward breaking)"#
        ]],
    );
    check(
        text,
        &of(r#""format": "date""#),
        &expect![
            "the schema: the format date, before none (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""format": "date""#),
        &of(r#""format": "time""#),
        &expect!["the schema: the format time, before date (backward breaking, forward breaking)"],
    );
    check(
        &of(r#""format": "date""#),
        text,
        &expect!["the schema: the format date no more (backward compatible, forward breaking)"],
    );
    check(
        text,
        &of(r#""maxLength": 9"#),
        &expect![
            "the schema: `maxLength` is 9, before none (backward breaking, forward compatible)"
        ],
    );
    check(
        &of(r#""minLength": 2"#),
        &of(r#""minLength": 1"#),
        &expect!["the schema: `minLength` is 1, before 2 (backward compatible, forward breaking)"],
    );
    // It is said of texts, and there are none.
    check(
        r#"{"type": "null"}"#,
        r#"{"type": "null", "pattern": "^a$"}"#,
        &expect![""],
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

#[test]
fn a_definition_is_renamed_moved_or_changed() {
    let of = |name: &str, inner: &str| {
        format!(
            r##"{{"properties": {{"a": {{"$ref": "#/$defs/{name}"}}}}, "$defs": {{"{name}": {inner}}}}}"##
        )
    };
    check(
        &of("A", r#"{"type": "null"}"#),
        &of("B", r#"{"type": "null"}"#),
        &expect![""],
    );
    check(
        &of("A", r#"{"type": "null"}"#),
        r#"{"properties": {"a": {"type": "null"}}}"#,
        &expect![""],
    );
    check(
        &of("A", r#"{"type": "null"}"#),
        &of("A", r#"{"type": "string"}"#),
        &expect!["/$defs/A: `string` instead of `null` (backward breaking, forward breaking)"],
    );
    check(r#"{"$defs": {"A": {"type": "null"}}}"#, "{}", &expect![""]);
    check(
        &of("A", r#"{"type": "null"}"#),
        r##"{"properties": {"a": {"$ref": "#/$defs/B"}}}"##,
        &expect![
            "/properties/a: a reference that leads nowhere in the document (backward breaking, forward breaking)"
        ],
    );
    check(
        r##"{"$ref": "#/$defs/A", "type": "string"}"##,
        r##"{"$ref": "#/$defs/A", "type": "string"}"##,
        &expect![""],
    );
    check(
        r##"{"$ref": "#/$defs/A", "type": "string", "$defs": {"A": {"minLength": 2}}}"##,
        r##"{"$ref": "#/$defs/A", "type": "string", "$defs": {"A": {"minLength": 1}}}"##,
        &expect!["/$defs/A: `minLength` is 1, before 2 (backward compatible, forward breaking)"],
    );
    check(
        r#"{"$ref": "other.json"}"#,
        r#"{"$ref": "another.json"}"#,
        &expect![
            "the schema: a reference that leads nowhere in the document (backward breaking, forward breaking)"
        ],
    );
}

#[test]
fn a_change_in_a_definition_is_told_once() {
    let of = |name: &str| {
        format!(
            r##"{{"properties": {{"a": {{"$ref": "#/$defs/A"}}, "b": {{"$ref": "#/$defs/A"}}}}, "$defs": {{"A": {{"type": "{name}"}}}}}}"##
        )
    };
    check(
        &of("null"),
        &of("string"),
        &expect!["/$defs/A: `string` instead of `null` (backward breaking, forward breaking)"],
    );
}

#[test]
fn a_schema_may_refer_to_itself() {
    let tree = |leaf: &str| {
        format!(
            r##"{{"$ref": "#/$defs/T", "$defs": {{"T": {{"anyOf": [{{"type": "{leaf}"}}, {{"type": "array", "items": {{"$ref": "#/$defs/T"}}}}]}}}}}}"##
        )
    };
    check(&tree("integer"), &tree("integer"), &expect![""]);
    check(
        &tree("integer"),
        &tree("number"),
        &expect![
            "/$defs/T/anyOf/0: `fraction` is accepted as well (backward compatible, forward breaking)"
        ],
    );
    check(
        &tree("integer"),
        &tree("string"),
        &expect![[r#"
        /$defs/T/anyOf/0: the alternative of type integer is gone (backward breaking, forward compatible)
        /$defs/T/anyOf/0: the alternative of type string is new (backward compatible, forward breaking)"#]],
    );
    let endless = r##"{"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}"##;
    check(endless, endless, &expect![""]);
    check(
        endless,
        "{}",
        &expect![
            "the schema: a reference that leads nowhere in the document (backward breaking, forward breaking)"
        ],
    );
}

#[test]
fn an_alternative_comes_goes_or_changes() {
    let any = |branches: &str| format!(r#"{{"anyOf": [{branches}]}}"#);
    let (text, null) = (r#"{"type": "string"}"#, r#"{"type": "null"}"#);
    check(
        &any(text),
        &any(&format!("{text}, {null}")),
        &expect![
            "/anyOf/1: the alternative of type null is new (backward compatible, forward breaking)"
        ],
    );
    check(
        &any(&format!("{text}, {null}")),
        &any(text),
        &expect![
            "/anyOf/1: the alternative of type null is gone (backward breaking, forward compatible)"
        ],
    );
    check(
        &any(&format!("{text}, {null}")),
        &any(&format!("{null}, {text}")),
        &expect![""],
    );
    check(
        text,
        &any(&format!("{text}, {null}")),
        &expect![
            "/anyOf/1: the alternative of type null is new (backward compatible, forward breaking)"
        ],
    );
    check(
        &any(&format!("{text}, {null}")),
        r#"{"type": ["string", "null"]}"#,
        &expect![""],
    );
    check(
        &any(r#"{"type": "integer"}, {"type": "number"}"#),
        r#"{"type": "number"}"#,
        &expect![
            "/anyOf/0: the alternative of type integer is gone (backward compatible, forward compatible)"
        ],
    );
    check(
        &any(&format!(
            r#"{null}, {{"type": "object", "required": ["a"], "properties": {{"a": {{"type": "string"}}}}}}"#
        )),
        &any(&format!(
            r#"{null}, {{"type": "object", "required": ["a"], "properties": {{"a": {{"type": "integer"}}}}}}"#
        )),
        &expect![
            "/anyOf/1/properties/a: `integer` instead of `string` (backward breaking, forward breaking)"
        ],
    );
}

#[test]
fn a_named_value_comes_or_goes() {
    let one = |branches: &str| format!(r#"{{"oneOf": [{branches}]}}"#);
    let (a, b) = (
        r#"{"const": "a", "type": "string"}"#,
        r#"{"const": "b", "description": "B."}"#,
    );
    check(
        &one(a),
        &one(&format!("{a}, {b}")),
        &expect![[
            r#"/oneOf/1: the alternative "b" is new (backward compatible, forward breaking)"#
        ]],
    );
    check(
        &one(&format!("{a}, {b}")),
        &one(b),
        &expect![[
            r#"/oneOf/0: the alternative "a" is gone (backward breaking, forward compatible)"#
        ]],
    );
    // What the generator of schemas makes of values without a description.
    check(
        &one(&format!("{a}, {b}")),
        r#"{"type": "string", "enum": ["b", "a"]}"#,
        &expect![""],
    );
}

#[test]
fn alternatives_that_overlap_refuse_what_both_accept() {
    let one = |branches: &str| format!(r#"{{"oneOf": [{branches}]}}"#);
    let small = r#"{"type": "integer", "maximum": 5}"#;
    let large = r#"{"type": "integer", "minimum": 4}"#;
    check(
        &one(small),
        &one(&format!("{small}, {large}")),
        &expect![[r#"
            the schema: a value may meet two alternatives of `oneOf`, which then refuses it (backward breaking, forward compatible)
            /oneOf/1: the alternative of type integer is new (backward compatible, forward breaking)"#]],
    );
    check(
        &one(&format!("{small}, {large}")),
        &one(&format!("{small}, {large}")),
        &expect![""],
    );
    check(
        &one(small),
        &one(&format!(r#"{small}, {{"type": "null"}}"#)),
        &expect![
            "/oneOf/1: the alternative of type null is new (backward compatible, forward breaking)"
        ],
    );
    let any = format!(r#"{{"anyOf": [{small}, {large}]}}"#);
    check(
        &any,
        &one(&format!("{small}, {large}")),
        &expect![
            "the schema: a value may meet two alternatives of `oneOf`, which then refuses it (backward breaking, forward compatible)"
        ],
    );
    // Told apart by a field that one wants and the other refuses, and by a field that both want.
    let tagged = |name: &str| {
        format!(
            r#"{{"type": "object", "properties": {{"{name}": {{}}}}, "required": ["{name}"], "additionalProperties": false}}"#
        )
    };
    check(
        &one(&tagged("a")),
        &one(&format!("{}, {}", tagged("a"), tagged("b"))),
        &expect![
            "/oneOf/1: the alternative of type object is new (backward compatible, forward breaking)"
        ],
    );
    let kind = |name: &str| {
        format!(
            r#"{{"type": "object", "properties": {{"kind": {{"const": "{name}"}}}}, "required": ["kind"]}}"#
        )
    };
    check(
        &one(&kind("a")),
        &one(&format!("{}, {}", kind("a"), kind("b"))),
        &expect![
            "/oneOf/1: the alternative of type object is new (backward compatible, forward breaking)"
        ],
    );
    let untold = r#"{"type": "object"}"#;
    check(
        &one(&kind("a")),
        &one(&format!("{}, {untold}", kind("a"))),
        &expect![[r#"
            the schema: a value may meet two alternatives of `oneOf`, which then refuses it (backward breaking, forward compatible)
            /oneOf/1: the alternative of type object is new (backward compatible, forward breaking)"#]],
    );
}

#[test]
fn a_choice_beside_other_keywords_has_to_be_met_as_well() {
    let plain = r#"{"type": "string"}"#;
    let both = r#"{"type": "string", "anyOf": [{"minLength": 2}, {"pattern": "^a$"}]}"#;
    check(
        plain,
        both,
        &expect![
            "the schema: `anyOf` has to be met as well (backward breaking, forward compatible)"
        ],
    );
    check(
        both,
        plain,
        &expect![
            "the schema: `anyOf` has to be met no more (backward compatible, forward breaking)"
        ],
    );
    check(both, both, &expect![""]);
    check(
        plain,
        r##"{"type": "string", "$ref": "#/$defs/A", "$defs": {"A": true}}"##,
        &expect![
            "the schema: `$ref` has to be met as well (backward breaking, forward compatible)"
        ],
    );
}

#[test]
fn nothing_and_anything() {
    check("true", "{}", &expect![""]);
    check("false", "false", &expect![""]);
    check(
        "false",
        "true",
        &expect![
            "the schema: values are accepted where none was (backward compatible, forward breaking)"
        ],
    );
    check(
        "true",
        "false",
        &expect![
            "the schema: no value is accepted any more (backward breaking, forward compatible)"
        ],
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

#[test]
fn what_is_not_understood_may_refer_to_something_else_than_before() {
    let not = |name: &str| {
        format!(
            r##"{{"properties": {{"a": {{"not": {{"$ref": "#/$defs/A"}}}}}}, "$defs": {{"A": {{"type": "{name}"}}}}}}"##
        )
    };
    check(&not("null"), &not("null"), &expect![""]);
    check(
        &not("null"),
        &not("string"),
        &expect![
            "/properties/a: `not` is not understood, so nothing is sure (backward breaking, forward breaking)"
        ],
    );
}

#[test]
fn a_value_that_is_listed_and_constant_has_to_be_both() {
    check(
        r#"{"const": "b"}"#,
        r#"{"anyOf": [{"enum": ["a", "b"], "const": "a"}, {"type": "null"}]}"#,
        &expect![[r#"
            the schema: the alternative "b" is gone (backward breaking, forward compatible)
            /anyOf/0: the alternative "a" is new (backward compatible, forward breaking)
            /anyOf/1: the alternative of type null is new (backward compatible, forward breaking)"#]],
    );
}

#[test]
fn a_fraction_without_a_rest_may_be_an_integer() {
    check(
        r#"{"oneOf": [{"const": 1}]}"#,
        r#"{"oneOf": [{"const": 1}, {"const": 1.0}]}"#,
        &expect![[r#"
            the schema: a value may meet two alternatives of `oneOf`, which then refuses it (backward breaking, forward compatible)
            /oneOf/1: the alternative 1.0 is new (backward compatible, forward breaking)"#]],
    );
}

#[test]
fn a_field_may_be_accepted_by_a_pattern_of_its_name() {
    let closed =
        r#"{"type": "object", "patternProperties": {"^a": {}}, "additionalProperties": false}"#;
    let wants = r#"{"type": "object", "properties": {"a": {}}, "required": ["a"]}"#;
    check(
        &format!(r#"{{"oneOf": [{closed}]}}"#),
        &format!(r#"{{"oneOf": [{closed}, {wants}]}}"#),
        &expect![[r#"
            the schema: a value may meet two alternatives of `oneOf`, which then refuses it (backward breaking, forward compatible)
            /oneOf/1: the alternative of type object is new (backward compatible, forward breaking)"#]],
    );
}

#[test]
fn alternatives_that_change_places_between_choices_are_no_longer_the_same() {
    let (small, large) = (
        r#"{"type": "integer", "maximum": 5}"#,
        r#"{"type": "integer", "minimum": 4}"#,
    );
    let nested = |inner: &str, outer: &str| {
        format!(r#"{{"anyOf": [{{"oneOf": [{small}, {inner}]}}, {outer}]}}"#)
    };
    let null = r#"{"type": "null"}"#;
    check(
        &nested(large, null),
        &nested(null, large),
        &expect![
            "the schema: a value may meet two alternatives of `oneOf`, which then refuses it (backward compatible, forward breaking)"
        ],
    );
}

/// The list of the old schema holds lists and nulls, the one of the new schema lists alone.
#[test]
fn a_part_of_a_schema_is_not_taken_for_the_whole() {
    check(
        r##"{"$ref": "#/$defs/W", "$defs": {"W": {"type": ["array", "null"], "items": {"$ref": "#/$defs/W"}}}}"##,
        r##"{"$ref": "#/$defs/N", "$defs": {"N": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/N/anyOf/0"}}, {"type": "null"}]}}}"##,
        &expect![
            "/$defs/N/anyOf/0: `null` is no longer accepted (backward breaking, forward compatible)"
        ],
    );
}
