//! Opening a table at one version, and only at that one.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use futures::TryStreamExt;
use ossature_delta_policy::{Protocol, maps_columns, tells_times};
use ossature_schema_spec::{DatasetName, PinIdentity, TablePin, Version};

use crate::confinement::check_confined;
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

    /// What readers and writers of the version have to know.
    ///
    /// **Errors**: [`Error::Delta`] when the snapshot is gone, which cannot happen after [`open_table`].
    pub fn protocol(&self) -> Result<Protocol, Error> {
        self.snapshot().map(protocol_of)
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

    /// Refuses a version of which a file was deleted. Nothing is looked for when the version is the newest one, whose files
    /// no vacuum deletes.
    ///
    /// **Cost**: the log is listed, and the table's folder where there are later versions.
    ///
    /// **Errors**: [`Error::Vacuumed`], [`Error::Delta`].
    pub async fn check_files(&self) -> Result<(), Error> {
        let failed = || Error::delta("looking for the files of a version");
        let log = self.table.log_store();
        let newest = match log.get_latest_version(self.version.number()).await {
            Ok(newest) => newest,
            // Its commit was cleaned up behind a checkpoint, and there is none after it.
            Err(DeltaTableError::InvalidVersion(_)) => self.version.number(),
            Err(error) => return Err(failed()(error)),
        };
        if newest == self.version.number() {
            return Ok(());
        }
        let files = self.snapshot()?.log_data();
        // Files of other folders are not looked for.
        let files = files.iter().filter(|file| !has_root(&file.path()));
        let mut missing: BTreeSet<_> = files.map(|file| file.object_store_path()).collect();
        let store = self.table.object_store();
        let mut listed = store.list(None);
        while !missing.is_empty() {
            let found = listed.try_next().await;
            match found.map_err(|error| failed()(error.into()))? {
                Some(found) => missing.remove(&found.location),
                None => break,
            };
        }
        match missing.first() {
            None => Ok(()),
            Some(path) => Err(Error::Vacuumed {
                location: self.location.to_string(),
                version: self.version,
                path: path.to_string(),
                missing: missing.len(),
            }),
        }
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

/// What readers and writers of a version have to know.
pub fn protocol_of(snapshot: &DeltaTableState) -> Protocol {
    let protocol = snapshot.protocol();
    let names = |features: Option<&[_]>| -> BTreeSet<String> {
        let features = features.unwrap_or_default().iter();
        features.map(ToString::to_string).collect()
    };
    Protocol {
        min_reader_version: u32::try_from(protocol.min_reader_version()).unwrap_or_default(),
        min_writer_version: u32::try_from(protocol.min_writer_version()).unwrap_or_default(),
        reader_features: names(protocol.reader_features()),
        writer_features: names(protocol.writer_features()),
    }
}

/// At which version a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum At {
    /// At the newest one there is.
    Newest,
    /// At this one.
    Version(Version),
    /// At the last one that was committed at that time or before, in milliseconds since 1970-01-01 00:00:00 UTC.
    ///
    /// The times are those of the files in the log, as the protocol has it: a lake that was copied has others.
    Time(i64),
}

impl From<Version> for At {
    fn from(version: Version) -> Self {
        Self::Version(version)
    }
}

impl From<Option<Version>> for At {
    fn from(version: Option<Version>) -> Self {
        version.map_or(Self::Newest, Self::Version)
    }
}

/// Opens a table at a version, at the last one of a time, or at the newest one.
///
/// **Determinism**: with a version, the rows are the same for ever; otherwise the version is resolved once, here, and is
/// part of the result.
///
/// **Errors**: [`Error::NoTable`], [`Error::NoVersion`], [`Error::NoVersionAt`], [`Error::WrongVersion`] should the runtime load another
/// version than the one asked for (its table providers do); [`Error::InvalidLog`], [`Error::Unsupported`],
/// [`Error::AmbiguousPath`], [`Error::Delta`].
pub async fn open_table(location: &TableLocation, at: impl Into<At>) -> Result<OpenTable, Error> {
    match at.into() {
        At::Newest => open_version(location, None).await,
        At::Version(version) => open_version(location, Some(version)).await,
        At::Time(unix_ms) => {
            let version = version_at(location, unix_ms).await?;
            let open = open_version(location, Some(version)).await?;
            check_times(&open)?;
            Ok(open)
        }
    }
}

async fn open_version(
    location: &TableLocation,
    version: Option<Version>,
) -> Result<OpenTable, Error> {
    let pinned = location.builder()?;
    let pinned = match version {
        Some(version) => pinned.with_version(version.number()),
        None => pinned,
    };
    let table = match pinned.load().await {
        Ok(table) => table,
        Err(error) => return Err(why_not(location, version, error).await),
    };
    check_spellings(location, &table).await?;
    let snapshot = table.snapshot().map_err(Error::delta("loading a table"))?;
    check_confined(location, &table).await?;
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

/// The last version that was committed at a time or before.
///
/// Versions of one moment follow each other, so that a time names one version: the runtime takes any of them.
async fn version_at(location: &TableLocation, unix_ms: i64) -> Result<Version, Error> {
    let no_table = || Error::NoTable {
        location: location.to_string(),
    };
    let table = location.builder()?.build();
    let table = table.map_err(Error::delta("locating a table"))?;
    let log = table.log_store();
    let store = log.object_store(None);
    // Other folders below the log are none of it.
    let listed = store.list_with_delimiter(Some(log.log_path())).await;
    let listed =
        listed.map_err(|error| Error::delta("listing the log of a table")(error.into()))?;
    let files = listed.objects.iter().filter_map(|file| {
        let version = commit_version(file.location.filename())?;
        Some((version, file.last_modified.timestamp_millis()))
    });
    let mut commits: Vec<(u64, i64)> = files.collect();
    commits.sort_unstable();
    let first = commits.first().ok_or_else(no_table)?.1;
    let mut found = None;
    let mut last = i64::MIN;
    for (version, committed) in commits {
        last = committed.max(last.saturating_add(1));
        if last <= unix_ms {
            found = Some(Version::new(version));
        }
    }
    found.ok_or_else(|| Error::NoVersionAt {
        location: location.to_string(),
        wanted: rendered(unix_ms),
        first: rendered(first),
    })
}

/// Refuses a table whose commits tell their times themselves: those of the files are others.
fn check_times(open: &OpenTable) -> Result<(), Error> {
    if tells_times(open.snapshot()?.metadata().configuration()) {
        return Err(Error::Unsupported {
            location: open.location().to_string(),
            reason: "its commits tell their times themselves, so that no time names a version here: name the version"
                .to_owned(),
        });
    }
    Ok(())
}

/// The version of a file in a log, if it is a commit.
fn commit_version(file: Option<&str>) -> Option<u64> {
    let digits = file?.strip_suffix(".json")?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

fn rendered(unix_ms: i64) -> String {
    match DateTime::from_timestamp_millis(unix_ms) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        None => format!("{unix_ms} ms"),
    }
}

/// Whether a path in a log is a whole one.
fn has_root(path: &str) -> bool {
    path.starts_with('/') || path.contains("://")
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
    version: Option<Version>,
    error: DeltaTableError,
) -> Error {
    let Ok(Ok(table)) = location.builder().map(DeltaTableBuilder::build) else {
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
