//! Policy files: what they say, and everything that is wrong with them, with its place.

use expect_test::{Expect, expect};

use super::*;
use crate::sample::{builder, dataset};
use crate::{Override, Source, StatsPolicy};

#[track_caller]
fn check_text(text: &str, want: &Expect) {
    let verdict = match PolicyFile::parse("policy.toml", text) {
        Ok(file) => format!("{:?}", file.overrides().tables.keys()),
        Err(errors) => {
            assert!(!errors.is_refusal());
            errors.to_string()
        }
    };
    want.assert_eq(&verdict);
}

#[test]
fn every_field_may_be_said_of_all_tables_and_of_one() {
    let file = PolicyFile::parse(
        "policy.toml",
        r#"
        [defaults]
        statistics = { auto = 8 }
        vacuum = { after_days = 30 }
        [tables."cpg.sample"]
        rows_per_file_max = 500_000
        default = ["vacuum"]
        [tables."cpg.sample".parquet.columns.node_id.bloom_filter]
        distinct_values_max = 0x10
        false_positives_per_million = 10_000
        "#,
    )
    .unwrap();
    let dataset = dataset();
    let LakeOverrides { location, .. } = file.overrides();
    let request = file.overrides().request(dataset.name());
    let policy = resolve(&request, location, &dataset, &TablePolicy::default(), &[]).unwrap();
    assert_eq!(policy.rows_per_file_max.source, Source::Request);
    assert_eq!(policy.vacuum.source, Source::Request);
    assert_eq!(policy.statistics.source, Source::Location);
    assert_eq!(
        policy.statistics.value.policy,
        StatsPolicy::Auto { columns_max: 8 }
    );
    let bloom = policy.layout.value.leaves[0].bloom_filter.unwrap();
    assert_eq!(bloom.distinct_values_max, 16);
    let other = DatasetName::try_new("cpg.other").unwrap();
    assert_eq!(file.overrides().request(&other), PolicyOverrides::none());
    assert_eq!(file.check([(&dataset, TablePolicy::default())]), Ok(()));
}

#[test]
fn an_empty_file_says_nothing() {
    let file = PolicyFile::parse("policy.toml", "# nothing\n").unwrap();
    assert_eq!(*file.overrides(), LakeOverrides::default());
    let said = PolicyFile::parse("policy.toml", "[defaults]\nfeatures = []").unwrap();
    assert_eq!(said.overrides().location.features, Override::Set([].into()));
}

#[test]
fn unknown_keys_are_told_at_every_depth_with_the_nearest() {
    check_text(
        r#"[default]
[defaults]
row_per_file_max = 5
parquet = { codecs = "snappy", columns.node_id = { bloomfilter = 1 } }
statistics = { automatic = 3 }
compaction = { small_files = 3 }
default = ["change_fed", 3]
[tables."cpg.sample"]
parquet.columns.node_id.bloom_filter = { distinct_values = 1, false_positives_per_million = 1 }
[tables."cpg.sample".parquet]
default = ["columns"]
"#,
        &expect![[r#"
            policy.toml:1:2: default: found key `default`, wanted `defaults`, `tables` or `queries`; write `defaults`
            policy.toml:3:1: defaults.row_per_file_max: found key `row_per_file_max`, wanted `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`, `cluster_by`, `constraints`, `persist_constraints`, `column_mapping`, `allow_protocol_upgrade`, `compaction`, `vacuum`, `parquet` or `default`; write `rows_per_file_max`
            policy.toml:4:13: defaults.parquet.codecs: found key `codecs`, wanted `codec`, `row_group_rows_max`, `page_rows_max`, `statistics`, `columns` or `default`; write `codec`
            policy.toml:4:52: defaults.parquet.columns.node_id.bloomfilter: found key `bloomfilter`, wanted `encoding`, `dictionary`, `statistics`, `bloom_filter` or `default`; write `bloom_filter`
            policy.toml:5:16: defaults.statistics.automatic: found key `automatic`, wanted `auto`, `explicit` or `strict`
            policy.toml:6:16: defaults.compaction.small_files: found key `small_files`, wanted `small_files_max`; write `small_files_max`
            policy.toml:7:12: defaults.default: found the text `change_fed`, wanted `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`, `cluster_by`, `constraints`, `persist_constraints`, `column_mapping`, `allow_protocol_upgrade`, `compaction`, `vacuum` or `parquet`; write `change_feed`
            policy.toml:7:26: defaults.default: found `3`, wanted `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`, `cluster_by`, `constraints`, `persist_constraints`, `column_mapping`, `allow_protocol_upgrade`, `compaction`, `vacuum` or `parquet`
            policy.toml:9:42: tables."cpg.sample".parquet.columns.node_id.bloom_filter.distinct_values: found key `distinct_values`, wanted `distinct_values_max` or `false_positives_per_million`; write `distinct_values_max`
            policy.toml:10:22: this is no TOML: duplicate key
            policy.toml:11:12: tables."cpg.sample".parquet.default: found the text `columns`, wanted `codec`, `row_group_rows_max`, `page_rows_max` or `statistics`"#]],
    );
}

#[test]
fn wrong_values_are_told_together() {
    check_text(
        r#"[defaults]
rows_per_file_max = 0
checkpoint_commits_interval = -1
log_retention_days = 40_000
deleted_file_retention_days = 1.5
change_feed = "yes"
schema_mode = "additiv"
features = ["change_data_feed", "speed", 3]
statistics = { explicit = ["a.b", "a,b", "c"], strict = "no" }
cluster_by = "node_id"
constraints = { positive = 3 }
column_mapping = "Name"
compaction = 8
vacuum = 1979-05-27
properties = ["delta.isolationLevel"]
parquet = { codec = "zstd", row_group_rows_max = 5_000_000_000, columns = { "a-b" = {}, c = { encoding = "plain", dictionary = 1, statistics = "pages", bloom_filter = { distinct_values_max = 0 } } } }
"#,
        &expect![[r#"
            policy.toml:2:21: defaults.rows_per_file_max: found `0`, wanted a number of 1 or more
            policy.toml:3:31: defaults.checkpoint_commits_interval: found `-1`, wanted a number from 1 to 4294967295
            policy.toml:4:22: defaults.log_retention_days: found `40000`, wanted a number of days from 1 to 36500
            policy.toml:5:31: defaults.deleted_file_retention_days: found the number `1.5`, wanted a number of days from 1 to 36500
            policy.toml:6:15: defaults.change_feed: found the text `yes`, wanted `true` or `false`
            policy.toml:7:15: defaults.schema_mode: found the text `additiv`, wanted `strict`, `additive` or `replace`; write `additive`
            policy.toml:8:13: defaults.features: found the text `change_data_feed`, wanted the name of a table feature; write `changeDataFeed`
            policy.toml:8:33: defaults.features: found the text `speed`, wanted the name of a table feature
            policy.toml:8:42: defaults.features: found `3`, wanted the name of a table feature
            policy.toml:9:28: defaults.statistics.explicit: found the text `a.b`, wanted the name of a whole column, not of a field inside of one
            policy.toml:9:35: defaults.statistics.explicit: found the text `a,b`, wanted the name of a column (only letters, digits and `_` are read by every engine)
            policy.toml:9:57: defaults.statistics.strict: found the text `no`, wanted `true` or `false`
            policy.toml:10:14: defaults.cluster_by: found the text `node_id`, wanted a list
            policy.toml:11:28: defaults.constraints.positive: found `3`, wanted a text
            policy.toml:12:18: defaults.column_mapping: found the text `Name`, wanted `none`, `name` or `id`; write `name`
            policy.toml:13:14: defaults.compaction: found `8`, wanted `"off"` or `{ small_files_max = <files> }`
            policy.toml:14:10: defaults.vacuum: found the time `1979-05-27`, wanted `"off"` or `{ after_days = <days> }`
            policy.toml:15:14: defaults.properties: found a list, wanted a table of texts
            policy.toml:16:21: defaults.parquet.codec: found the text `zstd`, wanted `uncompressed`, `snappy` or `zstd(1)`; write `zstd(1)`
            policy.toml:16:50: defaults.parquet.row_group_rows_max: found `5000000000`, wanted a number from 0 to 4294967295
            policy.toml:16:77: defaults.parquet.columns: found the text `a-b`, wanted the name of a column (only letters, digits and `_` are read by every engine)
            policy.toml:16:106: defaults.parquet.columns.c.encoding: found the text `plain`, wanted `RLE_DICTIONARY`, `PLAIN`, `DELTA_BINARY_PACKED`, `DELTA_LENGTH_BYTE_ARRAY` or `DELTA_BYTE_ARRAY`; write `PLAIN`
            policy.toml:16:128: defaults.parquet.columns.c.dictionary: found `1`, wanted `true` or `false`
            policy.toml:16:144: defaults.parquet.columns.c.statistics: found the text `pages`, wanted `none`, `row_group` or `page`; write `page`
            policy.toml:16:168: defaults.parquet.columns.c.bloom_filter: found a table, wanted `{ distinct_values_max = <values>, false_positives_per_million = <values> }`"#]],
    );
}

#[test]
fn forms_that_say_too_much_or_too_little_are_refused() {
    check_text(
        r#"
[defaults]
statistics = { auto = 1, explicit = ["a"] }
compaction = {}
change_feed = true
default = ["change_feed"]
[tables."cpg.sample"]
statistics = { auto = 1, strict = true }
[tables."cpg.other"]
statistics = {}
[tables."cpg.third"]
statistics = ""
"#,
        &expect![[r#"
            policy.toml:3:14: defaults.statistics: found a table, wanted `"off"`, `{ auto = <columns> }` or `{ explicit = [<column>, ...], strict = <true or false> }`
            policy.toml:4:14: defaults.compaction: found a table, wanted `"off"` or `{ small_files_max = <files> }`
            policy.toml:5:1: defaults: found `change_feed` set and in `default`, wanted one of the two
            policy.toml:8:14: tables."cpg.sample".statistics: found a table, wanted `"off"`, `{ auto = <columns> }` or `{ explicit = [<column>, ...], strict = <true or false> }`
            policy.toml:10:14: tables."cpg.other".statistics: found a table, wanted `"off"`, `{ auto = <columns> }` or `{ explicit = [<column>, ...], strict = <true or false> }`
            policy.toml:12:14: tables."cpg.third".statistics: found the text ``, wanted `"off"`, `{ auto = <columns> }` or `{ explicit = [<column>, ...], strict = <true or false> }`"#]],
    );
}

#[test]
fn names_of_tables_are_quoted() {
    check_text(
        "[tables.cpg.cpg_nodes]\nrows_per_file_max = 1\n[tables.cpg_nodes]\n",
        &expect![[r#"
            policy.toml:1:9: tables.cpg: found key `cpg`, wanted tables that are named like `"cpg.cpg_nodes"`; write `"cpg.cpg_nodes"`
            policy.toml:3:9: tables.cpg_nodes: found key `cpg_nodes`, wanted tables that are named like `"cpg.cpg_nodes"`"#]],
    );
}

#[test]
fn queries_have_names_and_a_text() {
    let text = "[queries.by_path]\nsql = \"SELECT 1\"\n[queries.a-2]\nsql = 'SELECT 2'\n";
    let file = PolicyFile::parse("policy.toml", text).unwrap();
    let queries = file.queries().iter();
    let queries: Vec<(&str, &str)> = queries
        .map(|it| (it.name.as_str(), it.sql.as_str()))
        .collect();
    assert_eq!(queries, [("a-2", "SELECT 2"), ("by_path", "SELECT 1")]);
    let reasons = [("by_path", "no"), ("a-2", "nor this")];
    let reasons = reasons.map(|(name, reason)| (name.to_owned(), reason.to_owned()));
    let refused = file.refuse_queries(reasons).unwrap_err();
    expect![[r#"
        policy.toml:2:1: queries.by_path.sql: no
        policy.toml:4:1: queries.a-2.sql: nor this"#]]
    .assert_eq(&refused.to_string());
    assert!(file.refuse_queries([]).is_ok());
    check_text(
        "[queries]\nfast = \"SELECT 1\"\n\"who calls\" = { sql = \"SELECT 1\" }\nnone = {}\nother = { sql = 1, why = 2 }\n",
        &expect![[r#"
            policy.toml:2:8: queries.fast: found the text `SELECT 1`, wanted a table with the query as `sql`
            policy.toml:3:1: queries."who calls": found key `who calls`, wanted queries by names of 1 to 100 letters, digits, `_` and `-`
            policy.toml:4:8: queries.none: found a table, wanted a table with the query as `sql`
            policy.toml:5:17: queries.other.sql: found `1`, wanted a text
            policy.toml:5:20: queries.other.why: found key `why`, wanted `sql`"#]],
    );
}

#[test]
fn broken_lines_are_told_together_with_what_is_wrong_elsewhere() {
    check_text(
        "[defaults]\nrows_per_file_max = \nchange_feed = tru\nspeed = 3\nchange_feed = true\nspeed = \"\n",
        &expect![[r#"
            policy.toml:2:21: this is no TOML: string values must be quoted, expected literal string
            policy.toml:3:15: this is no TOML: invalid boolean, expected `true`
            policy.toml:4:1: defaults.speed: found key `speed`, wanted `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`, `cluster_by`, `constraints`, `persist_constraints`, `column_mapping`, `allow_protocol_upgrade`, `compaction`, `vacuum`, `parquet` or `default`
            policy.toml:5:1: this is no TOML: duplicate key
            policy.toml:6:1: this is no TOML: duplicate key
            policy.toml:6:10: this is no TOML: invalid basic string, expected `"`"#]],
    );
    check_text(
        "[defaults\n",
        &expect!["policy.toml:1:10: this is no TOML: unclosed table, expected `]`"],
    );
}

#[test]
fn places_count_characters() {
    check_text(
        "defaults = { properties = { \"größe\" = \"ö\" }, größe = 1 }",
        &expect![
            "policy.toml:1:48: this is no TOML: invalid unquoted key, expected letters, numbers, `-`, `_`"
        ],
    );
    check_text(
        "defaults = { properties = { \"größe\" = \"ö\" }, \"größe\" = 1 }",
        &expect![[
            r#"policy.toml:1:46: defaults."größe": found key `größe`, wanted `rows_per_file_max`, `statistics`, `schema_mode`, `features`, `change_feed`, `checkpoint_commits_interval`, `log_retention_days`, `deleted_file_retention_days`, `properties`, `cluster_by`, `constraints`, `persist_constraints`, `column_mapping`, `allow_protocol_upgrade`, `compaction`, `vacuum`, `parquet` or `default`"#
        ]],
    );
}

#[track_caller]
fn check_datasets(text: &str, want: &Expect) {
    let file = PolicyFile::parse("policy.toml", text).unwrap();
    let unordered = builder().order_by([]).build().unwrap();
    let other = DatasetSpec::builder("cpg.others", "")
        .column(
            ossature_schema_spec::ColumnSpec::required(
                "node_id",
                ossature_schema_spec::ColumnType::Int64,
            )
            .unwrap(),
        )
        .build()
        .unwrap();
    let policy = TablePolicy::default();
    let verdict = match file.check([(&unordered, policy.clone()), (&other, policy)]) {
        Ok(()) => "nothing is wrong".to_owned(),
        Err(errors) => format!("{} {errors}", errors.code()),
    };
    want.assert_eq(&verdict);
}

#[test]
fn contradictions_are_told_where_they_are_said() {
    check_datasets(
        r#"[defaults]
rows_per_file_max = 3_000_000_000
properties = { "delta.nothing" = "" }
parquet.columns.nowhere.statistics = "none"
[tables."cpg.sample"]
change_feed = true
column_mapping = "name"
cluster_by = ["kind", "gone", "name", "name"]
statistics = { explicit = ["weight"] }
constraints = { "1st" = "" }
[tables."cpg.sample".parquet]
codec = "zstd(23)"
page_rows_max = 0
columns.gone.statistics = "none"
columns.is_new = { bloom_filter = { distinct_values_max = 1, false_positives_per_million = 900_000 } }
"#,
        &expect![[r#"
            policy_refused policy.toml:2:1: defaults.rows_per_file_max: rows_per_file_max is 3000000000, wanted 1 to 2147483648 (2 tables)
            policy.toml:3:16: defaults.properties."delta.nothing": table property `delta.nothing` is unknown (2 tables); check the spelling, or leave it out
            policy.toml:4:17: defaults.parquet.columns.nowhere: layout of `cpg.sample`: column `nowhere` is refused: the dataset declares no such column (2 tables)
            policy.toml:6:1: tables."cpg.sample".change_feed: table feature `changeDataFeed` is refused: no table has it together with `columnMapping`; choose between `changeDataFeed` and `columnMapping`
            policy.toml:7:1: tables."cpg.sample".column_mapping: table feature `columnMapping` is refused: no table has it together with `changeDataFeed`; choose between `columnMapping` and `changeDataFeed`
            policy.toml:8:1: tables."cpg.sample".cluster_by: `cpg.sample` cannot be clustered by column `kind`: it is a partition column, which rows are split by already
            policy.toml:8:1: tables."cpg.sample".cluster_by: `cpg.sample` cannot be clustered by column `gone`: the dataset declares no such column
            policy.toml:8:1: tables."cpg.sample".cluster_by: `cpg.sample` cannot be clustered by column `name`: it is named twice
            policy.toml:9:1: tables."cpg.sample".statistics: `cpg.sample` asks for statistics on column `weight`, which gets none: it may hold NaN, which bounds leave out; leave it out, or say `strict = false`
            policy.toml:10:17: tables."cpg.sample".constraints.1st: constraint `1st` is refused: its name holds something else than letters, digits and `_`, or begins with a digit
            policy.toml:10:17: tables."cpg.sample".constraints.1st: constraint `1st` is refused: its expression is empty
            policy.toml:12:1: tables."cpg.sample".parquet.codec: layout of `cpg.sample`: zstd level is 23, wanted 1 to 22
            policy.toml:13:1: tables."cpg.sample".parquet.page_rows_max: layout of `cpg.sample`: page_rows_max is 0, wanted 1 to 1048576
            policy.toml:14:9: tables."cpg.sample".parquet.columns.gone: layout of `cpg.sample`: column `gone` is refused: the dataset declares no such column
            policy.toml:15:9: tables."cpg.sample".parquet.columns.is_new: `is_new` of type boolean cannot have a bloom filter: no reader looks such values up
            policy.toml:15:62: tables."cpg.sample".parquet.columns.is_new.bloom_filter.false_positives_per_million: layout of `cpg.sample`: false_positives_per_million of column `is_new` is 900000, wanted 1 to 500000"#]],
    );
}

#[test]
fn tables_that_nobody_writes_are_told_with_the_nearest() {
    check_datasets(
        "[tables.\"cpg.samples\"]\n[tables.\"lost.things\"]\n",
        &expect![[r#"
            policy_file_invalid policy.toml:1:9: tables."cpg.samples": found table `cpg.samples`, wanted one that is written; write `cpg.sample`
            policy.toml:2:9: tables."lost.things": found table `lost.things`, wanted one that is written"#]],
    );
    check_datasets("[tables.\"cpg.sample\"]\n", &expect!["nothing is wrong"]);
}

#[test]
fn a_refusal_is_told_apart_from_a_file_that_cannot_be_read() {
    let code = |text: &str| {
        let file = PolicyFile::parse("policy.toml", text).unwrap();
        let dataset = dataset();
        let errors = file
            .check([(&dataset, TablePolicy::default())])
            .unwrap_err();
        (errors.is_refusal(), errors.code())
    };
    assert_eq!(
        code("[defaults]\nrows_per_file_max = 3_000_000_000"),
        (true, "policy_refused")
    );
    assert_eq!(
        code("[defaults]\nrows_per_file_max = 3_000_000_000\n[tables.\"lost.things\"]"),
        (false, "policy_file_invalid")
    );
}

#[test]
fn a_default_that_one_table_cannot_follow_is_told_at_the_default() {
    check_datasets(
        "[defaults]\ncluster_by = [\"node_id\", \"position\"]\n",
        &expect![
            "policy_refused policy.toml:2:1: defaults.cluster_by: `cpg.others` cannot be clustered by column `position`: the dataset declares no such column"
        ],
    );
}
