//! What is read is what was asked for, or the reader is told before anything is read.

use std::fs;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use ossature_registry::{Error, SessionSpec, TableLocation, open_dataset, open_stored, open_table};
use ossature_schema_spec::Version;
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write, write_foreign};
use ossature_write_pipeline::WriteMode;

async fn overwrite(lake: &TemporaryLake, ids: std::ops::Range<i64>) -> Result<(), Failure> {
    let asked = request(&lake.lake, &things("cpg.ours")?, 100, WriteMode::Overwrite)?;
    write(asked, 1, [rows(ids)?]).await?;
    Ok(())
}

#[tokio::test]
async fn a_version_whose_files_were_deleted_is_not_opened() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    for ids in [0..250, 250..500] {
        overwrite(&lake, ids).await?;
    }
    let (contract, location) = (things("cpg.ours")?, lake.location("cpg.ours")?);
    let old = Version::new(1);
    open_dataset(&contract, &location, old).await?;
    let files = open_table(&location, old)
        .await?
        .snapshot()?
        .log_data()
        .iter()
        .map(|file| file.path().into_owned())
        .collect::<Vec<_>>();
    for file in &files[..2] {
        fs::remove_file(lake.path().join("cpg/ours").join(file))?;
    }
    let refused = open_dataset(&contract, &location, old).await.err();
    let refused = refused.ok_or("a version without its files is opened")?;
    assert_eq!(refused.code(), "version_vacuumed");
    let told = refused.to_string();
    assert!(told.starts_with("2 of the files of v1 of "), "{told}");
    assert!(files.iter().any(|file| told.contains(file)), "{told}");
    assert!(refused.hint().is_some());
    open_dataset(&contract, &location, Version::new(2)).await?;
    open_dataset(&contract, &location, None).await?;
    Ok(())
}

fn two_versions(error: &DataFusionError) -> Option<String> {
    let DataFusionError::External(error) = error.find_root() else {
        return None;
    };
    let error = error.downcast_ref::<Error>()?;
    (error.code() == "two_versions").then(|| error.to_string())
}

async fn refusal(session: &SessionContext, sql: &str) -> Result<Option<String>, Failure> {
    let frame = session.sql(sql).await?;
    match frame.collect().await {
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(two_versions(&error).ok_or(error)?)),
    }
}

#[tokio::test]
async fn a_plan_reads_a_table_at_one_version_whatever_it_is_called() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    for ids in [0..10, 0..20] {
        overwrite(&lake, ids).await?;
    }
    let theirs = lake.location("cpg.theirs")?;
    for ids in [0..10, 10..20] {
        write_foreign(&theirs, [rows(ids)?]).await?;
    }
    let session = SessionSpec::default().build()?;
    let contract = things("cpg.ours")?;
    let ours = lake.location("cpg.ours")?;
    let names = [("ours1", 1), ("ours2", 2)];
    for (name, version) in names {
        let dataset = open_dataset(&contract, &ours, Version::new(version)).await?;
        session.register_table(name, dataset.provider())?;
    }
    for (name, version) in [("theirs0", 0), ("theirs1", 1), ("again1", 1)] {
        let stored = open_stored(&theirs, Version::new(version)).await?;
        session.register_table(name, stored.provider())?;
    }
    session
        .sql("CREATE VIEW old AS SELECT id FROM ours1")
        .await?
        .collect()
        .await?;
    for sql in [
        "SELECT 1 FROM ours1 JOIN ours2 USING (id)",
        "SELECT id FROM ours1 UNION ALL SELECT id FROM ours2",
        "SELECT 1 FROM ours2 WHERE id IN (SELECT id FROM ours1)",
        "SELECT (SELECT max(id) FROM ours1) FROM ours2",
        "SELECT 1 FROM ours2 JOIN old USING (id)",
        "SELECT 1 FROM theirs0 JOIN theirs1 USING (id)",
    ] {
        let told = refusal(&session, sql).await?.ok_or(sql)?;
        let versions = if sql.contains("theirs") {
            "v0 and at v1"
        } else {
            "v1 and at v2"
        };
        assert!(told.contains(versions), "{sql}: {told}");
    }
    for sql in [
        "SELECT 1 FROM ours1 JOIN old USING (id)",
        "SELECT 1 FROM theirs1 JOIN again1 USING (id) JOIN ours2 USING (id)",
    ] {
        assert_eq!(refusal(&session, sql).await?, None, "{sql}");
    }
    Ok(())
}

/// Has the log of a table name its one file by another path.
fn rename_in_log(location: &TableLocation, version: u64, path: &str) -> Result<(), Failure> {
    let folder = location
        .url()
        .to_file_path()
        .map_err(|()| "a local table")?;
    let commit = folder.join(format!("_delta_log/{version:020}.json"));
    let text = fs::read_to_string(&commit)?;
    let from = text.find("\"path\":\"").ok_or("a file")? + 8;
    let end = from + text[from..].find('"').ok_or("its end")?;
    Ok(fs::write(
        &commit,
        format!("{}{path}{}", &text[..from], &text[end..]),
    )?)
}

#[tokio::test]
async fn a_log_that_names_files_elsewhere_is_not_believed() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let (one, other) = (lake.location("cpg.one")?, lake.location("cpg.other")?);
    for location in [&one, &other] {
        write_foreign(location, [rows(0..10)?]).await?;
    }
    let open = open_table(&other, None).await?;
    let file = open
        .snapshot()?
        .log_data()
        .iter()
        .next()
        .ok_or("a file")?
        .path()
        .into_owned();
    let absolute = format!("{}{file}", other.url());
    let path = format!("{other}{file}");
    for path in [
        format!("../other/{file}"),
        format!("%2e%2e/other/{file}"),
        // What is left out of a reference before it is followed.
        format!(" {path}"),
        format!("\\\\{}", path.trim_start_matches('/')),
        format!(".\\t./other/{file}"),
        absolute.clone(),
        path,
    ] {
        rename_in_log(&one, 0, &path)?;
        let refused = open_stored(&one, None).await.err();
        let refused = refused.ok_or_else(|| format!("{path} is read"))?;
        assert_eq!(refused.code(), "path_escapes", "{path}: {refused}");
        assert!(refused.hint().is_some());
    }
    // A clone that is meant to have files of another table.
    rename_in_log(&one, 0, &absolute)?;
    let allowed = one.clone().allow(&other.to_string())?;
    let session = SessionSpec::default().build()?;
    session.register_table("clone", open_stored(&allowed, None).await?.provider())?;
    assert_eq!(
        session.sql("SELECT id FROM clone").await?.count().await?,
        10
    );
    Ok(())
}
