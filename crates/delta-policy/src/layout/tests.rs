//! What every kind of column gets, what a dataset may change, and what it may not.

use expect_test::{Expect, expect};
use ossature_schema_spec::ColumnName;

use super::*;
use crate::sample::{builder, column, columns};

fn layout_of(dataset: &DatasetSpec) -> Result<ParquetLayout, Errors> {
    let layout = resolve_layout(dataset, &[], &Override::Inherit, &Override::Inherit)?;
    Ok(layout.value)
}

#[track_caller]
fn check(dataset: &DatasetSpec, want: &Expect) {
    check_overridden(dataset, &Override::Inherit, &Override::Inherit, want);
}

#[track_caller]
fn check_overridden(
    dataset: &DatasetSpec,
    request: &Override<ParquetOverrides>,
    location: &Override<ParquetOverrides>,
    want: &Expect,
) {
    let lines = match resolve_layout(dataset, &[], request, location) {
        Ok(layout) => layout
            .value
            .leaves
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        Err(errors) => errors
            .iter()
            .map(|error| format!("{}: {error}", error.code()))
            .collect(),
    };
    want.assert_eq(&lines.join("\n"));
}

fn declared(columns: &[(&str, ColumnLayout)]) -> DatasetSpec {
    let columns = columns
        .iter()
        .map(|(name, layout)| (column(name), *layout))
        .collect();
    let parquet = ParquetSpec {
        columns,
        ..ParquetSpec::default()
    };
    builder().parquet(parquet).build().unwrap()
}

const PLAIN: ColumnLayout = ColumnLayout {
    encoding: None,
    dictionary: None,
    statistics: None,
    bloom_filter: None,
};

const BLOOM: BloomFilter = BloomFilter {
    distinct_values_max: 100_000,
    false_positives_per_million: 10_000,
};

#[test]
fn types_and_places_decide_what_is_not_declared() {
    check(
        &declared(&[]),
        &expect![[r#"
            node_id: DELTA_BINARY_PACKED (small_steps), statistics page (leading_sort_key)
            position: DELTA_BINARY_PACKED (small_steps), statistics row_group (skips_row_groups)
            level: RLE_DICTIONARY (repeats), statistics row_group (skips_row_groups)
            name: RLE_DICTIONARY (repeats), statistics row_group (skips_row_groups)
            weight: RLE_DICTIONARY (repeats), statistics none (not_a_number)
            seen: RLE_DICTIONARY (repeats), statistics row_group (skips_row_groups)
            price: PLAIN (opaque), statistics row_group (skips_row_groups)
            ratio: RLE_DICTIONARY (repeats), statistics row_group (skips_row_groups)
            is_new: PLAIN (bits), statistics row_group (skips_row_groups)
            payload: PLAIN (opaque), statistics none (opaque)
            span.bstart: DELTA_BINARY_PACKED (small_steps), statistics row_group (skips_row_groups)
            span.bend: DELTA_BINARY_PACKED (small_steps), statistics row_group (skips_row_groups)
            tags.list.element: RLE_DICTIONARY (repeats), statistics none (repeated)
            props.key_value.key: RLE_DICTIONARY (repeats), statistics none (repeated)
            props.key_value.value: RLE_DICTIONARY (repeats), statistics none (repeated)"#]],
    );
}

#[test]
fn what_the_dataset_declares_wins() {
    let dataset = declared(&[
        (
            "node_id",
            ColumnLayout {
                encoding: Some(Encoding::Plain),
                statistics: Some(PageStatistics::RowGroup),
                bloom_filter: Some(BLOOM),
                ..PLAIN
            },
        ),
        (
            "name",
            ColumnLayout {
                encoding: Some(Encoding::DeltaByteArray),
                statistics: Some(PageStatistics::Page),
                ..PLAIN
            },
        ),
        (
            "tags",
            ColumnLayout {
                encoding: Some(Encoding::DeltaLengthByteArray),
                ..PLAIN
            },
        ),
    ]);
    let leaves: Vec<String> = layout_of(&dataset)
        .unwrap()
        .leaves
        .iter()
        .filter(|leaf| leaf.encoding_reason == LayoutReason::Declared(Source::Dataset))
        .map(ToString::to_string)
        .collect();
    expect![[r#"
        node_id: PLAIN (declared_by_dataset), statistics row_group (declared_by_dataset), bloom filter for 100000 values, 10000 per million (dataset)
        name: DELTA_BYTE_ARRAY (declared_by_dataset), statistics page (declared_by_dataset)
        tags.list.element: DELTA_LENGTH_BYTE_ARRAY (declared_by_dataset), statistics none (repeated)"#]].assert_eq(&leaves.join("\n"));
}

#[test]
fn the_first_sort_key_that_is_in_the_files_leads() {
    let leading = |dataset: DatasetSpec| {
        layout_of(&dataset)
            .unwrap()
            .leaves
            .iter()
            .filter(|leaf| leaf.statistics == PageStatistics::Page)
            .map(|leaf| leaf.path.join("."))
            .collect::<Vec<_>>()
    };
    let of = |keys: [&str; 2]| leading(builder().order_by(keys).build().unwrap());
    assert_eq!(of(["kind", "name"]), ["name"]);
    assert_eq!(of(["kind", "weight"]), [""; 0]);
    assert_eq!(leading(builder().order_by([]).build().unwrap()), [""; 0]);
}

#[test]
fn settings_that_a_type_cannot_have_are_refused() {
    let encoding = |encoding| ColumnLayout {
        encoding: Some(encoding),
        ..PLAIN
    };
    let bloom = ColumnLayout {
        bloom_filter: Some(BLOOM),
        ..PLAIN
    };
    check(
        &declared(&[
            ("name", encoding(Encoding::DeltaBinaryPacked)),
            ("node_id", encoding(Encoding::DeltaByteArray)),
            ("is_new", encoding(Encoding::Dictionary)),
            (
                "weight",
                ColumnLayout {
                    statistics: Some(PageStatistics::RowGroup),
                    ..bloom
                },
            ),
            (
                "span",
                ColumnLayout {
                    encoding: Some(Encoding::DeltaByteArray),
                    ..bloom
                },
            ),
        ]),
        &expect![[r#"
            layout_mismatch: `node_id` of type long cannot have encoding DELTA_BYTE_ARRAY: it is for text and bytes
            layout_mismatch: `name` of type string cannot have encoding DELTA_BINARY_PACKED: it is for integers
            layout_mismatch: `weight` of type double cannot have row_group statistics: bounds leave NaN out, so a filter would lose rows
            layout_mismatch: `weight` of type double cannot have a bloom filter: no reader looks such values up
            layout_mismatch: `is_new` of type boolean cannot have encoding RLE_DICTIONARY: a bit is shorter than any reference
            layout_mismatch: `span.bstart` of type integer cannot have encoding DELTA_BYTE_ARRAY: it is for text and bytes
            layout_mismatch: `span.bstart` of type integer cannot have a bloom filter: no reader looks such values up
            layout_mismatch: `span.bend` of type integer cannot have encoding DELTA_BYTE_ARRAY: it is for text and bytes
            layout_mismatch: `span.bend` of type integer cannot have a bloom filter: no reader looks such values up"#]],
    );
}

#[test]
fn numbers_that_no_file_can_have_are_refused() {
    let bloom = BloomFilter {
        distinct_values_max: 0,
        false_positives_per_million: 1_000_000,
    };
    let parquet = ParquetSpec {
        codec: Codec::Zstd(23),
        row_group_rows_max: 0,
        page_rows_max: 0,
        statistics: None,
        columns: [(
            column("name"),
            ColumnLayout {
                bloom_filter: Some(bloom),
                ..PLAIN
            },
        )]
        .into(),
    };
    check(
        &builder().parquet(parquet).build().unwrap(),
        &expect![[r#"
            layout_out_of_range: layout of `cpg.sample`: zstd level is 23, wanted 1 to 22
            layout_out_of_range: layout of `cpg.sample`: row_group_rows_max is 0, wanted 1 to 16777216
            layout_out_of_range: layout of `cpg.sample`: page_rows_max is 0, wanted 1 to 1048576
            layout_out_of_range: layout of `cpg.sample`: distinct_values_max of column `name` is 0, wanted 1 to 16777216
            layout_out_of_range: layout of `cpg.sample`: false_positives_per_million of column `name` is 1000000, wanted 1 to 500000"#]],
    );
}

#[test]
fn the_fingerprint_sees_bytes_and_not_reasons() {
    let fingerprint = |dataset: &DatasetSpec| layout_of(dataset).unwrap().fingerprint();
    let plain = fingerprint(&declared(&[]));
    let said = ColumnLayout {
        encoding: Some(Encoding::Dictionary),
        ..PLAIN
    };
    assert_eq!(plain, fingerprint(&declared(&[("name", said)])));

    let name: ColumnName = column("name");
    let changes: [fn(&mut ParquetSpec, &ColumnName); 6] = [
        |spec, _| spec.codec = Codec::Snappy,
        |spec, _| spec.row_group_rows_max = 1,
        |spec, _| spec.page_rows_max = 1,
        |spec, name| spec.columns.entry(name.clone()).or_default().encoding = Some(Encoding::Plain),
        |spec, name| {
            spec.columns.entry(name.clone()).or_default().statistics = Some(PageStatistics::None);
        },
        |spec, name| spec.columns.entry(name.clone()).or_default().bloom_filter = Some(BLOOM),
    ];
    let mut seen = vec![plain];
    for change in changes {
        let mut parquet = ParquetSpec::default();
        change(&mut parquet, &name);
        let found = fingerprint(&builder().parquet(parquet).build().unwrap());
        assert!(!seen.contains(&found));
        seen.push(found);
    }
}

fn set(overrides: ParquetOverrides) -> Override<ParquetOverrides> {
    Override::Set(overrides)
}

fn of_column(name: &str, overrides: ColumnOverrides) -> Override<ParquetOverrides> {
    set(ParquetOverrides {
        columns: [(column(name), overrides)].into(),
        ..ParquetOverrides::default()
    })
}

/// A dataset of two columns that says something about each.
fn two_columns() -> DatasetSpec {
    let said = ColumnLayout {
        encoding: Some(Encoding::Plain),
        bloom_filter: Some(BLOOM),
        ..PLAIN
    };
    let parquet = ParquetSpec {
        codec: Codec::Snappy,
        columns: [(column("id"), said), (column("name"), said)].into(),
        ..ParquetSpec::default()
    };
    DatasetSpec::builder("cpg.things", "")
        .column(ossature_schema_spec::ColumnSpec::required("id", ColumnType::Int64).unwrap())
        .column(ossature_schema_spec::ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
        .parquet(parquet)
        .build()
        .unwrap()
}

#[test]
fn places_are_asked_for_each_field_of_each_column() {
    let plain = ColumnOverrides {
        encoding: Override::Clear,
        statistics: Override::Set(PageStatistics::Page),
        ..ColumnOverrides::default()
    };
    let location = of_column(
        "id",
        ColumnOverrides {
            statistics: Override::Set(PageStatistics::None),
            bloom_filter: Override::Clear,
            ..ColumnOverrides::default()
        },
    );
    check_overridden(
        &two_columns(),
        &of_column("id", plain),
        &location,
        &expect![[r#"
            id: DELTA_BINARY_PACKED (small_steps), statistics page (declared_by_request)
            name: PLAIN (declared_by_dataset), statistics row_group (skips_row_groups), bloom filter for 100000 values, 10000 per million (dataset)"#]],
    );
    // The whole layout goes back to its default, whatever the dataset says.
    check_overridden(
        &two_columns(),
        &Override::Inherit,
        &Override::Clear,
        &expect![[r#"
            id: DELTA_BINARY_PACKED (small_steps), statistics row_group (skips_row_groups)
            name: RLE_DICTIONARY (repeats), statistics row_group (skips_row_groups)"#]],
    );
}

#[test]
fn numbers_tell_who_decided_them() {
    let request = set(ParquetOverrides {
        page_rows_max: Override::Set(10),
        ..ParquetOverrides::default()
    });
    let location = set(ParquetOverrides {
        page_rows_max: Override::Set(20),
        row_group_rows_max: Override::Set(30),
        ..ParquetOverrides::default()
    });
    let sources = |request, location| {
        let Decided { value, source } =
            resolve_layout(&two_columns(), &[], request, location).unwrap();
        format!(
            "{source}: {} {}, {} {}, {} {}",
            value.codec,
            value.codec_source,
            value.row_group_rows_max,
            value.row_group_rows_max_source,
            value.page_rows_max,
            value.page_rows_max_source
        )
    };
    expect!["request: snappy dataset, 30 location, 10 request"]
        .assert_eq(&sources(&request, &location));
    expect!["location: snappy dataset, 30 location, 20 location"]
        .assert_eq(&sources(&Override::Inherit, &location));
    let silent = set(ParquetOverrides::default());
    expect!["dataset: snappy dataset, 262144 default, 20000 default"]
        .assert_eq(&sources(&silent, &Override::Inherit));
    expect!["request: zstd(1) request, 262144 request, 20000 request"]
        .assert_eq(&sources(&Override::Clear, &location));
    let undeclared = builder().build().unwrap();
    let layout = resolve_layout(&undeclared, &[], &silent, &silent).unwrap();
    assert_eq!(layout.source, Source::Default);
}

#[test]
fn one_level_of_statistics_is_for_every_column_that_can_have_it() {
    let request = set(ParquetOverrides {
        statistics: Override::Set(PageStatistics::None),
        columns: [(
            column("name"),
            ColumnOverrides {
                statistics: Override::Set(PageStatistics::RowGroup),
                ..ColumnOverrides::default()
            },
        )]
        .into(),
        ..ParquetOverrides::default()
    });
    check_overridden(
        &declared(&[]),
        &request,
        &Override::Inherit,
        &expect![[r#"
        node_id: DELTA_BINARY_PACKED (small_steps), statistics none (declared_by_request)
        position: DELTA_BINARY_PACKED (small_steps), statistics none (declared_by_request)
        level: RLE_DICTIONARY (repeats), statistics none (declared_by_request)
        name: RLE_DICTIONARY (repeats), statistics row_group (declared_by_request)
        weight: RLE_DICTIONARY (repeats), statistics none (not_a_number)
        seen: RLE_DICTIONARY (repeats), statistics none (declared_by_request)
        price: PLAIN (opaque), statistics none (declared_by_request)
        ratio: RLE_DICTIONARY (repeats), statistics none (declared_by_request)
        is_new: PLAIN (bits), statistics none (declared_by_request)
        payload: PLAIN (opaque), statistics none (opaque)
        span.bstart: DELTA_BINARY_PACKED (small_steps), statistics none (declared_by_request)
        span.bend: DELTA_BINARY_PACKED (small_steps), statistics none (declared_by_request)
        tags.list.element: RLE_DICTIONARY (repeats), statistics none (repeated)
        props.key_value.key: RLE_DICTIONARY (repeats), statistics none (repeated)
        props.key_value.value: RLE_DICTIONARY (repeats), statistics none (repeated)"#]],
    );
}

#[test]
fn dictionaries_are_tried_or_not_and_the_type_decides_the_rest() {
    let dictionary = |is_tried| ColumnLayout {
        dictionary: Some(is_tried),
        ..PLAIN
    };
    check(
        &declared(&[
            ("node_id", dictionary(true)),
            ("level", dictionary(false)),
            ("name", dictionary(false)),
            ("seen", dictionary(false)),
            ("ratio", dictionary(false)),
            ("tags", dictionary(false)),
        ]),
        &expect![[r#"
            node_id: RLE_DICTIONARY (declared_by_dataset), statistics page (leading_sort_key)
            position: DELTA_BINARY_PACKED (small_steps), statistics row_group (skips_row_groups)
            level: DELTA_BINARY_PACKED (declared_by_dataset), statistics row_group (skips_row_groups)
            name: DELTA_LENGTH_BYTE_ARRAY (declared_by_dataset), statistics row_group (skips_row_groups)
            weight: RLE_DICTIONARY (repeats), statistics none (not_a_number)
            seen: DELTA_BINARY_PACKED (declared_by_dataset), statistics row_group (skips_row_groups)
            price: PLAIN (opaque), statistics row_group (skips_row_groups)
            ratio: PLAIN (declared_by_dataset), statistics row_group (skips_row_groups)
            is_new: PLAIN (bits), statistics row_group (skips_row_groups)
            payload: PLAIN (opaque), statistics none (opaque)
            span.bstart: DELTA_BINARY_PACKED (small_steps), statistics row_group (skips_row_groups)
            span.bend: DELTA_BINARY_PACKED (small_steps), statistics row_group (skips_row_groups)
            tags.list.element: DELTA_LENGTH_BYTE_ARRAY (declared_by_dataset), statistics none (repeated)
            props.key_value.key: RLE_DICTIONARY (repeats), statistics none (repeated)
            props.key_value.value: RLE_DICTIONARY (repeats), statistics none (repeated)"#]],
    );
    check(
        &declared(&[("is_new", dictionary(true)), ("price", dictionary(true))]),
        &expect![[r#"
            layout_mismatch: `price` of type decimal(20,2) cannot have a dictionary: byte strings of one length have no dictionary
            layout_mismatch: `is_new` of type boolean cannot have a dictionary: a bit is shorter than any reference"#]],
    );
    // A stronger place decides the same matter with other words.
    let encoding = ColumnOverrides {
        encoding: Override::Set(Encoding::Dictionary),
        ..ColumnOverrides::default()
    };
    let of_name = |request: &Override<ParquetOverrides>, location: &Override<ParquetOverrides>| {
        let dataset = declared(&[("name", dictionary(false))]);
        let layout = resolve_layout(&dataset, &[], request, location).unwrap();
        layout.value.leaves[3].to_string()
    };
    expect!["name: RLE_DICTIONARY (declared_by_request), statistics row_group (skips_row_groups)"]
        .assert_eq(&of_name(&of_column("name", encoding), &Override::Inherit));
    let off = ColumnOverrides {
        dictionary: Override::Set(false),
        ..ColumnOverrides::default()
    };
    expect!["name: DELTA_LENGTH_BYTE_ARRAY (declared_by_request), statistics row_group (skips_row_groups)"].assert_eq(&of_name(
        &of_column("name", off),
        &of_column("name", encoding),
    ));
}

#[test]
fn columns_without_a_layout_are_refused() {
    let bloom = ColumnOverrides {
        bloom_filter: Override::Set(BLOOM),
        ..ColumnOverrides::default()
    };
    let both = ColumnOverrides {
        encoding: Override::Set(Encoding::Plain),
        dictionary: Override::Set(true),
        ..ColumnOverrides::default()
    };
    let request = set(ParquetOverrides {
        columns: [
            (column("gone"), bloom),
            (column("kind"), bloom),
            (column("name"), both),
        ]
        .into(),
        ..ParquetOverrides::default()
    });
    check_overridden(
        &declared(&[]),
        &request,
        &Override::Inherit,
        &expect![[r#"
        layout_column: layout of `cpg.sample`: column `gone` is refused: the dataset declares no such column
        layout_column: layout of `cpg.sample`: column `kind` is refused: it is a partition column, which no file holds
        layout_column: layout of `cpg.sample`: column `name` is refused: one place decides its encoding and its dictionary; decide one of the two"#]],
    );
    // A dataset that lays its partition column out is wrong too.
    let location = of_column("lost", bloom);
    check_overridden(
        &declared(&[("kind", PLAIN)]),
        &Override::Inherit,
        &location,
        &expect![[r#"
            layout_column: layout of `cpg.sample`: column `kind` is refused: it is a partition column, which no file holds
            layout_column: layout of `cpg.sample`: column `lost` is refused: the dataset declares no such column"#]],
    );
}

#[test]
fn numbers_have_upper_bounds_too() {
    let request = set(ParquetOverrides {
        codec: Override::Set(Codec::Zstd(0)),
        row_group_rows_max: Override::Set(ROW_GROUP_ROWS_MAX + 1),
        page_rows_max: Override::Set(PAGE_ROWS_MAX + 1),
        columns: [(
            column("name"),
            ColumnOverrides {
                bloom_filter: Override::Set(BloomFilter {
                    distinct_values_max: DISTINCT_VALUES_MAX + 1,
                    false_positives_per_million: 500_001,
                }),
                ..ColumnOverrides::default()
            },
        )]
        .into(),
        ..ParquetOverrides::default()
    });
    check_overridden(
        &declared(&[]),
        &request,
        &Override::Inherit,
        &expect![[r#"
        layout_out_of_range: layout of `cpg.sample`: zstd level is 0, wanted 1 to 22
        layout_out_of_range: layout of `cpg.sample`: row_group_rows_max is 16777217, wanted 1 to 16777216
        layout_out_of_range: layout of `cpg.sample`: page_rows_max is 1048577, wanted 1 to 1048576
        layout_out_of_range: layout of `cpg.sample`: distinct_values_max of column `name` is 16777217, wanted 1 to 16777216
        layout_out_of_range: layout of `cpg.sample`: false_positives_per_million of column `name` is 500001, wanted 1 to 500000"#]],
    );
    let largest = set(ParquetOverrides {
        codec: Override::Set(Codec::Zstd(22)),
        row_group_rows_max: Override::Set(ROW_GROUP_ROWS_MAX),
        page_rows_max: Override::Set(PAGE_ROWS_MAX),
        ..ParquetOverrides::default()
    });
    assert!(resolve_layout(&declared(&[]), &[], &largest, &Override::Inherit).is_ok());
}

#[test]
fn clustered_columns_keep_bounds_of_pages() {
    let dataset = builder().order_by([]).build().unwrap();
    let clustered = columns("position weight name");
    let layout = resolve_layout(&dataset, &clustered, &Override::Inherit, &Override::Inherit);
    let leaves: Vec<String> = layout
        .unwrap()
        .value
        .leaves
        .iter()
        .filter(|leaf| clustered.iter().any(|name| leaf.path == [name.as_str()]))
        .map(ToString::to_string)
        .collect();
    expect![[r#"
        position: DELTA_BINARY_PACKED (small_steps), statistics page (clustered)
        name: RLE_DICTIONARY (repeats), statistics page (clustered)
        weight: RLE_DICTIONARY (repeats), statistics none (not_a_number)"#]]
    .assert_eq(&leaves.join("\n"));
}
