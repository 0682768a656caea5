//! What a run leaves behind besides its tables: plans, writes, failed writes and scans, stored in one append per table.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use ossature_lineage::PlanBundle;
use ossature_registry::{Lake, ScanFacts};
use ossature_schema_spec::{DatasetName, Fingerprint};
use ossature_write_pipeline::WriteOutcome;
use serde_json::{Value, json};

use crate::stored::Stored;
use crate::table::{ArtifactTable, Columns};
use crate::{
    Error, PlanArtifactV1, ScanArtifactV1, WriteArtifactV1, WriteFailureV1, canonical_json,
};

/// Collects the artifacts of one run, also of one that fails, and stores them at its end.
///
/// What is recorded twice (the same plan of a dataset, the same version of a table) is stored once.
#[derive(Debug, Clone)]
pub struct RunArtifacts {
    run_id: String,
    plans: BTreeMap<(String, String), PlanRow>,
    writes: BTreeMap<(String, u64), Stored<WriteArtifactV1>>,
    scans: BTreeMap<(String, u64), Stored<ScanArtifactV1>>,
    failures: BTreeMap<String, Stored<WriteFailureV1>>,
}

#[derive(Debug, Clone)]
struct PlanRow {
    stored: Stored<PlanArtifactV1>,
    inputs: String,
    functions: String,
    bytes: Vec<u8>,
}

impl RunArtifacts {
    /// No artifacts yet.
    pub fn of(run_id: &str) -> Self {
        Self {
            run_id: run_id.to_owned(),
            plans: BTreeMap::new(),
            writes: BTreeMap::new(),
            scans: BTreeMap::new(),
            failures: BTreeMap::new(),
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
        let row = PlanRow {
            inputs: canonical_json(&json!(stored.payload.inputs))?,
            functions: canonical_json(&json!(stored.payload.functions))?,
            bytes: bundle.canonical().bytes().to_vec(),
            stored,
        };
        let key = (dataset.to_string(), bundle.fingerprint().to_hex());
        self.plans.insert(key, row);
        Ok(artifact_id)
    }

    /// Records what came of a write; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no outcome causes.
    pub fn record_write(&mut self, outcome: &WriteOutcome) -> Result<Fingerprint, Error> {
        let stored = Stored::of(WriteArtifactV1::from(outcome))?;
        let artifact_id = stored.artifact_id;
        let key = (stored.payload.dataset.clone(), stored.payload.version);
        self.writes.insert(key, stored);
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

    /// Records a write that failed; gives back the artifact's id.
    ///
    /// **Errors**: [`Error::Unencodable`], which no failure causes.
    pub fn record_failure(&mut self, failure: WriteFailureV1) -> Result<Fingerprint, Error> {
        let stored = Stored::of(failure)?;
        let artifact_id = stored.artifact_id;
        let key = stored.payload.dataset.clone();
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
        use ArtifactTable::{PlanArtifacts, ScanArtifacts, WriteArtifacts, WriteFailures};
        let run_id = &self.run_id;
        let rows = self.failure_rows()?;
        WriteFailures
            .append(lake, &rows, run_id, at_unix_ms)
            .await?;
        self.failures.clear();
        let rows = self.plan_rows()?;
        PlanArtifacts
            .append(lake, &rows, run_id, at_unix_ms)
            .await?;
        self.plans.clear();
        let rows = self.write_rows()?;
        WriteArtifacts
            .append(lake, &rows, run_id, at_unix_ms)
            .await?;
        self.writes.clear();
        let rows = self.scan_rows()?;
        ScanArtifacts
            .append(lake, &rows, run_id, at_unix_ms)
            .await?;
        self.scans.clear();
        Ok(())
    }

    fn plan_rows(&self) -> Result<RecordBatch, Error> {
        let rows: Vec<&PlanRow> = self.plans.values().collect();
        Columns::of(&rows)
            .text("run_id", |_| &self.run_id)
            .text("dataset", |row| &row.stored.payload.dataset)
            .text("fingerprint", |row| {
                row.stored.payload.fingerprint.to_string()
            })
            .text("encoding", |row| &row.stored.payload.encoding)
            .text("environment_hash", |row| {
                row.stored.payload.environment_hash.to_string()
            })
            .text("inputs_json", |row| &row.inputs)
            .text("functions_json", |row| &row.functions)
            .text("plan_text", |row| &row.stored.payload.text)
            .bytes("plan_bytes", |row| &row.bytes)
            .payload(|row| &row.stored)
            .batch()
    }

    fn write_rows(&self) -> Result<RecordBatch, Error> {
        let rows: Vec<&Stored<WriteArtifactV1>> = self.writes.values().collect();
        Columns::of(&rows)
            .text("run_id", |_| &self.run_id)
            .text("dataset", |row| &row.payload.dataset)
            .count("version", |row| row.payload.version)
            .count("rows", |row| row.payload.rows)
            .count("bytes", |row| row.payload.bytes)
            .count("files", |row| row.payload.files)
            .count("files_added", |row| row.payload.files_added)
            .count("files_removed", |row| row.payload.files_removed)
            .text("content_hash", |row| row.payload.content_hash.to_string())
            .text("contract_hash", |row| row.payload.contract_hash.to_string())
            .text("policy_hash", |row| {
                row.payload.policy.policy_hash.to_string()
            })
            .payload(|row| *row)
            .batch()
    }

    fn failure_rows(&self) -> Result<RecordBatch, Error> {
        let rows: Vec<&Stored<WriteFailureV1>> = self.failures.values().collect();
        Columns::of(&rows)
            .text("run_id", |_| &self.run_id)
            .text("dataset", |row| &row.payload.dataset)
            .count("version", |row| row.payload.version)
            .text("code", |row| &row.payload.code)
            .text("message", |row| &row.payload.message)
            .count("orphans", |row| row.payload.orphans.len() as u64)
            .payload(|row| *row)
            .batch()
    }

    fn scan_rows(&self) -> Result<RecordBatch, Error> {
        let rows = self.scans.values().map(|stored| {
            let ScanArtifactV1 {
                alignments,
                dropped,
                ..
            } = &stored.payload;
            let alignment: Value = json!({"columns": alignments, "dropped": dropped});
            Ok((stored, canonical_json(&alignment)?))
        });
        let rows: Vec<(&Stored<ScanArtifactV1>, String)> = rows.collect::<Result<_, Error>>()?;
        Columns::of(&rows)
            .text("run_id", |_| &self.run_id)
            .text("dataset", |(row, _)| &row.payload.pin.dataset)
            .count("version", |(row, _)| row.payload.pin.version)
            .text("mode", |(row, _)| row.payload.mode.as_str())
            .flag("is_identity", |(row, _)| row.payload.is_identity)
            .text("alignment_json", |(_, alignment)| alignment)
            .count_or_null("files", |(row, _)| row.payload.files)
            .count_or_null("bytes", |(row, _)| row.payload.bytes)
            .count_or_null("rows", |(row, _)| row.payload.rows)
            .payload(|(row, _)| *row)
            .batch()
    }
}
