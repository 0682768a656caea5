//! Plans over ordered tables: rows stream in the order of the files, and the rows are those that a plain engine gives.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::SessionContext;
use ossature_registry::{Catalog, SessionSpec, open_dataset};
use ossature_schema_spec::{ColumnSpec, DatasetSpec};
use ossature_tests::{Failure, TemporaryLake, request, write};
use ossature_write_pipeline::WriteMode;

/// Tables of the same rows twice: in files, and in the memory of a session without our rules.
struct Both {
    _lake: TemporaryLake,
    ours: SessionContext,
    plain: SessionContext,
}

impl Both {
    /// Each table has a name and rows, which are written in the order of its first column; `part` is a partition
    /// column where there is one.
    async fn of(threads: usize, tables: &[(&str, RecordBatch)]) -> Result<Self, Failure> {
        Self::with_memory(threads, 64 << 20, 100, tables).await
    }

    async fn with_memory(
        threads: usize,
        memory_bytes_max: usize,
        rows_per_file: u64,
        tables: &[(&str, RecordBatch)],
    ) -> Result<Self, Failure> {
        let lake = TemporaryLake::try_new()?;
        let spec = SessionSpec {
            threads: NonZeroUsize::new(threads).ok_or("no threads")?,
            memory_bytes_max,
            ..SessionSpec::default()
        };
        let mut session = spec.build()?;
        ossature_udfs::register(&mut session)?;
        let mut plain = SessionContext::new();
        ossature_udfs::register(&mut plain)?;
        let mut catalog = Catalog::new(session);
        for (name, rows) in tables {
            let contract = contract(name, rows)?;
            let request = request(&lake.lake, &contract, rows_per_file, WriteMode::Overwrite)?;
            write(request, 2, [rows.clone()]).await?;
            let location = lake.lake.location(contract.name())?;
            catalog.register(&open_dataset(&contract, &location, None).await?)?;
            let table = MemTable::try_new(rows.schema(), vec![vec![rows.clone()]])?;
            plain.register_table(*name, Arc::new(table))?;
        }
        Ok(Self {
            _lake: lake,
            ours: catalog.session().clone(),
            plain,
        })
    }

    /// Our plan, after its rows were compared with those of the plain engine.
    async fn check(&self, sql: &str) -> Result<String, Failure> {
        let plan = self.ours.sql(sql).await?.create_physical_plan().await?;
        let text = displayable(plan.as_ref()).indent(false).to_string();
        let found = collect(plan, self.ours.task_ctx()).await?;
        let wanted = self.plain.sql(sql).await?.collect().await?;
        let [found, wanted] =
            [found, wanted].map(|rows| pretty_format_batches(&rows).map(|rows| rows.to_string()));
        let (found, wanted) = (found?, wanted?);
        let difference = found
            .lines()
            .zip(wanted.lines())
            .find(|(one, other)| one != other);
        assert_eq!(difference, None, "{sql}\n{text}");
        assert_eq!(
            found.lines().count(),
            wanted.lines().count(),
            "{sql}\n{text}"
        );
        Ok(text)
    }
}

/// The order is that of `part`, if there is one, and the first column.
fn contract(name: &str, rows: &RecordBatch) -> Result<DatasetSpec, Failure> {
    let schema = rows.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| ColumnSpec::from_arrow(field))
        .collect::<Result<Vec<_>, _>>()?;
    let first = schema.field(0).name().as_str();
    let builder = DatasetSpec::builder(&format!("cpg.{name}"), "").columns(columns);
    let builder = match schema.column_with_name("part") {
        Some(_) => builder.order_by(["part", first]).partition_by(["part"]),
        None => builder.order_by([first]),
    };
    Ok(builder.build()?)
}

/// `id` as given and never null, `kind` with three values, `rest` that falls from row to row.
fn rows(ids: impl IntoIterator<Item = i64>) -> Result<RecordBatch, Failure> {
    let ids: Vec<i64> = ids.into_iter().collect();
    let kind = |id: &i64| format!("kind {}", id % 3);
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(Int64Array::from(ids.clone()))),
        (
            "kind",
            Arc::new(ids.iter().map(kind).map(Some).collect::<StringArray>()),
        ),
        (
            "rest",
            Arc::new(
                (0..)
                    .take(ids.len())
                    .map(|at: i64| -at)
                    .collect::<Int64Array>(),
            ),
        ),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns.map(|(name, column)| (name, column, name != "id")),
    )?)
}

fn groups(plan: &str) -> Option<usize> {
    let (_, rest) = plan.split_once("OrderedMerge: ")?;
    let (_, rest) = rest.split_once("groups=")?;
    rest.split_whitespace().next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_do_not_overlap_are_read_one_after_the_other() -> Result<(), Failure> {
    let both = Both::of(4, &[("t", rows(0..1000)?)]).await?;
    for sql in [
        "SELECT * FROM t ORDER BY id",
        "SELECT id, kind FROM t WHERE kind <> 'kind 1' ORDER BY id",
        "SELECT rest AS r, id AS i FROM t ORDER BY i",
    ] {
        let plan = both.check(sql).await?;
        assert_eq!(groups(&plan), Some(4), "{plan}");
        assert!(
            !plan.contains("SortExec") && !plan.contains("MergeExec"),
            "{plan}"
        );
    }
    // Sorted the other way round, each partition for itself, they follow each other from the last to the first.
    let plan = both.check("SELECT * FROM t ORDER BY id DESC").await?;
    assert_eq!(groups(&plan), Some(4), "{plan}");
    // What is known of one column says nothing of another.
    let plan = both.check("SELECT * FROM t ORDER BY kind, id").await?;
    assert_eq!(groups(&plan), None, "{plan}");
    let plan = both.check("SELECT * FROM t ORDER BY id LIMIT 7").await?;
    assert_eq!(groups(&plan), None, "{plan}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_overlap_are_merged_with_each_other_only() -> Result<(), Failure> {
    let tables = [
        ("low", rows(0..200)?),
        ("middle", rows((150..400).map(|id| id / 2 * 2))?),
        (
            "high",
            rows((398..700).filter(|id| id % 5 == 3 || *id == 398))?,
        ),
        ("top", rows(1000..1100)?),
    ];
    let both = Both::of(1, &tables).await?;
    let union = |names: &[&str]| {
        let selects: Vec<_> = names
            .iter()
            .map(|name| format!("SELECT id FROM {name}"))
            .collect();
        format!(
            "SELECT id FROM ({}) ORDER BY id",
            selects.join(" UNION ALL ")
        )
    };
    for (names, want) in [
        (&["top", "low"][..], Some(2)),
        (&["top", "middle", "low"][..], Some(2)),
        // 398 is in both: ranges that touch are merged.
        (&["top", "high", "middle"][..], Some(2)),
        (&["high", "low"][..], Some(2)),
        (&["high", "middle", "low"][..], None),
    ] {
        let sql = union(names);
        let plan = both.check(&sql).await?;
        assert_eq!(groups(&plan), want, "{sql}\n{plan}");
        let descending = both.check(&format!("{sql} DESC")).await?;
        assert_eq!(groups(&descending), want, "{descending}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn null_partitions_come_where_the_query_wants_them() -> Result<(), Failure> {
    let ids: Vec<i64> = (0..300).collect();
    let part = |id: &i64| match id / 100 {
        0 => None,
        1 => Some("a"),
        _ => Some("b"),
    };
    let parts: StringArray = ids.iter().map(part).collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from(ids)) as ArrayRef, true),
        ("part", Arc::new(parts) as ArrayRef, true),
    ])?;
    let both = Both::of(3, &[("t", batch)]).await?;
    for order in [
        "part",
        "part DESC",
        "part NULLS FIRST",
        "part DESC NULLS LAST",
    ] {
        both.check(&format!("SELECT part, id FROM t ORDER BY {order}, id"))
            .await?;
        both.check(&format!(
            "SELECT part, count(*) FROM t GROUP BY part ORDER BY {order}"
        ))
        .await?;
        let alone = both
            .check(&format!("SELECT part FROM t ORDER BY {order}"))
            .await?;
        assert_eq!(groups(&alone), None, "{alone}");
    }
    Ok(())
}

const COLLECTING: &str = "SELECT kind, sorted_entries(named_struct('rest', rest, 'id', id)) AS entries \
                          FROM t GROUP BY kind ORDER BY kind";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_collected_group_by_group() -> Result<(), Failure> {
    let by_id = "SELECT id, sorted_entries(named_struct('kind', kind)) AS entries \
                 FROM t GROUP BY id ORDER BY id";
    for threads in [1, 2, 4] {
        let both = Both::of(threads, &[("t", rows((0..2000).map(|id| id / 3))?)]).await?;
        for (sql, sorts) in [(by_id, 0), (COLLECTING, 1)] {
            let plan = both.check(sql).await?;
            assert_eq!(plan.matches("SortExec").count(), sorts, "{plan}");
            assert_eq!(
                plan.matches("AggregateExec: mode=Single").count(),
                1,
                "{plan}"
            );
            assert_eq!(plan.matches("ordering_mode=Sorted").count(), 1, "{plan}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_collect_in_the_order_of_groups_stays_with_the_engine() -> Result<(), Failure>
{
    let both = Both::of(4, &[("t", rows((0..2000).map(|id| id / 3))?)]).await?;
    for sql in [
        // These have an order of their own, which a merge by the group does not keep.
        "SELECT kind, array_agg(id ORDER BY id) FROM t GROUP BY kind ORDER BY kind",
        "SELECT id, array_agg(rest ORDER BY rest) FROM t GROUP BY id ORDER BY id",
        "SELECT id, first_value(kind ORDER BY kind DESC) FROM t GROUP BY id ORDER BY id",
        // Their states are few.
        "SELECT kind, count(*), max(id) FROM t GROUP BY kind ORDER BY kind",
        "SELECT kind, sorted_entries(named_struct('id', id)) AS e FROM t GROUP BY kind ORDER BY kind LIMIT 2",
    ] {
        let plan = both.check(sql).await?;
        assert!(!plan.contains("mode=Single"), "{plan}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_in_the_order_of_the_first_key_are_sorted_as_they_pass() -> Result<(), Failure> {
    let many = rows((0..2000).map(|id| id / 3))?;
    // One value fills whole files, so that its rows could be any number.
    let one = rows((0..1000).map(|id| if (200..700).contains(&id) { 200 } else { id }))?;
    let few = rows([7; 90])?;
    for threads in [1, 3] {
        let tables = [
            ("many", many.clone()),
            ("one", one.clone()),
            ("few", few.clone()),
        ];
        let both = Both::of(threads, &tables).await?;
        for (sql, is_partial) in [
            ("SELECT * FROM many ORDER BY id, kind, rest", true),
            (
                "SELECT rest, id AS i FROM many WHERE kind <> 'kind 1' ORDER BY i, rest DESC",
                true,
            ),
            ("SELECT * FROM few ORDER BY id, kind, rest", true),
            ("SELECT * FROM many ORDER BY kind, id, rest", false),
            ("SELECT * FROM many ORDER BY id DESC, kind, rest", false),
            ("SELECT id + 1 AS i, kind FROM many ORDER BY i, kind", false),
            ("SELECT * FROM many ORDER BY id, kind LIMIT 11", false),
            ("SELECT * FROM one ORDER BY id, kind, rest", false),
        ] {
            let plan = both.check(sql).await?;
            assert_eq!(
                plan.contains("PartialSortExec"),
                is_partial,
                "{sql}\n{plan}"
            );
            assert_eq!(
                plan.contains(" SortExec") || plan.starts_with("SortExec"),
                !is_partial,
                "{plan}"
            );
        }
        let union =
            "SELECT id, kind, 'a' AS part FROM many UNION ALL SELECT id, kind, 'b' FROM few";
        let sql = format!("SELECT * FROM ({union}) ORDER BY part, id, kind");
        let plan = both.check(&sql).await?;
        assert!(
            plan.contains("PartialSortExec") && !plan.contains(" SortExec"),
            "{plan}"
        );
    }
    Ok(())
}

/// The lists of a hash table are handed out as slices of one array, of which each counts as the whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collected_rows_are_sorted_in_little_memory() -> Result<(), Failure> {
    let sql = "SELECT bucket['entries'] AS entries FROM (SELECT rest, \
               unnest(list_buckets(sorted_entries(named_struct('kind', kind, 'id', id)), 4)) AS bucket \
               FROM t GROUP BY rest) ORDER BY rest";
    for threads in [1, 2] {
        let both = Both::with_memory(threads, 8 << 20, 20_000, &[("t", rows(0..100_000)?)]).await?;
        both.check(sql).await?;
    }
    Ok(())
}
