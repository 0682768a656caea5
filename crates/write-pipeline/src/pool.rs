//! Threads that encode, shared by the writers of a process.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::Error;

/// Threads that several writers share, so that tables written side by side use the same ones.
///
/// The columns of a file are encoded side by side, and so are files. Work is done in the order in which it comes in, so
/// one file is complete before the threads turn to the next one, and none is idle at the end of a file.
#[derive(Debug, Clone)]
pub struct EncodePool {
    threads: Arc<ThreadPool>,
    files: Arc<Semaphore>,
}

/// The right to have a file in memory.
#[derive(Debug, Clone)]
pub(crate) struct FilePermit(
    #[expect(dead_code, reason = "it is given back when it is dropped")] Arc<OwnedSemaphorePermit>,
);

impl EncodePool {
    /// Encodes with so many threads, and holds as many files at a time; with one thread two, of which one is stored while
    /// the other is encoded.
    ///
    /// **Errors**: [`Error::Threads`].
    pub fn try_new(threads: NonZeroUsize) -> Result<Self, Error> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .thread_name(|number| format!("encode-{number}"))
            .build()
            .map_err(|source| Error::Threads { threads, source })?;
        Ok(Self {
            threads: Arc::new(pool),
            files: Arc::new(Semaphore::new(threads.get().max(2))),
        })
    }

    #[cfg(test)]
    pub(crate) fn free_files(&self) -> usize {
        self.files.available_permits()
    }

    /// Waits until another file may be held in memory.
    pub(crate) async fn file(&self) -> Result<FilePermit, Error> {
        match Arc::clone(&self.files).acquire_owned().await {
            Ok(permit) => Ok(FilePermit(Arc::new(permit))),
            Err(_) => Err(Error::Cancelled),
        }
    }

    /// Does a part of the work on a file on one of the threads. What nobody waits for any more is not begun; what was
    /// begun cannot be stopped, so it keeps the permit.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        permit: &FilePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = permit.clone();
        let (done, result) = oneshot::channel();
        self.threads.spawn(move || {
            if done.is_closed() {
                return;
            }
            let worked = catch_unwind(AssertUnwindSafe(work));
            drop(permit);
            // Nobody may be left to hear of it.
            let _ = done.send(worked);
        });
        match result.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Error::Cancelled),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun_and_what_was_begun_keeps_its_permit() {
        let pool = EncodePool::try_new(NonZeroUsize::MIN).unwrap();
        let permit = pool.file().await.unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let ran = Arc::new(AtomicUsize::new(0));
        let count = || {
            let ran = Arc::clone(&ran);
            move || ran.fetch_add(1, Ordering::SeqCst)
        };
        let mut first = Box::pin(pool.run(&permit, move || {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
        }));
        let mut second = Box::pin(pool.run(&permit, count()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        has_begun.recv().unwrap();
        drop((first, second));
        drop(permit);
        assert_eq!(pool.free_files(), 1);

        go_on.send(()).unwrap();
        let permit = pool.file().await.unwrap();
        pool.run(&permit, count()).await.unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        drop(permit);
        assert_eq!(pool.free_files(), 2);
    }
}
