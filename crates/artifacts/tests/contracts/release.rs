//! Released versions: what was frozen of them, that it stays as it was, and that it is still read.
//!
//! `contracts/released/<kind>.v<version>/` holds the schema of a version and its example, as JSON, as canonical `MsgPack`
//! in base64 and as artifact id. `SHA256SUMS` beside the folders names every file with its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ossature_artifacts::{
    CONTRACTS, Compatibility, Contract, Envelope, Rejection, classify, pretty_json,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{files_below, folder, from_base64, to_base64};

/// The digests of all frozen files, in the form of `sha256sum`.
const SUMS: &str = "SHA256SUMS";
/// Files of the folder that are not frozen.
const BESIDE: [&str; 2] = ["README.md", SUMS];
/// The name of the variable that asks for a release.
const ASKED: &str = "OSSATURE_RELEASE";

/// A contract as it is now.
struct Current {
    kind: String,
    version: u32,
    schema: Value,
    example: Envelope,
    reseal: fn(&Envelope) -> Result<Envelope, Rejection>,
}

impl Current {
    fn of(contract: &Contract) -> Self {
        Self {
            kind: contract.kind.to_owned(),
            version: contract.version,
            schema: contract.schema(),
            example: (contract.example)().unwrap(),
            reseal: contract.reseal,
        }
    }

    fn all() -> Vec<Self> {
        CONTRACTS.iter().map(Self::of).collect()
    }

    fn stem(&self) -> String {
        format!("{}.v{}", self.kind, self.version)
    }

    fn name(&self) -> String {
        format!("{} v{}", self.kind, self.version)
    }

    fn next(&self) -> String {
        format!("v{}", self.version + 1)
    }
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The files of the folder that are frozen, or that someone put there: their paths from the folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = files_below(folder, "");
    found.retain(|path| !BESIDE.contains(&path.as_str()));
    found
}

/// The digest of every frozen file, by its path from the folder.
fn sums(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join(SUMS)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines
        .map(|(digest, path)| (path.to_owned(), digest.to_owned()))
        .collect()
}

/// Everything that is wrong with what was released.
fn problems(folder: &Path, contracts: &[Current]) -> Vec<String> {
    let mut problems = edits(folder);
    let stems: BTreeSet<String> = files(folder)
        .iter()
        .filter_map(|path| Some(path.split_once('/')?.0.to_owned()))
        .collect();
    for stem in stems {
        match contracts.iter().find(|contract| contract.stem() == stem) {
            Some(contract) => {
                problems.extend(breaks(folder, contract));
                problems.extend(unread(folder, contract));
            }
            None => problems.push(format!(
                "{}: it was released, and no row in CONTRACTS reads it; keep its row beside that of another version",
                stem.replacen(".v", " v", 1)
            )),
        }
    }
    problems
}

/// Frozen files that are no longer what they were.
fn edits(folder: &Path) -> Vec<String> {
    let (mut sums, mut problems) = (sums(folder), Vec::new());
    for path in files(folder) {
        let found = digest(&fs::read(folder.join(&path)).unwrap());
        match sums.remove(&path) {
            Some(frozen) if frozen == found => {}
            Some(_) => problems.push(format!(
                "released/{path}: it was edited; what was released stays as it was, so restore it"
            )),
            None => problems.push(format!(
                "released/{path}: no release froze this file; delete it"
            )),
        }
    }
    let missing = sums.into_keys();
    problems.extend(missing.map(|path| {
        format!("released/{path}: it is gone; what was released stays as it was, so restore it")
    }));
    problems
}

/// Changes of the schema since the release after which a document of it may be refused.
fn breaks(folder: &Path, contract: &Current) -> Vec<String> {
    let (name, next) = (contract.name(), contract.next());
    let Some(frozen) = frozen_schema(folder, contract) else {
        return vec![format!("{name}: its frozen schema cannot be read")];
    };
    classify(&frozen, &contract.schema)
        .into_iter()
        .filter(|change| change.backward == Compatibility::Breaking)
        .map(|change| {
            let (path, message) = (change.path, change.message);
            format!("{name}: {path}: {message}: this is breaking; make it {next}")
        })
        .collect()
}

fn frozen_schema(folder: &Path, contract: &Current) -> Option<Value> {
    let path = folder.join(contract.stem()).join("schema.json");
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// Frozen examples that today's code does not read as what they were.
fn unread(folder: &Path, contract: &Current) -> Vec<String> {
    let read = |file: &str| fs::read_to_string(folder.join(contract.stem()).join(file));
    let check = || {
        let say = |error: std::io::Error| error.to_string();
        let text = read("example.json").map_err(say)?;
        let envelope = Envelope::from_json(&text).map_err(|error| error.to_string())?;
        (contract.reseal)(&envelope).map_err(|error| error.to_string())?;
        let bytes = from_base64(&read("example.msgpack.b64").map_err(say)?);
        let bytes = bytes.ok_or("example.msgpack.b64 is no base64 and a line break")?;
        let decoded = Envelope::from_msgpack(&bytes).map_err(|error| error.to_string())?;
        if decoded != envelope {
            return Err("the examples in JSON and MsgPack differ".to_owned());
        }
        let id = envelope.id().map_err(|error| error.to_string())?;
        if read("example.id").map_err(say)? != format!("{id}\n") {
            return Err(format!("its artifact id is {id} now"));
        }
        Ok(())
    };
    let found: Result<(), String> = check();
    let problem = found.err().map(|error| {
        let name = contract.name();
        format!("{name}: the released example is no longer read as it was: {error}")
    });
    problem.into_iter().collect()
}

/// Freezes every version that is not frozen yet, and returns their names.
///
/// **Errors**: everything that stands against it; nothing is written then.
fn release(folder: &Path, contracts: &[Current]) -> Result<Vec<String>, Vec<String>> {
    let mut problems = problems(folder, contracts);
    let mut new = Vec::new();
    for contract in contracts {
        let (name, next) = (contract.name(), contract.next());
        let frozen = frozen_schema(folder, contract);
        let Some(frozen) = frozen else {
            new.push(contract);
            continue;
        };
        for change in classify(&frozen, &contract.schema) {
            if change.backward == Compatibility::Compatible {
                problems.push(format!(
                    "{name}: it is frozen with another schema, from which this differs: {change}; make it {next}"
                ));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut sums = sums(folder);
    for contract in &new {
        let id = contract.example.id().unwrap();
        let files = [
            ("schema.json", pretty_json(&contract.schema).unwrap()),
            ("example.json", contract.example.to_pretty_json().unwrap()),
            ("example.msgpack.b64", to_base64(&contract.example)),
            ("example.id", format!("{id}\n")),
        ];
        fs::create_dir_all(folder.join(contract.stem())).unwrap();
        for (file, text) in files {
            let path = format!("{}/{file}", contract.stem());
            fs::write(folder.join(&path), &text).unwrap();
            sums.insert(path, digest(text.as_bytes()));
        }
    }
    let lines = sums
        .iter()
        .map(|(path, digest)| [digest, "  ", path, "\n"].concat());
    let lines: String = lines.collect();
    if !new.is_empty() {
        fs::write(folder.join(SUMS), lines).unwrap();
    }
    Ok(new.iter().map(|contract| contract.name()).collect())
}

fn released() -> PathBuf {
    folder().join("released")
}

#[test]
fn released_versions_are_as_they_were_and_are_read() {
    let problems = problems(&released(), &Current::all());
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// `cargo xtask contracts --release` asks for it.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no other way to be asked for something"
)]
fn contracts_are_frozen_when_it_is_asked_for() {
    if std::env::var(ASKED).is_err() {
        return;
    }
    let released = release(&released(), &Current::all());
    let problems = released.err().unwrap_or_default();
    assert!(
        problems.is_empty(),
        "nothing was frozen:\n{}",
        problems.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    /// One frozen contract in a folder that vanishes, and the contract.
    fn frozen() -> (tempfile::TempDir, Vec<Current>) {
        let folder = tempfile::tempdir().unwrap();
        let contracts = vec![Current::of(crate::contract("stats_decision"))];
        assert_eq!(
            release(folder.path(), &contracts).unwrap(),
            ["stats_decision v1"]
        );
        (folder, contracts)
    }

    #[track_caller]
    fn check(folder: &Path, contracts: &[Current], want: &Expect) {
        want.assert_eq(&problems(folder, contracts).join("\n"));
    }

    #[track_caller]
    fn check_release(folder: &Path, contracts: &[Current], want: &Expect) {
        let before = sums(folder);
        let lines = match release(folder, contracts) {
            Ok(names) => names.join("\n"),
            Err(problems) => {
                assert_eq!(sums(folder), before);
                problems.join("\n")
            }
        };
        want.assert_eq(&lines);
    }

    #[test]
    fn what_is_frozen_is_listed_with_its_digest_and_stays() {
        let (folder, contracts) = frozen();
        check(folder.path(), &contracts, &expect![""]);
        let listed: Vec<String> = sums(folder.path()).into_keys().collect();
        expect![[r#"
            stats_decision.v1/example.id
            stats_decision.v1/example.json
            stats_decision.v1/example.msgpack.b64
            stats_decision.v1/schema.json"#]]
        .assert_eq(&listed.join("\n"));
        check_release(folder.path(), &contracts, &expect![""]);
    }

    #[test]
    fn all_contracts_can_be_frozen_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let contracts = Current::all();
        let names = release(folder.path(), &contracts).unwrap();
        assert_eq!(names.len(), contracts.len());
        check(folder.path(), &contracts, &expect![""]);
    }

    #[test]
    fn an_empty_folder_has_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("README.md"), "Words.").unwrap();
        check(folder.path(), &Current::all(), &expect![""]);
        check(&folder.path().join("absent"), &Current::all(), &expect![""]);
    }

    #[test]
    fn a_frozen_file_that_was_edited_added_or_deleted_is_a_problem() {
        let (folder, contracts) = frozen();
        let inside = folder.path().join("stats_decision.v1");
        let schema = fs::read_to_string(inside.join("schema.json")).unwrap();
        fs::write(inside.join("schema.json"), schema.replace("A ", "Another ")).unwrap();
        fs::write(inside.join("second.json"), "{}").unwrap();
        fs::remove_file(inside.join("example.id")).unwrap();
        check(
            folder.path(),
            &contracts,
            &expect![[r#"
            released/stats_decision.v1/schema.json: it was edited; what was released stays as it was, so restore it
            released/stats_decision.v1/second.json: no release froze this file; delete it
            released/stats_decision.v1/example.id: it is gone; what was released stays as it was, so restore it
            stats_decision v1: the released example is no longer read as it was: No such file or directory (os error 2)"#]],
        );
        check_release(
            folder.path(),
            &contracts,
            &expect![[r#"
            released/stats_decision.v1/schema.json: it was edited; what was released stays as it was, so restore it
            released/stats_decision.v1/second.json: no release froze this file; delete it
            released/stats_decision.v1/example.id: it is gone; what was released stays as it was, so restore it
            stats_decision v1: the released example is no longer read as it was: No such file or directory (os error 2)"#]],
        );
    }

    #[test]
    fn a_released_version_that_no_contract_reads_is_a_problem() {
        let (folder, mut contracts) = frozen();
        contracts[0].version = 2;
        check(
            folder.path(),
            &contracts,
            &expect![
                "stats_decision v1: it was released, and no row in CONTRACTS reads it; keep its row beside that of another version"
            ],
        );
        check(
            folder.path(),
            &[],
            &expect![
                "stats_decision v1: it was released, and no row in CONTRACTS reads it; keep its row beside that of another version"
            ],
        );
    }

    #[test]
    fn a_breaking_change_of_a_released_version_is_a_problem() {
        let (folder, mut contracts) = frozen();
        let payload = &mut contracts[0].schema["properties"]["payload"];
        payload["properties"]["columns"]["items"]["type"] = json!("integer");
        payload["required"] = json!(["policy", "columns", "dropped", "rows"]);
        payload["properties"]["rows"] = json!({"type": "integer"});
        check(
            folder.path(),
            &contracts,
            &expect![[r#"
            stats_decision v1: /properties/payload/properties/columns/items: `integer` instead of `string`: this is breaking; make it v2
            stats_decision v1: /properties/payload/properties/rows: a new field that has to be there: this is breaking; make it v2"#]],
        );
        check_release(
            folder.path(),
            &contracts,
            &expect![[r#"
                stats_decision v1: /properties/payload/properties/columns/items: `integer` instead of `string`: this is breaking; make it v2
                stats_decision v1: /properties/payload/properties/rows: a new field that has to be there: this is breaking; make it v2
                stats_decision v1: it is frozen with another schema, from which this differs: /properties/payload/properties/used: the field may be absent (backward compatible, forward breaking); make it v2"#]],
        );
    }

    #[test]
    fn a_compatible_change_may_be_made_and_is_released_as_another_version() {
        let (folder, mut contracts) = frozen();
        let payload = &mut contracts[0].schema["properties"]["payload"];
        payload["properties"]["rows"] = json!({"type": "integer"});
        check(folder.path(), &contracts, &expect![""]);
        check_release(
            folder.path(),
            &contracts,
            &expect![
                "stats_decision v1: it is frozen with another schema, from which this differs: /properties/payload/properties/rows: a new field that may be absent (backward compatible, forward breaking); make it v2"
            ],
        );
    }

    #[test]
    fn a_change_of_words_is_no_other_schema() {
        let (folder, mut contracts) = frozen();
        contracts[0].schema["title"] = json!("Statistics");
        check_release(folder.path(), &contracts, &expect![""]);
    }

    #[test]
    fn another_version_is_frozen_beside_the_first() {
        let (folder, mut contracts) = frozen();
        let mut second = Current::of(crate::contract("stats_decision"));
        second.version = 2;
        contracts.push(second);
        check_release(folder.path(), &contracts, &expect!["stats_decision v2"]);
        check(folder.path(), &contracts, &expect![""]);
    }

    #[test]
    fn a_released_example_that_is_read_otherwise_is_a_problem() {
        let (folder, mut contracts) = frozen();
        contracts[0].reseal = crate::contract("write_failure").reseal;
        check(
            folder.path(),
            &contracts,
            &expect![[r#"
                stats_decision v1: the released example is no longer read as it was: not an artifact of ours:
                  /kind: expected "write_failure", found "stats_decision" (wrong_value)
                  /payload/code: expected a value, found nothing (missing_field)
                  /payload/columns: expected code or dataset or message or orphans or protocol or refused_features or table_uri or version, found columns (unknown_field)
                  /payload/dataset: expected a value, found nothing (missing_field)
                  /payload/dropped: expected code or dataset or message or orphans or protocol or refused_features or table_uri or version, found dropped (unknown_field)
                  /payload/message: expected a value, found nothing (missing_field)
                  /payload/orphans: expected a value, found nothing (missing_field)
                  /payload/policy: expected code or dataset or message or orphans or protocol or refused_features or table_uri or version, found policy (unknown_field)
                  /payload/table_uri: expected a value, found nothing (missing_field)
                  /payload/used: expected code or dataset or message or orphans or protocol or refused_features or table_uri or version, found used (unknown_field)
                  /payload/version: expected a value, found nothing (missing_field)"#]],
        );
    }

    /// As if the digests had been edited as well.
    #[test]
    fn frozen_examples_say_one_thing_in_every_form() {
        let forged = |file: &str, text: &str| {
            let (folder, contracts) = frozen();
            let path = format!("stats_decision.v1/{file}");
            fs::write(folder.path().join(&path), text).unwrap();
            let mut sums = sums(folder.path());
            sums.insert(path, digest(text.as_bytes()));
            let lines: Vec<String> = sums
                .iter()
                .map(|(path, it)| format!("{it}  {path}"))
                .collect();
            fs::write(folder.path().join(SUMS), lines.join("\n")).unwrap();
            problems(folder.path(), &contracts).join("\n")
        };
        let other = (crate::contract("write_failure").example)().unwrap();
        expect!["stats_decision v1: the released example is no longer read as it was: the examples in JSON and MsgPack differ"].assert_eq(&forged("example.msgpack.b64", &to_base64(&other)));
        expect!["stats_decision v1: the released example is no longer read as it was: example.msgpack.b64 is no base64 and a line break"].assert_eq(&forged("example.msgpack.b64", "gA=="));
        expect!["stats_decision v1: the released example is no longer read as it was: its artifact id is 6c1d40c0743dbfad052ed316858c00a6db3ae7d0dac3ab723b3721f109135363 now"].assert_eq(&forged("example.id", "0\n"));
        expect![[r#"
            stats_decision v1: the released example is no longer read as it was: not an artifact of ours:
              /kind: expected a value, found nothing (missing_field)
              /payload: expected a value, found nothing (missing_field)
              /version: expected a value, found nothing (missing_field)"#]].assert_eq(&forged("example.json", "{}"));
        expect!["stats_decision v1: its frozen schema cannot be read"]
            .assert_eq(&forged("schema.json", "["));
    }
}
