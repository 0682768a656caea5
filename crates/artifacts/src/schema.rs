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
const KEYWORDS: [&str; 19] = [
    "$defs",
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
];

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

impl Check<'_> {
    fn report(&mut self, code: ViolationCode, path: &str, expected: String, actual: String) {
        self.found
            .push(Violation::new(code, path, expected, actual));
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str) {
        if let Some(target) = self.target(schema) {
            return self.value(&target, value, path);
        }
        if let Some(branches) = list(schema, "anyOf").or_else(|| list(schema, "oneOf")) {
            return self.one_of(branches, value, path);
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
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    if let Some(wanted) = schema.get("items") {
                        self.value(wanted, item, &format!("{path}/{at}"));
                    }
                }
            }
            Value::Number(_) => self.number(schema, value, path),
            Value::String(text) => self.text(schema, text, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn target(&self, schema: &Value) -> Option<Value> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer).cloned()
    }

    /// A value that meets no branch is told what the only branch with substance asks for, where there is only one.
    fn one_of(&mut self, branches: &[Value], value: &Value, path: &str) {
        let faults: Vec<Vec<Violation>> = branches
            .iter()
            .map(|branch| {
                let mut check = Check {
                    root: self.root,
                    found: Vec::new(),
                };
                check.value(branch, value, path);
                check.found
            })
            .collect();
        if faults.iter().any(Vec::is_empty) {
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
        let fits = match format {
            Some("int32") => value.as_i64().is_some_and(|it| i32::try_from(it).is_ok()),
            Some("uint32") => value.as_u64().is_some_and(|it| u32::try_from(it).is_ok()),
            Some("int64") => value.is_i64(),
            Some("uint64") => value.is_u64(),
            _ => true,
        };
        let below = schema
            .get("minimum")
            .and_then(Value::as_i64)
            .zip(value.as_i64())
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

fn list<'a>(schema: &'a Value, keyword: &str) -> Option<&'a [Value]> {
    schema.get(keyword)?.as_array().map(Vec::as_slice)
}

fn type_names(schema: &Value) -> Vec<&str> {
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
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
