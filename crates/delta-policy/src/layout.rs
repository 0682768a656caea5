//! How the files of a dataset are encoded: one full decision per leaf column, with its reason.

use std::collections::BTreeSet;
use std::fmt;

use ossature_schema_spec::{
    BloomFilter, CanonicalHasher, Codec, ColumnLayout, ColumnName, ColumnType, DatasetSpec,
    Encoding, Fingerprint, PageStatistics, ParquetSpec,
};
use serde::{Deserialize, Serialize};

use crate::overrides::decide;
use crate::{ColumnOverrides, Decided, Error, Errors, Override, ParquetOverrides, Source};

/// Why a leaf is encoded or summarised as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum LayoutReason {
    /// This place says so.
    Declared(Source),
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
    /// The rows are clustered by it, so a page holds few of its values.
    Clustered,
    /// Row groups are skipped by its bounds, or by its count of nulls.
    SkipsRowGroups,
    /// Bounds leave NaN out, while queries order NaN above every number.
    NotANumber,
    /// There are several values in a row, which no reader compares with bounds.
    Repeated,
}

impl LayoutReason {
    /// Every reason; nobody declares by default.
    pub(crate) const ALL: [Self; 12] = [
        Self::Declared(Source::Request),
        Self::Declared(Source::Location),
        Self::Declared(Source::Dataset),
        Self::SmallSteps,
        Self::Repeats,
        Self::Bits,
        Self::Opaque,
        Self::LeadingSortKey,
        Self::Clustered,
        Self::SkipsRowGroups,
        Self::NotANumber,
        Self::Repeated,
    ];

    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared(Source::Request) => "declared_by_request",
            Self::Declared(Source::Location) => "declared_by_location",
            Self::Declared(Source::Dataset | Source::Default) => "declared_by_dataset",
            Self::SmallSteps => "small_steps",
            Self::Repeats => "repeats",
            Self::Bits => "bits",
            Self::Opaque => "opaque",
            Self::LeadingSortKey => "leading_sort_key",
            Self::Clustered => "clustered",
            Self::SkipsRowGroups => "skips_row_groups",
            Self::NotANumber => "not_a_number",
            Self::Repeated => "repeated",
        }
    }
}

impl From<LayoutReason> for &'static str {
    fn from(reason: LayoutReason) -> Self {
        reason.as_str()
    }
}

impl TryFrom<String> for LayoutReason {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|reason| reason.as_str() == name);
        found.ok_or_else(|| format!("no layout has the reason `{name}`"))
    }
}

impl fmt::Display for LayoutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one leaf column is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// The bloom filter, if somebody asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bloom_filter: Option<BloomFilter>,
    /// Who decided about the bloom filter.
    pub bloom_filter_source: Source,
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
                ", bloom filter for {} values, {} per million ({})",
                bloom.distinct_values_max,
                bloom.false_positives_per_million,
                self.bloom_filter_source
            )?;
        }
        Ok(())
    }
}

/// How the files of a dataset are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ParquetLayout {
    /// Compression of every page.
    pub codec: Codec,
    /// Who decided the compression.
    pub codec_source: Source,
    /// Rows in a row group, at the most.
    pub row_group_rows_max: u32,
    /// Who decided the rows in a row group.
    pub row_group_rows_max_source: Source,
    /// Rows in a page, at the most; behind a page that ended by its bytes, up to twice as many.
    pub page_rows_max: u32,
    /// Who decided the rows in a page.
    pub page_rows_max_source: Source,
    /// The leaves in schema order; partition columns are in no file.
    pub leaves: Vec<LeafLayout>,
}

impl ParquetLayout {
    /// A digest of everything that shapes the bytes; reasons and who decided do not.
    pub fn fingerprint(&self) -> Fingerprint {
        let Self {
            codec,
            codec_source: _,
            row_group_rows_max,
            row_group_rows_max_source: _,
            page_rows_max,
            page_rows_max_source: _,
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

/// What every place says about the encoding of files, the strongest first.
struct Places<'a> {
    request: &'a Override<ParquetOverrides>,
    location: &'a Override<ParquetOverrides>,
    dataset: &'a ParquetSpec,
}

impl Places<'_> {
    /// The strongest place that says anything; a declaration that equals the default says nothing.
    fn source(&self) -> Source {
        let speaks = |place: &Override<ParquetOverrides>| match place {
            Override::Inherit => false,
            Override::Clear => true,
            Override::Set(overrides) => !overrides.is_silent(),
        };
        if speaks(self.request) {
            Source::Request
        } else if speaks(self.location) {
            Source::Location
        } else if *self.dataset == ParquetSpec::default() {
            Source::Default
        } else {
            Source::Dataset
        }
    }

    fn decide<T: Clone + PartialEq>(
        &self,
        of_place: impl Fn(&ParquetOverrides) -> Override<T>,
        of_dataset: &T,
        default: T,
    ) -> Decided<T> {
        decide(
            &self.request.part(&of_place),
            &self.location.part(&of_place),
            (*of_dataset != default).then_some(of_dataset),
            default,
        )
    }

    fn of_column<T: Clone + PartialEq>(
        &self,
        column: &ColumnName,
        of_place: impl Fn(&ColumnOverrides) -> Override<T>,
        of_dataset: impl Fn(&ColumnLayout) -> Option<T>,
    ) -> Decided<Option<T>> {
        let said = |overrides: &ParquetOverrides| {
            let said = overrides.columns.get(column).map(&of_place);
            match said.unwrap_or_default() {
                Override::Inherit => Override::Inherit,
                Override::Clear => Override::Clear,
                Override::Set(value) => Override::Set(Some(value)),
            }
        };
        let declared = self.dataset.columns.get(column).and_then(of_dataset);
        self.decide(said, &declared, None)
    }

    fn column(&self, column: &ColumnName) -> ColumnDecision {
        ColumnDecision {
            encoding: self.of_column(column, |it| it.encoding, |it| it.encoding),
            dictionary: self.of_column(column, |it| it.dictionary, |it| it.dictionary),
            statistics: self.of_column(column, |it| it.statistics, |it| it.statistics),
            bloom_filter: self.of_column(column, |it| it.bloom_filter, |it| it.bloom_filter),
        }
    }

    /// The columns that a request or a location names; those of the dataset were checked when it was built.
    fn columns(&self) -> BTreeSet<&ColumnName> {
        let overrides = [self.request, self.location].into_iter();
        let overrides = overrides.filter_map(|place| match place {
            Override::Set(overrides) => Some(overrides.columns.keys()),
            _ => None,
        });
        overrides
            .flatten()
            .chain(self.dataset.columns.keys())
            .collect()
    }
}

/// What was decided about one column, where somebody said something.
struct ColumnDecision {
    encoding: Decided<Option<Encoding>>,
    dictionary: Decided<Option<bool>>,
    statistics: Decided<Option<PageStatistics>>,
    bloom_filter: Decided<Option<BloomFilter>>,
}

impl ColumnDecision {
    /// Whether one place says two things about one matter.
    fn is_contradiction(&self) -> bool {
        self.encoding.value.is_some()
            && self.dictionary.value.is_some()
            && self.encoding.source == self.dictionary.source
    }
}

/// Decides how every leaf column of a dataset is written.
///
/// What the request says about a field or a column wins, then what the location says, then what the dataset declares
/// ([`DatasetSpec::parquet`]). What all of them leave open follows from the column's type and from its place in the order
/// or in the clustering.
///
/// **Determinism**: a function of its arguments only.
/// **Errors**: [`Error::LayoutColumn`] for a column that cannot be laid out, [`Error::LayoutMismatch`] for a setting that
/// the column's type cannot have, [`Error::LayoutOutOfRange`] for a number that no file should have; all of them at once.
///
/// ```
/// use ossature_delta_policy::{Override, resolve_layout};
/// use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
/// let nodes = DatasetSpec::builder("extract.nodes", "One row per node.")
///     .column(ColumnSpec::required("node_id", ColumnType::Int64)?)
///     .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
///     .order_by(["node_id"])
///     .build()?;
/// let layout = resolve_layout(&nodes, &[], &Override::Inherit, &Override::Inherit)?.value;
/// assert_eq!(
///     layout.leaves[0].to_string(),
///     "node_id: DELTA_BINARY_PACKED (small_steps), statistics page (leading_sort_key)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn resolve_layout(
    dataset: &DatasetSpec,
    cluster_by: &[ColumnName],
    request: &Override<ParquetOverrides>,
    location: &Override<ParquetOverrides>,
) -> Result<Decided<ParquetLayout>, Errors> {
    let mut errors = Vec::new();
    let layout = decide_layout(dataset, cluster_by, request, location, &mut errors);
    Errors::none_or(errors, layout)
}

/// As [`resolve_layout`], with a layout beside the errors.
pub(crate) fn decide_layout(
    dataset: &DatasetSpec,
    cluster_by: &[ColumnName],
    request: &Override<ParquetOverrides>,
    location: &Override<ParquetOverrides>,
    errors: &mut Vec<Error>,
) -> Decided<ParquetLayout> {
    let places = Places {
        request,
        location,
        dataset: dataset.parquet(),
    };
    let default = ParquetSpec::default();
    let declared = dataset.parquet();
    let codec = places.decide(|it| it.codec, &declared.codec, default.codec);
    let group_rows = places.decide(
        |it| it.row_group_rows_max,
        &declared.row_group_rows_max,
        default.row_group_rows_max,
    );
    let page_rows = places.decide(
        |it| it.page_rows_max,
        &declared.page_rows_max,
        default.page_rows_max,
    );
    let statistics = places.decide(
        |it| it.statistics.part(|level| Override::Set(Some(*level))),
        &declared.statistics,
        default.statistics,
    );
    errors.extend(check_numbers(
        dataset,
        codec.value,
        group_rows.value,
        page_rows.value,
    ));
    errors.extend(check_columns(dataset, &places));
    let leading = dataset
        .order()
        .iter()
        .map(|key| &key.column)
        .find(|column| !dataset.partition().contains(column));
    let mut leaves = Vec::new();
    for column in dataset.columns() {
        let name = column.name();
        if dataset.partition().contains(name) {
            continue;
        }
        let decision = places.column(name);
        let place = if leading == Some(name) {
            Place::Leading
        } else if cluster_by.contains(name) {
            Place::Clustered
        } else {
            Place::Other
        };
        let mut path = vec![name.as_str().to_owned()];
        let mut visit = |path: &[String], leaf: &ColumnType, repeated| {
            errors.extend(check_leaf(path, leaf, &decision));
            leaves.push(LeafLayout {
                path: path.to_vec(),
                bloom_filter: decision.bloom_filter.value,
                bloom_filter_source: decision.bloom_filter.source,
                ..decide_leaf(leaf, &decision, statistics, place, repeated)
            });
        };
        walk(&mut path, column.column_type(), false, &mut visit);
    }
    Decided {
        value: ParquetLayout {
            codec: codec.value,
            codec_source: codec.source,
            row_group_rows_max: group_rows.value,
            row_group_rows_max_source: group_rows.source,
            page_rows_max: page_rows.value,
            page_rows_max_source: page_rows.source,
            leaves,
        },
        source: places.source(),
    }
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

/// What the order of rows means for a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Leading,
    Clustered,
    Other,
}

/// The encoding and the statistics of a leaf.
fn decide_leaf(
    leaf: &ColumnType,
    decision: &ColumnDecision,
    every: Decided<Option<PageStatistics>>,
    place: Place,
    repeated: bool,
) -> LeafLayout {
    let (encoding, encoding_reason) = match (decision.encoding, decision.dictionary) {
        (
            Decided {
                value: Some(encoding),
                source,
            },
            dictionary,
        ) if dictionary.value.is_none() || source <= dictionary.source => {
            (encoding, LayoutReason::Declared(source))
        }
        (
            _,
            Decided {
                value: Some(is_tried),
                source,
            },
        ) => {
            let encoding = if is_tried {
                Encoding::Dictionary
            } else {
                encoding_without_dictionary(leaf)
            };
            (encoding, LayoutReason::Declared(source))
        }
        _ => encoding_of(leaf),
    };
    let (suggested, suggested_reason) = statistics_of(leaf, place, repeated);
    let (statistics, statistics_reason) = match (decision.statistics.value, every.value) {
        (Some(statistics), _) => (
            statistics,
            LayoutReason::Declared(decision.statistics.source),
        ),
        (None, Some(every_level)) if suggested != PageStatistics::None => {
            (every_level, LayoutReason::Declared(every.source))
        }
        _ => (suggested, suggested_reason),
    };
    LeafLayout {
        path: Vec::new(),
        encoding,
        encoding_reason,
        statistics,
        statistics_reason,
        bloom_filter: None,
        bloom_filter_source: Source::Default,
    }
}

fn encoding_without_dictionary(leaf: &ColumnType) -> Encoding {
    match leaf {
        leaf if leaf.is_integer() => Encoding::DeltaBinaryPacked,
        ColumnType::Date | ColumnType::TimestampUtc | ColumnType::TimestampNtz => {
            Encoding::DeltaBinaryPacked
        }
        ColumnType::Utf8 => Encoding::DeltaLengthByteArray,
        _ => Encoding::Plain,
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
    place: Place,
    repeated: bool,
) -> (PageStatistics, LayoutReason) {
    match leaf {
        _ if repeated => (PageStatistics::None, LayoutReason::Repeated),
        ColumnType::Float32 | ColumnType::Float64 => {
            (PageStatistics::None, LayoutReason::NotANumber)
        }
        ColumnType::Binary => (PageStatistics::None, LayoutReason::Opaque),
        _ if place == Place::Leading => (PageStatistics::Page, LayoutReason::LeadingSortKey),
        _ if place == Place::Clustered => (PageStatistics::Page, LayoutReason::Clustered),
        _ => (PageStatistics::RowGroup, LayoutReason::SkipsRowGroups),
    }
}

fn check_leaf(path: &[String], leaf: &ColumnType, decision: &ColumnDecision) -> Vec<Error> {
    let ColumnDecision {
        encoding,
        dictionary,
        statistics,
        bloom_filter,
    } = decision;
    let mismatch = |setting: String, reason| Error::LayoutMismatch {
        leaf: path.join("."),
        leaf_type: Box::new(leaf.clone()),
        setting,
        reason,
    };
    let is_nested = path.len() > 1;
    let is_float = matches!(leaf, ColumnType::Float32 | ColumnType::Float64);
    let mut errors = Vec::new();
    if let Some(encoding) = encoding.value
        && let Some(reason) = encoding_mismatch(encoding, leaf)
    {
        errors.push(mismatch(format!("encoding {}", encoding.as_str()), reason));
    }
    if dictionary.value == Some(true)
        && let Some(reason) = encoding_mismatch(Encoding::Dictionary, leaf)
    {
        errors.push(mismatch("a dictionary".to_owned(), reason));
    }
    if let Some(statistics) = statistics
        .value
        .filter(|it| is_float && *it != PageStatistics::None)
    {
        errors.push(mismatch(
            format!("{} statistics", statistics.as_str()),
            "bounds leave NaN out, so a filter would lose rows",
        ));
    }
    if bloom_filter.value.is_some() && (is_float || is_nested || *leaf == ColumnType::Boolean) {
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

/// More rows than this in a row group are more memory than a writer should hold.
const ROW_GROUP_ROWS_MAX: u32 = 1 << 24;
/// More rows than this in a page, and reading one row means decoding a row group.
const PAGE_ROWS_MAX: u32 = 1 << 20;
/// A filter for more values is larger than what it saves: 20 MiB at one false positive in a hundred.
const DISTINCT_VALUES_MAX: u64 = 1 << 24;

/// What is wrong with the numbers of the whole layout.
fn check_numbers(dataset: &DatasetSpec, codec: Codec, group: u32, page: u32) -> Vec<Error> {
    let level = match codec {
        Codec::Zstd(level) => Some(("zstd level", u32::from(level), 22, "1 to 22")),
        _ => None,
    };
    let numbers = [
        (
            "row_group_rows_max",
            group,
            ROW_GROUP_ROWS_MAX,
            "1 to 16777216",
        ),
        ("page_rows_max", page, PAGE_ROWS_MAX, "1 to 1048576"),
    ];
    let numbers = level.into_iter().chain(numbers);
    numbers
        .filter(|(_, found, most, _)| !(1..=*most).contains(found))
        .map(|(setting, found, _, wanted)| Error::LayoutOutOfRange {
            dataset: dataset.name().clone(),
            column: None,
            setting,
            found: found.into(),
            wanted,
        })
        .collect()
}

/// What is wrong with single columns, whatever their leaves are.
fn check_columns(dataset: &DatasetSpec, places: &Places<'_>) -> Vec<Error> {
    let mut errors = Vec::new();
    for column in places.columns() {
        let mut refuse = |reason| {
            errors.push(Error::LayoutColumn {
                dataset: dataset.name().clone(),
                column: column.clone(),
                reason,
            });
        };
        let decision = places.column(column);
        if dataset.column(column).is_none() {
            refuse("the dataset declares no such column");
        } else if dataset.partition().contains(column) {
            refuse("it is a partition column, which no file holds");
        } else if decision.is_contradiction() {
            refuse("one place decides its encoding and its dictionary; decide one of the two");
        }
        let Some(bloom) = decision.bloom_filter.value else {
            continue;
        };
        let numbers = [
            (
                "distinct_values_max",
                bloom.distinct_values_max,
                DISTINCT_VALUES_MAX,
                "1 to 16777216",
            ),
            (
                "false_positives_per_million",
                bloom.false_positives_per_million.into(),
                500_000,
                "1 to 500000",
            ),
        ];
        let numbers = numbers
            .into_iter()
            .filter(|(_, found, most, _)| !(1..=*most).contains(found));
        errors.extend(
            numbers.map(|(setting, found, _, wanted)| Error::LayoutOutOfRange {
                dataset: dataset.name().clone(),
                column: Some(column.clone()),
                setting,
                found,
                wanted,
            }),
        );
    }
    errors
}

#[cfg(test)]
mod tests;
