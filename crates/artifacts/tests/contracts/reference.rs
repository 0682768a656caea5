//! `docs/contracts.md`: every contract as a person wants to look it up.

use std::fmt::Write as _;

use ossature_artifacts::{CONTRACTS, Contract, Envelope};
use serde_json::Value;

use crate::check;
use crate::files::edited;

const HEAD: &str = "\
# Contracts

What every kind of artifact holds. Generated from `CONTRACTS` in `crates/artifacts/src/contract.rs` by `cargo xtask contracts`.

An artifact is an envelope: `kind`, `version` and `payload`. All contracts are strict: a field that is not named here is
refused, and everything that is wrong with an artifact is told at once, each fault with its place.
A place is a JSON Pointer from the envelope, in which `*` stands for any entry of a list or a map.
A required field is always there; another one may be absent, and is then read as its default or as nothing.
What is `stable` is meant to be in the next version of the contract as well, what is `experimental` may not be, and what is
`deprecated` will not be; as long as the version is the same, each stays.

[`contracts/`](../contracts) holds the JSON Schemas, an example of each as JSON and as MsgPack in base64, and examples that
are refused; `index.json` lists them, with the id of each example as an artifact.
[`contracts/released/`](../contracts/released) holds the versions that were released. They are never edited and always read.

| kind | version | domain | table |
|---|---|---|---|
";

/// A field, and where it is.
struct Row {
    path: String,
    kind: String,
    is_required: bool,
    maturity: String,
    description: String,
}

/// The fields of a schema, outside in.
struct Fields<'a> {
    root: &'a Value,
    /// The references on the way, in which a schema that refers to itself is not unfolded again.
    way: Vec<&'a str>,
    rows: Vec<Row>,
}

impl<'a> Fields<'a> {
    fn of(schema: &'a Value) -> Vec<Row> {
        let mut fields = Self {
            root: schema,
            way: Vec::new(),
            rows: Vec::new(),
        };
        fields.below(&schema["properties"]["payload"], "/payload");
        fields.rows
    }

    fn target(&self, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
        let reference = schema.get("$ref")?.as_str()?;
        let target = self.root.pointer(reference.strip_prefix('#')?).unwrap();
        Some((reference, target))
    }

    /// Adds the fields that a schema has, or that those it is made of have.
    fn below(&mut self, schema: &'a Value, path: &str) {
        if let Some((reference, target)) = self.target(schema) {
            if !self.way.contains(&reference) {
                self.way.push(reference);
                self.below(target, path);
                self.way.pop();
            }
            return;
        }
        for branch in branches(schema) {
            self.below(branch, path);
        }
        for keyword in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(keyword) {
                self.below(inner, &format!("{path}/*"));
            }
        }
        let required = schema["required"].as_array();
        for (name, field) in sorted(&schema["properties"]) {
            let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
            let description = field["description"].as_str();
            let named = self
                .target(field)
                .and_then(|it| it.1["description"].as_str());
            self.rows.push(Row {
                path: path.clone(),
                kind: self.words(field),
                is_required: required.is_some_and(|it| it.iter().any(|it| it == name)),
                maturity: field["x-maturity"].as_str().unwrap().to_owned(),
                description: description.or(named).unwrap_or_default().to_owned(),
            });
            self.below(field, &path);
        }
    }

    /// The type of a value in a few words.
    fn words(&self, schema: &'a Value) -> String {
        if let Some((_, target)) = self.target(schema) {
            return self.words(target);
        }
        let inner = |keyword: &str| schema.get(keyword).filter(|it| it.is_object());
        let mut words: Vec<String> = branches(schema).map(|it| self.words(it)).collect();
        let values = schema["enum"].as_array().into_iter().flatten();
        words.extend(
            values
                .chain(schema.get("const"))
                .map(|it| format!("`{it}`")),
        );
        if words.is_empty() {
            let names = match &schema["type"] {
                Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                name => Vec::from_iter(name.as_str()),
            };
            words.extend(names.into_iter().map(|name| {
                match (name, inner("items"), inner("additionalProperties")) {
                    ("array", Some(items), _) => format!("list of {}", self.words(items)),
                    ("object", _, Some(values)) => format!("map of {}", self.words(values)),
                    ("integer", ..) => schema["format"].as_str().unwrap_or(name).to_owned(),
                    ("string", ..) if schema.get("pattern").is_some() => "digest".to_owned(),
                    _ => name.to_owned(),
                }
            }));
        }
        if words.is_empty() {
            return "any".to_owned();
        }
        words.dedup();
        words.join(" or ")
    }
}

fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let branches = ["anyOf", "oneOf"].map(|keyword| schema[keyword].as_array());
    branches.into_iter().flatten().flatten()
}

/// The order of a map depends on who built it.
fn sorted(fields: &Value) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.as_object().into_iter().flatten().collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn table_name(contract: &Contract) -> String {
    let name = contract.table.map(|table| format!("`{}`", table.name()));
    name.unwrap_or_else(|| "in other payloads".to_owned())
}

fn section(page: &mut String, contract: &Contract) {
    let Contract { kind, version, .. } = contract;
    let (schema, stem) = (contract.schema(), contract.stem());
    let payload = &schema["properties"]["payload"];
    writeln!(page, "\n## {kind} v{version}\n").unwrap();
    writeln!(page, "{}\n", payload["description"].as_str().unwrap()).unwrap();
    writeln!(
        page,
        "Domain `{}`; kept in {}; [schema](../contracts/{stem}.schema.json), [example](../contracts/examples/{stem}.json).\n",
        contract.domain.as_str(),
        table_name(contract).replace("in other", "other"),
    )
    .unwrap();
    page.push_str("| place | type | required | maturity | what it is |\n|---|---|---|---|---|\n");
    for row in Fields::of(&schema) {
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            row.path,
            cell(&row.kind),
            if row.is_required { "yes" } else { "no" },
            row.maturity,
            cell(&row.description),
        )
        .unwrap();
    }
    page.push_str("\nRefused:\n\n");
    for rejected in contract.rejected {
        let name = rejected.name;
        let example = edited(contract, rejected).to_string();
        let envelope = Envelope::from_json(&example).unwrap();
        let rejection = (contract.reseal)(&envelope).unwrap_err();
        writeln!(
            page,
            "- [`{name}`](../contracts/rejected/{stem}.{name}.json)"
        )
        .unwrap();
        for violation in rejection.violations() {
            writeln!(page, "  - `{violation}`").unwrap();
        }
    }
}

#[test]
fn the_reference_is_fresh() {
    let mut page = HEAD.to_owned();
    for contract in CONTRACTS {
        let Contract { kind, version, .. } = contract;
        let (domain, table) = (contract.domain.as_str(), table_name(contract));
        let anchor = format!("{kind}-v{version}");
        writeln!(
            page,
            "| [`{kind}`](#{anchor}) | {version} | {domain} | {table} |"
        )
        .unwrap();
    }
    for contract in CONTRACTS {
        section(&mut page, contract);
    }
    check("docs/contracts.md", &page);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_has_a_row_and_its_type_in_words() {
        let field = |mut schema: Value| {
            schema["x-maturity"] = json!("stable");
            schema
        };
        let schema = json!({
            "properties": {"payload": {
                "properties": {
                    "any": field(json!({})),
                    "choice": field(json!({"oneOf": [{"const": "a"}, {"properties": {"b/c": field(json!({"type": "null"}))}, "type": "object"}]})),
                    "map": field(json!({"type": "object", "additionalProperties": {"type": "integer", "format": "uint8"}})),
                    "maybe": field(json!({"type": ["string", "null"], "description": "A | B\nC."})),
                    "trees": field(json!({"type": "array", "items": {"$ref": "#/$defs/Tree"}})),
                },
                "required": ["any"],
            }},
            "$defs": {"Tree": {
                "type": "object",
                "properties": {"inner": field(json!({"$ref": "#/$defs/Tree"}))},
            }},
        });
        let rows = Fields::of(&schema);
        let lines: Vec<String> = rows
            .iter()
            .map(|it| {
                format!(
                    "{} | {} | {} | {}",
                    it.path,
                    it.kind,
                    it.is_required,
                    cell(&it.description)
                )
            })
            .collect();
        expect![[r#"
            /payload/any | any | true | 
            /payload/choice | `"a"` or object | false | 
            /payload/choice/b~1c | null | false | 
            /payload/map | map of uint8 | false | 
            /payload/maybe | string or null | false | A \| B C.
            /payload/trees | list of object | false | 
            /payload/trees/*/inner | object | false | "#]]
        .assert_eq(&lines.join("\n"));
    }
}
