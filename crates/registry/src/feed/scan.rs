//! The scan of a change feed: delta-rs' provider over a pinned log, behind guards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use deltalake_core::DeltaTable;
use deltalake_core::delta_datafusion::DeltaCdfTableProvider;
use deltalake_core::kernel::transaction::PROTOCOL;
use object_store::path::Path;

use super::log::{FeedCommit, FileAction, PinnedLog};
use crate::foreign::{FilterBarrier, with_wide_times};
use crate::{Error, OpenTable, guard};

/// The rows of a window, with the types that delta-rs gives to the columns of the feed.
pub(super) struct FeedScan {
    inner: DeltaCdfTableProvider,
    location: String,
    schema: SchemaRef,
    /// Partition columns of which delta-rs may leave out values that are looked for.
    doubtful: BTreeSet<String>,
    /// What the log says of files, by the paths under which delta-rs looks for them.
    files: BTreeMap<Path, StoredFile>,
}

/// What the log says of a file.
struct StoredFile {
    location: Path,
    partition: Vec<ScalarValue>,
}

impl fmt::Debug for FeedScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeedScan")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl FeedScan {
    /// The rows of these commits, with the columns of an opened table.
    ///
    /// **Errors**: [`Error::Delta`], [`Error::Unsupported`], [`Error::Corrupt`].
    pub(super) fn try_new(open: &OpenTable, commits: &[FeedCommit]) -> Result<Self, Error> {
        let doing = "opening a change feed";
        let protocol = open.snapshot()?.protocol();
        PROTOCOL
            .can_read_from_protocol(protocol)
            .map_err(|error| Error::Unsupported {
                location: open.location().to_string(),
                reason: error.to_string(),
            })?;
        let log = PinnedLog::try_new(open.table().log_store(), commits)?;
        let mut table = DeltaTable::new(Arc::new(log));
        table.state = Some(open.snapshot()?.clone());
        // Without commits nothing is found from version 0 on, and nothing is asked for.
        let from = commits.first().map_or(0, |commit| commit.version);
        let to = commits.last().map_or(0, |commit| commit.version);
        let builder = table
            .scan_cdf()
            .with_starting_version(from)
            .with_ending_version(to);
        let inner = DeltaCdfTableProvider::try_new(builder).map_err(Error::delta(doing))?;
        let schema = inner.schema();
        let files: Vec<&FileAction> = commits.iter().flat_map(|it| &it.actions).collect();
        let partition = partition_fields(open, &schema)?;
        let doubtful = doubtful(&partition, &files);
        let files = files
            .into_iter()
            .map(|file| {
                let stored = StoredFile {
                    location: file.location(),
                    partition: file.partition_values(&partition, open.location())?,
                };
                Ok((Path::from(file.path.as_str()), stored))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            inner,
            location: open.location().to_string(),
            schema,
            doubtful,
            files,
        })
    }

    /// The plan with what delta-rs gets wrong put right.
    ///
    /// Its parts without files have no partitions, which the engine does not take as the input of a sort. It makes a
    /// partition of every version and kind of change, in an order of chance. It looks for files under escaped paths, and
    /// takes an empty partition value for a text, and one that it cannot read for a null.
    fn mend(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        groups_max: usize,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if let Some(scan) = self.grouped(&node, groups_max) {
                return Ok(Transformed::yes(scan));
            }
            match node.downcast_ref::<UnionExec>() {
                Some(_) => Ok(Transformed::yes(without_empty_parts(&node)?)),
                None => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    /// The scan of the same files in the order of versions and paths, in few groups.
    fn grouped(
        &self,
        node: &Arc<dyn ExecutionPlan>,
        groups_max: usize,
    ) -> Option<Arc<dyn ExecutionPlan>> {
        let scan = node.downcast_ref::<DataSourceExec>()?;
        let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
        let mut files: Vec<PartitionedFile> = config
            .file_groups
            .iter()
            .flat_map(|group| group.files().iter().cloned())
            .collect();
        for file in &mut files {
            let Some(stored) = self.files.get(&file.object_meta.location) else {
                continue;
            };
            file.object_meta.location = stored.location.clone();
            // The partition columns come last.
            let others = file
                .partition_values
                .len()
                .saturating_sub(stored.partition.len());
            file.partition_values.truncate(others);
            file.partition_values
                .extend(stored.partition.iter().cloned());
        }
        files.sort_by_cached_key(|file| (version_of(file), file.object_meta.location.clone()));
        let size = files.len().div_ceil(groups_max.max(1)).max(1);
        let groups = files.chunks(size).map(|some| FileGroup::new(some.to_vec()));
        let config = FileScanConfigBuilder::from(config.clone())
            .with_file_groups(groups.collect())
            .build();
        Some(DataSourceExec::from_data_source(config))
    }
}

/// The version whose rows a file holds, as delta-rs notes it: the only number without a sign, which no column of a
/// Delta table is.
fn version_of(file: &PartitionedFile) -> Option<u64> {
    file.partition_values.iter().find_map(|value| match value {
        ScalarValue::UInt64(version) => *version,
        _ => None,
    })
}

fn partition_fields(open: &OpenTable, schema: &SchemaRef) -> Result<Vec<FieldRef>, Error> {
    let columns = open.snapshot()?.metadata().partition_columns();
    let fields = columns
        .iter()
        .filter_map(|name| schema.field_with_name(name).ok());
    Ok(fields.map(|field| Arc::new(field.clone())).collect())
}

/// The partition columns whose values delta-rs may read in another way than the protocol says.
fn doubtful(partition: &[FieldRef], files: &[&FileAction]) -> BTreeSet<String> {
    let is_doubtful = |field: &&FieldRef| match field.data_type() {
        DataType::Boolean | DataType::Date32 => false,
        of if of.is_integer() => false,
        DataType::Utf8 => files
            .iter()
            .any(|file| file.has_empty_partition(field.name())),
        _ => true,
    };
    let fields = partition.iter().filter(is_doubtful);
    fields.map(|field| field.name().clone()).collect()
}

fn without_empty_parts(union: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut parts: Vec<Arc<dyn ExecutionPlan>> = union
        .children()
        .into_iter()
        .filter(|part| part.output_partitioning().partition_count() > 0)
        .cloned()
        .collect();
    match parts.len() {
        0 => Ok(Arc::new(EmptyExec::new(union.schema()))),
        1 => Ok(parts.remove(0)),
        _ => UnionExec::try_new(parts),
    }
}

#[async_trait]
impl TableProvider for FeedScan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| guard::pushdown_to_delta(filter, &self.schema, &self.doubtful))
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(session) = state.as_any().downcast_ref::<SessionState>() else {
            return plan_err!("a change feed is read in a session of DataFusion");
        };
        let state = with_wide_times(session.clone());
        let plan = self.inner.scan(&state, projection, filters, None).await?;
        let plan = self.mend(plan, state.config().target_partitions())?;
        // Filters that the optimizer makes while a plan runs prune by bounds that leave NaN out.
        Ok(Arc::new(FilterBarrier::new(plan, &BTreeSet::new())))
    }
}
