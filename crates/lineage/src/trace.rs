//! The walk that traces columns to the inputs: one set of origins for each column of each node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, JoinType, TableReference};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Join, LogicalPlan, RecursiveQuery, Subquery, TableScan, Unnest,
    Window,
};

use crate::facts::ColumnOrigin;
use crate::origins::{OriginId, Origins};
use crate::{Derivation, Error, Role};

/// A set of [`Role`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Roles(u16);

impl Roles {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL
            .into_iter()
            .filter(move |it| self.0 & it.bit() != 0)
    }
}

/// What the walk found.
pub(crate) struct Scans {
    /// The inputs with the schema that each offers.
    pub(crate) inputs: BTreeMap<String, SchemaRef>,
    /// The columns of the inputs, by the number that origins give them.
    pub(crate) origins: Vec<(ColumnOrigin, Roles)>,
}

/// The columns that an expression can name, with where they come from. A join's condition names those of two inputs.
#[derive(Clone)]
pub(crate) struct Scope {
    parts: Vec<(DFSchemaRef, Vec<Origins>)>,
}

impl Scope {
    fn of(plan: &LogicalPlan, columns: Vec<Origins>) -> Self {
        Self {
            parts: vec![(Arc::clone(plan.schema()), columns)],
        }
    }

    fn none() -> Self {
        Self { parts: Vec::new() }
    }

    fn find(&self, column: &Column) -> Option<&Origins> {
        self.parts.iter().find_map(|(schema, columns)| {
            let at = schema.maybe_index_of_column(column)?;
            columns.get(at)
        })
    }
}

pub(crate) struct Tracer {
    /// The stage of tables that are named alone.
    stage: String,
    inputs: BTreeMap<String, SchemaRef>,
    ids: BTreeMap<ColumnOrigin, OriginId>,
    origins: Vec<(ColumnOrigin, Roles)>,
    /// What the subquery that is walked stands in, innermost last.
    outer: Vec<Scope>,
    /// The columns of the recursive queries that are walked, by name.
    recursive: BTreeMap<String, Vec<Origins>>,
}

impl Tracer {
    pub(crate) fn new(stage: &str) -> Self {
        Self {
            stage: stage.to_owned(),
            inputs: BTreeMap::new(),
            ids: BTreeMap::new(),
            origins: Vec::new(),
            outer: Vec::new(),
            recursive: BTreeMap::new(),
        }
    }

    pub(crate) fn into_scans(self) -> Scans {
        Scans {
            inputs: self.inputs,
            origins: self.origins,
        }
    }

    /// The columns of a plan, and on the way the roles of those that it uses.
    pub(crate) fn plan(&mut self, plan: &LogicalPlan) -> Result<Vec<Origins>, Error> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(projection) => {
                let scope = self.scope(&projection.input)?;
                self.exprs(&projection.expr, &scope)
            }
            LogicalPlan::Filter(filter) => {
                let scope = self.scope(&filter.input)?;
                self.keep_by(&filter.predicate, &scope)?;
                Ok(scope.into_columns())
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Sort(sort) => {
                let scope = self.scope(&sort.input)?;
                for key in &sort.expr {
                    self.use_as(&key.expr, &scope, Role::Sort)?;
                }
                Ok(scope.into_columns())
            }
            LogicalPlan::Distinct(distinct) => self.distinct(distinct),
            LogicalPlan::Union(union) => {
                let mut all = vec![Origins::default(); union.schema.fields().len()];
                for input in &union.inputs {
                    for (column, more) in all.iter_mut().zip(self.plan(input)?) {
                        *column = column.and(&more);
                    }
                }
                Ok(all)
            }
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::RecursiveQuery(query) => self.recursive_query(query),
            LogicalPlan::SubqueryAlias(alias) => self.plan(&alias.input),
            LogicalPlan::Limit(limit) => self.plan(&limit.input),
            LogicalPlan::Repartition(repartition) => self.plan(&repartition.input),
            LogicalPlan::Subquery(subquery) => self.plan(&subquery.subquery),
            LogicalPlan::EmptyRelation(empty) => {
                Ok(vec![Origins::default(); empty.schema.fields().len()])
            }
            LogicalPlan::Values(values) => {
                let mut all = vec![Origins::default(); values.schema.fields().len()];
                for row in &values.values {
                    for (column, more) in all.iter_mut().zip(self.exprs(row, &Scope::none())?) {
                        *column = column.and(&more);
                    }
                }
                Ok(all)
            }
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => Err(Error::NotAQuery {
                node: plan.display().to_string(),
            }),
        }
    }

    fn scope(&mut self, input: &LogicalPlan) -> Result<Scope, Error> {
        Ok(Scope::of(input, self.plan(input)?))
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Vec<Origins>, Error> {
        if let TableReference::Bare { table } = &scan.table_name
            && let Some(columns) = self.recursive.get(table.as_ref())
        {
            return Ok(match &scan.projection {
                Some(kept) => kept
                    .iter()
                    .map(|at| columns.get(*at).cloned().unwrap_or_default())
                    .collect(),
                None => columns.clone(),
            });
        }
        if scan.source.get_logical_plan().is_some() {
            // SQL puts the plans of views in their place. One that was left would hide what it reads and calls.
            return Err(Error::NotAQuery {
                node: format!("a scan of the view {}", scan.table_name),
            });
        }
        let input = self.input_name(&scan.table_name);
        let stored = scan.source.schema();
        let names: Vec<&String> = scan
            .projected_schema
            .fields()
            .iter()
            .map(|field| field.name())
            .collect();
        let columns: Vec<Origins> = names
            .into_iter()
            .map(|name| {
                let id = self.origin(&input, name);
                self.mark(id, Role::Read);
                Origins::of(id)
            })
            .collect();
        if !scan.filters.is_empty() {
            // Filters may name columns that the scan does not give out.
            let all = stored
                .fields()
                .iter()
                .map(|field| Origins::of(self.origin(&input, field.name())));
            let all: Vec<Origins> = all.collect();
            let schema = datafusion::common::DFSchema::try_from_qualified_schema(
                scan.table_name.clone(),
                &stored,
            )
            .map_err(Error::engine("naming the columns of a scan"))?;
            let scope = Scope {
                parts: vec![(schema.into(), all)],
            };
            for filter in &scan.filters {
                let named: BTreeSet<&Column> = filter.column_refs().into_iter().collect();
                for column in named {
                    if let Some(origins) = scope.find(column) {
                        self.mark_all(origins, Role::Read);
                    }
                }
                self.keep_by(filter, &scope)?;
            }
        }
        self.inputs.entry(input).or_insert(stored);
        Ok(columns)
    }

    /// `stage.table` of a reference, whatever the catalog.
    fn input_name(&self, reference: &TableReference) -> String {
        let stage = reference.schema().unwrap_or(&self.stage);
        format!("{stage}.{}", reference.table())
    }

    fn origin(&mut self, input: &str, column: &str) -> OriginId {
        let origin = ColumnOrigin {
            input: input.to_owned(),
            column: column.to_owned(),
        };
        if let Some(id) = self.ids.get(&origin) {
            return *id;
        }
        // A plan with four thousand million columns does not fit into memory.
        let id = OriginId::try_from(self.origins.len()).unwrap_or(OriginId::MAX);
        self.ids.insert(origin.clone(), id);
        self.origins.push((origin, Roles::default()));
        id
    }

    fn join(&mut self, join: &Join) -> Result<Vec<Origins>, Error> {
        let left = self.scope(&join.left)?;
        // A lateral join's right side names columns of the left.
        let right = if is_lateral(&join.right) {
            self.outer.push(left.clone());
            let right = self.scope(&join.right);
            self.outer.pop();
            right?
        } else {
            self.scope(&join.right)?
        };
        let mut matched = Origins::default();
        for (one, other) in &join.on {
            for (key, scope) in [(one, &left), (other, &right)] {
                let origins = self.expr(key, scope)?;
                self.mark_compared(&origins, key_role(key), Some(Role::Join));
                matched = matched.and(&origins.then(Derivation::Conditional));
            }
        }
        let both = Scope {
            parts: left.parts.iter().chain(&right.parts).cloned().collect(),
        };
        if let Some(filter) = &join.filter {
            // Every row of a side that is kept whole stays, whatever the condition says of it.
            let kept_whole: Vec<&DFSchemaRef> = match join.join_type {
                JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => {
                    vec![join.left.schema()]
                }
                JoinType::Right | JoinType::RightAnti | JoinType::RightMark => {
                    vec![join.right.schema()]
                }
                JoinType::Full => vec![join.left.schema(), join.right.schema()],
                JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => Vec::new(),
            };
            self.match_by(filter, &both, &kept_whole)?;
            if matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark) {
                matched = matched.and(&self.expr(filter, &both)?.then(Derivation::Conditional));
            }
        }
        let (left, right) = (left.into_columns(), right.into_columns());
        Ok(match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                left.into_iter().chain(right).collect()
            }
            JoinType::LeftSemi | JoinType::LeftAnti => left,
            JoinType::RightSemi | JoinType::RightAnti => right,
            JoinType::LeftMark => left.into_iter().chain([matched]).collect(),
            JoinType::RightMark => right.into_iter().chain([matched]).collect(),
        })
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Vec<Origins>, Error> {
        let scope = self.scope(&aggregate.input)?;
        let mut columns = Vec::with_capacity(aggregate.schema.fields().len());
        let mut has_sets = false;
        for key in &aggregate.group_expr {
            match key {
                Expr::GroupingSet(set) => {
                    has_sets = true;
                    // Each once, in the order of first use: they are the columns of the aggregate.
                    for key in set.distinct_expr() {
                        columns.push(self.use_as(key, &scope, Role::Group)?);
                    }
                }
                key => columns.push(self.use_as(key, &scope, Role::Group)?),
            }
        }
        if has_sets {
            // The number of the grouping set.
            columns.push(Origins::default());
        }
        columns.extend(self.exprs(&aggregate.aggr_expr, &scope)?);
        Ok(columns)
    }

    fn window(&mut self, window: &Window) -> Result<Vec<Origins>, Error> {
        let scope = self.scope(&window.input)?;
        let computed = self.exprs(&window.window_expr, &scope)?;
        Ok(scope.into_columns().into_iter().chain(computed).collect())
    }

    fn distinct(&mut self, distinct: &Distinct) -> Result<Vec<Origins>, Error> {
        match distinct {
            Distinct::All(input) => {
                let columns = self.plan(input)?;
                for column in &columns {
                    self.mark_compared(column, Role::Group, None);
                }
                Ok(columns)
            }
            Distinct::On(distinct) => {
                let scope = self.scope(&distinct.input)?;
                for key in &distinct.on_expr {
                    self.use_as(key, &scope, Role::Group)?;
                }
                let mut decide = Origins::default();
                for key in distinct.sort_expr.iter().flatten() {
                    let key = self.use_as(&key.expr, &scope, Role::Sort)?;
                    decide = decide.and(&key.then(Derivation::Conditional));
                }
                let columns = self.exprs(&distinct.select_expr, &scope)?;
                Ok(columns.iter().map(|column| column.and(&decide)).collect())
            }
        }
    }

    fn unnest(&mut self, unnest: &Unnest) -> Result<Vec<Origins>, Error> {
        let columns = self.plan(&unnest.input)?;
        let is_unnested = |at: &usize| {
            unnest.struct_type_columns.contains(at)
                || unnest.list_type_columns.iter().any(|(it, _)| it == at)
        };
        Ok(unnest
            .dependency_indices
            .iter()
            .map(|at| {
                let origins = columns.get(*at).cloned().unwrap_or_default();
                if is_unnested(at) {
                    origins.then(Derivation::Transformation)
                } else {
                    origins
                }
            })
            .collect())
    }

    /// The columns of a recursive query: those of the first term, and what the other term makes of them, until nothing new
    /// comes.
    fn recursive_query(&mut self, query: &RecursiveQuery) -> Result<Vec<Origins>, Error> {
        let mut columns = self.plan(&query.static_term)?;
        let hidden = self.recursive.remove(&query.name);
        let done = loop {
            self.recursive.insert(query.name.clone(), columns.clone());
            let step = match self.plan(&query.recursive_term) {
                Ok(step) => step,
                Err(error) => break Err(error),
            };
            let grown: Vec<Origins> = columns
                .iter()
                .zip(&step)
                .map(|(before, more)| before.and(more))
                .collect();
            // Sets only grow, and there are finitely many origins and derivations.
            if grown == columns {
                break Ok(columns);
            }
            columns = grown;
        };
        self.recursive.remove(&query.name);
        if let Some(hidden) = hidden {
            self.recursive.insert(query.name.clone(), hidden);
        }
        let columns = done?;
        if query.is_distinct {
            for column in &columns {
                self.mark_compared(column, Role::Group, None);
            }
        }
        Ok(columns)
    }

    fn exprs(&mut self, exprs: &[Expr], scope: &Scope) -> Result<Vec<Origins>, Error> {
        exprs.iter().map(|expr| self.expr(expr, scope)).collect()
    }

    /// Where the value of an expression comes from.
    pub(crate) fn expr(&mut self, expr: &Expr, scope: &Scope) -> Result<Origins, Error> {
        match expr {
            Expr::Column(column) => scope.find(column).cloned().ok_or_else(|| unknown(column)),
            Expr::OuterReferenceColumn(_, column) => self.outer_column(column),
            Expr::Alias(alias) => self.expr(&alias.expr, scope),
            Expr::Cast(cast) => Ok(self.expr(&cast.expr, scope)?.then(Derivation::Cast)),
            Expr::TryCast(cast) => Ok(self.expr(&cast.expr, scope)?.then(Derivation::Cast)),
            Expr::Case(case) => {
                let conditions = case
                    .expr
                    .iter()
                    .chain(case.when_then_expr.iter().map(|it| &it.0));
                let values = case
                    .when_then_expr
                    .iter()
                    .map(|it| &it.1)
                    .chain(&case.else_expr);
                let mut origins = Origins::default();
                for condition in conditions {
                    let decides = self.expr(condition, scope)?;
                    origins = origins.and(&decides.then(Derivation::Conditional));
                }
                for value in values {
                    origins = origins.and(&self.expr(value, scope)?.chosen());
                }
                Ok(origins)
            }
            Expr::AggregateFunction(call) => self.aggregate_function(call, scope),
            Expr::WindowFunction(call) => self.window_function(call, scope),
            Expr::ScalarSubquery(subquery) => self.subquery(subquery, scope),
            Expr::Exists(exists) => {
                self.rows_of(&exists.subquery, scope)?;
                Ok(Origins::default())
            }
            Expr::InSubquery(within) => {
                let one = self.expr(&within.expr, scope)?;
                let other = self.subquery(&within.subquery, scope)?;
                self.match_sides((&within.expr, &one), &other);
                Ok(one.and(&other).then(Derivation::Transformation))
            }
            Expr::SetComparison(comparison) => {
                let one = self.expr(&comparison.expr, scope)?;
                let other = self.subquery(&comparison.subquery, scope)?;
                self.mark_compared(&one, Role::Join, Some(Role::Join));
                self.mark_compared(&other, Role::Join, Some(Role::Join));
                Ok(one.and(&other).then(Derivation::Transformation))
            }
            other => self.children(other, scope, Derivation::Transformation),
        }
    }

    /// Both sides of `x IN (SELECT y ...)`.
    fn match_sides(&mut self, (expr, one): (&Expr, &Origins), other: &Origins) {
        self.mark_compared(one, key_role(expr), Some(Role::Join));
        self.mark_compared(other, Role::JoinKey, Some(Role::Join));
    }

    fn children(&mut self, expr: &Expr, scope: &Scope, step: Derivation) -> Result<Origins, Error> {
        let mut origins = Origins::default();
        let mut failed = None;
        expr.apply_children(|child| {
            Ok(match self.expr(child, scope) {
                Ok(more) => {
                    origins = origins.and(&more);
                    TreeNodeRecursion::Continue
                }
                Err(error) => {
                    failed = Some(error);
                    TreeNodeRecursion::Stop
                }
            })
        })
        .map_err(Error::engine("reading an expression"))?;
        match failed {
            Some(error) => Err(error),
            None => Ok(origins.then(step)),
        }
    }

    fn aggregate_function(
        &mut self,
        call: &AggregateFunction,
        scope: &Scope,
    ) -> Result<Origins, Error> {
        let params = &call.params;
        let mut origins = Origins::default();
        for argument in &params.args {
            origins = origins.and(&self.expr(argument, scope)?.then(Derivation::Aggregation));
        }
        let decide = params.filter.iter().map(AsRef::as_ref);
        for expr in decide.chain(params.order_by.iter().map(|key| &key.expr)) {
            origins = origins.and(&self.expr(expr, scope)?.then(Derivation::Conditional));
        }
        Ok(origins)
    }

    fn window_function(&mut self, call: &WindowFunction, scope: &Scope) -> Result<Origins, Error> {
        let params = &call.params;
        let mut origins = Origins::default();
        for argument in &params.args {
            origins = origins.and(&self.expr(argument, scope)?.then(Derivation::Aggregation));
        }
        if let Some(filter) = &params.filter {
            origins = origins.and(&self.expr(filter, scope)?.then(Derivation::Conditional));
        }
        let keys = params.order_by.iter().map(|key| &key.expr);
        for key in params.partition_by.iter().chain(keys) {
            let key = self.use_as(key, scope, Role::Window)?;
            origins = origins.and(&key.then(Derivation::Window));
        }
        Ok(origins)
    }

    /// The only column of a subquery.
    pub(crate) fn subquery(
        &mut self,
        subquery: &Subquery,
        scope: &Scope,
    ) -> Result<Origins, Error> {
        Ok(self
            .rows_of(subquery, scope)?
            .into_iter()
            .next()
            .unwrap_or_default())
    }

    fn rows_of(&mut self, subquery: &Subquery, scope: &Scope) -> Result<Vec<Origins>, Error> {
        self.outer.push(scope.clone());
        let columns = self.plan(&subquery.subquery);
        self.outer.pop();
        columns
    }

    fn outer_column(&self, column: &Column) -> Result<Origins, Error> {
        let found = self.outer.iter().rev().find_map(|scope| scope.find(column));
        found.cloned().ok_or_else(|| unknown(column))
    }

    /// Where an expression comes from that rows are put in order or together by.
    fn use_as(&mut self, expr: &Expr, scope: &Scope, role: Role) -> Result<Origins, Error> {
        let origins = self.expr(expr, scope)?;
        if is_column(expr) {
            self.mark_compared(&origins, role, None);
        }
        Ok(origins)
    }

    /// Marks the columns behind an operand: as `exactly` where it has their values, as `roughly` where something was computed
    /// of them, row by row.
    pub(crate) fn mark_compared(
        &mut self,
        origins: &Origins,
        exactly: Role,
        roughly: Option<Role>,
    ) {
        for (id, derivations) in origins.with_value() {
            if derivations.is_comparable() {
                self.mark(id, exactly);
            }
        }
        // Whatever decides about what is compared decides about the rows.
        for (id, derivations) in origins.iter() {
            if !derivations.is_comparable()
                && derivations.is_made_of()
                && let Some(roughly) = roughly
            {
                self.mark(id, roughly);
            }
        }
    }

    /// Marks the columns whose values are in an output column.
    pub(crate) fn project(&mut self, origins: &Origins) {
        for (id, _) in origins.with_value() {
            self.mark(id, Role::Projected);
        }
    }

    fn mark_all(&mut self, origins: &Origins, role: Role) {
        for (id, _) in origins.iter() {
            self.mark(id, role);
        }
    }

    fn mark(&mut self, id: OriginId, role: Role) {
        if let Some((_, roles)) = self.origins.get_mut(id as usize) {
            roles.0 |= role.bit();
        }
    }
}

impl Scope {
    fn into_columns(self) -> Vec<Origins> {
        self.parts
            .into_iter()
            .flat_map(|(_, columns)| columns)
            .collect()
    }
}

/// Whether the right side of a join names columns of the left.
fn is_lateral(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_lateral(&alias.input),
        _ => false,
    }
}

/// Whether an expression is a column, of this query or of the one around it, maybe as another type or under another name.
pub(crate) fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::OuterReferenceColumn(..) => true,
        Expr::Alias(alias) => is_column(&alias.expr),
        Expr::Cast(cast) => is_column(&cast.expr),
        Expr::TryCast(cast) => is_column(&cast.expr),
        _ => false,
    }
}

/// The role of one side of an equality between inputs.
fn key_role(expr: &Expr) -> Role {
    if is_column(expr) {
        Role::JoinKey
    } else {
        Role::Join
    }
}

fn unknown(column: &Column) -> Error {
    let error = DataFusionError::Plan(format!("no column `{column}` below the place of its use"));
    Error::engine("tracing a column")(error)
}
