//! Values with the place they were decided at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use serde::Deserialize;

use crate::spelling::PolicyTable;
use crate::{DeltaFeature, Retention, SchemaMode, StatsPolicy};

/// What one place says about one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Override<T> {
    /// Nothing: the next place decides.
    #[default]
    Inherit,
    /// Back to the default, whatever the next places say. For sets and maps that is the empty one.
    Clear,
    /// This value.
    Set(T),
}

/// Who decided a value, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PolicyTable")]
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
}

impl PolicyOverrides {
    /// Overrides nothing.
    pub fn none() -> Self {
        Self::default()
    }
}
