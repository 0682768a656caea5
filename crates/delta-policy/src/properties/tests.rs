//! What properties a policy becomes, which ones are refused, and how an existing table catches up.

use expect_test::{Expect, expect};

use super::*;
use crate::sample::{columns, dataset};
use crate::{
    ColumnMapping, DeltaFeature, PolicyOverrides, Protocol, Retention, StatsPolicy, TablePolicy,
    plan_features, resolve,
};

fn resolved(policy: &TablePolicy) -> ResolvedPolicy {
    let none = PolicyOverrides::none();
    resolve(&none, &none, &dataset(), policy, &[]).unwrap()
}

fn lines(properties: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = properties
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    lines.join("\n")
}

#[track_caller]
fn check(policy: &TablePolicy, want: &Expect) {
    want.assert_eq(&lines(&render_properties(&resolved(policy))));
}

#[test]
fn the_defaults_switch_nothing_on_and_keep_old_versions() {
    check(
        &TablePolicy::default(),
        &expect![[r#"
            delta.checkpointInterval=10
            delta.dataSkippingStatsColumns=node_id,position
            delta.deletedFileRetentionDuration=interval 36500 days
            delta.logRetentionDuration=interval 36500 days
            ossature.dataset=cpg.sample"#]],
    );
}

#[test]
fn no_statistics_has_to_be_said() {
    check(
        &TablePolicy::default().statistics(StatsPolicy::Off),
        &expect![[r#"
            delta.checkpointInterval=10
            delta.dataSkippingNumIndexedCols=0
            delta.deletedFileRetentionDuration=interval 36500 days
            delta.logRetentionDuration=interval 36500 days
            ossature.dataset=cpg.sample"#]],
    );
    // The only column that is named is the partition column.
    check(
        &TablePolicy::default().statistics(StatsPolicy::ExplicitLenient(columns("kind"))),
        &expect![[r#"
            delta.checkpointInterval=10
            delta.dataSkippingNumIndexedCols=0
            delta.deletedFileRetentionDuration=interval 36500 days
            delta.logRetentionDuration=interval 36500 days
            ossature.dataset=cpg.sample"#]],
    );
}

#[test]
fn every_field_has_its_property() {
    check(
        &TablePolicy::default()
            .statistics(StatsPolicy::Explicit(columns("level name")))
            .constraints([("positive", "node_id > 0")])
            .persist_constraints(true)
            .change_feed(true)
            .features([
                DeltaFeature::AppendOnly,
                DeltaFeature::DeletionVectors,
                DeltaFeature::V2Checkpoint,
            ])
            .checkpoint_commits_interval(7.try_into().unwrap())
            .log_retention(Retention::try_days(30).unwrap())
            .deleted_file_retention(Retention::try_days(1).unwrap())
            .properties([
                ("delta.isolationLevel", "Serializable"),
                ("delta.checkpoint.writeStatsAsStruct", "true"),
            ]),
        &expect![[r#"
            delta.appendOnly=true
            delta.checkpoint.writeStatsAsStruct=true
            delta.checkpointInterval=7
            delta.checkpointPolicy=v2
            delta.constraints.positive=node_id > 0
            delta.dataSkippingStatsColumns=level,name
            delta.deletedFileRetentionDuration=interval 1 days
            delta.enableChangeDataFeed=true
            delta.enableDeletionVectors=true
            delta.isolationLevel=Serializable
            delta.logRetentionDuration=interval 30 days
            ossature.dataset=cpg.sample"#]],
    );
}

#[test]
fn properties_of_the_first_commit_hold_those_of_the_feature_plan() {
    let policy = resolved(
        &TablePolicy::default()
            .column_mapping(ColumnMapping::Id)
            .allow_protocol_upgrade(true)
            .features([DeltaFeature::V2Checkpoint]),
    );
    let properties = render_properties(&policy);
    let plan = plan_features(None, &policy.feature_request()).unwrap();
    let planned = plan.change.unwrap().properties;
    assert_eq!(planned["delta.checkpointPolicy"], "v2");
    assert_eq!(planned["delta.columnMapping.mode"], "id");
    for (key, value) in planned {
        assert_eq!(properties.get(&key), Some(&value));
    }
}

#[test]
fn constraints_are_properties_only_where_they_are_persisted() {
    let policy = TablePolicy::default().constraints([("positive", "node_id > 0")]);
    let key = "delta.constraints.positive";
    assert!(!render_properties(&resolved(&policy)).contains_key(key));
    let policy = policy.persist_constraints(true);
    assert_eq!(render_properties(&resolved(&policy))[key], "node_id > 0");
}

#[track_caller]
fn check_refused(properties: &[(&str, &str)], want: &Expect) {
    let properties = properties
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let errors: Vec<String> = super::check(&properties)
        .map(|error| format!("{}: {error}", error.code()))
        .collect();
    want.assert_eq(&errors.join("\n"));
}

#[test]
fn properties_that_a_field_decides_point_to_the_field() {
    check_refused(
        &[
            ("delta.appendOnly", "true"),
            ("delta.checkpointInterval", "5"),
            ("delta.checkpointPolicy", "v2"),
            ("delta.columnMapping.maxColumnId", "5"),
            ("delta.columnMapping.mode", "name"),
            ("delta.constraints.positive", "id > 0"),
            ("delta.dataSkippingNumIndexedCols", "5"),
            ("delta.dataSkippingStatsColumns", "id"),
            ("delta.deletedFileRetentionDuration", "interval 1 days"),
            ("delta.enableChangeDataFeed", "true"),
            ("delta.enableDeletionVectors", "true"),
            ("delta.enableExpiredLogCleanup", "false"),
            ("delta.enableInCommitTimestamps", "true"),
            ("delta.enableRowTracking", "true"),
            ("delta.feature.v2Checkpoint", "supported"),
            ("delta.logRetentionDuration", "interval 1 days"),
            ("delta.minReaderVersion", "3"),
            ("delta.minWriterVersion", "7"),
        ],
        &expect![[r#"
            property_has_field: table property `delta.appendOnly` is not set by name: `features` decides it
            property_has_field: table property `delta.checkpointInterval` is not set by name: `checkpoint_commits_interval` decides it
            property_has_field: table property `delta.checkpointPolicy` is not set by name: `features` decides it
            property_has_field: table property `delta.columnMapping.maxColumnId` is not set by name: `column_mapping` decides it
            property_has_field: table property `delta.columnMapping.mode` is not set by name: `column_mapping` decides it
            property_has_field: table property `delta.constraints.positive` is not set by name: `constraints` decides it
            property_has_field: table property `delta.dataSkippingNumIndexedCols` is not set by name: `statistics` decides it
            property_has_field: table property `delta.dataSkippingStatsColumns` is not set by name: `statistics` decides it
            property_has_field: table property `delta.deletedFileRetentionDuration` is not set by name: `deleted_file_retention_days` decides it
            property_has_field: table property `delta.enableChangeDataFeed` is not set by name: `change_feed` decides it
            property_has_field: table property `delta.enableDeletionVectors` is not set by name: `features` decides it
            property_has_field: table property `delta.enableExpiredLogCleanup` is not set by name: `log_retention_days` decides it
            property_has_field: table property `delta.enableInCommitTimestamps` is not set by name: `features` decides it
            property_has_field: table property `delta.enableRowTracking` is not set by name: `features` decides it
            property_has_field: table property `delta.feature.v2Checkpoint` is not set by name: `features` decides it
            property_has_field: table property `delta.logRetentionDuration` is not set by name: `log_retention_days` decides it
            property_has_field: table property `delta.minReaderVersion` is not set by name: `features` decides it
            property_has_field: table property `delta.minWriterVersion` is not set by name: `features` decides it"#]],
    );
}

#[test]
fn properties_that_contradict_the_writer_are_refused() {
    check_refused(
        &[
            ("delta.autoOptimize.autoCompact", "true"),
            ("delta.autoOptimize.optimizeWrite", "true"),
            ("delta.randomizeFilePrefixes", "true"),
            ("delta.randomPrefixLength", "2"),
            ("delta.setTransactionRetentionDuration", "interval 1 days"),
            ("delta.targetFileSize", "128mb"),
            ("delta.tuneFileSizesForRewrites", "true"),
            ("ossature.dataset", "cpg.others"),
        ],
        &expect![[r#"
            property_refused: table property `delta.autoOptimize.autoCompact` is refused: files are laid out by the deterministic writer
            property_refused: table property `delta.autoOptimize.optimizeWrite` is refused: files are laid out by the deterministic writer
            property_refused: table property `delta.randomPrefixLength` is refused: files are named by their content
            property_refused: table property `delta.randomizeFilePrefixes` is refused: files are named by their content
            property_refused: table property `delta.setTransactionRetentionDuration` is refused: a transaction identifier that expires lets a retried write happen twice
            property_refused: table property `delta.targetFileSize` is refused: files are cut by rows and by key, not by bytes
            property_refused: table property `delta.tuneFileSizesForRewrites` is refused: files are cut by rows and by key, not by bytes
            property_refused: table property `ossature.dataset` is refused: it tells for which dataset a table was created"#]],
    );
}

#[test]
fn values_and_spelling_are_checked_because_the_runtime_does_not() {
    check_refused(
        &[
            ("delta.isolationLevel", "serializable"),
            ("delta.checkpoint.writeStatsAsJson", "yes"),
            ("delta.isolationlevel", "Serializable"),
            ("owner", "me"),
        ],
        &expect![[r#"
            property_value: table property `delta.checkpoint.writeStatsAsJson` is `yes`, wanted `true`, since digests of logs are of statistics as JSON
            property_value: table property `delta.isolationLevel` is `serializable`, wanted `Serializable`, `WriteSerializable` or `SnapshotIsolation`
            property_unknown: table property `delta.isolationlevel` is unknown
            property_unknown: table property `owner` is unknown"#]],
    );
    check_refused(
        &[
            ("delta.isolationLevel", "SnapshotIsolation"),
            ("delta.checkpoint.writeStatsAsStruct", "false"),
        ],
        &expect![""],
    );
}

#[track_caller]
fn check_change(current: &TableState, policy: &TablePolicy, want: &Expect) {
    let change = plan_properties(current, &resolved(policy));
    want.assert_eq(&format!("{}\nunset {:?}", lines(&change.set), change.unset));
}

#[test]
fn a_table_of_others_keeps_the_features_that_nobody_speaks_of() {
    let policy = resolved(&TablePolicy::default());
    let mut properties = render_properties(&policy);
    properties.insert("delta.appendOnly".to_owned(), "true".to_owned());
    properties.insert("delta.enableChangeDataFeed".to_owned(), "true".to_owned());
    let ours = TableState {
        protocol: Protocol::versions(1, 4),
        properties,
    };
    let both = expect![[r#"
        delta.appendOnly=false
        delta.enableChangeDataFeed=false
        unset []"#]];
    check_change(&ours, &TablePolicy::default(), &both);
    let mut theirs = ours;
    theirs.properties.remove("ossature.dataset");
    let none = expect![[r#"

        unset []"#]];
    check_change(&theirs, &TablePolicy::default(), &none);
    check_change(
        &theirs,
        &TablePolicy::default().change_feed(false),
        &expect![[r#"
            delta.enableChangeDataFeed=false
            unset []"#]],
    );
    check_change(&theirs, &TablePolicy::default().features([]), &both);
}

#[test]
fn a_table_created_under_a_policy_needs_no_change() {
    let policy = resolved(&TablePolicy::default().change_feed(true));
    let state = TableState {
        protocol: Protocol::versions(1, 4),
        properties: render_properties(&policy),
    };
    assert!(plan_properties(&state, &policy).is_empty());
}

#[test]
fn an_existing_table_catches_up() {
    let policy = TablePolicy::default().change_feed(true);
    let mut state = TableState {
        protocol: Protocol::versions(1, 4),
        properties: render_properties(&resolved(&policy)),
    };
    state.properties.insert("owner".to_owned(), "me".to_owned());
    // A leftover list of columns would win over the count of none, and the feed would go on.
    check_change(
        &state,
        &TablePolicy::default().statistics(StatsPolicy::Off),
        &expect![[r#"
            delta.dataSkippingNumIndexedCols=0
            delta.enableChangeDataFeed=false
            unset ["delta.dataSkippingStatsColumns"]"#]],
    );
    check_change(
        &state,
        &policy.checkpoint_commits_interval(20.try_into().unwrap()),
        &expect![[r#"
            delta.checkpointInterval=20
            unset []"#]],
    );
}
