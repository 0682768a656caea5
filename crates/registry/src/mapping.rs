//! Column mapping: whether files have columns under the names that the table gives them.

use datafusion::arrow::datatypes::{DataType, Fields};
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
