//! What holds of every file, whatever is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ossature_python_extract::{Dataset, datasets};
use ossature_schema_spec::{ORDINAL_BITS, SYMBOL_BIT};
use proptest::prelude::*;

use crate::facts::{Facts, Row, SourceTree, Value};

#[track_caller]
fn check(facts: &Facts) {
    check_order(facts);
    check_trees(facts);
    check_references(facts);
    check_counts(facts);
}

/// Every table is in the order of its key, and no key occurs twice.
fn check_order(facts: &Facts) {
    for (dataset, spec) in Dataset::ALL.iter().zip(datasets().unwrap()) {
        let keys: Vec<Vec<&Value>> = facts
            .rows(*dataset)
            .iter()
            .map(|row| {
                spec.key()
                    .iter()
                    .map(|column| &row[column.as_str()])
                    .collect()
            })
            .collect();
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1], "{dataset:?}: {pair:?}");
        }
    }
}

/// Ids are preorder positions, and `position` and `subtree_end` follow from `parent_id`.
fn check_trees(facts: &Facts) {
    let mut path: Vec<(i64, i64, i64)> = Vec::new();
    let mut expected = 0;
    let rows: BTreeMap<i64, &Row> = facts
        .rows(Dataset::Nodes)
        .iter()
        .map(|row| (row["node_id"].id().unwrap(), row))
        .collect();
    for (id, row) in &rows {
        let end = row["subtree_end"].id().unwrap();
        assert!(row["bstart"].number() <= row["bend"].number());
        assert!(row["line"].number() >= 1);
        if row["parent_id"] == Value::Null {
            assert_eq!(row["node_kind"].text(), "FILE");
            assert_eq!(id & ((1 << ORDINAL_BITS) - 1), 0);
            assert!(path.iter().all(|(_, end, _)| *end < *id));
            path.clear();
        } else {
            assert_eq!(*id, expected, "ids of a file have no gaps");
            while path.last().is_some_and(|(_, end, _)| end < id) {
                path.pop();
            }
            let (parent, parent_end, children) = path.last_mut().unwrap();
            assert_eq!(row["parent_id"].id(), Some(*parent));
            assert!(end <= *parent_end, "a subtree is inside its parent's");
            assert_eq!(row["position"].number(), *children);
            *children += 1;
        }
        path.push((*id, end, 0));
        expected = id + 1;
        assert!(rows.contains_key(&end), "the end of a subtree is a node");
    }
}

/// Every id of a site in any table is a node of the same file; bindings, scopes and methods are what they should be.
fn check_references(facts: &Facts) {
    let kinds: BTreeMap<i64, &str> = facts
        .rows(Dataset::Nodes)
        .iter()
        .map(|row| (row["node_id"].id().unwrap(), row["node_kind"].text()))
        .collect();
    let ids = |dataset, column: &str| -> BTreeSet<i64> {
        facts
            .rows(dataset)
            .iter()
            .filter_map(|row| row[column].id())
            .collect()
    };
    let bindings = ids(Dataset::Bindings, "binding_id");
    let scopes = ids(Dataset::Scopes, "scope_id");
    let symbols: Vec<i64> = facts
        .rows(Dataset::Definitions)
        .iter()
        .filter_map(|row| row["symbol_id"].id())
        .collect();
    assert_eq!(
        symbols.iter().collect::<BTreeSet<_>>().len(),
        symbols.len(),
        "symbols are unique"
    );
    for dataset in Dataset::ALL {
        for row in facts.rows(*dataset) {
            let mut files = BTreeSet::new();
            for (column, value) in row {
                let Some(id) = value.id() else { continue };
                if column == "symbol_id" {
                    assert_ne!(id & SYMBOL_BIT, 0);
                    continue;
                }
                let kind = kinds
                    .get(&id)
                    .unwrap_or_else(|| panic!("{dataset:?}.{column} dangles"));
                files.insert(id >> ORDINAL_BITS);
                match column.as_str() {
                    "binding_id" | "resolves_to" | "root_binding_id" => {
                        assert!(bindings.contains(&id));
                    }
                    "scope_id" | "parent_scope_id" | "body_scope_id" => {
                        assert!(scopes.contains(&id));
                    }
                    "method_id" => assert_eq!(*kind, "METHOD"),
                    "root_id" => assert_eq!(*kind, "IDENTIFIER"),
                    _ => {}
                }
            }
            assert_eq!(files.len(), 1, "a row of {dataset:?} stays in its file");
        }
    }
}

fn check_counts(facts: &Facts) {
    for (dataset, id, column) in [
        (Dataset::Nodes, "node_id", "node_count"),
        (Dataset::Definitions, "node_id", "definition_count"),
        (Dataset::Calls, "node_id", "call_count"),
    ] {
        for file in facts.rows(Dataset::Files) {
            let key = file["file_id"].id().unwrap() >> ORDINAL_BITS;
            let rows = facts
                .rows(dataset)
                .iter()
                .filter(|row| row[id].id().unwrap() >> ORDINAL_BITS == key);
            assert_eq!(i64::try_from(rows.count()).unwrap(), file[column].number());
        }
    }
}

#[test]
fn they_hold_for_every_construct() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle/corpus");
    check(&Facts::of(&corpus));
}

/// Pieces of Python, most of them in the wrong place.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "def f(",
        "class C(",
        "lambda x: ",
        "lambda",
        "x",
        "y",
        "__x",
        "self",
        "1",
        "'s'",
        "f'{",
        "}'",
        "f'",
        "'",
        "\"\"\"",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        ";",
        ".",
        "=",
        ":=",
        "*",
        "**",
        "+",
        "-",
        "@",
        "->",
        "\\",
        "\n",
        "\n    ",
        "\n\t",
        " if ",
        " else ",
        " for ",
        " in ",
        "async ",
        "await ",
        "yield ",
        "return ",
        "global x",
        "nonlocal x",
        "import a.b as c",
        "from . import *",
        "from ..x import y",
        "try:",
        "except E as e:",
        "except* E:",
        "finally:",
        "with a as b:",
        "match x:",
        "case [a, *b]:",
        "case {**r}:",
        "del ",
        "raise ",
        "pass",
        "type A[T] = ",
        "[T: int = 1]",
        "__all__ = ['x']",
        "__all__ += ",
        "super()",
        "#",
        "\r",
        "\u{c}",
        "é",
        "\u{feff}",
        "$",
        "?",
        "!",
        "elif ",
        "while ",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn they_hold_for_soup(source in soup()) {
        let tree = SourceTree::new().with("soup.py", &source);
        let facts = Facts::of(tree.root());
        prop_assert_ne!(facts.rows(Dataset::Files)[0]["reason"].text(), "internal");
        check(&facts);
    }
}
