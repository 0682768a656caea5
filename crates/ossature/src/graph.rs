//! The graph that the program builds: declarations and policies, put together.

use ossature_delta_policy::TablePolicy;
use ossature_schema_spec::DatasetName;
use ossature_view_graph::ViewGraph;

use crate::error::Error;

/// Sources and views of the code property graph.
pub(crate) fn graph() -> Result<ViewGraph, Error> {
    let sources = ossature_cpg_views::sources()?;
    let views = ossature_cpg_views::views()?;
    ViewGraph::try_new(sources, views)
        .map_err(|error| Error::Pipeline(ossature_pipeline::Error::Views(error)))
}

/// How the tables of the graph are kept.
pub(crate) fn policy(_dataset: &DatasetName) -> TablePolicy {
    // Files of half a million rows at the most: a file is the unit that memory is spent on and that a change rewrites.
    const ROWS: std::num::NonZeroU64 = std::num::NonZeroU64::new(1 << 19).unwrap();
    TablePolicy::default().rows_per_file_max(ROWS)
}
