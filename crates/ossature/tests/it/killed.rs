//! Published once: a build that is killed, whenever that is, leaves the run before as it was.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Failure, Lake, command, of_outputs, ossature};
use crate::shop::{Tree, shop};

/// How many builds are killed, unless `OSSATURE_KILLS` says otherwise: as many as half a minute has room for.
const KILLS: u32 = 6;

/// The longest time after which a build is killed.
const WHOLE_MAX: Duration = Duration::from_secs(8);

/// Where the moments begin that look random and are the same in every run of the test.
const SEED: u64 = 0x5EED;

const COUNTS: &str = "SELECT (SELECT count(*) FROM extract.nodes) AS extracted, \
    (SELECT count(*) FROM normalize.symbols) AS symbols, (SELECT count(*) FROM cpg.cpg_nodes) AS nodes, \
    (SELECT count(*) FROM cpg.cpg_edges) AS edges, (SELECT count(*) FROM cpg.cpg_props) AS properties";

/// One moment in each of `kills` equal parts of a build, as shares of the whole, by `SplitMix64`.
fn moments(kills: u32) -> Vec<f64> {
    let mut state = SEED;
    let mut random = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
    };
    (0..kills)
        .map(|kill| (f64::from(kill) + random()) / f64::from(kills))
        .collect()
}

/// Starts a build and kills it after some time. It is a process of its own, and a kill may meet it anywhere, so nothing
/// that it does can be waited for.
fn kill_after(lake: &Lake, source: &Path, time: Duration) -> Result<(), Failure> {
    let mut build = command(lake.build_arguments(source, 2)).spawn()?;
    sleep(time);
    build.kill()?;
    build.wait()?;
    Ok(())
}

/// A file that every table of the graph depends on, other in each edition.
fn edition(tree: &Tree, number: usize) -> Result<(), Failure> {
    let lines = (0..=number)
        .map(|line| format!("def f{line}(a=1):\n    \"\"\"Doc.\"\"\"\n    return print(a)\n"));
    tree.write("edition.py", lines.collect::<String>())
}

#[test]
fn a_killed_first_build_publishes_nothing() -> Result<(), Failure> {
    let (tree, lake) = (Tree::of_the_shop()?, Lake::new()?);
    let mut build = lake.build_until(tree.root(), 10)?;
    build.kill()?;
    build.wait()?;
    let runs = lake.runs()?;
    assert!(
        runs.iter().all(|run| run["status"] == "running"),
        "{runs:?}"
    );
    let answer = ossature(lake.arguments(&["query", "SELECT 1"]))?;
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    Ok(())
}

#[test]
fn readers_see_the_run_before_and_the_next_build_succeeds() -> Result<(), Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to test is for the caller to say"
    )]
    let kills = std::env::var("OSSATURE_KILLS").map_or(Ok(KILLS), |kills| kills.parse())?;
    let (shop, lake, tree) = (shop()?, Lake::new()?, Tree::of_the_shop()?);
    edition(&tree, 0)?;
    // What a build takes that is left alone. Later ones do a little less, so that the last kill may come too late.
    let began = Instant::now();
    lake.build(tree.root(), 2)?;
    // A machine that is busy with something else for a while does not make the test wait for minutes.
    let whole = began.elapsed().min(WHOLE_MAX);
    let mut published = lake.query(COUNTS)?;

    let mut interrupted = 0;
    for (kill, moment) in moments(kills).into_iter().enumerate() {
        let at = format!("kill {kill} of {kills}, seed {SEED:#x}, at {moment:.3} of {whole:?}");
        edition(&tree, kill + 1)?;
        let before = lake.runs()?.len();
        kill_after(&lake, tree.root(), whole.mul_f64(moment))?;

        let (runs, now) = (lake.runs()?, lake.query(COUNTS)?);
        let begun = runs.first().filter(|_| runs.len() > before);
        if begun.is_some_and(|run| run["status"] == "completed") {
            // It had published already.
            published = now;
            continue;
        }
        assert_eq!(now, published, "{at}");
        assert!(begun.is_none_or(|run| run["status"] == "running"), "{at}");
        interrupted += usize::from(begun.is_some());
    }
    assert!(interrupted > 0, "no build was killed while it worked");

    fs::remove_file(tree.root().join("edition.py"))?;
    let last = lake.build(tree.root(), 2)?;
    for column in ["rows", "content_hash", "logical_fingerprint"] {
        let (healed, clean) = (of_outputs(&last, column), of_outputs(&shop.summary, column));
        assert_eq!(healed, clean, "{column}");
    }
    assert_eq!(lake.query(COUNTS)?, shop.lake.query(COUNTS)?);
    // Each was found out by the build behind it.
    let is_aborted = |run: &&Value| run["status"] == "aborted";
    assert_eq!(lake.runs()?.iter().filter(is_aborted).count(), interrupted);
    Ok(())
}
