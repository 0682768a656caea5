//! A schema and where it stands in its document; what can be said of it alone.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::contract::annotation::Maturity;
use crate::schema::{escape, integer, list};

/// Keywords that say nothing about which documents are accepted.
const SILENT: &[&str] = &[
    "$comment",
    "$defs",
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
];

/// Keywords that are compared.
const UNDERSTOOD: &[&str] = &[
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
    "uniqueItems",
    "x-maturity",
];

/// How many references are followed from one to the next.
const HOPS_MAX: usize = 64;

/// The types of values, with numbers that are integers apart from those that are not.
pub(super) const TYPES: [&str; 7] = [
    "array", "boolean", "fraction", "integer", "null", "object", "string",
];

static ANYTHING: Value = Value::Bool(true);

/// A schema in a document.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    /// The schema.
    pub(super) schema: Cow<'a, Value>,
    /// A JSON Pointer to it.
    pub(super) path: String,
    /// What tells it from other schemas that are compared: a part of a schema has the path of the whole.
    pub(super) key: String,
}

impl<'a> Place<'a> {
    pub(super) fn root(schema: &'a Value) -> Self {
        Self::at(Cow::Borrowed(schema), String::new())
    }

    fn at(schema: Cow<'a, Value>, path: String) -> Self {
        let key = path.clone();
        Self { schema, path, key }
    }

    /// The value of a keyword.
    pub(super) fn get(&self, keyword: &str) -> Option<&Value> {
        self.schema.get(keyword)
    }

    /// The schema below a keyword.
    pub(super) fn below(&self, keyword: &str) -> Option<Place<'_>> {
        let schema = Cow::Borrowed(self.get(keyword)?);
        Some(Place::at(schema, format!("{}/{keyword}", self.path)))
    }

    /// The schema below a keyword, or one that accepts everything.
    pub(super) fn below_or_anything(&self, keyword: &str) -> Place<'_> {
        self.below(keyword).unwrap_or_else(|| Place {
            schema: Cow::Borrowed(&ANYTHING),
            path: format!("{}/{keyword}", self.path),
            // The same wherever it stands, so that what is below it is met again and the walk ends.
            key: "anything".to_owned(),
        })
    }

    /// The schema of a field, as it stands there.
    pub(super) fn field(&self, name: &str) -> Option<Place<'_>> {
        let schema = Cow::Borrowed(self.get("properties")?.get(name)?);
        let path = format!("{}/properties/{}", self.path, escape(name));
        Some(Place::at(schema, path))
    }

    /// A schema with this keyword of it alone.
    pub(super) fn only(&self, keyword: &str) -> Option<Place<'static>> {
        let schema = json!({keyword: self.get(keyword)?});
        let mut place = Place::at(Cow::Owned(schema), self.path.clone());
        place.key = format!("{}#{keyword}", self.key);
        Some(place)
    }

    /// The branches of a union, without looking into them.
    pub(super) fn branches(&self) -> impl Iterator<Item = Place<'_>> {
        ["anyOf", "oneOf"].into_iter().flat_map(move |keyword| {
            let branches = list(&self.schema, keyword).unwrap_or_default();
            branches.iter().enumerate().map(move |(at, branch)| {
                let path = format!("{}/{keyword}/{at}", self.path);
                Place::at(Cow::Borrowed(branch), path)
            })
        })
    }

    /// The keywords that say which documents are accepted.
    fn speaking(&self) -> impl Iterator<Item = &str> {
        let keywords = self.schema.as_object().into_iter().flat_map(Map::keys);
        keywords
            .map(String::as_str)
            .filter(|keyword| !is_silent(keyword, &self.path) && *keyword != "x-maturity")
    }

    fn is_only(&self, wanted: &[&str]) -> bool {
        let mut speaking = self.speaking();
        speaking.next().is_some_and(|it| wanted.contains(&it)) && speaking.next().is_none()
    }

    /// Whether it is a choice between schemas and nothing else.
    pub(super) fn is_union(&self) -> bool {
        self.is_only(&["anyOf", "oneOf"]) && self.branches().next().is_some()
    }

    /// Whether it accepts no value.
    pub(super) fn is_nothing(&self) -> bool {
        *self.schema == Value::Bool(false)
    }

    /// The schema that it refers to, if it is nothing but a reference. `None` when it leads nowhere.
    pub(super) fn resolved(&self, root: &Value) -> Option<Place<'a>> {
        let mut place = self.clone();
        for _ in 0..HOPS_MAX {
            if !place.is_only(&["$ref"]) {
                return Some(place);
            }
            let pointer = place.get("$ref")?.as_str()?.strip_prefix('#')?.to_owned();
            let target = Cow::Owned(root.pointer(&pointer)?.clone());
            place = Place::at(target, pointer);
        }
        None
    }

    /// The parts of it of which a document meets one: the branches of unions, the values of an enumeration, the types of a
    /// list of types. `None` when a reference leads nowhere.
    pub(super) fn alternatives(&self, root: &Value) -> Option<Vec<Place<'static>>> {
        self.alternatives_within(root, HOPS_MAX)
    }

    fn alternatives_within(&self, root: &Value, depth: usize) -> Option<Vec<Place<'static>>> {
        let depth = depth.checked_sub(1)?;
        let place = self.resolved(root)?;
        if place.is_union() {
            let mut parts = Vec::new();
            for branch in place.branches() {
                parts.extend(branch.alternatives_within(root, depth)?);
            }
            return Some(parts);
        }
        for (keyword, single) in [("enum", "const"), ("type", "type")] {
            let Some(options) = list(&place.schema, keyword) else {
                continue;
            };
            if keyword != single && place.get(single).is_some() {
                continue;
            }
            let part = |option: &Value| {
                let mut schema = place.schema.clone().into_owned();
                if let Some(keywords) = schema.as_object_mut() {
                    keywords.remove(keyword);
                    keywords.insert(single.to_owned(), option.clone());
                }
                let mut part = Place::at(Cow::Owned(schema), place.path.clone());
                part.key = format!("{}#{option}", place.key);
                part
            };
            return Some(options.iter().map(part).collect());
        }
        Some(vec![place.into_owned()])
    }

    fn into_owned(self) -> Place<'static> {
        Place {
            schema: Cow::Owned(self.schema.into_owned()),
            path: self.path,
            key: self.key,
        }
    }

    /// The types of the values that it may accept. `None` when it names a type that there is not.
    pub(super) fn types(&self) -> Option<BTreeSet<&'static str>> {
        if self.is_nothing() {
            return Some(BTreeSet::new());
        }
        match self.get("type") {
            None => Some(BTreeSet::from(TYPES)),
            Some(named) => types_named(named),
        }
    }

    /// The values that it accepts at the most, when it lists them.
    pub(super) fn listed(&self) -> Option<Vec<&Value>> {
        let types = self.types().unwrap_or_default();
        let constant = self.get("const");
        let values = match list(&self.schema, "enum") {
            Some(values) => values.iter().collect(),
            None => vec![constant?],
        };
        let kept = values.into_iter().filter(|value| {
            constant.is_none_or(|constant| constant == *value) && types.contains(type_of(value))
        });
        Some(kept.collect())
    }

    /// The names of the fields that a document has to have.
    pub(super) fn required(&self) -> BTreeSet<&str> {
        let names = list(&self.schema, "required").unwrap_or_default();
        names.iter().filter_map(Value::as_str).collect()
    }

    /// Whether no document meets this schema and the other one of the same document. `false` when that is not sure.
    pub(super) fn is_disjoint(&self, other: &Self, root: &Value) -> bool {
        is_disjoint(self, other, root, HOPS_MAX)
    }
}

fn is_disjoint(one: &Place<'_>, other: &Place<'_>, root: &Value, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let (Some(one), Some(other)) = (one.resolved(root), other.resolved(root)) else {
        return false;
    };
    if one.is_union() {
        let mut branches = one.branches();
        return branches.all(|branch| is_disjoint(&branch, &other, root, depth));
    }
    if other.is_union() {
        return is_disjoint(&other, &one, root, depth);
    }
    let (left, right) = (one.listed(), other.listed());
    // A fraction such as 1.0 is an integer to some readers.
    let has_fraction = |listed: &Option<Vec<&Value>>| {
        let mut values = listed.iter().flatten();
        values.any(|value| type_of(value) == "fraction")
    };
    if has_fraction(&left) || has_fraction(&right) {
        return false;
    }
    if let (Some(left), Some(right)) = (left, right) {
        return !left.iter().any(|value| right.contains(value));
    }
    let (Some(left), Some(right)) = (types_met(&one), types_met(&other)) else {
        return false;
    };
    let shared: Vec<_> = left.intersection(&right).collect();
    shared.is_empty()
        || (shared == [&"object"]
            && (demands_what_is_refused(&one, &other)
                || demands_what_is_refused(&other, &one)
                || disagrees_on_a_field(&one, &other, root, depth)))
}

/// The types of the values that a schema accepts, as far as they are listed.
fn types_met(place: &Place<'_>) -> Option<BTreeSet<&'static str>> {
    let types = place.types()?;
    Some(match place.listed() {
        None => types,
        Some(values) => values.into_iter().map(type_of).collect(),
    })
}

/// Whether one schema wants a field that the other one refuses.
fn demands_what_is_refused(one: &Place<'_>, other: &Place<'_>) -> bool {
    let is_closed = other.get("additionalProperties") == Some(&Value::Bool(false));
    // What fields of a pattern there are is not known here.
    let has_patterns = other.get("patternProperties").is_some();
    let mut required = one.required().into_iter();
    is_closed && !has_patterns && required.any(|name| other.field(name).is_none())
}

/// Whether both schemas want a field, of which no value is good for both.
fn disagrees_on_a_field(one: &Place<'_>, other: &Place<'_>, root: &Value, depth: usize) -> bool {
    let (left, right) = (one.required(), other.required());
    let mut shared = left.intersection(&right);
    shared.any(|name| match (one.field(name), other.field(name)) {
        (Some(left), Some(right)) => is_disjoint(&left, &right, root, depth),
        _ => false,
    })
}

/// The type of a value, as in [`TYPES`].
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if integer(value).is_some() => "integer",
        Value::Number(_) => "fraction",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_silent(keyword: &str, path: &str) -> bool {
    // Inside of a document, an id would change what references are relative to.
    let is_own_id = keyword == "$id" && path.is_empty();
    let is_annotation = keyword.starts_with("x-") && keyword != "x-maturity";
    is_own_id || is_annotation || SILENT.contains(&keyword)
}

/// The keywords that are neither compared nor silent, and what is no schema at all.
pub(super) fn unknown_keywords(place: &Place<'_>) -> impl Iterator<Item = String> {
    let keywords: Vec<String> = match place.schema.as_ref() {
        Value::Bool(_) => Vec::new(),
        Value::Object(keywords) => keywords
            .iter()
            .filter(|(it, _)| !is_silent(it, &place.path))
            .filter(|(it, value)| !UNDERSTOOD.contains(&it.as_str()) || !is_well_formed(it, value))
            .map(|(keyword, _)| keyword.clone())
            .collect(),
        other => vec![other.to_string()],
    };
    keywords.into_iter()
}

/// Whether the value of a keyword is of the form that is compared.
fn is_well_formed(keyword: &str, value: &Value) -> bool {
    let is_schema = |value: &Value| value.is_object() || value.is_boolean();
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    match keyword {
        "$ref" | "$schema" | "format" | "pattern" => value.is_string(),
        "additionalProperties" | "items" => is_schema(value),
        "anyOf" | "oneOf" => !items.is_empty() && items.iter().all(is_schema),
        "enum" => value.is_array(),
        "exclusiveMaximum" | "exclusiveMinimum" | "maximum" | "minimum" | "multipleOf" => {
            value.is_number()
        }
        "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength" | "minProperties" => {
            value.is_u64()
        }
        "properties" => value
            .as_object()
            .is_some_and(|fields| fields.values().all(is_schema)),
        "required" => value.is_array() && items.iter().all(Value::is_string),
        "type" => types_named(value).is_some(),
        "uniqueItems" => value.is_boolean(),
        "x-maturity" => Maturity::of(&json!({"x-maturity": value})).is_some(),
        _ => true,
    }
}

/// The types that a value of `type` names. `None` when it names one that there is not.
fn types_named(value: &Value) -> Option<BTreeSet<&'static str>> {
    let names = match value {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    let mut types = BTreeSet::new();
    for name in names {
        match name {
            "number" => types.extend(["fraction", "integer"]),
            "fraction" => return None,
            name => types.extend([*TYPES.iter().find(|it| **it == name)?]),
        }
    }
    Some(types)
}

/// Whether two schemas say the same in the same words, down to the definitions that they may refer to.
pub(super) fn is_same(old: (&Value, &Place<'_>), new: (&Value, &Place<'_>)) -> bool {
    let ((old_root, old), (new_root, new)) = (old, new);
    let spoken = spoken(&old.schema, &old.path);
    let refers = || spoken.to_string().contains("\"$");
    spoken == self::spoken(&new.schema, &new.path)
        && (!refers() || self::spoken(old_root, "") == self::spoken(new_root, ""))
}

/// A schema without what says nothing.
fn spoken(schema: &Value, path: &str) -> Value {
    let Some(keywords) = schema.as_object() else {
        return schema.clone();
    };
    let inner = |schema: &Value| spoken(schema, "/");
    let kept = keywords
        .iter()
        .filter(|(keyword, _)| *keyword == "$defs" || !is_silent(keyword, path));
    kept.map(|(keyword, value)| {
        let value = match (keyword.as_str(), value) {
            ("properties" | "$defs", Value::Object(named)) => {
                let named = named.iter();
                named.map(|(name, it)| (name.clone(), inner(it))).collect()
            }
            ("anyOf" | "oneOf", Value::Array(branches)) => branches.iter().map(inner).collect(),
            ("items" | "additionalProperties", schema) => inner(schema),
            _ => value.clone(),
        };
        (keyword.clone(), value)
    })
    .collect()
}
