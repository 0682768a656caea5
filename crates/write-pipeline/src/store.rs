//! From a chunk of rows to a stored file.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt, PutPayload};
use ossature_schema_spec::Fingerprint;
use tokio::sync::Mutex;

use crate::Error;
use crate::cut::Chunk;
use crate::encode::FileEncoder;
use crate::mapping::retype;
use crate::name::{FileNames, FilePlace};
use crate::pool::{EncodePool, FilePermit};
use crate::statistics::StatisticsColumns;
use crate::verify::WINDOW_BYTES;

/// Bytes that are handed to the store at a time. A kernel that is given a whole file with one call may look for folios as large,
/// which nobody used for long: that took four times as long as the same bytes in parts.
const PART_BYTES: usize = 1 << 18;

/// Encodes the chunks of one write and stores the files.
#[derive(Debug)]
pub(crate) struct FileWriter {
    /// The columns inside of files.
    pub(crate) schema: SchemaRef,
    pub(crate) encoder: FileEncoder,
    pub(crate) statistics: StatisticsColumns,
    pub(crate) store: Arc<DynObjectStore>,
    /// The paths of the table's files.
    pub(crate) live: BTreeSet<String>,
    pub(crate) names: Mutex<FileNames>,
    /// The paths of files that were stored, or may have been.
    pub(crate) begun: Mutex<BTreeSet<Path>>,
}

/// A file that is in the store.
#[derive(Debug)]
pub(crate) struct StoredFile {
    /// Which chunk of the write it holds.
    pub(crate) number: usize,
    pub(crate) place: Arc<FilePlace>,
    /// The name that it was stored under.
    pub(crate) path: Path,
    /// The digest of its bytes.
    pub(crate) digest: Fingerprint,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// The row-encoded sort keys of its first and of its last row.
    pub(crate) first: Vec<u8>,
    pub(crate) last: Vec<u8>,
    pub(crate) statistics: String,
    /// The table had it, and the store no longer held it as it was written.
    pub(crate) is_restored: bool,
}

/// What the store holds under the name of a file, compared with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// A file that the table does not have, or none: nobody looked.
    Nothing,
    Same,
    Damaged,
    /// The store does not say. To store the file again does no harm.
    Unknown,
}

impl FileWriter {
    /// Encodes the rows of a chunk and stores them as a file. The permit is given back when it is stored.
    pub(crate) async fn write(
        self: Arc<Self>,
        number: usize,
        chunk: Chunk,
        place: Arc<FilePlace>,
        pool: EncodePool,
        permit: FilePermit,
    ) -> Result<StoredFile, Error> {
        let Chunk {
            batches,
            first,
            last,
        } = chunk;
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let wanted = self.encoder.schema();
        let batches = if *wanted == self.schema {
            batches
        } else {
            let numbered = batches.iter().map(|batch| retype(batch, wanted));
            numbered.collect::<Result<_, _>>()?
        };
        let columns = self.encoder.split(batches)?.into_iter();
        let columns = columns.map(|column| || column.encode()).collect();
        let writer = Arc::clone(&self);
        let assemble = move |chunks: Vec<Result<_, Error>>| {
            let chunks: Vec<Vec<_>> = chunks.into_iter().collect::<Result<_, _>>()?;
            let chunks = chunks.into_iter().flatten().collect();
            let file = writer.encoder.assemble(rows, chunks)?;
            Ok::<_, Error>((writer.statistics.render(&file.footer), file))
        };
        let (statistics, file) = pool.run(&permit, columns, assemble).await??;
        let path = self.names.lock().await.next(&place, file.digest);
        let is_live = self.live.contains(path.as_ref());
        // What the table already has under the name of this content is not written again, unless it is damaged.
        let held = if is_live {
            self.compare(&path, &file.bytes).await
        } else {
            Held::Nothing
        };
        let stored = StoredFile {
            number,
            place,
            path: path.clone(),
            bytes: file.bytes.len() as u64,
            rows: rows as u64,
            digest: file.digest,
            first,
            last,
            statistics,
            is_restored: is_live && held == Held::Damaged,
        };
        if !is_live {
            // From here on the file may be in the store, whatever becomes of this task.
            self.begun.lock().await.insert(path.clone());
        }
        if held != Held::Same {
            self.put(&path, file.bytes).await?;
        }
        drop(permit);
        Ok(stored)
    }

    /// Makes sure that a stored file is there under this name, too. Only equal files have several.
    pub(crate) async fn ensure(&self, path: &Path, file: &StoredFile) -> Result<(), Error> {
        let mut begun = self.begun.lock().await;
        if *path == file.path || self.live.contains(path.as_ref()) || begun.contains(path) {
            return Ok(());
        }
        begun.insert(path.clone());
        let copied = self.store.copy(&file.path, path).await;
        copied.map_err(|source| Error::Store {
            file: path.to_string(),
            source: Box::new(source),
        })
    }

    /// Compares what the store holds under a name with what is to be there, a part at a time.
    async fn compare(&self, path: &Path, wanted: &Bytes) -> Held {
        match self.store.head(path).await {
            Ok(found) if found.size == wanted.len() as u64 => {}
            Ok(_) | Err(object_store::Error::NotFound { .. }) => return Held::Damaged,
            Err(_) => return Held::Unknown,
        }
        for from in (0..wanted.len()).step_by(WINDOW_BYTES) {
            let to = wanted.len().min(from + WINDOW_BYTES);
            match self.store.get_range(path, from as u64..to as u64).await {
                Ok(found) if found == wanted[from..to] => {}
                Ok(_) => return Held::Damaged,
                Err(_) => return Held::Unknown,
            }
        }
        Held::Same
    }

    /// Stores a file, whole or not at all. One that an earlier attempt left behind is replaced by the same bytes.
    async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), Error> {
        let parts = (0..bytes.len()).step_by(PART_BYTES);
        let parts = parts.map(|from| bytes.slice(from..bytes.len().min(from + PART_BYTES)));
        let stored = self.store.put(path, parts.collect::<PutPayload>()).await;
        stored.map(drop).map_err(|source| Error::Store {
            file: path.to_string(),
            source: Box::new(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use arrow_array::Int64Array;
    use futures::StreamExt;
    use object_store::ObjectStore;
    use object_store::limit::LimitStore;
    use object_store::memory::InMemory;
    use ossature_delta_policy::{Override, resolve_layout};
    use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Version};

    use super::*;
    use crate::WriteMode;

    #[tokio::test]
    async fn the_permit_is_kept_until_the_file_is_stored() {
        let contract = DatasetSpec::builder("cpg.things", "")
            .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
            .build()
            .unwrap();
        let schema = contract.arrow_schema();
        let rows = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(Int64Array::from(vec![1]))],
        );
        let layout = resolve_layout(&contract, &[], &Override::Inherit, &Override::Inherit);
        let layout = layout.unwrap().value;
        // A store of one request at a time, which is busy with a listing.
        let store = LimitStore::new(InMemory::new(), 1);
        store.put(&Path::from("a"), "a".into()).await.unwrap();
        let store: Arc<DynObjectStore> = Arc::new(store);
        let mut listing = store.list(None);
        assert!(listing.next().await.is_some());

        let files = Arc::new(FileWriter {
            schema: Arc::clone(&schema),
            encoder: FileEncoder::try_new("cpg.things", schema, layout, Vec::new()).unwrap(),
            statistics: StatisticsColumns::new(&contract, &[]),
            store: Arc::clone(&store),
            live: BTreeSet::new(),
            names: Mutex::new(FileNames::new(&WriteMode::Overwrite, Version::new(0))),
            begun: Mutex::default(),
        });
        let pool = EncodePool::try_new(NonZeroUsize::MIN).unwrap();
        let free = pool.free_files();
        let permit = pool.file().await.unwrap();
        let place = Arc::new(FilePlace::default());
        let chunk = Chunk {
            batches: vec![rows.unwrap()],
            first: Vec::new(),
            last: Vec::new(),
        };
        let task = tokio::spawn(Arc::clone(&files).write(0, chunk, place, pool.clone(), permit));
        // It has its name when its bytes are known, and is put at once.
        while files.names.lock().await.is_unused() {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.free_files(), free - 1);
        drop(listing);
        task.await.unwrap().unwrap();
        assert_eq!(pool.free_files(), free);
    }
}
