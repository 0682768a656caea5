//! Whole graphs, of several files a table: the same from every number of threads.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;

use ossature_delta_policy::TablePolicy;
use ossature_schema_spec::DatasetName;
use ossature_tests::{Failure, TemporaryLake, facts_of, files_below, graph_run};

/// So few that the small corpus fills several files of most tables, whose ranges are read one after the other, merged
/// and cut.
fn small_files(dataset: &DatasetName) -> TablePolicy {
    let rows = NonZeroU64::MIN.saturating_add(149);
    ossature_cpg_views::policy(dataset).rows_per_file_max(rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graph_of_many_files_does_not_depend_on_threads() -> Result<(), Failure> {
    let facts = facts_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/corpus"))?;
    let mut seen = Vec::new();
    for threads in [1, 2, 4] {
        let lake = TemporaryLake::try_new()?;
        let mut run = graph_run(&lake, threads, small_files, &facts).await?;
        let manifest = run.publish(1, None, None).await?;
        let outputs: Vec<_> = manifest
            .outputs
            .iter()
            .map(|output| {
                let fingerprint = output.plan_fingerprint;
                (
                    output.name.clone(),
                    output.rows,
                    output.files,
                    fingerprint,
                    output.content_hash,
                )
            })
            .collect();
        let mut files = BTreeMap::new();
        for stage in ["extract", "normalize", "cpg"] {
            files.extend(files_below(&lake.path().join(stage), lake.path())?);
        }
        seen.push((outputs, files));
    }
    let (outputs, _) = &seen[0];
    let of_several = outputs
        .iter()
        .filter(|(_, _, files, ..)| *files > 4)
        .count();
    assert!(of_several >= 10, "{outputs:?}");
    for (outputs, files) in &seen[1..] {
        assert_eq!(outputs, &seen[0].0);
        assert!(files.keys().eq(seen[0].1.keys()));
        assert!(files == &seen[0].1);
    }
    Ok(())
}
