//! Rows of many groups, kept as the batches that they arrived in and given back group by group in the order of their
//! values. No value is touched before a group is finished.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::UInt32Array;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, DynComparator, ListArray, StructArray, make_comparator,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, concat, take};
use datafusion::arrow::datatypes::{Field, FieldRef, Fields};

use crate::Error;
use crate::error::engine;

/// The rows of finished groups: group `g` owns the rows `offsets[g]..offsets[g + 1]`, sorted by their fields in order,
/// nulls first. Groups without rows are empty.
#[derive(Debug)]
pub(crate) struct SortedGroups {
    pub(crate) offsets: OffsetBuffer<i32>,
    pub(crate) rows: StructArray,
}

impl SortedGroups {
    /// One list of structs for each group.
    pub(crate) fn to_list(&self) -> ListArray {
        let element = element_field(self.rows.fields().clone());
        let rows = Arc::new(self.rows.clone());
        ListArray::new(element, self.offsets.clone(), rows, None)
    }
}

/// The element of every list that the aggregates return.
pub(crate) fn element_field(fields: Fields) -> FieldRef {
    Arc::new(Field::new_struct("element", fields, false))
}

/// Rows of groups that are not finished.
#[derive(Debug)]
pub(crate) struct GroupedRows {
    fields: Fields,
    batches: Vec<StructArray>,
    /// For every row of every batch in order: its group, or `SKIPPED`.
    groups: Vec<u32>,
    group_count: usize,
}

const SKIPPED: u32 = u32::MAX;

impl GroupedRows {
    pub(crate) fn new(fields: Fields) -> Self {
        Self {
            fields,
            batches: Vec::new(),
            groups: Vec::new(),
            group_count: 0,
        }
    }

    /// Adds the rows for which `group_of` gives a group.
    pub(crate) fn push(
        &mut self,
        rows: StructArray,
        group_of: impl Iterator<Item = Option<usize>>,
        group_count: usize,
    ) {
        self.group_count = self.group_count.max(group_count);
        self.groups.extend(
            group_of.map(|group| group.and_then(|g| u32::try_from(g).ok()).unwrap_or(SKIPPED)),
        );
        self.batches.push(rows);
    }

    /// Adds lists as [`SortedGroups::to_list`] makes them, one for each element of `group_indices`.
    pub(crate) fn push_lists(
        &mut self,
        lists: &ListArray,
        group_indices: impl Iterator<Item = usize>,
        group_count: usize,
    ) {
        let first = lists.value_offsets().first().copied().unwrap_or(0);
        let last = lists.value_offsets().last().copied().unwrap_or(0);
        let rows = lists.values().slice(index(first), index(last - first));
        let lengths = lists.offsets().lengths();
        let groups = group_indices
            .zip(lengths)
            .flat_map(|(group, length)| std::iter::repeat_n(Some(group), length));
        self.push(rows.as_struct().clone(), groups, group_count);
    }

    /// Takes the first `emitted` groups out; those after them are numbered from 0 again.
    pub(crate) fn finish(&mut self, emitted: usize) -> Result<SortedGroups, Error> {
        let rows = self.concatenated()?;
        let (offsets, mut order) = self.rows_by_group(emitted);
        let compare = row_comparator(&rows)?;
        if self.are_sorted(&offsets, &compare) {
            let finished = rows.slice(0, offsets[emitted]);
            self.keep_after(emitted, &rows)?;
            return Ok(SortedGroups {
                offsets: lengths_to_offsets(&offsets),
                rows: finished,
            });
        }
        for bounds in offsets.windows(2) {
            let group = &mut order[bounds[0]..bounds[1]];
            if group.len() > 1 {
                group.sort_unstable_by(|a, b| compare(*a as usize, *b as usize));
            }
        }
        let finished = select(&rows, order)?;
        self.keep_after(emitted, &rows)?;
        Ok(SortedGroups {
            offsets: lengths_to_offsets(&offsets),
            rows: finished,
        })
    }

    /// Whether the rows arrived group by group and sorted inside of groups, so that none of them has to move.
    fn are_sorted(&self, offsets: &[usize], compare: impl Fn(usize, usize) -> Ordering) -> bool {
        let rows = offsets.last().copied().unwrap_or_default();
        let emitted = &self.groups[..rows];
        emitted.is_sorted()
            && emitted
                .last()
                .is_none_or(|last| (*last as usize) + 1 < offsets.len())
            && offsets
                .windows(2)
                .all(|group| (group[0] + 1..group[1]).all(|row| compare(row - 1, row).is_le()))
    }

    /// Takes all groups out.
    pub(crate) fn finish_all(&mut self) -> Result<SortedGroups, Error> {
        self.finish(self.group_count)
    }

    /// Bytes that are held.
    pub(crate) fn size(&self) -> usize {
        let batches: usize = self.batches.iter().map(Array::get_array_memory_size).sum();
        batches + self.groups.capacity() * size_of::<u32>()
    }

    fn concatenated(&mut self) -> Result<StructArray, Error> {
        let batches = std::mem::take(&mut self.batches);
        match batches.as_slice() {
            [] => Ok(StructArray::new_null(self.fields.clone(), 0)),
            [only] => Ok(only.clone()),
            many => {
                let parts: Vec<&dyn Array> = many.iter().map(|batch| batch as &dyn Array).collect();
                let all = concat(&parts).map_err(engine("joining batches"))?;
                Ok(all.as_struct().clone())
            }
        }
    }

    /// A counting sort: where each of the first `emitted` groups begins, and its rows in arrival order.
    fn rows_by_group(&self, emitted: usize) -> (Vec<usize>, Vec<u32>) {
        let mut offsets = vec![0; emitted + 1];
        for group in &self.groups {
            if (*group as usize) < emitted {
                offsets[*group as usize + 1] += 1;
            }
        }
        for group in 0..emitted {
            offsets[group + 1] += offsets[group];
        }
        let mut next = offsets.clone();
        let mut order = vec![0; offsets[emitted]];
        for (row, group) in (0..).zip(&self.groups) {
            if (*group as usize) < emitted {
                order[next[*group as usize]] = row;
                next[*group as usize] += 1;
            }
        }
        (offsets, order)
    }

    fn keep_after(&mut self, emitted: usize, rows: &StructArray) -> Result<(), Error> {
        let kept: Vec<u32> = (0..)
            .zip(&self.groups)
            .filter(|(_, group)| **group != SKIPPED && **group as usize >= emitted)
            .map(|(row, _)| row)
            .collect();
        self.group_count -= emitted;
        let shift = u32::try_from(emitted).unwrap_or(SKIPPED);
        let groups = kept.iter().map(|row| self.groups[*row as usize] - shift);
        let groups: Vec<u32> = groups.collect();
        self.groups = groups;
        if !kept.is_empty() {
            self.batches.push(select(rows, kept)?);
        }
        Ok(())
    }
}

fn lengths_to_offsets(offsets: &[usize]) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(offsets.windows(2).map(|group| group[1] - group[0]))
}

fn index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or_default()
}

fn select(rows: &StructArray, order: Vec<u32>) -> Result<StructArray, Error> {
    let taken: ArrayRef =
        take(rows, &UInt32Array::from(order), None).map_err(engine("gathering rows"))?;
    Ok(taken.as_struct().clone())
}

/// Compares two rows field by field.
fn row_comparator(rows: &StructArray) -> Result<impl Fn(usize, usize) -> Ordering, Error> {
    let ascending = SortOptions {
        descending: false,
        nulls_first: true,
    };
    let fields = rows
        .columns()
        .iter()
        .map(|column| make_comparator(column, column, ascending))
        .collect::<Result<Vec<DynComparator>, _>>()
        .map_err(engine("comparing rows"))?;
    Ok(move |a, b| {
        fields
            .iter()
            .map(|compare| compare(a, b))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}
