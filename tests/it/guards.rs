//! No silent wrong answer: each test reproduces one that the engines below give, and shows that ours does not.

use datafusion::prelude::SessionContext;
use ossature_registry::{
    AlignmentPlan, Catalog, ColumnAlignment, ScanMode, SessionSpec, open_dataset, open_table,
};
use ossature_schema_spec::{
    ColumnSpec, ColumnType, DatasetSpec, DefaultValue, PinIdentity, Version,
};
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write, write_foreign};
use ossature_write_pipeline::WriteMode;

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

    let ordered = rows([5])?.project(&[2, 0, 1])?;
    let schema = contract.arrow_schema();
    let columns = ordered.columns().to_vec();
    write_foreign(
        &location,
        [arrow_array::RecordBatch::try_new(schema, columns)?],
    )
    .await?;

    let after = open_dataset(&contract, &location, None).await?;
    assert_eq!(after.facts().pin.identity, PinIdentity::TableVersion);
    assert!(after.facts().order.is_empty());
    assert_eq!(after.facts().mode, ScanMode::Delegated);
    Ok(())
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
    let columns: Vec<String> = alignment
        .columns()
        .map(|(name, how)| format!("{name}: {how}"))
        .collect();
    assert_eq!(
        columns,
        ["note: null", "id: pass", "kind: default \"thing\""]
    );
    assert_eq!(alignment.dropped(), ["name", "weight"]);
    assert!(
        alignment
            .columns()
            .all(|(_, how)| !matches!(how, ColumnAlignment::Cast { .. }))
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
