//! A published version is what a reader finds, or the reader is told.

use std::fs;
use std::path::{Path, PathBuf};

use deltalake_core::checkpoints::create_checkpoint;
use ossature_registry::{Published, TableLocation, open_table};
use ossature_schema_spec::{Fingerprint, Version};
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write};
use ossature_write_pipeline::WriteMode;

/// Two versions: creation and ten rows, in several files.
async fn written(lake: &TemporaryLake, run: &str) -> Result<TableLocation, Failure> {
    let contract = things("cpg.things")?;
    let mut asked = request(&lake.lake, &contract, 3, WriteMode::Overwrite)?;
    asked.provenance.run_id = run.to_owned();
    asked.provenance.at_unix_ms = i64::try_from(run.len())?;
    write(asked, 1, [rows(0..10)?]).await?;
    lake.location("cpg.things")
}

async fn append(lake: &TemporaryLake) -> Result<(), Failure> {
    let asked = request(&lake.lake, &things("cpg.things")?, 3, WriteMode::Append)?;
    write(asked, 1, [rows(20..22)?]).await?;
    Ok(())
}

async fn digest(location: &TableLocation) -> Result<Fingerprint, Failure> {
    Ok(open_table(location, None).await?.snapshot_digest()?)
}

fn commit(lake: &TemporaryLake, version: u64) -> PathBuf {
    let log = lake.path().join("cpg/things/_delta_log");
    log.join(format!("{version:020}.json"))
}

fn edit(path: &Path, from: &str, to: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(path)?;
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(path, text.replacen(from, to, 1))?;
    Ok(text)
}

#[tokio::test]
async fn what_was_written_alike_has_one_digest() -> Result<(), Failure> {
    let (one, other) = (TemporaryLake::try_new()?, TemporaryLake::try_new()?);
    let (one, other) = (written(&one, "a").await?, written(&other, "another").await?);
    assert_ne!(one, other);
    assert_eq!(digest(&one).await?, digest(&other).await?);
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_says_what_the_commits_said() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let location = written(&lake, "a").await?;
    let before = digest(&location).await?;
    create_checkpoint(open_table(&location, None).await?.table(), None).await?;
    fs::remove_file(commit(&lake, 0))?;
    assert_eq!(digest(&location).await?, before);
    Ok(())
}

#[tokio::test]
async fn whatever_a_reader_takes_from_the_log_is_in_the_digest() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let location = written(&lake, "a").await?;
    let before = digest(&location).await?;
    let edits = [
        (0, r#"\"nullable\":false"#, r#"\"nullable\":true"#),
        (0, r#"\"type\":\"double\""#, r#"\"type\":\"float\""#),
        (
            0,
            r#""configuration":{"#,
            r#""configuration":{"delta.appendOnly":"true","#,
        ),
        (0, r#""minWriterVersion":"#, r#""minWriterVersion":1"#),
        (1, r#"\"id\":2"#, r#"\"id\":3"#),
        (1, r#"\"numRecords\":2"#, r#"\"numRecords\":1"#),
        (1, r#""size":"#, r#""size":1"#),
        (
            1,
            r#""ossature.firstKey":"01"#,
            r#""ossature.firstKey":"02"#,
        ),
        (
            1,
            r#""partitionValues":{}"#,
            r#""partitionValues":{"name":null}"#,
        ),
    ];
    for (version, from, to) in edits {
        let path = commit(&lake, version);
        let text = edit(&path, from, to)?;
        let after = match open_table(&location, None).await {
            Ok(open) => Some(open.snapshot_digest()?),
            Err(_) => None,
        };
        assert_ne!(after, Some(before), "{from}");
        fs::write(&path, text)?;
    }
    assert_eq!(digest(&location).await?, before);
    Ok(())
}

#[tokio::test]
async fn a_reader_is_told_when_it_would_get_something_else() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let location = written(&lake, "a").await?;
    append(&lake).await?;
    let open = open_table(&location, None).await?;
    let published = Published {
        version: open.version(),
        table_id: open.snapshot()?.metadata().id().to_owned(),
        snapshot: open.snapshot_digest()?,
    };
    assert_eq!(published.version, Version::new(2));
    assert_eq!(published.open(&location).await?.version(), open.version());

    let code = async || Ok::<_, Failure>(published.open(&location).await.err().map(|it| it.code()));
    let path = commit(&lake, 2);
    let text = edit(&path, r#"\"id\":21"#, r#"\"id\":20"#)?;
    assert_eq!(code().await?, Some("log_differs"));
    fs::remove_file(&path)?;
    assert_eq!(code().await?, Some("no_version"));
    fs::write(&path, text)?;
    assert_eq!(code().await?, None);

    // Made anew, with as many versions, and with fewer.
    fs::remove_dir_all(lake.path().join("cpg/things"))?;
    written(&lake, "a").await?;
    assert_eq!(code().await?, Some("table_recreated"));
    append(&lake).await?;
    assert_eq!(code().await?, Some("table_recreated"));
    Ok(())
}
