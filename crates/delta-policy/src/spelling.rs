//! How overrides are spelled in configuration files.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use ossature_schema_spec::ColumnName;
use serde::Deserialize;

use crate::{
    DeltaFeature, Error, Errors, Override, PolicyOverrides, Retention, SchemaMode, StatsPolicy,
};

/// A table of a configuration file. Everything that is not a field of it is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyTable {
    rows_per_file_max: Option<NonZeroU64>,
    statistics: Option<StatsSpelling>,
    schema_mode: Option<ModeSpelling>,
    features: Option<Vec<String>>,
    change_feed: Option<bool>,
    checkpoint_commits_interval: Option<NonZeroU32>,
    log_retention_days: Option<u32>,
    deleted_file_retention_days: Option<u32>,
    properties: Option<BTreeMap<String, String>>,
    /// The fields that go back to their defaults.
    #[serde(default)]
    default: BTreeSet<Field>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatsSpelling {
    Off,
    Explicit(Vec<String>),
    Auto(u32),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ModeSpelling {
    Strict,
    Additive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Field {
    RowsPerFileMax,
    Statistics,
    SchemaMode,
    Features,
    ChangeFeed,
    CheckpointCommitsInterval,
    LogRetentionDays,
    DeletedFileRetentionDays,
    Properties,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::RowsPerFileMax => "rows_per_file_max",
            Self::Statistics => "statistics",
            Self::SchemaMode => "schema_mode",
            Self::Features => "features",
            Self::ChangeFeed => "change_feed",
            Self::CheckpointCommitsInterval => "checkpoint_commits_interval",
            Self::LogRetentionDays => "log_retention_days",
            Self::DeletedFileRetentionDays => "deleted_file_retention_days",
            Self::Properties => "properties",
        }
    }
}

impl TryFrom<PolicyTable> for PolicyOverrides {
    type Error = Errors;

    fn try_from(table: PolicyTable) -> Result<Self, Errors> {
        let mut reader = Reader {
            cleared: table.default,
            errors: Vec::new(),
        };
        let overrides = Self {
            rows_per_file_max: reader.field(Field::RowsPerFileMax, table.rows_per_file_max, Ok),
            statistics: reader.field(Field::Statistics, table.statistics, read_statistics),
            schema_mode: reader.field(Field::SchemaMode, table.schema_mode, |mode| {
                Ok(match mode {
                    ModeSpelling::Strict => SchemaMode::Strict,
                    ModeSpelling::Additive => SchemaMode::Additive,
                })
            }),
            features: reader.field(Field::Features, table.features, |names| {
                names.into_iter().map(read_feature).collect()
            }),
            change_feed: reader.field(Field::ChangeFeed, table.change_feed, Ok),
            checkpoint_commits_interval: reader.field(
                Field::CheckpointCommitsInterval,
                table.checkpoint_commits_interval,
                Ok,
            ),
            log_retention: reader.field(
                Field::LogRetentionDays,
                table.log_retention_days,
                Retention::try_days,
            ),
            deleted_file_retention: reader.field(
                Field::DeletedFileRetentionDays,
                table.deleted_file_retention_days,
                Retention::try_days,
            ),
            properties: reader.field(Field::Properties, table.properties, Ok),
            ..Self::default()
        };
        Errors::none_or(reader.errors, overrides)
    }
}

/// Collects what is wrong while fields are read.
struct Reader {
    cleared: BTreeSet<Field>,
    errors: Vec<Error>,
}

impl Reader {
    fn field<S, T>(
        &mut self,
        field: Field,
        spelled: Option<S>,
        read: impl FnOnce(S) -> Result<T, Error>,
    ) -> Override<T> {
        let is_cleared = self.cleared.contains(&field);
        match spelled {
            Some(_) if is_cleared => {
                self.errors.push(Error::SetAndCleared {
                    field: field.name(),
                });
                Override::Clear
            }
            Some(spelled) => match read(spelled) {
                Ok(value) => Override::Set(value),
                Err(error) => {
                    self.errors.push(error);
                    Override::Inherit
                }
            },
            None if is_cleared => Override::Clear,
            None => Override::Inherit,
        }
    }
}

fn read_statistics(spelled: StatsSpelling) -> Result<StatsPolicy, Error> {
    Ok(match spelled {
        StatsSpelling::Off => StatsPolicy::Off,
        StatsSpelling::Auto(columns_max) => StatsPolicy::Auto { columns_max },
        StatsSpelling::Explicit(names) => StatsPolicy::Explicit(
            names
                .iter()
                .map(|name| ColumnName::try_new(name))
                .collect::<Result<_, _>>()
                .map_err(|source| Error::InvalidColumnName(Box::new(source)))?,
        ),
    })
}

fn read_feature(found: String) -> Result<DeltaFeature, Error> {
    DeltaFeature::from_name(&found).ok_or(Error::UnknownFeature { found })
}

#[cfg(test)]
mod tests;
