//! Tables that we and others write in turn: whatever the types of keys and partitions, and whoever wrote last, the
//! rows are those of a model, and what a commit claims is true.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::prelude::{col, lit};
use deltalake_core::DeltaTable;
use deltalake_core::operations::optimize::OptimizeType;
use deltalake_core::protocol::checkpoints::create_checkpoint;
use ossature_delta_policy::{PolicyOverrides, SchemaMode, TablePolicy, resolve};
use ossature_registry::{Catalog, SessionSpec, TableLocation, open_dataset, open_table};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, FieldSpec};
use ossature_tests::{
    Failure, TemporaryLake, code_of, files_below, request, rows, things, write, write_foreign,
};
use ossature_write_pipeline::{
    EncodePool, KeyRange, TableWriter, TransactionId, WriteMode, WriteOutcome,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A type with values of it in their order.
#[derive(Debug, Clone)]
struct Pool {
    column_type: ColumnType,
    values: Vec<ScalarValue>,
}

impl Pool {
    fn new<T>(column_type: ColumnType, values: impl IntoIterator<Item = T>) -> Self
    where
        T: Into<ScalarValue>,
    {
        Self {
            column_type,
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// What a number stands for, and 0 for null.
    fn value(&self, number: u8) -> Result<ScalarValue, Failure> {
        match usize::from(number) % (self.values.len() + 1) {
            0 => Ok(ScalarValue::try_from(&self.column_type.to_arrow())?),
            at => Ok(self.values[at - 1].clone()),
        }
    }

    fn array(&self, numbers: impl Iterator<Item = u8>) -> Result<ArrayRef, Failure> {
        let values = numbers.map(|number| self.value(number));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        Ok(ScalarValue::iter_to_array(values)?)
    }

    /// The number that a stored value stands for.
    fn number(&self, array: &dyn Array, row: usize) -> Result<u8, Failure> {
        if array.is_null(row) {
            return Ok(0);
        }
        let found =
            ScalarValue::try_from_array(array, row)?.cast_to(&self.column_type.to_arrow())?;
        let at = self.values.iter().position(|value| *value == found);
        let at = at.ok_or_else(|| format!("{found:?} was never written"))?;
        Ok(u8::try_from(at)? + 1)
    }
}

fn days() -> Pool {
    let days = [-719_162, -1, 0, 19_782, 2_932_896];
    Pool::new(
        ColumnType::Date,
        days.map(|day| ScalarValue::Date32(Some(day))),
    )
}

const TIMES: [i64; 7] = [
    -62_135_596_800_000_000,
    -1,
    0,
    1,
    1_000,
    1_700_000_000_123_456,
    253_402_300_799_999_999,
];

fn times() -> Pool {
    let time = |it| ScalarValue::TimestampMicrosecond(Some(it), Some("UTC".into()));
    Pool::new(ColumnType::TimestampUtc, TIMES.map(time))
}

fn clocks() -> Pool {
    let time = |it| ScalarValue::TimestampMicrosecond(Some(it), None);
    Pool::new(ColumnType::TimestampNtz, TIMES.map(time))
}

fn decimals() -> Pool {
    let column_type = ColumnType::Decimal {
        precision: 20,
        scale: 3,
    };
    let values = [
        -99_999_999_999_999_999_999,
        -1,
        0,
        1,
        1_500,
        99_999_999_999_999_999_999,
    ];
    Pool::new(
        column_type,
        values.map(|value| ScalarValue::Decimal128(Some(value), 20, 3)),
    )
}

fn integers() -> Pool {
    Pool::new(
        ColumnType::Int64,
        [i64::MIN, -1, 0, 1, 255, 256, i64::MAX].map(ScalarValue::from),
    )
}

fn bytes() -> Pool {
    Pool::new(
        ColumnType::Int8,
        [i8::MIN, -1, 0, 1, i8::MAX].map(ScalarValue::from),
    )
}

fn booleans() -> Pool {
    Pool::new(ColumnType::Boolean, [false, true].map(ScalarValue::from))
}

fn floats() -> Pool {
    let values = [
        f64::NEG_INFINITY,
        -1.5,
        -0.0,
        0.0,
        1e-5,
        1e20,
        f64::INFINITY,
        f64::NAN,
    ];
    Pool::new(ColumnType::Float64, values.map(ScalarValue::from))
}

fn binaries() -> Pool {
    let values: [&[u8]; 5] = [&[], &[0], &[0, 0], &[0x7f], &[0xff; 40]];
    Pool::new(
        ColumnType::Binary,
        values.map(|it| ScalarValue::Binary(Some(it.to_vec()))),
    )
}

fn texts() -> Pool {
    let long = "z".repeat(600);
    let mut values: Vec<String> = [
        "",
        "\0",
        "a",
        "a\0",
        "a\0b",
        "ab",
        "é",
        "\u{ffff}",
        "\u{10ffff}",
    ]
    .map(str::to_owned)
    .into();
    values.extend([
        long.clone(),
        format!("{long}\0"),
        format!("{long}a"),
        "y".repeat(10_000),
    ]);
    values.sort();
    Pool::new(ColumnType::Utf8, values.into_iter().map(ScalarValue::from))
}

/// Texts that folders and logs have to escape. The one that stands for null in folders is not among them: an update by the
/// runtime makes it null.
fn folders() -> Pool {
    let mut values = vec![
        "a", "A", "a b", "a/b", "a%2Fb", "a%252Fb", "é=ü", "#?&", " ", "..", ".", "\\", "a\nb",
        "\"", "null", "+", ":", "*", "~",
    ];
    values.sort_unstable();
    Pool::new(ColumnType::Utf8, values.into_iter().map(ScalarValue::from))
}

/// A row: the numbers of its partition and of its place, and a value.
type Row = (u8, u8, i64);

/// What a table looks like.
#[derive(Debug, Clone)]
struct Shape {
    partition: Option<Pool>,
    place: Pool,
    descending: bool,
    /// Whether partition and place are the key; else rows may be equal.
    keyed: bool,
}

impl Shape {
    fn contract(&self) -> Result<DatasetSpec, Failure> {
        let mut contract = DatasetSpec::builder("cpg.rows", "Rows.")
            .column(ColumnSpec::required("v", ColumnType::Int64)?)
            .column(ColumnSpec::nullable("k", self.place.column_type.clone())?);
        let mut leading = Vec::new();
        if let Some(pool) = &self.partition {
            contract = contract
                .column(ColumnSpec::nullable("p", pool.column_type.clone())?)
                .partition_by(["p"]);
            leading.push("p");
        }
        contract = if self.descending {
            let contract = contract.order_by(leading.clone()).then_descending("k");
            contract.then_descending("v")
        } else {
            contract.order_by([leading.as_slice(), &["k", "v"]].concat())
        };
        leading.push("k");
        if self.keyed {
            contract = contract.key(leading);
        }
        Ok(contract.build()?)
    }

    /// Numbers in range, in the declared order, and each key once.
    fn order(&self, rows: &[Row]) -> Vec<Row> {
        let places = u8::try_from(self.place.values.len()).unwrap_or(254) + 1;
        let partitions = self.partition.as_ref();
        let partitions =
            partitions.map_or(1, |pool| u8::try_from(pool.values.len()).unwrap_or(254) + 1);
        let mut rows: Vec<Row> = rows
            .iter()
            .map(|(p, k, v)| (p % partitions, k % places, *v))
            .collect();
        rows.sort_by_key(|row| self.rank(row));
        if self.keyed {
            rows.dedup_by_key(|row| (row.0, row.1));
        }
        rows
    }

    /// Nulls come first, whatever the direction.
    fn rank(&self, row: &Row) -> (u8, bool, i16, i64) {
        let sign = if self.descending { -1 } else { 1 };
        (
            row.0,
            row.1 != 0,
            i16::from(row.1) * sign,
            row.2 * i64::from(sign),
        )
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch, Failure> {
        let values: Int64Array = rows.iter().map(|row| row.2).collect();
        let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("v", Arc::new(values), false),
            ("k", self.place.array(rows.iter().map(|row| row.1))?, true),
        ];
        if let Some(pool) = &self.partition {
            columns.push(("p", pool.array(rows.iter().map(|row| row.0))?, true));
        }
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }

    fn batches(&self, rows: &[Row]) -> Result<Vec<RecordBatch>, Failure> {
        rows.chunks(5).map(|rows| self.batch(rows)).collect()
    }

    fn rows(&self, batches: &[RecordBatch]) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        for batch in batches {
            let column = |name: &str| batch.column_by_name(name).ok_or("no such column");
            let values = arrow_array::cast::as_primitive_array::<arrow_array::types::Int64Type>(
                column("v")?.as_ref(),
            );
            for at in 0..batch.num_rows() {
                let p = match &self.partition {
                    Some(pool) => pool.number(column("p")?.as_ref(), at)?,
                    None => 0,
                };
                let k = self.place.number(column("k")?.as_ref(), at)?;
                rows.push((p, k, values.value(at)));
            }
        }
        Ok(rows)
    }
}

#[derive(Debug, Clone)]
enum Action {
    Overwrite(Vec<Row>),
    Append(Vec<Row>),
    /// Takes the place of the rows between two places.
    Replace(u8, u8, Vec<Row>),
    Merge(Vec<Row>),
    Compact,
    TheirAppend(Vec<Row>),
    TheirDelete(i64),
    TheirUpdate(i64),
    TheirOptimize,
    TheirZOrder,
    TheirRestore(u64),
    TheirVacuum,
    Checkpoint,
}

fn some_rows(max: usize) -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec((0_u8..=255, 0_u8..=255, -9_i64..90), 0..max)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => some_rows(60).prop_map(Action::Overwrite),
        2 => some_rows(20).prop_map(Action::Append),
        4 => (0_u8..=255, 0_u8..=255, some_rows(20))
            .prop_map(|(from, to, rows)| Action::Replace(from, to, rows)),
        4 => some_rows(20).prop_map(Action::Merge),
        2 => Just(Action::Compact),
        2 => some_rows(10).prop_map(Action::TheirAppend),
        1 => (0_i64..5).prop_map(Action::TheirDelete),
        1 => (0_i64..5).prop_map(Action::TheirUpdate),
        1 => Just(Action::TheirOptimize),
        1 => Just(Action::TheirZOrder),
        1 => (1_u64..4).prop_map(Action::TheirRestore),
        1 => Just(Action::TheirVacuum),
        1 => Just(Action::Checkpoint),
    ]
}

struct Table {
    lake: TemporaryLake,
    shape: Shape,
    contract: DatasetSpec,
    rows: Vec<Row>,
    /// The rows of versions that can be read.
    history: BTreeMap<u64, Vec<Row>>,
}

impl Table {
    fn try_new(shape: &Shape) -> Result<Self, Failure> {
        Ok(Self {
            lake: TemporaryLake::try_new()?,
            contract: shape.contract()?,
            shape: shape.clone(),
            rows: Vec::new(),
            history: BTreeMap::new(),
        })
    }

    fn location(&self) -> Result<TableLocation, Failure> {
        self.lake.location("cpg.rows")
    }

    async fn write(
        &self,
        mode: WriteMode,
        rows: &[Row],
        max: u64,
    ) -> Result<WriteOutcome, Failure> {
        let request = request(&self.lake.lake, &self.contract, max, mode)?;
        write(request, 2, self.shape.batches(rows)?).await
    }

    async fn theirs(&self) -> Result<DeltaTable, Failure> {
        let mut table = DeltaTable::try_from_url(self.location()?.url().clone()).await?;
        table.load().await?;
        Ok(table)
    }

    /// Does it, and tells what the files should be those of.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for every action, and no arm of interest to another"
    )]
    async fn apply(&mut self, action: Action, max: u64) -> Result<Option<WriteOutcome>, Failure> {
        let shape = self.shape.clone();
        let known = |rows: &[Row]| -> BTreeSet<(u8, u8)> {
            rows.iter().map(|row| (row.0, row.1)).collect()
        };
        Ok(match action {
            Action::Overwrite(rows) => {
                self.rows = shape.order(&rows);
                Some(self.write(WriteMode::Overwrite, &self.rows, max).await?)
            }
            Action::Append(rows) => {
                let mut rows = shape.order(&rows);
                let keys = known(&self.rows);
                rows.retain(|row| !shape.keyed || !keys.contains(&(row.0, row.1)));
                self.write(WriteMode::Append, &rows, max).await?;
                self.rows.extend(rows);
                None
            }
            Action::Replace(from, to, rows) => {
                let limit = |number| shape.rank(&(0, shape.order(&[(0, number, 0)])[0].1, 0));
                let (from_rank, to_rank) = (limit(from), limit(to));
                let is_inside = |row: &Row| {
                    let rank = shape.rank(&(0, row.1, 0));
                    from_rank <= rank && rank < to_rank
                };
                let ranges = if from_rank < to_rank {
                    let place = |number| Ok::<_, Failure>(vec![shape.place.value(number)?]);
                    vec![KeyRange::between(place(from)?, place(to)?)]
                } else {
                    Vec::new()
                };
                let mut rows = shape.order(&rows);
                rows.retain(is_inside);
                let done = self.write(WriteMode::Replace(ranges), &rows, max).await?;
                self.rows.retain(|row| !is_inside(row));
                self.rows.extend(rows);
                Some(done)
            }
            Action::Merge(rows) if shape.keyed => {
                let rows = shape.order(&rows);
                let done = self.write(WriteMode::Merge, &rows, max).await?;
                let keys = known(&rows);
                self.rows.retain(|row| !keys.contains(&(row.0, row.1)));
                self.rows.extend(rows);
                Some(done)
            }
            Action::Compact | Action::Merge(_) => {
                Some(self.write(WriteMode::Compact, &[], max).await?)
            }
            Action::TheirAppend(rows) => {
                let mut rows = shape.order(&rows);
                let keys = known(&self.rows);
                rows.retain(|row| !shape.keyed || !keys.contains(&(row.0, row.1)));
                rows.reverse();
                if !rows.is_empty() && !self.history.is_empty() {
                    write_foreign(&self.location()?, [shape.batch(&rows)?]).await?;
                    self.rows.extend(rows);
                }
                None
            }
            _ if self.history.is_empty() => None,
            Action::TheirDelete(digit) => {
                let doomed = (col("v") % lit(5_i64)).eq(lit(digit));
                self.theirs().await?.delete().with_predicate(doomed).await?;
                self.rows.retain(|row| row.2 % 5 != digit);
                None
            }
            Action::TheirUpdate(digit) => {
                let some = (col("v") % lit(5_i64)).eq(lit(digit));
                let update = self.theirs().await?.update().with_predicate(some);
                update.with_update("v", col("v") + lit(100_i64)).await?;
                for row in &mut self.rows {
                    row.2 += if row.2 % 5 == digit { 100 } else { 0 };
                }
                None
            }
            Action::TheirOptimize => {
                self.theirs().await?.optimize().await?;
                None
            }
            Action::TheirZOrder => {
                let columns = OptimizeType::ZOrder(vec!["v".to_owned()]);
                match self.theirs().await?.optimize().with_type(columns).await {
                    // It does not find files that it wrote itself, where it escapes a `~` in the name of their folder. The table
                    // stays as it is then.
                    Err(error) if error.to_string().contains("missing files") => {}
                    ordered => drop(ordered?),
                }
                None
            }
            Action::TheirRestore(back) => {
                let table = self.theirs().await?;
                let version = table.version().unwrap_or_default();
                let version = version.saturating_sub(back);
                let rows = self.history.get(&version).cloned();
                if let Some(rows) = rows.filter(|_| table.version() != Some(version)) {
                    table.restore().with_version_to_restore(version).await?;
                    self.rows = rows;
                }
                None
            }
            Action::TheirVacuum => {
                let vacuum = self
                    .theirs()
                    .await?
                    .vacuum()
                    .with_enforce_retention_duration(false);
                vacuum
                    .with_retention_period(chrono::TimeDelta::zero())
                    .await?;
                self.history.clear();
                None
            }
            Action::Checkpoint => {
                create_checkpoint(&self.theirs().await?, None).await?;
                None
            }
        })
    }

    async fn catalog(&self) -> Result<Catalog, Failure> {
        let dataset = open_dataset(&self.contract, &self.location()?, None).await?;
        let mut catalog = Catalog::new(SessionSpec::default().build()?);
        catalog.register(&dataset)?;
        Ok(catalog)
    }

    /// The rows as they are read, those of the newest version.
    async fn read(&self, sql: &str) -> Result<Vec<Row>, Failure> {
        let rows = self
            .catalog()
            .await?
            .session()
            .sql(sql)
            .await?
            .collect()
            .await?;
        self.shape.rows(&rows)
    }

    async fn files(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let open = open_table(&self.location()?, None).await?;
        let live = open.table().snapshot()?.log_data();
        let live: BTreeSet<String> = live.iter().map(|file| file.path().to_string()).collect();
        let folder = self.location()?.to_string();
        let mut files = files_below(Path::new(&folder), Path::new(&folder))?;
        files.retain(|path, _| live.contains(path));
        assert_eq!(files.len(), live.len(), "{live:?}");
        let mut files: Vec<_> = files.into_values().collect();
        files.sort();
        Ok(files)
    }

    async fn check(&mut self, done: Option<WriteOutcome>, max: u64) -> Result<(), Failure> {
        let shape = self.shape.clone();
        let open = match open_table(&self.location()?, None).await {
            Err(ossature_registry::Error::NoTable { .. }) if self.rows.is_empty() => return Ok(()),
            opened => opened?,
        };
        self.rows.sort_by_key(|row| shape.rank(row));
        self.history
            .insert(open.version().number(), self.rows.clone());
        let mut found = self.read("SELECT * FROM rows").await?;
        found.sort_by_key(|row| shape.rank(row));
        if found != self.rows {
            return Err(format!("other rows {found:?} not {:?}", self.rows).into());
        }
        let way = if shape.descending {
            "DESC NULLS FIRST"
        } else {
            "NULLS FIRST"
        };
        let leading = if shape.partition.is_some() {
            "p NULLS FIRST, "
        } else {
            ""
        };
        let sql = format!("SELECT * FROM rows ORDER BY {leading}k {way}, v {way}");
        assert_eq!(self.read(&sql).await?, self.rows, "another order");
        let session = SessionSpec::default().build()?;
        let table = self.theirs().await?;
        session.register_table("t", Arc::new(table.table_provider().build().await?))?;
        let rows = session.sql("SELECT * FROM t").await?.collect().await?;
        let mut rows = shape.rows(&rows)?;
        rows.sort_by_key(|row| shape.rank(row));
        assert_eq!(rows, self.rows, "other rows for the runtime");
        if let Some(done) = done {
            let fresh = Self::try_new(&shape)?;
            let want = fresh.write(WriteMode::Overwrite, &self.rows, max).await?;
            assert_eq!(
                (done.content, done.rows, done.files),
                (want.content, want.rows, want.files)
            );
            assert!(self.files().await? == fresh.files().await?, "other files");
            assert_eq!(open.commit().content, Some(done.content));
        }
        Ok(())
    }
}

async fn check(shape: &Shape, actions: Vec<(Action, u64)>) -> Result<(), Failure> {
    let mut table = Table::try_new(shape)?;
    for (action, max) in actions {
        let described = format!("{action:?}");
        let done = Box::pin(table.apply(action, max)).await;
        let done = done.map_err(|error| format!("{described}: {}", chain(error.as_ref())))?;
        let checked = Box::pin(table.check(done, max)).await;
        checked.map_err(|error| format!("after {described}: {}", chain(error.as_ref())))?;
    }
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Sequences of writes to each shape of table.
const CASES: u32 = 3;

/// Checks sequences of writes to one shape of table.
fn check_shape(
    partition: Option<Pool>,
    place: Pool,
    descending: bool,
    keyed: bool,
) -> Result<(), Failure> {
    let shape = Shape {
        partition,
        place,
        descending,
        keyed,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    });
    let max = prop_oneof![Just(1_u64), Just(3), Just(16), Just(1000)];
    let sequences = proptest::collection::vec((action(), max), 1..9);
    let checked = runner.run(&sequences, |actions| {
        let ended = runtime.block_on(Box::pin(check(&shape, actions)));
        ended.map_err(|error| TestCaseError::fail(error.to_string()))
    });
    checked.map_err(|error| error.to_string().into())
}

#[test]
fn integers_are_places() -> Result<(), Failure> {
    check_shape(None, integers(), false, true)
}

#[test]
fn texts_are_places() -> Result<(), Failure> {
    check_shape(None, texts(), false, true)
}

#[test]
fn texts_are_places_backwards() -> Result<(), Failure> {
    check_shape(None, texts(), true, false)
}

#[test]
fn days_are_places_in_folders() -> Result<(), Failure> {
    check_shape(Some(folders()), days(), true, true)
}

#[test]
fn times_are_places_in_times() -> Result<(), Failure> {
    check_shape(Some(times()), times(), false, true)
}

#[test]
fn clocks_are_places_in_clocks() -> Result<(), Failure> {
    check_shape(Some(clocks()), clocks(), true, true)
}

#[test]
fn decimals_are_places_in_decimals() -> Result<(), Failure> {
    check_shape(Some(decimals()), decimals(), false, true)
}

#[test]
fn booleans_are_places_in_booleans() -> Result<(), Failure> {
    check_shape(Some(booleans()), booleans(), true, false)
}

#[test]
fn floats_are_places() -> Result<(), Failure> {
    check_shape(None, floats(), true, true)
}

#[test]
fn bytes_are_places_in_floats() -> Result<(), Failure> {
    check_shape(Some(floats()), bytes(), false, true)
}

#[test]
fn binaries_are_places_in_days() -> Result<(), Failure> {
    check_shape(Some(days()), binaries(), true, true)
}

/// A table of `v` with the partition `p` and no other column.
fn in_folders(key: &[&str]) -> Result<DatasetSpec, Failure> {
    Ok(DatasetSpec::builder("cpg.rows", "")
        .column(ColumnSpec::required("v", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("p", ColumnType::Utf8)?)
        .key(key.iter().copied())
        .order_by(["p", "v"])
        .partition_by(["p"])
        .build()?)
}

fn row_in(folder: Option<&str>) -> Result<RecordBatch, Failure> {
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("v", Arc::new(Int64Array::from(vec![1])) as ArrayRef, false),
        (
            "p",
            Arc::new(StringArray::from(vec![folder])) as ArrayRef,
            true,
        ),
    ])?)
}

async fn count(
    contract: &DatasetSpec,
    lake: &TemporaryLake,
    filter: &str,
) -> Result<usize, Failure> {
    let location = lake.location(contract.name().as_str())?;
    let dataset = open_dataset(contract, &location, None).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let sql = format!("SELECT * FROM {} WHERE {filter}", contract.name().table());
    Ok(catalog.session().sql(&sql).await?.count().await?)
}

#[tokio::test]
async fn the_text_that_stands_for_null_in_folders_is_a_text() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = in_folders(&[])?;
    let name = "__HIVE_DEFAULT_PARTITION__";
    let longer = "__HIVE_DEFAULT_PARTITION___";
    for folder in [None, Some(name), Some(longer), None] {
        let request = request(&lake.lake, &contract, 10, WriteMode::Overwrite)?;
        write(request, 1, [row_in(folder)?]).await?;
        let filter = folder.map_or("p IS NULL".to_owned(), |it| format!("p = '{it}'"));
        assert_eq!(count(&contract, &lake, &filter).await?, 1, "{folder:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_merge_finds_keys_in_other_folders_or_is_refused() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = in_folders(&["v"])?;
    let request = |mode| request(&lake.lake, &contract, 10, mode);
    write(request(WriteMode::Overwrite)?, 1, [row_in(Some("a"))?]).await?;
    let refused = write(request(WriteMode::Merge)?, 1, [row_in(Some("b"))?]).await;
    assert_eq!(
        refused.err().as_ref().and_then(code_of),
        Some("key_across_partitions")
    );
    assert_eq!(count(&contract, &lake, "v = 1").await?, 1);
    // With the folder in the key they are two.
    let lake = TemporaryLake::try_new()?;
    let contract = in_folders(&["p", "v"])?;
    for folder in ["a", "b", "a"] {
        let request = ossature_tests::request(&lake.lake, &contract, 10, WriteMode::Merge)?;
        write(request, 1, [row_in(Some(folder))?]).await?;
    }
    assert_eq!(count(&contract, &lake, "v = 1").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_writer_that_refused_rows_commits_none() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let pool = || EncodePool::try_new(NonZeroUsize::MIN);
    let open = |mode| request(&lake.lake, &contract, 100, mode);
    write(open(WriteMode::Overwrite)?, 1, [rows(0..50)?]).await?;
    let all = WriteMode::Replace(vec![KeyRange::between(
        vec![ScalarValue::from(0_i64)],
        vec![ScalarValue::from(10_i64)],
    )]);
    for (mode, bad) in [
        (WriteMode::Overwrite, rows([5, 4])?),
        (WriteMode::Overwrite, rows([1, 9])?.project(&[0, 1])?),
        (all, rows([9, 10])?),
    ] {
        let mut writer = TableWriter::open(open(mode)?, pool()?).await?;
        writer.push(&rows([1])?).await?;
        let refused = writer.push(&bad).await.err().map(|error| error.code());
        assert!(refused.is_some());
        // Whoever goes on in spite of it would lose the rows that were refused.
        let next = writer.push(&rows([9])?).await.err();
        assert_eq!(next.map(|error| error.code()), Some("broken_off"));
        let ended = writer.finish().await.err().map(|failure| failure.code());
        assert_eq!(ended, Some("broken_off"));
    }
    let now = open_table(&lake.location("cpg.things")?, None).await?;
    assert_eq!(now.version().number(), 1);
    Ok(())
}

#[tokio::test]
async fn a_place_is_not_rounded() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let open = |mode| request(&lake.lake, &contract, 100, mode);
    write(open(WriteMode::Overwrite)?, 1, [rows(0..50)?]).await?;
    let values = [
        ScalarValue::from(7.5_f64),
        ScalarValue::Decimal128(Some(75), 3, 1),
        ScalarValue::from(true),
    ];
    for value in values {
        let range = KeyRange::prefix(vec![value.clone()]);
        let refused = write(open(WriteMode::Replace(vec![range]))?, 1, []).await;
        let refused = refused.err();
        assert_eq!(
            refused.as_ref().and_then(code_of),
            Some("range_refused"),
            "{value:?}"
        );
    }
    // Another type of the same value is a place.
    for value in [
        ScalarValue::from(7_i8),
        ScalarValue::from(8_f64),
        ScalarValue::from("9"),
    ] {
        let range = KeyRange::prefix(vec![value]);
        write(open(WriteMode::Replace(vec![range]))?, 1, []).await?;
    }
    let dataset = open_dataset(&contract, &lake.location("cpg.things")?, None).await?;
    assert_eq!(dataset.facts().rows, Some(47));
    Ok(())
}

#[tokio::test]
async fn rows_that_the_order_leaves_in_doubt_are_compacted_alike() -> Result<(), Failure> {
    let contract = DatasetSpec::builder("cpg.rows", "")
        .column(ColumnSpec::required("v", ColumnType::Int64)?)
        .column(ColumnSpec::required("k", ColumnType::Int64)?)
        .order_by(["k"])
        .build()?;
    let batch = |values: &[i64]| -> Result<RecordBatch, Failure> {
        let values = Int64Array::from(values.to_vec());
        let places = Int64Array::from(vec![7; values.len()]);
        Ok(RecordBatch::try_from_iter([
            ("v", Arc::new(values) as ArrayRef),
            ("k", Arc::new(places) as ArrayRef),
        ])?)
    };
    let mut seen = BTreeSet::new();
    for order in [[[1, 2], [3, 4], [5, 6]], [[6, 5], [4, 1], [3, 2]]] {
        let lake = TemporaryLake::try_new()?;
        let request = |mode| request(&lake.lake, &contract, 2, mode);
        write(request(WriteMode::Overwrite)?, 1, []).await?;
        let theirs = order
            .iter()
            .map(|values| batch(values))
            .collect::<Result<Vec<_>, _>>()?;
        write_foreign(&lake.location("cpg.rows")?, theirs).await?;
        let done = write(request(WriteMode::Compact)?, 1, []).await?;
        seen.insert(done.content);
    }
    assert_eq!(seen.len(), 1);
    Ok(())
}

#[tokio::test]
async fn bytes_that_are_no_text_are_no_folder() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = DatasetSpec::builder("cpg.rows", "")
        .column(ColumnSpec::required("v", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("p", ColumnType::Binary)?)
        .order_by(["p", "v"])
        .partition_by(["p"])
        .build()?;
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("v", Arc::new(Int64Array::from(vec![1])) as ArrayRef, false),
        (
            "p",
            Arc::new(BinaryArray::from_vec(vec![&[0xff]])) as ArrayRef,
            true,
        ),
    ])?;
    let request = request(&lake.lake, &contract, 10, WriteMode::Overwrite)?;
    assert!(write(request, 1, [rows]).await.is_err());
    assert_eq!(count(&contract, &lake, "p IS NULL").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_created_a_table_is_there_when_it_is_tried_again() -> Result<(), Failure>
{
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let numbered = |mode| -> Result<_, Failure> {
        let mut request = request(&lake.lake, &contract, 100, mode)?;
        request.provenance.transaction = Some(TransactionId {
            application: "test/cpg.things".to_owned(),
            number: 1,
        });
        Ok(request)
    };
    let first = write(numbered(WriteMode::ErrorIfExists)?, 1, [rows(0..50)?]).await?;
    let modes = [
        WriteMode::ErrorIfExists,
        WriteMode::Append,
        WriteMode::Overwrite,
        WriteMode::Merge,
        WriteMode::Replace(Vec::new()),
        WriteMode::Compact,
    ];
    for mode in modes {
        let again = write(numbered(mode.clone())?, 1, [rows(0..50)?]).await;
        let again = again.map_err(|error| format!("{mode}: {error}"))?;
        assert_eq!((again.version, again.rows), (first.version, 50), "{mode}");
    }
    Ok(())
}

/// Of two writers that were opened at one version, one commits, and the other says why it does not.
#[tokio::test]
async fn of_two_writers_one_commits() -> Result<(), Failure> {
    let contract = things("cpg.things")?;
    let place = |id: i64| vec![ScalarValue::from(id)];
    let modes = || {
        [
            WriteMode::Overwrite,
            WriteMode::Append,
            WriteMode::Merge,
            WriteMode::Replace(vec![KeyRange::between(place(0), place(20))]),
            WriteMode::Compact,
        ]
    };
    for first in modes() {
        for second in modes() {
            let lake = TemporaryLake::try_new()?;
            let open = |mode| request(&lake.lake, &contract, 8, mode);
            let even = rows((0..15).map(|id| id * 2))?;
            write(open(WriteMode::Overwrite)?, 1, [even]).await?;
            write(open(WriteMode::Append)?, 1, [rows([1, 3, 5])?]).await?;
            let mut writers = Vec::new();
            for (run, mode) in [("first", &first), ("second", &second)] {
                let pool = EncodePool::try_new(NonZeroUsize::MIN)?;
                let mut request = open(mode.clone())?;
                request.provenance.run_id = run.to_owned();
                let mut writer = TableWriter::open(request, pool).await?;
                match mode {
                    WriteMode::Compact => {}
                    WriteMode::Replace(_) => writer.push(&rows(11..15)?).await?,
                    _ => writer.push(&rows(41..45)?).await?,
                }
                writers.push(writer);
            }
            let mut ended = Vec::new();
            for writer in writers {
                let done = writer.finish().await.map_err(|failure| failure.code());
                ended.push(done.map(|done| done.version.number()));
            }
            let what = format!("{first} and {second}");
            assert_eq!(ended, [Ok(3), Err("commit_conflict")], "{what}");
            let location = lake.location("cpg.things")?;
            let found = open_dataset(&contract, &location, None).await?.facts().rows;
            let want = match first {
                WriteMode::Overwrite => 4,
                WriteMode::Append | WriteMode::Merge => 22,
                WriteMode::Replace(_) => 9,
                _ => 18,
            };
            assert_eq!(found, Some(want), "{what}");
        }
    }
    Ok(())
}

/// A group of fields that grew encodes to other keys than before, and those in the log are the old ones.
#[tokio::test]
async fn groups_grow_whether_rows_are_ordered_by_them_or_not() -> Result<(), Failure> {
    for order in ["s", "v"] {
        check_group(order).await?;
    }
    Ok(())
}

async fn check_group(order: &str) -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = |fields: &[&str]| -> Result<DatasetSpec, Failure> {
        let fields = fields
            .iter()
            .map(|name| FieldSpec::nullable(name, ColumnType::Int64));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        Ok(DatasetSpec::builder("cpg.rows", "")
            .column(ColumnSpec::required("v", ColumnType::Int64)?)
            .column(ColumnSpec::nullable("s", ColumnType::Struct(fields))?)
            .key([order])
            .order_by([order])
            .build()?)
    };
    let batch = |fields: &[&str], rows: &[(Option<i64>, i64)]| -> Result<RecordBatch, Failure> {
        let values =
            || -> ArrayRef { Arc::new(rows.iter().map(|it| it.1).collect::<Int64Array>()) };
        let fields = fields.iter().map(|name| {
            let column = match *name {
                "a" => Arc::new(rows.iter().map(|it| it.0).collect::<Int64Array>()),
                _ => values(),
            };
            (Arc::new(Field::new(*name, DataType::Int64, true)), column)
        });
        let group = StructArray::from(fields.collect::<Vec<_>>());
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("v", values(), false),
            ("s", Arc::new(group) as ArrayRef, true),
        ])?)
    };
    let one = ["b"];
    let old: Vec<(Option<i64>, i64)> = (0..20).map(|value| (None, value)).collect();
    let first = request(&lake.lake, &contract(&one)?, 4, WriteMode::Overwrite)?;
    write(first, 1, [batch(&one, &old)?]).await?;
    // The new field comes first, where keys of before have the old one.
    let two = ["a", "b"];
    let contract = contract(&two)?;
    // Where the group is a key, its files are read anew, in the columns that the table has by then.
    let mode = if order == "s" {
        WriteMode::Append
    } else {
        WriteMode::Merge
    };
    let mut grown = request(&lake.lake, &contract, 4, mode)?;
    let policy = TablePolicy::default()
        .rows_per_file_max(4.try_into()?)
        .schema_mode(SchemaMode::Additive);
    let nothing = PolicyOverrides::none();
    grown.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
    let new = [(Some(0), 5), (Some(0), 6)];
    let new_rows = batch(&two, &new)?;
    write(grown, 1, [new_rows.clone()]).await?;
    let merge = request(&lake.lake, &contract, 4, WriteMode::Merge)?;
    write(merge, 1, [new_rows]).await?;
    // Where the new field was missing it is null, and a key with null is another than one with 0.
    let want = if order == "s" { 22 } else { 20 };
    assert_eq!(count(&contract, &lake, "true").await?, want);
    assert_eq!(
        count(&contract, &lake, "s['b'] = v AND v < 20").await?,
        want
    );
    assert_eq!(count(&contract, &lake, "s['a'] = 0").await?, 2);
    let compact = request(&lake.lake, &contract, 4, WriteMode::Compact)?;
    let compacted = write(compact, 1, []).await?;
    assert_eq!(compacted.rows, want as u64);
    if order == "v" {
        // Files that stay have the columns that they had, and the digests of those.
        return Ok(());
    }
    let all = [old, new.to_vec()].concat();
    let fresh = TemporaryLake::try_new()?;
    let overwrite = request(&fresh.lake, &contract, 4, WriteMode::Overwrite)?;
    let wanted = write(overwrite, 1, [batch(&two, &all)?]).await?;
    assert_eq!(compacted.content, wanted.content);
    Ok(())
}

/// What a table says of all its rows has to be true of those that it has already.
#[tokio::test]
async fn a_constraint_is_not_put_on_rows_that_violate_it() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    let constrained = |mode| -> Result<_, Failure> {
        let mut request = request(&lake.lake, &contract, 100, mode)?;
        let policy = TablePolicy::default()
            .constraints([("small", "id < 20")])
            .persist_constraints(true);
        let nothing = PolicyOverrides::none();
        request.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
        Ok(request)
    };
    let plain = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(plain, 1, [rows(0..50)?]).await?;
    let keeping = [
        WriteMode::Append,
        WriteMode::Merge,
        WriteMode::Replace(Vec::new()),
        WriteMode::Compact,
    ];
    for mode in keeping.clone() {
        let refused = write(constrained(mode)?, 1, []).await.err();
        assert_eq!(
            refused.as_ref().and_then(code_of),
            Some("stored_rows_violate")
        );
    }
    write(constrained(WriteMode::Overwrite)?, 1, [rows(0..20)?]).await?;
    for mode in keeping {
        write(constrained(mode)?, 1, []).await?;
    }
    let plain = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(plain, 1, [rows(0..10)?]).await?;
    write(constrained(WriteMode::Merge)?, 1, [rows(5..15)?]).await?;
    assert_eq!(count(&contract, &lake, "true").await?, 15);
    Ok(())
}

/// A log with keys of any length would be read in full by everybody who opens the table.
#[tokio::test]
async fn long_keys_are_not_kept_in_the_log() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = DatasetSpec::builder("cpg.rows", "")
        .column(ColumnSpec::required("k", ColumnType::Utf8)?)
        .key(["k"])
        .order_by(["k"])
        .build()?;
    let texts = StringArray::from(vec!["a".to_owned(), "b".repeat(10_000)]);
    let rows = RecordBatch::try_from_iter([("k", Arc::new(texts) as ArrayRef)])?;
    let request = request(&lake.lake, &contract, 1, WriteMode::Overwrite)?;
    write(request, 1, [rows]).await?;
    let open = open_table(&lake.location("cpg.rows")?, None).await?;
    let mut has_keys = Vec::new();
    for file in open.table().snapshot()?.log_data().iter() {
        #[expect(deprecated, reason = "tags are given away in no other form")]
        let tags = file.add_action().tags.unwrap_or_default();
        assert!(tags.contains_key("ossature.contentHash"));
        has_keys.push(tags.contains_key("ossature.lastKey"));
    }
    has_keys.sort_unstable();
    assert_eq!(has_keys, [false, true]);
    Ok(())
}
