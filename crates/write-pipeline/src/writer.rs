//! The deterministic writer: takes ordered batches, gives back one version of a table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use deltalake_core::DeltaTableError;
use futures::StreamExt;
use object_store::path::Path;
use ossature_delta_policy::{EnablementReport, ProtocolReport, ResolvedPolicy};
use ossature_registry::{SessionSpec, TableLocation, open_dataset, open_table};
use ossature_schema_spec::{DatasetSpec, Fingerprint, Version};
use parquet::file::metadata::SortingColumn;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet};

use crate::cluster::{ClusterCheck, ClusterKey};
use crate::commit::{CommitPlan, FileFacts, Transacted, check_transaction, commit, live_files};
use crate::constraint::ConstraintCheck;
use crate::contract::ContractCheck;
use crate::cut::{Leaf, RadixCutter};
use crate::encode::FileEncoder;
use crate::mapping::with_numbers;
use crate::name::{FileNames, FilePlace};
use crate::order::{OrderCheck, RowEncoder};
use crate::partition::{PartitionValues, drop_partition_columns, file_schema, split_partitions};
use crate::pool::EncodePool;
use crate::range::encode_ranges;
use crate::rewrite::{Rule, Weave};
use crate::statistics::StatisticsColumns;
use crate::store::{FileWriter, StoredFile};
use crate::stored::LiveFile;
use crate::table::{WritableTable, check_request, open_or_create, open_stored};
use crate::{Error, Provenance, WriteFailure, WriteMode};

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
    /// What became of the rows that were there.
    pub mode: WriteMode,
    /// The version before.
    pub version_before: Version,
    /// The version that holds the rows: the one before when nothing had to be committed.
    pub version: Version,
    /// Rows of the version, for an append those that were added; of a transaction that was done before, those of the
    /// version that was found, as all that follows.
    pub rows: u64,
    /// Bytes of the version's files, for an append of the added files.
    pub bytes: u64,
    /// Files of the version, for an append the added files.
    pub files: usize,
    /// Files that this commit added; the others were there already, byte for byte.
    pub files_added: usize,
    /// Files that this commit removed.
    pub files_removed: usize,
    /// Files of the version that were there already and damaged, and that were restored under their names.
    pub files_restored: usize,
    /// Digest of those files, in the order of their rows: equal for equal rows under an equal policy.
    pub content: Fingerprint,
    /// What the table's protocol demands and whether the runtime provides it.
    pub protocol: ProtocolReport,
    /// The features that were asked for, had and got.
    pub enablement: EnablementReport,
    /// The version whose commit brought what is new of them and of the properties; nothing when nothing is. The end of
    /// append-only may be one version earlier.
    pub enabled_in: Option<Version>,
}

/// Writes the rows of one dataset as one version of its table.
///
/// Rows are pushed in the declared order. Each is checked against the contract and its constraints, and proven to follow
/// the one before; the stream is cut into files by data alone, files are encoded in parallel and named after
/// their content, and everything becomes visible in one commit by [`TableWriter::finish`]. Until then the table is as it
/// was; a writer that is dropped before begins no more files.
///
/// The key is proven within each partition when its columns are the leading ones of the order, partition columns aside.
/// Of another key, only rows that are equal in the whole order are found.
///
/// **Memory**: the rows that are being collected, at most those of one file and one batch; and for every thread of the
/// pool, at least for two, one file, whose rows are let go while its bytes are made, and whose bytes are kept until they
/// are stored. Where rows go among those that are there, one stored file more.
pub struct TableWriter {
    request: WriteRequest,
    table: WritableTable,
    /// The transaction of the request is in the table: there is nothing to do.
    is_done: bool,
    check: ContractCheck,
    constraints: ConstraintCheck,
    order: OrderCheck,
    /// Places rows of a clustered dataset, instead of an order.
    cluster: Option<ClusterCheck>,
    partition: Partition,
    cutter: RadixCutter,
    /// The stored rows that new ones go among.
    weave: Option<Weave>,
    pool: EncodePool,
    files: Arc<FileWriter>,
    /// Files on their way into the store. A writer that is dropped takes them along.
    tasks: JoinSet<Result<StoredFile, Error>>,
    /// Leaves that were cut, and the files of those that are stored.
    leaves: usize,
    stored: BTreeMap<usize, StoredFile>,
    kept: BTreeMap<usize, (PartitionValues, Arc<LiveFile>)>,
    restored: usize,
    rows: u64,
    /// Rows did not get through, so that what is collected is not what was pushed.
    is_broken: bool,
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
    /// Opens the table, or creates it from the contract. Everything that can be refused without rows is refused here.
    ///
    /// **Errors**: [`Error::ContractChanged`], [`Error::ProtocolRefused`], [`Error::Policy`], [`Error::TableExists`],
    /// [`Error::RangeRefused`], [`Error::NoLeadingKey`], [`Error::KeyAcrossPartitions`], [`Error::ConstraintUnusable`],
    /// [`Error::StoredRowsViolate`], [`Error::ReservedKey`], [`Error::Superseded`] when a later run has written the table,
    /// and those of the runtime.
    pub async fn open(request: WriteRequest, pool: EncodePool) -> Result<Self, Error> {
        Self::open_clustered(request, pool, None).await
    }

    /// As [`TableWriter::open`], with what places the rows of a clustered dataset.
    async fn open_clustered(
        request: WriteRequest,
        pool: EncodePool,
        key: Option<Arc<ClusterKey>>,
    ) -> Result<Self, Error> {
        let WriteRequest {
            contract, policy, ..
        } = &request;
        let layout = policy.layout.value.clone();
        check_request(&request)?;
        let schema = contract.arrow_schema();
        let file_schema = file_schema(contract);
        let rule = rule(&request, &file_schema)?;
        let cluster = cluster_check(&request, key, rule.is_some(), &file_schema)?;
        let table = Box::pin(open_or_create(&request)).await?;
        let open = &table.open;
        let is_done = check_transaction(&request, open).await? == Transacted::Yes;
        // A compaction brings no rows, and what is new of the constraints was held against those that stay.
        let none = BTreeMap::new();
        let of_rows = match request.mode {
            WriteMode::Compact => &none,
            _ => &table.constraints,
        };
        let constraints = ConstraintCheck::try_new(contract, &schema, of_rows)?;
        if !is_done {
            check_stored_rows(&request, &table).await?;
        }
        let weave = match rule {
            Some(rule) if !is_done => Some(Weave::try_new(rule, contract, open, &file_schema)?),
            _ => None,
        };
        let sorting = sorting_columns(contract, &file_schema)?;
        let name = contract.name().as_str();
        let files = FileWriter {
            encoder: FileEncoder::try_new(
                name,
                with_numbers(&file_schema, table.stored.fields()),
                layout,
                sorting,
            )?,
            statistics: StatisticsColumns::new(contract, &policy.statistics.value.columns),
            store: open.table().object_store(),
            live: live_files(open)?,
            names: Mutex::new(FileNames::new(&request.mode, open.version())),
            begun: Mutex::default(),
            schema: Arc::clone(&file_schema),
        };
        let rows_max = usize::try_from(policy.rows_per_file_max.value.get()).unwrap_or(usize::MAX);
        Ok(Self {
            check: ContractCheck::new(contract),
            order: OrderCheck::try_new(contract, &file_schema)?,
            constraints,
            cluster,
            partition: Partition::default(),
            cutter: RadixCutter::new(rows_max),
            weave,
            pool,
            files: Arc::new(files),
            tasks: JoinSet::new(),
            leaves: 0,
            stored: BTreeMap::new(),
            kept: BTreeMap::new(),
            restored: 0,
            rows: 0,
            is_broken: false,
            is_done,
            table,
            request,
        })
    }

    /// As [`TableWriter::open`]; what goes wrong says of which write.
    ///
    /// **Errors**: a [`WriteFailure`] with those of [`TableWriter::open`], which leaves nothing behind.
    pub async fn open_or_fail(
        request: WriteRequest,
        pool: EncodePool,
    ) -> Result<Self, Box<WriteFailure>> {
        Self::open_clustered_or_fail(request, pool, None).await
    }

    async fn open_clustered_or_fail(
        request: WriteRequest,
        pool: EncodePool,
        key: Option<Arc<ClusterKey>>,
    ) -> Result<Self, Box<WriteFailure>> {
        let dataset = request.contract.name().clone();
        let location = request.location.clone();
        let error = match Box::pin(Self::open_clustered(request, pool, key)).await {
            Ok(writer) => return Ok(writer),
            Err(error) => error,
        };
        // The version that stands, where there is one that can be read.
        let open = open_table(&location, None).await;
        let version = open.map_or(Version::new(0), |open| open.version());
        let location = location.to_string();
        Err(WriteFailure::at(dataset, location, version, error).into())
    }

    /// Takes the next rows. Waits while all encoders are busy.
    ///
    /// **Errors**: [`Error::RowsDiffer`], [`Error::UnexpectedNull`], [`Error::ConstraintViolated`], [`Error::OutOfOrder`],
    /// [`Error::DuplicateKey`], [`Error::EmptyPartitionValue`], [`Error::OutsideRanges`], [`Error::RowsForCompaction`]; and
    /// for files of earlier rows [`Error::FooterDiffers`], [`Error::Store`].
    ///
    /// After an error, or when it was not waited for, it fails with [`Error::BrokenOff`], as does [`TableWriter::finish`].
    pub async fn push(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.check_whole()?;
        // A future that is dropped halfway leaves it so.
        self.is_broken = true;
        Box::pin(self.try_push(batch)).await?;
        self.is_broken = false;
        Ok(())
    }

    fn check_whole(&self) -> Result<(), Error> {
        if self.is_broken {
            return Err(Error::BrokenOff {
                dataset: self.request.contract.name().clone(),
            });
        }
        Ok(())
    }

    async fn try_push(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 || self.is_done {
            return Ok(());
        }
        if self.request.mode == WriteMode::Compact && self.cluster.is_none() {
            return Err(Error::RowsForCompaction {
                dataset: self.request.contract.name().clone(),
            });
        }
        self.take_ended()?;
        let batch = self.check.apply(batch)?;
        self.constraints.check(&batch)?;
        for (values, part) in split_partitions(&self.request.contract, &batch)? {
            if values.iter().flatten().any(String::is_empty) {
                return Err(Error::EmptyPartitionValue {
                    dataset: self.request.contract.name().clone(),
                });
            }
            if self.partition.values.as_ref() != Some(&values) {
                self.end_partition().await?;
                self.begin_partition(values).await?;
            }
            let rows = drop_partition_columns(&self.request.contract, &part)?;
            let keys = match &mut self.cluster {
                Some(cluster) => cluster.keys(&rows)?.ok_or_else(|| Error::OutOfOrder {
                    dataset: self.request.contract.name().clone(),
                    order: "their places in the cluster".to_owned(),
                    row: self.rows,
                })?,
                None => self.order.keys(&rows)?,
            };
            let before = self.rows;
            self.rows += rows.num_rows() as u64;
            let mut woven = None;
            if let Some(weave) = &mut self.weave {
                let all = Arc::new(keys.all()?);
                weave.begin_rows(self.request.contract.name(), &rows, &all, before)?;
                woven = Some(all);
            }
            let mut from = 0;
            while from < rows.num_rows() {
                from = if let (Some(weave), Some(keys)) = (&mut self.weave, &woven) {
                    Box::pin(weave.advance(&rows, keys, from, &mut self.cutter)).await?
                } else {
                    self.cutter.push(&rows, keys.clone())?;
                    rows.num_rows()
                };
                self.cut().await?;
            }
        }
        Ok(())
    }

    /// Ends the rows of the partition that was begun.
    async fn end_partition(&mut self) -> Result<(), Error> {
        if self.partition.values.is_none() {
            return Ok(());
        }
        while match &mut self.weave {
            Some(weave) => Box::pin(weave.drain(&mut self.cutter)).await?,
            None => false,
        } {
            self.cut().await?;
        }
        self.cut().await?;
        self.cutter.end();
        self.cut().await?;
        self.cutter = RadixCutter::new(self.cutter.rows_max());
        self.partition.values = None;
        Ok(())
    }

    async fn begin_partition(&mut self, values: PartitionValues) -> Result<(), Error> {
        self.order.begin_partition();
        if let Some(cluster) = &mut self.cluster {
            cluster.begin_partition();
        }
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
        if let Some(weave) = &mut self.weave {
            Box::pin(weave.begin_partition(&values)).await?;
        }
        self.partition.place = Arc::new(FilePlace::new(self.request.contract.partition(), &values));
        self.partition.seen.insert(values.clone());
        self.partition.values = Some(values);
        Ok(())
    }

    /// Hands over the leaves that are known by now, and reads stored files where no leaf is known without their rows.
    async fn cut(&mut self) -> Result<(), Error> {
        loop {
            let mut leaves = Vec::new();
            let unread = self.cutter.cut(&mut leaves)?;
            self.encode(leaves).await?;
            match (unread, self.weave.as_ref().map(Weave::stored)) {
                (Some(file), Some(stored)) => {
                    let rows = stored.read(&file).await?.into_iter();
                    let rows = rows.map(|batch| {
                        let keys = stored.sort_keys(&batch);
                        (batch, keys)
                    });
                    self.cutter.supply(&file, rows.collect())?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Hands leaves to the encoders.
    async fn encode(&mut self, leaves: Vec<Leaf>) -> Result<(), Error> {
        for leaf in leaves {
            let number = self.leaves;
            self.leaves += 1;
            match leaf {
                Leaf::Kept(file) => {
                    let values = self.partition.values.clone().unwrap_or_default();
                    self.kept.insert(number, (values, file));
                }
                Leaf::New(chunk) => {
                    let permit = self.pool.file().await?;
                    self.take_ended()?;
                    let (files, place) =
                        (Arc::clone(&self.files), Arc::clone(&self.partition.place));
                    let pool = self.pool.clone();
                    self.tasks
                        .spawn(files.write(number, chunk, place, pool, permit));
                }
            }
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
        self.restored += usize::from(file.is_restored);
        self.stored.insert(file.number, file);
        Ok(())
    }

    /// Ends the rows and commits them.
    ///
    /// Nothing is committed when the table already holds exactly these rows in exactly these files, and when the
    /// transaction of the request is in the table already.
    ///
    /// **Errors**: a [`WriteFailure`] with [`Error::Conflict`] when somebody else committed since the table was opened,
    /// with those of [`TableWriter::push`], and with those of the store. It names the files that the version which
    /// was read does not have.
    pub async fn finish(mut self) -> Result<WriteOutcome, Box<WriteFailure>> {
        match Box::pin(self.try_finish()).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(Box::new(Box::pin(self.fail(error)).await)),
        }
    }

    /// Gives up, for the reason that [`TableWriter::push`] or the source of the rows gave. No more files are begun; one that
    /// is on its way into the store may still arrive there, and is among the orphans.
    pub async fn fail(mut self, error: Error) -> WriteFailure {
        self.tasks.abort_all();
        while self.tasks.join_next().await.is_some() {}
        let begun = std::mem::take(&mut *self.files.begun.lock().await);
        let orphans = begun.iter().map(ToString::to_string);
        WriteFailure {
            dataset: self.request.contract.name().clone(),
            location: self.request.location.to_string(),
            version: self.table.open.version(),
            orphans: orphans.collect(),
            source: error,
        }
    }

    async fn try_finish(&mut self) -> Result<WriteOutcome, Error> {
        self.check_whole()?;
        if self.is_done {
            return self.outcome_of_stored();
        }
        self.end_partition().await?;
        let untouched = self
            .weave
            .as_ref()
            .map(Weave::untouched)
            .unwrap_or_default();
        for values in untouched {
            self.begin_partition(values).await?;
            self.end_partition().await?;
        }
        while let Some(ended) = self.tasks.join_next().await {
            self.take(ended)?;
        }
        let files = self.name_files().await?;
        let committed = commit(CommitPlan {
            request: &self.request,
            open: &self.table.open,
            live: &self.files.live,
            changes: std::mem::take(&mut self.table.changes),
            release: self.table.release.take(),
            files: &files,
        })
        .await?;
        let sum = |of: fn(&FileFacts) -> u64| files.iter().map(of).sum();
        Ok(WriteOutcome {
            contract: self.request.contract.clone(),
            location: self.request.location.to_string(),
            policy: self.request.policy.clone(),
            mode: self.request.mode.clone(),
            version_before: committed.version_before,
            version: committed.version,
            rows: sum(|file| file.rows),
            bytes: sum(|file| file.bytes),
            files: files.len(),
            files_added: committed.added,
            files_removed: committed.removed,
            files_restored: self.restored,
            content: committed.content,
            protocol: self.table.protocol.clone(),
            enabled_in: enabled_in(&self.table.enablement, committed.version),
            enablement: self.table.enablement.clone(),
        })
    }

    /// The files in the order of the rows, under the names that do not depend on which was ready first.
    async fn name_files(&mut self) -> Result<Vec<FileFacts>, Error> {
        let kept = self.kept.values();
        let taken = kept.map(|(_, file)| Path::parse(&file.path).unwrap_or_default());
        let mut names =
            FileNames::new(&self.request.mode, self.table.open.version()).without(taken.collect());
        let mut files = BTreeMap::new();
        for (number, file) in std::mem::take(&mut self.stored) {
            let path = names.next(&file.place, file.digest);
            self.files.ensure(&path, &file).await?;
            let values = self.request.contract.partition().iter();
            let values = values.map(|name| file.place.values.get(name.as_str()).cloned().flatten());
            files.insert(
                number,
                FileFacts {
                    path: path.to_string(),
                    bytes: file.bytes,
                    rows: file.rows,
                    content: file.digest,
                    first: file.first,
                    last: file.last,
                    partition: values.collect(),
                    statistics: Some(file.statistics),
                },
            );
        }
        for (number, (partition, file)) in &self.kept {
            files.insert(
                *number,
                FileFacts {
                    path: file.path.clone(),
                    bytes: file.bytes,
                    rows: file.rows as u64,
                    content: file.content,
                    first: file.first.clone(),
                    last: file.last.clone(),
                    partition: partition.clone(),
                    statistics: None,
                },
            );
        }
        Ok(files.into_values().collect())
    }

    /// The version that has the transaction, in place of what this writer would have written.
    ///
    /// **Errors**: [`Error::TransactionBuried`] when it cannot be told what that version holds.
    fn outcome_of_stored(&self) -> Result<WriteOutcome, Error> {
        let stored = describe_stored(&self.request, &self.table)?;
        stored.ok_or_else(|| Error::TransactionBuried {
            dataset: self.request.contract.name().clone(),
            version: self.table.open.version(),
        })
    }
}

/// What a write of the whole table would give if its rows were those of `version`: no row is read, and nothing is written.
/// The files are not looked at; [`FileVerifier`](crate::FileVerifier) does that.
///
/// **Errors**: [`Error::NotStored`] where a write would commit something: when the newest version is another one, does not say what
/// it holds, or is not kept as the policy wants; and those of [`TableWriter::open`] that follow from contract, policy and table.
pub async fn stored_outcome(
    request: &WriteRequest,
    version: Version,
) -> Result<WriteOutcome, Error> {
    check_request(request)?;
    let table = open_stored(request).await?;
    check_transaction(request, &table.open).await?;
    let found = table.open.version();
    let not_stored = |reason: String| Error::NotStored {
        dataset: request.contract.name().clone(),
        reason,
    };
    if found != version {
        return Err(not_stored(format!(
            "its newest version is {found}, not {version}"
        )));
    }
    if !table.changes.is_empty() {
        let reason = format!("version {version} is not kept as the policy wants");
        return Err(not_stored(reason));
    }
    let stored = describe_stored(request, &table)?;
    stored.ok_or_else(|| not_stored(format!("version {version} does not say what it holds")))
}

/// The newest version of a table as the outcome of a write that changed nothing; none where it does not say what it holds.
fn describe_stored(
    request: &WriteRequest,
    table: &WritableTable,
) -> Result<Option<WriteOutcome>, Error> {
    let open = &table.open;
    let Some(content) = open.commit().content else {
        return Ok(None);
    };
    let snapshot = open.snapshot()?;
    let (mut rows, mut bytes, mut files) = (0, 0, 0);
    for file in snapshot.log_data().iter() {
        rows += file.num_records().unwrap_or_default() as u64;
        bytes += u64::try_from(file.size()).unwrap_or_default();
        files += 1;
    }
    Ok(Some(WriteOutcome {
        contract: request.contract.clone(),
        location: request.location.to_string(),
        policy: request.policy.clone(),
        mode: request.mode.clone(),
        version_before: open.version(),
        version: open.version(),
        rows,
        bytes,
        files,
        files_added: 0,
        files_removed: 0,
        files_restored: 0,
        content,
        protocol: table.protocol.clone(),
        enablement: table.enablement.clone(),
        enabled_in: None,
    }))
}

/// The version whose commit did what a report tells, of a write that ended with this version.
fn enabled_in(report: &EnablementReport, written: Version) -> Option<Version> {
    if report.newly_enabled.is_empty() && report.properties_set.is_empty() {
        None
    } else if report.protocol_before.is_none() {
        Some(Version::new(0))
    } else {
        Some(written)
    }
}

/// What places the rows of a clustered dataset.
fn cluster_check(
    request: &WriteRequest,
    key: Option<Arc<ClusterKey>>,
    goes_among_rows: bool,
    schema: &SchemaRef,
) -> Result<Option<ClusterCheck>, Error> {
    let columns = &request.policy.cluster_by.value;
    if columns.is_empty() {
        return Ok(None);
    }
    match key {
        Some(key) if !goes_among_rows => ClusterCheck::try_new(key, columns, schema).map(Some),
        _ => Err(Error::Clustered {
            dataset: request.contract.name().clone(),
            mode: request.mode.as_str(),
        }),
    }
}

/// Looks whether constraints that are new are true of the rows that the table keeps.
///
/// **Errors**: [`Error::StoredRowsViolate`], and those of the runtime.
async fn check_stored_rows(request: &WriteRequest, table: &WritableTable) -> Result<(), Error> {
    let WriteRequest {
        contract, location, ..
    } = request;
    if table.new_constraints.is_empty() {
        return Ok(());
    }
    let version = table.open.version();
    let schema = contract.arrow_schema();
    let mut constraints = ConstraintCheck::try_new(contract, &schema, &table.new_constraints)?;
    let dataset = open_dataset(contract, location, Some(version)).await?;
    let session = SessionSpec::default().build()?;
    let mut rows = session
        .read_table(dataset.provider())?
        .execute_stream()
        .await?;
    let mut decoded = ContractCheck::new(contract);
    while let Some(batch) = rows.next().await {
        let batch = decoded.apply(&batch?)?;
        constraints.check(&batch).map_err(|error| match error {
            Error::ConstraintViolated {
                dataset,
                constraint,
                expression,
                values,
                row: _,
            } => Error::StoredRowsViolate {
                dataset,
                constraint,
                expression,
                version,
                values,
            },
            other => other,
        })?;
    }
    Ok(())
}

/// Which stored rows stay, where new ones go among them.
fn rule(request: &WriteRequest, schema: &SchemaRef) -> Result<Option<Rule>, Error> {
    let contract = &request.contract;
    match &request.mode {
        WriteMode::Overwrite | WriteMode::Append | WriteMode::ErrorIfExists => Ok(None),
        // All its rows are written anew.
        WriteMode::Compact if !request.policy.cluster_by.value.is_empty() => Ok(None),
        WriteMode::Replace(ranges) => Ok(Some(Rule::Outside(encode_ranges(contract, ranges)?))),
        WriteMode::Compact => Ok(Some(Rule::Outside(Vec::new()))),
        WriteMode::Merge => {
            let dataset = contract.name().clone();
            let Some(key) = RowEncoder::of_leading_key(contract, schema)? else {
                return Err(Error::NoLeadingKey { dataset });
            };
            let mut partition = contract.partition().iter();
            match partition.find(|column| !contract.key().contains(column)) {
                Some(column) => Err(Error::KeyAcrossPartitions {
                    dataset,
                    column: column.clone(),
                }),
                None => Ok(Some(Rule::OtherKeys(key))),
            }
        }
    }
}

/// The partition that rows go to, and those that are done.
#[derive(Debug, Default)]
struct Partition {
    values: Option<PartitionValues>,
    place: Arc<FilePlace>,
    seen: BTreeSet<PartitionValues>,
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
/// **Errors**: a [`WriteFailure`] with those of [`TableWriter`], and with [`Error::Engine`] when the stream fails.
pub async fn write_stream(
    request: WriteRequest,
    pool: EncodePool,
    stream: SendableRecordBatchStream,
) -> Result<WriteOutcome, Box<WriteFailure>> {
    Box::pin(write_rows(request, pool, None, stream, None)).await
}

/// What a table held when all its rows were read, to be written anew.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadAll {
    pub(crate) version: Version,
    /// Its rows, where the log tells them.
    pub(crate) rows: Option<usize>,
}

/// Writes a stream of batches; those of a clustered dataset come in the order of their places. Where they are what the table
/// held at a version, it has to be the newest one, and all have to be there.
pub(crate) async fn write_rows(
    request: WriteRequest,
    pool: EncodePool,
    key: Option<Arc<ClusterKey>>,
    mut stream: SendableRecordBatchStream,
    read: Option<ReadAll>,
) -> Result<WriteOutcome, Box<WriteFailure>> {
    let mut writer = TableWriter::open_clustered_or_fail(request, pool, key).await?;
    let found = writer.table.open.version();
    if let Some(read) = read.filter(|read| read.version != found) {
        let read = read.version.number();
        let error = Error::Conflict {
            dataset: writer.request.contract.name().clone(),
            read,
            source: Box::new(DeltaTableError::VersionMismatch(found.number(), read)),
        };
        return Err(Box::new(Box::pin(writer.fail(error)).await));
    }
    while let Some(batch) = stream.next().await {
        let pushed = match batch {
            Ok(batch) => writer.push(&batch).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = pushed {
            return Err(Box::new(Box::pin(writer.fail(error)).await));
        }
    }
    let lost = read.and_then(|read| Some((read.version, read.rows? as u64)));
    if let Some((version, wanted)) = lost.filter(|(_, wanted)| *wanted != writer.rows) {
        let error = Error::RowsLost {
            dataset: writer.request.contract.name().clone(),
            version,
            wanted,
            found: writer.rows,
        };
        return Err(Box::new(Box::pin(writer.fail(error)).await));
    }
    Box::pin(writer.finish()).await
}

#[cfg(test)]
mod tests {
    use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpecBuilder, FieldSpec};

    use super::*;

    /// A dataset with these columns, in their order: `both` is nested.
    fn of<const N: usize>(names: [&str; N]) -> DatasetSpecBuilder {
        let columns = names.map(|name| {
            let field = |name| FieldSpec::nullable(name, ColumnType::Int64).unwrap();
            let column_type = match name {
                "both" => ColumnType::Struct(vec![field("left"), field("right")]),
                "id" => ColumnType::Int64,
                _ => ColumnType::Utf8,
            };
            ColumnSpec::required(name, column_type).unwrap()
        });
        DatasetSpec::builder("cpg.things", "").columns(columns)
    }

    /// The leaves that files are said to be sorted by, and whether the largest value comes first.
    #[track_caller]
    fn check(dataset: DatasetSpecBuilder, want: &[(i32, bool)]) {
        let dataset = dataset.build().unwrap();
        let found = sorting_columns(&dataset, &file_schema(&dataset)).unwrap();
        assert!(found.iter().all(|column| column.nulls_first));
        let found = found
            .iter()
            .map(|column| (column.column_idx, column.descending));
        assert_eq!(found.collect::<Vec<_>>(), want);
    }

    #[test]
    fn files_are_said_to_be_sorted_as_the_rows_are() {
        check(of(["name", "id"]), &[]);
        check(of(["name", "id"]).order_by(["id"]), &[(1, false)]);
        let both_ways = of(["id", "name"]).order_by(["name"]).then_descending("id");
        check(both_ways, &[(1, false), (0, true)]);
    }

    #[test]
    fn partition_columns_are_no_leaves_of_files() {
        let leading = of(["part", "id", "name"]).order_by(["part", "id"]);
        check(leading.partition_by(["part"]), &[(0, false)]);
        let between = of(["name", "part", "id"]).order_by(["part", "id", "name"]);
        check(between.partition_by(["part"]), &[(1, false), (0, false)]);
    }

    /// It has as many leaves as fields, so that places behind it are other ones.
    #[test]
    fn nothing_is_said_of_what_lies_behind_a_nested_column() {
        check(of(["both", "id"]).order_by(["id"]), &[]);
        let behind = of(["id", "both", "name"]).order_by(["id", "name"]);
        check(behind, &[(0, false)]);
        // Not even of a later key that lies before it: rows are sorted by it only among equals of the other.
        let around = of(["id", "both", "name"]).order_by(["name", "id"]);
        check(around, &[]);
    }
}
