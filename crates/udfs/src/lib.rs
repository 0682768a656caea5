//! The functions of the graph's domain for DataFusion: identities, name resolution, class hierarchies and
//! deterministic collections.
//!
//! | question | answer |
//! |---|---|
//! | which functions are there? | [`functions`], [`snapshot`] |
//! | how does a session get them? | [`register`] |
//! | what tells a plan that a function changed? | [`FunctionEntry::version`], [`snapshot_hash`] |
//!
//! Every function is immutable: it depends on its arguments only, and an aggregate sorts its rows before it looks at
//! them. Text may come in any of Arrow's encodings. A null argument makes a scalar function null, unless its
//! [signature](FunctionEntry::signature) marks the argument with `?`.
//!
//! Knows: Arrow arrays, the identities of nodes and edges, Python's rules for names and classes. Does not know:
//! tables, views, files.
//!
//! ```
//! # use datafusion::prelude::SessionContext;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut session = SessionContext::new();
//! ossature_udfs::register(&mut session)?;
//! let rows = session
//!     .sql("SELECT is_symbol(symbol_id('class', 'pkg.mod.A', 0)) AS yes")
//!     .await?
//!     .count()
//!     .await?;
//! assert_eq!(rows, 1);
//! # Ok(())
//! # }
//! ```

mod aggregate;
mod argument;
mod catalogue;
mod collection;
mod error;
mod id;
mod mro;
mod names;
mod rows;
mod scalar;

pub use catalogue::{
    Function, FunctionEntry, RegistrySnapshot, functions, register, snapshot, snapshot_hash,
};
pub use error::Error;
