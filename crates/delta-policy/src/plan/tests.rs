//! New and existing tables, what they get, and what is refused.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::sample::{builder, dataset};
use crate::{
    Override, PolicyOverrides, StatsPolicy, Support, TablePolicy, render_properties, resolve,
};

fn table(protocol: Protocol, properties: &[(&str, &str)]) -> TableState {
    TableState {
        protocol,
        properties: properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn render(change: Option<&FeatureChange>) -> String {
    change.map_or("nothing".to_owned(), |change| {
        let features: Vec<&str> = change.features.iter().map(|it| it.name()).collect();
        format!(
            "{}; gets {features:?} {:?}",
            change.protocol, change.properties
        )
    })
}

/// As if an upgrade was allowed and columns were mapped by name where that is wanted.
fn wanting(wanted: &BTreeSet<DeltaFeature>) -> FeatureRequest {
    FeatureRequest {
        wanted: wanted.clone(),
        needed_by_columns: BTreeSet::new(),
        column_mapping: ColumnMapping::Name,
        allow_protocol_upgrade: true,
    }
}

fn render_errors(errors: &Errors) -> String {
    let lines = errors.iter().map(|error| {
        let hint = error
            .hint()
            .map_or(String::new(), |hint| format!(" ({hint})"));
        format!("{}: {error}{hint}", error.code())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check_request(current: Option<&TableState>, request: &FeatureRequest, want: &Expect) {
    let verdict = match plan_features(current, request) {
        Ok(plan) => render(plan.change.as_ref()),
        Err(errors) => render_errors(&errors),
    };
    want.assert_eq(&verdict);
}

#[track_caller]
fn check(current: Option<&TableState>, wanted: &[DeltaFeature], want: &Expect) {
    check_request(current, &wanting(&wanted.iter().copied().collect()), want);
}

#[test]
fn a_new_table_has_the_oldest_protocol_that_does() {
    check(None, &[], &expect!["reader 1, writer 2; gets [] {}"]);
    check(
        None,
        &[DeltaFeature::AppendOnly],
        &expect![[r#"reader 1, writer 2; gets ["appendOnly"] {"delta.appendOnly": "true"}"#]],
    );
    check(
        None,
        &[DeltaFeature::ChangeDataFeed],
        &expect![[
            r#"reader 1, writer 4; gets ["changeDataFeed"] {"delta.enableChangeDataFeed": "true"}"#
        ]],
    );
    check(
        None,
        &[DeltaFeature::ChangeDataFeed, DeltaFeature::TimestampNtz],
        &expect![[
            r#"reader 3, writer 7, readers know [timestampNtz], writers know [appendOnly, changeDataFeed, invariants, timestampNtz]; gets ["changeDataFeed", "timestampNtz"] {"delta.enableChangeDataFeed": "true"}"#
        ]],
    );
    check(
        None,
        &[DeltaFeature::DeletionVectors],
        &expect![[
            r#"reader 3, writer 7, readers know [deletionVectors], writers know [appendOnly, deletionVectors, invariants]; gets ["deletionVectors"] {"delta.enableDeletionVectors": "true"}"#
        ]],
    );
}

#[test]
fn v2_checkpoints_enter_at_the_creation_with_their_property() {
    check(
        None,
        &[DeltaFeature::V2Checkpoint],
        &expect![[
            r#"reader 3, writer 7, readers know [v2Checkpoint], writers know [appendOnly, invariants, v2Checkpoint]; gets ["v2Checkpoint"] {"delta.checkpointPolicy": "v2"}"#
        ]],
    );
    check(
        None,
        &[DeltaFeature::V2Checkpoint, DeltaFeature::ChangeDataFeed],
        &expect![[
            r#"reader 3, writer 7, readers know [v2Checkpoint], writers know [appendOnly, changeDataFeed, invariants, v2Checkpoint]; gets ["changeDataFeed", "v2Checkpoint"] {"delta.checkpointPolicy": "v2", "delta.enableChangeDataFeed": "true"}"#
        ]],
    );
}

#[test]
fn an_existing_table_gets_at_most_one_change() {
    let plain = table(Protocol::PLAIN, &[]);
    check(Some(&plain), &[], &expect!["nothing"]);
    check(
        Some(&plain),
        &[DeltaFeature::ChangeDataFeed],
        &expect![[
            r#"reader 1, writer 4; gets ["changeDataFeed"] {"delta.enableChangeDataFeed": "true"}"#
        ]],
    );

    let feed = table(
        Protocol::versions(1, 4),
        &[("delta.enableChangeDataFeed", "true")],
    );
    check(
        Some(&feed),
        &[DeltaFeature::ChangeDataFeed],
        &expect!["nothing"],
    );
    // Without the feed in the list, the table would stop recording changes.
    check(
        Some(&feed),
        &[DeltaFeature::V2Checkpoint],
        &expect![[
            r#"reader 3, writer 7, readers know [v2Checkpoint], writers know [appendOnly, changeDataFeed, checkConstraints, generatedColumns, invariants, v2Checkpoint]; gets ["v2Checkpoint"] {"delta.checkpointPolicy": "v2"}"#
        ]],
    );
}

#[test]
fn a_version_that_allows_a_feature_does_not_switch_it_on() {
    let generated = table(Protocol::versions(1, 4), &[]);
    check(
        Some(&generated),
        &[DeltaFeature::ChangeDataFeed],
        &expect![[
            r#"reader 1, writer 4; gets ["changeDataFeed"] {"delta.enableChangeDataFeed": "true"}"#
        ]],
    );
}

#[test]
fn a_mapped_table_has_no_change_feed() {
    let mapped = table(
        Protocol::versions(2, 5),
        &[("delta.columnMapping.mode", "id")],
    );
    check(
        Some(&mapped),
        &[DeltaFeature::ChangeDataFeed],
        &expect![
            "feature_conflict: table feature `changeDataFeed` is refused: no table has it together with `columnMapping` (choose between `changeDataFeed` and `columnMapping`)"
        ],
    );
    let unmapped = table(Protocol::versions(2, 5), &[]);
    check(
        Some(&unmapped),
        &[DeltaFeature::DeletionVectors],
        &expect![[
            r#"reader 3, writer 7, readers know [columnMapping, deletionVectors], writers know [appendOnly, changeDataFeed, checkConstraints, columnMapping, deletionVectors, generatedColumns, invariants]; gets ["deletionVectors"] {"delta.enableDeletionVectors": "true"}"#
        ]],
    );
}

#[test]
fn a_locked_table_is_left_alone() {
    let locked = table(Protocol::versions(1, 6), &[]);
    check(
        Some(&locked),
        &[DeltaFeature::ChangeDataFeed],
        &expect![
            "table_not_writable: the table cannot be changed: the runtime does not write feature `identityColumns` (write to a new table and leave this one to its owner)"
        ],
    );
}

#[test]
fn features_that_no_policy_may_ask_for() {
    let refused: Vec<DeltaFeature> = FEATURES
        .iter()
        .filter(|row| matches!(row.enablement, Enablement::Refused(_)))
        .map(|row| row.feature)
        .collect();
    check(
        None,
        &refused,
        &expect![[r#"
            feature_refused: table feature `adaptiveMetadata-preview` is refused: the runtime does not read such tables
            feature_refused: table feature `allowColumnDefaults` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `catalogManaged` is refused: the runtime does not read such tables
            feature_refused: table feature `catalogOwned-preview` is refused: the runtime does not read such tables
            feature_refused: table feature `checkpointProtection` is refused: the runtime has no operation that adds it
            feature_refused: table feature `clustering` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `domainMetadata` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `generatedColumns` is refused: the deterministic writer computes no column; compute it in the view
            feature_refused: table feature `geospatial` is refused: the runtime does not read such tables
            feature_refused: table feature `icebergCompatV1` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `icebergCompatV2` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `icebergCompatV3` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `identityColumns` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `inCommitTimestamp` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `materializePartitionColumns` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `rowTracking` is refused: the runtime reads such tables but never writes them again
            feature_refused: table feature `typeWidening` is refused: the runtime does not read such tables
            feature_refused: table feature `typeWidening-preview` is refused: the runtime does not read such tables
            feature_refused: table feature `vacuumProtocolCheck` is refused: the runtime does not read such tables
            feature_refused: table feature `variantShredding` is refused: the runtime does not read such tables
            feature_refused: table feature `variantShredding-preview` is refused: the runtime does not read such tables
            feature_refused: table feature `variantType` is refused: no column type stores a variant
            feature_refused: table feature `variantType-preview` is refused: no column type stores a variant"#]],
    );
}

#[test]
fn constraints_are_found_by_name() {
    let state = table(
        Protocol::versions(1, 3),
        &[
            ("delta.constraints.positive", "id > 0"),
            ("delta.appendOnly", "true"),
        ],
    );
    assert_eq!(
        state.constraints().collect::<Vec<_>>(),
        [("positive", "id > 0")]
    );
}

fn enabled() -> impl Strategy<Value = BTreeSet<DeltaFeature>> {
    let features: Vec<DeltaFeature> = FEATURES
        .iter()
        .filter(|row| row.enablement == Enablement::AtCreation)
        .map(|row| row.feature)
        .collect();
    proptest::sample::subsequence(features.clone(), 0..=features.len())
        .prop_map(|chosen| chosen.into_iter().collect())
}

fn apply(mut table: TableState, change: FeatureChange) -> TableState {
    table.protocol = change.protocol;
    table.properties.extend(change.properties);
    table
}

/// Feature lists are there exactly where the versions call for them, and a feature of both sides is in both.
fn is_well_formed(protocol: &Protocol) -> bool {
    let lists_match = (protocol.min_writer_version == 7 || protocol.writer_features.is_empty())
        && (protocol.min_reader_version == 3 || protocol.reader_features.is_empty())
        && (protocol.min_reader_version < 3 || protocol.min_writer_version == 7);
    let both = protocol
        .writer_features
        .iter()
        .filter_map(|name| DeltaFeature::from_name(name))
        .filter(|feature| feature.spec().side == Side::ReaderAndWriter)
        .all(|feature| protocol.allows(feature));
    lists_match
        && both
        && protocol
            .reader_features
            .is_subset(&protocol.writer_features)
}

proptest! {
    #[test]
    fn what_is_planned_is_there_afterwards_and_nothing_is_lost(
        first in enabled(),
        second in enabled(),
        version in 0..6_usize,
    ) {
        let versions = [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 5)];
        let (reader, writer) = versions[version];
        let mut state = table(Protocol::versions(reader, writer), &[]);
        for wanted in [&first, &second] {
            let before = state.clone();
            let plan = plan_features(Some(&state), &wanting(wanted)).unwrap();
            let report = &plan.report;
            prop_assert_eq!(&report.requested, wanted);
            prop_assert_eq!(&(&report.already_enabled | &report.newly_enabled), wanted);
            prop_assert_eq!(report.protocol_before.as_ref(), Some(&before.protocol));
            prop_assert_eq!(plan.change.is_some(), !report.newly_enabled.is_empty());
            if let Some(change) = plan.change {
                prop_assert_eq!(&change.features, &report.newly_enabled);
                prop_assert_eq!(&change.properties, &report.properties_set);
                state = apply(state, change);
            }
            prop_assert_eq!(&state.protocol, &report.protocol_after);
            prop_assert!(is_well_formed(&state.protocol), "{}", state.protocol);
            for row in FEATURES {
                prop_assert!(!before.has_active(row.feature) || state.has_active(row.feature));
                prop_assert!(!before.protocol.allows(row.feature) || state.protocol.allows(row.feature));
            }
            for feature in wanted {
                prop_assert!(state.has_active(*feature), "{}", feature);
            }
            prop_assert_eq!(plan_features(Some(&state), &wanting(wanted)).unwrap().change, None);
        }
    }

    #[test]
    fn a_created_table_is_writable_and_has_what_was_wanted(
        wanted in enabled(),
        is_mapped in any::<bool>(),
    ) {
        let mut wanted = wanted;
        if is_mapped && !wanted.contains(&DeltaFeature::ChangeDataFeed) {
            wanted.insert(DeltaFeature::ColumnMapping);
        }
        let plan = plan_features(None, &wanting(&wanted)).unwrap();
        let creation = plan.change.unwrap();
        prop_assert!(is_well_formed(&creation.protocol), "{}", creation.protocol);
        let state = apply(table(Protocol::PLAIN, &[]), creation);
        prop_assert!(wanted.iter().all(|feature| state.has_active(*feature)));
        let listed = state.protocol.writer_features.iter().filter_map(|name| DeltaFeature::from_name(name));
        prop_assert!(listed.into_iter().all(|feature| feature.spec().support == Support::Writable));
        prop_assert!(
            gate(&FeatureGate::default(), &state.protocol, &ProtocolSupport::runtime()).is_compatible()
        );
        prop_assert_eq!(plan_features(Some(&state), &wanting(&wanted)).unwrap().change, None);
    }
}

fn resolved(policy: &TablePolicy) -> ResolvedPolicy {
    let none = PolicyOverrides::none();
    resolve(&none, &none, &dataset(), policy, &[]).unwrap()
}

/// The table that a policy creates.
fn created(policy: &ResolvedPolicy) -> TableState {
    let plan = plan_features(None, &policy.feature_request()).unwrap();
    TableState {
        protocol: plan.report.protocol_after,
        properties: render_properties(policy),
    }
}

#[test]
fn an_upgrade_to_listed_features_has_to_be_allowed() {
    let asking = |wanted: &[DeltaFeature]| FeatureRequest {
        wanted: wanted.iter().copied().collect(),
        ..FeatureRequest::default()
    };
    let both = asking(&[DeltaFeature::DeletionVectors, DeltaFeature::V2Checkpoint]);
    check_request(
        None,
        &both,
        &expect![[r#"
        protocol_upgrade: table feature `deletionVectors` needs a protocol of listed features (reader 3, writer 7), which is not allowed (set `allow_protocol_upgrade`; readers and writers that do not know lists of features no longer open the table then)
        protocol_upgrade: table feature `v2Checkpoint` needs a protocol of listed features (reader 3, writer 7), which is not allowed (set `allow_protocol_upgrade`; readers and writers that do not know lists of features no longer open the table then)"#]],
    );
    let plain = table(Protocol::PLAIN, &[]);
    check_request(
        Some(&plain),
        &both,
        &expect![[r#"
        protocol_upgrade: table feature `deletionVectors` needs a protocol of listed features (reader 3, writer 7), which is not allowed (set `allow_protocol_upgrade`; readers and writers that do not know lists of features no longer open the table then)
        protocol_upgrade: table feature `v2Checkpoint` needs a protocol of listed features (reader 3, writer 7), which is not allowed (set `allow_protocol_upgrade`; readers and writers that do not know lists of features no longer open the table then)"#]],
    );
    // Old versions imply these, so nobody is shut out who was not before.
    let old = asking(&[DeltaFeature::ChangeDataFeed, DeltaFeature::CheckConstraints]);
    check_request(
        None,
        &old,
        &expect![[
            r#"reader 1, writer 4; gets ["changeDataFeed", "checkConstraints"] {"delta.enableChangeDataFeed": "true"}"#
        ]],
    );
    check_request(
        Some(&plain),
        &old,
        &expect![[
            r#"reader 1, writer 4; gets ["changeDataFeed", "checkConstraints"] {"delta.enableChangeDataFeed": "true"}"#
        ]],
    );
}

#[test]
fn columns_are_born_with_their_feature_and_do_not_bring_it_later() {
    let columns = FeatureRequest {
        wanted: [DeltaFeature::TimestampNtz].into(),
        needed_by_columns: [DeltaFeature::TimestampNtz].into(),
        ..FeatureRequest::default()
    };
    check_request(
        None,
        &columns,
        &expect![[
            r#"reader 3, writer 7, readers know [timestampNtz], writers know [appendOnly, invariants, timestampNtz]; gets ["timestampNtz"] {}"#
        ]],
    );
    check_request(
        Some(&table(Protocol::PLAIN, &[])),
        &columns,
        &expect![
            "protocol_upgrade: table feature `timestampNtz` needs a protocol of listed features (reader 3, writer 7), which is not allowed (set `allow_protocol_upgrade`; readers and writers that do not know lists of features no longer open the table then)"
        ],
    );
}

#[test]
fn what_a_table_has_needs_no_leave() {
    let policy = resolved(
        &TablePolicy::default()
            .features([DeltaFeature::V2Checkpoint])
            .allow_protocol_upgrade(true),
    );
    let request = FeatureRequest {
        allow_protocol_upgrade: false,
        ..policy.feature_request()
    };
    check_request(Some(&created(&policy)), &request, &expect!["nothing"]);
}

#[test]
fn columns_are_mapped_only_by_the_commit_that_creates_the_table() {
    let mapped = |column_mapping| FeatureRequest {
        wanted: [DeltaFeature::ColumnMapping].into(),
        column_mapping,
        ..FeatureRequest::default()
    };
    check_request(
        None,
        &mapped(ColumnMapping::Id),
        &expect![[
            r#"reader 2, writer 5; gets ["columnMapping"] {"delta.columnMapping.mode": "id"}"#
        ]],
    );
    check_request(
        None,
        &mapped(ColumnMapping::Name),
        &expect![[
            r#"reader 2, writer 5; gets ["columnMapping"] {"delta.columnMapping.mode": "name"}"#
        ]],
    );
    let plain = table(Protocol::PLAIN, &[]);
    check_request(
        Some(&plain),
        &mapped(ColumnMapping::Id),
        &expect![
            "cannot_enable_on_existing: table feature `columnMapping` cannot be enabled on an existing table: its files and its schema know no other names than those that readers see (write to a new table, or leave it out)"
        ],
    );
    let by_name = table(
        Protocol::versions(2, 5),
        &[("delta.columnMapping.mode", "name")],
    );
    check_request(
        Some(&by_name),
        &mapped(ColumnMapping::Id),
        &expect![
            "cannot_enable_on_existing: table feature `columnMapping` cannot be enabled on an existing table: its columns are mapped by `name`, not by `id` (write to a new table, or leave it out)"
        ],
    );
    check_request(
        Some(&by_name),
        &mapped(ColumnMapping::Name),
        &expect!["nothing"],
    );
}

#[track_caller]
fn check_change(current: &TableState, policy: &TablePolicy, want: &Expect) {
    let verdict = match plan_change(current, &resolved(policy)) {
        Ok(change) if change.is_empty() => "nothing".to_owned(),
        Ok(change) => {
            let protocol = change.protocol.map(|it| format!("{it}\n"));
            let set = change.set.iter();
            let set = set.map(|(key, value)| format!("{key}={value}\n"));
            let unset = change.unset.iter().map(|key| format!("{key} goes\n"));
            protocol.into_iter().chain(set).chain(unset).collect()
        }
        Err(errors) => render_errors(&errors),
    };
    want.assert_eq(verdict.trim_end());
}

#[test]
fn a_created_table_has_nothing_left_to_change() {
    let none = TablePolicy::default();
    let full = TablePolicy::default()
        .features([
            DeltaFeature::AppendOnly,
            DeltaFeature::V2Checkpoint,
            DeltaFeature::DeletionVectors,
        ])
        .allow_protocol_upgrade(true)
        .change_feed(true)
        .constraints([("positive", "node_id > 0")])
        .persist_constraints(true);
    for policy in [none, full] {
        let resolved = resolved(&policy);
        assert!(
            plan_change(&created(&resolved), &resolved)
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn an_existing_table_catches_up_in_one_change() {
    let plain = created(&resolved(&TablePolicy::default()));
    check_change(
        &plain,
        &TablePolicy::default()
            .statistics(StatsPolicy::Off)
            .change_feed(true)
            .constraints([("positive", "node_id > 0")])
            .persist_constraints(true),
        &expect![[r#"
            reader 1, writer 4
            delta.constraints.positive=node_id > 0
            delta.dataSkippingNumIndexedCols=0
            delta.enableChangeDataFeed=true
            delta.dataSkippingStatsColumns goes"#]],
    );
    // Constraints that are only evaluated leave the table as it is.
    check_change(
        &plain,
        &TablePolicy::default().constraints([("positive", "node_id > 0")]),
        &expect!["nothing"],
    );
}

#[test]
fn the_report_of_a_change_tells_every_property_that_is_set() {
    let plain = created(&resolved(&TablePolicy::default()));
    let policy = TablePolicy::default()
        .statistics(StatsPolicy::Off)
        .change_feed(true);
    let change = plan_change(&plain, &resolved(&policy)).unwrap();
    assert_eq!(change.report.properties_set, change.set);
    assert_eq!(change.report.protocol_before, Some(Protocol::PLAIN));
    assert_eq!(Some(change.report.protocol_after), change.protocol);
}

#[test]
fn what_cannot_be_switched_off_is_refused() {
    let v2 = TablePolicy::default()
        .features([DeltaFeature::V2Checkpoint])
        .allow_protocol_upgrade(true);
    let with_v2 = created(&resolved(&v2));
    check_change(
        &with_v2,
        &TablePolicy::default(),
        &expect![
            "cannot_disable: table feature `v2Checkpoint` cannot be disabled safely once enabled: its checkpoints stay in the log, and readers that do not know them would still meet them (name `v2Checkpoint` in `features`, or write to a new table)"
        ],
    );
    let mapped = created(&resolved(
        &TablePolicy::default().column_mapping(ColumnMapping::Name),
    ));
    check_change(
        &mapped,
        &TablePolicy::default(),
        &expect![
            "cannot_disable: table feature `columnMapping` cannot be disabled safely once enabled: its files have columns under names that readers do not know (say `column_mapping` as the table has it, or write to a new table)"
        ],
    );
    // What is wrong with the policy and with the table is told together.
    check_change(
        &mapped,
        &v2.column_mapping(ColumnMapping::Id)
            .allow_protocol_upgrade(false),
        &expect![[r#"
            cannot_enable_on_existing: table feature `columnMapping` cannot be enabled on an existing table: its columns are mapped by `name`, not by `id` (write to a new table, or leave it out)
            protocol_upgrade: table feature `v2Checkpoint` needs a protocol of listed features (reader 3, writer 7), which is not allowed (set `allow_protocol_upgrade`; readers and writers that do not know lists of features no longer open the table then)"#]],
    );
    let feed = TablePolicy::default()
        .change_feed(true)
        .features([DeltaFeature::AppendOnly]);
    check_change(
        &created(&resolved(&feed)),
        &TablePolicy::default(),
        &expect![[r#"
            delta.appendOnly=false
            delta.enableChangeDataFeed=false"#]],
    );
}

#[test]
fn persisted_constraints_are_neither_changed_nor_dropped_in_passing() {
    let constrained = TablePolicy::default()
        .constraints([("positive", "node_id > 0"), ("small", "position < 9")])
        .persist_constraints(true);
    let state = created(&resolved(&constrained));
    check_change(
        &state,
        &TablePolicy::default()
            .constraints([("positive", "node_id >= 0")])
            .persist_constraints(true),
        &expect![
            "constraint_persisted: the table keeps constraint `positive` as `node_id > 0`, wanted `node_id >= 0` (constraints are dropped one by one: declare it as it is, or drop it in the table first)"
        ],
    );
    // Readers of the table may tell names apart by their case, or not.
    check_change(
        &state,
        &TablePolicy::default()
            .constraints([("Positive", "node_id > 0")])
            .persist_constraints(true),
        &expect![
            "constraint_invalid: constraint `Positive` is refused: the table keeps one that has that name, but for the case of letters"
        ],
    );
    check_change(
        &state,
        &constrained.clone().persist_constraints(false),
        &expect!["nothing"],
    );
    check_change(&state, &constrained, &expect!["nothing"]);
}

#[test]
fn a_mapping_excludes_the_change_feed() {
    let none = PolicyOverrides::none();
    let request = PolicyOverrides {
        change_feed: Override::Set(true),
        ..PolicyOverrides::none()
    };
    let policy = TablePolicy::default().column_mapping(ColumnMapping::Id);
    let dataset = builder().build().unwrap();
    let errors = resolve(&request, &none, &dataset, &policy, &[]).unwrap_err();
    expect![[r#"
        feature_conflict: table feature `changeDataFeed` is refused: no table has it together with `columnMapping` (choose between `changeDataFeed` and `columnMapping`)
        feature_conflict: table feature `columnMapping` is refused: no table has it together with `changeDataFeed` (choose between `columnMapping` and `changeDataFeed`)"#]].assert_eq(&render_errors(&errors));
}
