//! Collections of a group's rows: sorted lists, maps and lists cut into buckets.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, ListViewArray, MapArray, StructArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int32Type};
use datafusion::arrow::util::display::array_value_to_string;

use crate::Error;
use crate::aggregate::AggregateSpec;
use crate::argument::{Argument, Reads};
use crate::error::engine;
use crate::rows::{SortedGroups, element_field};
use crate::scalar::ScalarSpec;

pub(crate) const SORTED_ENTRIES: AggregateSpec = AggregateSpec {
    name: "sorted_entries",
    version: 1,
    doc: "The structs of a group as one list, sorted by their fields in order, nulls first. Equal structs stay. The same rows give the same list in whatever order they arrive.",
    example: "sorted_entries(named_struct('kind', kind, 'node', node))",
    arguments: &[Argument::required("entry", Reads::Struct)],
    returns: |fields| DataType::List(element_field(fields.clone())),
    finish: |groups| Ok(Arc::new(groups.to_list())),
};

pub(crate) const SORTED_MAP: AggregateSpec = AggregateSpec {
    name: "sorted_map",
    version: 1,
    doc: "The keys and values of a group as one map whose keys are sorted. A null key and a key that occurs twice are errors.",
    example: "sorted_map(prop_key, value)",
    arguments: &[
        Argument::required("key", Reads::Text),
        Argument::optional("value", Reads::Anything),
    ],
    returns: |fields| DataType::Map(entry_field(fields), false),
    finish: maps,
};

/// Keys and values as Delta names them.
fn entry_field(fields: &Fields) -> FieldRef {
    let key = fields[0].as_ref().clone().with_nullable(false);
    let entries = Fields::from(vec![key, fields[1].as_ref().clone()]);
    Arc::new(Field::new_struct("key_value", entries, false))
}

fn maps(groups: &SortedGroups) -> Result<ArrayRef, Error> {
    let SortedGroups { offsets, rows } = groups;
    let keys = rows.column(0).as_string::<i32>();
    for bounds in offsets.windows(2) {
        for row in bounds[0] + 1..bounds[1] {
            let row = usize::try_from(row).unwrap_or_default();
            if keys.value(row) == keys.value(row - 1) {
                return Err(Error::DuplicateKey {
                    key: array_value_to_string(keys, row).map_err(engine("reading a key"))?,
                });
            }
        }
    }
    let entry = entry_field(rows.fields());
    let DataType::Struct(fields) = entry.data_type() else {
        return Ok(Arc::new(ListArray::new_null(entry, 0)));
    };
    let entries = StructArray::new(fields.clone(), rows.columns().to_vec(), None);
    let maps = MapArray::try_new(entry, offsets.clone(), entries, None, false);
    Ok(Arc::new(maps.map_err(engine("building maps"))?))
}

pub(crate) const LIST_BUCKETS: ScalarSpec = ScalarSpec {
    name: "list_buckets",
    version: 2,
    doc: "A list cut into numbered buckets of at most `length_max` entries: struct<bucket, degree, entries>, whose entries are a view of the list, and where `degree` counts the entries of the whole list. An empty list has no bucket.",
    example: "list_buckets(sorted_entries(e), 1024)",
    arguments: &[
        Argument::required("entries", Reads::List),
        Argument::required("length_max", Reads::Integer),
    ],
    returns: |types| Ok(DataType::List(element_field(bucket_fields(&types[0])))),
    semantic: None,
    is_partial: false,
    is_monotone: false,
    body: list_buckets,
};

fn bucket_fields(list: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("bucket", DataType::Int32, false),
        Field::new("degree", DataType::Int32, false),
        Field::new("entries", view_of(list), false),
    ])
}

/// A list type as a view, whose rows are moved without moving what they hold.
fn view_of(list: &DataType) -> DataType {
    match list {
        DataType::List(element) => DataType::ListView(Arc::clone(element)),
        other => other.clone(),
    }
}

/// Only offsets are made; the entries stay where they are.
fn list_buckets(arguments: &[ArrayRef]) -> Result<ArrayRef, Error> {
    let lists: &ListArray = arguments[0].as_list();
    let limits = arguments[1].as_primitive::<Int32Type>();
    let (mut starts, mut lengths) = (Vec::new(), Vec::new());
    let (mut buckets, mut degrees, mut outer) = (Vec::new(), Vec::new(), Vec::new());
    for (row, bounds) in lists.value_offsets().windows(2).enumerate() {
        let limit = if limits.is_valid(row) {
            limits.value(row)
        } else {
            i32::MAX
        };
        if limit < 1 {
            return Err(Error::OutOfRange {
                what: "the length of a bucket",
                found: i64::from(limit),
                least: 1,
            });
        }
        let degree = bounds[1] - bounds[0];
        let first = buckets.len();
        let mut start = bounds[0];
        while start < bounds[1] {
            let end = bounds[1].min(start.saturating_add(limit));
            buckets.push(i32::try_from(buckets.len() - first).unwrap_or(i32::MAX));
            degrees.push(degree);
            starts.push(start);
            lengths.push(end - start);
            start = end;
        }
        outer.push(buckets.len() - first);
    }
    let DataType::List(element) = lists.data_type() else {
        return Ok(Arc::clone(&arguments[0]));
    };
    let entries = ListViewArray::new(
        Arc::clone(element),
        starts.into(),
        lengths.into(),
        Arc::clone(lists.values()),
        None,
    );
    let fields = bucket_fields(lists.data_type());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(buckets)),
        Arc::new(Int32Array::from(degrees)),
        Arc::new(entries),
    ];
    let rows = StructArray::new(fields.clone(), columns, None);
    let nulls = NullBuffer::union(lists.nulls(), limits.nulls());
    let outer = OffsetBuffer::from_lengths(outer);
    Ok(Arc::new(ListArray::new(
        element_field(fields),
        outer,
        Arc::new(rows),
        nulls,
    )))
}
