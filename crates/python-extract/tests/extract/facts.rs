//! A source tree in a scratch folder, and its facts in a form that tests can read.

use std::collections::BTreeMap;
use std::fs;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use ossature_python_extract::{Dataset, ExtractOptions, ScanOptions, extract, list_sources};
use ossature_schema_spec::{ORDINAL_BITS, SYMBOL_BIT};

/// Options for tests: small units, so that several are in flight.
pub(crate) fn options(threads: usize) -> ExtractOptions {
    let mut options = ExtractOptions::with_threads(NonZeroUsize::new(threads).unwrap());
    options.unit_bytes = NonZeroU64::new(4 << 10).unwrap();
    options
}

/// The batches of a tree, in the order in which they are delivered.
pub(crate) fn batches(root: &Path, options: &ExtractOptions) -> Vec<(Dataset, RecordBatch)> {
    let listing = list_sources(root, &ScanOptions::everything()).unwrap();
    let mut batches = Vec::new();
    extract(&listing, options, |dataset, batch| {
        batches.push((dataset, batch));
        ControlFlow::Continue(())
    })
    .unwrap();
    batches
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Flag(bool),
    /// A number that is no id.
    Number(i64),
    Id(i64),
    Text(String),
}

pub(crate) type Row = BTreeMap<String, Value>;

impl Value {
    pub(crate) fn id(&self) -> Option<i64> {
        match self {
            Self::Id(id) => Some(*id),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn number(&self) -> i64 {
        match self {
            Self::Number(number) => *number,
            _ => -1,
        }
    }
}

/// All rows of all tables.
pub(crate) struct Facts(BTreeMap<Dataset, Vec<Row>>);

impl Facts {
    pub(crate) fn of(root: &Path) -> Self {
        Self::from_batches(&batches(root, &options(1)))
    }

    pub(crate) fn from_batches(batches: &[(Dataset, RecordBatch)]) -> Self {
        let mut tables: BTreeMap<Dataset, Vec<Row>> = BTreeMap::new();
        for (dataset, batch) in batches {
            tables
                .entry(*dataset)
                .or_default()
                .extend((0..batch.num_rows()).map(|at| row(batch, at)));
        }
        Self(tables)
    }

    pub(crate) fn rows(&self, dataset: Dataset) -> &[Row] {
        self.0.get(&dataset).map_or(&[], Vec::as_slice)
    }

    /// The chosen columns of a table, one line per row. An id is shown as the source of its node and its line.
    pub(crate) fn render(
        &self,
        dataset: Dataset,
        columns: &[&str],
        sources: &BTreeMap<String, String>,
    ) -> String {
        let mut lines: Vec<String> = Vec::new();
        for row in self.rows(dataset) {
            let shown: Vec<String> = columns
                .iter()
                .filter(|column| !matches!(row[**column], Value::Null | Value::Flag(false)))
                .map(|column| match &row[*column] {
                    Value::Flag(_) => (*column).to_owned(),
                    Value::Text(text) => format!("{column}={text}"),
                    Value::Number(number) => format!("{column}={number}"),
                    Value::Id(id) => format!("{column}={}", self.node(*id, sources)),
                    Value::Null => String::new(),
                })
                .collect();
            lines.push(shown.join(" "));
        }
        lines.join("\n")
    }

    fn node(&self, id: i64, sources: &BTreeMap<String, String>) -> String {
        if id & SYMBOL_BIT != 0 {
            return "symbol".to_owned();
        }
        let file = id >> ORDINAL_BITS << ORDINAL_BITS;
        let path = self
            .rows(Dataset::Files)
            .iter()
            .find(|row| row["file_id"].id() == Some(file));
        let node = self
            .rows(Dataset::Nodes)
            .iter()
            .find(|row| row["node_id"].id() == Some(id));
        let (Some(path), Some(node)) = (path, node) else {
            return "DANGLING".to_owned();
        };
        let bytes = usize::try_from(node["bstart"].number()).unwrap()
            ..usize::try_from(node["bend"].number()).unwrap();
        let source = &sources[path["path"].text()][bytes];
        let head = source.lines().next().unwrap_or_default();
        let cut: String = head.chars().take(24).collect();
        format!("`{cut}`:{}", node["line"].number())
    }
}

fn row(batch: &RecordBatch, at: usize) -> Row {
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(batch.columns());
    fields
        .map(|(field, column)| {
            let is_id = field.extension_type_name() == Some("ossature.node_id");
            let value = match column.data_type() {
                _ if column.is_null(at) => Value::Null,
                DataType::Boolean => Value::Flag(column.as_boolean().value(at)),
                DataType::Int32 => {
                    Value::Number(column.as_primitive::<Int32Type>().value(at).into())
                }
                DataType::Int64 if is_id => Value::Id(column.as_primitive::<Int64Type>().value(at)),
                DataType::Int64 => Value::Number(column.as_primitive::<Int64Type>().value(at)),
                DataType::Utf8 => Value::Text(column.as_string::<i32>().value(at).to_owned()),
                DataType::Binary => {
                    Value::Text(format!("{:?}", column.as_binary::<i32>().value(at)))
                }
                other => panic!("no column is {other}"),
            };
            (field.name().clone(), value)
        })
        .collect()
}

/// A source tree on disk.
pub(crate) struct SourceTree {
    folder: tempfile::TempDir,
}

impl SourceTree {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }
}
