//! What an object store is opened with: keys, tokens, endpoints. Nobody gets to see the values.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

/// The options of an object store, by the names that it gives them: `aws_region`, `azure_storage_account_key` and so on.
///
/// Every value is a secret, whatever it is called: it is shown nowhere, written nowhere, and enters no digest. A name that the
/// store does not know is refused when the store is opened. What a store needs besides, it reads from the environment of its process.
///
/// ```
/// use ossature_registry::StorageOptions;
/// let options: StorageOptions = [("aws_secret_access_key", "do not tell")].into_iter().collect();
/// assert_eq!(format!("{options:?}"), r#"StorageOptions({"aws_secret_access_key"})"#);
/// ```
#[derive(Clone, Default)]
pub struct StorageOptions(Arc<BTreeMap<String, SecretString>>);

impl StorageOptions {
    /// The names of the options.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// For the runtime, which opens stores by them.
    pub(crate) fn expose(&self) -> HashMap<String, String> {
        let options = self.0.iter();
        options
            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
            .collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for StorageOptions {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(options: I) -> Self {
        let options = options.into_iter();
        let secret = |(name, value): (N, V)| (name.into(), SecretString::from(value.into()));
        Self(Arc::new(options.map(secret).collect()))
    }
}

impl fmt::Debug for StorageOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageOptions(")?;
        f.debug_set().entries(self.0.keys()).finish()?;
        f.write_str(")")
    }
}
