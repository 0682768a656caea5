//! The files of a pinned table, with what the log says of each.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use object_store::path::Path;
use serde_json::{Map, Value};

use crate::{Error, OpenTable};

/// One live file.
#[derive(Debug, Clone)]
pub(crate) struct TableFile {
    /// Path below the table's folder.
    pub(crate) path: Path,
    /// Bytes.
    pub(crate) size: u64,
    /// Values of the partition columns, in the order of the schema's last fields.
    pub(crate) partition_values: Vec<ScalarValue>,
    /// Rows, nulls and exact bounds of the columns inside the file.
    pub(crate) statistics: Arc<Statistics>,
}

/// Lists the live files, ordered by path. The schema's last `partition_columns` fields are partition columns.
///
/// Bounds are exact when the commit speaks for all rows. Below one that appended, files may be somebody else's, whose
/// bounds of texts are prefixes: files can be left out by them, and nothing more be concluded.
pub(crate) fn list_files(
    open: &OpenTable,
    schema: &SchemaRef,
    partition_columns: &[String],
) -> Result<Vec<TableFile>, Error> {
    let snapshot = open.snapshot()?;
    let data_columns = schema.fields().len() - partition_columns.len();
    let corrupt = |what, reason: String| Error::Corrupt {
        what,
        location: open.location().to_string(),
        reason,
    };
    let mut files = Vec::with_capacity(snapshot.log_data().num_files());
    for view in snapshot.log_data().iter() {
        let values = view.partition_values_map();
        let partition_values = schema.fields()[data_columns..]
            .iter()
            .map(|field| {
                // An empty text stands for null, whatever the type.
                let text = values.get(field.name()).cloned().flatten();
                match text.filter(|text| !text.is_empty()) {
                    None => ScalarValue::try_from(field.data_type()),
                    Some(text) => ScalarValue::try_from_string(text, field.data_type()),
                }
                .map_err(|error| corrupt("a partition value", error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        let statistics = match view.stats() {
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| corrupt("the statistics", error.to_string()))?,
            None => Value::Null,
        };
        let columns = schema.fields()[..data_columns]
            .iter()
            .map(|field| {
                let found = column_statistics(&statistics, field.name(), field.data_type());
                if open.commit().content.is_some() {
                    found
                } else {
                    found.to_inexact()
                }
            })
            .collect();
        files.push(TableFile {
            path: view.object_store_path(),
            size: u64::try_from(view.size()).unwrap_or_default(),
            partition_values,
            statistics: Arc::new(Statistics {
                num_rows: exact_count(statistics.get("numRecords")),
                total_byte_size: Precision::Absent,
                column_statistics: columns,
            }),
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn exact_count(value: Option<&Value>) -> Precision<usize> {
    value
        .and_then(Value::as_u64)
        .and_then(|count| usize::try_from(count).ok())
        .map_or(Precision::Absent, Precision::Exact)
}

/// Bounds are taken for integers and text only: our writer records them exactly. Bounds of floats are never used,
/// whoever wrote them, because they leave NaN out.
fn column_statistics(statistics: &Value, name: &str, data_type: &DataType) -> ColumnStatistics {
    let of = |part: &str| statistics.get(part).and_then(Value::as_object);
    let bound = |values: Option<&Map<String, Value>>| {
        values
            .and_then(|values| scalar(values.get(name)?, data_type))
            .map_or(Precision::Absent, Precision::Exact)
    };
    ColumnStatistics {
        null_count: exact_count(of("nullCount").and_then(|counts| counts.get(name))),
        min_value: bound(of("minValues")),
        max_value: bound(of("maxValues")),
        ..ColumnStatistics::new_unknown()
    }
}

fn scalar(value: &Value, data_type: &DataType) -> Option<ScalarValue> {
    match data_type {
        DataType::Int8 => Some(ScalarValue::from(i8::try_from(value.as_i64()?).ok()?)),
        DataType::Int16 => Some(ScalarValue::from(i16::try_from(value.as_i64()?).ok()?)),
        DataType::Int32 => Some(ScalarValue::from(i32::try_from(value.as_i64()?).ok()?)),
        DataType::Int64 => Some(ScalarValue::from(value.as_i64()?)),
        DataType::Utf8 => Some(ScalarValue::from(value.as_str()?)),
        _ => None,
    }
}
