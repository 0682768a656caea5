//! A plan's fingerprint is the same in every session and process, and changes with what is computed.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::process::Command;

use ossature_lineage::{PlanBundle, PlanContext, PlanEncoding, PlanFacts, Role};
use ossature_registry::{Catalog, SessionSpec, open_dataset};
use ossature_schema_spec::Fingerprint;
use ossature_tests::{Failure, TemporaryLake, request, rows, things, write};
use ossature_write_pipeline::WriteMode;

/// Many functions, because the engine lists them in the order of a hash map.
const QUERY: &str = "SELECT upper(name) AS a, lower(name) AS b, length(name) AS c, abs(weight) AS d, \
    count(*) AS e, max(id) AS f, min(id) AS g FROM cpg.things WHERE id > 10 AND starts_with(name, 't') \
    GROUP BY 1, 2, 3, 4";

async fn bundle(lake: &TemporaryLake, threads: usize, sql: &str) -> Result<PlanBundle, Failure> {
    let threads = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
    let mut catalog = Catalog::new(
        SessionSpec {
            threads,
            ..SessionSpec::default()
        }
        .build()?,
    );
    let contract = things("cpg.things")?;
    catalog.register(&open_dataset(&contract, &lake.location("cpg.things")?, None).await?)?;
    let state = catalog.session().state();
    let plan = state.optimize(catalog.session().sql(sql).await?.logical_plan())?;
    let versions = BTreeMap::from([("upper".to_owned(), "1".to_owned())]);
    let context = PlanContext::of(&state, &BTreeMap::new(), versions);
    Ok(PlanBundle::try_new(
        &plan,
        &state,
        catalog.pins(),
        &context,
    )?)
}

async fn lake_of(ids: std::ops::Range<i64>) -> Result<TemporaryLake, Failure> {
    let lake = TemporaryLake::try_new()?;
    let contract = things("cpg.things")?;
    write(
        request(&lake.lake, &contract, 100, WriteMode::Overwrite)?,
        1,
        [rows(ids)?],
    )
    .await?;
    Ok(lake)
}

#[tokio::test]
async fn a_hundred_sessions_give_one_fingerprint() -> Result<(), Failure> {
    let lake = lake_of(0..300).await?;
    let mut seen: BTreeSet<Fingerprint> = BTreeSet::new();
    for session in 0..100 {
        seen.insert(bundle(&lake, 1 + session % 4, QUERY).await?.fingerprint());
    }
    assert_eq!(seen.len(), 1);
    // Another lake with the same rows in the same files, at another version.
    let other = lake_of(0..10).await?;
    let contract = things("cpg.things")?;
    write(
        request(&other.lake, &contract, 100, WriteMode::Overwrite)?,
        1,
        [rows(0..300)?],
    )
    .await?;
    seen.insert(bundle(&other, 2, QUERY).await?.fingerprint());
    assert_eq!(seen.len(), 1);
    Ok(())
}

/// Run by the next test in a process of its own; says its fingerprint on standard output.
#[tokio::test]
async fn says_its_fingerprint() -> Result<(), Failure> {
    let lake = lake_of(0..300).await?;
    println!(
        "fingerprint={}",
        bundle(&lake, 1, QUERY).await?.fingerprint()
    );
    Ok(())
}

#[test]
fn two_processes_give_one_fingerprint() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let said = |environment: &[(&str, &str)]| -> Result<String, Failure> {
        let output = Command::new(std::env::current_exe()?)
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .args([
                "--exact",
                "fingerprints::says_its_fingerprint",
                "--nocapture",
            ])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let line = text
            .lines()
            .find_map(|line| line.split_once("fingerprint="));
        Ok(line
            .map(|(_, digest)| digest.to_owned())
            .ok_or("no fingerprint was said")?)
    };
    // Neither the place, nor the language, nor the clock of the machine, nor what libraries look for in the environment.
    let abroad = [
        ("TZ", "Asia/Tokyo"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("DATAFUSION_EXECUTION_BATCH_SIZE", "7"),
        ("RUST_LOG", "trace"),
    ];
    assert_eq!(said(&[])?, said(&abroad)?);
    Ok(())
}

#[tokio::test]
async fn what_is_computed_changes_the_fingerprint() -> Result<(), Failure> {
    let lake = lake_of(0..300).await?;
    let base = bundle(&lake, 1, QUERY).await?.fingerprint();
    let literal = bundle(&lake, 1, &QUERY.replace("> 10", "> 11"))
        .await?
        .fingerprint();
    assert_ne!(base, literal);
    let spaced = bundle(&lake, 1, &QUERY.replace(" WHERE", "  /* why */\n WHERE")).await?;
    assert_eq!(base, spaced.fingerprint());
    let other_rows = bundle(&lake_of(0..299).await?, 1, QUERY)
        .await?
        .fingerprint();
    assert_ne!(base, other_rows);
    Ok(())
}

#[tokio::test]
async fn what_substrait_cannot_express_is_kept_as_the_engine_writes_it() -> Result<(), Failure> {
    let lake = lake_of(0..30).await?;
    let sql = "SELECT unnest(make_array(id, id + 1)) AS id FROM cpg.things";
    let mut seen = BTreeSet::new();
    for session in 0..40 {
        let bundle = bundle(&lake, 1 + session % 4, sql).await?;
        assert_eq!(bundle.canonical().encoding(), PlanEncoding::Proto);
        assert!(bundle.canonical().fallback_reason().is_some());
        seen.insert(bundle.fingerprint());
    }
    assert_eq!(seen.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_a_query_does_not_name_is_no_part_of_it() -> Result<(), Failure> {
    let lake = lake_of(0..300).await?;
    let base = bundle(&lake, 1, QUERY).await?.fingerprint();
    // Another table, and another query that was planned before.
    let contract = things("cpg.others")?;
    write(
        request(&lake.lake, &contract, 100, WriteMode::Overwrite)?,
        1,
        [rows(0..7)?],
    )
    .await?;
    let mut catalog = Catalog::new(SessionSpec::default().build()?);
    for name in ["cpg.others", "cpg.things"] {
        let contract = things(name)?;
        catalog.register(&open_dataset(&contract, &lake.location(name)?, None).await?)?;
    }
    let state = catalog.session().state();
    let sql = "SELECT id FROM cpg.others WHERE id IN (SELECT id FROM cpg.things) AND id > 3";
    state.optimize(catalog.session().sql(sql).await?.logical_plan())?;
    let plan = state.optimize(catalog.session().sql(QUERY).await?.logical_plan())?;
    let functions = |version: &str| {
        let ours = [("upper", version), ("never_called", version)];
        let ours = ours.map(|(name, version)| (name.to_owned(), version.to_owned()));
        PlanContext::of(&state, &BTreeMap::new(), ours.into())
    };
    let of = |context: &PlanContext| -> Result<Fingerprint, Failure> {
        Ok(PlanBundle::try_new(&plan, &state, catalog.pins(), context)?.fingerprint())
    };
    assert_eq!(of(&functions("1"))?, base);
    // The body of a function is known by its version.
    assert_ne!(of(&functions("2"))?, base);
    Ok(())
}

#[tokio::test]
async fn a_plan_tells_what_it_reads() -> Result<(), Failure> {
    let lake = lake_of(0..30).await?;
    let sql = "SELECT count(*) FROM cpg.things WHERE id > 3 GROUP BY name";
    let bundle = bundle(&lake, 1, sql).await?;
    let facts: &PlanFacts = bundle.facts();
    assert_eq!(facts.inputs().collect::<Vec<_>>(), ["cpg.things"]);
    assert!(facts.uses("cpg.things", "id").contains(&Role::FilterRange));
    assert!(facts.uses("cpg.things", "name").contains(&Role::Group));
    assert!(facts.uses("cpg.things", "weight").is_empty());
    assert!(bundle.functions().is_empty());
    let volatile = crate::fingerprints::bundle(&lake, 1, "SELECT random() FROM cpg.things")
        .await
        .err();
    let volatile = volatile.map(|error| error.to_string());
    assert_eq!(
        volatile.as_deref(),
        Some("the plan calls `random`, whose value differs from call to call")
    );
    Ok(())
}
