//! All declarations together: the extractor's tables and the views over them.

use ossature_schema_spec::DatasetSpec;
use ossature_view_graph::View;

use crate::policy::laid_out;
use crate::{Error, adjacency, graph, normalize, props};

/// The tables that the views read: those of the extractor.
///
/// **Errors**: [`Error::Extract`].
pub fn sources() -> Result<Vec<DatasetSpec>, Error> {
    let datasets = ossature_python_extract::datasets()?.into_iter();
    let laid_out = datasets.map(laid_out).collect::<Result<_, _>>()?;
    Ok(laid_out)
}

/// Every view, each after those that it reads.
///
/// **Shape**: stages `normalize` and `cpg`; every contract has a key and a total order of its rows.
/// **Errors**: [`Error::Dataset`].
pub fn views() -> Result<Vec<View>, Error> {
    let stages = [
        normalize::views()?,
        graph::views()?,
        props::views()?,
        adjacency::views()?,
    ];
    Ok(stages.into_iter().flatten().collect())
}
