//! What a build tells tools of lineage: which events, to whom, and what becomes of it when nobody takes them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Answer, Failure, Lake, command, files_below, ossature};
use crate::shop::Tree;

const CANARY: &str = "canary-0b5e1d42";

/// A folder for what a test writes beside its lake.
fn scratch() -> Result<TempDir, Failure> {
    Ok(TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?)
}

fn small_tree() -> Result<Tree, Failure> {
    let tree = Tree::empty()?;
    tree.write("a.py", "def f():\n    return f()\n")?;
    Ok(tree)
}

/// Builds with more arguments and variables.
fn build(
    lake: &Lake,
    tree: &Tree,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<Answer, Failure> {
    let mut all = lake.build_arguments(tree.root(), 2);
    all.extend(arguments.iter().map(OsString::from));
    let output = command(all)
        // A proxy of the machine does not lead to a server of the test.
        .env("NO_PROXY", "127.0.0.1")
        .envs(variables.iter().copied())
        .output()?;
    Ok(Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}

fn events_of(file: &Path) -> Result<Vec<Value>, Failure> {
    let lines = fs::read_to_string(file)?;
    Ok(lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Type and job of every event, in their order.
fn outline(events: &[Value]) -> Vec<String> {
    let line = |event: &Value| {
        format!(
            "{} {}",
            text(&event["eventType"]),
            text(&event["job"]["name"])
        )
    };
    events.iter().map(line).collect()
}

/// The names of the facets that stand in one place, over all events.
fn facet_names(events: &[Value], pointer: &str) -> String {
    let objects = events
        .iter()
        .filter_map(|event| event.pointer(pointer)?.as_object());
    let names: BTreeSet<&str> = objects
        .flat_map(|it| it.keys().map(String::as_str))
        .collect();
    names.into_iter().collect::<Vec<_>>().join(" ")
}

/// Holds events against the schemas of the standard, where Python has a validator; gives back what it says of them.
fn validated(file: &Path) -> Result<Option<(bool, String)>, Failure> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/openlineage/validate.py");
    let output = Command::new("python3").arg(script).arg(file).output();
    let missing = match &output {
        Ok(output) => output.status.code() == Some(3),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if missing {
        // Past the capture of output, which would hide it as long as the test passes.
        let mut stderr = io::stderr().lock();
        stderr
            .write_all(b"SKIPPED: there is no python3 with `jsonschema` to check events with\n")?;
        return Ok(None);
    }
    let output = output?;
    let said = [output.stdout, output.stderr].concat();
    Ok(Some((output.status.success(), String::from_utf8(said)?)))
}

#[track_caller]
fn check_valid(file: &Path) -> Result<(), Failure> {
    if let Some((is_valid, said)) = validated(file)? {
        assert!(is_valid, "{said}");
    }
    Ok(())
}

#[test]
fn a_file_gets_the_events_of_every_build_behind_those_before() -> Result<(), Failure> {
    let (tree, lake, folder) = (Tree::of_the_shop()?, Lake::new()?, scratch()?);
    let file = folder.path().join("events.jsonl");
    let target = file.to_string_lossy();
    for _ in 0..2 {
        let answer = build(&lake, &tree, &["--openlineage", &target], &[])?;
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    }
    let events = events_of(&file)?;
    check_valid(&file)?;
    let runs = lake.runs()?;
    let (older, newer) = events.split_at(events.len() / 2);
    for (events, run) in [(older, &runs[1]), (newer, &runs[0])] {
        let told = outline(events);
        assert_eq!(
            told.first().map(String::as_str),
            Some("START ossature.build")
        );
        assert_eq!(
            told.last().map(String::as_str),
            Some("COMPLETE ossature.build")
        );
        let parent = &run["run_id"];
        for event in events {
            let own = &event["run"]["facets"]["ossature_build"]["runId"];
            let of = &event["run"]["facets"]["parent"]["run"]["runId"];
            assert!(own == parent || of == parent, "{event}");
        }
        // Each run of a job begins once and completes once.
        let mut ids: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for event in events {
            let id = text(&event["run"]["runId"]);
            ids.entry(id).or_default().push(text(&event["eventType"]));
        }
        assert!(
            ids.values().all(|types| types == &["START", "COMPLETE"]),
            "{ids:?}"
        );
        let outputs: BTreeSet<&str> = events
            .iter()
            .flat_map(|event| event["outputs"].as_array().into_iter().flatten())
            .map(|output| text(&output["facets"]["ossature_table"]["dataset"]))
            .collect();
        let published = run["outputs"].as_array().into_iter().flatten();
        assert_eq!(
            outputs,
            published.map(|output| text(&output["name"])).collect()
        );
    }
    assert_eq!(outline(older), outline(newer));
    Ok(())
}

#[test]
fn the_event_of_a_view_has_its_columns_its_plan_and_its_version() -> Result<(), Failure> {
    let (tree, lake, folder) = (Tree::of_the_shop()?, Lake::new()?, scratch()?);
    let file = folder.path().join("events.jsonl");
    let answer = build(
        &lake,
        &tree,
        &["--openlineage", &file.to_string_lossy()],
        &[],
    )?;
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    let events = events_of(&file)?;
    let of_job = |name: &str| -> Result<Value, Failure> {
        let found = events
            .iter()
            .find(|event| event["job"]["name"] == name && event["eventType"] == "COMPLETE");
        Ok(found.cloned().ok_or(format!("{name} is told"))?)
    };
    let event = of_job("ossature.build.cpg.cpg_edges_by_dst")?;
    let output = &event["outputs"][0];
    let run = &lake.runs()?[0];
    let published = run["outputs"].as_array().into_iter().flatten();
    let published = published
        .into_iter()
        .find(|output| output["name"] == "cpg.cpg_edges_by_dst")
        .ok_or("published")?;
    let folder = lake.path().join("cpg/cpg_edges_by_dst");
    assert_eq!(
        (text(&output["namespace"]), Path::new(text(&output["name"]))),
        ("file", folder.as_path())
    );
    let table = &output["facets"]["ossature_table"];
    assert_eq!(table["contentHash"], published["content_hash"]);
    assert_eq!(table["planFingerprint"], published["plan_fingerprint"]);
    assert_eq!(table["policyHash"], published["policy_hash"]);
    assert_eq!(table["tableId"], published["table_id"]);
    let plan = &event["run"]["facets"]["ossature_plan"];
    assert_eq!(plan["fingerprint"], published["plan_fingerprint"]);
    assert_eq!(plan["planArtifactId"], published["plan_artifact_id"]);
    let statistics = &output["outputFacets"]["outputStatistics"];
    assert_eq!(statistics["rowCount"], published["rows"]);
    assert_eq!(statistics["size"], published["bytes"]);

    // Every column of inputs that the lineage names is a column of an input of the event.
    for event in &events {
        let columns: BTreeSet<(&str, &str)> = event["inputs"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|input| {
                let fields = input["facets"]["schema"]["fields"].as_array();
                let fields = fields.into_iter().flatten();
                fields.map(|field| (text(&input["name"]), text(&field["name"])))
            })
            .collect();
        for output in event["outputs"].as_array().into_iter().flatten() {
            let lineage = &output["facets"]["columnLineage"];
            let fields = lineage["fields"].as_object().into_iter().flatten();
            let inputs =
                fields.flat_map(|(_, it)| it["inputFields"].as_array().into_iter().flatten());
            let deciding = lineage["dataset"].as_array().into_iter().flatten();
            for input in inputs.chain(deciding) {
                let named = (text(&input["name"]), text(&input["field"]));
                assert!(columns.contains(&named), "{input}");
                assert!(
                    !input["transformations"]
                        .as_array()
                        .ok_or("a list")?
                        .is_empty()
                );
            }
        }
    }
    expect![[r#"
        ossature_build ossature_plan parent processing_engine
        documentation jobType sql
        dataSource datasetType documentation ossature_table schema storage symlinks version
        columnLineage dataSource datasetType documentation lifecycleStateChange ossature_table schema storage symlinks version"#]].assert_eq(
        &[
            facet_names(&events, "/run/facets"),
            facet_names(&events, "/job/facets"),
            facet_names(&events, "/inputs/0/facets"),
            facet_names(&events, "/outputs/0/facets"),
        ]
        .join("\n"),
    );

    // The check of the schemas notices what it is for.
    let broken = folder.with_file_name("broken.jsonl");
    let mut event = event.clone();
    event["outputs"][0]["facets"]["ossature_table"]["surprise"] = Value::Null;
    fs::write(&broken, event.to_string())?;
    if let Some((is_valid, said)) = validated(&broken)? {
        assert!(!is_valid && said.contains("surprise"), "{said}");
    }
    Ok(())
}

/// What a server got.
#[derive(Debug, Default)]
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// What a server does with a request.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Answers(&'static str),
    StaysSilent,
}

/// A server on this machine. Its threads end with the tests.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(manner: Manner) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::default());
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(connection, manner, &kept));
            }
        });
        Ok(Self { url, requests })
    }

    /// What it got since it was asked before.
    fn requests(&self) -> Result<Vec<Request>, Failure> {
        let mut requests = self.requests.lock().map_err(|error| error.to_string())?;
        Ok(std::mem::take(&mut *requests))
    }
}

/// Takes in requests of one connection until it ends.
fn serve(mut connection: TcpStream, manner: Manner, kept: &Mutex<Vec<Request>>) -> io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    loop {
        let mut request = Request::default();
        reader.read_line(&mut request.line)?;
        if request.line.is_empty() {
            return Ok(());
        }
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            request
                .headers
                .insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = request.headers.get("content-length");
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        reader
            .by_ref()
            .take(length)
            .read_to_string(&mut request.body)?;
        if let Ok(mut kept) = kept.lock() {
            kept.push(request);
        }
        match manner {
            Manner::Answers(status) => write!(
                connection,
                "HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: http://127.0.0.1:9/\r\n\r\n"
            )?,
            Manner::StaysSilent => {
                // Until the other side gives up.
                io::copy(&mut reader, &mut io::sink())?;
            }
        }
    }
}

/// The one warning of a build that is published all the same.
#[track_caller]
fn check_warned(lake: &Lake, answer: &Answer, code: &str) -> Result<String, Failure> {
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let lines: Vec<&str> = answer.stderr.lines().collect();
    let [line] = lines.as_slice() else {
        return Err(format!("one warning is wanted:\n{}", answer.stderr).into());
    };
    assert!(
        line.starts_with("warning: OpenLineage events of the run did not reach "),
        "{line}"
    );
    assert!(line.contains(&format!("({code}): ")), "{line}");
    let summary: Value = serde_json::from_str(&answer.stdout)?;
    assert_eq!(summary["status"], "completed");
    assert_eq!(lake.runs()?[0]["status"], "completed");
    Ok((*line).to_owned())
}

#[test]
fn an_endpoint_gets_every_event_with_the_key_and_nobody_else_sees_the_key() -> Result<(), Failure> {
    let (tree, lake, folder) = (small_tree()?, Lake::new()?, scratch()?);
    let server = Server::start(Manner::Answers("201 Created"))?;
    let variables = [
        ("OPENLINEAGE_API_KEY", CANARY),
        ("OPENLINEAGE_NAMESPACE", "team"),
    ];
    let answer = build(
        &lake,
        &tree,
        &["--openlineage", &server.url, "--log", "trace"],
        &variables,
    )?;
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("127.0.0.1"),
        "the log tells of requests"
    );
    for said in [&answer.stdout, &answer.stderr] {
        assert!(!said.contains(CANARY), "{said}");
    }
    let requests = server.requests()?;
    let events = folder.path().join("events.jsonl");
    let mut lines = String::new();
    for request in &requests {
        assert_eq!(request.line, "POST /api/v1/lineage HTTP/1.1\r\n");
        assert_eq!(request.headers["authorization"], format!("Bearer {CANARY}"));
        assert_eq!(request.headers["content-type"], "application/json");
        assert!(!request.body.contains(CANARY));
        lines.push_str(&request.body);
        lines.push('\n');
    }
    fs::write(&events, lines)?;
    check_valid(&events)?;
    let events = events_of(&events)?;
    let told = outline(&events);
    assert_eq!(
        told.first().map(String::as_str),
        Some("START ossature.build")
    );
    assert_eq!(
        told.last().map(String::as_str),
        Some("COMPLETE ossature.build")
    );
    assert!(
        events
            .iter()
            .all(|event| event["job"]["namespace"] == "team")
    );
    for file in files_below(&lake.path())? {
        let bytes = fs::read(&file)?;
        assert!(
            !String::from_utf8_lossy(&bytes).contains(CANARY),
            "{}",
            file.display()
        );
    }
    Ok(())
}

#[test]
fn the_environment_may_name_the_endpoint_and_may_disable_events() -> Result<(), Failure> {
    let (tree, lake) = (small_tree()?, Lake::new()?);
    let server = Server::start(Manner::Answers("200 OK"))?;
    let named = ("OPENLINEAGE_URL", server.url.as_str());
    let answer = build(
        &lake,
        &tree,
        &[],
        &[named, ("OPENLINEAGE_ENDPOINT", "own/path")],
    )?;
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    let requests = server.requests()?;
    assert!(requests.len() > 4);
    assert!(
        requests
            .iter()
            .all(|request| request.line == "POST /own/path HTTP/1.1\r\n")
    );
    assert!(
        requests
            .iter()
            .all(|request| !request.headers.contains_key("authorization"))
    );

    let answer = build(
        &lake,
        &tree,
        &[],
        &[named, ("OPENLINEAGE_DISABLED", "true")],
    )?;
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    assert_eq!(server.requests()?.len(), 0);

    let typo = ("OPENLINEAGE_URL", "localhost:5000");
    let answer = build(&lake, &tree, &[], &[typo])?;
    assert_eq!(answer.code, Some(0));
    expect![[r#"
        warning: OpenLineage events cannot be sent where OPENLINEAGE_URL says (openlineage_target_invalid): a URL has to begin with `http://` or `https://`
    "#]].assert_eq(&answer.stderr);
    Ok(())
}

#[test]
fn an_endpoint_at_which_nobody_listens_costs_one_warning() -> Result<(), Failure> {
    let (tree, lake) = (small_tree()?, Lake::new()?);
    // The port was free just now.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let url = format!("http://{address}");
    let answer = build(&lake, &tree, &["--openlineage", &url], &[])?;
    let line = check_warned(&lake, &answer, "openlineage_unreachable")?;
    assert!(line.contains(&format!("{url}/api/v1/lineage")), "{line}");
    Ok(())
}

#[test]
fn an_endpoint_that_never_answers_costs_one_warning_and_is_not_waited_for_long()
-> Result<(), Failure> {
    let (tree, lake) = (small_tree()?, Lake::new()?);
    let server = Server::start(Manner::StaysSilent)?;
    let answer = build(&lake, &tree, &["--openlineage", &server.url], &[])?;
    let line = check_warned(&lake, &answer, "openlineage_timeout")?;
    assert!(
        line.ends_with("the endpoint did not answer within 5 s"),
        "{line}"
    );
    // Once at the beginning and once at the end.
    assert_eq!(server.requests()?.len(), 2);
    Ok(())
}

#[test]
fn an_endpoint_that_refuses_or_redirects_costs_one_warning() -> Result<(), Failure> {
    let (tree, lake) = (small_tree()?, Lake::new()?);
    for status in [
        "401 Unauthorized",
        "503 Service Unavailable",
        "307 Temporary Redirect",
    ] {
        let server = Server::start(Manner::Answers(status))?;
        let key = [("OPENLINEAGE_API_KEY", CANARY)];
        let answer = build(&lake, &tree, &["--openlineage", &server.url], &key)?;
        let line = check_warned(&lake, &answer, "openlineage_refused")?;
        assert!(line.ends_with(status), "{line}");
        assert!(!line.contains(CANARY), "{line}");
        assert_eq!(server.requests()?.len(), 2);
    }
    Ok(())
}

#[test]
fn a_file_that_cannot_be_written_costs_one_warning() -> Result<(), Failure> {
    let (tree, lake, folder) = (small_tree()?, Lake::new()?, scratch()?);
    let file = folder.path().join("nowhere/events.jsonl");
    let answer = build(
        &lake,
        &tree,
        &["--openlineage", &file.to_string_lossy()],
        &[],
    )?;
    check_warned(&lake, &answer, "openlineage_file_failed")?;
    Ok(())
}

/// Starts a build that tells a server that never answers, and waits until it is published.
fn published_and_telling(lake: &Lake, tree: &Tree) -> Result<Child, Failure> {
    let server = Server::start(Manner::StaysSilent)?;
    let mut arguments = lake.build_arguments(tree.root(), 2);
    arguments.extend(["--openlineage".into(), server.url.into()]);
    let mut build = command(arguments).env("NO_PROXY", "127.0.0.1").spawn()?;
    // A ledger that is being made may not be read yet.
    let is_published = || {
        let runs = ossature(lake.arguments(&["runs", "--format", "json"]))?;
        Ok::<bool, Failure>(runs.stdout.contains("\"completed\""))
    };
    while !is_published()? && build.try_wait()?.is_none() {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(build)
}

#[test]
fn the_next_build_does_not_wait_for_events_of_the_one_before() -> Result<(), Failure> {
    let (tree, lake) = (small_tree()?, Lake::new()?);
    let mut telling = published_and_telling(&lake, &tree)?;
    // It would say that it waits.
    lake.build(tree.root(), 2)?;
    telling.kill()?;
    telling.wait()?;
    Ok(())
}

#[test]
fn a_signal_ends_the_telling_and_the_run_stays_published() -> Result<(), Failure> {
    let (tree, lake) = (small_tree()?, Lake::new()?);
    let telling = published_and_telling(&lake, &tree)?;
    terminate(&telling)?;
    let output = telling.wait_with_output()?;
    let answer = Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    };
    check_warned(&lake, &answer, "openlineage_interrupted")?;
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_reads_costs_one_warning_and_is_not_waited_for_long() -> Result<(), Failure> {
    let (tree, lake, folder) = (small_tree()?, Lake::new()?, scratch()?);
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let answer = build(
        &lake,
        &tree,
        &["--openlineage", &pipe.to_string_lossy()],
        &[],
    )?;
    let line = check_warned(&lake, &answer, "openlineage_timeout")?;
    assert!(
        line.ends_with("the file was not written within 5 s"),
        "{line}"
    );
    Ok(())
}

#[test]
fn a_target_that_may_hold_a_secret_is_refused_before_anything_is_made() -> Result<(), Failure> {
    let (tree, lake) = (small_tree()?, Lake::new()?);
    let url = format!("http://me:{CANARY}@127.0.0.1:9/");
    let answer = build(
        &lake,
        &tree,
        &["--openlineage", &url, "--log", "trace"],
        &[],
    )?;
    assert_eq!(answer.code, Some(2), "{}", answer.stderr);
    assert!(
        answer.stderr.contains("openlineage_target_invalid"),
        "{}",
        answer.stderr
    );
    assert!(!answer.stderr.contains(CANARY), "{}", answer.stderr);
    assert!(!lake.path().exists());
    Ok(())
}

fn terminate(build: &Child) -> Result<(), Failure> {
    let sent = Command::new("kill")
        .args(["-s", "TERM", &build.id().to_string()])
        .status()?;
    assert!(sent.success());
    Ok(())
}

/// The last event of a file.
fn last_of(file: &Path) -> Result<Value, Failure> {
    Ok(events_of(file)?.pop().ok_or("no events")?)
}

#[test]
fn a_build_that_fails_is_told_as_failed() -> Result<(), Failure> {
    let (tree, lake, folder) = (small_tree()?, Lake::new()?, scratch()?);
    let file = folder.path().join("events.jsonl");
    fs::create_dir_all(lake.path().join("cpg"))?;
    fs::write(
        lake.path().join("cpg/cpg_nodes"),
        "a file where a table should be",
    )?;
    let answer = build(
        &lake,
        &tree,
        &["--openlineage", &file.to_string_lossy()],
        &[],
    )?;
    assert_eq!(answer.code, Some(5), "{}", answer.stderr);
    assert!(!answer.stderr.contains("warning"), "{}", answer.stderr);
    check_valid(&file)?;
    let events = events_of(&file)?;
    assert_eq!(
        outline(&events),
        ["START ossature.build", "FAIL ossature.build"]
    );
    let run = &lake.runs()?[0];
    assert_eq!(run["status"], "failed");
    let facets = &events[1]["run"]["facets"];
    assert_eq!(facets["errorMessage"]["message"], run["failure"]["message"]);
    assert_eq!(
        facets["ossature_build"]["failureCode"],
        run["failure"]["code"]
    );
    assert_eq!(events[1]["run"]["runId"], run["run_id"]);
    Ok(())
}

/// Starts a build that tells its events into a file, and waits until it has begun to.
fn building(lake: &Lake, tree: &Tree, file: &Path) -> Result<Child, Failure> {
    let mut arguments = lake.build_arguments(tree.root(), 2);
    arguments.extend(["--openlineage".into(), file.into()]);
    let mut build = command(arguments).spawn()?;
    // The first event is written as soon as the run has begun; a table of the graph is a while behind.
    while !(file.exists() && lake.path().join("extract").exists()) && build.try_wait()?.is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(build)
}

#[test]
fn a_build_that_is_ended_is_told_as_aborted() -> Result<(), Failure> {
    let (tree, lake, folder) = (Tree::of_the_shop()?, Lake::new()?, scratch()?);
    let file: PathBuf = folder.path().join("events.jsonl");
    let ended = building(&lake, &tree, &file)?;
    terminate(&ended)?;
    let output = ended.wait_with_output()?;
    assert_eq!(output.status.code(), Some(143));
    check_valid(&file)?;
    assert_eq!(
        outline(&events_of(&file)?),
        ["START ossature.build", "ABORT ossature.build"]
    );
    let message = last_of(&file)?["run"]["facets"]["errorMessage"]["message"].clone();
    assert_eq!(message, "interrupted by SIGTERM");
    Ok(())
}

#[test]
fn a_build_whose_process_is_gone_is_told_as_aborted_by_the_next_one() -> Result<(), Failure> {
    let (tree, lake, folder) = (Tree::of_the_shop()?, Lake::new()?, scratch()?);
    let file: PathBuf = folder.path().join("events.jsonl");
    let mut killed = building(&lake, &tree, &file)?;
    killed.kill()?;
    killed.wait()?;
    let answer = build(
        &lake,
        &tree,
        &["--openlineage", &file.to_string_lossy()],
        &[],
    )?;
    assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""));
    check_valid(&file)?;
    let events = events_of(&file)?;
    let told = outline(&events[..3]);
    assert_eq!(
        told,
        [
            "START ossature.build",
            "ABORT ossature.build",
            "START ossature.build"
        ]
    );
    assert_eq!(events[0]["run"]["runId"], events[1]["run"]["runId"]);
    Ok(())
}
