//! What the Delta log says of the values in a plan's partitions.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::partial_sort::PartialSortExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The smallest and the largest value of a column that holds no null.
#[derive(Clone)]
pub(super) struct Range {
    pub(super) low: ScalarValue,
    pub(super) high: ScalarValue,
}

impl Range {
    /// Whether all values come behind those before in an order.
    pub(super) fn follows(&self, before: &Self, descending: bool) -> bool {
        if descending {
            self.high < before.low
        } else {
            self.low > before.high
        }
    }

    pub(super) fn widened(mut self, other: Self) -> Self {
        if other.low < self.low {
            self.low = other.low;
        }
        if other.high > self.high {
            self.high = other.high;
        }
        self
    }
}

/// Exact bounds of a column in each of the files that the rows of one partition come from, in the order of the files.
///
/// Goes through nodes that hand rows on, sort them or leave some out, down to files whose bounds our writer recorded.
/// `None` where that is not all there is, and where a bound is not known.
pub(super) fn file_ranges(
    plan: &Arc<dyn ExecutionPlan>,
    partition: usize,
    column: usize,
) -> Option<Vec<Range>> {
    if let Some(union) = plan.downcast_ref::<UnionExec>() {
        let mut partition = partition;
        for input in union.inputs() {
            let count = input.output_partitioning().partition_count();
            if partition < count {
                return file_ranges(input, partition, column);
            }
            partition -= count;
        }
        return None;
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let expr = &projection.expr().get(column)?.expr;
        let column = column_of(expr, &projection.input().schema())?;
        return file_ranges(projection.input(), partition, column);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let column = match filter.projection().as_ref() {
            Some(columns) => *columns.get(column)?,
            None => column,
        };
        return file_ranges(filter.input(), partition, column);
    }
    if plan.is::<SortExec>() || plan.is::<PartialSortExec>() {
        let input = plan.children().into_iter().next()?;
        let is_each_its_own = input.output_partitioning().partition_count()
            == plan.output_partitioning().partition_count();
        return is_each_its_own
            .then(|| file_ranges(input, partition, column))
            .flatten();
    }
    let scan = plan.downcast_ref::<DataSourceExec>()?;
    let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
    let source = config.file_source();
    let column = match source.projection() {
        Some(projection) => {
            let expr = &projection.as_ref().get(column)?.expr;
            column_of(expr, source.table_schema().table_schema())?
        }
        None => column,
    };
    config
        .file_groups
        .get(partition)?
        .files()
        .iter()
        .map(|file| {
            // Partition columns come behind those of the files.
            let statistics = file.statistics.as_ref()?.column_statistics.get(column)?;
            let (Precision::Exact(low), Precision::Exact(high), Precision::Exact(0)) = (
                &statistics.min_value,
                &statistics.max_value,
                &statistics.null_count,
            ) else {
                return None;
            };
            // A partition value may be null, which a comparison of bounds would put first whatever the order says.
            let is_known = !low.is_null() && !high.is_null();
            is_known.then(|| Range {
                low: low.clone(),
                high: high.clone(),
            })
        })
        .collect()
}

/// The column whose values an expression hands on: casts to the same type only change what is said of them.
fn column_of(expr: &Arc<dyn PhysicalExpr>, input: &Schema) -> Option<usize> {
    if let Some(column) = expr.downcast_ref::<Column>() {
        return Some(column.index());
    }
    let cast = expr.downcast_ref::<CastExpr>()?;
    let column = cast.expr().downcast_ref::<Column>()?;
    let same = input.fields().get(column.index())?.data_type() == cast.cast_type();
    same.then_some(column.index())
}
