//! A plan reads a table at one version.

use std::any::Any;
use std::collections::BTreeMap;

use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::AnalyzerRule;
use ossature_schema_spec::Version;
use url::Url;

use crate::{Error, ForeignScan, GuardedScan};

/// Refuses a plan that reads one table at two versions: its rows would be of no time.
///
/// A catalog has a dataset once, but a provider can be registered under any name, and in any session.
#[derive(Debug)]
pub(crate) struct OneVersion;

impl AnalyzerRule for OneVersion {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        check(&plan, &mut BTreeMap::new())?;
        Ok(plan)
    }

    fn name(&self) -> &'static str {
        "one_version_of_a_table"
    }
}

fn check(plan: &LogicalPlan, seen: &mut BTreeMap<Url, Version>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            // A view that was not put in its place yet.
            if let Some(view) = scan.source.get_logical_plan() {
                check(&view, seen)?;
            }
            if let Ok(provider) = source_as_provider(&scan.source)
                && let Some((table, version)) = pinned(provider.as_ref())
                && let Some(other) = seen.insert(table, version).filter(|it| *it != version)
            {
                return Err(DataFusionError::External(Box::new(Error::TwoVersions {
                    table: scan.table_name.to_string(),
                    one: other.min(version),
                    other: other.max(version),
                })));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Where the table lies that a provider scans, and the version.
fn pinned(provider: &dyn TableProvider) -> Option<(Url, Version)> {
    let provider: &dyn Any = provider;
    let ours = provider.downcast_ref().map(GuardedScan::pinned);
    ours.or_else(|| provider.downcast_ref().map(ForeignScan::pinned))
}
