//! Rows like edges, in two shapes, the same in each run.

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use ossature_cpg_views::views;
use ossature_schema_spec::{
    Codec, ColumnLayout, ColumnName, ColumnSpec, ColumnType, DatasetSpec, Encoding, ParquetSpec,
};

use crate::Failure;

/// Rows in a batch.
const BATCH_ROWS: u64 = 8192;
/// Edges in a file of source, four of each node.
const FILE_EDGES: u64 = 4096;

const KINDS: [&str; 6] = ["ARGUMENT", "BINDS", "CALL", "CONTAINS", "RECEIVER", "REF"];
const ORIGINS: [&str; 3] = ["data_flow", "name_lookup", "tree"];

/// What the rows look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `cpg.edges_all`: the columns, the key and the order of the stored edges, without their partitions.
    Graph,
    /// A number as the order; edges and nodes as 32 hexadecimal digits, and the path of the source.
    Wide,
}

impl Shape {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Wide => "wide",
        }
    }
}

impl FromStr for Shape {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        match word {
            "graph" => Ok(Self::Graph),
            "wide" => Ok(Self::Wide),
            _ => Err(format!("no shape is called {word}").into()),
        }
    }
}

/// So many rows of a shape.
#[derive(Debug)]
pub(crate) struct Workload {
    shape: Shape,
    contract: DatasetSpec,
    rows: u64,
}

impl Workload {
    /// Rows whose files are compressed with `codec`.
    pub(crate) fn try_new(shape: Shape, codec: Codec, rows: u64) -> Result<Self, Failure> {
        let contract = match shape {
            Shape::Graph => graph_contract(codec)?,
            Shape::Wide => wide_contract(codec)?,
        };
        Ok(Self {
            shape,
            contract,
            rows,
        })
    }

    pub(crate) fn contract(&self) -> &DatasetSpec {
        &self.contract
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// How many batches there are.
    pub(crate) fn batches(&self) -> u64 {
        self.rows.div_ceil(BATCH_ROWS)
    }

    /// One of them.
    pub(crate) fn batch(&self, number: u64) -> Result<RecordBatch, Failure> {
        let begin = number * BATCH_ROWS;
        let edges = Edges {
            begin,
            end: (begin + BATCH_ROWS).min(self.rows),
            nodes: (self.rows / 4).max(1),
        };
        let columns = match self.shape {
            Shape::Graph => edges.graph(),
            Shape::Wide => edges.wide(),
        };
        Ok(RecordBatch::try_new(self.contract.arrow_schema(), columns)?)
    }
}

fn graph_contract(codec: Codec) -> Result<DatasetSpec, Failure> {
    let views = views()?;
    let edges = views
        .iter()
        .find(|view| view.name().as_str() == "cpg.edges_all")
        .ok_or("the graph has no view of all edges")?
        .contract();
    let builder = DatasetSpec::builder("cpg.edges", "One row per edge.")
        .columns(edges.columns().iter().cloned())
        .key(edges.key().iter().map(ColumnName::as_str))
        .order_by(edges.order().iter().map(|key| key.column.as_str()))
        .parquet(ParquetSpec {
            codec,
            ..ParquetSpec::default()
        });
    Ok(builder.build()?)
}

fn wide_contract(codec: Codec) -> Result<DatasetSpec, Failure> {
    // Keys seldom repeat, so they get no dictionary.
    let plain = ColumnLayout {
        encoding: Some(Encoding::Plain),
        ..ColumnLayout::default()
    };
    let builder = DatasetSpec::builder("cpg.edges", "One row per edge.")
        .column(ColumnSpec::required("edge_id", ColumnType::Int64)?)
        .column(ColumnSpec::required("edge_kind", ColumnType::Utf8)?)
        .column(ColumnSpec::required("edge_key", ColumnType::Utf8)?)
        .column(ColumnSpec::required("src_key", ColumnType::Utf8)?)
        .column(ColumnSpec::required("dst_key", ColumnType::Utf8)?)
        .column(ColumnSpec::required("path", ColumnType::Utf8)?)
        .column(ColumnSpec::required("bstart", ColumnType::Int32)?)
        .column(ColumnSpec::required("bend", ColumnType::Int32)?)
        .column(ColumnSpec::nullable("label", ColumnType::Utf8)?)
        .key(["edge_id"])
        .order_by(["edge_id"])
        .parquet(ParquetSpec {
            codec,
            columns: [
                (ColumnName::try_new("edge_key")?, plain),
                (ColumnName::try_new("src_key")?, plain),
                (ColumnName::try_new("dst_key")?, plain),
            ]
            .into(),
            ..ParquetSpec::default()
        });
    Ok(builder.build()?)
}

/// A range of edges.
struct Edges {
    begin: u64,
    end: u64,
    /// Nodes of all edges.
    nodes: u64,
}

impl Edges {
    fn rows(&self) -> impl Iterator<Item = u64> + use<> {
        self.begin..self.end
    }

    /// The node that an edge begins at.
    fn source(row: u64) -> u64 {
        row / 4
    }

    /// The node that an edge ends at: most often a near one, sometimes any.
    fn target(&self, row: u64) -> u64 {
        let near = Self::source(row) + scatter(row) % 64;
        let any = scatter(row ^ 0x5bd1_e995);
        let target = if row.is_multiple_of(4) { any } else { near };
        target % self.nodes
    }

    fn integers(&self, of: impl Fn(u64) -> i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(self.rows().map(of)))
    }

    fn small(&self, of: impl Fn(u64) -> Option<u64>) -> ArrayRef {
        let value = |row| of(row).and_then(|value| i32::try_from(value).ok());
        Arc::new(self.rows().map(value).collect::<Int32Array>())
    }

    fn numbers(&self, of: impl Fn(u64) -> Option<f64>) -> ArrayRef {
        Arc::new(self.rows().map(of).collect::<Float64Array>())
    }

    fn words(&self, words: &[&str], of: impl Fn(u64) -> Option<u64>) -> ArrayRef {
        let word = |row| {
            let at = of(row).and_then(|at| usize::try_from(at).ok())?;
            words.get(at % words.len()).copied()
        };
        Arc::new(self.rows().map(word).collect::<StringArray>())
    }

    fn texts(&self, of: impl Fn(u64) -> Option<String>) -> ArrayRef {
        Arc::new(self.rows().map(of).collect::<StringArray>())
    }

    fn label(row: u64) -> Option<String> {
        row.is_multiple_of(3)
            .then(|| format!("name_{}", scatter(row) % 997))
    }

    fn confidence(row: u64) -> f64 {
        if row.is_multiple_of(7) { 0.95 } else { 1.0 }
    }

    fn graph(&self) -> Vec<ArrayRef> {
        vec![
            // Kinds ascend with the edges of a node, as the order wants.
            self.words(&KINDS, |row| Some(row % 4 + row / 4 % 3)),
            self.integers(|row| node_id(Self::source(row))),
            self.integers(|row| node_id(self.target(row))),
            self.texts(Self::label),
            self.small(|row| (!row.is_multiple_of(3)).then_some(row % 4)),
            self.words(&ORIGINS, |row| Some(row % 4 + row / 4 % 3)),
            self.words(&["syntax", "import", "scope"], |row| Some(row / 16)),
            self.numbers(|row| Some(Self::confidence(row))),
            Arc::new(
                self.rows()
                    .map(|row| (row.is_multiple_of(64)).then(|| node_id(Self::source(row))))
                    .collect::<Int64Array>(),
            ),
            self.words(&["local"], |_| Some(0)),
        ]
    }

    fn wide(&self) -> Vec<ArrayRef> {
        let path = |row: u64| {
            let file = row / FILE_EDGES;
            format!("src/package_{:03}/module_{file:05}.py", file / 64)
        };
        vec![
            self.integers(|row| node_id(Self::source(row)) * 4 + small_i64(row % 4)),
            self.words(&KINDS, |row| Some(scatter(row) % 6)),
            self.texts(|row| Some(hexadecimal(row))),
            self.texts(|row| Some(hexadecimal(Self::source(row)))),
            self.texts(|row| Some(hexadecimal(self.target(row)))),
            self.texts(|row| Some(path(row))),
            self.small(|row| Some(row % FILE_EDGES * 9)),
            self.small(|row| Some(row % FILE_EDGES * 9 + 5 + scatter(row) % 60)),
            self.texts(Self::label),
        ]
    }
}

/// Ids cluster as those of the graph do: the file above, the place in it below.
fn node_id(node: u64) -> i64 {
    let in_file = FILE_EDGES / 4;
    small_i64(((node / in_file * 7919) << 22) | (node % in_file))
}

fn small_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The key of a node or an edge.
fn hexadecimal(node: u64) -> String {
    format!("{:016x}{:016x}", scatter(node), scatter(!node))
}

/// A number that looks like any other.
fn scatter(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
