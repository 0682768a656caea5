//! Opening a table at one version, and only at that one.

use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use ossature_delta_policy::maps_columns;
use ossature_schema_spec::{DatasetName, PinIdentity, TablePin, Version};

use crate::mapping::keeps_names;
use crate::paths::{check_removable, check_spellings, is_own};
use crate::{CommitFacts, Error, TableLocation};

/// A table, loaded at a version.
#[derive(Debug, Clone)]
pub struct OpenTable {
    location: TableLocation,
    table: DeltaTable,
    version: Version,
    commit: CommitFacts,
}

impl OpenTable {
    /// Where it lies.
    pub fn location(&self) -> &TableLocation {
        &self.location
    }

    /// The loaded table.
    pub fn table(&self) -> &DeltaTable {
        &self.table
    }

    /// The state of the table at the version.
    ///
    /// **Errors**: [`Error::Delta`] when it is gone, which cannot happen after [`open_table`].
    pub fn snapshot(&self) -> Result<&DeltaTableState, Error> {
        self.table
            .snapshot()
            .map_err(Error::delta("reading a table"))
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What the commit of that version says.
    pub fn commit(&self) -> &CommitFacts {
        &self.commit
    }

    /// Whether the rows of the version are those of its files, under the names that they have there.
    ///
    /// **Errors**: [`Error::Delta`] when the snapshot is gone, which cannot happen after [`open_table`].
    pub fn holds_what_files_hold(&self) -> Result<bool, Error> {
        self.snapshot().map(holds_what_files_hold)
    }

    /// Whether our writer made every file.
    ///
    /// Somebody else's files may leave NaN out of their bounds, spell paths in other ways and store times in other
    /// units.
    ///
    /// **Errors**: [`Error::Delta`] when the snapshot is gone, which cannot happen after [`open_table`].
    pub fn holds_own_files(&self) -> Result<bool, Error> {
        let snapshot = self.snapshot()?;
        // A commit that tells of all rows wrote all rows.
        Ok(self.commit.content.is_some()
            || snapshot.log_data().iter().all(|file| is_own(&file.path())))
    }

    /// Refuses a table whose files a commit could not remove. To be asked before anything is written that removes one.
    ///
    /// The runtime escapes paths in its own way. Where somebody else spelled the path of a file otherwise, its removal
    /// names another file, and the rows stay.
    ///
    /// **Errors**: [`Error::Unremovable`], [`Error::Delta`].
    pub async fn check_removable(&self) -> Result<(), Error> {
        check_removable(&self.location, &self.table).await
    }

    /// The pin under which a dataset reads it.
    ///
    /// **Errors**: those of [`OpenTable::snapshot_digest`].
    pub fn pin(&self, dataset: &DatasetName) -> Result<TablePin, Error> {
        let snapshot = self.snapshot()?;
        Ok(TablePin {
            dataset: dataset.clone(),
            table_id: snapshot.metadata().id().to_owned(),
            version: self.version,
            snapshot: self.snapshot_digest()?,
            identity: match self.commit.content {
                Some(content) => PinIdentity::Content(content),
                None => PinIdentity::TableVersion,
            },
        })
    }
}

/// Opens the table at `location`, at `version` or at the newest one.
///
/// **Determinism**: with a version, the rows are the same for ever; without, the newest version is resolved once,
/// here, and is part of the result.
///
/// **Errors**: [`Error::NoTable`], [`Error::NoVersion`], [`Error::WrongVersion`] should the runtime load another
/// version than the one asked for (its table providers do); [`Error::InvalidLog`], [`Error::Unsupported`],
/// [`Error::AmbiguousPath`], [`Error::Delta`].
pub async fn open_table(
    location: &TableLocation,
    version: Option<Version>,
) -> Result<OpenTable, Error> {
    let builder = || DeltaTableBuilder::from_url(location.url().clone());
    let pinned = builder().map_err(Error::delta("locating a table"))?;
    let pinned = match version {
        Some(version) => pinned.with_version(version.number()),
        None => pinned,
    };
    let table = match pinned.load().await {
        Ok(table) => table,
        Err(error) => return Err(why_not(location, builder(), version, error).await),
    };
    check_spellings(location, &table).await?;
    let snapshot = table.snapshot().map_err(Error::delta("loading a table"))?;
    let found = Version::new(snapshot.version());
    if let Some(wanted) = version.filter(|wanted| *wanted != found) {
        return Err(Error::WrongVersion {
            location: location.to_string(),
            wanted,
            found,
        });
    }
    let entry = table
        .log_store()
        .read_commit_entry(found.number())
        .await
        .map_err(Error::delta("reading a commit"))?;
    // A commit that was cleaned up behind a checkpoint claims nothing.
    let claims = entry.as_deref().map(CommitFacts::parse);
    let commit = claims
        .filter(|_| holds_what_files_hold(snapshot))
        .unwrap_or_default();
    Ok(OpenTable {
        location: location.clone(),
        table,
        version: found,
        commit,
    })
}

/// Whether the rows of a version are those of its files, under the names that they have there.
///
/// Our writer makes no other tables. Where somebody else did, its commits on top cannot speak for what lies below: a
/// deletion vector that is not applied brings deleted rows back.
fn holds_what_files_hold(snapshot: &DeltaTableState) -> bool {
    let is_mapped = maps_columns(snapshot.metadata().configuration());
    (!is_mapped || keeps_names(snapshot.snapshot().arrow_schema().fields()))
        && snapshot
            .log_data()
            .iter()
            .all(|file| file.deletion_vector_descriptor().is_none())
}

/// Tells apart a missing table, a missing version and every other failure.
async fn why_not(
    location: &TableLocation,
    builder: Result<DeltaTableBuilder, DeltaTableError>,
    version: Option<Version>,
    error: DeltaTableError,
) -> Error {
    let Ok(table) = builder.and_then(DeltaTableBuilder::build) else {
        return Error::delta("loading a table")(error);
    };
    match table.verify_deltatable_existence().await {
        Ok(false) => {
            return Error::NoTable {
                location: location.to_string(),
            };
        }
        Err(_) => return Error::delta("loading a table")(error),
        Ok(true) => {}
    }
    match (version, table.get_latest_version().await) {
        (Some(wanted), Ok(newest)) if wanted.number() > newest => Error::NoVersion {
            location: location.to_string(),
            wanted: wanted.number(),
            newest,
        },
        _ => log_error(location, error),
    }
}

/// What is wrong with a log that was found and could not be loaded.
fn log_error(location: &TableLocation, error: DeltaTableError) -> Error {
    use buoyant_kernel::Error as Kernel;
    let DeltaTableError::KernelError(kernel) = &error else {
        return Error::delta("loading a table")(error);
    };
    let mut kernel = kernel;
    while let Kernel::Backtraced { source, .. } = kernel {
        kernel = source;
    }
    match kernel {
        Kernel::Unsupported(reason) | Kernel::MaxCatalogVersion(reason) => Error::Unsupported {
            location: location.to_string(),
            reason: reason.clone(),
        },
        Kernel::IOError(_)
        | Kernel::ObjectStore(_)
        | Kernel::ObjectStorePath(_)
        | Kernel::Reqwest(_)
        | Kernel::FileNotFound(_)
        // Its folder is seen before its first version is.
        | Kernel::InvalidTableLocation(_)
        | Kernel::JoinFailure(_)
        | Kernel::InternalError(_)
        | Kernel::Cancelled => Error::delta("loading a table")(error),
        _ => Error::InvalidLog {
            location: location.to_string(),
            source: Box::new(error),
        },
    }
}
