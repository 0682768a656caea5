//! What a run published, opened for reading: exactly the versions in its manifest.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use ossature_artifacts::{ArtifactTable, RunLedger, RunManifestV1, RunStatusV1};
use ossature_registry::{Catalog, Dataset, Lake, OpenTable, SessionSpec, open_dataset};
use ossature_schema_spec::{ColumnSpec, DatasetName, DatasetSpec, from_stored};
use ossature_view_graph::{Materialization, Step, ViewGraph};

use crate::Error;
use crate::run::register_inline;

/// A published run, opened.
#[derive(Debug)]
pub struct PublishedRun {
    manifest: RunManifestV1,
    catalog: Catalog,
}

impl PublishedRun {
    /// Opens a published run, or the newest one.
    ///
    /// Tables are read as `graph` declares them; a table that it does not declare is read as it is stored. The records
    /// of the runs are there as `runs.<table>`, at their newest versions.
    ///
    /// **Errors**: [`Error::NothingPublished`], [`Error::NoSuchRun`], [`Error::RunNotPublished`], [`Error::Registry`].
    pub async fn open(
        lake: &Lake,
        graph: &ViewGraph,
        run_id: Option<&str>,
        session: &SessionSpec,
    ) -> Result<Self, Error> {
        let manifest = find(lake, run_id).await?;
        let mut catalog = Catalog::new(crate::run::session(session)?);
        for output in &manifest.outputs {
            let Ok(name) = DatasetName::try_new(&output.name) else {
                continue;
            };
            let location = lake.location(&name)?;
            let open = output.published().open(&location).await?;
            let contract = match graph.contract(&name) {
                Some(contract) => contract.clone(),
                None => stored_contract(&open, &name)?,
            };
            catalog.register(&Dataset::try_new(&contract, &open).await?)?;
        }
        for table in ArtifactTable::ALL {
            let contract = table.spec()?;
            match open_dataset(&contract, &lake.location(contract.name())?, None).await {
                Ok(dataset) => catalog.register(&dataset)?,
                // Nothing of the kind was recorded yet: a table without rows.
                Err(ossature_registry::Error::NoTable { .. }) => {
                    register_empty(&catalog, &contract)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        for step in graph.schedule() {
            if let Step::Inline { view } = &step
                && let Some(view) = graph.view(view)
                && view.materialization() == Materialization::Inline
            {
                register_inline(&catalog, view).await?;
            }
        }
        Ok(Self { manifest, catalog })
    }

    /// The run's manifest.
    pub fn manifest(&self) -> &RunManifestV1 {
        &self.manifest
    }

    /// The published tables.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}

fn register_empty(catalog: &Catalog, contract: &DatasetSpec) -> Result<(), Error> {
    let name = contract.name();
    let table = EmptyTable::new(contract.arrow_schema());
    let registered = catalog.session().register_table(
        TableReference::partial(name.stage(), name.table()),
        Arc::new(table),
    );
    registered.map(drop).map_err(|source| Error::Compute {
        view: name.clone(),
        source: Box::new(source),
    })
}

pub(crate) async fn find(lake: &Lake, run_id: Option<&str>) -> Result<RunManifestV1, Error> {
    let ledger = RunLedger::of(lake);
    match run_id {
        None => ledger
            .latest_completed()
            .await?
            .ok_or_else(|| Error::NothingPublished {
                lake: lake.to_string(),
            }),
        Some(wanted) => {
            let record = ledger.run(wanted).await?;
            let manifest = record.map(|record| record.manifest);
            check_published(lake, wanted, manifest.as_ref()).cloned()
        }
    }
}

/// The manifest of a run, if it was published.
///
/// **Errors**: [`Error::NoSuchRun`], [`Error::RunNotPublished`].
pub(crate) fn check_published<'a>(
    lake: &Lake,
    wanted: &str,
    manifest: Option<&'a RunManifestV1>,
) -> Result<&'a RunManifestV1, Error> {
    let manifest = manifest.ok_or_else(|| Error::NoSuchRun {
        lake: lake.to_string(),
        wanted: wanted.to_owned(),
    })?;
    if manifest.status == RunStatusV1::Completed {
        return Ok(manifest);
    }
    Err(Error::RunNotPublished {
        lake: lake.to_string(),
        run_id: wanted.to_owned(),
        status: manifest.status.as_str(),
        reason: manifest
            .failure
            .as_ref()
            .map(|failure| failure.code.clone()),
    })
}

/// The contract of a table that is no longer declared: its stored columns.
pub(crate) fn stored_contract(open: &OpenTable, name: &DatasetName) -> Result<DatasetSpec, Error> {
    let corrupt = |reason: String| ossature_registry::Error::Corrupt {
        what: "the schema",
        location: open.location().to_string(),
        reason,
    };
    let columns = from_stored(&open.snapshot()?.snapshot().arrow_schema())
        .fields()
        .iter()
        .map(|field| ColumnSpec::from_arrow(field))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| corrupt(error.to_string()))?;
    let contract = DatasetSpec::builder(name.as_str(), "As stored.")
        .columns(columns)
        .build()
        .map_err(|error| corrupt(error.to_string()))?;
    Ok(contract)
}
