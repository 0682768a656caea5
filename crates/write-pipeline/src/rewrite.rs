//! Puts new rows among those that a table has: in the places of ranges, or key by key.
//!
//! Stored files pass by as they are; one is read where rows of it go, or where new rows belong between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_row::Rows;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave_record_batch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use ossature_registry::{OpenTable, SessionSpec};
use ossature_schema_spec::{DatasetName, DatasetSpec};

use crate::Error;
use crate::cut::RadixCutter;
use crate::order::RowEncoder;
use crate::partition::PartitionValues;
use crate::range::ByteRange;
use crate::stored::{KeyedBatch, LiveFile, PartitionFiles, StoredRows, partition_files};

/// Which stored rows stay.
pub(crate) enum Rule {
    /// Those outside of these ranges.
    Outside(Vec<ByteRange>),
    /// Those whose key no new row has. The key's columns lead the order, and are encoded by this.
    OtherKeys(RowEncoder),
}

/// Rows that are collected before they are cut.
const GATHER_ROWS: usize = 8192;

/// New rows on their way to the cutter, among the stored ones.
pub(crate) struct Weave {
    rule: Rule,
    stored: Arc<StoredRows>,
    /// The files of partitions that were not begun.
    files: BTreeMap<PartitionValues, PartitionFiles>,
    old: OldRows,
    gather: Gather,
    /// The encoded keys of the rows that are woven in, where the rule compares keys.
    new_keys: Option<Rows>,
}

impl Weave {
    pub(crate) fn try_new(
        rule: Rule,
        contract: &DatasetSpec,
        open: &OpenTable,
        schema: &SchemaRef,
    ) -> Result<Self, Error> {
        let stored = StoredRows::try_new(contract, open, schema, SessionSpec::default())?;
        Ok(Self {
            rule,
            stored: Arc::new(stored),
            files: partition_files(contract, open)?,
            old: OldRows::default(),
            gather: Gather::default(),
            new_keys: None,
        })
    }

    /// The partitions of the table that were not begun.
    pub(crate) fn untouched(&self) -> Vec<PartitionValues> {
        self.files.keys().cloned().collect()
    }

    pub(crate) async fn begin_partition(&mut self, values: &PartitionValues) -> Result<(), Error> {
        let files = self.files.remove(values).unwrap_or_default();
        self.old = OldRows::open(&self.rule, files, &self.stored).await?;
        Ok(())
    }

    /// What reads files that the cutter asks for.
    pub(crate) fn stored(&self) -> Arc<StoredRows> {
        Arc::clone(&self.stored)
    }

    /// Looks at the next new rows, the first of which is number `number` of the write.
    ///
    /// **Errors**: [`Error::OutsideRanges`].
    pub(crate) fn begin_rows(
        &mut self,
        dataset: &DatasetName,
        rows: &RecordBatch,
        keys: &Rows,
        number: u64,
    ) -> Result<(), Error> {
        match &self.rule {
            Rule::OtherKeys(key) => self.new_keys = Some(key.encode(&key.columns(rows))?),
            Rule::Outside(ranges) => {
                let mut ranges = ranges.iter().peekable();
                for (at, key) in keys.iter().enumerate() {
                    while ranges
                        .next_if(|range| !range.is_above(key.data()))
                        .is_some()
                    {}
                    if !ranges
                        .peek()
                        .is_some_and(|range| range.contains(key.data()))
                    {
                        return Err(Error::OutsideRanges {
                            dataset: dataset.clone(),
                            row: number + at as u64,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// Passes rows on, stored ones or new ones from row `from` on, and tells which new row is the next one.
    pub(crate) async fn advance(
        &mut self,
        rows: &RecordBatch,
        keys: &Arc<Rows>,
        from: usize,
        cutter: &mut RadixCutter,
    ) -> Result<usize, Error> {
        let compared = self.new_keys.as_ref().unwrap_or(keys);
        let first = compared.row(from);
        if let Some(piece) = self.old.next(Some(first.data()), &self.stored).await? {
            self.place(piece, cutter)?;
            return Ok(from);
        }
        let is_merge = self.new_keys.is_some();
        if is_merge {
            self.old.skip_key(first.data(), &self.stored).await?;
        }
        let to = match self.old.next_key(&self.stored).await? {
            Some(next) => run_end(compared, from + 1, rows.num_rows(), |key| {
                key < next && !(is_merge && next.starts_with(key))
            }),
            None => rows.num_rows(),
        };
        let new = Slice {
            batch: rows.clone(),
            keys: Arc::clone(keys),
            from,
            to,
        };
        self.place(Piece::Rows(new), cutter)?;
        Ok(to)
    }

    /// Passes stored rows on that come behind all new ones of the partition; `false` when there are no more.
    pub(crate) async fn drain(&mut self, cutter: &mut RadixCutter) -> Result<bool, Error> {
        match self.old.next(None, &self.stored).await? {
            Some(piece) => self.place(piece, cutter).map(|()| true),
            None => self.flush(cutter).map(|()| false),
        }
    }

    fn place(&mut self, piece: Piece, cutter: &mut RadixCutter) -> Result<(), Error> {
        match piece {
            Piece::File(file) => {
                self.flush(cutter)?;
                cutter.push_file(file);
            }
            Piece::Rows(slice) => {
                self.gather.push(slice);
                if self.gather.rows >= GATHER_ROWS {
                    self.flush(cutter)?;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self, cutter: &mut RadixCutter) -> Result<(), Error> {
        if let Some(rows) = self.gather.take()? {
            let rows = self.stored.conform(&rows)?;
            cutter.push(&rows, self.stored.sort_keys(&rows))?;
        }
        Ok(())
    }
}

/// What comes next of the stored rows.
enum Piece {
    File(Arc<LiveFile>),
    Rows(Slice),
}

/// Rows of one batch, with the keys of the whole batch.
struct Slice {
    batch: RecordBatch,
    keys: Arc<Rows>,
    from: usize,
    to: usize,
}

/// The stored rows of one partition that stay, in their order.
#[derive(Default)]
struct OldRows {
    ranges: VecDeque<ByteRange>,
    chain: VecDeque<Arc<LiveFile>>,
    /// What is left of the chain's file that was read last.
    inside: Cursor,
    loose: Option<SendableRecordBatchStream>,
    /// What is left of the batch of loose rows that came last.
    between: Cursor,
}

/// Batches that were read and not passed on.
#[derive(Default)]
struct Cursor {
    batches: VecDeque<KeyedBatch>,
    at: usize,
}

impl Cursor {
    fn head(&self) -> Option<&[u8]> {
        let (_, keys) = self.batches.front()?;
        Some(keys.row(self.at).data())
    }

    fn push(&mut self, batch: KeyedBatch) {
        if batch.0.num_rows() > 0 {
            self.batches.push_back(batch);
        }
    }

    /// The rows that `comes` is true of, of the first batch: it is true of a leading run of rows.
    fn take(&mut self, comes: impl Fn(&[u8]) -> bool) -> Option<Slice> {
        let (batch, keys) = self.batches.front()?;
        let (from, rows) = (self.at, batch.num_rows());
        let to = run_end(keys, from, rows, comes);
        let slice = Slice {
            batch: batch.clone(),
            keys: Arc::clone(keys),
            from,
            to,
        };
        self.at = to;
        if to == rows {
            self.batches.pop_front();
            self.at = 0;
        }
        Some(slice)
    }
}

/// The first row from `from` on that `comes` is false of, being true of all before and of none behind.
fn run_end(keys: &Rows, from: usize, rows: usize, comes: impl Fn(&[u8]) -> bool) -> usize {
    let (mut low, mut high) = (from, rows);
    while low < high {
        let middle = low + (high - low) / 2;
        if comes(keys.row(middle).data()) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl OldRows {
    async fn open(rule: &Rule, files: PartitionFiles, stored: &StoredRows) -> Result<Self, Error> {
        let ranges = match rule {
            Rule::Outside(ranges) => ranges.iter().cloned().collect(),
            Rule::OtherKeys(_) => VecDeque::new(),
        };
        let loose = if files.loose.is_empty() {
            None
        } else {
            Some(stored.sort(&files.loose).await?)
        };
        Ok(Self {
            ranges,
            chain: files.chain.into(),
            inside: Cursor::default(),
            loose,
            between: Cursor::default(),
        })
    }

    fn chain_head(&self) -> Option<&[u8]> {
        let file = || Some(self.chain.front()?.first.as_slice());
        self.inside.head().or_else(file)
    }

    /// Whether the next row is a loose one. Where keys are equal, which only rows without a key have, the chain's come
    /// first.
    fn is_loose_next(&self) -> bool {
        match (self.chain_head(), self.between.head()) {
            (Some(chain), Some(between)) => between < chain,
            (chain, between) => chain.is_none() && between.is_some(),
        }
    }

    fn head(&self) -> Option<&[u8]> {
        if self.is_loose_next() {
            self.between.head()
        } else {
            self.chain_head()
        }
    }

    /// The key of the next stored row that stays; behind it only larger ones follow.
    async fn next_key(&mut self, stored: &StoredRows) -> Result<Option<&[u8]>, Error> {
        self.pass_ranges(stored).await?;
        Ok(self.head())
    }

    /// The next stored rows whose keys are smaller than `limit`.
    async fn next(
        &mut self,
        limit: Option<&[u8]>,
        stored: &StoredRows,
    ) -> Result<Option<Piece>, Error> {
        loop {
            self.pass_ranges(stored).await?;
            let range = self.ranges.front().map(|range| range.from.clone());
            let is_before = |key: &[u8]| {
                limit.is_none_or(|limit| key < limit)
                    && range.as_deref().is_none_or(|from| key < from)
            };
            if !self.head().is_some_and(is_before) {
                return Ok(None);
            }
            if self.is_loose_next() {
                let chain = self.chain_head().map(<[u8]>::to_vec);
                let comes =
                    |key: &[u8]| is_before(key) && chain.as_deref().is_none_or(|it| key < it);
                return Ok(self.between.take(comes).map(Piece::Rows));
            }
            let between = self.between.head().map(<[u8]>::to_vec);
            let comes =
                |key: &[u8]| is_before(key) && between.as_deref().is_none_or(|it| key <= it);
            if self.inside.head().is_some() {
                return Ok(self.inside.take(comes).map(Piece::Rows));
            }
            match self.chain.pop_front() {
                Some(file) if comes(&file.last) => return Ok(Some(Piece::File(file))),
                Some(file) => self.enter(&file, stored).await?,
                None => return Ok(None),
            }
        }
    }

    /// Passes over the rows whose keys begin with `key`: a new row takes their place.
    async fn skip_key(&mut self, key: &[u8], stored: &StoredRows) -> Result<(), Error> {
        let is_same = |other: &[u8]| other.starts_with(key);
        while self.next_key(stored).await?.is_some_and(is_same) {
            self.skip(is_same, stored).await?;
        }
        Ok(())
    }

    /// Passes over the rows that ranges take out, as long as they come first.
    async fn pass_ranges(&mut self, stored: &StoredRows) -> Result<(), Error> {
        loop {
            self.fetch_loose(stored).await?;
            let (Some(range), Some(head)) = (self.ranges.front(), self.head()) else {
                return Ok(());
            };
            if !range.is_above(head) {
                self.ranges.pop_front();
                continue;
            }
            if !range.contains(head) {
                return Ok(());
            }
            let range = range.clone();
            self.skip(|key| range.is_above(key), stored).await?;
        }
    }

    /// Passes over rows at the front that `goes` is true of, as it is of the first one: a file, or rows of one batch.
    async fn skip(
        &mut self,
        goes: impl Fn(&[u8]) -> bool,
        stored: &StoredRows,
    ) -> Result<(), Error> {
        if self.is_loose_next() {
            self.between.take(goes);
        } else if self.inside.head().is_some() {
            self.inside.take(goes);
        } else if let Some(file) = self.chain.pop_front()
            && !goes(&file.last)
        {
            self.enter(&file, stored).await?;
        }
        Ok(())
    }

    async fn enter(&mut self, file: &LiveFile, stored: &StoredRows) -> Result<(), Error> {
        for batch in stored.read(file).await? {
            self.inside.push(stored.keyed(batch)?);
        }
        Ok(())
    }

    async fn fetch_loose(&mut self, stored: &StoredRows) -> Result<(), Error> {
        while self.between.head().is_none() {
            let Some(stream) = &mut self.loose else {
                return Ok(());
            };
            match stream.next().await {
                Some(batch) => self.between.push(stored.keyed(stored.conform(&batch?)?)?),
                None => self.loose = None,
            }
        }
        Ok(())
    }
}

/// Collects slices of ordered rows into batches.
#[derive(Default)]
struct Gather {
    slices: Vec<Slice>,
    rows: usize,
}

impl Gather {
    fn push(&mut self, slice: Slice) {
        if slice.to > slice.from {
            self.rows += slice.to - slice.from;
            self.slices.push(slice);
        }
    }

    /// What was collected; nothing when that is nothing.
    fn take(&mut self) -> Result<Option<RecordBatch>, Error> {
        let slices = std::mem::take(&mut self.slices);
        self.rows = 0;
        let Some(first) = slices.first() else {
            return Ok(None);
        };
        let schema = first.batch.schema();
        if slices.len() <= 4 {
            let parts: Vec<RecordBatch> = slices
                .iter()
                .map(|slice| slice.batch.slice(slice.from, slice.to - slice.from))
                .collect();
            return Ok(Some(concat_batches(&schema, &parts)?));
        }
        // Many small slices mostly come from few batches.
        let mut batches: Vec<&Slice> = Vec::new();
        let mut places = Vec::new();
        for slice in &slices {
            let known = batches
                .iter()
                .rposition(|other| Arc::ptr_eq(&other.keys, &slice.keys));
            let batch = known.unwrap_or_else(|| {
                batches.push(slice);
                batches.len() - 1
            });
            places.extend((slice.from..slice.to).map(|row| (batch, row)));
        }
        let batches: Vec<&RecordBatch> = batches.iter().map(|slice| &slice.batch).collect();
        Ok(Some(interleave_record_batch(&batches, &places)?))
    }
}
