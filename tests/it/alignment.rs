//! Stored columns become the declared ones, and filters on them still skip files.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, StructArray};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::SessionContext;
use ossature_registry::{
    Catalog, Dataset, Error, ProjectionError, ScanFacts, ScanProjection, SessionSpec, open_table,
};
use ossature_schema_spec::{
    ColumnSpec, ColumnType, DatasetSpec, DefaultValue, FieldSpec, SemanticType,
};
use ossature_tests::{Failure, TemporaryLake, request, write, write_foreign};
use ossature_write_pipeline::WriteMode;

const ROWS: i32 = 800;

/// `number`, `name`, `pair.left` and `key`, all of them growing; eight files of a hundred rows.
fn stored() -> Result<RecordBatch, Failure> {
    let number: ArrayRef = Arc::new(Int32Array::from_iter_values(0..ROWS));
    let key: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::from(ROWS)));
    let names = (0..ROWS).map(|row| format!("name{row:04}"));
    let name: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let pair = StructArray::from(vec![(
        Arc::new(Field::new("left", DataType::Int32, true)),
        Arc::clone(&number),
    )]);
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("number", number, false),
        ("name", name, false),
        ("pair", Arc::new(pair) as ArrayRef, true),
        ("key", key, false),
    ])?)
}

fn stored_contract(name: &str) -> Result<DatasetSpec, Failure> {
    let pair = ColumnType::Struct(vec![FieldSpec::nullable("left", ColumnType::Int32)?]);
    Ok(DatasetSpec::builder(name, "")
        .column(ColumnSpec::required("number", ColumnType::Int32)?)
        .column(ColumnSpec::required("name", ColumnType::Utf8)?)
        .column(ColumnSpec::nullable("pair", pair)?)
        .column(ColumnSpec::required("key", ColumnType::Int64)?)
        .key(["number"])
        .order_by(["number", "key"])
        .build()?)
}

/// The rows, written by us as `cpg.ours` and by somebody else as `cpg.theirs`.
async fn lake() -> Result<TemporaryLake, Failure> {
    let lake = TemporaryLake::try_new()?;
    let asked = request(
        &lake.lake,
        &stored_contract("cpg.ours")?,
        100,
        WriteMode::Overwrite,
    )?;
    write(asked, 1, [stored()?]).await?;
    let theirs = lake.location("cpg.theirs")?;
    for from in (0..800).step_by(100) {
        write_foreign(&theirs, [stored()?.slice(from, 100)]).await?;
    }
    Ok(lake)
}

/// A dataset in a session of its own.
async fn opened(
    lake: &TemporaryLake,
    columns: Vec<ColumnSpec>,
    name: &str,
    expressions: &[&str],
) -> Result<(SessionContext, ScanFacts), Failure> {
    let contract = DatasetSpec::builder(name, "").columns(columns).build()?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    let open = open_table(&lake.location(name)?, None).await?;
    let dataset = if expressions.is_empty() {
        Dataset::try_new(&contract, &open).await?
    } else {
        Dataset::projecting(&contract, &open, expressions, catalog.session()).await?
    };
    catalog.register(&dataset)?;
    Ok((catalog.session().clone(), dataset.facts().clone()))
}

/// Files that a plan which has run has opened, by what it counted.
fn files_opened(plan: &dyn ExecutionPlan) -> usize {
    let metric = |name: &str| {
        let found = plan.metrics().and_then(|all| all.sum_by_name(name));
        found.map_or(0, |value| value.as_usize())
    };
    match metric("count_files_scanned").max(metric("files_opened")) {
        0 => (plan.children().iter())
            .map(|it| files_opened(it.as_ref()))
            .sum(),
        own => own,
    }
}

/// Rows of a filter, and files that it opens.
async fn filtered(
    session: &SessionContext,
    table: &str,
    filter: &str,
) -> Result<(usize, usize), Failure> {
    let sql = format!("SELECT * FROM {table} WHERE {filter}");
    let plan = session.sql(&sql).await?.create_physical_plan().await?;
    let rows = collect(Arc::clone(&plan), session.task_ctx()).await?;
    let rows = rows.iter().map(RecordBatch::num_rows).sum();
    let opened = files_opened(plan.as_ref());
    Ok((rows, opened))
}

fn required(name: &str, column_type: ColumnType) -> Result<ColumnSpec, Failure> {
    Ok(ColumnSpec::required(name, column_type)?)
}

/// A declared column and what it is made of; a filter on it, and the filter on stored columns that says the same.
struct Case {
    how: &'static str,
    column: ColumnSpec,
    expressions: &'static [&'static str],
    filter: &'static str,
    raw: &'static str,
}

fn cases() -> Result<Vec<Case>, Failure> {
    use ColumnType::{Int32, Int64, Utf8};
    let number = |how, column_type, filter, raw| -> Result<Case, Failure> {
        Ok(Case {
            how,
            column: required("number", column_type)?,
            expressions: &[],
            filter,
            raw,
        })
    };
    let id = |how, column_type, expressions| -> Result<Case, Failure> {
        Ok(Case {
            how,
            column: required("id", column_type)?,
            expressions,
            filter: "id > 150 AND id < 260",
            raw: "number > 150 AND number < 260",
        })
    };
    let filled = |how, column: &ColumnSpec, filter, raw| Case {
        how,
        column: column.clone(),
        expressions: &[],
        filter,
        raw,
    };
    let kind = ColumnSpec::required("kind", Utf8)?.default(DefaultValue::Text("x".to_owned()))?;
    let note = ColumnSpec::nullable("note", Utf8)?;
    let tagged = ColumnSpec::required("key", Int64)?.semantic(SemanticType::NodeId)?;
    Ok(vec![
        number("pass", Int32, "number = 150", "number = 150")?,
        number("cast from Int32", Int64, "number = 150", "number = 150")?,
        number(
            "cast from Int32",
            Int64,
            "number BETWEEN 150 AND 260",
            "number BETWEEN 150 AND 260",
        )?,
        number(
            "cast from Int32",
            Int64,
            "number IN (5, 705)",
            "number IN (5, 705)",
        )?,
        number(
            "cast from Int32",
            Int64,
            "number = 5000000000",
            "number = 5000000000",
        )?,
        id("rename from number", Int32, &["number AS id"])?,
        id(
            "rename from number, cast from Int32",
            Int64,
            &["number AS id"],
        )?,
        id(
            r#"expression CAST("number" AS BIGINT)"#,
            Int64,
            &["CAST(number AS BIGINT) AS id"],
        )?,
        filled("tag", &tagged, "key = 150", "key = 150"),
        filled("default \"x\"", &kind, "kind = 'x'", "true"),
        filled("default \"x\"", &kind, "kind = 'y'", "false"),
        filled("null", &note, "note = 'a'", "false"),
        filled("null", &note, "note IS NULL", "true"),
    ])
}

#[tokio::test]
async fn every_kind_of_alignment_skips_what_the_stored_column_skips() -> Result<(), Failure> {
    let lake = lake().await?;
    for table in ["ours", "theirs"] {
        let dataset = format!("cpg.{table}");
        let raw = stored_contract(&dataset)?.columns().to_vec();
        let (raw, _) = opened(&lake, raw, &dataset, &[]).await?;
        for case in cases()? {
            let Case { how, filter, .. } = case;
            let columns = vec![case.column];
            let (session, facts) = opened(&lake, columns, &dataset, case.expressions).await?;
            let told = facts.alignment.columns()[0].alignment().to_string();
            assert_eq!(told, how, "{table}");
            let found = filtered(&session, table, filter).await?;
            let want = filtered(&raw, table, case.raw).await?;
            assert_eq!(found, want, "{table}: {how}: {filter}");
            // What the stored type cannot hold delta-rs looks for in every file.
            let is_beyond = table == "theirs" && filter.contains("5000000000");
            assert!(
                want.1 < 8 || want.0 == 800 || is_beyond,
                "{table}: {filter} skips nothing"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn fields_of_groups_go_by_their_names() -> Result<(), Failure> {
    let lake = lake().await?;
    let pair = ColumnType::Struct(vec![
        FieldSpec::nullable("right", ColumnType::Utf8)?,
        FieldSpec::nullable("left", ColumnType::Int64)?,
    ]);
    let columns = || -> Result<Vec<ColumnSpec>, Failure> {
        Ok(vec![ColumnSpec::nullable("pair", pair.clone())?])
    };
    for table in ["ours", "theirs"] {
        let (session, facts) = opened(&lake, columns()?, &format!("cpg.{table}"), &[]).await?;
        let aligned = &facts.alignment.columns()[0];
        assert!(
            aligned
                .alignment()
                .to_string()
                .starts_with("cast from Struct")
        );
        assert_eq!(aligned.sources(), ["pair".to_owned()].into());
        let sql = format!(
            "SELECT count(*) AS rows, min(pair['left']) AS low, max(pair['left']) AS high, count(pair['right']) AS right FROM {table}"
        );
        let rows = session.sql(&sql).await?.collect().await?;
        let want = "\
+------+-----+------+-------+
| rows | low | high | right |
+------+-----+------+-------+
| 800  | 0   | 799  | 0     |
+------+-----+------+-------+";
        assert_eq!(pretty_format_batches(&rows)?.to_string(), want);
        let some = format!("SELECT 1 FROM {table} WHERE pair['left'] = 150");
        assert_eq!(session.sql(&some).await?.count().await?, 1);
    }
    // A field that must not be null and is not there has no value.
    let pair = ColumnType::Struct(vec![
        FieldSpec::nullable("left", ColumnType::Int32)?,
        FieldSpec::required("right", ColumnType::Utf8)?,
    ]);
    let columns = vec![ColumnSpec::nullable("pair", pair)?];
    let refused = opened(&lake, columns, "cpg.ours", &[]).await.err();
    let refused = refused.and_then(|error| Some(error.downcast_ref::<Error>()?.code()));
    assert_eq!(refused, Some("unalignable"));
    Ok(())
}

#[tokio::test]
async fn an_order_is_declared_under_the_new_name() -> Result<(), Failure> {
    let lake = lake().await?;
    let columns = vec![required("id", ColumnType::Int32)?];
    let (session, facts) = opened(&lake, columns, "cpg.ours", &["number AS id"]).await?;
    let order: Vec<String> = facts.order.iter().map(ToString::to_string).collect();
    assert_eq!(order, ["id"]);
    let plan = session.sql("SELECT id FROM ours ORDER BY id").await?;
    let plan = plan.create_physical_plan().await?;
    let text = displayable(plan.as_ref()).indent(true).to_string();
    assert!(!text.contains("Sort"), "{text}");

    let columns = vec![required("id", ColumnType::Int64)?];
    let (_, facts) = opened(&lake, columns, "cpg.ours", &["1 - number AS id"]).await?;
    assert!(facts.order.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_alignment_is_told_as_sql_over_stored_columns() -> Result<(), Failure> {
    let lake = lake().await?;
    let columns = vec![
        required("id", ColumnType::Int64)?,
        ColumnSpec::nullable("label", ColumnType::Utf8)?,
        ColumnSpec::nullable("note", ColumnType::Utf8)?,
    ];
    let expressions = ["number AS id", "upper(name)||'-'||number AS label", "name"];
    let (session, facts) = opened(&lake, columns, "cpg.ours", &expressions).await?;
    let told: Vec<String> = (facts.alignment.columns().iter())
        .map(|it| format!("{} = {} of {:?}", it.name(), it.sql(), it.sources()))
        .collect();
    assert_eq!(
        told,
        [
            r#"id = CAST("number" AS BIGINT) of {"number"}"#,
            r#"label = ((upper("name") || '-') || CAST("number" AS VARCHAR)) of {"name", "number"}"#,
            "note = CAST(NULL AS VARCHAR) of {}",
        ]
    );
    assert_eq!(facts.alignment.dropped(), ["name"]);
    let rows = session
        .sql("SELECT label FROM ours WHERE id = 7")
        .await?
        .collect()
        .await?;
    let text = pretty_format_batches(&rows)?.to_string();
    assert!(text.contains("NAME0007-7"), "{text}");
    Ok(())
}

/// What each expression is refused for.
#[test]
fn expressions_that_are_more_than_a_function_of_one_row_are_refused() -> Result<(), Failure> {
    let session = SessionSpec::default().build()?;
    let stored = stored()?.schema();
    let chain = format!("{} AS x", vec!["number"; 10_000].join(" + "));
    let deep = format!("{}number AS x", "NOT ".repeat(200));
    let nested = format!("{}number{} AS x", "(".repeat(400), ")".repeat(400));
    let long = format!("'{}' AS x", "a".repeat(20_000));
    let cases = [
        ("", "projection_empty"),
        ("number +", "projection_unparsable"),
        ("number AS x; DROP TABLE things", "projection_unparsable"),
        ("number name", "projection_unparsable"),
        ("number AS name", "projection_duplicate"),
        ("number + 1", "projection_unnamed"),
        ("ours.number", "projection_unnamed"),
        ("nmuber AS x", "projection_unknown_column"),
        ("nmuber + 1 AS x", "projection_unknown_column"),
        ("sum(number) AS x", "projection_refused"),
        ("count(*) AS x", "projection_refused"),
        ("row_number() OVER () AS x", "projection_refused"),
        (
            "sum(number) OVER (PARTITION BY name) AS x",
            "projection_refused",
        ),
        ("(SELECT 1) AS x", "projection_refused"),
        ("number IN (SELECT 1) AS x", "projection_refused"),
        ("EXISTS (SELECT 1) AS x", "projection_refused"),
        ("random() AS x", "projection_refused"),
        ("number + CAST(random() AS INT) AS x", "projection_refused"),
        ("uuid() AS x", "projection_refused"),
        ("now() AS x", "projection_refused"),
        ("current_date AS x", "projection_refused"),
        ("$1 AS x", "projection_refused"),
        ("unnest([1, 2]) AS x", "projection_unknown_function"),
        ("frobnicate(number) AS x", "projection_unknown_function"),
        (
            "abs(frobnicate(number)) AS x",
            "projection_unknown_function",
        ),
        ("name + 1 - [1] AS x", "projection_unparsable"),
        (chain.as_str(), "projection_too_long"),
        (deep.as_str(), "projection_too_long"),
        (long.as_str(), "projection_too_long"),
        (nested.as_str(), "projection_unparsable"),
    ];
    for (expression, want) in cases {
        let errors = ScanProjection::try_new(&["name", expression], &stored, &session).err();
        let errors = errors.ok_or_else(|| format!("`{expression:.60}` is taken"))?;
        let codes: Vec<&str> = errors.iter().map(ProjectionError::code).collect();
        assert_eq!(codes, [want], "`{expression:.60}`: {}", errors[0]);
        assert!(errors[0].to_string().len() < 600, "{}", errors[0]);
    }

    // As long as they may be, the engine stands them.
    let longest = format!("{} AS x", vec!["number"; 101].join(" + "));
    let list = (0..2_000)
        .map(|number| number.to_string())
        .collect::<Vec<_>>();
    let list = format!("number IN ({}) AS y", list.join(", "));
    let given = ScanProjection::try_new(&[longest, list], &stored, &session);
    assert!(given.is_ok(), "{given:?}");

    // All of them are told.
    let errors = ScanProjection::try_new(
        &["", "nmuber AS x", "number", "name AS number"],
        &stored,
        &session,
    );
    let told: Vec<String> = (errors.err().into_iter().flatten())
        .map(|it| it.to_string())
        .collect();
    assert_eq!(
        told,
        [
            "expression 1 is empty",
            "`nmuber AS x` uses `nmuber`, which is not stored; `number` is",
            "`number` is given twice",
        ]
    );
    Ok(())
}

#[test]
fn expressions_have_the_types_that_they_are_computed_in() -> Result<(), Failure> {
    let session = SessionSpec::default().build()?;
    let stored = stored()?.schema();
    let given = [
        "*",
        "number + 1 AS next",
        "coalesce(nullif(name, 'a'), '') AS text",
        "pair['left'] AS left",
        "\"number\" AS \"Number\"",
    ];
    let projection = ScanProjection::try_new(&given, &stored, &session)
        .map_err(|errors| errors[0].to_string())?;
    let fields: Vec<String> = (projection.schema().fields().iter())
        .map(|it| format!("{} {} {}", it.name(), it.data_type(), it.is_nullable()))
        .collect();
    assert_eq!(
        fields,
        [
            "number Int32 false",
            "name Utf8 false",
            "pair Struct(\"left\": Int32) true",
            "key Int64 false",
            "next Int64 false",
            "text Utf8 false",
            "left Int32 true",
            "Number Int32 false",
        ]
    );
    Ok(())
}

/// Two columns that the contract lists as one type and are stored as another: nothing is read that would have to be guessed.
#[tokio::test]
async fn what_no_projection_settles_is_refused_before_anything_is_read() -> Result<(), Failure> {
    let lake = lake().await?;
    let columns = vec![
        required("number", ColumnType::Utf8)?,
        required("missing", ColumnType::Int64)?,
    ];
    let refused = opened(&lake, columns, "cpg.ours", &[]).await.err();
    let told = refused.map(|it| it.to_string()).unwrap_or_default();
    assert_eq!(
        told,
        "`cpg.ours` cannot be read as declared:\n  number: wanted string, found integer\n  missing: wanted long, found no such column"
    );
    // An expression may settle it.
    let columns = vec![
        required("number", ColumnType::Utf8)?,
        required("missing", ColumnType::Int64)?,
    ];
    let expressions = [
        "CAST(number AS VARCHAR) AS number",
        "CAST(0 AS BIGINT) AS missing",
    ];
    let (session, _) = opened(&lake, columns, "cpg.ours", &expressions).await?;
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![0]));
    let rows = session
        .sql("SELECT DISTINCT missing FROM ours")
        .await?
        .collect()
        .await?;
    assert_eq!(rows[0].column(0), &ids);
    Ok(())
}
