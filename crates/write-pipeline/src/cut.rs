//! Cuts an ordered stream of rows into files, by data alone.
//!
//! The row-encoded sort key is a string of bits, and the files are the leaves of the trie over it in which every
//! prefix that holds more than the limit of rows is split. Which file a row lands in depends only on the rows that
//! share its prefix: neither batches nor threads matter, and a local change leaves every other file as it was.
//!
//! Files that the table has already pass through as they are. Of such a file only the number of rows and the smallest
//! and the largest key are known, which decides nearly every cut; where it does not, or where rows of another file
//! belong into the same leaf, the cutter asks for the rows. So the leaves are those of all rows together, while only
//! the files next to a change are read.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_row::OwnedRow;
use arrow_schema::ArrowError;

use crate::Error;
use crate::order::SortKeys;
use crate::stored::LiveFile;

/// A run of rows that will be one file.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) batches: Vec<RecordBatch>,
    /// The row-encoded sort keys of the first and of the last row.
    pub(crate) first: Vec<u8>,
    pub(crate) last: Vec<u8>,
}

/// One file of the table to be.
#[derive(Debug)]
pub(crate) enum Leaf {
    /// One that is to be written.
    New(Chunk),
    /// One that the table has.
    Kept(Arc<LiveFile>),
}

/// Ordered rows that stay together.
enum Segment {
    /// Rows of one batch, with their keys. Few keys are looked at, so all but the first and the last one are encoded when
    /// they are.
    Rows {
        batch: RecordBatch,
        keys: SortKeys,
        first: OwnedRow,
        last: OwnedRow,
    },
    /// All rows of a file.
    File(Arc<LiveFile>),
}

/// Why it does not go on.
enum Stop {
    /// The rows of this file have to be known.
    Unread(Arc<LiveFile>),
    /// A key cannot be encoded.
    Failed(ArrowError),
}

impl From<ArrowError> for Stop {
    fn from(error: ArrowError) -> Self {
        Self::Failed(error)
    }
}

impl Segment {
    /// Rows of a batch that is not empty.
    fn of_rows(batch: RecordBatch, keys: SortKeys) -> Result<Self, ArrowError> {
        Ok(Self::Rows {
            first: keys.get(0)?,
            last: keys.get(batch.num_rows() - 1)?,
            batch,
            keys,
        })
    }

    fn rows(&self) -> usize {
        match self {
            Self::Rows { batch, .. } => batch.num_rows(),
            Self::File(file) => file.rows,
        }
    }

    fn first_key(&self) -> &[u8] {
        match self {
            Self::Rows { first, .. } => first.as_ref(),
            Self::File(file) => &file.first,
        }
    }

    fn last_key(&self) -> &[u8] {
        match self {
            Self::Rows { last, .. } => last.as_ref(),
            Self::File(file) => &file.last,
        }
    }

    /// How many keys, from the first on, have a 0 at `depth`, if all agree in the bits before.
    fn zeros(&self, depth: usize) -> Result<usize, Stop> {
        match (bit(self.first_key(), depth), bit(self.last_key(), depth)) {
            (false, false) => Ok(self.rows()),
            (true, _) => Ok(0),
            (false, true) => self.first_where(|key| bit(key, depth)),
        }
    }

    /// How many rows, from the first on, share the first `depth` bits with the first one.
    fn prefix_rows(&self, depth: usize) -> Result<usize, Stop> {
        let first = self.first_key();
        if common_bits(first, self.last_key()) >= depth {
            return Ok(self.rows());
        }
        self.first_where(|key| common_bits(first, key) < depth)
    }

    /// The first row that `holds` is true of: it is false of the first one, and true of all behind one that it is true of.
    fn first_where(&self, holds: impl Fn(&[u8]) -> bool) -> Result<usize, Stop> {
        let keys = match self {
            Self::Rows { keys, .. } => keys,
            Self::File(file) => return Err(Stop::Unread(Arc::clone(file))),
        };
        let (mut before, mut behind) = (0, self.rows() - 1);
        while behind - before > 1 {
            let middle = before + (behind - before) / 2;
            if holds(keys.get(middle)?.as_ref()) {
                behind = middle;
            } else {
                before = middle;
            }
        }
        Ok(behind)
    }

    /// Divides the segment in front of row `at`, which is inside of it.
    fn split(self, at: usize) -> Result<(Self, Self), Box<(Self, Stop)>> {
        let (batch, keys) = match &self {
            Self::Rows { batch, keys, .. } => (batch, keys),
            Self::File(file) => {
                let unread = Stop::Unread(Arc::clone(file));
                return Err(Box::new((self, unread)));
            }
        };
        let part = |from: usize, rows: usize| {
            Self::of_rows(batch.slice(from, rows), keys.slice(from, rows))
        };
        let parts = part(0, at).and_then(|head| Ok((head, part(at, batch.num_rows() - at)?)));
        parts.map_err(|error| Box::new((self, error.into())))
    }
}

/// Collects ordered rows and gives back leaves of at most `rows_max` rows.
///
/// It holds at most `rows_max` rows and one batch, files aside of which it knows no rows.
pub(crate) struct RadixCutter {
    rows_max: usize,
    /// What was taken and not looked at.
    input: VecDeque<Segment>,
    /// Complete prefixes with their depths; the last one comes first in the order of rows.
    complete: Vec<(Held, usize)>,
    /// Rows that share the first `depth` bits; not yet known to be a leaf.
    held: Held,
    depth: usize,
}

impl RadixCutter {
    pub(crate) fn new(rows_max: usize) -> Self {
        Self {
            rows_max: rows_max.max(1),
            input: VecDeque::new(),
            complete: Vec::new(),
            held: Held::default(),
            depth: 0,
        }
    }

    pub(crate) fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Takes the next rows, which follow those before in the order of their keys.
    pub(crate) fn push(&mut self, batch: &RecordBatch, keys: SortKeys) -> Result<(), Error> {
        if batch.num_rows() > 0 {
            let segment = Segment::of_rows(batch.clone(), keys)?;
            self.input.push_back(segment);
        }
        Ok(())
    }

    /// Takes a file whose rows follow those before.
    pub(crate) fn push_file(&mut self, file: Arc<LiveFile>) {
        if file.rows > 0 {
            self.input.push_back(Segment::File(file));
        }
    }

    /// Nothing follows: what is held is complete.
    pub(crate) fn end(&mut self) {
        debug_assert!(
            self.input.is_empty(),
            "what was taken is cut before the end"
        );
        let held = std::mem::take(&mut self.held);
        self.complete.push((held, self.depth));
    }

    /// Gives back the leaves that are known by now, as far as they can be known without the rows of the file that is
    /// returned. Those are to be given by [`RadixCutter::supply`], and then this is called again.
    pub(crate) fn cut(&mut self, leaves: &mut Vec<Leaf>) -> Result<Option<Arc<LiveFile>>, Error> {
        match self.try_cut(leaves) {
            Ok(()) => Ok(None),
            Err(Stop::Unread(file)) => Ok(Some(file)),
            Err(Stop::Failed(error)) => Err(error.into()),
        }
    }

    /// Puts the rows of a file in its place.
    pub(crate) fn supply(
        &mut self,
        file: &LiveFile,
        rows: Vec<(RecordBatch, SortKeys)>,
    ) -> Result<(), Error> {
        let rows = rows.into_iter().filter(|(batch, _)| batch.num_rows() > 0);
        let rows = rows.map(|(batch, keys)| Segment::of_rows(batch, keys));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let complete = self.complete.iter_mut().map(|(held, _)| &mut held.segments);
        let lists = complete.chain([&mut self.held.segments, &mut self.input]);
        for list in lists {
            let place = list.iter().position(
                |segment| matches!(segment, Segment::File(other) if other.path == file.path),
            );
            if let Some(place) = place {
                let behind = list.split_off(place);
                list.extend(rows);
                list.extend(behind.into_iter().skip(1));
                break;
            }
        }
        Ok(())
    }

    fn try_cut(&mut self, leaves: &mut Vec<Leaf>) -> Result<(), Stop> {
        loop {
            while let Some((held, depth)) = self.complete.pop() {
                self.emit(held, depth, leaves)?;
            }
            if self.held.rows > self.rows_max {
                self.descend()?;
            } else if let Some(segment) = self.input.pop_front() {
                self.take(segment)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Adds the rows of a segment to the held prefix as far as they belong to it.
    fn take(&mut self, segment: Segment) -> Result<(), Stop> {
        // Nothing is held before the first row of all: the trie's root, which nothing has split yet.
        if let Some(held) = self.held.first_key() {
            let common = common_bits(held, segment.first_key());
            if common < self.depth {
                // The held prefix is complete. Its ancestors were all split, so the next one begins right below
                // the deepest ancestor that the two share.
                let done = std::mem::take(&mut self.held);
                self.complete.push((done, self.depth));
                self.depth = common + 1;
                self.input.push_front(segment);
                return Ok(());
            }
        }
        let rows = match segment.prefix_rows(self.depth) {
            Ok(rows) => rows,
            Err(unread) => {
                self.input.push_front(segment);
                return Err(unread);
            }
        };
        if rows == segment.rows() {
            self.held.push(segment);
            return Ok(());
        }
        match segment.split(rows) {
            Ok((head, tail)) => {
                self.input.push_front(tail);
                self.held.push(head);
                Ok(())
            }
            Err(stopped) => {
                let (segment, stop) = *stopped;
                self.input.push_front(segment);
                Err(stop)
            }
        }
    }

    /// Splits the held prefix, which is known to hold too many rows.
    fn descend(&mut self) -> Result<(), Stop> {
        if self.depth >= self.held.key_bits() {
            // Equal keys: no prefix tells them apart, so their number does.
            let head = self.held.split_off_head(self.rows_max)?;
            self.complete.push((head, self.depth));
            return Ok(());
        }
        let zeros = self.held.rows_with_zero(self.depth)?;
        self.depth += 1;
        if zeros > 0 && zeros < self.held.rows {
            let left = self.held.split_off_head(zeros)?;
            self.complete.push((left, self.depth));
        }
        Ok(())
    }

    /// Gives back a complete prefix of `depth` bits as a leaf, or puts its parts in its place.
    fn emit(&mut self, mut held: Held, depth: usize, leaves: &mut Vec<Leaf>) -> Result<(), Stop> {
        if held.rows == 0 {
            return Ok(());
        }
        if held.rows <= self.rows_max {
            return match held.into_leaf() {
                Ok(leaf) => {
                    leaves.push(leaf);
                    Ok(())
                }
                Err((held, unread)) => {
                    self.complete.push((held, depth));
                    Err(unread)
                }
            };
        }
        let is_equal = depth >= held.key_bits();
        let head = if is_equal {
            held.split_off_head(self.rows_max)
        } else {
            held.rows_with_zero(depth)
                .and_then(|zeros| held.split_off_head(zeros))
        };
        let depth_below = if is_equal { depth } else { depth + 1 };
        match head {
            Ok(head) => {
                self.complete.push((held, depth_below));
                self.complete.push((head, depth_below));
                Ok(())
            }
            Err(unread) => {
                self.complete.push((held, depth));
                Err(unread)
            }
        }
    }
}

/// Ordered rows, as slices of the batches that they came in, and files.
#[derive(Default)]
struct Held {
    segments: VecDeque<Segment>,
    rows: usize,
}

impl Held {
    fn push(&mut self, segment: Segment) {
        self.rows += segment.rows();
        self.segments.push_back(segment);
    }

    fn first_key(&self) -> Option<&[u8]> {
        Some(self.segments.front()?.first_key())
    }

    fn last_key(&self) -> Option<&[u8]> {
        Some(self.segments.back()?.last_key())
    }

    /// Bits after which no two held keys differ: rows are ordered, so the first and the last one differ the most.
    fn key_bits(&self) -> usize {
        match (self.first_key(), self.last_key()) {
            (Some(first), Some(last)) if first != last => 8 * first.len().max(last.len()),
            _ => 0,
        }
    }

    /// How many rows, all of one prefix of `depth` bits, have a 0 behind it. They come first.
    fn rows_with_zero(&self, depth: usize) -> Result<usize, Stop> {
        let mut zeros = 0;
        for segment in &self.segments {
            let here = segment.zeros(depth)?;
            zeros += here;
            if here < segment.rows() {
                break;
            }
        }
        Ok(zeros)
    }

    /// Takes rows away from the front; nothing is taken when a file would have to be divided.
    fn split_off_head(&mut self, rows: usize) -> Result<Self, Stop> {
        let mut head = Self::default();
        while head.rows < rows {
            let Some(segment) = self.segments.pop_front() else {
                break;
            };
            let wanted = rows - head.rows;
            if segment.rows() <= wanted {
                head.push(segment);
                continue;
            }
            match segment.split(wanted) {
                Ok((front, back)) => {
                    self.segments.push_front(back);
                    head.push(front);
                }
                Err(stopped) => {
                    let (segment, stop) = *stopped;
                    self.segments.push_front(segment);
                    while let Some(segment) = head.segments.pop_back() {
                        self.segments.push_front(segment);
                    }
                    return Err(stop);
                }
            }
        }
        self.rows -= head.rows;
        Ok(head)
    }

    /// A file as it is, if nothing else is held, or else rows.
    fn into_leaf(self) -> Result<Leaf, (Self, Stop)> {
        if let [Segment::File(file)] = self.segments.iter().collect::<Vec<_>>()[..] {
            return Ok(Leaf::Kept(Arc::clone(file)));
        }
        let unread = self.segments.iter().find_map(|segment| match segment {
            Segment::Rows { .. } => None,
            Segment::File(file) => Some(Stop::Unread(Arc::clone(file))),
        });
        if let Some(unread) = unread {
            return Err((self, unread));
        }
        let first = self.first_key().unwrap_or_default().to_vec();
        let last = self.last_key().unwrap_or_default().to_vec();
        let batches = self
            .segments
            .into_iter()
            .filter_map(|segment| match segment {
                Segment::Rows { batch, .. } => Some(batch),
                Segment::File(_) => None,
            });
        Ok(Leaf::New(Chunk {
            batches: batches.collect(),
            first,
            last,
        }))
    }
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
    use arrow_schema::DataType;
    use ossature_schema_spec::Fingerprint;
    use proptest::prelude::*;

    use super::*;
    use crate::order::RowEncoder;

    /// The files of ordered ids that arrive in batches of `batch_rows`.
    fn cut(ids: &[i64], batch_rows: usize, rows_max: usize) -> Vec<Vec<i64>> {
        let mut cutter = RadixCutter::new(rows_max);
        let mut leaves = Vec::new();
        for ids in ids.chunks(batch_rows) {
            let (batch, keys) = keyed(ids);
            cutter.push(&batch, keys).unwrap();
            assert!(cutter.cut(&mut leaves).unwrap().is_none());
        }
        cutter.end();
        assert!(cutter.cut(&mut leaves).unwrap().is_none());
        leaves.iter().map(ids_of).collect()
    }

    fn keyed(ids: &[i64]) -> (RecordBatch, SortKeys) {
        let encoder = Arc::new(RowEncoder::of_column(DataType::Int64).unwrap());
        let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        let keys = SortKeys::new(&encoder, vec![Arc::clone(&column)]);
        (RecordBatch::try_from_iter([("id", column)]).unwrap(), keys)
    }

    fn ids_of(leaf: &Leaf) -> Vec<i64> {
        let Leaf::New(chunk) = leaf else {
            panic!("there are no files to keep");
        };
        let ids = chunk.batches.iter().flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        });
        ids.collect()
    }

    /// The files of `files` and of ordered ids between them, files that were read counted, the others passed through.
    fn cut_again(files: &[Vec<i64>], added: &[i64], rows_max: usize) -> (Vec<Vec<i64>>, usize) {
        let mut cutter = RadixCutter::new(rows_max);
        let (mut leaves, mut read, mut added) = (Vec::new(), 0, added.to_vec());
        let live = |number: usize| {
            let ids = &files[number];
            let (_, keys) = keyed(ids);
            Arc::new(LiveFile {
                path: number.to_string(),
                rows: ids.len(),
                first: keys.get(0).unwrap().as_ref().to_vec(),
                last: keys.get(ids.len() - 1).unwrap().as_ref().to_vec(),
                bytes: 0,
                content: Fingerprint::from_bytes([0; 32]),
            })
        };
        let mut cut = |cutter: &mut RadixCutter, leaves: &mut Vec<Leaf>| {
            while let Some(file) = cutter.cut(leaves).unwrap() {
                read += 1;
                let number: usize = file.path.parse().unwrap();
                let rows = files[number].chunks(7).map(keyed).collect();
                cutter.supply(&file, rows).unwrap();
            }
        };
        for (number, ids) in files.iter().enumerate() {
            let before = added.partition_point(|id| id < &ids[0]);
            let inside = added.partition_point(|id| id <= &ids[ids.len() - 1]);
            let (batch, keys) = keyed(&added[..before]);
            cutter.push(&batch, keys).unwrap();
            if before == inside {
                cutter.push_file(live(number));
            } else {
                let mut both = [ids, &added[before..inside]].concat();
                both.sort_unstable();
                let (batch, keys) = keyed(&both);
                cutter.push(&batch, keys).unwrap();
            }
            added.drain(..inside);
            cut(&mut cutter, &mut leaves);
        }
        let (batch, keys) = keyed(&added);
        cutter.push(&batch, keys).unwrap();
        cut(&mut cutter, &mut leaves);
        cutter.end();
        cut(&mut cutter, &mut leaves);
        let found = leaves.iter().map(|leaf| match leaf {
            Leaf::Kept(file) => files[file.path.parse::<usize>().unwrap()].clone(),
            leaf @ Leaf::New(_) => ids_of(leaf),
        });
        (found.collect(), read)
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

    proptest! {
        #[test]
        fn files_that_pass_through_are_cut_like_their_rows(
            mut ids in proptest::collection::vec(0_i64..1 << 40, 1..300),
            mut added in proptest::collection::vec(0_i64..1 << 40, 0..20),
            limits in (1_usize..40, 1_usize..40),
        ) {
            ids.sort_unstable();
            added.sort_unstable();
            let files = cut(&ids, 300, limits.0);
            let (found, _) = cut_again(&files, &added, limits.1);
            ids.extend(&added);
            ids.sort_unstable();
            prop_assert_eq!(found, cut(&ids, 300, limits.1));
        }
    }

    #[test]
    fn only_files_next_to_a_change_are_read() {
        let ids: Vec<i64> = (0..4096).map(|id| id * 16).collect();
        let files = cut(&ids, 4096, 64);
        assert_eq!(files.len(), 64);
        assert_eq!(cut_again(&files, &[], 64), (files.clone(), 0));
        // Into a full file, between two files, behind the last one.
        for added in [9, 64 * 16 - 1, 1 << 30] {
            let (_, read) = cut_again(&files, &[added], 64);
            assert!(read <= 1, "{read} files were read for {added}");
        }
        let half = cut(&ids, 4096, 128);
        let (_, read) = cut_again(&half, &[], 64);
        assert_eq!(read, half.len(), "files that are too large are all read");
    }

    #[test]
    fn equal_keys_are_cut_by_number() {
        let lengths: Vec<usize> = cut(&[7; 25], 4, 10).iter().map(Vec::len).collect();
        assert_eq!(lengths, [10, 10, 5]);
    }
}
