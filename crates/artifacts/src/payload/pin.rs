//! Pins: which version of which table was read.

use ossature_schema_spec::{DatasetName, Error, PinIdentity, TablePin, Version};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::DigestV1;

/// A dataset, read at one version of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinV1 {
    /// The dataset, as `stage.table`.
    pub dataset: String,
    /// The id in the table's metadata.
    pub table_id: String,
    /// The version, counted from 0.
    pub version: u64,
    /// A digest of what the log says of the version.
    pub snapshot_hash: DigestV1,
    /// The digest of the version's files, where the writer recorded it; otherwise table and version stand for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<DigestV1>,
}

impl From<&TablePin> for PinV1 {
    fn from(pin: &TablePin) -> Self {
        let TablePin {
            dataset,
            table_id,
            version,
            snapshot,
            identity,
        } = pin;
        Self {
            dataset: dataset.to_string(),
            table_id: table_id.clone(),
            version: version.number(),
            snapshot_hash: DigestV1::from(*snapshot),
            content_hash: match identity {
                PinIdentity::Content(content) => Some(DigestV1::from(*content)),
                _ => None,
            },
        }
    }
}

impl TryFrom<&PinV1> for TablePin {
    type Error = Error;

    /// **Errors**: [`Error::InvalidDatasetName`].
    fn try_from(pin: &PinV1) -> Result<Self, Error> {
        let PinV1 {
            dataset,
            table_id,
            version,
            snapshot_hash,
            content_hash,
        } = pin;
        Ok(Self {
            dataset: DatasetName::try_new(dataset)?,
            table_id: table_id.clone(),
            version: Version::new(*version),
            snapshot: snapshot_hash.fingerprint(),
            identity: content_hash.map_or(PinIdentity::TableVersion, |content| {
                PinIdentity::Content(content.fingerprint())
            }),
        })
    }
}
