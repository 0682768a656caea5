//! Meanings on the way into a stored schema and back.
//!
//! A stored schema keeps a meaning under a key of ours and not as an Arrow extension type, because readers that know
//! extension types but not ours refuse files that do not repeat them (Polars: "data type mismatch"). Whoever opens a
//! table through the registry gets the extension types back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema};

use crate::SemanticType;

/// The key in a stored field's metadata.
const STORED_KEY: &str = "ossature.semantic_type";

/// The schema as it is stored: extension types of ours become metadata of ours, at every depth.
///
/// ```
/// use ossature_schema_spec::{SemanticType, from_stored, to_stored};
/// # use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
/// # let spec = DatasetSpec::builder("cpg.a", "")
/// #     .column(ColumnSpec::required("id", ColumnType::Int64)?.semantic(SemanticType::NodeId)?)
/// #     .build()?;
/// let declared = spec.arrow_schema();
/// let stored = to_stored(&declared);
/// assert_eq!(stored.field(0).extension_type_name(), None);
/// assert_eq!(from_stored(&stored), *declared);
/// # Ok::<(), ossature_schema_spec::Error>(())
/// ```
pub fn to_stored(schema: &Schema) -> Schema {
    rename_key(schema, EXTENSION_TYPE_NAME_KEY, STORED_KEY)
}

/// The schema with the extension types that [`to_stored`] took off.
pub fn from_stored(schema: &Schema) -> Schema {
    rename_key(schema, STORED_KEY, EXTENSION_TYPE_NAME_KEY)
}

fn rename_key(schema: &Schema, from: &str, to: &str) -> Schema {
    Schema::new(rename_in(schema.fields(), from, to)).with_metadata(schema.metadata().clone())
}

fn rename_in(fields: &Fields, from: &str, to: &str) -> Fields {
    fields.iter().map(|field| rename(field, from, to)).collect()
}

fn rename(field: &FieldRef, from: &str, to: &str) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(rename_in(fields, from, to)),
        DataType::List(element) => DataType::List(rename(element, from, to)),
        DataType::Map(entry, sorted) => DataType::Map(rename(entry, from, to), *sorted),
        plain => plain.clone(),
    };
    let mut metadata: HashMap<String, String> = field.metadata().clone();
    let is_ours = |name: &&String| SemanticType::from_extension_name(name).is_some();
    if let Some(name) = metadata.get(from).filter(is_ours).cloned() {
        metadata.remove(from);
        metadata.insert(to.to_owned(), name);
    }
    let renamed = Field::new(field.name(), data_type, field.is_nullable());
    Arc::new(renamed.with_metadata(metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings_inside_nested_types_survive_and_others_are_left_alone() {
        let tagged = |name: &str, extension: &str| {
            let metadata = [(EXTENSION_TYPE_NAME_KEY.to_owned(), extension.to_owned())];
            Field::new(name, DataType::Int64, false).with_metadata(metadata.into())
        };
        let inner = DataType::Struct(vec![tagged("id", "ossature.node_id")].into());
        let element = Field::new("element", inner, false);
        let schema = Schema::new(vec![
            Field::new("entries", DataType::List(Arc::new(element)), false),
            tagged("theirs", "arrow.uuid"),
        ]);
        let stored = to_stored(&schema);
        assert_eq!(stored.field(1).extension_type_name(), Some("arrow.uuid"));
        assert!(!format!("{:?}", stored.field(0)).contains(EXTENSION_TYPE_NAME_KEY));
        assert_eq!(from_stored(&stored), schema);
    }
}
