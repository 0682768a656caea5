//! Rows in, a table version out.
//!
//! delta-rs' own writer scrambles the order of rows and names files at random; this one is built from its public pieces
//! and is deterministic: equal rows under an equal policy give equal files, names included, whatever the threads and
//! batches.
//!
//! | question | answer |
//! |---|---|
//! | how do rows become a version? | [`TableWriter`], [`write_stream`] for rows in order, [`write_plan`] for any |
//! | what becomes of the rows that are there? | [`WriteMode`], [`KeyRange`] |
//! | which threads encode? | [`EncodePool`] |
//! | what does a commit say of itself? | [`Provenance`], the keys in `ossature_registry::commit_keys` |
//! | what came of it, or what was left behind? | [`WriteOutcome`], [`WriteFailure`] |
//! | what would a write give that changes nothing? | [`stored_outcome`] |
//! | can a table be kept as a policy says? | [`check_table`], [`check_constraints`] |
//! | what is done to a table between writes? | [`maintain`] |
//! | does the store still hold what was written? | [`FileVerifier`], [`Damage`] |
//!
//! ```text
//! batches ─ contract ─ constraints ─ order ─┬─ cut by data ─┬─ encode ─ footer ─ digest ─ name ─ store ─┐
//!                            stored files ──┘               ├─ encode ─ footer ─ ...                    ├─ one commit
//!                                                           └─ a file that stays ──────────────────────┘
//! ```
//!
//! The files of a table follow from its rows, whatever the writes that led to them; only those next to a change are read
//! and written.
//!
//! Knows: Parquet, Delta commits, policies. Does not know: artifacts, views, clocks.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::num::NonZeroUsize;
//! use std::sync::Arc;
//!
//! use arrow_array::{Int64Array, RecordBatch};
//! use ossature_delta_policy::{PolicyOverrides, TablePolicy, resolve};
//! use ossature_registry::Lake;
//! use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
//! use ossature_write_pipeline::{EncodePool, Provenance, TableWriter, WriteMode, WriteRequest};
//!
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # runtime.block_on(async {
//! let contract = DatasetSpec::builder("cpg.things", "One row per thing.")
//!     .column(ColumnSpec::required("id", ColumnType::Int64)?)
//!     .key(["id"])
//!     .order_by(["id"])
//!     .build()?;
//! let folder = tempfile::tempdir()?;
//! let lake = Lake::try_new(&folder.path().to_string_lossy())?;
//! let nothing = PolicyOverrides::none();
//! let request = WriteRequest {
//!     location: lake.location(contract.name())?,
//!     policy: resolve(&nothing, &nothing, &contract, &TablePolicy::default(), &[])?,
//!     contract,
//!     mode: WriteMode::Overwrite,
//!     provenance: Provenance {
//!         run_id: "first".to_owned(),
//!         at_unix_ms: 0,
//!         plan: None,
//!         transaction: None,
//!         metadata: BTreeMap::new(),
//!     },
//! };
//! let rows = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])?;
//!
//! let mut writer = TableWriter::open(request, EncodePool::try_new(NonZeroUsize::MIN)?).await?;
//! writer.push(&rows).await?;
//! let outcome = writer.finish().await?;
//! assert_eq!((outcome.version.number(), outcome.rows, outcome.files), (1, 3, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bounds;
mod cluster;
mod commit;
mod constraint;
mod contract;
mod cut;
mod encode;
mod error;
mod maintenance;
mod mapping;
mod name;
mod order;
mod partition;
mod plan;
mod pool;
mod provenance;
mod range;
mod redaction;
mod rewrite;
mod statistics;
mod store;
mod stored;
mod table;
mod verify;
mod writer;

pub use constraint::{UnusableConstraint, check_constraints};
pub use error::{Error, WriteFailure};
pub use maintenance::{MaintenanceFact, MaintenanceOutcome, MaintenanceRequest, Upkeep, maintain};
pub use plan::write_plan;
pub use pool::EncodePool;
pub use provenance::{Provenance, TransactionId, WriteMode};
pub use range::KeyRange;
pub use redaction::redact;
pub use table::check_table;
pub use verify::{Damage, FileVerifier, VerifiedFiles};
pub use writer::{TableWriter, WriteOutcome, WriteRequest, stored_outcome, write_stream};

/// The version of the rules for bytes and names. It changes when equal rows would give other files than before.
pub const WRITER_VERSION: u32 = 2;
