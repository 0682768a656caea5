//! Cuts an ordered stream of rows into files, by data alone.
//!
//! The row-encoded sort key is a string of bits, and the files are the leaves of the trie over it in which every
//! prefix that holds more than the limit of rows is split. Which file a row lands in depends only on the rows that
//! share its prefix: neither batches nor threads matter, and a local change leaves every other file as it was.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_row::Rows;

/// A run of rows that will be one file.
pub(crate) type Chunk = Vec<RecordBatch>;

/// Rows of one batch, with their keys: those from `offset` on of what was encoded together.
struct Segment {
    batch: RecordBatch,
    keys: Arc<Rows>,
    offset: usize,
}

impl Segment {
    fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    fn key(&self, at: usize) -> &[u8] {
        row_bytes(&self.keys, self.offset + at)
    }

    /// How many keys, from the first on, have a 0 at `depth`.
    fn zeros(&self, depth: usize) -> usize {
        let (mut from, mut to) = (0, self.rows());
        while from < to {
            let middle = from + (to - from) / 2;
            if bit(self.key(middle), depth) {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        from
    }
}

/// Collects ordered rows and gives back chunks of at most `rows_max` rows.
///
/// It holds at most `rows_max` rows and one batch.
pub(crate) struct RadixCutter {
    rows_max: usize,
    /// Rows that share the first `depth` bits; not yet known to be a leaf.
    held: Held,
    depth: usize,
}

impl RadixCutter {
    pub(crate) fn new(rows_max: usize) -> Self {
        Self {
            rows_max: rows_max.max(1),
            held: Held::default(),
            depth: 0,
        }
    }

    pub(crate) fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Takes the next rows, which follow those before in the order of their keys.
    pub(crate) fn push(&mut self, batch: &RecordBatch, keys: &Arc<Rows>, full: &mut Vec<Chunk>) {
        let mut from = 0;
        while from < batch.num_rows() {
            // Nothing is held before the first row of all: the trie's root, which nothing has split yet.
            if let Some(held) = self.held.first_key() {
                let common = common_bits(held, row_bytes(keys, from));
                if common < self.depth {
                    // The held prefix is complete. Its ancestors were all split, so the next one begins right below
                    // the deepest ancestor that the two share.
                    let done = std::mem::take(&mut self.held);
                    self.emit(done, self.depth, full);
                    self.depth = common + 1;
                }
            }
            let to = prefix_end(keys, from, batch.num_rows(), self.depth);
            self.held.push(Segment {
                batch: batch.slice(from, to - from),
                keys: Arc::clone(keys),
                offset: from,
            });
            from = to;
            self.descend(full);
        }
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self, full: &mut Vec<Chunk>) {
        let held = std::mem::take(&mut self.held);
        self.emit(held, self.depth, full);
    }

    /// Splits the held prefix while it is known to hold too many rows.
    fn descend(&mut self, full: &mut Vec<Chunk>) {
        while self.held.rows > self.rows_max {
            if self.depth >= self.held.key_bits() {
                // Equal keys: no prefix tells them apart, so their number does.
                let head = self.held.split_off_head(self.rows_max);
                full.push(head.into_chunk());
                continue;
            }
            let zeros = self.held.rows_with_zero(self.depth);
            self.depth += 1;
            if zeros > 0 && zeros < self.held.rows {
                let left = self.held.split_off_head(zeros);
                self.emit(left, self.depth, full);
            }
        }
    }

    /// Gives back the leaves of a complete prefix of `depth` bits.
    fn emit(&self, mut held: Held, depth: usize, full: &mut Vec<Chunk>) {
        if held.rows == 0 {
            return;
        }
        if held.rows <= self.rows_max {
            full.push(held.into_chunk());
        } else if depth >= held.key_bits() {
            let head = held.split_off_head(self.rows_max);
            full.push(head.into_chunk());
            self.emit(held, depth, full);
        } else {
            let zeros = held.rows_with_zero(depth);
            let left = held.split_off_head(zeros);
            self.emit(left, depth + 1, full);
            self.emit(held, depth + 1, full);
        }
    }
}

/// Ordered rows, as slices of the batches that they came in.
#[derive(Default)]
struct Held {
    segments: std::collections::VecDeque<Segment>,
    rows: usize,
}

impl Held {
    fn push(&mut self, segment: Segment) {
        self.rows += segment.rows();
        self.segments.push_back(segment);
    }

    fn first_key(&self) -> Option<&[u8]> {
        Some(self.segments.front()?.key(0))
    }

    fn last_key(&self) -> Option<&[u8]> {
        let last = self.segments.back()?;
        Some(last.key(last.rows() - 1))
    }

    /// Bits after which no two held keys differ: rows are ordered, so the first and the last one differ the most.
    fn key_bits(&self) -> usize {
        match (self.first_key(), self.last_key()) {
            (Some(first), Some(last)) if first != last => 8 * first.len().max(last.len()),
            _ => 0,
        }
    }

    /// How many rows, all of one prefix of `depth` bits, have a 0 behind it. They come first.
    fn rows_with_zero(&self, depth: usize) -> usize {
        let mut zeros = 0;
        for segment in &self.segments {
            let here = segment.zeros(depth);
            zeros += here;
            if here < segment.rows() {
                break;
            }
        }
        zeros
    }

    fn split_off_head(&mut self, rows: usize) -> Self {
        let mut head = Self::default();
        while head.rows < rows {
            let Some(mut segment) = self.segments.pop_front() else {
                break;
            };
            let wanted = rows - head.rows;
            if segment.rows() > wanted {
                self.segments.push_front(Segment {
                    batch: segment.batch.slice(wanted, segment.rows() - wanted),
                    keys: Arc::clone(&segment.keys),
                    offset: segment.offset + wanted,
                });
                segment.batch = segment.batch.slice(0, wanted);
            }
            head.push(segment);
        }
        self.rows -= head.rows;
        head
    }

    fn into_chunk(self) -> Chunk {
        self.segments
            .into_iter()
            .map(|segment| segment.batch)
            .collect()
    }
}

/// The first row behind `from` that does not share the first `depth` bits with the row there.
fn prefix_end(keys: &Rows, from: usize, rows: usize, depth: usize) -> usize {
    let first = row_bytes(keys, from);
    let shares = |at: usize| common_bits(first, row_bytes(keys, at)) >= depth;
    let (mut inside, mut outside) = (from, rows);
    if inside < outside && shares(outside - 1) {
        return outside;
    }
    while outside - inside > 1 {
        let middle = inside + (outside - inside) / 2;
        if shares(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    outside
}

/// The encoded key of one row.
fn row_bytes(keys: &Rows, at: usize) -> &[u8] {
    keys.row(at).data()
}

/// The bit at `depth`; beyond its end a key has zeros.
fn bit(key: &[u8], depth: usize) -> bool {
    key.get(depth / 8)
        .is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1)
}

/// How many leading bits two keys share; equal keys share all, also those beyond their ends.
fn common_bits(a: &[u8], b: &[u8]) -> usize {
    let length = a.len().max(b.len());
    for at in 0..length {
        let (x, y) = (
            a.get(at).copied().unwrap_or(0),
            b.get(at).copied().unwrap_or(0),
        );
        if x != y {
            return 8 * at + usize::try_from((x ^ y).leading_zeros()).unwrap_or(0);
        }
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Int64Array};
    use arrow_row::{RowConverter, SortField};
    use arrow_schema::DataType;
    use proptest::prelude::*;

    use super::*;

    /// The files of ordered ids that arrive in batches of `batch_rows`.
    fn cut(ids: &[i64], batch_rows: usize, rows_max: usize) -> Vec<Vec<i64>> {
        let converter = RowConverter::new(vec![SortField::new(DataType::Int64)]).unwrap();
        let mut cutter = RadixCutter::new(rows_max);
        let mut full = Vec::new();
        for ids in ids.chunks(batch_rows) {
            let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
            let keys = Arc::new(
                converter
                    .convert_columns(std::slice::from_ref(&column))
                    .unwrap(),
            );
            let batch = RecordBatch::try_from_iter([("id", column)]).unwrap();
            cutter.push(&batch, &keys, &mut full);
        }
        cutter.finish(&mut full);
        full.iter()
            .map(|chunk| {
                let ids = chunk.iter().flat_map(|batch| {
                    batch
                        .column(0)
                        .as_primitive::<Int64Type>()
                        .values()
                        .to_vec()
                });
                ids.collect()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn files_depend_on_rows_alone(
            mut ids in proptest::collection::vec(0_i64..1 << 40, 0..300),
            rows_max in 1_usize..40,
            batch_rows in 1_usize..50,
        ) {
            ids.sort_unstable();
            let files = cut(&ids, 1, rows_max);
            prop_assert_eq!(&cut(&ids, batch_rows, rows_max), &files);
            prop_assert!(files.iter().all(|file| (1..=rows_max).contains(&file.len())));
            prop_assert_eq!(files.concat(), ids);
        }

        #[test]
        fn a_local_change_leaves_other_files_alone(
            mut ids in proptest::collection::btree_set(0_i64..1 << 40, 50..300),
            added in 0_i64..1 << 40,
        ) {
            let before = cut(&ids.iter().copied().collect::<Vec<_>>(), 7, 20);
            ids.insert(added);
            let after = cut(&ids.iter().copied().collect::<Vec<_>>(), 7, 20);
            let gone = before.iter().filter(|file| !after.contains(file)).count();
            prop_assert!(gone <= 1, "{gone} files changed");
        }
    }

    #[test]
    fn equal_keys_are_cut_by_number() {
        let lengths: Vec<usize> = cut(&[7; 25], 4, 10).iter().map(Vec::len).collect();
        assert_eq!(lengths, [10, 10, 5]);
    }
}
