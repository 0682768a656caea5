//! The statistics of one file, as the log keeps them: taken from the footer, in a fixed order of keys.

use std::collections::BTreeMap;

use ossature_schema_spec::ColumnName;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Value, json};

/// Renders row count, exact bounds and null counts of `columns`.
///
/// A bound that is not exact (a text that was cut) is left out: readers would take it for exact.
pub(crate) fn render_statistics(footer: &ParquetMetaData, columns: &[ColumnName]) -> String {
    let mut smallest = BTreeMap::new();
    let mut largest = BTreeMap::new();
    let mut nulls = BTreeMap::new();
    for name in columns {
        if let Some(bounds) = Bounds::of(footer, name) {
            nulls.insert(name.as_str(), bounds.nulls);
            if let Some((low, high)) = bounds.low.zip(bounds.high) {
                smallest.insert(name.as_str(), low.to_json());
                largest.insert(name.as_str(), high.to_json());
            }
        }
    }
    // Every map here is ordered by key, whatever the features that serde_json was built with.
    let statistics: BTreeMap<&str, Value> = [
        ("maxValues", json!(largest)),
        ("minValues", json!(smallest)),
        ("nullCount", json!(nulls)),
        ("numRecords", json!(footer.file_metadata().num_rows())),
    ]
    .into();
    json!(statistics).to_string()
}

/// An exact bound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    Integer(i64),
    Text(String),
}

impl Bound {
    fn to_json(&self) -> Value {
        match self {
            Self::Integer(value) => json!(value),
            Self::Text(value) => json!(value),
        }
    }
}

struct Bounds {
    low: Option<Bound>,
    high: Option<Bound>,
    nulls: u64,
}

impl Bounds {
    /// Joins the bounds of all row groups; `None` when one of them keeps no null count.
    fn of(footer: &ParquetMetaData, name: &ColumnName) -> Option<Self> {
        let mut joined: Option<Self> = None;
        for group in footer.row_groups() {
            let column = group.columns().iter().find(|column| {
                let parts = column.column_path().parts();
                parts.len() == 1 && parts[0] == name.as_str()
            })?;
            let statistics = column.statistics()?;
            let nulls = statistics.null_count_opt()?;
            let all_null = nulls == u64::try_from(column.num_values()).ok()?;
            let here = exact_bounds(statistics);
            joined = Some(match joined {
                None => {
                    let (low, high) = here.unzip();
                    Self { low, high, nulls }
                }
                // A group of nulls has no bounds and changes none.
                Some(so_far) if all_null => Self {
                    nulls: so_far.nulls + nulls,
                    ..so_far
                },
                Some(so_far) => {
                    let (low, high) = here.unzip();
                    let first = so_far.low.is_none() && so_far.nulls > 0 && so_far.high.is_none();
                    Self {
                        low: join(so_far.low, low, first, std::cmp::min),
                        high: join(so_far.high, high, first, std::cmp::max),
                        nulls: so_far.nulls + nulls,
                    }
                }
            });
        }
        joined
    }
}

/// A bound that is unknown in one group is unknown in the file, unless no group before had values.
fn join(
    so_far: Option<Bound>,
    here: Option<Bound>,
    first: bool,
    choose: fn(Bound, Bound) -> Bound,
) -> Option<Bound> {
    match (so_far, here) {
        (Some(a), Some(b)) => Some(choose(a, b)),
        (None, here) if first => here,
        _ => None,
    }
}

fn exact_bounds(statistics: &Statistics) -> Option<(Bound, Bound)> {
    if !(statistics.min_is_exact() && statistics.max_is_exact()) {
        return None;
    }
    match statistics {
        Statistics::Int32(values) => {
            let bound = |value: &i32| Bound::Integer(i64::from(*value));
            Some((bound(values.min_opt()?), bound(values.max_opt()?)))
        }
        Statistics::Int64(values) => {
            let bound = |value: &i64| Bound::Integer(*value);
            Some((bound(values.min_opt()?), bound(values.max_opt()?)))
        }
        Statistics::ByteArray(_) => {
            let bound = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().map(Bound::Text);
            Some((
                bound(statistics.min_bytes_opt()?)?,
                bound(statistics.max_bytes_opt()?)?,
            ))
        }
        _ => None,
    }
}
