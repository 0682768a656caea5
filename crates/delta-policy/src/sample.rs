//! A dataset with a column of every kind, for the tests.

use std::collections::BTreeMap;

use ossature_schema_spec::{
    ColumnName, ColumnSpec, ColumnType, DatasetSpec, DatasetSpecBuilder, FieldSpec, SemanticType,
};

use crate::UsedColumn;

pub(crate) fn column(name: &str) -> ColumnName {
    ColumnName::try_new(name).unwrap()
}

pub(crate) fn columns(names: &str) -> Vec<ColumnName> {
    names.split_whitespace().map(column).collect()
}

/// Ordered by an id and a position, which is also its key, and partitioned by a kind.
pub(crate) fn builder() -> DatasetSpecBuilder {
    let text = || Box::new(FieldSpec::nullable("element", ColumnType::Utf8).unwrap());
    let decimal = |precision| ColumnType::Decimal {
        precision,
        scale: 2,
    };
    DatasetSpec::builder("cpg.sample", "One row per sample.")
        .column(ColumnSpec::required("kind", ColumnType::Utf8).unwrap())
        .column(
            ColumnSpec::required("node_id", ColumnType::Int64)
                .unwrap()
                .semantic(SemanticType::NodeId)
                .unwrap(),
        )
        .column(ColumnSpec::required("position", ColumnType::Int32).unwrap())
        .columns(
            [
                ("level", ColumnType::Int8),
                ("name", ColumnType::Utf8),
                ("weight", ColumnType::Float64),
                ("seen", ColumnType::TimestampUtc),
                ("price", decimal(20)),
                ("ratio", decimal(10)),
                ("is_new", ColumnType::Boolean),
                ("payload", ColumnType::Binary),
                ("span", SemanticType::Span.storage()),
                ("tags", ColumnType::List(text())),
                (
                    "props",
                    ColumnType::Map {
                        key: Box::new(ColumnType::Utf8),
                        value: text(),
                    },
                ),
            ]
            .map(|(name, column_type)| ColumnSpec::nullable(name, column_type).unwrap()),
        )
        .key(["node_id", "position"])
        .order_by(["kind", "node_id", "position"])
        .partition_by(["kind"])
}

pub(crate) fn dataset() -> DatasetSpec {
    builder().build().unwrap()
}

/// Columns that readers use, all of the same importance.
pub(crate) fn used(columns: &[ColumnName]) -> Vec<UsedColumn> {
    let used = columns.iter().map(|column| UsedColumn {
        column: column.clone(),
        score: 1,
        roles: BTreeMap::new(),
    });
    used.collect()
}
