//! Turns Python source into tables: one tree per file, with scopes, names, definitions, imports and calls.
//!
//! | question | answer |
//! |---|---|
//! | which files does a tree hold, and what are their modules called? | [`list_sources`] |
//! | what is in them? | [`extract`] |
//! | what do the tables look like? | [`Dataset`], [`datasets()`] |
//! | why has a file no rows? | [`Reason`] |
//!
//! Every row is a function of one file's bytes, its path, the paths of the other files, and the Python version. A bad
//! file costs one row in `extract.diagnostics`, never the run.
//!
//! Knows: Python's syntax and scoping, encodings, the file system below the root. Does not know: Delta tables,
//! sessions, other files' contents, clocks.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::ops::ControlFlow;
//! use ossature_python_extract::{Dataset, ExtractOptions, ScanOptions, extract, list_sources};
//!
//! let root = tempfile::tempdir()?;
//! std::fs::write(root.path().join("hello.py"), "def greet(name):\n    print('hello', name)\n")?;
//!
//! let listing = list_sources(root.path(), &ScanOptions::everything())?;
//! assert_eq!(listing.files()[0].module_name, "hello");
//!
//! let mut calls = 0;
//! extract(&listing, &ExtractOptions::with_threads(NonZeroUsize::MIN), |dataset, batch| {
//!     if dataset == Dataset::Calls {
//!         calls += batch.num_rows();
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(calls, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builtins;
mod datasets;
mod diagnostic;
mod encoding;
mod error;
mod file;
mod listing;
mod module_name;
mod run;
mod source;
mod status;
mod symbols;
mod syntax;
mod tree;
mod walk;

pub use datasets::{Dataset, datasets};
pub use error::Error;
pub use listing::{ScanOptions, SourceFile, SourceListing, list_sources};
pub use run::{ExtractOptions, extract};
pub use status::Reason;
pub use syntax::PythonVersion;
