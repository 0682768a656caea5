//! Prints the facts of a source tree as JSON lines, one line per row, for the comparison with CPython.
//!
//! `dump ROOT [THREADS] [TABLE,...]`; with the table list `none`, prints nothing, which times the extraction.

use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use ossature_python_extract::{Dataset, ExtractOptions, ScanOptions, extract, list_sources};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = PathBuf::from(
        arguments
            .next()
            .ok_or("usage: dump ROOT [THREADS] [TABLE,...]")?,
    );
    let threads = arguments
        .next()
        .map_or(Ok(NonZeroUsize::MIN), |text| text.parse())?;
    let tables = arguments.next();
    let wanted = |dataset: Dataset| match &tables {
        None => true,
        Some(tables) => tables
            .split(',')
            .any(|table| format!("{dataset:?}").eq_ignore_ascii_case(table)),
    };
    let listing = list_sources(&root, &ScanOptions::everything())?;
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut failed = None;
    extract(
        &listing,
        &ExtractOptions::with_threads(threads),
        |dataset, batch| match wanted(dataset).then(|| write(&mut out, dataset, &batch)) {
            Some(Err(error)) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        },
    )?;
    out.flush()?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// One line for each row: the dataset, then the values that are not null.
fn write(out: &mut impl Write, dataset: Dataset, batch: &RecordBatch) -> io::Result<()> {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        write!(out, "{{\"\":\"{dataset:?}\"")?;
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if column.is_null(row) {
                continue;
            }
            write!(out, ",\"{}\":", field.name())?;
            match column.data_type() {
                DataType::Int64 => {
                    write!(out, "{}", column.as_primitive::<Int64Type>().value(row))?
                }
                DataType::Int32 => {
                    write!(out, "{}", column.as_primitive::<Int32Type>().value(row))?
                }
                DataType::Boolean => write!(out, "{}", column.as_boolean().value(row))?,
                DataType::Utf8 => quote(out, column.as_string::<i32>().value(row))?,
                DataType::Binary => write!(out, "{:?}", column.as_binary::<i32>().value(row))?,
                other => return Err(io::Error::other(format!("no column is {other}"))),
            }
        }
        out.write_all(b"}\n")?;
    }
    Ok(())
}

fn quote(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for character in text.chars() {
        match character {
            '"' => out.write_all(b"\\\"")?,
            '\\' => out.write_all(b"\\\\")?,
            control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control))?,
            other => write!(out, "{other}")?,
        }
    }
    out.write_all(b"\"")
}
