//! What a run records is complete, and leads from every commit to the manifest and back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ossature_artifacts::{
    ArtifactTable, CONTRACTS, Envelope, RecordedPlan, RecordedWrite, RunManifestV1,
    StoredArtifacts, artifact_id,
};
use ossature_delta_policy::TablePolicy;
use ossature_lineage::PlanEncoding;
use ossature_pipeline::{PublishedRun, Run};
use ossature_registry::{Catalog, SessionSpec, commit_keys, open_dataset, open_table};
use ossature_schema_spec::{DatasetName, Version};
use ossature_tests::{Failure, TemporaryLake, facts_of, graph, graph_run};

async fn published(lake: &TemporaryLake) -> Result<RunManifestV1, Failure> {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/cpg-views/tests/trees/shop");
    let mut run: Run = graph_run(lake, 2, |_| TablePolicy::default(), &facts_of(&shop)?).await?;
    Ok(Box::pin(run.publish(1, None, None)).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_commit_tells_of_its_run_and_every_output_of_its_records() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let manifest = Box::pin(published(&lake)).await?;
    assert!(manifest.outputs.len() > 20);
    let stored = StoredArtifacts::of(&lake.lake, &manifest.run_id).await?;
    let plan_ids: BTreeMap<String, String> = (stored.plans.iter())
        .map(|it| Ok((it.dataset.clone(), artifact_id(it)?.to_hex())))
        .collect::<Result<_, Failure>>()?;
    let write_ids: BTreeMap<String, String> = (stored.writes.iter())
        .map(|it| Ok((it.dataset.clone(), artifact_id(it)?.to_hex())))
        .collect::<Result<_, Failure>>()?;
    for output in &manifest.outputs {
        let name = &output.name;
        assert_eq!(
            output.write_artifact_id.to_string(),
            write_ids[name],
            "{name}"
        );
        let plan_id = output.plan_artifact_id.map(|it| it.to_string());
        assert_eq!(plan_id.as_ref(), plan_ids.get(name), "{name}");
        assert_eq!(
            plan_id.is_some(),
            output.plan_fingerprint.is_some(),
            "{name}"
        );
        assert_eq!(output.version_before + 1, output.version, "{name}");

        let location = lake.lake.location(&DatasetName::try_new(name)?)?;
        let open = open_table(&location, Version::new(output.version)).await?;
        let commit = &open.commit().keys;
        let told = |key: &str| commit.get(key).map(ToString::to_string);
        assert_eq!(
            told(commit_keys::RUN).as_ref(),
            Some(&manifest.run_id),
            "{name}"
        );
        for (key, digest) in [
            (commit_keys::CONTENT_HASH, Some(output.content_hash)),
            (commit_keys::CONTRACT, Some(output.contract_hash)),
            (commit_keys::POLICY, Some(output.policy_hash)),
            (commit_keys::PLAN, output.plan_fingerprint),
        ] {
            assert_eq!(told(key), digest.map(|it| it.to_string()), "{name} {key}");
        }
    }
    Ok(())
}

/// Read back in a session that has planned nothing, as another process would.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_is_read_back_and_means_what_it_meant() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    let manifest = Box::pin(published(&lake)).await?;
    let graph = graph()?;
    let run = PublishedRun::open(&lake.lake, &graph, None, &SessionSpec::default()).await?;
    let state = run.catalog().session().state();
    let plans = RecordedPlan::of(&lake.lake, &manifest.run_id).await?;
    let mut encodings = BTreeSet::new();
    for RecordedPlan { artifact, plan, .. } in &plans {
        let decoded = Box::pin(plan.decode(&state)).await?;
        let names: Vec<&String> = decoded
            .schema()
            .fields()
            .iter()
            .map(|it| it.name())
            .collect();
        let told: Vec<&String> = artifact.outputs.iter().map(|it| &it.name).collect();
        assert_eq!(names, told, "{}", artifact.dataset);
        assert!(
            artifact.outputs.iter().any(|it| !it.origins.is_empty()),
            "{}",
            artifact.dataset
        );
        encodings.insert(plan.encoding());
    }
    // Both are met in the graph; neither is a text.
    let both = BTreeSet::from([PlanEncoding::Substrait, PlanEncoding::Proto]);
    assert_eq!(encodings, both);
    let planned = manifest
        .outputs
        .iter()
        .filter(|it| it.plan_fingerprint.is_some());
    assert_eq!(planned.count(), plans.len());
    let writes = RecordedWrite::of(&lake.lake, &manifest.run_id).await?;
    assert_eq!(writes.len(), manifest.outputs.len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stored_payload_meets_its_contract() -> Result<(), Failure> {
    let lake = TemporaryLake::try_new()?;
    Box::pin(published(&lake)).await?;
    let mut seen = BTreeSet::new();
    for table in ArtifactTable::ALL {
        let contract = table.spec()?;
        let location = lake.lake.location(contract.name())?;
        let Ok(dataset) = open_dataset(&contract, &location, None).await else {
            continue;
        };
        let mut catalog = Catalog::new(SessionSpec::default().build()?);
        catalog.register(&dataset)?;
        if !contract
            .columns()
            .iter()
            .any(|it| it.name().as_str() == "payload")
        {
            continue;
        }
        let sql = format!("SELECT artifact_id, payload FROM {}", table.name());
        for batch in catalog.session().sql(&sql).await?.collect().await? {
            use arrow_array::cast::AsArray as _;
            let (ids, payloads) = (batch.column(0).as_string::<i32>(), batch.column(1));
            for (id, bytes) in ids.iter().zip(payloads.as_binary::<i32>()) {
                let envelope = Envelope::from_msgpack(bytes.unwrap_or_default())?;
                assert_eq!(
                    Some(envelope.id()?.to_hex().as_str()),
                    id,
                    "{}",
                    table.name()
                );
                let json: serde_json::Value = serde_json::from_str(&envelope.to_json()?)?;
                let kind = json["kind"].as_str().unwrap_or_default();
                let contract = CONTRACTS.iter().find(|it| it.kind == kind);
                let contract = contract.ok_or_else(|| format!("`{kind}` has no contract"))?;
                assert_eq!((contract.reseal)(&envelope)?, envelope, "{kind}");
                seen.insert(kind.to_owned());
            }
        }
    }
    let wanted = [
        "plan_artifact",
        "run_manifest",
        "scan_artifact",
        "semantic_validation",
        "view_cache",
        "write_artifact",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), wanted);
    Ok(())
}
