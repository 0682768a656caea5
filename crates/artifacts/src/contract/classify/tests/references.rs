//! Definitions, and what refers to them or to itself.

use expect_test::expect;

use super::check;

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
