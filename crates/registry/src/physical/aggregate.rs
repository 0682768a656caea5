//! Aggregates groups in one pass over ordered rows.

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

/// Replaces *partial aggregate, exchange, final aggregate, merge* by *merge, one aggregate*, where the result is wanted
/// in the order of the groups anyway and either the rows come in that order, or the aggregate collects its rows.
///
/// An exchange pays for itself when the states of many rows are few. States that hold their rows are as large as the
/// input: they are copied into lists, through channels, and out of lists again, and a hash table of them holds
/// everything at once. In the order of the groups one group at a time is finished and handed on.
#[derive(Debug)]
pub(super) struct AggregateInOrder;

impl PhysicalOptimizerRule for AggregateInOrder {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|plan| {
            let rewritten = match plan.downcast_ref::<SortPreservingMergeExec>() {
                Some(merge) if merge.fetch().is_none() => in_order(merge)?,
                _ => None,
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

fn in_order(merge: &SortPreservingMergeExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    // What lies between the merge and the aggregate works row by row, so it may run in one partition as well.
    let mut above = Vec::new();
    let mut node = merge.input();
    let last = loop {
        if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
            break aggregate;
        }
        let sort = node.downcast_ref::<SortExec>();
        if sort.is_some_and(|sort| sort.fetch().is_some()) {
            return Ok(None);
        }
        if sort.is_none() {
            if !node.is::<ProjectionExec>() && !node.is::<UnnestExec>() {
                return Ok(None);
            }
            above.push(Arc::clone(node));
        }
        node = node.children()[0];
    };
    let Some(first) = last
        .input()
        .downcast_ref::<RepartitionExec>()
        .and_then(|exchange| exchange.input().downcast_ref::<AggregateExec>())
    else {
        return Ok(None);
    };
    let is_pair = matches!(
        (first.mode(), last.mode()),
        (
            AggregateMode::Partial,
            AggregateMode::Final | AggregateMode::FinalPartitioned
        )
    );
    if !is_pair || !first.group_expr().is_single() || first.limit_options().is_some() {
        return Ok(None);
    }

    let groups = first.group_expr().input_exprs();
    let (order, input) = if *first.input_order_mode() == InputOrderMode::Sorted {
        let properties = first.input().equivalence_properties();
        let (order, _) = properties.find_longest_permutation(&groups)?;
        let Some(order) = LexOrdering::new(order) else {
            return Ok(None);
        };
        (order, Arc::clone(first.input()))
    } else if collects_rows(first)? {
        let options = merge.expr().first().options;
        let order = groups
            .into_iter()
            .map(|group| PhysicalSortExpr::new(group, options));
        let Some(order) = LexOrdering::new(order) else {
            return Ok(None);
        };
        let sort = SortExec::new(order.clone(), Arc::clone(first.input()))
            .with_preserve_partitioning(true);
        (order, Arc::new(sort) as Arc<dyn ExecutionPlan>)
    } else {
        return Ok(None);
    };
    let input: Arc<dyn ExecutionPlan> = if input.output_partitioning().partition_count() > 1 {
        Arc::new(SortPreservingMergeExec::new(order, input))
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
        .ordering_satisfy(merge.expr().clone())?;
    let is_one = plan.output_partitioning().partition_count() == 1;
    Ok((keeps_order && is_one).then_some(plan))
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
