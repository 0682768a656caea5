//! Says what a dataset is, without knowing any engine.
//!
//! A [`DatasetSpec`] is the contract between the one who writes a table and everybody who reads it: names, types,
//! meanings, key, order and the layout of files. The other crates of the workspace begin here.
//!
//! | question | answer |
//! |---|---|
//! | what are the columns, and in what order are the rows? | [`DatasetSpec`], [`ColumnSpec`], [`SortKey`] |
//! | what may a column store, and what does it mean? | [`ColumnType`], [`SemanticType`] |
//! | what is that in Arrow? | [`DatasetSpec::arrow_schema`], [`ColumnSpec::from_arrow`] |
//! | how is a meaning kept in a stored schema? | [`to_stored`], [`from_stored`] |
//! | how does a schema that was found differ? | [`diff_columns`] |
//! | how are files encoded? | [`ParquetSpec`] |
//! | what identifies a declaration, a node, an edge, a version? | [`CanonicalHasher`], [`SiteId`], [`SymbolId`], [`EdgeId`], [`TablePin`] |
//!
//! Knows: names, types, Arrow's type system. Does not know: engines, files, Delta tables, clocks.
//!
//! ```
//! use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, SemanticType};
//!
//! let imports = DatasetSpec::builder("extract.imports", "One row for every imported name.")
//!     .column(
//!         ColumnSpec::required("node_id", ColumnType::Int64)?
//!             .semantic(SemanticType::NodeId)?
//!             .doc("The import."),
//!     )
//!     .column(ColumnSpec::nullable("module", ColumnType::Utf8)?.doc("The module, as written."))
//!     .key(["node_id"])
//!     .order_by(["node_id"])
//!     .build()?;
//!
//! let schema = imports.arrow_schema();
//! assert_eq!(schema.field(0).extension_type_name(), Some("ossature.node_id"));
//! # Ok::<(), ossature_schema_spec::Error>(())
//! ```

mod arrow;
mod column;
mod dataset;
mod diff;
mod error;
mod hash;
mod id;
mod name;
mod parquet;
mod pin;
mod semantic;
mod spelling;
mod stored;

pub use column::{ColumnSpec, ColumnType, DefaultValue, FieldSpec};
pub use dataset::{DatasetSpec, DatasetSpecBuilder, SortKey};
pub use diff::{Change, Severity, diff_columns};
pub use error::Error;
pub use hash::{CanonicalHasher, Fingerprint};
pub use id::{
    EdgeId, FILE_KEY_BITS, FileKey, ORDINAL_BITS, ORDINAL_MAX, SYMBOL_BIT, SiteId, SymbolId,
    SymbolKind,
};
pub use name::{ColumnName, DatasetName};
pub use parquet::{BloomFilter, Codec, ColumnLayout, Encoding, PageStatistics, ParquetSpec};
pub use pin::{PinIdentity, TablePin, Version};
pub use semantic::{EdgeIdType, NodeId, SemanticType, Span};
pub use stored::{from_stored, to_stored};
