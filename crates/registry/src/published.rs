//! What was published of a table, and whether it is what a reader finds.

use deltalake_core::kernel::{Add, LogicalFileView};
use ossature_schema_spec::{CanonicalHasher, Fingerprint, TablePin, Version};
use serde::Serialize;
use serde_json::Value;

use crate::{CommitFacts, Error, OpenTable, OrderingClaim, TableLocation, open_table};

/// What differs between two logs that say the same: names and times of one writing.
const LEFT_OUT: [&str; 4] = ["id", "createdTime", "modificationTime", "dataChange"];

/// The version of a table that was published: what a reader is to find under its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The version.
    pub version: Version,
    /// The id in the table's metadata.
    pub table_id: String,
    /// What [`OpenTable::snapshot_digest`] said of it.
    pub snapshot: Fingerprint,
}

impl From<&TablePin> for Published {
    fn from(pin: &TablePin) -> Self {
        Self {
            version: pin.version,
            table_id: pin.table_id.clone(),
            snapshot: pin.snapshot,
        }
    }
}

impl Published {
    /// Opens the version.
    ///
    /// **Errors**: those of [`open_table`], [`Published::check`] and [`OpenTable::check_files`].
    pub async fn open(&self, location: &TableLocation) -> Result<OpenTable, Error> {
        let open = match open_table(location, Some(self.version)).await {
            // A table that was made anew has fewer versions at first.
            Err(error @ Error::NoVersion { .. }) => {
                let newest = open_table(location, None).await?;
                return Err(self.check_id(&newest).err().unwrap_or(error));
            }
            open => open?,
        };
        self.check(&open)?;
        open.check_files().await?;
        Ok(open)
    }

    /// Whether an opened table is what was published.
    ///
    /// **Errors**: [`Error::Recreated`], [`Error::LogDiffers`], and those of [`OpenTable::snapshot_digest`].
    pub fn check(&self, open: &OpenTable) -> Result<(), Error> {
        self.check_id(open)?;
        let found = open.snapshot_digest()?;
        if found == self.snapshot {
            Ok(())
        } else {
            Err(Error::LogDiffers {
                location: open.location().to_string(),
                version: open.version(),
                wanted: self.snapshot,
                found,
            })
        }
    }

    fn check_id(&self, open: &OpenTable) -> Result<(), Error> {
        let found = open.snapshot()?.metadata().id();
        if found == self.table_id {
            Ok(())
        } else {
            Err(Error::Recreated {
                location: open.location().to_string(),
                wanted: self.table_id.clone(),
                found: found.to_owned(),
            })
        }
    }
}

/// The schema in the metadata: JSON inside of JSON.
const SCHEMA: &str = "schemaString";

impl OpenTable {
    /// A digest of all that a reader takes from the log: the protocol, the metadata, of every file its path, length, partition,
    /// statistics, tags and deletion vector, and what the commit of the version claims. The table's id and times are left
    /// out, so that what was written alike has one digest in every lake.
    ///
    /// The digests of the files lie in their tags; so a log that agrees with this digest, and files that agree with their tags,
    /// hold the rows that were there when it was taken.
    ///
    /// **Determinism**: it does not matter whether the version is loaded from commits or from a checkpoint, as long as that keeps
    /// statistics as JSON, which a policy cannot switch off. Without its commit a version claims nothing, and has another
    /// digest.
    ///
    /// **Cost**: every file's entry is rendered and hashed, some microseconds each.
    ///
    /// **Errors**: [`Error::Delta`] when the snapshot is gone, which cannot happen after
    /// [`open_table`](crate::open_table); [`Error::Corrupt`] when an entry has no JSON.
    pub fn snapshot_digest(&self) -> Result<Fingerprint, Error> {
        let snapshot = self.snapshot()?;
        let mut hasher = CanonicalHasher::new("ossature.snapshot.v1");
        self.feed(&mut hasher, snapshot.protocol())?;
        self.feed(&mut hasher, snapshot.metadata())?;
        let mut files: Vec<Add> = snapshot
            .log_data()
            .iter()
            .map(|view| entry(&view))
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        hasher.list(files.len());
        for file in &files {
            self.feed(&mut hasher, file)?;
        }
        let CommitFacts {
            ours,
            content,
            order,
            keys: _,
        } = self.commit();
        hasher.flag(*ours);
        match content {
            Some(content) => hasher.fingerprint(*content),
            None => hasher.absent(),
        }
        let order = order.as_ref().map_or(&[][..], OrderingClaim::keys);
        hasher.list(order.len());
        for key in order {
            hasher.text(&key.to_string());
        }
        Ok(hasher.finish())
    }

    fn feed(&self, hasher: &mut CanonicalHasher, action: &impl Serialize) -> Result<(), Error> {
        let mut value = serde_json::to_value(action).map_err(|error| Error::Corrupt {
            what: "the log",
            location: self.location().to_string(),
            reason: error.to_string(),
        })?;
        if let Value::Object(fields) = &mut value {
            fields.retain(|key, value| !LEFT_OUT.contains(&key.as_str()) && !value.is_null());
            // Whoever writes a schema down puts what is said of a field into an order of its own.
            if let Some(schema) = fields.get_mut(SCHEMA)
                && let Some(parsed) = schema.as_str().and_then(|it| serde_json::from_str(it).ok())
            {
                *schema = parsed;
            }
        }
        feed_value(hasher, &value);
        Ok(())
    }
}

fn entry(view: &LogicalFileView) -> Add {
    #[expect(
        deprecated,
        reason = "the view gives tags away in no other form, and is replaced when they have another"
    )]
    view.add_action()
}

/// The order of keys depends on how a map was built; the digest does not.
fn feed_value(hasher: &mut CanonicalHasher, value: &Value) {
    match value {
        Value::Null => hasher.absent(),
        Value::Bool(value) => hasher.flag(*value),
        Value::Number(number) => hasher.text(&number.to_string()),
        Value::String(text) => hasher.text(text),
        Value::Array(items) => {
            hasher.list(items.len());
            for item in items {
                feed_value(hasher, item);
            }
        }
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            hasher.list(entries.len());
            for (key, value) in entries {
                hasher.text(key);
                feed_value(hasher, value);
            }
        }
    }
}
