//! No silent wrong answer: each test reproduces one that the engines below give, and shows that ours does not.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, Int64Array, RecordBatch};
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;
use ossature_delta_policy::{PolicyOverrides, StatsPolicy, TablePolicy, resolve};
use ossature_registry::{
    AlignmentPlan, Catalog, ColumnAlignment, ScanFacts, ScanMode, SessionSpec, open_dataset,
    open_table,
};
use ossature_schema_spec::{
    ColumnName, ColumnSpec, ColumnType, DatasetSpec, DefaultValue, PinIdentity, Version,
};
use ossature_tests::{
    Failure, HandMade, TemporaryLake, code_of, request, rows, things, write, write_foreign,
};
use ossature_write_pipeline::{KeyRange, WriteMode};
use serde_json::{Value, json};

async fn count(session: &SessionContext, sql: &str) -> Result<usize, Failure> {
    Ok(session.sql(sql).await?.count().await?)
}

/// The same rows, written by us and by delta-rs, in one session: `cpg.ours` and `cpg.theirs`.
async fn both(lake: &TemporaryLake) -> Result<Catalog, Failure> {
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    let batches = || {
        [rows(0..400), rows(400..800)]
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
    };
    write(
        request(&lake.lake, &things("cpg.ours")?, 100, WriteMode::Overwrite)?,
        1,
        batches()?,
    )
    .await?;
    write_foreign(&lake.location("cpg.theirs")?, batches()?).await?;
    for name in ["cpg.ours", "cpg.theirs"] {
        let nullable = DatasetSpec::builder(name, "")
            .column(ColumnSpec::nullable("id", ColumnType::Int64)?)
            .column(ColumnSpec::nullable("name", ColumnType::Utf8)?)
            .column(ColumnSpec::nullable("weight", ColumnType::Float64)?)
            .column(ColumnSpec::nullable("missing", ColumnType::Utf8)?)
            .build()?;
        catalog.register(&open_dataset(&nullable, &lake.location(name)?, None).await?)?;
    }
    Ok(catalog)
}

#[tokio::test]
async fn a_filter_that_folds_to_null_keeps_no_row() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let catalog = both(&lake).await?;
    for table in ["ours", "theirs"] {
        for filter in [
            "missing = 'a'",
            "missing = 'a' AND id < 10",
            "CAST(NULL AS BOOLEAN)",
        ] {
            let sql = format!("SELECT id FROM {table} WHERE {filter}");
            assert_eq!(count(catalog.session(), &sql).await?, 0, "{sql}");
        }
        let sql = format!("SELECT id FROM {table} WHERE missing IS NULL");
        assert_eq!(count(catalog.session(), &sql).await?, 800);
    }
    Ok(())
}

/// The defect that the guard is for: should delta-rs mend it, this test says so.
#[tokio::test]
async fn delta_rs_keeps_every_row_of_a_filter_that_folds_to_null() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let table = write_foreign(&lake.location("cpg.theirs")?, [rows(0..400)?]).await?;
    let session = SessionContext::new();
    table.update_datafusion_session(&session.state())?;
    session.register_table("theirs", table.table_provider().await?)?;
    let sql = "SELECT id FROM (SELECT id, CAST(NULL AS VARCHAR) m FROM theirs) WHERE m = 'a'";
    assert_eq!(count(&session, sql).await?, 400);
    Ok(())
}

#[tokio::test]
async fn nan_is_found_above_every_number() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let catalog = both(&lake).await?;
    let nans = (0..800).filter(|id| id % 3 == 0).count();
    for table in ["ours", "theirs"] {
        for filter in [
            "weight > 100000",
            "weight = 'NaN'::DOUBLE",
            "weight >= 100000.5",
        ] {
            let sql = format!("SELECT id FROM {table} WHERE {filter}");
            assert_eq!(count(catalog.session(), &sql).await?, nans, "{sql}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn delta_rs_prunes_nan_away() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let table = write_foreign(&lake.location("cpg.theirs")?, [rows(0..400)?]).await?;
    let session = SessionContext::new();
    table.update_datafusion_session(&session.state())?;
    session.register_table("theirs", table.table_provider().await?)?;
    assert_eq!(
        count(&session, "SELECT id FROM theirs WHERE weight > 100000").await?,
        0
    );
    Ok(())
}

#[tokio::test]
async fn the_version_that_is_asked_for_is_read() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.ours")?;
    for ids in [0..10, 0..20, 0..30] {
        let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
        write(request, 1, [rows(ids)?]).await?;
    }
    let location = lake.location("cpg.ours")?;
    for (version, want) in [(1, 10), (2, 20), (3, 30)] {
        let dataset = open_dataset(&contract, &location, Some(Version::new(version))).await?;
        assert_eq!(dataset.facts().pin.version.number(), version);
        let mut catalog = Catalog::new(SessionSpec::default().build()?);
        catalog.register(&dataset)?;
        assert_eq!(count(catalog.session(), "SELECT id FROM ours").await?, want);
    }
    let missing = open_table(&location, Some(Version::new(9))).await.err();
    assert_eq!(missing.map(|error| error.code()), Some("no_version"));
    let nowhere = open_table(&lake.location("cpg.nowhere")?, None).await.err();
    assert_eq!(nowhere.map(|error| error.code()), Some("no_table"));
    Ok(())
}

#[tokio::test]
async fn one_dataset_has_one_version_in_a_session() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.ours")?;
    for ids in [0..10, 0..20] {
        let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
        write(request, 1, [rows(ids)?]).await?;
    }
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    let location = lake.location("cpg.ours")?;
    let one = open_dataset(&contract, &location, Some(Version::new(1))).await?;
    let two = open_dataset(&contract, &location, Some(Version::new(2))).await?;
    catalog.register(&one)?;
    catalog.register(&one)?;
    let refused = catalog.register(&two).err().map(|error| error.to_string());
    let want = "`cpg.ours` is already registered at v1; it cannot be read at v2 too";
    assert_eq!(refused.as_deref(), Some(want));
    Ok(())
}

#[tokio::test]
async fn nothing_can_be_inserted_through_sql() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let catalog = both(&lake).await?;
    for table in ["ours", "theirs"] {
        let sql = format!("INSERT INTO {table} VALUES (1, 'a', 1.0, NULL)");
        let done = match catalog.session().sql(&sql).await {
            Ok(frame) => frame.collect().await.err(),
            Err(error) => Some(error),
        };
        assert!(done.is_some(), "{sql}");
    }
    Ok(())
}

#[tokio::test]
async fn files_are_skipped_and_sorts_are_dropped() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.ours")?;
    let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    let outcome = write(request, 2, [rows(0..800)?]).await?;
    assert!(outcome.files >= 8);
    let dataset = open_dataset(&contract, &lake.location("cpg.ours")?, None).await?;
    assert_eq!(dataset.facts().mode, ScanMode::Direct);
    assert_eq!(dataset.facts().rows, Some(800));
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let explain = async |sql: &str| -> Result<String, Failure> {
        let plan = catalog
            .session()
            .sql(sql)
            .await?
            .create_physical_plan()
            .await?;
        Ok(datafusion::physical_plan::displayable(plan.as_ref())
            .indent(false)
            .to_string())
    };
    let point = explain("SELECT name FROM ours WHERE id = 150").await?;
    assert_eq!(point.matches(".parquet").count(), 1, "{point}");
    let sorted = explain("SELECT * FROM ours ORDER BY id").await?;
    assert!(!sorted.contains("SortExec"), "{sorted}");
    Ok(())
}

/// The engine knows no bounds of a column of which one file has none, and then skips no file by it.
#[tokio::test]
async fn a_file_without_values_does_not_keep_the_others() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = DatasetSpec::builder("cpg.tree", "One row per node.")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("parent", ColumnType::Int64)?)
        .key(["id"])
        .order_by(["id"])
        .build()?;
    let mut request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    let policy = TablePolicy::default()
        .rows_per_file_max(NonZeroU64::MIN.saturating_add(99))
        .statistics(StatsPolicy::Explicit(vec![
            ColumnName::try_new("id")?,
            ColumnName::try_new("parent")?,
        ]));
    let none = PolicyOverrides::none();
    request.policy = resolve(&none, &none, &contract, &policy, &[])?;
    let ids: Int64Array = (0..800).map(Some).collect();
    let parents: Int64Array = (0..800).map(|id| (id < 700).then_some(id)).collect();
    let tree = RecordBatch::try_new(
        contract.arrow_schema(),
        vec![Arc::new(ids), Arc::new(parents)],
    )?;
    let files = write(request.clone(), 1, [tree]).await?.files;
    assert!(files >= 8);
    // Below an append, bounds may be somebody else's; they are bounds all the same.
    request.mode = WriteMode::Append;
    let more = RecordBatch::try_new(
        contract.arrow_schema(),
        vec![
            Arc::new(Int64Array::from(vec![900])),
            Arc::new(Int64Array::from(vec![Some(7_000)])),
        ],
    )?;
    let appended = write(request, 1, [more]).await?.version;
    for version in [None, Some(Version::new(appended.number() - 1))] {
        let location = lake.location("cpg.tree")?;
        let mut catalog = Catalog::new(SessionSpec::default().build()?);
        catalog.register(&open_dataset(&contract, &location, version).await?)?;
        let plan = catalog
            .session()
            .sql("SELECT id FROM tree WHERE parent = 150")
            .await?;
        let plan = plan.create_physical_plan().await?;
        let text = datafusion::physical_plan::displayable(plan.as_ref())
            .indent(false)
            .to_string();
        assert_eq!(text.matches(".parquet").count(), 1, "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_commit_of_somebody_else_withdraws_the_claims() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.ours")?;
    let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(request, 1, [rows(0..200)?]).await?;
    let location = lake.location("cpg.ours")?;
    let before = open_dataset(&contract, &location, None).await?;
    assert!(matches!(
        before.facts().pin.identity,
        PinIdentity::Content(_)
    ));
    assert_eq!(before.facts().order.len(), 1);
    let proof = before.facts().order_proof.clone().ok_or("it is proven")?;
    assert_eq!(proof.version, before.facts().pin.version);

    let ordered = rows([5])?.project(&[2, 0, 1])?;
    let schema = contract.arrow_schema();
    let columns = ordered.columns().to_vec();
    write_foreign(&location, [RecordBatch::try_new(schema, columns)?]).await?;

    let after = open_dataset(&contract, &location, None).await?;
    assert_eq!(after.facts().pin.identity, PinIdentity::TableVersion);
    assert!(after.facts().order.is_empty());
    assert_eq!(after.facts().order_proof, None);
    assert_eq!(after.facts().mode, ScanMode::Delegated);
    Ok(())
}

/// The ids of a table in the order that a query asks for, and what was decided about the scan.
async fn sorted_ids(lake: &TemporaryLake) -> Result<(Vec<i64>, ScanFacts), Failure> {
    let dataset = open_dataset(&things("cpg.ours")?, &lake.location("cpg.ours")?, None).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let sorted = "SELECT id FROM ours ORDER BY id";
    let mut ids = Vec::new();
    for batch in catalog.session().sql(sorted).await?.collect().await? {
        ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
    }
    Ok((ids, dataset.facts().clone()))
}

/// A table of one file whose rows are in no order, under a name as our writer gives them. `claims` stand in its commit.
fn unsorted(lake: &TemporaryLake, claims: &Value) -> Result<HandMade, Failure> {
    let mut table = HandMade::try_new(lake.location("cpg.ours")?.to_string())?;
    let fields = json!([
        HandMade::field("id", "long", false, &json!({})),
        HandMade::field("name", "string", true, &json!({})),
        HandMade::field("weight", "double", true, &json!({})),
    ]);
    let metadata = HandMade::metadata(&fields, &[], &json!({}));
    let name = format!("part-{}.parquet", "07".repeat(16));
    let mut add = table.add(&name, &rows([3, 1, 2])?, &json!({}))?;
    let statistics = json!({
        "numRecords": 3, "minValues": {"id": 1}, "maxValues": {"id": 3}, "nullCount": {"id": 0},
    });
    add["add"]["stats"] = statistics.to_string().into();
    let commit = json!({"commitInfo": claims});
    table.commit(&[commit, HandMade::versions(1, 2), metadata, add])?;
    Ok(table)
}

/// What a commit like ours says of the order is believed, with rows as the price: so only true things may be said.
#[tokio::test]
async fn rows_are_only_as_sorted_as_the_claim_is_true() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let claims = json!({
        "ossature.writer": 2, "ossature.contentHash": "07".repeat(32), "ossature.order": ["id"],
    });
    let mut table = unsorted(&lake, &claims)?;
    assert_eq!(sorted_ids(&lake).await?.0, [3, 1, 2]);
    // A commit that claims nothing withdraws it.
    table.commit(&[json!({"commitInfo": {"operation": "WRITE"}})])?;
    assert_eq!(sorted_ids(&lake).await?.0, [1, 2, 3]);

    let lake = TemporaryLake::try_new()?;
    unsorted(&lake, &json!({"operation": "WRITE"}))?;
    assert_eq!(sorted_ids(&lake).await?.0, [1, 2, 3]);
    Ok(())
}

/// Our own commit does not vouch for a file that says nothing of its rows, even where our own scan reads it.
#[tokio::test]
async fn an_append_claims_no_order_for_rows_that_were_there() -> Result<(), Failure> {
    let contract = things("cpg.ours")?;
    let append = |lake: &TemporaryLake| request(&lake.lake, &contract, 100, WriteMode::Append);
    for claims in [json!({}), json!({"ossature.order": ["id"]})] {
        let lake = TemporaryLake::try_new()?;
        unsorted(&lake, &claims)?;
        write(append(&lake)?, 1, [rows(10..12)?]).await?;
        let (ids, facts) = sorted_ids(&lake).await?;
        assert_eq!(ids, [1, 2, 3, 10, 11]);
        assert_eq!((facts.mode, facts.order.len()), (ScanMode::Direct, 0));
    }

    // Of our own files, which do say it, each is in order, and the whole is not.
    let lake = TemporaryLake::try_new()?;
    let first = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(first, 1, [rows((0..80).step_by(2))?]).await?;
    write(append(&lake)?, 1, [rows((21..41).step_by(2))?]).await?;
    let (ids, facts) = sorted_ids(&lake).await?;
    let want: BTreeSet<i64> = (0..80).step_by(2).chain((21..41).step_by(2)).collect();
    assert_eq!(ids, want.into_iter().collect::<Vec<_>>());
    assert_eq!((facts.mode, facts.order.len()), (ScanMode::Direct, 0));
    Ok(())
}

fn alignments(plan: &AlignmentPlan) -> Vec<String> {
    let columns = plan.columns().iter();
    let told = columns.map(|column| format!("{}: {}", column.name(), column.alignment()));
    told.collect()
}

#[tokio::test]
async fn stored_columns_become_declared_ones() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.ours")?;
    write(
        request(&lake.lake, &contract, 100, WriteMode::Overwrite)?,
        1,
        [rows(0..10)?],
    )
    .await?;
    let declared = DatasetSpec::builder("cpg.ours", "")
        .column(ColumnSpec::nullable("note", ColumnType::Utf8)?)
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(
            ColumnSpec::required("kind", ColumnType::Utf8)?
                .default(DefaultValue::Text("thing".to_owned()))?,
        )
        .build()?;
    let dataset = open_dataset(&declared, &lake.location("cpg.ours")?, None).await?;
    let alignment: &AlignmentPlan = &dataset.facts().alignment;
    let columns = alignments(alignment);
    assert_eq!(
        columns,
        ["note: null", "id: pass", "kind: default \"thing\""]
    );
    assert_eq!(alignment.dropped(), ["name", "weight"]);
    assert!(
        alignment
            .columns()
            .iter()
            .all(|column| !matches!(column.alignment(), ColumnAlignment::Cast { .. }))
    );
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let found = "SELECT id FROM ours WHERE kind = 'thing' AND note IS NULL AND id >= 5";
    assert_eq!(count(catalog.session(), found).await?, 5);

    let required = DatasetSpec::builder("cpg.ours", "")
        .column(ColumnSpec::required("note", ColumnType::Utf8)?)
        .column(ColumnSpec::required("id", ColumnType::Utf8)?)
        .build()?;
    let refused = open_dataset(&required, &lake.location("cpg.ours")?, None)
        .await
        .err();
    let want = "`cpg.ours` cannot be read as declared:\n  note: wanted string, found no such column\n  id: wanted string, found long";
    assert_eq!(
        refused.map(|error| error.to_string()).as_deref(),
        Some(want)
    );
    Ok(())
}

/// The widening is a cast in a projection, which the optimizer unwraps: the filter reaches the stored column.
#[tokio::test]
async fn a_filter_on_a_widened_column_skips_files() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let stored = |id| -> Result<DatasetSpec, Failure> {
        Ok(DatasetSpec::builder("cpg.ours", "")
            .column(ColumnSpec::required("id", id)?)
            .order_by(["id"])
            .build()?)
    };
    let narrow = stored(ColumnType::Int32)?;
    let ids: arrow_array::Int32Array = (0..800).collect();
    let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as _)])?;
    let request = request(&lake.lake, &narrow, 100, WriteMode::Overwrite)?;
    write(request, 1, [batch]).await?;

    let dataset = open_dataset(
        &stored(ColumnType::Int64)?,
        &lake.location("cpg.ours")?,
        None,
    )
    .await?;
    assert_eq!(
        alignments(&dataset.facts().alignment),
        ["id: cast from Int32"]
    );
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let files = async |sql: &str| -> Result<(usize, usize), Failure> {
        let frame = catalog.session().sql(sql).await?;
        let plan = frame.clone().create_physical_plan().await?;
        let text = datafusion::physical_plan::displayable(plan.as_ref()).indent(true);
        let files = text.to_string().matches(".parquet").count();
        Ok((files, frame.count().await?))
    };
    assert_eq!(files("SELECT id FROM ours WHERE id = 150").await?, (1, 1));
    let wide = "SELECT id FROM ours WHERE id BETWEEN 150 AND 160";
    assert_eq!(files(wide).await?, (1, 11));
    // Beyond the stored type nothing is found, and nothing is read.
    let beyond = "SELECT id FROM ours WHERE id = 5000000000";
    assert_eq!(files(beyond).await?, (0, 0));
    Ok(())
}

/// A default in the place of a column that is there would be a wrong answer.
#[tokio::test]
async fn a_column_of_a_type_that_cannot_be_declared_is_not_taken_for_a_missing_one()
-> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let location = lake.location("cpg.theirs")?;
    let odd: arrow_array::ListArray =
        arrow_array::ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1)])]);
    let fields =
        datafusion::arrow::datatypes::Fields::from(vec![datafusion::arrow::datatypes::Field::new(
            "a b",
            odd.data_type().clone(),
            true,
        )]);
    let odd = arrow_array::StructArray::new(fields, vec![Arc::new(odd)], None);
    let batch = RecordBatch::try_from_iter([("note", Arc::new(odd) as _)])?;
    write_foreign(&location, [batch]).await?;
    let declared = DatasetSpec::builder("cpg.theirs", "")
        .column(ColumnSpec::nullable("note", ColumnType::Utf8)?)
        .build()?;
    let refused = open_dataset(&declared, &location, None).await.err();
    assert_eq!(refused.map(|error| error.code()), Some("unreadable_column"));
    Ok(())
}

/// The bytes of a deletion vector for rows below 2^16, as they stand in a log.
pub(crate) fn deletion_vector(rows: &[u16]) -> String {
    let count = u16::try_from(rows.len() - 1).unwrap_or(u16::MAX);
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&1_681_511_377_u32.to_le_bytes()); // the format's mark
    bytes.extend_from_slice(&1_u64.to_le_bytes()); // bitmaps
    bytes.extend_from_slice(&0_u32.to_le_bytes()); // upper half of the rows of the first
    bytes.extend_from_slice(&12_346_u32.to_le_bytes()); // Roaring without runs
    bytes.extend_from_slice(&1_u32.to_le_bytes()); // containers
    bytes.extend_from_slice(&0_u16.to_le_bytes()); // upper half of the rows of the first
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&16_u32.to_le_bytes()); // where the container begins
    for row in rows {
        bytes.extend_from_slice(&row.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let digits =
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut text = String::new();
    for word in bytes.chunks_exact(4) {
        let word = word
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte));
        for place in (0..5).rev() {
            let digit = word / 85_u32.pow(place) % 85;
            text.push(char::from(
                digits[usize::try_from(digit).unwrap_or_default()],
            ));
        }
    }
    text
}

#[tokio::test]
async fn rows_that_somebody_deleted_do_not_come_back() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.ours")?;
    let request = |mode| request(&lake.lake, &contract, 100, mode);
    write(request(WriteMode::Overwrite)?, 1, [rows(0..10)?]).await?;

    // Somebody else marks the rows 3 and 4 as deleted.
    delete_rows(&lake, &[3, 4])?;
    let ids = async || -> Result<Vec<i64>, Failure> { Ok(sorted_ids(&lake).await?.0) };
    let kept = [0, 1, 2, 5, 6, 7, 8, 9];
    assert_eq!(ids().await?, kept);

    // Our commit on top does not speak for the file below it.
    write(request(WriteMode::Append)?, 1, [rows([20])?]).await?;
    assert_eq!(ids().await?, [&kept[..], &[20]].concat());

    // The same rows again are a new version without the deletions, though their file has the same name.
    write(request(WriteMode::Overwrite)?, 1, [rows(0..10)?]).await?;
    assert_eq!(ids().await?, (0..10).collect::<Vec<_>>());
    Ok(())
}

/// The file's tags say where its rows lie, and not which of them are left: nothing is put between them.
#[tokio::test]
async fn rows_do_not_go_among_those_that_somebody_deleted_from() -> Result<(), Failure> {
    let all = KeyRange::between(vec![ScalarValue::from(8)], vec![ScalarValue::from(30)]);
    for mode in [
        WriteMode::Merge,
        WriteMode::Replace(vec![all]),
        WriteMode::Compact,
    ] {
        let lake = TemporaryLake::try_new()?;
        let contract = things("cpg.ours")?;
        let request = |mode| request(&lake.lake, &contract, 100, mode);
        write(request(WriteMode::Overwrite)?, 1, [rows(0..10)?]).await?;
        delete_rows(&lake, &[3, 4])?;
        let new = match mode {
            WriteMode::Compact => None,
            _ => Some(rows([20])?),
        };
        let refused = write(request(mode)?, 1, new).await.err();
        assert_eq!(refused.as_ref().and_then(code_of), Some("corrupt_table"));
        assert_eq!(sorted_ids(&lake).await?.0, [0, 1, 2, 5, 6, 7, 8, 9]);
    }
    Ok(())
}

/// Commits a deletion vector for these rows of the only file of version 1.
fn delete_rows(lake: &TemporaryLake, rows: &[u16]) -> Result<(), Failure> {
    let log = Path::new(&lake.location("cpg.ours")?.to_string()).join("_delta_log");
    let commit = std::fs::read_to_string(log.join("00000000000000000001.json"))?;
    let actions: Vec<Value> = commit
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let add = actions.iter().find_map(|action| action.get("add"));
    let mut add = add.ok_or("no file was added")?.clone();
    let remove = json!({"path": add["path"], "dataChange": true, "deletionTimestamp": 0});
    let vector = deletion_vector(rows);
    add["deletionVector"] = json!({
        "storageType": "i", "pathOrInlineDv": vector, "sizeInBytes": 36 + 2 * rows.len(), "cardinality": rows.len(),
    });
    let protocol = json!({
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"],
    });
    let lines = [
        json!({"commitInfo": {"operation": "DELETE"}}),
        json!({"protocol": protocol}),
        json!({"remove": remove}),
        json!({"add": add}),
    ];
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    std::fs::write(log.join("00000000000000000002.json"), lines.join("\n"))?;
    Ok(())
}
