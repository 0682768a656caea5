//! Every reason to leave a column out, and what holds for any choice.

use expect_test::{Expect, expect};
use ossature_schema_spec::{ColumnLayout, ColumnSpec, ColumnType, ParquetSpec};
use proptest::prelude::*;

use super::*;
use crate::sample::{builder, column, columns, dataset, used};
use crate::{Override, resolve_layout};

/// As `select`, with the layout that the dataset declares.
fn select(
    policy: StatsPolicy,
    dataset: &DatasetSpec,
    cluster_by: &[ColumnName],
    lineage: &[ColumnName],
    errors: &mut Vec<Error>,
) -> StatsDecision {
    let nothing = Override::Inherit;
    let layout = resolve_layout(dataset, cluster_by, &nothing, &nothing).unwrap();
    super::select(
        policy,
        dataset,
        cluster_by,
        &layout.value,
        &used(lineage),
        errors,
    )
}

#[track_caller]
fn check(policy: StatsPolicy, dataset: &DatasetSpec, lineage: &str, want: &Expect) {
    check_clustered(policy, dataset, "", lineage, want);
}

#[track_caller]
fn check_clustered(
    policy: StatsPolicy,
    dataset: &DatasetSpec,
    cluster_by: &str,
    lineage: &str,
    want: &Expect,
) {
    let mut errors = Vec::new();
    let cluster_by = columns(cluster_by);
    let decision = select(policy, dataset, &cluster_by, &columns(lineage), &mut errors);
    let chosen: Vec<&str> = decision.columns.iter().map(ColumnName::as_str).collect();
    let dropped = decision
        .dropped
        .iter()
        .map(|it| format!("\n- {}: {}", it.column, it.reason));
    let errors = errors
        .iter()
        .map(|error| format!("\n! {}: {error}", error.code()));
    let text = dropped.chain(errors).collect::<String>();
    want.assert_eq(&format!("[{}]{text}", chosen.join(" ")));
}

fn lenient(names: &str) -> StatsPolicy {
    StatsPolicy::ExplicitLenient(columns(names))
}

fn explicit(names: &str) -> StatsPolicy {
    StatsPolicy::Explicit(columns(names))
}

fn auto(columns_max: u32) -> StatsPolicy {
    StatsPolicy::Auto { columns_max }
}

#[test]
fn automatic_candidates_are_partition_order_key_and_lineage() {
    check(
        auto(32),
        &dataset(),
        "",
        &expect![[r#"
        [node_id position]
        - kind: partition_column"#]],
    );
    check(
        auto(32),
        &dataset(),
        "name level node_id",
        &expect![[r#"
            [node_id position level name]
            - kind: partition_column"#]],
    );
}

#[test]
fn columns_that_the_table_lacks_are_dropped_when_lineage_names_them() {
    check(
        auto(32),
        &dataset(),
        "zeta alpha name",
        &expect![[r#"
        [node_id position name]
        - kind: partition_column
        - alpha: not_in_schema
        - zeta: not_in_schema"#]],
    );
}

#[test]
fn types_without_correct_bounds_are_dropped() {
    check(
        auto(32),
        &dataset(),
        "level weight seen price ratio is_new payload span tags props",
        &expect![[r#"
            [node_id position level]
            - kind: partition_column
            - weight: may_hold_nan
            - seen: no_exact_bounds
            - price: no_exact_bounds
            - ratio: no_exact_bounds
            - is_new: unsupported_type
            - payload: unsupported_type
            - span: unsupported_type
            - tags: unsupported_type
            - props: unsupported_type"#]],
    );
}

#[test]
fn the_cap_counts_only_columns_that_get_statistics() {
    check(
        auto(3),
        &dataset(),
        "name weight is_new level",
        &expect![[r#"
            [node_id position level]
            - kind: partition_column
            - name: over_cap
            - weight: may_hold_nan
            - is_new: unsupported_type"#]],
    );
    check(
        auto(0),
        &dataset(),
        "",
        &expect![[r#"
        []
        - kind: partition_column
        - node_id: over_cap
        - position: over_cap"#]],
    );
}

#[test]
fn a_name_that_a_list_repeats_is_a_duplicate() {
    check(
        lenient("name node_id name name"),
        &dataset(),
        "",
        &expect![[r#"
            [node_id name]
            - name: duplicate
            - name: duplicate"#]],
    );
    check(
        auto(32),
        &dataset(),
        "name name node_id node_id",
        &expect![[r#"
            [node_id position name]
            - kind: partition_column"#]],
    );
}

#[test]
fn explicit_columns_have_no_cap_and_come_in_schema_order() {
    check(
        explicit("name level position node_id"),
        &dataset(),
        "payload",
        &expect!["[node_id position level name]"],
    );
    let names: Vec<String> = (0..100).map(|number| format!("c{number:02}")).collect();
    let wide = names.iter().fold(builder(), |wide, name| {
        wide.column(ColumnSpec::nullable(name, ColumnType::Int64).unwrap())
    });
    let wide = wide.build().unwrap();
    let asked = explicit(&names.join(" "));
    let decision = select(asked, &wide, &[], &[], &mut Vec::new());
    let found: Vec<&str> = decision.columns.iter().map(ColumnName::as_str).collect();
    assert_eq!(found, names);
}

#[test]
fn explicit_columns_that_cannot_be_are_errors() {
    check(
        explicit(""),
        &dataset(),
        "",
        &expect![[r#"
        []
        ! no_statistics_columns: `cpg.sample` asks for statistics on named columns, but names none"#]],
    );
    check(
        explicit("zeta name alpha zeta kind weight seen payload"),
        &dataset(),
        "",
        &expect![[r#"
            [name]
            - kind: partition_column
            - weight: may_hold_nan
            - seen: no_exact_bounds
            - payload: unsupported_type
            - alpha: not_in_schema
            - zeta: not_in_schema
            - zeta: duplicate
            ! statistics_refused: `cpg.sample` asks for statistics on column `kind`, which gets none: it is a partition column, whose values are in the log anyway
            ! statistics_refused: `cpg.sample` asks for statistics on column `weight`, which gets none: it may hold NaN, which bounds leave out
            ! statistics_refused: `cpg.sample` asks for statistics on column `seen`, which gets none: the log keeps no exact bounds of its type
            ! statistics_refused: `cpg.sample` asks for statistics on column `payload`, which gets none: its type has no bounds that skip files
            ! unknown_statistics_column: `cpg.sample` asks for statistics on column `alpha`, but declares no such column
            ! unknown_statistics_column: `cpg.sample` asks for statistics on column `zeta`, but declares no such column
            ! statistics_refused: `cpg.sample` asks for statistics on column `zeta`, which gets none: it is named twice"#]],
    );
}

#[test]
fn explicit_columns_that_need_not_be_are_dropped_with_a_reason() {
    check(
        lenient("zeta name alpha zeta kind weight seen payload price"),
        &dataset(),
        "",
        &expect![[r#"
            [name]
            - kind: partition_column
            - weight: may_hold_nan
            - seen: no_exact_bounds
            - price: no_exact_bounds
            - payload: unsupported_type
            - alpha: not_in_schema
            - zeta: not_in_schema
            - zeta: duplicate"#]],
    );
    check(lenient(""), &dataset(), "", &expect!["[]"]);
}

#[test]
fn clustered_columns_come_right_after_partition_columns() {
    let dataset = builder().order_by([]).build().unwrap();
    check_clustered(
        auto(2),
        &dataset,
        "name level",
        "position",
        &expect![[r#"
        [level name]
        - kind: partition_column
        - node_id: over_cap
        - position: over_cap"#]],
    );
}

#[test]
fn off_is_off() {
    check(StatsPolicy::Off, &dataset(), "name", &expect!["[]"]);
}

#[test]
fn a_column_without_bounds_in_its_files_has_none_in_the_log() {
    let layout = ColumnLayout {
        statistics: Some(PageStatistics::None),
        ..ColumnLayout::default()
    };
    let parquet = ParquetSpec {
        columns: [(column("name"), layout)].into(),
        ..ParquetSpec::default()
    };
    let dataset = builder().parquet(parquet).build().unwrap();
    check(
        auto(32),
        &dataset,
        "name",
        &expect![[r#"
        [node_id position]
        - kind: partition_column
        - name: no_file_statistics"#]],
    );
}

fn names() -> impl Strategy<Value = Vec<ColumnName>> {
    let mut all: Vec<ColumnName> = dataset()
        .columns()
        .iter()
        .map(|column| column.name().clone())
        .collect();
    all.extend(columns("gone lost"));
    proptest::collection::vec(proptest::sample::select(all), 0..12)
}

proptest! {
    #[test]
    fn the_choice_is_a_capped_subset_of_the_schema_in_its_order(
        lineage in names(),
        columns_max in 0..8_u32,
    ) {
        let dataset = dataset();
        let decision = select(auto(columns_max), &dataset, &[], &lineage, &mut Vec::new());
        let places: Vec<usize> = decision
            .columns
            .iter()
            .map(|name| dataset.columns().iter().position(|it| it.name() == name).unwrap())
            .collect();
        prop_assert!(places.is_sorted_by(|a, b| a < b));
        prop_assert!(places.len() <= usize::try_from(columns_max).unwrap());
        for name in &decision.columns {
            prop_assert!(dataset.column(name).unwrap().column_type().has_min_max());
            prop_assert!(!dataset.partition().contains(name));
        }
    }

    #[test]
    fn every_name_is_chosen_or_dropped_with_a_reason(lineage in names()) {
        let decision = select(auto(2), &dataset(), &[], &lineage, &mut Vec::new());
        for name in &lineage {
            let is_dropped = decision.dropped.iter().any(|it| it.column == *name);
            prop_assert!(is_dropped || decision.columns.contains(name), "{}", name);
        }
    }

    #[test]
    fn the_order_of_names_changes_nothing(
        (lineage, shuffled) in names().prop_flat_map(|names| {
            (Just(names.clone()), Just(names).prop_shuffle())
        }),
        columns_max in 0..8_u32,
    ) {
        for (one, other) in [
            (auto(columns_max), auto(columns_max)),
            (StatsPolicy::Explicit(lineage.clone()), StatsPolicy::Explicit(shuffled.clone())),
            (StatsPolicy::ExplicitLenient(lineage.clone()), StatsPolicy::ExplicitLenient(shuffled.clone())),
        ] {
            let one = select(one, &dataset(), &[], &lineage, &mut Vec::new());
            let other = select(other, &dataset(), &[], &shuffled, &mut Vec::new());
            prop_assert_eq!(one.columns, other.columns);
            prop_assert_eq!(one.dropped, other.dropped);
        }
    }
}

#[test]
fn what_more_depends_on_comes_first_however_it_was_found() {
    let dataset = dataset();
    let of = |column: &str, score| UsedColumn {
        column: ColumnName::try_new(column).unwrap(),
        score,
        roles: BTreeMap::new(),
    };
    let nothing = Override::Inherit;
    let layout = resolve_layout(&dataset, &[], &nothing, &nothing).unwrap();
    let decide = |used: &[UsedColumn]| {
        super::select(
            auto(32),
            &dataset,
            &[],
            &layout.value,
            used,
            &mut Vec::new(),
        )
    };
    let decision = decide(&[
        of("name", 3),
        of("position", 3),
        of("gone", 1),
        of("level", 7),
    ]);
    let ranked: Vec<&str> = decision.used.iter().map(|it| it.column.as_str()).collect();
    let places = |a: &str, b: &str| {
        let place = |it: &str| {
            dataset
                .columns()
                .iter()
                .position(|c| c.name().as_str() == it)
        };
        place(a) < place(b)
    };
    let tied = if places("name", "position") {
        ["name", "position"]
    } else {
        ["position", "name"]
    };
    assert_eq!(ranked, ["level", tied[0], tied[1], "gone"]);
    let shuffled = decide(&[
        of("gone", 1),
        of("level", 7),
        of("position", 3),
        of("name", 3),
    ]);
    assert_eq!(decision, shuffled);
}
