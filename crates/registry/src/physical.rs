//! Physical plans over ordered tables: two optimizer rules that keep rows streaming where the engine would exchange,
//! collect or merge them.
//!
//! Both are sound by construction: what a rule builds is compared with what the plan promised before, and the plan
//! stays as it was when an order or a number of partitions cannot be shown.

mod aggregate;
mod merge;

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use aggregate::AggregateInOrder;
use merge::ConcatenateInOrder;

/// The engine's rules, with ours in front of its closing check of the whole plan.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let check = rules
        .iter()
        .rposition(|rule| rule.name() == "SanityCheckPlan")
        .unwrap_or(rules.len());
    let ours: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 2] =
        [Arc::new(AggregateInOrder), Arc::new(ConcatenateInOrder)];
    rules.splice(check..check, ours);
    rules
}
