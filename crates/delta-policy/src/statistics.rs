//! Which columns get file statistics, and why the others do not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ossature_schema_spec::{ColumnName, ColumnType, DatasetSpec, PageStatistics};
use serde::{Deserialize, Serialize};

use crate::{Error, ParquetLayout, StatsPolicy};

/// Why a candidate gets no statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// The dataset has no such column: a plan may read more than it writes.
    NotInSchema,
    /// It is a partition column, whose values are in the log already.
    PartitionColumn,
    /// Its type has no smallest and largest value that are worth keeping: booleans, bytes, and nested types.
    UnsupportedType,
    /// It may hold NaN, which bounds leave out while queries order it above every number.
    MayHoldNan,
    /// The log would keep its bounds as doubles or in milliseconds, which are not exact: decimals and timestamps.
    NoExactBounds,
    /// Its layout keeps no statistics in files, so the log has none to copy, and absent null counts read as zero.
    NoFileStatistics,
    /// There were as many columns as allowed already.
    OverCap,
    /// The same list named it before.
    Duplicate,
}

impl DropReason {
    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotInSchema => "not_in_schema",
            Self::PartitionColumn => "partition_column",
            Self::UnsupportedType => "unsupported_type",
            Self::MayHoldNan => "may_hold_nan",
            Self::NoExactBounds => "no_exact_bounds",
            Self::NoFileStatistics => "no_file_statistics",
            Self::OverCap => "over_cap",
            Self::Duplicate => "duplicate",
        }
    }

    /// The reason in words, for whoever named the column.
    pub(crate) fn explain(self) -> &'static str {
        match self {
            Self::NotInSchema => "the dataset declares no such column",
            Self::PartitionColumn => "it is a partition column, whose values are in the log anyway",
            Self::UnsupportedType => "its type has no bounds that skip files",
            Self::MayHoldNan => "it may hold NaN, which bounds leave out",
            Self::NoExactBounds => "the log keeps no exact bounds of its type",
            Self::NoFileStatistics => "its layout keeps no statistics in files",
            Self::OverCap => "there are as many columns as allowed already",
            Self::Duplicate => "it is named twice",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A candidate that gets no statistics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// The column.
    pub column: ColumnName,
    /// Why.
    pub reason: DropReason,
}

/// A column that readers of a dataset keep, match or gather rows by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsedColumn {
    /// The column.
    pub column: ColumnName,
    /// How much depends on it; the larger, the more.
    pub score: u32,
    /// How it is used, each way with the names of those who use it so.
    pub roles: BTreeMap<String, BTreeSet<String>>,
}

/// Which columns get file statistics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StatsDecision {
    /// The policy that decided.
    pub policy: StatsPolicy,
    /// The columns, in schema order. Empty means that files tell how many rows they hold and nothing else.
    pub columns: Vec<ColumnName>,
    /// The other candidates, in the order in which they were considered.
    pub dropped: Vec<Dropped>,
    /// What was known of the readers: the columns that they use, the most important first. Of two that are as important the
    /// one that is declared first.
    #[serde(default)]
    pub used: Vec<UsedColumn>,
}

/// Picks the columns that get file statistics.
///
/// Candidates are filtered before they are counted, so that a column without statistics takes nobody's place. The order
/// in which `used` or the policy names columns changes nothing.
pub(crate) fn select(
    policy: StatsPolicy,
    dataset: &DatasetSpec,
    cluster_by: &[ColumnName],
    layout: &ParquetLayout,
    used: &[UsedColumn],
    errors: &mut Vec<Error>,
) -> StatsDecision {
    let used = ranked(dataset, used);
    let (candidates, columns_max) = match &policy {
        StatsPolicy::Off => (Vec::new(), 0),
        StatsPolicy::Explicit(columns) | StatsPolicy::ExplicitLenient(columns) => {
            (in_schema_order(dataset, columns), usize::MAX)
        }
        StatsPolicy::Auto { columns_max } => (
            likely_candidates(dataset, cluster_by, &used),
            usize::try_from(*columns_max).unwrap_or(usize::MAX),
        ),
    };
    let mut chosen = BTreeSet::new();
    let mut dropped = Vec::new();
    for (column, is_repeated) in candidates {
        let reason = if is_repeated {
            Some(DropReason::Duplicate)
        } else {
            unfit(dataset, layout, &column)
                .or((chosen.len() >= columns_max).then_some(DropReason::OverCap))
        };
        match reason {
            Some(reason) => dropped.push(Dropped { column, reason }),
            None => {
                chosen.insert(column);
            }
        }
    }
    if let StatsPolicy::Explicit(columns) = &policy {
        errors.extend(check_explicit(dataset, columns, &dropped));
    }
    let columns = dataset
        .columns()
        .iter()
        .map(|column| column.name().clone())
        .filter(|name| chosen.contains(name))
        .collect();
    StatsDecision {
        policy,
        columns,
        dropped,
        used,
    }
}

/// The used columns in the order of their importance, each once.
fn ranked(dataset: &DatasetSpec, used: &[UsedColumn]) -> Vec<UsedColumn> {
    let mut ranked = used.to_vec();
    ranked.sort_by_cached_key(|it| {
        let place = place(dataset, &it.column);
        (std::cmp::Reverse(it.score), place, it.clone())
    });
    let mut seen = BTreeSet::new();
    ranked.retain(|it| seen.insert(it.column.clone()));
    ranked
}

/// Where a dataset declares a column; behind all others what it does not declare.
fn place(dataset: &DatasetSpec, name: &ColumnName) -> usize {
    let columns = dataset.columns();
    let found = columns.iter().position(|column| column.name() == name);
    found.unwrap_or(usize::MAX)
}

/// A column that is named on purpose and gets none is a mistake.
fn check_explicit(
    dataset: &DatasetSpec,
    columns: &[ColumnName],
    dropped: &[Dropped],
) -> Vec<Error> {
    if columns.is_empty() {
        return vec![Error::NoStatisticsColumns {
            dataset: dataset.name().clone(),
        }];
    }
    let refused = dropped.iter().map(|dropped| {
        let (dataset, column) = (dataset.name().clone(), dropped.column.clone());
        match dropped.reason {
            DropReason::NotInSchema => Error::UnknownStatisticsColumn { dataset, column },
            reason => Error::StatisticsRefused {
                dataset,
                column,
                reason,
            },
        }
    });
    refused.collect()
}

/// Partition columns, clustering, order and key, then what readers use, the most important first. A column with several of these
/// roles is one candidate.
fn likely_candidates(
    dataset: &DatasetSpec,
    cluster_by: &[ColumnName],
    used: &[UsedColumn],
) -> Vec<(ColumnName, bool)> {
    let mut seen = BTreeSet::new();
    let order = dataset.order().iter().map(|key| &key.column);
    let declared = dataset
        .partition()
        .iter()
        .chain(cluster_by)
        .chain(order)
        .chain(dataset.key());
    let used = used.iter().map(|it| &it.column);
    declared
        .chain(used)
        .filter(|column| seen.insert(*column))
        .map(|column| (column.clone(), false))
        .collect()
}

/// The names in schema order, unknown ones last by name, and whether the list named one before.
fn in_schema_order(dataset: &DatasetSpec, names: &[ColumnName]) -> Vec<(ColumnName, bool)> {
    let mut sorted = names.to_vec();
    sorted.sort_by_cached_key(|name| (place(dataset, name), name.clone()));
    let mut previous = None;
    sorted
        .into_iter()
        .map(|name| {
            let is_repeated = previous.replace(name.clone()).is_some_and(|it| it == name);
            (name, is_repeated)
        })
        .collect()
}

fn unfit(dataset: &DatasetSpec, layout: &ParquetLayout, name: &ColumnName) -> Option<DropReason> {
    let Some(column) = dataset.column(name) else {
        return Some(DropReason::NotInSchema);
    };
    if dataset.partition().contains(name) {
        return Some(DropReason::PartitionColumn);
    }
    match column.column_type() {
        ColumnType::Float32 | ColumnType::Float64 => return Some(DropReason::MayHoldNan),
        ColumnType::Decimal { .. } | ColumnType::TimestampUtc | ColumnType::TimestampNtz => {
            return Some(DropReason::NoExactBounds);
        }
        other if !other.has_min_max() => return Some(DropReason::UnsupportedType),
        _ => {}
    }
    let leaf = layout
        .leaves
        .iter()
        .find(|leaf| leaf.path == [name.as_str()])?;
    (leaf.statistics == PageStatistics::None).then_some(DropReason::NoFileStatistics)
}

#[cfg(test)]
mod tests;
