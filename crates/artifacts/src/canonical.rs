//! Canonical bytes: one JSON text and one MsgPack encoding for every value, whatever built it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use crate::{Error, Rejection, Violation, ViolationCode};

/// A value that writes the keys of its maps in the order of their bytes.
///
/// The order of a [`Map`] depends on a feature that any crate of a build may switch on, and so does the form of a
/// number; this depends on neither.
struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(number) => {
                if let Some(value) = number.as_u64() {
                    serializer.serialize_u64(value)
                } else if let Some(value) = number.as_i64() {
                    serializer.serialize_i64(value)
                } else {
                    // Readers of JSON text differ in the last digit of a fraction, so it would have no canonical form.
                    Err(S::Error::custom(format!("{number} is no 64-bit integer")))
                }
            }
            Value::String(text) => serializer.serialize_str(text),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Sorted(item))?;
                }
                list.end()
            }
            Value::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in sorted(entries) {
                    map.serialize_entry(key, &Sorted(value))?;
                }
                map.end()
            }
        }
    }
}

fn sorted(entries: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

/// JSON on one line: keys sorted, no space between the parts.
///
/// **Errors**: [`Error::Unencodable`] for numbers that are no 64-bit integers; no payload has one.
pub fn canonical_json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(&Sorted(value)).map_err(Error::unencodable)
}

/// JSON for files: keys sorted, two spaces of indentation, a line break at the end.
///
/// **Errors**: [`Error::Unencodable`] for numbers that are no 64-bit integers; no payload has one.
pub fn pretty_json(value: &Value) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(&Sorted(value)).map_err(Error::unencodable)?;
    text.push('\n');
    Ok(text)
}

/// Every value of a payload by the keys that lead to it, dotted: `statistics.value.columns`. A list is one value: a
/// text with a line for each of its items.
///
/// **Errors**: [`Error::Unencodable`], which no payload causes.
pub fn field_texts(payload: &impl Serialize) -> Result<BTreeMap<String, String>, Error> {
    let value = serde_json::to_value(payload).map_err(Error::unencodable)?;
    let mut texts = BTreeMap::new();
    let mut waiting = vec![(String::new(), value)];
    while let Some((path, value)) = waiting.pop() {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                let below = fields.into_iter().map(|(key, value)| {
                    let dot = if path.is_empty() { "" } else { "." };
                    (format!("{path}{dot}{key}"), value)
                });
                waiting.extend(below);
            }
            Value::String(text) => {
                texts.insert(path, text);
            }
            Value::Array(items) => {
                let lines = items.iter().map(canonical_json);
                let lines = lines.collect::<Result<Vec<_>, _>>()?;
                texts.insert(path, lines.join("\n"));
            }
            other => {
                texts.insert(path, canonical_json(&other)?);
            }
        }
    }
    Ok(texts)
}

/// `MsgPack` with the keys of maps sorted and every number in its shortest form.
///
/// **Errors**: [`Error::Unencodable`] for numbers that are no 64-bit integers; no payload has one.
pub fn canonical_msgpack(value: &Value) -> Result<Vec<u8>, Error> {
    rmp_serde::to_vec(&Sorted(value)).map_err(Error::unencodable)
}

/// How many lists and maps may lie in each other. It is what JSON text may have, so that whatever is read from one
/// form is read from the other, and what a small stack has room for.
const NESTING_MAX: usize = 127;

/// Reads what [`canonical_msgpack`] wrote, and nothing else: bytes that are decoded are the bytes that the value is
/// encoded to. Lists and maps lie in each other at most 127 deep, as in JSON text.
///
/// **Errors**: a [`Rejection`] with [`ViolationCode::NotMsgPack`] or [`ViolationCode::NotCanonical`].
pub fn decode_msgpack(bytes: &[u8]) -> Result<Value, Rejection> {
    let refuse = |code, expected: &str, actual: String| {
        Rejection::one(Violation::new(code, "", expected, actual))
    };
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    // The decoder stops at the depth that it is given.
    decoder.set_max_depth(NESTING_MAX + 1);
    let value = Value::deserialize(&mut decoder)
        .map_err(|error| refuse(ViolationCode::NotMsgPack, "MsgPack", error.to_string()))?;
    match canonical_msgpack(&value) {
        Ok(again) if again == bytes => Ok(value),
        _ => Err(refuse(
            ViolationCode::NotCanonical,
            "sorted keys, shortest numbers, nothing behind the value",
            format!("{} bytes of another form", bytes.len()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((".{0,4}", inner), 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_what_its_bytes_say(value in values()) {
            let bytes = canonical_msgpack(&value).unwrap();
            let decoded = decode_msgpack(&bytes).unwrap();
            prop_assert_eq!(&decoded, &value);
            prop_assert_eq!(canonical_msgpack(&decoded).unwrap(), bytes);
            let text = canonical_json(&value).unwrap();
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(canonical_json(&read).unwrap(), text);
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = decode_msgpack(&bytes) {
                prop_assert_eq!(canonical_msgpack(&value).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn keys_are_sorted_however_the_map_was_filled() {
        let mut backwards = Map::new();
        for key in ["b", "a", "B", "aa"] {
            backwards.insert(key.to_owned(), json!({"y": 1, "x": [true, null]}));
        }
        let text = canonical_json(&Value::Object(backwards)).unwrap();
        let entry = r#"{"x":[true,null],"y":1}"#;
        assert_eq!(
            text,
            format!(r#"{{"B":{entry},"a":{entry},"aa":{entry},"b":{entry}}}"#)
        );
    }

    #[test]
    fn fractions_have_no_canonical_form() {
        assert!(canonical_json(&json!([0.5])).is_err());
        assert!(canonical_msgpack(&json!(1e300)).is_err());
        let half = [0xca, 0x3f, 0x00, 0x00, 0x00];
        assert!(decode_msgpack(&half).is_err());
    }

    #[test]
    fn both_forms_are_read_to_the_same_depth() {
        for (depth, is_read) in [(1, true), (127, true), (128, false), (1_000, false)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            let bytes = [vec![0x91; depth - 1], vec![0x90]].concat();
            let from_text = serde_json::from_str::<Value>(&text).ok();
            let from_bytes = decode_msgpack(&bytes);
            assert_eq!(from_text.is_some(), is_read, "{depth}");
            assert_eq!(from_bytes.is_ok(), is_read, "{depth}");
            assert_eq!(from_bytes.ok(), from_text, "{depth}");
        }
    }

    #[test]
    fn other_bytes_for_the_same_value_are_refused() {
        let long_form = [0xcd, 0x00, 0x07];
        let behind = [0x07, 0x07];
        let unsorted = [0x82, 0xa1, b'b', 0x01, 0xa1, b'a', 0x01];
        let twice = [0x82, 0xa1, b'a', 0x01, 0xa1, b'a', 0x01];
        for bytes in [&long_form[..], &behind, &unsorted, &twice] {
            let rejection = decode_msgpack(bytes).unwrap_err();
            let code = rejection.violations()[0].code;
            assert_eq!(code, ViolationCode::NotCanonical, "{bytes:?}");
        }
        assert!(decode_msgpack(&[0xc1]).is_err());
        assert!(decode_msgpack(&[]).is_err());
    }
}
