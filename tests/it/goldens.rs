//! Goldens: the schedule, and the plan and identity of every view over tables without rows.
//!
//! A change of a query, of the engine's optimizer or of what enters a fingerprint shows here as a difference of text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use datafusion::physical_plan::displayable;
use expect_test::expect_file;
use ossature_cpg_views::{queries, views};
use ossature_delta_policy::{PolicyOverrides, StatsDecision, TablePolicy, resolve};
use ossature_lineage::{PlanBundle, PlanContext, optimize};
use ossature_pipeline::{Run, index_consumers, used_columns};
use ossature_schema_spec::DatasetName;
use ossature_tests::{Failure, TemporaryLake, facts_of, graph, graph_run};
use ossature_udfs::snapshot;
use ossature_view_graph::{ConsumerIndex, Materialization, View, ViewGraph, plan_view};

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

fn plain(_: &DatasetName) -> TablePolicy {
    TablePolicy::default()
}

/// What is compared: file name and text.
type Texts = BTreeMap<String, String>;

fn schedule(graph: &ViewGraph) -> String {
    let steps = graph.schedule().into_iter();
    let lines: Vec<String> = steps.map(|step| step.to_string()).collect();
    lines.join("\n") + "\n"
}

/// A view, planned: as it is written, as it is optimized, as it is carried out.
struct Planned {
    logical: String,
    physical: String,
    bundle: PlanBundle,
    statistics: StatsDecision,
}

async fn plan(run: &Run, view: &View, consumers: &ConsumerIndex) -> Result<Planned, Failure> {
    let functions = snapshot()
        .entries
        .into_iter()
        .map(|entry| (entry.name.to_owned(), entry.version.to_string()))
        .collect();
    let (state, query) = plan_view(run.catalog().session(), view).await?.into_parts();
    let plan = optimize(&query, &state)?;
    let context = PlanContext::of(&state, &BTreeMap::new(), functions);
    let bundle = PlanBundle::try_new(&plan, &state, run.catalog().pins(), &context)?;
    let (bundle, executed) = Box::pin(bundle.settle(&plan, &state)).await?;
    let planner = state.query_planner();
    let physical = planner.create_physical_plan(&executed, &state).await?;
    let contract = view.contract();
    let none = PolicyOverrides::none();
    let policy = ossature_cpg_views::policy(contract.name());
    let used = used_columns(consumers, contract);
    let policy = resolve(&none, &none, contract, &policy, &used)?;
    Ok(Planned {
        logical: query.display_indent().to_string(),
        physical: displayable(physical.as_ref()).indent(false).to_string(),
        bundle,
        statistics: policy.statistics.value,
    })
}

/// Without the names of files, which stand for their rows.
fn without_files(physical: &str) -> String {
    let mut text = String::new();
    let mut rest = physical;
    while let Some((before, behind)) = rest.split_once("file_groups={") {
        text.push_str(before);
        text.push_str("file_groups={..}");
        rest = behind.split_once("]}").map_or("", |(_, behind)| behind);
    }
    text + rest
}

/// A plan and what it depends on, without anything that comes from the rows.
fn render_plan(planned: &Planned) -> String {
    let Planned {
        logical,
        physical: _,
        bundle,
        statistics,
    } = planned;
    let facts = bundle.facts();
    let inputs: Vec<&str> = facts.inputs().collect();
    let functions: Vec<String> = bundle
        .functions()
        .iter()
        .map(|(name, version)| format!("{name}@{version}"))
        .collect();
    let lines = |lines: Vec<String>| lines.join("\n");
    let columns = inputs.iter().flat_map(|input| {
        facts.columns(input).map(move |(column, roles)| {
            let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            format!("{input}.{column}: {}", roles.join(" "))
        })
    });
    let outputs = facts.outputs().iter().map(ToString::to_string);
    let canonical = bundle.canonical();
    let reason = canonical.fallback_reason();
    let reason = reason.map(|it| format!(" ({it})")).unwrap_or_default();
    let chosen: Vec<String> = statistics.columns.iter().map(ToString::to_string).collect();
    let dropped = statistics.dropped.iter();
    let dropped = dropped.map(|it| format!("{}: {}", it.column, it.reason));
    format!(
        "engine: datafusion {}\nencoding: {}{reason}\nreads: {}\ncalls: {}\n\n\
         == logical\n{logical}\n\n== optimized\n{}\n\n== columns\n{}\n\n== lineage\n{}\n\n\
         == statistics ({})\n{}\n{}\n",
        datafusion::DATAFUSION_VERSION,
        canonical.encoding(),
        inputs.join(", "),
        functions.join(", "),
        bundle.text(),
        lines(columns.collect()),
        lines(outputs.collect()),
        statistics.policy,
        chosen.join(" "),
        lines(dropped.collect()),
    )
}

/// One text for each view that is a table.
async fn render(run: &Run, with: impl Fn(&Planned) -> String) -> Result<Texts, Failure> {
    let consumers = index_consumers(&graph()?, &queries()).await?;
    assert!(
        consumers.failures().is_empty(),
        "{:?}",
        consumers.failures()
    );
    let mut texts = Texts::new();
    for view in views()? {
        if view.materialization() == Materialization::Table {
            let planned = Box::pin(plan(run, &view, &consumers)).await?;
            texts.insert(format!("{}.txt", view.name()), with(&planned));
        }
    }
    Ok(texts)
}

/// The physical plan depends on how many rows there are; over none it is as it was.
fn with_fingerprint(planned: &Planned) -> String {
    format!(
        "fingerprint: {}\n{}\n== physical\n{}",
        planned.bundle.fingerprint(),
        render_plan(planned),
        without_files(&planned.physical)
    )
}

async fn rendered() -> Result<Texts, Failure> {
    let lake = TemporaryLake::try_new()?;
    let run = graph_run(&lake, 1, plain, &[]).await?;
    let mut texts = render(&run, with_fingerprint).await?;
    assert!(
        texts == render(&run, with_fingerprint).await?,
        "planning again in one session gives the same"
    );
    texts.insert("schedule.txt".to_owned(), schedule(&graph()?));
    Ok(texts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_and_their_identities_are_as_they_were() -> Result<(), Failure> {
    let texts = Box::pin(rendered()).await?;
    for (name, text) in &texts {
        expect_file![goldens().join(name)].assert_eq(text);
    }
    let stored: BTreeSet<String> = std::fs::read_dir(goldens())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, std::io::Error>>()?;
    let orphans: Vec<&String> = stored
        .iter()
        .filter(|name| !texts.contains_key(*name))
        .collect();
    assert!(
        orphans.is_empty(),
        "no view is rendered into {orphans:?}; delete them"
    );
    Ok(())
}

/// Neither rows, nor threads, nor where the lake lies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_do_not_depend_on_rows() -> Result<(), Failure> {
    let (empty, filled) = (TemporaryLake::try_new()?, TemporaryLake::try_new()?);
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/cpg-views/tests/trees/shop");
    let facts = facts_of(&shop)?;
    assert!(facts.len() > 10);
    let empty = graph_run(&empty, 1, plain, &[]).await?;
    let filled = graph_run(&filled, 2, plain, &facts).await?;
    let (one, other) = (
        render(&empty, render_plan).await?,
        render(&filled, render_plan).await?,
    );
    for (name, text) in &one {
        assert_eq!(Some(text), other.get(name), "{name}");
    }
    // Their identities do.
    let (one, other) = (
        render(&empty, with_fingerprint).await?,
        render(&filled, with_fingerprint).await?,
    );
    assert!(one.iter().all(|(name, text)| other.get(name) != Some(text)));
    Ok(())
}
