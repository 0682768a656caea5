//! Consumers of change feeds: whoever keeps something in step with a published table, and how far it has come.
//!
//! A consumer takes the rows of a window that is pinned at both ends, does with them what it wants, and only then moves its
//! cursor. Whoever dies in between is given the same rows again, and so is a second process under the same name; so what is
//! done with the rows has to bear being done twice.
//!
//! Windows end at what is published. The versions in between may be of runs that were given up: their rows come, and go in a
//! later version of the same window. Files are written as a whole, so a row that only moved to another file is deleted and
//! inserted in one version. [`FeedReading::net`] has neither: of every key, the last thing that became of it.

use std::collections::BTreeMap;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt as _};
use datafusion::prelude::{DataFrame, SessionContext, ident, lit};
use ossature_artifacts::{FeedConsumptionV1, FeedCursors, FeedModeV1, OutputV1};
use ossature_registry::{
    CHANGE_TYPE, COMMIT_VERSION, ChangeFeed, ChangeFeedRequest, Dataset, Lake, Published,
    SessionSpec, TableLocation, open_change_feed, open_table,
};
use ossature_schema_spec::{ColumnName, DatasetSpec, Version};

use crate::published::find;
use crate::{Error, describe};

/// What is done where changes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnBrokenFeed {
    /// All rows of the published version are taken instead.
    FullRefresh,
    /// It is an error.
    Refuse,
}

/// Whoever keeps something in step with a published table.
#[derive(Debug, Clone)]
pub struct FeedConsumer {
    /// Where the table lies.
    pub lake: Lake,
    /// The consumer's name: what it has taken is recorded under it.
    pub name: String,
    /// What the table is.
    pub contract: DatasetSpec,
    /// What is done where changes cannot be read.
    pub on_broken: OnBrokenFeed,
}

/// Rows that a consumer is to take.
#[derive(Debug, Clone)]
pub enum FeedRows {
    /// All rows of a version, in place of whatever was taken before.
    Snapshot(Box<Dataset>),
    /// What became of rows since.
    Changes(Box<ChangeFeed>),
}

/// Rows that a consumer is to take, and what will be recorded when it has.
#[derive(Debug)]
pub struct FeedReading {
    rows: FeedRows,
    consumption: FeedConsumptionV1,
    key: Vec<ColumnName>,
    cursors: FeedCursors,
}

impl FeedConsumer {
    /// What comes next: the changes from the cursor to the published version; without a cursor, and where those cannot be
    /// read, all rows of that version. Nothing when the published version has been taken.
    ///
    /// `attempt` names this attempt, in the record: whoever tries again after a failure, or beside somebody else, has another
    /// one.
    ///
    /// **Determinism**: the rows are settled here, whatever is committed or published later.
    ///
    /// **Cost**: rows are counted by kind, so their kinds are read once here.
    ///
    /// **Errors**: [`Error::ConsumerName`], [`Error::NothingPublished`], [`Error::NotPublished`], [`Error::FeedBroken`],
    /// [`Error::Registry`], [`Error::Records`].
    pub async fn begin(&self, attempt: &str) -> Result<Option<FeedReading>, Error> {
        let length = self.name.chars().count();
        if !(1..=200).contains(&length) || self.name.chars().any(char::is_control) {
            return Err(Error::ConsumerName {
                found: self.name.clone(),
            });
        }
        let dataset = self.contract.name();
        let manifest = find(&self.lake, None).await?;
        let output = manifest.output(dataset.as_str());
        let output = output.ok_or_else(|| Error::NotPublished {
            dataset: dataset.clone(),
            run_id: manifest.run_id.clone(),
        })?;
        let location = self.lake.location(dataset)?;
        let open = output.published().open(&location).await?;
        let published = Dataset::try_new(&self.contract, &open).await?;
        let cursors = FeedCursors::of(&self.lake);
        let before = cursors.newest(&self.name, dataset).await?;
        let snapshot = || FeedRows::Snapshot(Box::new(published.clone()));
        let (mode, class, reason, rows) = match &before {
            None => {
                let reason = "nothing had been taken before".to_owned();
                (FeedModeV1::InitialSnapshot, None, reason, snapshot())
            }
            Some(before) => match self.changes(before, &location, output, &published).await? {
                Ok(None) => return Ok(None),
                Ok(Some(feed)) => {
                    let (taken, until) = (before.cursor, output.version);
                    let reason =
                        format!("versions behind {taken}, up to {until}, were not taken yet");
                    let class = feed.facts().class.code().to_owned();
                    let rows = FeedRows::Changes(Box::new(feed));
                    (FeedModeV1::Changes, Some(class), reason, rows)
                }
                Err(Broken { class, reason }) => match self.on_broken {
                    OnBrokenFeed::FullRefresh => {
                        (FeedModeV1::FullRefresh, Some(class), reason, snapshot())
                    }
                    OnBrokenFeed::Refuse => {
                        return Err(Error::FeedBroken {
                            consumer: self.name.clone(),
                            dataset: dataset.clone(),
                            class,
                            reason,
                        });
                    }
                },
            },
        };
        let counted = count(&rows).await;
        Ok(Some(FeedReading {
            consumption: FeedConsumptionV1 {
                consumer: self.name.clone(),
                attempt: attempt.to_owned(),
                dataset: dataset.to_string(),
                table_uri: location.to_string(),
                table_id: output.table_id.clone(),
                sequence: before.as_ref().map_or(0, |before| before.sequence + 1),
                mode,
                reason,
                class,
                cursor_before: before.map(|before| before.cursor),
                cursor: output.version,
                snapshot_hash: output.snapshot_hash,
                rows: counted.map_err(|source| Error::Compute {
                    view: dataset.clone(),
                    source: Box::new(source),
                })?,
            },
            rows,
            key: self.contract.key().to_vec(),
            cursors,
        }))
    }

    /// The changes behind the cursor, none where it has come to the end, or why they cannot be read.
    async fn changes(
        &self,
        before: &FeedConsumptionV1,
        location: &TableLocation,
        output: &OutputV1,
        published: &Dataset,
    ) -> Result<Result<Option<ChangeFeed>, Broken>, Error> {
        let broken = |class: &str, reason: String| {
            let class = class.to_owned();
            Ok(Err(Broken { class, reason }))
        };
        if before.table_id != output.table_id {
            let reason = format!(
                "the table that was taken from had the id {}",
                before.table_id
            );
            return broken("recreated", reason);
        }
        if before.cursor > output.version {
            let (taken, is) = (before.cursor, output.version);
            let reason = format!("version {taken} was taken, and version {is} is published");
            return broken("out_of_range", reason);
        }
        // The same number may stand for another version: that of a table which was put back from a copy.
        let taken = Published {
            version: Version::new(before.cursor),
            table_id: before.table_id.clone(),
            snapshot: before.snapshot_hash.fingerprint(),
        };
        let open = match open_table(location, Some(taken.version)).await {
            Ok(open) => Some(open),
            // The log before may have been cleaned up; what the window itself needs is looked at below.
            Err(ossature_registry::Error::NoVersion { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(Err(error)) = open.map(|open| taken.check(&open)) {
            return broken("restored", describe(&error));
        }
        if before.cursor == output.version {
            return Ok(Ok(None));
        }
        let (from, until) = (before.cursor + 1, output.version);
        let request = ChangeFeedRequest {
            table_id: Some(before.table_id.clone()),
            columns: Some(
                self.contract
                    .columns()
                    .iter()
                    .map(|it| it.name().clone())
                    .collect(),
            ),
            ..ChangeFeedRequest::versions(Version::new(from), Version::new(until))
        };
        let feed = match open_change_feed(self.contract.name(), location, &request).await {
            Ok(feed) => feed,
            Err(error) => {
                return match &error {
                    ossature_registry::Error::ChangeFeed { class, .. } => {
                        broken(class.code(), error.to_string())
                    }
                    ossature_registry::Error::UnknownFeedColumn { .. } => {
                        broken("schema_changed", error.to_string())
                    }
                    ossature_registry::Error::Recreated { .. } => {
                        broken("recreated", error.to_string())
                    }
                    ossature_registry::Error::Unsupported { .. } => {
                        broken("unsupported", error.to_string())
                    }
                    _ => Err(error.into()),
                };
            }
        };
        // Snapshots are aligned to the contract, and feeds have the columns as they are stored.
        let (aligned, stored) = (published.provider().schema(), feed.provider().schema());
        for (aligned, stored) in aligned.fields().iter().zip(stored.fields()) {
            if aligned.name() != stored.name() || aligned.data_type() != stored.data_type() {
                let (wanted, found) = (aligned.data_type(), stored.data_type());
                let reason = format!(
                    "column `{}` is stored as {found}, and declared as {wanted}",
                    aligned.name()
                );
                return broken("schema_changed", reason);
            }
        }
        Ok(Ok(Some(feed)))
    }
}

impl FeedReading {
    /// The rows.
    pub fn rows(&self) -> &FeedRows {
        &self.rows
    }

    /// How they were taken.
    pub fn mode(&self) -> FeedModeV1 {
        self.consumption.mode
    }

    /// Why they were taken so.
    pub fn reason(&self) -> &str {
        &self.consumption.reason
    }

    /// Rows by kind, as they will be recorded.
    pub fn counts(&self) -> &BTreeMap<String, u64> {
        &self.consumption.rows
    }

    /// Of every key, the last thing that became of it: `insert` or `update_postimage` for rows to be put in place of what is
    /// there, `delete` for keys to be removed, which may not be there. Without a key, and of a whole version, rows are as they
    /// are.
    ///
    /// **Errors**: those of planning.
    pub fn net(&self, session: &SessionContext) -> Result<DataFrame, DataFusionError> {
        let feed = match &self.rows {
            FeedRows::Snapshot(dataset) => return session.read_table(dataset.provider()),
            FeedRows::Changes(feed) => session.read_table(feed.provider())?,
        };
        if self.key.is_empty() {
            return Ok(feed);
        }
        let columns: Vec<Expr> = (feed.schema().fields().iter())
            .map(|field| ident(field.name()))
            .collect();
        // In one version, a row that was moved to another file is deleted and inserted: it is there.
        let newest = vec![
            ident(COMMIT_VERSION).sort(false, false),
            ident(CHANGE_TYPE).eq(lit("delete")).sort(true, false),
        ];
        let place = row_number()
            .partition_by(self.key.iter().map(|name| ident(name.as_str())).collect())
            .order_by(newest)
            .build()?;
        feed.window(vec![place.alias(PLACE)])?
            .filter(ident(PLACE).eq(lit(1_u64)))?
            .select(columns)
    }

    /// Moves the cursor behind these rows; to be called when everything that is made of them is safe. After an error of the
    /// store it may be called again. The time is in milliseconds since 1970-01-01 00:00:00 UTC.
    ///
    /// **Errors**: [`Error::Records`], with `cursor_moved` when another attempt has moved the cursor.
    pub async fn finish(&self, at_unix_ms: i64) -> Result<&FeedConsumptionV1, Error> {
        let advanced = self.cursors.advance(&self.consumption, at_unix_ms).await;
        advanced.map_err(Box::new)?;
        Ok(&self.consumption)
    }
}

/// What a place among the changes of one key is called, beside columns of any name that a table may have.
const PLACE: &str = "_change_place";

/// Rows by kind.
async fn count(rows: &FeedRows) -> Result<BTreeMap<String, u64>, DataFusionError> {
    let session = SessionSpec::default().build();
    let session = session.map_err(|error| DataFusionError::External(Box::new(error)))?;
    let feed = match rows {
        FeedRows::Snapshot(dataset) => {
            let rows = session.read_table(dataset.provider())?.count().await?;
            return Ok([("snapshot".to_owned(), rows as u64)].into());
        }
        FeedRows::Changes(feed) => session.read_table(feed.provider())?,
    };
    let all = expr_fn::count(lit(1)).alias("rows");
    let counted = feed.aggregate(vec![ident(CHANGE_TYPE)], vec![all])?;
    let mut rows = BTreeMap::new();
    for batch in counted.collect().await? {
        let kinds = batch.column(0).as_string::<i32>().iter();
        let counts = batch.column(1).as_primitive::<Int64Type>().iter();
        rows.extend(kinds.zip(counts).filter_map(|(kind, count)| {
            Some((kind?.to_owned(), u64::try_from(count?).unwrap_or_default()))
        }));
    }
    Ok(rows)
}

/// Why changes cannot be read.
struct Broken {
    class: String,
    reason: String,
}

#[cfg(test)]
mod tests;
