//! A session that runs the views one after the other over tables in memory, as a pipeline would over stored ones.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Fields, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::{MemTable, MemorySchemaProvider};
use datafusion::prelude::{SessionConfig, SessionContext, col};
use ossature_cpg_views::{sources, views};
use ossature_python_extract::{ExtractOptions, ScanOptions, extract, list_sources};
use ossature_schema_spec::DatasetSpec;
use ossature_view_graph::{Materialization, View};

/// A session with the views' functions and the three stages as schemas.
pub(crate) fn session(partitions: usize) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_default_catalog_and_schema("lake", "public");
    let mut session = SessionContext::new_with_config(config);
    ossature_udfs::register(&mut session).unwrap();
    let catalog = session.catalog("lake").unwrap();
    for stage in ["extract", "normalize", "cpg"] {
        let schema = Arc::new(MemorySchemaProvider::new());
        catalog.register_schema(stage, schema).unwrap();
    }
    session
}

/// The extract tables that `batches_of` gives, and none of the views.
pub(crate) fn extracted(
    partitions: usize,
    batches_of: impl Fn(&DatasetSpec) -> Vec<RecordBatch>,
) -> SessionContext {
    let session = session(partitions);
    for spec in sources().unwrap() {
        let table = MemTable::try_new(spec.arrow_schema(), vec![batches_of(&spec)]).unwrap();
        session
            .register_table(spec.name().as_str(), Arc::new(table))
            .unwrap();
    }
    session
}

/// The graph of the extract tables that `batches_of` gives.
pub(crate) async fn graph(
    partitions: usize,
    batches_of: impl Fn(&DatasetSpec) -> Vec<RecordBatch>,
) -> SessionContext {
    let session = extracted(partitions, batches_of);
    for view in views().unwrap() {
        run(&session, &view).await;
    }
    session
}

/// Makes one view known, as a query or as rows.
async fn run(session: &SessionContext, view: &View) {
    let name = view.name().as_str();
    let query = match session.sql(view.sql()).await {
        Ok(query) => query,
        Err(error) => panic!("{name}: {error}"),
    };
    check_columns(view.contract(), query.schema().as_arrow());
    if view.materialization() == Materialization::Inline {
        session.register_table(name, query.into_view()).unwrap();
        return;
    }
    let order = view.contract().order().iter();
    let order = order
        .map(|key| col(key.column.as_str()).sort(!key.descending, true))
        .collect();
    let sorted = match query.sort(order).unwrap().collect().await {
        Ok(batches) => batches,
        Err(error) => panic!("{name}: {error}"),
    };
    let schema = view.contract().arrow_schema();
    let rows = sorted.iter().map(|batch| {
        let columns: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| cast(column, field.data_type()).unwrap())
            .collect();
        RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
    });
    let table = MemTable::try_new(Arc::clone(&schema), vec![rows.collect()]).unwrap();
    session.register_table(name, Arc::new(table)).unwrap();
}

/// The query's columns are the contract's: names, order and types, text in any of its encodings.
fn check_columns(contract: &DatasetSpec, found: &Schema) {
    let describe = |schema: &Schema| -> Vec<String> {
        let fields = schema.fields().iter();
        fields
            .map(|field| format!("{}: {}", field.name(), stored(field.data_type())))
            .collect()
    };
    assert_eq!(
        describe(found),
        describe(&contract.arrow_schema()),
        "{}",
        contract.name()
    );
}

/// The type as it is stored, nullability aside: views are what they show.
fn stored(data_type: &DataType) -> String {
    let fields = |fields: &Fields| {
        let each = fields
            .iter()
            .map(|field| format!("{}: {}", field.name(), stored(field.data_type())));
        each.collect::<Vec<_>>().join(", ")
    };
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8.to_string(),
        DataType::List(element) | DataType::ListView(element) => {
            format!("List({})", stored(element.data_type()))
        }
        DataType::Map(entry, _) => format!("Map({})", stored(entry.data_type())),
        DataType::Struct(inner) => format!("Struct({})", fields(inner)),
        other => other.to_string(),
    }
}

/// The rows of a query as a table of text.
pub(crate) async fn rows(session: &SessionContext, sql: &str) -> String {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

/// How many rows a query has.
pub(crate) async fn count(session: &SessionContext, sql: &str) -> usize {
    session.sql(sql).await.unwrap().count().await.unwrap()
}

/// What is extracted from a folder of Python files, by dataset.
pub(crate) fn tables_of(root: &Path) -> BTreeMap<String, Vec<RecordBatch>> {
    let listing = list_sources(root, &ScanOptions::everything()).unwrap();
    let mut tables: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    let options = ExtractOptions::with_threads(NonZeroUsize::MIN);
    extract(&listing, &options, |dataset, batch| {
        let name = dataset.spec().unwrap().name().to_string();
        tables.entry(name).or_default().push(batch);
        ControlFlow::Continue(())
    })
    .unwrap();
    tables
}

/// The graph of a folder of Python files.
pub(crate) async fn graph_of(root: &Path, partitions: usize) -> SessionContext {
    let tables = tables_of(root);
    let batches_of = |spec: &DatasetSpec| tables.get(spec.name().as_str()).cloned();
    graph(partitions, |spec| batches_of(spec).unwrap_or_default()).await
}
