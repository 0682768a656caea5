//! Column mapping: whether files have columns under the names that the table gives them, and columns without what a
//! mapped table says of them.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use ossature_delta_policy::schema_key::{COLUMN_ID, PHYSICAL_NAME};

/// Whether every column of a mapped table has its own name in files, and a number; fields of nested columns likewise.
///
/// Then whoever looks for columns by name finds them. Our writer makes no other mapped tables; renaming a column, or adding
/// one, makes one of them.
pub fn keeps_names(stored: &Fields) -> bool {
    stored.iter().all(|field| {
        let metadata = field.metadata();
        metadata.get(PHYSICAL_NAME) == Some(field.name())
            && metadata.contains_key(COLUMN_ID)
            && keeps_names_below(field.data_type())
    })
}

fn keeps_names_below(of: &DataType) -> bool {
    match of {
        DataType::Struct(fields) => keeps_names(fields),
        DataType::List(element) => keeps_names_below(element.data_type()),
        // Neither the pairs of a map nor their halves have names of their own.
        DataType::Map(pair, _) => match pair.data_type() {
            DataType::Struct(halves) => halves
                .iter()
                .all(|half| keeps_names_below(half.data_type())),
            _ => true,
        },
        _ => true,
    }
}

/// The columns without their numbers, which are a matter of one table: the engine takes columns of two tables for different
/// ones by them.
pub(crate) fn without_numbers(schema: &Schema) -> Schema {
    Schema::new(plain_fields(schema.fields())).with_metadata(schema.metadata().clone())
}

fn plain_fields(fields: &Fields) -> Fields {
    fields.iter().map(plain_field).collect()
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(plain_fields(fields)),
        DataType::List(element) => DataType::List(plain_field(element)),
        DataType::Map(pair, sorted) => DataType::Map(plain_field(pair), *sorted),
        plain => plain.clone(),
    };
    let mut metadata = field.metadata().clone();
    metadata.retain(|key, _| key != COLUMN_ID && key != PHYSICAL_NAME);
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata))
}
