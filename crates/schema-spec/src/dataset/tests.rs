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
        two_columns().partition_by(["id"]),
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

/// Three columns, of which `list` is nested.
fn three_columns() -> DatasetSpecBuilder {
    let list = ColumnType::List(Box::new(
        FieldSpec::nullable("item", ColumnType::Int64).unwrap(),
    ));
    two_columns().column(ColumnSpec::nullable("list", list).unwrap())
}

#[test]
fn partition_columns_lead_the_order() {
    let both = |partition: [&str; 2], order: [&str; 2]| {
        let columns = three_columns().partition_by(partition).order_by(order);
        columns.build().map(|dataset| dataset.order().len())
    };
    assert_eq!(both(["id", "name"], ["name", "id"]).unwrap(), 2);
    for order in [&["id", "name"][..], &["id"]] {
        let columns = two_columns().partition_by(["name"]);
        let error = columns.order_by(order.iter().copied()).build().unwrap_err();
        assert_eq!(
            format!("{}: {error}; {}", error.code(), error.hint().unwrap()),
            "partition_behind_order: `extract.things` is partitioned by `name`, which does not lead its order; \
             order by `name` first: within a partition that changes nothing"
        );
    }
    let unordered = two_columns().order_by([]).partition_by(["name"]);
    assert!(unordered.build().is_ok());
}

#[test]
fn rows_are_written_in_an_order_that_leaves_none_in_doubt() {
    #[track_caller]
    fn check(dataset: DatasetSpecBuilder, want: &str) {
        let order = dataset.build().unwrap().write_order();
        let found: Vec<_> = order.iter().map(ToString::to_string).collect();
        assert_eq!(found.join(", "), want);
    }
    check(three_columns().order_by([]), "id, name");
    check(three_columns().key(["id"]).order_by(["id"]), "id");
    check(
        three_columns().order_by([]).then_descending("name"),
        "name desc, id",
    );
    check(three_columns().key(["name"]).order_by(["id"]), "id, name");
    check(
        three_columns().order_by([]).partition_by(["name"]),
        "name, id",
    );
    let keyed = three_columns().key(["id"]).partition_by(["name"]);
    check(keyed.order_by(["name", "id"]), "name, id");
}
