//! The session in which queries run: one catalog, a schema per stage, a bounded memory pool.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::arrow::ARROW_VERSION;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::Error;
use crate::one_version::OneVersion;

/// The catalog that holds every registered dataset.
pub const CATALOG: &str = "lake";

/// The SQL schemas of a lake. `cpg` is the default one, so that `cpg_nodes` alone names a table.
const SCHEMAS: [&str; 4] = ["cpg", "extract", "normalize", "runs"];

/// Consumers that an error about exhausted memory names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(5).unwrap();

/// The versions of the engines that tables are read and written with, by name; the query engine tells its own.
pub fn engine_versions() -> BTreeMap<String, String> {
    [
        ("arrow", ARROW_VERSION),
        ("deltalake", deltalake_core::crate_version()),
    ]
    .map(|(name, version)| (name.to_owned(), version.to_owned()))
    .into()
}

/// What a session is made of. Nothing else enters: no environment, no configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    /// Streams that a plan runs in side by side, at least 1. Rows do not depend on it.
    pub threads: NonZeroUsize,
    /// Bytes that operators may hold before they spill to disk.
    pub memory_bytes_max: usize,
    /// Rows in a batch.
    pub batch_rows: usize,
}

impl Default for SessionSpec {
    fn default() -> Self {
        Self {
            threads: NonZeroUsize::MIN,
            memory_bytes_max: 512 << 20,
            batch_rows: 8192,
        }
    }
}

impl SessionSpec {
    /// Makes the session.
    ///
    /// **Errors**: [`Error::Engine`] when the runtime refuses the settings.
    pub fn build(&self) -> Result<SessionContext, Error> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, SCHEMAS[0])
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true)
            .with_target_partitions(self.threads.get())
            .with_batch_size(self.batch_rows);
        let options = config.options_mut();
        // Declared and computed text have one Arrow type, so that schemas can be compared.
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.time_zone = Some("+00:00".to_owned());
        // Files are cut by data and read whole: halves of a file have the same bounds, and an exchange that only
        // spreads rows costs more than it brings, and loses what is known of their order.
        options.optimizer.repartition_file_scans = false;
        options.optimizer.enable_round_robin_repartition = false;
        // A hash join holds one side whole and cannot spill, so that a larger tree would fail where a smaller one did not.
        // Sorted sides stream, and most come sorted from their tables; the others are sorted, which can spill.
        options.optimizer.prefer_hash_join = false;
        // The default reservation alone (10 MB a partition) exhausts small pools before a sort begins.
        options.execution.sort_spill_reservation_bytes = 1 << 20;

        let pool = FairSpillPool::new(self.memory_bytes_max);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, NAMED_CONSUMERS)))
            .build_arc()
            .map_err(Error::engine("making the runtime"))?;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_analyzer_rule(Arc::new(OneVersion))
            .with_physical_optimizer_rules(crate::physical::rules())
            .build();
        let catalog = MemoryCatalogProvider::new();
        for schema in SCHEMAS {
            catalog
                .register_schema(schema, Arc::new(MemorySchemaProvider::new()))
                .map_err(Error::engine("making the catalog"))?;
        }
        let session = SessionContext::new_with_state(state);
        session.register_catalog(CATALOG, Arc::new(catalog));
        Ok(session)
    }
}
