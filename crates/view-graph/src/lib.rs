//! Views as values: what they read, in which order they are computed, and whether they return what they declare.
//!
//! | question | answer |
//! |---|---|
//! | what is a view? | [`View`]: a query and a contract |
//! | what does it read, and what must come first? | [`ViewGraph`], [`ViewGraph::schedule`] |
//! | does it return what it declares? | [`ViewGraph::validate`], [`plan_view`], [`ViewValidation`] |
//! | which columns of a table do its readers filter, join and group by? | [`ConsumerIndex`], [`SavedQuery`] |
//! | who carries the schedule out? | nobody here: [`Step`]s are data |
//!
//! Knows: SQL, plans, contracts. Does not know: how tables are opened and written.
//!
//! ```
//! use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
//! use ossature_view_graph::{View, ViewGraph};
//!
//! let dataset = |name| {
//!     DatasetSpec::builder(name, "One row per file.")
//!         .column(ColumnSpec::required("path", ColumnType::Utf8)?)
//!         .build()
//! };
//! let graph = ViewGraph::try_new(
//!     [dataset("extract.files")?],
//!     [
//!         View::table(dataset("cpg.a")?, "SELECT path FROM cpg.b"),
//!         View::inline(dataset("cpg.b")?, "SELECT path FROM extract.files"),
//!     ],
//! )?;
//! let steps: Vec<String> = graph.schedule().iter().map(ToString::to_string).collect();
//! assert_eq!(steps, ["register extract.files", "inline cpg.b", "write cpg.a"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod consumers;
mod dependencies;
mod error;
mod schedule;
#[cfg(test)]
mod tests;
mod view;

pub use consumers::{Candidate, ConsumerIndex, SavedQuery, Suggestion, suggestions};
pub use error::Error;
pub use schedule::{Step, ViewGraph, ViewValidation, plan_view};
pub use view::{Materialization, View};
