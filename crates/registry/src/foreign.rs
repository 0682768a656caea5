//! Tables that somebody else wrote: delta-rs reads them, behind the same guards.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::TableType;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use deltalake_core::delta_datafusion::{DeltaScanConfig, DeltaScanNext};
use deltalake_core::kernel::transaction::PROTOCOL;

use crate::{Error, OpenTable, guard};

/// delta-rs' provider at one version, without the filters and the inserts that it gets wrong.
///
/// Deletion vectors, column mapping and partition values are its business. It is made without a log store, so that
/// it cannot insert, and every scan is wrapped so that no operator above slips a filter past the guards.
pub struct ForeignScan {
    inner: DeltaScanNext,
    open: OpenTable,
    schema: SchemaRef,
}

impl fmt::Debug for ForeignScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignScan")
            .field("location", &self.open.location().to_string())
            .field("version", &self.open.version())
            .finish_non_exhaustive()
    }
}

impl ForeignScan {
    /// Wraps the snapshot of an opened table.
    ///
    /// **Errors**: [`Error::Unsupported`] when the runtime cannot read the table's protocol, [`Error::Delta`],
    /// [`Error::Engine`].
    pub fn try_new(open: &OpenTable) -> Result<Self, Error> {
        let snapshot = open
            .table()
            .snapshot()
            .map_err(Error::delta("reading a schema"))?;
        PROTOCOL
            .can_read_from_protocol(snapshot.protocol())
            .map_err(|error| Error::Unsupported {
                location: open.location().to_string(),
                reason: error.to_string(),
            })?;
        // Text as text and partition columns as plain columns: the declared schema, not an encoding of it.
        let mut config = DeltaScanConfig::new().with_wrap_partition_values(false);
        config.schema_force_view_types = false;
        let inner = DeltaScanNext::new(Arc::new(snapshot.snapshot().clone()), config)
            .map_err(Error::engine("opening a table for reading"))?;
        let schema = inner.schema();
        Ok(Self {
            inner,
            open: open.clone(),
            schema,
        })
    }
}

#[async_trait]
impl TableProvider for ForeignScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| guard::pushdown(filter, &self.schema))
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.open.table().update_datafusion_session(state)?;
        let inner = self.inner.scan(state, projection, filters, limit).await?;
        Ok(Arc::new(FilterBarrier::new(inner)))
    }
}

/// Hides the node below from filters that the optimizer pushes into running scans.
///
/// Such filters prune by the statistics in Parquet footers, which leave NaN out as well.
struct FilterBarrier {
    inner: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl FilterBarrier {
    fn new(inner: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(inner.schema()),
            inner.output_partitioning().clone(),
            inner.pipeline_behavior(),
            inner.boundedness(),
        );
        Self {
            inner,
            properties: Arc::new(properties),
        }
    }
}

impl fmt::Debug for FilterBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterBarrier")
    }
}

impl DisplayAs for FilterBarrier {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FilterBarrier")
    }
}

impl ExecutionPlan for FilterBarrier {
    fn name(&self) -> &'static str {
        "FilterBarrier"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.inner]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([inner]) => Ok(Arc::new(Self::new(inner))),
            Err(children) => datafusion::common::internal_err!(
                "a filter barrier has one child, not {}",
                children.len()
            ),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.inner.execute(partition, context)
    }
}
