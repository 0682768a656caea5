//! What opens a store is told to nobody: not in what the program prints, and not in what it writes.

use std::fs;

use crate::program::{Failure, Lake, command, files_below};
use crate::shop::Tree;

const CANARY: &str = "canary-6f1c9a77";

/// Variables from which stores take their secrets.
const VARIABLES: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
];

/// Locations that hold a secret.
fn locations() -> [String; 5] {
    [
        format!("s3://key:{CANARY}@bucket/lake"),
        format!("s3://bucket/lake?X-Amz-Signature={CANARY}"),
        format!("abfss://container@account.dfs.core.windows.net/lake?sig={CANARY}"),
        format!("file:///nowhere/lake#{CANARY}"),
        format!("https://user:{CANARY}@example.org/lake"),
    ]
}

/// What the program says, whatever comes of it.
fn said(arguments: Vec<std::ffi::OsString>) -> Result<String, Failure> {
    let mut command = command(arguments);
    for variable in VARIABLES {
        command.env(variable, CANARY);
    }
    let output = command.output()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    Ok(format!("{stdout}{stderr}"))
}

#[track_caller]
fn check(what: &str, text: &str) {
    assert!(!text.contains(CANARY), "{what} tells a secret:\n{text}");
}

#[test]
fn no_command_tells_what_opens_a_store() -> Result<(), Failure> {
    let (lake, tree) = (Lake::new()?, Tree::empty()?);
    tree.write(
        "one.py",
        "def f(a):\n    return g(a)\n\n\ndef g(b):\n    return b\n",
    )?;
    let root = tree.root().display().to_string();
    let commands: [&[&str]; 9] = [
        &["build", &root, "--log", "trace"],
        &[
            "query",
            "SELECT * FROM runs.run_manifest",
            "--format",
            "json",
        ],
        &[
            "query",
            "SELECT * FROM runs.write_artifacts",
            "--format",
            "json",
        ],
        &["query", "SELECT * FROM nowhere"],
        &["runs", "--format", "json"],
        &["show", "a-run", "--format", "json"],
        &["maintain", "--log", "debug"],
        &["verify", "--all"],
        &["policy"],
    ];
    for arguments in commands {
        let text = if arguments[0] == "policy" {
            said(arguments.iter().map(Into::into).collect())?
        } else {
            said(lake.arguments(arguments))?
        };
        assert!(!text.is_empty(), "{arguments:?}");
        check(&arguments.join(" "), &text);
    }
    for file in files_below(&lake.path())? {
        let bytes = fs::read(&file)?;
        check(
            &file.display().to_string(),
            &String::from_utf8_lossy(&bytes),
        );
    }
    Ok(())
}

#[test]
fn no_location_is_told_with_its_secret() -> Result<(), Failure> {
    for location in locations() {
        for arguments in [
            vec!["build", "."],
            vec!["query", "SELECT 1"],
            vec!["runs"],
            vec!["show", "a-run"],
            vec!["maintain"],
            vec!["verify"],
        ] {
            let arguments = [&arguments[..], &["--lake", &location, "--log", "trace"]].concat();
            let text = said(arguments.iter().map(Into::into).collect())?;
            check(&arguments[0..1].join(" "), &text);
            assert!(text.contains("invalid_location"), "{text}");
        }
    }
    Ok(())
}
