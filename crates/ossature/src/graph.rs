//! The graph that the program builds: declarations, put together.

use ossature_view_graph::{ConsumerIndex, ViewGraph};

use crate::error::Error;
use crate::output::warn;

/// Sources and views of the code property graph.
pub(crate) fn graph() -> Result<ViewGraph, Error> {
    let sources = ossature_cpg_views::sources()?;
    let views = ossature_cpg_views::views()?;
    ViewGraph::try_new(sources, views)
        .map_err(|error| Error::Pipeline(ossature_pipeline::Error::Views(error)))
}

/// Who reads its tables: its views, and what is asked of it again and again.
pub(crate) async fn consumers(graph: &ViewGraph) -> Result<ConsumerIndex, Error> {
    let queries = ossature_cpg_views::queries();
    let consumers = ossature_pipeline::index_consumers(graph, &queries).await?;
    for (consumer, reason) in consumers.failures() {
        warn(&format!("what `{consumer}` reads is not known: {reason}"));
    }
    Ok(consumers)
}
