//! Partitions: what of a batch goes where, and the values of partition columns as text, in one spelling, the protocol's.
//!
//! The protocol lets a value be spelled in several ways, and the runtime reads only some of them. Rows of one partition
//! have to meet however the files that others wrote spell it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::display::FormatOptions;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use ossature_schema_spec::DatasetSpec;

use crate::Error;

/// The values of the partition columns, as text.
pub(crate) type PartitionValues = Vec<Option<String>>;

/// Both kinds of times have a space before the time of day, and no zone. A value that has no text is an error, never a
/// null.
const SPELLING: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: FormatOptions::new()
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.6f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f")),
};

/// The values of a partition column as text.
///
/// **Errors**: [`Error::Arrow`] for bytes that are no text.
pub(crate) fn spell(values: &ArrayRef) -> Result<StringArray, Error> {
    let texts = cast_with_options(values, &DataType::Utf8, &SPELLING)?;
    Ok(texts.as_string::<i32>().clone())
}

/// A value of a log in our spelling; as it stands where it cannot be understood. An empty text is null, whatever the type.
pub(crate) fn respell(text: &str, data_type: &DataType) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let spelled = ScalarValue::try_from_string(text.to_owned(), data_type)
        .and_then(|value| value.to_array())
        .ok()
        .and_then(|value| spell(&value).ok());
    let spelled = spelled.and_then(|texts| texts.iter().next().flatten().map(str::to_owned));
    Some(spelled.unwrap_or_else(|| text.to_owned()))
}

/// The columns inside of files.
pub(crate) fn file_schema(contract: &DatasetSpec) -> SchemaRef {
    let schema = contract.arrow_schema();
    let columns = contract.columns().iter().zip(schema.fields());
    let inside = columns.filter(|(column, _)| !contract.partition().contains(column.name()));
    let fields: Vec<_> = inside.map(|(_, field)| Arc::clone(field)).collect();
    Arc::new(Schema::new(fields))
}

/// A slice of a batch whose rows have the same partition values.
pub(crate) type PartitionSlice = (PartitionValues, RecordBatch);

/// Divides a batch where the partition changes.
pub(crate) fn split_partitions(
    contract: &DatasetSpec,
    batch: &RecordBatch,
) -> Result<Vec<PartitionSlice>, Error> {
    if contract.partition().is_empty() {
        return Ok(vec![(Vec::new(), batch.clone())]);
    }
    let columns = contract
        .partition()
        .iter()
        .map(|name| {
            let index = batch.schema_ref().index_of(name.as_str())?;
            spell(batch.column(index))
        })
        .collect::<Result<Vec<StringArray>, Error>>()?;
    let values = |row: usize| -> Vec<Option<String>> {
        let value =
            |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
        columns.iter().map(value).collect()
    };
    let same = |a: usize, b: usize| {
        columns.iter().all(|column| {
            column.is_valid(a) == column.is_valid(b) && column.value(a) == column.value(b)
        })
    };
    let mut slices = Vec::new();
    let mut from = 0;
    for to in 1..=batch.num_rows() {
        if to == batch.num_rows() || !same(to, from) {
            slices.push((values(from), batch.slice(from, to - from)));
            from = to;
        }
    }
    Ok(slices)
}

/// The columns of a batch that files have.
pub(crate) fn drop_partition_columns(
    contract: &DatasetSpec,
    batch: &RecordBatch,
) -> Result<RecordBatch, Error> {
    if contract.partition().is_empty() {
        return Ok(batch.clone());
    }
    let kept: Vec<usize> = contract
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| !contract.partition().contains(column.name()))
        .map(|(index, _)| index)
        .collect();
    Ok(batch.project(&kept)?)
}

#[cfg(test)]
mod tests {
    use arrow_schema::TimeUnit;

    use super::*;

    #[track_caller]
    fn check(data_type: &DataType, texts: &[&str], want: Option<&str>) {
        for text in texts {
            assert_eq!(respell(text, data_type).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_value_has_one_spelling() {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let clock = DataType::Timestamp(TimeUnit::Microsecond, None);
        let want = Some("2021-01-01 00:00:00.120000");
        check(
            &utc,
            &["2021-01-01T00:00:00.12Z", "2021-01-01 00:00:00.120"],
            want,
        );
        check(
            &clock,
            &["2021-01-01T00:00:00.12", "2021-01-01 00:00:00.120"],
            want,
        );
        check(
            &DataType::Float64,
            &["1.0E10", "10000000000"],
            Some("10000000000.0"),
        );
        check(&DataType::Boolean, &["true", "TRUE"], Some("true"));
        check(&DataType::Decimal128(10, 2), &["1.5", "1.50"], Some("1.50"));
        check(&DataType::Utf8, &["a b"], Some("a b"));
        check(&DataType::Int32, &[""], None);
        check(&DataType::Int32, &["one"], Some("one"));
    }

    #[test]
    fn bytes_that_are_no_text_are_no_null() {
        let bytes = ScalarValue::Binary(Some(vec![0xff])).to_array().unwrap();
        assert!(spell(&bytes).is_err());
    }
}
