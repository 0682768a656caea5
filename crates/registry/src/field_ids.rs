//! Columns that are found by identifiers.
//!
//! With column mapping by identifier, the identifiers in a file say which column is which, whatever the file calls
//! them. The runtime goes by the physical names in either mode: where a file calls a column otherwise it reads nulls,
//! or another column.

use buoyant_kernel::schema::{ColumnMetadataKey, DataType, MetadataValue, StructField, StructType};
use buoyant_kernel::table_features::ColumnMappingMode;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use deltalake_core::ObjectMeta;
use deltalake_core::parquet::schema::types::Type;
use futures::{StreamExt, TryStreamExt};

use crate::{Error, OpenTable};

/// Footers that are read at a time.
const FOOTERS: usize = 8;

/// Refuses a table whose columns are found by identifiers, when a file has other names for them.
///
/// **Errors**: [`Error::Unsupported`], [`Error::Delta`], [`Error::Engine`] when a footer cannot be read.
pub(crate) async fn check_field_ids(open: &OpenTable) -> Result<(), Error> {
    let snapshot = open.snapshot()?;
    let properties = snapshot.snapshot().table_properties();
    if properties.column_mapping_mode != Some(ColumnMappingMode::Id) {
        return Ok(());
    }
    let schema = snapshot.snapshot().schema();
    let store = open.table().object_store();
    let files = snapshot
        .log_data()
        .iter()
        .map(|file| ObjectMeta::try_from(&file))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Error::delta("listing files"))?;
    futures::stream::iter(files)
        .map(|file| {
            let (store, schema) = (&store, &schema);
            async move {
                let footer = DFParquetMetadata::new(store.as_ref(), &file)
                    .fetch_metadata()
                    .await
                    .map_err(Error::engine("reading a footer"))?;
                let columns = footer.file_metadata().schema_descr().root_schema();
                if are_named_alike(schema, columns) {
                    return Ok(());
                }
                Err(Error::Unsupported {
                    location: open.location().to_string(),
                    reason: format!(
                        "its columns are found by identifiers, under which `{}` has other names",
                        file.location
                    ),
                })
            }
        })
        .buffer_unordered(FOOTERS)
        .try_collect()
        .await
}

/// Whether every column that the file has is there under the physical name and the identifier of one field.
fn are_named_alike(fields: &StructType, columns: &Type) -> bool {
    fields.fields().all(|field| {
        let id = field.column_mapping_id();
        let id_of = |column: &Type| {
            let info = column.get_basic_info();
            info.has_id().then(|| i64::from(info.id()))
        };
        let name = physical_name(field);
        match columns.get_fields().iter().find(|it| it.name() == name) {
            Some(column) => id_of(column) == id && is_named_alike(field.data_type(), column),
            None => !columns.get_fields().iter().any(|it| id_of(it) == id),
        }
    })
}

/// The same for the fields inside of a column.
fn is_named_alike(data_type: &DataType, column: &Type) -> bool {
    match data_type {
        DataType::Struct(fields) => column.is_group() && are_named_alike(fields, column),
        DataType::Array(array) => {
            !has_fields(array.element_type())
                || inside(column, 0)
                    .and_then(|list| inside(list, 0))
                    .is_some_and(|element| is_named_alike(array.element_type(), element))
        }
        DataType::Map(map) => [map.key_type(), map.value_type()]
            .into_iter()
            .enumerate()
            .all(|(at, inner)| {
                !has_fields(inner)
                    || inside(column, 0)
                        .and_then(|entry| inside(entry, at))
                        .is_some_and(|column| is_named_alike(inner, column))
            }),
        _ => true,
    }
}

fn has_fields(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(_) => true,
        DataType::Array(array) => has_fields(array.element_type()),
        DataType::Map(map) => has_fields(map.key_type()) || has_fields(map.value_type()),
        _ => false,
    }
}

fn inside(column: &Type, at: usize) -> Option<&Type> {
    if !column.is_group() {
        return None;
    }
    Some(column.get_fields().get(at)?.as_ref())
}

fn physical_name(field: &StructField) -> &str {
    match field.get_config_value(&ColumnMetadataKey::ColumnMappingPhysicalName) {
        Some(MetadataValue::String(name)) => name,
        _ => field.name(),
    }
}
