//! A published version is what a reader finds, or the reader is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use deltalake_core::checkpoints::create_checkpoint;
use ossature_delta_policy::{ColumnMapping, PolicyOverrides, TablePolicy, resolve};
use ossature_registry::{At, Published, TableLocation, open_table};
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

/// What is said of a field is written down in an order of its own each time.
#[tokio::test]
async fn fields_with_several_marks_have_one_digest() -> Result<(), Failure> {
    let mut found = BTreeSet::new();
    for _ in 0..8 {
        let lake = TemporaryLake::try_new()?;
        let contract = things("cpg.things")?;
        let mut asked = request(&lake.lake, &contract, 3, WriteMode::Overwrite)?;
        let policy = TablePolicy::default().column_mapping(ColumnMapping::Name);
        let nothing = PolicyOverrides::none();
        asked.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
        write(asked, 1, [rows(0..10)?]).await?;
        found.insert(digest(&lake.location("cpg.things")?).await?);
    }
    assert_eq!(found.len(), 1);
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
            r#""ossature.order":["id"]"#,
            r#""ossature.order":["name"]"#,
        ),
        (
            1,
            r#""ossature.contentHash":"#,
            r#""ossature.contentHasi":"#,
        ),
        (1, r#""ossature.writer":"#, r#""ossature.writes":"#),
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

fn set_time(path: &Path, unix_ms: u64) -> Result<(), Failure> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms);
    let file = fs::File::options().write(true).open(path)?;
    Ok(file.set_modified(time)?)
}

#[tokio::test]
async fn a_time_names_one_version() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let location = written(&lake, "a").await?;
    append(&lake).await?;
    append(&lake).await?;
    // Two versions of one moment, and a clock that was put back.
    for (version, time) in [(0, 1_000), (1, 2_000), (2, 2_000), (3, 1_500)] {
        set_time(&commit(&lake, version), time)?;
    }
    let at = async |time| -> Result<Result<u64, String>, Failure> {
        Ok(match open_table(&location, At::Time(time)).await {
            Ok(open) => Ok(open.version().number()),
            Err(error) => Err(format!("{}: {error}", error.code())),
        })
    };
    for (time, want) in [
        (1_000, 0),
        (1_999, 0),
        (2_000, 1),
        (2_001, 2),
        (2_002, 3),
        (9_999, 3),
    ] {
        assert_eq!(at(time).await?, Ok(want), "{time}");
    }
    let refused = at(999).await?.err().unwrap_or_default();
    let want = "has no version of 1970-01-01T00:00:00.999Z or before; its first is of 1970-01-01T00:00:01.000Z";
    assert!(
        refused.starts_with("no_version_at: ") && refused.ends_with(want),
        "{refused}"
    );
    // Times in the commits are others than those of their files.
    let text = edit(
        &commit(&lake, 0),
        r#""configuration":{"#,
        r#""configuration":{"delta.enableInCommitTimestamps":"true","#,
    )?;
    set_time(&commit(&lake, 0), 1_000)?;
    assert!(
        at(2_000)
            .await?
            .err()
            .is_some_and(|it| it.starts_with("unsupported_table"))
    );
    fs::write(commit(&lake, 0), text)?;
    let nowhere = lake.location("cpg.nothing")?;
    let refused = open_table(&nowhere, At::Time(1)).await.err();
    assert_eq!(refused.map(|it| it.code()), Some("no_table"));
    Ok(())
}
