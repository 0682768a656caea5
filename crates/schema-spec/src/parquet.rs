//! How a dataset's files are encoded. A declaration: the writer turns it into writer properties and reads it back from
//! every footer.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ColumnName;

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

impl Codec {
    /// The codec that is displayed like this. The level is not checked.
    ///
    /// ```
    /// use ossature_schema_spec::Codec;
    /// assert_eq!(Codec::from_name("zstd(3)"), Some(Codec::Zstd(3)));
    /// assert_eq!(Codec::from_name("zstd"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "uncompressed" => Some(Self::Uncompressed),
            "snappy" => Some(Self::Snappy),
            _ => {
                let digits = name.strip_prefix("zstd(")?.strip_suffix(')')?;
                let level: u8 = digits.parse().ok()?;
                (level.to_string() == digits).then_some(Self::Zstd(level))
            }
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
    /// Every encoding, in a fixed order.
    pub const ALL: [Self; 5] = [
        Self::Dictionary,
        Self::Plain,
        Self::DeltaBinaryPacked,
        Self::DeltaLengthByteArray,
        Self::DeltaByteArray,
    ];

    /// The encoding that Parquet spells like this.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

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
    /// Every level, the coarsest first.
    pub const ALL: [Self; 3] = [Self::None, Self::RowGroup, Self::Page];

    /// The level of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Whether a dictionary is tried, where the encoding is left to the type: `false` for values that do not repeat.
    pub dictionary: Option<bool>,
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
    /// Rows in a page, at the most; behind a page that ended by its bytes, up to twice as many.
    pub page_rows_max: u32,
    /// The statistics inside the file, of every column that says nothing else and whose type can have them.
    pub statistics: Option<PageStatistics>,
    /// Columns that differ from what their type and place suggest.
    pub columns: BTreeMap<ColumnName, ColumnLayout>,
}

impl Default for ParquetSpec {
    /// Zstandard 1 (smaller and cheaper than snappy or level 3 on rows of ids), row groups of 262,144 rows, pages of
    /// 20,000 rows.
    fn default() -> Self {
        Self {
            codec: Codec::Zstd(1),
            row_group_rows_max: 262_144,
            page_rows_max: 20_000,
            statistics: None,
            columns: BTreeMap::new(),
        }
    }
}
