//! How the files of a dataset are encoded: one full decision per leaf column, with its reason.

use std::fmt;

use ossature_schema_spec::{
    BloomFilter, CanonicalHasher, Codec, ColumnLayout, ColumnType, DatasetSpec, Encoding,
    Fingerprint, PageStatistics, ParquetSpec,
};

use crate::{Error, Errors};

/// Why a leaf is encoded or summarised as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LayoutReason {
    /// The dataset says so.
    Declared,
    /// Ids and offsets: in order they differ by little, and a dictionary of them grows until it is given up, which
    /// measured 11 % of a write.
    SmallSteps,
    /// Its values tend to repeat.
    Repeats,
    /// One bit per value.
    Bits,
    /// Bytes that seldom repeat and that nothing is compared with.
    Opaque,
    /// The rows are ordered by it first, so a page is skipped by its bounds. On columns without order the bounds of
    /// pages skip nothing and measured 9 to 18 % of a write.
    LeadingSortKey,
    /// Row groups are skipped by its bounds, or by its count of nulls.
    SkipsRowGroups,
    /// Bounds leave NaN out, while queries order NaN above every number.
    NotANumber,
    /// There are several values in a row, which no reader compares with bounds.
    Repeated,
}

impl LayoutReason {
    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::SmallSteps => "small_steps",
            Self::Repeats => "repeats",
            Self::Bits => "bits",
            Self::Opaque => "opaque",
            Self::LeadingSortKey => "leading_sort_key",
            Self::SkipsRowGroups => "skips_row_groups",
            Self::NotANumber => "not_a_number",
            Self::Repeated => "repeated",
        }
    }
}

impl fmt::Display for LayoutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one leaf column is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LeafLayout {
    /// The path in the file's schema: the column, then the groups of nested types (`list`, `key_value`) and fields.
    pub path: Vec<String>,
    /// The encoding.
    pub encoding: Encoding,
    /// Why that encoding.
    pub encoding_reason: LayoutReason,
    /// The statistics inside the file.
    pub statistics: PageStatistics,
    /// Why those statistics.
    pub statistics_reason: LayoutReason,
    /// The bloom filter, if the dataset declares one.
    pub bloom_filter: Option<BloomFilter>,
}

impl LeafLayout {
    /// Whether a dictionary is tried.
    pub fn has_dictionary(&self) -> bool {
        self.encoding == Encoding::Dictionary
    }
}

impl fmt::Display for LeafLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({}), statistics {} ({})",
            self.path.join("."),
            self.encoding.as_str(),
            self.encoding_reason,
            self.statistics.as_str(),
            self.statistics_reason
        )?;
        if let Some(bloom) = self.bloom_filter {
            write!(
                f,
                ", bloom filter for {} values, {} per million",
                bloom.distinct_values_max, bloom.false_positives_per_million
            )?;
        }
        Ok(())
    }
}

/// How the files of a dataset are written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParquetLayout {
    /// Compression of every page.
    pub codec: Codec,
    /// Rows in a row group, at the most.
    pub row_group_rows_max: u32,
    /// Rows in a page, at the most.
    pub page_rows_max: u32,
    /// The leaves in schema order; partition columns are in no file.
    pub leaves: Vec<LeafLayout>,
}

impl ParquetLayout {
    /// A digest of everything that shapes the bytes; reasons do not.
    pub fn fingerprint(&self) -> Fingerprint {
        let Self {
            codec,
            row_group_rows_max,
            page_rows_max,
            leaves,
        } = self;
        let mut hasher = CanonicalHasher::new("ossature.parquet_layout.v1");
        hasher.text(&codec.to_string());
        hasher.integer(i64::from(*row_group_rows_max));
        hasher.integer(i64::from(*page_rows_max));
        hasher.list(leaves.len());
        for leaf in leaves {
            hasher.list(leaf.path.len());
            for part in &leaf.path {
                hasher.text(part);
            }
            hasher.text(leaf.encoding.as_str());
            hasher.text(leaf.statistics.as_str());
            match leaf.bloom_filter {
                None => hasher.absent(),
                Some(bloom) => {
                    hasher.text(&bloom.distinct_values_max.to_string());
                    hasher.integer(i64::from(bloom.false_positives_per_million));
                }
            }
        }
        hasher.finish()
    }
}

/// Decides how every leaf column of a dataset is written. What [`DatasetSpec::parquet`] declares for a column wins; what
/// it leaves open follows from the column's type and from its place in the order.
///
/// **Determinism**: a function of its argument only.
/// **Errors**: [`Error::LayoutMismatch`] for a setting that the column's type cannot have, [`Error::LayoutOutOfRange`]
/// for a number that no file can have; all of them at once.
///
/// ```
/// use ossature_delta_policy::resolve_layout;
/// use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
/// let nodes = DatasetSpec::builder("extract.nodes", "One row per node.")
///     .column(ColumnSpec::required("node_id", ColumnType::Int64)?)
///     .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
///     .order_by(["node_id"])
///     .build()?;
/// let layout = resolve_layout(&nodes)?;
/// assert_eq!(
///     layout.leaves[0].to_string(),
///     "node_id: DELTA_BINARY_PACKED (small_steps), statistics page (leading_sort_key)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resolve_layout(dataset: &DatasetSpec) -> Result<ParquetLayout, Errors> {
    let ParquetSpec {
        codec,
        row_group_rows_max,
        page_rows_max,
        columns,
    } = dataset.parquet();
    let leading = dataset
        .order()
        .iter()
        .map(|key| &key.column)
        .find(|column| !dataset.partition().contains(column));
    let mut errors = check_numbers(dataset);
    let mut leaves = Vec::new();
    for column in dataset.columns() {
        let declared = columns.get(column.name()).copied().unwrap_or_default();
        if dataset.partition().contains(column.name()) {
            continue;
        }
        let is_leading = leading == Some(column.name());
        let mut path = vec![column.name().as_str().to_owned()];
        let mut visit = |path: &[String], leaf: &ColumnType, repeated| {
            errors.extend(check_leaf(path, leaf, declared));
            leaves.push(decide_leaf(path, leaf, declared, is_leading, repeated));
        };
        walk(&mut path, column.column_type(), false, &mut visit);
    }
    let layout = ParquetLayout {
        codec: *codec,
        row_group_rows_max: *row_group_rows_max,
        page_rows_max: *page_rows_max,
        leaves,
    };
    Errors::none_or(errors, layout)
}

/// Visits the leaves of a type with their paths, as Arrow's conversion to Parquet names them.
fn walk(
    path: &mut Vec<String>,
    column_type: &ColumnType,
    repeated: bool,
    visit: &mut impl FnMut(&[String], &ColumnType, bool),
) {
    let mut below = |parts: &[&str], inner: &ColumnType, repeated: bool| {
        let depth = path.len();
        path.extend(parts.iter().map(|part| (*part).to_owned()));
        walk(path, inner, repeated, visit);
        path.truncate(depth);
    };
    match column_type {
        ColumnType::List(element) => {
            below(
                &["list", element.name().as_str()],
                element.column_type(),
                true,
            );
        }
        ColumnType::Struct(fields) => {
            for field in fields {
                below(&[field.name().as_str()], field.column_type(), repeated);
            }
        }
        ColumnType::Map { key, value } => {
            below(&["key_value", "key"], key, true);
            below(&["key_value", "value"], value.column_type(), true);
        }
        leaf => visit(path, leaf, repeated),
    }
}

fn decide_leaf(
    path: &[String],
    leaf: &ColumnType,
    declared: ColumnLayout,
    is_leading: bool,
    repeated: bool,
) -> LeafLayout {
    let (encoding, encoding_reason) = match declared.encoding {
        Some(encoding) => (encoding, LayoutReason::Declared),
        None => encoding_of(leaf),
    };
    let (statistics, statistics_reason) = match declared.statistics {
        Some(statistics) => (statistics, LayoutReason::Declared),
        None => statistics_of(leaf, is_leading, repeated),
    };
    LeafLayout {
        path: path.to_vec(),
        encoding,
        encoding_reason,
        statistics,
        statistics_reason,
        bloom_filter: declared.bloom_filter,
    }
}

fn encoding_of(leaf: &ColumnType) -> (Encoding, LayoutReason) {
    match leaf {
        ColumnType::Int32 | ColumnType::Int64 => {
            (Encoding::DeltaBinaryPacked, LayoutReason::SmallSteps)
        }
        ColumnType::Boolean => (Encoding::Plain, LayoutReason::Bits),
        ColumnType::Binary => (Encoding::Plain, LayoutReason::Opaque),
        wide if is_fixed_bytes(wide) => (Encoding::Plain, LayoutReason::Opaque),
        _ => (Encoding::Dictionary, LayoutReason::Repeats),
    }
}

/// Whether Parquet keeps the values as byte strings of one length, of which its first version has no dictionaries.
fn is_fixed_bytes(leaf: &ColumnType) -> bool {
    matches!(leaf, ColumnType::Decimal { precision, .. } if *precision > 18)
}

fn statistics_of(
    leaf: &ColumnType,
    is_leading: bool,
    repeated: bool,
) -> (PageStatistics, LayoutReason) {
    match leaf {
        _ if repeated => (PageStatistics::None, LayoutReason::Repeated),
        ColumnType::Float32 | ColumnType::Float64 => {
            (PageStatistics::None, LayoutReason::NotANumber)
        }
        ColumnType::Binary => (PageStatistics::None, LayoutReason::Opaque),
        _ if is_leading => (PageStatistics::Page, LayoutReason::LeadingSortKey),
        _ => (PageStatistics::RowGroup, LayoutReason::SkipsRowGroups),
    }
}

fn check_leaf(path: &[String], leaf: &ColumnType, declared: ColumnLayout) -> Vec<Error> {
    let ColumnLayout {
        encoding,
        statistics,
        bloom_filter,
    } = declared;
    let mismatch = |setting: String, reason| Error::LayoutMismatch {
        leaf: path.join("."),
        leaf_type: Box::new(leaf.clone()),
        setting,
        reason,
    };
    let is_nested = path.len() > 1;
    let is_float = matches!(leaf, ColumnType::Float32 | ColumnType::Float64);
    let mut errors = Vec::new();
    if let Some(encoding) = encoding
        && let Some(reason) = encoding_mismatch(encoding, leaf)
    {
        errors.push(mismatch(format!("encoding {}", encoding.as_str()), reason));
    }
    if let Some(statistics) = statistics.filter(|it| is_float && *it != PageStatistics::None) {
        errors.push(mismatch(
            format!("{} statistics", statistics.as_str()),
            "bounds leave NaN out, so a filter would lose rows",
        ));
    }
    if bloom_filter.is_some() && (is_float || is_nested || *leaf == ColumnType::Boolean) {
        errors.push(mismatch(
            "a bloom filter".to_owned(),
            "no reader looks such values up",
        ));
    }
    errors
}

fn encoding_mismatch(encoding: Encoding, leaf: &ColumnType) -> Option<&'static str> {
    let is_text = matches!(leaf, ColumnType::Utf8 | ColumnType::Binary);
    let is_stored_as_integer = leaf.is_integer()
        || matches!(
            leaf,
            ColumnType::Date | ColumnType::TimestampUtc | ColumnType::TimestampNtz
        );
    match encoding {
        Encoding::DeltaBinaryPacked if !is_stored_as_integer => Some("it is for integers"),
        Encoding::DeltaLengthByteArray | Encoding::DeltaByteArray if !is_text => {
            Some("it is for text and bytes")
        }
        Encoding::Dictionary if *leaf == ColumnType::Boolean => {
            Some("a bit is shorter than any reference")
        }
        Encoding::Dictionary if is_fixed_bytes(leaf) => {
            Some("byte strings of one length have no dictionary")
        }
        _ => None,
    }
}

fn check_numbers(dataset: &DatasetSpec) -> Vec<Error> {
    let spec = dataset.parquet();
    let out_of_range = |setting: String, found: u64, wanted| Error::LayoutOutOfRange {
        dataset: dataset.name().clone(),
        setting,
        found,
        wanted,
    };
    let mut errors = Vec::new();
    if let Codec::Zstd(level) = spec.codec
        && !(1..=22).contains(&level)
    {
        errors.push(out_of_range(
            "zstd level".to_owned(),
            level.into(),
            "1 to 22",
        ));
    }
    for (setting, rows) in [
        ("row_group_rows_max", spec.row_group_rows_max),
        ("page_rows_max", spec.page_rows_max),
    ] {
        if rows == 0 {
            errors.push(out_of_range(setting.to_owned(), 0, "1 or more"));
        }
    }
    for (column, layout) in &spec.columns {
        let Some(bloom) = layout.bloom_filter else {
            continue;
        };
        let setting = |name: &str| format!("{name} of column `{column}`");
        if bloom.distinct_values_max == 0 {
            errors.push(out_of_range(setting("distinct_values_max"), 0, "1 or more"));
        }
        let rate = bloom.false_positives_per_million;
        if !(1..=500_000).contains(&rate) {
            let setting = setting("false_positives_per_million");
            errors.push(out_of_range(setting, rate.into(), "1 to 500000"));
        }
    }
    errors
}

#[cfg(test)]
mod tests;
