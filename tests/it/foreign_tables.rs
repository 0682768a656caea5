//! Tables that others wrote, made by hand: what the engines below would read wrong is read right or refused.

use std::fs::File;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, StringBuilder};
use arrow_array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use deltalake_core::parquet::data_type::{Int96, Int96Type};
use deltalake_core::parquet::file::properties::WriterProperties;
use deltalake_core::parquet::file::writer::SerializedFileWriter;
use deltalake_core::parquet::schema::parser::parse_message_type;
use ossature_registry::{SessionSpec, TableLocation, open_stored};
use ossature_tests::{Failure, HandMade};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A table in a folder that is removed with it.
struct Foreign {
    _folder: TempDir,
    table: HandMade,
}

impl Foreign {
    fn try_new() -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let table = HandMade::try_new(folder.path().join("theirs"))?;
        Ok(Self {
            _folder: folder,
            table,
        })
    }

    /// The rows of a query over the table `t`, one a line, or the code of the refusal.
    async fn query(&self, sql: &str) -> Result<Vec<String>, Failure> {
        let session = SessionSpec::default().build()?;
        let location = TableLocation::try_new(&self.table.folder().to_string_lossy())?;
        match open_stored(&location, None).await {
            Ok(table) => session.register_table("t", table.provider())?,
            Err(error) => { eprintln!("{error:?}"); return Ok(vec![error.code().to_owned()]) }
        };
        let rows = session.sql(sql).await?.collect().await?;
        let text = pretty_format_batches(&rows)?.to_string();
        let lines = text.lines().skip(3).filter(|line| line.starts_with('|'));
        Ok(lines
            .map(|line| line.trim_matches(['|', ' ']).to_owned())
            .collect())
    }
}

#[tokio::test]
async fn zz_int96() -> Result<(), Failure> {
    let mut foreign = Foreign::try_new()?;
    let schema = Arc::new(parse_message_type("message m { optional int96 at; }")?);
    let path = foreign.table.folder().join("a.parquet");
    let mut writer = SerializedFileWriter::new(
        File::create(&path)?,
        schema,
        Arc::new(WriterProperties::builder().build()),
    )?;
    let mut group = writer.next_row_group()?;
    let mut column = group.next_column()?.ok_or("no column")?;
    let value = |day: u32, nanos: u64| {
        let mut value = Int96::new();
        value.set_data((nanos & 0xffff_ffff) as u32, (nanos >> 32) as u32, day);
        value
    };
    let values = [
        value(1_721_426, 0),
        value(2_440_588, 1_000),
        value(5_373_484, 86_399_999_999_000),
    ];
    column
        .typed::<Int96Type>()
        .write_batch(&values, Some(&[1, 1, 1]), None)?;
    column.close()?;
    group.close()?;
    writer.close()?;
    let field = HandMade::field("at", "timestamp", true, &json!({}));
    foreign.table.commit(&[
        HandMade::versions(1, 2),
        HandMade::metadata(&json!([field]), &[], &json!({})),
        json!({"add": {"path": "a.parquet", "partitionValues": {}, "size": path.metadata()?.len(),
            "modificationTime": 0, "dataChange": true}}),
    ])?;
    eprintln!("INT96 {:?}", foreign.query("SELECT at FROM t").await);
    Ok(())
}

fn with_id(name: &str, id: &str) -> Field {
    Field::new(name, DataType::Int64, true)
        .with_metadata([("PARQUET:field_id".to_owned(), id.to_owned())].into())
}

#[tokio::test]
async fn zz_id_mode() -> Result<(), Failure> {
    let mut foreign = Foreign::try_new()?;
    // swapped names
    let schema = Schema::new(vec![with_id("b", "1"), with_id("a", "2")]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 1])),
        Arc::new(Int64Array::from(vec![2, 2])),
    ];
    let rows = RecordBatch::try_new(Arc::new(schema), columns)?;
    let add = foreign.table.add("a.parquet", &rows, &json!({}))?;
    let field = |name: &str, id: u32| {
        HandMade::field(
            name,
            "long",
            true,
            &json!({"delta.columnMapping.id": id, "delta.columnMapping.physicalName": name}),
        )
    };
    foreign.table.commit(&[
        HandMade::versions(2, 5),
        HandMade::metadata(
            &json!([field("a", 1), field("b", 2)]),
            &[],
            &json!({"delta.columnMapping.mode": "id", "delta.columnMapping.maxColumnId": "2"}),
        ),
        add,
    ])?;
    eprintln!("ID {:?}", foreign.query("SELECT a, b FROM t").await);
    Ok(())
}

#[tokio::test]
async fn zz_partitions() -> Result<(), Failure> {
    let ids = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1])) as _)])?;
    let f = |n: &str, t: &str| HandMade::field(n, t, true, &json!({}));
    for (kind, value, filters) in [
        ("string", "", vec!["p IS NULL", "p = ''"]),
        ("double", "NaN", vec!["p > 5", "p = 'NaN'::double"]),
        ("double", "-Infinity", vec!["p < 5"]),
        ("double", "1.0E10", vec!["p > 5"]),
        ("float", "-0.0", vec!["p = 0.0", "p < 0.0"]),
        ("binary", "\u{1}\u{2}a", vec!["p = X'010261'"]),
        ("binary", "é", vec!["p = X'C3A9'", "p = X'E9'"]),
        ("timestamp", "2021-01-01 00:00:00.123456", vec!["p = '2021-01-01 00:00:00.123456Z'::timestamp"]),
        ("timestamp", "2021-01-01T00:00:00.123456Z", vec!["p = '2021-01-01 00:00:00.123456Z'::timestamp"]),
        ("timestamp", "2021-01-01T00:00:00.123456+01:00", vec!["p = '2020-12-31 23:00:00.123456Z'::timestamp"]),
        ("timestamp", "0001-01-01 00:00:00", vec!["p < '2020-12-31 23:00:00.123456Z'::timestamp"]),
        ("timestamp", "9999-12-31 23:59:59.999999", vec!["p > '2020-12-31 23:00:00.123456Z'::timestamp"]),
        ("boolean", "TRUE", vec!["p"]),
        ("boolean", "true", vec!["p"]),
        ("decimal(10,2)", "1.5", vec!["p = 1.5"]),
        ("decimal(10,2)", "1", vec!["p = 1"]),
        ("decimal(38,0)", "12345678901234567890123456789012345678", vec!["p = 12345678901234567890123456789012345678::decimal(38,0)"]),
        ("long", "007", vec!["p = 7"]),
        ("byte", "-128", vec!["p = -128"]),
        ("date", "0001-01-01", vec!["p < '2020-01-01'::date"]),
        ("integer", "", vec!["p IS NULL"]),
        ("integer", "x", vec!["p IS NULL"]),
    ] {
        let mut foreign = Foreign::try_new()?;
        let add = foreign.table.add("a.parquet", &ids, &json!({"p": value}))?;
        foreign.table.commit(&[
            HandMade::versions(1, 2),
            HandMade::metadata(&json!([f("id", "long"), f("p", kind)]), &["p"], &json!({})),
            add,
        ])?;
        eprintln!("PART {kind} {value:?} {:?}", foreign.query("SELECT p FROM t").await);
        for filter in filters {
            eprintln!("    {filter} {:?} {:?}", foreign.query(&format!("SELECT id FROM t WHERE {filter}")).await, foreign.query(&format!("SELECT count(*) FROM t WHERE {filter}")).await);
        }
    }
    Ok(())
}

#[tokio::test]
async fn zz_stats() -> Result<(), Failure> {
    let mut foreign = Foreign::try_new()?;
    let at = TimestampMicrosecondArray::from(vec![1_609_459_200_123_456, 1_609_459_200_123_999]).with_timezone("UTC");
    let big = 12_345_678_901_234_567_890_123_456_789_012_345_678_i128;
    let dec = Decimal128Array::from(vec![Some(big), None]).with_precision_and_scale(38, 0)?;
    let text = StringArray::from(vec![Some("a".repeat(40)), Some("b".repeat(40))]);
    let f = Float64Array::from(vec![f64::NAN, 1.0]);
    let st = StructArray::from(vec![(Arc::new(Field::new("f", DataType::Float64, true)), Arc::new(f.clone()) as ArrayRef)]);
    let long = Int64Array::from(vec![Some(9_007_199_254_740_993), None]);
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("at", Arc::new(at) as ArrayRef, true),
        ("big", Arc::new(dec), true),
        ("text", Arc::new(text), true),
        ("f", Arc::new(f), true),
        ("st", Arc::new(st), true),
        ("long", Arc::new(long), true),
    ])?;
    let mut add = foreign.table.add("a.parquet", &rows, &json!({}))?;
    let stats = r#"{"numRecords":2,"minValues":{"at":"2021-01-01T00:00:00.123Z","big":12345678901234567890123456789012345678,"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","f":1.0,"st":{"f":1.0},"long":9007199254740993},"maxValues":{"at":"2021-01-01T00:00:00.123Z","big":12345678901234567890123456789012345678,"text":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\uDBFF\uDFFF","f":1.0,"st":{"f":1.0},"long":9007199254740993}}"#;
    add["add"]["stats"] = json!(stats);
    let fl = |n: &str, t: &str| HandMade::field(n, t, true, &json!({}));
    let st = json!({"name": "st", "nullable": true, "metadata": {}, "type": {"type": "struct", "fields": [fl("f", "double")]}});
    let fields = json!([fl("at", "timestamp"), fl("big", "decimal(38,0)"), fl("text", "string"), fl("f", "double"), st, fl("long", "long")]);
    foreign.table.commit(&[HandMade::versions(1, 2), HandMade::metadata(&fields, &[], &json!({})), add])?;
    for (filter, want) in [
        ("at = '2021-01-01T00:00:00.123456Z'::timestamp", 1),
        ("at > '2021-01-01T00:00:00.123456Z'::timestamp", 1),
        ("at >= '2021-01-01T00:00:00.123999Z'::timestamp", 1),
        ("big = 12345678901234567890123456789012345678::decimal(38,0)", 1),
        ("big < 12345678901234567890123456789012345679::decimal(38,0)", 1),
        ("big > 12345678901234567890123456789012345677::decimal(38,0)", 1),
        ("big IS NULL", 1),
        ("big IS NOT NULL", 1),
        ("text = 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'", 1),
        ("text > 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'", 1),
        ("f > 10", 1),
        ("st['f'] > 10", 1),
        ("st['f'] = 'NaN'::double", 1),
        ("long = 9007199254740993", 1),
        ("long > 9007199254740992", 1),
        ("long IS NULL", 1),
        ("coalesce(f, 0.0) > 10", 1),
        ("NOT (f <= 10)", 1),
        ("NOT (st['f'] <= 10)", 1),
    ] {
        let found = foreign.query(&format!("SELECT long FROM t WHERE {filter}")).await?;
        if found.len() != want { eprintln!("STATS WRONG {filter} {found:?}"); }
        let found = foreign.query(&format!("SELECT count(*) FROM t WHERE {filter}")).await?;
        if found != [want.to_string()] { eprintln!("STATS COUNT WRONG {filter} {found:?}"); }
    }
    for q in ["max(text)", "max(at)", "count(long)", "count(*)", "max(long)", "max(f)", "min(big)"] {
        eprintln!("AGG {q} {:?}", foreign.query(&format!("SELECT {q} FROM t")).await);
    }
    Ok(())
}

#[tokio::test]
async fn zz_paths() -> Result<(), Failure> {
    let _unused = (Int32Builder::new(), StringBuilder::new(), Fields::empty(), Value::Null);
    let ids = |id: i64| RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![id])) as _)]);
    let f = HandMade::field("id", "long", true, &json!({}));
    let meta = [HandMade::versions(1, 2), HandMade::metadata(&json!([f]), &[], &json!({}))];
    // absolute
    let mut foreign = Foreign::try_new()?;
    let mut add = foreign.table.add("a.parquet", &ids(1)?, &json!({}))?;
    let elsewhere = tempfile::tempdir()?;
    let other = HandMade::try_new(elsewhere.path().join("a b%20é"))?;
    let mut far = other.add("b.parquet", &ids(2)?, &json!({}))?;
    let url = format!("file://{}/a%20b%2520é/b.parquet", elsewhere.path().display());
    far["add"]["path"] = json!(url);
    foreign.table.commit(&[meta[0].clone(), meta[1].clone(), add.clone(), far.clone()])?;
    eprintln!("PATH absolute {:?}", foreign.query("SELECT id FROM t").await);
    far["add"]["path"] = json!(format!("{}/a%20b%2520é/b.parquet", elsewhere.path().display()));
    let mut foreign = Foreign::try_new()?;
    foreign.table.commit(&[meta[0].clone(), meta[1].clone(), far.clone()])?;
    eprintln!("PATH absolute without scheme {:?}", foreign.query("SELECT id FROM t").await);
    let mut foreign = Foreign::try_new()?;
    foreign.table.add("k=é/a.parquet", &ids(1)?, &json!({}))?;
    add["add"]["path"] = json!("k=%C3%A9/a.parquet");
    foreign.table.commit(&[meta[0].clone(), meta[1].clone(), add.clone()])?;
    eprintln!("PATH escaped {:?}", foreign.query("SELECT id FROM t").await);
    foreign.table.commit(&[json!({"remove": {"path": "k=é/a.parquet", "dataChange": true, "deletionTimestamp": 1}})])?;
    eprintln!("PATH escaped removed {:?}", foreign.query("SELECT id FROM t").await);
    foreign.table.commit(&[add.clone()])?;
    eprintln!("PATH escaped removed added {:?}", foreign.query("SELECT id FROM t").await);
    Ok(())
}
