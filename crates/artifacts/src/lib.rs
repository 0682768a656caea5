//! Turns facts about a run into payloads, stores them, and publishes the run.
//!
//! | question | answer |
//! |---|---|
//! | which runs were there, and what do readers see? | [`RunLedger`], [`RunRecord`] |
//! | how does a run begin, complete, fail? | [`RunLedger::begin`], [`RunLedger::complete`], [`RunLedger::fail`] |
//! | what did a run publish? | [`RunManifestV1`], [`OutputV1`] |
//! | where do plans, writes, failed writes and scans go, and how do they come back? | [`RunArtifacts`], [`StoredArtifacts`], [`ArtifactTable`] |
//! | with what is a run carried out again? | [`RecordedPlan`], [`RecordedWrite`] |
//! | what was done to the tables between runs? | [`MaintenanceRecord`] |
//! | what identifies an artifact, and what are its bytes? | [`Envelope`], [`artifact_id`], [`canonical_json`], [`canonical_msgpack`] |
//! | what may a payload look like, and what is wrong with one? | [`CONTRACTS`], [`Contract`], [`Rejection`], [`Violation`] |
//! | what is told of a run to tools of lineage? | [`LineageSubject`], [`RunEvent`] |
//! | does a change of a schema want another version? | [`classify`], [`SchemaChange`], [`Compatibility`] |
//!
//! ```text
//! facts ─ twin ─ envelope ─┬─ canonical MsgPack ─ id
//!                          └─ columns, and the MsgPack beside them ─ one append per table ─ ... ─ manifest row: published
//! ```
//!
//! A contract is registered once, in [`CONTRACTS`]. Its files in `contracts/`, its section in `docs/contracts.md` and the
//! checks of released versions come from there; `cargo xtask contracts` writes them.
//!
//! Knows: JSON and `MsgPack` payloads, their contracts, the tables that hold them. Does not know: what a run does, clocks.
//!
//! ```
//! use ossature_artifacts::{
//!     ExecutionProfileV1, RunCompletion, RunLedger, RunOptionsV1, RunStart, RunStatusV1,
//! };
//! use ossature_registry::Lake;
//!
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # runtime.block_on(async {
//! let folder = tempfile::tempdir()?;
//! let ledger = RunLedger::of(&Lake::try_new(&folder.path().to_string_lossy())?);
//! assert_eq!(ledger.latest_completed().await?, None);
//!
//! let run = ledger
//!     .begin(&RunStart {
//!         run_id: "first".to_owned(),
//!         parent_run_id: None,
//!         source: Some("https://me:secret@example.org/project".to_owned()),
//!         code_version: "0.1.0".to_owned(),
//!         environment: None,
//!         profile: None,
//!         options: RunOptionsV1 { python_version: "3.13".to_owned(), max_file_bytes: 1 << 22 },
//!         execution: ExecutionProfileV1 { threads: 1, memory_bytes_max: 1 << 29, batch_rows: 8192 },
//!         started_at_unix_ms: 1_000,
//!     })
//!     .await?;
//! assert_eq!((run.run_number, run.status), (1, RunStatusV1::Running));
//! assert_eq!(run.source.as_deref(), Some("https://example.org/project"));
//!
//! let done = RunCompletion {
//!     ended_at_unix_ms: 2_000,
//!     inputs: vec![],
//!     outputs: vec![],
//!     extract: None,
//!     calls: None,
//! };
//! let published = ledger.complete(&run.run_id, &done).await?;
//! assert_eq!(ledger.latest_completed().await?, Some(published));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attempts;
mod canonical;
mod contract;
mod envelope;
mod error;
mod feed_cursors;
mod ledger;
mod maintenance_record;
mod openlineage;
mod payload;
mod rejection;
mod rows;
mod run_artifacts;
mod schema;
mod stored;
mod stored_artifacts;
mod table;

pub use canonical::{canonical_json, canonical_msgpack, decode_msgpack, field_texts, pretty_json};
pub use contract::{
    CONTRACTS, Compatibility, Contract, Domain, RejectedExample, SchemaChange, classify,
};
pub use envelope::{Envelope, Payload, artifact_id};
pub use error::Error;
pub use feed_cursors::FeedCursors;
pub use ledger::{RunLedger, RunRecord};
pub use maintenance_record::MaintenanceRecord;
pub use openlineage::{LineageSubject, RunEvent, UnpublishedEnd, WorkTimes};
pub use payload::{
    BloomFilterV1, CacheStatusV1, CallCoverageV1, ColumnOriginV1, CompactionV1, DecidedV1,
    DigestV1, DroppedV1, EnablementV1, EnvironmentV1, ExecutionProfileV1, ExtractSummaryV1,
    FailureV1, FeedConsumptionV1, FeedModeV1, LayoutV1, LeafLayoutV1, MaintenanceFactV1,
    OrderProofV1, OutputRecords, OutputV1, PinV1, PlanArtifactV1, PlanColumnV1, PlanInputV1,
    PlanOutputV1, PlanRecord, PolicyArtifactV1, ProtocolReportV1, ProtocolV1, RefusedFeatureV1,
    RequiredProtocolV1, RunCompletion, RunManifestV1, RunOptionsV1, RunStart, RunStatusV1,
    ScanAlignmentV1, ScanArtifactV1, ScanModeV1, SemanticFindingV1, SemanticValidationV1,
    StatsDecisionV1, UsedColumnV1, VacuumV1, ViewCacheV1, WarningV1, WriteArtifactV1,
    WriteFailureV1,
};
pub use rejection::{Rejection, Violation, ViolationCode};
pub use run_artifacts::RunArtifacts;
pub use stored_artifacts::{RecordedPlan, RecordedWrite, StoredArtifacts};
pub use table::ArtifactTable;
