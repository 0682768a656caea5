//! Identities in SQL: the same numbers as the extractor computes.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use ossature_schema_spec::{EdgeId, SemanticType, SiteId, SymbolId, SymbolKind};

use crate::Error;
use crate::argument::{Argument, Reads};
use crate::scalar::ScalarSpec;

const LONG: fn(&[DataType]) -> Result<DataType, Error> = |_| Ok(DataType::Int64);

pub(crate) const FILE_OF: ScalarSpec = ScalarSpec {
    name: "file_of",
    version: 1,
    doc: "The node of the file that a site lies in: the site's own id with the ordinal cleared. Null for symbols, which lie in no file.",
    example: "file_of(1294890310437208069)",
    arguments: &[Argument::required("node_id", Reads::Long)],
    returns: LONG,
    semantic: Some(SemanticType::NodeId),
    is_partial: true,
    is_monotone: false,
    body: |arguments| {
        let nodes = arguments[0].as_primitive::<Int64Type>();
        let files: Int64Array =
            nodes.unary_opt(|node| SiteId::from_value(node).map(|site| site.file().value()));
        Ok(Arc::new(files))
    },
};

pub(crate) const IS_SYMBOL: ScalarSpec = ScalarSpec {
    name: "is_symbol",
    version: 1,
    doc: "Whether a node is a symbol, a thing with a name, and no site in a file.",
    example: "is_symbol(7245138472690084418)",
    arguments: &[Argument::required("node_id", Reads::Long)],
    returns: |_| Ok(DataType::Boolean),
    semantic: None,
    is_partial: false,
    is_monotone: true,
    body: |arguments| {
        let nodes = arguments[0].as_primitive::<Int64Type>();
        Ok(Arc::new(BooleanArray::from_unary(nodes, |node| {
            SiteId::from_value(node).is_none()
        })))
    },
};

pub(crate) const SYMBOL_ID: ScalarSpec = ScalarSpec {
    name: "symbol_id",
    version: 1,
    doc: "The symbol of a kind (module, class, function, parameter, attribute or external), a qualified name and a duplicate index (0 for the first definition of that name).",
    example: "symbol_id('class', 'pkg.mod.A', 0)",
    arguments: &[
        Argument::required("kind", Reads::Text),
        Argument::required("qualified_name", Reads::Text),
        Argument::required("duplicate_index", Reads::Integer),
    ],
    returns: LONG,
    semantic: Some(SemanticType::NodeId),
    is_partial: false,
    is_monotone: false,
    body: symbol_ids,
};

fn symbol_ids(arguments: &[ArrayRef]) -> Result<ArrayRef, Error> {
    let kinds = arguments[0].as_string::<i32>();
    let names = arguments[1].as_string::<i32>();
    let duplicates = arguments[2].as_primitive::<Int32Type>();
    let ids = kinds
        .iter()
        .zip(names)
        .zip(duplicates)
        .map(|((kind, name), duplicate)| match (kind, name, duplicate) {
            (Some(kind), Some(name), Some(duplicate)) => symbol(kind, name, duplicate).map(Some),
            _ => Ok(None),
        })
        .collect::<Result<Int64Array, Error>>()?;
    Ok(Arc::new(ids))
}

fn symbol(kind: &str, name: &str, duplicate: i32) -> Result<i64, Error> {
    let known = SymbolKind::from_text(kind).ok_or_else(|| Error::UnknownSymbolKind {
        found: kind.to_owned(),
        wanted: SymbolKind::ALL.map(SymbolKind::as_str).join(", "),
    })?;
    let duplicate = u32::try_from(duplicate).map_err(|_| Error::OutOfRange {
        what: "the duplicate index",
        found: i64::from(duplicate),
        least: 0,
    })?;
    Ok(SymbolId::of(known, name, duplicate).value())
}

pub(crate) const SAME_NAME: ScalarSpec = ScalarSpec {
    name: "same_name",
    version: 1,
    doc: "The one of two names under one symbol id, which must be equal: two different names whose ids collide are an error that shows both. Null beside a name is no name.",
    example: "same_name('pkg.mod.A', NULL)",
    arguments: &[
        Argument::optional("one", Reads::Text),
        Argument::optional("other", Reads::Text),
    ],
    returns: |_| Ok(DataType::Utf8),
    semantic: None,
    is_partial: true,
    is_monotone: false,
    body: same_names,
};

fn same_names(arguments: &[ArrayRef]) -> Result<ArrayRef, Error> {
    let names = arguments[0].as_string::<i32>();
    let others = arguments[1].as_string::<i32>();
    let collision = names.iter().zip(others).find_map(|names| match names {
        (Some(one), Some(other)) if one != other => Some((one, other)),
        _ => None,
    });
    if let Some((one, other)) = collision {
        return Err(Error::SymbolCollision {
            one: one.to_owned(),
            other: other.to_owned(),
        });
    }
    if names.null_count() == 0 {
        return Ok(Arc::clone(&arguments[0]));
    }
    let names: StringArray = names
        .iter()
        .zip(others)
        .map(|(one, other)| one.or(other))
        .collect();
    Ok(Arc::new(names))
}

pub(crate) const EDGE_ID: ScalarSpec = ScalarSpec {
    name: "edge_id",
    version: 1,
    doc: "The identity of an edge: its kind, its ends, its label and its position. An absent label or position differs from every present one.",
    example: "edge_id('REF', 1, 2, NULL, NULL)",
    arguments: &[
        Argument::required("kind", Reads::Text),
        Argument::required("src", Reads::Long),
        Argument::required("dst", Reads::Long),
        Argument::optional("label", Reads::Text),
        Argument::optional("position", Reads::Integer),
    ],
    returns: LONG,
    semantic: Some(SemanticType::EdgeId),
    is_partial: false,
    is_monotone: false,
    body: edge_ids,
};

#[expect(clippy::unnecessary_wraps, reason = "every function's body may fail")]
fn edge_ids(arguments: &[ArrayRef]) -> Result<ArrayRef, Error> {
    let kinds = arguments[0].as_string::<i32>();
    let sources = arguments[1].as_primitive::<Int64Type>();
    let targets = arguments[2].as_primitive::<Int64Type>();
    let labels = arguments[3].as_string::<i32>();
    let positions = arguments[4].as_primitive::<Int32Type>();
    let ids: Int64Array = (0..kinds.len())
        .map(|row| {
            let strict = kinds.is_valid(row) && sources.is_valid(row) && targets.is_valid(row);
            strict.then(|| {
                let label = labels.is_valid(row).then(|| labels.value(row));
                let position = positions.is_valid(row).then(|| positions.value(row));
                let (src, dst) = (sources.value(row), targets.value(row));
                EdgeId::of(kinds.value(row), src, dst, label, position).value()
            })
        })
        .collect();
    Ok(Arc::new(ids))
}
