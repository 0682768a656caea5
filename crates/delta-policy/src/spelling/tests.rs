//! One spelling in every format, there and back; and what is said of something else.

use std::fmt::Debug;
use std::num::{NonZeroU32, NonZeroU64};

use expect_test::{Expect, expect};
use ossature_schema_spec::{BloomFilter, Codec, ColumnName, Encoding, PageStatistics};
use proptest::prelude::*;

use super::*;
use crate::sample::{column, dataset, used};
use crate::{
    ColumnOverrides, FEATURES, LayoutReason, Override, ParquetOverrides, PolicyFile,
    ResolvedPolicy, resolve,
};

#[track_caller]
fn check(text: &str, want: &Expect) {
    match toml::from_str::<PolicyOverrides>(text) {
        Ok(overrides) => want.assert_debug_eq(&overrides),
        Err(error) => want.assert_eq(error.message()),
    }
}

/// Says something about every field.
fn full() -> PolicyOverrides {
    let column_overrides = ColumnOverrides {
        encoding: Override::Set(Encoding::Plain),
        dictionary: Override::Clear,
        statistics: Override::Set(PageStatistics::RowGroup),
        bloom_filter: Override::Set(BloomFilter {
            distinct_values_max: 100_000,
            false_positives_per_million: 10_000,
        }),
    };
    PolicyOverrides {
        rows_per_file_max: Override::Set(NonZeroU64::MIN),
        statistics: Override::Set(StatsPolicy::ExplicitLenient(vec![column("node_id")])),
        schema_mode: Override::Set(SchemaMode::Replace),
        features: Override::Set([DeltaFeature::V2Checkpoint, DeltaFeature::AppendOnly].into()),
        change_feed: Override::Set(true),
        checkpoint_commits_interval: Override::Set(NonZeroU32::MIN),
        log_retention: Override::Set(Retention::try_days(30).unwrap()),
        deleted_file_retention: Override::Set(Retention::try_days(7).unwrap()),
        properties: Override::Set(
            [("delta.isolationLevel".to_owned(), "Serializable".to_owned())].into(),
        ),
        parquet: Override::Set(ParquetOverrides {
            codec: Override::Set(Codec::Zstd(3)),
            row_group_rows_max: Override::Set(1000),
            page_rows_max: Override::Clear,
            statistics: Override::Set(PageStatistics::None),
            columns: [(column("node_id"), column_overrides)].into(),
        }),
        cluster_by: Override::Set(vec![column("b"), column("a")]),
        constraints: Override::Set([("positive".to_owned(), "node_id > 0".to_owned())].into()),
        persist_constraints: Override::Set(true),
        column_mapping: Override::Set(ColumnMapping::Id),
        allow_protocol_upgrade: Override::Set(false),
        compaction: Override::Set(Compaction::Auto { small_files_max: 4 }),
        vacuum: Override::Set(Vacuum::After(Retention::try_days(30).unwrap())),
    }
}

#[test]
fn every_field_has_its_key() {
    expect![[r#"
        rows_per_file_max = 1
        schema_mode = "replace"
        features = ["appendOnly", "v2Checkpoint"]
        change_feed = true
        checkpoint_commits_interval = 1
        log_retention_days = 30
        deleted_file_retention_days = 7
        cluster_by = ["b", "a"]
        persist_constraints = true
        column_mapping = "id"
        allow_protocol_upgrade = false

        [statistics]
        explicit = ["node_id"]
        strict = false

        [properties]
        "delta.isolationLevel" = "Serializable"

        [constraints]
        positive = "node_id > 0"

        [compaction]
        small_files_max = 4

        [vacuum]
        after_days = 30

        [parquet]
        codec = "zstd(3)"
        row_group_rows_max = 1000
        statistics = "none"
        default = ["page_rows_max"]

        [parquet.columns.node_id]
        encoding = "PLAIN"
        statistics = "row_group"
        default = ["dictionary"]

        [parquet.columns.node_id.bloom_filter]
        distinct_values_max = 100000
        false_positives_per_million = 10000
    "#]]
    .assert_eq(&toml::to_string(&full()).unwrap());
    assert_eq!(
        toml::from_str::<PolicyOverrides>(&toml::to_string(&full()).unwrap()).unwrap(),
        full()
    );
}

#[test]
fn every_field_can_go_back_to_its_default() {
    let cleared = PolicyOverrides {
        rows_per_file_max: Override::Clear,
        statistics: Override::Clear,
        schema_mode: Override::Clear,
        features: Override::Clear,
        change_feed: Override::Clear,
        checkpoint_commits_interval: Override::Clear,
        log_retention: Override::Clear,
        deleted_file_retention: Override::Clear,
        properties: Override::Clear,
        parquet: Override::Clear,
        cluster_by: Override::Clear,
        constraints: Override::Clear,
        persist_constraints: Override::Clear,
        column_mapping: Override::Clear,
        allow_protocol_upgrade: Override::Clear,
        compaction: Override::Clear,
        vacuum: Override::Clear,
    };
    let text = toml::to_string(&cleared).unwrap();
    expect![[r#"
        default = ["rows_per_file_max", "statistics", "schema_mode", "features", "change_feed", "checkpoint_commits_interval", "log_retention_days", "deleted_file_retention_days", "properties", "cluster_by", "constraints", "persist_constraints", "column_mapping", "allow_protocol_upgrade", "compaction", "vacuum", "parquet"]
    "#]].assert_eq(&text);
    assert_eq!(toml::from_str::<PolicyOverrides>(&text).unwrap(), cleared);
}

/// Otherwise nobody finds the place in the file.
#[test]
fn errors_are_about_keys_that_are_read() {
    let keys: serde_json::Value = serde_json::to_value(full()).unwrap();
    let refused = PolicyOverrides {
        rows_per_file_max: Override::Set(NonZeroU64::MAX),
        statistics: Override::Set(StatsPolicy::Explicit(vec![
            column("gone"),
            column("weight"),
        ])),
        features: Override::Set([DeltaFeature::RowTracking, DeltaFeature::ChangeDataFeed].into()),
        change_feed: Override::Set(true),
        compaction: Override::Set(Compaction::Auto { small_files_max: 0 }),
        constraints: Override::Set([(String::new(), String::new())].into()),
        properties: Override::Set([("delta.minReaderVersion".to_owned(), String::new())].into()),
        ..full()
    };
    let none = PolicyOverrides::none();
    let errors = resolve(&refused, &none, &dataset(), &TablePolicy::default(), &[]).unwrap_err();
    let codes: std::collections::BTreeSet<&str> = errors.iter().map(crate::Error::code).collect();
    assert_eq!(codes.len(), 11, "{codes:?}");
    for error in &errors {
        let path = error.path();
        assert!(
            path.first().is_some_and(|key| keys.get(key).is_some()),
            "{error}: {path:?}"
        );
    }
}

#[test]
fn nothing_said_is_nothing_written() {
    let silent: PolicyOverrides = toml::from_str("").unwrap();
    assert_eq!(silent, PolicyOverrides::none());
    assert_eq!(toml::to_string(&silent).unwrap(), "");
    assert_eq!(toml::to_string(&TablePolicy::default()).unwrap(), "");
    let empty: PolicyOverrides = toml::from_str("features = []").unwrap();
    assert_eq!(empty.features, Override::Set([].into()));
}

#[test]
fn what_is_wrong_is_told_together() {
    check(
        "target_file_size = 5\nrows_per_file_max = 0\nstatistics = { explicit = [\"a.b\"] }",
        &expect![
            "found key `target_file_size`, wanted `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`, `cluster_by`, `constraints`, `persist_constraints`, `column_mapping`, `allow_protocol_upgrade`, `compaction`, `vacuum`, `parquet` or `default`; `rows_per_file_max`: found `0`, wanted a number of 1 or more; `statistics.explicit`: found the text `a.b`, wanted the name of a whole column, not of a field inside of one"
        ],
    );
}

#[test]
fn a_key_that_stands_twice_is_refused_where_the_format_lets_it_through() {
    let twice = "{\"change_feed\": true, \"change_feed\": false}";
    let error = serde_json::from_str::<PolicyOverrides>(twice).unwrap_err();
    expect!["found key `change_feed` twice, wanted it once"].assert_eq(&error.to_string());
}

#[test]
fn a_declaration_has_no_defaults_to_go_back_to_and_no_layout() {
    let refused = |text: &str| {
        let error = toml::from_str::<TablePolicy>(text).unwrap_err();
        error.message().split(", wanted").next().unwrap().to_owned()
    };
    assert_eq!(refused("default = []"), "found key `default`");
    assert_eq!(refused("parquet = {}"), "found key `parquet`");
}

#[test]
fn the_nearest_name_is_one_that_is_near() {
    let names = || FEATURES.iter().map(|row| row.name);
    let near = |found: &str| nearest_name(found, names());
    assert_eq!(near("deletion_vectors").as_deref(), Some("deletionVectors"));
    assert_eq!(near("chekConstraint").as_deref(), Some("checkConstraints"));
    assert_eq!(near("speed"), None);
    assert_eq!(near(""), None);
}

/// Names that need an escape in a list of columns are no names of columns, so no list is escaped.
#[test]
fn names_with_commas_dots_and_quotes_are_no_columns() {
    for name in ["a,b", "a.b", "a`b", "a b", "a\"b"] {
        assert!(ColumnName::try_new(name).is_err(), "{name}");
    }
}

#[test]
fn reasons_are_spelled_as_they_are_shown() {
    use crate::DropReason::{
        Duplicate, MayHoldNan, NoExactBounds, NoFileStatistics, NotInSchema, OverCap,
        PartitionColumn, UnsupportedType,
    };

    for reason in LayoutReason::ALL {
        let json = serde_json::to_string(&reason).unwrap();
        assert_eq!(json, format!("\"{reason}\""));
        assert_eq!(serde_json::from_str::<LayoutReason>(&json).unwrap(), reason);
    }
    for reason in [
        Duplicate,
        MayHoldNan,
        NoExactBounds,
        NoFileStatistics,
        NotInSchema,
        OverCap,
        PartitionColumn,
        UnsupportedType,
    ] {
        let json = serde_json::to_string(&reason).unwrap();
        assert_eq!(json, format!("\"{reason}\""));
    }
}

/// The same with keys in order, whatever the features that `serde_json` was built with.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(entries) => {
            let entries: BTreeMap<String, serde_json::Value> = entries.into_iter().collect();
            let entries = entries.into_iter().map(|(key, it)| (key, sorted(it)));
            serde_json::Value::Object(entries.collect())
        }
        serde_json::Value::Array(values) => values.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[test]
fn a_resolved_policy_tells_every_value_with_its_source() {
    let dataset = dataset();
    let none = PolicyOverrides::none();
    let request = PolicyOverrides {
        change_feed: Override::Set(true),
        rows_per_file_max: Override::Set(NonZeroU64::MIN),
        ..PolicyOverrides::none()
    };
    let mut policy = resolve(
        &request,
        &none,
        &dataset,
        &TablePolicy::default(),
        &used(&[column("weight")]),
    )
    .unwrap();
    policy.layout.value.leaves.truncate(1);
    let fields: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
    let lines = fields
        .into_iter()
        .map(|(key, value)| format!("{key}: {}", sorted(value)));
    expect![[r#"
        allow_protocol_upgrade: {"source":"default","value":false}
        change_feed: {"source":"request","value":true}
        checkpoint_commits_interval: {"source":"default","value":10}
        cluster_by: {"source":"default","value":[]}
        column_features: []
        column_mapping: {"source":"default","value":"none"}
        compaction: {"source":"default","value":{"small_files_max":8}}
        constraints: {"source":"default","value":{}}
        dataset: "cpg.sample"
        deleted_file_retention_days: {"source":"default","value":36500}
        features: {"source":"default","value":[]}
        layout: {"source":"default","value":{"codec":"zstd(1)","codec_source":"default","leaves":[{"bloom_filter_source":"default","encoding":"DELTA_BINARY_PACKED","encoding_reason":"small_steps","path":["node_id"],"statistics":"page","statistics_reason":"leading_sort_key"}],"page_rows_max":20000,"page_rows_max_source":"default","row_group_rows_max":262144,"row_group_rows_max_source":"default"}}
        log_retention_days: {"source":"default","value":36500}
        persist_constraints: {"source":"default","value":false}
        properties: {"source":"default","value":{}}
        rows_per_file_max: {"source":"request","value":1}
        schema_mode: {"source":"default","value":"strict"}
        statistics: {"source":"default","value":{"columns":["node_id","position"],"dropped":[{"column":"kind","reason":"partition_column"},{"column":"weight","reason":"may_hold_nan"}],"policy":{"auto":32},"used":[{"column":"weight","roles":{},"score":1}]}}
        vacuum: {"source":"default","value":"off"}
        warnings: [{"code":"small_files","rows_per_file_max":1}]"#]].assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

fn place<T: Clone + Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Override<T>> {
    prop_oneof![
        Just(Override::Inherit),
        Just(Override::Clear),
        value.prop_map(Override::Set),
    ]
}

fn names() -> impl Strategy<Value = Vec<ColumnName>> {
    let names = crate::sample::columns(
        "kind node_id position level name weight seen price is_new payload span tags props gone",
    );
    proptest::collection::vec(proptest::sample::select(names), 0..6)
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(".{0,6}", ".{0,6}", 0..3)
}

fn statistics() -> impl Strategy<Value = StatsPolicy> {
    prop_oneof![
        Just(StatsPolicy::Off),
        any::<u32>().prop_map(|columns_max| StatsPolicy::Auto { columns_max }),
        names().prop_map(StatsPolicy::Explicit),
        names().prop_map(StatsPolicy::ExplicitLenient),
    ]
}

fn features() -> impl Strategy<Value = std::collections::BTreeSet<DeltaFeature>> {
    let all: Vec<DeltaFeature> = FEATURES.iter().map(|row| row.feature).collect();
    proptest::sample::subsequence(all, 0..4).prop_map(|some| some.into_iter().collect())
}

fn retention() -> impl Strategy<Value = Retention> {
    (1..=36_500_u32).prop_map(|days| Retention::try_days(days).unwrap())
}

/// TOML has no integers beyond 63 bits.
fn rows() -> impl Strategy<Value = NonZeroU64> {
    (1..=u64::MAX / 2).prop_map(|rows| NonZeroU64::new(rows).unwrap())
}

fn compaction() -> impl Strategy<Value = Compaction> {
    prop_oneof![
        Just(Compaction::Off),
        any::<u32>().prop_map(|small_files_max| Compaction::Auto { small_files_max }),
    ]
}

fn vacuum() -> impl Strategy<Value = Vacuum> {
    prop_oneof![Just(Vacuum::Off), retention().prop_map(Vacuum::After)]
}

fn page_statistics() -> impl Strategy<Value = PageStatistics> {
    proptest::sample::select(PageStatistics::ALL.to_vec())
}

fn codec() -> impl Strategy<Value = Codec> {
    prop_oneof![
        Just(Codec::Uncompressed),
        Just(Codec::Snappy),
        any::<u8>().prop_map(Codec::Zstd),
    ]
}

prop_compose! {
    fn column_overrides()(
        encoding in place(proptest::sample::select(Encoding::ALL.to_vec())),
        dictionary in place(any::<bool>()),
        statistics in place(page_statistics()),
        bloom_filter in place((rows(), any::<u32>()).prop_map(|(values, rate)| BloomFilter {
            distinct_values_max: values.get(),
            false_positives_per_million: rate,
        })),
    ) -> ColumnOverrides {
        ColumnOverrides { encoding, dictionary, statistics, bloom_filter }
    }
}

prop_compose! {
    fn parquet()(
        codec in place(codec()),
        row_group_rows_max in place(any::<u32>()),
        page_rows_max in place(any::<u32>()),
        statistics in place(page_statistics()),
        columns in (names(), proptest::collection::vec(column_overrides(), 6)),
    ) -> ParquetOverrides {
        let columns = columns.0.into_iter().zip(columns.1).collect();
        ParquetOverrides { codec, row_group_rows_max, page_rows_max, statistics, columns }
    }
}

type Upkeep = (
    Override<Compaction>,
    Override<Vacuum>,
    Override<ColumnMapping>,
    Override<bool>,
    Override<bool>,
);

fn upkeep() -> impl Strategy<Value = Upkeep> {
    (
        place(compaction()),
        place(vacuum()),
        place(proptest::sample::select(ColumnMapping::ALL.to_vec())),
        place(any::<bool>()),
        place(any::<bool>()),
    )
}

prop_compose! {
    /// Anything that can be said, sensible or not.
    fn overrides()(
        rows_per_file_max in place(rows()),
        statistics in place(statistics()),
        schema_mode in place(proptest::sample::select(SchemaMode::ALL.to_vec())),
        features in place(features()),
        change_feed in place(any::<bool>()),
        checkpoint_commits_interval in place((1..=u32::MAX).prop_map(|it| NonZeroU32::new(it).unwrap())),
        (log_retention, deleted_file_retention) in (place(retention()), place(retention())),
        (properties, constraints) in (place(texts()), place(texts())),
        parquet in place(parquet()),
        cluster_by in place(names()),
        upkeep in upkeep(),
    ) -> PolicyOverrides {
        let (compaction, vacuum, column_mapping, persist_constraints, allow_protocol_upgrade) = upkeep;
        PolicyOverrides {
            rows_per_file_max,
            statistics,
            schema_mode,
            features,
            change_feed,
            checkpoint_commits_interval,
            log_retention,
            deleted_file_retention,
            properties,
            parquet,
            cluster_by,
            constraints,
            persist_constraints,
            column_mapping,
            allow_protocol_upgrade,
            compaction,
            vacuum,
        }
    }
}

/// The declaration that says what overrides set.
fn declaration(overrides: &PolicyOverrides) -> TablePolicy {
    fn set<T: Clone>(said: &Override<T>) -> Option<T> {
        match said {
            Override::Set(value) => Some(value.clone()),
            _ => None,
        }
    }
    macro_rules! declare {
        ($($field:ident: $key:literal,)*) => {
            TablePolicy { $($field: set(&overrides.$field),)* }
        };
    }
    for_each_field!(declare)
}

/// The same after every format.
fn formats<T: Serialize + for<'de> Deserialize<'de>>(value: &T) -> [T; 3] {
    let toml = toml::to_string(value).unwrap();
    let json = serde_json::to_vec(value).unwrap();
    let packed = rmp_serde::to_vec_named(value).unwrap();
    [
        toml::from_str(&toml).unwrap(),
        serde_json::from_slice(&json).unwrap(),
        rmp_serde::from_slice(&packed).unwrap(),
    ]
}

proptest! {
    #[test]
    fn overrides_and_declarations_survive_every_format(overrides in overrides()) {
        for read in formats(&overrides) {
            prop_assert_eq!(&read, &overrides);
        }
        let declaration = declaration(&overrides);
        for read in formats(&declaration) {
            prop_assert_eq!(&read, &declaration);
        }
    }

    #[test]
    fn a_policy_file_reads_what_serde_writes(defaults in overrides(), table in overrides()) {
        let mut file = toml::Table::new();
        let tables = toml::Table::from_iter([(
            "cpg.sample".to_owned(),
            toml::Value::try_from(&table).unwrap(),
        )]);
        file.insert("defaults".to_owned(), toml::Value::try_from(&defaults).unwrap());
        file.insert("tables".to_owned(), tables.into());
        let read = PolicyFile::parse("policy.toml", &toml::to_string(&file).unwrap()).unwrap();
        prop_assert_eq!(&read.overrides().location, &defaults);
        prop_assert_eq!(&read.overrides().request(dataset().name()), &table);
    }

    #[test]
    fn resolving_never_fails_but_by_an_error(request in overrides(), location in overrides(), lineage in names()) {
        let dataset = dataset();
        if let Ok(policy) = resolve(&request, &location, &dataset, &declaration(&location), &used(&lineage)) {
            for read in formats::<ResolvedPolicy>(&policy) {
                prop_assert_eq!(&read, &policy);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}=\",a-z_.\n 0-9]{0,60}") {
        if let Err(errors) = PolicyFile::parse("policy.toml", &text) {
            prop_assert!(errors.iter().len() > 0);
        }
    }
}
