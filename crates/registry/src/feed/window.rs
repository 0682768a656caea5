//! Windows of a change feed: which versions they hold, and whether their rows can be read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use deltalake_core::logstore::LogStoreRef;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{Error as StoreError, ObjectStoreExt};
use ossature_schema_spec::Version;

use super::log::{Description, FeedCommit, Listing, REQUESTS_MAX, read_commits};
use super::request::{ADDED_COLUMNS, ChangeFeedRequest, FeedBound};
use crate::{Error, OpenTable, TableLocation, open_table};

/// Commits in front of a window that are read to find out when changes began to be recorded.
const COMMITS_BEFORE_MAX: u64 = 256;

/// Whether the rows of a window can be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeedClass {
    /// They can, and there are some.
    Ok,
    /// No version of the window changed a row, or it holds no version.
    Empty,
    /// The log was cleaned up.
    Gap {
        /// The first version whose commit, or what the table was then, is no longer in the log.
        missing: Version,
    },
    /// Changes are not recorded in all of the window.
    Disabled {
        /// The first version in which they are not.
        at: Version,
        /// The first version from which on they are, up to the end of the window.
        enabled_since: Option<Version>,
    },
    /// A file of the window is gone.
    Vacuumed {
        /// The first version with such a file.
        at: Version,
        /// The file, below the table's folder.
        path: String,
    },
    /// The window does not lie among the table's versions.
    OutOfRange {
        /// Its first version; nothing for a time after the newest one.
        from: Option<Version>,
        /// Its last version; nothing for a time before the oldest one.
        to: Option<Version>,
        /// The newest version that there is.
        newest: Version,
    },
    /// The columns changed inside of the window, so that its rows are not of one kind.
    SchemaChanged {
        /// The first version that changed them so.
        at: Version,
        /// What it did.
        change: SchemaBreak,
    },
}

impl FeedClass {
    /// A stable name, for records.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Empty => "empty",
            Self::Gap { .. } => "gap",
            Self::Disabled { .. } => "disabled",
            Self::Vacuumed { .. } => "vacuumed",
            Self::OutOfRange { .. } => "out_of_range",
            Self::SchemaChanged { .. } => "schema_changed",
        }
    }

    /// Whether the window can be opened.
    pub fn is_readable(&self) -> bool {
        matches!(self, Self::Ok | Self::Empty)
    }
}

/// A change of columns after which rows from before are of another kind. A new column that may be null is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchemaBreak {
    /// A column went.
    Dropped {
        /// The column.
        column: String,
    },
    /// A column has another type, nested fields included.
    Retyped {
        /// The column.
        column: String,
    },
    /// A column that is never null came, or became so.
    Required {
        /// The column.
        column: String,
    },
    /// The table is partitioned by other columns.
    Partitioned,
}

impl fmt::Display for SchemaBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped { column } => write!(f, "column `{column}` dropped"),
            Self::Retyped { column } => write!(f, "column `{column}` of another type"),
            Self::Required { column } => {
                write!(f, "column `{column}` never null, as rows before may be")
            }
            Self::Partitioned => f.write_str("other partition columns"),
        }
    }
}

/// A window of a table's change feed, pinned at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedWindow {
    /// The first version and the last one, both included; nothing when it holds no version.
    pub versions: Option<(Version, Version)>,
    /// The newest version when the window was looked at.
    pub newest: Version,
    /// Whether its rows can be read.
    pub class: FeedClass,
}

/// A window that was looked at, with what was seen.
pub(super) struct Examined {
    pub(super) window: FeedWindow,
    /// The table at the end of the window: rows have its columns.
    pub(super) open: OpenTable,
    /// The commits of the window; none when it cannot be read.
    pub(super) commits: Vec<FeedCommit>,
}

/// Says whether a window of a table's change feed can be read, before anything is read.
///
/// **Determinism**: with versions at both ends, the answer changes only when the log or files are cleaned up, or the
/// table is replaced.
///
/// **Cost**: the commits of the window are read, and the store is asked for every file with changed rows; with a time
/// at an end, all commits of the log are read.
///
/// **Errors**: those of [`open_table`], [`Error::Recreated`], [`Error::Unsupported`], [`Error::Corrupt`],
/// [`Error::Delta`]. Whatever [`FeedClass`] names is no error here.
pub async fn classify_change_feed(
    location: &TableLocation,
    request: &ChangeFeedRequest,
) -> Result<FeedWindow, Error> {
    Ok(examine(location, request).await?.window)
}

pub(super) async fn examine(
    location: &TableLocation,
    request: &ChangeFeedRequest,
) -> Result<Examined, Error> {
    let open = open_table(location, None).await?;
    if let Some(wanted) = &request.table_id {
        check_id(location, wanted, open.snapshot()?.metadata().id())?;
    }
    let log = open.table().log_store();
    let examination = Examination {
        location,
        listing: Listing::read(log.as_ref()).await?,
        newest: open.version().number(),
        log,
    };
    let (from, to) = match examination.resolve(request).await? {
        Resolved::Window(from, to) => (from, to),
        Resolved::Not(class) => return Ok(examination.without_rows(open, None, class)),
        Resolved::Empty => {
            let class = examination.class_without_versions().await?;
            return Ok(examination.without_rows(open, None, class));
        }
    };
    let versions = Some((Version::new(from), Version::new(to)));
    let (class, commits) = examination.class(from, to).await?;
    if !class.is_readable() {
        return Ok(examination.without_rows(open, versions, class));
    }
    let open = if to == examination.newest {
        open
    } else {
        open_table(location, Some(Version::new(to))).await?
    };
    Ok(Examined {
        commits,
        ..examination.without_rows(open, versions, class)
    })
}

fn check_id(location: &TableLocation, wanted: &str, found: &str) -> Result<(), Error> {
    if wanted == found {
        return Ok(());
    }
    Err(Error::Recreated {
        location: location.to_string(),
        wanted: wanted.to_owned(),
        found: found.to_owned(),
    })
}

/// Whether a window goes from one time to a later one.
fn is_span_of_time(request: &ChangeFeedRequest) -> bool {
    matches!(
        (request.start, request.end),
        (FeedBound::UnixMs(start), Some(FeedBound::UnixMs(end))) if start <= end
    )
}

/// Where the ends of a window are.
enum Resolved {
    Window(u64, u64),
    /// It holds no version, and may.
    Empty,
    Not(FeedClass),
}

struct Examination<'a> {
    location: &'a TableLocation,
    log: LogStoreRef,
    listing: Listing,
    newest: u64,
}

impl Examination<'_> {
    fn without_rows(
        &self,
        open: OpenTable,
        versions: Option<(Version, Version)>,
        class: FeedClass,
    ) -> Examined {
        let window = FeedWindow {
            versions,
            newest: Version::new(self.newest),
            class,
        };
        Examined {
            window,
            open,
            commits: Vec::new(),
        }
    }

    async fn resolve(&self, request: &ChangeFeedRequest) -> Result<Resolved, Error> {
        let by_time = |bound: &FeedBound| matches!(bound, FeedBound::UnixMs(_));
        let version = |(version, _): &(u64, i64)| *version;
        let times = if by_time(&request.start) || request.end.as_ref().is_some_and(by_time) {
            match self.times().await? {
                Ok(times) => times,
                Err(gap) => return Ok(Resolved::Not(gap)),
            }
        } else {
            Vec::new()
        };
        let from = match request.start {
            FeedBound::Version(version) => Some(version.number()),
            FeedBound::UnixMs(time) => times.iter().find(|(_, at)| *at >= time).map(version),
        };
        let to = match request.end {
            None => Some(self.newest),
            Some(FeedBound::Version(version)) => Some(version.number()),
            Some(FeedBound::UnixMs(time)) => times.iter().rfind(|(_, at)| *at <= time).map(version),
        };
        // Versions before the oldest commit may lie in the window as well, or be its last one.
        let oldest = times.first().map_or(0, version);
        let is_cut_off = (by_time(&request.start) && from == Some(oldest)) || to.is_none();
        if is_cut_off && oldest > 0 {
            let missing = Version::new(oldest - 1);
            return Ok(Resolved::Not(FeedClass::Gap { missing }));
        }
        Ok(self.range(from, to, request))
    }

    fn range(&self, from: Option<u64>, to: Option<u64>, request: &ChangeFeedRequest) -> Resolved {
        let newest = self.newest;
        match (from, to) {
            (Some(from), Some(to)) if from <= to && to <= newest => Resolved::Window(from, to),
            // What a reader that has seen everything asks for.
            (Some(from), Some(to)) if from == newest + 1 && to == newest => Resolved::Empty,
            // Nothing was committed between two times.
            (Some(from), Some(to)) if from > to && is_span_of_time(request) => Resolved::Empty,
            (Some(from), Some(to))
                if request.allow_out_of_range && from <= to && from <= newest =>
            {
                Resolved::Window(from, newest)
            }
            _ if request.allow_out_of_range => Resolved::Empty,
            _ => Resolved::Not(FeedClass::OutOfRange {
                from: from.map(Version::new),
                to: to.map(Version::new),
                newest: Version::new(newest),
            }),
        }
    }

    /// The versions whose commits are there without a gap up to the newest one, and their times.
    async fn times(&self) -> Result<Result<Vec<(u64, i64)>, FeedClass>, Error> {
        let mut versions = self.listing.oldest(self.newest)..=self.newest;
        let commits = read_commits(&self.log, versions.clone()).await?;
        // One may have been cleaned up since they were listed.
        if let Some(missing) = versions.nth(commits.len()) {
            let missing = Version::new(missing);
            return Ok(Err(FeedClass::Gap { missing }));
        }
        let times = commits.iter().map(|it| (it.version, it.at_unix_ms));
        Ok(Ok(times.collect()))
    }

    /// A window without versions is empty only where changes are recorded: a reader would wait for them in vain.
    async fn class_without_versions(&self) -> Result<FeedClass, Error> {
        let table = Description::at(self.log.as_ref(), self.newest).await?;
        self.check_names(&table, self.newest)?;
        Ok(if table.records_changes {
            FeedClass::Empty
        } else {
            FeedClass::Disabled {
                at: Version::new(self.newest),
                enabled_since: None,
            }
        })
    }

    async fn class(&self, from: u64, to: u64) -> Result<(FeedClass, Vec<FeedCommit>), Error> {
        let gap = |missing| {
            let missing = Version::new(missing);
            Ok((FeedClass::Gap { missing }, Vec::new()))
        };
        if let Some(missing) = self.listing.first_missing(from, to) {
            return gap(missing);
        }
        if !self.listing.tells_state(from) {
            return gap(from);
        }
        let first = Description::at(self.log.as_ref(), from).await?;
        let commits = read_commits(&self.log, from..=to).await?;
        if let Some(missing) = (from..=to).nth(commits.len()) {
            return gap(missing);
        }
        if let Some(class) = disabled(&first, &commits) {
            return Ok((class, Vec::new()));
        }
        // Rows that the first version removed are of the kind that they had before it.
        let before = match commits.first() {
            Some(commit) if commit.description.is_some() && commit.removes_rows() => {
                from.checked_sub(1)
            }
            _ => None,
        };
        let base = match before {
            Some(before) if !self.listing.tells_state(before) => return gap(before),
            Some(before) => Description::at(self.log.as_ref(), before).await?,
            None => first,
        };
        if let Some(class) = self.schema_changed(base, from, &commits)? {
            return Ok((class, Vec::new()));
        }
        self.check_actions(&commits)?;
        if let Some(class) = self.vacuumed(&commits).await? {
            return Ok((class, Vec::new()));
        }
        let is_empty = commits.iter().all(|commit| commit.actions.is_empty());
        let class = if is_empty {
            FeedClass::Empty
        } else {
            FeedClass::Ok
        };
        Ok((class, commits))
    }

    fn schema_changed(
        &self,
        base: Description,
        from: u64,
        commits: &[FeedCommit],
    ) -> Result<Option<FeedClass>, Error> {
        self.check_names(&base, from)?;
        let mut held = base;
        for commit in commits {
            let Some(next) = &commit.description else {
                continue;
            };
            check_id(self.location, &held.id, &next.id)?;
            self.check_names(next, commit.version)?;
            if let Some(change) = break_between(&held, next) {
                let at = Version::new(commit.version);
                return Ok(Some(FeedClass::SchemaChanged { at, change }));
            }
            held = next.clone();
        }
        Ok(None)
    }

    fn unsupported(&self, reason: String) -> Error {
        Error::Unsupported {
            location: self.location.to_string(),
            reason,
        }
    }

    fn check_names(&self, table: &Description, version: u64) -> Result<(), Error> {
        if table.maps_columns {
            return Err(self.unsupported(format!(
                "at v{version} its columns have other names in files, and the runtime has no change feed of such tables"
            )));
        }
        match ADDED_COLUMNS
            .iter()
            .find(|name| table.columns.contains_key(**name))
        {
            None => Ok(()),
            Some(name) => Err(self.unsupported(format!(
                "at v{version} it has a column `{name}`, which its change feed would add"
            ))),
        }
    }

    /// Refuses what the runtime reads wrongly, or stops at.
    fn check_actions(&self, commits: &[FeedCommit]) -> Result<(), Error> {
        for commit in commits {
            for file in &commit.actions {
                let at = format!("v{}: `{}`", commit.version, file.path);
                // It takes the rows that a vector leaves out for those that changed, and marks rows behind the first row group
                // at wrong places.
                if file.has_deletion_vector() {
                    return Err(self.unsupported(format!(
                        "{at} has a deletion vector, which the runtime applies wrongly in a change feed"
                    )));
                }
                if !file.is_complete() {
                    return Err(self.unsupported(format!(
                        "{at} is removed without its size and partition, so that its rows cannot be told"
                    )));
                }
                if file.path.starts_with('/') || file.path.contains(':') {
                    return Err(self.unsupported(format!(
                        "{at} lies outside of the table, where the runtime does not look for changes"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Asks the store for every file with changed rows.
    async fn vacuumed(&self, commits: &[FeedCommit]) -> Result<Option<FeedClass>, Error> {
        let store = self.log.object_store(None);
        let files: BTreeSet<_> = commits
            .iter()
            .flat_map(|commit| {
                let files = commit.actions.iter();
                files.map(|file| (commit.version, file.location(), file.path.clone()))
            })
            .collect();
        let asked = files.into_iter().map(|(version, location, path)| {
            let store = Arc::clone(&store);
            async move {
                match store.head(&location).await {
                    Ok(_) => Ok(None),
                    Err(StoreError::NotFound { .. }) => Ok(Some((version, path))),
                    Err(error) => Err(Error::delta("looking for a file")(error.into())),
                }
            }
        });
        let gone = stream::iter(asked)
            .buffered(REQUESTS_MAX)
            .try_filter_map(|gone| futures::future::ready(Ok(gone)));
        let first = Box::pin(gone).try_next().await?;
        Ok(first.map(|(version, path)| FeedClass::Vacuumed {
            at: Version::new(version),
            path,
        }))
    }
}

/// The first version that does not record changes.
fn disabled(first: &Description, commits: &[FeedCommit]) -> Option<FeedClass> {
    let mut records = first.records_changes;
    let mut enabled_since = None;
    let mut at = None;
    for commit in commits {
        if let Some(description) = &commit.description {
            if description.records_changes && !records {
                enabled_since = Some(commit.version);
            }
            records = description.records_changes;
        }
        if !records {
            enabled_since = None;
            at = at.or(Some(commit.version));
        }
    }
    at.map(|at| FeedClass::Disabled {
        at: Version::new(at),
        enabled_since: enabled_since.map(Version::new),
    })
}

/// The version that began to record changes, up to a window without a break, when it is among the commits just before it.
pub(super) async fn enabled_since(
    log: &LogStoreRef,
    commits: &[FeedCommit],
) -> Result<Option<Version>, Error> {
    let Some(first) = commits.first() else {
        return Ok(None);
    };
    let oldest = first.version.saturating_sub(COMMITS_BEFORE_MAX);
    let versions: Vec<u64> = (oldest..=first.version).rev().collect();
    let mut since = None;
    for some in versions.chunks(REQUESTS_MAX) {
        let read = read_commits(log, some.iter().copied()).await?;
        for commit in &read {
            let is_off = match &commit.description {
                Some(description) if description.records_changes => {
                    since = Some(Version::new(commit.version));
                    false
                }
                Some(_) => true,
                None => false,
            };
            if is_off || commit.version == 0 {
                return Ok(since);
            }
        }
        if read.len() < some.len() {
            break;
        }
    }
    // Metadata that was set anew says nothing of when changes began to be recorded.
    Ok(None)
}

/// What makes rows before and after a change of metadata rows of two kinds.
fn break_between(old: &Description, new: &Description) -> Option<SchemaBreak> {
    for (column, (of, nullable)) in &old.columns {
        let column = column.clone();
        match new.columns.get(&column) {
            None => return Some(SchemaBreak::Dropped { column }),
            Some((other, _)) if other != of => return Some(SchemaBreak::Retyped { column }),
            Some((_, false)) if *nullable => return Some(SchemaBreak::Required { column }),
            Some(_) => {}
        }
    }
    let mut new_columns = new.columns.iter();
    let required =
        new_columns.find(|(name, (_, nullable))| !nullable && !old.columns.contains_key(*name));
    if let Some((column, _)) = required {
        let column = column.clone();
        return Some(SchemaBreak::Required { column });
    }
    (old.partition_columns != new.partition_columns).then_some(SchemaBreak::Partitioned)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn field(name: &str, of: &Value, nullable: bool) -> Value {
        let metadata = json!({"comment": format!("{name} {nullable}")});
        json!({"name": name, "type": of, "nullable": nullable, "metadata": metadata})
    }

    fn table(fields: &[Value], partition: &[&str]) -> Description {
        let schema = json!({"type": "struct", "fields": fields}).to_string();
        Description::parse(&json!({"schemaString": schema, "partitionColumns": partition}))
    }

    fn check(old: &[Value], new: &[Value], want: Option<&str>) {
        let found = break_between(&table(old, &[]), &table(new, &[]));
        let found = found.map(|change| change.to_string());
        assert_eq!(found.as_deref(), want);
    }

    #[test]
    fn rows_are_of_one_kind_while_no_column_goes_or_is_another() {
        let long = |name: &str, nullable| field(name, &json!("long"), nullable);
        let pair = |parts: &[Value]| json!({"type": "struct", "fields": parts});
        let (a, b) = (|| long("a", true), || long("b", true));
        check(&[a()], &[b(), a()], None);
        check(&[long("a", false)], &[a()], None);
        let want = Some("column `b` dropped");
        check(&[a(), b()], &[a()], want);
        let want = Some("column `a` of another type");
        check(&[a()], &[field("a", &json!("integer"), true)], want);
        let nested = |parts: &[Value]| field("a", &pair(parts), true);
        check(&[nested(&[b()])], &[nested(&[b(), a()])], want);
        let want = Some("column `a` never null, as rows before may be");
        check(&[a()], &[long("a", false)], want);
        check(&[b()], &[b(), long("a", false)], want);
        // What is said about a field does not matter, at any depth.
        let mut said = b();
        said["metadata"] = json!({});
        check(&[nested(&[b()])], &[nested(&[said])], None);

        let fields = [a(), b()];
        let found = break_between(&table(&fields, &["a"]), &table(&fields, &["b"]));
        assert_eq!(found, Some(SchemaBreak::Partitioned));
    }
}
