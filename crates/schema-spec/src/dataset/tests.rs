//! What a declaration refuses, and what its digest depends on.

use expect_test::{Expect, expect};

use super::*;
use crate::{Codec, SemanticType};

fn two_columns() -> DatasetSpecBuilder {
    DatasetSpec::builder("extract.things", "One row per thing.")
        .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .column(ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
        .key(["id"])
        .order_by(["id"])
}

#[track_caller]
fn check(builder: DatasetSpecBuilder, want: &Expect) {
    let verdict = match builder.build() {
        Ok(spec) => format!("{} columns", spec.columns().len()),
        Err(error) => format!("{}: {error}", error.code()),
    };
    want.assert_eq(&verdict);
}

#[test]
fn declarations_are_checked_as_a_whole() {
    check(two_columns(), &expect!["2 columns"]);
    check(
        two_columns().key(["uid"]),
        &expect![
            "undeclared_column: `extract.things` names column `uid` in its key, but declares no such column"
        ],
    );
    check(
        two_columns().partition_by(["kind"]),
        &expect![
            "undeclared_column: `extract.things` names column `kind` in its partition, but declares no such column"
        ],
    );
    check(
        two_columns().column(ColumnSpec::required("NAME", ColumnType::Utf8).unwrap()),
        &expect![
            "duplicate_column: `extract.things` declares column `NAME` twice (names are compared without case)"
        ],
    );
    check(
        two_columns().partition_by(["id", "name"]),
        &expect!["no_columns: `extract.things` declares no column that a file could hold"],
    );
    check(
        two_columns().key(["id", "name", "id"]),
        &expect!["repeated_column: `extract.things` names column `id` twice in its key"],
    );
    check(
        two_columns().order_by(["name"]).then_descending("name"),
        &expect!["repeated_column: `extract.things` names column `name` twice in its order"],
    );
    check(
        two_columns().partition_by(["name", "name"]),
        &expect!["repeated_column: `extract.things` names column `name` twice in its partition"],
    );
    check(
        DatasetSpec::builder("Things", ""),
        &expect![
            "invalid_dataset_name: dataset name `Things` is not of the form `stage.table` (lower-case letters, digits and `_`)"
        ],
    );
}

#[test]
fn defaults_and_meanings_must_fit_the_type() {
    let narrow = ColumnSpec::required("n", ColumnType::Int8).unwrap();
    assert!(narrow.clone().default(DefaultValue::Integer(127)).is_ok());
    assert!(narrow.default(DefaultValue::Integer(128)).is_err());
    let text = ColumnSpec::required("n", ColumnType::Utf8).unwrap();
    assert!(text.semantic(SemanticType::NodeId).is_err());
}

#[test]
fn the_contract_hash_sees_what_readers_rely_on_and_nothing_else() {
    let base = two_columns().build().unwrap().contract_hash();
    let described = DatasetSpec::builder("extract.things", "Other words.")
        .column(
            ColumnSpec::required("id", ColumnType::Int64)
                .unwrap()
                .doc("The id."),
        )
        .column(ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
        .key(["id"])
        .order_by(["id"])
        .parquet(ParquetSpec {
            codec: Codec::Snappy,
            ..ParquetSpec::default()
        });
    assert_eq!(base, described.build().unwrap().contract_hash());

    let changed = [
        two_columns().key(["id", "name"]),
        two_columns().order_by(["name"]),
        two_columns().order_by([]).then_descending("id"),
        two_columns().partition_by(["name"]),
        two_columns().column(ColumnSpec::nullable("more", ColumnType::Int64).unwrap()),
    ];
    for builder in changed {
        assert_ne!(base, builder.build().unwrap().contract_hash());
    }
}

#[test]
fn a_layout_may_follow_later_for_columns_that_are_there() {
    let layout = |column: &str| ParquetSpec {
        columns: [(
            ColumnName::try_new(column).unwrap(),
            crate::ColumnLayout::default(),
        )]
        .into(),
        ..ParquetSpec::default()
    };
    let dataset = two_columns().build().unwrap();
    let laid_out = dataset.clone().with_parquet(layout("name")).unwrap();
    assert_eq!(*laid_out.parquet(), layout("name"));
    assert_eq!(laid_out.contract_hash(), dataset.contract_hash());
    let error = dataset.with_parquet(layout("gone")).unwrap_err();
    assert_eq!(error.code(), "undeclared_column");
}
