//! How policies are spelled: in configuration files, in artifacts, and wherever serde writes them. There is one spelling,
//! whatever the format.

mod node;
mod reader;
mod values;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::de::DeTable;

pub(crate) use node::{Entry, Node, Span, Value};
use reader::Writer;
pub(crate) use reader::{Complaint, Reader};

use crate::{
    ColumnMapping, Compaction, DeltaFeature, PolicyOverrides, Retention, SchemaMode, StatsPolicy,
    TablePolicy, Vacuum,
};

/// One thing that is wrong in how a policy is spelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpellingError {
    /// The text is no TOML.
    #[error("this is no TOML: {message}")]
    NotToml {
        /// What the parser says.
        message: String,
    },
    /// A key that nothing reads.
    #[error("found key `{found}`, wanted {wanted}")]
    UnknownKey {
        /// The key.
        found: String,
        /// The keys that are read.
        wanted: String,
        /// The nearest of them, if one is near.
        nearest: Option<String>,
    },
    /// A key that stands in one table twice.
    #[error("found key `{found}` twice, wanted it once")]
    DuplicateKey {
        /// The key.
        found: String,
    },
    /// A value of another type, out of range, or with another name than the known ones.
    #[error("found {found}, wanted {wanted}")]
    WrongValue {
        /// What was found.
        found: String,
        /// What is valid.
        wanted: String,
        /// The nearest valid name, if one is near.
        nearest: Option<String>,
    },
    /// A field that is both set and put back to its default.
    #[error("found `{field}` set and in `default`, wanted one of the two")]
    SetAndCleared {
        /// The field.
        field: String,
    },
}

impl SpellingError {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotToml { .. } => "not_toml",
            Self::UnknownKey { .. } => "unknown_key",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::WrongValue { .. } => "wrong_value",
            Self::SetAndCleared { .. } => "set_and_cleared",
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest, .. } | Self::WrongValue { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("write `{nearest}`"))
            }
            _ => None,
        }
    }
}

/// The name that is probably meant by one in another spelling: `change_data_feed` is `changeDataFeed`.
///
/// ```
/// use ossature_delta_policy::nearest_name;
/// let known = ["cpg.calls", "cpg.cpg_nodes"];
/// assert_eq!(nearest_name("cpg.cpg_node", known).as_deref(), Some("cpg.cpg_nodes"));
/// assert_eq!(nearest_name("lost.things", known), None);
/// ```
pub fn nearest_name<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let letters = |name: &str| {
        name.chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    let wanted = letters(found);
    let distance = |name: &str| strsim::damerau_levenshtein(&wanted, &letters(name));
    known
        .into_iter()
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| distance * 3 <= name.len())
        .min()
        .map(|(_, name)| name.to_owned())
}

/// A value that policies hold, or a policy.
pub(crate) trait Spelled: Sized {
    /// Reads it, or complains and gives back nothing.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;

    /// Spells it.
    fn write(&self) -> Value;
}

/// Calls `$apply` with the fields that a dataset and an override both have, and with their keys.
macro_rules! for_each_field {
    ($apply:ident) => {
        $apply! {
            rows_per_file_max: "rows_per_file_max",
            statistics: "statistics",
            schema_mode: "schema_mode",
            features: "features",
            change_feed: "change_feed",
            checkpoint_commits_interval: "checkpoint_commits_interval",
            log_retention: "log_retention_days",
            deleted_file_retention: "deleted_file_retention_days",
            properties: "properties",
            cluster_by: "cluster_by",
            constraints: "constraints",
            persist_constraints: "persist_constraints",
            column_mapping: "column_mapping",
            allow_protocol_upgrade: "allow_protocol_upgrade",
            compaction: "compaction",
            vacuum: "vacuum",
        }
    };
}

macro_rules! spell_overrides {
    ($($field:ident: $key:literal,)*) => {
        impl Spelled for PolicyOverrides {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                let keys = [$($key,)* "parquet"];
                let fields = reader.overrides(node, &keys, &[], "a table of what a policy decides")?;
                Some(Self {
                    $($field: reader.field(&fields, $key),)*
                    parquet: reader.field(&fields, "parquet"),
                })
            }

            fn write(&self) -> Value {
                let Self { $($field,)* parquet } = self;
                let mut writer = Writer::default();
                $(writer.field($key, $field);)*
                writer.field("parquet", parquet);
                writer.finish()
            }
        }
    };
}

macro_rules! spell_policy {
    ($($field:ident: $key:literal,)*) => {
        impl Spelled for TablePolicy {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                let fields = reader.fields(node, &[$($key,)*], "a table of what a policy decides")?;
                Some(Self { $($field: reader.option(&fields, $key),)* })
            }

            fn write(&self) -> Value {
                let Self { $($field,)* } = self;
                let mut writer = Writer::default();
                $(writer.option($key, $field.as_ref());)*
                writer.finish()
            }
        }
    };
}

for_each_field!(spell_overrides);
for_each_field!(spell_policy);

/// Lets serde write and read what has a spelling.
macro_rules! serde_as_spelled {
    ($($name:ty),* $(,)?) => {
        $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    Node::from(self.write()).serialize(serializer)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    read_all(&Node::deserialize(deserializer)?).map_err(serde::de::Error::custom)
                }
            }
        )*
    };
}

serde_as_spelled!(
    PolicyOverrides,
    TablePolicy,
    StatsPolicy,
    SchemaMode,
    DeltaFeature,
    Retention,
    ColumnMapping,
    Compaction,
    Vacuum,
);

/// The value, or everything that is wrong with it.
fn read_all<T: Spelled>(node: &Node) -> Result<T, String> {
    let mut reader = Reader::default();
    let value = T::read(node, &mut reader);
    match value {
        Some(value) if reader.complaints.is_empty() => Ok(value),
        _ => {
            let complaints = reader.complaints.iter().map(|complaint| {
                let place = match complaint.path.as_slice() {
                    [] => String::new(),
                    path => format!("`{}`: ", path.join(".")),
                };
                format!("{place}{}", complaint.error)
            });
            Err(complaints.collect::<Vec<_>>().join("; "))
        }
    }
}

/// Everything that stands in a text of TOML, and what is wrong with it as TOML.
pub(crate) fn parse_toml(text: &str) -> (Node, Vec<Complaint>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let complaints = errors.into_iter().map(|error| Complaint {
        path: Vec::new(),
        span: error.span().unwrap_or(0..0),
        error: SpellingError::NotToml {
            message: error.message().to_owned(),
        },
    });
    let node = Node::of_toml_table(table.get_ref(), table.span());
    (node, complaints.collect())
}

/// Reads the entries of a table by their keys, each by its own type.
pub(crate) fn read_map<K: Ord, V: Spelled>(
    node: &Node,
    reader: &mut Reader,
    wanted: &str,
    mut key: impl FnMut(&Entry, &mut Reader) -> Option<K>,
) -> Option<BTreeMap<K, V>> {
    let entries = reader.entries(node, wanted)?;
    let mut read = BTreeMap::new();
    for entry in entries {
        let key = key(entry, reader);
        let value = reader.entry(entry, V::read);
        read.extend(key.zip(value));
    }
    Some(read)
}

#[cfg(test)]
mod tests;
