//! Tables as their policies want them: what the log says after they are created, changed, and left alone.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::ScalarValue;
use datafusion::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ossature_delta_policy::{
    ColumnMapping, DeltaFeature, PolicyOverrides, SchemaMode, StatsPolicy, TablePolicy, resolve,
};
use ossature_registry::{Catalog, SessionSpec, open_dataset};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, FieldSpec};
use ossature_tests::{Failure, TemporaryLake, code_of, files_below, request, rows, things, write};
use ossature_write_pipeline::{
    EncodePool, KeyRange, TableWriter, WriteFailure, WriteMode, WriteOutcome, WriteRequest,
};
use serde_json::Value;

fn asked(
    lake: &TemporaryLake,
    contract: &DatasetSpec,
    policy: &TablePolicy,
    mode: WriteMode,
) -> Result<WriteRequest, Failure> {
    let nothing = PolicyOverrides::none();
    Ok(WriteRequest {
        policy: resolve(&nothing, &nothing, contract, policy, &[])?,
        ..request(&lake.lake, contract, 100, mode)?
    })
}

async fn overwrite(
    lake: &TemporaryLake,
    policy: &TablePolicy,
    ids: std::ops::Range<i64>,
) -> Result<WriteOutcome, Failure> {
    let request = asked(lake, &things("cpg.things")?, policy, WriteMode::Overwrite)?;
    write(request, 1, [rows(ids)?]).await
}

/// The actions of one commit that have this name.
fn actions(lake: &TemporaryLake, version: u64, name: &str) -> Result<Vec<Value>, Failure> {
    let folder = lake.location("cpg.things")?.to_string();
    let log = Path::new(&folder).join(format!("_delta_log/{version:020}.json"));
    let mut found = Vec::new();
    for line in std::fs::read_to_string(log)?.lines() {
        let mut action: Value = serde_json::from_str(line)?;
        if action[name].is_object() {
            found.push(action[name].take());
        }
    }
    Ok(found)
}

async fn count(
    lake: &TemporaryLake,
    contract: &DatasetSpec,
    filter: &str,
) -> Result<usize, Failure> {
    let dataset = open_dataset(contract, &lake.location("cpg.things")?, None).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let sql = format!("SELECT * FROM things WHERE {filter}");
    Ok(catalog.session().sql(&sql).await?.count().await?)
}

#[tokio::test]
async fn the_first_commit_has_protocol_and_metadata_and_nothing_follows() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let policy = TablePolicy::default()
        .change_feed(true)
        .statistics(StatsPolicy::Off);
    overwrite(&lake, &policy, 0..10).await?;
    let protocol = actions(&lake, 0, "protocol")?;
    assert_eq!(protocol.len(), 1);
    assert_eq!(
        (
            &protocol[0]["minReaderVersion"],
            &protocol[0]["minWriterVersion"]
        ),
        (&1.into(), &4.into())
    );
    let metadata = actions(&lake, 0, "metaData")?;
    assert_eq!(metadata.len(), 1);
    let configuration = &metadata[0]["configuration"];
    assert_eq!(configuration["delta.enableChangeDataFeed"], "true");
    assert_eq!(configuration["delta.dataSkippingNumIndexedCols"], "0");
    // The rows come in a commit of their own, which changes neither.
    assert_eq!(actions(&lake, 1, "metaData")?.len(), 0);
    let again = overwrite(&lake, &policy, 0..10).await?;
    assert_eq!(again.version.number(), 1);
    assert_eq!(
        again.enablement.already_enabled,
        [DeltaFeature::ChangeDataFeed].into()
    );
    Ok(())
}

#[tokio::test]
async fn a_policy_that_changed_changes_its_table_in_the_commit_of_the_rows() -> Result<(), Failure>
{
    let lake = TemporaryLake::try_new()?;
    overwrite(&lake, &TablePolicy::default(), 0..10).await?;
    let policy = TablePolicy::default().change_feed(true);
    let changed = overwrite(&lake, &policy, 0..20).await?;
    assert_eq!(changed.version.number(), 2);
    assert_eq!(actions(&lake, 2, "protocol")?.len(), 1);
    assert_eq!(actions(&lake, 2, "metaData")?.len(), 1);
    assert_eq!(
        changed.enablement.newly_enabled,
        [DeltaFeature::ChangeDataFeed].into()
    );
    // What is told of the protocol is what it is from then on.
    assert!(changed.protocol.is_compatible());
    assert_eq!(changed.protocol.found, changed.enablement.protocol_after);
    // The same rows under the same policy.
    assert_eq!(overwrite(&lake, &policy, 0..20).await?.version.number(), 2);
    // A policy alone is worth a commit, and one only.
    let without = TablePolicy::default();
    let off = overwrite(&lake, &without, 0..20).await?;
    assert_eq!((off.version.number(), off.files_added), (3, 0));
    assert_eq!(overwrite(&lake, &without, 0..20).await?.version.number(), 3);
    Ok(())
}

/// The runtime lets no row go in the commit that switches it off.
#[tokio::test]
async fn a_table_that_may_only_grow_is_created_by_no_overwrite_and_is_freed_by_one()
-> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let grows = TablePolicy::default().features([DeltaFeature::AppendOnly]);
    let refused = overwrite(&lake, &grows, 0..10).await.err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("append_only"));
    assert!(!Path::new(&lake.location("cpg.things")?.to_string()).exists());
    let request = asked(&lake, &things("cpg.things")?, &grows, WriteMode::Append)?;
    write(request, 1, [rows(0..10)?]).await?;
    let refused = overwrite(&lake, &grows, 0..5).await.err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("append_only"));
    let freed = overwrite(&lake, &TablePolicy::default(), 0..5).await?;
    assert_eq!((freed.version.number(), freed.rows), (3, 5));
    assert_eq!(
        actions(&lake, 2, "metaData")?[0]["configuration"]["delta.appendOnly"],
        "false"
    );
    assert_eq!(count(&lake, &things("cpg.things")?, "true").await?, 5);
    Ok(())
}

/// A table that ceases to be append-only does so behind every check, in a commit that changes nothing else.
#[tokio::test]
async fn a_table_that_may_only_grow_is_freed_by_no_write_that_fails() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let grows = TablePolicy::default().features([DeltaFeature::AppendOnly]);
    write(
        asked(&lake, &contract, &grows, WriteMode::Append)?,
        1,
        [rows(0..50)?],
    )
    .await?;
    let before = files_below(lake.path(), lake.path())?;
    let constrained = TablePolicy::default()
        .change_feed(true)
        .constraints([("small", "id < 20")])
        .persist_constraints(true);

    // Of rows that stay it is not true.
    for mode in [WriteMode::Merge, WriteMode::Replace(Vec::new())] {
        let request = asked(&lake, &contract, &constrained, mode)?;
        let refused = write(request, 1, [rows(0..5)?]).await.err();
        assert_eq!(
            refused.as_ref().and_then(code_of),
            Some("stored_rows_violate")
        );
        assert_eq!(files_below(lake.path(), lake.path())?, before);
    }
    // Of the new ones neither.
    let refused = overwrite(&lake, &constrained, 0..30).await.err();
    assert_eq!(
        refused.as_ref().and_then(code_of),
        Some("constraint_violated")
    );
    assert_eq!(files_below(lake.path(), lake.path())?, before);

    let freed = overwrite(&lake, &constrained, 0..15).await?;
    assert_eq!(
        (freed.version_before.number(), freed.version.number()),
        (2, 3)
    );
    // The first of the two commits says that rows may go, and the other brings the rest, the rows included.
    let configuration = |version| -> Result<BTreeMap<String, Value>, Failure> {
        let metadata = actions(&lake, version, "metaData")?;
        Ok(serde_json::from_value(
            metadata[0]["configuration"].clone(),
        )?)
    };
    let mut alone = configuration(0)?;
    alone.insert("delta.appendOnly".to_owned(), "false".into());
    assert_eq!(configuration(2)?, alone);
    assert_eq!(actions(&lake, 2, "protocol")?.len(), 0);
    alone.insert("delta.enableChangeDataFeed".to_owned(), "true".into());
    alone.insert("delta.constraints.small".to_owned(), "id < 20".into());
    assert_eq!(configuration(3)?, alone);
    assert_eq!(actions(&lake, 3, "protocol")?.len(), 1);
    assert_eq!(
        freed.enablement.newly_enabled,
        [DeltaFeature::ChangeDataFeed, DeltaFeature::CheckConstraints].into()
    );
    assert_eq!(freed.enablement.properties_set.len(), 3);
    Ok(())
}

/// Without a row that goes, nothing has to be allowed before.
#[tokio::test]
async fn a_table_whose_rows_stay_is_freed_in_one_commit() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let grows = TablePolicy::default().features([DeltaFeature::AppendOnly]);
    let append = asked(&lake, &contract, &grows, WriteMode::Append)?;
    write(append, 1, [rows(0..10)?]).await?;
    let request = asked(&lake, &contract, &TablePolicy::default(), WriteMode::Merge)?;
    let freed = write(request, 1, []).await?;
    assert_eq!((freed.version.number(), freed.files_added), (2, 0));
    assert_eq!(
        actions(&lake, 2, "metaData")?[0]["configuration"]["delta.appendOnly"],
        "false"
    );
    Ok(())
}

#[tokio::test]
async fn a_commit_that_a_checkpoint_is_due_behind_has_one() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let policy = TablePolicy::default().checkpoint_commits_interval(3.try_into()?);
    for rows in 1..=6 {
        overwrite(&lake, &policy, 0..rows * 10).await?;
    }
    let log = format!("{}/_delta_log", lake.location("cpg.things")?);
    let names =
        std::fs::read_dir(log)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut checkpoints: Vec<String> = names
        .filter(|name| name.ends_with(".checkpoint.parquet"))
        .collect();
    checkpoints.sort();
    let want = [2, 5].map(|version| format!("{version:020}.checkpoint.parquet"));
    assert_eq!(checkpoints, want);
    Ok(())
}

#[tokio::test]
async fn listed_features_are_there_from_the_first_commit_on() -> Result<(), Failure> {
    for feature in [DeltaFeature::V2Checkpoint, DeltaFeature::DeletionVectors] {
        let lake = TemporaryLake::try_new()?;
        let policy = TablePolicy::default().features([feature]);
        let refused = overwrite(&lake, &policy, 0..10).await.err();
        assert_eq!(refused.as_ref().and_then(code_of), Some("policy_refused"));
        assert!(!Path::new(&lake.location("cpg.things")?.to_string()).exists());
        let policy = policy.allow_protocol_upgrade(true);
        overwrite(&lake, &policy, 0..10).await?;
        let protocol = &actions(&lake, 0, "protocol")?[0];
        let listed =
            |side: &str| -> Vec<Value> { protocol[side].as_array().cloned().unwrap_or_default() };
        assert!(
            listed("readerFeatures").contains(&feature.name().into()),
            "{protocol}"
        );
        assert!(
            listed("writerFeatures").contains(&feature.name().into()),
            "{protocol}"
        );
        assert_eq!(count(&lake, &things("cpg.things")?, "id > 4").await?, 5);
        // Enough commits for a checkpoint of that table.
        for rows in 11..24 {
            overwrite(&lake, &policy, 0..rows).await?;
        }
        assert_eq!(count(&lake, &things("cpg.things")?, "id > 4").await?, 18);
    }
    Ok(())
}

#[tokio::test]
async fn constraints_are_checked_and_kept() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let policy = TablePolicy::default()
        .constraints([("small", "id < 100")])
        .persist_constraints(true);
    overwrite(&lake, &policy, 0..100).await?;
    let metadata = &actions(&lake, 0, "metaData")?[0];
    assert_eq!(
        metadata["configuration"]["delta.constraints.small"],
        "id < 100"
    );
    let plain = TablePolicy::default();
    for mode in [WriteMode::Overwrite, WriteMode::Append, WriteMode::Merge] {
        // Whether or not the policy knows of it.
        let request = asked(&lake, &things("cpg.things")?, &plain, mode)?;
        let refused = write(request, 1, [rows(90..101)?]).await.err();
        assert_eq!(
            refused.as_ref().and_then(code_of),
            Some("constraint_violated")
        );
    }
    let unusable = TablePolicy::default().constraints([("odd", "idd > 0")]);
    let refused = overwrite(&lake, &unusable, 0..1).await.err();
    assert_eq!(
        refused.as_ref().and_then(code_of),
        Some("constraint_unusable")
    );
    assert_eq!(count(&lake, &things("cpg.things")?, "true").await?, 100);
    Ok(())
}

/// A table that was created with it could never be written again.
#[tokio::test]
async fn what_cannot_be_evaluated_does_not_become_part_of_a_new_table() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let unusable = TablePolicy::default()
        .constraints([("odd", "idd > 0")])
        .persist_constraints(true);
    let refused = overwrite(&lake, &unusable, 0..1).await.err();
    assert_eq!(
        refused.as_ref().and_then(code_of),
        Some("constraint_unusable")
    );
    assert!(!Path::new(&lake.location("cpg.things")?.to_string()).exists());
    let mended = TablePolicy::default()
        .constraints([("odd", "id >= 0")])
        .persist_constraints(true);
    assert_eq!(overwrite(&lake, &mended, 0..1).await?.version.number(), 1);
    Ok(())
}

fn wider() -> Result<DatasetSpec, Failure> {
    Ok(DatasetSpec::builder("cpg.things", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
        .column(ColumnSpec::nullable("weight", ColumnType::Float64)?)
        .column(ColumnSpec::nullable("colour", ColumnType::Utf8)?)
        .key(["id"])
        .order_by(["id"])
        .build()?)
}

fn colourful(ids: std::ops::Range<i64>) -> Result<RecordBatch, Failure> {
    let plain = rows(ids)?;
    let colours: ArrayRef = Arc::new(StringArray::from(vec!["red"; plain.num_rows()]));
    let columns = ["id", "name", "weight"].map(|name| (name, plain.column_by_name(name).cloned()));
    let columns = columns
        .into_iter()
        .filter_map(|(name, column)| Some((name, column?)));
    Ok(RecordBatch::try_from_iter(
        columns.chain([("colour", colours)]),
    )?)
}

#[tokio::test]
async fn columns_are_added_where_the_mode_says_so() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    overwrite(&lake, &TablePolicy::default(), 0..500).await?;
    let write_wider = async |mode: SchemaMode, write_mode: WriteMode, ids| {
        let policy = TablePolicy::default().schema_mode(mode);
        let request = asked(&lake, &wider()?, &policy, write_mode)?;
        write(request, 1, [colourful(ids)?]).await
    };
    let refused = write_wider(SchemaMode::Strict, WriteMode::Append, 500..510)
        .await
        .err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("contract_changed"));
    let refused = write_wider(SchemaMode::Replace, WriteMode::Append, 500..510)
        .await
        .err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("policy_refused"));
    let added = write_wider(SchemaMode::Additive, WriteMode::Append, 500..510).await?;
    assert_eq!(added.version.number(), 2);
    assert_eq!(actions(&lake, 2, "metaData")?.len(), 1);
    assert_eq!(count(&lake, &wider()?, "colour = 'red'").await?, 10);
    assert_eq!(count(&lake, &wider()?, "colour IS NULL").await?, 500);
    // Old files get the column when a change touches them.
    let merged = write_wider(SchemaMode::Additive, WriteMode::Merge, 3..5).await?;
    assert_eq!(merged.rows, 510);
    assert_eq!(count(&lake, &wider()?, "colour = 'red'").await?, 12);
    Ok(())
}

#[tokio::test]
async fn columns_are_replaced_with_all_rows() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    overwrite(&lake, &TablePolicy::default(), 0..50).await?;
    let other = DatasetSpec::builder("cpg.things", "Others.")
        .column(ColumnSpec::required("id", ColumnType::Utf8)?)
        .key(["id"])
        .order_by(["id"])
        .build()?;
    let policy = TablePolicy::default().schema_mode(SchemaMode::Replace);
    let request = asked(&lake, &other, &policy, WriteMode::Overwrite)?;
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let replaced = write(request, 1, [RecordBatch::try_from_iter([("id", texts)])?]).await?;
    assert_eq!(replaced.files_removed, 1);
    assert_eq!(count(&lake, &other, "id > 'a'").await?, 1);
    let id = |version| Ok::<_, Failure>(actions(&lake, version, "metaData")?[0]["id"].clone());
    assert_eq!(id(0)?, id(2)?, "it is the same table");
    Ok(())
}

#[tokio::test]
async fn mapped_columns_have_numbers_in_schema_and_files() -> Result<(), Failure> {
    let pair = FieldSpec::nullable("left", ColumnType::Int64)?;
    let contract = DatasetSpec::builder("cpg.things", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable(
            "both",
            ColumnType::Struct(vec![pair]),
        )?)
        .column(ColumnSpec::required("family", ColumnType::Utf8)?)
        .order_by(["family", "id"])
        .partition_by(["family"])
        .build()?;
    let batch = |ids: std::ops::Range<i64>| -> Result<RecordBatch, Failure> {
        let ids: Int64Array = ids.collect();
        let left = Fields::from(vec![Field::new("left", DataType::Int64, true)]);
        let both = StructArray::new(left, vec![Arc::new(ids.clone())], None);
        let families = StringArray::from(vec!["local"; ids.len()]);
        Ok(RecordBatch::try_from_iter([
            ("id", Arc::new(ids) as ArrayRef),
            ("both", Arc::new(both) as ArrayRef),
            ("family", Arc::new(families) as ArrayRef),
        ])?)
    };
    for mapping in [ColumnMapping::Name, ColumnMapping::Id] {
        let lake = TemporaryLake::try_new()?;
        let policy = TablePolicy::default().column_mapping(mapping);
        let write = async |mode, ids| {
            let request = asked(&lake, &contract, &policy, mode)?;
            write(request, 1, [batch(ids)?]).await
        };
        write(WriteMode::Overwrite, 0..250).await?;
        let configuration = &actions(&lake, 0, "metaData")?[0]["configuration"];
        assert_eq!(configuration["delta.columnMapping.maxColumnId"], "4");
        let folder = lake.location("cpg.things")?.to_string();
        for bytes in files_below(Path::new(&folder), Path::new(&folder))?.into_values() {
            let file = SerializedFileReader::new(bytes::Bytes::from(bytes))?;
            let schema = file.metadata().file_metadata().schema();
            let ids = schema
                .get_fields()
                .iter()
                .map(|field| field.get_basic_info().id());
            assert_eq!(ids.collect::<Vec<_>>(), [1, 2]);
        }
        // What the runtime's own reader makes of it.
        assert_eq!(
            count(&lake, &contract, "id >= 200 AND family = 'local'").await?,
            50
        );
        assert_eq!(count(&lake, &contract, "both['left'] = 7").await?, 1);
        assert_eq!(
            write(WriteMode::Overwrite, 0..250).await?.version.number(),
            1
        );
        write(WriteMode::Append, 250..300).await?;
        assert_eq!(count(&lake, &contract, "true").await?, 300);
    }
    let lake = TemporaryLake::try_new()?;
    overwrite(&lake, &TablePolicy::default(), 0..10).await?;
    let policy = TablePolicy::default().column_mapping(ColumnMapping::Name);
    let refused = overwrite(&lake, &policy, 0..10).await.err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("policy_refused"));
    Ok(())
}

/// Rows of [`mapped`]: an `id`, and what `left` in `both` is.
type Lefts = BTreeMap<i64, i64>;

/// A table whose columns are mapped, with a nested one.
fn mapped() -> Result<DatasetSpec, Failure> {
    let pair = FieldSpec::nullable("left", ColumnType::Int64)?;
    Ok(DatasetSpec::builder("cpg.things", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable(
            "both",
            ColumnType::Struct(vec![pair]),
        )?)
        .key(["id"])
        .order_by(["id"])
        .build()?)
}

fn lefts(rows: &Lefts) -> Result<RecordBatch, Failure> {
    let left = Fields::from(vec![Field::new("left", DataType::Int64, true)]);
    let values = Int64Array::from_iter_values(rows.values().copied());
    let both = StructArray::new(left, vec![Arc::new(values)], None);
    let ids = Int64Array::from_iter_values(rows.keys().copied());
    Ok(RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as ArrayRef),
        ("both", Arc::new(both) as ArrayRef),
    ])?)
}

fn in_order(rows: &Lefts) -> Vec<(i64, i64)> {
    rows.iter().map(|(id, left)| (*id, *left)).collect()
}

async fn stored_lefts(lake: &TemporaryLake) -> Result<Vec<(i64, i64)>, Failure> {
    let dataset = open_dataset(&mapped()?, &lake.location("cpg.things")?, None).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let sql = "SELECT id, both['left'] FROM things ORDER BY id";
    let mut rows = Vec::new();
    for batch in catalog.session().sql(sql).await?.collect().await? {
        let [ids, lefts] = [0, 1].map(|at| batch.column(at).as_primitive::<Int64Type>());
        rows.extend(ids.values().iter().copied().zip(lefts.values().to_vec()));
    }
    Ok(rows)
}

#[tokio::test]
async fn rows_go_among_those_of_mapped_columns() -> Result<(), Failure> {
    for mapping in [ColumnMapping::Name, ColumnMapping::Id] {
        let lake = TemporaryLake::try_new()?;
        let policy = TablePolicy::default().column_mapping(mapping);
        let write = async |mode, rows: &Lefts| {
            let request = asked(&lake, &mapped()?, &policy, mode)?;
            write(request, 1, [lefts(rows)?]).await
        };
        let of =
            |ids: std::ops::Range<i64>, left: i64| -> Lefts { ids.map(|id| (id, left)).collect() };
        let mut model: Lefts = (0..300).map(|id| (id, id)).collect();
        write(WriteMode::Overwrite, &model).await?;

        let changed = of(120..123, -1);
        write(WriteMode::Merge, &changed).await?;
        model.extend(changed);
        assert_eq!(stored_lefts(&lake).await?, in_order(&model));

        let place = |id: i64| vec![ScalarValue::from(id)];
        let range = KeyRange::between(place(40), place(60));
        let replaced = of(50..52, -2);
        write(WriteMode::Replace(vec![range]), &replaced).await?;
        model.retain(|id, _| !(40..60).contains(id));
        model.extend(replaced);
        assert_eq!(stored_lefts(&lake).await?, in_order(&model));

        for at in [330, 320, 310] {
            let appended = of(at..at + 5, -3);
            write(WriteMode::Append, &appended).await?;
            model.extend(appended);
        }
        // Some lie among the others, so that their file has to be read whoever writes next.
        let among: Lefts = (41..49).map(|id| (id, -4)).collect();
        write(WriteMode::Append, &among).await?;
        model.extend(among);
        let request = asked(&lake, &mapped()?, &policy, WriteMode::Compact)?;
        let compacted = ossature_tests::write(request, 1, []).await?;
        assert_eq!(compacted.rows, 305);
        assert!(compacted.files_removed > compacted.files_added);
        assert_eq!(stored_lefts(&lake).await?, in_order(&model));
        // The files are those that all the rows at once would have.
        let again = write(WriteMode::Overwrite, &model).await?;
        assert_eq!(again.version, compacted.version);
    }
    Ok(())
}

/// A new column would need a number, which nobody gives it.
#[tokio::test]
async fn mapped_columns_are_not_added_to() -> Result<(), Failure> {
    for mapping in [ColumnMapping::Name, ColumnMapping::Id] {
        let lake = TemporaryLake::try_new()?;
        let policy = TablePolicy::default().column_mapping(mapping);
        overwrite(&lake, &policy, 0..10).await?;
        let policy = policy.schema_mode(SchemaMode::Additive);
        for mode in [WriteMode::Append, WriteMode::Overwrite, WriteMode::Merge] {
            let request = asked(&lake, &wider()?, &policy, mode)?;
            let refused = write(request, 1, [colourful(10..20)?]).await.err();
            assert_eq!(refused.as_ref().and_then(code_of), Some("mapped_columns"));
        }
        // Without another column the mode is harmless.
        let added = overwrite(&lake, &policy, 0..20).await?;
        assert_eq!((added.version.number(), added.rows), (2, 20));
    }
    Ok(())
}

#[tokio::test]
async fn two_creators_make_one_table() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let append = |ids: std::ops::Range<i64>| {
        let request = asked(&lake, &contract, &TablePolicy::default(), WriteMode::Append);
        async move {
            let pool = EncodePool::try_new(NonZeroUsize::MIN)?;
            let mut writer = TableWriter::open(request?, pool).await?;
            writer.push(&rows(ids)?).await?;
            Ok::<_, Failure>(writer.finish().await)
        }
    };
    let writers = (0..8).map(|at| append(at * 10..at * 10 + 10));
    let ended = futures::future::try_join_all(writers).await?;
    assert!(ended.iter().any(Result::is_ok));
    let lost = ended.iter().filter_map(|ended| ended.as_ref().err());
    assert!(lost.clone().all(|failure| failure.is_retryable()));
    let written = ended.len() - lost.count();
    assert_eq!(count(&lake, &contract, "true").await?, written * 10);
    assert_eq!(actions(&lake, 0, "metaData")?.len(), 1);
    assert_eq!(actions(&lake, 1, "metaData")?.len(), 0);
    Ok(())
}

/// A table that somebody else has made is there, however late it came.
#[tokio::test]
async fn of_those_who_want_a_new_table_one_gets_it() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let create = |ids: std::ops::Range<i64>| {
        let policy = TablePolicy::default();
        let request = asked(&lake, &contract, &policy, WriteMode::ErrorIfExists);
        async move { Ok::<_, Failure>(write(request?, 1, [rows(ids)?]).await) }
    };
    let writers = (0..8).map(|at| create(at * 10..at * 10 + 10));
    let ended = futures::future::try_join_all(writers).await?;
    assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1);
    let refused = ended.iter().filter_map(|ended| ended.as_ref().err());
    for refused in refused {
        assert_eq!(code_of(refused), Some("table_exists"), "{refused}");
    }
    assert_eq!(count(&lake, &contract, "true").await?, 10);
    Ok(())
}

#[tokio::test]
async fn a_new_table_that_somebody_else_writes_first_is_theirs() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let policy = TablePolicy::default();
    let pool = EncodePool::try_new(NonZeroUsize::MIN)?;
    let request = asked(&lake, &contract, &policy, WriteMode::ErrorIfExists)?;
    let mut late = TableWriter::open(request, pool).await?;
    late.push(&rows(0..10)?).await?;
    overwrite(&lake, &policy, 20..25).await?;
    let lost = late.finish().await.err();
    let code = lost.as_deref().map(WriteFailure::code);
    assert_eq!(code, Some("table_exists"));
    assert_eq!(count(&lake, &contract, "id >= 20").await?, 5);
    assert_eq!(count(&lake, &contract, "true").await?, 5);
    // Nor is it tried again: the table is there.
    let request = asked(&lake, &contract, &policy, WriteMode::ErrorIfExists)?;
    let refused = write(request, 1, [rows(0..10)?]).await.err();
    assert_eq!(refused.as_ref().and_then(code_of), Some("table_exists"));
    Ok(())
}
