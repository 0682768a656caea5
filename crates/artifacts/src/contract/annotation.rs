//! What a schema says beside its rules: whose payload it is, how strictly it is read, and how far to rely on a field.

use serde_json::{Map, Value, json};

use super::{Contract, Domain};
use crate::schema::names_of_fields;

/// How far a field may be relied on, see [`Maturity::of`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maturity {
    /// It stays as long as the version does, and the next version is meant to have it.
    Stable,
    /// It stays as long as the version does; the next version may have it no more, or otherwise.
    Experimental,
    /// It stays as long as the version does; the next version will not have it.
    Deprecated,
}

impl Maturity {
    /// The keyword.
    pub(crate) const KEYWORD: &str = "x-maturity";

    /// What the schema of a field says of it. A payload's type says it by
    /// `#[schemars(extend("x-maturity" = "experimental"))]` on the field; where nothing is said, the field is stable.
    ///
    /// `None` for a word that is no maturity.
    pub(crate) fn of(field: &Value) -> Option<Self> {
        match field.get(Self::KEYWORD) {
            None => Some(Self::Stable),
            Some(word) => match word.as_str()? {
                "stable" => Some(Self::Stable),
                "experimental" => Some(Self::Experimental),
                "deprecated" => Some(Self::Deprecated),
                _ => None,
            },
        }
    }
}

/// The schema of a contract's envelopes with everything that is said beside the rules.
pub(super) fn annotated(contract: &Contract, mut schema: Value) -> Value {
    state_maturity(&mut schema);
    let strictness = if is_strict(&schema) { "strict" } else { "open" };
    if let Some(keywords) = schema.as_object_mut() {
        let Contract { domain, .. } = contract;
        keywords.insert("$id".to_owned(), json!(contract.urn()));
        keywords.insert(Domain::KEYWORD.to_owned(), json!(domain.as_str()));
        keywords.insert("x-strictness".to_owned(), json!(strictness));
    }
    schema
}

/// Puts the maturity on every field that does not say it.
fn state_maturity(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    if let Some(fields) = keywords
        .get_mut("properties")
        .and_then(Value::as_object_mut)
    {
        for field in fields.values_mut() {
            if field == &Value::Bool(true) {
                *field = Value::Object(Map::new());
            }
            if let Some(keywords) = field.as_object_mut() {
                let stable = || json!("stable");
                keywords.entry(Maturity::KEYWORD).or_insert_with(stable);
            }
        }
    }
    inner_mut(keywords).for_each(state_maturity);
}

/// Whether every object that has fields refuses all others.
fn is_strict(schema: &Value) -> bool {
    let Some(keywords) = schema.as_object() else {
        return true;
    };
    let is_closed = keywords.get("additionalProperties") == Some(&Value::Bool(false));
    let has_fields = names_of_fields(schema).next().is_some();
    (is_closed || !has_fields) && inner(keywords).all(is_strict)
}

/// The schemas that a schema is made of.
fn inner(keywords: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    keywords.iter().flat_map(|(keyword, value)| {
        let inner: Vec<&Value> = match (keyword.as_str(), value) {
            ("properties" | "$defs", Value::Object(named)) => named.values().collect(),
            ("anyOf" | "oneOf", Value::Array(branches)) => branches.iter().collect(),
            ("items" | "additionalProperties", schema) => vec![schema],
            _ => Vec::new(),
        };
        inner
    })
}

/// As [`inner`].
fn inner_mut(keywords: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    keywords.iter_mut().flat_map(|(keyword, value)| {
        let inner: Vec<&mut Value> = match (keyword.as_str(), value) {
            ("properties" | "$defs", Value::Object(named)) => named.values_mut().collect(),
            ("anyOf" | "oneOf", Value::Array(branches)) => branches.iter_mut().collect(),
            ("items" | "additionalProperties", schema) => vec![schema],
            _ => Vec::new(),
        };
        inner
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CONTRACTS;

    /// Calls `check` with every schema of a field, and the name of the field.
    fn fields(schema: &Value, check: &mut impl FnMut(&str, &Value)) {
        let Some(keywords) = schema.as_object() else {
            return;
        };
        for name in names_of_fields(schema) {
            check(name, &schema["properties"][name]);
        }
        inner(keywords).for_each(|inner| fields(inner, check));
    }

    #[test]
    fn every_field_says_its_maturity_in_a_word_that_exists() {
        let mut seen = 0;
        for contract in CONTRACTS {
            fields(&contract.schema(), &mut |name, field| {
                assert!(field.get(Maturity::KEYWORD).is_some(), "{name}: {field}");
                assert!(Maturity::of(field).is_some(), "{name}: {field}");
                seen += 1;
            });
        }
        assert!(seen > 200, "{seen} fields were seen");
    }

    #[test]
    fn what_a_field_says_is_kept() {
        let mut schema = json!({
            "properties": {
                "free": true,
                "list": {"items": {"properties": {"inner": {"type": "null"}}}},
                "new": {"$ref": "#/$defs/New", "x-maturity": "experimental"},
            },
            "$defs": {"New": {"anyOf": [{"properties": {"properties": {}}}]}},
        });
        state_maturity(&mut schema);
        let stable = json!("stable");
        assert_eq!(schema["properties"]["free"], json!({"x-maturity": stable}));
        let inner = &schema["properties"]["list"]["items"]["properties"]["inner"];
        assert_eq!(inner["x-maturity"], stable);
        assert_eq!(schema["properties"]["new"]["x-maturity"], "experimental");
        let named = &schema["$defs"]["New"]["anyOf"][0]["properties"];
        assert_eq!(named, &json!({"properties": {"x-maturity": stable}}));
        assert_eq!(Maturity::of(&json!({"x-maturity": "solid"})), None);
        assert_eq!(Maturity::of(&json!({"x-maturity": 1})), None);
    }

    #[test]
    fn every_contract_is_strict_and_an_open_object_is_noticed() {
        for contract in CONTRACTS {
            assert_eq!(contract.schema()["x-strictness"], "strict");
        }
        let open = json!({"properties": {"a": {}}});
        let closed = json!({"properties": {"a": {}}, "additionalProperties": false});
        assert!(is_strict(&closed));
        assert!(is_strict(
            &json!({"additionalProperties": {"type": "string"}})
        ));
        assert!(!is_strict(&open));
        assert!(!is_strict(&json!({"anyOf": [closed, {"items": open}]})));
    }

    #[test]
    fn a_schema_names_itself_and_whose_payload_it_is() {
        let contract = CONTRACTS.iter().find(|it| it.kind == "run_manifest");
        let schema = contract.unwrap().schema();
        assert_eq!(schema["$id"], "urn:ossature:contract:run_manifest:v1");
        assert_eq!(schema["x-domain"], "run");
    }
}
