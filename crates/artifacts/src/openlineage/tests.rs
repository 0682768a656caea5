//! The events of a small run, as tools get them.

use std::path::Path;

use expect_test::{expect, expect_file};
use ossature_schema_spec::{ColumnSpec, ColumnType, Fingerprint};
use ossature_view_graph::View;
use serde_json::{Value, json};

use super::*;
use crate::{
    CacheStatusV1, ColumnOriginV1, DigestV1, ExecutionProfileV1, PinV1, PlanColumnV1, PlanInputV1,
    PlanOutputV1, RunCompletion, RunOptionsV1, RunStart,
};

const RUN: &str = "018f2d6a-3c00-7abc-8def-0123456789ab";

fn digest(byte: u8) -> DigestV1 {
    DigestV1::from(Fingerprint::from_bytes([byte; 32]))
}

fn graph() -> ViewGraph {
    let things = DatasetSpec::builder("extract.things", "One row per thing.")
        .column(
            ColumnSpec::required("id", ColumnType::Int64)
                .unwrap()
                .doc("Which thing."),
        )
        .column(ColumnSpec::nullable("label", ColumnType::Utf8).unwrap())
        .key(["id"])
        .build()
        .unwrap();
    let counts = DatasetSpec::builder("cpg.counts", "One row per label.")
        .column(ColumnSpec::nullable("label", ColumnType::Utf8).unwrap())
        .column(ColumnSpec::required("things", ColumnType::Int64).unwrap())
        .column(ColumnSpec::required("kind", ColumnType::Utf8).unwrap())
        .build()
        .unwrap();
    let sql = "SELECT label, count(id) AS things, 'thing' AS kind FROM extract.things \
        WHERE id > 0 GROUP BY label";
    ViewGraph::try_new([things], [View::table(counts, sql)]).unwrap()
}

fn start() -> RunStart {
    RunStart {
        run_id: RUN.to_owned(),
        parent_run_id: None,
        source: Some("/src/project".to_owned()),
        code_version: "1.2.3".to_owned(),
        environment: None,
        profile: None,
        options: RunOptionsV1 {
            python_version: "3.14".to_owned(),
            max_file_bytes: 1 << 23,
        },
        execution: ExecutionProfileV1 {
            threads: 2,
            memory_bytes_max: 1 << 30,
            batch_rows: 8192,
        },
        started_at_unix_ms: 1_715_000_000_000,
    }
}

fn pin() -> PinV1 {
    PinV1 {
        dataset: "extract.things".to_owned(),
        table_id: "11111111-1111-4111-8111-111111111111".to_owned(),
        version: 3,
        snapshot_hash: digest(1),
        content_hash: Some(digest(2)),
    }
}

fn output(name: &str, version_before: u64, is_computed: bool) -> OutputV1 {
    OutputV1 {
        name: name.to_owned(),
        table_uri: "somewhere".to_owned(),
        version_before,
        version: 3,
        table_id: "11111111-1111-4111-8111-111111111111".to_owned(),
        snapshot_hash: digest(1),
        rows: 40,
        bytes: 5_000,
        files: 2,
        plan_fingerprint: is_computed.then(|| digest(7)),
        plan_hash: is_computed.then(|| digest(9)),
        content_hash: digest(2),
        contract_hash: digest(3),
        policy_hash: digest(4),
        write_artifact_id: digest(5),
        plan_artifact_id: is_computed.then(|| digest(6)),
        writer_version: 2,
        cache_status: is_computed.then_some(CacheStatusV1::Hit),
    }
}

fn plan() -> PlanArtifactV1 {
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    let column = |name: &str, roles| PlanColumnV1 {
        name: name.to_owned(),
        roles: words(roles),
    };
    let origin = |column: &str, derivations| ColumnOriginV1 {
        dataset: "extract.things".to_owned(),
        column: column.to_owned(),
        derivations: words(derivations),
    };
    let of = |name: &str, origins| PlanOutputV1 {
        name: name.to_owned(),
        origins,
    };
    PlanArtifactV1 {
        dataset: "cpg.counts".to_owned(),
        fingerprint: digest(7),
        environment_hash: digest(8),
        execution_hash: digest(9),
        encoding: "substrait".to_owned(),
        fallback_reason: None,
        plan_bytes: 100,
        plan_hash: digest(10),
        inputs: vec![PlanInputV1 {
            pin: pin(),
            schema_hash: digest(11),
            columns: vec![
                column("id", &["read", "projected", "filter_range"]),
                column("label", &["read", "projected", "group_key"]),
            ],
        }],
        outputs: vec![
            of("label", vec![origin("label", &["identity"])]),
            of("things", vec![origin("id", &["aggregation"])]),
            of("kind", vec![]),
        ],
        functions: [("node_id".to_owned(), "1".to_owned())].into(),
        calls: vec!["count".to_owned()],
        text: "Aggregate".to_owned(),
    }
}

fn completed(outputs: Vec<OutputV1>) -> RunManifestV1 {
    RunManifestV1::running(&start(), 7).completed(
        &RunCompletion {
            ended_at_unix_ms: 1_715_000_009_000,
            inputs: vec![pin()],
            outputs,
            extract: None,
            calls: None,
        },
        Vec::new(),
    )
}

/// What `told` makes of a run in the lake `/lake`.
fn told<T>(manifest: &RunManifestV1, told: impl FnOnce(LineageSubject<'_>) -> T) -> T {
    let (lake, graph) = (Lake::try_new("/lake").unwrap(), graph());
    told(LineageSubject {
        namespace: "ossature",
        lake: &lake,
        graph: &graph,
        manifest,
    })
}

fn times() -> BTreeMap<DatasetName, WorkTimes> {
    let worked = |name, began_at_unix_ms, ended_at_unix_ms| {
        let times = WorkTimes {
            began_at_unix_ms,
            ended_at_unix_ms,
        };
        (DatasetName::try_new(name).unwrap(), times)
    };
    [
        worked("extract.things", 1_715_000_001_000, 1_715_000_004_000),
        worked("cpg.counts", 1_715_000_004_000, 1_715_000_008_500),
    ]
    .into()
}

fn events(manifest: &RunManifestV1, times: &BTreeMap<DatasetName, WorkTimes>) -> Vec<RunEvent> {
    told(manifest, |subject| {
        subject.completed(&[plan()], times).unwrap()
    })
}

fn published() -> RunManifestV1 {
    let outputs = [("cpg.counts", 2, true), ("extract.things", 3, false)];
    completed(
        outputs
            .map(|(name, before, is_computed)| output(name, before, is_computed))
            .into(),
    )
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

#[test]
fn a_run_begins() {
    let begun = RunManifestV1::running(&start(), 7);
    let event = told(&begun, |subject| subject.started());
    expect_file!["golden/started.json"].assert_eq(&pretty(&event));
}

#[test]
fn a_published_run_is_told_as_a_job_for_the_extraction_one_for_each_view_and_their_parent() {
    let events = events(&published(), &times());
    expect_file!["golden/completed.json"].assert_eq(&pretty(&events));
}

/// What tools go by: which run of which job, when, and what it touches.
fn outline(events: &[RunEvent]) -> String {
    let lines = events.iter().map(|event| {
        let event = json!(event);
        let names = |side: &str| {
            let datasets = event[side].as_array().unwrap().iter();
            datasets
                .map(|it| it["name"].as_str().unwrap())
                .collect::<Vec<_>>()
                .join(" ")
        };
        format!(
            "{} {} {}: {} -> {}\n",
            event["eventTime"].as_str().unwrap(),
            event["eventType"].as_str().unwrap(),
            event["job"]["name"].as_str().unwrap(),
            names("inputs"),
            names("outputs")
        )
    });
    lines.collect()
}

#[test]
fn a_dataset_without_times_was_worked_on_all_the_time() {
    expect![[r#"
        2024-05-06T12:53:20.000Z START ossature.build.extract:  -> 
        2024-05-06T12:53:29.000Z COMPLETE ossature.build.extract: /src/project -> /lake/extract/things
        2024-05-06T12:53:20.000Z START ossature.build.cpg.counts:  -> 
        2024-05-06T12:53:29.000Z COMPLETE ossature.build.cpg.counts: /lake/extract/things -> /lake/cpg/counts
        2024-05-06T12:53:29.000Z COMPLETE ossature.build:  -> 
    "#]].assert_eq(&outline(&events(&published(), &BTreeMap::new())));
}

#[test]
fn what_was_not_published_is_not_told() {
    let manifest = completed(vec![output("extract.things", 2, false)]);
    expect![[r#"
        2024-05-06T12:53:21.000Z START ossature.build.extract:  -> 
        2024-05-06T12:53:24.000Z COMPLETE ossature.build.extract: /src/project -> /lake/extract/things
        2024-05-06T12:53:29.000Z COMPLETE ossature.build:  -> 
    "#]].assert_eq(&outline(&events(&manifest, &times())));
}

#[test]
fn a_version_that_stays_is_not_overwritten() {
    let changes: Vec<String> = events(&published(), &times())
        .iter()
        .flat_map(|event| event.outputs.iter().map(|output| json!(output)))
        .map(|output| {
            let change = &output["facets"]["lifecycleStateChange"]["lifecycleStateChange"];
            format!("{}: {change}", output["name"])
        })
        .collect();
    expect![[r#"
        "/lake/extract/things": null
        "/lake/cpg/counts": "OVERWRITE""#]]
    .assert_eq(&changes.join("\n"));
}

#[test]
fn a_run_that_fails_or_is_ended_says_why_without_secrets() {
    let begun = RunManifestV1::running(&start(), 7);
    let failure = FailureV1 {
        code: "storage_failed".to_owned(),
        message: "s3://key:secret@bucket/lake?token=secret is gone".to_owned(),
    };
    let end = |end| {
        let event = told(&begun, |subject| {
            subject.unpublished(end, &failure, 1_715_000_002_000)
        });
        let event = json!(event);
        format!(
            "{} {} {} {}\n",
            event["eventType"],
            event["run"]["runId"],
            event["run"]["facets"]["errorMessage"]["message"],
            event["run"]["facets"]["ossature_build"]["failureCode"]
        )
    };
    let ends = [UnpublishedEnd::Failed, UnpublishedEnd::Aborted].map(end);
    expect![[r#"
        "FAIL" "018f2d6a-3c00-7abc-8def-0123456789ab" "s3://bucket/lake is gone" "storage_failed"
        "ABORT" "018f2d6a-3c00-7abc-8def-0123456789ab" "s3://bucket/lake is gone" "storage_failed"
    "#]]
    .assert_eq(&ends.concat());
}

#[test]
fn an_abandoned_run_ends_under_the_id_under_which_it_began() {
    let begun = RunManifestV1::running(&start(), 7);
    let event = told(&begun, |subject| subject.abandoned(RUN, 1_715_000_005_000));
    let event = json!(event);
    assert_eq!(event["run"]["runId"], RUN);
    assert_eq!(event["eventType"], "ABORT");
}

#[test]
fn ids_are_derived_from_run_and_job_and_nothing_else() {
    let ids = |run: &str, job: &str| derived_uuid(run, job, 1_715_000_000_000).to_string();
    expect![[r#"
        018f4df7-3e00-7bd1-8c02-eed012196312
        018f4df7-3e00-7188-a002-e42850d1c16d
        018f4df7-3e00-7f79-8212-4f31590e48e3
        018f4df7-3e00-74e4-883a-b866ae083691"#]]
    .assert_eq(&format!(
        "{}\n{}\n{}\n{}",
        ids("one", "ossature.build.cpg.counts"),
        ids("one", "ossature.build.extract"),
        ids("other", "ossature.build.extract"),
        run_uuid("no uuid", 1_715_000_000_000),
    ));
    assert_eq!(run_uuid(RUN, 0).to_string(), RUN);
}

/// The schema of the facets of ours, which is published under the URN that they name.
#[test]
fn the_schema_of_our_facets_is_fresh() {
    let mut definitions = serde_json::Map::new();
    for (name, schema) in facet::schemas() {
        let mut schema = schema.to_value();
        let fields = schema.as_object_mut().unwrap();
        fields.remove("$schema");
        if let Some(Value::Object(inner)) = fields.remove("$defs") {
            definitions.extend(inner);
        }
        fields.remove("title");
        let entity = ["RunFacet", "DatasetFacet"]
            .into_iter()
            .find(|entity| name.ends_with(entity))
            .unwrap();
        let base = format!("https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/{entity}");
        // The base of facets is open, so ours is closed by naming what the base has.
        fields.insert("additionalProperties".to_owned(), json!(false));
        let known = fields["properties"].as_object_mut().unwrap();
        known.extend(["_producer", "_schemaURL"].map(|name| (name.to_owned(), json!(true))));
        let facet = json!({"allOf": [{"$ref": base}, schema]});
        definitions.insert(name.to_owned(), facet);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:ossature:openlineage:1-0-0",
        "title": "The facets that Ossature adds to OpenLineage",
        "$defs": definitions,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openlineage.schema.json");
    expect_file![path].assert_eq(&pretty(&schema));
}
