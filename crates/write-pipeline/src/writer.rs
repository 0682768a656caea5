//! The deterministic writer: takes ordered batches, gives back one version of a table.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema};
use futures::StreamExt;
use ossature_delta_policy::{ProtocolReport, ResolvedPolicy};
use ossature_registry::{OpenTable, TableLocation};
use ossature_schema_spec::{DatasetSpec, Fingerprint, Version};
use parquet::file::metadata::SortingColumn;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinError, JoinSet};

use crate::commit::{FileFacts, check_transaction, commit, live_files};
use crate::contract::ContractCheck;
use crate::cut::{Chunk, RadixCutter};
use crate::digest::ContentDigest;
use crate::encode::FileEncoder;
use crate::name::{FileNames, FilePlace};
use crate::order::OrderCheck;
use crate::statistics::StatisticsColumns;
use crate::store::{FileWriter, StoredFile};
use crate::table::open_or_create;
use crate::{Error, Provenance, WriteMode};

/// Encoders that several writers share, so that tables written side by side use the same threads.
#[derive(Debug, Clone)]
pub struct EncodePool(Arc<Semaphore>);

impl EncodePool {
    /// Encodes and stores at most `threads` files at a time.
    pub fn new(threads: NonZeroUsize) -> Self {
        Self(Arc::new(Semaphore::new(threads.get())))
    }
}

/// What is written, and where.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    /// What the rows are.
    pub contract: DatasetSpec,
    /// Where the table lies.
    pub location: TableLocation,
    /// How it is kept.
    pub policy: ResolvedPolicy,
    /// What becomes of the rows that are there.
    pub mode: WriteMode,
    /// Who asked, and for what.
    pub provenance: Provenance,
}

/// What came of a write.
#[derive(Debug, Clone)]
pub struct WriteOutcome {
    /// The dataset's contract, under which the rows were written.
    pub contract: DatasetSpec,
    /// The table's folder, without secrets.
    pub location: String,
    /// The policy that was applied.
    pub policy: ResolvedPolicy,
    /// The version before.
    pub version_before: Version,
    /// The version that holds the rows: the one before when nothing had to be committed.
    pub version: Version,
    /// Rows written.
    pub rows: u64,
    /// Bytes of the version's files, for an append of the added files.
    pub bytes: u64,
    /// Files of the version, for an append the added files.
    pub files: usize,
    /// Files that this commit added; the others were there already, byte for byte.
    pub files_added: usize,
    /// Files that this commit removed.
    pub files_removed: usize,
    /// Digest of the rows in their order.
    pub content: Fingerprint,
    /// What the table's protocol demands and whether the runtime provides it.
    pub protocol: ProtocolReport,
}

/// Writes the rows of one dataset as one version of its table.
///
/// Rows are pushed in the declared order. Each is checked against the contract, proven to follow the one before, and
/// digested; the stream is cut into files by data alone, files are encoded in parallel and named after their content,
/// and everything becomes visible in one commit by [`TableWriter::finish`]. Until then the table is as it was; a writer
/// that is dropped before begins no more files.
///
/// The key is proven within each partition when its columns are the leading ones of the order, partition columns aside.
/// Of another key, only rows that are equal in the whole order are found.
///
/// **Memory**: the rows that are being collected, at most those of one file and one batch; and for every thread of the
/// pool one file, whose rows are let go while its bytes are made, and whose bytes are kept until they are stored.
pub struct TableWriter {
    request: WriteRequest,
    open: OpenTable,
    protocol: ProtocolReport,
    check: ContractCheck,
    order: OrderCheck,
    digest: ContentDigest,
    partition: Partition,
    cutter: RadixCutter,
    pool: EncodePool,
    files: Arc<FileWriter>,
    /// Files on their way into the store. A writer that is dropped takes them along.
    tasks: JoinSet<Result<StoredFile, Error>>,
    /// Chunks that were cut, and the files of those that are stored.
    chunks: usize,
    stored: BTreeMap<usize, StoredFile>,
    rows: u64,
}

impl std::fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableWriter")
            .field("dataset", self.request.contract.name())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl TableWriter {
    /// Opens the table, or creates it from the contract.
    ///
    /// **Errors**: [`Error::ContractChanged`], [`Error::ProtocolRefused`], [`Error::Policy`], [`Error::Superseded`] when a
    /// later run has written the table, and those of the runtime.
    pub async fn open(request: WriteRequest, pool: EncodePool) -> Result<Self, Error> {
        let WriteRequest {
            contract,
            location,
            policy,
            ..
        } = &request;
        let layout = policy.layout.value.clone();
        let (open, protocol) = open_or_create(contract, location, policy).await?;
        check_transaction(&request, &open).await?;
        let schema = contract.arrow_schema();
        let data_fields: Vec<_> = contract
            .columns()
            .iter()
            .zip(schema.fields())
            .filter(|(column, _)| !contract.partition().contains(column.name()))
            .map(|(_, field)| Arc::clone(field))
            .collect();
        let file_schema = Arc::new(Schema::new(data_fields));
        let sorting = sorting_columns(contract, &file_schema)?;
        let encoder = FileEncoder::try_new(contract.name().as_str(), file_schema, layout, sorting)?;
        let files = FileWriter {
            encoder,
            statistics: StatisticsColumns::new(contract, &policy.statistics.value.columns),
            store: open.table().object_store(),
            live: live_files(&open)?,
            names: Mutex::new(FileNames::new(request.mode, open.version())),
        };
        let rows_max = usize::try_from(policy.rows_per_file_max.value.get()).unwrap_or(usize::MAX);
        Ok(Self {
            check: ContractCheck::new(contract),
            order: OrderCheck::try_new(contract)?,
            digest: ContentDigest::new(&schema),
            partition: Partition::default(),
            cutter: RadixCutter::new(rows_max),
            pool,
            files: Arc::new(files),
            tasks: JoinSet::new(),
            chunks: 0,
            stored: BTreeMap::new(),
            rows: 0,
            open,
            protocol,
            request,
        })
    }

    /// Takes the next rows. Waits while all encoders are busy.
    ///
    /// **Errors**: [`Error::RowsDiffer`], [`Error::UnexpectedNull`], [`Error::OutOfOrder`], [`Error::DuplicateKey`]; and
    /// for files of earlier rows [`Error::FooterDiffers`], [`Error::Store`].
    pub async fn push(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.take_ended()?;
        let batch = self.check.apply(batch)?;
        self.digest.update(&batch)?;
        self.rows += batch.num_rows() as u64;
        for (values, part) in split_partitions(&self.request.contract, &batch)? {
            let mut full = Vec::new();
            if self.partition.values.as_ref() != Some(&values) {
                self.end_partition(&mut full);
                self.encode(full).await?;
                full = Vec::new();
                self.begin_partition(values)?;
            }
            let keys = self.order.keys(&part)?;
            let rows = drop_partition_columns(&self.request.contract, &part)?;
            self.cutter.push(&rows, &keys, &mut full);
            self.encode(full).await?;
        }
        Ok(())
    }

    fn end_partition(&mut self, full: &mut Vec<Chunk>) {
        let fresh = RadixCutter::new(self.cutter.rows_max());
        std::mem::replace(&mut self.cutter, fresh).finish(full);
    }

    fn begin_partition(&mut self, values: Vec<Option<String>>) -> Result<(), Error> {
        self.order.begin_partition();
        if self.partition.seen.contains(&values) {
            let order = self
                .request
                .contract
                .partition()
                .iter()
                .map(ToString::to_string);
            return Err(Error::OutOfOrder {
                dataset: self.request.contract.name().clone(),
                order: order.collect::<Vec<_>>().join(", "),
                row: self.rows,
            });
        }
        self.partition.place = Arc::new(FilePlace::new(self.request.contract.partition(), &values));
        self.partition.seen.push(values.clone());
        self.partition.values = Some(values);
        Ok(())
    }

    /// Hands chunks to the encoders.
    async fn encode(&mut self, chunks: Vec<Chunk>) -> Result<(), Error> {
        for chunk in chunks {
            let Ok(permit) = Arc::clone(&self.pool.0).acquire_owned().await else {
                return Err(Error::Cancelled);
            };
            self.take_ended()?;
            let (files, place) = (Arc::clone(&self.files), Arc::clone(&self.partition.place));
            self.tasks
                .spawn(files.write(self.chunks, chunk, place, permit));
            self.chunks += 1;
        }
        Ok(())
    }

    /// Keeps what is stored by now. A file that could not be stored ends the write here, not when all are encoded.
    fn take_ended(&mut self) -> Result<(), Error> {
        while let Some(ended) = self.tasks.try_join_next() {
            self.take(ended)?;
        }
        Ok(())
    }

    /// Keeps what a task has stored.
    fn take(&mut self, ended: Result<Result<StoredFile, Error>, JoinError>) -> Result<(), Error> {
        let file = ended.map_err(Error::joined)??;
        self.stored.insert(file.number, file);
        Ok(())
    }

    /// Ends the rows and commits them.
    ///
    /// Nothing is committed when the table already holds exactly these rows in exactly these files.
    ///
    /// **Errors**: [`Error::Conflict`] when somebody else committed since the table was opened, those of
    /// [`TableWriter::push`], and those of the store.
    pub async fn finish(mut self) -> Result<WriteOutcome, Error> {
        let mut full = Vec::new();
        self.end_partition(&mut full);
        self.encode(full).await?;
        while let Some(ended) = self.tasks.join_next().await {
            self.take(ended)?;
        }
        // The names were given in the order in which files were ready; here they are told in the order of the rows.
        let mut names = FileNames::new(self.request.mode, self.open.version());
        let files: Vec<FileFacts> = std::mem::take(&mut self.stored)
            .into_values()
            .map(|file| FileFacts {
                path: names.next(&file.place, &file.digest).to_string(),
                bytes: file.bytes,
                statistics: file.statistics,
                partition: file.place.values.clone(),
            })
            .collect();
        let content = self.digest.finish();
        let committed = commit(&self.request, &self.open, &files, content).await?;
        Ok(WriteOutcome {
            contract: self.request.contract,
            location: self.request.location.to_string(),
            policy: self.request.policy,
            version_before: self.open.version(),
            version: committed.version,
            rows: self.rows,
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.len(),
            files_added: committed.added,
            files_removed: committed.removed,
            content,
            protocol: self.protocol,
        })
    }
}

/// The partition that rows go to, and those that are done.
#[derive(Debug, Default)]
struct Partition {
    values: Option<Vec<Option<String>>>,
    place: Arc<FilePlace>,
    seen: Vec<Vec<Option<String>>>,
}

/// A slice of a batch whose rows have the same partition values.
type PartitionSlice = (Vec<Option<String>>, RecordBatch);

fn split_partitions(
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
            let text = cast(batch.column(index), &DataType::Utf8)?;
            Ok(text.as_string::<i32>().clone())
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

fn drop_partition_columns(
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

fn sorting_columns(contract: &DatasetSpec, files: &Schema) -> Result<Vec<SortingColumn>, Error> {
    // Positions count leaves: a nested column before a key would shift them, so the claim ends there.
    let flat = files
        .fields()
        .iter()
        .take_while(|field| !field.data_type().is_nested())
        .count();
    let keys = contract
        .order()
        .iter()
        .filter(|key| !contract.partition().contains(&key.column));
    let mut sorting = Vec::new();
    for key in keys {
        let index = files.index_of(key.column.as_str())?;
        let Some(column_idx) = i32::try_from(index).ok().filter(|_| index < flat) else {
            break;
        };
        sorting.push(SortingColumn {
            column_idx,
            descending: key.descending,
            nulls_first: true,
        });
    }
    Ok(sorting)
}

/// Writes a stream of batches: see [`TableWriter`].
///
/// **Errors**: those of [`TableWriter`], and [`Error::Engine`] when the stream fails.
pub async fn write_stream(
    request: WriteRequest,
    pool: EncodePool,
    mut stream: datafusion::execution::SendableRecordBatchStream,
) -> Result<WriteOutcome, Error> {
    let mut writer = TableWriter::open(request, pool).await?;
    while let Some(batch) = stream.next().await {
        writer.push(&batch?).await?;
    }
    writer.finish().await
}
