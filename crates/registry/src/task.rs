//! A scan as bytes: what one process plans and another one executes.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::{Expr, ident};
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion_proto::bytes::Serializeable;
use ossature_schema_spec::{Fingerprint, Version};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::location::shown;
use crate::projection::more_than_a_row;
use crate::stored::StoredScan;
use crate::{Error, GuardedScan, Lake, OpenTable, Published};

/// What the bytes of a task begin with: a name, and the version of the encoding.
const MAGIC: &[u8] = b"ossature.scan.v1\n";

/// Bytes that a task may have: so many paths that it should have been several tasks.
const BYTES_MAX: usize = 8 << 20;

/// A scan of a pinned version: which rows, which columns of them, and which files are read by whom.
///
/// The bytes hold the table's URL, version and id, the digest of what its log says, names, filters and paths. They hold no
/// credentials: whoever executes the task opens the store by means of its own. Equal tasks have equal bytes.
///
/// A process that opens the task finds the same version of the same table, in the same types, or an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanTask {
    url: String,
    version: u64,
    table_id: String,
    snapshot: String,
    /// Names of columns; all of them when nothing is said.
    columns: Option<Vec<String>>,
    /// In the engine's encoding.
    filters: Vec<Vec<u8>>,
    /// Paths below the table's folder. Without groups the version is read whole.
    groups: Vec<Vec<String>>,
    schema: Vec<TaskField>,
}

/// A column that the scan gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskField {
    name: String,
    data_type: String,
    nullable: bool,
}

impl From<&Field> for TaskField {
    fn from(field: &Field) -> Self {
        Self {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        }
    }
}

fn fields(schema: &SchemaRef) -> Vec<TaskField> {
    let fields = schema.fields().iter();
    fields
        .map(|field| TaskField::from(field.as_ref()))
        .collect()
}

impl ScanTask {
    /// Plans a scan of an opened table: the rows for which all `filters` are true, with the columns of these names, or with
    /// all of them. Where our writer made the table, files that hold no such row are left out, and the others are dealt to
    /// `groups_max` groups of about equal size, each in the table's order.
    ///
    /// **Errors**: [`Error::Task`] when a filter has no encoding, [`Error::Engine`] when one does not fit the columns, and
    /// those of opening the scan.
    pub async fn plan(
        open: &OpenTable,
        session: &SessionContext,
        columns: Option<&[&str]>,
        filters: &[Expr],
        groups_max: usize,
    ) -> Result<Self, Error> {
        let encode = |filter: &Expr| {
            if let Some(what) = more_than_a_row(filter) {
                return Err(Error::Task {
                    reason: format!(
                        "the filter `{filter}` holds {what}, and may be another one later"
                    ),
                });
            }
            let bytes = filter.to_bytes().map_err(|error| Error::Task {
                reason: format!(
                    "the filter `{filter}` has no encoding: {}",
                    error.strip_backtrace()
                ),
            })?;
            Ok::<_, Error>(bytes.to_vec())
        };
        let encoded = filters.iter().map(encode).collect::<Result<_, _>>()?;
        let scan = StoredScan::try_new(open).await?;
        let groups = match &scan {
            StoredScan::Direct(scan) => scan
                .assign(&session.state(), filters, groups_max)
                .map_err(Error::engine("choosing files"))?,
            StoredScan::Delegated(_) => Vec::new(),
        };
        Ok(Self {
            url: open.location().url().to_string(),
            version: open.version().number(),
            table_id: open.snapshot()?.metadata().id().to_owned(),
            snapshot: open.snapshot_digest()?.to_hex(),
            columns: columns.map(|names| names.iter().map(ToString::to_string).collect()),
            filters: encoded,
            groups,
            schema: fields(&scan.provider().schema()),
        })
    }

    /// How many groups of files there are; at least 1.
    pub fn groups(&self) -> usize {
        self.groups.len().max(1)
    }

    /// The part of the task that one group of files is; nothing where there is no such group.
    pub fn group(&self, at: usize) -> Option<Self> {
        if self.groups.is_empty() {
            return (at == 0).then(|| self.clone());
        }
        Some(Self {
            groups: vec![self.groups.get(at)?.clone()],
            ..self.clone()
        })
    }

    /// The files that are read, by their paths below the table's folder; nothing where the version is read whole.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flatten().map(String::as_str)
    }

    /// The bytes.
    ///
    /// **Errors**: [`Error::Task`], which no task causes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = MAGIC.to_vec();
        let written = rmp_serde::encode::write_named(&mut bytes, self);
        written.map_err(|error| Error::Task {
            reason: error.to_string(),
        })?;
        Ok(bytes)
    }

    /// Reads the bytes of a task. Nothing is opened.
    ///
    /// **Errors**: [`Error::Task`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Task { reason };
        if bytes.len() > BYTES_MAX {
            let found = bytes.len();
            return Err(refuse(format!(
                "it has {found} bytes, and at most {BYTES_MAX} are read"
            )));
        }
        let Some(body) = bytes.strip_prefix(MAGIC) else {
            return Err(refuse(
                "it does not begin as one, or as one of another version".to_owned(),
            ));
        };
        let mut reader = rmp_serde::Deserializer::from_read_ref(body);
        reader.set_max_depth(16);
        let task = Self::deserialize(&mut reader).map_err(|error| refuse(error.to_string()))?;
        // What is written is what is read, to the last byte.
        if task.to_bytes()? != bytes {
            return Err(refuse("it has bytes that say nothing".to_owned()));
        }
        Ok(task)
    }

    /// Opens the version, and gives its rows in a session. The table has to lie in the lake, which knows how its store is
    /// opened: a task that came from elsewhere reads nothing else.
    ///
    /// **Errors**: [`Error::Escapes`]; [`Error::Task`] when the task does not fit what is found, those of [`Published::open`], and
    /// [`Error::Engine`].
    pub async fn open(&self, session: &SessionContext, lake: &Lake) -> Result<DataFrame, Error> {
        let refuse = |reason: String| Error::Task { reason };
        let below = self.url.strip_prefix(lake.url().as_str());
        let below = below.map(|path| percent_decode_str(path).decode_utf8_lossy());
        let location = below.map(|path| lake.table(&path)).transpose()?;
        let location = location.ok_or_else(|| Error::Escapes {
            location: lake.to_string(),
            path: shown(&self.url),
        })?;
        let snapshot = Fingerprint::from_hex(&self.snapshot)
            .ok_or_else(|| refuse(format!("`{}` is no digest", self.snapshot)))?;
        let published = Published {
            version: Version::new(self.version),
            table_id: self.table_id.clone(),
            snapshot,
        };
        let open = published.open(&location).await?;
        let scan = StoredScan::try_new(&open).await?;
        let provider: Arc<dyn TableProvider> = match scan {
            _ if self.groups.is_empty() => scan.provider(),
            StoredScan::Direct(_) => Arc::new(GuardedScan::of_groups(&open, &self.groups)?),
            // Rows of such a table are not those of its files.
            StoredScan::Delegated(_) => {
                return Err(refuse(
                    "it names files of a table that is read whole".to_owned(),
                ));
            }
        };
        let found = fields(&provider.schema());
        if found != self.schema {
            return Err(refuse(format!(
                "its columns are {:?}, and those of {location} {found:?}",
                self.schema
            )));
        }
        let engine = || Error::engine("reading a scan");
        let mut frame = session.read_table(provider).map_err(engine())?;
        for bytes in &self.filters {
            let filter = Expr::from_bytes_with_ctx(bytes, &session.task_ctx());
            let filter = filter.map_err(|error| {
                refuse(format!(
                    "a filter cannot be read: {}",
                    error.strip_backtrace()
                ))
            })?;
            frame = frame.filter(filter).map_err(engine())?;
        }
        if let Some(columns) = &self.columns {
            let names: BTreeSet<&String> = columns.iter().collect();
            if names.len() != columns.len() {
                return Err(refuse("it names a column twice".to_owned()));
            }
            frame = frame.select(columns.iter().map(ident)).map_err(engine())?;
        }
        Ok(frame)
    }
}
