//! Who reads the tables, and by which columns.

use std::fmt::Write as _;

use expect_test::expect_file;
use ossature_cpg_views::{queries, sources, views};
use ossature_view_graph::{ConsumerIndex, ViewGraph};

use crate::session::session;

#[tokio::test]
async fn every_consumer_is_traced_and_columns_are_ranked() {
    let graph = ViewGraph::try_new(sources().unwrap(), views().unwrap()).unwrap();
    let index = ConsumerIndex::of(&graph, &queries(), &session(1))
        .await
        .unwrap();
    assert!(index.failures().is_empty(), "{:?}", index.failures());
    let mut text = String::new();
    for contract in graph.written() {
        writeln!(text, "{}", contract.name()).unwrap();
        for candidate in index.candidates(contract) {
            let roles = candidate.roles.iter().map(|(role, consumers)| {
                let consumers: Vec<&str> = consumers.iter().map(String::as_str).collect();
                format!("{role}: {}", consumers.join(" "))
            });
            let roles: Vec<String> = roles.collect();
            writeln!(
                text,
                "  {} {}\n    {}",
                candidate.column,
                candidate.score,
                roles.join("\n    ")
            )
            .unwrap();
        }
    }
    expect_file!["consumers.txt"].assert_eq(&text);
}
