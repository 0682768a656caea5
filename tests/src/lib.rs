//! Fixtures of the end-to-end tests: small tables, written by our writer and by somebody else's.

mod graph_run;
mod hand_made;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use deltalake_core::DeltaTable;
use deltalake_core::protocol::SaveMode;
use ossature_delta_policy::{PolicyOverrides, TablePolicy, resolve};
use ossature_registry::{Lake, TableLocation};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetName, DatasetSpec};
use ossature_write_pipeline::{
    EncodePool, Error, Provenance, TableWriter, WriteFailure, WriteMode, WriteOutcome, WriteRequest,
};
use tempfile::TempDir;

pub use graph_run::{facts_of, graph, graph_run};
pub use hand_made::HandMade;

/// What fixtures may fail with.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A lake in a folder that is removed with it.
#[derive(Debug)]
pub struct TemporaryLake {
    folder: TempDir,
    /// The lake.
    pub lake: Lake,
}

impl TemporaryLake {
    /// An empty lake.
    pub fn try_new() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let lake = Lake::try_new(&folder.path().to_string_lossy())?;
        Ok(Self { folder, lake })
    }

    /// The lake's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where a dataset lies.
    pub fn location(&self, dataset: &str) -> Result<TableLocation, Failure> {
        Ok(self.lake.location(&DatasetName::try_new(dataset)?)?)
    }
}

/// `id` never null, `name` and `weight` nullable; ordered by `id`, which is the key.
pub fn things(name: &str) -> Result<DatasetSpec, Failure> {
    Ok(DatasetSpec::builder(name, "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
        .column(ColumnSpec::nullable("weight", ColumnType::Float64)?)
        .key(["id"])
        .order_by(["id"])
        .build()?)
}

/// Rows of [`things`]: ids as given, a name for every second one, and weights of which every third is NaN.
pub fn rows(ids: impl IntoIterator<Item = i64>) -> Result<RecordBatch, Failure> {
    let ids: Vec<i64> = ids.into_iter().collect();
    let name = |id: &i64| (id % 2 == 0).then(|| format!("thing {id}"));
    let weight = |id: &i64| match id % 3 {
        0 => Some(f64::NAN),
        1 => i32::try_from(id % 1000).ok().map(f64::from),
        _ => None,
    };
    let columns: [(&str, ArrayRef); 3] = [
        (
            "name",
            Arc::new(ids.iter().map(name).collect::<StringArray>()),
        ),
        (
            "weight",
            Arc::new(ids.iter().map(weight).collect::<Float64Array>()),
        ),
        ("id", Arc::new(Int64Array::from(ids))),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )?)
}

/// A request to write a dataset, with files of at most `rows_per_file` rows.
pub fn request(
    lake: &Lake,
    contract: &DatasetSpec,
    rows_per_file: u64,
    mode: WriteMode,
) -> Result<WriteRequest, Failure> {
    let nothing = PolicyOverrides::none();
    let rows = rows_per_file.try_into()?;
    let policy = TablePolicy::default().rows_per_file_max(rows);
    Ok(WriteRequest {
        location: lake.location(contract.name())?,
        policy: resolve(&nothing, &nothing, contract, &policy, &[])?,
        contract: contract.clone(),
        mode,
        provenance: Provenance {
            run_id: "test".to_owned(),
            at_unix_ms: 0,
            plan: None,
            transaction: None,
            metadata: BTreeMap::new(),
        },
    })
}

/// Writes batches with our writer.
pub async fn write(
    request: WriteRequest,
    threads: usize,
    batches: impl IntoIterator<Item = RecordBatch>,
) -> Result<WriteOutcome, Failure> {
    let pool = EncodePool::try_new(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))?;
    let mut writer = TableWriter::open(request, pool).await?;
    for batch in batches {
        writer.push(&batch).await?;
    }
    Ok(writer.finish().await?)
}

/// The code of a write's error.
pub fn code_of(failure: &Failure) -> Option<&'static str> {
    let error = failure.downcast_ref::<Error>().map(Error::code);
    error.or_else(|| Some(failure.downcast_ref::<Box<WriteFailure>>()?.code()))
}

/// Writes batches with delta-rs, one commit for each.
pub async fn write_foreign(
    location: &TableLocation,
    batches: impl IntoIterator<Item = RecordBatch>,
) -> Result<DeltaTable, Failure> {
    std::fs::create_dir_all(location.to_string())?;
    let mut table = DeltaTable::try_from_url(location.url().clone()).await?;
    for batch in batches {
        table = table
            .write([batch])
            .with_save_mode(SaveMode::Append)
            .await?;
    }
    Ok(table)
}

/// The Parquet files below a folder, logs aside: their paths below `root`, and their bytes.
pub fn files_below(folder: &Path, root: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("_delta_log") {
                found.extend(files_below(&path, root)?);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            let below = path.strip_prefix(root)?.to_string_lossy().into_owned();
            found.insert(below, std::fs::read(&path)?);
        }
    }
    Ok(found)
}
