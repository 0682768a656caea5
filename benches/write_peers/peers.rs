//! Who writes the rows, and how.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use deltalake_core::DeltaTable;
use deltalake_core::protocol::SaveMode;
use ossature_delta_policy::{Override, resolve_layout};
use ossature_schema_spec::{Codec, DatasetSpec, Encoding as WantedEncoding, PageStatistics};
use ossature_tests::{TemporaryLake, request, write};
use ossature_write_pipeline::WriteMode;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowRowGroupWriterFactory, ArrowWriter, compute_leaves,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use tokio::runtime::Runtime;

use crate::Failure;
use crate::rows::Workload;

/// Threads that every writer may use.
pub(crate) const THREADS: usize = 2;

/// Rows in a file of ours, as the policy of the graph's tables has it.
const ROWS_PER_FILE_MAX: u64 = 1 << 18;

/// One way to write the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Ours: order, key and contract checked, files digested, footers read back, one commit.
    Ours,
    /// `WriteBuilder` of delta-rs with the codec, and for the rest what it does unasked.
    DeltaRs,
    /// `WriteBuilder` of delta-rs with the encodings and statistics of ours.
    DeltaRsTuned,
    /// Parquet alone: two threads, each of which writes half of the rows into a file. Properties as ours.
    TwoFiles,
    /// Parquet alone: one file, whose column chunks are encoded by two threads. Properties as ours.
    Columns,
    /// Nobody: the rows are there, and that is all.
    Nobody,
}

impl Peer {
    pub(crate) const WRITERS: [Self; 5] = [
        Self::Ours,
        Self::DeltaRs,
        Self::DeltaRsTuned,
        Self::TwoFiles,
        Self::Columns,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::DeltaRs => "delta-rs",
            Self::DeltaRsTuned => "delta-rs-tuned",
            Self::TwoFiles => "two-files",
            Self::Columns => "columns",
            Self::Nobody => "nobody",
        }
    }

    /// Writes the rows into a folder.
    pub(crate) fn write(
        self,
        runtime: &Runtime,
        workload: &Workload,
        rows: &Rows,
        lake: &TemporaryLake,
    ) -> Result<(), Failure> {
        match self {
            Self::Ours => ours(runtime, workload, rows, lake),
            Self::DeltaRs => {
                let codec = compression(workload.contract().parquet().codec)?;
                let properties = WriterProperties::builder().set_compression(codec).build();
                delta_rs(runtime, properties, workload, rows, lake)
            }
            Self::DeltaRsTuned => delta_rs(
                runtime,
                properties_of(workload.contract())?,
                workload,
                rows,
                lake,
            ),
            Self::TwoFiles => two_files(workload, rows, lake.path()),
            Self::Columns => columns(workload, rows, lake.path()),
            Self::Nobody => rows.each(workload, 0..workload.batches(), |batch| {
                std::hint::black_box(batch);
                Ok(())
            }),
        }
    }
}

impl FromStr for Peer {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        Self::WRITERS
            .into_iter()
            .chain([Self::Nobody])
            .find(|peer| peer.as_str() == word)
            .ok_or_else(|| format!("no writer is called {word}").into())
    }
}

/// Where rows come from.
#[derive(Debug)]
pub(crate) enum Rows {
    /// They are all in memory.
    Held(Vec<RecordBatch>),
    /// They are made one batch after the other.
    Streamed,
}

impl Rows {
    pub(crate) fn held(workload: &Workload) -> Result<Self, Failure> {
        let batches = (0..workload.batches()).map(|number| workload.batch(number));
        Ok(Self::Held(batches.collect::<Result<_, _>>()?))
    }

    fn get(&self, workload: &Workload, number: u64) -> Result<RecordBatch, Failure> {
        match self {
            Self::Held(batches) => {
                let batch = batches.get(usize::try_from(number)?);
                Ok(batch.cloned().ok_or("there is no such batch")?)
            }
            Self::Streamed => workload.batch(number),
        }
    }

    fn each(
        &self,
        workload: &Workload,
        numbers: impl IntoIterator<Item = u64>,
        mut visit: impl FnMut(RecordBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for number in numbers {
            visit(self.get(workload, number)?)?;
        }
        Ok(())
    }
}

fn ours(
    runtime: &Runtime,
    workload: &Workload,
    rows: &Rows,
    lake: &TemporaryLake,
) -> Result<(), Failure> {
    let contract = workload.contract();
    let request = request(
        &lake.lake,
        contract,
        ROWS_PER_FILE_MAX,
        WriteMode::Overwrite,
    )?;
    let mut failed = None;
    let batches = (0..workload.batches()).map_while(|number| match rows.get(workload, number) {
        Ok(batch) => Some(batch),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let outcome = runtime.block_on(write(request, THREADS, batches))?;
    if let Some(error) = failed {
        return Err(error);
    }
    expect_rows(outcome.rows, workload)
}

fn expect_rows(found: u64, workload: &Workload) -> Result<(), Failure> {
    if found == workload.rows() {
        Ok(())
    } else {
        Err(format!("{found} rows were written, not {}", workload.rows()).into())
    }
}

fn delta_rs(
    runtime: &Runtime,
    properties: WriterProperties,
    workload: &Workload,
    rows: &Rows,
    lake: &TemporaryLake,
) -> Result<(), Failure> {
    let Rows::Held(batches) = rows else {
        return Err("delta-rs is given rows in memory".into());
    };
    let location = lake.location("cpg.edges")?;
    std::fs::create_dir_all(location.to_string())?;
    let table = runtime.block_on(async {
        let table = DeltaTable::try_from_url(location.url().clone()).await?;
        let writing = table
            .write(batches.iter().cloned())
            .with_save_mode(SaveMode::Append)
            .with_writer_properties(properties);
        Ok::<_, Failure>(writing.await?)
    })?;
    let written: i64 = table
        .snapshot()?
        .log_data()
        .iter()
        .filter_map(|file| file.num_records())
        .map(|rows| i64::try_from(rows).unwrap_or_default())
        .sum();
    expect_rows(written.unsigned_abs(), workload)
}

fn two_files(workload: &Workload, rows: &Rows, folder: &Path) -> Result<(), Failure> {
    let contract = workload.contract();
    let properties = properties_of(contract)?;
    let (schema, half) = (contract.arrow_schema(), workload.batches() / 2);
    let write = |name: &str, numbers| -> Result<(), Failure> {
        let file = File::create(folder.join(name))?;
        let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties.clone()))?;
        rows.each(workload, numbers, |batch| Ok(writer.write(&batch)?))?;
        writer.close()?;
        Ok(())
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| write("0.parquet", 0..half));
        write("1.parquet", half..workload.batches())?;
        first.join().map_err(|_| "a writer panicked")?
    })
}

/// Column chunks of one row group, by column.
type Group = BTreeMap<usize, ArrowColumnChunk>;

/// Threads take one column of one row group after the other; whoever completes the next row group appends it.
fn columns(workload: &Workload, rows: &Rows, folder: &Path) -> Result<(), Failure> {
    let contract = workload.contract();
    let Rows::Held(batches) = rows else {
        return Err("columns are written from memory".into());
    };
    let properties = Arc::new(properties_of(contract)?);
    let schema: SchemaRef = contract.arrow_schema();
    let parquet = ArrowSchemaConverter::new().convert(&schema)?;
    let file = File::create(folder.join("0.parquet"))?;
    let writer = SerializedFileWriter::new(file, parquet.root_schema_ptr(), properties)?;
    let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema));
    let width = schema.fields().len();
    let per_group = usize::try_from(contract.parquet().row_group_rows_max)?
        / batches.first().map_or(1, RecordBatch::num_rows);
    let groups: Vec<&[RecordBatch]> = batches.chunks(per_group).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new((writer, BTreeMap::<usize, Group>::new(), 0));
    let work = || -> Result<(), Failure> {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            let (group, column) = (task / width, task % width);
            let Some(rows) = groups.get(group) else {
                return Ok(());
            };
            let mut encoder = factory.create_column_writers(group)?.swap_remove(column);
            for batch in *rows {
                for leaf in compute_leaves(schema.field(column), batch.column(column))? {
                    encoder.write(&leaf)?;
                }
            }
            let chunk = encoder.close()?;
            let mut done = done.lock().map_err(|_| "a writer panicked")?;
            let (writer, waiting, appended) = &mut *done;
            waiting.entry(group).or_default().insert(column, chunk);
            while waiting
                .get(appended)
                .is_some_and(|group| group.len() == width)
            {
                let mut group = writer.next_row_group()?;
                for chunk in waiting.remove(appended).unwrap_or_default().into_values() {
                    chunk.append_to_row_group(&mut group)?;
                }
                group.close()?;
                *appended += 1;
            }
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        work()?;
        other.join().map_err(|_| "a writer panicked")?
    })?;
    let (writer, ..) = done.into_inner().map_err(|_| "a writer panicked")?;
    let footer = writer.close()?;
    expect_rows(footer.file_metadata().num_rows().unsigned_abs(), workload)
}

fn compression(codec: Codec) -> Result<Compression, Failure> {
    match codec {
        Codec::Uncompressed => Ok(Compression::UNCOMPRESSED),
        Codec::Snappy => Ok(Compression::SNAPPY),
        Codec::Zstd(level) => Ok(Compression::ZSTD(ZstdLevel::try_new(i32::from(level))?)),
        other => Err(format!("there is no peer that writes {other}").into()),
    }
}

/// The codec, the encodings and the statistics that our writer uses for these rows.
fn properties_of(contract: &DatasetSpec) -> Result<WriterProperties, Failure> {
    let layout = resolve_layout(contract, &[], &Override::Inherit, &Override::Inherit)?.value;
    let page_rows = usize::try_from(layout.page_rows_max)?;
    let mut builder = WriterProperties::builder()
        .set_compression(compression(layout.codec)?)
        .set_max_row_group_row_count(Some(usize::try_from(layout.row_group_rows_max)?))
        .set_data_page_row_count_limit(page_rows)
        .set_write_batch_size(page_rows)
        .set_statistics_truncate_length(Some(64));
    for leaf in &layout.leaves {
        let path = || ColumnPath::new(leaf.path.clone());
        let encoding = match leaf.encoding {
            WantedEncoding::Plain => Some(Encoding::PLAIN),
            WantedEncoding::DeltaBinaryPacked => Some(Encoding::DELTA_BINARY_PACKED),
            WantedEncoding::DeltaLengthByteArray => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
            WantedEncoding::DeltaByteArray => Some(Encoding::DELTA_BYTE_ARRAY),
            _ => None,
        };
        if let Some(encoding) = encoding {
            builder = builder.set_column_encoding(path(), encoding);
        }
        let statistics = match leaf.statistics {
            PageStatistics::Page => EnabledStatistics::Page,
            PageStatistics::RowGroup => EnabledStatistics::Chunk,
            _ => EnabledStatistics::None,
        };
        builder = builder
            .set_column_dictionary_enabled(path(), leaf.has_dictionary())
            .set_column_statistics_enabled(path(), statistics);
    }
    Ok(builder.build())
}
