//! The change feed of a table: the rows that changed between two versions, as a relation.
//!
//! | question | answer |
//! |---|---|
//! | can the rows of a window be read? | [`classify_change_feed`], [`FeedClass`] |
//! | what is asked for? | [`ChangeFeedRequest`], [`Changes`] |
//! | how is a window opened? | [`open_change_feed`], [`Catalog::register_change_feed`] |
//! | should there be a feed at all? | [`select_change_feed`], [`FeedSelection`] |
//!
//! A window is pinned at both ends when it is opened. Its rows are the same for ever: the commits are kept, and the
//! columns are those of its last version, whatever is committed later.
//!
//! delta-rs finds out too late, or never, that a feed has holes: it looks whether changes are recorded only where the
//! window itself says so, and for files when it reads them. So everything is looked at before a window is opened.
//!
//! A commit that has no record of its changes tells them all the same: the rows of files that it removed are deleted,
//! those of files that it added are inserted. Rows that were only carried along are among both.

mod log;
mod request;
mod scan;
mod select;
mod window;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::TreeNode as _;
use datafusion::common::{DFSchema, DataFusionError, TableReference};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Volatility, ident};
use datafusion::prelude::{SessionContext, cast};
use ossature_schema_spec::{ColumnName, DatasetName, TablePin, Version, from_stored};

use crate::{CATALOG, Catalog, Error, SessionSpec, TableLocation};
use request::ADDED_COLUMNS;
use scan::FeedScan;

pub use request::{
    CHANGE_TYPE, COMMIT_TIMESTAMP, COMMIT_VERSION, ChangeFeedRequest, ChangeFilter, Changes,
    FeedBound,
};
pub use select::{
    DatasetKind, FeedChoice, FeedOutcome, FeedPolicy, FeedSelection, FeedSource, ScanProvider,
    select_change_feed,
};
pub use window::{FeedClass, FeedWindow, SchemaBreak, classify_change_feed};

/// What follows the table in the name of its feed: `cpg.nodes` has the feed `cpg.nodes__cdf`.
pub const FEED_SUFFIX: &str = "__cdf";

/// What was decided when a change feed was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedFacts {
    /// The dataset and the version whose columns the rows have: the last one of the window, or the newest one when it
    /// holds none.
    pub pin: TablePin,
    /// Where the table lies, without secrets.
    pub location: String,
    /// The newest version when the window was opened.
    pub newest: Version,
    /// The first version and the last one, both included; nothing when the window holds no version.
    pub versions: Option<(Version, Version)>,
    /// [`FeedClass::Ok`] or [`FeedClass::Empty`].
    pub class: FeedClass,
    /// The columns, in their order.
    pub columns: Vec<String>,
    /// The predicate, as it was given.
    pub predicate: Option<String>,
    /// Which changes are read.
    pub changes: Changes,
    /// The version that began to record changes; nothing when that is more than 256 commits before the window or in a
    /// part of the log that was cleaned up, or when the window holds no version.
    pub enabled_since: Option<Version>,
    /// Files with changed rows.
    pub files: usize,
}

impl fmt::Display for FeedFacts {
    /// One line that tells two windows apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "change feed of {} ({}), ",
            self.pin.dataset, self.pin.table_id
        )?;
        match self.versions {
            Some((from, to)) => write!(f, "{from} to {to}")?,
            None => write!(f, "no version after {}", self.newest)?,
        }
        write!(
            f,
            "; columns {}; changes {}",
            self.columns.join(", "),
            self.changes
        )?;
        match &self.predicate {
            Some(predicate) => write!(f, "; where {predicate}"),
            None => Ok(()),
        }
    }
}

/// An opened window of a change feed.
#[derive(Debug, Clone)]
pub struct ChangeFeed {
    provider: Arc<dyn TableProvider>,
    facts: FeedFacts,
}

impl ChangeFeed {
    /// What was decided when it was opened.
    pub fn facts(&self) -> &FeedFacts {
        &self.facts
    }

    /// The relation: the stored columns, partition columns last, and those that the feed adds: `_change_type` as text,
    /// `_commit_version` as a 64-bit integer (delta-rs has it without a sign, which no Delta table can store) and
    /// `_commit_timestamp` in microseconds of UTC.
    ///
    /// Nothing can be inserted into it.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.provider)
    }

    /// The name in a session: `lake.<stage>.<table>__cdf`.
    pub fn table_reference(&self) -> TableReference {
        let dataset = &self.facts.pin.dataset;
        let table = format!("{}{FEED_SUFFIX}", dataset.table());
        TableReference::full(CATALOG, dataset.stage(), table)
    }
}

/// Opens a window of the change feed of a dataset's table.
///
/// **Determinism**: the rows are the same for ever. Which versions the window has is settled here where the request
/// leaves it open.
///
/// **Errors**: [`Error::ChangeFeed`] when rows of the window cannot be read, [`Error::UnknownFeedColumn`],
/// [`Error::InvalidFeedPredicate`], and those of [`classify_change_feed`].
pub async fn open_change_feed(
    dataset: &DatasetName,
    location: &TableLocation,
    request: &ChangeFeedRequest,
) -> Result<ChangeFeed, Error> {
    let examined = window::examine(location, request).await?;
    let FeedWindow {
        versions,
        newest,
        class,
    } = examined.window;
    if !class.is_readable() {
        return Err(Error::ChangeFeed {
            location: location.to_string(),
            class: Box::new(class),
        });
    }
    let (open, commits) = (examined.open, examined.commits);
    let scan = FeedScan::try_new(&open, &commits)?;
    let plan = plan(dataset, scan, request)?;
    let facts = FeedFacts {
        pin: open.pin(dataset)?,
        location: location.to_string(),
        newest,
        versions,
        class,
        columns: names(plan.schema()),
        predicate: request.predicate.clone(),
        changes: request.changes,
        enabled_since: window::enabled_since(&open.table().log_store(), &commits).await?,
        files: commits.iter().map(|commit| commit.actions.len()).sum(),
    };
    Ok(ChangeFeed {
        provider: Arc::new(ViewTable::new(plan, Some(facts.to_string()))),
        facts,
    })
}

/// The scan, in the types of Delta tables, with what the request leaves out left out.
fn plan(
    dataset: &DatasetName,
    scan: FeedScan,
    request: &ChangeFeedRequest,
) -> Result<LogicalPlan, Error> {
    let engine = || Error::engine("planning a change feed");
    let stored = scan.schema();
    let name = TableReference::bare(format!("{}{FEED_SUFFIX}", dataset.table()));
    let mut plan = LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(scan)), None)
        .and_then(|scan| scan.project(typed_columns(&stored)))
        .map_err(engine())?;
    if let Changes::Chosen(filter) = request.changes {
        plan = plan.filter(filter.predicate()).map_err(engine())?;
    }
    if let Some(text) = &request.predicate {
        plan = restrict(plan, text).map_err(|reason| Error::InvalidFeedPredicate {
            dataset: dataset.clone(),
            found: text.clone(),
            reason: Box::new(reason),
        })?;
    }
    if let Some(columns) = &request.columns {
        let wanted = wanted_columns(dataset, columns, plan.schema())?;
        plan = plan.project(wanted).map_err(engine())?;
    }
    plan.build().map_err(engine())
}

/// Every column as the other scans of this crate have it.
fn typed_columns(stored: &Schema) -> Vec<Expr> {
    let tagged = from_stored(stored);
    let fields = stored.fields().iter().zip(tagged.fields());
    fields
        .map(|(stored, tagged)| typed(stored, tagged))
        .collect()
}

fn typed(stored: &FieldRef, tagged: &FieldRef) -> Expr {
    let name = stored.name();
    let column = ident(name);
    match name.as_str() {
        COMMIT_VERSION => cast(column, DataType::Int64).alias(name),
        COMMIT_TIMESTAMP => {
            let unit = TimeUnit::Microsecond;
            cast(column, DataType::Timestamp(unit, Some("UTC".into()))).alias(name)
        }
        _ if stored.metadata() == tagged.metadata() => column,
        _ => column.alias_with_metadata(name, Some(FieldMetadata::from(tagged.metadata()))),
    }
}

fn names(schema: &DFSchema) -> Vec<String> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().clone()).collect()
}

/// Lets those rows pass for which an expression of SQL is true. It is bound and checked here, not when rows are read.
fn restrict(plan: LogicalPlanBuilder, text: &str) -> Result<LogicalPlanBuilder, DataFusionError> {
    let session = SessionSpec::default()
        .build()
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    let state = session.state();
    let predicate = state.create_logical_expr(text, plan.schema())?;
    if depends_on_more_than_rows(&predicate)? {
        let reason =
            "it depends on more than the row, so that the window would have other rows each time";
        return Err(DataFusionError::Plan(reason.to_owned()));
    }
    // What is no expression over one row is found here.
    state.create_physical_expr(predicate.clone(), plan.schema())?;
    plan.filter(predicate)
}

fn depends_on_more_than_rows(predicate: &Expr) -> Result<bool, DataFusionError> {
    predicate.exists(|node| {
        Ok(match node {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            Expr::InSubquery(_) | Expr::Exists(_) | Expr::ScalarSubquery(_) => true,
            _ => false,
        })
    })
}

fn wanted_columns(
    dataset: &DatasetName,
    columns: &[ColumnName],
    schema: &DFSchema,
) -> Result<Vec<Expr>, Error> {
    let known = names(schema);
    let mut seen = BTreeSet::new();
    for column in columns {
        if !known.iter().any(|name| name == column.as_str()) || !seen.insert(column) {
            return Err(Error::UnknownFeedColumn {
                dataset: dataset.clone(),
                column: column.clone(),
                known,
            });
        }
    }
    let columns = columns.iter().map(ColumnName::as_str);
    Ok(columns.chain(ADDED_COLUMNS).map(ident).collect())
}

impl Catalog {
    /// Makes a window of a change feed nameable in SQL as `stage.table__cdf`.
    ///
    /// **Errors**: [`Error::ConflictingFeeds`] when another window has the name, [`Error::Recreated`] when the dataset is
    /// in the session and of another table.
    pub async fn register_change_feed(&mut self, feed: &ChangeFeed) -> Result<(), Error> {
        let facts = feed.facts();
        let dataset = &facts.pin.dataset;
        if let Some(pin) = self
            .pins()
            .get(dataset)
            .filter(|pin| pin.table_id != facts.pin.table_id)
        {
            return Err(Error::Recreated {
                location: facts.location.clone(),
                wanted: pin.table_id.clone(),
                found: facts.pin.table_id.clone(),
            });
        }
        let name = feed.table_reference();
        if let Some(registered) = registered(self.session(), &name).await? {
            let wanted = facts.to_string();
            return if registered == wanted {
                Ok(())
            } else {
                Err(Error::ConflictingFeeds {
                    dataset: dataset.clone(),
                    registered,
                    wanted,
                })
            };
        }
        self.session()
            .register_table(name, feed.provider())
            .map_err(Error::engine("registering a change feed"))?;
        Ok(())
    }
}

/// What stands under the name of a feed.
async fn registered(
    session: &SessionContext,
    name: &TableReference,
) -> Result<Option<String>, Error> {
    let doing = "looking for a change feed";
    if !session
        .table_exist(name.clone())
        .map_err(Error::engine(doing))?
    {
        return Ok(None);
    }
    let table = session.table_provider(name.clone()).await;
    let table = table.map_err(Error::engine(doing))?;
    let text = table.get_table_definition().unwrap_or("another table");
    Ok(Some(text.to_owned()))
}
