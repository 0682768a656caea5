//! Tables that Spark wrote, and the rows that a correct reader returns of them: the golden tables of Delta Lake.
//!
//! They are no part of this repository. `OSSATURE_DELTA_GOLDEN` names a folder with `NAME.tar.zst` for every table,
//! in which lie `NAME/delta`, the table, and mostly `NAME/expected`, Parquet files with its rows. Without the variable
//! the tests say so and pass.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::ident;
use datafusion::prelude::{Expr, ParquetReadOptions, SessionContext};
use ossature_registry::{SessionSpec, StoredTable, TableLocation, open_stored};
use ossature_schema_spec::Version;
use ossature_tests::Failure;
use tempfile::TempDir;

const FOLDER: &str = "OSSATURE_DELTA_GOLDEN";

/// Tables that are refused when they are opened: the code, and why that is right.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "basic-with-vacuum-protocol-check-feature",
        "unsupported_table",
        "the runtime does not know the feature",
    ),
    (
        "canonicalized-paths-normal-a",
        "ambiguous_path",
        "its only file is removed under another spelling, and the runtime keeps it",
    ),
    ("canonicalized-paths-normal-b", "ambiguous_path", "as a"),
    ("canonicalized-paths-special-a", "ambiguous_path", "as a"),
    ("canonicalized-paths-special-b", "ambiguous_path", "as a"),
    (
        "data-reader-absolute-paths-escaped-chars",
        "invalid_log",
        "no metadata",
    ),
    (
        "deltalog-commit-info",
        "invalid_log",
        "metadata without a schema",
    ),
    (
        "deltalog-invalid-protocol-version",
        "invalid_log",
        "features at another reader version than 3",
    ),
    (
        "deltalog-state-reconstruction-from-checkpoint-missing-metadata",
        "invalid_log",
        "no metadata",
    ),
    (
        "deltalog-state-reconstruction-from-checkpoint-missing-protocol",
        "invalid_log",
        "no protocol",
    ),
    (
        "deltalog-state-reconstruction-without-metadata",
        "invalid_log",
        "no metadata",
    ),
    (
        "deltalog-state-reconstruction-without-protocol",
        "invalid_log",
        "no protocol",
    ),
    ("no-delta-log-folder", "no_table", "no log"),
    (
        "update-deleted-directory",
        "invalid_log",
        "metadata without a schema",
    ),
    (
        "versions-not-contiguous",
        "invalid_log",
        "version 1 is missing",
    ),
];

/// Tables that are opened only, because their files hold no Parquet: the names of the files.
const OPENED: &[(&str, &[&str])] = &[
    ("checkpoint", &["15"]),
    (
        "delete-re-add-same-file-different-transactions",
        &["bar", "foo"],
    ),
    ("log-replay-special-characters-b", &["special p@#h"]),
];

/// Tables whose earlier versions are other tables: the version, and the table whose rows it has.
const VERSIONS: &[(&str, u64, &str)] = &[
    ("snapshot-repartitioned", 0, "snapshot-data0"),
    ("snapshot-repartitioned", 1, "snapshot-data1"),
    ("snapshot-repartitioned", 2, "snapshot-data2"),
    ("snapshot-repartitioned", 3, "snapshot-data3"),
    ("snapshot-repartitioned", 4, "snapshot-data2-deleted"),
    ("time-travel-start-start20-start40", 0, "time-travel-start"),
    (
        "time-travel-start-start20-start40",
        1,
        "time-travel-start-start20",
    ),
    (
        "time-travel-partition-changes-b",
        0,
        "time-travel-partition-changes-a",
    ),
    (
        "time-travel-schema-changes-b",
        0,
        "time-travel-schema-changes-a",
    ),
];

/// The tables of Hive's tests, which have no `expected`: how many rows they have.
const HIVE: &[(&str, usize)] = &[
    ("deltatbl-column-names-case-insensitive", 10),
    ("deltatbl-deleted-path", 10),
    ("deltatbl-incorrect-format-config", 10),
    ("deltatbl-map-types-correctly", 1),
    ("deltatbl-non-partitioned", 10),
    ("deltatbl-not-allow-write", 10),
    ("deltatbl-partition-prune", 5),
    ("deltatbl-partitioned", 10),
    ("deltatbl-schema-match", 10),
    ("deltatbl-special-chars-in-partition-column", 10),
    ("deltatbl-touch-files-needed-for-partitioned", 10),
];

/// Tables over which filters are compared: every type as a column with bounds and as a partition column, with column
/// mapping, checkpoints and deletion vectors.
const FILTERED: &[&str] = &[
    "basic-decimal-table",
    "data-reader-escaped-chars",
    "data-reader-partition-values",
    "data-reader-timestamp_ntz",
    "data-reader-timestamp_ntz-id-mode",
    "data-skipping-basic-stats-all-types",
    "data-skipping-basic-stats-all-types-checkpoint",
    "data-skipping-basic-stats-all-types-columnmapping-id",
    "data-skipping-basic-stats-all-types-columnmapping-name",
    "data-skipping-change-stats-collected-across-versions",
    "data-skipping-partition-and-data-column",
    "dv-partitioned-with-checkpoint",
    "dv-with-columnmapping",
    "kernel-timestamp-int96",
    "kernel-timestamp-timestamp_millis",
    "parquet-all-types",
];

/// The tables, unpacked into a folder that is removed with it; nothing where there are none.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn unpack(wanted: impl Fn(&str) -> bool) -> Result<Option<TempDir>, Failure> {
    let Some(archives) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        eprintln!("skipped: {FOLDER} names no folder with the golden tables of Delta Lake");
        return Ok(None);
    };
    let folder = tempfile::tempdir()?;
    let mut unpacked = 0;
    for archive in std::fs::read_dir(&archives)? {
        let path = archive?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.strip_suffix(".tar.zst").is_some_and(&wanted) {
            let bytes = zstd::Decoder::new(File::open(&path)?)?;
            tar::Archive::new(bytes).unpack(folder.path())?;
            unpacked += 1;
        }
    }
    if unpacked == 0 {
        return Err(format!("no golden tables in {}", archives.display()).into());
    }
    Ok(Some(folder))
}

async fn open(
    folder: &Path,
    version: Option<u64>,
) -> Result<StoredTable, ossature_registry::Error> {
    let location = TableLocation::try_new(&folder.to_string_lossy())?;
    open_stored(&location, version.map(Version::new)).await
}

/// A session in which the table is `t`.
async fn session(folder: &Path, version: Option<u64>) -> Result<SessionContext, Failure> {
    let session = SessionSpec::default().build()?;
    session.register_table("t", open(folder, version).await?.provider())?;
    Ok(session)
}

async fn collect(frame: DataFrame) -> Result<RecordBatch, Failure> {
    let schema = Arc::new(frame.schema().as_arrow().clone());
    Ok(concat_batches(&schema, &frame.collect().await?)?)
}

async fn all_rows(folder: &Path, version: Option<u64>) -> Result<RecordBatch, Failure> {
    collect(session(folder, version).await?.table("t").await?).await
}

async fn expected_rows(table: &Path) -> Result<RecordBatch, Failure> {
    let session = SessionSpec::default().build()?;
    let folder = table.join("expected");
    let frame = session
        .read_parquet(
            folder.to_string_lossy().into_owned(),
            ParquetReadOptions::default(),
        )
        .await?;
    collect(frame).await
}

/// The rows as sorted texts, of the columns and in the types of `schema`.
fn texts(rows: &RecordBatch, schema: &Schema) -> Result<Vec<String>, Failure> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let column = rows.column_by_name(field.name());
            let column = column.ok_or_else(|| format!("no column `{}`", field.name()))?;
            Ok(cast(column, field.data_type())?)
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let options = FormatOptions::new()
        .with_null("null")
        .with_display_error(false);
    let columns = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options))
        .collect::<Result<Vec<_>, _>>()?;
    let mut texts = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let mut text = String::new();
        for column in &columns {
            column.value(row).write(&mut text)?;
            text.push_str(" | ");
        }
        texts.push(text);
    }
    texts.sort();
    Ok(texts)
}

/// Whether the same rows are there, as often; where they are not, which differ.
fn check(what: &str, found: &RecordBatch, want: &RecordBatch) -> Result<(), Failure> {
    let names = |schema: SchemaRef| -> BTreeSet<String> {
        schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    };
    assert_eq!(names(found.schema()), names(want.schema()), "{what}");
    let (found, want) = (
        texts(found, want.schema_ref())?,
        texts(want, want.schema_ref())?,
    );
    let differing = |ours: &[String], theirs: &[String]| -> Vec<String> {
        let theirs: BTreeSet<&String> = theirs.iter().collect();
        let missing = ours.iter().filter(|row| !theirs.contains(row));
        missing.take(3).cloned().collect()
    };
    assert!(
        found == want,
        "{what}: {} rows instead of {}; found {:#?}, wanted {:#?}",
        found.len(),
        want.len(),
        differing(&found, &want),
        differing(&want, &found),
    );
    Ok(())
}

#[tokio::test]
async fn every_table_is_read_right_or_refused() -> Result<(), Failure> {
    let Some(folder) = unpack(|_| true)? else {
        return Ok(());
    };
    let mut tables = 0;
    for entry in std::fs::read_dir(folder.path())? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        tables += 1;
        if name == "hive" {
            continue;
        }
        let found = open(&path.join("delta"), None).await;
        if let Some((_, code, _)) = REFUSED.iter().find(|(refused, ..)| *refused == name) {
            let refused = found.err().map(|error| error.code());
            assert_eq!(refused, Some(*code), "{name}");
            continue;
        }
        let found = found.map_err(|error| format!("{name}: {error:?}"))?;
        if let Some((_, want)) = OPENED.iter().find(|(opened, _)| *opened == name) {
            let log = found.open().table().snapshot()?.log_data();
            let mut files: Vec<String> = log.iter().map(|file| file.path().into_owned()).collect();
            files.sort();
            assert_eq!(files, *want, "{name}");
            continue;
        }
        let found = all_rows(&path.join("delta"), None).await?;
        let mut want = expected_rows(&path).await?;
        if name == "data-reader-partition-values" {
            want = with_utc_partitions(&want)?;
        }
        check(&name, &found, &want)?;
    }
    eprintln!("compared {tables} tables");
    assert!(tables >= 80, "{tables}");
    Ok(())
}

/// The rows of a table whose partition values are timestamps without a zone, which Spark wrote 7 hours behind UTC.
///
/// The protocol leaves the zone open. Like every reader but the writer itself, ours takes them for UTC.
fn with_utc_partitions(rows: &RecordBatch) -> Result<RecordBatch, Failure> {
    let at = rows.schema().index_of("as_timestamp")?;
    let data_type = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let stored = cast(rows.column(at), &data_type)?;
    let stored = stored.as_primitive::<TimestampMicrosecondType>();
    let moved = stored.unary::<_, TimestampMicrosecondType>(|at| at - 7 * 3_600_000_000);
    let mut columns = rows.columns().to_vec();
    columns[at] = cast(&moved.with_timezone("UTC"), columns[at].data_type())?;
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}

#[tokio::test]
async fn earlier_versions_have_the_rows_that_they_had() -> Result<(), Failure> {
    let wanted = |name: &str| name.starts_with("snapshot-") || name.starts_with("time-travel-");
    let Some(folder) = unpack(wanted)? else {
        return Ok(());
    };
    for (name, version, same) in VERSIONS {
        let found = all_rows(&folder.path().join(name).join("delta"), Some(*version)).await?;
        let want = expected_rows(&folder.path().join(same)).await?;
        check(&format!("{name} at {version}"), &found, &want)?;
    }
    // The files of the versions before were vacuumed: that is an error, and no empty table.
    let vacuumed = folder.path().join("snapshot-vacuumed/delta");
    assert!(all_rows(&vacuumed, Some(0)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn tables_of_other_catalogues_are_read() -> Result<(), Failure> {
    let Some(folder) = unpack(|name| name == "hive")? else {
        return Ok(());
    };
    for (name, want) in HIVE {
        let found = all_rows(&folder.path().join("hive/delta").join(name), None).await?;
        assert_eq!(found.num_rows(), *want, "{name}");
    }
    let special = folder
        .path()
        .join("hive/delta/deltatbl-special-chars-in-partition-column");
    let session = session(&special, None).await?;
    let sql = "SELECT c1 FROM t WHERE c2 = '+ =%0'";
    assert_eq!(session.sql(sql).await?.count().await?, 5);
    Ok(())
}

/// Filters skip files by bounds and partitions that others wrote. Each must find what it finds in the rows.
#[tokio::test]
async fn filters_find_what_is_there() -> Result<(), Failure> {
    let Some(folder) = unpack(|name| FILTERED.contains(&name))? else {
        return Ok(());
    };
    for name in FILTERED {
        let session = session(&folder.path().join(name).join("delta"), None).await?;
        let rows = collect(session.table("t").await?).await?;
        session.register_batch("rows", rows.clone())?;
        for (at, field) in rows.schema().fields().iter().enumerate() {
            for filter in filters(&rows, at)? {
                let found = session.table("t").await?.filter(filter.clone())?;
                let want = session.table("rows").await?.filter(filter.clone())?;
                let what = format!("{name} where {filter}");
                check(&what, &collect(found).await?, &collect(want).await?)?;
            }
            if !field.data_type().is_nested() {
                let column = format!("\"{}\"", field.name());
                let sql = format!("SELECT {column}, count(*) AS n FROM ");
                let grouped = async |table: &str| -> Result<RecordBatch, Failure> {
                    let sql = format!("{sql}{table} GROUP BY {column}");
                    collect(session.sql(&sql).await?).await
                };
                let what = format!("{name} by {column}");
                check(&what, &grouped("t").await?, &grouped("rows").await?)?;
            }
        }
    }
    Ok(())
}

/// Comparisons of a column with its smallest and its greatest value.
fn filters(rows: &RecordBatch, at: usize) -> Result<Vec<Expr>, Failure> {
    let column = || ident(rows.schema().field(at).name());
    let mut filters = vec![column().is_null(), column().is_not_null()];
    if rows.column(at).data_type().is_nested() {
        return Ok(filters);
    }
    let mut values = (0..rows.num_rows())
        .map(|row| ScalarValue::try_from_array(rows.column(at), row))
        .collect::<Result<Vec<_>, _>>()?;
    values.retain(|value| !value.is_null());
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    for value in values.first().into_iter().chain(values.last()) {
        let value = || Expr::Literal(value.clone(), None);
        filters.extend([
            column().eq(value()),
            column().not_eq(value()),
            column().lt(value()),
            column().gt(value()),
        ]);
    }
    Ok(filters)
}
