//! The deterministic writer: takes ordered batches, gives back one version of a table.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_cast::cast;
use arrow_schema::{DataType, Schema};
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use ossature_delta_policy::{ProtocolReport, ResolvedPolicy, resolve_layout};
use ossature_registry::{OpenTable, TableLocation};
use ossature_schema_spec::{ColumnName, DatasetSpec, Fingerprint, Version};
use parquet::file::metadata::SortingColumn;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::commit::{FileFacts, commit};
use crate::contract::ContractCheck;
use crate::cut::{Chunk, RadixCutter};
use crate::digest::ContentDigest;
use crate::encode::FileEncoder;
use crate::order::OrderCheck;
use crate::statistics::render_statistics;
use crate::table::open_or_create;
use crate::{Error, Provenance, WriteMode};

/// Encoders that several writers share, so that tables written side by side use the same threads.
#[derive(Debug, Clone)]
pub struct EncodePool(Arc<Semaphore>);

impl EncodePool {
    /// Encodes at most `threads` files at a time.
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
/// and everything becomes visible in one commit by [`TableWriter::finish`]. Until then the table is as it was.
///
/// **Memory**: the rows of one file per thread of the pool, those that are being collected, and the encoded files that
/// are being stored.
pub struct TableWriter {
    request: WriteRequest,
    open: OpenTable,
    live: Arc<BTreeSet<String>>,
    protocol: ProtocolReport,
    check: ContractCheck,
    order: OrderCheck,
    digest: ContentDigest,
    encoder: Arc<FileEncoder>,
    partition: Partition,
    cutter: RadixCutter,
    pool: EncodePool,
    files: Vec<JoinHandle<Result<FileFacts, Error>>>,
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
    /// **Errors**: [`Error::ContractChanged`], [`Error::ProtocolRefused`], [`Error::Policy`], and those of the runtime.
    pub async fn open(request: WriteRequest, pool: EncodePool) -> Result<Self, Error> {
        let WriteRequest {
            contract,
            location,
            policy,
            ..
        } = &request;
        let layout = resolve_layout(contract)?;
        let (open, protocol) = open_or_create(contract, location, policy).await?;
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
        let rows_max = usize::try_from(policy.rows_per_file_max.value.get()).unwrap_or(usize::MAX);
        Ok(Self {
            check: ContractCheck::new(contract),
            order: OrderCheck::try_new(contract)?,
            digest: ContentDigest::new(&schema),
            encoder: Arc::new(encoder),
            partition: Partition::default(),
            cutter: RadixCutter::new(rows_max),
            pool,
            files: Vec::new(),
            rows: 0,
            live: live_files(&open)?,
            open,
            protocol,
            request,
        })
    }

    /// Takes the next rows. Waits while all encoders are busy.
    ///
    /// **Errors**: [`Error::RowsDiffer`], [`Error::UnexpectedNull`], [`Error::OutOfOrder`], [`Error::DuplicateKey`].
    pub async fn push(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
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
            let encoder = Arc::clone(&self.encoder);
            let columns = self.request.policy.statistics.value.columns.clone();
            let store = self.open.table().object_store();
            let live = Arc::clone(&self.live);
            let values = self.partition.values.clone().unwrap_or_default();
            let folder = partition_folder(self.request.contract.partition(), &values);
            let partition: BTreeMap<String, Option<String>> = self
                .request
                .contract
                .partition()
                .iter()
                .map(ToString::to_string)
                .zip(values)
                .collect();
            let suffix = match self.request.mode {
                WriteMode::Overwrite => String::new(),
                // Rows that are appended twice are two files.
                WriteMode::Append => format!("-{}", self.open.version().number() + 1),
            };
            self.files.push(tokio::spawn(async move {
                let encoded = tokio::task::spawn_blocking(move || {
                    let encoded = encoder.encode(&chunk);
                    drop(chunk);
                    encoded.map(|file| {
                        let statistics = render_statistics(&file.footer, &columns);
                        (file, statistics)
                    })
                });
                let (file, statistics) = encoded.await.map_err(Error::joined)??;
                drop(permit);
                let name = format!("part-{}{suffix}.parquet", &file.digest[..32]);
                let path: Path = folder.into_iter().chain([name]).collect();
                let facts = FileFacts {
                    path: path.to_string(),
                    bytes: file.bytes.len() as u64,
                    statistics,
                    partition,
                };
                // What the table already has under the name of this content is not written again.
                if !live.contains(&facts.path) {
                    put(store.as_ref(), &path, file.bytes).await?;
                }
                Ok(facts)
            }));
        }
        Ok(())
    }

    /// Ends the rows and commits them.
    ///
    /// Nothing is committed when the table already holds exactly these rows in exactly these files.
    ///
    /// **Errors**: [`Error::Conflict`] when somebody else committed since the table was opened, [`Error::FooterDiffers`],
    /// and those of the store.
    pub async fn finish(mut self) -> Result<WriteOutcome, Error> {
        let mut full = Vec::new();
        self.end_partition(&mut full);
        self.encode(full).await?;
        let mut files = Vec::with_capacity(self.files.len());
        for file in std::mem::take(&mut self.files) {
            files.push(file.await.map_err(Error::joined)??);
        }
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

/// Stores a file, whole or not at all. One that an earlier attempt left behind is replaced by the same bytes.
async fn put(store: &dyn ObjectStore, path: &Path, bytes: bytes::Bytes) -> Result<(), Error> {
    let stored = store.put(path, PutPayload::from_bytes(bytes)).await;
    stored.map(drop).map_err(|source| Error::Store {
        file: path.to_string(),
        source: Box::new(source),
    })
}

/// The paths of a version's files.
fn live_files(open: &OpenTable) -> Result<Arc<BTreeSet<String>>, Error> {
    let snapshot = open
        .table()
        .snapshot()
        .map_err(Error::delta("listing files"))?;
    let paths = snapshot
        .log_data()
        .iter()
        .map(|file| file.path().to_string())
        .collect();
    Ok(Arc::new(paths))
}

/// The partition that rows go to, and those that are done.
#[derive(Debug, Default)]
struct Partition {
    values: Option<Vec<Option<String>>>,
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

/// `name=value` for every partition column; what could leave the folder is escaped by the path type.
fn partition_folder(columns: &[ColumnName], values: &[Option<String>]) -> Vec<String> {
    columns
        .iter()
        .zip(values)
        .map(|(column, value)| match value {
            Some(value) => format!("{column}={value}"),
            None => format!("{column}=__HIVE_DEFAULT_PARTITION__"),
        })
        .collect()
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
