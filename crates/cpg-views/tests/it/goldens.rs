//! The generated reference of how tables are kept.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use ossature_cpg_views::{KEEPING, Keeping, queries, sources, views};
use ossature_delta_policy::{
    LayoutReason, PolicyOverrides, ResolvedPolicy, Source, UsedColumn, resolve,
};
use ossature_schema_spec::DatasetSpec;
use ossature_view_graph::{ConsumerIndex, View, ViewGraph};

use crate::session::session;

fn datasets() -> Vec<DatasetSpec> {
    let views = views().unwrap().into_iter();
    let contracts = views.map(|view: View| view.contract().clone());
    sources().unwrap().into_iter().chain(contracts).collect()
}

fn names(names: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "none".to_owned(),
        _ => names.join(", "),
    }
}

/// What is said about columns; what types and order decide is left out.
fn layout(policy: &ResolvedPolicy) -> String {
    let declared = LayoutReason::Declared(Source::Dataset);
    let leaves = policy.layout.value.leaves.iter();
    let said = leaves.filter_map(|leaf| {
        let mut said = Vec::new();
        if leaf.encoding_reason == declared {
            said.push(
                if leaf.has_dictionary() {
                    "dictionary"
                } else {
                    "no dictionary"
                }
                .to_owned(),
            );
        }
        if leaf.statistics_reason == declared {
            said.push(format!("bounds: {}", leaf.statistics.as_str()));
        }
        if leaf.bloom_filter.is_some() {
            said.push("bloom filter".to_owned());
        }
        let column = leaf.path.join(".");
        (!said.is_empty()).then(|| format!("`{column}`: {}", said.join(", ")))
    });
    let said: Vec<String> = said.collect();
    said.join("; ")
}

fn row(keeping: &Keeping, dataset: &DatasetSpec, consumers: &ConsumerIndex) -> String {
    let none = PolicyOverrides::none();
    let used = consumers
        .candidates(dataset)
        .into_iter()
        .map(|it| UsedColumn {
            column: it.column,
            score: it.score,
            roles: BTreeMap::new(),
        });
    let used: Vec<UsedColumn> = used.collect();
    let policy = resolve(&none, &none, dataset, &keeping.policy(), &used).unwrap();
    // The columns that find files are among those that have bounds.
    let chosen = &policy.statistics.value.columns;
    for wanted in keeping.statistics {
        let is_chosen = chosen.iter().any(|it| it.as_str() == *wanted);
        assert!(
            is_chosen,
            "{}: {wanted} is not in {chosen:?}",
            keeping.dataset
        );
    }
    format!(
        "| `{}` | {} | {} | {} | {} | {} |",
        keeping.dataset,
        names(dataset.order()),
        keeping.read,
        names(&policy.statistics.value.columns),
        layout(&policy),
        keeping.why
    )
}

#[tokio::test]
async fn tables_are_documented_as_they_are_declared() {
    let datasets = datasets();
    let graph = ViewGraph::try_new(sources().unwrap(), views().unwrap()).unwrap();
    let consumers = ConsumerIndex::of(&graph, &queries(), &session(1))
        .await
        .unwrap();
    let mut text = "\
# Tables\n\n\
How each table of the graph is read, and how it is kept for that. Generated from `crates/cpg-views/src/policy.rs` by\n\
`cargo xtask goldens`; `ossature policy` shows every value with its source, and what a policy file changes.\n\n\
Every table has files of at most 262,144 rows in Zstandard 1, row groups of 262,144 rows and pages of 20,000 rows. The first\n\
column of the order that is in the files keeps bounds per page, other columns that can have bounds keep them per row group.\n\
*Bounds in the log* are the smallest and the largest value per file, by which files are skipped before they are opened: those\n\
of the order and the key, then of the columns that views and saved queries read by, at most eight.\n\n\
| table | order | read | bounds in the log | besides | why |\n\
|---|---|---|---|---|---|\n"
        .to_owned();
    for keeping in KEEPING {
        let dataset = datasets
            .iter()
            .find(|it| it.name().as_str() == keeping.dataset);
        writeln!(text, "{}", row(keeping, dataset.unwrap(), &consumers)).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tables.md");
    expect_file![path].assert_eq(&text);
}
