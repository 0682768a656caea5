//! What opens a store is told to nobody: not in what the program prints, and not in what it writes.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

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

/// Nobody answers at the port; what the program says of it until it is ended is read.
#[test]
fn no_request_to_a_store_is_told_with_what_signs_it() -> Result<(), Failure> {
    for lake in ["s3://bucket/lake", "az://container/lake"] {
        let mut command = command(["runs", "--lake", lake, "--log", "trace"]);
        for variable in VARIABLES {
            command.env(variable, CANARY);
        }
        // A key of Azure is base64.
        let mut process = command
            .env("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5LTZmMWM5YTc3")
            .env("AZURE_STORAGE_ACCOUNT_NAME", "account")
            .env("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:9")
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .env("AWS_REGION", "nowhere-1")
            .env("AWS_ALLOW_HTTP", "true")
            .env("AZURE_ALLOW_HTTP", "true")
            .spawn()?;
        sleep(Duration::from_secs(3));
        process.kill()?;
        let output = process.wait_with_output()?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        check(lake, &text);
        assert!(!text.contains("Y2FuYXJ5LTZmMWM5YTc3"), "{text}");
        assert!(text.contains("127.0.0.1:9"), "{lake} is asked: {text}");
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
