//! How the files of a version are encoded.

use ossature_delta_policy::{LeafLayout, ParquetLayout};
use ossature_schema_spec::BloomFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::decided;
use crate::DecidedV1;

/// How the files of a version are encoded. The writer compares every footer with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayoutV1 {
    /// How pages are compressed: `uncompressed`, `snappy` or `zstd(<level>)`.
    pub compression: DecidedV1<String>,
    /// Rows in a row group, at the most.
    pub row_group_rows_max: DecidedV1<u32>,
    /// Rows in a page, at the most; behind a page that ended by its bytes, up to twice as many.
    pub page_rows_max: DecidedV1<u32>,
    /// The leaves of the columns in schema order; partition columns are in no file.
    pub leaves: Vec<LeafLayoutV1>,
}

/// How one leaf column is encoded, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeafLayoutV1 {
    /// The path in the file's schema: the column, then what it is made of.
    pub path: Vec<String>,
    /// The encoding, as Parquet spells it.
    pub encoding: String,
    /// Why that encoding, as a stable identifier.
    pub encoding_reason: String,
    /// How finely the smallest and largest values are kept: `none`, `row_group` or `page`.
    pub statistics: String,
    /// Why those statistics, as a stable identifier.
    pub statistics_reason: String,
    /// A bloom filter, and who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bloom_filter: Option<DecidedV1<BloomFilterV1>>,
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

impl From<&ParquetLayout> for LayoutV1 {
    fn from(layout: &ParquetLayout) -> Self {
        // The type is open to new fields, so `..` has to stand here; the policy's digest covers what it hides.
        let ParquetLayout {
            codec,
            codec_source,
            row_group_rows_max,
            row_group_rows_max_source,
            page_rows_max,
            page_rows_max_source,
            leaves,
            ..
        } = layout;
        Self {
            compression: decided(codec.to_string(), *codec_source),
            row_group_rows_max: decided(*row_group_rows_max, *row_group_rows_max_source),
            page_rows_max: decided(*page_rows_max, *page_rows_max_source),
            leaves: leaves.iter().map(LeafLayoutV1::from).collect(),
        }
    }
}

impl From<&LeafLayout> for LeafLayoutV1 {
    fn from(leaf: &LeafLayout) -> Self {
        let LeafLayout {
            path,
            encoding,
            encoding_reason,
            statistics,
            statistics_reason,
            bloom_filter,
            bloom_filter_source,
            ..
        } = leaf;
        let filter = bloom_filter.map(BloomFilterV1::from);
        Self {
            path: path.clone(),
            encoding: encoding.as_str().to_owned(),
            encoding_reason: encoding_reason.as_str().to_owned(),
            statistics: statistics.as_str().to_owned(),
            statistics_reason: statistics_reason.as_str().to_owned(),
            bloom_filter: filter.map(|filter| decided(filter, *bloom_filter_source)),
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
