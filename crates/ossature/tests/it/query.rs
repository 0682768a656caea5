//! `query`: SQL in, rows out in four formats, and nothing changes.

use std::fs::File;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use expect_test::{Expect, expect};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use crate::program::{Failure, ossature, output};
use crate::shop::shop;

const TWO_FILES: &str = "SELECT path, status, reason, line_count FROM extract.files \
    WHERE path IN ('main.py', 'broken.py') ORDER BY path";
const NO_FILES: &str = "SELECT path, status FROM extract.files WHERE path = 'nowhere.py'";

#[track_caller]
fn check(sql: &str, format: &str, want: &Expect) -> Result<(), Failure> {
    let lake = &shop()?.lake;
    want.assert_eq(&output(
        lake.arguments(&["query", sql, "--format", format]),
    )?);
    Ok(())
}

#[test]
fn rows_as_csv() -> Result<(), Failure> {
    check(
        TWO_FILES,
        "csv",
        &expect![[r#"
            path,status,reason,line_count
            broken.py,partial,syntax_error,7
            main.py,parsed,,7
        "#]],
    )?;
    check(
        NO_FILES,
        "csv",
        &expect![[r#"
        path,status
    "#]],
    )
}

#[test]
fn rows_as_json() -> Result<(), Failure> {
    check(
        TWO_FILES,
        "json",
        &expect![[r#"
        [{"path":"broken.py","status":"partial","reason":"syntax_error","line_count":7},{"path":"main.py","status":"parsed","reason":null,"line_count":7}]
    "#]],
    )?;
    check(
        NO_FILES,
        "json",
        &expect![[r#"
        []
    "#]],
    )
}

#[test]
fn rows_as_a_table() -> Result<(), Failure> {
    check(
        TWO_FILES,
        "table",
        &expect![[r#"
        ┌───────────┬─────────┬──────────────┬────────────┐
        │ path      ┆ status  ┆ reason       ┆ line_count │
        ╞═══════════╪═════════╪══════════════╪════════════╡
        │ broken.py ┆ partial ┆ syntax_error ┆ 7          │
        │ main.py   ┆ parsed  ┆              ┆ 7          │
        └───────────┴─────────┴──────────────┴────────────┘
    "#]],
    )?;
    check(
        NO_FILES,
        "table",
        &expect![[r#"
        ┌──────┬────────┐
        │ path ┆ status │
        ╞══════╪════════╡
        └──────┴────────┘
    "#]],
    )
}

#[test]
fn rows_as_a_parquet_file() -> Result<(), Failure> {
    let lake = &shop()?.lake;
    let folder = TempDir::new()?;
    for (sql, rows) in [(TWO_FILES, 2), (NO_FILES, 0)] {
        let file = folder.path().join("rows.parquet");
        let to = file.to_str().unwrap_or_default();
        let arguments = ["query", sql, "--format", "parquet", "--output", to];
        assert_eq!(output(lake.arguments(&arguments))?, "");
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file)?)?.build()?;
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>()?;
        assert_eq!(
            batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
            rows
        );
        if rows > 0 {
            expect![[r#"
                +-----------+---------+--------------+------------+
                | path      | status  | reason       | line_count |
                +-----------+---------+--------------+------------+
                | broken.py | partial | syntax_error | 7          |
                | main.py   | parsed  |              | 7          |
                +-----------+---------+--------------+------------+"#]]
            .assert_eq(&pretty_format_batches(&batches)?.to_string());
        }
    }
    Ok(())
}

#[test]
fn tables_are_found_as_the_hints_say() -> Result<(), Failure> {
    let shop = shop()?;
    let tables = output(
        shop.lake
            .arguments(&["query", "SHOW TABLES", "--format", "csv"]),
    )?;
    for name in [
        "cpg,cpg_nodes",
        "cpg,edges_all",
        "extract,files",
        "runs,run_manifest",
    ] {
        assert!(tables.contains(name), "{name} in\n{tables}");
    }
    let columns = output(
        shop.lake
            .arguments(&["query", "DESCRIBE cpg_nodes", "--format", "csv"]),
    )?;
    assert!(columns.contains("node_id,Int64,NO"), "{columns}");
    let run_id = shop.summary["run_id"].as_str().unwrap_or_default();
    let sql = "SELECT count(*) AS n FROM runs.run_manifest";
    let counted = output(
        shop.lake
            .arguments(&["query", sql, "--run", run_id, "--format", "csv"]),
    )?;
    assert_eq!(counted, "n\n2\n");
    Ok(())
}

#[test]
fn whatever_would_change_something_is_refused() -> Result<(), Failure> {
    let lake = &shop()?.lake;
    let folder = TempDir::new()?;
    let file = folder.path().join("stolen.csv");
    let copy = format!("COPY (SELECT 1) TO '{}'", file.display());
    let before = lake.data_files()?;
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "DROP TABLE cpg.cpg_nodes",
        "INSERT INTO extract.exports SELECT * FROM extract.exports",
        "EXPLAIN ANALYZE INSERT INTO extract.exports SELECT * FROM extract.exports",
        "DELETE FROM cpg.cpg_nodes",
        "SET datafusion.execution.batch_size = 1",
        &copy,
    ] {
        let refused = ossature(lake.arguments(&["query", sql]))?;
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(3), ""),
            "{sql}"
        );
        assert!(
            refused.stderr.contains("query_refused"),
            "{}",
            refused.stderr
        );
    }
    assert!(!file.exists());
    assert!(lake.data_files()? == before);
    Ok(())
}
