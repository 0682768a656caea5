//! Standard output carries data only; this is where it is written.

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
