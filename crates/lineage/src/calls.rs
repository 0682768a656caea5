//! Which functions a plan calls.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use crate::Error;

/// Optimizes the plan of a query that has an identity.
///
/// The optimizer puts the time of planning in the place of `now()`, after which nothing tells that the plan is another one
/// tomorrow. So functions are looked at before. It also numbers names that it makes, and goes on counting from query to query
/// of a session; here it begins anew for each.
///
/// **Errors**: [`Error::VolatileFunction`]; [`Error::Engine`] when the optimizer fails.
pub fn optimize(query: &LogicalPlan, state: &SessionState) -> Result<LogicalPlan, Error> {
    of(query)?;
    let mut state = state.clone();
    *state.execution_props_mut() = ExecutionProps::new();
    state
        .optimize(query)
        .map_err(Error::engine("optimizing a plan"))
}

/// The functions that a plan and its subqueries call, by name.
///
/// **Errors**: [`Error::VolatileFunction`] with the first one by name.
pub(crate) fn of(plan: &LogicalPlan) -> Result<BTreeSet<String>, Error> {
    let mut functions = BTreeSet::new();
    let mut volatile = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Some((name, volatility)) = called(expr) {
                    if volatility != Volatility::Immutable {
                        volatile.insert(name.to_owned());
                    }
                    functions.insert(name.to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .map_err(Error::engine("looking for the functions of a plan"))?;
    match volatile.pop_first() {
        Some(function) => Err(Error::VolatileFunction { function }),
        None => Ok(functions),
    }
}

fn called(expr: &Expr) -> Option<(&str, Volatility)> {
    match expr {
        Expr::ScalarFunction(call) => Some((call.func.name(), call.func.signature().volatility)),
        Expr::AggregateFunction(call) => Some((call.func.name(), call.func.signature().volatility)),
        Expr::WindowFunction(call) => Some((call.fun.name(), call.fun.signature().volatility)),
        Expr::HigherOrderFunction(call) => {
            Some((call.func.name(), call.func.signature().volatility))
        }
        _ => None,
    }
}
