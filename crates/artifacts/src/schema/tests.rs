//! The checker against serde, and every keyword that the schemas use.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::{CONTRACTS, Envelope};

/// Adds the keywords of a schema; names of properties and definitions are none.
fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                found.insert(name.clone());
                match (name.as_str(), value) {
                    ("properties" | "$defs", Value::Object(inner)) => {
                        inner.values().for_each(|it| keywords(it, found));
                    }
                    ("const" | "enum" | "default", _) => {}
                    _ => keywords(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keywords(item, found)),
        _ => {}
    }
}

#[test]
fn the_checker_knows_every_keyword_that_the_schemas_use() {
    let mut found = BTreeSet::new();
    for contract in CONTRACTS {
        keywords(&contract.schema(), &mut found);
    }
    let unknown: Vec<_> = found
        .iter()
        .filter(|keyword| !KEYWORDS.contains(&keyword.as_str()))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[track_caller]
fn check(schema: &Value, value: &Value, want: &Expect) {
    let found = violations(schema, value);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    want.assert_eq(&lines.join("\n"));
}

#[test]
fn every_fault_is_told_with_its_place() {
    let schema = json!({
        "type": "object",
        "properties": {
            "a/b": {"type": "integer", "format": "uint32", "minimum": 0},
            "list": {"type": "array", "items": {"$ref": "#/$defs/Name"}},
            "maybe": {"anyOf": [{"$ref": "#/$defs/Name"}, {"type": "null"}]},
            "mode": {"oneOf": [{"const": "fast"}, {"const": "slow"}]},
        },
        "required": ["a/b", "mode"],
        "additionalProperties": false,
        "$defs": {"Name": {"type": "string"}},
    });
    check(
        &schema,
        &json!({"a/b": 1, "list": ["x"], "maybe": null, "mode": "fast"}),
        &expect![""],
    );
    check(
        &schema,
        &json!({"a/b": -1, "list": ["x", 2], "maybe": 3, "mode": "odd", "more": 1}),
        &expect![[r#"
            /a~1b: expected uint32, found -1 (out_of_range)
            /list/1: expected string, found number 2 (wrong_type)
            /maybe: expected string, found number 3 (wrong_type)
            /mode: expected "fast" or "slow", found "odd" (wrong_value)
            /more: expected a/b or list or maybe or mode, found more (unknown_field)"#]],
    );
    check(
        &schema,
        &json!({}),
        &expect![[r#"
        /a~1b: expected a value, found nothing (missing_field)
        /mode: expected a value, found nothing (missing_field)"#]],
    );
    check(
        &schema,
        &json!([]),
        &expect!["the artifact: expected object, found array (wrong_type)"],
    );
}

#[test]
fn a_value_meets_exactly_one_of_several_and_any_of_others() {
    let branches =
        json!([{"type": "integer", "minimum": 4}, {"type": "integer", "format": "int8"}]);
    let (one, any) = (json!({"oneOf": branches}), json!({"anyOf": branches}));
    check(&one, &json!(1), &expect![""]);
    check(&any, &json!(5), &expect![""]);
    check(
        &one,
        &json!(5),
        &expect![
            "the artifact: expected exactly one of the alternatives, found a value of 2 of them (wrong_value)"
        ],
    );
}

#[test]
fn a_value_is_told_what_is_wrong_inside_of_the_shape_that_it_has() {
    let schema = json!({"oneOf": [
        {"const": "off"},
        {
            "type": "object",
            "properties": {"after": {"type": "integer"}, "more": {"type": "null"}},
            "required": ["after"],
            "additionalProperties": false,
        },
        {"type": "array", "items": {"type": "null"}},
    ]});
    check(
        &schema,
        &json!({"after": "x", "more": 1}),
        &expect![[r#"
        /after: expected integer, found string (wrong_type)
        /more: expected null, found number 1 (wrong_type)"#]],
    );
    check(
        &schema,
        &json!([null, 1]),
        &expect!["/1: expected null, found number 1 (wrong_type)"],
    );
    check(
        &schema,
        &json!("on"),
        &expect![[r#"the artifact: expected "off" or object or array, found "on" (wrong_value)"#]],
    );
}

#[test]
fn a_list_without_repetition_has_none() {
    let schema = json!({"type": "array", "uniqueItems": true});
    check(&schema, &json!([1, 2, "1"]), &expect![""]);
    check(
        &schema,
        &json!([1, 2, 1]),
        &expect!["/2: expected a value that is not in the list, found 1 (wrong_value)"],
    );
    check(
        &json!({"type": "array", "uniqueItems": false}),
        &json!([1, 1]),
        &expect![""],
    );
}

/// A place in a document, by the numbers of the fields on the way.
#[test]
fn a_list_is_not_read_as_fields() {
    let contract = CONTRACTS
        .iter()
        .find(|it| it.kind == "write_artifact")
        .unwrap();
    let envelope = (contract.example)().unwrap().to_json().unwrap();
    let mut value: Value = serde_json::from_str(&envelope).unwrap();
    let leaves = &mut value["payload"]["policy"]["layout"]["value"]["leaves"];
    leaves[0] = json!([["node_id"], "PLAIN", "opaque", "none", "opaque"]);
    assert!((contract.reseal)(&Envelope::from_json(&value.to_string()).unwrap()).is_err());
}

fn edit(value: &mut Value, way: &[usize], change: &Change) {
    let Some((at, rest)) = way.split_first() else {
        *value = change.value();
        return;
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let name = fields.keys().nth(at % fields.len()).unwrap().clone();
            match change {
                Change::Remove if rest.is_empty() => {
                    fields.remove(&name);
                }
                Change::Add if rest.is_empty() => {
                    fields.insert("colour".to_owned(), json!("red"));
                }
                _ => edit(&mut fields[&name], rest, change),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = at % items.len();
            edit(&mut items[at], rest, change);
        }
        leaf => *leaf = change.value(),
    }
}

#[derive(Debug, Clone)]
enum Change {
    Remove,
    Add,
    Set(Value),
}

impl Change {
    fn value(&self) -> Value {
        match self {
            Self::Remove => Value::Null,
            Self::Add => json!({}),
            Self::Set(value) => value.clone(),
        }
    }
}

fn changes() -> impl Strategy<Value = Change> {
    let values = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(0)),
        Just(json!(-1)),
        Just(json!(1.5)),
        Just(json!(4_294_967_296_u64)),
        Just(json!(u64::MAX)),
        Just(json!("text")),
        Just(json!("completed")),
        Just(json!("f".repeat(64))),
        Just(json!([])),
        Just(json!(["text"])),
        Just(json!({})),
    ];
    prop_oneof![
        Just(Change::Remove),
        Just(Change::Add),
        values.prop_map(Change::Set)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_the_schema_refuses_is_what_serde_refuses(
        contract in 0..CONTRACTS.len(),
        way in proptest::collection::vec(0_usize..20, 1..7),
        change in changes(),
    ) {
        let contract = &CONTRACTS[contract];
        let mut value: Value =
            serde_json::from_str(&(contract.example)().unwrap().to_json().unwrap()).unwrap();
        edit(&mut value, &way, &change);
        let found = violations(&contract.schema(), &value);
        let read = (contract.reseal)(&Envelope::from_json(&value.to_string()).unwrap());
        prop_assert_eq!(found.is_empty(), read.is_ok(), "{:?}\n{}", read.err(), value);
    }
}
