//! The guarded scan: reads the files of one pinned version of a table that our writer wrote.
//!
//! Stock providers of Delta tables drop filters that fold to NULL, read other versions than the one asked for, trust
//! float statistics that leave NaN out, and never declare an order. This one decides the files itself when it is
//! opened, leaves every filter in the plan, prunes by exact bounds only, and declares the order that was proven when
//! the files were written. Reading a file is left to DataFusion.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{FieldRef, Fields, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::DynObjectStore;
use object_store::path::Path;
use ossature_schema_spec::{Version, from_stored};
use url::{Position, Url};

use crate::files::{TableFile, list_files};
use crate::foreign::wide_times;
use crate::mapping::without_numbers;
use crate::paths::is_own;
use crate::{Error, OpenTable, OrderingClaim, TableLocation, guard};

/// A table provider over the files of one version, for tables whose pinned commit our writer made.
pub struct GuardedScan {
    location: TableLocation,
    version: Version,
    /// Whether the bounds in the log are values that are there.
    has_exact_bounds: bool,
    /// The root of the store, for sessions that do not know it yet.
    root: Arc<DynObjectStore>,
    store: ObjectStoreUrl,
    /// Columns inside the files, then partition columns.
    schema: SchemaRef,
    partition_fields: Fields,
    files: Vec<TableFile>,
    order: Option<OrderingClaim>,
    /// The groups in which files are read, as places in `files`, where somebody else has chosen them.
    assigned: Option<Vec<Vec<usize>>>,
}

impl fmt::Debug for GuardedScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedScan")
            .field("location", &self.location.to_string())
            .field("version", &self.version)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl GuardedScan {
    /// Lists the files of an opened table and takes over its ordering claim.
    ///
    /// **Errors**: [`Error::Delta`], [`Error::Corrupt`] when the log of the table cannot be understood.
    pub fn try_new(open: &OpenTable) -> Result<Self, Error> {
        let snapshot = open.snapshot()?;
        let stored = without_numbers(&from_stored(&snapshot.snapshot().arrow_schema()));
        let partition_columns = snapshot.metadata().partition_columns();
        let (partition, data): (Vec<FieldRef>, Vec<FieldRef>) = stored
            .fields()
            .iter()
            .cloned()
            .partition(|field| partition_columns.contains(field.name()));
        let schema = Arc::new(Schema::new([data, partition.clone()].concat()));
        let mut files = list_files(open, &schema, partition_columns)?;
        if let Some(order) = &open.commit().order {
            sort_by_order(&mut files, order, &schema);
        }
        let url = open.location().url();
        let store = ObjectStoreUrl::parse(&url[..Position::BeforePath])
            .map_err(Error::engine("naming the object store"))?;
        let folder = Path::from_url_path(url.path()).map_err(|error| Error::Corrupt {
            what: "the location",
            location: open.location().to_string(),
            reason: error.to_string(),
        })?;
        for file in &mut files {
            file.path = folder.parts().chain(file.path.parts()).collect();
        }
        Ok(Self {
            location: open.location().clone(),
            version: open.version(),
            has_exact_bounds: open.commit().content.is_some(),
            root: open.table().log_store().root_object_store(None),
            store,
            schema,
            partition_fields: partition.into(),
            files,
            order: open.commit().order.clone(),
            assigned: None,
        })
    }

    /// Lists the files of groups, by their paths below the table's folder, and reads each group in one stream.
    ///
    /// **Errors**: those of [`GuardedScan::try_new`], and [`Error::Task`] when a file is not there, or in two groups.
    pub(crate) fn of_groups(open: &OpenTable, groups: &[Vec<String>]) -> Result<Self, Error> {
        let mut scan = Self::try_new(open)?;
        let folder = scan.folder()?;
        let mut places: BTreeMap<String, usize> = scan
            .files
            .iter()
            .enumerate()
            .map(|(place, file)| (file.path.to_string(), place))
            .collect();
        let mut assigned = Vec::with_capacity(groups.len());
        for group in groups {
            let found = group.iter().map(|path| {
                let place = places.remove(&format!("{folder}/{path}"));
                place.ok_or_else(|| Error::Task {
                    reason: format!(
                        "`{path}` is no file of {}, or is named twice",
                        open.version()
                    ),
                })
            });
            assigned.push(found.collect::<Result<_, _>>()?);
        }
        scan.assigned = Some(assigned);
        Ok(scan)
    }

    /// Deals the files that may hold a row for which the filters are true to groups, by their paths below the table's folder.
    pub(crate) fn assign(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        groups_max: usize,
    ) -> Result<Vec<Vec<String>>> {
        let helpful = filters.iter().filter(|filter| {
            guard::pushdown(filter, &self.schema) != TableProviderFilterPushDown::Unsupported
        });
        let helpful: Vec<Expr> = helpful.cloned().collect();
        let kept = self.prune(state, &helpful)?;
        let folder = self.folder();
        let folder = folder.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let below = format!("{folder}/");
        let groups = self.groups(&kept, groups_max).into_iter().map(|group| {
            let files = group.iter();
            let paths = files.map(|file| {
                let path = file.object_meta.location.as_ref();
                path.strip_prefix(&below).unwrap_or(path).to_owned()
            });
            paths.collect()
        });
        Ok(groups.collect())
    }

    /// The table's folder in its store.
    fn folder(&self) -> Result<Path, Error> {
        Path::from_url_path(self.location.url().path()).map_err(|error| Error::Corrupt {
            what: "the location",
            location: self.location.to_string(),
            reason: error.to_string(),
        })
    }

    /// Lists some of the files, by their paths below the table's folder. No order is claimed of them.
    ///
    /// **Errors**: those of [`GuardedScan::try_new`], and [`Error::Corrupt`] when one is not there, and when files have deletion
    /// vectors, or columns under other names: rows are not what such files hold.
    pub fn of_files(open: &OpenTable, paths: &BTreeSet<String>) -> Result<Self, Error> {
        if !open.holds_what_files_hold()? {
            return Err(Error::Corrupt {
                what: "the files",
                location: open.location().to_string(),
                reason: "they have deletion vectors, or columns under other names".to_owned(),
            });
        }
        let mut scan = Self::try_new(open)?;
        let folder = scan.folder()?;
        let wanted: BTreeSet<String> = paths
            .iter()
            .map(|path| format!("{folder}/{path}"))
            .collect();
        scan.files
            .retain(|file| wanted.contains(file.path.as_ref()));
        if scan.files.len() != wanted.len() {
            return Err(Error::Corrupt {
                what: "the paths",
                location: open.location().to_string(),
                reason: format!(
                    "{} files are looked for, and {} are found",
                    wanted.len(),
                    scan.files.len()
                ),
            });
        }
        scan.order = None;
        Ok(scan)
    }

    /// Where the table lies, and the version.
    pub(crate) fn pinned(&self) -> (Url, Version) {
        (self.location.url().clone(), self.version)
    }

    /// Whether the bounds in the log are values that are there.
    pub(crate) fn has_exact_bounds(&self) -> bool {
        self.has_exact_bounds
    }

    /// How many files the version has.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Rows of all files, where the log says it of each.
    pub fn rows(&self) -> Option<usize> {
        self.files.iter().try_fold(0, |sum, file| {
            Some(sum + file.statistics.num_rows.get_value()?)
        })
    }

    /// The order that scans declare.
    pub fn order(&self) -> Option<&OrderingClaim> {
        self.order.as_ref()
    }

    /// The files that may hold a row for which the filters are true.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&TableFile>> {
        let all = || self.files.iter().collect();
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(all());
        };
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let predicate = state.create_physical_expr(filter, &schema)?;
        let pruning = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(&self.schema))
            .try_build(predicate)?;
        if pruning.always_true() {
            return Ok(all());
        }
        let statistics = self
            .files
            .iter()
            .map(|file| Arc::new(with_typed_gaps(with_partition(file), &self.schema)))
            .collect();
        let keep = pruning.prune(&PrunableStatistics::new(
            statistics,
            Arc::clone(&self.schema),
        ))?;
        Ok(self
            .files
            .iter()
            .zip(keep)
            .filter_map(|(file, keep)| keep.then_some(file))
            .collect())
    }

    /// Splits files into contiguous groups of about equal size, so that every group keeps the order.
    fn groups(&self, files: &[&TableFile], groups_max: usize) -> Vec<FileGroup> {
        if let Some(assigned) = &self.assigned {
            let kept: BTreeSet<&Path> = files.iter().map(|file| &file.path).collect();
            let groups = assigned.iter().map(|group| {
                let files = group.iter().map(|place| &self.files[*place]);
                let files = files.filter(|file| kept.contains(&file.path));
                FileGroup::new(files.map(partitioned).collect())
            });
            return groups.filter(|group| !group.is_empty()).collect();
        }
        let total: u64 = files.iter().map(|file| file.size).sum();
        let share = total
            .div_ceil(u64::try_from(groups_max.max(1)).unwrap_or(1))
            .max(1);
        let mut groups: Vec<Vec<PartitionedFile>> = vec![Vec::new()];
        let mut filled = 0;
        for file in files {
            let last = groups.len() - 1;
            if filled >= share && groups.len() < groups_max {
                groups.push(vec![partitioned(file)]);
                filled = file.size;
            } else {
                groups[last].push(partitioned(file));
                filled += file.size;
            }
        }
        groups.into_iter().map(FileGroup::new).collect()
    }

    fn ordering(&self) -> Option<LexOrdering> {
        let keys = self.order.as_ref()?.keys();
        LexOrdering::new(keys.iter().map_while(|key| {
            let index = self.schema.index_of(key.column.as_str()).ok()?;
            let column = Arc::new(Column::new(key.column.as_str(), index));
            let options = SortOptions {
                descending: key.descending,
                nulls_first: true,
            };
            Some(PhysicalSortExpr::new(column, options))
        }))
    }
}

fn partitioned(file: &TableFile) -> PartitionedFile {
    let mut found = PartitionedFile::new(String::new(), file.size);
    // A path made from text would be escaped once more, and name another file.
    found.object_meta.location = file.path.clone();
    found
        .with_partition_values(file.partition_values.clone())
        .with_statistics(Arc::clone(&file.statistics))
}

/// The statistics with the partition values as bounds.
fn with_partition(file: &TableFile) -> Statistics {
    let mut statistics = file.statistics.as_ref().clone();
    for value in &file.partition_values {
        let mut column = datafusion::common::ColumnStatistics::new_unknown();
        if value.is_null() {
            column.null_count = statistics.num_rows;
        } else {
            column.null_count = Precision::Exact(0);
            column.min_value = Precision::Exact(value.clone());
            column.max_value = Precision::Exact(value.clone());
        }
        statistics.column_statistics.push(column);
    }
    statistics
}

/// Puts nulls of the columns' types in the place of bounds that are not known, and takes bounds of numbers that may not be
/// values of a row for what they are: bounds. Those of texts may be prefixes, which bound nothing from above.
///
/// The engine puts nulls without a type there, makes no list of bounds of them and the others, and then skips no file by the
/// column at all: one file without values of a column was enough.
fn with_typed_gaps(mut statistics: Statistics, schema: &SchemaRef) -> Statistics {
    for (column, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
        for bound in [&mut column.min_value, &mut column.max_value] {
            match bound {
                Precision::Exact(_) => {}
                Precision::Inexact(value) if field.data_type().is_integer() => {
                    *bound = Precision::Exact(value.clone());
                }
                _ => {
                    if let Ok(unknown) = ScalarValue::try_from(field.data_type()) {
                        *bound = Precision::Exact(unknown);
                    }
                }
            }
        }
    }
    statistics
}

/// Orders files by their smallest values of the claimed keys. Whether the files then really follow each other is
/// checked by DataFusion against their bounds; where they do not, it ignores the claim.
fn sort_by_order(files: &mut [TableFile], order: &OrderingClaim, schema: &SchemaRef) {
    let columns: Vec<(usize, bool)> = order
        .keys()
        .iter()
        .map_while(|key| Some((schema.index_of(key.column.as_str()).ok()?, key.descending)))
        .collect();
    let lower = |file: &TableFile| -> Vec<(Option<ScalarValue>, bool)> {
        let bounds = with_partition(file).column_statistics;
        columns
            .iter()
            .map(|(index, descending)| {
                let column = &bounds[*index];
                let bound = if *descending {
                    &column.max_value
                } else {
                    &column.min_value
                };
                (bound.get_value().cloned(), *descending)
            })
            .collect()
    };
    files.sort_by_cached_key(|file| Bounds(lower(file)));
}

/// Bounds in the order of their keys; what is not comparable counts as equal.
struct Bounds(Vec<(Option<ScalarValue>, bool)>);

impl Ord for Bounds {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        for ((a, descending), (b, _)) in self.0.iter().zip(&other.0) {
            let order = match (a, b) {
                (Some(a), Some(b)) => a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal),
                (None, None) => std::cmp::Ordering::Equal,
                (None, Some(_)) => std::cmp::Ordering::Less,
                (Some(_), None) => std::cmp::Ordering::Greater,
            };
            let order = if *descending { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    }
}

impl PartialOrd for Bounds {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bounds {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bounds {}

#[async_trait]
impl TableProvider for GuardedScan {
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
            .map(|filter| guard::pushdown(filter, &self.schema))
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let runtime = state.runtime_env();
        if runtime.object_store(&self.store).is_err() {
            runtime.register_object_store(self.store.as_ref(), Arc::clone(&self.root));
        }
        let files = self.prune(state, filters)?;
        let groups = self.groups(&files, state.config().target_partitions());
        if groups.iter().all(FileGroup::is_empty) {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let data_columns = self.schema.fields().len() - self.partition_fields.len();
        let file_schema = Arc::new(Schema::new(self.schema.fields()[..data_columns].to_vec()));
        let table_schema = TableSchema::builder(file_schema)
            .with_table_partition_cols(self.partition_fields.clone())
            .build();
        let mut options = state.config_options().execution.parquet.clone();
        wide_times(&mut options);
        let mut source = ParquetSource::new(table_schema).with_table_parquet_options(
            datafusion::common::config::TableParquetOptions {
                global: options,
                ..Default::default()
            },
        );
        if files.iter().all(|file| is_own(file.path.as_ref())) {
            // Files of one name have one content, so that what was read of a footer stays true.
            let store = runtime.object_store(&self.store)?;
            let cache = runtime.cache_manager.get_file_metadata_cache();
            let readers = CachedParquetFileReaderFactory::new(store, cache);
            source = source.with_parquet_file_reader_factory(Arc::new(readers));
        }
        let config = FileScanConfigBuilder::new(self.store.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_output_ordering(self.ordering().into_iter().collect())
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
