//! What identifies the engine that plans: versions, the settings that change plans, the optimizer's rules.

use datafusion::execution::SessionState;
use ossature_schema_spec::{CanonicalHasher, Fingerprint};

/// Settings that change what a plan computes or how it is optimized. Settings that only change how it is executed
/// (partitions, batch size, memory, statistics collection) are left out, and so is every setting that is not here.
const PLANNING_SETTINGS: [&str; 9] = [
    "datafusion.catalog.default_catalog",
    "datafusion.catalog.default_schema",
    "datafusion.execution.time_zone",
    "datafusion.optimizer.filter_null_join_keys",
    "datafusion.optimizer.max_passes",
    "datafusion.sql_parser.dialect",
    "datafusion.sql_parser.enable_ident_normalization",
    "datafusion.sql_parser.map_string_types_to_utf8view",
    "datafusion.sql_parser.parse_float_as_decimal",
];

/// A digest of the engine's version, its planning settings and its optimizer rules, logical and physical.
///
/// It is recorded beside a plan's fingerprint and does not enter it.
pub fn environment_hash(state: &SessionState) -> Fingerprint {
    let mut hasher = CanonicalHasher::new("ossature.environment.v1");
    hasher.text(datafusion::DATAFUSION_VERSION);
    let mut settings: Vec<_> = state
        .config_options()
        .entries()
        .into_iter()
        .filter(|entry| PLANNING_SETTINGS.contains(&entry.key.as_str()))
        .collect();
    settings.sort_by(|a, b| a.key.cmp(&b.key));
    hasher.list(settings.len());
    for entry in settings {
        hasher.text(&entry.key);
        match entry.value {
            Some(value) => hasher.text(&value),
            None => hasher.absent(),
        }
    }
    let rules = state.optimizers();
    hasher.list(rules.len());
    for rule in rules {
        hasher.text(rule.name());
    }
    let rules = state.physical_optimizers();
    hasher.list(rules.len());
    for rule in rules {
        hasher.text(rule.name());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
    use datafusion::prelude::SessionConfig;

    use super::*;

    fn hash(configure: impl Fn(SessionStateBuilder) -> SessionStateBuilder) -> Fingerprint {
        let state = configure(SessionStateBuilder::new_with_default_features()).build();
        environment_hash(&state)
    }

    fn with(setting: &str, value: &str) -> Fingerprint {
        hash(|builder| builder.with_config(SessionConfig::new().set_str(setting, value)))
    }

    #[test]
    fn what_plans_otherwise_is_another_environment() {
        let plain = hash(|builder| builder);
        assert_eq!(plain, hash(|builder| builder));
        assert_ne!(plain, with("datafusion.optimizer.max_passes", "1"));
        let mut rules = PhysicalOptimizer::new().rules;
        rules.pop();
        let fewer = hash(|builder| builder.with_physical_optimizer_rules(rules.clone()));
        assert_ne!(plain, fewer);
        let fewer = hash(|builder| builder.with_optimizer_rules(Vec::new()));
        assert_ne!(plain, fewer);
    }

    #[test]
    fn what_only_executes_otherwise_is_not() {
        let plain = hash(|builder| builder);
        assert_eq!(plain, with("datafusion.execution.batch_size", "7"));
        assert_eq!(plain, with("datafusion.execution.target_partitions", "7"));
    }
}
