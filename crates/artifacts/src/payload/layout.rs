//! How the files of a version are encoded.

use ossature_schema_spec::{BloomFilter, ColumnLayout, ColumnName, ParquetSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the files of a version are encoded, as its contract declares it. The writer compares every footer with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayoutV1 {
    /// How pages are compressed: `uncompressed`, `snappy` or `zstd(<level>)`.
    pub compression: String,
    /// Rows in a row group, at the most.
    pub row_group_rows_max: u32,
    /// Rows in a page, at the most.
    pub page_rows_max: u32,
    /// Columns that differ from what their type and place suggest, ordered by name.
    pub columns: Vec<ColumnLayoutV1>,
}

/// What is particular to one column; what is absent follows from its type and its place in the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnLayoutV1 {
    /// The column.
    pub column: String,
    /// The encoding, as Parquet spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// How finely the smallest and largest values are kept: `none`, `row_group` or `page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<String>,
    /// A bloom filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bloom_filter: Option<BloomFilterV1>,
}

/// A bloom filter on one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BloomFilterV1 {
    /// How many different values a row group holds at the most.
    pub distinct_values_max: u64,
    /// How many absent values in a million may seem present.
    pub false_positives_per_million: u32,
}

impl From<&ParquetSpec> for LayoutV1 {
    fn from(spec: &ParquetSpec) -> Self {
        let ParquetSpec {
            codec,
            row_group_rows_max,
            page_rows_max,
            columns,
            ..
        } = spec;
        let column = |(name, layout): (&ColumnName, &ColumnLayout)| {
            let ColumnLayout {
                encoding,
                statistics,
                bloom_filter,
                ..
            } = layout;
            ColumnLayoutV1 {
                column: name.to_string(),
                encoding: encoding.map(|encoding| encoding.as_str().to_owned()),
                statistics: statistics.map(|statistics| statistics.as_str().to_owned()),
                bloom_filter: bloom_filter.map(BloomFilterV1::from),
            }
        };
        Self {
            compression: codec.to_string(),
            row_group_rows_max: *row_group_rows_max,
            page_rows_max: *page_rows_max,
            columns: columns.iter().map(column).collect(),
        }
    }
}

impl From<BloomFilter> for BloomFilterV1 {
    fn from(filter: BloomFilter) -> Self {
        let BloomFilter {
            distinct_values_max,
            false_positives_per_million,
        } = filter;
        Self {
            distinct_values_max,
            false_positives_per_million,
        }
    }
}
