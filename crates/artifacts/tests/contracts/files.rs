//! The files in `contracts/`: fresh, complete, readable, and refused where they should be.

use std::collections::BTreeSet;
use std::fs;

use ossature_artifacts::{
    ArtifactTable, CONTRACTS, Contract, Envelope, RejectedExample, pretty_json,
};
use serde_json::{Value, json};

use crate::{check, files_below, folder, from_base64, to_base64};

/// What there is in `contracts/`.
const INDEX: &str = "index.json";

fn schema_file(contract: &Contract) -> String {
    format!("{}.schema.json", contract.stem())
}

fn example_file(contract: &Contract) -> String {
    format!("examples/{}.json", contract.stem())
}

fn msgpack_file(contract: &Contract) -> String {
    format!("examples/{}.msgpack.b64", contract.stem())
}

fn rejected_file(contract: &Contract, rejected: &RejectedExample) -> String {
    format!("rejected/{}.{}.json", contract.stem(), rejected.name)
}

#[track_caller]
fn check_file(file: &str, want: &str) {
    check(&format!("contracts/{file}"), want);
}

/// The example after the edits.
pub(crate) fn edited(contract: &Contract, rejected: &RejectedExample) -> Value {
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
        let schema = pretty_json(&contract.schema()).unwrap();
        check_file(&schema_file(contract), &schema);
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
            check_file(&rejected_file(contract, rejected), &file);
        }
    }
}

/// One test, so that under `UPDATE_EXPECT=1` no example is read that is just being written.
#[test]
fn examples_are_fresh_and_are_read_and_written_again_without_a_change() {
    for contract in CONTRACTS {
        let example = (contract.example)().unwrap();
        check_file(&example_file(contract), &example.to_pretty_json().unwrap());
        check_file(&msgpack_file(contract), &to_base64(&example));
    }
    for contract in CONTRACTS {
        let read = |file: String| fs::read_to_string(folder().join(file)).unwrap();
        let text = read(example_file(contract));
        let envelope = Envelope::from_json(&text).unwrap();
        let again = (contract.reseal)(&envelope).unwrap();
        assert_eq!(again.to_pretty_json().unwrap(), text, "{}", contract.kind);
        let text = read(msgpack_file(contract));
        let bytes = from_base64(&text).unwrap();
        let decoded = Envelope::from_msgpack(&bytes).unwrap();
        assert_eq!(decoded, again, "{}", contract.kind);
        assert_eq!(decoded.to_msgpack().unwrap(), bytes, "{}", contract.kind);
        assert_eq!(to_base64(&decoded), text, "{}", contract.kind);
    }
}

#[test]
fn the_index_is_fresh() {
    let contracts: Vec<Value> = CONTRACTS.iter().map(index_entry).collect();
    let index = pretty_json(&json!({"contracts": contracts})).unwrap();
    check_file(INDEX, &index);
}

fn index_entry(contract: &Contract) -> Value {
    let rejected = contract.rejected.iter();
    let rejected = rejected.map(|it| rejected_file(contract, it));
    json!({
        "kind": contract.kind,
        "version": contract.version,
        "id": contract.urn(),
        "domain": contract.domain.as_str(),
        "table": contract.table.map(ArtifactTable::name),
        "schema": schema_file(contract),
        "examples": [{
            "json": example_file(contract),
            "msgpack": msgpack_file(contract),
            "artifact_id": (contract.example)().unwrap().id().unwrap().to_hex(),
        }],
        "rejected": rejected.collect::<Vec<_>>(),
    })
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
                .chain([msgpack_file(contract)])
        })
        .chain([INDEX.to_owned()])
        .collect();
    let orphans: Vec<String> = files_below(&folder(), "")
        .into_iter()
        // Released versions are no product of the rows; what may lie there is checked with them.
        .filter(|path| !path.starts_with("released/") && !wanted.contains(path))
        .map(|path| {
            format!(
                "contracts/{path}: no row in CONTRACTS produces this file; delete it or add the row"
            )
        })
        .collect();
    assert!(orphans.is_empty(), "{}", orphans.join("\n"));
}

#[test]
fn contracts_are_ordered_and_named_once() {
    let stems: Vec<String> = CONTRACTS.iter().map(Contract::stem).collect();
    let sorted: BTreeSet<String> = stems.iter().cloned().collect();
    assert_eq!(stems, sorted.into_iter().collect::<Vec<_>>());
}
