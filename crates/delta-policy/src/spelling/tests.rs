//! What a configuration may say, and what it is told when it says something else.

use expect_test::{Expect, expect};

use crate::{Override, PolicyOverrides};

#[track_caller]
fn check(text: &str, want: &Expect) {
    match toml::from_str::<PolicyOverrides>(text) {
        Ok(overrides) => want.assert_debug_eq(&overrides),
        Err(error) => want.assert_eq(error.message()),
    }
}

#[test]
fn every_field_can_be_set() {
    check(
        r#"
        rows_per_file_max = 1000
        statistics = { explicit = ["node_id", "name"] }
        schema_mode = "additive"
        features = ["v2Checkpoint", "appendOnly"]
        change_feed = true
        checkpoint_commits_interval = 20
        log_retention_days = 30
        deleted_file_retention_days = 7
        properties = { "delta.isolationLevel" = "Serializable" }
        "#,
        &expect![[r#"
            PolicyOverrides {
                rows_per_file_max: Set(
                    1000,
                ),
                statistics: Set(
                    Explicit(
                        [
                            "node_id",
                            "name",
                        ],
                    ),
                ),
                schema_mode: Set(
                    Additive,
                ),
                features: Set(
                    {
                        AppendOnly,
                        V2Checkpoint,
                    },
                ),
                change_feed: Set(
                    true,
                ),
                checkpoint_commits_interval: Set(
                    20,
                ),
                log_retention: Set(
                    Retention(
                        30,
                    ),
                ),
                deleted_file_retention: Set(
                    Retention(
                        7,
                    ),
                ),
                properties: Set(
                    {
                        "delta.isolationLevel": "Serializable",
                    },
                ),
                parquet: Inherit,
                cluster_by: Inherit,
                constraints: Inherit,
                persist_constraints: Inherit,
                column_mapping: Inherit,
                allow_protocol_upgrade: Inherit,
                compaction: Inherit,
                vacuum: Inherit,
            }
        "#]],
    );
}

#[test]
fn every_field_can_go_back_to_its_default() {
    check(
        r#"
        default = [
            "rows_per_file_max", "statistics", "schema_mode", "features", "change_feed",
            "checkpoint_commits_interval", "log_retention_days", "deleted_file_retention_days",
            "properties",
        ]
        "#,
        &expect![[r#"
            PolicyOverrides {
                rows_per_file_max: Clear,
                statistics: Clear,
                schema_mode: Clear,
                features: Clear,
                change_feed: Clear,
                checkpoint_commits_interval: Clear,
                log_retention: Clear,
                deleted_file_retention: Clear,
                properties: Clear,
                parquet: Inherit,
                cluster_by: Inherit,
                constraints: Inherit,
                persist_constraints: Inherit,
                column_mapping: Inherit,
                allow_protocol_upgrade: Inherit,
                compaction: Inherit,
                vacuum: Inherit,
            }
        "#]],
    );
}

#[test]
fn nothing_said_is_nothing_overridden() {
    let silent: PolicyOverrides = toml::from_str("").unwrap();
    assert_eq!(silent, PolicyOverrides::none());
    let empty: PolicyOverrides = toml::from_str("features = []").unwrap();
    assert_eq!(empty.features, Override::Set([].into()));
}

#[test]
fn what_is_wrong_is_named() {
    check(
        "target_file_size = 5",
        &expect![
            "unknown field `target_file_size`, expected one of `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`, `default`"
        ],
    );
    check(
        "default = [\"partition_by\"]",
        &expect![
            "unknown variant `partition_by`, expected one of `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`"
        ],
    );
    check(
        "rows_per_file_max = 0",
        &expect!["invalid value: integer `0`, expected a nonzero u64"],
    );
    check(
        "statistics = \"full\"",
        &expect!["unknown variant `full`, expected one of `off`, `explicit`, `auto`"],
    );
    check(
        "schema_mode = \"merge\"",
        &expect!["unknown variant `merge`, expected `strict` or `additive`"],
    );
    check(
        "log_retention_days = 0\ndeleted_file_retention_days = 40000",
        &expect![
            "retention of 0 days is out of range, wanted 1 to 36500; retention of 40000 days is out of range, wanted 1 to 36500"
        ],
    );
    check(
        "features = [\"change_data_feed\"]",
        &expect!["table feature `change_data_feed` is unknown"],
    );
    check(
        "statistics = { explicit = [\"a.b\"] }",
        &expect![
            "column name `a.b` is refused: only letters, digits and `_` are read by every engine"
        ],
    );
    check(
        "change_feed = true\ndefault = [\"change_feed\"]",
        &expect!["`change_feed` is set, and put back to its default as well"],
    );
}

#[test]
fn another_spelling_of_a_feature_is_recognised_in_the_hint() {
    let hint = |found: &str| {
        crate::Error::UnknownFeature {
            found: found.to_owned(),
        }
        .hint()
    };
    assert_eq!(
        hint("deletion_vectors").as_deref(),
        Some("write `deletionVectors`")
    );
    assert_eq!(hint("speed"), None);
}
