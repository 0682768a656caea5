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
    check_declared(&declared(), found, want);
}

#[track_caller]
fn check_declared(declared: &DatasetSpec, found: &[ColumnSpec], want: &Expect) {
    let verdict = SchemaMode::ALL.map(|mode| match plan_schema(mode, declared, found, &[]) {
        Ok(plan) if plan.is_empty() => format!("{mode}: nothing"),
        Ok(SchemaPlan {
            add,
            extend,
            replace,
        }) => {
            format!("{mode}: add {add:?}, extend {extend:?}, replace {replace}")
        }
        Err(errors) => {
            let lines = errors
                .iter()
                .map(|error| format!("{mode}: {}: {error}", error.code()));
            lines.collect::<Vec<_>>().join("\n")
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
            strict: nothing
            additive: nothing
            replace: nothing"#]],
    );
    let reversed: Vec<ColumnSpec> = declared.columns().iter().rev().cloned().collect();
    check(
        &reversed,
        &expect![[r#"
            strict: nothing
            additive: nothing
            replace: nothing"#]],
    );
}

#[test]
fn only_a_missing_nullable_column_is_added() {
    let id = || required("id", ColumnType::Int64);
    let rank = || required("rank", ColumnType::Int32);
    check(
        &[id(), rank()],
        &expect![[r#"
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: name: wanted string, found no such column
            additive: add ["name"], extend [], replace false
            replace: add [], extend [], replace true"#]],
    );
    check(
        &[id(), nullable("name", ColumnType::Utf8)],
        &expect![[r#"
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: rank: wanted integer, found no such column
            additive: schema_differs: `extract.things` and its table differ, which schema mode `additive` does not settle: rank: wanted integer, found no such column
            replace: add [], extend [], replace true"#]],
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
            strict: schema_widens: `extract.things` declares a wider type than its table has (id: wanted long, found integer), and the runtime does not read tables with table feature `typeWidening`
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: name: wanted nullable, found never null
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: note: not declared, found string
            additive: schema_widens: `extract.things` declares a wider type than its table has (id: wanted long, found integer), and the runtime does not read tables with table feature `typeWidening`
            additive: schema_differs: `extract.things` and its table differ, which schema mode `additive` does not settle: name: wanted nullable, found never null
            additive: schema_differs: `extract.things` and its table differ, which schema mode `additive` does not settle: note: not declared, found string
            replace: add [], extend [], replace true"#]],
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
    check_declared(
        &dataset,
        &[required("id", ColumnType::Int64)],
        &expect![[r#"
        strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: kind: wanted string, found no such column
        strict: partition_differs: `extract.things` is partitioned by [kind] and its table by [], which schema mode `strict` does not settle
        additive: schema_differs: `extract.things` and its table differ, which schema mode `additive` does not settle: kind: wanted string, found no such column
        additive: partition_differs: `extract.things` is partitioned by [kind] and its table by [], which schema mode `additive` does not settle
        replace: add [], extend [], replace true"#]],
    );
    let kind = dataset.partition();
    let plan = plan_schema(SchemaMode::Strict, &dataset, dataset.columns(), kind).unwrap();
    assert!(plan.is_empty());
}

fn group(fields: &[FieldSpec]) -> ColumnType {
    ColumnType::Struct(fields.to_vec())
}

fn field(name: &str) -> FieldSpec {
    FieldSpec::nullable(name, ColumnType::Int32).unwrap()
}

#[test]
fn fields_that_may_be_null_are_added_to_groups_of_fields() {
    let inner = |fields: &[FieldSpec]| FieldSpec::nullable("inner", group(fields)).unwrap();
    let declared = |column_type: ColumnType| {
        DatasetSpec::builder("extract.things", "")
            .column(nullable("place", column_type))
            .build()
            .unwrap()
    };
    let found = [nullable(
        "place",
        group(&[inner(&[field("a")]), field("b")]),
    )];
    check_declared(
        &declared(group(&[
            inner(&[field("a"), field("c")]),
            field("d"),
            field("b"),
        ])),
        &found,
        &expect![[r#"
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: place: wanted struct<inner:struct<a:integer,c:integer>,d:integer,b:integer>, found struct<inner:struct<a:integer>,b:integer>
            additive: add [], extend ["place"], replace false
            replace: add [], extend [], replace true"#]],
    );
    // A field that goes, and one that is never null.
    check_declared(
        &declared(group(&[inner(&[field("a")])])),
        &found,
        &expect![[r#"
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: place: wanted struct<inner:struct<a:integer>>, found struct<inner:struct<a:integer>,b:integer>
            additive: schema_differs: `extract.things` and its table differ, which schema mode `additive` does not settle: place: wanted struct<inner:struct<a:integer>>, found struct<inner:struct<a:integer>,b:integer>
            replace: add [], extend [], replace true"#]],
    );
    let never_null = FieldSpec::required("c", ColumnType::Int32).unwrap();
    check_declared(
        &declared(group(&[inner(&[field("a"), never_null]), field("b")])),
        &found,
        &expect![[r#"
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: place: wanted struct<inner:struct<a:integer,c:integer!>,b:integer>, found struct<inner:struct<a:integer>,b:integer>
            additive: schema_differs: `extract.things` and its table differ, which schema mode `additive` does not settle: place: wanted struct<inner:struct<a:integer,c:integer!>,b:integer>, found struct<inner:struct<a:integer>,b:integer>
            replace: add [], extend [], replace true"#]],
    );
    let listed = |fields| ColumnType::List(Box::new(inner(fields)));
    check_declared(
        &declared(listed(&[field("a"), field("c")])),
        &[nullable("place", listed(&[field("a")]))],
        &expect![[r#"
            strict: schema_differs: `extract.things` and its table differ, which schema mode `strict` does not settle: place: wanted array<struct<a:integer,c:integer>>, found array<struct<a:integer>>
            additive: schema_differs: `extract.things` and its table differ, which schema mode `additive` does not settle: place: wanted array<struct<a:integer,c:integer>>, found array<struct<a:integer>>
            replace: add [], extend [], replace true"#]],
    );
}

#[test]
fn columns_are_replaced_only_together_with_all_rows() {
    for mode in SchemaMode::ALL {
        assert_eq!(check_schema_mode(mode, true), Ok(()));
    }
    assert_eq!(check_schema_mode(SchemaMode::Additive, false), Ok(()));
    let refused = check_schema_mode(SchemaMode::Replace, false).unwrap_err();
    assert_eq!(refused.code(), "replace_needs_overwrite");
}
