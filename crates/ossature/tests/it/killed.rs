//! Published once: a build that is killed, whenever that is, leaves the run before as it was.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Failure, Lake, command, files_below, of_outputs, ossature};
use crate::shop::{Tree, shop};

/// How many builds are killed, unless `OSSATURE_KILLS` says otherwise.
const KILLS: usize = 6;

const COUNTS: &str = "SELECT (SELECT count(*) FROM extract.nodes) AS extracted, \
    (SELECT count(*) FROM normalize.symbols) AS symbols, (SELECT count(*) FROM cpg.cpg_nodes) AS nodes, \
    (SELECT count(*) FROM cpg.cpg_edges) AS edges, (SELECT count(*) FROM cpg.cpg_props) AS properties";

/// A number below `end` that is another in each run of the tests.
fn random_below(end: usize) -> usize {
    let bits = RandomState::new().build_hasher().finish();
    usize::try_from(bits).unwrap_or_default() % end.max(1)
}

fn files_in(lake: &Lake) -> Result<usize, Failure> {
    Ok(files_below(&lake.path())?.len())
}

/// Starts a build and kills it a moment after it has added `files` files to the lake.
///
/// The work that was done decides, not the time that has passed, so that a busy machine is no other machine.
fn kill_after(lake: &Lake, source: &Path, files: usize) -> Result<(), Failure> {
    let until = files_in(lake)? + files;
    let mut build = command(lake.build_arguments(source, 2)).spawn()?;
    while files_in(lake)? < until && build.try_wait()?.is_none() {
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_micros(random_below(20_000) as u64));
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
    kill_after(&lake, tree.root(), 2 + random_below(20))?;
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
    lake.build(tree.root(), 2)?;
    let mut published = lake.query(COUNTS)?;

    // A later build adds fewer files than the first one.
    let files = files_in(&lake)? * 2 / 3;
    let mut interrupted = 0;
    for kill in 0..kills {
        edition(&tree, kill + 1)?;
        let before = lake.runs()?.len();
        let moment = files * kill / kills + random_below(files / kills);
        kill_after(&lake, tree.root(), moment)?;

        let (runs, now) = (lake.runs()?, lake.query(COUNTS)?);
        let begun = runs.first().filter(|_| runs.len() > before);
        if begun.is_some_and(|run| run["status"] == "completed") {
            // It had published already.
            published = now;
            continue;
        }
        assert_eq!(now, published, "killed after {moment} of {files} files");
        assert!(begun.is_none_or(|run| run["status"] == "running"));
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
    let is_running = |run: &&Value| run["status"] == "running";
    assert_eq!(lake.runs()?.iter().filter(is_running).count(), interrupted);
    Ok(())
}
