//! What rows may be clustered by.

use expect_test::{Expect, expect};

use super::*;
use crate::sample::{builder, columns, dataset};

#[track_caller]
fn check_dataset(dataset: &DatasetSpec, names: &str, want: &Expect) {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    check(dataset, &columns(names), &mut errors, &mut warnings);
    let errors = errors.iter().map(|error| {
        let hint = error
            .hint()
            .map_or(String::new(), |hint| format!(" ({hint})"));
        format!("{}: {error}{hint}", error.code())
    });
    let warnings = warnings.iter().map(|it| format!("warning {}", it.code()));
    let lines: Vec<String> = errors.chain(warnings).collect();
    want.assert_eq(&lines.join("\n"));
}

fn unordered() -> DatasetSpec {
    builder().order_by([]).build().unwrap()
}

#[test]
fn rows_are_clustered_by_two_to_eight_columns_of_plain_types() {
    check_dataset(&unordered(), "", &expect![""]);
    check_dataset(&unordered(), "node_id position", &expect![""]);
    let eight = "node_id position level weight seen price is_new payload";
    check_dataset(&unordered(), eight, &expect![""]);
    check_dataset(
        &unordered(),
        "node_id",
        &expect![
            "cluster_count: `cpg.sample` is to be clustered by 1 columns, wanted 2 to 8 (declare an order by that column instead)"
        ],
    );
    check_dataset(
        &unordered(),
        &format!("{eight} ratio"),
        &expect![
            "cluster_count: `cpg.sample` is to be clustered by 9 columns, wanted 2 to 8 (keep those that queries filter by most)"
        ],
    );
}

#[test]
fn texts_are_warned_of() {
    check_dataset(
        &unordered(),
        "name level",
        &expect!["warning text_clustered"],
    );
}

#[test]
fn columns_that_have_no_rank_are_refused_each() {
    check_dataset(
        &unordered(),
        "kind gone span tags props level level",
        &expect![[r#"
            cluster_column: `cpg.sample` cannot be clustered by column `kind`: it is a partition column, which rows are split by already
            cluster_column: `cpg.sample` cannot be clustered by column `gone`: the dataset declares no such column
            cluster_column: `cpg.sample` cannot be clustered by column `span`: values of its type have no rank
            cluster_column: `cpg.sample` cannot be clustered by column `tags`: values of its type have no rank
            cluster_column: `cpg.sample` cannot be clustered by column `props`: values of its type have no rank
            cluster_column: `cpg.sample` cannot be clustered by column `level`: it is named twice"#]],
    );
}

#[test]
fn an_order_is_a_layout_of_its_own() {
    check_dataset(
        &dataset(),
        "level name",
        &expect![[r#"
        cluster_with_order: `cpg.sample` has a declared order and is to be clustered: rows have one layout, not two (leave the clustering out, or declare no order)
        warning text_clustered"#]],
    );
    check_dataset(&dataset(), "", &expect![""]);
}
