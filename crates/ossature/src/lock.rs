//! One build or maintenance of a lake at a time.

use std::fs::{self, File, TryLockError};
use std::io;

use ossature_pipeline::abort_abandoned;
use ossature_registry::Lake;

use crate::build::now_unix_ms;
use crate::error::Error;
use crate::interrupt::Signals;
use crate::output::warn;

/// Held by a build, or by maintenance, for as long as it writes into a lake in a folder. It ends with the process, however that ends.
///
/// Builds of one lake exclude each other's commits anyway, so that without it all but one would fail, or all of them.
/// Lakes elsewhere, and folders whose file system knows no locks, have that alone.
#[derive(Debug)]
pub(crate) struct LakeLock(Option<File>);

impl LakeLock {
    /// Waits until nobody else holds the lake.
    ///
    /// **Errors**: [`Error::Lake`], and [`Error::Interrupted`] while it waits.
    pub(crate) async fn take(lake: &Lake, signals: &mut Signals) -> Result<Self, Error> {
        let Some(folder) = lake.local_path() else {
            return Ok(Self(None));
        };
        let folder = folder.join("_ossature");
        let path = folder.join("lock");
        let failed = |source| Error::Lake {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&folder).map_err(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => {
                warn(&format!(
                    "waiting for another build or maintenance of {lake} to end"
                ));
                let waiting = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
                tokio::select! {
                    biased;
                    interrupt = signals.next() => Err(Error::Interrupted(interrupt)),
                    locked = waiting => match locked {
                        Ok(locked) => Ok(Self(Some(locked.map_err(failed)?))),
                        Err(error) => std::panic::resume_unwind(error.into_panic()),
                    },
                }
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(Self(None))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl LakeLock {
    /// Records runs as aborted whose processes are gone: with a lock that others know, every run that has not ended.
    /// Gives back which ones they are.
    pub(crate) async fn abort_abandoned(&self, lake: &Lake) -> Result<Vec<String>, Error> {
        if self.0.is_none() {
            return Ok(Vec::new());
        }
        let aborted = abort_abandoned(lake, now_unix_ms()).await?;
        for run_id in &aborted {
            tracing::warn!(
                run_id,
                "the process of the run is gone; the run is recorded as aborted"
            );
        }
        Ok(aborted)
    }
}

impl Drop for LakeLock {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            // Closing the file does the same; this only says so.
            let _ = file.unlock();
        }
    }
}
