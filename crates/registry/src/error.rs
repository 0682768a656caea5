//! Why a dataset cannot be opened.

use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use deltalake_core::DeltaTableError;
use ossature_schema_spec::{Change, ColumnName, DatasetName, Fingerprint, Version};

use crate::{FeedClass, FeedSource, ProjectionError};

/// Why a dataset cannot be opened, or a session cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lake's location is neither a folder nor a URL.
    #[error("`{found}` is neither a folder nor the URL of one: {reason}")]
    InvalidLocation {
        /// The text that was given.
        found: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no Delta table.
    #[error("there is no table at {location}")]
    NoTable {
        /// Where it was looked for.
        location: String,
    },
    /// The table has no such version.
    #[error("the table at {location} has no version {wanted}; its newest is {newest}")]
    NoVersion {
        /// The table.
        location: String,
        /// The version that was asked for.
        wanted: u64,
        /// The newest version there is.
        newest: u64,
    },
    /// The version that was read is not the one that was asked for.
    #[error("asked for {wanted} of {location}, got {found}")]
    WrongVersion {
        /// The table.
        location: String,
        /// The version that was asked for.
        wanted: Version,
        /// The version that was loaded.
        found: Version,
    },
    /// The table is not the one that was published: somebody dropped that one and made another in its place.
    #[error(
        "the table at {location} was made anew: its id is {found}, and that of the published one {wanted}"
    )]
    Recreated {
        /// The table.
        location: String,
        /// The id of the table that was published.
        wanted: String,
        /// The id of the table that is there.
        found: String,
    },
    /// The log says something else of a version than it did when the version was published.
    #[error(
        "the log of {location} was changed: of {version} it says things of digest {}, and {} when it was published",
        found.short(), wanted.short()
    )]
    LogDiffers {
        /// The table.
        location: String,
        /// The version.
        version: Version,
        /// The digest of what it said then.
        wanted: Fingerprint,
        /// The digest of what it says now.
        found: Fingerprint,
    },
    /// The stored columns cannot be read as the contract declares them.
    #[error("`{dataset}` cannot be read as declared:{}", lines(changes))]
    Unalignable {
        /// The dataset.
        dataset: DatasetName,
        /// Every difference that no projection settles.
        changes: Vec<Change>,
    },
    /// Expressions of a scan are refused.
    #[error("the projection of `{dataset}` does not hold:{}", lines(errors))]
    Projection {
        /// The dataset.
        dataset: DatasetName,
        /// Every reason, at least one.
        errors: Vec<ProjectionError>,
    },
    /// The table had no version at that time.
    #[error(
        "the table at {location} has no version of {wanted} or before; its first is of {first}"
    )]
    NoVersionAt {
        /// The table.
        location: String,
        /// The time that was asked for.
        wanted: String,
        /// The time of its first version.
        first: String,
    },
    /// A declared column is stored in a type that no contract can declare.
    #[error("`{dataset}` cannot be read as declared: `{column}` is stored as {found}")]
    Unreadable {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: String,
        /// Its stored type.
        found: DataType,
    },
    /// A dataset was opened at two versions in one session.
    #[error("`{dataset}` is already registered at {registered}; it cannot be read at {wanted} too")]
    ConflictingPins {
        /// The dataset.
        dataset: DatasetName,
        /// The version in the session.
        registered: Version,
        /// The version that was asked for.
        wanted: Version,
    },
    /// The log breaks the rules of the Delta protocol.
    #[error("the log of {location} is none of a Delta table")]
    InvalidLog {
        /// The table.
        location: String,
        /// What is wrong with it.
        source: Box<DeltaTableError>,
    },
    /// The runtime does not read such tables.
    #[error("the table at {location} cannot be read: {reason}")]
    Unsupported {
        /// The table.
        location: String,
        /// What the runtime lacks.
        reason: String,
    },
    /// A path leads out of the folder that it belongs to.
    #[error("`{path}` leads out of {location}")]
    Escapes {
        /// The table, or the lake.
        location: String,
        /// The path.
        path: String,
    },
    /// Files of a version were deleted.
    #[error("{missing} of the files of {version} of {location} are gone, `{path}` among them")]
    Vacuumed {
        /// The table.
        location: String,
        /// The version.
        version: Version,
        /// The first of the files.
        path: String,
        /// How many files are gone.
        missing: usize,
    },
    /// The bytes of a scan cannot be made, or do not fit what is found.
    #[error("the scan cannot be handed over: {reason}")]
    Task {
        /// Why.
        reason: String,
    },
    /// A plan reads a table at two versions.
    #[error("`{table}` is read at {one} and at {other} in one plan")]
    TwoVersions {
        /// The table, by one of its names.
        table: String,
        /// The earlier version.
        one: Version,
        /// The later version.
        other: Version,
    },
    /// The log spells the path of one file in two ways, which the runtime takes for two files.
    ///
    /// It would read a file that was removed under the other spelling.
    #[error(
        "the log of {location} removes `{path}` under another spelling than it was added, so that its rows are in doubt"
    )]
    AmbiguousPath {
        /// The table.
        location: String,
        /// The file.
        path: String,
    },
    /// The log spells the path of a file in a way in which the runtime would not remove it.
    #[error(
        "the runtime would not remove `{path}` from {location} under the name that it has in the log"
    )]
    Unremovable {
        /// The table.
        location: String,
        /// The file.
        path: String,
    },
    /// The statistics or the commit of a table that our writer wrote cannot be understood.
    #[error("{what} of {location} cannot be understood: {reason}")]
    Corrupt {
        /// Which part.
        what: &'static str,
        /// The table.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The rows of a window of a change feed cannot be read.
    #[error("the change feed of {location} cannot be read: {}", feed_reason(class))]
    ChangeFeed {
        /// The table.
        location: String,
        /// Why, with the versions that it is about.
        class: Box<FeedClass>,
    },
    /// A column that is asked of a change feed is none of the table, or is asked for twice.
    #[error(
        "the change feed of `{dataset}` has no column `{column}` to give, or gave it already; it has {}",
        known.join(", ")
    )]
    UnknownFeedColumn {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// The columns that there are.
        known: Vec<String>,
    },
    /// The predicate of a change feed is none over its columns.
    #[error(
        "`{found}` does not say which rows of the change feed of `{dataset}` are wanted: {reason}"
    )]
    InvalidFeedPredicate {
        /// The dataset.
        dataset: DatasetName,
        /// The predicate.
        found: String,
        /// What is wrong with it.
        reason: Box<DataFusionError>,
    },
    /// Two windows of one change feed in one session.
    #[error(
        "`{dataset}` has a change feed in the session already: {registered}; it cannot have another: {wanted}"
    )]
    ConflictingFeeds {
        /// The dataset.
        dataset: DatasetName,
        /// The window in the session.
        registered: String,
        /// The window that was to be registered.
        wanted: String,
    },
    /// A change feed is wanted, and nobody said which versions.
    #[error("{wanted_by} wants a change feed of `{dataset}`, and no window is given")]
    FeedNotConfigured {
        /// The dataset.
        dataset: DatasetName,
        /// What wants it.
        wanted_by: FeedSource,
    },
    /// The policy requires a change feed that cannot be opened.
    #[error("the change feed of `{dataset}` is required, and it is unavailable")]
    FeedRequired {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        source: Box<Error>,
    },
    /// The Delta runtime failed.
    #[error("while {doing}")]
    Delta {
        /// What was being done.
        doing: &'static str,
        /// The failure.
        source: Box<DeltaTableError>,
    },
    /// The query engine failed.
    #[error("while {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// The failure.
        source: Box<DataFusionError>,
    },
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidLocation { .. } => "invalid_location",
            Self::NoTable { .. } => "no_table",
            Self::NoVersion { .. } => "no_version",
            Self::WrongVersion { .. } => "wrong_version",
            Self::Recreated { .. } => "table_recreated",
            Self::LogDiffers { .. } => "log_differs",
            Self::Unalignable { .. } => "unalignable",
            Self::Projection { errors, .. } => errors
                .first()
                .map_or("projection_refused", ProjectionError::code),
            Self::NoVersionAt { .. } => "no_version_at",
            Self::Unreadable { .. } => "unreadable_column",
            Self::ConflictingPins { .. } => "conflicting_pins",
            Self::InvalidLog { .. } => "invalid_log",
            Self::Unsupported { .. } => "unsupported_table",
            Self::Escapes { .. } => "path_escapes",
            Self::Vacuumed { .. } => "version_vacuumed",
            Self::Task { .. } => "scan_task_invalid",
            Self::TwoVersions { .. } => "two_versions",
            Self::AmbiguousPath { .. } => "ambiguous_path",
            Self::Unremovable { .. } => "unremovable_file",
            Self::Corrupt { .. } => "corrupt_table",
            Self::ChangeFeed { class, .. } => feed_code(class),
            Self::UnknownFeedColumn { .. } => "unknown_feed_column",
            Self::InvalidFeedPredicate { .. } => "invalid_feed_predicate",
            Self::ConflictingFeeds { .. } => "conflicting_feeds",
            Self::FeedNotConfigured { .. } => "feed_not_configured",
            Self::FeedRequired { .. } => "feed_required",
            Self::Delta { .. } => "delta_failure",
            Self::Engine { .. } => "engine_failure",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoTable { .. } => Some("build the lake first".to_owned()),
            Self::NoVersionAt { first, .. } => Some(format!("ask for {first} or later")),
            Self::NoVersion { newest, .. } => Some(format!("ask for 0 to {newest}")),
            Self::Unalignable { .. } | Self::Unreadable { .. } => {
                Some("write the table anew under the present contract".to_owned())
            }
            Self::Recreated { .. } | Self::LogDiffers { .. } | Self::InvalidLog { .. } => Some(
                "restore the table's folder from a copy; or remove it and build the lake anew"
                    .to_owned(),
            ),
            Self::Vacuumed { .. } => Some(
                "read a later version; or keep this one longer: raise `vacuum.after_days` in the policy"
                    .to_owned(),
            ),
            Self::TwoVersions { .. } => {
                Some("write one of the versions into a table of its own".to_owned())
            }
            Self::Escapes { .. } => Some(
                "allow the folder, if the files are meant to lie there".to_owned(),
            ),
            Self::AmbiguousPath { .. } | Self::Unremovable { .. } => Some(
                "rewrite the table with the engine that removed the file, to relative paths"
                    .to_owned(),
            ),
            Self::ChangeFeed { class, .. } => Some(feed_hint(class)),
            Self::UnknownFeedColumn { .. } => Some(
                "name stored columns, each once; those that the feed adds come by themselves"
                    .to_owned(),
            ),
            Self::InvalidFeedPredicate { .. } => Some(
                "write an expression of SQL over the feed's columns that is true or false"
                    .to_owned(),
            ),
            Self::ConflictingFeeds { .. } => {
                Some("read the other window in a session of its own".to_owned())
            }
            Self::FeedNotConfigured { .. } => Some("say from which version on".to_owned()),
            Self::FeedRequired { source, .. } => source.hint(),
            _ => None,
        }
    }

    pub(crate) fn delta(doing: &'static str) -> impl FnOnce(DeltaTableError) -> Self {
        move |source| Self::Delta {
            doing,
            source: Box::new(source),
        }
    }

    pub(crate) fn engine(doing: &'static str) -> impl FnOnce(DataFusionError) -> Self {
        move |source| Self::Engine {
            doing,
            source: Box::new(source),
        }
    }
}

fn feed_code(class: &FeedClass) -> &'static str {
    match class {
        FeedClass::Ok | FeedClass::Empty => "feed_readable",
        FeedClass::Gap { .. } => "feed_gap",
        FeedClass::Disabled { .. } => "feed_disabled",
        FeedClass::Vacuumed { .. } => "feed_vacuumed",
        FeedClass::OutOfRange { .. } => "feed_out_of_range",
        FeedClass::SchemaChanged { .. } => "feed_schema_changed",
    }
}

/// What was found in the place of what is wanted.
fn feed_reason(class: &FeedClass) -> String {
    match class {
        FeedClass::Ok | FeedClass::Empty => "nothing is wrong with it".to_owned(),
        FeedClass::Gap { missing } => {
            format!("wanted the log of every version, and that of {missing} was cleaned up")
        }
        FeedClass::Disabled { at, .. } => {
            format!("wanted changes recorded in every version, and in {at} they are not")
        }
        FeedClass::Vacuumed { at, path } => {
            format!("wanted the file `{path}` with changes of {at}, and it is gone")
        }
        FeedClass::OutOfRange { from, to, newest } => match (from, to) {
            (Some(from), Some(to)) => format!("wanted {from} to {to}, and found v0 to {newest}"),
            (None, _) => format!("it would begin after the newest version, {newest}"),
            (_, None) => "it would end before the oldest version".to_owned(),
        },
        FeedClass::SchemaChanged { at, change } => {
            format!("wanted rows of one kind, and {at} made a change of columns: {change}")
        }
    }
}

fn feed_hint(class: &FeedClass) -> String {
    const WHOLE: &str = "read the whole table once, and its feed from then on";
    match class {
        FeedClass::Ok | FeedClass::Empty => "open the window".to_owned(),
        FeedClass::Gap { .. } => format!("{WHOLE}; keep logs for longer"),
        FeedClass::Vacuumed { .. } => format!("{WHOLE}; keep removed files for longer"),
        FeedClass::Disabled {
            enabled_since: Some(since),
            ..
        } => format!("start at {since}, or {WHOLE}"),
        FeedClass::Disabled { .. } => {
            format!("switch the change feed on by the policy's `change_feed`; {WHOLE}")
        }
        FeedClass::OutOfRange { newest, .. } => {
            format!(
                "ask for versions from v0 to {newest}, the first one first; or allow windows that are out of range"
            )
        }
        FeedClass::SchemaChanged { at, .. } => {
            format!("end before {at}, or {WHOLE}")
        }
    }
}

fn lines(reasons: &[impl std::fmt::Display]) -> String {
    reasons
        .iter()
        .fold(String::new(), |text, reason| format!("{text}\n  {reason}"))
}
