//! Short forms of the columns that the graph's tables share.

use ossature_schema_spec::{ColumnSpec, ColumnType, Error, SemanticType};

/// A node that is always there.
pub(crate) fn node(name: &str, doc: &str) -> Result<ColumnSpec, Error> {
    let column = ColumnSpec::required(name, ColumnType::Int64)?;
    Ok(column.semantic(SemanticType::NodeId)?.doc(doc))
}

/// A node that may be absent.
pub(crate) fn maybe_node(name: &str, doc: &str) -> Result<ColumnSpec, Error> {
    let column = ColumnSpec::nullable(name, ColumnType::Int64)?;
    Ok(column.semantic(SemanticType::NodeId)?.doc(doc))
}

/// Text that is always there.
pub(crate) fn text(name: &str, doc: &str) -> Result<ColumnSpec, Error> {
    Ok(ColumnSpec::required(name, ColumnType::Utf8)?.doc(doc))
}

/// Text that may be absent.
pub(crate) fn maybe_text(name: &str, doc: &str) -> Result<ColumnSpec, Error> {
    Ok(ColumnSpec::nullable(name, ColumnType::Utf8)?.doc(doc))
}

/// A value of another type that is always there.
pub(crate) fn required(name: &str, of: ColumnType, doc: &str) -> Result<ColumnSpec, Error> {
    Ok(ColumnSpec::required(name, of)?.doc(doc))
}

/// A value of another type that may be absent.
pub(crate) fn maybe(name: &str, of: ColumnType, doc: &str) -> Result<ColumnSpec, Error> {
    Ok(ColumnSpec::nullable(name, of)?.doc(doc))
}
