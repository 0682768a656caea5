//! The statistics of one file, as the log keeps them: taken from the footer, in a fixed order of keys.

use std::collections::BTreeMap;

use arrow_array::types::Date32Type;
use ossature_schema_spec::{ColumnName, ColumnType, DatasetSpec};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Value, json};

/// The columns of a table that the log keeps statistics of.
#[derive(Debug)]
pub(crate) struct StatisticsColumns(Vec<(ColumnName, Option<BoundKind>)>);

impl StatisticsColumns {
    /// Those of `columns` that the contract declares.
    pub(crate) fn new(contract: &DatasetSpec, columns: &[ColumnName]) -> Self {
        let declared = columns.iter().filter_map(|name| contract.column(name));
        let kinds = declared.map(|column| {
            let kind = BoundKind::of(column.column_type());
            (column.name().clone(), kind)
        });
        Self(kinds.collect())
    }

    /// Renders row count, exact bounds and null counts.
    ///
    /// A bound that is not exact (a text that was cut) is left out: readers would take it for exact.
    pub(crate) fn render(&self, footer: &ParquetMetaData) -> String {
        let mut smallest = BTreeMap::new();
        let mut largest = BTreeMap::new();
        let mut nulls = BTreeMap::new();
        for (name, kind) in &self.0 {
            if let Some(column) = ColumnStatistics::of(footer, name, *kind) {
                nulls.insert(name.as_str(), column.nulls);
                if let Range::Known(low, high) = column.range {
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
}

/// How a column's bounds are spelled in the log.
///
/// The declared type decides, because files store a date, a decimal and a time as the same integers. Decimals and times
/// have none: readers go through doubles and milliseconds, which are not exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BoundKind {
    Integer,
    Date,
    Text,
}

impl BoundKind {
    fn of(column_type: &ColumnType) -> Option<Self> {
        match column_type {
            ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => {
                Some(Self::Integer)
            }
            ColumnType::Date => Some(Self::Date),
            ColumnType::Utf8 => Some(Self::Text),
            _ => None,
        }
    }

    fn range(self, statistics: &Statistics) -> Option<Range> {
        if !(statistics.min_is_exact() && statistics.max_is_exact()) {
            return None;
        }
        match (self, statistics) {
            (Self::Integer, Statistics::Int32(values)) => {
                let bound = |value: &i32| Bound::Integer(i64::from(*value));
                Some(Range::Known(
                    bound(values.min_opt()?),
                    bound(values.max_opt()?),
                ))
            }
            (Self::Integer, Statistics::Int64(values)) => {
                let bound = |value: &i64| Bound::Integer(*value);
                Some(Range::Known(
                    bound(values.min_opt()?),
                    bound(values.max_opt()?),
                ))
            }
            (Self::Date, Statistics::Int32(values)) => Some(Range::Known(
                date(*values.min_opt()?)?,
                date(*values.max_opt()?)?,
            )),
            (Self::Text, Statistics::ByteArray(_)) => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok().map(Bound::Text);
                let (low, high) = statistics.min_bytes_opt().zip(statistics.max_bytes_opt())?;
                Some(Range::Known(text(low)?, text(high)?))
            }
            _ => None,
        }
    }
}

/// A date as the log spells it, whose texts are ordered as the dates are; `None` for years that need a sign or more
/// than four digits.
fn date(days: i32) -> Option<Bound> {
    let text = Date32Type::to_naive_date_opt(days)?.to_string();
    (text.len() == "yyyy-mm-dd".len()).then_some(Bound::Text(text))
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

/// What is known of the values of some row groups.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// There are none, only nulls.
    Empty,
    /// They lie between these, which occur.
    Known(Bound, Bound),
    /// Nothing.
    Unknown,
}

impl Range {
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Empty, range) | (range, Self::Empty) => range,
            (Self::Known(low, high), Self::Known(other_low, other_high)) => {
                Self::Known(low.min(other_low), high.max(other_high))
            }
            _ => Self::Unknown,
        }
    }
}

struct ColumnStatistics {
    range: Range,
    nulls: u64,
}

impl ColumnStatistics {
    /// Joins what all row groups say; `None` when one of them keeps no null count.
    fn of(footer: &ParquetMetaData, name: &ColumnName, kind: Option<BoundKind>) -> Option<Self> {
        let mut joined = Self {
            range: Range::Empty,
            nulls: 0,
        };
        for group in footer.row_groups() {
            let column = group.columns().iter().find(|column| {
                let parts = column.column_path().parts();
                parts.len() == 1 && parts[0] == name.as_str()
            })?;
            let statistics = column.statistics()?;
            let nulls = statistics.null_count_opt()?;
            let range = if nulls == u64::try_from(column.num_values()).ok()? {
                Range::Empty
            } else {
                kind.and_then(|kind| kind.range(statistics))
                    .unwrap_or(Range::Unknown)
            };
            joined = Self {
                range: joined.range.join(range),
                nulls: joined.nulls + nulls,
            };
        }
        Some(joined)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Date32Array, Decimal128Array, Int16Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    };
    use ossature_delta_policy::{Override, resolve_layout};
    use ossature_schema_spec::{ColumnSpec, ParquetSpec};

    use super::*;
    use crate::encode::FileEncoder;

    /// The log's statistics of one column, written in row groups of two rows.
    #[track_caller]
    fn check(column_type: ColumnType, values: ArrayRef, want: &Value) {
        let contract = DatasetSpec::builder("cpg.things", "")
            .column(ColumnSpec::nullable("c", column_type).unwrap())
            .parquet(ParquetSpec {
                row_group_rows_max: 2,
                ..ParquetSpec::default()
            })
            .build()
            .unwrap();
        let schema = contract.arrow_schema();
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![values]).unwrap();
        let layout = resolve_layout(&contract, &[], &Override::Inherit, &Override::Inherit);
        let layout = layout.unwrap().value;
        let encoder = FileEncoder::try_new("cpg.things", schema, layout, Vec::new()).unwrap();
        let file = encoder.encode(vec![batch]).unwrap();
        let columns = StatisticsColumns::new(&contract, &[contract.columns()[0].name().clone()]);
        let found: Value = serde_json::from_str(&columns.render(&file.footer)).unwrap();
        assert_eq!(found, *want);
    }

    fn bounds(low: &Value, high: &Value, nulls: u64, rows: u64) -> Value {
        json!({
            "minValues": {"c": low}, "maxValues": {"c": high}, "nullCount": {"c": nulls}, "numRecords": rows,
        })
    }

    fn no_bounds(nulls: u64, rows: u64) -> Value {
        json!({"minValues": {}, "maxValues": {}, "nullCount": {"c": nulls}, "numRecords": rows})
    }

    #[test]
    fn integers_and_texts_are_bounded_by_their_values() {
        let small = Int16Array::from(vec![Some(3), None, Some(-4), Some(300)]);
        let want = bounds(&json!(-4), &json!(300), 1, 4);
        check(ColumnType::Int16, Arc::new(small), &want);
        let text = StringArray::from(vec![Some("b"), Some("ü"), Some("a")]);
        let want = bounds(&json!("a"), &json!("ü"), 0, 3);
        check(ColumnType::Utf8, Arc::new(text), &want);
    }

    #[test]
    fn dates_are_spelled_as_the_log_spells_them() {
        let days = Date32Array::from(vec![Some(19_782), None, Some(-1)]);
        let want = bounds(&json!("1969-12-31"), &json!("2024-02-29"), 1, 3);
        check(ColumnType::Date, Arc::new(days), &want);
        // Behind the year 9999.
        let far = Date32Array::from(vec![0, 3_652_059]);
        check(ColumnType::Date, Arc::new(far), &no_bounds(0, 2));
    }

    #[test]
    fn decimals_and_times_are_counted_and_not_bounded() {
        let money = ColumnType::Decimal {
            precision: 10,
            scale: 2,
        };
        let prices = Decimal128Array::from(vec![Some(150), None, Some(-5)]);
        let prices = prices.with_precision_and_scale(10, 2).unwrap();
        check(money, Arc::new(prices), &no_bounds(1, 3));
        let times = TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC");
        check(ColumnType::TimestampUtc, Arc::new(times), &no_bounds(0, 2));
    }

    #[test]
    fn a_text_that_is_cut_leaves_no_bounds_whatever_follows() {
        let long = "x".repeat(100);
        let cut_first = StringArray::from(vec![Some(long.as_str()), None, Some("a"), Some("b")]);
        check(ColumnType::Utf8, Arc::new(cut_first), &no_bounds(1, 4));
        let cut_last = StringArray::from(vec![Some("a"), None, Some(long.as_str())]);
        check(ColumnType::Utf8, Arc::new(cut_last), &no_bounds(1, 3));
    }

    #[test]
    fn nulls_change_no_bounds() {
        let text = StringArray::from(vec![None, None, Some("a"), Some("b"), None]);
        let want = bounds(&json!("a"), &json!("b"), 3, 5);
        check(ColumnType::Utf8, Arc::new(text), &want);
        let nothing = StringArray::from(vec![None::<&str>; 3]);
        check(ColumnType::Utf8, Arc::new(nothing), &no_bounds(3, 3));
    }
}
