//! A scan is planned in one process and executed in another, which finds the same rows.

use std::env;
use std::fs;
use std::process::Command;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::common::ScalarValue;
use datafusion::prelude::{DataFrame, SessionContext, col, ident, lit};
use ossature_registry::{Error, Lake, ScanTask, SessionSpec, StorageOptions, open_table};
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write, write_foreign};
use ossature_write_pipeline::WriteMode;

/// Where the other process finds the lake and the tasks, and where it leaves what it found.
const LAKE: &str = "OSSATURE_TEST_TASK_LAKE";
const FOLDER: &str = "OSSATURE_TEST_TASK_FOLDER";

async fn lake() -> Result<TemporaryLake, Failure> {
    let lake = TemporaryLake::try_new()?;
    let asked = request(&lake.lake, &things("cpg.ours")?, 100, WriteMode::Overwrite)?;
    write(asked, 1, [rows(0..1_000)?]).await?;
    for from in (0..1_000).step_by(250) {
        write_foreign(&lake.location("cpg.theirs")?, [rows(from..from + 250)?]).await?;
    }
    Ok(lake)
}

async fn text(frame: DataFrame) -> Result<String, Failure> {
    let sorted = frame.sort_by(vec![ident("id")])?;
    Ok(pretty_format_batches(&sorted.collect().await?)?.to_string())
}

/// The task of one table: some of the rows, two of the columns, three groups.
async fn planned(
    lake: &TemporaryLake,
    table: &str,
    session: &SessionContext,
) -> Result<ScanTask, Failure> {
    let open = open_table(&lake.location(table)?, None).await?;
    let filters = [
        col("id").between(lit(150_i64), lit(760_i64)),
        col("weight").gt(lit(300.0)),
        datafusion::functions::expr_fn::length(col("name")).gt(lit(0)),
    ];
    Ok(ScanTask::plan(&open, session, Some(&["name", "id"]), &filters, 3).await?)
}

/// What the other process does. In this one it is skipped.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that is started as a process of its own gets no other arguments"
)]
#[tokio::test]
async fn tasks_are_executed_here() -> Result<(), Failure> {
    let (Ok(lake), Ok(folder)) = (env::var(LAKE), env::var(FOLDER)) else {
        return Ok(());
    };
    let lake = Lake::try_new(&lake)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "task") {
            let task = ScanTask::from_bytes(&fs::read(&path)?)?;
            let session = SessionSpec::default().build()?;
            let rows = text(task.open(&session, &lake).await?).await?;
            fs::write(path.with_extension("rows"), rows)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn another_process_finds_the_same_rows() -> Result<(), Failure> {
    let lake = lake().await?;
    let session = SessionSpec::default().build()?;
    let folder = tempfile::tempdir()?;
    let mut wanted = Vec::new();
    for (table, groups) in [("cpg.ours", 3), ("cpg.theirs", 1)] {
        let task = planned(&lake, table, &session).await?;
        assert_eq!(task.groups(), groups, "{table}");
        let stored = ossature_registry::open_stored(&lake.location(table)?, None).await?;
        session.register_table("whole", stored.provider())?;
        let sql = "SELECT name, id FROM whole WHERE id BETWEEN 150 AND 760 AND weight > 300 AND length(name) > 0";
        wanted.push((table, groups, text(session.sql(sql).await?).await?));
        session.deregister_table("whole")?;
        for at in 0..groups {
            let part = task.group(at).ok_or("a group")?;
            fs::write(
                folder.path().join(format!("{table}.{at}.task")),
                part.to_bytes()?,
            )?;
        }
        assert_eq!(task.group(groups), None);
    }
    // Files that are written later are none of the task's.
    let append = request(&lake.lake, &things("cpg.ours")?, 100, WriteMode::Append)?;
    write(append, 1, [rows(200..210)?]).await?;
    write_foreign(&lake.location("cpg.theirs")?, [rows(200..210)?]).await?;

    let other = Command::new(env::current_exe()?)
        .args(["--exact", "tasks::tasks_are_executed_here"])
        .env(LAKE, lake.path())
        .env(FOLDER, folder.path())
        .output()?;
    assert!(
        other.status.success(),
        "{}",
        String::from_utf8_lossy(&other.stdout)
    );
    for (table, groups, want) in wanted {
        let things = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.starts_with("| thing"));
            lines.map(str::to_owned).collect()
        };
        let mut found = Vec::new();
        for at in 0..groups {
            let path = folder.path().join(format!("{table}.{at}.rows"));
            found.extend(things(&fs::read_to_string(path)?));
        }
        assert_eq!(found, things(&want), "{table}");
        assert!(found.len() > 100, "{table}: {}", found.len());
    }
    Ok(())
}

#[tokio::test]
async fn equal_tasks_have_equal_bytes_without_secrets() -> Result<(), Failure> {
    let lake = lake().await?;
    let session = SessionSpec::default().build()?;
    let bytes = planned(&lake, "cpg.ours", &session).await?.to_bytes()?;
    assert_eq!(
        planned(&lake, "cpg.ours", &session).await?.to_bytes()?,
        bytes
    );
    assert_eq!(ScanTask::from_bytes(&bytes)?.to_bytes()?, bytes);

    let options: StorageOptions = [("token", "canary-in-a-mine")].into_iter().collect();
    let location = lake.location("cpg.ours")?.with_options(options);
    let open = open_table(&location, None).await?;
    let task = ScanTask::plan(&open, &session, None, &[], 2).await?;
    let told = format!(
        "{}{task:?}{open:?}",
        String::from_utf8_lossy(&task.to_bytes()?)
    );
    assert!(!told.contains("canary"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_filter_that_is_null_leaves_no_file_out_and_no_row_in() -> Result<(), Failure> {
    let lake = lake().await?;
    let session = SessionSpec::default().build()?;
    let open = open_table(&lake.location("cpg.ours")?, None).await?;
    for (filter, files) in [
        (lit(ScalarValue::Boolean(None)), 10..20),
        (col("id").eq(lit(5_000_i64)), 0..1),
    ] {
        let task = ScanTask::plan(&open, &session, None, &[filter], 2).await?;
        assert!(
            files.contains(&task.files().count()),
            "{}",
            task.files().count()
        );
        assert_eq!(task.open(&session, &lake.lake).await?.count().await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_that_is_another_one_later_is_refused() -> Result<(), Failure> {
    let lake = lake().await?;
    let session = SessionSpec::default().build()?;
    let open = open_table(&lake.location("cpg.ours")?, None).await?;
    let today =
        datafusion::functions::expr_fn::to_char(datafusion::functions::expr_fn::now(), lit("%j"));
    let refused = ScanTask::plan(&open, &session, None, &[col("name").eq(today)], 2).await;
    let told = refused.err().map(|it| it.to_string()).unwrap_or_default();
    assert!(told.contains("the volatile function `now`"), "{told}");
    Ok(())
}

/// The rows of a table of others are not those of its files.
#[tokio::test]
async fn a_task_does_not_choose_how_a_table_is_read() -> Result<(), Failure> {
    let lake = lake().await?;
    let session = SessionSpec::default().build()?;
    let open = open_table(&lake.location("cpg.theirs")?, None).await?;
    let bytes = ScanTask::plan(&open, &session, None, &[], 2)
        .await?
        .to_bytes()?;
    let (no_groups, one_group) = (b"\xa6groups\x90", b"\xa6groups\x91\x91\xa1x");
    let at = bytes
        .windows(no_groups.len())
        .position(|it| it == no_groups);
    let at = at.ok_or("it has groups")?;
    let changed = [&bytes[..at], one_group, &bytes[at + no_groups.len()..]].concat();
    let task = ScanTask::from_bytes(&changed)?;
    assert_eq!(task.files().collect::<Vec<_>>(), ["x"]);
    let refused = task.open(&session, &lake.lake).await.err();
    assert_eq!(refused.map(|it| it.code()), Some("scan_task_invalid"));
    Ok(())
}

#[tokio::test]
async fn bytes_that_are_no_task_are_refused() -> Result<(), Failure> {
    let lake = lake().await?;
    let session = SessionSpec::default().build()?;
    let task = planned(&lake, "cpg.ours", &session).await?;
    let bytes = task.to_bytes()?;
    for at in 0..bytes.len() {
        assert!(ScanTask::from_bytes(&bytes[..at]).is_err(), "{at} bytes");
    }
    let longer = [&bytes[..], b"more"].concat();
    assert!(ScanTask::from_bytes(&longer).is_err());
    let code = |error: Error| error.code();
    // A byte that is changed makes another task or none, and never ends the process.
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(task) = ScanTask::from_bytes(&changed) {
            assert_ne!(task, planned(&lake, "cpg.ours", &session).await?);
        }
    }
    // Another lake, and another table in this one's place.
    let other = TemporaryLake::try_new()?;
    let refused = task.open(&session, &other.lake).await.err().map(code);
    assert_eq!(refused, Some("path_escapes"));
    fs::remove_dir_all(lake.path().join("cpg/ours"))?;
    let refused = task.open(&session, &lake.lake).await.err().map(code);
    assert_eq!(refused, Some("no_table"));
    let asked = request(&lake.lake, &things("cpg.ours")?, 100, WriteMode::Overwrite)?;
    write(asked, 1, [rows(0..1_000)?]).await?;
    let refused = task.open(&session, &lake.lake).await.err().map(code);
    assert_eq!(refused, Some("table_recreated"));
    Ok(())
}
