//! Input that nobody wants: every file is one row, none fails the run, and the tree is only read.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use serde_json::Value;

use crate::integrity::check_rules;
use crate::program::{Failure, Lake, files_below, ossature};
use crate::shop::Tree;

fn hostile() -> Result<Tree, Failure> {
    let tree = Tree::empty()?;
    tree.write("binary.py", b"\x7fELF\x02\x01\x01\0\0\0\0")?;
    tree.write(
        "broken.py",
        "def f(:\n    return g(\nclass C:\n    def m(self): f()\n",
    )?;
    tree.write("byte_order_mark.py", b"\xef\xbb\xbfx = 1\n")?;
    tree.write("crlf.py", "def f():\r\n    return 1\r\n\r\nf()\r\n")?;
    tree.write("empty.py", "")?;
    tree.write("fine.py", "import broken, empty\nbroken.C().m()\n")?;
    tree.write(
        "latin_1.py",
        b"# -*- coding: latin-1 -*-\ncaf\xe9 = '\xe9'\n",
    )?;
    tree.write("new\nline.py", "x = 1\n")?;
    tree.write("not_utf_8.py", b"x = '\xe9'\n")?;
    tree.write("wrong_cookie.py", b"# coding: gbk\nx = '\xff\xff'\n")?;
    tree.write(OsStr::from_bytes(b"\xff\xfe.py"), "x = 1\n")?;
    let at = |name: &str| tree.root().join(name);
    File::create(at("sparse.py"))?.set_len(200 << 20)?;
    symlink(tree.root(), at("loop"))?;
    symlink(tree.root(), at("loop.py"))?;
    symlink("itself.py", at("itself.py"))?;
    symlink("missing.py", at("dangling.py"))?;
    assert!(
        Command::new("mkfifo")
            .arg(at("fifo.py"))
            .status()?
            .success()
    );
    Ok(tree)
}

/// Everything in a folder with what changes when it is written to.
fn state(root: &Path) -> Result<Vec<(PathBuf, u64, i64, i64)>, Failure> {
    let mut found = files_below(root)?;
    found.push(root.to_path_buf());
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let facts = fs::symlink_metadata(&path)?;
            Ok((path, facts.len(), facts.ctime(), facts.ctime_nsec()))
        })
        .collect()
}

#[test]
fn every_file_is_a_row_and_the_tree_is_left_as_it_was() -> Result<(), Failure> {
    let tree = hostile()?;
    let before = state(tree.root())?;
    let lake = Lake::new()?;
    let summary = lake.build(tree.root(), 2)?;
    assert_eq!(state(tree.root())?, before);
    assert_eq!(summary["status"], "completed");

    let files = lake.query(
        "SELECT path, status, reason, encoding, path_bytes IS NOT NULL AS has_bytes FROM extract.files \
         ORDER BY path",
    )?;
    let lines: Vec<String> = files
        .iter()
        .map(|file| {
            let [status, reason, encoding] =
                ["status", "reason", "encoding"].map(|column| file[column].as_str().unwrap_or("-"));
            let bytes = if file["has_bytes"] == true {
                " (bytes)"
            } else {
                ""
            };
            format!("{}{bytes} {status} {reason} {encoding}", file["path"])
        })
        .collect();
    expect![[r#"
        "binary.py" skipped binary -
        "broken.py" partial syntax_error utf-8
        "byte_order_mark.py" parsed - utf-8-sig
        "crlf.py" parsed - utf-8
        "dangling.py" skipped not_regular -
        "empty.py" parsed - utf-8
        "fifo.py" skipped not_regular -
        "fine.py" parsed - utf-8
        "itself.py" skipped not_regular -
        "latin_1.py" parsed - iso-8859-1
        "loop.py" skipped not_regular -
        "new\nline.py" parsed - utf-8
        "not_utf_8.py" skipped not_utf8 -
        "sparse.py" skipped too_large -
        "wrong_cookie.py" skipped undecodable -
        "��.py" (bytes) parsed - utf-8"#]]
    .assert_eq(&lines.join("\n"));
    assert_eq!(summary["files"]["listed"], lines.len());
    let complaints = "SELECT count(*) AS n FROM extract.diagnostics WHERE severity = 'error'";
    assert!(lake.number(complaints)? >= 9);
    check_rules(&lake)
}

#[test]
fn a_tree_without_sources_is_an_empty_graph() -> Result<(), Failure> {
    let tree = Tree::empty()?;
    tree.write("README", "no Python here\n")?;
    let lake = Lake::new()?;
    let answer = ossature(lake.build_arguments(tree.root(), 1))?;
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    let source = tree.root().display();
    let warning = format!("warning: no Python files found below {source}\n");
    assert_eq!(answer.stderr, warning);
    let summary: Value = serde_json::from_str(&answer.stdout)?;
    assert_eq!(summary["status"], "completed");
    assert_eq!(summary["files"]["listed"], 0);
    assert_eq!(lake.number("SELECT count(*) AS n FROM cpg_edges")?, 0);
    Ok(())
}
