//! The artifact tables: what they hold, how they are kept, and how rows get in and out.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::common::ScalarValue;
use ossature_delta_policy::{DeltaFeature, PolicyOverrides, TablePolicy, resolve};
use ossature_registry::{Catalog, Dataset, Lake, SessionSpec, open_dataset};
use ossature_schema_spec::{
    ColumnLayout, ColumnName, ColumnSpec, ColumnType, DatasetSpec, Encoding, PageStatistics,
    ParquetSpec,
};
use ossature_write_pipeline::{EncodePool, Provenance, TableWriter, WriteMode, WriteRequest};

use crate::Error;
use crate::attempts::Attempts;

/// A table of artifacts. It lies in the lake's folder `_ossature`; rows are added and never changed.
///
/// ```
/// use ossature_artifacts::ArtifactTable;
/// let manifest = ArtifactTable::RunManifest.spec()?;
/// assert_eq!(manifest.name().as_str(), "runs.run_manifest");
/// # Ok::<(), ossature_artifacts::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ArtifactTable {
    /// One row per event in the life of a run: it begins, and it completes, fails or is aborted.
    RunManifest,
    /// One row per plan that a run computed rows with.
    PlanArtifacts,
    /// One row per version that a run wrote.
    WriteArtifacts,
    /// One row per version that a run read.
    ScanArtifacts,
    /// One row per write of a run that failed.
    WriteFailures,
    /// One row per table and kind of upkeep, for every time that something was done to the table.
    MaintenanceFacts,
}

/// A column of an artifact table: name, type, description. Names that end in `?` may be null.
type Column = (&'static str, ColumnType, &'static str);

impl ArtifactTable {
    /// Every table, in a fixed order.
    pub const ALL: [Self; 6] = [
        Self::RunManifest,
        Self::PlanArtifacts,
        Self::WriteArtifacts,
        Self::ScanArtifacts,
        Self::WriteFailures,
        Self::MaintenanceFacts,
    ];

    /// The name of the dataset.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunManifest => "runs.run_manifest",
            Self::PlanArtifacts => "runs.plan_artifacts",
            Self::WriteArtifacts => "runs.write_artifacts",
            Self::ScanArtifacts => "runs.scan_artifacts",
            Self::WriteFailures => "runs.write_failures",
            Self::MaintenanceFacts => "runs.maintenance_facts",
        }
    }

    /// The contract of the table.
    ///
    /// **Errors**: [`Error::Declaration`], which no table of this crate causes.
    pub fn spec(self) -> Result<DatasetSpec, Error> {
        let (doc, own, key): (_, _, &[&str]) = match self {
            Self::RunManifest => (
                "One row per event in the life of a run: it begins, and it completes, fails or is aborted.",
                run_manifest_columns(),
                &["run_number", "run_id", "sequence"],
            ),
            Self::PlanArtifacts => (
                "One row per plan that a run computed rows with.",
                plan_columns(),
                &["run_id", "dataset", "fingerprint"],
            ),
            Self::WriteArtifacts => (
                "One row per version of a table that a run wrote.",
                write_columns(),
                &["run_id", "dataset", "version"],
            ),
            Self::ScanArtifacts => (
                "One row per version of a table that a run read.",
                scan_columns(),
                &["run_id", "dataset", "version"],
            ),
            Self::WriteFailures => (
                "One row per write of a run that failed.",
                write_failure_columns(),
                &["run_id", "dataset"],
            ),
            Self::MaintenanceFacts => (
                "One row per table and kind of upkeep, for every time that something was done to the table.",
                maintenance_columns(),
                &["at_unix_ms", "dataset", "upkeep"],
            ),
        };
        let payload = [
            (
                "artifact_id",
                ColumnType::Utf8,
                "The digest of the payload's envelope.",
            ),
            (
                "payload_version",
                ColumnType::Int32,
                "The version of the payload's contract.",
            ),
            (
                "payload_json",
                ColumnType::Utf8,
                "The payload, as canonical JSON.",
            ),
        ];
        let columns = own
            .into_iter()
            .chain(payload)
            .map(|(name, column_type, doc)| match name.strip_suffix('?') {
                Some(name) => ColumnSpec::nullable(name, column_type).map(|it| it.doc(doc)),
                None => ColumnSpec::required(name, column_type).map(|it| it.doc(doc)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(DatasetSpec::builder(self.name(), doc)
            .parquet(long_text_layout(&columns)?)
            .columns(columns)
            .key(key.iter().copied())
            .order_by(key.iter().copied())
            .build()?)
    }

    /// How the table is kept: rows are only ever added.
    pub fn policy(self) -> TablePolicy {
        TablePolicy::default().features([DeltaFeature::AppendOnly])
    }

    /// Opens the table for one append; creates it where there is none.
    ///
    /// Whatever is committed to the table from now on makes the append fail with a conflict.
    pub(crate) async fn writer(
        self,
        lake: &Lake,
        run_id: &str,
        at_unix_ms: i64,
    ) -> Result<TableWriter, Error> {
        let contract = self.spec()?;
        let none = PolicyOverrides::none();
        let request = WriteRequest {
            location: lake.location(contract.name())?,
            policy: resolve(&none, &none, &contract, &self.policy(), &[])?,
            contract,
            mode: WriteMode::Append,
            provenance: Provenance {
                run_id: run_id.to_owned(),
                at_unix_ms,
                plan: None,
                transaction: None,
                metadata: BTreeMap::new(),
            },
        };
        let pool = EncodePool::try_new(NonZeroUsize::MIN)?;
        let mut attempts = Attempts::at_opening();
        loop {
            let open = TableWriter::open(request.clone(), pool.clone()).await;
            match open.map_err(Error::from) {
                Err(error) if attempts.allow_opening(&error) => {}
                open => return open,
            }
        }
    }

    /// Appends rows, in one commit; none where there are no rows. Somebody else's appends do not matter.
    pub(crate) async fn append(
        self,
        lake: &Lake,
        rows: &RecordBatch,
        run_id: &str,
        at_unix_ms: i64,
    ) -> Result<(), Error> {
        let mut attempts = Attempts::at_appending();
        while let Err(error) = self.try_append(lake, rows, run_id, at_unix_ms).await {
            if !attempts.allow_append(&error) {
                return Err(error);
            }
        }
        Ok(())
    }

    async fn try_append(
        self,
        lake: &Lake,
        rows: &RecordBatch,
        run_id: &str,
        at_unix_ms: i64,
    ) -> Result<(), Error> {
        if rows.num_rows() > 0 {
            let mut writer = self.writer(lake, run_id, at_unix_ms).await?;
            writer.push(rows).await?;
            Box::pin(writer.finish()).await?;
        }
        Ok(())
    }

    /// Opens the table's newest version; nothing where there is no table.
    pub(crate) async fn open(self, lake: &Lake) -> Result<Option<Dataset>, Error> {
        let contract = self.spec()?;
        let location = lake.location(contract.name())?;
        let mut attempts = Attempts::at_opening();
        loop {
            match open_dataset(&contract, &location, None)
                .await
                .map_err(Error::from)
            {
                Ok(dataset) => return Ok(Some(dataset)),
                Err(Error::Registry(ossature_registry::Error::NoTable { .. })) => return Ok(None),
                Err(error) if attempts.allow_opening(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs a query over the table's newest version; no batch where there is no table. `$name` in it stands for the text
    /// of that name.
    pub(crate) async fn query(
        self,
        lake: &Lake,
        sql: &str,
        texts: &[(&str, &str)],
    ) -> Result<Vec<RecordBatch>, Error> {
        let Some(dataset) = self.open(lake).await? else {
            return Ok(Vec::new());
        };
        let mut catalog = Catalog::new(SessionSpec::default().build()?);
        catalog.register(&dataset)?;
        let texts: Vec<(&str, ScalarValue)> = texts
            .iter()
            .map(|(name, text)| (*name, ScalarValue::from(*text)))
            .collect();
        let rows = catalog.session().sql(sql).await;
        let rows = rows
            .and_then(|rows| rows.with_param_values(texts))
            .map_err(Error::engine("planning a query over artifacts"))?;
        let rows = rows.collect().await;
        rows.map_err(Error::engine("reading artifacts"))
    }
}

fn run_manifest_columns() -> Vec<Column> {
    use ColumnType::{Int32, Int64, Utf8};
    vec![
        ("run_id", Utf8, "The run."),
        ("sequence", Int32, "0 when the run began, 1 when it ended."),
        ("status", Utf8, "`running`, `completed` or `failed`."),
        (
            "at_unix_ms",
            Int64,
            "When it happened, in milliseconds since 1970-01-01 00:00:00 UTC.",
        ),
        (
            "run_number",
            Int64,
            "The run's place in the lake's history, from 1 on.",
        ),
        (
            "parent_run_id?",
            Utf8,
            "The run whose outputs it was computed from.",
        ),
        ("source?", Utf8, "What was read, without secrets."),
        ("code_version", Utf8, "The version of the program."),
        ("environment_hash?", Utf8, "The planning environment."),
    ]
}

fn plan_columns() -> Vec<Column> {
    use ColumnType::{Binary, Utf8};
    vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset whose rows the plan computes."),
        ("fingerprint", Utf8, "What is computed, over which rows."),
        (
            "encoding",
            Utf8,
            "How the plan is written down: `substrait` or `text`.",
        ),
        ("environment_hash", Utf8, "The planning environment."),
        (
            "inputs_json",
            Utf8,
            "The inputs with their pins and columns, as canonical JSON.",
        ),
        (
            "functions_json",
            Utf8,
            "The functions of ours with their versions, as canonical JSON.",
        ),
        ("plan_text", Utf8, "The optimized plan, for people."),
        ("plan_bytes", Binary, "The optimized plan in its encoding."),
    ]
}

fn write_columns() -> Vec<Column> {
    use ColumnType::{Int64, Utf8};
    vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset."),
        ("version", Int64, "The version that holds the rows."),
        ("rows", Int64, "Rows written."),
        (
            "bytes",
            Int64,
            "Bytes of the version's files, for an append of the added files.",
        ),
        (
            "files",
            Int64,
            "Files of the version, for an append the added files.",
        ),
        ("files_added", Int64, "Files that the commit added."),
        ("files_removed", Int64, "Files that the commit removed."),
        (
            "content_hash",
            Utf8,
            "A digest of the files that hold the written rows.",
        ),
        ("contract_hash", Utf8, "A digest of the dataset's contract."),
        ("policy_hash", Utf8, "A digest of the resolved policy."),
    ]
}

fn scan_columns() -> Vec<Column> {
    use ColumnType::{Boolean, Int64, Utf8};
    vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset."),
        ("version", Int64, "The version that is read."),
        (
            "mode",
            Utf8,
            "Who reads the files: `direct` or `delegated`.",
        ),
        (
            "is_identity",
            Boolean,
            "Whether the stored columns are the declared ones.",
        ),
        (
            "alignment_json",
            Utf8,
            "How the other columns come to be, as canonical JSON.",
        ),
        (
            "files?",
            Int64,
            "Files of the version, where the scan lists them itself.",
        ),
        ("bytes?", Int64, "Bytes of those files."),
        ("rows?", Int64, "Rows in those files."),
    ]
}

fn write_failure_columns() -> Vec<Column> {
    use ColumnType::{Int64, Utf8};
    vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset."),
        (
            "version",
            Int64,
            "The version that stands; 0 when the table could not be opened.",
        ),
        ("code", Utf8, "The error's stable identifier."),
        ("message", Utf8, "The error in words, without secrets."),
        ("orphans", Int64, "Files that the write left behind."),
    ]
}

fn maintenance_columns() -> Vec<Column> {
    use ColumnType::{Boolean, Int64, Utf8};
    vec![
        (
            "at_unix_ms",
            Int64,
            "When the maintenance began, in milliseconds since 1970-01-01 00:00:00 UTC.",
        ),
        ("dataset", Utf8, "The dataset."),
        (
            "upkeep",
            Utf8,
            "The kind of upkeep: `compaction`, `checkpoint` or `vacuum`.",
        ),
        ("is_done", Boolean, "Whether it did anything."),
        ("reason", Utf8, "Why it did, or did not."),
        ("version_before", Int64, "The version before."),
        ("version", Int64, "The version after."),
        ("files_added", Int64, "Files that were added to the table."),
        (
            "files_removed",
            Int64,
            "Files that were removed from the table. Earlier versions still have them.",
        ),
        ("files_deleted", Int64, "Files that were deleted."),
    ]
}

/// Long text that never repeats: no dictionary, no bounds.
fn long_text_layout(columns: &[ColumnSpec]) -> Result<ParquetSpec, Error> {
    let long = ["payload_json", "plan_text"].map(ColumnName::try_new);
    let long: Vec<ColumnName> = long.into_iter().collect::<Result<_, _>>()?;
    let layout = ColumnLayout {
        encoding: Some(Encoding::Plain),
        statistics: Some(PageStatistics::None),
        ..ColumnLayout::default()
    };
    let columns = columns.iter().map(ColumnSpec::name);
    let columns = columns.filter(|name| long.contains(name));
    Ok(ParquetSpec {
        columns: columns.map(|name| (name.clone(), layout)).collect(),
        ..ParquetSpec::default()
    })
}

/// The columns of rows that are about to be appended.
pub(crate) struct Columns<'a, R> {
    rows: &'a [R],
    columns: Vec<(&'static str, ArrayRef)>,
}

impl<'a, R> Columns<'a, R> {
    pub(crate) fn of(rows: &'a [R]) -> Self {
        Self {
            rows,
            columns: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, array: ArrayRef) -> Self {
        self.columns.push((name, array));
        self
    }

    pub(crate) fn text<T: AsRef<str>>(
        self,
        name: &'static str,
        value: impl Fn(&'a R) -> T,
    ) -> Self {
        let array = StringArray::from_iter_values(self.rows.iter().map(value));
        self.with(name, Arc::new(array))
    }

    pub(crate) fn text_or_null(
        self,
        name: &'static str,
        value: impl Fn(&'a R) -> Option<String>,
    ) -> Self {
        let array: StringArray = self.rows.iter().map(value).collect();
        self.with(name, Arc::new(array))
    }

    pub(crate) fn bytes(self, name: &'static str, value: impl Fn(&'a R) -> &'a [u8]) -> Self {
        let array = BinaryArray::from_iter_values(self.rows.iter().map(value));
        self.with(name, Arc::new(array))
    }

    pub(crate) fn flag(self, name: &'static str, value: impl Fn(&'a R) -> bool) -> Self {
        let array: BooleanArray = self.rows.iter().map(|row| Some(value(row))).collect();
        self.with(name, Arc::new(array))
    }

    pub(crate) fn small(self, name: &'static str, value: impl Fn(&'a R) -> i32) -> Self {
        let array = Int32Array::from_iter_values(self.rows.iter().map(value));
        self.with(name, Arc::new(array))
    }

    pub(crate) fn signed(self, name: &'static str, value: impl Fn(&'a R) -> i64) -> Self {
        let array = Int64Array::from_iter_values(self.rows.iter().map(value));
        self.with(name, Arc::new(array))
    }

    /// Counts that do not fit are the largest that does: Delta has no unsigned integers.
    pub(crate) fn count(self, name: &'static str, value: impl Fn(&'a R) -> u64) -> Self {
        self.signed(name, |row| i64::try_from(value(row)).unwrap_or(i64::MAX))
    }

    pub(crate) fn count_or_null(
        self,
        name: &'static str,
        value: impl Fn(&'a R) -> Option<u64>,
    ) -> Self {
        let clamp = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let array: Int64Array = self.rows.iter().map(|row| value(row).map(clamp)).collect();
        self.with(name, Arc::new(array))
    }

    pub(crate) fn batch(self) -> Result<RecordBatch, Error> {
        let batch = RecordBatch::try_from_iter(self.columns);
        batch.map_err(|error| Error::Write(error.into()))
    }
}
