//! Tables that others wrote, made by hand: what the engines below would read wrong is read right, or refused.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use deltalake_core::DeltaTable;
use ossature_registry::{GuardedScan, ScanMode, SessionSpec, open_stored, open_table};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, FieldSpec};
use ossature_tests::{Failure, HandMade, TemporaryLake, request, write};
use ossature_write_pipeline::WriteMode;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

const NAME: &str = "cpg.theirs";

struct Theirs {
    lake: TemporaryLake,
    table: HandMade,
}

impl Theirs {
    fn try_new() -> Result<Self, Failure> {
        let lake = TemporaryLake::try_new()?;
        let table = HandMade::try_new(lake.location(NAME)?.to_string())?;
        Ok(Self { lake, table })
    }

    /// A table of one column without partitions.
    fn of_column(column: &str, array: ArrayRef) -> Result<(Self, Value), Failure> {
        let theirs = Self::try_new()?;
        let rows = RecordBatch::try_from_iter_with_nullable([(column, array, true)])?;
        let add = theirs.table.add("a.parquet", &rows, &json!({}))?;
        Ok((theirs, add))
    }

    /// Commits the first version.
    fn begin(&mut self, fields: &Value, partition: &[&str], adds: &[Value]) -> Result<(), Failure> {
        let metadata = HandMade::metadata(fields, partition, &json!({}));
        let first = [HandMade::versions(1, 2), metadata];
        self.table.commit(&[&first, adds].concat())
    }

    /// The rows of a query over the table `t`, one a line, and who reads it.
    async fn read(&self, sql: &str) -> Result<(Vec<String>, ScanMode), Failure> {
        let session = SessionSpec::default().build()?;
        let table = open_stored(&self.lake.location(NAME)?, None).await?;
        session.register_table("t", table.provider())?;
        let rows = session.sql(sql).await?.collect().await?;
        Ok((lines(&rows)?, table.mode()))
    }

    async fn rows(&self, sql: &str) -> Result<Vec<String>, Failure> {
        Ok(self.read(sql).await?.0)
    }

    /// The same, read by our own scan, as when files of others are rewritten.
    async fn rows_of_file(&self, path: &str, sql: &str) -> Result<Vec<String>, Failure> {
        let session = SessionSpec::default().build()?;
        let open = open_table(&self.lake.location(NAME)?, None).await?;
        let scan = GuardedScan::of_files(&open, &[path.to_owned()].into())?;
        session.register_table("t", Arc::new(scan))?;
        lines(&session.sql(sql).await?.collect().await?)
    }

    async fn refusal(&self) -> Result<&'static str, Failure> {
        let refused = open_stored(&self.lake.location(NAME)?, None).await.err();
        Ok(refused.ok_or("the table was opened")?.code())
    }

    /// Asserts of each filter how many rows it keeps.
    async fn check(&self, column: &str, filters: &[(&str, usize)]) -> Result<(), Failure> {
        for (filter, want) in filters {
            let sql = format!("SELECT {column} FROM t WHERE {filter}");
            let found = self.rows(&sql).await?;
            assert_eq!(found.len(), *want, "{filter}: {found:?}");
            let sql = format!("SELECT count(*) FROM t WHERE {filter}");
            assert_eq!(self.rows(&sql).await?, [want.to_string()], "{filter}");
        }
        Ok(())
    }
}

/// Rows as a table shows them, without its rules.
fn lines(rows: &[RecordBatch]) -> Result<Vec<String>, Failure> {
    let text = pretty_format_batches(rows)?.to_string();
    let rows = text.lines().skip(3).filter(|line| line.starts_with('|'));
    let values = |line: &str| line.trim_matches(['|', ' ']).to_owned();
    Ok(rows.map(values).collect())
}

fn field(name: &str, data_type: &str) -> Value {
    HandMade::field(name, data_type, true, &json!({}))
}

fn one_id() -> Result<RecordBatch, Failure> {
    let ids = Int64Array::from(vec![1]);
    Ok(RecordBatch::try_from_iter([("id", Arc::new(ids) as _)])?)
}

/// Spark's times of 96 bits reach from year 1 to 9999, and do not fit into nanoseconds of 64 bits.
#[tokio::test]
async fn times_of_96_bits_keep_their_years() -> Result<(), Failure> {
    let mut theirs = Theirs::try_new()?;
    let path = theirs.table.folder().join("a.parquet");
    let schema = Arc::new(parse_message_type("message m { optional int96 at; }")?);
    let mut writer = SerializedFileWriter::new(File::create(&path)?, schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    let mut column = group.next_column()?.ok_or("no column")?;
    // Julian days, and the two halves of a day's nanoseconds.
    let values = [
        (1_721_426, 0_u64),
        (2_440_588, 1_000),
        (5_373_484, 86_399_999_999_000),
    ]
    .map(|(day, nanoseconds)| {
        let mut value = Int96::new();
        let half = |shift: u32| u32::try_from(nanoseconds >> shift & 0xffff_ffff);
        half(0)
            .and_then(|low| Ok((low, half(32)?)))
            .map(|(low, high)| value.set_data(low, high, day))?;
        Ok::<_, Failure>(value)
    });
    let values = values.into_iter().collect::<Result<Vec<_>, _>>()?;
    let levels = Some(&[1, 1, 1][..]);
    (column.typed::<Int96Type>()).write_batch(&values, levels, None)?;
    column.close()?;
    group.close()?;
    writer.close()?;
    let add = json!({"add": {
        "path": "a.parquet", "partitionValues": {}, "size": path.metadata()?.len(),
        "modificationTime": 0, "dataChange": true,
    }});
    theirs.begin(&json!([field("at", "timestamp")]), &[], &[add])?;
    let want = [
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000001Z",
        "9999-12-31T23:59:59.999999Z",
    ];
    let sql = "SELECT at FROM t";
    assert_eq!(theirs.rows(sql).await?, want);
    assert_eq!(theirs.rows_of_file("a.parquet", sql).await?, want);

    // Our commit on top does not make the file ours.
    let contract = DatasetSpec::builder(NAME, "")
        .column(ColumnSpec::nullable("at", ColumnType::TimestampUtc)?)
        .order_by(["at"])
        .build()?;
    let at = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
    let rows = RecordBatch::try_from_iter([("at", Arc::new(at) as _)])?;
    let request = request(&theirs.lake.lake, &contract, 100, WriteMode::Append)?;
    write(request, 1, [rows]).await?;
    let (found, mode) = theirs.read("SELECT at FROM t ORDER BY at").await?;
    assert_eq!(mode, ScanMode::Delegated);
    assert_eq!(
        found,
        [&want[..1], &["1970-01-01T00:00:00Z"], &want[1..]].concat()
    );
    Ok(())
}

/// Bounds leave NaN out, in the log and in footers, and of the fields of structs as well.
#[tokio::test]
async fn nan_is_found_inside_of_structs() -> Result<(), Failure> {
    let filters = [
        ("pair['f'] > 10", 1),
        ("pair['f'] = 'NaN'::DOUBLE", 1),
        ("NOT (pair['f'] <= 10)", 1),
        ("pair['f'] <= 10", 1),
    ];
    let floats = || -> ArrayRef {
        let floats = Float64Array::from(vec![f64::NAN, 1.0]);
        let inner = Arc::new(Field::new("f", DataType::Float64, true));
        Arc::new(StructArray::from(vec![(inner, Arc::new(floats) as _)]))
    };
    let (mut theirs, mut add) = Theirs::of_column("pair", floats())?;
    let bounds = json!({
        "numRecords": 2, "nullCount": {"pair": {"f": 0}},
        "minValues": {"pair": {"f": 1.0}}, "maxValues": {"pair": {"f": 1.0}},
    });
    add["add"]["stats"] = json!(bounds.to_string());
    let pair = json!({"name": "pair", "nullable": true, "metadata": {}, "type": {
        "type": "struct", "fields": [field("f", "double")],
    }});
    theirs.begin(&json!([pair]), &[], &[add])?;
    theirs.check("pair", &filters).await?;

    let ours = Theirs::try_new()?;
    let inner = vec![FieldSpec::nullable("f", ColumnType::Float64)?];
    let contract = DatasetSpec::builder(NAME, "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("pair", ColumnType::Struct(inner))?)
        .order_by(["id"])
        .build()?;
    std::fs::remove_dir_all(ours.table.folder())?;
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let rows =
        RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("pair", floats(), true)])?;
    let request = request(&ours.lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(request, 1, [rows]).await?;
    assert_eq!(ours.read("SELECT id FROM t").await?.1, ScanMode::Direct);
    ours.check("id", &filters).await
}

/// The bounds of decimals in a log are numbers of any length; the runtime reads them as floats.
#[tokio::test]
async fn long_decimals_are_found() -> Result<(), Failure> {
    let long = 12_345_678_901_234_567_890_123_456_789_012_345_678;
    let longs = Decimal128Array::from(vec![Some(long), None]).with_precision_and_scale(38, 0)?;
    let (mut theirs, mut add) = Theirs::of_column("long", Arc::new(longs))?;
    add["add"]["stats"] = json!(format!(
        r#"{{"numRecords":2,"nullCount":{{"long":1}},"minValues":{{"long":{long}}},"maxValues":{{"long":{long}}}}}"#
    ));
    theirs.begin(&json!([field("long", "decimal(38,0)")]), &[], &[add])?;
    let filters = [("=", 0), ("<", 1), (">", -1), ("<=", 0), (">=", 0)]
        .map(|(sign, more)| format!("long {sign} '{}'::DECIMAL(38, 0)", long + more));
    let filters: Vec<(&str, usize)> = filters.iter().map(|filter| (filter.as_str(), 1)).collect();
    theirs.check("long", &filters).await?;
    theirs.check("long", &[("long IS NULL", 1)]).await
}

/// Spark writes bounds of times in milliseconds, cuts texts, and may leave out what it does not know.
#[tokio::test]
async fn bounds_that_are_rounded_or_missing_lose_no_rows() -> Result<(), Failure> {
    let mut theirs = Theirs::try_new()?;
    let at = TimestampMicrosecondArray::from(vec![123_456, 123_999]).with_timezone("UTC");
    let texts = StringArray::from(vec!["a".repeat(40), "b".repeat(40)]);
    let nulls = Int64Array::from(vec![Some(9_007_199_254_740_993), None]);
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("at", Arc::new(at) as ArrayRef, true),
        ("text", Arc::new(texts), true),
        ("long", Arc::new(nulls), true),
    ])?;
    let mut add = theirs.table.add("a.parquet", &rows, &json!({}))?;
    let milliseconds = "1970-01-01T00:00:00.123Z";
    let bounds = json!({
        "numRecords": 2,
        "minValues": {"at": milliseconds, "text": "a".repeat(32), "long": 9_007_199_254_740_993_i64},
        "maxValues": {
            "at": milliseconds,
            "text": format!("{}\u{10ffff}", "b".repeat(32)),
            "long": 9_007_199_254_740_993_i64,
        },
    });
    add["add"]["stats"] = json!(bounds.to_string());
    let fields = [("at", "timestamp"), ("text", "string"), ("long", "long")];
    let fields = fields.map(|(name, data_type)| field(name, data_type));
    theirs.begin(&json!(fields), &[], &[add])?;
    let filters = [
        ("at = '1970-01-01T00:00:00.123456Z'::TIMESTAMP", 1),
        ("at > '1970-01-01T00:00:00.123456Z'::TIMESTAMP", 1),
        ("at >= '1970-01-01T00:00:00.123999Z'::TIMESTAMP", 1),
        ("text > repeat('b', 32)", 1),
        ("text = repeat('b', 40)", 1),
        ("long = 9007199254740993", 1),
        ("long > 9007199254740992", 1),
        ("long IS NULL", 1),
        ("long IS NOT NULL", 1),
    ];
    theirs.check("at", &filters).await?;
    let sql = "SELECT max(text) = repeat('b', 40), count(long), count(*) FROM t";
    let found = theirs.rows(sql).await?.join("");
    let found: Vec<&str> = found.split('|').map(str::trim).collect();
    assert_eq!(found, ["true", "1", "2"]);
    Ok(())
}

#[tokio::test]
async fn partition_values_are_what_the_protocol_says() -> Result<(), Failure> {
    for (data_type, value, filter) in [
        ("string", "", "p IS NULL"),
        ("string", "a=b/é %41", "p = 'a=b/é %41'"),
        ("binary", "", "p IS NULL"),
        ("binary", "\u{1}\u{2}a", "p = X'010261'"),
        ("integer", "", "p IS NULL"),
        ("byte", "-128", "p = -128"),
        ("boolean", "true", "p"),
        ("double", "NaN", "p > 5 AND p = 'NaN'::DOUBLE"),
        ("double", "-Infinity", "p < 5"),
        ("double", "1.0E10", "p = 10000000000"),
        ("float", "-0.0", "p = 0"),
        ("decimal(10,2)", "-1.50", "p = -1.5"),
        (
            "decimal(38,0)",
            "12345678901234567890123456789012345678",
            "p = '12345678901234567890123456789012345678'::DECIMAL(38, 0)",
        ),
        ("date", "0001-01-01", "p = '0001-01-01'::DATE"),
        (
            "timestamp",
            "2021-01-01 00:00:00.123456",
            "p = '2021-01-01T00:00:00.123456Z'::TIMESTAMP",
        ),
        (
            "timestamp",
            "2021-01-01T00:00:00.123456Z",
            "p = '2021-01-01T00:00:00.123456Z'::TIMESTAMP",
        ),
        (
            "timestamp",
            "9999-12-31 23:59:59.999999",
            "p > '2021-01-01T00:00:00Z'::TIMESTAMP",
        ),
    ] {
        let mut theirs = Theirs::try_new()?;
        let add = (theirs.table).add("a.parquet", &one_id()?, &json!({"p": value}))?;
        let fields = json!([field("id", "long"), field("p", data_type)]);
        theirs.begin(&fields, &["p"], &[add])?;
        let what = format!("{data_type} {value:?}");
        let sql = format!("SELECT {filter} FROM t");
        assert_eq!(theirs.rows(&sql).await?, ["true"], "{what}");
        let ours = theirs.rows_of_file("a.parquet", &sql).await;
        // Our own scan knows fewer spellings, and says so.
        assert!(ours.is_err() || ours? == ["true"], "{what}");
        theirs.check("id", &[(filter, 1)]).await?;
        let unlike = format!("NOT ({filter})");
        theirs.check("id", &[(unlike.as_str(), 0)]).await?;
    }
    Ok(())
}

/// The runtime keeps every file for which a predicate over partition columns is null.
#[tokio::test]
async fn a_predicate_over_partitions_that_is_null_keeps_no_row() -> Result<(), Failure> {
    let mut theirs = Theirs::try_new()?;
    let files = [
        ("a.parquet", json!("a")),
        ("b.parquet", json!("b")),
        ("c.parquet", Value::Null),
    ];
    let adds = files.map(|(path, value)| theirs.table.add(path, &one_id()?, &json!({"p": value})));
    let adds = adds.into_iter().collect::<Result<Vec<_>, Failure>>()?;
    let fields = json!([field("id", "long"), field("p", "string")]);
    theirs.begin(&fields, &["p"], &adds)?;
    theirs
        .check(
            "id",
            &[
                ("p = 'a' OR CAST(NULL AS BOOLEAN)", 1),
                ("p = 'a' AND CAST(NULL AS BOOLEAN)", 0),
                ("p = CAST(NULL AS VARCHAR)", 0),
                ("p <> 'a'", 1),
                ("p NOT IN ('a', NULL)", 0),
                ("p IN ('a', NULL)", 1),
                ("p IS DISTINCT FROM 'a'", 2),
                ("p IS NULL", 1),
            ],
        )
        .await
}

#[tokio::test]
async fn partition_values_that_are_none_are_refused() -> Result<(), Failure> {
    for (data_type, value) in [("integer", "x"), ("decimal(10,2)", "1.5"), ("date", "x")] {
        let mut theirs = Theirs::try_new()?;
        let add = (theirs.table).add("a.parquet", &one_id()?, &json!({"p": value}))?;
        let fields = json!([field("id", "long"), field("p", data_type)]);
        theirs.begin(&fields, &["p"], &[add])?;
        assert_eq!(theirs.refusal().await?, "invalid_log", "{data_type}");
    }
    Ok(())
}

/// With mapping by identifier, what a file calls a column says nothing.
#[tokio::test]
async fn columns_are_not_taken_for_others_of_their_names() -> Result<(), Failure> {
    let column = |name: &str, id: &str| {
        let id = [("PARQUET:field_id".to_owned(), id.to_owned())];
        Field::new(name, DataType::Int64, true).with_metadata(id.into())
    };
    let mapped = |name: &str, id: u32| {
        let metadata = json!({
            "delta.columnMapping.id": id, "delta.columnMapping.physicalName": name,
        });
        HandMade::field(name, "long", true, &metadata)
    };
    let fields = json!([mapped("a", 1), mapped("b", 2)]);
    let cases: [(&str, [Field; 2], Option<&str>); 5] = [
        ("id", [column("a", "1"), column("b", "2")], None),
        (
            "id",
            [column("b", "1"), column("a", "2")],
            Some("unsupported_table"),
        ),
        (
            "id",
            [column("x", "1"), column("b", "2")],
            Some("unsupported_table"),
        ),
        (
            "id",
            [column("a", "3"), column("b", "2")],
            Some("unsupported_table"),
        ),
        ("name", [column("a", "1"), column("b", "2")], None),
    ];
    for (mode, columns, refused) in cases {
        let mut theirs = Theirs::try_new()?;
        let what = format!("{mode}, {columns:?}");
        let arrays: [ArrayRef; 2] =
            [10, 20].map(|value| Arc::new(Int64Array::from(vec![value])) as _);
        let schema = Arc::new(Schema::new(columns.to_vec()));
        let rows = RecordBatch::try_new(schema, arrays.to_vec())?;
        let add = theirs.table.add("a.parquet", &rows, &json!({}))?;
        let properties = json!({
            "delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "2",
        });
        let metadata = HandMade::metadata(&fields, &[], &properties);
        (theirs.table).commit(&[HandMade::versions(2, 5), metadata, add])?;
        match refused {
            Some(code) => assert_eq!(theirs.refusal().await?, code, "{what}"),
            None => assert_eq!(
                theirs.rows("SELECT a + 2 * b FROM t").await?,
                ["50"],
                "{what}"
            ),
        }
    }
    Ok(())
}

/// Spark leaves letters beyond ASCII in a path as they are, and delta-rs escapes them.
#[tokio::test]
async fn a_file_that_was_removed_under_another_spelling_does_not_come_back() -> Result<(), Failure>
{
    let mut theirs = Theirs::try_new()?;
    let partition = json!({"p": "é"});
    let mut add = theirs.table.add("p=é/a.parquet", &one_id()?, &partition)?;
    let remove = |path: &str| json!({"remove": {"path": path, "dataChange": true}});
    add["add"]["path"] = json!("p=%C3%A9/a.parquet");
    let fields = json!([field("id", "long"), field("p", "string")]);
    theirs.begin(&fields, &["p"], &[add.clone()])?;
    assert_eq!(theirs.rows("SELECT id, p FROM t").await?, ["1  | é"]);

    theirs.table.commit(&[remove("p=é/a.parquet")])?;
    assert_eq!(theirs.refusal().await?, "ambiguous_path");
    // Who adds it again settles it, and so does who removes it under the name that it was added by.
    theirs.table.commit(&[add])?;
    assert_eq!(theirs.rows("SELECT id FROM t").await?, ["1"]);
    theirs.table.commit(&[remove("p=%C3%A9/a.parquet")])?;
    assert_eq!(theirs.rows("SELECT id FROM t").await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn files_outside_of_the_folder_are_read_where_they_are_allowed() -> Result<(), Failure> {
    let elsewhere = tempfile::tempdir()?;
    let folder = elsewhere.path().join("a b%20é");
    let other = HandMade::try_new(&folder)?;
    let mut far = other.add("b.parquet", &one_id()?, &json!({}))?;
    let path = format!("{}/a%20b%2520é/b.parquet", elsewhere.path().display());
    for path in [format!("file://{path}"), format!("file:{path}"), path] {
        let mut theirs = Theirs::try_new()?;
        let near = (theirs.table).add("near.parquet", &one_id()?, &json!({}))?;
        far["add"]["path"] = json!(path);
        theirs.begin(&json!([field("id", "long")]), &[], &[near, far.clone()])?;
        assert_eq!(theirs.refusal().await?, "path_escapes", "{path}");
        let location = theirs.lake.location(NAME)?;
        let location = location.allow(&elsewhere.path().to_string_lossy())?;
        let table = open_stored(&location, None).await?;
        let session = SessionSpec::default().build()?;
        session.register_table("t", table.provider())?;
        let rows = session.sql("SELECT id FROM t").await?.collect().await?;
        assert_eq!(lines(&rows)?, ["1", "1"], "{path}");
    }
    Ok(())
}

/// Partition values of Spark, in the paths that it makes of them.
const SPELLINGS: [(&str, bool); 5] = [
    ("p=é/a.parquet", false),
    ("p=*/a.parquet", false),
    ("p=%7E/a.parquet", false),
    ("p=%C3%A9%20/a.parquet", true),
    ("p=1/a.parquet", true),
];

/// A table with one file, whose path is spelled so.
fn spelled(path: &str) -> Result<Theirs, Failure> {
    let mut theirs = Theirs::try_new()?;
    let unescaped = path.replace("%7E", "~").replace("%C3%A9%20", "é ");
    let mut add = (theirs.table).add(&unescaped, &one_id()?, &json!({"p": "x"}))?;
    add["add"]["path"] = json!(path);
    let fields = json!([field("id", "long"), field("p", "string")]);
    theirs.begin(&fields, &["p"], &[add])?;
    Ok(theirs)
}

#[tokio::test]
async fn files_that_the_runtime_would_not_remove_are_told() -> Result<(), Failure> {
    for (path, is_removable) in SPELLINGS {
        let theirs = spelled(path)?;
        let open = open_table(&theirs.lake.location(NAME)?, None).await?;
        let refused = open.check_removable().await.err();
        let refused = refused.map(|error| error.code());
        let want = (!is_removable).then_some("unremovable_file");
        assert_eq!(refused, want, "{path}");
    }
    Ok(())
}

/// The defect that the guard is for: should the runtime mend it, this test says so.
#[tokio::test]
async fn the_runtime_does_not_remove_what_it_spells_otherwise() -> Result<(), Failure> {
    let theirs = spelled("p=é/a.parquet")?;
    let folder = theirs.lake.location(NAME)?;
    let (table, _) = DeltaTable::try_from_url(folder.url().clone())
        .await?
        .delete()
        .await?;
    assert_eq!(table.snapshot()?.log_data().num_files(), 1);
    Ok(())
}

#[tokio::test]
async fn an_overwrite_leaves_no_row_of_a_file_whose_path_is_spelled_otherwise()
-> Result<(), Failure> {
    let contract = DatasetSpec::builder(NAME, "")
        .column(ColumnSpec::nullable("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("p", ColumnType::Utf8)?)
        .order_by(["p", "id"])
        .partition_by(["p"])
        .build()?;
    for (path, is_removable) in SPELLINGS {
        let theirs = spelled(path)?;
        let rows = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
            ("p", Arc::new(StringArray::from(vec!["y"])) as _),
        ])?;
        let request = request(&theirs.lake.lake, &contract, 100, WriteMode::Overwrite)?;
        let written = write(request, 1, [rows]).await;
        assert_eq!(written.is_ok(), is_removable, "{path}");
        let want = if is_removable { ["7"] } else { ["1"] };
        assert_eq!(theirs.rows("SELECT id FROM t").await?, want, "{path}");
    }
    Ok(())
}

/// The protocol has no empty text in partition columns: other readers see a null.
#[tokio::test]
async fn an_empty_text_is_not_written_as_a_partition_value() -> Result<(), Failure> {
    let contract = DatasetSpec::builder("cpg.ours", "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("p", ColumnType::Utf8)?)
        .order_by(["p", "id"])
        .partition_by(["p"])
        .build()?;
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
        ("p", Arc::new(StringArray::from(vec![""])) as _),
    ])?;
    let lake = TemporaryLake::try_new()?;
    let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    assert!(write(request, 1, [rows]).await.is_err());
    Ok(())
}
