//! Tables that differ from their declaration, in both modes.

use expect_test::{Expect, expect};
use ossature_schema_spec::{ColumnType, DefaultValue};

use super::*;

fn required(name: &str, column_type: ColumnType) -> ColumnSpec {
    ColumnSpec::required(name, column_type).unwrap()
}

fn nullable(name: &str, column_type: ColumnType) -> ColumnSpec {
    ColumnSpec::nullable(name, column_type).unwrap()
}

fn declared() -> DatasetSpec {
    DatasetSpec::builder("extract.things", "One row per thing.")
        .column(required("id", ColumnType::Int64))
        .column(nullable("name", ColumnType::Utf8))
        .column(
            required("rank", ColumnType::Int32)
                .default(DefaultValue::Integer(0))
                .unwrap(),
        )
        .build()
        .unwrap()
}

#[track_caller]
fn check(found: &[ColumnSpec], want: &Expect) {
    let verdict = [SchemaMode::Strict, SchemaMode::Additive].map(|mode| {
        match plan_schema(mode, &declared(), found) {
            Ok(plan) => format!("{mode}: add {:?}", plan.add),
            Err(errors) => format!("{mode}: {errors}"),
        }
    });
    want.assert_eq(&verdict.join("\n"));
}

#[test]
fn an_equal_table_needs_nothing_and_order_does_not_count() {
    let declared = declared();
    check(
        declared.columns(),
        &expect![[r#"
        strict: add []
        additive: add []"#]],
    );
    let reversed: Vec<ColumnSpec> = declared.columns().iter().rev().cloned().collect();
    check(
        &reversed,
        &expect![[r#"
        strict: add []
        additive: add []"#]],
    );
}

#[test]
fn only_a_missing_nullable_column_is_added() {
    let id = || required("id", ColumnType::Int64);
    let rank = || required("rank", ColumnType::Int32);
    check(
        &[id(), rank()],
        &expect![[r#"
        strict: `extract.things` and its table differ, which schema mode `strict` does not settle: name: wanted string, found no such column
        additive: add ["name"]"#]],
    );
    check(
        &[id(), nullable("name", ColumnType::Utf8)],
        &expect![[r#"
        strict: `extract.things` and its table differ, which schema mode `strict` does not settle: rank: wanted integer, found no such column
        additive: `extract.things` and its table differ, which schema mode `additive` does not settle: rank: wanted integer, found no such column"#]],
    );
}

#[test]
fn other_types_extra_columns_and_nullability_are_refused() {
    check(
        &[
            required("id", ColumnType::Int32),
            required("name", ColumnType::Utf8),
            required("rank", ColumnType::Int32),
            nullable("note", ColumnType::Utf8),
        ],
        &expect![[r#"
            strict: `extract.things` and its table differ, which schema mode `strict` does not settle: id: wanted long, found integer; `extract.things` and its table differ, which schema mode `strict` does not settle: name: wanted nullable, found never null; `extract.things` and its table differ, which schema mode `strict` does not settle: note: not declared, found string
            additive: `extract.things` and its table differ, which schema mode `additive` does not settle: id: wanted long, found integer; `extract.things` and its table differ, which schema mode `additive` does not settle: name: wanted nullable, found never null; `extract.things` and its table differ, which schema mode `additive` does not settle: note: not declared, found string"#]],
    );
}

#[test]
fn a_new_partition_column_cannot_be_added() {
    let dataset = DatasetSpec::builder("extract.things", "One row per thing.")
        .column(required("id", ColumnType::Int64))
        .column(nullable("kind", ColumnType::Utf8))
        .partition_by(["kind"])
        .build()
        .unwrap();
    let found = [required("id", ColumnType::Int64)];
    assert!(plan_schema(SchemaMode::Additive, &dataset, &found).is_err());
}
