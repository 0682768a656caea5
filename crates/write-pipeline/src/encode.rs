//! One file: rows to bytes, the footer read back, a name from the content.

use std::fmt;
use std::mem::discriminant;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, FieldRef, SchemaRef};
use arrow_select::concat::concat;
use bytes::Bytes;
use ossature_delta_policy::{LeafLayout, ParquetLayout};
use ossature_schema_spec::{Codec, Encoding, Fingerprint, PageStatistics};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, SortingColumn};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, TypePtr};

use crate::Error;
use crate::bounds::{Bounds, BoundsEncoder};

/// Who wrote the file. It is part of the bytes, so it names the rules and not a release.
const CREATED_BY: &str = "ossature deterministic writer 2";

/// Bytes that statistics keep of a text. Longer values have bounds that are not exact, and are left out of the log.
const BOUND_BYTES_MAX: usize = 64;

/// Bytes after which a page ends, and a dictionary is full. They shape files, so they are said here and not left to the
/// library.
const PAGE_BYTES_MAX: usize = 1 << 20;

/// The parts of a page that are handed over one by one; more of them are put together, so that tiny batches do not cost a
/// call each.
const PARTS_MAX: usize = 16;

/// What an encoding can take for a value besides its bytes: two lengths, each in blocks that begin with a few bytes.
const VALUE_OVERHEAD_BYTES_MAX: usize = 12;

/// Bytes of a file besides its column chunks: what its footer and its indexes seldom exceed.
const FOOTER_BYTES: usize = 1 << 16;

/// How the files of a table are encoded.
pub(crate) struct FileEncoder {
    schema: SchemaRef,
    parquet_schema: TypePtr,
    properties: WriterPropertiesPtr,
    columns: ArrowRowGroupWriterFactory,
    /// For every column: how its bounds are told, where the encoder is not to look for them.
    bounds: Vec<Option<Arc<BoundsEncoder>>>,
    /// Column chunks of a row group.
    leaves: usize,
    layout: ParquetLayout,
    sorting: Vec<SortingColumn>,
}

impl fmt::Debug for FileEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileEncoder")
            .field("layout", &self.layout)
            .field("sorting", &self.sorting)
            .finish_non_exhaustive()
    }
}

/// A file, ready to be stored.
pub(crate) struct EncodedFile {
    /// The BLAKE3 digest of the bytes.
    pub(crate) digest: Fingerprint,
    pub(crate) bytes: Bytes,
    pub(crate) footer: ParquetMetaData,
}

/// The values of one column in one row group, to be encoded on whatever thread there is.
pub(crate) struct ColumnTask {
    field: FieldRef,
    values: ValueSource,
    page_rows: usize,
    /// A nested column has several leaves, and an encoder for each.
    encoders: Vec<ArrowColumnWriter>,
    /// The bounds of the values, where the encoder does not look for them.
    bounds: Option<(Bounds, Arc<BoundsEncoder>)>,
    /// Whether the first leaf has a dictionary.
    has_dictionary: bool,
    /// Whether every page so far has ended by its rows alone, so that the encoder holds none when the next one begins.
    is_even: bool,
}

impl ColumnTask {
    /// Encodes the values, and lets them go.
    ///
    /// **Determinism**: the encoder ends pages and dictionaries only where it is handed values, so it is handed arrays that
    /// depend on the number of rows alone: those of whole pages, and what remains of a row group. See also [`properties`].
    /// As long as no page can have ended by its bytes, and no dictionary, those of the next page are handed over as they
    /// came, in parts, so that they need not be copied: then a page ends at its last row, however it is divided.
    pub(crate) fn encode(mut self) -> Result<Vec<ArrowColumnChunk>, Error> {
        let parquet = Error::parquet("a file");
        loop {
            let parts = self.values.next(self.page_rows);
            if parts.is_empty() {
                break;
            }
            self.is_even = self.is_even && self.fits(&parts);
            let parts = if parts.len() < 2 || (self.is_even && parts.len() <= PARTS_MAX) {
                parts
            } else {
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                vec![concat(&parts)?]
            };
            for part in parts {
                if let Some((bounds, _)) = &mut self.bounds {
                    bounds.look(&part);
                }
                let leaves = compute_leaves(&self.field, &part).map_err(&parquet)?;
                for (encoder, leaf) in self.encoders.iter_mut().zip(&leaves) {
                    encoder.write(leaf).map_err(&parquet)?;
                }
            }
        }
        drop(self.values);
        let chunks = self.encoders.into_iter().map(ArrowColumnWriter::close);
        let mut chunks: Vec<_> = chunks.collect::<Result<_, _>>().map_err(parquet)?;
        if let (Some((bounds, encoder)), [chunk]) = (self.bounds, &mut chunks[..]) {
            bounds.tell(chunk, &encoder)?;
        }
        Ok(chunks)
    }

    /// Whether these values fill neither an empty page nor the dictionary.
    ///
    /// What is held differs with the division, since it counts room that is kept. That decides only which of two ways is
    /// taken that give the same bytes.
    fn fits(&self, parts: &[ArrayRef]) -> bool {
        let [encoder] = &self.encoders[..] else {
            return false;
        };
        // The dictionary is a part of what the encoder holds, which its pages count to as well.
        let held = if self.has_dictionary {
            encoder.memory_size()
        } else {
            0
        };
        let bytes = parts.iter().map(encoded_bytes_max).sum::<Option<usize>>();
        bytes.is_some_and(|bytes| held + bytes < PAGE_BYTES_MAX)
    }
}

/// The most that values can take in a page or a dictionary, in whatever encoding; nothing where that is not known.
fn encoded_bytes_max(values: &ArrayRef) -> Option<usize> {
    let each = match values.data_type() {
        DataType::Boolean => 1,
        other => other.primitive_width().unwrap_or(0),
    };
    let bytes = match values.data_type() {
        DataType::Utf8 => offset_bytes(values.as_string::<i32>().value_offsets()),
        DataType::Binary => offset_bytes(values.as_binary::<i32>().value_offsets()),
        _ if each == 0 => return None,
        _ => each * values.len(),
    };
    Some(bytes + VALUE_OVERHEAD_BYTES_MAX * values.len())
}

/// Bytes between the first and the last of these places.
pub(crate) fn offset_bytes(offsets: &[i32]) -> usize {
    let ends = offsets.first().zip(offsets.last());
    ends.map_or(0, |(first, last)| (last - first).unsigned_abs() as usize)
}

impl FileEncoder {
    /// Encodes rows of `schema`, the columns inside files, ordered by the columns of `sorting`.
    pub(crate) fn try_new(
        dataset: &str,
        schema: SchemaRef,
        layout: ParquetLayout,
        sorting: Vec<SortingColumn>,
    ) -> Result<Self, Error> {
        let parquet = Error::parquet(dataset);
        let bounds = bounds_encoders(&schema, &layout).map_err(&parquet)?;
        let is_looked_at = |leaf: &LeafLayout| {
            let mut columns = schema.fields().iter().zip(&bounds);
            let [name] = &leaf.path[..] else {
                return false;
            };
            columns.any(|(field, bounds)| bounds.is_some() && field.name() == name)
        };
        let properties = Arc::new(properties(dataset, &layout, &sorting, is_looked_at)?);
        let parquet_schema = ArrowSchemaConverter::new()
            .convert(&schema)
            .map_err(&parquet)?
            .root_schema_ptr();
        // The factory takes no more than schema and properties from a writer.
        let writer = SerializedFileWriter::new(
            std::io::sink(),
            Arc::clone(&parquet_schema),
            Arc::clone(&properties),
        );
        let columns =
            ArrowRowGroupWriterFactory::new(&writer.map_err(&parquet)?, Arc::clone(&schema));
        let fields = schema.fields().iter();
        Ok(Self {
            leaves: fields.map(|field| leaves(field.data_type())).sum(),
            schema,
            parquet_schema,
            properties,
            columns,
            bounds,
            layout,
            sorting,
        })
    }

    /// The columns that files have.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Divides the rows of one file into its column chunks: row group by row group, and in each column by column.
    pub(crate) fn split(&self, rows: Vec<RecordBatch>) -> Result<Vec<ColumnTask>, Error> {
        let page_rows = self.layout.page_rows_max.max(1) as usize;
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        let group_rows = group_rows(count, self.layout.row_group_rows_max);
        let mut rows = RowSource::new(rows);
        let mut tasks = Vec::new();
        for number in 0.. {
            let group = rows.next(group_rows);
            if group.is_empty() {
                break;
            }
            let encoders = self.columns.create_column_writers(number);
            let mut encoders = encoders.map_err(Error::parquet("a file"))?.into_iter();
            let mut layouts = self.layout.leaves.iter();
            let fields = self.schema.fields().iter().zip(&self.bounds);
            for ((field, bounds), parts) in fields.zip(into_columns(group)) {
                let leaves = leaves(field.data_type());
                let mut layouts = layouts.by_ref().take(leaves);
                let has_dictionary = layouts.next().is_none_or(LeafLayout::has_dictionary);
                layouts.for_each(drop);
                tasks.push(ColumnTask {
                    field: Arc::clone(field),
                    encoders: encoders.by_ref().take(leaves).collect(),
                    bounds: bounds.clone().map(|encoder| (Bounds::default(), encoder)),
                    has_dictionary,
                    is_even: true,
                    values: ValueSource::new(parts),
                    page_rows,
                });
            }
        }
        Ok(tasks)
    }

    /// Puts the column chunks of the tasks together, in the tasks' order, reads the footer back and compares it with what
    /// was asked for.
    pub(crate) fn assemble(
        &self,
        rows: usize,
        chunks: Vec<ArrowColumnChunk>,
    ) -> Result<EncodedFile, Error> {
        let parquet = Error::parquet("a file");
        let length = |chunk: &ArrowColumnChunk| chunk.close().bytes_written;
        let length: u64 = chunks.iter().map(length).sum();
        let sink = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + FOOTER_BYTES);
        let (schema, properties) = (
            Arc::clone(&self.parquet_schema),
            Arc::clone(&self.properties),
        );
        let mut writer = SerializedFileWriter::new(sink, schema, properties).map_err(&parquet)?;
        let mut chunks = chunks.into_iter().peekable();
        while chunks.peek().is_some() {
            let mut group = writer.next_row_group().map_err(&parquet)?;
            for chunk in chunks.by_ref().take(self.leaves.max(1)) {
                chunk.append_to_row_group(&mut group).map_err(&parquet)?;
            }
            group.close().map_err(&parquet)?;
        }
        let bytes = Bytes::from(writer.into_inner().map_err(&parquet)?);
        let footer = ParquetMetaDataReader::new()
            .parse_and_finish(&bytes)
            .map_err(&parquet)?;
        let digest = Fingerprint::from_bytes(*blake3::hash(&bytes).as_bytes());
        self.verify(&digest.to_hex(), rows, &footer)?;
        Ok(EncodedFile {
            digest,
            bytes,
            footer,
        })
    }

    /// Encodes the rows of one file on this thread.
    #[cfg(test)]
    pub(crate) fn encode(&self, rows: Vec<RecordBatch>) -> Result<EncodedFile, Error> {
        let count = rows.iter().map(RecordBatch::num_rows).sum();
        let chunks = self.split(rows)?.into_iter().map(ColumnTask::encode);
        let chunks = chunks.collect::<Result<Vec<_>, _>>()?;
        self.assemble(count, chunks.into_iter().flatten().collect())
    }

    /// Compares the footer that was read back with what was asked for.
    fn verify(&self, file: &str, rows: usize, footer: &ParquetMetaData) -> Result<(), Error> {
        let check = |what: &str, wanted: String, found: String| {
            if wanted == found {
                Ok(())
            } else {
                let (file, what) = (file.to_owned(), what.to_owned());
                Err(Error::FooterDiffers {
                    file,
                    what,
                    wanted,
                    found,
                })
            }
        };
        let counted = footer.file_metadata().num_rows();
        check("the number of rows", rows.to_string(), counted.to_string())?;
        for group in footer.row_groups() {
            let rows_max = i64::from(self.layout.row_group_rows_max.max(1));
            check(
                "the number of rows of a group",
                format!("at most {rows_max}"),
                match group.num_rows() {
                    rows if rows <= rows_max => format!("at most {rows_max}"),
                    rows => rows.to_string(),
                },
            )?;
            check(
                "the number of columns",
                self.layout.leaves.len().to_string(),
                group.num_columns().to_string(),
            )?;
            let sorting = group.sorting_columns().cloned().unwrap_or_default();
            check(
                "the order",
                format!("{:?}", self.sorting),
                format!("{sorting:?}"),
            )?;
            for (leaf, column) in self.layout.leaves.iter().zip(group.columns()) {
                let path = leaf.path.join(".");
                let of = |what: &str| format!("{what} of {path}");
                check(&of("the path"), path.clone(), column.column_path().string())?;
                let codec = compression(&path, self.layout.codec)?;
                // A footer does not tell the level.
                let found = match column.compression() {
                    found if discriminant(&found) == discriminant(&codec) => codec,
                    other => other,
                };
                check(&of("the codec"), format!("{codec:?}"), format!("{found:?}"))?;
                let dictionary = column.dictionary_page_offset().is_some();
                let wanted = leaf.has_dictionary();
                check(
                    &of("the dictionary"),
                    wanted.to_string(),
                    dictionary.to_string(),
                )?;
                if let Some(encoding) = page_encoding(leaf.encoding) {
                    let used = column.encodings().any(|found| found == encoding);
                    check(
                        &of(leaf.encoding.as_str()),
                        "used".to_owned(),
                        word(used, "used", "not used"),
                    )?;
                }
                let bounded = column.statistics().is_some();
                let wanted = leaf.statistics != PageStatistics::None;
                check(
                    &of("the presence of statistics"),
                    wanted.to_string(),
                    bounded.to_string(),
                )?;
                let indexed = column.column_index_offset().is_some();
                let wanted = leaf.statistics == PageStatistics::Page;
                check(
                    &of("the presence of a page index"),
                    wanted.to_string(),
                    indexed.to_string(),
                )?;
                let bloom = column.bloom_filter_offset().is_some();
                let wanted = leaf.bloom_filter.is_some();
                check(
                    &of("the presence of a bloom filter"),
                    wanted.to_string(),
                    bloom.to_string(),
                )?;
            }
        }
        Ok(())
    }
}

fn word(value: bool, yes: &str, no: &str) -> String {
    if value { yes } else { no }.to_owned()
}

/// Rows of a row group, of a file of so many: no group is much smaller than the others.
fn group_rows(rows: usize, rows_max: u32) -> usize {
    let groups = rows.div_ceil(rows_max.max(1) as usize).max(1);
    rows.div_ceil(groups)
}

/// The columns that files have for one of this type.
fn leaves(of: &DataType) -> usize {
    match of {
        DataType::List(inner) | DataType::Map(inner, _) => leaves(inner.data_type()),
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        _ => 1,
    }
}

/// The rows of a chunk, taken from its front.
struct RowSource {
    batches: std::vec::IntoIter<RecordBatch>,
    /// What is left of the batch that was begun.
    rest: Option<RecordBatch>,
}

impl RowSource {
    fn new(chunk: Vec<RecordBatch>) -> Self {
        Self {
            batches: chunk.into_iter(),
            rest: None,
        }
    }

    /// The next `rows` rows, or those that remain, as slices.
    fn next(&mut self, rows: usize) -> Vec<RecordBatch> {
        let mut parts = Vec::new();
        let mut missing = rows;
        while missing > 0 {
            let Some(batch) = self.rest.take().or_else(|| self.batches.next()) else {
                break;
            };
            if batch.num_rows() > missing {
                self.rest = Some(batch.slice(missing, batch.num_rows() - missing));
                parts.push(batch.slice(0, missing));
                break;
            }
            missing -= batch.num_rows();
            parts.push(batch);
        }
        parts
    }
}

/// The columns of all batches, which have the same ones.
fn into_columns(batches: Vec<RecordBatch>) -> Vec<Vec<ArrayRef>> {
    let width = batches.first().map_or(0, RecordBatch::num_columns);
    let mut columns: Vec<Vec<ArrayRef>> = (0..width)
        .map(|_| Vec::with_capacity(batches.len()))
        .collect();
    for batch in batches {
        let (_, arrays, _) = batch.into_parts();
        for (column, array) in columns.iter_mut().zip(arrays) {
            column.push(array);
        }
    }
    columns
}

/// The values of a column, taken from its front.
struct ValueSource {
    parts: std::vec::IntoIter<ArrayRef>,
    /// What is left of the part that was begun.
    rest: Option<ArrayRef>,
}

impl ValueSource {
    fn new(parts: Vec<ArrayRef>) -> Self {
        Self {
            parts: parts.into_iter(),
            rest: None,
        }
    }

    /// The next `rows` values, or those that remain, as slices.
    fn next(&mut self, rows: usize) -> Vec<ArrayRef> {
        let mut parts = Vec::new();
        let mut missing = rows;
        while missing > 0 {
            let Some(part) = self.rest.take().or_else(|| self.parts.next()) else {
                break;
            };
            if part.len() > missing {
                self.rest = Some(part.slice(missing, part.len() - missing));
                parts.push(part.slice(0, missing));
                break;
            }
            missing -= part.len();
            parts.push(part);
        }
        parts
    }
}

fn compression(file: &str, codec: Codec) -> Result<Compression, Error> {
    Ok(match codec {
        Codec::Snappy => Compression::SNAPPY,
        Codec::Zstd(level) => {
            let level = ZstdLevel::try_new(i32::from(level)).map_err(Error::parquet(file))?;
            Compression::ZSTD(level)
        }
        // `Codec` may grow; what is not known here is stored as it is.
        _ => Compression::UNCOMPRESSED,
    })
}

/// The encoding of data pages; a dictionary is asked for by other means.
fn page_encoding(encoding: Encoding) -> Option<ParquetEncoding> {
    match encoding {
        Encoding::Plain => Some(ParquetEncoding::PLAIN),
        Encoding::DeltaBinaryPacked => Some(ParquetEncoding::DELTA_BINARY_PACKED),
        Encoding::DeltaLengthByteArray => Some(ParquetEncoding::DELTA_LENGTH_BYTE_ARRAY),
        Encoding::DeltaByteArray => Some(ParquetEncoding::DELTA_BYTE_ARRAY),
        _ => None,
    }
}

/// What the encoder is asked for.
///
/// **Determinism**: the encoder looks for the end of a page, and of a dictionary, behind every run of so many values.
/// That number is the row limit of a page where a column's nulls are known to be none or all, and the batch size
/// elsewhere; and whether they are known depends on how a batch keeps them. So both numbers are the same.
fn properties(
    dataset: &str,
    layout: &ParquetLayout,
    sorting: &[SortingColumn],
    is_looked_at: impl Fn(&LeafLayout) -> bool,
) -> Result<WriterProperties, Error> {
    let mut builder = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression(dataset, layout.codec)?)
        // Row groups end where the encoder flushes, and nowhere else.
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(layout.page_rows_max as usize)
        .set_write_batch_size(layout.page_rows_max as usize)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_dictionary_page_size_limit(PAGE_BYTES_MAX)
        .set_statistics_truncate_length(Some(BOUND_BYTES_MAX))
        .set_sorting_columns((!sorting.is_empty()).then(|| sorting.to_vec()));
    for leaf in &layout.leaves {
        let LeafLayout {
            path,
            encoding,
            statistics,
            bloom_filter,
            ..
        } = leaf;
        let path = || ColumnPath::new(path.clone());
        let enabled = match statistics {
            _ if is_looked_at(leaf) => EnabledStatistics::None,
            PageStatistics::RowGroup => EnabledStatistics::Chunk,
            PageStatistics::Page => EnabledStatistics::Page,
            _ => EnabledStatistics::None,
        };
        builder = builder
            .set_column_dictionary_enabled(path(), leaf.has_dictionary())
            .set_column_statistics_enabled(path(), enabled)
            .set_column_bloom_filter_enabled(path(), bloom_filter.is_some());
        if let Some(encoding) = page_encoding(*encoding) {
            builder = builder.set_column_encoding(path(), encoding);
        }
        if let Some(bloom) = bloom_filter {
            let share = f64::from(bloom.false_positives_per_million) / 1e6;
            builder = builder
                .set_column_bloom_filter_fpp(path(), share)
                .set_column_bloom_filter_max_ndv(path(), bloom.distinct_values_max);
        }
    }
    Ok(builder.build())
}

/// How the bounds of columns are told that are found here: of texts whose chunks have bounds, and whose pages have none.
fn bounds_encoders(
    schema: &SchemaRef,
    layout: &ParquetLayout,
) -> Result<Vec<Option<Arc<BoundsEncoder>>>, ParquetError> {
    let mut layouts = layout.leaves.iter();
    let fields = schema.fields().iter().map(|field| {
        let leaves = leaves(field.data_type());
        let mut layouts = layouts.by_ref().take(leaves);
        let statistics = layouts.next().map(|leaf| leaf.statistics);
        layouts.for_each(drop);
        if statistics != Some(PageStatistics::RowGroup) || !BoundsEncoder::is_for(field.data_type())
        {
            return Ok(None);
        }
        let encoder = BoundsEncoder::try_new(field, BOUND_BYTES_MAX)?;
        Ok(Some(Arc::new(encoder)))
    });
    fields.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow_array::builder::{Int16Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
        StringArray, StructArray,
    };
    use arrow_buffer::{BooleanBuffer, NullBuffer};
    use ossature_delta_policy::{Override, resolve_layout};
    use ossature_schema_spec::{
        BloomFilter, ColumnLayout, ColumnName, ColumnSpec, ColumnType, DatasetSpec,
        DatasetSpecBuilder, FieldSpec, ParquetSpec,
    };
    use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
    use proptest::prelude::*;

    use super::*;

    fn encoder(contract: &DatasetSpec, sorting: Vec<SortingColumn>) -> FileEncoder {
        let layout = resolve_layout(contract, &[], &Override::Inherit, &Override::Inherit);
        let layout = layout.unwrap().value;
        FileEncoder::try_new("cpg.things", contract.arrow_schema(), layout, sorting).unwrap()
    }

    fn in_batches(all: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
        (0..all.num_rows())
            .step_by(rows)
            .map(|at| all.slice(at, rows.min(all.num_rows() - at)))
            .collect()
    }

    /// Encodes the rows in batches of several sizes, which must give the same bytes.
    #[track_caller]
    fn check(contract: &DatasetSpec, all: &RecordBatch) -> EncodedFile {
        let encoder = encoder(contract, Vec::new());
        let whole = encoder.encode(vec![all.clone()]).unwrap();
        for rows in [1, 7, 64, 333, 1000] {
            let parts = encoder.encode(in_batches(all, rows)).unwrap();
            assert_eq!(parts.digest, whole.digest, "in batches of {rows}");
        }
        whole
    }

    fn builder(page_rows_max: u32, row_group_rows_max: u32) -> DatasetSpecBuilder {
        DatasetSpec::builder("cpg.things", "").parquet(ParquetSpec {
            page_rows_max,
            row_group_rows_max,
            ..ParquetSpec::default()
        })
    }

    #[test]
    fn bytes_of_flat_columns_do_not_depend_on_batches() {
        let contract = builder(100, 250)
            .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
            .column(ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
            .column(ColumnSpec::nullable("flag", ColumnType::Boolean).unwrap())
            .column(ColumnSpec::nullable("weight", ColumnType::Float64).unwrap())
            .build()
            .unwrap();
        let ids = 0..1111_i64;
        let name = |id: i64| (id % 500 < 350).then(|| format!("thing {}", id % 90));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(ids.clone())),
            Arc::new(ids.clone().map(name).collect::<StringArray>()),
            Arc::new(
                ids.clone()
                    .map(|id| (id > 400).then_some(id % 3 == 0))
                    .collect::<BooleanArray>(),
            ),
            Arc::new(
                ids.map(|id| (id % 2 == 0).then_some(0.5))
                    .collect::<Float64Array>(),
            ),
        ];
        let all = RecordBatch::try_new(contract.arrow_schema(), columns).unwrap();
        let file = check(&contract, &all);
        let rows: Vec<i64> = file
            .footer
            .row_groups()
            .iter()
            .map(RowGroupMetaData::num_rows)
            .collect();
        assert_eq!(rows, [223, 223, 223, 223, 219]);
    }

    #[test]
    fn bytes_of_nested_columns_do_not_depend_on_batches() {
        let small = FieldSpec::nullable("element", ColumnType::Int16).unwrap();
        let lists = FieldSpec::nullable("element", ColumnType::List(Box::new(small))).unwrap();
        let labels = ColumnType::Map {
            key: Box::new(ColumnType::Utf8),
            value: Box::new(FieldSpec::nullable("value", ColumnType::Utf8).unwrap()),
        };
        let money = ColumnType::Decimal {
            precision: 20,
            scale: 2,
        };
        let fields = vec![
            FieldSpec::nullable("price", money).unwrap(),
            FieldSpec::nullable("name", ColumnType::Utf8).unwrap(),
        ];
        let contract = builder(100, 250)
            .column(ColumnSpec::nullable("lists", ColumnType::List(Box::new(lists))).unwrap())
            .column(ColumnSpec::nullable("labels", labels).unwrap())
            .column(ColumnSpec::nullable("both", ColumnType::Struct(fields)).unwrap())
            .build()
            .unwrap();
        let schema = contract.arrow_schema();
        let mut lists = ListBuilder::new(ListBuilder::new(Int16Builder::new()));
        let names = arrow_array::builder::MapFieldNames {
            entry: "key_value".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        };
        let mut labels = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        let rows = 777_i16;
        for row in 0..rows {
            for outer in 0..row % 4 {
                for inner in 0..(row + outer) % 5 {
                    lists
                        .values()
                        .values()
                        .append_option((inner != 2).then_some(row));
                }
                lists.values().append(outer != 2);
            }
            lists.append(row % 11 != 0 && !(200..320).contains(&row));
            for label in 0..row % 3 {
                labels.keys().append_value(format!("label {label}"));
                labels
                    .values()
                    .append_option((row % 7 != 0).then(|| format!("value {row}")));
            }
            labels.append(row % 13 != 0).unwrap();
        }
        let retyped = |array: &dyn Array, at: usize| {
            arrow_cast::cast(array, schema.field(at).data_type()).unwrap()
        };
        let prices = (0..rows).map(|row| (row % 5 != 0).then_some(i128::from(row)));
        let prices = prices
            .collect::<Decimal128Array>()
            .with_precision_and_scale(20, 2)
            .unwrap();
        let names = (0..rows).map(|row| (row < 600).then(|| format!("name {}", row % 50)));
        let DataType::Struct(fields) = schema.field(2).data_type().clone() else {
            unreachable!("it was declared so");
        };
        let nulls: NullBuffer = (0..rows).map(|row| row % 300 < 250).collect();
        let children: Vec<ArrayRef> =
            vec![Arc::new(prices), Arc::new(names.collect::<StringArray>())];
        let columns: Vec<ArrayRef> = vec![
            retyped(&lists.finish(), 0),
            retyped(&labels.finish(), 1),
            Arc::new(StructArray::new(fields, children, Some(nulls))),
        ];
        let all = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let file = check(&contract, &all);
        assert_eq!(file.footer.num_row_groups(), 4);
    }

    #[test]
    fn bytes_do_not_depend_on_how_the_absence_of_nulls_is_kept() {
        let fields = vec![FieldSpec::nullable("text", ColumnType::Utf8).unwrap()];
        let contract = builder(20_000, 131_072)
            .column(ColumnSpec::nullable("text", ColumnType::Utf8).unwrap())
            .column(ColumnSpec::nullable("both", ColumnType::Struct(fields)).unwrap())
            .build()
            .unwrap();
        let schema = contract.arrow_schema();
        let DataType::Struct(fields) = schema.field(1).data_type().clone() else {
            unreachable!("it was declared so");
        };
        let encoder = encoder(&contract, Vec::new());
        // Enough texts to fill a dictionary within a page, from where on they are stored plainly; and repeated ones, which
        // the encoder's guess of where that is does not see.
        let texts = (0..20_000).map(|row| match row {
            5_000..10_000 => format!("{:0>90}", 0),
            row => format!("{row:0>90}"),
        });
        let texts = StringArray::from_iter_values(texts);
        let (offsets, values, _) = texts.into_parts();
        let file = |nulls: Option<NullBuffer>| {
            let texts: ArrayRef = Arc::new(StringArray::new(
                offsets.clone(),
                values.clone(),
                nulls.clone(),
            ));
            let both = StructArray::new(fields.clone(), vec![Arc::clone(&texts)], nulls);
            let columns = vec![texts, Arc::new(both) as ArrayRef];
            let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
            encoder.encode(vec![batch]).unwrap().digest
        };
        let all_valid = NullBuffer::new(BooleanBuffer::new_set(20_000));
        assert_eq!(file(Some(all_valid)), file(None));
    }

    /// Texts in every encoding, and other types, where pages and dictionaries end by their rows, by their bytes, or not.
    fn texts_of_all_encodings() -> DatasetSpec {
        let encodings = [
            ("dictionary", Encoding::Dictionary),
            ("plain", Encoding::Plain),
            ("lengths", Encoding::DeltaLengthByteArray),
            ("prefixes", Encoding::DeltaByteArray),
        ];
        let layout = |encoding| ColumnLayout {
            encoding: Some(encoding),
            statistics: Some(PageStatistics::Page),
            ..ColumnLayout::default()
        };
        let layouts = encodings
            .map(|(name, encoding)| (ColumnName::try_new(name).unwrap(), layout(encoding)));
        let texts =
            encodings.map(|(name, _)| ColumnSpec::nullable(name, ColumnType::Utf8).unwrap());
        DatasetSpec::builder("cpg.things", "")
            .columns(texts)
            .column(ColumnSpec::nullable("flag", ColumnType::Boolean).unwrap())
            .column(ColumnSpec::nullable("weight", ColumnType::Float64).unwrap())
            .column(ColumnSpec::required("number", ColumnType::Int64).unwrap())
            .parquet(ParquetSpec {
                page_rows_max: 2000,
                row_group_rows_max: 5000,
                columns: layouts.into(),
                ..ParquetSpec::default()
            })
            .build()
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn bytes_do_not_depend_on_how_rows_are_divided(
            rows in 1..9000_usize,
            // The length of most texts, how often one is null, and how many are the same.
            length in prop::sample::select(vec![0, 3, 8, 300, 520, 535, 700]),
            nulls in prop::sample::select(vec![1, 2, 7, 1000]),
            distinct in prop::sample::select(vec![1, 2, 50, 1900, 9000]),
            long in prop::option::of(1..500_usize),
            // From where on texts are short.
            short_from in prop::option::of(0..9000_usize),
            ends in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let contract = texts_of_all_encodings();
            let text = |row: usize| (!(row / 3).is_multiple_of(nulls)).then(|| {
                let length = if short_from.is_some_and(|from| row >= from) { 2 } else { length };
                let length = length + long.filter(|every| row.is_multiple_of(*every)).map_or(0, |_| 40_000);
                format!("{:0>length$}", row % distinct)
            });
            let texts: ArrayRef = Arc::new((0..rows).map(text).collect::<StringArray>());
            let mut columns = vec![texts; 4];
            columns.push(Arc::new((0..rows).map(|row| text(row).map(|_| row / 5 % 2 == 0)).collect::<BooleanArray>()));
            columns.push(Arc::new((0..rows).map(|row| text(row).map(|_| 0.5)).collect::<Float64Array>()));
            columns.push(Arc::new((0..rows).map(|row| i64::try_from(row / distinct).unwrap()).collect::<Int64Array>()));
            let all = RecordBatch::try_new(contract.arrow_schema(), columns).unwrap();
            let encoder = encoder(&contract, Vec::new());
            let whole = encoder.encode(vec![all.clone()]).unwrap().digest;
            let mut ends: Vec<usize> = ends.iter().map(|end| end.index(rows)).collect();
            ends.extend([0, rows]);
            ends.sort_unstable();
            let parts = ends.windows(2).map(|ends| all.slice(ends[0], ends[1] - ends[0]));
            prop_assert_eq!(encoder.encode(parts.collect()).unwrap().digest, whole);
        }
    }

    /// The same, with all bounds found by the encoder.
    fn by_the_library(mut encoder: FileEncoder) -> FileEncoder {
        let properties = properties("cpg.things", &encoder.layout, &encoder.sorting, |_| false);
        encoder.properties = Arc::new(properties.unwrap());
        let (root, properties) = (&encoder.parquet_schema, &encoder.properties);
        let sink = std::io::sink();
        let writer = SerializedFileWriter::new(sink, Arc::clone(root), Arc::clone(properties));
        let schema = Arc::clone(&encoder.schema);
        encoder.columns = ArrowRowGroupWriterFactory::new(&writer.unwrap(), schema);
        encoder.bounds.fill(None);
        encoder
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Files are what they were when the library looked for all bounds.
        #[test]
        fn bounds_are_told_as_the_library_tells_them(
            words in prop::collection::vec(prop::string::string_regex("(é|x|\u{7f}|\u{ff}|\u{10ffff}){0,70}").unwrap(), 1..6),
            rows in prop::collection::vec(prop::option::weighted(0.7, any::<prop::sample::Index>()), 0..200),
            has_dictionary in any::<bool>(),
        ) {
            let layout = || ColumnLayout {
                encoding: Some(if has_dictionary { Encoding::Dictionary } else { Encoding::Plain }),
                statistics: Some(PageStatistics::RowGroup),
                ..ColumnLayout::default()
            };
            let names = ["text", "bytes", "full"];
            let contract = DatasetSpec::builder("cpg.things", "")
                .column(ColumnSpec::nullable("text", ColumnType::Utf8).unwrap())
                .column(ColumnSpec::nullable("bytes", ColumnType::Binary).unwrap())
                .column(ColumnSpec::required("full", ColumnType::Utf8).unwrap())
                .parquet(ParquetSpec {
                    row_group_rows_max: 90,
                    page_rows_max: 40,
                    columns: names.map(|name| (ColumnName::try_new(name).unwrap(), layout())).into(),
                    ..ParquetSpec::default()
                })
                .build()
                .unwrap();
            let texts: Vec<Option<&String>> = rows.iter().map(|at| at.as_ref().map(|at| at.get(&words))).collect();
            let full = texts.iter().map(|text| text.map_or("none", String::as_str));
            let columns: Vec<ArrayRef> = vec![
                Arc::new(texts.iter().copied().collect::<StringArray>()),
                Arc::new(texts.iter().map(|text| text.map(String::as_bytes)).collect::<BinaryArray>()),
                Arc::new(StringArray::from_iter_values(full)),
            ];
            let all = RecordBatch::try_new(contract.arrow_schema(), columns).unwrap();
            let encoder = || encoder(&contract, Vec::new());
            prop_assert_eq!(encoder().bounds.iter().flatten().count(), 3);
            let library = by_the_library(encoder()).encode(in_batches(&all, 7)).unwrap();
            let ours = encoder().encode(in_batches(&all, 7)).unwrap();
            prop_assert_eq!(format!("{:#?}", ours.footer.row_groups()), format!("{:#?}", library.footer.row_groups()));
            prop_assert_eq!(ours.digest, library.digest);
        }
    }

    /// The rows of the pages of the first column, whatever the batches.
    #[track_caller]
    fn check_pages(contract: &DatasetSpec, values: ArrayRef, want: &[usize]) {
        let rows = values.len();
        let all = RecordBatch::try_new(contract.arrow_schema(), vec![values]).unwrap();
        let encoder = encoder(contract, Vec::new());
        let mut digests = BTreeSet::new();
        for batch in [1, 100, 8192, 20_000, rows] {
            let file = encoder.encode(in_batches(&all, batch)).unwrap();
            let policy = PageIndexPolicy::Required;
            let footer = ParquetMetaDataReader::new().with_page_index_policy(policy);
            let footer = footer.parse_and_finish(&file.bytes).unwrap();
            let pages = footer.offset_index().unwrap()[0][0].page_locations();
            let begins = pages
                .iter()
                .map(|page| usize::try_from(page.first_row_index).unwrap());
            let begins: Vec<usize> = begins.chain([rows]).collect();
            let found: Vec<usize> = begins.windows(2).map(|ends| ends[1] - ends[0]).collect();
            assert_eq!(found, want, "in batches of {batch}");
            digests.insert(file.digest);
        }
        assert_eq!(digests.len(), 1);
    }

    #[test]
    fn what_a_page_that_ended_by_its_bytes_leaves_behind_does_not_end_the_next_one_in_the_middle() {
        let of = |column_type| {
            DatasetSpec::builder("cpg.things", "")
                .column(ColumnSpec::required("value", column_type).unwrap())
                .build()
                .unwrap()
        };
        let bytes = (0..40_000).map(|row| vec![0; if row < 20_000 { 100 } else { 10 }]);
        let bytes = Arc::new(BinaryArray::from_iter_values(bytes));
        check_pages(&of(ColumnType::Binary), bytes, &[10_083, 29_917]);
        // Where the dictionary is full, texts are stored plainly from there on.
        let texts = (0..40_000).map(|row| match row {
            ..11_156 => format!("{row:0>90}"),
            _ => "x".to_owned(),
        });
        let texts = Arc::new(StringArray::from_iter_values(texts));
        check_pages(&of(ColumnType::Utf8), texts, &[11_156, 28_844]);
    }

    fn ids_and_names() -> (DatasetSpec, RecordBatch) {
        let bloom_filter = BloomFilter {
            distinct_values_max: 10,
            false_positives_per_million: 10_000,
        };
        let bloom = ColumnLayout {
            bloom_filter: Some(bloom_filter),
            ..ColumnLayout::default()
        };
        let contract = DatasetSpec::builder("cpg.things", "")
            .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
            .column(ColumnSpec::required("name", ColumnType::Utf8).unwrap())
            .parquet(ParquetSpec {
                columns: [(ColumnName::try_new("name").unwrap(), bloom)].into(),
                ..ParquetSpec::default()
            })
            .build()
            .unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1, 2])),
            Arc::new(StringArray::from(vec!["a", "b"])),
        ];
        let rows = RecordBatch::try_new(contract.arrow_schema(), columns).unwrap();
        (contract, rows)
    }

    #[test]
    fn every_codec_and_level_is_found_again() {
        let levels = (1..=22).map(Codec::Zstd);
        for codec in levels.chain([Codec::Snappy, Codec::Uncompressed]) {
            let (contract, rows) = ids_and_names();
            let mut layout = encoder(&contract, Vec::new()).layout;
            layout.codec = codec;
            let schema = contract.arrow_schema();
            let encoder = FileEncoder::try_new("cpg.things", schema, layout, Vec::new()).unwrap();
            assert!(encoder.encode(vec![rows]).is_ok(), "{codec}");
        }
    }

    fn by_first_column(descending: bool) -> Vec<SortingColumn> {
        vec![SortingColumn {
            column_idx: 0,
            descending,
            nulls_first: true,
        }]
    }

    /// What is found to differ when a file is held against what `change` makes of its encoder.
    #[track_caller]
    fn check_differs(change: impl FnOnce(&mut FileEncoder), want: &str) {
        let (contract, rows) = ids_and_names();
        let mut encoder = encoder(&contract, by_first_column(false));
        let file = encoder.encode(vec![rows]).unwrap();
        change(&mut encoder);
        let found = match encoder.verify("a file", 2, &file.footer) {
            Err(Error::FooterDiffers { what, .. }) => what,
            other => format!("{other:?}"),
        };
        assert_eq!(found, want);
    }

    #[test]
    fn a_footer_that_says_something_else_is_refused() {
        check_differs(|_| {}, "Ok(())");
        check_differs(|file| file.sorting = by_first_column(true), "the order");
        check_differs(|file| file.sorting.clear(), "the order");
        let snappy = |file: &mut FileEncoder| file.layout.codec = Codec::Snappy;
        check_differs(snappy, "the codec of id");
        check_differs(
            |file| file.layout.leaves[0].encoding = Encoding::Dictionary,
            "the dictionary of id",
        );
        check_differs(
            |file| file.layout.leaves[0].encoding = Encoding::DeltaByteArray,
            "DELTA_BYTE_ARRAY of id",
        );
        check_differs(
            |file| file.layout.leaves[1].encoding = Encoding::Plain,
            "the dictionary of name",
        );
        check_differs(
            |file| file.layout.leaves[0].statistics = PageStatistics::None,
            "the presence of statistics of id",
        );
        check_differs(
            |file| file.layout.leaves[0].statistics = PageStatistics::Page,
            "the presence of a page index of id",
        );
        check_differs(
            |file| file.layout.row_group_rows_max = 1,
            "the number of rows of a group",
        );
        check_differs(
            |file| file.layout.leaves[1].bloom_filter = None,
            "the presence of a bloom filter of name",
        );
        check_differs(|file| file.layout.leaves.swap(0, 1), "the path of name");
        check_differs(
            |file| drop(file.layout.leaves.pop()),
            "the number of columns",
        );
    }

    #[test]
    fn a_file_of_another_number_of_rows_is_refused() {
        let (contract, rows) = ids_and_names();
        let encoder = encoder(&contract, Vec::new());
        let file = encoder.encode(vec![rows]).unwrap();
        let refused = encoder.verify("a file", 3, &file.footer).err();
        let said = refused.map(|error| error.to_string());
        let want = "the footer of a file says the number of rows is 2, not 3";
        assert_eq!(said.as_deref(), Some(want));
    }
}
