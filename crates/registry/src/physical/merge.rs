//! One ordered stream out of ordered partitions: one after the other where their ranges do not overlap, merged where
//! they do.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    SendableRecordBatchStream,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::bounds::{Range, file_ranges};

/// Batches that a partition may be ahead of its reader.
const BATCHES_AHEAD: usize = 2;

/// Replaces a merge of partitions by [`OrderedMerge`], where the bounds in the Delta log show that partitions end before
/// others begin.
///
/// A merge compares every row with those of all other partitions and copies every value. The files of a table that our
/// writer cut hold ranges of the key that do not overlap, so there is nothing to compare.
#[derive(Debug)]
pub(super) struct ConcatenateInOrder;

impl PhysicalOptimizerRule for ConcatenateInOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let groups = match plan.downcast_ref::<SortPreservingMergeExec>() {
                Some(merge) if merge.fetch().is_none() => {
                    groups_in_order(merge.input(), merge.expr()).map(|groups| (merge, groups))
                }
                _ => None,
            };
            Ok(match groups {
                Some((merge, groups)) if groups.len() > 1 => {
                    let (input, order) = (Arc::clone(merge.input()), merge.expr().clone());
                    Transformed::yes(Arc::new(OrderedMerge::with_groups(input, order, groups)))
                }
                _ => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "ConcatenateInOrder"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The partitions of a plan in groups that follow each other in an order. Partitions of one group may overlap.
///
/// `None` when the bounds of a partition are not known exactly.
fn groups_in_order(input: &Arc<dyn ExecutionPlan>, order: &LexOrdering) -> Option<Vec<Vec<usize>>> {
    let key = order.first();
    let column = key.expr.downcast_ref::<Column>()?.index();
    let mut ranges = (0..input.output_partitioning().partition_count())
        .map(|partition| {
            let files = file_ranges(input, partition, column)?;
            Some((files.into_iter().reduce(Range::widened)?, partition))
        })
        .collect::<Option<Vec<_>>>()?;
    if ranges
        .iter()
        .any(|(range, _)| range.low.partial_cmp(&range.high).is_none())
    {
        return None;
    }
    let descending = key.options.descending;
    ranges.sort_by(|(a, _), (b, _)| {
        let (a, b) = if descending {
            (&b.high, &a.high)
        } else {
            (&a.low, &b.low)
        };
        a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut groups: Vec<(Range, Vec<usize>)> = Vec::new();
    for (range, partition) in ranges {
        match groups.last_mut() {
            Some((reached, partitions)) if !range.follows(reached, descending) => {
                *reached = reached.clone().widened(range);
                partitions.push(partition);
            }
            _ => groups.push((range, vec![partition])),
        }
    }
    Some(
        groups
            .into_iter()
            .map(|(_, partitions)| partitions)
            .collect(),
    )
}

/// The partitions of its input as one: group after group, the partitions of a group merged.
///
/// The engine's own merge promises every order that its input had; this one promises the order by which it merges.
pub(super) struct OrderedMerge {
    input: Arc<dyn ExecutionPlan>,
    order: LexOrdering,
    groups: Vec<Vec<usize>>,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl OrderedMerge {
    /// Merges partitions that are in `order`, and concatenates them where their bounds allow it.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, order: LexOrdering) -> Self {
        let all = || vec![(0..input.output_partitioning().partition_count()).collect()];
        let groups = groups_in_order(&input, &order).unwrap_or_else(all);
        Self::with_groups(input, order, groups)
    }

    fn with_groups(
        input: Arc<dyn ExecutionPlan>,
        order: LexOrdering,
        groups: Vec<Vec<usize>>,
    ) -> Self {
        let mut equivalences = input.equivalence_properties().clone();
        equivalences.clear_per_partition_constants();
        equivalences.clear_orderings();
        equivalences.add_ordering(order.clone());
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            input.pipeline_behavior(),
            input.boundedness(),
        );
        Self {
            input,
            order,
            groups,
            metrics: ExecutionPlanMetricsSet::new(),
            properties: Arc::new(properties),
        }
    }
}

impl fmt::Debug for OrderedMerge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedMerge")
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl DisplayAs for OrderedMerge {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OrderedMerge: [{}], groups={}",
            self.order,
            self.groups.len()
        )
    }
}

impl ExecutionPlan for OrderedMerge {
    fn name(&self) -> &'static str {
        "OrderedMerge"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut next = TreeNodeRecursion::Continue;
        for key in &self.order {
            next = visit(&key.expr)?;
            if next == TreeNodeRecursion::Stop {
                break;
            }
        }
        Ok(next)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input])
                if input.output_partitioning().partition_count()
                    == self.groups.iter().map(Vec::len).sum::<usize>() =>
            {
                Ok(Arc::new(Self::with_groups(
                    input,
                    self.order.clone(),
                    self.groups.clone(),
                )))
            }
            _ => internal_err!("an ordered merge has one child with as many partitions"),
        }
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("an ordered merge has one partition, not {partition}");
        }
        let (input, order, schema) = (
            Arc::clone(&self.input),
            self.order.clone(),
            self.input.schema(),
        );
        let metrics = self.metrics.clone();
        // A group is started when the one before has ended: what is in memory does not grow with their number.
        let rows = stream::iter(self.groups.clone())
            .map(move |group| {
                let mut streams = group
                    .into_iter()
                    .map(|partition| {
                        let rows = input.execute(partition, Arc::clone(&context))?;
                        Ok(spawn_buffered(rows, BATCHES_AHEAD))
                    })
                    .collect::<Result<Vec<SendableRecordBatchStream>>>()?;
                if streams.len() == 1 {
                    return Ok(streams.remove(0));
                }
                let reservation =
                    MemoryConsumer::new("OrderedMerge").register(context.memory_pool());
                StreamingMergeBuilder::new()
                    .with_streams(streams)
                    .with_schema(input.schema())
                    .with_expressions(&order)
                    .with_metrics(BaselineMetrics::new(&metrics, 0))
                    .with_batch_size(context.session_config().batch_size())
                    .with_reservation(reservation)
                    // Rows that are equal in the order come by partition, not by which one was read first.
                    .with_round_robin_tie_breaker(false)
                    .build()
            })
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
