//! Selective queries over a built lake: what they touch, and how they compare with the engine's own listing of the same files.
//!
//! ```text
//! scan --lake LAKE [--lookups N] [--runs N]
//! ```

#[expect(dead_code, reason = "the form of this report is another one")]
#[path = "src/figures.rs"]
mod figures;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use ossature_pipeline::PublishedRun;
use ossature_registry::{Lake, SessionSpec};
use ossature_schema_spec::DatasetName;
use ossature_view_graph::ViewGraph;
use tokio::runtime::Runtime;

use crate::figures::Figure;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const TABLE: &str = "cpg.cpg_nodes";

struct Arguments {
    lake: String,
    lookups: usize,
    runs: usize,
}

impl Arguments {
    fn of(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut arguments = Self {
            lake: String::new(),
            lookups: 1_000,
            runs: 5,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` has no value"));
            match word.as_str() {
                "--lake" => arguments.lake = value()?,
                "--lookups" => arguments.lookups = value()?.parse()?,
                "--runs" => arguments.runs = value()?.parse()?,
                // What cargo adds.
                "--bench" => {}
                other => return Err(format!("`{other}` is no option").into()),
            }
        }
        Ok(arguments)
    }
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench reports by printing"
)]
fn main() -> ExitCode {
    let report = Arguments::of(std::env::args().skip(1)).and_then(|arguments| {
        if arguments.lake.is_empty() {
            return Ok("skipped: name a built lake with `--lake LAKE`".to_owned());
        }
        Runtime::new()?.block_on(report(&arguments))
    });
    match report {
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

/// A count of a plan that has run, over all its operators.
fn counted(plan: &dyn ExecutionPlan, name: &str) -> usize {
    let own = plan.metrics().and_then(|all| all.sum_by_name(name));
    let below = plan.children().into_iter();
    let below = below.map(|child| counted(child.as_ref(), name));
    own.map_or(0, |value| value.as_usize()) + below.sum::<usize>()
}

async fn run(
    session: &SessionContext,
    sql: &str,
) -> Result<(Arc<dyn ExecutionPlan>, usize), Failure> {
    let plan = session.sql(sql).await?.create_physical_plan().await?;
    let rows = collect(Arc::clone(&plan), session.task_ctx()).await?;
    Ok((plan, rows.iter().map(RecordBatch::num_rows).sum()))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of files and bytes are far below what a float keeps"
)]
fn number(count: usize) -> f64 {
    count as f64
}

/// The table as the engine lists it, with nothing of ours.
async fn listing(lake: &Lake) -> Result<SessionContext, Failure> {
    let location = lake.location(&DatasetName::try_new(TABLE)?)?;
    let session = SessionSpec::default().build()?;
    let url = ListingTableUrl::parse(location.url().as_str())?;
    let options =
        ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
    let schema = options.infer_schema(&session.state(), &url).await?;
    let config = ListingTableConfig::new(url)
        .with_listing_options(options)
        .with_schema(schema);
    session.register_table("cpg_nodes", Arc::new(ListingTable::try_new(config)?))?;
    Ok(session)
}

async fn report(arguments: &Arguments) -> Result<String, Failure> {
    let lake = Lake::try_new(&arguments.lake)?;
    let graph = ViewGraph::try_new(ossature_cpg_views::sources()?, ossature_cpg_views::views()?)?;
    let run_of = PublishedRun::open(&lake, &graph, None, &SessionSpec::default()).await?;
    let output = run_of
        .manifest()
        .output(TABLE)
        .ok_or("the lake has no nodes")?
        .clone();
    let ours = run_of.catalog().session().clone();
    let theirs = listing(&lake).await?;

    let sql = "SELECT node_id FROM cpg_nodes ORDER BY node_id";
    let ids: Vec<i64> = (ours.sql(sql).await?.collect().await?.iter())
        .flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec()
        })
        .collect();
    let step = (ids.len() / arguments.lookups).max(1);
    let looked_up: Vec<i64> = ids.iter().copied().step_by(step).collect();

    let (mut files, mut bytes) = (0, 0);
    for id in &looked_up {
        let sql = format!("SELECT * FROM cpg_nodes WHERE node_id = {id}");
        let (plan, rows) = run(&ours, &sql).await?;
        if rows != 1 {
            return Err(format!("{rows} rows of node {id}").into());
        }
        files += counted(plan.as_ref(), "files_opened");
        bytes += counted(plan.as_ref(), "bytes_scanned");
    }
    let mean = |sum: usize| number(sum) / number(looked_up.len());
    let mut lines = vec![
        format!(
            "{} rows in {} files of {} bytes",
            output.rows, output.files, output.bytes
        ),
        format!(
            "lookup by id, mean of {}: {:.3} files, {:.3}% of the bytes",
            looked_up.len(),
            mean(files),
            100.0 * mean(bytes) / number(usize::try_from(output.bytes)?)
        ),
    ];

    let at = |share: usize| ids[ids.len() * share / 1_000];
    let ids_of = |from: usize, count: usize| {
        let ids = looked_up[from..]
            .iter()
            .take(count)
            .map(ToString::to_string);
        ids.collect::<Vec<_>>().join(", ")
    };
    let queries = [
        ("one id", format!("node_id = {}", at(500))),
        (
            "ten ids",
            format!("node_id IN ({})", ids_of(looked_up.len() / 3, 10)),
        ),
        (
            "range of 0.5%",
            format!("node_id BETWEEN {} AND {}", at(300), at(305)),
        ),
        (
            "kind and range",
            format!("node_id >= {} AND node_kind = 'METHOD'", at(950)),
        ),
    ];
    for (name, filter) in queries {
        let sql = format!("SELECT * FROM cpg_nodes WHERE {filter}");
        let mut seconds = [Figure::default(), Figure::default()];
        let mut found = [0, 0];
        for round in 0..=arguments.runs {
            for (at, session) in [&ours, &theirs].into_iter().enumerate() {
                let began = Instant::now();
                for _ in 0..20 {
                    found[at] = run(session, &sql).await?.1;
                }
                // The first round fills caches.
                if round > 0 {
                    seconds[at].push(began.elapsed().as_secs_f64() / 20.0);
                }
            }
        }
        if found[0] != found[1] {
            return Err(
                format!("{name}: {} rows, and {} of the listing", found[0], found[1]).into(),
            );
        }
        let [own, listed] = seconds.map(|figure| figure.median());
        lines.push(format!(
            "{name}: {:.3} ms, listing {:.3} ms, ratio {:.3} ({} rows)",
            own * 1e3,
            listed * 1e3,
            own / listed,
            found[0]
        ));
    }
    Ok(lines.join("\n"))
}
