//! Tables that somebody else wrote: delta-rs reads them, behind the same guards.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{Int32Array, RecordBatch};
use datafusion::arrow::compute::kernels::cmp::eq;
use datafusion::arrow::compute::kernels::length::length;
use datafusion::arrow::compute::nullif;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ParquetOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use deltalake_core::delta_datafusion::{DeltaScanConfig, DeltaScanNext};
use deltalake_core::table::state::DeltaTableState;
use futures::StreamExt;
use ossature_schema_spec::Version;
use url::Url;

use crate::field_ids::check_field_ids;
use crate::stored::check_readable;
use crate::{Error, OpenTable, guard};

/// delta-rs' provider at one version, without the filters and the inserts that it gets wrong.
///
/// Deletion vectors, column mapping and partition values are its business. It is made without a log store, so that
/// it cannot insert, and every scan is wrapped so that no operator above slips a filter past the guards.
pub struct ForeignScan {
    inner: DeltaScanNext,
    open: OpenTable,
    schema: SchemaRef,
    /// Partition columns in which an empty text stands for null.
    empty_is_null: BTreeSet<String>,
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
    /// Wraps the snapshot of an opened table. A timestamp without a zone that is a partition value is taken for UTC.
    ///
    /// **Errors**: [`Error::Unsupported`] when the runtime cannot read the table's protocol, [`Error::Delta`],
    /// [`Error::Engine`].
    pub async fn try_new(open: &OpenTable) -> Result<Self, Error> {
        check_readable(open)?;
        let snapshot = open.snapshot()?;
        check_field_ids(open).await?;
        // Text as text and partition columns as plain columns: the declared schema, not an encoding of it.
        let mut config = DeltaScanConfig::new().with_wrap_partition_values(false);
        config.schema_force_view_types = false;
        let inner = DeltaScanNext::new(Arc::new(snapshot.snapshot().clone()), config)
            .map_err(Error::engine("opening a table for reading"))?;
        let schema = inner.schema();
        let empty_is_null = empty_partitions(snapshot, &schema);
        Ok(Self {
            inner,
            open: open.clone(),
            schema,
            empty_is_null,
        })
    }
}

impl ForeignScan {
    /// Where the table lies, and the version.
    pub(crate) fn pinned(&self) -> (Url, Version) {
        (self.open.location().url().clone(), self.open.version())
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
            .map(|filter| guard::pushdown_to_delta(filter, &self.schema, &self.empty_is_null))
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
        let Some(session) = state.as_any().downcast_ref::<SessionState>() else {
            return plan_err!(
                "a table that somebody else wrote is read in a session of DataFusion"
            );
        };
        let state = &with_wide_times(session.clone());
        let inner = self.inner.scan(state, projection, filters, limit).await?;
        Ok(Arc::new(FilterBarrier::new(inner, &self.empty_is_null)))
    }
}

pub(crate) fn with_wide_times(mut state: SessionState) -> SessionState {
    wide_times(&mut state.config_mut().options_mut().execution.parquet);
    state
}

/// Times of 96 bits are read in the unit in which Delta keeps times: in the engine's default, nanoseconds, years before
/// 1677 and after 2262 come out as others.
pub(crate) fn wide_times(options: &mut ParquetOptions) {
    options.coerce_int96 = Some("us".to_owned());
    options.coerce_int96_tz = Some("UTC".to_owned());
}

/// The partition columns of text or bytes, when the log has an empty value of one. The protocol says that it stands
/// for null, whatever the type; the runtime takes it for an empty text.
fn empty_partitions(snapshot: &DeltaTableState, schema: &SchemaRef) -> BTreeSet<String> {
    let is_text = |name: &&String| {
        let field = schema.field_with_name(name);
        field.is_ok_and(|it| matches!(it.data_type(), DataType::Utf8 | DataType::Binary))
    };
    let columns = snapshot.metadata().partition_columns();
    let columns: BTreeSet<String> = columns.iter().filter(is_text).cloned().collect();
    let has_empty =
        |values: HashMap<String, Option<String>>| values.values().flatten().any(String::is_empty);
    if columns.is_empty()
        || !snapshot
            .log_data()
            .iter()
            .any(|file| has_empty(file.partition_values_map()))
    {
        return BTreeSet::new();
    }
    columns
}

/// Hides the node below from filters that the optimizer pushes into running scans.
///
/// Such filters prune by the statistics in Parquet footers, which leave NaN out as well.
///
/// It also puts nulls where partition columns have empty texts for them.
pub(crate) struct FilterBarrier {
    inner: Arc<dyn ExecutionPlan>,
    /// Where those partition columns are.
    empty_is_null: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl FilterBarrier {
    pub(crate) fn new(inner: Arc<dyn ExecutionPlan>, empty_is_null: &BTreeSet<String>) -> Self {
        let schema = inner.schema();
        let columns = empty_is_null.iter();
        let empty_is_null = columns.filter_map(|name| schema.index_of(name).ok());
        Self::at(inner, empty_is_null.collect())
    }

    fn at(inner: Arc<dyn ExecutionPlan>, empty_is_null: Vec<usize>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(inner.schema()),
            inner.output_partitioning().clone(),
            inner.pipeline_behavior(),
            inner.boundedness(),
        );
        Self {
            inner,
            empty_is_null,
            properties: Arc::new(properties),
        }
    }
}

fn with_nulls(rows: &RecordBatch, columns: &[usize]) -> Result<RecordBatch> {
    let mut arrays = rows.columns().to_vec();
    for at in columns {
        let array = &arrays[*at];
        let lengths = length(array)?;
        let is_empty = eq(&lengths, &Int32Array::new_scalar(0))?;
        arrays[*at] = nullif(array, &is_empty)?;
    }
    Ok(RecordBatch::try_new(rows.schema(), arrays)?)
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
            Ok([inner]) => Ok(Arc::new(Self::at(inner, self.empty_is_null.clone()))),
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
        let rows = self.inner.execute(partition, context)?;
        if self.empty_is_null.is_empty() {
            return Ok(rows);
        }
        let columns = self.empty_is_null.clone();
        let rows = rows.map(move |rows| with_nulls(&rows?, &columns));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
