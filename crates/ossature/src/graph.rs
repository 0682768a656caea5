//! The graph that the program builds: declarations, put together.

use ossature_view_graph::{ConsumerIndex, SavedQuery, ViewGraph};

use crate::error::Error;
use crate::output::warn;

/// Sources and views of the code property graph.
pub(crate) fn graph() -> Result<ViewGraph, Error> {
    let sources = ossature_cpg_views::sources()?;
    let views = ossature_cpg_views::views()?;
    ViewGraph::try_new(sources, views)
        .map_err(|error| Error::Pipeline(ossature_pipeline::Error::Views(error)))
}

/// Who reads its tables: its views, what is asked of it again and again, and these queries of somebody.
pub(crate) async fn consumers(
    graph: &ViewGraph,
    queries: &[SavedQuery],
) -> Result<ConsumerIndex, Error> {
    let consumers = ossature_pipeline::index_consumers(graph, queries).await?;
    let own = ossature_cpg_views::queries();
    let is_own = |name: &str| own.iter().any(|query| query.name == name);
    let views = |name: &str| graph.views().any(|view| view.name().as_str() == name);
    for (consumer, reason) in consumers.failures() {
        if is_own(consumer) || views(consumer) {
            warn(&format!("what `{consumer}` reads is not known: {reason}"));
        }
    }
    Ok(consumers)
}
