//! Physical plans over ordered tables: three optimizer rules that keep rows streaming where the engine would exchange,
//! sort, collect or merge them.
//!
//! They are sound by construction: what a rule builds keeps the order that the plan promised before, shown by the order
//! of its input or by the bounds in the Delta log, and the plan stays as it was where that cannot be shown.

mod aggregate;
mod bounds;
mod merge;
mod prefix;

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use aggregate::AggregateInOrder;
use merge::ConcatenateInOrder;
use prefix::SortWithinFirstKey;

/// The engine's rules, with ours in front of its closing check of the whole plan.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    let check = rules
        .iter()
        .rposition(|rule| rule.name() == "SanityCheckPlan")
        .unwrap_or(rules.len());
    let ours: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 3] = [
        Arc::new(AggregateInOrder),
        Arc::new(SortWithinFirstKey),
        Arc::new(ConcatenateInOrder),
    ];
    rules.splice(check..check, ours);
    rules
}
