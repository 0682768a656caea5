//! Deterministic by construction: other folders, other thread counts, other processes, the same bytes.

use ossature_view_graph::Materialization;
use serde_json::Value;

use crate::program::{Failure, Lake, of_outputs, output};
use crate::shop::{Tree, shop};

#[test]
fn bytes_and_fingerprints_do_not_depend_on_threads_folders_or_processes() -> Result<(), Failure> {
    let shop = shop()?;
    let tree = Tree::of_the_shop()?;
    let lake = Lake::new()?;
    let first = lake.build(tree.root(), 1)?;
    for column in [
        "content_hash",
        "logical_fingerprint",
        "rows",
        "bytes",
        "files",
    ] {
        assert_eq!(
            of_outputs(&first, column),
            of_outputs(&shop.summary, column),
            "{column}"
        );
    }
    let (ours, theirs) = (lake.data_files()?, shop.lake.data_files()?);
    let files = of_outputs(&first, "files").into_values();
    assert_eq!(
        ours.len() as u64,
        files.filter_map(Value::as_u64).sum::<u64>()
    );
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>()
    );
    for (path, bytes) in &ours {
        assert!(theirs.get(path) == Some(bytes), "{}", path.display());
    }

    let views = ossature_cpg_views::views()?;
    let tables = views
        .iter()
        .filter(|view| view.materialization() == Materialization::Table);
    let tables = tables.count();

    // The same tree, computed again, commits nothing.
    let mut anew = lake.build_arguments(tree.root(), 2);
    anew.push("--no-cache".into());
    let second: Value = serde_json::from_str(&output(anew)?)?;
    assert_eq!(decisions(&second), vec!["disabled"; tables]);
    for column in ["version", "content_hash", "logical_fingerprint"] {
        assert_eq!(
            of_outputs(&second, column),
            of_outputs(&first, column),
            "{column}"
        );
    }
    assert!(lake.data_files()? == ours);
    assert_ne!(second["run_id"], first["run_id"]);
    assert_eq!(lake.runs()?.len(), 2);

    // Nor does it where nothing is computed.
    let kept = lake.build(tree.root(), 1)?;
    assert_eq!(decisions(&kept), vec!["hit"; tables]);
    for column in ["version", "content_hash", "logical_fingerprint", "rows"] {
        assert_eq!(of_outputs(&kept, column), of_outputs(&first, column));
    }
    assert!(lake.data_files()? == ours);

    // A change is seen, and tables that do not depend on it keep their versions.
    tree.write("main.py", "import shop as s\n")?;
    let third = lake.build(tree.root(), 2)?;
    assert!(decisions(&third).contains(&"miss"));
    // What was kept and what was computed is what another lake gets by computing everything.
    let elsewhere = Lake::new()?.build(tree.root(), 1)?;
    assert_eq!(decisions(&elsewhere), vec!["miss"; tables]);
    for column in ["content_hash", "logical_fingerprint", "rows"] {
        assert_eq!(of_outputs(&third, column), of_outputs(&elsewhere, column));
    }
    let changed: Vec<&str> = of_outputs(&third, "version")
        .into_iter()
        .filter(|(name, version)| of_outputs(&second, "version").get(name) != Some(version))
        .map(|(name, _)| name)
        .collect();
    assert!(changed.contains(&"cpg.cpg_nodes"), "{changed:?}");
    assert!(!changed.contains(&"extract.docstrings"), "{changed:?}");
    Ok(())
}

/// What became of the views that are tables.
fn decisions(summary: &Value) -> Vec<&str> {
    let decisions = of_outputs(summary, "cache").into_values();
    decisions.filter_map(Value::as_str).collect()
}
