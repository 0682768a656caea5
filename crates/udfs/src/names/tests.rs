//! Programs of a few lines, and what is asked of them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use expect_test::{Expect, expect};

use super::{RESOLVE_NAMES, answers};
use crate::argument::Argument;
use crate::rows::SortedGroups;

/// A line is `role name [target [path]]`, `-` for an empty target; the line's number is the rank. Queries are
/// `module_query` and `name_query` lines without a name: their key is what they ask.
#[track_caller]
fn check(program: &str, want: &Expect) {
    let mut lines: Vec<(&str, String, &str, &str, i32)> = program
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .zip(0..)
        .map(|(line, rank)| {
            let mut words = line.split_whitespace();
            let role = words.next().unwrap();
            let first = words.next().unwrap();
            if role.ends_with("_query") {
                let path = words.next().unwrap_or("");
                let root = first.trim_matches('-');
                return (role, format!("{first} {path}"), root, path, rank);
            }
            let target = words.next().unwrap_or("").trim_matches('-');
            (
                role,
                first.to_owned(),
                target,
                words.next().unwrap_or(""),
                rank,
            )
        })
        .collect();
    lines.sort();
    let text = |column: Vec<&str>| Arc::new(StringArray::from(column)) as ArrayRef;
    let columns = vec![
        text(lines.iter().map(|line| line.0).collect()),
        text(lines.iter().map(|line| line.1.as_str()).collect()),
        text(lines.iter().map(|line| line.2).collect()),
        text(lines.iter().map(|line| line.3).collect()),
        Arc::new(Int32Array::from_iter_values(
            lines.iter().map(|line| line.4),
        )),
    ];
    let fields = RESOLVE_NAMES
        .arguments
        .iter()
        .map(Argument::field)
        .collect();
    let groups = SortedGroups {
        offsets: OffsetBuffer::from_lengths([lines.len()]),
        rows: StructArray::new(fields, columns, None),
    };
    let result = answers(&groups).unwrap();
    let rows = result.as_list::<i32>().value(0);
    let rows = rows.as_struct();
    let column = |name: &str| {
        rows.column_by_name(name)
            .unwrap()
            .as_string::<i32>()
            .clone()
    };
    let (keys, statuses, targets) = (column("key"), column("status"), column("target"));
    let rests = column("rest");
    let shown: Vec<String> = (0..rows.len())
        .map(|row| {
            let rest = if rests.is_valid(row) {
                rests.value(row)
            } else {
                ""
            };
            let answer = format!("{} {} {rest}", statuses.value(row), targets.value(row));
            format!("{} -> {}", keys.value(row).trim_end(), answer.trim_end())
        })
        .collect();
    want.assert_eq(&shown.join("\n"));
}

#[test]
fn a_path_goes_through_packages_reexports_and_classes() {
    check(
        "module pkg
         module pkg.impl
         class pkg.impl.App
         name pkg.impl.App.run
         alias pkg.App pkg.impl App
         module_query pkg App.run
         module_query pkg impl.App
         module_query pkg.impl
         name_query pkg.impl.App run",
        &expect![[r#"
            pkg App.run -> name pkg.impl.App.run
            pkg impl.App -> class pkg.impl.App
            pkg.impl -> module pkg.impl
            pkg.impl.App run -> name pkg.impl.App.run"#]],
    );
}

#[test]
fn what_leaves_the_tree_is_external_and_what_is_not_offered_is_missing() {
    check(
        "module pkg
         alias pkg.np numpy
         module_query os path.join
         module_query pkg np.array
         module_query pkg gone.deeper",
        &expect![[r#"
            os path.join -> external os.path.join
            pkg gone.deeper -> missing pkg.gone.deeper
            pkg np.array -> external numpy.array"#]],
    );
}

#[test]
fn a_name_that_is_a_package_and_a_function_is_the_function_to_from_imports() {
    check(
        "module flask
         module flask.app
         name flask.app.app
         alias flask.app flask.app app
         module_query flask app
         module_query flask.app",
        &expect![[r#"
            flask app -> name flask.app.app
            flask.app -> module flask.app"#]],
    );
}

#[test]
fn a_module_that_imports_its_own_submodule_means_the_submodule() {
    check(
        "module pkg
         module pkg.sub
         alias pkg.sub pkg sub
         module_query pkg sub",
        &expect!["pkg sub -> module pkg.sub"],
    );
}

#[test]
fn the_last_star_import_that_offers_a_name_wins() {
    check(
        "module m
         module a
         module b
         module c
         name a.f
         name b.f
         name c.g
         name c._h
         name b.k
         public b f
         star m a
         star m b
         star m c
         module_query m f
         module_query m g
         module_query m _h
         module_query m k",
        &expect![[r#"
            m _h -> missing m._h
            m f -> name b.f
            m g -> name c.g
            m k -> missing m.k"#]],
    );
}

#[test]
fn a_star_import_from_outside_may_bring_any_public_name() {
    check(
        "module m
         star m tkinter
         module_query m Button
         module_query m _private",
        &expect![[r#"
            m Button -> external tkinter.Button
            m _private -> missing m._private"#]],
    );
}

#[test]
fn several_imports_of_one_name_are_several_meanings() {
    check(
        "module m
         alias m.json simplejson
         alias m.json json
         alias m.gone m nothing
         alias m.gone json
         module_query m json.dumps
         module_query m gone",
        &expect![[r#"
            m gone -> external json
            m json.dumps -> external json.dumps
            m json.dumps -> external simplejson.dumps"#]],
    );
}

#[test]
fn members_are_inherited_in_resolution_order() {
    check(
        "module m
         class m.A
         class m.B
         name m.A.run
         name m.B.run
         name m.B.stop
         class m.C
         ancestor m.C m.A
         ancestor m.C m.B
         class m.D
         ancestor m.D m.A
         ancestor m.D unittest.TestCase
         module_query m C.run
         module_query m C.stop
         module_query m C.gone
         module_query m D.run
         module_query m D.assertEqual
         module_query m A.run.wrapped",
        &expect![[r#"
            m A.run.wrapped -> stuck m.A.run wrapped
            m C.gone -> stuck m.C gone
            m C.run -> name m.A.run
            m C.stop -> name m.B.stop
            m D.assertEqual -> external unittest.TestCase.assertEqual
            m D.run -> name m.A.run"#]],
    );
}

#[test]
fn imports_in_a_circle_end() {
    check(
        "module a
         module b
         alias a.x b x
         alias b.x a x
         star a b
         star b a
         alias a.y b y
         name b.y
         module_query a x
         module_query b x
         module_query a y
         module_query a z",
        &expect![[r#"
            a x -> missing a.x
            a y -> name b.y
            a z -> missing a.z
            b x -> missing a.x"#]],
    );
}

#[test]
fn packages_without_a_file_and_the_root_are_gone_through() {
    check(
        "module space.pkg.mod
         module top
         name space.pkg.mod.f
         module_query space pkg.mod.f
         module_query space
         module_query - top
         module_query - gone.f",
        &expect![[r#"
            - gone.f -> external gone.f
            - top -> module top
            space -> module space
            space pkg.mod.f -> name space.pkg.mod.f"#]],
    );
}
