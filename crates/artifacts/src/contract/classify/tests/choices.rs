//! Alternatives.

use expect_test::expect;

use super::check;

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
