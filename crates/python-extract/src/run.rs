//! Extraction of a whole listing: units of files, workers, and batches in one fixed order.

use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::datasets::{Columns, batches, schemas};
use crate::file::extract_file;
use crate::listing::SourceFile;
use crate::{Dataset, Error, PythonVersion, SourceListing};

/// Stack of a worker. The deepest source that is parsed needs less than a third; pages that are not touched cost nothing.
const STACK_BYTES: usize = 256 << 20;

/// How sources are extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractOptions {
    /// The language that the sources are written in; newer syntax becomes a warning.
    pub python_version: PythonVersion,
    /// The length above which a file is skipped.
    pub file_bytes_max: u64,
    /// Workers.
    pub threads: NonZeroUsize,
    /// Bytes of source after which a batch ends. Files are never split.
    pub unit_bytes: NonZeroU64,
}

impl ExtractOptions {
    /// Python 3.11, files of at most 8 MiB, batches of about 1 MiB of source.
    pub fn with_threads(threads: NonZeroUsize) -> Self {
        Self {
            python_version: PythonVersion::PY311,
            file_bytes_max: 8 << 20,
            threads,
            unit_bytes: NonZeroU64::MIN.saturating_add((1 << 20) - 1),
        }
    }
}

/// What one unit yields, or why it does not.
type Delivery = Result<Vec<(Dataset, RecordBatch)>, Error>;

/// Extracts the facts of every file and hands them over as batches.
///
/// Files are taken in the order of their keys and grouped into units by their listed sizes; each unit yields at most
/// one batch for each dataset, in the order of [`Dataset::ALL`]. So a dataset's batches, one after the other, are in
/// the order of its key. At most `threads + 1` units are in memory. `deliver` may stop the run.
///
/// **Determinism**: batches and their boundaries depend on the listing and the files' bytes, not on `threads`.
/// **Errors**: [`Error::Declaration`], [`Error::Batch`], [`Error::Thread`], [`Error::WorkerLost`]. A bad file is
/// no error.
pub fn extract(
    listing: &SourceListing,
    options: &ExtractOptions,
    mut deliver: impl FnMut(Dataset, RecordBatch) -> ControlFlow<()>,
) -> Result<(), Error> {
    let schemas = schemas()?;
    let units = units(listing, options.unit_bytes);
    let queue = Mutex::new(units.iter().enumerate());
    let (permits, permit) = permits(options.threads.get() + 1);
    let permit = Mutex::new(permit);
    thread::scope(|scope| {
        // Dropped before the workers are awaited, whatever happens here, so that none waits for a permit in vain.
        let permits = permits;
        let (sender, receiver) = sync_channel(options.threads.get() + 1);
        for _ in 0..options.threads.get().min(units.len()) {
            let (sender, permit, queue, schemas) = (sender.clone(), &permit, &queue, &schemas);
            let worker =
                thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, move || {
                        work(permit, queue, options, schemas, &sender);
                    });
            worker.map_err(Error::Thread)?;
        }
        drop(sender);
        in_order(&receiver, units.len(), |delivery| {
            let _ = permits.try_send(());
            for (dataset, batch) in delivery? {
                if deliver(dataset, batch).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    })
}

/// Files in the order of their keys, cut where a unit is full.
fn units(listing: &SourceListing, unit_bytes: NonZeroU64) -> Vec<Vec<&SourceFile>> {
    let mut files: Vec<&SourceFile> = listing.files().iter().collect();
    files.sort_by_key(|file| file.key);
    let mut units: Vec<Vec<&SourceFile>> = Vec::new();
    let mut room = 0;
    for file in files {
        // A file costs something even when it is empty.
        let cost = file.size_bytes.max(1 << 10);
        match units.last_mut() {
            Some(unit) if room >= cost => {
                unit.push(file);
                room -= cost;
            }
            _ => {
                units.push(vec![file]);
                room = unit_bytes.get().saturating_sub(cost);
            }
        }
    }
    units
}

/// A channel that holds the permission to begin that many units.
fn permits(count: usize) -> (SyncSender<()>, Receiver<()>) {
    let (sender, receiver) = sync_channel(count);
    for _ in 0..count {
        let _ = sender.try_send(());
    }
    (sender, receiver)
}

/// Extracts unit after unit until there are no more, or nobody takes them.
fn work<'a>(
    permit: &Mutex<Receiver<()>>,
    queue: &Mutex<impl Iterator<Item = (usize, &'a Vec<&'a SourceFile>)>>,
    options: &ExtractOptions,
    schemas: &[SchemaRef],
    sender: &SyncSender<(usize, Delivery)>,
) {
    let mut columns = Columns::default();
    loop {
        let permitted = permit.lock().map(|permit| permit.recv());
        let (Ok(Ok(())), Ok(mut queue)) = (permitted, queue.lock()) else {
            return;
        };
        let Some((unit, files)) = queue.next() else {
            return;
        };
        drop(queue);
        for file in files {
            extract_file(file, options, &mut columns);
        }
        if sender.send((unit, batches(&mut columns, schemas))).is_err() {
            return;
        }
    }
}

/// Hands deliveries over in the order of their units, whatever the order in which they arrive.
fn in_order(
    receiver: &Receiver<(usize, Delivery)>,
    units: usize,
    mut take: impl FnMut(Delivery) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let mut waiting = BTreeMap::new();
    for unit in 0..units {
        let delivery = loop {
            if let Some(delivery) = waiting.remove(&unit) {
                break delivery;
            }
            let (arrived, delivery) = receiver
                .recv()
                .map_err(|_| Error::WorkerLost { unit, units })?;
            waiting.insert(arrived, delivery);
        };
        if take(delivery)?.is_break() {
            break;
        }
    }
    Ok(())
}
