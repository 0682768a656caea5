//! The schedule: in which order views are computed, as values that somebody else carries out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use ossature_schema_spec::{
    Change, ColumnSpec, DatasetName, DatasetSpec, Fingerprint, Severity, diff_columns,
};

use crate::dependencies::{find_cycle, named_relations, nearest_name};
use crate::{Error, Materialization, View};

/// One thing to do. Steps are values: what carries them out lies in other crates.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Open a source and make it nameable.
    Register {
        /// The source.
        source: DatasetName,
    },
    /// Make a view nameable that is computed where it is named.
    Inline {
        /// The view.
        view: DatasetName,
    },
    /// Compute a view, write its rows as a version of its table, and open that version.
    Write {
        /// The view.
        view: DatasetName,
    },
}

impl Step {
    /// The dataset that can be named once the step is done.
    pub fn dataset(&self) -> &DatasetName {
        match self {
            Self::Register { source } => source,
            Self::Inline { view } | Self::Write { view } => view,
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Register { source } => write!(f, "register {source}"),
            Self::Inline { view } => write!(f, "inline {view}"),
            Self::Write { view } => write!(f, "write {view}"),
        }
    }
}

/// Sources and views that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewGraph {
    sources: BTreeMap<DatasetName, DatasetSpec>,
    views: BTreeMap<DatasetName, View>,
    inputs: BTreeMap<DatasetName, BTreeSet<DatasetName>>,
}

impl ViewGraph {
    /// Joins sources and views by the names in the views' queries.
    ///
    /// **Errors**: [`Error::DuplicateName`], [`Error::NotAQuery`], [`Error::MissingInput`], [`Error::Cycle`].
    pub fn try_new(
        sources: impl IntoIterator<Item = DatasetSpec>,
        views: impl IntoIterator<Item = View>,
    ) -> Result<Self, Error> {
        let mut graph = Self {
            sources: BTreeMap::new(),
            views: BTreeMap::new(),
            inputs: BTreeMap::new(),
        };
        for source in sources {
            let name = source.name().clone();
            if graph.sources.insert(name.clone(), source).is_some() {
                return Err(Error::DuplicateName { name });
            }
        }
        for view in views {
            let name = view.name().clone();
            let known = graph.sources.contains_key(&name);
            if graph.views.insert(name.clone(), view).is_some() || known {
                return Err(Error::DuplicateName { name });
            }
        }
        for view in graph.views.values() {
            let inputs = graph.resolve_inputs(view)?;
            graph.inputs.insert(view.name().clone(), inputs);
        }
        let edges: Vec<_> = graph
            .inputs
            .iter()
            .map(|(view, inputs)| (view.clone(), inputs.clone()))
            .collect();
        match find_cycle(&edges) {
            Some(path) => Err(Error::Cycle { path }),
            None => Ok(graph),
        }
    }

    fn resolve_inputs(&self, view: &View) -> Result<BTreeSet<DatasetName>, Error> {
        let declared = || self.sources.keys().chain(self.views.keys());
        named_relations(view)?
            .into_iter()
            .map(|relation| {
                DatasetName::try_new(&relation)
                    .ok()
                    .filter(|name| declared().any(|known| known == name))
                    .ok_or_else(|| Error::MissingInput {
                        view: view.name().clone(),
                        nearest_name: nearest_name(&relation, declared()),
                        input: relation,
                    })
            })
            .collect()
    }

    /// The sources.
    pub fn sources(&self) -> impl Iterator<Item = &DatasetSpec> {
        self.sources.values()
    }

    /// The view of that name.
    pub fn view(&self, name: &DatasetName) -> Option<&View> {
        self.views.get(name)
    }

    /// The contracts of what is stored: those of the sources, then those of the views that are tables, in the order in
    /// which they are computed.
    pub fn written(&self) -> impl Iterator<Item = &DatasetSpec> {
        let steps = self.schedule().into_iter();
        let views = steps.filter_map(|step| self.view(step.dataset()));
        let tables = views.filter(|view| view.materialization() == Materialization::Table);
        self.sources().chain(tables.map(View::contract))
    }

    /// The contract of a source or a view.
    pub fn contract(&self, name: &DatasetName) -> Option<&DatasetSpec> {
        self.sources
            .get(name)
            .or_else(|| self.views.get(name).map(View::contract))
    }

    /// The views, in order of name.
    pub fn views(&self) -> impl Iterator<Item = &View> {
        self.views.values()
    }

    /// What a view reads, directly.
    pub fn inputs(&self, view: &DatasetName) -> impl Iterator<Item = &DatasetName> {
        self.inputs.get(view).into_iter().flatten()
    }

    /// The views that read a source or a view, directly, in order of name.
    pub fn readers(&self, name: &DatasetName) -> impl Iterator<Item = &DatasetName> {
        let reads =
            move |(_, inputs): &(&DatasetName, &BTreeSet<DatasetName>)| inputs.contains(name);
        self.inputs.iter().filter(reads).map(|(view, _)| view)
    }

    /// The order of work: every dataset after those that it reads, and otherwise in order of name.
    ///
    /// **Determinism**: a function of the declarations only.
    pub fn schedule(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self
            .sources
            .keys()
            .map(|source| Step::Register {
                source: source.clone(),
            })
            .collect();
        let mut done: BTreeSet<&DatasetName> = self.sources.keys().collect();
        // There is no circle, so every round finishes at least one view.
        while done.len() < self.sources.len() + self.views.len() {
            let ready: Vec<&View> = self
                .views
                .values()
                .filter(|view| !done.contains(view.name()))
                .filter(|view| self.inputs(view.name()).all(|input| done.contains(input)))
                .collect();
            for view in ready {
                done.insert(view.name());
                steps.push(match view.materialization() {
                    Materialization::Table => Step::Write {
                        view: view.name().clone(),
                    },
                    Materialization::Inline => Step::Inline {
                        view: view.name().clone(),
                    },
                });
            }
        }
        steps
    }

    /// Plans every view against the contracts of what it reads, without opening a table, and compares what it would
    /// return with its own contract.
    ///
    /// `session` has the catalog and the functions that the queries name, and none of the tables: empty ones are registered
    /// in their place.
    ///
    /// **Errors**: [`Error::Unplannable`], [`Error::ContractDiffers`], of all views at once.
    pub async fn validate(&self, session: &SessionContext) -> Result<(), Vec<Error>> {
        let mut errors = Vec::new();
        for name in self.sources.keys().chain(self.views.keys()) {
            if let Some(contract) = self.contract(name) {
                let empty = Arc::new(EmptyTable::new(contract.arrow_schema()));
                let reference = TableReference::partial(name.stage(), name.table());
                if let Err(error) = session.register_table(reference, empty) {
                    errors.push(unplannable(name)(error));
                }
            }
        }
        for view in self.views.values() {
            if let Err(error) = plan_view(session, view).await {
                errors.push(error);
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}

pub(crate) fn unplannable(
    view: &DatasetName,
) -> impl FnOnce(datafusion::error::DataFusionError) -> Error {
    move |source| Error::Unplannable {
        view: view.clone(),
        source: Box::new(source),
    }
}

/// Plans a view in a session in which its inputs can be named, and compares the result with the contract.
///
/// The rows are sorted by [`View::sort_keys`]; the optimizer drops the sort where they come in that order.
///
/// **Errors**: [`Error::Unplannable`], [`Error::ContractDiffers`].
pub async fn plan_view(session: &SessionContext, view: &View) -> Result<DataFrame, Error> {
    let frame = session
        .sql(view.sql())
        .await
        .map_err(unplannable(view.name()))?;
    let validation = ViewValidation::of(view, frame.logical_plan())?;
    if !validation.is_valid() {
        return Err(Error::ContractDiffers {
            validation: Box::new(validation),
        });
    }
    let order: Vec<_> = view
        .sort_keys()
        .iter()
        .map(|key| datafusion::logical_expr::ident(key.column.as_str()).sort(!key.descending, true))
        .collect();
    if order.is_empty() || view.materialization() == Materialization::Inline {
        return Ok(frame);
    }
    frame.sort(order).map_err(unplannable(view.name()))
}

/// What a view's query returns, held against what the view declares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewValidation {
    /// The view.
    pub view: DatasetName,
    /// A digest of the contract.
    pub contract: Fingerprint,
    /// Columns that it declares.
    pub columns: usize,
    /// Differences that the writer settles: engines lose on the way what may be null and what it means.
    pub accepted: Vec<Change>,
    /// Differences that nothing settles.
    pub refused: Vec<Change>,
}

impl ViewValidation {
    /// Compares the columns of a planned query with those that its view declares.
    ///
    /// **Errors**: [`Error::Unplannable`] when a column has a type that nothing stored has.
    pub fn of(view: &View, plan: &LogicalPlan) -> Result<Self, Error> {
        let contract = view.contract();
        let found = columns_of(plan).map_err(unplannable(view.name()))?;
        let changes = diff_columns(contract, &found);
        let (refused, accepted) = changes.into_iter().partition(differs);
        Ok(Self {
            view: view.name().clone(),
            contract: contract.contract_hash(),
            columns: contract.columns().len(),
            accepted,
            refused,
        })
    }

    /// Whether the query returns what its view declares.
    pub fn is_valid(&self) -> bool {
        self.refused.is_empty()
    }
}

fn columns_of(plan: &LogicalPlan) -> Result<Vec<ColumnSpec>, datafusion::error::DataFusionError> {
    plan.schema()
        .fields()
        .iter()
        .map(|field| {
            ColumnSpec::from_arrow(field)
                .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))
        })
        .collect()
}

/// Engines lose nullability and meanings on the way; both are checked and stamped when rows are written. Everything
/// else must be as declared.
fn differs(change: &Change) -> bool {
    match change {
        Change::Nullability { .. } => false,
        Change::Meaning { found, .. } => found.is_some(),
        Change::Position { .. } => true,
        Change::Type { wanted, found, .. } => {
            let shape =
                |column: &ossature_schema_spec::ColumnType| column.to_string().replace('!', "");
            shape(wanted) != shape(found)
        }
        other => other.severity() != Severity::Harmless || matches!(other, Change::Extra { .. }),
    }
}
