//! The files that a table has: which of them can be cut without being read, and the rows of the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray, new_null_array};
use arrow_cast::cast;
use arrow_row::Rows;
use arrow_schema::{DataType, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::ident;
use deltalake_core::kernel::{Add, LogicalFileView};
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt};
use ossature_registry::{AlignmentPlan, GuardedScan, OpenTable, SessionSpec};
use ossature_schema_spec::{DatasetSpec, Fingerprint, SortKey};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use crate::order::{RowEncoder, SortKeys};
use crate::partition::{PartitionValues, respell};
use crate::{Error, WRITER_VERSION};

/// Rows that are read from a file at a time.
const BATCH_ROWS: usize = 8192;

/// The longest key that the log keeps. A file with a longer one is read, sorted and written anew by every write that goes
/// among rows of its partition.
const KEY_BYTES_MAX: usize = 512;

/// The tags that the writer puts on every file that it adds.
mod tag {
    pub(super) const WRITER: &str = "ossature.writer";
    pub(super) const ORDER: &str = "ossature.order";
    pub(super) const FIRST_KEY: &str = "ossature.firstKey";
    pub(super) const LAST_KEY: &str = "ossature.lastKey";
    pub(super) const CONTENT_HASH: &str = "ossature.contentHash";
}

/// A file of the table that our writer wrote, with what the log says of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveFile {
    /// The path in the log.
    pub(crate) path: String,
    pub(crate) rows: usize,
    pub(crate) bytes: u64,
    /// The digest of its bytes.
    pub(crate) content: Fingerprint,
    /// The row-encoded sort keys of its first and of its last row.
    pub(crate) first: Vec<u8>,
    pub(crate) last: Vec<u8>,
}

/// What the log is to say of a file's rows, besides statistics.
///
/// Without an order nothing is said of where the rows lie. What is said stays true as long as the file exists, whatever is committed on top.
pub(crate) fn file_tags(
    order: Option<&str>,
    content: Fingerprint,
    first: &[u8],
    last: &[u8],
) -> BTreeMap<String, String> {
    // Places in a cluster are those of one write, and compare with no others.
    let keys = order.filter(|_| first.len().max(last.len()) <= KEY_BYTES_MAX);
    let mut tags = BTreeMap::from([
        (tag::WRITER.to_owned(), WRITER_VERSION.to_string()),
        (tag::CONTENT_HASH.to_owned(), content.to_hex()),
    ]);
    if let Some(order) = keys {
        tags.insert(tag::ORDER.to_owned(), order.to_owned());
        tags.insert(tag::FIRST_KEY.to_owned(), to_hex(first));
        tags.insert(tag::LAST_KEY.to_owned(), to_hex(last));
    }
    tags
}

/// The order of rows inside of files, as their tags say it: with types, since keys of two types do not compare. Partition
/// columns are in no file.
pub(crate) fn order_inside(contract: &DatasetSpec) -> String {
    let inside = |key: &&SortKey| !contract.partition().contains(&key.column);
    let names = contract.order().iter().filter(inside);
    let texts = names.map(|key| match contract.column(&key.column) {
        Some(column) => format!("{key} {}", column.column_type()),
        None => key.to_string(),
    });
    texts.collect::<Vec<_>>().join(", ")
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |bits: u8| DIGITS[usize::from(bits & 15)];
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|bits| u8::try_from(bits).ok()))
        .collect();
    let (pairs, []) = digits.as_ref()?.as_chunks::<2>() else {
        return None;
    };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The files of one partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionFiles {
    /// Files whose rows are known to follow each other.
    pub(crate) chain: Vec<Arc<LiveFile>>,
    /// The paths of the others: their rows lie between those of the chain, or nothing is known of them.
    pub(crate) loose: BTreeSet<String>,
}

/// The files of a version, by partition.
pub(crate) fn partition_files(
    contract: &DatasetSpec,
    open: &OpenTable,
) -> Result<BTreeMap<PartitionValues, PartitionFiles>, Error> {
    let snapshot = open.snapshot()?;
    let order = order_inside(contract);
    let mut known: BTreeMap<PartitionValues, Vec<LiveFile>> = BTreeMap::new();
    let mut files: BTreeMap<PartitionValues, PartitionFiles> = BTreeMap::new();
    for view in snapshot.log_data().iter() {
        let values = partition_of(contract, &view);
        if let Some(file) = live_file(&view, &order) {
            known.entry(values).or_default().push(file);
        } else {
            let loose = &mut files.entry(values).or_default().loose;
            loose.insert(view.object_store_path().to_string());
        }
    }
    for (values, known) in known {
        let partition = files.entry(values).or_default();
        let (chain, others) = longest_chain(known);
        partition.chain = chain.into_iter().map(Arc::new).collect();
        partition
            .loose
            .extend(others.into_iter().map(|file| file.path));
    }
    Ok(files)
}

/// Every file of the version with its partition, and what its tags say; `None` when somebody else wrote it, or in another
/// order.
pub(crate) fn known_files(
    contract: &DatasetSpec,
    open: &OpenTable,
) -> Result<Vec<(PartitionValues, Option<LiveFile>)>, Error> {
    let snapshot = open.snapshot()?;
    let order = order_inside(contract);
    let files = snapshot.log_data();
    Ok(files
        .iter()
        .map(|view| (partition_of(contract, &view), live_file(&view, &order)))
        .collect())
}

fn partition_of(contract: &DatasetSpec, view: &LogicalFileView) -> PartitionValues {
    let values = view.partition_values_map();
    let names = contract.partition().iter();
    names
        .map(|name| {
            let text = values.get(name.as_str())?.as_deref()?;
            match contract.column(name) {
                Some(column) => respell(text, &column.column_type().to_arrow()),
                None => Some(text.to_owned()),
            }
        })
        .collect()
}

/// What our writer, of whatever version, said of a file: the digest of its bytes.
pub(crate) fn written_digest(view: &LogicalFileView) -> Option<Fingerprint> {
    let tags = add_action(view).tags?;
    let tag = |name: &str| tags.get(name).and_then(Option::as_deref);
    tag(tag::WRITER).and_then(|_| Fingerprint::from_hex(tag(tag::CONTENT_HASH)?))
}

fn add_action(view: &LogicalFileView) -> Add {
    #[expect(
        deprecated,
        reason = "the view gives tags away in no other form, and is replaced when they have another"
    )]
    view.add_action()
}

/// What the tags of a file say, if they say it of all its rows and in this order.
fn live_file(view: &LogicalFileView, order: &str) -> Option<LiveFile> {
    if view.deletion_vector_descriptor().is_some() {
        return None;
    }
    let add = add_action(view);
    let tags: HashMap<String, Option<String>> = add.tags?;
    let tag = |name: &str| tags.get(name).and_then(Option::as_deref);
    if tag(tag::WRITER)? != WRITER_VERSION.to_string() || tag(tag::ORDER)? != order {
        return None;
    }
    Some(LiveFile {
        path: add.path,
        rows: view.num_records()?,
        bytes: u64::try_from(add.size).ok()?,
        content: Fingerprint::from_hex(tag(tag::CONTENT_HASH)?)?,
        first: from_hex(tag(tag::FIRST_KEY)?)?,
        last: from_hex(tag(tag::LAST_KEY)?)?,
    })
}

/// The files that follow each other and hold the most rows, in order, and the others.
pub(crate) fn longest_chain(mut files: Vec<LiveFile>) -> (Vec<LiveFile>, Vec<LiveFile>) {
    // Of files with equal keys the fuller ones come first, as they are cut.
    files.sort_by(|a, b| {
        let key = |file: &LiveFile| (Reverse(file.rows), file.path.clone());
        (&a.last, &a.first, key(a)).cmp(&(&b.last, &b.first, key(b)))
    });
    // For every file: the rows of the fullest chain that ends with it or before, and whether it ends with it.
    let mut best: Vec<(usize, bool)> = Vec::with_capacity(files.len());
    let mut before = Vec::with_capacity(files.len());
    for (at, file) in files.iter().enumerate() {
        let follows = files[..at].partition_point(|other| other.last <= file.first);
        before.push(follows);
        let rows_before = follows.checked_sub(1).map_or(0, |last| best[last].0);
        let without = at.checked_sub(1).map_or(0, |last| best[last].0);
        let with = rows_before + file.rows;
        best.push((with.max(without), with > without || file.rows == 0));
    }
    let mut is_kept = vec![false; files.len()];
    let mut end = files.len();
    while let Some(at) = end.checked_sub(1) {
        if best[at].1 {
            is_kept[at] = true;
            end = before[at];
        } else {
            end = at;
        }
    }
    let (kept, others): (Vec<_>, Vec<_>) = files
        .into_iter()
        .zip(is_kept)
        .partition(|(_, is_kept)| *is_kept);
    let files = |pairs: Vec<(LiveFile, bool)>| pairs.into_iter().map(|(file, _)| file).collect();
    (files(kept), files(others))
}

/// Reads the rows of a table's files, in the columns that files are to have.
pub(crate) struct StoredRows {
    contract: DatasetSpec,
    open: OpenTable,
    store: Arc<DynObjectStore>,
    schema: SchemaRef,
    keys: Arc<RowEncoder>,
    session: SessionSpec,
}

/// Rows with their row-encoded sort keys.
pub(crate) type KeyedBatch = (RecordBatch, Arc<Rows>);

impl StoredRows {
    /// Rows of `schema`, the contract's columns inside of files. What has to be sorted is sorted in `session`.
    pub(crate) fn try_new(
        contract: &DatasetSpec,
        open: &OpenTable,
        schema: &SchemaRef,
        session: SessionSpec,
    ) -> Result<Self, Error> {
        Ok(Self {
            contract: contract.clone(),
            open: open.clone(),
            store: open.table().object_store(),
            schema: Arc::clone(schema),
            keys: Arc::new(RowEncoder::of_order(contract, schema)?),
            session,
        })
    }

    /// All rows of a file of our writer, in their order. Such a file is small: the policy says how many rows it holds.
    pub(crate) async fn read(&self, file: &LiveFile) -> Result<Vec<RecordBatch>, Error> {
        let path = Path::parse(&file.path).unwrap_or_else(|_| Path::from(file.path.as_str()));
        let fetch = async { self.store.get(&path).await?.bytes().await };
        let bytes = fetch.await.map_err(|source| Error::Store {
            file: file.path.clone(),
            source: Box::new(source),
        })?;
        // What is read here is written again under another digest, so nobody could tell later.
        let found = Fingerprint::from_bytes(*blake3::hash(&bytes).as_bytes());
        if found != file.content {
            return Err(Error::Damaged {
                dataset: self.contract.name().clone(),
                file: file.path.clone(),
                wanted: file.content,
                found,
            });
        }
        let failed = Error::parquet(&file.path);
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
            .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build())
            .map_err(failed)?;
        reader.map(|batch| self.conform(&batch?)).collect()
    }

    /// The rows of other files, sorted; the sort spills when they are many.
    pub(crate) async fn sort(
        &self,
        paths: &BTreeSet<String>,
    ) -> Result<SendableRecordBatchStream, Error> {
        let scan = GuardedScan::of_files(&self.open, paths)?;
        let alignment = AlignmentPlan::try_new(&self.contract, &scan.schema())?;
        let mut columns = alignment.expressions();
        let mut place = 0;
        columns.retain(|_| {
            let column = &self.contract.columns()[place];
            place += 1;
            !self.contract.partition().contains(column.name())
        });
        let inside = |key: &&SortKey| !self.contract.partition().contains(&key.column);
        let order = self.contract.write_order();
        let order = order.iter().filter(inside);
        let order = order.map(|key| ident(key.column.as_str()).sort(!key.descending, true));
        let frame = self
            .session
            .build()?
            .read_table(Arc::new(scan))?
            .select(columns)?;
        let order: Vec<_> = order.collect();
        // Files come in the order of their names, which others choose at random; without an order they stay in it. One of
        // partition columns alone leaves nothing to sort by.
        let frame = if self.contract.order().is_empty() || order.is_empty() {
            frame
        } else {
            frame.sort(order)?
        };
        Ok(frame.execute_stream().await?)
    }

    /// Puts columns into the types and places that files have now.
    pub(crate) fn conform(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let column = |field: &arrow_schema::FieldRef| -> Result<ArrayRef, Error> {
            match batch.column_by_name(field.name()) {
                Some(array) => fit(array, field.data_type()),
                // The file is older than the column, which is null in it.
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        };
        let columns = self.schema.fields().iter().map(column);
        let columns = columns.collect::<Result<Vec<_>, Error>>()?;
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    /// Their keys, to be encoded when they are asked for.
    pub(crate) fn sort_keys(&self, batch: &RecordBatch) -> SortKeys {
        SortKeys::new(&self.keys, self.keys.columns(batch))
    }

    pub(crate) fn keyed(&self, batch: RecordBatch) -> Result<KeyedBatch, Error> {
        let keys = Arc::new(self.sort_keys(&batch).all()?);
        Ok((batch, keys))
    }
}

/// An array of a stored type in the type that its column has now. A field that a group was given since is null.
fn fit(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, Error> {
    if array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    let (DataType::Struct(fields), Some(group)) = (wanted, array.as_struct_opt()) else {
        return Ok(cast(array, wanted)?);
    };
    let columns = fields
        .iter()
        .map(|field| match group.column_by_name(field.name()) {
            Some(column) => fit(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), group.len())),
        });
    let columns = columns.collect::<Result<Vec<_>, Error>>()?;
    let nulls = group.nulls().cloned();
    let fitted = StructArray::try_new_with_length(fields.clone(), columns, nulls, group.len());
    Ok(Arc::new(fitted?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str, rows: usize, first: u8, last: u8) -> LiveFile {
        LiveFile {
            path: path.to_owned(),
            rows,
            bytes: 0,
            content: Fingerprint::from_bytes([0; 32]),
            first: vec![first],
            last: vec![last],
        }
    }

    fn paths(files: &[LiveFile]) -> Vec<&str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_file_that_spans_all_others_is_not_in_the_chain() {
        let files = vec![
            file("small", 3, 0, 90),
            file("b", 10, 20, 29),
            file("a", 10, 10, 19),
            file("c", 10, 29, 40),
        ];
        let (chain, others) = longest_chain(files);
        assert_eq!(paths(&chain), ["a", "b", "c"]);
        assert_eq!(paths(&others), ["small"]);
    }

    #[test]
    fn files_with_equal_keys_follow_each_other_the_fuller_ones_first() {
        let files = vec![file("a", 5, 7, 7), file("c", 10, 7, 7), file("b", 10, 7, 7)];
        let (chain, others) = longest_chain(files);
        assert_eq!(paths(&chain), ["b", "c", "a"]);
        assert!(others.is_empty());
    }

    proptest! {
        #[test]
        fn a_chain_is_in_order_and_loses_no_file(
            files in proptest::collection::vec((0_u8..50, 0_u8..20, 1_usize..9), 0..30),
        ) {
            let all: Vec<LiveFile> = files
                .iter()
                .enumerate()
                .map(|(at, (first, length, rows))| file(&at.to_string(), *rows, *first, first + length))
                .collect();
            let rows = |files: &[LiveFile]| files.iter().map(|file| file.rows).sum::<usize>();
            let longest = all.iter().map(|file| file.rows).max().unwrap_or(0);
            let (chain, others) = longest_chain(all.clone());
            prop_assert!(chain.windows(2).all(|pair| pair[0].last <= pair[1].first));
            prop_assert!(rows(&chain) >= longest);
            let mut found = [chain, others].concat();
            let mut all = all;
            found.sort_by(|a, b| a.path.cmp(&b.path));
            all.sort_by(|a, b| a.path.cmp(&b.path));
            prop_assert_eq!(found, all);
        }

        #[test]
        fn keys_are_read_back_as_they_were_written(bytes: Vec<u8>) {
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn what_is_not_hexadecimal_is_no_key() {
        for text in ["0", "0g", "-1"] {
            assert_eq!(from_hex(text), None, "{text}");
        }
    }
}
