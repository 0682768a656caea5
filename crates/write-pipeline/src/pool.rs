//! Threads that encode, shared by the writers of a process.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    /// Does the work on a file: its parts side by side, and then what makes one of their results, in their order, on the
    /// thread that comes last. So there is one message to wait for, and no other thread takes the place of one that encodes.
    ///
    /// What nobody waits for any more is not begun; what was begun cannot be stopped, so it keeps the permit.
    pub(crate) async fn run<P, T, R>(
        &self,
        permit: &FilePermit,
        parts: Vec<P>,
        finish: impl FnOnce(Vec<T>) -> R + Send + 'static,
    ) -> Result<R, Error>
    where
        P: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
    {
        let (done, result) = oneshot::channel();
        let work = Work {
            done,
            results: parts.iter().map(|_| None).collect(),
            left: parts.len(),
            finish,
        };
        if parts.is_empty() {
            let permit = permit.clone();
            self.threads.spawn(move || work.end(permit));
        } else {
            let work = Arc::new(Mutex::new(Some(work)));
            for (number, part) in parts.into_iter().enumerate() {
                let (work, permit) = (Arc::clone(&work), permit.clone());
                self.threads
                    .spawn(move || work_on_part(&work, number, part, permit));
            }
        }
        match result.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Error::Cancelled),
        }
    }
}

/// What is known of the work on a file. It is gone when the work is done, or has failed.
struct Work<T, R, F> {
    done: oneshot::Sender<std::thread::Result<R>>,
    results: Vec<Option<T>>,
    left: usize,
    finish: F,
}

/// Nothing panics while it is held.
fn hold<T>(work: &Mutex<T>) -> MutexGuard<'_, T> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work_on_part<T, R, F: FnOnce(Vec<T>) -> R>(
    work: &Mutex<Option<Work<T, R, F>>>,
    number: usize,
    part: impl FnOnce() -> T,
    permit: FilePermit,
) {
    let is_awaited = |work: &Work<T, R, F>| !work.done.is_closed();
    if !hold(work).as_ref().is_some_and(is_awaited) {
        return;
    }
    let result = catch_unwind(AssertUnwindSafe(part));
    let mut held = hold(work);
    let Some(work) = held.as_mut() else {
        return;
    };
    match result {
        Ok(result) => {
            if let Some(place) = work.results.get_mut(number) {
                *place = Some(result);
            }
            work.left -= 1;
            if work.left > 0 {
                return;
            }
            let work = held.take();
            drop(held);
            if let Some(work) = work {
                work.end(permit);
            }
        }
        Err(panic) => {
            let work = held.take();
            drop((held, permit));
            if let Some(work) = work {
                // Nobody may be left to hear of it.
                let _ = work.done.send(Err(panic));
            }
        }
    }
}

impl<T, R, F: FnOnce(Vec<T>) -> R> Work<T, R, F> {
    /// Makes one of the results of all parts.
    fn end(self, permit: FilePermit) {
        if self.done.is_closed() {
            return;
        }
        let results = self.results.into_iter().flatten().collect();
        let finish = self.finish;
        let finished = catch_unwind(AssertUnwindSafe(|| finish(results)));
        drop(permit);
        // Nobody may be left to hear of it.
        let _ = self.done.send(finished);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn results_keep_the_order_of_their_parts() {
        let pool = EncodePool::try_new(NonZeroUsize::MIN.saturating_add(3)).unwrap();
        let permit = pool.file().await.unwrap();
        let parts = (0..100).map(|number| move || number).collect();
        let all: Vec<u32> = pool.run(&permit, parts, |all| all).await.unwrap();
        assert!(all.into_iter().eq(0..100));
        let none: Vec<fn() -> u32> = Vec::new();
        let none = pool.run(&permit, none, |all| all.len()).await.unwrap();
        assert_eq!(none, 0);
    }

    #[tokio::test]
    async fn a_panic_reaches_whoever_waits() {
        let pool = EncodePool::try_new(NonZeroUsize::MIN).unwrap();
        let permit = pool.file().await.unwrap();
        let parts: Vec<fn() -> u32> = vec![|| 1, || panic!("a part that panics"), || 2];
        let waiting = tokio::spawn(async move { pool.run(&permit, parts, drop).await });
        assert!(waiting.await.is_err_and(|error| error.is_panic()));
    }

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
        let held = move || {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
        };
        let mut first = Box::pin(pool.run(&permit, vec![held], drop));
        let mut second = Box::pin(pool.run(&permit, vec![count()], drop));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        has_begun.recv().unwrap();
        drop((first, second));
        drop(permit);
        assert_eq!(pool.free_files(), 1);

        go_on.send(()).unwrap();
        let permit = pool.file().await.unwrap();
        pool.run(&permit, vec![count()], drop).await.unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        drop(permit);
        assert_eq!(pool.free_files(), 2);
    }
}
