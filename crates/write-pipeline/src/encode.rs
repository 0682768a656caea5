//! One file: rows to bytes, the footer read back, a name from the content.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use ossature_delta_policy::{LeafLayout, ParquetLayout};
use ossature_schema_spec::{Codec, Encoding, PageStatistics};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::cut::Chunk;

/// Who wrote the file. It is part of the bytes, so it names the rules and not a release.
const CREATED_BY: &str = "ossature deterministic writer 1";

/// Bytes that statistics keep of a text. Longer values have bounds that are not exact, and are left out of the log.
const BOUND_BYTES_MAX: usize = 64;

/// How the files of a table are encoded.
#[derive(Debug)]
pub(crate) struct FileEncoder {
    schema: SchemaRef,
    properties: WriterProperties,
    layout: ParquetLayout,
    sorting: Vec<SortingColumn>,
}

/// A file, ready to be stored.
pub(crate) struct EncodedFile {
    /// Hexadecimal digits of the digest of the bytes.
    pub(crate) digest: String,
    pub(crate) bytes: Bytes,
    pub(crate) footer: ParquetMetaData,
}

impl FileEncoder {
    /// Encodes rows of `schema`, the columns inside files, ordered by the columns of `sorting`.
    pub(crate) fn try_new(
        dataset: &str,
        schema: SchemaRef,
        layout: ParquetLayout,
        sorting: Vec<SortingColumn>,
    ) -> Result<Self, Error> {
        let properties = properties(dataset, &layout, &sorting)?;
        Ok(Self {
            schema,
            properties,
            layout,
            sorting,
        })
    }

    /// Encodes the rows of one file.
    ///
    /// **Determinism**: rows are gathered into whole row groups first, because the encoder ends pages where batches
    /// end; so the bytes depend on the rows and the layout alone.
    pub(crate) fn encode(&self, chunk: &Chunk) -> Result<EncodedFile, Error> {
        let name = "a file";
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties.clone())
            // The Arrow schema in the footer would only repeat what the table's schema says.
            .with_skip_arrow_metadata(true);
        let mut writer =
            ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&self.schema), options)
                .map_err(Error::parquet(name))?;
        for group in row_groups(chunk, self.layout.row_group_rows_max as usize) {
            let rows = concat_batches(&self.schema, &group)?;
            writer.write(&rows).map_err(Error::parquet(name))?;
            writer.flush().map_err(Error::parquet(name))?;
        }
        let bytes = Bytes::from(writer.into_inner().map_err(Error::parquet(name))?);
        let footer = ParquetMetaDataReader::new()
            .parse_and_finish(&bytes)
            .map_err(Error::parquet(name))?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let digest = ossature_schema_spec::Fingerprint::from_bytes(digest).to_hex();
        let rows: usize = chunk.iter().map(RecordBatch::num_rows).sum();
        self.verify(&digest, rows, &footer)?;
        Ok(EncodedFile {
            digest,
            bytes,
            footer,
        })
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
                check(
                    &of("the codec"),
                    format!("{codec:?}"),
                    format!("{:?}", column.compression()),
                )?;
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

/// Splits a chunk into runs of exactly `rows_max` rows, the last one excepted.
fn row_groups(chunk: &Chunk, rows_max: usize) -> Vec<Vec<RecordBatch>> {
    let rows_max = rows_max.max(1);
    let mut groups = vec![Vec::new()];
    let mut filled = 0;
    for batch in chunk {
        let mut from = 0;
        while from < batch.num_rows() {
            if filled == rows_max {
                groups.push(Vec::new());
                filled = 0;
            }
            let rows = (batch.num_rows() - from).min(rows_max - filled);
            if let Some(group) = groups.last_mut() {
                group.push(batch.slice(from, rows));
            }
            filled += rows;
            from += rows;
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
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

fn properties(
    dataset: &str,
    layout: &ParquetLayout,
    sorting: &[SortingColumn],
) -> Result<WriterProperties, Error> {
    let mut builder = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression(dataset, layout.codec)?)
        // Row groups end where the encoder flushes, and nowhere else.
        .set_max_row_group_row_count(None)
        .set_data_page_row_count_limit(layout.page_rows_max as usize)
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
        builder = builder
            .set_column_dictionary_enabled(path(), leaf.has_dictionary())
            .set_column_statistics_enabled(path(), enabled(*statistics))
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

fn enabled(statistics: PageStatistics) -> EnabledStatistics {
    match statistics {
        PageStatistics::RowGroup => EnabledStatistics::Chunk,
        PageStatistics::Page => EnabledStatistics::Page,
        _ => EnabledStatistics::None,
    }
}
