//! Who wins, what is refused, and what the fingerprint sees.

use expect_test::{Expect, expect};
use ossature_schema_spec::{Codec, ColumnSpec, FieldSpec};
use proptest::prelude::*;

use super::*;
use crate::sample::{builder, column, columns, dataset, used};
use crate::{ColumnOverrides, Override, ParquetOverrides, Source, StatsPolicy};

fn rows(count: u64) -> NonZeroU64 {
    NonZeroU64::new(count).unwrap()
}

fn none() -> PolicyOverrides {
    PolicyOverrides::none()
}

fn with_rows(rows_per_file_max: Override<NonZeroU64>) -> PolicyOverrides {
    PolicyOverrides {
        rows_per_file_max,
        ..none()
    }
}

#[track_caller]
fn check_rows(request: &Override<NonZeroU64>, location: &Override<NonZeroU64>, want: &Expect) {
    let decide = |policy| {
        let (request, location) = (with_rows(*request), with_rows(*location));
        let resolved = resolve(&request, &location, &dataset(), &policy, &[]).unwrap();
        let Decided { value, source } = resolved.rows_per_file_max;
        format!("{value} ({source})")
    };
    let undeclared = decide(TablePolicy::default());
    let declared = decide(TablePolicy::default().rows_per_file_max(rows(3)));
    want.assert_eq(&format!("undeclared {undeclared}, declared {declared}"));
}

#[test]
fn the_strongest_place_that_speaks_wins() {
    use Override::{Clear, Inherit, Set};
    check_rows(
        &Inherit,
        &Inherit,
        &expect!["undeclared 1048576 (default), declared 3 (dataset)"],
    );
    check_rows(
        &Inherit,
        &Set(rows(2)),
        &expect!["undeclared 2 (location), declared 2 (location)"],
    );
    check_rows(
        &Set(rows(1)),
        &Set(rows(2)),
        &expect!["undeclared 1 (request), declared 1 (request)"],
    );
    check_rows(
        &Clear,
        &Set(rows(2)),
        &expect!["undeclared 1048576 (request), declared 1048576 (request)"],
    );
    check_rows(
        &Inherit,
        &Clear,
        &expect!["undeclared 1048576 (location), declared 1048576 (location)"],
    );
}

#[test]
fn an_empty_set_is_a_value_and_clears() {
    let policy = TablePolicy::default().features([DeltaFeature::AppendOnly]);
    for features in [Override::Set(BTreeSet::new()), Override::Clear] {
        let request = PolicyOverrides { features, ..none() };
        let features = resolve(&request, &none(), &dataset(), &policy, &[])
            .unwrap()
            .features;
        assert!(features.value.is_empty());
        assert_eq!(features.source, Source::Request);
    }
}

#[test]
fn an_empty_list_of_columns_clears_a_clustering() {
    let unordered = builder().order_by([]).build().unwrap();
    let policy = TablePolicy::default().cluster_by(columns("level name"));
    let cluster_by = |cluster_by| {
        let request = PolicyOverrides {
            cluster_by,
            ..none()
        };
        let resolved = resolve(&request, &none(), &unordered, &policy, &[]).unwrap();
        (resolved.cluster_by.value.len(), resolved.cluster_by.source)
    };
    assert_eq!(cluster_by(Override::Inherit), (2, Source::Dataset));
    assert_eq!(cluster_by(Override::Clear), (0, Source::Request));
    assert_eq!(cluster_by(Override::Set(Vec::new())), (0, Source::Request));
}

/// Those of a weaker place are not mixed in, whatever their keys.
#[test]
fn properties_are_those_of_the_strongest_place_that_speaks() {
    let properties = |value: &str| {
        let key = "delta.isolationLevel".to_owned();
        BTreeMap::from([(key, value.to_owned())])
    };
    let at = |properties| PolicyOverrides {
        properties: Override::Set(properties),
        ..none()
    };
    let declared =
        TablePolicy::default().properties([("delta.checkpoint.writeStatsAsStruct", "true")]);
    let found = |request: &PolicyOverrides, location: &PolicyOverrides| {
        let resolved = resolve(request, location, &dataset(), &declared, &[]).unwrap();
        resolved.properties
    };
    let (strong, weak) = (
        at(properties("Serializable")),
        at(properties("WriteSerializable")),
    );
    assert_eq!(found(&strong, &weak).value, properties("Serializable"));
    assert_eq!(found(&none(), &weak).value, properties("WriteSerializable"));
    assert_eq!(found(&none(), &none()).source, Source::Dataset);
    assert_eq!(found(&at(BTreeMap::new()), &weak).value.len(), 0);
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let policy = resolve(&none(), &none(), &dataset(), &TablePolicy::default(), &[]).unwrap();
    expect![[r#"
        (
            Decided {
                value: 1048576,
                source: Default,
            },
            Decided {
                value: Strict,
                source: Default,
            },
            Decided {
                value: {},
                source: Default,
            },
            Decided {
                value: false,
                source: Default,
            },
            Decided {
                value: 10,
                source: Default,
            },
            Decided {
                value: Retention(
                    36500,
                ),
                source: Default,
            },
            Decided {
                value: Retention(
                    36500,
                ),
                source: Default,
            },
            Decided {
                value: {},
                source: Default,
            },
        )
    "#]]
    .assert_debug_eq(&(
        policy.rows_per_file_max,
        policy.schema_mode,
        policy.features,
        policy.change_feed,
        policy.checkpoint_commits_interval,
        policy.log_retention,
        policy.deleted_file_retention,
        policy.properties,
    ));
}

#[track_caller]
fn check_errors(policy: &TablePolicy, want: &Expect) {
    let errors = resolve(&none(), &none(), &dataset(), policy, &[]).unwrap_err();
    let lines: Vec<String> = errors
        .iter()
        .map(|error| {
            let hint = error
                .hint()
                .map_or(String::new(), |hint| format!(" ({hint})"));
            format!("{}: {error}{hint}", error.code())
        })
        .collect();
    want.assert_eq(&lines.join("\n"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    check_errors(
        &TablePolicy::default()
            .rows_per_file_max(rows(ROWS_PER_FILE_MAX + 1))
            .statistics(StatsPolicy::Explicit(columns("gone lost")))
            .cluster_by(columns("kind"))
            .constraints([("1st", "")])
            .compaction(Compaction::Auto { small_files_max: 0 })
            .column_mapping(ColumnMapping::Name)
            .change_feed(true)
            .features([
                DeltaFeature::ChangeDataFeed,
                DeltaFeature::CheckConstraints,
                DeltaFeature::ColumnMapping,
                DeltaFeature::RowTracking,
                DeltaFeature::TimestampNtz,
            ])
            .properties([("delta.enableRowTracking", "true"), ("delta.nothing", "")]),
        &expect![[r#"
            cluster_with_order: `cpg.sample` has a declared order and is to be clustered: rows have one layout, not two (leave the clustering out, or declare no order)
            cluster_column: `cpg.sample` cannot be clustered by column `kind`: it is a partition column, which rows are split by already
            cluster_count: `cpg.sample` is to be clustered by 1 columns, wanted 2 to 8 (declare an order by that column instead)
            unknown_statistics_column: `cpg.sample` asks for statistics on column `gone`, but declares no such column
            unknown_statistics_column: `cpg.sample` asks for statistics on column `lost`, but declares no such column
            rows_out_of_range: rows_per_file_max is 2147483649, wanted 1 to 2147483648
            compaction_out_of_range: compaction above 0 small files is out of range, wanted 1 to 100000
            feature_follows: table feature `changeDataFeed` is not asked for by name: it follows from `change_feed` (leave it out of `features`)
            feature_follows: table feature `checkConstraints` is not asked for by name: it follows from `persist_constraints` (leave it out of `features`)
            feature_follows: table feature `columnMapping` is not asked for by name: it follows from `column_mapping` (leave it out of `features`)
            feature_follows: table feature `timestampNtz` is not asked for by name: it follows from the dataset's columns (leave it out of `features`)
            feature_conflict: table feature `changeDataFeed` is refused: no table has it together with `columnMapping` (choose between `changeDataFeed` and `columnMapping`)
            feature_conflict: table feature `columnMapping` is refused: no table has it together with `changeDataFeed` (choose between `columnMapping` and `changeDataFeed`)
            feature_refused: table feature `rowTracking` is refused: the runtime reads such tables but never writes them again
            property_has_field: table property `delta.enableRowTracking` is not set by name: `features` decides it (set `features` instead)
            property_unknown: table property `delta.nothing` is unknown (check the spelling, or leave it out)
            constraint_invalid: constraint `1st` is refused: its name holds something else than letters, digits and `_`, or begins with a digit
            constraint_invalid: constraint `1st` is refused: its expression is empty"#]],
    );
}

#[test]
fn the_type_of_a_column_asks_for_its_feature() {
    let nested = ColumnType::List(Box::new(
        FieldSpec::nullable("element", ColumnType::TimestampNtz).unwrap(),
    ));
    for column_type in [ColumnType::TimestampNtz, nested] {
        let dataset = builder()
            .column(ColumnSpec::nullable("local_time", column_type).unwrap())
            .build()
            .unwrap();
        let policy = resolve(&none(), &none(), &dataset, &TablePolicy::default(), &[]).unwrap();
        assert_eq!(policy.features.value, BTreeSet::new());
        assert_eq!(
            policy.wanted_features(),
            [DeltaFeature::TimestampNtz].into()
        );
    }
}

#[test]
fn the_fingerprint_sees_what_is_decided_and_not_who_decided() {
    let fingerprint = |request: &PolicyOverrides, policy: &TablePolicy| {
        resolve(request, &none(), &dataset(), policy, &[])
            .unwrap()
            .fingerprint()
    };
    let base = TablePolicy::default();
    let plain = fingerprint(&none(), &base);
    let said = with_rows(Override::Set(DEFAULTS.rows_per_file_max));
    assert_eq!(plain, fingerprint(&said, &base));

    let one = NonZeroU32::MIN;
    let day = Retention::try_days(1).unwrap();
    let constrained = base.clone().constraints([("positive", "node_id > 0")]);
    let changed = [
        base.clone().column_mapping(ColumnMapping::Name),
        base.clone().column_mapping(ColumnMapping::Id),
        base.clone().allow_protocol_upgrade(true),
        base.clone().compaction(Compaction::Off),
        base.clone()
            .compaction(Compaction::Auto { small_files_max: 9 }),
        base.clone().vacuum(Vacuum::After(day)),
        constrained.clone().persist_constraints(true),
        constrained,
        base.clone().rows_per_file_max(rows(1)),
        base.clone().statistics(StatsPolicy::Off),
        base.clone().schema_mode(SchemaMode::Additive),
        base.clone().features([DeltaFeature::AppendOnly]),
        base.clone().change_feed(true),
        base.clone().checkpoint_commits_interval(one),
        base.clone().log_retention(day),
        base.clone().deleted_file_retention(day),
        base.clone()
            .properties([("delta.isolationLevel", "Serializable")]),
    ]
    .map(|policy| fingerprint(&none(), &policy));
    let distinct: BTreeSet<Fingerprint> = changed.into_iter().chain([plain]).collect();
    assert_eq!(distinct.len(), 18);
    let snappy = PolicyOverrides {
        parquet: Override::Set(ParquetOverrides {
            codec: Override::Set(Codec::Snappy),
            ..ParquetOverrides::default()
        }),
        ..none()
    };
    assert_ne!(plain, fingerprint(&snappy, &base));
}

#[test]
fn the_fingerprint_sees_the_clustering() {
    let unordered = builder().order_by([]).build().unwrap();
    let fingerprint = |policy: &TablePolicy| {
        resolve(&none(), &none(), &unordered, policy, &[])
            .unwrap()
            .fingerprint()
    };
    let base = TablePolicy::default().statistics(StatsPolicy::Off);
    let clustered = |names| fingerprint(&base.clone().cluster_by(columns(names)));
    let distinct = [
        fingerprint(&base),
        clustered("name level"),
        clustered("level name"),
    ];
    assert_eq!(BTreeSet::from(distinct).len(), 3);
}

#[test]
fn warnings_are_of_what_is_admissible() {
    let unordered = builder().order_by([]).build().unwrap();
    let policy = TablePolicy::default()
        .rows_per_file_max(rows(999))
        .statistics(StatsPolicy::Auto { columns_max: 1 })
        .cluster_by(columns("level name"))
        .vacuum(Vacuum::After(Retention::try_days(6).unwrap()));
    let resolved = resolve(&none(), &none(), &unordered, &policy, &[]).unwrap();
    let lines = resolved.warnings.iter();
    let lines: Vec<String> = lines
        .map(|warning| format!("{}: {warning}", warning.code()))
        .collect();
    expect![[r#"
        text_clustered: rows are clustered by the text `name`: the runtime's own z-order would compare its first 16 bytes; the clustering here uses ranks
        statistics_over_cap: at most 1 columns get statistics, so these get none: name, node_id, position
        small_files: a file holds at most 999 rows, so opening files takes most of the time
        short_vacuum: files are deleted 6 days after their last version, while long queries and published runs may still read them; 7 days are usual"#]].assert_eq(&lines.join("\n"));

    let quiet = TablePolicy::default()
        .rows_per_file_max(rows(1000))
        .cluster_by(columns("level position"))
        .vacuum(Vacuum::After(Retention::try_days(7).unwrap()));
    let resolved = resolve(&none(), &none(), &unordered, &quiet, &[]).unwrap();
    assert_eq!(resolved.warnings, []);
}

#[test]
fn fields_ask_for_the_features_that_they_need() {
    let wanted = |policy: &TablePolicy| {
        let policy = resolve(&none(), &none(), &dataset(), policy, &[]).unwrap();
        policy.wanted_features()
    };
    let constrained = TablePolicy::default().constraints([("positive", "node_id > 0")]);
    assert_eq!(wanted(&constrained), [].into());
    assert_eq!(
        wanted(&constrained.persist_constraints(true)),
        [DeltaFeature::CheckConstraints].into()
    );
    let nothing_to_persist = TablePolicy::default().persist_constraints(true);
    assert_eq!(wanted(&nothing_to_persist), [].into());
    let mapped = TablePolicy::default().column_mapping(ColumnMapping::Id);
    assert_eq!(wanted(&mapped), [DeltaFeature::ColumnMapping].into());
}

fn place<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Override<T>> {
    prop_oneof![
        Just(Override::Inherit),
        Just(Override::Clear),
        value.prop_map(Override::Set),
    ]
}

fn statistics() -> impl Strategy<Value = StatsPolicy> {
    prop_oneof![
        Just(StatsPolicy::Off),
        (0..5_u32).prop_map(|columns_max| StatsPolicy::Auto { columns_max }),
        proptest::sample::subsequence(columns("node_id position level name"), 1..4)
            .prop_map(StatsPolicy::Explicit),
        proptest::sample::subsequence(columns("kind node_id name weight seen"), 0..5)
            .prop_map(StatsPolicy::ExplicitLenient),
    ]
}

prop_compose! {
    fn overrides()(
        rows_per_file_max in place((1..9_u64).prop_map(rows)),
        statistics in place(statistics()),
        schema_mode in place(proptest::sample::select(SchemaMode::ALL.to_vec())),
        features in place(proptest::sample::subsequence(
            vec![DeltaFeature::AppendOnly, DeltaFeature::DeletionVectors, DeltaFeature::V2Checkpoint],
            0..=3,
        ).prop_map(|features| features.into_iter().collect())),
        change_feed in place(any::<bool>()),
        log_retention in place((1..100_u32).prop_map(|days| Retention::try_days(days).unwrap())),
    ) -> PolicyOverrides {
        PolicyOverrides {
            rows_per_file_max,
            statistics,
            schema_mode,
            features,
            change_feed,
            log_retention,
            ..PolicyOverrides::none()
        }
    }
}

/// Some names, and the same in another order.
fn order_of(names: &str) -> impl Strategy<Value = (Vec<ColumnName>, Vec<ColumnName>)> {
    let names = columns(names);
    let count = names.len();
    proptest::sample::subsequence(names, 1..=count)
        .prop_flat_map(|some| (Just(some.clone()), Just(some).prop_shuffle()))
}

fn order_of_features() -> impl Strategy<Value = (Vec<DeltaFeature>, Vec<DeltaFeature>)> {
    let features = vec![DeltaFeature::V2Checkpoint, DeltaFeature::AppendOnly];
    (Just(features.clone()), Just(features).prop_shuffle())
}

/// The request that says out loud what was decided.
fn spell_out(policy: &ResolvedPolicy) -> PolicyOverrides {
    PolicyOverrides {
        rows_per_file_max: Override::Set(policy.rows_per_file_max.value),
        statistics: Override::Set(policy.statistics.value.policy.clone()),
        schema_mode: Override::Set(policy.schema_mode.value),
        features: Override::Set(policy.features.value.clone()),
        change_feed: Override::Set(policy.change_feed.value),
        checkpoint_commits_interval: Override::Set(policy.checkpoint_commits_interval.value),
        log_retention: Override::Set(policy.log_retention.value),
        deleted_file_retention: Override::Set(policy.deleted_file_retention.value),
        properties: Override::Set(policy.properties.value.clone()),
        parquet: Override::Set(spell_layout_out(&policy.layout.value)),
        cluster_by: Override::Set(policy.cluster_by.value.clone()),
        constraints: Override::Set(policy.constraints.value.clone()),
        persist_constraints: Override::Set(policy.persist_constraints.value),
        column_mapping: Override::Set(policy.column_mapping.value),
        allow_protocol_upgrade: Override::Set(policy.allow_protocol_upgrade.value),
        compaction: Override::Set(policy.compaction.value),
        vacuum: Override::Set(policy.vacuum.value),
    }
}

/// The leaves below a column are decided together, so only columns that are one leaf are spelled out.
fn spell_layout_out(layout: &ParquetLayout) -> ParquetOverrides {
    let leaves = layout.leaves.iter().filter(|leaf| leaf.path.len() == 1);
    let columns = leaves.map(|leaf| {
        let overrides = ColumnOverrides {
            encoding: Override::Set(leaf.encoding),
            dictionary: Override::Clear,
            statistics: Override::Set(leaf.statistics),
            bloom_filter: leaf.bloom_filter.map_or(Override::Clear, Override::Set),
        };
        (column(&leaf.path[0]), overrides)
    });
    ParquetOverrides {
        codec: Override::Set(layout.codec),
        row_group_rows_max: Override::Set(layout.row_group_rows_max),
        page_rows_max: Override::Set(layout.page_rows_max),
        statistics: Override::Clear,
        columns: columns.collect(),
    }
}

proptest! {
    #[test]
    fn resolving_is_pure_and_idempotent(request in overrides(), location in overrides()) {
        let policy = TablePolicy::default();
        let lineage = used(&[column("name"), column("seen")]);
        let once = resolve(&request, &location, &dataset(), &policy, &lineage).unwrap();
        let again = resolve(&request, &location, &dataset(), &policy, &lineage).unwrap();
        prop_assert_eq!(&once, &again);

        let spoken = resolve(&spell_out(&once), &none(), &dataset(), &policy, &lineage).unwrap();
        prop_assert_eq!(spoken.fingerprint(), once.fingerprint());
        prop_assert_eq!(spoken.statistics.value, once.statistics.value);
    }

    #[test]
    fn a_request_that_speaks_makes_the_location_irrelevant(
        request in overrides(),
        location in overrides(),
        other in overrides(),
    ) {
        let policy = TablePolicy::default();
        let full = spell_out(&resolve(&request, &none(), &dataset(), &policy, &[]).unwrap());
        let one = resolve(&full, &location, &dataset(), &policy, &[]).unwrap();
        prop_assert_eq!(one, resolve(&full, &other, &dataset(), &policy, &[]).unwrap());
    }

    #[test]
    fn the_order_of_lineage_and_of_lists_changes_nothing(
        request in overrides(),
        (lineage, shuffled) in order_of("kind name weight seen level gone lost position"),
        (features, other_features) in order_of_features(),
        (explicit, other_explicit) in order_of("node_id position level name"),
    ) {
        let resolve_all = |lineage: &[ColumnName], features: &[DeltaFeature], explicit: &[ColumnName]| {
            let policy = TablePolicy::default()
                .features(features.iter().copied())
                .statistics(StatsPolicy::Explicit(explicit.to_vec()));
            resolve(&request, &none(), &dataset(), &policy, &used(lineage)).unwrap()
        };
        let one = resolve_all(&lineage, &features, &explicit);
        let other = resolve_all(&shuffled, &other_features, &other_explicit);
        prop_assert_eq!(one.fingerprint(), other.fingerprint());
        prop_assert_eq!(one.statistics.value.columns, other.statistics.value.columns);
        prop_assert_eq!(one.statistics.value.dropped, other.statistics.value.dropped);
        prop_assert_eq!(one.layout, other.layout);
        prop_assert_eq!(one.warnings, other.warnings);
    }
}
