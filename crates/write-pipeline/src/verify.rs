//! Whether the store still holds what the log says.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt};
use ossature_registry::{OpenTable, TableLocation};
use ossature_schema_spec::{DatasetSpec, Fingerprint};
use tokio::task::spawn_blocking;

use crate::commit::content_of_stored;
use crate::stored::written_digest;
use crate::{Error, redact};

/// Bytes of a file that are read at a time.
pub(crate) const WINDOW_BYTES: usize = 8 << 20;

/// What is wrong with a file that the log of a table names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The store has no such file.
    #[error("it is missing")]
    Missing,
    /// It is longer or shorter than the file that was written.
    #[error("it has {found} bytes, and {wanted} were written")]
    Length {
        /// Bytes of the file that was written.
        wanted: u64,
        /// Bytes of the file that is there.
        found: u64,
    },
    /// Its bytes are others than those that were written.
    #[error("its digest is {found}, and that of what was written {wanted}")]
    Content {
        /// The digest of what was written.
        wanted: Fingerprint,
        /// The digest of what is there.
        found: Fingerprint,
    },
    /// The store fails to read it.
    #[error("it cannot be read: {reason}")]
    Unreadable {
        /// Why, in the store's words.
        reason: String,
    },
}

impl Damage {
    /// A stable identifier, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "file_missing",
            Self::Length { .. } => "file_length_differs",
            Self::Content { .. } => "file_content_differs",
            Self::Unreadable { .. } => "file_unreadable",
        }
    }
}

/// The files of one version, compared with what the log says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedFiles {
    /// Files of the version.
    pub files: usize,
    /// Their bytes, as the log has them.
    pub bytes: u64,
    /// Files whose digest the log does not have, because somebody else wrote them. Of them the length is compared.
    pub without_digest: usize,
    /// The digest of the version's files as the log has them, to be compared with what its commit and a manifest say;
    /// none where the log does not tell it of every file.
    pub content: Option<Fingerprint>,
    /// What is wrong, by path below the table's folder.
    pub damaged: BTreeMap<String, Damage>,
}

/// A file as the log describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Described {
    path: Path,
    length: u64,
    digest: Option<Fingerprint>,
}

/// Compares the files of versions with what the log says of them. A file that several versions have is read once.
///
/// **Memory**: for every thread, 8 MiB of a file; and path, length and digest of every file that was looked at.
#[derive(Debug)]
pub struct FileVerifier {
    threads: NonZeroUsize,
    /// What was found of files that were looked at.
    seen: HashMap<TableLocation, BTreeMap<Described, Option<Damage>>>,
}

impl FileVerifier {
    /// Reads so many files side by side.
    pub fn new(threads: NonZeroUsize) -> Self {
        Self {
            threads,
            seen: HashMap::new(),
        }
    }

    /// Reads every file of a version, and compares its length and its digest with those that were written.
    ///
    /// Deletion vectors, which our writer never makes, are not looked at.
    ///
    /// **Errors**: [`Error::Delta`] when the log cannot be read. Files that cannot be are no error, but a finding.
    pub async fn verify(
        &mut self,
        contract: &DatasetSpec,
        open: &OpenTable,
    ) -> Result<VerifiedFiles, Error> {
        let files = describe_files(open)?;
        let seen = self.seen.entry(open.location().clone()).or_default();
        // A list, because tasks cannot be given what borrows from closures.
        let new = files.iter().filter(|file| !seen.contains_key(*file));
        let new: Vec<Described> = new.cloned().collect();
        let store = open.table().object_store();
        let looks = stream::iter(new).map(|file| {
            let store = Arc::clone(&store);
            async move {
                let damage = look(store.as_ref(), &file).await?;
                Ok::<_, Error>((file, damage))
            }
        });
        let looked = looks.buffer_unordered(self.threads.get());
        let looked: Vec<_> = looked.try_collect().await?;
        seen.extend(looked);
        let damage = |file: &Described| Some((file.path.to_string(), seen.get(file)?.clone()?));
        Ok(VerifiedFiles {
            bytes: files.iter().map(|file| file.length).sum(),
            without_digest: files.iter().filter(|file| file.digest.is_none()).count(),
            content: content_of_stored(contract, open)?,
            damaged: files.iter().filter_map(damage).collect(),
            files: files.len(),
        })
    }
}

fn describe_files(open: &OpenTable) -> Result<Vec<Described>, Error> {
    let snapshot = open.snapshot()?;
    let files = snapshot.log_data();
    let files = files.iter().map(|view| Described {
        path: view.object_store_path(),
        length: u64::try_from(view.size()).unwrap_or_default(),
        digest: written_digest(&view),
    });
    Ok(files.collect())
}

/// What is wrong with a file, if anything is.
async fn look(store: &DynObjectStore, file: &Described) -> Result<Option<Damage>, Error> {
    let found = match store.head(&file.path).await {
        Ok(found) => found.size,
        Err(error) => return Ok(Some(damage(&error))),
    };
    let wanted = file.length;
    if found != wanted {
        return Ok(Some(Damage::Length { wanted, found }));
    }
    let Some(wanted) = file.digest else {
        return Ok(None);
    };
    let mut hasher = blake3::Hasher::new();
    for from in (0..file.length).step_by(WINDOW_BYTES) {
        let window = from..file.length.min(from + WINDOW_BYTES as u64);
        let bytes = match store.get_range(&file.path, window).await {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Some(damage(&error))),
        };
        let hashed = spawn_blocking(move || {
            hasher.update(&bytes);
            hasher
        });
        hasher = hashed.await.map_err(Error::joined)?;
    }
    let found = Fingerprint::from_bytes(*hasher.finalize().as_bytes());
    Ok((found != wanted).then_some(Damage::Content { wanted, found }))
}

fn damage(error: &object_store::Error) -> Damage {
    match error {
        object_store::Error::NotFound { .. } => Damage::Missing,
        error => Damage::Unreadable {
            reason: redact(&error.to_string()),
        },
    }
}
