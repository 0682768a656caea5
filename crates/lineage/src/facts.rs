//! What a plan reads and calls, and how it uses each column.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use crate::Error;

/// How a plan uses a column of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// It is read.
    Read,
    /// Rows are kept or dropped by it.
    Filter,
    /// Rows of two inputs are matched by it.
    Join,
    /// Rows are gathered by it.
    Group,
    /// Rows are ordered by it.
    Order,
    /// A window is partitioned or ordered by it.
    Window,
}

impl Role {
    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Filter => "filter",
            Self::Join => "join",
            Self::Group => "group",
            Self::Order => "order",
            Self::Window => "window",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a plan reads and calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanFacts {
    inputs: BTreeMap<String, Input>,
    functions: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Input {
    schema: SchemaRef,
    columns: BTreeMap<String, BTreeSet<Role>>,
}

impl PlanFacts {
    /// Reads a plan, with all its subqueries.
    ///
    /// Give it the optimized plan: its scans name only the columns that are needed, and its filters sit where they
    /// act. A column that was computed below the place where it is used has no role; those that it was computed
    /// from are read.
    ///
    /// **Errors**: [`Error::VolatileFunction`], because such a plan has no identity.
    pub fn of(plan: &LogicalPlan) -> Result<Self, Error> {
        let mut reader = Reader::default();
        plan.apply_with_subqueries(|node| {
            reader.inputs_of(node);
            Ok(TreeNodeRecursion::Continue)
        })
        .and_then(|_| {
            plan.apply_with_subqueries(|node| {
                reader.roles_of(node)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
        .map_err(Error::engine("reading a plan"))?;
        match reader.volatile {
            Some(function) => Err(Error::VolatileFunction { function }),
            None => Ok(reader.facts),
        }
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

    /// The functions that the plan calls: scalar, aggregate and window functions, by name.
    pub fn functions(&self) -> &BTreeSet<String> {
        &self.functions
    }
}

/// `stage.table` of a reference, whatever the catalog.
pub(crate) fn input_name(reference: &TableReference) -> String {
    match reference.schema() {
        Some(schema) => format!("{schema}.{}", reference.table()),
        None => format!("public.{}", reference.table()),
    }
}

#[derive(Default)]
struct Reader {
    facts: PlanFacts,
    /// What each alias stands for, where it stands for one input.
    aliases: BTreeMap<String, String>,
    volatile: Option<String>,
}

impl Reader {
    fn inputs_of(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::TableScan(scan) => {
                let name = input_name(&scan.table_name);
                self.aliases
                    .insert(scan.table_name.to_string(), name.clone());
                let input = self.facts.inputs.entry(name).or_insert_with(|| Input {
                    schema: scan.source.schema(),
                    columns: BTreeMap::new(),
                });
                for field in scan.projected_schema.fields() {
                    input
                        .columns
                        .entry(field.name().clone())
                        .or_default()
                        .insert(Role::Read);
                }
            }
            LogicalPlan::SubqueryAlias(alias) => {
                if let Some(scan) = only_scan(&alias.input) {
                    self.aliases
                        .insert(alias.alias.to_string(), input_name(scan));
                }
            }
            _ => {}
        }
    }

    fn roles_of(&mut self, node: &LogicalPlan) -> Result<(), DataFusionError> {
        match node {
            LogicalPlan::TableScan(scan) => self.mark(&scan.filters, Role::Filter),
            LogicalPlan::Filter(filter) => {
                self.mark(std::slice::from_ref(&filter.predicate), Role::Filter);
            }
            LogicalPlan::Join(join) => {
                for (left, right) in &join.on {
                    self.mark([left, right], Role::Join);
                }
                self.mark(&join.filter, Role::Join);
            }
            LogicalPlan::Aggregate(aggregate) => self.mark(&aggregate.group_expr, Role::Group),
            LogicalPlan::Sort(sort) => {
                self.mark(sort.expr.iter().map(|key| &key.expr), Role::Order);
            }
            LogicalPlan::Window(window) => {
                for expr in &window.window_expr {
                    if let Expr::WindowFunction(function) = expr {
                        self.mark(&function.params.partition_by, Role::Window);
                        let keys = function.params.order_by.iter().map(|key| &key.expr);
                        self.mark(keys, Role::Window);
                    }
                }
            }
            _ => {}
        }
        node.apply_expressions(|expr| self.functions_of(expr))
            .map(|_| ())
    }

    fn mark<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>, role: Role) {
        for expr in exprs {
            let columns: BTreeSet<&Column> = expr.column_refs().into_iter().collect();
            for column in columns {
                self.mark_column(column, role);
            }
        }
    }

    fn mark_column(&mut self, column: &Column, role: Role) {
        let Some(relation) = &column.relation else {
            return;
        };
        let Some(input) = self.aliases.get(&relation.to_string()) else {
            return;
        };
        let Some(input) = self.facts.inputs.get_mut(input) else {
            return;
        };
        if input.schema.field_with_name(&column.name).is_ok() {
            input
                .columns
                .entry(column.name.clone())
                .or_default()
                .insert(role);
        }
    }

    fn functions_of(&mut self, expr: &Expr) -> Result<TreeNodeRecursion, DataFusionError> {
        expr.apply(|node| {
            let called = match node {
                Expr::ScalarFunction(call) => {
                    Some((call.func.name(), call.func.signature().volatility))
                }
                Expr::AggregateFunction(call) => {
                    Some((call.func.name(), call.func.signature().volatility))
                }
                Expr::WindowFunction(call) => {
                    Some((call.fun.name(), call.fun.signature().volatility))
                }
                _ => None,
            };
            if let Some((name, volatility)) = called {
                self.facts.functions.insert(name.to_owned());
                if volatility != Volatility::Immutable {
                    self.volatile.get_or_insert_with(|| name.to_owned());
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })
    }
}

/// The scan below an alias, if nothing but filters and projections stand between them.
fn only_scan(plan: &LogicalPlan) -> Option<&TableReference> {
    match plan {
        LogicalPlan::TableScan(scan) => Some(&scan.table_name),
        LogicalPlan::Filter(filter) => only_scan(&filter.input),
        LogicalPlan::Projection(projection) => only_scan(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => only_scan(&alias.input),
        _ => None,
    }
}
