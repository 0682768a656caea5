//! What a proven order saves a plan, and that an order in doubt saves it nothing.

use std::fs;

use datafusion::physical_plan::displayable;
use expect_test::{Expect, expect};
use ossature_registry::{Catalog, SessionSpec, open_dataset};
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write, write_foreign};
use ossature_write_pipeline::WriteMode;

/// The plans of what uses the order of the key: sorting, a window, groups.
const QUERIES: [&str; 3] = [
    "SELECT id, name FROM ours ORDER BY id",
    "SELECT id, lag(name) OVER (ORDER BY id) AS before FROM ours",
    "SELECT id, count(*) AS things FROM ours GROUP BY id",
];

/// The operators of the plans, without paths.
async fn check(lake: &TemporaryLake, want: &Expect) -> Result<(), Failure> {
    let dataset = open_dataset(&things("cpg.ours")?, &lake.location("cpg.ours")?, None).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&dataset)?;
    let mut plans = Vec::new();
    for sql in QUERIES {
        let frame = catalog.session().sql(sql).await?;
        let plan = frame.create_physical_plan().await?;
        let text = displayable(plan.as_ref()).indent(false).to_string();
        let lines = text
            .lines()
            .map(|line| match line.split_once("file_groups=") {
                Some((operator, rest)) => {
                    let order = rest.split_once("output_ordering=");
                    let order = order.and_then(|(_, order)| order.split_once(']'));
                    let order = order.map_or("none".to_owned(), |(order, _)| format!("{order}]"));
                    format!("{operator}order={order}")
                }
                None => line.to_owned(),
            });
        plans.push(lines.collect::<Vec<_>>().join("\n"));
    }
    want.assert_eq(&plans.join("\n\n"));
    Ok(())
}

async fn written(ids: std::ops::Range<i64>) -> Result<TemporaryLake, Failure> {
    let lake = TemporaryLake::try_new()?;
    let asked = request(&lake.lake, &things("cpg.ours")?, 100, WriteMode::Overwrite)?;
    write(asked, 1, [rows(ids)?]).await?;
    Ok(lake)
}

#[tokio::test]
async fn a_proven_order_saves_the_sorts() -> Result<(), Failure> {
    let lake = written(0..800).await?;
    check(&lake, &expect![[r#"
        DataSourceExec: order=[id@0 ASC]

        ProjectionExec: expr=[id@0 as id, lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@2 as before]
          BoundedWindowAggExec: wdw=[lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW: Field { "lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW": nullable Utf8 }, frame: RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW], mode=[Sorted]
            DataSourceExec: order=[id@0 ASC]

        ProjectionExec: expr=[id@0 as id, count(Int64(1))@1 as things]
          AggregateExec: mode=Single, gby=[id@0 as id], aggr=[count(Int64(1))], ordering_mode=Sorted
            DataSourceExec: order=[id@0 ASC]"#]]).await
}

#[tokio::test]
async fn rows_that_were_appended_among_others_take_the_claim_away() -> Result<(), Failure> {
    let lake = written(0..800).await?;
    let asked = request(&lake.lake, &things("cpg.ours")?, 100, WriteMode::Append)?;
    write(asked, 1, [rows(300..310)?]).await?;
    check(&lake, &expect![[r#"
        SortExec: expr=[id@0 ASC NULLS LAST], preserve_partitioning=[false]
          DataSourceExec: order=none

        ProjectionExec: expr=[id@0 as id, lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@2 as before]
          BoundedWindowAggExec: wdw=[lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW: Field { "lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW": nullable Utf8 }, frame: RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW], mode=[Sorted]
            SortExec: expr=[id@0 ASC NULLS LAST], preserve_partitioning=[false]
              DataSourceExec: order=none

        ProjectionExec: expr=[id@0 as id, count(Int64(1))@1 as things]
          AggregateExec: mode=Single, gby=[id@0 as id], aggr=[count(Int64(1))]
            DataSourceExec: order=none"#]]).await
}

#[tokio::test]
async fn an_order_that_the_commit_does_not_claim_is_none() -> Result<(), Failure> {
    let lake = written(0..800).await?;
    let commit = lake
        .path()
        .join("cpg/ours/_delta_log/00000000000000000001.json");
    let text = fs::read_to_string(&commit)?;
    fs::write(
        &commit,
        text.replacen("\"ossature.order\"", "\"ossature.disorder\"", 1),
    )?;
    check(&lake, &expect![[r#"
        SortExec: expr=[id@0 ASC NULLS LAST], preserve_partitioning=[false]
          DataSourceExec: order=none

        ProjectionExec: expr=[id@0 as id, lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@2 as before]
          BoundedWindowAggExec: wdw=[lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW: Field { "lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW": nullable Utf8 }, frame: RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW], mode=[Sorted]
            SortExec: expr=[id@0 ASC NULLS LAST], preserve_partitioning=[false]
              DataSourceExec: order=none

        ProjectionExec: expr=[id@0 as id, count(Int64(1))@1 as things]
          AggregateExec: mode=Single, gby=[id@0 as id], aggr=[count(Int64(1))]
            DataSourceExec: order=none"#]]).await
}

#[tokio::test]
async fn a_commit_of_somebody_else_takes_the_claim_away() -> Result<(), Failure> {
    let lake = written(0..800).await?;
    let contract = things("cpg.ours")?;
    let appended = rows([5])?.project(&[2, 0, 1])?;
    let columns = appended.columns().to_vec();
    let batch = arrow_array::RecordBatch::try_new(contract.arrow_schema(), columns)?;
    write_foreign(&lake.location("cpg.ours")?, [batch]).await?;
    check(&lake, &expect![[r#"
        SortExec: expr=[id@0 ASC NULLS LAST], preserve_partitioning=[false]
          FilterBarrier
            DeltaScanExec
              DataSourceExec: order=none

        ProjectionExec: expr=[id@0 as id, lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW@2 as before]
          BoundedWindowAggExec: wdw=[lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW: Field { "lag(ours.name) ORDER BY [ours.id ASC NULLS LAST] RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW": nullable Utf8 }, frame: RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW], mode=[Sorted]
            SortExec: expr=[id@0 ASC NULLS LAST], preserve_partitioning=[false]
              FilterBarrier
                DeltaScanExec
                  DataSourceExec: order=none

        ProjectionExec: expr=[id@0 as id, count(Int64(1))@1 as things]
          AggregateExec: mode=Single, gby=[id@0 as id], aggr=[count(Int64(1))]
            FilterBarrier
              DeltaScanExec
                DataSourceExec: order=none"#]]).await
}
