//! Facts as JSON lines: one line per row, without the values that are null; the key `""` names the table.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use ossature_python_extract::{Dataset, Error, ExtractOptions, ScanOptions, extract, list_sources};

/// Writes the rows of the tables named in `tables`, or of all, for every file below a root.
pub(crate) fn dump(
    root: &Path,
    threads: NonZeroUsize,
    tables: Option<&str>,
    out: &mut impl Write,
) -> Result<io::Result<()>, Error> {
    let is_wanted = |dataset: Dataset| {
        let name = format!("{dataset:?}");
        tables.is_none_or(|tables| {
            tables
                .split(',')
                .any(|table| name.eq_ignore_ascii_case(table))
        })
    };
    let listing = list_sources(root, &ScanOptions::everything())?;
    let mut written = Ok(());
    extract(
        &listing,
        &ExtractOptions::with_threads(threads),
        |dataset, batch| {
            if is_wanted(dataset) {
                written = rows(out, dataset, &batch);
            }
            if written.is_ok() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        },
    )?;
    Ok(written.and_then(|()| out.flush()))
}

fn rows(out: &mut impl Write, dataset: Dataset, batch: &RecordBatch) -> io::Result<()> {
    let schema = batch.schema();
    for row in 0..batch.num_rows() {
        write!(out, "{{\"\":\"{dataset:?}\"")?;
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if column.is_valid(row) {
                write!(out, ",\"{}\":", field.name())?;
                value(out, column.as_ref(), row)?;
            }
        }
        out.write_all(b"}\n")?;
    }
    Ok(())
}

fn value(out: &mut impl Write, column: &dyn Array, row: usize) -> io::Result<()> {
    match column.data_type() {
        DataType::Int64 => write!(out, "{}", column.as_primitive::<Int64Type>().value(row)),
        DataType::Int32 => write!(out, "{}", column.as_primitive::<Int32Type>().value(row)),
        DataType::Boolean => write!(out, "{}", column.as_boolean().value(row)),
        DataType::Utf8 => text(out, column.as_string::<i32>().value(row)),
        DataType::Binary => write!(out, "{:?}", column.as_binary::<i32>().value(row)),
        other => Err(io::Error::other(format!(
            "no column of this crate is {other}"
        ))),
    }
}

fn text(out: &mut impl Write, text: &str) -> io::Result<()> {
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
