//! Upkeep of tables: what it does, what it leaves alone, and what stays true afterwards.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use ossature_delta_policy::{
    Compaction, PolicyOverrides, Retention, SchemaMode, TablePolicy, Vacuum, resolve,
};
use ossature_registry::{open_dataset, open_table};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Version};
use ossature_tests::{
    Failure, TemporaryLake, code_of, files_below, request, rows, things, write, write_foreign,
};
use ossature_write_pipeline::{
    EncodePool, MaintenanceFact, MaintenanceRequest, Upkeep, WriteMode, maintain,
};

async fn kept_up(
    lake: &TemporaryLake,
    policy: &TablePolicy,
    pinned: &[u64],
    is_dry_run: bool,
) -> Result<Vec<MaintenanceFact>, Failure> {
    let contract = things("cpg.things")?;
    let nothing = PolicyOverrides::none();
    let mut write = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    let policy = policy.clone().rows_per_file_max(100.try_into()?);
    write.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
    let asked = MaintenanceRequest {
        write,
        pinned: pinned
            .iter()
            .map(|version| Version::new(*version))
            .collect(),
        is_dry_run,
    };
    let done = maintain(&asked, &EncodePool::try_new(NonZeroUsize::MIN)?).await;
    match done.failure {
        Some(failure) => Err(failure.into()),
        None => Ok(done.facts),
    }
}

fn of(facts: &[MaintenanceFact], upkeep: Upkeep) -> Result<&MaintenanceFact, Failure> {
    let found = facts.iter().find(|fact| fact.upkeep == upkeep);
    found.ok_or_else(|| format!("no fact of a {upkeep}").into())
}

/// Makes every file look as if it had been written long ago, tombstones included.
fn age(folder: &Path) -> Result<(), Failure> {
    // In the year 2020.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(438_288);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            std::fs::File::options()
                .write(true)
                .open(&path)?
                .set_modified(long_ago)?;
        }
    }
    let log = folder.join("_delta_log");
    for entry in std::fs::read_dir(&log)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            let text = std::fs::read_to_string(&path)?;
            let aged = text.lines().map(|line| {
                let mut action: serde_json::Value = serde_json::from_str(line)?;
                if action["remove"].is_object() {
                    action["remove"]["deletionTimestamp"] = 1_600_000_000_000_u64.into();
                }
                Ok(action.to_string() + "\n")
            });
            std::fs::write(&path, aged.collect::<Result<String, serde_json::Error>>()?)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn small_files_are_put_together_and_claims_stand() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let location = lake.location("cpg.things")?;
    for at in (0..12).rev() {
        let append = request(&lake.lake, &contract, 100, WriteMode::Append)?;
        write(append, 1, [rows(at * 10..at * 10 + 10)?]).await?;
    }
    // Whatever an overwrite may do to the columns, a compaction brings none.
    let policy = TablePolicy::default()
        .compaction(Compaction::Auto { small_files_max: 3 })
        .schema_mode(SchemaMode::Replace);
    let planned = kept_up(&lake, &policy, &[], true).await?;
    assert!(of(&planned, Upkeep::Compaction)?.is_done);
    assert_eq!(open_table(&location, None).await?.version().number(), 12);
    let facts = kept_up(&lake, &policy, &[], false).await?;
    let compacted = of(&facts, Upkeep::Compaction)?;
    assert_eq!((compacted.files_added, compacted.files_removed), (2, 12));
    let dataset = open_dataset(&contract, &location, None).await?;
    assert_eq!(dataset.facts().rows, Some(120));
    assert_eq!(dataset.facts().order, contract.order());
    let again = kept_up(&lake, &policy, &[], false).await?;
    assert!(!of(&again, Upkeep::Compaction)?.is_done);
    let off = TablePolicy::default().compaction(Compaction::Off);
    assert!(!of(&kept_up(&lake, &off, &[], false).await?, Upkeep::Compaction)?.is_done);
    Ok(())
}

/// What is put together has a digest of its own, under which nobody could tell any more.
#[tokio::test]
async fn damaged_files_are_not_put_together() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    for at in 0..6 {
        let append = request(&lake.lake, &contract, 100, WriteMode::Append)?;
        write(append, 1, [rows(at * 10..at * 10 + 10)?]).await?;
    }
    let folder = lake.location("cpg.things")?.to_string();
    let files = files_below(Path::new(&folder), Path::new(&folder))?;
    let mut files = files.into_iter();
    let damaged = files.find(|(path, _)| path.contains("-4.parquet"));
    let (path, mut bytes) = damaged.ok_or("the fourth append has a file")?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(Path::new(&folder).join(&path), bytes)?;
    let policy = TablePolicy::default().compaction(Compaction::Auto { small_files_max: 3 });
    let Err(failure) = kept_up(&lake, &policy, &[], false).await else {
        return Err("damaged rows were put together with others".into());
    };
    assert_eq!(code_of(&failure), Some("file_damaged"), "{failure}");
    let location = lake.location("cpg.things")?;
    assert_eq!(open_table(&location, None).await?.version().number(), 6);
    Ok(())
}

#[tokio::test]
async fn a_vacuum_keeps_what_is_pinned_and_commits_nothing() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let location = lake.location("cpg.things")?;
    let folder = location.to_string();
    let folder = Path::new(&folder);
    for ids in [0..300, 50..350, 100..400, 150..450] {
        let overwrite = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
        write(overwrite, 1, [rows(ids)?]).await?;
    }
    std::fs::write(folder.join("part-left-behind.parquet"), b"nobody knows it")?;
    let policy = TablePolicy::default().vacuum(Vacuum::After(Retention::try_days(30)?));
    // Everything is younger than that.
    let young = kept_up(&lake, &policy, &[], false).await?;
    assert_eq!(of(&young, Upkeep::Vacuum)?.deleted.len(), 0);
    age(folder)?;
    let paths = || -> Result<BTreeSet<String>, Failure> {
        Ok(files_below(folder, folder)?.into_keys().collect())
    };
    let before = paths()?;
    let planned = kept_up(&lake, &policy, &[2], true).await?;
    assert_eq!(paths()?, before);
    let facts = kept_up(&lake, &policy, &[2], false).await?;
    let vacuumed = of(&facts, Upkeep::Vacuum)?;
    assert_eq!(vacuumed.deleted, of(&planned, Upkeep::Vacuum)?.deleted);
    let gone: BTreeSet<String> = before.difference(&paths()?).cloned().collect();
    assert_eq!(gone, vacuumed.deleted.iter().cloned().collect());
    assert!(gone.contains("part-left-behind.parquet") && gone.len() > 1);
    // The newest version and the pinned one are whole, the others are not, and the last commit is still ours.
    let open = open_table(&location, None).await?;
    assert_eq!((open.version().number(), open.commit().ours), (4, true));
    for version in [4, 2] {
        let open = open_table(&location, Some(Version::new(version))).await?;
        for file in open.table().snapshot()?.log_data().iter() {
            assert!(
                folder.join(file.path().as_ref()).is_file(),
                "{version}: {}",
                file.path()
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_checkpoint_is_written_when_it_is_due() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let policy = TablePolicy::default();
    for ids in 0..8 {
        let append = request(&lake.lake, &contract, 100, WriteMode::Append)?;
        write(append, 1, [rows(ids * 10..ids * 10 + 10)?]).await?;
    }
    let off = policy.clone().compaction(Compaction::Off);
    let early = kept_up(&lake, &off, &[], false).await?;
    assert!(!of(&early, Upkeep::Checkpoint)?.is_done);
    let often = off.checkpoint_commits_interval(3.try_into()?);
    let due = kept_up(&lake, &often, &[], false).await?;
    assert!(of(&due, Upkeep::Checkpoint)?.is_done);
    let log = lake.location("cpg.things")?.to_string() + "_delta_log";
    let checkpoint = Path::new(&log).join("00000000000000000008.checkpoint.parquet");
    assert!(checkpoint.is_file());
    let again = kept_up(&lake, &often, &[], false).await?;
    assert!(!of(&again, Upkeep::Checkpoint)?.is_done);
    // Tags outlive the commits that the checkpoint stands for.
    let small = policy.compaction(Compaction::Auto { small_files_max: 1 });
    let compacted = kept_up(&lake, &small, &[], false).await?;
    assert!(of(&compacted, Upkeep::Compaction)?.is_done);
    Ok(())
}

/// A checkpoint cannot be put where a folder is.
#[tokio::test]
async fn what_was_done_is_told_although_the_next_step_fails() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    for at in 0..6 {
        let append = request(&lake.lake, &contract, 100, WriteMode::Append)?;
        write(append, 1, [rows(at * 10..at * 10 + 10)?]).await?;
    }
    let log = lake.location("cpg.things")?.to_string() + "_delta_log";
    let inside = Path::new(&log).join("00000000000000000007.checkpoint.parquet/inside");
    std::fs::create_dir_all(inside)?;
    let policy = TablePolicy::default()
        .compaction(Compaction::Auto { small_files_max: 3 })
        .checkpoint_commits_interval(3.try_into()?);
    let nothing = PolicyOverrides::none();
    let mut write = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
    let asked = MaintenanceRequest {
        write,
        pinned: BTreeSet::new(),
        is_dry_run: false,
    };
    let done = maintain(&asked, &EncodePool::try_new(NonZeroUsize::MIN)?).await;
    assert!(done.failure.is_some());
    let told: Vec<_> = done
        .facts
        .iter()
        .map(|fact| (fact.upkeep, fact.version.number()))
        .collect();
    assert_eq!(told, [(Upkeep::Compaction, 7)]);
    Ok(())
}

/// Within a partition nothing is left to be sorted by; the file of somebody else is put together with ours all the same.
#[tokio::test]
async fn tables_that_are_ordered_by_their_partitions_alone_are_compacted() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = DatasetSpec::builder("cpg.things", "")
        .column(ColumnSpec::required("p", ColumnType::Utf8)?)
        .column(ColumnSpec::required("v", ColumnType::Int64)?)
        .key(["p"])
        .order_by(["p"])
        .partition_by(["p"])
        .build()?;
    let row = |p: &str, v: i64| {
        let (p, v) = (StringArray::from(vec![p]), Int64Array::from(vec![v]));
        RecordBatch::try_from_iter([
            ("p", Arc::new(p) as ArrayRef),
            ("v", Arc::new(v) as ArrayRef),
        ])
    };
    let overwrite = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(overwrite, 1, [row("a", 1)?]).await?;
    write_foreign(&lake.location("cpg.things")?, [row("b", 2)?]).await?;
    let compact = request(&lake.lake, &contract, 100, WriteMode::Compact)?;
    let compacted = write(compact, 1, []).await?;
    assert_eq!((compacted.rows, compacted.files_added), (2, 1));
    Ok(())
}

/// What others have put beside a table that we do not know is not ours to delete, nor to leave out of a checkpoint.
#[tokio::test]
async fn a_table_that_is_not_written_is_not_kept_up() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let folder = lake.location("cpg.things")?.to_string();
    let folder = Path::new(&folder);
    for ids in [0..300, 50..350] {
        let overwrite = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
        write(overwrite, 1, [rows(ids)?]).await?;
    }
    age(folder)?;
    let protocol = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["unheardOf"]}}"#;
    std::fs::write(
        folder.join("_delta_log/00000000000000000003.json"),
        protocol,
    )?;
    let before = files_below(folder, folder)?;
    let policy = TablePolicy::default()
        .vacuum(Vacuum::After(Retention::try_days(7)?))
        .checkpoint_commits_interval(1.try_into()?);
    for is_dry_run in [true, false] {
        let refused = kept_up(&lake, &policy, &[], is_dry_run).await.err();
        assert_eq!(refused.as_ref().and_then(code_of), Some("protocol_refused"));
        assert_eq!(files_below(folder, folder)?, before);
    }
    Ok(())
}
