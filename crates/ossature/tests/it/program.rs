//! The program as a process, and a lake that it builds into.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// What a test may fail with.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How a process ended and what it said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with its arguments; nothing of it reaches the terminal.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ossature"));
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .env_remove("RUST_BACKTRACE")
        .env_remove("OPENLINEAGE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) fn ossature<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
) -> Result<Answer, Failure> {
    let output = command(arguments).output()?;
    Ok(Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

/// Runs the program, which is to succeed in silence; gives back standard output.
#[track_caller]
pub(crate) fn output<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
) -> Result<String, Failure> {
    let answer = ossature(arguments)?;
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    Ok(answer.stdout)
}

/// A lake in a folder that is removed with it.
#[derive(Debug)]
pub(crate) struct Lake {
    folder: TempDir,
}

impl Lake {
    /// A lake that is not there yet.
    pub(crate) fn new() -> Result<Self, Failure> {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        Ok(Self { folder })
    }

    /// The folder; the first build makes it.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    /// Arguments of `build` into this lake.
    pub(crate) fn build_arguments(&self, source: &Path, threads: u8) -> Vec<OsString> {
        let threads = threads.to_string();
        let mut arguments = vec![OsString::from("build"), source.into()];
        arguments.extend(self.arguments(&["--threads", &threads, "--format", "json"]));
        arguments
    }

    /// Arguments, followed by those that name this lake.
    pub(crate) fn arguments(&self, arguments: &[&str]) -> Vec<OsString> {
        let lake = [OsString::from("--lake"), self.path().into()];
        arguments.iter().map(OsString::from).chain(lake).collect()
    }

    /// Builds, and gives back what the program says of it.
    #[track_caller]
    pub(crate) fn build(&self, source: &Path, threads: u8) -> Result<Value, Failure> {
        let said = output(self.build_arguments(source, threads))?;
        Ok(serde_json::from_str(&said)?)
    }

    /// Starts a build and waits until it has added `files` files to the lake, or has ended.
    ///
    /// It is a process of its own: its files tell how far it has got, whatever else the machine does meanwhile.
    pub(crate) fn build_until(&self, source: &Path, files: usize) -> Result<Child, Failure> {
        let until = self.files()? + files;
        let mut build = command(self.build_arguments(source, 2)).spawn()?;
        while self.files()? < until && build.try_wait()?.is_none() {
            sleep(Duration::from_millis(1));
        }
        Ok(build)
    }

    /// How many files it has, of all kinds.
    fn files(&self) -> Result<usize, Failure> {
        Ok(files_below(&self.path())?.len())
    }

    /// The rows of a query, as JSON.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Result<Vec<Value>, Failure> {
        let said = output(self.arguments(&["query", sql, "--format", "json"]))?;
        Ok(serde_json::from_str(&said)?)
    }

    /// The one number of a query's one row.
    #[track_caller]
    pub(crate) fn number(&self, sql: &str) -> Result<u64, Failure> {
        let rows = self.query(sql)?;
        let row = rows.first().and_then(Value::as_object);
        let number = row.and_then(|row| row.values().next()?.as_u64());
        Ok(number.ok_or("the query gives no number")?)
    }

    /// The manifests of all runs, the newest first.
    #[track_caller]
    pub(crate) fn runs(&self) -> Result<Vec<Value>, Failure> {
        let said = output(self.arguments(&["runs", "--format", "json"]))?;
        Ok(serde_json::from_str(&said)?)
    }

    /// The data files of the graph's tables: path below the lake, and bytes.
    pub(crate) fn data_files(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, Failure> {
        let lake = self.path();
        let mut files = BTreeMap::new();
        for path in files_below(&lake)? {
            let below = path.strip_prefix(&lake)?.to_path_buf();
            let is_log = below
                .components()
                .any(|part| part.as_os_str() == "_delta_log");
            if !is_log && !below.starts_with("_ossature") {
                files.insert(below, fs::read(path)?);
            }
        }
        Ok(files)
    }
}

/// Every file below a folder, in no order. Folders that vanish meanwhile count as empty.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// One column of what `build` says of each table, by the table's name.
pub(crate) fn of_outputs<'a>(summary: &'a Value, column: &str) -> BTreeMap<&'a str, &'a Value> {
    let outputs = summary["outputs"].as_array().into_iter().flatten();
    outputs
        .map(|output| (output["name"].as_str().unwrap_or_default(), &output[column]))
        .collect()
}

/// The keys of an object, sorted.
pub(crate) fn keys(value: &Value) -> String {
    let mut keys: Vec<&str> = value
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys().map(String::as_str))
        .collect();
    keys.sort_unstable();
    keys.join(" ")
}
