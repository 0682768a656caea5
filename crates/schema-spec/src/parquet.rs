//! How a dataset's files are encoded. A declaration: the writer turns it into writer properties and reads it back from
//! every footer.

use std::collections::BTreeMap;
use std::fmt;

use crate::{CanonicalHasher, ColumnName};

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Not at all.
    Uncompressed,
    /// Snappy.
    Snappy,
    /// Zstandard, level 1 to 22.
    Zstd(u8),
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncompressed => f.write_str("uncompressed"),
            Self::Snappy => f.write_str("snappy"),
            Self::Zstd(level) => write!(f, "zstd({level})"),
        }
    }
}

/// How the values of one column are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// A dictionary, and plain values once it grows too large.
    Dictionary,
    /// Plain values.
    Plain,
    /// Differences in bit-packed blocks: for integers that grow slowly, such as ordered ids and offsets.
    DeltaBinaryPacked,
    /// Lengths as differences, then all bytes: for text that seldom repeats.
    DeltaLengthByteArray,
    /// Shared prefixes left out: for text in order.
    DeltaByteArray,
}

impl Encoding {
    /// The name as Parquet spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dictionary => "RLE_DICTIONARY",
            Self::Plain => "PLAIN",
            Self::DeltaBinaryPacked => "DELTA_BINARY_PACKED",
            Self::DeltaLengthByteArray => "DELTA_LENGTH_BYTE_ARRAY",
            Self::DeltaByteArray => "DELTA_BYTE_ARRAY",
        }
    }
}

/// How finely a column's smallest and largest values are kept in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageStatistics {
    /// Not at all.
    None,
    /// Per row group.
    RowGroup,
    /// Per page, for the columns that files are ordered by.
    Page,
}

impl PageStatistics {
    /// The name in policies and artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::RowGroup => "row_group",
            Self::Page => "page",
        }
    }
}

/// A bloom filter on one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BloomFilter {
    /// How many different values a row group holds at the most.
    pub distinct_values_max: u64,
    /// How many absent values in a million may seem present, 1 to 500,000.
    pub false_positives_per_million: u32,
}

/// What is particular to one column; what is absent follows from the column's type and its place in the order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ColumnLayout {
    /// The encoding.
    pub encoding: Option<Encoding>,
    /// The statistics inside the file.
    pub statistics: Option<PageStatistics>,
    /// A bloom filter.
    pub bloom_filter: Option<BloomFilter>,
}

/// How the files of a dataset are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetSpec {
    /// Compression of every page.
    pub codec: Codec,
    /// Rows in a row group, at the most.
    pub row_group_rows_max: u32,
    /// Rows in a page, at the most.
    pub page_rows_max: u32,
    /// Columns that differ from what their type and place suggest.
    pub columns: BTreeMap<ColumnName, ColumnLayout>,
}

impl Default for ParquetSpec {
    /// Zstandard 1 (smaller and cheaper than snappy or level 3 on rows of ids), row groups of 131,072 rows, pages of
    /// 20,000 rows.
    fn default() -> Self {
        Self {
            codec: Codec::Zstd(1),
            row_group_rows_max: 131_072,
            page_rows_max: 20_000,
            columns: BTreeMap::new(),
        }
    }
}

impl ParquetSpec {
    /// Adds everything that shapes the bytes to a digest.
    pub fn hash_into(&self, hasher: &mut CanonicalHasher) {
        let Self {
            codec,
            row_group_rows_max,
            page_rows_max,
            columns,
        } = self;
        hasher.text(&codec.to_string());
        hasher.integer(i64::from(*row_group_rows_max));
        hasher.integer(i64::from(*page_rows_max));
        hasher.list(columns.len());
        for (name, layout) in columns {
            let ColumnLayout {
                encoding,
                statistics,
                bloom_filter,
            } = layout;
            hasher.text(name.as_str());
            match encoding {
                Some(encoding) => hasher.text(encoding.as_str()),
                None => hasher.absent(),
            }
            match statistics {
                Some(statistics) => hasher.text(statistics.as_str()),
                None => hasher.absent(),
            }
            match bloom_filter {
                Some(BloomFilter {
                    distinct_values_max,
                    false_positives_per_million,
                }) => {
                    hasher.text(&distinct_values_max.to_string());
                    hasher.integer(i64::from(*false_positives_per_million));
                }
                None => hasher.absent(),
            }
        }
    }
}
