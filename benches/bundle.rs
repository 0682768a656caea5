//! What it costs to bundle the plans of the whole graph, beside what it costs to plan them.
//!
//! Every view that is a table is planned as a run does it (parsed, analyzed, optimized, made physical), and its plan is bundled
//! (facts, canonical bytes, fingerprint). Both are timed in turn, over empty tables; medians of all rounds are compared. What a
//! run does with the bundle besides, decoding and optimizing what it executes, is told apart.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use ossature_cpg_views::views;
use ossature_delta_policy::TablePolicy;
use ossature_lineage::{PlanBundle, PlanContext, optimize};
use ossature_pipeline::Run;
use ossature_tests::{Failure, TemporaryLake, graph_run};
use ossature_view_graph::{Materialization, View, plan_view};

/// Rounds, without the first one.
const ROUNDS: usize = 41;

/// Times of one round, over all views.
#[derive(Default)]
struct Round {
    plan: Duration,
    bundle: Duration,
    decode: Duration,
}

async fn planned(run: &Run, view: &View) -> Result<(SessionState, LogicalPlan), Failure> {
    let (state, query) = plan_view(run.catalog().session(), view).await?.into_parts();
    let plan = optimize(&query, &state)?;
    let planner = state.query_planner();
    planner.create_physical_plan(&plan, &state).await?;
    Ok((state, plan))
}

async fn round(run: &Run, tables: &[View]) -> Result<Round, Failure> {
    let mut round = Round::default();
    let state = run.catalog().session().state();
    let began = Instant::now();
    let context = PlanContext::of(&state, &BTreeMap::new(), BTreeMap::new());
    round.bundle += began.elapsed();
    for view in tables {
        let began = Instant::now();
        let (state, plan) = planned(run, view).await?;
        round.plan += began.elapsed();
        let began = Instant::now();
        let bundle = PlanBundle::try_new(&plan, &state, run.catalog().pins(), &context)?;
        round.bundle += began.elapsed();
        let began = Instant::now();
        bundle.settle(&plan, &state).await?;
        round.decode += began.elapsed();
    }
    Ok(round)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn report() -> Result<String, Failure> {
    let lake = TemporaryLake::try_new()?;
    let run = graph_run(&lake, 2, |_| TablePolicy::default(), &[]).await?;
    let tables: Vec<View> = views()?
        .into_iter()
        .filter(|view| view.materialization() == Materialization::Table)
        .collect();
    let mut rounds = Vec::new();
    for at in 0..=ROUNDS {
        let round = round(&run, &tables).await?;
        // The first one fills caches.
        if at > 0 {
            rounds.push(round);
        }
    }
    let of = |part: fn(&Round) -> Duration| median(rounds.iter().map(part).collect());
    let (plan, bundle, decode) = (of(|it| it.plan), of(|it| it.bundle), of(|it| it.decode));
    let share = |part: Duration| 100.0 * part.as_secs_f64() / plan.as_secs_f64();
    Ok(format!(
        "{} plans, medians of {ROUNDS} rounds\nplanning {:.2} ms\nbundles  {:.2} ms, {:.2}% of it\ndecoding {:.2} ms, {:.2}% of it",
        tables.len(),
        plan.as_secs_f64() * 1e3,
        bundle.as_secs_f64() * 1e3,
        share(bundle),
        decode.as_secs_f64() * 1e3,
        share(decode),
    ))
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench says what it measured"
)]
fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(64 << 20)
        .enable_all()
        .build();
    let done = runtime.map_err(Failure::from).and_then(|runtime| {
        runtime.block_on(async { tokio::spawn(report()).await.map_err(Failure::from)? })
    });
    match done {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
