//! Accelerators: the edges of each node in one row, by source and by destination.

use ossature_schema_spec::{ColumnType, DatasetSpec, Error, FieldSpec, SemanticType};
use ossature_view_graph::View;

use crate::column::{node, required};
use crate::policy::laid_out;

/// Both directions. The buckets of a node leave its list in their order, so that sorting by the node is enough.
pub(crate) fn views() -> Result<Vec<View>, Error> {
    Ok(vec![
        View::table(
            laid_out(adjacency(
                "cpg.cpg_edges_by_src",
                "The stored edges that begin at a node.",
                "dst_node_id",
            )?)?,
            include_str!("views/cpg_edges_by_src.sql"),
        )
        .sorted_by_first(1),
        View::table(
            laid_out(adjacency(
                "cpg.cpg_edges_by_dst",
                "The stored edges that end at a node.",
                "src_node_id",
            )?)?,
            include_str!("views/cpg_edges_by_dst.sql"),
        )
        .sorted_by_first(1),
    ])
}

fn adjacency(name: &str, doc: &str, neighbour: &str) -> Result<DatasetSpec, Error> {
    DatasetSpec::builder(name, doc)
        .columns([
            node("node_id", "The node.")?,
            required("bucket", ColumnType::Int32, "The number of the row among those of the node, from 0; a row holds at most 1,024 edges.")?,
            required("degree", ColumnType::Int32, "Edges of the node in all its rows.")?,
            required("entries", entries(neighbour)?, "The edges, sorted by their fields in order, nulls first.")?,
        ])
        .key(["node_id", "bucket"])
        .order_by(["node_id", "bucket"])
        .build()
}

fn entries(neighbour: &str) -> Result<ColumnType, Error> {
    let fields = vec![
        FieldSpec::nullable("edge_kind", ColumnType::Utf8)?,
        FieldSpec::nullable(neighbour, ColumnType::Int64)?.semantic(SemanticType::NodeId),
        FieldSpec::nullable("label", ColumnType::Utf8)?,
        FieldSpec::nullable("position", ColumnType::Int32)?,
        FieldSpec::nullable("origin", ColumnType::Utf8)?,
        FieldSpec::nullable("resolution", ColumnType::Utf8)?,
        FieldSpec::nullable("confidence", ColumnType::Float64)?,
        FieldSpec::nullable("ambiguity_group", ColumnType::Int64)?,
        FieldSpec::nullable("family", ColumnType::Utf8)?,
    ];
    let entry = FieldSpec::required("element", ColumnType::Struct(fields))?;
    Ok(ColumnType::List(Box::new(entry)))
}
