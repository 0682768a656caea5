//! Opens datasets: the one way in which a stored table becomes a relation that a query can name.
//!
//! | question | answer |
//! |---|---|
//! | where does a dataset lie? | [`Lake`], [`TableLocation`] |
//! | which version is read, and what stands for its rows? | [`open_table`], [`OpenTable::pin`] |
//! | how is a table read that no dataset declares? | [`open_stored`] |
//! | how are its rows read without the wrong answers of the engines below? | [`GuardedScan`] |
//! | is it still what was published? | [`Published`], [`OpenTable::snapshot_digest`] |
//! | how does a stored schema become the declared one? | [`AlignmentPlan`] |
//! | what may a caller compute from stored columns? | [`ScanProjection`] |
//! | how is a scan handed to another process? | [`ScanTask`] |
//! | what opens a store, and who sees it? | [`StorageOptions`] |
//! | which rows changed between two versions? | [`open_change_feed`], [`select_change_feed`] |
//! | what session do queries run in, and how do its plans stream? | [`SessionSpec`], [`Catalog`] |
//!
//! Knows: Delta tables, DataFusion's sessions and table providers. Does not know: writing, views, artifacts, clocks.
//!
//! A session refuses plans that read one table at two versions, and has three physical optimizer rules beside those of the engine. They use the order in which tables are
//! stored and the bounds in their logs: what is read in order is not sorted, merged, exchanged or collected again.
//!
//! A table is read through a pinned version and as its contract declares it:
//!
//! ```
//! use ossature_registry::{Lake, SessionSpec};
//! use ossature_schema_spec::DatasetName;
//!
//! let lake = Lake::try_new("memory:///lake")?;
//! let location = lake.location(&DatasetName::try_new("cpg.cpg_nodes")?)?;
//! assert_eq!(location.url().as_str(), "memory:///lake/cpg/cpg_nodes/");
//! let session = SessionSpec::default().build()?;
//! assert!(session.catalog("lake").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod align;
mod commit;
mod confinement;
mod dataset;
mod depth;
mod error;
mod feed;
mod field_ids;
mod files;
mod foreign;
mod guard;
mod location;
mod logged;
mod mapping;
mod one_version;
mod open;
mod paths;
mod physical;
mod projection;
mod published;
mod scan;
mod session;
mod storage;
mod stored;
mod stores;
mod task;

pub use align::{AlignedColumn, AlignmentPlan, ColumnAlignment};
pub use commit::{COMMIT_KEY_PREFIX, CommitFacts, OrderingClaim, commit_keys};
pub use dataset::{Catalog, Dataset, OrderProof, ScanFacts, ScanMode, open_dataset};
pub use depth::count_operators;
pub use error::Error;
pub use feed::{
    CHANGE_TYPE, COMMIT_TIMESTAMP, COMMIT_VERSION, ChangeFeed, ChangeFeedRequest, ChangeFilter,
    Changes, DatasetKind, FEED_SUFFIX, FeedBound, FeedChoice, FeedClass, FeedFacts, FeedOutcome,
    FeedPolicy, FeedSelection, FeedSource, FeedWindow, ScanProvider, SchemaBreak,
    classify_change_feed, open_change_feed, select_change_feed,
};
pub use foreign::ForeignScan;
pub use location::{Lake, TableLocation};
pub use logged::LoggedFile;
pub use mapping::keeps_names;
pub use open::{At, OpenTable, open_table, protocol_of};
pub use projection::{ProjectionError, ScanProjection};
pub use published::Published;
pub use scan::GuardedScan;
pub use session::{CATALOG, SessionSpec, engine_versions};
pub use storage::StorageOptions;
pub use stored::{StoredTable, open_stored};
pub use task::ScanTask;
