//! A table of queries with what each of them reads, in which role, and where its columns come from.
//!
//! `cases.txt` begins with the tables. Every case has a title, a query and, behind `=>`, the expected facts of its optimized
//! plan. `UPDATE_EXPECT=1` writes the facts anew; whoever does that reads them.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use expect_test::expect_file;
use ossature_lineage::{ColumnOrigin, PlanFacts, Role};

struct Case {
    title: String,
    sql: String,
}

struct Cases {
    tables: String,
    cases: Vec<Case>,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases.txt")
}

impl Cases {
    fn read() -> Self {
        let text = std::fs::read_to_string(file()).unwrap();
        let mut parts = text.split("\n# ");
        let tables = parts.next().unwrap().trim_end().to_owned();
        let cases = parts.map(|part| {
            let (title, rest) = part.split_once('\n').unwrap();
            let sql = rest.split("\n=>").next().unwrap().trim();
            Case {
                title: title.to_owned(),
                sql: sql.to_owned(),
            }
        });
        let cases = cases.collect();
        Self { tables, cases }
    }

    async fn session(&self) -> SessionContext {
        let config = SessionConfig::new().with_default_catalog_and_schema("lake", "t");
        let session = SessionContext::new_with_config(config);
        for statement in self.tables.split(";\n") {
            session
                .sql(statement)
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
        }
        session
    }
}

async fn plans(session: &SessionContext, sql: &str) -> (LogicalPlan, LogicalPlan) {
    let (state, plan) = session.sql(sql).await.unwrap().into_parts();
    let optimized = state.optimize(&plan).unwrap();
    (plan, optimized)
}

/// Inputs with the roles of their columns, then outputs. That a column is read is told where nothing else is.
fn render(facts: &PlanFacts) -> String {
    let mut text = String::new();
    for input in facts.inputs() {
        for (column, roles) in facts.columns(input) {
            let roles: Vec<&str> = roles
                .iter()
                .filter(|role| **role != Role::Read || roles.len() == 1)
                .map(|role| role.as_str())
                .collect();
            writeln!(text, "{input}.{column}: {}", roles.join(", ")).unwrap();
        }
    }
    for output in facts.outputs() {
        writeln!(text, "  {output}").unwrap();
    }
    text
}

#[tokio::test]
async fn every_query_has_the_expected_lineage() {
    let cases = Cases::read();
    assert!(cases.cases.len() >= 60, "{}", cases.cases.len());
    let session = cases.session().await;
    let mut text = format!("{}\n", cases.tables);
    for Case { title, sql } in &cases.cases {
        let (_, optimized) = plans(&session, sql).await;
        let facts = match PlanFacts::of(&optimized) {
            Ok(facts) => render(&facts),
            Err(error) => format!("{}: {error}\n", error.code()),
        };
        write!(text, "\n# {title}\n{sql}\n=>\n{facts}").unwrap();
    }
    expect_file![file()].assert_eq(&text);
}

fn origins(facts: &PlanFacts) -> Vec<(String, BTreeSet<ColumnOrigin>)> {
    facts
        .outputs()
        .iter()
        .map(|output| {
            (
                output.name.clone(),
                output.origins.keys().cloned().collect(),
            )
        })
        .collect()
}

/// The optimizer rewrites joins, subqueries and expressions; it does not change where a column comes from.
#[tokio::test]
async fn the_optimizer_changes_no_origin() {
    // The number of a grouping set, which depends on no value.
    const FOLDED: [&str; 1] = ["aggregate: rollup, with the set's number"];
    let cases = Cases::read();
    let session = cases.session().await;
    let mut differ = BTreeMap::new();
    for Case { title, sql } in &cases.cases {
        let (plan, optimized) = plans(&session, sql).await;
        let (Ok(plain), Ok(optimized)) = (PlanFacts::of(&plan), PlanFacts::of(&optimized)) else {
            continue;
        };
        let (plain, optimized) = (origins(&plain), origins(&optimized));
        if plain != optimized && !FOLDED.contains(&title.as_str()) {
            differ.insert(title, format!("{plain:#?}\n{optimized:#?}"));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

/// Facts are the same in every session, also in one that has planned other queries before.
#[tokio::test]
async fn facts_depend_on_the_query_only() {
    let cases = Cases::read();
    let (one, other) = (cases.session().await, cases.session().await);
    let mut first = Vec::new();
    for case in &cases.cases {
        first.push(PlanFacts::of(&plans(&one, &case.sql).await.1).ok());
    }
    for (case, first) in cases.cases.iter().zip(first).rev() {
        let again = PlanFacts::of(&plans(&other, &case.sql).await.1).ok();
        assert_eq!(first, again, "{}", case.title);
    }
}
