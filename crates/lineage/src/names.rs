//! Tables by name: what stands for them in an encoded plan, and where they come from when it is decoded.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::common::{DFSchema, TableReference, not_impl_err, plan_datafusion_err, plan_err};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{TableType, provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use futures::FutureExt;

/// Writes the name of a table in its place, and finds the table of that name in a session.
#[derive(Default)]
pub(crate) struct NameCodec {
    state: Option<SessionState>,
}

impl std::fmt::Debug for NameCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameCodec").finish_non_exhaustive()
    }
}

impl NameCodec {
    /// Finds tables in a session.
    pub(crate) fn of(state: &SessionState) -> Self {
        Self {
            state: Some(state.clone()),
        }
    }
}

impl LogicalExtensionCodec for NameCodec {
    fn try_decode(&self, _: &[u8], _: &[LogicalPlan], _: &TaskContext) -> Result<Extension> {
        not_impl_err!("nodes of extensions are not decoded")
    }

    fn try_encode(&self, _: &Extension, _: &mut Vec<u8>) -> Result<()> {
        not_impl_err!("nodes of extensions are not encoded")
    }

    fn try_decode_table_provider(
        &self,
        name: &[u8],
        _: &TableReference,
        _: SchemaRef,
        _: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let name = String::from_utf8_lossy(name);
        let unknown = || plan_datafusion_err!("the session has no table `{name}`");
        let reference = TableReference::parse_str(&name);
        let table = reference.table().to_owned();
        let schema = self
            .state
            .as_ref()
            .ok_or_else(unknown)?
            .schema_for_ref(reference)?;
        // Catalogs in memory answer at once.
        let found = schema.table(&table).now_or_never().ok_or_else(unknown)?;
        found?.ok_or_else(unknown)
    }

    fn try_encode_table_provider(
        &self,
        name: &TableReference,
        _: Arc<dyn TableProvider>,
        bytes: &mut Vec<u8>,
    ) -> Result<()> {
        bytes.extend_from_slice(name.to_quoted_string().as_bytes());
        Ok(())
    }
}

/// Refuses a plan that reads anything else than tables of the session, by their names, or does anything else than to read.
///
/// An encoded plan may name files.
pub(crate) fn only_named_tables(plan: &LogicalPlan, state: &SessionState) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::TableScan(scan) => {
                let provider = source_as_provider(&scan.source)?;
                let is_of_recursion = provider.downcast_ref::<CteWorkTable>().is_some();
                let named = || -> Option<Arc<dyn TableProvider>> {
                    let schema = state.schema_for_ref(scan.table_name.clone()).ok()?;
                    let found = schema.table(scan.table_name.table()).now_or_never()?;
                    found.ok()?
                };
                if !is_of_recursion && !named().is_some_and(|it| Arc::ptr_eq(&it, &provider)) {
                    return plan_err!("`{}` in it is no table of the session", scan.table_name);
                }
            }
            LogicalPlan::Extension(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_) => return plan_err!("it does more than to read"),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The plan with scans whose schemas have no metadata, because it is encoded in the order of a hash map.
pub(crate) fn without_metadata(plan: &LogicalPlan) -> Result<LogicalPlan> {
    plan.clone()
        .transform_up_with_subqueries(|node| {
            Ok(match node {
                LogicalPlan::TableScan(mut scan) => {
                    let provider = source_as_provider(&scan.source)?;
                    // The table of a recursive query is known by its type.
                    if provider.downcast_ref::<CteWorkTable>().is_none() {
                        let schema = Schema::new(bare_fields(provider.schema().fields()));
                        let schema = schema.into();
                        scan.source = provider_as_source(Arc::new(StandIn { schema }));
                    }
                    Transformed::yes(LogicalPlan::TableScan(scan))
                }
                LogicalPlan::Unnest(mut unnest) => {
                    let fields = unnest
                        .schema
                        .iter()
                        .map(|(qualifier, field)| (qualifier.cloned(), bare_field(field)));
                    let schema = DFSchema::new_with_metadata(fields.collect(), HashMap::new())?;
                    unnest.schema = schema.into();
                    Transformed::yes(LogicalPlan::Unnest(unnest))
                }
                other => Transformed::no(other),
            })
        })
        .data()
}

/// Stands in a plan that is encoded for the table of that name. It is never read.
#[derive(Debug)]
struct StandIn {
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for StandIn {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        not_impl_err!("a plan that was made to be encoded is not executed")
    }
}

fn bare_fields(fields: &Fields) -> Fields {
    fields.iter().map(bare_field).collect()
}

fn bare_field(field: &FieldRef) -> FieldRef {
    let bare = Field::new(
        field.name(),
        bare_type(field.data_type()),
        field.is_nullable(),
    );
    Arc::new(bare)
}

fn bare_type(value_type: &DataType) -> DataType {
    match value_type {
        DataType::List(field) => DataType::List(bare_field(field)),
        DataType::LargeList(field) => DataType::LargeList(bare_field(field)),
        DataType::FixedSizeList(field, length) => {
            DataType::FixedSizeList(bare_field(field), *length)
        }
        DataType::Struct(fields) => DataType::Struct(bare_fields(fields)),
        DataType::Map(field, is_sorted) => DataType::Map(bare_field(field), *is_sorted),
        other => other.clone(),
    }
}

/// The plan with the filters of its scans above them, where the optimizer decides anew who applies them.
///
/// A scan that was encoded with a filter was one that applies it. Decoded over another table it might not.
pub(crate) fn lift_filters(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        Ok(match node {
            LogicalPlan::TableScan(mut scan) if !scan.filters.is_empty() => {
                let filters = std::mem::take(&mut scan.filters);
                let projected = scan.projection.take();
                let whole = LogicalPlanBuilder::scan(
                    scan.table_name.clone(),
                    Arc::clone(&scan.source),
                    None,
                )?;
                let filtered = match conjunction(filters) {
                    Some(filter) => whole.filter(filter)?,
                    None => whole,
                };
                let narrowed = match projected {
                    Some(columns) => filtered.select(columns)?,
                    None => filtered,
                };
                Transformed::yes(narrowed.build()?)
            }
            other => Transformed::no(other),
        })
    })
    .data()
}
