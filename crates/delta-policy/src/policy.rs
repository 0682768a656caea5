//! What a dataset wants of its table, and what it gets when it wants nothing in particular.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use ossature_schema_spec::ColumnName;

use crate::{DeltaFeature, Error};

/// Which columns get a smallest and a largest value per file in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StatsPolicy {
    /// None; files still tell how many rows they hold.
    Off,
    /// These, however many. One that cannot have them is an error.
    Explicit(Vec<ColumnName>),
    /// These, however many, as far as they can have them; the others are recorded with the reason.
    ExplicitLenient(Vec<ColumnName>),
    /// Those that filters and joins are likely to use: partition columns, then the clustering or the order, the key, and
    /// the columns that the caller of `resolve` knows to be filtered and joined by.
    Auto {
        /// How many columns at the most.
        columns_max: u32,
    },
}

impl fmt::Display for StatsPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Explicit(columns) => {
                f.write_str("explicit")?;
                columns.iter().try_for_each(|column| write!(f, " {column}"))
            }
            Self::ExplicitLenient(columns) => {
                f.write_str("explicit, not strict")?;
                columns.iter().try_for_each(|column| write!(f, " {column}"))
            }
            Self::Auto { columns_max } => write!(f, "auto, at most {columns_max}"),
        }
    }
}

/// How a table's columns may come to differ from what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaMode {
    /// Not at all.
    Strict,
    /// Columns that may be null are added; old rows have null there.
    Additive,
    /// Any way, by a write that replaces every row.
    Replace,
}

impl SchemaMode {
    /// Every mode, the strictest first.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Additive, Self::Replace];

    /// The name in policies and artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Additive => "additive",
            Self::Replace => "replace",
        }
    }
}

impl fmt::Display for SchemaMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Under which names files keep the columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnMapping {
    /// Under their own names, which every reader knows.
    #[default]
    None,
    /// Under generated names, which the schema maps.
    Name,
    /// Under generated names, found by the number of the field.
    Id,
}

impl ColumnMapping {
    /// Every mapping.
    pub const ALL: [Self; 3] = [Self::None, Self::Name, Self::Id];

    /// The name in policies, artifacts and table properties.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Name => "name",
            Self::Id => "id",
        }
    }
}

impl fmt::Display for ColumnMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When the small files of a table are put together.
///
/// A file is small when it holds fewer than half of the rows that a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compaction {
    /// Never.
    Off,
    /// When there are too many.
    Auto {
        /// How many small files there may be, 1 to 100,000.
        small_files_max: u32,
    },
}

impl fmt::Display for Compaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Auto { small_files_max } => write!(f, "above {small_files_max} small files"),
        }
    }
}

/// When files that no kept version uses are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vacuum {
    /// Never.
    Off,
    /// So long after the last version that used them.
    After(Retention),
}

impl fmt::Display for Vacuum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::After(retention) => write!(f, "after {} days", retention.days()),
        }
    }
}

/// How long something that the table no longer needs is kept, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Retention(u32);

impl Retention {
    /// A hundred years: until maintenance, which knows what is pinned, decides otherwise.
    pub const UNTIL_MAINTENANCE: Self = Self(Self::DAYS_MAX);

    /// The longest retention. Engines compute in microseconds of 64 bits and overflow on much longer ones.
    const DAYS_MAX: u32 = 36_500;

    /// A number of days.
    ///
    /// **Errors**: [`Error::RetentionOutOfRange`] for none and for more than 36,500.
    pub fn try_days(days: u32) -> Result<Self, Error> {
        if (1..=Self::DAYS_MAX).contains(&days) {
            Ok(Self(days))
        } else {
            Err(Error::RetentionOutOfRange { days })
        }
    }

    /// The number of days.
    pub fn days(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Retention {
    /// As table properties spell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interval {} days", self.0)
    }
}

/// The values that hold where nobody decided anything. A policy with these values gives a table of reader version 1 and
/// writer version 2, which every reader of Delta tables opens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Defaults {
    /// 1,048,576 rows: eight row groups of the default size.
    pub rows_per_file_max: NonZeroU64,
    /// Chosen automatically, at most 32 columns.
    pub statistics: StatsPolicy,
    /// Strict.
    pub schema_mode: SchemaMode,
    /// Every 10 commits: opening a table costs about 0.3 ms for every commit after its checkpoint.
    pub checkpoint_commits_interval: NonZeroU32,
    /// Until maintenance decides: published runs pin versions, and a version whose log is gone cannot be opened.
    pub log_retention: Retention,
    /// Until maintenance decides: another engine's vacuum would otherwise remove files of pinned versions after a week.
    /// The price is a tombstone for every replaced file in every checkpoint.
    pub deleted_file_retention: Retention,
    /// No change feed.
    pub change_feed: bool,
    /// Constraints are evaluated by the writer and not kept in the table, which would raise the writer version to 3.
    pub persist_constraints: bool,
    /// Columns have one name.
    pub column_mapping: ColumnMapping,
    /// Not allowed.
    pub allow_protocol_upgrade: bool,
    /// Above eight small files.
    pub compaction: Compaction,
    /// Never: published runs pin versions.
    pub vacuum: Vacuum,
}

/// The values that hold where nobody decided anything.
pub const DEFAULTS: Defaults = Defaults {
    rows_per_file_max: NonZeroU64::MIN.saturating_add(1_048_575),
    statistics: StatsPolicy::Auto { columns_max: 32 },
    schema_mode: SchemaMode::Strict,
    checkpoint_commits_interval: NonZeroU32::MIN.saturating_add(9),
    log_retention: Retention::UNTIL_MAINTENANCE,
    deleted_file_retention: Retention::UNTIL_MAINTENANCE,
    change_feed: false,
    persist_constraints: false,
    column_mapping: ColumnMapping::None,
    allow_protocol_upgrade: false,
    compaction: Compaction::Auto { small_files_max: 8 },
    vacuum: Vacuum::Off,
};

/// What a dataset wants of its table. What it leaves out is as [`DEFAULTS`] says. How files are encoded is part of the
/// dataset itself: [`DatasetSpec::parquet`](ossature_schema_spec::DatasetSpec::parquet).
///
/// ```
/// use ossature_delta_policy::{DeltaFeature, SchemaMode, TablePolicy};
/// let journal = TablePolicy::default()
///     .schema_mode(SchemaMode::Additive)
///     .features([DeltaFeature::AppendOnly]);
/// assert_ne!(journal, TablePolicy::default());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablePolicy {
    pub(crate) rows_per_file_max: Option<NonZeroU64>,
    pub(crate) statistics: Option<StatsPolicy>,
    pub(crate) schema_mode: Option<SchemaMode>,
    pub(crate) features: Option<BTreeSet<DeltaFeature>>,
    pub(crate) change_feed: Option<bool>,
    pub(crate) checkpoint_commits_interval: Option<NonZeroU32>,
    pub(crate) log_retention: Option<Retention>,
    pub(crate) deleted_file_retention: Option<Retention>,
    pub(crate) properties: Option<BTreeMap<String, String>>,
    pub(crate) cluster_by: Option<Vec<ColumnName>>,
    pub(crate) constraints: Option<BTreeMap<String, String>>,
    pub(crate) persist_constraints: Option<bool>,
    pub(crate) column_mapping: Option<ColumnMapping>,
    pub(crate) allow_protocol_upgrade: Option<bool>,
    pub(crate) compaction: Option<Compaction>,
    pub(crate) vacuum: Option<Vacuum>,
}

impl TablePolicy {
    /// Cuts files after at most so many rows.
    #[must_use]
    pub fn rows_per_file_max(mut self, rows: NonZeroU64) -> Self {
        self.rows_per_file_max = Some(rows);
        self
    }

    /// Keeps statistics of these columns.
    #[must_use]
    pub fn statistics(mut self, statistics: StatsPolicy) -> Self {
        self.statistics = Some(statistics);
        self
    }

    /// Lets the table's columns change like this.
    #[must_use]
    pub fn schema_mode(mut self, mode: SchemaMode) -> Self {
        self.schema_mode = Some(mode);
        self
    }

    /// Asks for table features, besides those that follow from columns and from other fields.
    #[must_use]
    pub fn features(mut self, features: impl IntoIterator<Item = DeltaFeature>) -> Self {
        self.features = Some(features.into_iter().collect());
        self
    }

    /// Records which rows every commit changed; raises the writer version to 4.
    #[must_use]
    pub fn change_feed(mut self, is_on: bool) -> Self {
        self.change_feed = Some(is_on);
        self
    }

    /// Writes a checkpoint after so many commits.
    #[must_use]
    pub fn checkpoint_commits_interval(mut self, commits: NonZeroU32) -> Self {
        self.checkpoint_commits_interval = Some(commits);
        self
    }

    /// Keeps the log of old versions so long.
    #[must_use]
    pub fn log_retention(mut self, retention: Retention) -> Self {
        self.log_retention = Some(retention);
        self
    }

    /// Keeps files that only old versions use so long.
    #[must_use]
    pub fn deleted_file_retention(mut self, retention: Retention) -> Self {
        self.deleted_file_retention = Some(retention);
        self
    }

    /// Sets table properties that no other field decides, such as `delta.isolationLevel`.
    #[must_use]
    pub fn properties<'a>(
        mut self,
        properties: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        self.properties = Some(
            properties
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        );
        self
    }

    /// Brings rows together that agree in these columns, two to eight of them, for a dataset without an order.
    #[must_use]
    pub fn cluster_by(mut self, columns: impl IntoIterator<Item = ColumnName>) -> Self {
        self.cluster_by = Some(columns.into_iter().collect());
        self
    }

    /// Lets every row satisfy these expressions of SQL, by name.
    #[must_use]
    pub fn constraints<'a>(
        mut self,
        constraints: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        self.constraints = Some(
            constraints
                .into_iter()
                .map(|(name, expression)| (name.to_owned(), expression.to_owned()))
                .collect(),
        );
        self
    }

    /// Keeps the constraints in the table, so that other writers evaluate them too; raises the writer version to 3.
    #[must_use]
    pub fn persist_constraints(mut self, is_on: bool) -> Self {
        self.persist_constraints = Some(is_on);
        self
    }

    /// Keeps columns under other names in files; possible only for a table that is yet to be created.
    #[must_use]
    pub fn column_mapping(mut self, mapping: ColumnMapping) -> Self {
        self.column_mapping = Some(mapping);
        self
    }

    /// Lets features in that shut readers and writers out which do not know lists of features (reader 3, writer 7).
    #[must_use]
    pub fn allow_protocol_upgrade(mut self, is_allowed: bool) -> Self {
        self.allow_protocol_upgrade = Some(is_allowed);
        self
    }

    /// Puts small files together.
    #[must_use]
    pub fn compaction(mut self, compaction: Compaction) -> Self {
        self.compaction = Some(compaction);
        self
    }

    /// Deletes files that no kept version uses.
    #[must_use]
    pub fn vacuum(mut self, vacuum: Vacuum) -> Self {
        self.vacuum = Some(vacuum);
        self
    }
}
