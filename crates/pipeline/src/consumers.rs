//! Who reads the tables of a graph, as their policies take it.

use ossature_delta_policy::UsedColumn;
use ossature_registry::SessionSpec;
use ossature_schema_spec::DatasetSpec;
use ossature_view_graph::{ConsumerIndex, SavedQuery, ViewGraph};

use crate::Error;

/// Who reads the tables of a graph: its views, and these queries. Nothing is opened.
///
/// **Errors**: [`Error::Views`], [`Error::Registry`]. A query that cannot be planned is in [`ConsumerIndex::failures`].
pub async fn index_consumers(
    graph: &ViewGraph,
    queries: &[SavedQuery],
) -> Result<ConsumerIndex, Error> {
    let session = crate::run::session(&SessionSpec::default())?;
    Ok(ConsumerIndex::of(graph, queries, &session).await?)
}

/// The columns of a dataset that its readers use, the most important first.
pub fn used_columns(consumers: &ConsumerIndex, dataset: &DatasetSpec) -> Vec<UsedColumn> {
    let candidates = consumers.candidates(dataset).into_iter();
    let used = candidates.map(|candidate| UsedColumn {
        roles: (candidate.roles.iter())
            .map(|(role, consumers)| (role.to_string(), consumers.clone()))
            .collect(),
        column: candidate.column,
        score: candidate.score,
    });
    used.collect()
}
