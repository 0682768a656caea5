//! What a plan reads and calls, how it uses each column, and where each of its own columns comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;

use crate::trace::{Scans, Tracer};
use crate::{Derivation, Error, Role, calls, deep};

/// What a plan reads and calls, and what becomes of the columns that it reads.
///
/// ```
/// use datafusion::prelude::SessionContext;
/// use ossature_lineage::{Derivation, PlanFacts, Role};
///
/// # let runtime = tokio::runtime::Runtime::new()?;
/// # runtime.block_on(async {
/// let session = SessionContext::new();
/// session.sql("CREATE TABLE calls (id BIGINT, name VARCHAR, callee BIGINT)").await?.collect().await?;
/// let sql = "SELECT upper(caller.name) AS caller FROM calls AS caller \
///     WHERE caller.callee IN (SELECT id FROM calls WHERE name = 'main')";
/// let facts = PlanFacts::of(&session.sql(sql).await?.into_optimized_plan()?)?;
///
/// let roles = facts.uses("public.calls", "name");
/// assert!(roles.contains(&Role::FilterEq) && roles.contains(&Role::Projected));
/// assert!(facts.uses("public.calls", "id").contains(&Role::JoinKey));
/// let caller = &facts.outputs()[0];
/// assert_eq!(caller.to_string(), "caller <- public.calls.name transformation");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanFacts {
    inputs: BTreeMap<String, Input>,
    outputs: Vec<OutputColumn>,
    functions: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Input {
    schema: SchemaRef,
    columns: BTreeMap<String, BTreeSet<Role>>,
}

/// A column of an input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnOrigin {
    /// The input, as `stage.table`.
    pub input: String,
    /// The column.
    pub column: String,
}

impl fmt::Display for ColumnOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.input, self.column)
    }
}

/// A column of a plan's result, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// The columns of inputs that it comes from, and how; none for constants.
    pub origins: BTreeMap<ColumnOrigin, BTreeSet<Derivation>>,
}

impl fmt::Display for OutputColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (at, (origin, derivations)) in self.origins.iter().enumerate() {
            let words: Vec<&str> = derivations.iter().map(|it| it.as_str()).collect();
            let sign = if at == 0 { " <-" } else { "," };
            write!(f, "{sign} {origin} {}", words.join("+"))?;
        }
        Ok(())
    }
}

impl PlanFacts {
    /// Reads a plan, with all its subqueries.
    ///
    /// Columns are traced to the inputs through projections, aliases, joins, aggregates, windows, unions, unnesting,
    /// recursion and subqueries, correlated ones included. A role goes to a column of an input where the plan uses the
    /// column itself, or the column as another type; where it uses what is computed of the column, only the roles
    /// [`Role::Filter`], [`Role::Join`] and [`Role::Projected`] do.
    ///
    /// Any plan of a query will do. The optimized one tells best what is read: its scans name only the columns that are
    /// needed, and its filters sit where they act.
    ///
    /// **Determinism**: a function of the plan only.
    /// **Errors**: [`Error::VolatileFunction`], because such a plan has no identity; [`Error::NotAQuery`];
    /// [`Error::Engine`] when a column cannot be found.
    pub fn of(plan: &LogicalPlan) -> Result<Self, Error> {
        Self::with_default_stage(plan, "public")
    }

    /// As [`PlanFacts::of`]; a table that is named alone is of that stage, as it is in a session with that default schema.
    ///
    /// **Errors**: those of [`PlanFacts::of`].
    pub fn with_default_stage(plan: &LogicalPlan, stage: &str) -> Result<Self, Error> {
        let functions = calls::of(plan)?;
        let mut tracer = Tracer::new(stage);
        let columns = deep::call(|| tracer.plan(plan))?;
        let names = plan.schema().fields().iter().map(|field| field.name());
        for origins in &columns {
            tracer.project(origins);
        }
        let Scans { inputs, origins } = tracer.into_scans();
        let outputs = names.zip(&columns).map(|(name, column)| OutputColumn {
            name: name.clone(),
            origins: column
                .iter()
                .filter_map(|(id, set)| {
                    let (origin, _) = origins.get(id as usize)?;
                    Some((origin.clone(), set.iter().collect()))
                })
                .collect(),
        });
        let outputs = outputs.collect();
        let mut facts = Self {
            inputs: inputs
                .into_iter()
                .map(|(name, schema)| {
                    let columns = BTreeMap::new();
                    (name, Input { schema, columns })
                })
                .collect(),
            outputs,
            functions,
        };
        for (origin, roles) in origins {
            if let Some(input) = facts.inputs.get_mut(&origin.input)
                && !roles.is_empty()
            {
                input.columns.insert(origin.column, roles.iter().collect());
            }
        }
        Ok(facts)
    }

    /// The inputs, as `stage.table`.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.keys().map(String::as_str)
    }

    /// The inputs with the schema that each offers.
    pub(crate) fn schemas(&self) -> impl Iterator<Item = (&str, &SchemaRef)> {
        self.inputs
            .iter()
            .map(|(name, input)| (name.as_str(), &input.schema))
    }

    /// The columns of an input that the plan uses, with their roles.
    pub fn columns(&self, input: &str) -> impl Iterator<Item = (&str, &BTreeSet<Role>)> {
        let columns = self
            .inputs
            .get(input)
            .into_iter()
            .flat_map(|input| &input.columns);
        columns.map(|(name, roles)| (name.as_str(), roles))
    }

    /// The roles of one column.
    pub fn uses(&self, input: &str, column: &str) -> BTreeSet<Role> {
        let roles = self
            .inputs
            .get(input)
            .and_then(|input| input.columns.get(column));
        roles.cloned().unwrap_or_default()
    }

    /// The columns of the plan's result, in their order, each with the columns of inputs that it comes from.
    pub fn outputs(&self) -> &[OutputColumn] {
        &self.outputs
    }

    /// The functions that the plan calls: scalar, aggregate and window functions, by name.
    pub fn functions(&self) -> &BTreeSet<String> {
        &self.functions
    }
}
