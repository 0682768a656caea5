//! Graphs that cannot be, and the order of those that can.

use expect_test::{Expect, expect};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};

use crate::{View, ViewGraph};

fn dataset(name: &str) -> DatasetSpec {
    DatasetSpec::builder(name, "")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .order_by(["id"])
        .build()
        .unwrap()
}

fn graph(views: &[(&str, &str)]) -> Result<ViewGraph, crate::Error> {
    let views = views
        .iter()
        .map(|(name, sql)| View::table(dataset(name), (*sql).to_owned()));
    ViewGraph::try_new([dataset("extract.nodes")], views)
}

#[track_caller]
fn check(views: &[(&str, &str)], want: &Expect) {
    let verdict = match graph(views) {
        Ok(graph) => {
            let steps: Vec<String> = graph.schedule().iter().map(ToString::to_string).collect();
            steps.join("\n")
        }
        Err(error) => format!("{}: {error}", error.code()),
    };
    want.assert_eq(&verdict);
}

#[test]
fn views_follow_what_they_read() {
    check(
        &[
            (
                "cpg.a",
                "SELECT id FROM cpg.c UNION ALL SELECT id FROM extract.nodes",
            ),
            (
                "cpg.b",
                "SELECT id FROM cpg.a WHERE id IN (SELECT id FROM cpg.c)",
            ),
            (
                "cpg.c",
                "WITH x AS (SELECT id FROM extract.nodes) SELECT id FROM x",
            ),
        ],
        &expect![[r#"
            register extract.nodes
            write cpg.c
            write cpg.a
            write cpg.b"#]],
    );
}

#[test]
fn a_circle_is_told_as_a_path() {
    check(
        &[
            ("cpg.a", "SELECT id FROM cpg.b"),
            ("cpg.b", "SELECT id FROM cpg.a"),
        ],
        &expect!["view_cycle: views read each other in a circle: cpg.a -> cpg.b -> cpg.a"],
    );
    check(
        &[("cpg.a", "SELECT id FROM cpg.a")],
        &expect!["view_cycle: views read each other in a circle: cpg.a -> cpg.a"],
    );
}

#[test]
fn what_is_missing_is_named_with_what_may_be_meant() {
    check(
        &[("cpg.a", "SELECT id FROM extract.node")],
        &expect![
            "missing_input: view `cpg.a` reads `extract.node`, which is neither a source nor a view; is it `extract.nodes`?"
        ],
    );
    check(
        &[("cpg.a", "SELECT id FROM nothing.alike")],
        &expect![
            "missing_input: view `cpg.a` reads `nothing.alike`, which is neither a source nor a view"
        ],
    );
    check(
        &[("cpg.a", "SELECT id FROM nodes")],
        &expect!["not_a_query: view `cpg.a` is no query: `nodes` names no stage"],
    );
}

#[test]
fn only_queries_are_views() {
    check(
        &[("cpg.a", "DROP TABLE extract.nodes")],
        &expect!["not_a_query: view `cpg.a` is no query: it changes something"],
    );
    check(
        &[("cpg.a", "SELECT 1; SELECT 2")],
        &expect!["not_a_query: view `cpg.a` is no query: it has 2 statements"],
    );
}

#[test]
fn names_are_unique() {
    check(
        &[("extract.nodes", "SELECT 1 AS id")],
        &expect!["duplicate_name: `extract.nodes` is declared twice"],
    );
}

/// A session that has the schemas, and no table in them.
async fn session() -> datafusion::prelude::SessionContext {
    let config =
        datafusion::prelude::SessionConfig::new().with_default_catalog_and_schema("l", "cpg");
    let session = datafusion::prelude::SessionContext::new_with_config(config);
    for schema in ["extract", "cpg"] {
        let sql = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
        session.sql(&sql).await.unwrap();
    }
    session
}

#[tokio::test]
async fn a_view_returns_what_it_declares() {
    let good = graph(&[("cpg.a", "SELECT id FROM extract.nodes")]).unwrap();
    assert!(good.validate(&session().await).await.is_ok());
    for (sql, want) in [
        (
            "SELECT CAST(id AS VARCHAR) AS id FROM extract.nodes",
            "contract_differs",
        ),
        (
            "SELECT id, id AS more FROM extract.nodes",
            "contract_differs",
        ),
        ("SELECT id AS uid FROM extract.nodes", "contract_differs"),
        ("SELECT missing FROM extract.nodes", "unplannable_view"),
    ] {
        let bad = graph(&[("cpg.b", sql)]).unwrap();
        let errors = bad.validate(&session().await).await.unwrap_err();
        assert_eq!(errors[0].code(), want, "{sql}");
    }
}
