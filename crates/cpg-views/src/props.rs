//! Properties: the views that are made from the catalogue, and the check of what they hold.

use std::collections::BTreeMap;

use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Error, FieldSpec};
use ossature_view_graph::View;

use crate::catalogue::{CATALOGUE, Property, ValueType};
use crate::column::{maybe, maybe_text, node, required, text};
use crate::policy::laid_out;

/// One row per property, and one row per entity.
pub(crate) fn views() -> Result<Vec<View>, Error> {
    Ok(vec![
        View::table(laid_out(props()?)?, props_sql()),
        View::table(
            laid_out(props_map()?)?,
            include_str!("views/cpg_props_map.sql"),
        ),
    ])
}

fn entity_columns() -> Result<[ColumnSpec; 2], Error> {
    Ok([
        text(
            "entity_kind",
            "`node`: so far only nodes have properties; columns say all that is known of edges.",
        )?,
        node("entity_id", "The node.")?,
    ])
}

fn props() -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(
        "cpg.cpg_props",
        "One row for every property of every node; absent values have no row.",
    )
    .columns(entity_columns()?)
    .columns([
        text("prop_key", "The key, see the catalogue of properties.")?,
        text(
            "value_type",
            "Which of the value columns is set: `string`, `int`, `float` or `bool`.",
        )?,
        maybe_text("value_string", "The value, when it is text.")?,
        maybe(
            "value_int",
            ColumnType::Int64,
            "The value, when it is an integer.",
        )?,
        maybe(
            "value_float",
            ColumnType::Float64,
            "The value, when it is a number with a fraction.",
        )?,
        maybe(
            "value_bool",
            ColumnType::Boolean,
            "The value, when it is true or false.",
        )?,
    ])
    .key(["entity_kind", "entity_id", "prop_key"])
    .order_by(["entity_kind", "entity_id", "prop_key"])
    .build()
}

fn props_map() -> Result<DatasetSpec, Error> {
    let value = ColumnType::Struct(vec![
        FieldSpec::nullable("value_type", ColumnType::Utf8)?,
        FieldSpec::nullable("value_string", ColumnType::Utf8)?,
        FieldSpec::nullable("value_int", ColumnType::Int64)?,
        FieldSpec::nullable("value_float", ColumnType::Float64)?,
        FieldSpec::nullable("value_bool", ColumnType::Boolean)?,
    ]);
    let map = ColumnType::Map {
        key: Box::new(ColumnType::Utf8),
        value: Box::new(FieldSpec::nullable("value", value)?),
    };
    DatasetSpec::builder(
        "cpg.cpg_props_map",
        "One row for every node that has properties.",
    )
    .columns(entity_columns()?)
    .column(required(
        "props",
        map,
        "The properties by key, keys sorted; a value is the value columns of `cpg.cpg_props`.",
    )?)
    .key(["entity_kind", "entity_id"])
    .order_by(["entity_kind", "entity_id"])
    .build()
}

/// One branch for each property of the catalogue.
fn props_sql() -> String {
    let branches: Vec<String> = CATALOGUE.iter().map(branch).collect();
    branches.join("\nUNION ALL\n")
}

fn branch(property: &Property) -> String {
    let Property {
        key,
        source,
        entity,
        column,
        ..
    } = property;
    let value = |value_type, sql_type| {
        let shown = if property.value_type == value_type {
            column
        } else {
            "NULL"
        };
        format!("CAST({shown} AS {sql_type})")
    };
    let condition = match property.condition {
        "" => format!("{column} IS NOT NULL"),
        condition => format!("{column} IS NOT NULL AND {condition}"),
    };
    format!(
        "SELECT 'node' AS entity_kind, {entity} AS entity_id, '{key}' AS prop_key, '{value_type}' AS value_type, \
         {string} AS value_string, {int} AS value_int, CAST(NULL AS DOUBLE) AS value_float, {flag} AS value_bool\n\
         FROM {source} WHERE {condition}",
        value_type = property.value_type.as_str(),
        string = value(ValueType::String, "VARCHAR"),
        int = value(ValueType::Int, "BIGINT"),
        flag = value(ValueType::Bool, "BOOLEAN"),
    )
}

/// Selects the properties that the catalogue does not allow.
pub(crate) fn violations_sql() -> String {
    let mut allowed: BTreeMap<(&str, &str), &[&str]> = BTreeMap::new();
    for property in CATALOGUE {
        allowed.insert(
            (property.key, property.value_type.as_str()),
            property.values,
        );
    }
    let rules: Vec<String> = allowed
        .iter()
        .map(|((key, value_type), values)| {
            let one_of = match values {
                [] => String::new(),
                values => format!(" AND value_string IN ('{}')", values.join("', '")),
            };
            format!("(prop_key = '{key}' AND value_type = '{value_type}'{one_of})")
        })
        .collect();
    format!(
        "SELECT * FROM cpg.cpg_props WHERE NOT (\n{}\n)",
        rules.join("\nOR ")
    )
}
