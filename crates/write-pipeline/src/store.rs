//! From a chunk of rows to a stored file.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt, PutPayload};
use ossature_schema_spec::Fingerprint;
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use crate::Error;
use crate::cut::Chunk;
use crate::digest::ContentDigest;
use crate::encode::FileEncoder;
use crate::mapping::retype;
use crate::name::{FileNames, FilePlace};
use crate::statistics::StatisticsColumns;

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
    /// Hexadecimal digits of the digest of its bytes.
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    /// The digest of its rows.
    pub(crate) content: Fingerprint,
    /// The row-encoded sort keys of its first and of its last row.
    pub(crate) first: Vec<u8>,
    pub(crate) last: Vec<u8>,
    pub(crate) statistics: String,
}

impl FileWriter {
    /// Encodes the rows of a chunk and stores them as a file. The permit is given back when it is stored.
    pub(crate) async fn write(
        self: Arc<Self>,
        number: usize,
        chunk: Chunk,
        place: Arc<FilePlace>,
        permit: OwnedSemaphorePermit,
    ) -> Result<StoredFile, Error> {
        let Chunk {
            batches,
            first,
            last,
        } = chunk;
        let writer = Arc::clone(&self);
        let encoded = tokio::task::spawn_blocking(move || {
            let encode = || -> Result<_, Error> {
                let content = digest_rows(&writer.schema, &batches)?;
                let wanted = writer.encoder.schema();
                let batches = if *wanted == writer.schema {
                    batches
                } else {
                    let numbered = batches.iter().map(|batch| retype(batch, wanted));
                    numbered.collect::<Result<_, _>>()?
                };
                let file = writer.encoder.encode(batches)?;
                Ok((content, writer.statistics.render(&file.footer), file))
            };
            let encoded = encode();
            // This thread cannot be stopped, so while it works it keeps the permit, whatever becomes of the write.
            (encoded, permit)
        });
        let (encoded, permit) = encoded.await.map_err(Error::joined)?;
        let (content, statistics, file) = encoded?;
        let path = self.names.lock().await.next(&place, &file.digest);
        let stored = StoredFile {
            number,
            place,
            path: path.clone(),
            digest: file.digest,
            bytes: file.bytes.len() as u64,
            rows: u64::try_from(file.footer.file_metadata().num_rows()).unwrap_or_default(),
            content,
            first,
            last,
            statistics,
        };
        // What the table already has under the name of this content is not written again.
        if !self.live.contains(path.as_ref()) {
            // From here on the file may be in the store, whatever becomes of this task.
            self.begun.lock().await.insert(path.clone());
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

    /// Stores a file, whole or not at all. One that an earlier attempt left behind is replaced by the same bytes.
    async fn put(&self, path: &Path, bytes: Bytes) -> Result<(), Error> {
        let stored = self.store.put(path, PutPayload::from_bytes(bytes)).await;
        stored.map(drop).map_err(|source| Error::Store {
            file: path.to_string(),
            source: Box::new(source),
        })
    }
}

/// The digest of the rows of one file.
fn digest_rows(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Fingerprint, Error> {
    let mut digest = ContentDigest::new(schema);
    for batch in batches {
        digest.update(batch)?;
    }
    Ok(digest.finish())
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use futures::StreamExt;
    use object_store::ObjectStore;
    use object_store::limit::LimitStore;
    use object_store::memory::InMemory;
    use ossature_delta_policy::{Override, resolve_layout};
    use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Version};
    use tokio::sync::Semaphore;

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
        let pool = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&pool).acquire_owned().await.unwrap();
        let place = Arc::new(FilePlace::default());
        let chunk = Chunk {
            batches: vec![rows.unwrap()],
            first: Vec::new(),
            last: Vec::new(),
        };
        let task = tokio::spawn(Arc::clone(&files).write(0, chunk, place, permit));
        // It has its name when its bytes are known, and is put at once.
        while files.names.lock().await.is_unused() {
            tokio::task::yield_now().await;
        }
        assert_eq!(pool.available_permits(), 0);
        drop(listing);
        task.await.unwrap().unwrap();
        assert_eq!(pool.available_permits(), 1);
    }
}
