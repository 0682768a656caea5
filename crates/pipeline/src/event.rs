//! What a run tells while it works.

use ossature_schema_spec::{DatasetName, Version};
use ossature_write_pipeline::WriteOutcome;

/// Something that happened. Events are for watching; nothing is decided by them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Work on a dataset began.
    Began {
        /// The dataset.
        dataset: DatasetName,
    },
    /// Rows were handed to the writer.
    Rows {
        /// The dataset.
        dataset: DatasetName,
        /// How many since the last such event.
        rows: u64,
    },
    /// A version of a dataset's table is there.
    Wrote {
        /// The dataset.
        dataset: DatasetName,
        /// The version.
        version: Version,
        /// Rows of the version.
        rows: u64,
        /// Bytes of the version's files.
        bytes: u64,
        /// Whether it was there already, so that nothing was computed.
        is_cached: bool,
        /// Damaged files of the version that were restored.
        files_restored: usize,
    },
}

impl Event {
    pub(crate) fn wrote(outcome: &WriteOutcome, is_cached: bool) -> Self {
        Self::Wrote {
            dataset: outcome.contract.name().clone(),
            version: outcome.version,
            rows: outcome.rows,
            bytes: outcome.bytes,
            is_cached,
            files_restored: outcome.files_restored,
        }
    }
}

/// Is told what happens.
pub type Observer = dyn Fn(Event) + Send + Sync;
