//! Collects the rows of groups in one pass over ordered rows.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};

use super::merge::OrderedMerge;

/// Aggregates that collect their rows see them group by group, where the result is wanted in the order of the groups.
///
/// The engine hashes: it aggregates each partition, exchanges the states, aggregates those, and sorts or merges what
/// comes out. That pays for itself when the states of many rows are few. States that hold their rows are as large as the
/// input: they are copied into lists, through channels, and out of lists again; a hash table of them holds everything at
/// once; and what is sorted in the end are the lists. Here the rows are sorted and merged, and in the order of the groups
/// one group at a time is finished and handed on. Rows that come in that order already are not sorted.
#[derive(Debug)]
pub(super) struct AggregateInOrder;

impl PhysicalOptimizerRule for AggregateInOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|plan| {
            let wanted = if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
                (merge.fetch().is_none()).then(|| (merge.expr(), merge.input()))
            } else if let Some(sort) = plan.downcast_ref::<SortExec>() {
                let is_whole =
                    sort.fetch().is_none() && plan.output_partitioning().partition_count() == 1;
                is_whole.then(|| (sort.expr(), sort.input()))
            } else {
                None
            };
            let rewritten = match wanted {
                Some((order, input)) => in_order(order, input)?,
                None => None,
            };
            Ok(match rewritten {
                Some(rewritten) => Transformed::yes(rewritten),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "AggregateInOrder"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rows of `plan` in the order that is wanted, if they are groups of collected rows and the order is that of groups.
fn in_order(
    wanted: &LexOrdering,
    plan: &Arc<dyn ExecutionPlan>,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some((above, last)) = aggregate_below(plan) else {
        return Ok(None);
    };
    let Some(first) = first_phase(last) else {
        return Ok(None);
    };
    if !first.group_expr().is_single()
        || first.limit_options().is_some()
        || !collects_rows(first)?
        // These were told in which order rows come, or sort states by an order of their own.
        || first.aggr_expr().iter().any(|function| !function.order_bys().is_empty())
    {
        return Ok(None);
    }

    let groups = first.group_expr().input_exprs();
    let (order, input) = if *first.input_order_mode() == InputOrderMode::Sorted {
        let properties = first.input().equivalence_properties();
        let (order, _) = properties.find_longest_permutation(&groups)?;
        (LexOrdering::new(order), Arc::clone(first.input()))
    } else {
        let options = wanted.first().options;
        let order = groups
            .into_iter()
            .map(|group| PhysicalSortExpr::new(group, options));
        let order = LexOrdering::new(order);
        let input = order.clone().map_or_else(
            || Arc::clone(first.input()),
            |order| {
                let sort = SortExec::new(order, Arc::clone(first.input()));
                Arc::new(sort.with_preserve_partitioning(true))
            },
        );
        (order, input)
    };
    let Some(order) = order else {
        return Ok(None);
    };
    let input: Arc<dyn ExecutionPlan> = if input.output_partitioning().partition_count() > 1 {
        Arc::new(OrderedMerge::new(input, order))
    } else {
        input
    };
    let single = AggregateExec::try_new(
        AggregateMode::Single,
        first.group_expr().clone(),
        first.aggr_expr().to_vec(),
        first.filter_expr().to_vec(),
        input,
        first.input_schema(),
    )?;
    if *single.input_order_mode() != InputOrderMode::Sorted || single.schema() != last.schema() {
        return Ok(None);
    }
    let mut plan: Arc<dyn ExecutionPlan> = Arc::new(single);
    for node in above.into_iter().rev() {
        plan = replace_children_if_necessary(node, vec![plan])?;
    }
    let keeps_order = plan
        .equivalence_properties()
        .ordering_satisfy(wanted.clone())?;
    let is_one = plan.output_partitioning().partition_count() == 1;
    Ok((keeps_order && is_one).then_some(plan))
}

/// The nearest aggregate below, and the nodes above it that work row by row, so that they may run in one partition as
/// well. Sorts in between are left out: they are what is saved.
fn aggregate_below(
    plan: &Arc<dyn ExecutionPlan>,
) -> Option<(Vec<Arc<dyn ExecutionPlan>>, &AggregateExec)> {
    let mut above = Vec::new();
    let mut node = plan;
    loop {
        if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
            return Some((above, aggregate));
        }
        if let Some(sort) = node.downcast_ref::<SortExec>() {
            if sort.fetch().is_some() {
                return None;
            }
        } else if node.is::<ProjectionExec>() || node.is::<UnnestExec>() {
            above.push(Arc::clone(node));
        } else {
            return None;
        }
        node = node.children().into_iter().next()?;
    }
}

/// The aggregate that sees rows, below the one whose result is seen: itself when there is only one phase.
fn first_phase(last: &AggregateExec) -> Option<&AggregateExec> {
    match last.mode() {
        AggregateMode::Single => Some(last),
        AggregateMode::Final | AggregateMode::FinalPartitioned => {
            let exchange = last.input().downcast_ref::<RepartitionExec>()?;
            let first = exchange.input().downcast_ref::<AggregateExec>()?;
            (*first.mode() == AggregateMode::Partial).then_some(first)
        }
        _ => None,
    }
}

/// Whether a state grows with every row.
fn collects_rows(aggregate: &AggregateExec) -> Result<bool> {
    for function in aggregate.aggr_expr() {
        let states = function.state_fields()?;
        if states
            .iter()
            .any(|state| matches!(state.data_type(), DataType::List(_)))
        {
            return Ok(true);
        }
    }
    Ok(false)
}
