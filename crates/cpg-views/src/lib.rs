//! The code property graph as declarations: what its tables hold and the queries that make them.
//!
//! | question | answer |
//! |---|---|
//! | which tables does the graph read? | [`sources`] |
//! | which tables and views does it make, and how? | [`views`] |
//! | how are its tables kept, and why? | [`policy`], [`KEEPING`] |
//! | what is asked of them again and again? | [`QUERIES`] |
//! | what may an edge join? | [`EDGE_KINDS`] |
//! | what properties may a node have? | [`CATALOGUE`] |
//! | what must hold of a graph? | [`rules`] |
//!
//! Knows: Python's names, modules and classes; the functions of `ossature-udfs`; SQL. Does not know: execution, files,
//! versions of tables.
//!
//! ```
//! let views = ossature_cpg_views::views()?;
//! let edges = views.iter().find(|view| view.name().as_str() == "cpg.cpg_edges");
//! assert_eq!(edges.map(|view| view.contract().key().len()), Some(5));
//! # Ok::<(), ossature_cpg_views::Error>(())
//! ```

mod adjacency;
mod catalogue;
mod column;
mod declaration;
mod error;
mod graph;
mod integrity;
mod kinds;
mod normalize;
mod policy;
mod props;
mod queries;

pub use catalogue::{CATALOGUE, Property, ValueType};
pub use declaration::{sources, views};
pub use error::Error;
pub use integrity::{IntegrityRule, rules};
pub use kinds::{EDGE_KINDS, EdgeKind};
pub use policy::{KEEPING, Keeping, policy};
pub use queries::{GraphQuery, QUERIES, queries};
