//! Consumers of change feeds: whoever keeps something in step with a published table, and how far it has come.
//!
//! A consumer takes the rows of a window that is pinned at both ends, does with them what it wants, and only then moves its
//! cursor. Whoever dies in between is given the same window again; so what is done with the rows has to bear being done
//! twice. Only what is published is taken.

use std::collections::BTreeMap;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{ident, lit};
use ossature_artifacts::{FeedConsumptionV1, FeedCursors, FeedModeV1};
use ossature_registry::{
    CHANGE_TYPE, ChangeFeed, ChangeFeedRequest, Dataset, Lake, OpenTable, SessionSpec,
    TableLocation, open_change_feed,
};
use ossature_schema_spec::{DatasetSpec, Version};

use crate::Error;
use crate::published::find;

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
    cursors: FeedCursors,
}

impl FeedConsumer {
    /// What comes next: the changes from the cursor to the published version; without a cursor, and where those cannot be
    /// read, all rows of that version. Nothing when the published version has been taken.
    ///
    /// **Determinism**: the rows are settled here, whatever is committed or published later.
    ///
    /// **Errors**: [`Error::NothingPublished`], [`Error::NotPublished`], [`Error::FeedBroken`], [`Error::Registry`],
    /// [`Error::Records`].
    pub async fn begin(&self) -> Result<Option<FeedReading>, Error> {
        let dataset = self.contract.name();
        let manifest = find(&self.lake, None).await?;
        let output = manifest.output(dataset.as_str());
        let output = output.ok_or_else(|| Error::NotPublished {
            dataset: dataset.clone(),
            run_id: manifest.run_id.clone(),
        })?;
        let published = output.published();
        let location = self.lake.location(dataset)?;
        let open = published.open(&location).await?;
        let cursors = FeedCursors::of(&self.lake);
        let before = cursors.newest(&self.name, dataset).await?;
        if let Some(before) = &before
            && (&before.table_id, before.cursor) == (&output.table_id, output.version)
        {
            return Ok(None);
        }
        let next = match &before {
            None => Next::Snapshot {
                mode: FeedModeV1::InitialSnapshot,
                class: None,
                reason: "nothing had been taken before".to_owned(),
            },
            Some(before) => {
                let found = self.changes(before, &location, &published.table_id, published.version);
                self.settle(found.await?)?
            }
        };
        let (mode, class, reason, rows) = match next {
            Next::Snapshot {
                mode,
                class,
                reason,
            } => (mode, class, reason, self.snapshot(&open).await?),
            Next::Changes(feed) => {
                let facts = feed.facts();
                let reason = match facts.versions {
                    Some((from, to)) if from == to => format!("version {to} was not taken yet"),
                    Some((from, to)) => format!("versions {from} to {to} were not taken yet"),
                    None => "no version was left to take".to_owned(),
                };
                let class = Some(facts.class.code().to_owned());
                let rows = FeedRows::Changes(feed);
                (FeedModeV1::Changes, class, reason, rows)
            }
        };
        Ok(Some(FeedReading {
            rows,
            consumption: FeedConsumptionV1 {
                consumer: self.name.clone(),
                dataset: dataset.to_string(),
                table_uri: location.to_string(),
                table_id: published.table_id,
                sequence: before.as_ref().map_or(0, |before| before.sequence + 1),
                mode,
                reason,
                class,
                cursor_before: before.map(|before| before.cursor),
                cursor: published.version.number(),
                rows: BTreeMap::new(),
            },
            cursors,
        }))
    }

    /// The changes behind the cursor, or why they cannot be read.
    async fn changes(
        &self,
        before: &FeedConsumptionV1,
        location: &TableLocation,
        table_id: &str,
        until: Version,
    ) -> Result<Result<ChangeFeed, Broken>, Error> {
        let broken = |class: &str, reason: String| {
            let class = class.to_owned();
            Ok(Err(Broken { class, reason }))
        };
        if before.table_id != table_id {
            let reason = format!(
                "the table that was taken from had the id {}",
                before.table_id
            );
            return broken("recreated", reason);
        }
        if before.cursor > until.number() {
            let taken = before.cursor;
            let reason = format!("version {taken} was taken, and version {until} is published");
            return broken("out_of_range", reason);
        }
        let from = Version::new(before.cursor + 1);
        let request = ChangeFeedRequest {
            table_id: Some(table_id.to_owned()),
            ..ChangeFeedRequest::versions(from, until)
        };
        match open_change_feed(self.contract.name(), location, &request).await {
            Ok(feed) => Ok(Ok(feed)),
            Err(error) => match &error {
                ossature_registry::Error::ChangeFeed { class, .. } => {
                    broken(class.code(), error.to_string())
                }
                _ => Err(error.into()),
            },
        }
    }

    fn settle(&self, found: Result<ChangeFeed, Broken>) -> Result<Next, Error> {
        let Broken { class, reason } = match found {
            Ok(feed) => return Ok(Next::Changes(Box::new(feed))),
            Err(broken) => broken,
        };
        match self.on_broken {
            OnBrokenFeed::FullRefresh => Ok(Next::Snapshot {
                mode: FeedModeV1::FullRefresh,
                class: Some(class),
                reason,
            }),
            OnBrokenFeed::Refuse => Err(Error::FeedBroken {
                consumer: self.name.clone(),
                dataset: self.contract.name().clone(),
                class,
                reason,
            }),
        }
    }

    async fn snapshot(&self, open: &OpenTable) -> Result<FeedRows, Error> {
        let dataset = Dataset::try_new(&self.contract, open).await?;
        Ok(FeedRows::Snapshot(Box::new(dataset)))
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

    /// Moves the cursor behind these rows; to be called when everything that is made of them is safe. Rows are counted by kind
    /// for the record. The time is in milliseconds since 1970-01-01 00:00:00 UTC.
    ///
    /// **Errors**: [`Error::Records`], with `cursor_moved` when another process consumes under the same name.
    pub async fn finish(mut self, at_unix_ms: i64) -> Result<FeedConsumptionV1, Error> {
        self.consumption.rows = self.count().await.map_err(|error| {
            Box::new(ossature_artifacts::Error::Engine {
                doing: "counting rows that were taken",
                source: Box::new(error),
            })
        })?;
        let advanced = self.cursors.advance(&self.consumption, at_unix_ms).await;
        advanced.map_err(Box::new)?;
        Ok(self.consumption)
    }

    async fn count(&self) -> Result<BTreeMap<String, u64>, DataFusionError> {
        let session = SessionSpec::default().build();
        let session = session.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let feed = match &self.rows {
            FeedRows::Snapshot(dataset) => {
                let rows = session.read_table(dataset.provider())?.count().await?;
                return Ok([("snapshot".to_owned(), rows as u64)].into());
            }
            FeedRows::Changes(feed) => session.read_table(feed.provider())?,
        };
        let counted =
            feed.aggregate(vec![ident(CHANGE_TYPE)], vec![count(lit(1)).alias("rows")])?;
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
}

/// Where a consumer goes on.
enum Next {
    Snapshot {
        mode: FeedModeV1,
        class: Option<String>,
        reason: String,
    },
    Changes(Box<ChangeFeed>),
}

/// Why changes cannot be read.
struct Broken {
    class: String,
    reason: String,
}

#[cfg(test)]
mod tests;
