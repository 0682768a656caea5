//! Sorts rows that are in the order of the first keys already.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::sorts::partial_sort::PartialSortExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::bounds::file_ranges;

/// Sorts the rows of each value of the first key as they pass, where the rows come in the order of that key, instead of
/// holding all of them.
///
/// The engine does so for endless streams only, because the rows of one value may be many and do not spill. The bounds in
/// the Delta log say when they are not: where no file holds a single value alone, a value lies in two neighbouring files
/// at most.
#[derive(Debug)]
pub(super) struct SortWithinFirstKey;

impl PhysicalOptimizerRule for SortWithinFirstKey {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let sort = match plan.downcast_ref::<SortExec>() {
                Some(sort) if sort.fetch().is_none() => sort,
                _ => return Ok(Transformed::no(plan)),
            };
            Ok(match sorted_keys(sort)? {
                0 => Transformed::no(plan),
                keys => {
                    let partial =
                        PartialSortExec::new(sort.expr().clone(), Arc::clone(sort.input()), keys)
                            .with_preserve_partitioning(sort.preserve_partitioning());
                    Transformed::yes(Arc::new(partial))
                }
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "SortWithinFirstKey"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How many of the first keys of a sort its input is in the order of; 0 unless the first one has many values.
fn sorted_keys(sort: &SortExec) -> Result<usize> {
    let input = sort.input();
    let Some(column) = sort.expr().first().expr.downcast_ref::<Column>() else {
        return Ok(0);
    };
    let has_many_values = (0..input.output_partitioning().partition_count()).all(|partition| {
        file_ranges(input, partition, column.index())
            .is_some_and(|files| files.len() == 1 || files.iter().all(|file| file.low < file.high))
    });
    if !has_many_values {
        return Ok(0);
    }
    let (prefix, _) = input
        .equivalence_properties()
        .extract_common_sort_prefix(sort.expr().clone())?;
    // Keys that are constant are no part of the prefix, so that it may not be the beginning of the sort's keys.
    let is_beginning = prefix
        .iter()
        .zip(sort.expr())
        .all(|(one, other)| one == other);
    Ok(if is_beginning { prefix.len() } else { 0 })
}
