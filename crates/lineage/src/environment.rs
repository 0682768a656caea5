//! What identifies the engine that plans: versions, the settings that change plans, the optimizer's rules.

use std::collections::BTreeMap;

use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::MemoryLimit;
use ossature_schema_spec::{CanonicalHasher, Fingerprint};

use settings::{Decides, decides};

mod settings;

/// What plans a query, as far as the plan depends on it.
///
/// It is recorded beside a plan's fingerprint and does not enter it: what differs here explains why one query has two plans.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use datafusion::prelude::{SessionConfig, SessionContext};
/// use ossature_lineage::Environment;
///
/// let of = |config| {
///     Environment::of(&SessionContext::new_with_config(config).state(), &BTreeMap::new())
/// };
/// let plain = of(SessionConfig::new());
/// let parallel = of(SessionConfig::new().with_target_partitions(64));
/// assert_eq!(plain.hash(), parallel.hash());
/// let abroad = of(SessionConfig::new().set_str("datafusion.execution.time_zone", "+02:00"));
/// assert_ne!(plain.hash(), abroad.hash());
/// assert_eq!(abroad.settings["datafusion.execution.time_zone"].as_deref(), Some("+02:00"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// The versions of the engine and of whatever else decides about plans, by name.
    pub versions: BTreeMap<String, String>,
    /// The settings that decide about plans. Those about how a plan is carried out are not here.
    pub settings: BTreeMap<String, Option<String>>,
    /// The rules that complete a plan, in their order.
    pub analyzer_rules: Vec<String>,
    /// The rules that rewrite it, in their order.
    pub optimizer_rules: Vec<String>,
    /// The rules that rewrite its physical form, in their order.
    pub physical_rules: Vec<String>,
}

impl Environment {
    /// The environment of a session. `versions` are those that the caller knows; that of the query engine comes with it.
    ///
    /// **Determinism**: settings and versions are ordered by name, rules as they are applied.
    pub fn of(state: &SessionState, versions: &BTreeMap<String, String>) -> Self {
        let mut versions = versions.clone();
        versions.insert(
            "datafusion".to_owned(),
            datafusion::DATAFUSION_VERSION.to_owned(),
        );
        let settings = state.config_options().entries().into_iter();
        // What nobody has classified may decide about anything.
        let settings = settings
            .filter(|entry| decides(&entry.key).is_none_or(|it| it == Decides::Plan))
            .map(|entry| (entry.key, entry.value));
        let names = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_owned).collect();
        Self {
            versions,
            settings: settings.collect(),
            analyzer_rules: names(&mut state.analyzer().rules.iter().map(|rule| rule.name())),
            optimizer_rules: names(&mut state.optimizers().iter().map(|rule| rule.name())),
            physical_rules: names(&mut state.physical_optimizers().iter().map(|rule| rule.name())),
        }
    }

    /// A digest of all of it.
    pub fn hash(&self) -> Fingerprint {
        let Self {
            versions,
            settings,
            analyzer_rules,
            optimizer_rules,
            physical_rules,
        } = self;
        let mut hasher = CanonicalHasher::new("ossature.environment.v2");
        hasher.list(versions.len());
        for (name, version) in versions {
            hasher.text(name);
            hasher.text(version);
        }
        hash_settings(&mut hasher, settings);
        for rules in [analyzer_rules, optimizer_rules, physical_rules] {
            hasher.list(rules.len());
            for rule in rules {
                hasher.text(rule);
            }
        }
        hasher.finish()
    }
}

/// How plans are carried out: partitions, batches, memory, operators. No row depends on it, so that it is recorded and is part
/// of no other identity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecutionProfile {
    /// The settings that decide about execution.
    pub settings: BTreeMap<String, Option<String>>,
    /// What operators may hold before they spill to disk, in bytes, where there is a limit.
    pub memory_bytes_max: Option<u64>,
}

impl ExecutionProfile {
    /// The profile of a session.
    pub fn of(state: &SessionState) -> Self {
        let settings = state.config_options().entries().into_iter();
        let settings = settings
            .filter(|entry| decides(&entry.key) == Some(Decides::Execution))
            .map(|entry| (entry.key, entry.value));
        Self {
            settings: settings.collect(),
            memory_bytes_max: match state.runtime_env().memory_pool.memory_limit() {
                MemoryLimit::Finite(bytes) => Some(bytes as u64),
                _ => None,
            },
        }
    }

    /// A digest of all of it.
    pub fn hash(&self) -> Fingerprint {
        let Self {
            settings,
            memory_bytes_max,
        } = self;
        let mut hasher = CanonicalHasher::new("ossature.execution_profile.v1");
        hash_settings(&mut hasher, settings);
        match memory_bytes_max {
            Some(bytes) => hasher.text(&bytes.to_string()),
            None => hasher.absent(),
        }
        hasher.finish()
    }
}

fn hash_settings(hasher: &mut CanonicalHasher, settings: &BTreeMap<String, Option<String>>) {
    hasher.list(settings.len());
    for (name, value) in settings {
        hasher.text(name);
        match value {
            Some(value) => hasher.text(value),
            None => hasher.absent(),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::config::ConfigOptions;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionConfig;

    use super::settings::SETTINGS;
    use super::*;

    fn of(config: SessionConfig) -> Environment {
        let builder = SessionStateBuilder::new_with_default_features().with_config(config);
        Environment::of(&builder.build(), &BTreeMap::new())
    }

    fn with(setting: &str, value: &str) -> Fingerprint {
        of(SessionConfig::new().set_str(setting, value)).hash()
    }

    #[test]
    fn every_setting_of_the_engine_is_classified_and_every_row_is_of_one() {
        let settings = ConfigOptions::default().entries();
        let unknown: Vec<&str> = settings
            .iter()
            .map(|entry| entry.key.as_str())
            .filter(|key| decides(key).is_none())
            .collect();
        assert!(unknown.is_empty(), "say what these decide: {unknown:?}");
        let names = SETTINGS.iter().flat_map(|(_, names)| *names);
        let stale: Vec<&&str> = names
            .filter(|name| {
                let name = format!("datafusion.{name}");
                let fits =
                    |key: &str| key == name || (name.ends_with('.') && key.starts_with(&name));
                !settings.iter().any(|entry| fits(&entry.key))
            })
            .collect();
        assert!(
            stale.is_empty(),
            "the engine has no such settings: {stale:?}"
        );
    }

    #[test]
    fn a_setting_that_nobody_knows_decides() {
        assert_eq!(decides("datafusion.optimizer.invented"), None);
        assert_eq!(decides("datafusion.explain.format"), Some(Decides::Display));
    }

    #[test]
    fn what_plans_otherwise_is_another_environment() {
        let plain = of(SessionConfig::new()).hash();
        assert_eq!(plain, of(SessionConfig::new()).hash());
        for (setting, value) in [
            ("datafusion.optimizer.max_passes", "1"),
            ("datafusion.execution.time_zone", "+02:00"),
            ("datafusion.sql_parser.default_null_ordering", "nulls_first"),
            ("datafusion.sql_parser.dialect", "duckdb"),
            ("datafusion.execution.enable_ansi_mode", "true"),
        ] {
            assert_ne!(plain, with(setting, value), "{setting}");
        }
    }

    #[test]
    fn what_only_executes_or_prints_otherwise_is_not() {
        let plain = of(SessionConfig::new()).hash();
        for (setting, value) in [
            ("datafusion.execution.batch_size", "7"),
            ("datafusion.execution.target_partitions", "7"),
            ("datafusion.optimizer.prefer_hash_join", "false"),
            ("datafusion.explain.format", "tree"),
            ("datafusion.execution.parquet.compression", "snappy"),
        ] {
            assert_eq!(plain, with(setting, value), "{setting}");
        }
    }

    #[test]
    fn every_field_enters_the_digest() {
        let plain = of(SessionConfig::new());
        let mut changed = vec![plain.clone(); 11];
        let version = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        changed[1].versions.extend([version("parquet", "1")]);
        changed[2].versions.extend([version("parquet", "2")]);
        changed[3].versions.extend([version("part", "1")]);
        let zone = |name: &str, zone: Option<&str>| (name.to_owned(), zone.map(str::to_owned));
        changed[4].settings.extend([zone("invented", Some(""))]);
        changed[5]
            .settings
            .extend([zone("invented", Some("+02:00"))]);
        changed[6].settings.extend([zone("invented", None)]);
        changed[7].settings.extend([zone("made_up", None)]);
        changed[8].analyzer_rules.pop();
        changed[9].optimizer_rules.swap(0, 1);
        changed[10].physical_rules.pop();
        let hashes: std::collections::BTreeSet<_> = changed.iter().map(Environment::hash).collect();
        assert_eq!(hashes.len(), changed.len());
    }

    #[test]
    fn a_profile_is_what_only_executes_otherwise() {
        let profile = |config| {
            let builder = SessionStateBuilder::new_with_default_features().with_config(config);
            ExecutionProfile::of(&builder.build())
        };
        let plain = profile(SessionConfig::new());
        assert_eq!(plain.hash(), profile(SessionConfig::new()).hash());
        let parallel = profile(SessionConfig::new().with_target_partitions(77));
        assert_ne!(plain.hash(), parallel.hash());
        let abroad = SessionConfig::new().set_str("datafusion.execution.time_zone", "+02:00");
        assert_eq!(plain, profile(abroad));
        let bounded = ExecutionProfile {
            memory_bytes_max: Some(7),
            ..plain.clone()
        };
        assert_ne!(plain.hash(), bounded.hash());
        let wider = ExecutionProfile {
            memory_bytes_max: Some(8),
            ..plain.clone()
        };
        assert_ne!(wider.hash(), bounded.hash());
    }
}
