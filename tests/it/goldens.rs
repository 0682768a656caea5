//! Goldens: the schedule, and the plan and identity of every view over tables without rows.
//!
//! A change of a query, of the engine's optimizer or of what enters a fingerprint shows here as a difference of text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use ossature_cpg_views::views;
use ossature_delta_policy::TablePolicy;
use ossature_lineage::{PlanBundle, PlanContext};
use ossature_pipeline::Run;
use ossature_schema_spec::DatasetName;
use ossature_tests::{Failure, TemporaryLake, facts_of, graph, graph_run};
use ossature_udfs::snapshot;
use ossature_view_graph::{Materialization, View, ViewGraph, plan_view};

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

async fn bundle(run: &Run, view: &View) -> Result<PlanBundle, Failure> {
    let functions = snapshot()
        .entries
        .into_iter()
        .map(|entry| (entry.name.to_owned(), entry.version.to_string()))
        .collect();
    let (state, plan) = plan_view(run.catalog().session(), view).await?.into_parts();
    let plan = state.optimize(&plan)?;
    let context = PlanContext::of(&state, &BTreeMap::new(), functions);
    Ok(PlanBundle::try_new(
        &plan,
        &state,
        run.catalog().pins(),
        &context,
    )?)
}

/// A plan and what it depends on, without anything that comes from the rows.
fn render_plan(bundle: &PlanBundle) -> String {
    let inputs: Vec<&str> = bundle.facts().inputs().collect();
    let functions: Vec<String> = bundle
        .functions()
        .iter()
        .map(|(name, version)| format!("{name}@{version}"))
        .collect();
    format!(
        "encoding: {}\nreads: {}\ncalls: {}\n\n{}\n",
        bundle.canonical().encoding(),
        inputs.join(", "),
        functions.join(", "),
        bundle.text()
    )
}

/// One text for each view that is a table.
async fn render(run: &Run, with: impl Fn(&PlanBundle) -> String) -> Result<Texts, Failure> {
    let mut texts = Texts::new();
    for view in views()? {
        if view.materialization() == Materialization::Table {
            let bundle = bundle(run, &view).await?;
            texts.insert(format!("{}.txt", view.name()), with(&bundle));
        }
    }
    Ok(texts)
}

fn with_fingerprint(bundle: &PlanBundle) -> String {
    format!(
        "fingerprint: {}\n{}",
        bundle.fingerprint(),
        render_plan(bundle)
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
