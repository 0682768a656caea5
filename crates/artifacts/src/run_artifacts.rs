//! What a run leaves behind besides its tables: plans, writes, failed writes and scans, stored in one append per table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use ossature_lineage::PlanBundle;
use ossature_registry::{Lake, ScanFacts};
use ossature_schema_spec::{DatasetName, Fingerprint};
use ossature_view_graph::ViewValidation;
use ossature_write_pipeline::WriteOutcome;

use crate::rows::{
    CacheRow, DecisionRow, FailureRow, FunctionRow, InputRow, LineageRow, PlanRow, ProtocolRow,
    ScanRow, ValidationRow, WriteRow,
};
use crate::stored::{Bytes, Stored, count};
use crate::table::ArtifactTable;
use crate::{
    Error, PlanArtifactV1, ProtocolReportV1, ScanArtifactV1, SemanticValidationV1, ViewCacheV1,
    WriteArtifactV1, WriteFailureV1, canonical_msgpack,
};

/// Plans by dataset and fingerprint, each with its bytes.
type Plans = BTreeMap<(String, String), Arc<(Stored<PlanArtifactV1>, Bytes)>>;
/// Writes by dataset and version, each with its policy.
type Writes = BTreeMap<(String, u64), Arc<(Stored<WriteArtifactV1>, Bytes)>>;

/// Collects the artifacts of one run, also of one that fails, and stores them at its end.
///
/// What is recorded twice (the same plan of a dataset, the same version of a table) is stored once.
#[derive(Debug, Clone)]
pub struct RunArtifacts {
    run_id: String,
    plans: Plans,
    writes: Writes,
    // What other tables tell of the same plans and writes: each table has its own list of what it lacks.
    lineages: Plans,
    decisions: Writes,
    protocols: Writes,
    scans: BTreeMap<(String, u64), Stored<ScanArtifactV1>>,
    failures: BTreeMap<String, Stored<WriteFailureV1>>,
    /// What failures tell of protocols, by dataset.
    refusals: BTreeMap<String, (u64, ProtocolReportV1)>,
    validations: BTreeMap<String, Stored<SemanticValidationV1>>,
    caches: BTreeMap<String, Stored<ViewCacheV1>>,
}

impl RunArtifacts {
    /// No artifacts yet.
    pub fn of(run_id: &str) -> Self {
        Self {
            run_id: run_id.to_owned(),
            plans: BTreeMap::new(),
            writes: BTreeMap::new(),
            lineages: BTreeMap::new(),
            decisions: BTreeMap::new(),
            protocols: BTreeMap::new(),
            scans: BTreeMap::new(),
            failures: BTreeMap::new(),
            refusals: BTreeMap::new(),
            validations: BTreeMap::new(),
            caches: BTreeMap::new(),
        }
    }

    /// Records the plan that computes a dataset's rows; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no plan causes.
    pub fn record_plan(
        &mut self,
        dataset: &DatasetName,
        bundle: &PlanBundle,
    ) -> Result<Fingerprint, Error> {
        let stored = Stored::of(PlanArtifactV1::of(dataset, bundle))?;
        let artifact_id = stored.artifact_id;
        let key = (dataset.to_string(), bundle.fingerprint().to_hex());
        let plan = Bytes(bundle.canonical().bytes().to_vec());
        let plan = Arc::new((stored, plan));
        self.lineages.insert(key.clone(), Arc::clone(&plan));
        self.plans.insert(key, plan);
        Ok(artifact_id)
    }

    /// Records whether a view's query returns what it declares, also when it does not; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no view causes.
    pub fn record_validation(&mut self, validation: &ViewValidation) -> Result<Fingerprint, Error> {
        let stored = Stored::of(SemanticValidationV1::from(validation))?;
        let artifact_id = stored.artifact_id;
        let key = stored.payload.dataset.clone();
        self.validations.insert(key, stored);
        Ok(artifact_id)
    }

    /// Records what came of a write; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no outcome causes.
    pub fn record_write(&mut self, outcome: &WriteOutcome) -> Result<Fingerprint, Error> {
        let stored = Stored::of(WriteArtifactV1::from(outcome))?;
        let artifact_id = stored.artifact_id;
        let key = (stored.payload.dataset.clone(), stored.payload.version);
        let policy = serde_json::to_value(&outcome.policy).map_err(Error::unencodable)?;
        let write = Arc::new((stored, Bytes(canonical_msgpack(&policy)?)));
        self.decisions.insert(key.clone(), Arc::clone(&write));
        self.protocols.insert(key.clone(), Arc::clone(&write));
        self.writes.insert(key, write);
        Ok(artifact_id)
    }

    /// Records how a dataset was opened; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no scan causes.
    pub fn record_scan(&mut self, facts: &ScanFacts) -> Result<Fingerprint, Error> {
        let stored = Stored::of(ScanArtifactV1::from(facts))?;
        let artifact_id = stored.artifact_id;
        let pin = &stored.payload.pin;
        let key = (pin.dataset.clone(), pin.version);
        self.scans.insert(key, stored);
        Ok(artifact_id)
    }

    /// Records what became of a view when the run came to it; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no view causes.
    pub fn record_cache(&mut self, cache: ViewCacheV1) -> Result<Fingerprint, Error> {
        let stored = Stored::of(cache)?;
        let artifact_id = stored.artifact_id;
        let key = stored.payload.dataset.clone();
        self.caches.insert(key, stored);
        Ok(artifact_id)
    }

    /// Records a write that failed; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no failure causes.
    pub fn record_failure(&mut self, failure: WriteFailureV1) -> Result<Fingerprint, Error> {
        let stored = Stored::of(failure)?;
        let artifact_id = stored.artifact_id;
        let key = stored.payload.dataset.clone();
        if let Some(protocol) = stored.payload.protocol.clone() {
            let version = stored.payload.version;
            self.refusals.insert(key.clone(), (version, protocol));
        }
        self.failures.insert(key, stored);
        Ok(artifact_id)
    }

    /// Stores everything that was recorded and not stored yet: at most one commit per table, none where there is nothing
    /// to store. After an error it may be called again.
    ///
    /// Times are milliseconds since 1970-01-01 00:00:00 UTC. Somebody else's appends do not matter.
    ///
    /// **Errors**: [`Error::Write`] and [`Error::Registry`].
    pub async fn store(&mut self, lake: &Lake, at_unix_ms: i64) -> Result<(), Error> {
        use ArtifactTable::{
            ColumnLineage, PlanArtifacts, ProtocolReports, ScanArtifacts, SemanticValidations,
            StatsDecisions, ViewCache, WriteArtifacts, WriteFailures,
        };
        let run_id = &self.run_id;
        let append = |table: ArtifactTable, rows: RecordBatch| async move {
            table.append(lake, &rows, run_id, at_unix_ms).await
        };
        append(WriteFailures, self.failure_rows()?).await?;
        self.failures.clear();
        append(SemanticValidations, self.validation_rows()?).await?;
        self.validations.clear();
        append(ViewCache, self.cache_rows()?).await?;
        self.caches.clear();
        append(ColumnLineage, self.lineage_rows()?).await?;
        self.lineages.clear();
        append(PlanArtifacts, self.plan_rows()?).await?;
        self.plans.clear();
        append(StatsDecisions, self.decision_rows()?).await?;
        self.decisions.clear();
        append(ProtocolReports, self.protocol_rows()?).await?;
        self.protocols.clear();
        self.refusals.clear();
        append(WriteArtifacts, self.write_rows()?).await?;
        self.writes.clear();
        append(ScanArtifacts, self.scan_rows()?).await?;
        self.scans.clear();
        Ok(())
    }

    fn plan_rows(&self) -> Result<RecordBatch, Error> {
        let rows = self.plans.values().map(|it| {
            let (stored, plan) = it.as_ref();
            let payload = &stored.payload;
            PlanRow {
                run_id: &self.run_id,
                dataset: &payload.dataset,
                fingerprint: payload.fingerprint.to_string(),
                encoding: &payload.encoding,
                environment_hash: payload.environment_hash.to_string(),
                execution_hash: payload.execution_hash.to_string(),
                inputs: payload.inputs.iter().map(InputRow::of).collect(),
                functions: (payload.functions.iter())
                    .map(|(name, version)| FunctionRow { name, version })
                    .collect(),
                plan_text: &payload.text,
                plan,
                payload: &stored.columns,
            }
        });
        ArtifactTable::PlanArtifacts.batch(&rows.collect::<Vec<_>>())
    }

    fn cache_rows(&self) -> Result<RecordBatch, Error> {
        let rows = self.caches.values();
        let rows: Vec<CacheRow<'_>> = rows
            .map(|stored| CacheRow::of(&self.run_id, stored))
            .collect();
        ArtifactTable::ViewCache.batch(&rows)
    }

    fn validation_rows(&self) -> Result<RecordBatch, Error> {
        let rows = self.validations.values().map(|stored| {
            let payload = &stored.payload;
            ValidationRow {
                run_id: &self.run_id,
                dataset: &payload.dataset,
                columns: count(payload.columns),
                is_valid: payload.is_valid,
                findings: &payload.findings,
                payload: &stored.columns,
            }
        });
        ArtifactTable::SemanticValidations.batch(&rows.collect::<Vec<_>>())
    }

    fn lineage_rows(&self) -> Result<RecordBatch, Error> {
        let plans = self.lineages.values().map(|it| &it.0.payload);
        let mut rows: Vec<LineageRow<'_>> = plans
            .flat_map(|plan| LineageRow::of(&self.run_id, plan))
            .collect();
        // One plan of a dataset may stand here beside another; the columns of both are told.
        rows.sort();
        rows.dedup();
        ArtifactTable::ColumnLineage.batch(&rows)
    }

    fn write_rows(&self) -> Result<RecordBatch, Error> {
        let rows = self.writes.values().map(|it| {
            let (stored, policy) = it.as_ref();
            let payload = &stored.payload;
            WriteRow {
                run_id: &self.run_id,
                dataset: &payload.dataset,
                version: count(payload.version),
                rows: count(payload.rows),
                bytes: count(payload.bytes),
                files: count(payload.files),
                files_added: count(payload.files_added),
                files_removed: count(payload.files_removed),
                files_restored: count(payload.files_restored),
                content_hash: payload.content_hash.to_string(),
                contract_hash: payload.contract_hash.to_string(),
                policy_hash: payload.policy.policy_hash.to_string(),
                policy,
                payload: &stored.columns,
            }
        });
        ArtifactTable::WriteArtifacts.batch(&rows.collect::<Vec<_>>())
    }

    fn decision_rows(&self) -> Result<RecordBatch, Error> {
        let writes = self.decisions.values().map(|it| &it.0.payload);
        let rows = writes.flat_map(|write| DecisionRow::of(&self.run_id, write));
        let mut rows: Vec<DecisionRow<'_>> = rows.collect();
        rows.sort();
        ArtifactTable::StatsDecisions.batch(&rows)
    }

    fn protocol_rows(&self) -> Result<RecordBatch, Error> {
        let written = self.protocols.values().map(|it| {
            let payload = &it.0.payload;
            (&payload.dataset, payload.version, &payload.protocol)
        });
        let refused = self.refusals.iter();
        let refused = refused.map(|(dataset, (version, report))| (dataset, *version, report));
        let rows = written
            .chain(refused)
            .map(|(dataset, version, report)| ProtocolRow {
                run_id: &self.run_id,
                dataset,
                version: count(version),
                is_compatible: report.is_compatible,
                reader_version: i64::from(report.found.reader_version),
                writer_version: i64::from(report.found.writer_version),
                problems: &report.problems,
            });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|row| (row.dataset, row.version));
        ArtifactTable::ProtocolReports.batch(&rows)
    }

    fn failure_rows(&self) -> Result<RecordBatch, Error> {
        let rows = self.failures.values().map(|stored| {
            let payload = &stored.payload;
            FailureRow {
                run_id: &self.run_id,
                dataset: &payload.dataset,
                version: count(payload.version),
                code: &payload.code,
                message: &payload.message,
                orphans: count(payload.orphans.len()),
                payload: &stored.columns,
            }
        });
        ArtifactTable::WriteFailures.batch(&rows.collect::<Vec<_>>())
    }

    fn scan_rows(&self) -> Result<RecordBatch, Error> {
        let rows = self.scans.values().map(|stored| {
            let payload = &stored.payload;
            ScanRow {
                run_id: &self.run_id,
                dataset: &payload.pin.dataset,
                version: count(payload.pin.version),
                mode: payload.mode.as_str(),
                is_identity: payload.is_identity,
                is_ordered_as_declared: payload.is_ordered_as_declared,
                alignments: &payload.alignments,
                files: payload.files.map(count),
                bytes: payload.bytes.map(count),
                rows: payload.rows.map(count),
                payload: &stored.columns,
            }
        });
        ArtifactTable::ScanArtifacts.batch(&rows.collect::<Vec<_>>())
    }
}
