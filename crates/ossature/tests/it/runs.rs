//! `runs` and `show`: what was built, for programs and for people.

use expect_test::expect;
use serde_json::Value;

use crate::program::{Failure, keys, of_outputs, output};
use crate::shop::shop;

#[test]
fn a_run_is_listed_and_shown_with_one_manifest() -> Result<(), Failure> {
    let shop = shop()?;
    let runs = shop.lake.runs()?;
    let [run] = runs.as_slice() else {
        return Err("one run was made".into());
    };
    assert_eq!(run["run_id"], shop.summary["run_id"]);
    assert_eq!(run["status"], "completed");
    assert_eq!(run["source"].as_str(), shop.tree.root().to_str());
    assert_eq!(run["extract"], shop.summary["files"]);
    assert_eq!(run["calls"], shop.summary["calls"]);
    assert_eq!(of_outputs(run, "rows"), of_outputs(&shop.summary, "rows"));
    expect!["calls code_version ended_at_unix_ms engine_versions environment_hash execution extract inputs options outputs run_id run_number source started_at_unix_ms status"]
        .assert_eq(&keys(run));

    let run_id = run["run_id"].as_str().unwrap_or_default();
    let shown = output(shop.lake.arguments(&["show", run_id, "--format", "json"]))?;
    assert_eq!(&serde_json::from_str::<Value>(&shown)?, run);
    Ok(())
}

#[test]
fn people_get_tables() -> Result<(), Failure> {
    let shop = shop()?;
    let run_id = shop.summary["run_id"].as_str().unwrap_or_default();
    let listed = output(shop.lake.arguments(&["runs"]))?;
    assert!(
        listed.contains(run_id) && listed.contains("completed"),
        "{listed}"
    );
    let shown = output(shop.lake.arguments(&["show", run_id]))?;
    for name in of_outputs(&shop.summary, "rows").keys() {
        assert!(shown.contains(name), "{name} in\n{shown}");
    }
    Ok(())
}
