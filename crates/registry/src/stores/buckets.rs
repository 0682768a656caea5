//! The factories by which the runtime makes stores, and the logs in them.

use std::sync::{Arc, Once};

use deltalake_core::logstore::{
    LogStore, LogStoreFactory, ObjectStoreFactory, ObjectStoreRef, StorageConfig, default_logstore,
    logstore_factories, object_store_factories,
};
use deltalake_core::{DeltaResult, DeltaTableError};
use object_store::path::Path;
use url::Url;

pub(super) fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        #[cfg(feature = "s3")]
        add(&["s3", "s3a"], &Arc::new(S3));
        #[cfg(feature = "azure")]
        add(&["az", "azure", "abfs", "abfss"], &Arc::new(Azure));
    });
}

fn add<F: ObjectStoreFactory + LogStoreFactory + 'static>(schemes: &[&str], factory: &Arc<F>) {
    for scheme in schemes {
        if let Ok(url) = Url::parse(&format!("{scheme}://")) {
            let stores = object_store_factories();
            stores
                .entry(url.clone())
                .or_insert_with(|| Arc::clone(factory) as _);
            let logs = logstore_factories();
            logs.entry(url).or_insert_with(|| Arc::clone(factory) as _);
        }
    }
}

/// Implements what both kinds of stores have in common.
macro_rules! store {
    ($name:ident, $builder:ty, $key:ty, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug)]
        struct $name;

        impl ObjectStoreFactory for $name {
            fn parse_url_opts(
                &self,
                url: &Url,
                config: &StorageConfig,
            ) -> DeltaResult<(ObjectStoreRef, Path)> {
                let failed =
                    |error: object_store::Error| DeltaTableError::ObjectStore { source: error };
                let mut builder = <$builder>::from_env().with_url(url.as_str());
                for (name, value) in &config.raw {
                    let key = name.to_lowercase().parse::<$key>().map_err(failed)?;
                    builder = builder.with_config(key, value);
                }
                let store = builder.build().map_err(failed)?;
                let path = Path::from_url_path(url.path()).map_err(|error| failed(error.into()))?;
                Ok((Arc::new(store), path))
            }
        }

        impl LogStoreFactory for $name {
            fn with_options(
                &self,
                prefixed_store: ObjectStoreRef,
                root_store: ObjectStoreRef,
                location: &Url,
                options: &StorageConfig,
            ) -> DeltaResult<Arc<dyn LogStore>> {
                Ok(default_logstore(
                    prefixed_store,
                    root_store,
                    location,
                    options,
                ))
            }
        }
    };
}

#[cfg(feature = "s3")]
store!(
    S3,
    object_store::aws::AmazonS3Builder,
    object_store::aws::AmazonS3ConfigKey,
    "Buckets of S3, and of what speaks its protocol."
);

#[cfg(feature = "azure")]
store!(
    Azure,
    object_store::azure::MicrosoftAzureBuilder,
    object_store::azure::AzureConfigKey,
    "Containers of Azure Blob Storage."
);
