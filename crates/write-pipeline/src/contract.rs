//! From the batches that arrive to the batches that the contract declares.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, SchemaRef};
use ossature_schema_spec::{Change, ColumnSpec, DatasetSpec, diff_columns};

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
        let mut columns = Vec::with_capacity(places.len());
        for (field, place) in self.schema.fields().iter().zip(places) {
            let found = batch.column(place);
            let decoded = decode(found, field.data_type());
            let checked = decoded.as_ref().unwrap_or(found);
            // Nulls inside of nested types fail on the way, in words that name neither column nor row.
            if let Some(null) = unexpected_null(field, checked, None) {
                return Err(Error::UnexpectedNull {
                    dataset: self.contract.name().clone(),
                    column: null.path,
                    row: self.rows + null.at as u64,
                });
            }
            columns.push(decoded?);
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
}

/// A null where none may be.
struct UnexpectedNull {
    /// The column, dotted below nested ones.
    path: String,
    /// Which value of the array that was looked at.
    at: usize,
}

/// The first null of the first field that is never null, at whatever depth. What lies below a null does not count.
fn unexpected_null(
    field: &Field,
    array: &ArrayRef,
    parents: Option<&NullBuffer>,
) -> Option<UnexpectedNull> {
    let counts = |at: usize| parents.is_none_or(|parents| parents.is_valid(at));
    if !field.is_nullable() && array.null_count() > 0 {
        let at = (0..array.len()).find(|at| array.is_null(*at) && counts(*at));
        if let Some(at) = at {
            let path = field.name().clone();
            return Some(UnexpectedNull { path, at });
        }
    }
    let inside = |null: UnexpectedNull, at: usize| UnexpectedNull {
        path: format!("{}.{}", field.name(), null.path),
        at,
    };
    let valid = NullBuffer::union(array.nulls(), parents);
    match field.data_type() {
        DataType::Struct(fields) => {
            let found = array.as_struct_opt()?;
            let mut children = fields.iter().filter_map(|field| {
                let child = found.column_by_name(field.name())?;
                unexpected_null(field, child, valid.as_ref())
            });
            children.next().map(|null| {
                let at = null.at;
                inside(null, at)
            })
        }
        DataType::List(element) => {
            let list = array.as_list_opt::<i32>()?;
            null_of_lists(
                element,
                list.values(),
                list.offsets(),
                valid.as_ref(),
                &inside,
            )
        }
        DataType::Map(entries, _) => {
            let map = array.as_map_opt()?;
            let values: ArrayRef = Arc::new(map.entries().clone());
            null_of_lists(entries, &values, map.offsets(), valid.as_ref(), &inside)
        }
        _ => None,
    }
}

/// The first unexpected null among the values of lists, and the list that it is in.
fn null_of_lists(
    element: &Field,
    values: &ArrayRef,
    offsets: &OffsetBuffer<i32>,
    valid: Option<&NullBuffer>,
    inside: &dyn Fn(UnexpectedNull, usize) -> UnexpectedNull,
) -> Option<UnexpectedNull> {
    // In most there is none, which is seen without a look at each list. Of a slice, the values of the whole are there.
    let ends = offsets.first().zip(offsets.last());
    let (first, last) = ends.map_or((0, 0), |(first, last)| (*first, *last));
    let first = usize::try_from(first).ok()?;
    let length = usize::try_from(last).ok()?.checked_sub(first)?;
    unexpected_null(element, &values.slice(first, length), None)?;
    let lists = offsets.windows(2).enumerate();
    let mut lists = lists.filter(|(at, _)| valid.is_none_or(|valid| valid.is_valid(*at)));
    lists.find_map(|(at, ends)| {
        let [from, to] = [ends[0], ends[1]].map(|end| usize::try_from(end).unwrap_or(0));
        let values = values.slice(from, to.checked_sub(from)?);
        unexpected_null(element, &values, None).map(|null| inside(null, at))
    })
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
        DictionaryArray, Int32Array, Int64Array, LargeStringArray, ListViewArray, MapArray,
        StringArray, StringViewArray, StructArray, UInt16Array,
    };
    use arrow_buffer::ScalarBuffer;
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

    /// Where there may be none, and where nothing but a null stands above.
    #[test]
    fn nulls_inside_of_nested_columns_are_told_by_their_paths() {
        let required = FieldSpec::required("a", ColumnType::Int64).unwrap();
        let structs = ColumnType::Struct(vec![required]);
        let of_structs = || Box::new(FieldSpec::nullable("element", structs.clone()).unwrap());
        let field = || Arc::new(Field::new("a", DataType::Int64, true));
        let values = |values: Vec<Option<i64>>, nulls: Vec<bool>| -> ArrayRef {
            let values: ArrayRef = Arc::new(Int64Array::from(values));
            let nulls = Some(NullBuffer::from(nulls));
            Arc::new(StructArray::new(vec![field()].into(), vec![values], nulls))
        };
        let broken = values(vec![Some(1), None, None], vec![true, false, true]);
        let masked = values(vec![Some(1), None, Some(3)], vec![true, false, true]);
        let lists = |values: &ArrayRef| -> ArrayRef {
            let element = Field::new("element", values.data_type().clone(), true);
            let offsets = OffsetBuffer::from_lengths([2, 0, 1]);
            let values = Arc::clone(values);
            Arc::new(ListArray::new(Arc::new(element), offsets, values, None))
        };
        let maps = |values: &ArrayRef| -> ArrayRef {
            let keys: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "z"]));
            let names = ["key", "value"].into_iter();
            let fields = names
                .zip([&keys, values])
                .map(|(name, array)| Field::new(name, array.data_type().clone(), name == "value"));
            let fields: Vec<Field> = fields.collect();
            let entries = StructArray::new(fields.into(), vec![keys, Arc::clone(values)], None);
            let field = Field::new("key_value", entries.data_type().clone(), false);
            let offsets = OffsetBuffer::from_lengths([1, 1, 1]);
            Arc::new(MapArray::new(
                Arc::new(field),
                offsets,
                entries,
                None,
                false,
            ))
        };
        let map = ColumnType::Map {
            key: Box::new(ColumnType::Utf8),
            value: Box::new(FieldSpec::nullable("value", structs.clone()).unwrap()),
        };
        for (column_type, array, want) in [
            (structs.clone(), Arc::clone(&broken), Some("x.a")),
            (structs.clone(), Arc::clone(&masked), None),
            (
                ColumnType::List(of_structs()),
                lists(&broken),
                Some("x.element.a"),
            ),
            (ColumnType::List(of_structs()), lists(&masked), None),
            (map.clone(), maps(&broken), Some("x.key_value.value.a")),
            (map, maps(&masked), None),
        ] {
            let contract = DatasetSpec::builder("cpg.things", "")
                .column(ColumnSpec::nullable("x", column_type).unwrap())
                .build();
            let rows = batch(array);
            match (ContractCheck::new(&contract.unwrap()).apply(&rows), want) {
                (Ok(found), None) => assert_eq!(found.num_rows(), 3),
                (Err(Error::UnexpectedNull { column, row, .. }), Some(want)) => {
                    assert_eq!((column.as_str(), row), (want, 2));
                }
                (other, want) => panic!("{want:?}: {other:?}"),
            }
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
