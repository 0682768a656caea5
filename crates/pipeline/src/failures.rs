//! The failed writes of a run, noted where they fail, so that whoever drives the run may wrap the error as it likes.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use ossature_artifacts::WriteFailureV1;
use ossature_write_pipeline::WriteFailure;

use crate::{Error, describe};

/// What is said of a write that was given up because another one failed.
const GIVEN_UP: &str = "given_up";

/// The failed writes of a run. Its source writers share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures(Arc<Mutex<Vec<WriteFailureV1>>>);

impl Failures {
    /// Notes a failed write and makes the run's error of it.
    pub(crate) fn note(&self, failure: Box<WriteFailure>) -> Error {
        let error = Error::Write {
            dataset: failure.dataset.clone(),
            source: failure,
        };
        if let Error::Write { source, .. } = &error {
            self.push(WriteFailureV1::of(
                source,
                error.code(),
                &describe(source.as_ref()),
            ));
        }
        error
    }

    /// Notes a write that was given up because of `error`, if it leaves anything behind.
    pub(crate) fn note_given_up(&self, failure: &WriteFailure, error: &Error) {
        if failure.orphans.is_empty() {
            return;
        }
        let message = format!("given up, because {error}");
        self.push(WriteFailureV1::of(failure, GIVEN_UP, &message));
    }

    /// Those that were noted since it was last asked for them.
    pub(crate) fn take(&self) -> Vec<WriteFailureV1> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, failure: WriteFailureV1) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.push(failure);
    }
}
