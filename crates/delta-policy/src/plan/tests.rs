//! New and existing tables, what they get, and what is refused.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::Support;

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

#[track_caller]
fn check(current: Option<&TableState>, wanted: &[DeltaFeature], want: &Expect) {
    let verdict = match plan_features(current, &wanted.iter().copied().collect()) {
        Ok(plan) => format!(
            "creation: {}\nafter: {}",
            render(plan.at_creation.as_ref()),
            render(plan.after_creation.as_ref())
        ),
        Err(errors) => errors
            .iter()
            .map(|error| format!("{}: {error}", error.code()))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    want.assert_eq(&verdict);
}

#[test]
fn a_new_table_has_the_oldest_protocol_that_does() {
    check(
        None,
        &[],
        &expect![[r#"
        creation: reader 1, writer 2; gets [] {}
        after: nothing"#]],
    );
    check(
        None,
        &[DeltaFeature::AppendOnly],
        &expect![[r#"
        creation: reader 1, writer 2; gets ["appendOnly"] {"delta.appendOnly": "true"}
        after: nothing"#]],
    );
    check(
        None,
        &[DeltaFeature::ChangeDataFeed],
        &expect![[r#"
        creation: reader 1, writer 4; gets ["changeDataFeed"] {"delta.enableChangeDataFeed": "true"}
        after: nothing"#]],
    );
    check(
        None,
        &[DeltaFeature::ChangeDataFeed, DeltaFeature::TimestampNtz],
        &expect![[r#"
            creation: reader 3, writer 7, readers know [timestampNtz], writers know [appendOnly, changeDataFeed, invariants, timestampNtz]; gets ["changeDataFeed", "timestampNtz"] {"delta.enableChangeDataFeed": "true"}
            after: nothing"#]],
    );
    check(
        None,
        &[DeltaFeature::DeletionVectors],
        &expect![[r#"
        creation: reader 3, writer 7, readers know [deletionVectors], writers know [appendOnly, deletionVectors, invariants]; gets ["deletionVectors"] {"delta.enableDeletionVectors": "true"}
        after: nothing"#]],
    );
}

#[test]
fn v2_checkpoints_enter_after_the_creation() {
    check(
        None,
        &[DeltaFeature::V2Checkpoint],
        &expect![[r#"
        creation: reader 3, writer 7, readers know [], writers know [appendOnly, invariants]; gets [] {}
        after: reader 3, writer 7, readers know [v2Checkpoint], writers know [appendOnly, invariants, v2Checkpoint]; gets ["v2Checkpoint"] {"delta.checkpointPolicy": "v2"}"#]],
    );
    check(
        None,
        &[DeltaFeature::V2Checkpoint, DeltaFeature::ChangeDataFeed],
        &expect![[r#"
            creation: reader 3, writer 7, readers know [], writers know [appendOnly, changeDataFeed, invariants]; gets ["changeDataFeed"] {"delta.enableChangeDataFeed": "true"}
            after: reader 3, writer 7, readers know [v2Checkpoint], writers know [appendOnly, changeDataFeed, invariants, v2Checkpoint]; gets ["v2Checkpoint"] {"delta.checkpointPolicy": "v2"}"#]],
    );
}

#[test]
fn an_existing_table_gets_at_most_one_change() {
    let plain = table(Protocol::PLAIN, &[]);
    check(
        Some(&plain),
        &[],
        &expect![[r#"
        creation: nothing
        after: nothing"#]],
    );
    check(
        Some(&plain),
        &[DeltaFeature::ChangeDataFeed],
        &expect![[r#"
            creation: nothing
            after: reader 1, writer 4; gets ["changeDataFeed"] {"delta.enableChangeDataFeed": "true"}"#]],
    );

    let feed = table(
        Protocol::versions(1, 4),
        &[("delta.enableChangeDataFeed", "true")],
    );
    check(
        Some(&feed),
        &[DeltaFeature::ChangeDataFeed],
        &expect![[r#"
            creation: nothing
            after: nothing"#]],
    );
    // Without the feed in the list, the table would stop recording changes.
    check(
        Some(&feed),
        &[DeltaFeature::V2Checkpoint],
        &expect![[r#"
        creation: nothing
        after: reader 3, writer 7, readers know [v2Checkpoint], writers know [appendOnly, changeDataFeed, checkConstraints, generatedColumns, invariants, v2Checkpoint]; gets ["v2Checkpoint"] {"delta.checkpointPolicy": "v2"}"#]],
    );
}

#[test]
fn a_version_that_allows_a_feature_does_not_switch_it_on() {
    let generated = table(Protocol::versions(1, 4), &[]);
    check(
        Some(&generated),
        &[DeltaFeature::ChangeDataFeed],
        &expect![[r#"
            creation: nothing
            after: reader 1, writer 4; gets ["changeDataFeed"] {"delta.enableChangeDataFeed": "true"}"#]],
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
            "feature_conflict: table feature `changeDataFeed` is refused: no table has it together with `columnMapping`"
        ],
    );
    let unmapped = table(Protocol::versions(2, 5), &[]);
    check(
        Some(&unmapped),
        &[DeltaFeature::DeletionVectors],
        &expect![[r#"
            creation: nothing
            after: reader 3, writer 7, readers know [columnMapping, deletionVectors], writers know [appendOnly, changeDataFeed, checkConstraints, columnMapping, deletionVectors, generatedColumns, invariants]; gets ["deletionVectors"] {"delta.enableDeletionVectors": "true"}"#]],
    );
}

#[test]
fn a_locked_table_is_left_alone() {
    let locked = table(Protocol::versions(1, 6), &[]);
    check(
        Some(&locked),
        &[DeltaFeature::ChangeDataFeed],
        &expect![
            "table_not_writable: the table cannot be changed: the runtime does not write feature `identityColumns`"
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
        feature_refused: table feature `allowColumnDefaults` is refused: the runtime reads such tables but never writes them again
        feature_refused: table feature `catalogManaged` is refused: the runtime does not read such tables
        feature_refused: table feature `catalogOwned-preview` is refused: the runtime does not read such tables
        feature_refused: table feature `checkConstraints` is refused: the deterministic writer evaluates no constraint; declare columns as required and check the rest in a view
        feature_refused: table feature `checkpointProtection` is refused: the runtime has no operation that adds it
        feature_refused: table feature `clustering` is refused: the runtime reads such tables but never writes them again
        feature_refused: table feature `columnMapping` is refused: the change feed, compaction and added columns do not work on mapped tables, and column names need no mapping
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
        .filter(|row| !matches!(row.enablement, Enablement::Refused(_)))
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
            let plan = plan_features(Some(&state), wanted).unwrap();
            prop_assert_eq!(&plan.at_creation, &None);
            if let Some(change) = plan.after_creation {
                prop_assert!(!change.features.is_empty());
                state = apply(state, change);
            }
            prop_assert!(is_well_formed(&state.protocol), "{}", state.protocol);
            for row in FEATURES {
                prop_assert!(!before.has_active(row.feature) || state.has_active(row.feature));
                prop_assert!(!before.protocol.allows(row.feature) || state.protocol.allows(row.feature));
            }
            for feature in wanted {
                prop_assert!(state.has_active(*feature), "{}", feature);
            }
            prop_assert_eq!(plan_features(Some(&state), wanted).unwrap(), FeaturePlan::default());
        }
    }

    #[test]
    fn a_created_table_is_writable_and_has_what_was_wanted(wanted in enabled()) {
        let plan = plan_features(None, &wanted).unwrap();
        let creation = plan.at_creation.unwrap();
        prop_assert!(is_well_formed(&creation.protocol), "{}", creation.protocol);
        prop_assert!(!creation.features.contains(&DeltaFeature::V2Checkpoint));
        prop_assert!(!creation.protocol.writer_features.contains("v2Checkpoint"));
        let mut state = apply(table(Protocol::PLAIN, &[]), creation);
        if let Some(change) = plan.after_creation {
            state = apply(state, change);
        }
        prop_assert!(wanted.iter().all(|feature| state.has_active(*feature)));
        let listed = state.protocol.writer_features.iter().filter_map(|name| DeltaFeature::from_name(name));
        prop_assert!(listed.into_iter().all(|feature| feature.spec().support == Support::Writable));
        prop_assert!(
            gate(&FeatureGate::default(), &state.protocol, &ProtocolSupport::runtime()).is_compatible()
        );
        prop_assert_eq!(plan_features(Some(&state), &wanted).unwrap(), FeaturePlan::default());
    }
}
