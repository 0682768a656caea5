//! `ossature query`: SQL over a published run, read-only.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder as CsvWriterBuilder;
use arrow::datatypes::SchemaRef;
use arrow::json::WriterBuilder as JsonWriterBuilder;
use arrow::json::writer::JsonArray;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use futures::StreamExt;
use ossature_pipeline::PublishedRun;
use ossature_registry::{Lake, SessionSpec};
use parquet::arrow::ArrowWriter;

use crate::cli::{QueryArguments, RowFormat, available_threads};
use crate::error::Error;
use crate::graph::graph;
use crate::output::table;

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
            let mut sink = BufWriter::new(io::stdout());
            render(rows, arguments.format, &mut sink, failed).await
        }
        Some(path) => {
            let failed = |source| Error::OutputFile {
                path: path.clone(),
                source,
            };
            let mut sink = BufWriter::new(File::create(path).map_err(failed)?);
            render(rows, arguments.format, &mut sink, failed).await
        }
    }
}

async fn answer(published: &PublishedRun, sql: &str) -> Result<SendableRecordBatchStream, Error> {
    let failed = |error| Error::Query(Box::new(error));
    let session = published.catalog().session();
    let plan = session
        .state()
        .create_logical_plan(sql)
        .await
        .map_err(failed)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(|error| Error::QueryRefused {
            reason: error.strip_backtrace(),
        })?;
    let frame = session.execute_logical_plan(plan).await.map_err(failed)?;
    frame.execute_stream().await.map_err(failed)
}

async fn render<W: Write + Send>(
    rows: SendableRecordBatchStream,
    format: RowFormat,
    sink: &mut W,
    failed: impl Fn(io::Error) -> Error,
) -> Result<(), Error> {
    match format {
        RowFormat::Table => {
            let text = render_table(rows).await?;
            writeln!(sink, "{text}").map_err(&failed)?;
        }
        RowFormat::Csv => render_csv(rows, sink).await?,
        RowFormat::Json => {
            render_json(rows, sink).await?;
            writeln!(sink).map_err(&failed)?;
        }
        RowFormat::Parquet => render_parquet(rows, sink).await?,
    }
    sink.flush().map_err(failed)
}

fn rendering<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
    Error::Render(Box::new(error))
}

async fn next(rows: &mut SendableRecordBatchStream) -> Result<Option<RecordBatch>, Error> {
    rows.next()
        .await
        .transpose()
        .map_err(|error| Error::Query(Box::new(error)))
}

async fn render_table(mut rows: SendableRecordBatchStream) -> Result<String, Error> {
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
                .map(|column| column.value(row).to_string())
                .collect::<Vec<_>>()
        }));
        if more {
            break;
        }
    }
    let headings = schema.fields().iter().map(|field| field.name().as_str());
    let text = table(headings, cells, usize::MAX);
    Ok(if more {
        format!("{text}\nonly the first {TABLE_ROWS_MAX} rows are shown; `--format csv` gives all")
    } else {
        text
    })
}

async fn render_csv(
    mut rows: SendableRecordBatchStream,
    sink: &mut (impl Write + Send),
) -> Result<(), Error> {
    let empty = RecordBatch::new_empty(rows.schema());
    let mut writer = CsvWriterBuilder::new().with_header(true).build(sink);
    writer.write(&empty).map_err(rendering)?;
    while let Some(batch) = next(&mut rows).await? {
        writer.write(&batch).map_err(rendering)?;
    }
    Ok(())
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
    writer.finish().map_err(rendering)
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
