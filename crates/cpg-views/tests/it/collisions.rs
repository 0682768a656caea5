//! Two names whose symbol ids are equal: nobody can find such names, so the ids are made equal here.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::cast::AsArray;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::Int64Type;
use ossature_cpg_views::views;

use crate::session::{extracted, tables_of};

/// The batch with the symbol of one name given to another one.
fn with_collision(batch: &RecordBatch, keeper: &str, taker: &str) -> RecordBatch {
    let names = batch.column_by_name("qualified_name").unwrap();
    let names: StringArray = names.as_string::<i32>().clone();
    let (at, _) = batch.schema_ref().column_with_name("symbol_id").unwrap();
    let ids = batch.column(at).as_primitive::<Int64Type>();
    let named = |wanted: &str| names.iter().position(|name| name == Some(wanted)).unwrap();
    let (keeper, taker) = (named(keeper), named(taker));
    let ids: Int64Array = (0..batch.num_rows())
        .map(|row| ids.value(if row == taker { keeper } else { row }))
        .collect();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns[at] = Arc::new(ids);
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

#[tokio::test]
async fn a_collision_of_symbols_is_an_error_that_names_both() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees/shop");
    let mut tables = tables_of(&root);
    let definitions = tables.get_mut("extract.definitions").unwrap();
    assert_eq!(definitions.len(), 1);
    definitions[0] = with_collision(&definitions[0], "shop.Shop", "shop.pricing.total");
    let session = extracted(2, |spec| {
        let batches = tables.get(spec.name().as_str()).cloned();
        batches.unwrap_or_default()
    });
    let views = views().unwrap();
    let symbols = views
        .iter()
        .find(|view| view.name().as_str() == "normalize.symbols")
        .unwrap();
    let query = session.sql(symbols.sql()).await.unwrap();
    let error = query.collect().await.unwrap_err().strip_backtrace();
    let want =
        "External error: `class shop.Shop` and `function shop.pricing.total` have one symbol id";
    assert_eq!(error, want);
}
