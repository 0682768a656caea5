//! The classifier against the checker: where it promises that documents go on to be accepted, they are.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Verdict, classify};
use crate::payload::DIGEST_PATTERN;
use crate::schema::violations;

/// Choices that follow from a seed.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<T: Clone>(&mut self, options: &[T]) -> T {
        let at = self.roll(options.len() as u64);
        options[usize::try_from(at).unwrap()].clone()
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(7),
        json!(300),
        json!(4_294_967_296_u64),
        json!(u64::MAX),
        json!(0.5),
        json!("a"),
        json!("b"),
        json!("0".repeat(64)),
        json!([]),
        json!({}),
        json!([0, 0]),
        json!({"a": null}),
        json!({"a": 0, "b": "a"}),
    ]
}

fn leaf(dice: &mut Dice) -> Value {
    let name = |dice: &mut Dice| dice.pick(&TYPES);
    match dice.roll(12) {
        0 => json!({"const": dice.pick(&values())}),
        1 => json!({"enum": [dice.pick(&values()), dice.pick(&values())]}),
        2 => json!({"type": [name(dice), name(dice)]}),
        3 => {
            json!({"type": "integer", "format": dice.pick(&["uint8", "int32", "uint32", "int64", "uint64"])})
        }
        4 => json!({"type": dice.pick(&["integer", "number"]), "minimum": dice.pick(&[-1, 0, 7])}),
        5 => json!({"type": "string", "pattern": DIGEST_PATTERN}),
        6 => json!({"$ref": dice.pick(&["#/$defs/A", "#/$defs/B", "#/$defs/T"])}),
        7 => json!(dice.one_in(2)),
        _ => json!({"type": name(dice)}),
    }
}

fn schema(dice: &mut Dice, depth: u32) -> Value {
    if depth == 0 || dice.one_in(4) {
        return leaf(dice);
    }
    match dice.roll(5) {
        0 => {
            json!({"type": "array", "items": schema(dice, depth - 1), "uniqueItems": dice.one_in(4)})
        }
        1 => json!({dice.pick(&["anyOf", "oneOf"]): branches(dice, depth)}),
        2 => {
            let mut schema = leaf(dice);
            if let Some(keywords) = schema.as_object_mut() {
                let keyword = dice.pick(&["anyOf", "oneOf"]);
                keywords.insert(keyword.to_owned(), branches(dice, depth));
            }
            schema
        }
        _ => object(dice, depth),
    }
}

fn branches(dice: &mut Dice, depth: u32) -> Value {
    (0..=dice.roll(3))
        .map(|_| schema(dice, depth - 1))
        .collect()
}

fn object(dice: &mut Dice, depth: u32) -> Value {
    let mut fields = Map::new();
    let mut required = Vec::new();
    for name in NAMES {
        if !dice.one_in(3) {
            fields.insert(name.to_owned(), schema(dice, depth - 1));
        }
        if dice.one_in(3) {
            required.push(name);
        }
    }
    let mut object = json!({"type": "object", "properties": fields, "required": required});
    match dice.roll(4) {
        0 => {}
        1 => object["additionalProperties"] = schema(dice, depth - 1),
        _ => object["additionalProperties"] = json!(false),
    }
    object
}

/// A schema whose references lead somewhere, and never in a circle that takes nothing of a document.
fn root(dice: &mut Dice) -> Value {
    let mut root = match dice.roll(3) {
        0 => json!({"anyOf": branches(dice, 3)}),
        _ => object(dice, 3),
    };
    root["$defs"] = json!({
        "A": {"type": dice.pick(&TYPES)},
        "B": {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}},
        "T": {"anyOf": [
            {"$ref": "#/$defs/A"},
            {"type": "array", "items": {"$ref": "#/$defs/T"}},
        ]},
    });
    root
}

/// Changes one thing somewhere in a schema.
fn edit(schema: &mut Value, dice: &mut Dice) {
    let inner: Vec<String> = match schema.as_object() {
        Some(keywords) => keywords
            .iter()
            .flat_map(|(keyword, value)| match (keyword.as_str(), value) {
                ("properties" | "$defs", Value::Object(named)) => named
                    .keys()
                    .map(|name| format!("/{keyword}/{name}"))
                    .collect(),
                ("anyOf" | "oneOf", Value::Array(branches)) => (0..branches.len())
                    .map(|at| format!("/{keyword}/{at}"))
                    .collect(),
                ("items" | "additionalProperties", _) => vec![format!("/{keyword}")],
                _ => Vec::new(),
            })
            .collect(),
        None => Vec::new(),
    };
    if !inner.is_empty() && !dice.one_in(3) {
        let inner = dice.pick(&inner);
        let is_definition = inner.starts_with("/$defs");
        let inner = schema.pointer_mut(&inner).unwrap();
        if is_definition {
            // Anything else might refer to itself without taking anything of a document.
            inner["type"] = json!(dice.pick(&TYPES));
            return;
        }
        return edit(inner, dice);
    }
    let is_root = schema.get("$defs").is_some();
    let new = leaf(dice);
    let Some(keywords) = schema.as_object_mut() else {
        *schema = new;
        return;
    };
    let present: Vec<String> = keywords
        .keys()
        .filter(|it| *it != "$defs")
        .cloned()
        .collect();
    match dice.roll(6) {
        0 if !is_root => *schema = new,
        1 if !is_root => *schema = json!({"anyOf": [schema.clone(), new]}),
        2 => {
            for (keyword, value) in new.as_object().into_iter().flatten() {
                keywords.insert(keyword.clone(), value.clone());
            }
        }
        3 if !present.is_empty() => {
            keywords.remove(&dice.pick(&present));
        }
        4 => edit_fields(keywords, new, dice),
        _ => {
            for keyword in ["anyOf", "oneOf", "enum"] {
                let Some(Value::Array(items)) = keywords.get_mut(keyword) else {
                    continue;
                };
                let at = usize::try_from(dice.roll(items.len() as u64)).unwrap();
                match dice.roll(3) {
                    0 if items.len() > 1 => {
                        items.remove(at);
                    }
                    1 => items.insert(
                        at,
                        if keyword == "enum" {
                            json!("c")
                        } else {
                            new.clone()
                        },
                    ),
                    _ => items.rotate_left(at),
                }
            }
        }
    }
}

fn edit_fields(keywords: &mut Map<String, Value>, new: Value, dice: &mut Dice) {
    let name = dice.pick(&NAMES);
    match dice.roll(3) {
        0 => {
            if let Some(Value::Array(required)) = keywords.get_mut("required") {
                let before = required.len();
                required.retain(|it| it != name);
                if required.len() == before {
                    required.push(json!(name));
                }
            }
        }
        1 => {
            let closed = if dice.one_in(2) { json!(false) } else { new };
            keywords.insert("additionalProperties".to_owned(), closed);
        }
        _ => {
            if let Some(Value::Object(fields)) = keywords.get_mut("properties")
                && fields.remove(name).is_none()
            {
                fields.insert(name.to_owned(), new);
            }
        }
    }
}

/// A document that mostly meets a schema.
fn document(schema: &Value, root: &Value, dice: &mut Dice, depth: u32) -> Value {
    if depth == 0 || dice.one_in(12) {
        return dice.pick(&values());
    }
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return document(target, root, dice, depth - 1);
    }
    for keyword in ["anyOf", "oneOf", "enum"] {
        if let Some(Value::Array(options)) = schema.get(keyword) {
            let option = dice.pick(options);
            if keyword == "enum" {
                return option;
            }
            return document(&option, root, dice, depth - 1);
        }
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    let name = match schema.get("type") {
        Some(Value::Array(names)) => dice.pick(names),
        Some(name) => name.clone(),
        None => json!("any"),
    };
    match name.as_str().unwrap() {
        "object" => {
            let mut fields = Map::new();
            for name in NAMES {
                let inner = schema["properties"].get(name);
                let inner = inner.or(schema.get("additionalProperties"));
                if inner != Some(&json!(false)) && !dice.one_in(4) {
                    let inner = inner.unwrap_or(&Value::Null);
                    fields.insert(name.to_owned(), document(inner, root, dice, depth - 1));
                }
            }
            Value::Object(fields)
        }
        "array" => (0..dice.roll(3))
            .map(|_| document(&schema["items"], root, dice, depth - 1))
            .collect(),
        _ => {
            let fitting = values()
                .into_iter()
                .filter(|value| violations(schema, value).is_empty());
            let mut fitting: Vec<Value> = fitting.collect();
            fitting.push(json!(null));
            dice.pick(&fitting)
        }
    }
}

/// How often a promise was put to the test, or what broke it.
fn put_to_the_test(seed: u64) -> Result<u32, String> {
    let dice = &mut Dice(seed);
    let old = root(dice);
    let mut new = old.clone();
    for _ in 0..=dice.roll(2) {
        edit(&mut new, dice);
    }
    let verdict = Verdict::sum(&classify(&old, &new));
    let sides = [
        ("backward", verdict.is_backward(), &old, &new),
        ("forward", verdict.is_forward(), &new, &old),
    ];
    let mut tested = 0;
    for (side, is_promised, from, to) in sides {
        for _ in 0..24 {
            let document = document(from, from, dice, 6);
            if !is_promised || from == to || !violations(from, &document).is_empty() {
                continue;
            }
            tested += 1;
            if let Some(fault) = violations(to, &document).first() {
                let sides = format!("old: {old}\nnew: {new}");
                return Err(format!("{side} seed {seed}\n{sides}\n{document}: {fault}"));
            }
        }
    }
    Ok(tested)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_compatible_goes_on_to_be_accepted(seed in any::<u64>()) {
        prop_assert_eq!(put_to_the_test(seed).err(), None);
    }
}

#[test]
fn promises_are_put_to_the_test() {
    let tested: u32 = (0..500).map(|seed| put_to_the_test(seed).unwrap()).sum();
    assert!(tested > 500, "{tested} documents");
}
