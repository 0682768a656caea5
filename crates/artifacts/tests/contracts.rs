//! The files in `contracts/`: fresh, complete, readable, and refused where they should be.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use ossature_artifacts::{CONTRACTS, Contract, Envelope, RejectedExample, pretty_json};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts")
}

/// Compares a file of the folder, or writes it under `UPDATE_EXPECT=1`.
#[track_caller]
fn check(file: &str, want: &str) {
    let path = folder().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    expect_file![path].assert_eq(want);
}

fn schema_file(contract: &Contract) -> String {
    format!("{}.schema.json", contract.stem())
}

fn example_file(contract: &Contract) -> String {
    format!("examples/{}.json", contract.stem())
}

fn rejected_file(contract: &Contract, rejected: &RejectedExample) -> String {
    format!("rejected/{}.{}.json", contract.stem(), rejected.name)
}

/// The example after the edits.
fn edited(contract: &Contract, rejected: &RejectedExample) -> Value {
    let text = (contract.example)().unwrap().to_json().unwrap();
    let mut example: Value = serde_json::from_str(&text).unwrap();
    for (pointer, value) in rejected.edits {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = example.pointer_mut(parent).unwrap();
        let fields = parent.as_object_mut().unwrap();
        match value {
            Some(json) => fields.insert(name.to_owned(), serde_json::from_str(json).unwrap()),
            None => fields.remove(name),
        };
    }
    example
}

#[test]
fn schemas_are_fresh() {
    for contract in CONTRACTS {
        let schema = pretty_json(&(contract.schema)()).unwrap();
        check(&schema_file(contract), &schema);
    }
}

#[test]
fn rejected_examples_are_refused_as_committed() {
    for contract in CONTRACTS {
        assert!(!contract.rejected.is_empty(), "{}", contract.kind);
        for rejected in contract.rejected {
            let example = edited(contract, rejected);
            let envelope = Envelope::from_json(&example.to_string()).unwrap();
            let rejection = (contract.reseal)(&envelope).unwrap_err();
            let file = json!({"example": example, "violations": rejection.violations()});
            let file = pretty_json(&file).unwrap();
            check(&rejected_file(contract, rejected), &file);
        }
    }
}

/// One test, so that under `UPDATE_EXPECT=1` no example is read that is just being written.
#[test]
fn examples_are_fresh_and_are_read_and_written_again_without_a_change() {
    for contract in CONTRACTS {
        let example = (contract.example)().unwrap().to_pretty_json().unwrap();
        check(&example_file(contract), &example);
    }
    let mut read = 0;
    for entry in fs::read_dir(folder().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let envelope = Envelope::from_json(&text).unwrap();
        let kind = path.file_name().unwrap().to_str().unwrap();
        let contract = CONTRACTS
            .iter()
            .find(|contract| example_file(contract).ends_with(&format!("/{kind}")))
            .unwrap_or_else(|| panic!("no contract has the example {kind}"));
        let again = (contract.reseal)(&envelope).unwrap();
        assert_eq!(again.to_pretty_json().unwrap(), text, "{kind}");
        let bytes = again.to_msgpack().unwrap();
        assert_eq!(Envelope::from_msgpack(&bytes).unwrap(), again, "{kind}");
        read += 1;
    }
    assert_eq!(read, CONTRACTS.len());
}

#[test]
fn no_file_is_left_behind() {
    let wanted: BTreeSet<String> = CONTRACTS
        .iter()
        .flat_map(|contract| {
            let rejected = contract.rejected.iter();
            rejected
                .map(|rejected| rejected_file(contract, rejected))
                .chain([schema_file(contract), example_file(contract)])
        })
        .collect();
    let mut orphans = Vec::new();
    for below in ["", "examples/", "rejected/"] {
        for entry in fs::read_dir(folder().join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_file() && !wanted.contains(&path) {
                orphans.push(format!(
                    "contracts/{path}: no row in CONTRACTS produces this file; delete it or add the row"
                ));
            }
        }
    }
    assert!(orphans.is_empty(), "{}", orphans.join("\n"));
}

#[test]
fn contracts_are_ordered_and_named_once() {
    let stems: Vec<String> = CONTRACTS.iter().map(Contract::stem).collect();
    let sorted: BTreeSet<String> = stems.iter().cloned().collect();
    assert_eq!(stems, sorted.into_iter().collect::<Vec<_>>());
}
