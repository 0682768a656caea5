//! Input that nobody wants: every file costs one row, never the run.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use expect_test::{Expect, expect};
use ossature_python_extract::{Dataset, Error, ScanOptions, list_sources};
use ossature_schema_spec::FileKey;

use crate::facts::{Facts, SourceTree, Value, batches, options};

#[track_caller]
fn check(tree: &SourceTree, want: &Expect) {
    let facts = Facts::of(tree.root());
    let mut lines: Vec<String> = facts
        .rows(Dataset::Files)
        .iter()
        .map(|row| {
            let [path, status, reason, encoding] =
                ["path", "status", "reason", "encoding"].map(|column| row[column].text());
            format!("{path:?} {status} {reason} {encoding}")
                .trim_end()
                .to_owned()
        })
        .collect();
    lines.sort();
    want.assert_eq(&lines.join("\n"));
    assert_eq!(
        facts
            .rows(Dataset::Diagnostics)
            .iter()
            .filter(|row| row["severity"].text() == "error")
            .count()
            > 0,
        facts
            .rows(Dataset::Files)
            .iter()
            .any(|row| row["reason"] != Value::Null),
        "whatever is not parsed has a diagnostic",
    );
}

#[test]
fn encodings() {
    let tree = SourceTree::new()
        .with("bom.py", b"\xef\xbb\xbfx = 1\n")
        .with(
            "bom_and_cookie.py",
            b"\xef\xbb\xbf# coding: latin-1\nx = 1\n",
        )
        .with("cp1252.py", b"# coding: cp1252\nx = '\x80'\n")
        .with("gbk.py", b"# coding: gbk\nx = '\xc4\xe3'\n")
        .with("latin_1.py", b"# coding: latin-1\nx = '\xe9'\n")
        .with("lone_surrogate.py", b"x = '\xed\xa0\x80'\n")
        .with("not_utf8.py", b"x = '\xe9'\n")
        .with("unknown.py", b"# coding: klingon\nx = 1\n")
        .with("utf16.py", b"\xff\xfex\0=\0x\0")
        .with("wrong_cookie.py", b"# coding: gbk\nx = '\xff\xff'\n");
    check(
        &tree,
        &expect![[r#"
            "bom.py" parsed  utf-8-sig
            "bom_and_cookie.py" skipped unknown_encoding
            "cp1252.py" parsed  cp1252
            "gbk.py" parsed  gbk
            "latin_1.py" parsed  iso-8859-1
            "lone_surrogate.py" skipped not_utf8
            "not_utf8.py" skipped not_utf8
            "unknown.py" skipped unknown_encoding
            "utf16.py" skipped binary
            "wrong_cookie.py" skipped undecodable"#]],
    );
}

#[test]
fn contents() {
    let elf: Vec<u8> = b"\x7fELF\x02\x01\x01\0"
        .iter()
        .copied()
        .cycle()
        .take(1 << 20)
        .collect();
    let tree = SourceTree::new()
        .with("broken.py", "def f(:\n  x = (\nclass\n")
        .with("crlf.py", "x = 1\r\ny = 2\r\n")
        .with("elf.py", elf)
        .with("empty.py", "")
        .with("nul.py", "x = 1\0\n")
        .with("only_errors.py", "))) ??? $$$ \u{1}\n")
        .with("unclosed.py", "x = '''abc\n")
        .with("tabs.py", "if x:\n\ty = 1\n        z = 2\n");
    check(
        &tree,
        &expect![[r#"
            "broken.py" partial syntax_error utf-8
            "crlf.py" parsed  utf-8
            "elf.py" skipped binary
            "empty.py" parsed  utf-8
            "nul.py" skipped binary
            "only_errors.py" partial syntax_error utf-8
            "tabs.py" partial syntax_error utf-8
            "unclosed.py" partial syntax_error utf-8"#]],
    );
}

#[test]
fn nesting() {
    let ifs = |depth: usize| {
        let lines = (0..depth).map(|level| format!("{}if a:\n", " ".repeat(level)));
        lines.collect::<String>() + &" ".repeat(depth) + "pass\n"
    };
    let tree = SourceTree::new()
        .with(
            "a_parentheses.py",
            format!("x = {}1{}\n", "(".repeat(100_000), ")".repeat(100_000)),
        )
        .with("b_open.py", "(".repeat(100_000))
        .with(
            "c_brackets_200.py",
            format!("x = {}1{}\n", "[".repeat(200), "]".repeat(200)),
        )
        .with("d_sum_5000.py", format!("x = a{}\n", "+a".repeat(4_999)))
        .with(
            "e_sum_100000.py",
            format!("x = a{}\n", "+a".repeat(100_000)),
        )
        .with("f_ifs_99.py", ifs(99))
        .with("g_ifs_101.py", ifs(101))
        .with(
            "h_elifs_20000.py",
            format!("if a: pass\n{}", "elif a: pass\n".repeat(20_000)),
        )
        .with("i_not.py", format!("x = {}a\n", "not ".repeat(1_000_000)))
        .with(
            "j_attributes_5900.py",
            format!("x = a{}\n", ".b".repeat(5_900)),
        )
        .with(
            "k_lambdas_199.py",
            format!("x = {}a\n", "lambda: ".repeat(199)),
        )
        .with(
            "l_calls_2900.py",
            format!("x = {}a{}\n", "f(".repeat(2_900), ")".repeat(2_900)),
        )
        .with(
            "m_f_strings.py",
            format!("x = {}1{}\n", "f'{".repeat(1_000), "}'".repeat(1_000)),
        )
        .with(
            "n_powers_5900.py",
            format!("x = a{}\n", "**a".repeat(5_900)),
        )
        .with(
            "o_conditions_2900.py",
            format!("x = {}a\n", "a if b else ".repeat(2_900)),
        )
        .with(
            "p_comprehensions_201.py",
            format!("x = {}1{}\n", "[".repeat(201), " for a in b]".repeat(201)),
        )
        .with(
            "q_patterns.py",
            format!(
                "match x:\n case {}a{}: pass\n",
                "[".repeat(2_900),
                "]".repeat(2_900)
            ),
        );
    check(
        &tree,
        &expect![[r#"
            "a_parentheses.py" skipped too_deep utf-8
            "b_open.py" skipped too_deep utf-8
            "c_brackets_200.py" parsed  utf-8
            "d_sum_5000.py" parsed  utf-8
            "e_sum_100000.py" skipped too_deep utf-8
            "f_ifs_99.py" parsed  utf-8
            "g_ifs_101.py" skipped too_deep utf-8
            "h_elifs_20000.py" parsed  utf-8
            "i_not.py" skipped too_deep utf-8
            "j_attributes_5900.py" parsed  utf-8
            "k_lambdas_199.py" parsed  utf-8
            "l_calls_2900.py" parsed  utf-8
            "m_f_strings.py" parsed  utf-8
            "n_powers_5900.py" parsed  utf-8
            "o_conditions_2900.py" parsed  utf-8
            "p_comprehensions_201.py" skipped too_deep utf-8
            "q_patterns.py" parsed  utf-8"#]],
    );
}

#[test]
fn sizes() {
    let tree = SourceTree::new()
        .with("a_identifier.py", format!("{} = 1\n", "x".repeat(1 << 20)))
        .with("b_line.py", format!("x = [{}]\n", "1, ".repeat(200_000)))
        .with("c_statements.py", "a;".repeat(4 << 20))
        .with(
            "f_long_prefix.py",
            format!(
                "class {}:\n{}",
                "x".repeat(1 << 20),
                " def f(a): 0\n".repeat(9_999)
            ),
        );
    File::create(tree.root().join("d_sparse.py"))
        .unwrap()
        .set_len(200 << 20)
        .unwrap();
    File::create(tree.root().join("e_at_the_limit.py"))
        .unwrap()
        .set_len(8 << 20)
        .unwrap();
    check(
        &tree,
        &expect![[r#"
            "a_identifier.py" parsed  utf-8
            "b_line.py" parsed  utf-8
            "c_statements.py" skipped too_many_nodes utf-8
            "d_sparse.py" skipped too_large
            "e_at_the_limit.py" skipped binary
            "f_long_prefix.py" skipped names_too_long utf-8"#]],
    );
}

#[test]
fn entries_that_are_no_files() {
    let outside = SourceTree::new().with("secret.py", "secret = 1\n");
    let tree = SourceTree::new()
        .with("real.py", "x = 1\n")
        .with("folder.py/inner.py", "x = 1\n")
        .with(".git/hook.py", "x = 1\n")
        .with("p/__pycache__/x.py", "x = 1\n")
        .with(".venv/lib/x.py", "x = 1\n")
        .with("node_modules/x.py", "x = 1\n")
        .with(".hidden/x.py", "x = 1\n")
        .with(".gitignore", "*.py\n")
        .with("stub.pyi", "x: int\n");
    let root = tree.root();
    symlink(root, root.join("loop")).unwrap();
    symlink(root, root.join("loop.py")).unwrap();
    symlink("missing.py", root.join("dangling.py")).unwrap();
    symlink("real.py", root.join("link.py")).unwrap();
    symlink("/etc/passwd", root.join("passwd.py")).unwrap();
    symlink(outside.root().join("secret.py"), root.join("secret.py")).unwrap();
    symlink(outside.root(), root.join("outside")).unwrap();
    let made = Command::new("mkfifo").arg(root.join("fifo.py")).status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket.py")).unwrap();
    check(
        &tree,
        &expect![[r#"
            ".hidden/x.py" parsed  utf-8
            "dangling.py" skipped not_regular
            "fifo.py" skipped not_regular
            "folder.py/inner.py" parsed  utf-8
            "link.py" skipped not_regular
            "loop.py" skipped not_regular
            "passwd.py" skipped outside_root
            "real.py" parsed  utf-8
            "secret.py" skipped outside_root
            "socket.py" skipped not_regular"#]],
    );
}

#[test]
fn names_of_files() {
    let tree = SourceTree::new()
        .with("-leading.py", "")
        .with("new\nline.py", "")
        .with("quote'\"; drop table.py", "")
        .with("caf\u{e9}.py", "")
        .with("cafe\u{301}.py", "")
        .with("Case.py", "")
        .with("case.py", "")
        .with(&format!("{}.py", "n".repeat(252)), "");
    fs::write(
        tree.root().join(OsStr::from_bytes(b"\xff\xfe.py")),
        "x = 1\n",
    )
    .unwrap();
    fs::write(
        tree.root().join(OsStr::from_bytes(b"\xff\xfd.py")),
        "x = 1\n",
    )
    .unwrap();
    check(
        &tree,
        &expect![[r#"
            "-leading.py" parsed  utf-8
            "Case.py" parsed  utf-8
            "cafe\u{301}.py" parsed  utf-8
            "café.py" parsed  utf-8
            "case.py" parsed  utf-8
            "new\nline.py" parsed  utf-8
            "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.py" parsed  utf-8
            "quote'\"; drop table.py" parsed  utf-8
            "��.py" parsed  utf-8
            "��.py" parsed  utf-8"#]],
    );
    let facts = Facts::of(tree.root());
    let exact: Vec<&str> = facts
        .rows(Dataset::Files)
        .iter()
        .map(|row| row["path_bytes"].text())
        .filter(|bytes| !bytes.is_empty())
        .collect();
    assert_eq!(exact.len(), 2);
    assert!(
        exact.contains(&"[255, 254, 46, 112, 121]") && exact.contains(&"[255, 253, 46, 112, 121]")
    );
}

#[test]
fn files_and_folders_without_permission_are_rows() {
    use std::os::unix::fs::PermissionsExt;
    let tree = SourceTree::new()
        .with("closed.py", "x = 1\n")
        .with("folder/x.py", "x = 1\n");
    for name in ["closed.py", "folder"] {
        fs::set_permissions(tree.root().join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    if fs::read(tree.root().join("closed.py")).is_err() {
        check(
            &tree,
            &expect![[r#"
                "closed.py" skipped unreadable
                "folder" skipped unreadable_folder"#]],
        );
    } else {
        // A superuser is refused nothing.
        let listing = list_sources(tree.root(), &ScanOptions::everything()).unwrap();
        assert_eq!(listing.files().len(), 2);
    }
    fs::set_permissions(
        tree.root().join("folder"),
        fs::Permissions::from_mode(0o700),
    )
    .unwrap();
}

/// Even a superuser cannot name a folder that lies deeper than the longest path that the system takes.
#[test]
fn a_folder_that_cannot_be_listed_is_a_row() {
    let tree = SourceTree::new().with("m.py", "x = 1\n");
    let dig = "d=$(printf '%0250d' 0); for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do \
               mkdir $d && cd -P $d || exit 1; done; echo 'y = 1' > deep.py";
    let dug = Command::new("sh")
        .args(["-c", dig])
        .current_dir(tree.root())
        .status()
        .unwrap();
    assert!(dug.success());
    let facts = Facts::of(tree.root());
    let rows: Vec<_> = facts
        .rows(Dataset::Files)
        .iter()
        .map(|row| (row["status"].text(), row["reason"].text()))
        .collect();
    assert_eq!(rows, [("skipped", "unreadable_folder"), ("parsed", "")]);
}

#[test]
fn a_file_that_vanished_is_a_row() {
    let tree = SourceTree::new()
        .with("a.py", "x = 1\n")
        .with("b.py", "x = 1\n");
    let listing = list_sources(tree.root(), &ScanOptions::everything()).unwrap();
    fs::remove_file(tree.root().join("a.py")).unwrap();
    fs::remove_file(tree.root().join("b.py")).unwrap();
    symlink("/etc/passwd", tree.root().join("b.py")).unwrap();
    let mut found = Vec::new();
    ossature_python_extract::extract(&listing, &options(1), |dataset, batch| {
        found.push((dataset, batch));
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    let facts = Facts::from_batches(&found);
    let mut reasons: Vec<(&str, &str)> = facts
        .rows(Dataset::Files)
        .iter()
        .map(|row| (row["path"].text(), row["reason"].text()))
        .collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [("a.py", "unreadable"), ("b.py", "not_regular")]);
}

#[test]
fn a_root_that_is_no_folder_is_an_error_with_advice() {
    let tree = SourceTree::new().with("a.py", "");
    for root in [tree.root().join("a.py"), tree.root().join("missing")] {
        let error = list_sources(&root, &ScanOptions::everything()).unwrap_err();
        assert!(matches!(error, Error::Root { .. }), "{error}");
        assert_eq!(error.code(), "source_root_unreadable");
        assert!(error.hint().is_some());
    }
}

#[test]
fn paths_with_one_key_are_told_apart() {
    let [small, large] = COLLIDING;
    assert_eq!(
        FileKey::of(small.as_bytes(), 0),
        FileKey::of(large.as_bytes(), 0)
    );
    let tree = SourceTree::new()
        .with(large, "x = 1\n")
        .with(small, "y = 1\n");
    let listing = list_sources(tree.root(), &ScanOptions::everything()).unwrap();
    let salts: Vec<(&str, u32)> = listing
        .files()
        .iter()
        .map(|file| (file.path.as_str(), file.salt))
        .collect();
    assert_eq!(salts, [(small, 0), (large, 1)]);
    assert_ne!(listing.files()[0].key, listing.files()[1].key);
}

/// Two paths whose 40-bit keys are equal, found by search.
const COLLIDING: [&str; 2] = ["m1738872.py", "m1921004.py"];

#[test]
fn threads_do_not_matter() {
    let mut tree = SourceTree::new();
    for at in 0..60 {
        let body = "def f(x):\n    return [y for y in x]\n".repeat(at);
        tree = tree.with(&format!("p{}/m{at}.py", at % 7), body);
    }
    tree = tree.with("bad.py", "def (:\n").with("binary.py", "\0");
    let one = batches(tree.root(), &options(1));
    assert!(one.len() > 30, "several units");
    for threads in [2, 4, 16] {
        assert!(
            one == batches(tree.root(), &options(threads)),
            "{threads} threads"
        );
    }
}
