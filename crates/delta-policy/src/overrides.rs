//! Values with the place they were decided at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use ossature_schema_spec::{BloomFilter, Codec, ColumnName, DatasetName, Encoding, PageStatistics};
use serde::{Deserialize, Serialize};

use crate::{ColumnMapping, Compaction, DeltaFeature, Retention, SchemaMode, StatsPolicy, Vacuum};

/// What one place says about one field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Override<T> {
    /// Nothing: the next place decides.
    #[default]
    Inherit,
    /// Back to the default, whatever the next places say. For sets and maps that is the empty one.
    Clear,
    /// This value.
    Set(T),
}

impl<T> Override<T> {
    /// What the same place says about a part of the value.
    pub(crate) fn part<U>(&self, part: impl FnOnce(&T) -> Override<U>) -> Override<U> {
        match self {
            Self::Inherit => Override::Inherit,
            Self::Clear => Override::Clear,
            Self::Set(value) => part(value),
        }
    }
}

/// Who decided a value, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The request: a run's configuration or a command line.
    Request,
    /// The location that the table lives at.
    Location,
    /// The dataset's declaration.
    Dataset,
    /// Nobody: [`DEFAULTS`](crate::DEFAULTS).
    Default,
}

impl Source {
    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Location => "location",
            Self::Dataset => "dataset",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value and who decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided<T> {
    /// The value.
    pub value: T,
    /// Who decided it.
    pub source: Source,
}

impl<T> Decided<T> {
    /// The same decision about something that follows from the value.
    pub(crate) fn map<U>(self, follow: impl FnOnce(T) -> U) -> Decided<U> {
        Decided {
            value: follow(self.value),
            source: self.source,
        }
    }
}

/// Takes the first place that says something: the request, the location, the dataset, the default.
pub(crate) fn decide<T: Clone>(
    request: &Override<T>,
    location: &Override<T>,
    dataset: Option<&T>,
    default: T,
) -> Decided<T> {
    for (place, source) in [(request, Source::Request), (location, Source::Location)] {
        match place {
            Override::Inherit => {}
            Override::Clear => {
                return Decided {
                    value: default,
                    source,
                };
            }
            Override::Set(value) => {
                return Decided {
                    value: value.clone(),
                    source,
                };
            }
        }
    }
    match dataset {
        Some(value) => Decided {
            value: value.clone(),
            source: Source::Dataset,
        },
        None => Decided {
            value: default,
            source: Source::Default,
        },
    }
}

/// What a request or a location says about a table; says nothing unless told.
///
/// In configuration files a field that is left out says nothing, and the list `default` names the fields that go back to
/// their defaults. A name that is not known is an error.
///
/// ```
/// use ossature_delta_policy::{Override, PolicyOverrides, StatsPolicy};
/// let overrides: PolicyOverrides = toml::from_str(
///     r#"
///     statistics = { auto = 8 }
///     log_retention_days = 30
///     default = ["change_feed"]
///     "#,
/// )?;
/// assert_eq!(overrides.statistics, Override::Set(StatsPolicy::Auto { columns_max: 8 }));
/// assert_eq!(overrides.change_feed, Override::Clear);
/// assert_eq!(overrides.features, Override::Inherit);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyOverrides {
    /// How many rows a file holds at the most.
    pub rows_per_file_max: Override<NonZeroU64>,
    /// Which columns get statistics.
    pub statistics: Override<StatsPolicy>,
    /// How columns may change.
    pub schema_mode: Override<SchemaMode>,
    /// The table features, all of them: not in addition to those of the next place.
    pub features: Override<BTreeSet<DeltaFeature>>,
    /// Whether commits tell which rows they changed.
    pub change_feed: Override<bool>,
    /// After how many commits a checkpoint is written.
    pub checkpoint_commits_interval: Override<NonZeroU32>,
    /// How long the log of old versions is kept.
    pub log_retention: Override<Retention>,
    /// How long files are kept that only old versions use.
    pub deleted_file_retention: Override<Retention>,
    /// Other table properties, all of them: not in addition to those of the next place.
    pub properties: Override<BTreeMap<String, String>>,
    /// How files are encoded, field by field: what is left open here, the next place decides.
    pub parquet: Override<ParquetOverrides>,
    /// The columns that rows are clustered by.
    pub cluster_by: Override<Vec<ColumnName>>,
    /// The expressions that every row satisfies, all of them: not in addition to those of the next place.
    pub constraints: Override<BTreeMap<String, String>>,
    /// Whether the constraints are kept in the table.
    pub persist_constraints: Override<bool>,
    /// Under which names files keep the columns.
    pub column_mapping: Override<ColumnMapping>,
    /// Whether features may shut readers and writers out that do not know lists of features.
    pub allow_protocol_upgrade: Override<bool>,
    /// When small files are put together.
    pub compaction: Override<Compaction>,
    /// When files are deleted that no kept version uses.
    pub vacuum: Override<Vacuum>,
}

impl PolicyOverrides {
    /// Overrides nothing.
    pub fn none() -> Self {
        Self::default()
    }
}

/// What a request or a location says about the encoding of files; says nothing unless told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParquetOverrides {
    /// Compression of every page.
    pub codec: Override<Codec>,
    /// Rows in a row group, at the most.
    pub row_group_rows_max: Override<u32>,
    /// Rows in a page, at the most; behind a page that ended by its bytes, up to twice as many.
    pub page_rows_max: Override<u32>,
    /// The statistics inside files, of every column that says nothing else and whose type can have them.
    pub statistics: Override<PageStatistics>,
    /// What is particular to single columns.
    pub columns: BTreeMap<ColumnName, ColumnOverrides>,
}

/// What a request or a location says about the encoding of one column; says nothing unless told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ColumnOverrides {
    /// The encoding.
    pub encoding: Override<Encoding>,
    /// Whether a dictionary is tried, where the encoding is left to the type.
    pub dictionary: Override<bool>,
    /// The statistics inside files.
    pub statistics: Override<PageStatistics>,
    /// A bloom filter.
    pub bloom_filter: Override<BloomFilter>,
}

impl ParquetOverrides {
    /// Whether it says anything.
    pub(crate) fn is_silent(&self) -> bool {
        let Self {
            codec,
            row_group_rows_max,
            page_rows_max,
            statistics,
            columns,
        } = self;
        *codec == Override::Inherit
            && *row_group_rows_max == Override::Inherit
            && *page_rows_max == Override::Inherit
            && *statistics == Override::Inherit
            && columns
                .values()
                .all(|column| *column == ColumnOverrides::default())
    }
}

/// What a location and a request say about the tables of a lake; says nothing unless told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LakeOverrides {
    /// What holds for every table, at the location.
    pub location: PolicyOverrides,
    /// What the request says about single tables.
    pub tables: BTreeMap<DatasetName, PolicyOverrides>,
}

impl LakeOverrides {
    /// What the request says about a table.
    pub fn request(&self, dataset: &DatasetName) -> PolicyOverrides {
        self.tables.get(dataset).cloned().unwrap_or_default()
    }
}
