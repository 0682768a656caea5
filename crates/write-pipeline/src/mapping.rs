//! Columns that the table knows by number: column mapping, as tables of ours have it.
//!
//! Every column keeps its name in files, so that nothing but the numbers is new: which the schema and every file tell. A
//! table in which somebody else gave columns other names inside of files is not written to.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use deltalake_core::kernel::StructType;
use ossature_delta_policy::schema_key::{COLUMN_ID, PHYSICAL_NAME};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::{Value, json};

use crate::Error;

/// Numbers all columns and the fields of nested ones, and tells the largest number.
pub(crate) fn number_columns(schema: &StructType) -> Result<(StructType, i64), serde_json::Error> {
    let mut value = serde_json::to_value(schema)?;
    let mut last = 0;
    number(&mut value, &mut last);
    Ok((serde_json::from_value(value)?, last))
}

/// Numbers the fields of a type in its JSON form.
fn number(of: &mut Value, last: &mut i64) {
    if let Some(Value::Array(fields)) = of.get_mut("fields") {
        for field in fields {
            *last += 1;
            let name = field.get("name").cloned().unwrap_or_default();
            if let Some(Value::Object(metadata)) = field.get_mut("metadata") {
                metadata.insert(COLUMN_ID.to_owned(), json!(*last));
                metadata.insert(PHYSICAL_NAME.to_owned(), name);
            }
            if let Some(inner) = field.get_mut("type") {
                number(inner, last);
            }
        }
    }
    for inner in ["elementType", "keyType", "valueType"] {
        if let Some(inner) = of.get_mut(inner) {
            number(inner, last);
        }
    }
}

/// The columns of files with the numbers that the table's columns have.
pub(crate) fn with_numbers(files: &Schema, stored: &Fields) -> SchemaRef {
    Arc::new(Schema::new(number_fields(files.fields(), stored)))
}

fn number_fields(fields: &Fields, stored: &Fields) -> Fields {
    let numbered = |field: &FieldRef| -> FieldRef {
        let Some((_, found)) = stored.find(field.name()) else {
            return Arc::clone(field);
        };
        let mut metadata = field.metadata().clone();
        if let Some(number) = found.metadata().get(COLUMN_ID) {
            metadata.insert(PARQUET_FIELD_ID_META_KEY.to_owned(), number.clone());
        }
        let inner = number_type(field.data_type(), found.data_type());
        let nullable = field.is_nullable();
        Arc::new(Field::new(field.name(), inner, nullable).with_metadata(metadata))
    };
    fields.iter().map(numbered).collect()
}

fn number_type(of: &DataType, stored: &DataType) -> DataType {
    let below = |field: &FieldRef, stored: &FieldRef| -> FieldRef {
        let inner = number_type(field.data_type(), stored.data_type());
        Arc::new(field.as_ref().clone().with_data_type(inner))
    };
    match (of, stored) {
        (DataType::Struct(fields), DataType::Struct(stored)) => {
            DataType::Struct(number_fields(fields, stored))
        }
        (DataType::List(element), DataType::List(stored)) => DataType::List(below(element, stored)),
        (DataType::Map(entry, sorted), DataType::Map(stored, _)) => {
            match (entry.data_type(), stored.data_type()) {
                (DataType::Struct(pair), DataType::Struct(stored)) => {
                    let fields = pair.iter().zip(stored);
                    let pair = fields.map(|(field, stored)| below(field, stored)).collect();
                    let entry = entry
                        .as_ref()
                        .clone()
                        .with_data_type(DataType::Struct(pair));
                    DataType::Map(Arc::new(entry), *sorted)
                }
                _ => of.clone(),
            }
        }
        _ => of.clone(),
    }
}

/// The same rows under a schema that differs in the metadata of fields alone.
pub(crate) fn retype(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Error> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(array, field)| -> Result<ArrayRef, Error> {
        if array.data_type() == field.data_type() {
            return Ok(Arc::clone(array));
        }
        Ok(make_array(retype_data(
            &array.to_data(),
            field.data_type(),
        )?))
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

fn retype_data(
    data: &arrow_data::ArrayData,
    wanted: &DataType,
) -> Result<arrow_data::ArrayData, Error> {
    let below: Vec<&DataType> = match wanted {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::List(field) | DataType::Map(field, _) => vec![field.data_type()],
        _ => Vec::new(),
    };
    let children = data.child_data().iter().zip(below);
    let children = children.map(|(child, wanted)| retype_data(child, wanted));
    let children = children.collect::<Result<Vec<_>, _>>()?;
    let builder = data.clone().into_builder().data_type(wanted.clone());
    Ok(builder.child_data(children).build()?)
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::{Int64Builder, ListBuilder};
    use arrow_array::{Int64Array, StructArray};
    use deltalake_core::kernel::engine::arrow_conversion::{TryIntoArrow as _, TryIntoKernel as _};

    use super::*;

    fn nested() -> Schema {
        let inner = Fields::from(vec![Field::new("a", DataType::Int64, true)]);
        let item = Field::new("element", DataType::Int64, true);
        Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("both", DataType::Struct(inner), true),
            Field::new("list", DataType::List(Arc::new(item)), true),
        ])
    }

    #[test]
    fn all_columns_are_numbered_and_keep_their_names() {
        let schema: StructType = (&nested()).try_into_kernel().unwrap();
        let (numbered, last) = number_columns(&schema).unwrap();
        assert_eq!(last, 4);
        let stored: Schema = (&numbered).try_into_arrow().unwrap();
        assert!(ossature_registry::keeps_names(stored.fields()));
        assert!(!ossature_registry::keeps_names(nested().fields()));
        let mut value = serde_json::to_value(&numbered).unwrap();
        value["fields"][1]["type"]["fields"][0]["metadata"][PHYSICAL_NAME] = json!("col-1");
        let renamed: StructType = serde_json::from_value(value).unwrap();
        let stored: Schema = (&renamed).try_into_arrow().unwrap();
        assert!(!ossature_registry::keeps_names(stored.fields()));
    }

    #[test]
    fn rows_are_the_same_under_numbers() {
        let schema: StructType = (&nested()).try_into_kernel().unwrap();
        let stored: Schema = (&number_columns(&schema).unwrap().0)
            .try_into_arrow()
            .unwrap();
        let files = with_numbers(&nested(), stored.fields());
        let number = |field: &Field| field.metadata()[PARQUET_FIELD_ID_META_KEY].clone();
        assert_eq!(number(files.field(2)), "4");
        let mut lists = ListBuilder::new(Int64Builder::new()).with_field(Field::new(
            "element",
            DataType::Int64,
            true,
        ));
        lists.append_value([Some(1), None]);
        let DataType::Struct(inner) = nested().field(1).data_type().clone() else {
            unreachable!("it was declared so");
        };
        let both = StructArray::new(inner, vec![Arc::new(Int64Array::from(vec![7]))], None);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1])),
            Arc::new(both),
            Arc::new(lists.finish()),
        ];
        let batch = RecordBatch::try_new(Arc::new(nested()), columns).unwrap();
        let found = retype(&batch, &files).unwrap();
        assert_eq!(found.schema(), files);
        let again = retype(&found, &batch.schema()).unwrap();
        assert_eq!(again, batch);
    }
}
