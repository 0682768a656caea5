//! From a chunk of rows to a stored file.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt, PutPayload};
use tokio::sync::{Mutex, OwnedSemaphorePermit};

use crate::Error;
use crate::cut::Chunk;
use crate::encode::FileEncoder;
use crate::name::{FileNames, FilePlace};
use crate::statistics::StatisticsColumns;

/// Encodes the chunks of one write and stores the files.
#[derive(Debug)]
pub(crate) struct FileWriter {
    pub(crate) encoder: FileEncoder,
    pub(crate) statistics: StatisticsColumns,
    pub(crate) store: Arc<DynObjectStore>,
    /// The paths of the table's files.
    pub(crate) live: BTreeSet<String>,
    pub(crate) names: Mutex<FileNames>,
}

/// A file that is in the store.
#[derive(Debug)]
pub(crate) struct StoredFile {
    /// Which chunk of the write it holds.
    pub(crate) number: usize,
    pub(crate) place: Arc<FilePlace>,
    /// Hexadecimal digits of the digest of its bytes.
    pub(crate) digest: String,
    pub(crate) bytes: u64,
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
        let writer = Arc::clone(&self);
        let encoded = tokio::task::spawn_blocking(move || {
            let encoded = writer.encoder.encode(chunk);
            let rendered = encoded.map(|file| (writer.statistics.render(&file.footer), file));
            // This thread cannot be stopped, so while it works it keeps the permit, whatever becomes of the write.
            (rendered, permit)
        });
        let (rendered, permit) = encoded.await.map_err(Error::joined)?;
        let (statistics, file) = rendered?;
        let path = self.names.lock().await.next(&place, &file.digest);
        let stored = StoredFile {
            number,
            place,
            digest: file.digest,
            bytes: file.bytes.len() as u64,
            statistics,
        };
        // What the table already has under the name of this content is not written again.
        if !self.live.contains(path.as_ref()) {
            self.put(&path, file.bytes).await?;
        }
        drop(permit);
        Ok(stored)
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

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, RecordBatch};
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
            encoder: FileEncoder::try_new("cpg.things", schema, layout, Vec::new()).unwrap(),
            statistics: StatisticsColumns::new(&contract, &[]),
            store: Arc::clone(&store),
            live: BTreeSet::new(),
            names: Mutex::new(FileNames::new(WriteMode::Overwrite, Version::new(0))),
        });
        let pool = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&pool).acquire_owned().await.unwrap();
        let place = Arc::new(FilePlace::default());
        let task = tokio::spawn(Arc::clone(&files).write(0, vec![rows.unwrap()], place, permit));
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
