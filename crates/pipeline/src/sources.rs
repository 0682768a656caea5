//! The tables that the run is given: one writer each, open side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use ossature_schema_spec::DatasetName;
use ossature_write_pipeline::{TableWriter, WriteFailure, WriteOutcome};

use crate::{Error, Event, Observer};

/// Takes the batches of all sources, in any interleaving; within a source they come in its order.
pub struct SourceWriters {
    writers: BTreeMap<DatasetName, TableWriter>,
    observer: Arc<Observer>,
}

impl std::fmt::Debug for SourceWriters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.writers.keys()).finish()
    }
}

impl SourceWriters {
    pub(crate) fn new(
        writers: BTreeMap<DatasetName, TableWriter>,
        observer: Arc<Observer>,
    ) -> Self {
        Self { writers, observer }
    }

    /// Hands rows to a source's writer. Waits while all encoders are busy.
    ///
    /// **Errors**: [`Error::UnknownSource`], [`Error::Write`].
    pub async fn push(&mut self, dataset: &DatasetName, batch: &RecordBatch) -> Result<(), Error> {
        let Some(writer) = self.writers.get_mut(dataset) else {
            return Err(Error::UnknownSource {
                dataset: dataset.clone(),
            });
        };
        if let Err(error) = writer.push(batch).await {
            // The writer is of no more use; it tells what it leaves behind.
            let failure = match self.writers.remove(dataset) {
                Some(writer) => Box::pin(writer.fail(error)).await,
                None => return Ok(()),
            };
            return Err(failed(dataset)(Box::new(failure)));
        }
        let rows = batch.num_rows() as u64;
        (self.observer)(Event::Rows {
            dataset: dataset.clone(),
            rows,
        });
        Ok(())
    }

    /// Commits every source; those that got no rows become empty.
    pub(crate) async fn finish(self) -> Result<Vec<WriteOutcome>, Error> {
        let mut outcomes = Vec::with_capacity(self.writers.len());
        for (dataset, writer) in self.writers {
            let outcome = Box::pin(writer.finish()).await.map_err(failed(&dataset))?;
            (self.observer)(Event::Wrote {
                dataset,
                version: outcome.version,
                rows: outcome.rows,
                bytes: outcome.bytes,
            });
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }
}

pub(crate) fn failed(dataset: &DatasetName) -> impl FnOnce(Box<WriteFailure>) -> Error {
    move |source| Error::Write {
        dataset: dataset.clone(),
        source,
    }
}
