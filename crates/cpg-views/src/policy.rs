//! What each of the graph's tables wants of Delta and of its files: one declaration for each, with the reason.
//!
//! `docs/tables.md` is generated from these declarations.

use std::num::NonZeroU64;

use ossature_delta_policy::{StatsPolicy, TablePolicy};
use ossature_schema_spec::{
    BloomFilter, ColumnLayout, ColumnName, DatasetName, DatasetSpec, Error, PageStatistics,
    ParquetSpec,
};

/// A quarter of a million rows: a file is the unit that memory is spent on and that a change rewrites.
const ROWS_PER_FILE_MAX: NonZeroU64 = NonZeroU64::MIN.saturating_add((1 << 18) - 1);

/// Columns whose bounds are in the log, at most: those of the order and the key, then those that most is read by.
const STATISTICS_MAX: u32 = 8;

/// How one table is kept, and why.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Keeping {
    /// The dataset, as `stage.table`.
    pub dataset: &'static str,
    /// How the table is read.
    pub read: &'static str,
    /// Why it is kept as it is.
    pub why: &'static str,
    /// Columns whose bounds find files, as `why` says: the order, the key and the readers have to lead to them. Empty where
    /// bounds find nothing.
    pub statistics: &'static [&'static str],
    layout: &'static [(&'static str, ColumnLayout)],
}

impl Keeping {
    /// The policy.
    pub fn policy(&self) -> TablePolicy {
        TablePolicy::default()
            .rows_per_file_max(ROWS_PER_FILE_MAX)
            .statistics(if self.statistics.is_empty() {
                StatsPolicy::Off
            } else {
                StatsPolicy::Auto {
                    columns_max: STATISTICS_MAX,
                }
            })
    }

    /// How the files are encoded, as far as types and order do not decide it.
    pub fn layout(&self) -> ParquetSpec {
        let columns = self.layout.iter();
        ParquetSpec {
            columns: columns
                .filter_map(|(it, layout)| Some((name(it)?, *layout)))
                .collect(),
            ..ParquetSpec::default()
        }
    }
}

/// The names stand in this file, and a test looks each of them up.
fn name(column: &str) -> Option<ColumnName> {
    ColumnName::try_new(column).ok()
}

const UNSAID: ColumnLayout = ColumnLayout {
    encoding: None,
    dictionary: None,
    statistics: None,
    bloom_filter: None,
};

/// For columns that are looked up by equality and that the rows are not ordered by.
///
/// As many values as a row group has rows; a filter is folded to what it holds. One answer in a hundred is wrong, which
/// costs a needless row group.
const LOOKED_UP: ColumnLayout = ColumnLayout {
    bloom_filter: Some(BloomFilter {
        distinct_values_max: 131_072,
        false_positives_per_million: 10_000,
    }),
    ..UNSAID
};

/// For text that seldom repeats, such as digests and prose: a dictionary would be given up, and bounds skip nothing.
const SELDOM_REPEATS: ColumnLayout = ColumnLayout {
    dictionary: Some(false),
    statistics: Some(PageStatistics::None),
    ..UNSAID
};

/// For columns that rows are ordered by after one that is nearly always the same.
const ORDERED_NEXT: ColumnLayout = ColumnLayout {
    statistics: Some(PageStatistics::Page),
    ..UNSAID
};

/// For the few kinds that a column tells apart.
const KIND: ColumnLayout = ColumnLayout {
    dictionary: Some(true),
    ..UNSAID
};

const BY_VIEWS: &str = "whole, by views; by ranges of ids, where files changed";
const ONE_FILE_IS_ONE_RANGE: &str = "All ids of a source file lie in one range, so bounds of the leading id find its rows; those of other columns, \
     which readers compare, find little more.";
const BY_QUERY: &str = "whole, by views";
const KEYED_BY_TEXT: &str =
    "Ordered by the text of a query, which nobody looks for: bounds would skip nothing.";

const fn extracted(
    dataset: &'static str,
    statistics: &'static [&'static str],
    layout: &'static [(&'static str, ColumnLayout)],
) -> Keeping {
    Keeping {
        dataset,
        read: BY_VIEWS,
        why: ONE_FILE_IS_ONE_RANGE,
        statistics,
        layout,
    }
}

const fn meanings(dataset: &'static str) -> Keeping {
    Keeping {
        dataset,
        read: BY_QUERY,
        why: KEYED_BY_TEXT,
        statistics: &[],
        layout: &[],
    }
}

/// Every table that is written, in the order of stages and names.
pub const KEEPING: &[Keeping] = &[
    extracted(
        "extract.arguments",
        &["call_id"],
        &[("argument_kind", KIND)],
    ),
    extracted(
        "extract.bindings",
        &["binding_id"],
        &[("binding_kind", KIND)],
    ),
    extracted("extract.calls", &["node_id"], &[("callee_shape", KIND)]),
    extracted("extract.class_bases", &["class_id"], &[]),
    extracted(
        "extract.definitions",
        &["node_id"],
        &[("definition_kind", KIND)],
    ),
    extracted("extract.diagnostics", &["node_id"], &[]),
    extracted(
        "extract.docstrings",
        &["node_id"],
        &[("text", SELDOM_REPEATS), ("summary", SELDOM_REPEATS)],
    ),
    extracted("extract.exports", &["file_id"], &[("export_kind", KIND)]),
    Keeping {
        why: "One row per source file, so small that a path is found by reading it; digests never repeat.",
        ..extracted(
            "extract.files",
            &["file_id"],
            &[
                ("sha256", SELDOM_REPEATS),
                ("interface_hash", SELDOM_REPEATS),
            ],
        )
    },
    extracted("extract.imports", &["node_id"], &[("import_kind", KIND)]),
    extracted("extract.nodes", &["node_id"], &[("node_kind", KIND)]),
    extracted(
        "extract.parameters",
        &["node_id"],
        &[("parameter_kind", KIND)],
    ),
    extracted("extract.references", &["node_id"], &[]),
    extracted("extract.scopes", &["scope_id"], &[("scope_kind", KIND)]),
    Keeping {
        dataset: "normalize.call_candidates",
        read: "whole, by views; by the call",
        why: ONE_FILE_IS_ONE_RANGE,
        statistics: &["node_id"],
        layout: &[("symbol_kind", KIND)],
    },
    meanings("normalize.call_meanings"),
    Keeping {
        dataset: "normalize.class_mro",
        read: "whole, by views; by the class",
        why: "Ids of symbols are digests: bounds of the leading id find a class, those of ancestors little.",
        statistics: &["class_id"],
        layout: &[],
    },
    Keeping {
        dataset: "normalize.external_symbols",
        read: "whole, by views; by the symbol",
        why: "Ordered by the symbol.",
        statistics: &["symbol_id"],
        layout: &[],
    },
    meanings("normalize.import_meanings"),
    Keeping {
        dataset: "normalize.resolved_bases",
        read: "whole, by views; by the class",
        why: "Ordered by the class.",
        statistics: &["class_id"],
        layout: &[],
    },
    Keeping {
        dataset: "normalize.resolved_imports",
        read: "whole, by views; by the import",
        why: ONE_FILE_IS_ONE_RANGE,
        statistics: &["node_id"],
        layout: &[("symbol_kind", KIND)],
    },
    Keeping {
        dataset: "normalize.symbols",
        read: "whole, by views; by the symbol",
        why: "Ordered by the symbol.",
        statistics: &["symbol_id"],
        layout: &[("symbol_kind", KIND)],
    },
    Keeping {
        dataset: "cpg.calls",
        read: "by the call; whole, by status",
        why: "Every file has calls of every status, so bounds of the call skip most.",
        statistics: &["node_id"],
        layout: &[("status", KIND), ("method", KIND)],
    },
    Keeping {
        dataset: "cpg.cpg_edges",
        read: "by the source, in its order; by the destination; by ranges of ids, for one file",
        why: "Ordered by the source. A local edge ends in its own file, which bounds of the destination find; a linked one \
              ends at a symbol, whose id is a digest that only a bloom filter finds.",
        statistics: &["src_node_id", "dst_node_id"],
        layout: &[("edge_kind", KIND), ("dst_node_id", LOOKED_UP)],
    },
    Keeping {
        dataset: "cpg.cpg_edges_by_dst",
        read: "by the node, one row at a time",
        why: "Ordered by the node.",
        statistics: &["node_id"],
        layout: &[],
    },
    Keeping {
        dataset: "cpg.cpg_edges_by_src",
        read: "by the node, one row at a time",
        why: "Ordered by the node.",
        statistics: &["node_id"],
        layout: &[],
    },
    Keeping {
        dataset: "cpg.cpg_nodes",
        read: "by the node; by ranges of ids, for one file or one subtree; by the qualified name, where queries begin",
        why: "Ordered by the node, and files and parents lie in the same range. Qualified names are in no order, and most \
              rows have none, so a filter of them is small.",
        statistics: &["node_id", "file_id", "parent_id"],
        layout: &[("node_kind", KIND), ("qualified_name", LOOKED_UP)],
    },
    Keeping {
        dataset: "cpg.cpg_props",
        read: "by the node; whole, by the key of a property",
        why: "Ordered by the node: every file has properties of every key, so bounds of the node skip most.",
        statistics: &["entity_kind", "entity_id"],
        layout: &[
            ("entity_kind", KIND),
            ("entity_id", ORDERED_NEXT),
            ("prop_key", KIND),
            ("value_type", KIND),
        ],
    },
    Keeping {
        dataset: "cpg.cpg_props_map",
        read: "by the node, one row at a time",
        why: "Ordered by the node.",
        statistics: &["entity_kind", "entity_id"],
        layout: &[("entity_kind", KIND), ("entity_id", ORDERED_NEXT)],
    },
];

fn keeping(dataset: &DatasetName) -> Option<&'static Keeping> {
    KEEPING.iter().find(|it| it.dataset == dataset.as_str())
}

/// How the table of a dataset is kept, whether the extractor's or the graph's.
pub fn policy(dataset: &DatasetName) -> TablePolicy {
    keeping(dataset).map_or_else(TablePolicy::default, Keeping::policy)
}

/// The dataset with files that are encoded as its declaration here says.
pub(crate) fn laid_out(dataset: DatasetSpec) -> Result<DatasetSpec, Error> {
    match keeping(dataset.name()) {
        Some(keeping) => dataset.with_parquet(keeping.layout()),
        None => Ok(dataset),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ossature_delta_policy::{PolicyOverrides, resolve};
    use ossature_view_graph::Materialization;

    use super::*;
    use crate::{sources, views};

    fn written() -> Vec<DatasetSpec> {
        let views = views().unwrap();
        let tables = views
            .iter()
            .filter(|it| it.materialization() == Materialization::Table);
        let tables = tables.map(|view| view.contract().clone());
        sources().unwrap().into_iter().chain(tables).collect()
    }

    #[test]
    fn every_table_is_declared_and_every_declaration_has_a_table() {
        let names: BTreeSet<String> = written().iter().map(|it| it.name().to_string()).collect();
        let kept: BTreeSet<String> = KEEPING.iter().map(|it| it.dataset.to_owned()).collect();
        assert_eq!(names, kept);
        assert_eq!(kept.len(), KEEPING.len());
    }

    #[test]
    fn every_declaration_fits_its_table() {
        let none = PolicyOverrides::none();
        for dataset in written() {
            let keeping = keeping(dataset.name()).unwrap();
            let policy = resolve(&none, &none, &dataset, &keeping.policy(), &[]);
            let policy = policy.unwrap_or_else(|errors| panic!("{}: {errors}", dataset.name()));
            assert_eq!(policy.warnings, [], "{}", dataset.name());
            assert_eq!(*dataset.parquet(), keeping.layout());
            assert_eq!(keeping.layout().columns.len(), keeping.layout.len());
        }
    }

    #[test]
    fn nothing_is_looked_up_that_the_rows_are_ordered_by() {
        for dataset in written() {
            let leading = &dataset.order()[0].column;
            let layout = dataset.parquet().columns.get(leading);
            assert!(
                layout.is_none_or(|it| it.bloom_filter.is_none()),
                "{}",
                dataset.name()
            );
        }
    }
}
