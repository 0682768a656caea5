//! Prints the facts of a source tree as JSON lines, for the comparison with CPython.
//!
//! `dump ROOT [THREADS] [TABLE,...]`; with the table `none` nothing is printed, which times the extraction.

mod render;

use std::io::{self, BufWriter};
use std::num::NonZeroUsize;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let root = PathBuf::from(
        arguments
            .next()
            .ok_or("usage: dump ROOT [THREADS] [TABLE,...]")?,
    );
    let mut rest = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let threads = rest
        .next()
        .map_or(Ok(NonZeroUsize::MIN), |text| text.parse())?;
    let tables = rest.next();
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    render::dump(&root, threads, tables.as_deref(), &mut out)??;
    Ok(())
}
