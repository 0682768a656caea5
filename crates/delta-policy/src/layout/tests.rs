//! What every kind of column gets, what a dataset may change, and what it may not.

use expect_test::{Expect, expect};
use ossature_schema_spec::ColumnName;

use super::*;
use crate::sample::{builder, column};

#[track_caller]
fn check(dataset: &DatasetSpec, want: &Expect) {
    let lines = match resolve_layout(dataset) {
        Ok(layout) => layout
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
    let leaves: Vec<String> = resolve_layout(&dataset)
        .unwrap()
        .leaves
        .iter()
        .filter(|leaf| leaf.encoding_reason == LayoutReason::Declared)
        .map(ToString::to_string)
        .collect();
    expect![[r#"
        node_id: PLAIN (declared), statistics row_group (declared), bloom filter for 100000 values, 10000 per million
        name: DELTA_BYTE_ARRAY (declared), statistics page (declared)
        tags.list.element: DELTA_LENGTH_BYTE_ARRAY (declared), statistics none (repeated)"#]].assert_eq(&leaves.join("\n"));
}

#[test]
fn the_first_sort_key_that_is_in_the_files_leads() {
    let leading = |dataset: DatasetSpec| {
        resolve_layout(&dataset)
            .unwrap()
            .leaves
            .iter()
            .filter(|leaf| leaf.statistics == PageStatistics::Page)
            .map(|leaf| leaf.path.join("."))
            .collect::<Vec<_>>()
    };
    let of = |keys: [&str; 2]| leading(builder().order_by(keys).build().unwrap());
    assert_eq!(of(["kind", "name"]), ["name"]);
    assert_eq!(of(["weight", "name"]), [""; 0]);
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
            layout_out_of_range: layout of `cpg.sample`: row_group_rows_max is 0, wanted 1 or more
            layout_out_of_range: layout of `cpg.sample`: page_rows_max is 0, wanted 1 or more
            layout_out_of_range: layout of `cpg.sample`: distinct_values_max of column `name` is 0, wanted 1 or more
            layout_out_of_range: layout of `cpg.sample`: false_positives_per_million of column `name` is 1000000, wanted 1 to 500000"#]],
    );
}

#[test]
fn the_fingerprint_sees_bytes_and_not_reasons() {
    let fingerprint = |dataset: &DatasetSpec| resolve_layout(dataset).unwrap().fingerprint();
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
