//! A tree without files.

use ossature_cpg_views::{rules, views};

use crate::session::{count, graph};

#[tokio::test]
async fn every_view_plans_and_runs_over_nothing() {
    let session = graph(2, |_| Vec::new()).await;
    for view in views().unwrap() {
        let rows = count(&session, &format!("SELECT * FROM {}", view.name())).await;
        assert_eq!(rows, 0, "{}", view.name());
    }
    for rule in rules() {
        assert_eq!(count(&session, &rule.sql).await, 0, "{}", rule.name);
    }
}
