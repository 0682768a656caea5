//! Standard output carries data only; this is where it is written, and what else there is to say goes to standard error.

use std::io::{self, Write};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::error::{Error, escape_control};

/// Writes text and a line feed.
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::Output { source })
}

/// Writes a value as indented JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Render(error.into()))?;
    print(&text)
}

/// Says on standard error what somebody should know and what is no failure.
pub(crate) fn warn(text: &str) {
    let mut stderr = io::stderr().lock();
    // There is nobody left to tell when standard error is gone.
    let _ = writeln!(stderr, "warning: {}", escape_control(text));
}

/// A writer that remembers why it failed: writers of formats pass on the reason as text, or not at all.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    inner: W,
    failure: Option<io::Error>,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            failure: None,
        }
    }

    /// The first failure.
    pub(crate) fn into_failure(self) -> Option<io::Error> {
        self.failure
    }

    fn remember<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            // What is merely tried again is no failure.
            if kind != io::ErrorKind::Interrupted {
                self.failure.get_or_insert(error);
            }
            kind.into()
        })
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.remember(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.remember(flushed)
    }
}

/// Lays rows out under headings; the columns from `numbers` on are aligned to the right.
pub(crate) fn table<'a>(
    headings: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item = Vec<String>>,
    numbers: usize,
) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(headings.into_iter().collect::<Vec<_>>());
    for row in rows {
        table.add_row(
            row.iter()
                .map(|cell| escape_control(cell))
                .collect::<Vec<_>>(),
        );
    }
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
