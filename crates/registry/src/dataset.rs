//! A dataset, opened at a pin and aligned to its contract, as a relation of a session.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::SessionContext;
use ossature_delta_policy::Protocol;
use ossature_schema_spec::{DatasetName, DatasetSpec, Fingerprint, SortKey, TablePin, Version};

use crate::stored::StoredScan;
use crate::{
    AlignmentPlan, At, CATALOG, Error, OpenTable, OrderingClaim, ScanProjection, TableLocation,
    commit_keys, open_table,
};

/// Who reads the files of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScanMode {
    /// The guarded scan: our writer made the pinned commit and all files.
    Direct,
    /// delta-rs, behind guards: somebody else made the commit or a file.
    Delegated,
}

/// What an ordering claim rests on. It holds inside and across all files of one version, and for no other version: who
/// commits on top withdraws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderProof {
    /// The version whose commit claims it.
    pub version: Version,
    /// The version of the writer's rules under which it compared every row with the one before, and every file's last row
    /// with the first of the next.
    pub writer: String,
}

/// What was decided when a dataset was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanFacts {
    /// The dataset and the version that is read.
    pub pin: TablePin,
    /// Where the table lies, without secrets.
    pub location: String,
    /// Who reads the files.
    pub mode: ScanMode,
    /// A digest of the contract that it is read under.
    pub contract: Fingerprint,
    /// What readers of the version have to know.
    pub protocol: Protocol,
    /// How files are read, by the name of the setting. No session changes it.
    pub settings: BTreeMap<&'static str, &'static str>,
    /// The order that the contract declares.
    pub declared_order: Vec<SortKey>,
    /// The order that scans declare; empty when none was proven.
    pub order: Vec<SortKey>,
    /// What the order rests on, where there is one.
    pub order_proof: Option<OrderProof>,
    /// How the stored columns become the declared ones.
    pub alignment: AlignmentPlan,
    /// Files of the version, where the scan lists them itself.
    pub files: Option<usize>,
    /// Bytes of those files.
    pub bytes: Option<u64>,
    /// Rows in those files.
    pub rows: Option<usize>,
}

/// An opened dataset.
#[derive(Debug, Clone)]
pub struct Dataset {
    contract: DatasetSpec,
    provider: Arc<dyn TableProvider>,
    facts: ScanFacts,
}

impl Dataset {
    /// An opened table as its contract declares it.
    ///
    /// **Errors**: [`Error::Unalignable`], [`Error::Unreadable`], and those of [`OpenTable::pin`].
    pub async fn try_new(contract: &DatasetSpec, open: &OpenTable) -> Result<Self, Error> {
        Self::aligned(contract, open, |stored| Ok(ScanProjection::all(stored))).await
    }

    /// An opened table as its contract declares it, where declared columns are found among what expressions give instead of
    /// among the stored columns: renamed, computed, or left out.
    ///
    /// `session` has the functions that they may call. See [`ScanProjection`] for what they may be.
    ///
    /// **Errors**: those of [`Dataset::try_new`], and [`Error::Projection`] with every expression that is refused.
    pub async fn projecting<T: AsRef<str>>(
        contract: &DatasetSpec,
        open: &OpenTable,
        expressions: &[T],
        session: &SessionContext,
    ) -> Result<Self, Error> {
        Self::aligned(contract, open, |stored| {
            ScanProjection::try_new(expressions, stored, session).map_err(|errors| {
                Error::Projection {
                    dataset: contract.name().clone(),
                    errors,
                }
            })
        })
        .await
    }

    async fn aligned(
        contract: &DatasetSpec,
        open: &OpenTable,
        project: impl FnOnce(&SchemaRef) -> Result<ScanProjection, Error>,
    ) -> Result<Self, Error> {
        let pin = open.pin(contract.name())?;
        let scan = StoredScan::try_new(open).await?;
        let stored = scan.provider();
        let projection = project(&stored.schema())?;
        let alignment = AlignmentPlan::of_projection(contract, &projection)?;
        let mut facts = ScanFacts {
            pin,
            location: open.location().to_string(),
            mode: scan.mode(),
            contract: contract.contract_hash(),
            protocol: open.protocol()?,
            settings: scan.settings(),
            declared_order: contract.order().to_vec(),
            order: Vec::new(),
            order_proof: None,
            alignment,
            files: None,
            bytes: None,
            rows: None,
        };
        if let StoredScan::Direct(scan) = &scan {
            let claimed = scan.order().map_or(&[][..], OrderingClaim::keys);
            facts.order = declared_order(claimed, &facts.alignment);
            if !facts.order.is_empty() {
                let writer = open.commit().keys.get(commit_keys::WRITER);
                facts.order_proof = writer.map(|writer| OrderProof {
                    version: open.version(),
                    writer: writer.clone(),
                });
            }
            facts.files = Some(scan.files());
            facts.bytes = Some(scan.bytes());
            facts.rows = scan.rows();
        }
        let provider = if facts.alignment.is_identity() {
            stored
        } else {
            align(contract, stored, &facts.alignment)?
        };
        Ok(Self {
            contract: contract.clone(),
            provider,
            facts,
        })
    }

    /// What was decided when it was opened.
    pub fn facts(&self) -> &ScanFacts {
        &self.facts
    }

    /// The relation: a scan, or a projection on top of one.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.provider)
    }

    /// The contract that it meets.
    pub fn contract(&self) -> &DatasetSpec {
        &self.contract
    }
}

/// Opens a dataset at a version, or at the newest one.
///
/// **Errors**: those of [`open_table`], and [`Error::Unalignable`] when the stored columns cannot be read as declared.
pub async fn open_dataset(
    contract: &DatasetSpec,
    location: &TableLocation,
    at: impl Into<At>,
) -> Result<Dataset, Error> {
    let at = at.into();
    let open = open_table(location, at).await?;
    if at != At::Newest {
        open.check_files().await?;
    }
    Dataset::try_new(contract, &open).await
}

/// The order of the stored columns, as that of the declared ones: as far as they are the same values.
fn declared_order(stored: &[SortKey], alignment: &AlignmentPlan) -> Vec<SortKey> {
    let declared = |key: &SortKey| {
        let mut columns = alignment.columns().iter();
        let column = columns.find(|it| it.is_stored_as() == Some(key.column.as_str()))?;
        Some(SortKey {
            column: column.name().clone(),
            descending: key.descending,
        })
    };
    stored.iter().map_while(declared).collect()
}

fn align(
    contract: &DatasetSpec,
    scan: Arc<dyn TableProvider>,
    alignment: &AlignmentPlan,
) -> Result<Arc<dyn TableProvider>, Error> {
    let plan = LogicalPlanBuilder::scan(
        table_reference(contract.name()),
        provider_as_source(scan),
        None,
    )
    .and_then(|builder| builder.project(alignment.expressions()))
    .and_then(LogicalPlanBuilder::build)
    .map_err(Error::engine("aligning a dataset to its contract"))?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn table_reference(name: &DatasetName) -> TableReference {
    TableReference::full(CATALOG, name.stage(), name.table())
}

/// The datasets of one session, each at one version.
#[derive(Clone)]
pub struct Catalog {
    session: SessionContext,
    pins: BTreeMap<DatasetName, TablePin>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog")
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}

impl Catalog {
    /// A catalog of nothing, in a session that [`SessionSpec::build`](crate::SessionSpec::build) made.
    pub fn new(session: SessionContext) -> Self {
        Self {
            session,
            pins: BTreeMap::new(),
        }
    }

    /// The session.
    pub fn session(&self) -> &SessionContext {
        &self.session
    }

    /// The versions at which the datasets are read.
    pub fn pins(&self) -> &BTreeMap<DatasetName, TablePin> {
        &self.pins
    }

    /// Makes a dataset nameable in SQL as `stage.table`.
    ///
    /// **Errors**: [`Error::ConflictingPins`] when the dataset is there at another version or of another table.
    pub fn register(&mut self, dataset: &Dataset) -> Result<(), Error> {
        let pin = &dataset.facts.pin;
        if let Some(registered) = self.pins.get(&pin.dataset) {
            return if registered == pin {
                Ok(())
            } else {
                Err(Error::ConflictingPins {
                    dataset: pin.dataset.clone(),
                    registered: registered.version,
                    wanted: pin.version,
                })
            };
        }
        self.session
            .register_table(table_reference(&pin.dataset), dataset.provider())
            .map_err(Error::engine("registering a dataset"))?;
        self.pins.insert(pin.dataset.clone(), pin.clone());
        Ok(())
    }
}
