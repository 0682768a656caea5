//! JSON Schemas of envelopes, and what a value does that its schema does not allow.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::payload::DIGEST_PATTERN;
use crate::{Payload, Violation, ViolationCode};

/// The JSON Schema (2020-12) of the envelopes that carry one kind of payload.
pub(crate) fn envelope_schema<P: Payload>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut payload = generator.into_root_schema_for::<P>().to_value();
    let mut definitions = Value::Object(Map::new());
    if let Some(fields) = payload.as_object_mut() {
        fields.remove("$schema");
        // References are resolved from the root of the document, which is the envelope.
        if let Some(found) = fields.remove("$defs") {
            definitions = found;
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{} v{}", P::KIND, P::VERSION),
        "type": "object",
        "properties": {
            "kind": {"const": P::KIND},
            "version": {"const": P::VERSION},
            "payload": payload,
        },
        "required": ["kind", "version", "payload"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// The keywords that [`violations`] checks, and those that check nothing. The test of contracts refuses others.
#[cfg(test)]
const KEYWORDS: [&str; 23] = [
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "uniqueItems",
    "x-domain",
    "x-maturity",
    "x-strictness",
];

/// The smallest and the largest integer of a format that stands for a machine's integers.
pub(crate) fn integer_range(format: &str) -> Option<(i128, i128)> {
    Some(match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" | "uint" => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// A number as an integer, when it is one.
pub(crate) fn integer(value: &Value) -> Option<i128> {
    let signed = value.as_i64().map(i128::from);
    signed.or_else(|| value.as_u64().map(i128::from))
}

/// Everything that `value` does and `schema` does not allow, ordered by place.
///
/// It knows the keywords that the payloads' schemas use. Decoding itself is serde's; this explains a refusal, because
/// serde stops at the first fault and does not tell its place.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<Violation> {
    let mut check = Check {
        root: schema,
        found: Vec::new(),
    };
    check.value(schema, value, "");
    check.found.sort_by(|a, b| a.path.cmp(&b.path));
    check.found
}

struct Check<'a> {
    root: &'a Value,
    found: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn report(&mut self, code: ViolationCode, path: &str, expected: String, actual: String) {
        self.found
            .push(Violation::new(code, path, expected, actual));
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str) {
        if schema == &Value::Bool(false) {
            let code = ViolationCode::WrongValue;
            return self.report(code, path, "nothing".to_owned(), describe(value));
        }
        if let Some(target) = self.target(schema) {
            self.value(target, value, path);
        }
        if let Some(branches) = list(schema, "anyOf") {
            self.any_of(branches, value, path);
        }
        if let Some(branches) = list(schema, "oneOf") {
            self.one_of(branches, value, path);
        }
        if let Some(wanted) = schema.get("const").filter(|wanted| *wanted != value) {
            let code = ViolationCode::WrongValue;
            return self.report(code, path, wanted.to_string(), value.to_string());
        }
        if let Some(allowed) = list(schema, "enum").filter(|allowed| !allowed.contains(value)) {
            let wanted = alternatives(allowed.iter().map(ToString::to_string));
            return self.report(ViolationCode::WrongValue, path, wanted, value.to_string());
        }
        let types = type_names(schema);
        if !types.is_empty() && !types.iter().any(|name| is_of_type(value, name)) {
            let wanted = alternatives(types.iter().map(|name| (*name).to_owned()));
            let code = ViolationCode::WrongType;
            return self.report(code, path, wanted, describe(value));
        }
        match value {
            Value::Object(fields) => self.object(schema, fields, path),
            Value::Array(items) => self.array(schema, items, path),
            Value::Number(_) => self.number(schema, value, path),
            Value::String(text) => self.text(schema, text, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn target(&self, schema: &Value) -> Option<&'a Value> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    /// What each branch finds wrong with the value.
    fn faults(&self, branches: &[Value], value: &Value, path: &str) -> Vec<Vec<Violation>> {
        let faults = branches.iter().map(|branch| {
            let mut check = Check {
                root: self.root,
                found: Vec::new(),
            };
            check.value(branch, value, path);
            check.found
        });
        faults.collect()
    }

    fn any_of(&mut self, branches: &[Value], value: &Value, path: &str) {
        let faults = self.faults(branches, value, path);
        if !faults.iter().any(Vec::is_empty) {
            self.meets_none(branches, faults, value, path);
        }
    }

    fn one_of(&mut self, branches: &[Value], value: &Value, path: &str) {
        let faults = self.faults(branches, value, path);
        match faults.iter().filter(|faults| faults.is_empty()).count() {
            0 => self.meets_none(branches, faults, value, path),
            1 => {}
            met => {
                let code = ViolationCode::WrongValue;
                let wanted = "exactly one of the alternatives".to_owned();
                self.report(code, path, wanted, format!("a value of {met} of them"));
            }
        }
    }

    /// A value that meets no branch is told what the one branch asks for that it belongs to: the only one that finds
    /// nothing wrong with it as a whole, or the only one with substance.
    fn meets_none(
        &mut self,
        branches: &[Value],
        faults: Vec<Vec<Violation>>,
        value: &Value,
        path: &str,
    ) {
        let is_inside = |faults: &&Vec<Violation>| faults.iter().all(|fault| fault.path != path);
        let mut inside = faults.iter().filter(is_inside);
        if let (Some(only), None) = (inside.next(), inside.next()) {
            self.found.extend(only.iter().cloned());
            return;
        }
        let is_null = |branch: &&Value| type_names(branch) == ["null"];
        if branches.iter().filter(|branch| !is_null(branch)).count() == 1 {
            let kept = branches.iter().zip(faults).filter(|(it, _)| !is_null(it));
            self.found.extend(kept.flat_map(|(_, faults)| faults));
            return;
        }
        let wanted = faults.iter().flatten().map(|fault| fault.expected.clone());
        let wanted = alternatives(wanted);
        self.report(ViolationCode::WrongValue, path, wanted, value.to_string());
    }

    fn array(&mut self, schema: &Value, items: &[Value], path: &str) {
        if let Some(wanted) = schema.get("items") {
            for (at, item) in items.iter().enumerate() {
                self.value(wanted, item, &format!("{path}/{at}"));
            }
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            for (at, item) in items.iter().enumerate() {
                if items[..at].contains(item) {
                    let at = format!("{path}/{at}");
                    let wanted = "a value that is not in the list".to_owned();
                    self.report(ViolationCode::WrongValue, &at, wanted, item.to_string());
                }
            }
        }
    }

    fn object(&mut self, schema: &Value, fields: &Map<String, Value>, path: &str) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for name in list(schema, "required").unwrap_or_default() {
            let Some(name) = name.as_str().filter(|name| !fields.contains_key(*name)) else {
                continue;
            };
            let at = format!("{path}/{}", escape(name));
            self.report(
                ViolationCode::MissingField,
                &at,
                "a value".to_owned(),
                "nothing".to_owned(),
            );
        }
        for (name, value) in fields {
            let at = format!("{path}/{}", escape(name));
            let declared = properties.and_then(|properties| properties.get(name));
            match declared.or_else(|| schema.get("additionalProperties")) {
                Some(Value::Bool(false)) => {
                    let names = properties.into_iter().flat_map(Map::keys).cloned();
                    let mut names: Vec<String> = names.collect();
                    names.sort();
                    let wanted = alternatives(names.into_iter());
                    self.report(ViolationCode::UnknownField, &at, wanted, name.clone());
                }
                Some(wanted) => self.value(wanted, value, &at),
                None => {}
            }
        }
    }

    fn number(&mut self, schema: &Value, value: &Value, path: &str) {
        let format = schema.get("format").and_then(Value::as_str);
        let fits = format.and_then(integer_range).is_none_or(|(low, high)| {
            integer(value).is_some_and(|value| (low..=high).contains(&value))
        });
        let minimum = schema.get("minimum").and_then(integer);
        let below = minimum
            .zip(integer(value))
            .is_some_and(|(minimum, value)| value < minimum);
        if !fits || below {
            let wanted = format.unwrap_or("a number in range").to_owned();
            self.report(ViolationCode::OutOfRange, path, wanted, value.to_string());
        }
    }

    fn text(&mut self, schema: &Value, text: &str, path: &str) {
        let is_digest = schema.get("pattern").and_then(Value::as_str) == Some(DIGEST_PATTERN);
        if is_digest && !crate::payload::is_digest(text) {
            let wanted = "64 lower-case hexadecimal digits".to_owned();
            let found = format!("{} characters", text.chars().count());
            self.report(ViolationCode::WrongValue, path, wanted, found);
        }
    }
}

/// The names of the fields that a schema declares.
pub(crate) fn names_of_fields(schema: &Value) -> impl Iterator<Item = &str> {
    let fields = schema.get("properties").and_then(Value::as_object);
    fields.into_iter().flat_map(Map::keys).map(String::as_str)
}

pub(crate) fn list<'a>(schema: &'a Value, keyword: &str) -> Option<&'a [Value]> {
    schema.get(keyword)?.as_array().map(Vec::as_slice)
}

pub(crate) fn type_names(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => value.is_null(),
    }
}

/// The type of a value, and the value where it is short.
fn describe(value: &Value) -> String {
    match value {
        Value::Object(_) => "object".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Number(number) => format!("number {number}"),
        Value::Bool(flag) => format!("boolean {flag}"),
        Value::Null => "null".to_owned(),
    }
}

fn alternatives(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

/// **Source**: RFC 6901, section 3.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
