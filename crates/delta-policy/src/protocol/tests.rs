//! Tables that other engines made, and what this runtime says to them.

use expect_test::{Expect, expect};

use super::*;

fn listed(reader: &[&str], writer: &[&str]) -> Protocol {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
    Protocol {
        min_reader_version: 3,
        min_writer_version: 7,
        reader_features: names(reader),
        writer_features: names(writer),
    }
}

#[track_caller]
fn check(required: &FeatureGate, found: &Protocol, want: &Expect) {
    let report = gate(required, found, &ProtocolSupport::runtime());
    let verdict = format!(
        "{report}\nreadable {}, writable {}",
        report.is_readable(),
        report.is_writable()
    );
    want.assert_eq(&verdict);
}

#[test]
fn tables_of_old_versions_imply_features() {
    let any = FeatureGate::default();
    check(
        &any,
        &Protocol::PLAIN,
        &expect![[r#"
        compatible (reader 1, writer 2)
        readable true, writable true"#]],
    );
    check(
        &any,
        &Protocol::versions(2, 5),
        &expect![[r#"
        compatible (reader 2, writer 5)
        readable true, writable true"#]],
    );
    check(
        &any,
        &Protocol::versions(1, 6),
        &expect![[r#"
        not compatible (reader 1, writer 6)
        - the runtime does not write feature `identityColumns`
        readable true, writable false"#]],
    );
}

#[test]
fn features_that_lock_the_runtime_out_are_named() {
    let any = FeatureGate::default();
    check(
        &any,
        &listed(&[], &["rowTracking", "domainMetadata", "appendOnly"]),
        &expect![[r#"
            not compatible (reader 3, writer 7, readers know [], writers know [appendOnly, domainMetadata, rowTracking])
            - the runtime does not write feature `domainMetadata`
            - the runtime does not write feature `rowTracking`
            readable true, writable false"#]],
    );
    check(
        &any,
        &listed(&["typeWidening"], &["typeWidening"]),
        &expect![[r#"
            not compatible (reader 3, writer 7, readers know [typeWidening], writers know [typeWidening])
            - the runtime does not read feature `typeWidening`
            readable false, writable false"#]],
    );
    check(
        &any,
        &listed(&["madeUp"], &["madeUp", "checkpointProtection"]),
        &expect![[r#"
            not compatible (reader 3, writer 7, readers know [madeUp], writers know [checkpointProtection, madeUp])
            - the runtime does not read feature `madeUp`
            readable false, writable false"#]],
    );
    check(
        &any,
        &Protocol::versions(4, 8),
        &expect![[r#"
        not compatible (reader 4, writer 8, readers know [], writers know [])
        - the table has reader version 4, the runtime knows 3
        - the table has writer version 8, the runtime knows 7
        readable false, writable false"#]],
    );
}

#[test]
fn what_is_required_and_missing_is_named_too() {
    let gate = FeatureGate {
        min_reader_version: 2,
        min_writer_version: 4,
        features: [DeltaFeature::ChangeDataFeed, DeltaFeature::DeletionVectors].into(),
    };
    check(
        &gate,
        &Protocol::PLAIN,
        &expect![[r#"
        not compatible (reader 1, writer 2)
        - reader version 2 is required, the table has 1
        - writer version 4 is required, the table has 2
        - feature `changeDataFeed` is required, the table lacks it
        - feature `deletionVectors` is required, the table lacks it
        readable true, writable true"#]],
    );
    check(
        &gate,
        &listed(
            &["deletionVectors"],
            &["deletionVectors", "changeDataFeed", "identityColumns"],
        ),
        &expect![[r#"
            not compatible (reader 3, writer 7, readers know [deletionVectors], writers know [changeDataFeed, deletionVectors, identityColumns])
            - the runtime does not write feature `identityColumns`
            readable true, writable false"#]],
    );
}

#[test]
fn a_feature_of_readers_counts_only_when_both_sides_list_it() {
    let half = listed(&[], &["deletionVectors"]);
    assert!(!half.allows(DeltaFeature::DeletionVectors));
    assert!(
        listed(&["deletionVectors"], &["deletionVectors"]).allows(DeltaFeature::DeletionVectors)
    );
}

#[test]
fn the_runtime_supports_what_was_measured() {
    let ProtocolSupport {
        max_reader_version,
        max_writer_version,
        reader_features,
        writer_features,
    } = ProtocolSupport::runtime();
    let text = format!(
        "reader {max_reader_version}: {}\nwriter {max_writer_version}: {}",
        join(&reader_features),
        join(&writer_features)
    );
    expect![[r#"
        reader 3: columnMapping, deletionVectors, timestampNtz, v2Checkpoint, variantType, variantType-preview
        writer 7: appendOnly, changeDataFeed, checkConstraints, checkpointProtection, columnMapping, deletionVectors, generatedColumns, invariants, timestampNtz, v2Checkpoint, variantType, variantType-preview"#]].assert_eq(&text);
}

#[test]
fn what_is_required_fails_under_the_name_of_its_gate() {
    let required = FeatureGate {
        min_reader_version: 2,
        min_writer_version: 4,
        features: [DeltaFeature::ChangeDataFeed, DeltaFeature::DeletionVectors].into(),
    };
    let report = gate(&required, &Protocol::PLAIN, &ProtocolSupport::runtime());
    let gates = report.problems.iter().map(ProtocolProblem::gate);
    let gates: Vec<&str> = gates.map(Option::unwrap_or_default).collect();
    assert_eq!(
        gates,
        [
            "Delta reader protocol gate failed.",
            "Delta writer protocol gate failed.",
            "Delta writer feature gate failed.",
            "Delta reader feature gate failed.",
        ]
    );
    let report = gate(
        &FeatureGate::default(),
        &Protocol::versions(1, 6),
        &ProtocolSupport::runtime(),
    );
    assert_eq!(report.problems[0].gate(), None);
}
