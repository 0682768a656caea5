//! The artifact tables: what they hold, how they are kept, and how rows get in and out.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion::arrow::json::ReaderBuilder;
use datafusion::common::ScalarValue;
use ossature_delta_policy::{DeltaFeature, PolicyOverrides, TablePolicy, resolve};
use ossature_registry::{Catalog, Dataset, Lake, SessionSpec, open_dataset};
use ossature_schema_spec::{
    ColumnLayout, ColumnName, ColumnSpec, ColumnType, DatasetSpec, Encoding, PageStatistics,
    ParquetSpec,
};
use ossature_write_pipeline::{EncodePool, Provenance, TableWriter, WriteMode, WriteRequest};
use serde::Serialize;

use crate::Error;
use crate::attempts::Attempts;
use columns::{
    cache_columns, feed_columns, lineage_columns, maintenance_columns, plan_columns,
    protocol_columns, run_manifest_columns, scan_columns, stats_columns, validation_columns,
    write_columns, write_failure_columns,
};

mod columns;

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
    /// One row per view that a run planned: whether its query returns what it declares.
    SemanticValidations,
    /// One row per version of a table that a run wrote and column that was a candidate for statistics, or that readers use.
    StatsDecisions,
    /// One row per version that a run wrote: what its protocol demands, and whether the runtime provides it.
    ProtocolReports,
    /// One row per column that a run computed and column of an input that it comes from.
    ColumnLineage,
    /// One row per view that a run came to: whether it was computed, or its table held already what its plan computes.
    ViewCache,
    /// One row per write of a run that failed.
    WriteFailures,
    /// One row per table and kind of upkeep, for every time that something was done to the table.
    MaintenanceFacts,
    /// One row per consumer of a table's changes, for every time that it has taken some.
    FeedConsumptions,
}

/// A column of an artifact table: name, type, description. Names that end in `?` may be null.
pub(crate) type Column = (&'static str, ColumnType, &'static str);

impl ArtifactTable {
    /// Every table, in a fixed order.
    pub const ALL: [Self; 12] = [
        Self::RunManifest,
        Self::PlanArtifacts,
        Self::WriteArtifacts,
        Self::ScanArtifacts,
        Self::SemanticValidations,
        Self::StatsDecisions,
        Self::ProtocolReports,
        Self::ColumnLineage,
        Self::ViewCache,
        Self::WriteFailures,
        Self::MaintenanceFacts,
        Self::FeedConsumptions,
    ];

    /// The name of the dataset.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunManifest => "runs.run_manifest",
            Self::PlanArtifacts => "runs.plan_artifacts",
            Self::WriteArtifacts => "runs.write_artifacts",
            Self::ScanArtifacts => "runs.scan_artifacts",
            Self::SemanticValidations => "runs.semantic_validations",
            Self::StatsDecisions => "runs.stats_decisions",
            Self::ProtocolReports => "runs.protocol_reports",
            Self::ColumnLineage => "runs.column_lineage",
            Self::ViewCache => "runs.view_cache",
            Self::WriteFailures => "runs.write_failures",
            Self::MaintenanceFacts => "runs.maintenance_facts",
            Self::FeedConsumptions => "runs.feed_consumptions",
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
                plan_columns()?,
                &["run_id", "dataset", "fingerprint"],
            ),
            Self::WriteArtifacts => (
                "One row per version of a table that a run wrote.",
                write_columns(),
                &["run_id", "dataset", "version"],
            ),
            Self::ScanArtifacts => (
                "One row per version of a table that a run read.",
                scan_columns()?,
                &["run_id", "dataset", "version"],
            ),
            Self::SemanticValidations => (
                "One row per view that a run planned: whether its query returns what it declares.",
                validation_columns()?,
                &["run_id", "dataset"],
            ),
            Self::StatsDecisions => (
                "One row per version of a table that a run wrote and column that was a candidate for statistics.",
                stats_columns()?,
                &["run_id", "dataset", "version", "column"],
            ),
            Self::ProtocolReports => (
                "One row per version of a table that a run wrote, or was refused to: what its protocol demands, and whether the runtime provides it.",
                protocol_columns()?,
                &["run_id", "dataset", "version"],
            ),
            Self::ColumnLineage => (
                "One row per column that a run computed and column of an input that it comes from.",
                lineage_columns(),
                &[
                    "run_id",
                    "dataset",
                    "column",
                    "input",
                    "input_column",
                    "derivation",
                ],
            ),
            Self::ViewCache => (
                "One row per view that a run came to: whether it was computed, or its table held already what its plan computes.",
                cache_columns()?,
                &["run_id", "dataset"],
            ),
            Self::WriteFailures => (
                "One row per write of a run, or of an upkeep, that failed.",
                write_failure_columns(),
                &["run_id", "dataset"],
            ),
            Self::MaintenanceFacts => (
                "One row per table and kind of upkeep, for every time that something was done to the table.",
                maintenance_columns(),
                &["at_unix_ms", "dataset", "upkeep"],
            ),
            Self::FeedConsumptions => (
                "One row per consumer of a table's changes, for every time that it has taken some.",
                feed_columns()?,
                &["consumer", "dataset", "sequence"],
            ),
        };
        let payload = match self {
            // What they tell is in the payloads of other tables.
            Self::StatsDecisions | Self::ProtocolReports | Self::ColumnLineage => Vec::new(),
            _ => columns::payload_columns(),
        };
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

    /// Rows as a batch of the table.
    pub(crate) fn batch<R: Serialize>(self, rows: &[R]) -> Result<RecordBatch, Error> {
        let schema = self.spec()?.arrow_schema();
        let read = || {
            let mut decoder = ReaderBuilder::new(Arc::clone(&schema)).build_decoder()?;
            decoder.serialize(rows)?;
            decoder.flush()
        };
        let batch = read().map_err(|error| Error::Write(error.into()))?;
        Ok(batch.unwrap_or_else(|| RecordBatch::new_empty(schema)))
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

/// Long values that never repeat: no dictionary, no bounds.
fn long_text_layout(columns: &[ColumnSpec]) -> Result<ParquetSpec, Error> {
    let long = ["payload", "plan", "plan_text", "policy"].map(ColumnName::try_new);
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
