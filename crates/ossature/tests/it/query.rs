//! `query`: SQL in, rows out in four formats, and nothing changes.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use expect_test::{Expect, expect};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use crate::program::{Failure, Lake, command, ossature, output};
use crate::shop::{Tree, shop};

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
fn bytes_are_shortened_for_people_only() -> Result<(), Failure> {
    let sql = "SELECT payload FROM runs.run_manifest LIMIT 1";
    let shown = output(shop()?.lake.arguments(&["query", sql]))?;
    let longest = shown.lines().map(|line| line.chars().count()).max();
    assert!(
        shown.contains("… (") && shown.contains(" bytes)"),
        "{shown}"
    );
    assert!(longest < Some(80), "{shown}");
    let whole = output(shop()?.lake.arguments(&["query", sql, "--format", "csv"]))?;
    assert!(whole.len() > 1000 && !whole.contains('…'));
    Ok(())
}

#[test]
fn records_of_which_there_are_none_are_tables_without_rows() -> Result<(), Failure> {
    let sql = "SELECT count(*) AS n FROM runs.feed_consumptions";
    assert_eq!(shop()?.lake.number(sql)?, 0);
    Ok(())
}

#[test]
fn rows_as_csv() -> Result<(), Failure> {
    check(
        TWO_FILES,
        "csv",
        &expect![[r#"
            path,status,reason,line_count
            broken.py,partial,syntax_error,6
            main.py,parsed,,6
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
        [{"path":"broken.py","status":"partial","reason":"syntax_error","line_count":6},{"path":"main.py","status":"parsed","reason":null,"line_count":6}]
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
        │ broken.py ┆ partial ┆ syntax_error ┆ 6          │
        │ main.py   ┆ parsed  ┆              ┆ 6          │
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
                | broken.py | partial | syntax_error | 6          |
                | main.py   | parsed  |              | 6          |
                +-----------+---------+--------------+------------+"#]]
            .assert_eq(&pretty_format_batches(&batches)?.to_string());
        }
    }
    Ok(())
}

#[test]
fn lists_maps_and_structs_are_json_in_csv() -> Result<(), Failure> {
    check(
        "SELECT 1 AS one, [1, NULL] AS list, MAP {'k': 'a, \"b\"'} AS map, named_struct('x', NULL) AS struct, \
         CAST(NULL AS INT[]) AS none",
        "csv",
        &expect![[r#"
            one,list,map,struct,none
            1,"[1,null]","{""k"":""a, \""b\""""}","{""x"":null}",
        "#]],
    )?;
    check(
        "SELECT [1] AS list FROM extract.files WHERE path = 'nowhere.py'",
        "csv",
        &expect![[r#"
            list
        "#]],
    )?;
    let lake = &shop()?.lake;
    for table in ["cpg_props_map", "cpg_edges_by_src", "cpg_edges_by_dst"] {
        let sql = format!("SELECT * FROM {table}");
        let rows = output(lake.arguments(&["query", &sql, "--format", "csv"]))?;
        let counted = lake.number(&format!("SELECT count(*) AS n FROM {table}"))?;
        assert_eq!(rows.lines().count() as u64, counted + 1, "{table}");
    }
    Ok(())
}

/// More rows than a pipe holds.
const MANY_ROWS: &str =
    "SELECT a.node_id, b.path FROM extract.nodes AS a CROSS JOIN extract.files AS b";

#[test]
fn a_table_for_people_is_cut_and_the_cut_is_no_data() -> Result<(), Failure> {
    let answer = ossature(shop()?.lake.arguments(&["query", MANY_ROWS]))?;
    assert_eq!(answer.code, Some(0));
    assert_eq!(answer.stdout.lines().count(), 1000 + 4);
    assert!(answer.stdout.ends_with("┘\n"));
    expect![[r#"
        warning: only the first 1000 rows are shown; `--format csv` gives all
    "#]]
    .assert_eq(&answer.stderr);
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() -> Result<(), Failure> {
    for format in ["csv", "json"] {
        let arguments = ["query", MANY_ROWS, "--format", format];
        let mut query = command(shop()?.lake.arguments(&arguments)).spawn()?;
        let mut pipe = query.stdout.take().ok_or("no pipe")?;
        pipe.read_exact(&mut [0; 100])?;
        drop(pipe);
        let answer = query.wait_with_output()?;
        let said = String::from_utf8(answer.stderr)?;
        assert_eq!(
            (answer.status.code(), said.as_str()),
            (Some(0), ""),
            "{format}"
        );
    }
    Ok(())
}

#[test]
fn rows_that_cannot_be_written_are_a_failure() -> Result<(), Failure> {
    let lake = &shop()?.lake;
    for format in ["csv", "json", "table", "parquet"] {
        let sql = "SELECT node_id, node_kind FROM extract.nodes";
        let arguments = ["query", sql, "--format", format, "--output", "/dev/full"];
        let answer = ossature(lake.arguments(&arguments))?;
        assert_eq!(answer.code, Some(5), "{format}: {}", answer.stderr);
        assert!(answer.stderr.contains("output_failed"), "{}", answer.stderr);
    }
    Ok(())
}

#[test]
fn a_query_answers_for_its_words_and_the_lake_for_its_files() -> Result<(), Failure> {
    let (tree, lake) = (Tree::empty()?, Lake::new()?);
    tree.write("a.py", "def f():\n    return 1\n")?;
    lake.build(tree.root(), 1)?;
    for sql in [
        "SELECT * FROM nowhere",
        "SELECT nothing FROM extract.files",
        "SELECT 1 FROM extract.files WHERE path",
        "SELECT sum(path) FROM extract.files",
        "SELECT CAST(path AS INT) FROM extract.files",
        "SELECT 1 FROM extract.files WHERE CAST(path AS INT) = 1",
        "SELECT line_count / 0 FROM extract.files",
        "SELECT regexp_like(path, '(') FROM extract.files",
    ] {
        let answer = ossature(lake.arguments(&["query", sql]))?;
        assert_eq!(answer.code, Some(2), "{sql}: {}", answer.stderr);
        assert!(answer.stderr.contains("query_failed"), "{}", answer.stderr);
    }

    let files = lake.data_files()?.into_keys();
    let file = files
        .filter(|file| file.starts_with("extract/files"))
        .map(|file| lake.path().join(file))
        .next();
    let file = file.ok_or("no file")?;
    for damage in [
        |file| fs::write(file, "no Parquet"),
        fs::remove_file::<&Path>,
    ] {
        damage(&file)?;
        for format in ["table", "csv", "json"] {
            let sql = "SELECT path FROM extract.files";
            let answer = ossature(lake.arguments(&["query", sql, "--format", format]))?;
            let said = answer.stderr;
            assert_eq!(answer.code, Some(5), "{said}");
            assert!(said.contains("engine_failure"), "{said}");
            assert!(!said.contains("SHOW TABLES"), "{said}");
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
    let of_stages = tables
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','));
    let listed: Vec<&str> = of_stages.map(|(_, table)| table).collect();
    assert!(listed.is_sorted(), "{tables}");
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

/// The engine walks trees by recursion: a chain that is followed must not end the process, in whatever profile.
#[test]
fn long_chains_are_followed_or_refused() -> Result<(), Failure> {
    let lake = &shop()?.lake;
    let ask = |sql: &str| ossature(lake.arguments(&["query", sql, "--format", "csv"]));
    let sum = |terms: usize| format!("SELECT {} AS sum", vec!["1"; terms].join(" + "));
    assert_eq!(ask(&sum(4000))?.stdout, "sum\n4000\n");
    let either = |terms: usize| {
        let terms: Vec<String> = (0..terms).map(|id| format!("node_id = {id}")).collect();
        format!(
            "SELECT count(*) AS n FROM cpg_nodes WHERE {}",
            terms.join(" OR ")
        )
    };
    assert_eq!(ask(&either(2000))?.stdout, "n\n0\n");
    for sql in [sum(20_000), either(5000)] {
        let refused = ask(&sql)?;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
        let said = refused.stderr;
        assert!(
            said.contains("query_too_deep") && said.contains("IN (1, 2, 3)"),
            "{said}"
        );
    }
    Ok(())
}

#[test]
fn a_file_is_replaced_when_all_rows_are_there() -> Result<(), Failure> {
    let lake = &shop()?.lake;
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = folder.path().join("rows.csv");
    fs::write(&path, "kept")?;
    let file = path.to_string_lossy().into_owned();
    let ask =
        |sql: &str| ossature(lake.arguments(&["query", sql, "--format", "csv", "--output", &file]));
    let failed = ask("SELECT CAST(path AS INT) AS number FROM extract.files")?;
    assert_eq!(failed.code, Some(2), "{}", failed.stderr);
    assert_eq!(fs::read_to_string(&path)?, "kept");
    assert_eq!(ask("SELECT 1 AS one")?.code, Some(0));
    assert_eq!(fs::read_to_string(&path)?, "one\n1\n");
    assert_eq!(fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}
