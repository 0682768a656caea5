//! The tables that the run is given: one writer each, open side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use ossature_schema_spec::DatasetName;
use ossature_write_pipeline::{Error as WriteError, TableWriter, WriteOutcome};

use crate::failures::Failures;
use crate::{Error, Event, Observer};

/// Takes the batches of all sources, in any interleaving; within a source they come in its order.
pub struct SourceWriters {
    writers: BTreeMap<DatasetName, TableWriter>,
    observer: Arc<Observer>,
    failures: Failures,
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
        failures: Failures,
    ) -> Self {
        Self {
            writers,
            observer,
            failures,
        }
    }

    /// Hands rows to a source's writer. Waits while all encoders are busy. After a failed write no source is written any
    /// more.
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
            let error = self.failures.note(Box::new(failure));
            self.give_up(&error).await;
            return Err(error);
        }
        let rows = batch.num_rows() as u64;
        (self.observer)(Event::Rows {
            dataset: dataset.clone(),
            rows,
        });
        Ok(())
    }

    /// Commits every source; those that got no rows become empty.
    pub(crate) async fn finish(mut self) -> Result<Vec<WriteOutcome>, Error> {
        let mut outcomes = Vec::with_capacity(self.writers.len());
        while let Some((_, writer)) = self.writers.pop_first() {
            let outcome = match Box::pin(writer.finish()).await {
                Ok(outcome) => outcome,
                Err(failure) => {
                    let error = self.failures.note(failure);
                    self.give_up(&error).await;
                    return Err(error);
                }
            };
            (self.observer)(Event::wrote(&outcome, false));
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Ends the writes that are still open, and notes what they leave behind.
    async fn give_up(&mut self, error: &Error) {
        while let Some((_, writer)) = self.writers.pop_first() {
            let failure = Box::pin(writer.fail(WriteError::Cancelled)).await;
            self.failures.note_given_up(&failure, error);
        }
    }
}
