//! From the batches that arrive to the batches that the contract declares.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, SchemaRef};
use ossature_schema_spec::{Change, ColumnName, ColumnSpec, DatasetSpec, diff_columns};

use crate::Error;

/// A value that does not fit its declared type is an error, never a null.
const STRICT: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: arrow_cast::display::FormatOptions::new(),
};

/// Turns batches of one schema into batches of the contract.
pub(crate) struct ContractCheck {
    contract: DatasetSpec,
    schema: SchemaRef,
    /// For the schema that arrived last: where each declared column is found.
    places: Option<(SchemaRef, Vec<usize>)>,
    rows: u64,
}

impl ContractCheck {
    pub(crate) fn new(contract: &DatasetSpec) -> Self {
        Self {
            contract: contract.clone(),
            schema: contract.arrow_schema(),
            places: None,
            rows: 0,
        }
    }

    /// Reorders columns by name, removes encodings (views, dictionaries), puts the extension types back, and refuses
    /// nulls where none may be.
    pub(crate) fn apply(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let places = self.places(batch.schema_ref())?;
        let columns = self
            .schema
            .fields()
            .iter()
            .zip(places)
            .map(|(field, place)| decode(batch.column(place), field.data_type()))
            .collect::<Result<Vec<_>, Error>>()?;
        for (column, array) in self.contract.columns().iter().zip(&columns) {
            if !column.is_nullable() && array.null_count() > 0 {
                return Err(self.unexpected_null(column.name(), array));
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }

    fn places(&mut self, found: &SchemaRef) -> Result<Vec<usize>, Error> {
        if let Some((schema, places)) = &self.places
            && schema == found
        {
            return Ok(places.clone());
        }
        let columns = found
            .fields()
            .iter()
            .map(|field| ColumnSpec::from_arrow(field))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::UnsupportedType {
                found: DataType::Struct(found.fields().clone()),
            })?;
        let changes: Vec<Change> = diff_columns(&self.contract, &columns)
            .into_iter()
            .filter(is_lost)
            .collect();
        if !changes.is_empty() {
            return Err(Error::RowsDiffer {
                dataset: self.contract.name().clone(),
                changes,
            });
        }
        let places = self
            .schema
            .fields()
            .iter()
            .map(|field| found.index_of(field.name()))
            .collect::<Result<Vec<_>, _>>()?;
        self.places = Some((Arc::clone(found), places.clone()));
        Ok(places)
    }

    fn unexpected_null(&self, column: &ColumnName, array: &ArrayRef) -> Error {
        let at = (0..array.len())
            .find(|at| array.is_null(*at))
            .unwrap_or_default();
        Error::UnexpectedNull {
            dataset: self.contract.name().clone(),
            column: column.clone(),
            row: self.rows + at as u64,
        }
    }
}

/// Whether a difference between the rows and the contract cannot be made good without asking.
///
/// Order and nullability in the plan do not matter: names decide, and nulls are looked for in the rows. A meaning that
/// was lost on the way is stamped on again; another meaning is an error.
fn is_lost(change: &Change) -> bool {
    match change {
        Change::Position { .. } | Change::Nullability { .. } => false,
        Change::Meaning { found, .. } => found.is_some(),
        Change::Type { wanted, found, .. } => {
            // Inside nested types, nullability and meaning are part of the type; the cast below settles both.
            wanted.to_arrow().to_string() == found.to_arrow().to_string()
                || !same_shape(&wanted.to_arrow(), &found.to_arrow())
        }
        _ => true,
    }
}

/// Whether two types differ at most in nullability and metadata of nested fields, or in the width of integers.
fn same_shape(wanted: &DataType, found: &DataType) -> bool {
    match (wanted, found) {
        (DataType::List(wanted), DataType::List(found))
        | (DataType::Map(wanted, _), DataType::Map(found, _)) => {
            same_shape(wanted.data_type(), found.data_type())
        }
        (DataType::Struct(wanted), DataType::Struct(found)) => {
            wanted.len() == found.len()
                && wanted.iter().zip(found).all(|(wanted, found)| {
                    wanted.name() == found.name()
                        && same_shape(wanted.data_type(), found.data_type())
                })
        }
        (DataType::Int64, DataType::Int32 | DataType::Int16 | DataType::Int8)
        | (DataType::Int32, DataType::Int16 | DataType::Int8) => true,
        (wanted, found) => wanted == found,
    }
}

fn decode(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Error> {
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    if let Some(list) = adjacent_list(array) {
        return decode(&list, wanted);
    }
    Ok(cast_with_options(array, wanted, &STRICT)?)
}

/// A view of lists as lists, without copying: where each list begins at the end of the one before.
fn adjacent_list(array: &ArrayRef) -> Option<ArrayRef> {
    let DataType::ListView(element) = array.data_type() else {
        return None;
    };
    let view = array.as_list_view_opt::<i32>()?;
    let mut ends = vec![view.offsets().first().copied().unwrap_or(0)];
    for (start, length) in view.offsets().iter().zip(view.sizes()) {
        if ends.last() != Some(start) {
            return None;
        }
        ends.push(start.checked_add(*length)?);
    }
    let lists = ListArray::try_new(
        Arc::clone(element),
        OffsetBuffer::new(ends.into()),
        Arc::clone(view.values()),
        view.nulls().cloned(),
    );
    Some(Arc::new(lists.ok()?))
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use arrow_array::types::{Int32Type, UInt16Type};
    use arrow_array::{
        DictionaryArray, Int32Array, Int64Array, LargeStringArray, ListViewArray, StringArray,
        StringViewArray, UInt16Array,
    };
    use arrow_buffer::ScalarBuffer;
    use arrow_schema::Field;
    use ossature_schema_spec::{ColumnType, FieldSpec};

    use super::*;

    /// A dataset with one column: `x`, never null.
    fn of(column_type: ColumnType) -> ContractCheck {
        let contract = DatasetSpec::builder("cpg.things", "")
            .column(ColumnSpec::required("x", column_type).unwrap())
            .build();
        ContractCheck::new(&contract.unwrap())
    }

    fn batch(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(once(("x", column, true))).unwrap()
    }

    #[track_caller]
    fn check(column_type: ColumnType, arrived: impl Array + 'static, want: &dyn Array) {
        let found = of(column_type).apply(&batch(Arc::new(arrived))).unwrap();
        assert_eq!(found.column(0).as_ref(), want);
    }

    #[track_caller]
    fn check_refused(column_type: ColumnType, arrived: impl Array + 'static, want: &str) {
        let refused = of(column_type).apply(&batch(Arc::new(arrived)));
        assert_eq!(refused.err().map(|error| error.code()), Some(want));
    }

    #[test]
    fn a_null_is_told_by_its_column_and_its_row_of_the_write() {
        let mut rows = of(ColumnType::Int64);
        let whole = Int64Array::from(vec![1, 2, 3]);
        rows.apply(&batch(Arc::new(whole))).unwrap();
        let odd = Int64Array::from(vec![Some(4), None, None]);
        match rows.apply(&batch(Arc::new(odd))) {
            Err(Error::UnexpectedNull { column, row, .. }) => {
                assert_eq!((column.as_str(), row), ("x", 4));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nulls_are_found_in_every_encoding() {
        let texts = StringArray::from(vec![Some("a"), None]);
        // The null is one of the values, and no place of them.
        let places = Int32Array::from(vec![0, 1, 0]);
        let values = DictionaryArray::<Int32Type>::try_new(places, Arc::new(texts)).unwrap();
        check_refused(ColumnType::Utf8, values, "unexpected_null");
        let view = StringViewArray::from(vec![Some("a"), None]);
        check_refused(ColumnType::Utf8, view, "unexpected_null");
    }

    #[test]
    fn texts_are_decoded() {
        let want = StringArray::from(vec!["a", "b", "a"]);
        let places = UInt16Array::from(vec![0, 1, 0]);
        let values = Arc::new(StringArray::from(vec!["a", "b"]));
        let dictionary = DictionaryArray::<UInt16Type>::try_new(places, values).unwrap();
        check(ColumnType::Utf8, dictionary, &want);
        let view = StringViewArray::from(vec!["a", "b", "a"]);
        check(ColumnType::Utf8, view, &want);
        let large = LargeStringArray::from(vec!["a", "b", "a"]);
        check(ColumnType::Utf8, large, &want);
    }

    #[test]
    fn views_of_lists_are_decoded_wherever_their_values_lie() {
        let column_type = || {
            let element = FieldSpec::nullable("element", ColumnType::Int64);
            ColumnType::List(Box::new(element.unwrap()))
        };
        let element = Arc::new(Field::new("element", DataType::Int64, true));
        let view = |starts: Vec<i32>, sizes: Vec<i32>, values: Vec<i64>| {
            ListViewArray::new(
                Arc::clone(&element),
                ScalarBuffer::from(starts),
                ScalarBuffer::from(sizes),
                Arc::new(Int64Array::from(values)),
                None,
            )
        };
        let lists = [
            Some(vec![Some(1), Some(2)]),
            Some(vec![]),
            Some(vec![Some(3)]),
        ];
        let want = ListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>(lists);
        let want = ListArray::new(
            Arc::clone(&element),
            want.offsets().clone(),
            Arc::clone(want.values()),
            None,
        );
        // One behind the other, as they do in lists; in another order; and with values between that no list has.
        check(
            column_type(),
            view(vec![0, 2, 2], vec![2, 0, 1], vec![1, 2, 3]),
            &want,
        );
        check(
            column_type(),
            view(vec![1, 0, 0], vec![2, 0, 1], vec![3, 1, 2]),
            &want,
        );
        let between = view(vec![0, 0, 3], vec![2, 0, 1], vec![1, 2, 9, 3]);
        check(column_type(), between, &want);
    }

    #[test]
    fn integers_are_widened_and_never_narrowed() {
        let narrow = Int32Array::from(vec![1, -2]);
        check(ColumnType::Int64, narrow, &Int64Array::from(vec![1, -2]));
        let wide = Int64Array::from(vec![1, -2]);
        check_refused(ColumnType::Int32, wide, "rows_differ");
    }

    #[test]
    fn texts_are_no_numbers() {
        check_refused(
            ColumnType::Int64,
            StringArray::from(vec!["1"]),
            "rows_differ",
        );
        check_refused(ColumnType::Utf8, Int64Array::from(vec![1]), "rows_differ");
    }
}
