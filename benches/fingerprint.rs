//! The identity of a plan: facts, canonical bytes and fingerprint of a query with many functions.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use datafusion::logical_expr::LogicalPlan;
use ossature_lineage::{PlanBundle, PlanContext};
use ossature_registry::{Catalog, SessionSpec, open_dataset};
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write};
use ossature_write_pipeline::WriteMode;

const QUERY: &str = "SELECT upper(a.name) AS a, lower(b.name) AS b, length(a.name) AS c, abs(a.weight) AS d, \
    round(b.weight) AS e, reverse(a.name) AS f, trim(b.name) AS g, sqrt(a.weight) AS h, \
    count(*) AS i, max(a.id) AS j, min(b.id) AS k, avg(a.weight) AS l \
    FROM cpg.things AS a JOIN cpg.things AS b ON b.id = a.id + 1 \
    WHERE a.id > 10 AND starts_with(a.name, 't') AND coalesce(b.weight, 0) < 500 \
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8";

async fn optimized(lake: &TemporaryLake) -> Result<(Catalog, LogicalPlan), Failure> {
    let contract = things("cpg.things")?;
    let request = request(&lake.lake, &contract, 100, WriteMode::Overwrite)?;
    write(request, 1, [rows(0..300)?]).await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    catalog.register(&open_dataset(&contract, &lake.location("cpg.things")?, None).await?)?;
    let frame = catalog.session().sql(QUERY).await?;
    let plan = catalog.session().state().optimize(frame.logical_plan())?;
    Ok((catalog, plan))
}

fn bench(criterion: &mut Criterion) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let lake = TemporaryLake::try_new()?;
    let (catalog, plan) = runtime.block_on(optimized(&lake))?;
    let state = catalog.session().state();
    let context = PlanContext::of(&state, &BTreeMap::new(), BTreeMap::new());
    let bundle = |plan: &LogicalPlan| {
        PlanBundle::try_new(plan, &state, catalog.pins(), &context).map(|it| it.fingerprint())
    };
    assert_eq!(bundle(&plan)?, bundle(&plan)?);
    criterion.bench_function("fingerprint", |bencher| {
        bencher.iter(|| bundle(black_box(&plan)));
    });
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    let done = bench(criterion);
    assert!(done.is_ok(), "{done:?}");
}

criterion_group!(fingerprints, benches);
criterion_main!(fingerprints);
