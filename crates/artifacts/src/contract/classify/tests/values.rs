//! What a value is as a whole.

use expect_test::expect;

use super::check;

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
