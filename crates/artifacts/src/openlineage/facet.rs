//! Facets: what an event says of a run, a job, a dataset. Those of the standard, and three of ours.

use std::collections::BTreeMap;

use ossature_schema_spec::{DatasetName, DatasetSpec};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::column::{FieldLineage, InputField};
use super::event::as_text;
use crate::{DigestV1, FailureV1, OutputV1, PinV1, PlanArtifactV1, RunManifestV1};

/// What a facet says, with the schema that it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Facet<T> {
    #[serde(rename = "_producer")]
    pub(super) producer: String,
    #[serde(rename = "_schemaURL")]
    pub(super) schema_url: &'static str,
    #[serde(flatten)]
    pub(super) content: T,
}

/// What a facet says.
pub(super) trait Content: Serialize {
    /// The schema that the whole facet follows.
    fn schema_url(&self) -> &'static str;
}

macro_rules! standard {
    ($($content:ty => $schema:literal;)*) => {$(
        impl Content for $content {
            fn schema_url(&self) -> &'static str {
                concat!("https://openlineage.io/spec/facets/", $schema)
            }
        }
    )*};
}

standard! {
    ProcessingEngine => "1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet";
    Parent => "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet";
    ErrorMessage => "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet";
    JobClass => "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet";
    Sql => "1-1-0/SQLJobFacet.json#/$defs/SQLJobFacet";
    Schema => "1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet";
    DataSource => "1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet";
    TableVersion => "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
    Symlinks => "1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet";
    Storage => "1-0-1/StorageDatasetFacet.json#/$defs/StorageDatasetFacet";
    DatasetType => "1-0-1/DatasetTypeDatasetFacet.json#/$defs/DatasetTypeDatasetFacet";
    ColumnLineage => "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet";
    LifecycleStateChange => "1-0-1/LifecycleStateChangeDatasetFacet.json#/$defs/LifecycleStateChangeDatasetFacet";
    OutputStatistics => "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet";
}

/// The facets of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct RunFacets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) processing_engine: Option<Facet<ProcessingEngine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Facet<Parent>>,
    #[serde(rename = "errorMessage", skip_serializing_if = "Option::is_none")]
    pub(super) error_message: Option<Facet<ErrorMessage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ossature_build: Option<Facet<BuildIdentity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ossature_plan: Option<Facet<PlanIdentity>>,
}

/// The facets of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct JobFacets {
    #[serde(rename = "jobType", skip_serializing_if = "Option::is_none")]
    pub(super) job_type: Option<Facet<JobClass>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) documentation: Option<Facet<Documentation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sql: Option<Facet<Sql>>,
}

/// The facets of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatasetFacets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schema: Option<Facet<Schema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data_source: Option<Facet<DataSource>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Facet<TableVersion>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) documentation: Option<Facet<Documentation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symlinks: Option<Facet<Symlinks>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storage: Option<Facet<Storage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dataset_type: Option<Facet<DatasetType>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lifecycle_state_change: Option<Facet<LifecycleStateChange>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column_lineage: Option<Facet<ColumnLineage>>,
    #[serde(rename = "ossature_table", skip_serializing_if = "Option::is_none")]
    pub(super) ossature_table: Option<Facet<TableIdentity>>,
}

/// The facets of a dataset that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputDatasetFacets {
    pub(super) output_statistics: Facet<OutputStatistics>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProcessingEngine {
    version: String,
    name: &'static str,
    openlineage_adapter_version: String,
}

impl ProcessingEngine {
    pub(super) fn of(manifest: &RunManifestV1) -> Self {
        let versions = manifest.environment.as_ref().map(|it| &it.versions);
        let engine = versions.and_then(|versions| versions.get("datafusion"));
        let (name, version) = match engine {
            Some(version) => ("DataFusion", version),
            None => ("ossature", &manifest.code_version),
        };
        Self {
            version: version.clone(),
            name,
            openlineage_adapter_version: manifest.code_version.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Parent {
    pub(super) run: ParentRun,
    pub(super) job: ParentJob,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParentRun {
    #[serde(serialize_with = "as_text")]
    pub(super) run_id: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ParentJob {
    pub(super) namespace: String,
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorMessage {
    message: String,
    programming_language: &'static str,
}

impl ErrorMessage {
    pub(super) fn of(message: String) -> Self {
        Self {
            message,
            programming_language: "RUST",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JobClass {
    processing_type: &'static str,
    integration: &'static str,
    job_type: &'static str,
}

impl JobClass {
    pub(super) fn of(job_type: &'static str) -> Self {
        Self {
            processing_type: "BATCH",
            integration: "OSSATURE",
            job_type,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Sql {
    query: String,
    dialect: &'static str,
}

impl Sql {
    pub(super) fn of(query: &str) -> Self {
        Self {
            query: query.to_owned(),
            dialect: "datafusion",
        }
    }
}

/// What a job or a dataset is; there is a schema for either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Documentation {
    description: String,
    #[serde(skip)]
    schema_url: &'static str,
}

impl Documentation {
    pub(super) fn of_job(description: String) -> Self {
        Self {
            description,
            schema_url: "https://openlineage.io/spec/facets/1-1-0/DocumentationJobFacet.json#/$defs/DocumentationJobFacet",
        }
    }

    pub(super) fn of_dataset(description: String) -> Self {
        Self {
            description,
            schema_url: "https://openlineage.io/spec/facets/1-1-0/DocumentationDatasetFacet.json#/$defs/DocumentationDatasetFacet",
        }
    }
}

impl Content for Documentation {
    fn schema_url(&self) -> &'static str {
        self.schema_url
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Schema {
    fields: Vec<SchemaField>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SchemaField {
    name: String,
    /// As the Delta protocol names it.
    #[serde(rename = "type")]
    column_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    ordinal_position: usize,
}

impl Schema {
    pub(super) fn of(contract: &DatasetSpec) -> Self {
        let columns = contract.columns().iter().enumerate();
        let fields = columns.map(|(at, column)| SchemaField {
            name: column.name().to_string(),
            column_type: column.column_type().to_string(),
            description: column.description().to_owned(),
            ordinal_position: at + 1,
        });
        Self {
            fields: fields.collect(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DataSource {
    name: String,
    uri: String,
}

impl DataSource {
    pub(super) fn of(lake: String) -> Self {
        Self {
            name: lake.clone(),
            uri: lake,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableVersion {
    dataset_version: String,
}

impl TableVersion {
    pub(super) fn of(version: u64) -> Self {
        Self {
            dataset_version: version.to_string(),
        }
    }
}

/// Other names of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Symlinks {
    identifiers: Vec<Symlink>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Symlink {
    namespace: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Symlinks {
    /// The name that queries use, in the lake that they ask.
    pub(super) fn of(lake: String, name: &DatasetName) -> Self {
        Self {
            identifiers: vec![Symlink {
                namespace: lake,
                name: name.to_string(),
                kind: "TABLE",
            }],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Storage {
    storage_layer: &'static str,
    file_format: &'static str,
}

impl Storage {
    pub(super) const DELTA: Self = Self {
        storage_layer: "delta",
        file_format: "parquet",
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatasetType {
    dataset_type: &'static str,
}

impl DatasetType {
    pub(super) const TABLE: Self = Self {
        dataset_type: "TABLE",
    };
    pub(super) const FILE: Self = Self {
        dataset_type: "FILE",
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LifecycleStateChange {
    lifecycle_state_change: &'static str,
}

impl LifecycleStateChange {
    pub(super) const OVERWRITE: Self = Self {
        lifecycle_state_change: "OVERWRITE",
    };
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ColumnLineage {
    pub(super) fields: BTreeMap<String, FieldLineage>,
    pub(super) dataset: Vec<InputField>,
}

/// What there is in the version that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputStatistics {
    row_count: u64,
    size: u64,
    file_count: u64,
}

impl OutputStatistics {
    pub(super) fn of(output: &OutputV1) -> Self {
        Self {
            row_count: output.rows,
            size: output.bytes,
            file_count: output.files,
        }
    }
}

/// The run, as the lake's ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BuildIdentity {
    /// The run's id in the ledger.
    run_id: String,
    /// Its place in the lake's history, from 1 on.
    run_number: i64,
    /// What was read: a folder or a URL, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// The version of the program.
    code_version: String,
    /// A digest of what planned the queries: versions, settings, rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_hash: Option<DigestV1>,
    /// The versions of the engines and of the program's parts, by name.
    versions: BTreeMap<String, String>,
    /// The version of Python that the source is read as.
    python_version: String,
    /// Larger files are not parsed, in bytes.
    max_file_bytes: u64,
    /// The stable identifier of the error that the run ended with.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
}

impl BuildIdentity {
    pub(super) fn of(manifest: &RunManifestV1, failure: Option<&FailureV1>) -> Self {
        let environment = manifest.environment.as_ref();
        Self {
            run_id: manifest.run_id.clone(),
            run_number: manifest.run_number,
            source: manifest.source.clone(),
            code_version: manifest.code_version.clone(),
            environment_hash: environment.map(|environment| environment.hash),
            versions: environment
                .map(|it| it.versions.clone())
                .unwrap_or_default(),
            python_version: manifest.options.python_version.clone(),
            max_file_bytes: manifest.options.max_file_bytes,
            failure_code: failure.map(|failure| failure.code.clone()),
        }
    }
}

/// The plan that computed the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanIdentity {
    /// What is computed, over which rows.
    fingerprint: DigestV1,
    /// A digest of the encoded plan.
    plan_hash: DigestV1,
    /// How the plan is written down: `substrait` or `text`.
    encoding: String,
    /// Why the preferred encoding was not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_reason: Option<String>,
    /// A digest of what planned: versions, settings, rules.
    environment_hash: DigestV1,
    /// A digest of how the plan was carried out. Part of no identity.
    execution_hash: DigestV1,
    /// The functions of ours that are called, with the version of each.
    functions: BTreeMap<String, String>,
    /// The id of the artifact that tells of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_artifact_id: Option<DigestV1>,
    /// Whether it was carried out: `hit` where the table held already what it computes, otherwise `miss`, `stale` or `disabled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_status: Option<String>,
}

impl PlanIdentity {
    pub(super) fn of(plan: &PlanArtifactV1, output: &OutputV1) -> Self {
        let PlanArtifactV1 {
            dataset: _,
            fingerprint,
            environment_hash,
            execution_hash,
            encoding,
            fallback_reason,
            plan_bytes: _,
            plan_hash,
            inputs: _,
            outputs: _,
            functions,
            calls: _,
            text: _,
        } = plan;
        Self {
            fingerprint: *fingerprint,
            plan_hash: *plan_hash,
            encoding: encoding.clone(),
            fallback_reason: fallback_reason.clone(),
            environment_hash: *environment_hash,
            execution_hash: *execution_hash,
            functions: functions.clone(),
            plan_artifact_id: output.plan_artifact_id,
            cache_status: output.cache_status.map(|it| it.as_str().to_owned()),
        }
    }
}

/// The version of a table that was read or written, and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TableIdentity {
    /// The dataset, as `stage.table`.
    dataset: String,
    /// The id in the table's metadata.
    table_id: String,
    /// The version, counted from 0.
    version: u64,
    /// A digest of what the log says of the version.
    snapshot_hash: DigestV1,
    /// A digest of the version's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<DigestV1>,
    /// A digest of the contract under which they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    contract_hash: Option<DigestV1>,
    /// A digest of the policy under which they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_hash: Option<DigestV1>,
    /// The fingerprint of the plan that computed the rows, where a plan did.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_fingerprint: Option<DigestV1>,
    /// The id of the artifact that tells of the write.
    #[serde(skip_serializing_if = "Option::is_none")]
    write_artifact_id: Option<DigestV1>,
}

impl TableIdentity {
    /// A version that the run publishes.
    pub(super) fn written(output: &OutputV1) -> Self {
        let OutputV1 {
            name,
            table_uri: _,
            version_before: _,
            version,
            table_id,
            snapshot_hash,
            rows: _,
            bytes: _,
            files: _,
            plan_fingerprint,
            plan_hash: _,
            content_hash,
            contract_hash,
            policy_hash,
            write_artifact_id,
            plan_artifact_id: _,
            writer_version: _,
            cache_status: _,
        } = output;
        Self {
            dataset: name.clone(),
            table_id: table_id.clone(),
            version: *version,
            snapshot_hash: *snapshot_hash,
            content_hash: Some(*content_hash),
            contract_hash: Some(*contract_hash),
            policy_hash: Some(*policy_hash),
            plan_fingerprint: *plan_fingerprint,
            write_artifact_id: Some(*write_artifact_id),
        }
    }

    /// A version that the run only reads.
    pub(super) fn read(pin: &PinV1) -> Self {
        let PinV1 {
            dataset,
            table_id,
            version,
            snapshot_hash,
            content_hash,
        } = pin;
        Self {
            dataset: dataset.clone(),
            table_id: table_id.clone(),
            version: *version,
            snapshot_hash: *snapshot_hash,
            content_hash: *content_hash,
            contract_hash: None,
            policy_hash: None,
            plan_fingerprint: None,
            write_artifact_id: None,
        }
    }
}

macro_rules! ours {
    ($($content:ty => $definition:literal;)*) => {
        $(impl Content for $content {
            fn schema_url(&self) -> &'static str {
                concat!("urn:ossature:openlineage:1-0-0#/$defs/", $definition)
            }
        })*

        /// The facets of ours: the names of their definitions, and the schemas of what they say.
        #[cfg(test)]
        pub(super) fn schemas() -> Vec<(&'static str, schemars::Schema)> {
            vec![$(($definition, schemars::schema_for!($content))),*]
        }
    };
}

ours! {
    BuildIdentity => "OssatureBuildRunFacet";
    PlanIdentity => "OssaturePlanRunFacet";
    TableIdentity => "OssatureTableDatasetFacet";
}
