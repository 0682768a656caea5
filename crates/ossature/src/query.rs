//! `ossature query`: SQL over a published run, read-only.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringBuilder};
use arrow::csv::WriterBuilder as CsvWriterBuilder;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder as JsonWriterBuilder;
use arrow::json::writer::{EncoderOptions, JsonArray, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::col;
use futures::StreamExt;
use ossature_pipeline::PublishedRun;
use ossature_registry::{Lake, SessionSpec, count_operators};
use parquet::arrow::ArrowWriter;

use crate::cli::{QueryArguments, RowFormat, available_threads};
use crate::error::Error;
use crate::graph::graph;
use crate::output::{Sink, table, warn};

/// Rows that a table for people shows.
const TABLE_ROWS_MAX: usize = 1000;

/// Answers a query.
pub(crate) async fn query(arguments: QueryArguments) -> Result<(), Error> {
    if arguments.format == RowFormat::Parquet && arguments.output.is_none() {
        return Err(Error::NoOutputFile);
    }
    let lake = Lake::try_new(&arguments.lake).map_err(ossature_pipeline::Error::from)?;
    let session = SessionSpec {
        threads: available_threads(),
        ..SessionSpec::default()
    };
    let published =
        PublishedRun::open(&lake, &graph()?, arguments.run.as_deref(), &session).await?;
    let rows = answer(&published, &arguments.sql).await?;
    match &arguments.output {
        None => {
            let failed = |source| Error::Output { source };
            write_rows(rows, arguments.format, io::stdout(), failed).await
        }
        Some(path) => write_file(rows, arguments.format, path).await,
    }
}

/// Writes rows into a file, which is as it was when that fails.
async fn write_file(
    rows: SendableRecordBatchStream,
    format: RowFormat,
    path: &Path,
) -> Result<(), Error> {
    let failed = |source| Error::OutputFile {
        path: path.to_owned(),
        source,
    };
    // A device or a pipe has no place beside it, and nothing to lose.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let file = File::options().write(true).open(path).map_err(failed)?;
        return write_rows(rows, format, file, failed).await;
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(partial);
    let file = File::create(&partial).map_err(failed)?;
    let done = write_rows(rows, format, file, failed).await;
    let done = done.and_then(|()| fs::rename(&partial, path).map_err(failed));
    if done.is_err() {
        // The first failure is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    done
}

/// Operators that a query may have: each may be a level of its tree, and the engine walks trees by recursion.
const OPERATORS_MAX: usize = 4096;

/// Refuses a query that is too deep for the stack, which would end the process.
fn check_depth(sql: &str) -> Result<(), Error> {
    let operators = count_operators(sql);
    if operators > OPERATORS_MAX {
        return Err(Error::TooDeep {
            found: operators,
            wanted: OPERATORS_MAX,
        });
    }
    Ok(())
}

async fn answer(published: &PublishedRun, sql: &str) -> Result<SendableRecordBatchStream, Error> {
    check_depth(sql)?;
    let session = published.catalog().session();
    let plan = session
        .state()
        .create_logical_plan(sql)
        .await
        .map_err(Error::of_query)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|error| Error::QueryRefused {
            reason: error.strip_backtrace(),
        })?;
    let frame = session.execute_logical_plan(plan).await;
    let mut frame = frame.map_err(Error::of_query)?;
    let words: Vec<&str> = sql
        .trim_end_matches([';', ' ', '\n'])
        .split_whitespace()
        .collect();
    if words.join(" ").eq_ignore_ascii_case("show tables") {
        // The engine lists them as its maps have them.
        let by = ["table_schema", "table_name"].map(|name| col(name).sort(true, false));
        frame = frame.sort(by.to_vec()).map_err(Error::of_query)?;
    }
    let rows = frame.execute_stream().await;
    rows.map_err(Error::of_query)
}

/// Renders rows into `target`; `failed` says what it means that they could not be written there.
async fn write_rows(
    rows: SendableRecordBatchStream,
    format: RowFormat,
    target: impl Write + Send,
    failed: impl Fn(io::Error) -> Error,
) -> Result<(), Error> {
    let mut sink = Sink::new(BufWriter::new(target));
    let done = match format {
        RowFormat::Table => render_table(rows, &mut sink).await,
        RowFormat::Csv => render_csv(rows, &mut sink).await,
        RowFormat::Json => render_json(rows, &mut sink).await,
        RowFormat::Parquet => render_parquet(rows, &mut sink).await,
    };
    let done = done.and_then(|()| sink.flush().map_err(rendering));
    match sink.into_failure() {
        Some(source) => Err(failed(source)),
        None => done,
    }
}

fn rendering<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
    Error::Render(Box::new(error))
}

async fn next(rows: &mut SendableRecordBatchStream) -> Result<Option<RecordBatch>, Error> {
    rows.next().await.transpose().map_err(Error::of_query)
}

async fn render_table(
    mut rows: SendableRecordBatchStream,
    sink: &mut (impl Write + Send),
) -> Result<(), Error> {
    let schema = rows.schema();
    let options = FormatOptions::default().with_null("");
    let mut cells = Vec::new();
    let mut more = false;
    while let Some(batch) = next(&mut rows).await? {
        let shown = batch.num_rows().min(TABLE_ROWS_MAX - cells.len());
        more = shown < batch.num_rows();
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
            .collect::<Result<Vec<_>, _>>()
            .map_err(rendering)?;
        cells.extend((0..shown).map(|row| {
            columns
                .iter()
                .zip(schema.fields())
                .map(|(column, field)| shortened(column.value(row).to_string(), field))
                .collect::<Vec<_>>()
        }));
        if more {
            break;
        }
    }
    let headings = schema.fields().iter().map(|field| field.name().as_str());
    writeln!(sink, "{}", table(headings, cells, usize::MAX)).map_err(rendering)?;
    if more {
        // A terminal shows both: the rows come first.
        sink.flush().map_err(rendering)?;
        warn(&format!(
            "only the first {TABLE_ROWS_MAX} rows are shown; `--format csv` gives all"
        ));
    }
    Ok(())
}

/// Bytes in a table for people: the first ones, and how many there are.
fn shortened(text: String, field: &Field) -> String {
    const DIGITS_MAX: usize = 32;
    let is_bytes = matches!(
        field.data_type(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    );
    match text.get(..DIGITS_MAX) {
        // Two hexadecimal digits are a byte.
        Some(first) if is_bytes => format!("{first}… ({} bytes)", text.len() / 2),
        _ => text,
    }
}

async fn render_csv(
    mut rows: SendableRecordBatchStream,
    sink: &mut (impl Write + Send),
) -> Result<(), Error> {
    let empty = RecordBatch::new_empty(rows.schema());
    let mut writer = CsvWriterBuilder::new().with_header(true).build(sink);
    let mut write = |batch| writer.write(&flatten(batch)?);
    write(empty).map_err(rendering)?;
    while let Some(batch) = next(&mut rows).await? {
        write(batch).map_err(rendering)?;
    }
    Ok(())
}

/// Lists, maps and structs as JSON text: a cell of CSV is one text.
fn flatten(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    if !schema
        .fields()
        .iter()
        .any(|field| field.data_type().is_nested())
    {
        return Ok(batch);
    }
    let mut fields: Vec<FieldRef> = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(json_text(field, column)?);
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Every value as JSON, as `--format json` writes it.
fn json_text(field: &FieldRef, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(field, values.as_ref(), &options)?;
    let mut texts = StringBuilder::new();
    let mut json = Vec::new();
    for row in 0..values.len() {
        if encoder.is_null(row) {
            texts.append_null();
        } else {
            json.clear();
            encoder.encode(row, &mut json);
            texts.append_value(std::str::from_utf8(&json)?);
        }
    }
    Ok(Arc::new(texts.finish()))
}

async fn render_json(
    mut rows: SendableRecordBatchStream,
    sink: &mut (impl Write + Send),
) -> Result<(), Error> {
    // Every row has every column.
    let mut writer = JsonWriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, JsonArray>(sink);
    while let Some(batch) = next(&mut rows).await? {
        writer.write(&batch).map_err(rendering)?;
    }
    writer.finish().map_err(rendering)?;
    writeln!(writer.into_inner()).map_err(rendering)
}

async fn render_parquet(
    mut rows: SendableRecordBatchStream,
    sink: &mut (impl Write + Send),
) -> Result<(), Error> {
    let schema: SchemaRef = rows.schema();
    let mut writer = ArrowWriter::try_new(sink, Arc::clone(&schema), None).map_err(rendering)?;
    while let Some(batch) = next(&mut rows).await? {
        writer.write(&batch).map_err(rendering)?;
    }
    writer.close().map_err(rendering)?;
    Ok(())
}
