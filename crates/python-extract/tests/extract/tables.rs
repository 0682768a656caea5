//! What the tables say about small sources, one test per feature.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use ossature_python_extract::{Dataset, datasets};

use crate::facts::{Facts, SourceTree};

#[track_caller]
fn check(dataset: Dataset, columns: &[&str], sources: &[(&str, &str)], want: &Expect) {
    let tree = sources
        .iter()
        .fold(SourceTree::new(), |tree, (path, text)| {
            tree.with(path, text)
        });
    let texts: BTreeMap<String, String> = sources
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    want.assert_eq(&Facts::of(tree.root()).render(dataset, columns, &texts));
}

#[track_caller]
fn check_module(dataset: Dataset, columns: &[&str], source: &str, want: &Expect) {
    check(dataset, columns, &[("m.py", source)], want);
}

#[test]
fn every_dataset_is_declared_and_every_column_is_described() {
    for spec in datasets().unwrap() {
        assert!(!spec.description().is_empty(), "{}", spec.name());
        assert_eq!(spec.name().stage(), "extract");
        for column in spec.columns() {
            assert!(
                !column.description().is_empty(),
                "{}.{}",
                spec.name(),
                column.name()
            );
        }
    }
}

#[test]
fn the_tree_is_in_preorder_with_synthetic_nodes_around_bodies() {
    check_module(
        Dataset::Nodes,
        &["node_kind", "ast_kind", "field", "name", "position"],
        "@d\ndef f(a=1): return a\n",
        &expect![[r#"
            node_kind=FILE position=0
            node_kind=NAMESPACE_BLOCK ast_kind=Module name=m position=0
            node_kind=METHOD name=<module> position=0
            node_kind=PY_SCOPE name=top position=0
            node_kind=PY_BINDING name=f position=0
            node_kind=PY_BINDING name=d position=1
            node_kind=BLOCK field=body position=1
            node_kind=METHOD ast_kind=FunctionDef field=body name=f position=0
            node_kind=ANNOTATION field=decorator_list name=d position=0
            node_kind=IDENTIFIER ast_kind=Name field=decorator_list name=d position=0
            node_kind=METHOD_PARAMETER_IN ast_kind=arg field=args name=a position=1
            node_kind=LITERAL ast_kind=Constant field=default position=0
            node_kind=PY_SCOPE name=f position=2
            node_kind=BLOCK field=body position=3
            node_kind=RETURN ast_kind=Return field=body position=0
            node_kind=IDENTIFIER ast_kind=Name field=value name=a position=0
            node_kind=METHOD_RETURN position=4
            node_kind=METHOD_RETURN position=2"#]],
    );
}

#[test]
fn callees_are_taken_apart() {
    check_module(
        Dataset::Calls,
        &[
            "callee_id",
            "callee_shape",
            "callee_text",
            "callee_name",
            "root_id",
            "root_binding_id",
            "path",
            "receiver_id",
            "method_id",
        ],
        "import os\ndef f(x):\n    os.path.join(x)\n    x()()\n    x[0].y()\n    (lambda: 1)()\n    (x or f)()\n    print(x . y  (1))\n",
        &expect![[r#"
            callee_id=`os.path.join`:3 callee_shape=attribute callee_text=os.path.join callee_name=join root_id=`os`:3 root_binding_id=`os`:1 path=path.join receiver_id=`os.path`:3 method_id=`def f(x):`:2
            callee_id=`x()`:4 callee_shape=call callee_text=x() method_id=`def f(x):`:2
            callee_id=`x`:4 callee_shape=name callee_text=x callee_name=x root_id=`x`:4 root_binding_id=`x`:2 method_id=`def f(x):`:2
            callee_id=`x[0].y`:5 callee_shape=attribute callee_text=x[0].y callee_name=y receiver_id=`x[0]`:5 method_id=`def f(x):`:2
            callee_id=`lambda: 1`:6 callee_shape=lambda callee_text=lambda: 1 method_id=`def f(x):`:2
            callee_id=`x or f`:7 callee_shape=other callee_text=x or f method_id=`def f(x):`:2
            callee_id=`print`:8 callee_shape=name callee_text=print callee_name=print root_id=`print`:8 method_id=`def f(x):`:2
            callee_id=`x . y`:8 callee_shape=attribute callee_text=x . y callee_name=y root_id=`x`:8 root_binding_id=`x`:2 path=y receiver_id=`x`:8 method_id=`def f(x):`:2"#]],
    );
}

#[test]
fn arguments_are_in_source_order() {
    check_module(
        Dataset::Arguments,
        &["call_id", "position", "node_id", "argument_kind", "keyword"],
        "f(a, *b, k=g(c), **d)\nf(x for x in y)\n",
        &expect![[r#"
            call_id=`f(a, *b, k=g(c), **d)`:1 position=1 node_id=`a`:1 argument_kind=positional
            call_id=`f(a, *b, k=g(c), **d)`:1 position=2 node_id=`*b`:1 argument_kind=star
            call_id=`f(a, *b, k=g(c), **d)`:1 position=3 node_id=`g(c)`:1 argument_kind=keyword keyword=k
            call_id=`f(a, *b, k=g(c), **d)`:1 position=4 node_id=`d`:1 argument_kind=double_star
            call_id=`g(c)`:1 position=1 node_id=`c`:1 argument_kind=positional
            call_id=`f(x for x in y)`:2 position=1 node_id=`(x for x in y)`:2 argument_kind=positional"#]],
    );
}

#[test]
fn arguments_are_counted() {
    check_module(
        Dataset::Calls,
        &[
            "callee_text",
            "positional_count",
            "keyword_count",
            "has_star",
            "has_double_star",
        ],
        "f()\nf(a, b, *c, *d, e=1, **g)\n",
        &expect![[r#"
            callee_text=f positional_count=0 keyword_count=0
            callee_text=f positional_count=2 keyword_count=1 has_star has_double_star"#]],
    );
}

#[test]
fn imports_know_their_target() {
    check(
        Dataset::Imports,
        &[
            "import_kind",
            "module",
            "level",
            "imported_name",
            "asname",
            "bound_name",
            "binding_id",
            "target_module",
            "is_star",
            "is_type_checking",
            "is_future",
        ],
        &[
            ("p/__init__.py", ""),
            ("p/q/__init__.py", ""),
            (
                "p/q/m.py",
                "from __future__ import annotations\nimport os.path, sys as s\nfrom . import a\nfrom ..b import c as d\nfrom ... import e\nfrom .... import f\nfrom os import *\nif TYPE_CHECKING:\n    import t\nelse:\n    import u\n",
            ),
        ],
        &expect![[r#"
            import_kind=from module=__future__ level=0 imported_name=annotations bound_name=annotations binding_id=`annotations`:1 target_module=__future__ is_future
            import_kind=import module=os.path level=0 bound_name=os binding_id=`os.path`:2 target_module=os.path
            import_kind=import module=sys level=0 asname=s bound_name=s binding_id=`sys as s`:2 target_module=sys
            import_kind=from level=1 imported_name=a bound_name=a binding_id=`a`:3 target_module=p.q
            import_kind=from module=b level=2 imported_name=c asname=d bound_name=d binding_id=`c as d`:4 target_module=p.b
            import_kind=from level=3 imported_name=e bound_name=e binding_id=`e`:5 target_module=
            import_kind=from level=4 imported_name=f bound_name=f binding_id=`f`:6
            import_kind=from module=os level=0 imported_name=* target_module=os is_star
            import_kind=import module=t level=0 bound_name=t binding_id=`t`:9 target_module=t is_type_checking
            import_kind=import module=u level=0 bound_name=u binding_id=`u`:11 target_module=u"#]],
    );
}

#[test]
fn exports_follow_the_list_of_all() {
    check_module(
        Dataset::Exports,
        &[
            "name",
            "export_kind",
            "is_in_all",
            "position",
            "binding_id",
            "symbol_id",
            "import_id",
        ],
        "from a import b, _c\nfrom d import *\nfrom e import *\ndef f(): global g\nclass _H: pass\n__all__ = ['f', 'b'] + ['x']\n__all__ += ['y']\n__all__.remove('x')\n__all__.append('z')\n",
        &expect![[r#"
            name=* export_kind=all import_id=`*`:2
            name=* export_kind=all import_id=`*`:3
            name=_H export_kind=all binding_id=`_H`:5 symbol_id=symbol
            name=__all__ export_kind=all binding_id=`__all__`:6 symbol_id=symbol
            name=_c export_kind=all binding_id=`_c`:1 symbol_id=symbol import_id=`_c`:1
            name=b export_kind=all is_in_all position=1 binding_id=`b`:1 symbol_id=symbol import_id=`b`:1
            name=f export_kind=all is_in_all position=0 binding_id=`f`:4 symbol_id=symbol
            name=g export_kind=all binding_id=`g`:4 symbol_id=symbol
            name=y export_kind=all is_in_all position=2
            name=z export_kind=all is_in_all position=3"#]],
    );
}

#[test]
fn without_a_list_every_name_is_offered() {
    check_module(
        Dataset::Exports,
        &["name", "export_kind", "is_in_all", "import_id"],
        "import a\nx: int = 1\n_y = print(z)\n",
        &expect![[r#"
            name=_y export_kind=implicit
            name=a export_kind=implicit import_id=`a`:1
            name=x export_kind=implicit"#]],
    );
}

#[test]
fn definitions_are_named_as_python_names_them() {
    check_module(
        Dataset::Definitions,
        &[
            "definition_kind",
            "qualified_name",
            "duplicate_index",
            "binding_id",
            "container_id",
            "is_method",
            "is_generator",
            "is_async",
        ],
        "def f():\n    def g(): yield\n    global h\n    def h(): return lambda: [x for x in y]\n    class C:\n        async def m(self): pass\ndef f(): pass\n",
        &expect![[r#"
            definition_kind=module qualified_name=m duplicate_index=0
            definition_kind=function qualified_name=m.f duplicate_index=0 binding_id=`f`:1 container_id=`def f():`:1
            definition_kind=function qualified_name=m.f.<locals>.g duplicate_index=0 binding_id=`g`:2 container_id=`def f():`:1 is_generator
            definition_kind=function qualified_name=m.h duplicate_index=0 binding_id=`h`:3 container_id=`def f():`:1
            definition_kind=lambda qualified_name=m.h.<locals>.<lambda> duplicate_index=0 container_id=`def h(): return lambda: `:4
            definition_kind=comprehension qualified_name=m.h.<locals>.<lambda>.<locals>.<listcomp> duplicate_index=0 container_id=`lambda: [x for x in y]`:4
            definition_kind=class qualified_name=m.f.<locals>.C duplicate_index=0 binding_id=`C`:5 container_id=`def f():`:1
            definition_kind=async_function qualified_name=m.f.<locals>.C.m duplicate_index=0 binding_id=`m`:6 container_id=`class C:`:5 is_method is_async
            definition_kind=function qualified_name=m.f duplicate_index=1 binding_id=`f`:1 container_id=`def f():`:1"#]],
    );
}

#[test]
fn signatures_and_bases_are_as_written() {
    check_module(
        Dataset::Definitions,
        &["name", "signature", "bases"],
        "def f(a, /, b: int, c = (1,\n 2), *, d: 'x'=3, **e) -> list[ int ]: pass\ndef g(*a, b): pass\ndef h(a, /): pass\nclass C(A, b . B[int], metaclass=M): pass\nx = lambda *, y=1: y\n",
        &expect![[r#"
            name=m
            name=f signature=(a, /, b: int, c=(1, 2), *, d: 'x' = 3, **e) -> list[ int ]
            name=g signature=(*a, b)
            name=h signature=(a, /)
            name=C bases=A, b . B[int]
            name=<lambda> signature=(*, y=1)"#]],
    );
}

#[test]
fn decorators_say_what_a_function_is() {
    check_module(
        Dataset::Definitions,
        &[
            "name",
            "decorator_count",
            "is_static",
            "is_classmethod",
            "is_property",
            "is_abstract",
            "is_overload",
        ],
        "class C:\n    @staticmethod\n    def a(): pass\n    @classmethod\n    @abc.abstractmethod\n    def b(cls): pass\n    @functools.cached_property\n    def c(self): pass\n    @c.setter\n    def d(self, v): pass\n    @typing.overload\n    def e(self): ...\n    @deprecated('x')\n    def f(self): ...\n",
        &expect![[r#"
            name=m decorator_count=0
            name=C decorator_count=0
            name=a decorator_count=1 is_static
            name=b decorator_count=2 is_classmethod is_abstract
            name=c decorator_count=1 is_property
            name=d decorator_count=1 is_property
            name=e decorator_count=1 is_overload
            name=f decorator_count=1"#]],
    );
}

#[test]
fn bases_are_resolved_to_their_root() {
    check_module(
        Dataset::ClassBases,
        &[
            "class_id",
            "position",
            "text",
            "root_name",
            "root_binding_id",
            "path",
        ],
        "import t\nclass A(t.x.G[int], list[str], object, f(), *t): pass\n",
        &expect![[r#"
            class_id=`class A(t.x.G[int], list`:2 position=0 text=t.x.G[int] root_name=t root_binding_id=`t`:1 path=x.G
            class_id=`class A(t.x.G[int], list`:2 position=1 text=list[str] root_name=list
            class_id=`class A(t.x.G[int], list`:2 position=2 text=object root_name=object
            class_id=`class A(t.x.G[int], list`:2 position=3 text=f()
            class_id=`class A(t.x.G[int], list`:2 position=4 text=*t"#]],
    );
}

#[test]
fn parameters_have_kinds_defaults_and_annotations() {
    check_module(
        Dataset::Parameters,
        &[
            "method_id",
            "position",
            "name",
            "parameter_kind",
            "annotation_id",
            "default_id",
            "qualified_name",
        ],
        "def f(a, /, b: int = 1, *c, d=lambda e: e, **g): pass\n",
        &expect![[r#"
            method_id=`def f(a, /, b: int = 1, `:1 position=0 name=a parameter_kind=positional_only qualified_name=m.f.a
            method_id=`def f(a, /, b: int = 1, `:1 position=1 name=b parameter_kind=positional_or_keyword annotation_id=`int`:1 default_id=`1`:1 qualified_name=m.f.b
            method_id=`def f(a, /, b: int = 1, `:1 position=2 name=c parameter_kind=var_positional qualified_name=m.f.c
            method_id=`def f(a, /, b: int = 1, `:1 position=3 name=d parameter_kind=keyword_only default_id=`lambda e: e`:1 qualified_name=m.f.d
            method_id=`lambda e: e`:1 position=0 name=e parameter_kind=positional_or_keyword qualified_name=m.<lambda>.e
            method_id=`def f(a, /, b: int = 1, `:1 position=4 name=g parameter_kind=var_keyword qualified_name=m.f.g"#]],
    );
}

#[test]
fn docstrings_belong_to_their_definition() {
    check_module(
        Dataset::Docstrings,
        &["owner_id", "summary", "text"],
        "'''\n  Module.\n\n  More.'''\ndef f():\n    'a' 'b\\x41'\nclass C:\n    \"C.\"\n    def g(self): f'no'\n    def h(self): b'no'\n",
        &expect![[r#"
            owner_id=`'''`:1 summary=Module. text=
              Module.

              More.
            owner_id=`def f():`:5 summary=abA text=abA
            owner_id=`class C:`:7 summary=C. text=C."#]],
    );
}

#[test]
fn names_resolve_inside_the_file() {
    check_module(
        Dataset::References,
        &["node_id", "context", "resolution", "binding_id"],
        "x = 1\ndef f(a):\n    x = a\n    def g():\n        nonlocal x\n        x = len(y)\n        return x, a, f\n    class C:\n        a = a\n        def h(self): return a, x, __class__\n    del x\n    return [n for n in a if (w := n)], w\n",
        &expect![[r#"
            node_id=`x`:1 context=store resolution=global binding_id=`x`:1
            node_id=`x`:3 context=store resolution=local binding_id=`x`:3
            node_id=`a`:3 context=load resolution=local binding_id=`a`:2
            node_id=`x`:6 context=store resolution=free binding_id=`x`:3
            node_id=`len`:6 context=load resolution=builtin
            node_id=`y`:6 context=load resolution=unresolved
            node_id=`x`:7 context=load resolution=free binding_id=`x`:3
            node_id=`a`:7 context=load resolution=free binding_id=`a`:2
            node_id=`f`:7 context=load resolution=global binding_id=`f`:2
            node_id=`a`:9 context=store resolution=local binding_id=`a`:9
            node_id=`a`:9 context=load resolution=local binding_id=`a`:9
            node_id=`a`:10 context=load resolution=free binding_id=`a`:2
            node_id=`x`:10 context=load resolution=free binding_id=`x`:3
            node_id=`__class__`:10 context=load resolution=free
            node_id=`x`:11 context=delete resolution=local binding_id=`x`:3
            node_id=`n`:12 context=load resolution=local binding_id=`n`:12
            node_id=`n`:12 context=store resolution=local binding_id=`n`:12
            node_id=`a`:12 context=load resolution=local binding_id=`a`:2
            node_id=`w`:12 context=store resolution=free binding_id=`w`:12
            node_id=`n`:12 context=load resolution=local binding_id=`n`:12
            node_id=`w`:12 context=load resolution=local binding_id=`w`:12"#]],
    );
}

#[test]
fn names_that_are_no_expressions_are_bound_too() {
    check_module(
        Dataset::References,
        &["node_id", "context", "resolution", "binding_id"],
        "def f():\n    try: pass\n    except E as e: pass\n    match e:\n        case [a, *b] as c: pass\n        case {'k': d, **g}: pass\n        case E(k=h): pass\n",
        &expect![[r#"
            node_id=`E`:3 context=load resolution=unresolved
            node_id=`e`:3 context=store resolution=local binding_id=`e`:3
            node_id=`e`:4 context=load resolution=local binding_id=`e`:3
            node_id=`a`:5 context=store resolution=local binding_id=`a`:5
            node_id=`b`:5 context=store resolution=local binding_id=`b`:5
            node_id=`c`:5 context=store resolution=local binding_id=`c`:5
            node_id=`d`:6 context=store resolution=local binding_id=`d`:6
            node_id=`g`:6 context=store resolution=local binding_id=`g`:6
            node_id=`E`:7 context=load resolution=unresolved
            node_id=`h`:7 context=store resolution=local binding_id=`h`:7"#]],
    );
}

#[test]
fn type_parameters_have_a_scope_of_their_own() {
    check_module(
        Dataset::References,
        &["node_id", "resolution", "binding_id"],
        "type A[T] = list[T]\ndef f[U: A](x: U) -> U:\n    return U\nclass C[V](B[V]):\n    W = int\n    def m[X](self, x: X, w: W): return V, X, W\n",
        &expect![[r#"
            node_id=`A`:1 resolution=global binding_id=`A`:1
            node_id=`list`:1 resolution=builtin
            node_id=`T`:1 resolution=local binding_id=`T`:1
            node_id=`A`:2 resolution=global binding_id=`A`:1
            node_id=`U`:2 resolution=local binding_id=`U`:2
            node_id=`U`:2 resolution=local binding_id=`U`:2
            node_id=`U`:3 resolution=free binding_id=`U`:2
            node_id=`B`:4 resolution=unresolved
            node_id=`V`:4 resolution=local binding_id=`V`:4
            node_id=`W`:5 resolution=local binding_id=`W`:5
            node_id=`int`:5 resolution=builtin
            node_id=`X`:6 resolution=local binding_id=`X`:6
            node_id=`W`:6 resolution=free binding_id=`W`:5
            node_id=`V`:6 resolution=free binding_id=`V`:4
            node_id=`X`:6 resolution=free binding_id=`X`:6
            node_id=`W`:6 resolution=unresolved"#]],
    );
}

#[test]
fn bindings_have_kinds_and_symbols() {
    check_module(
        Dataset::Bindings,
        &[
            "name",
            "binding_kind",
            "qualified_name",
            "symbol_id",
            "resolves_to",
        ],
        "import a\nb: int\nprint\ndef c(d):\n    global e\n    e = f = g = 1\n    return lambda: f + d\nclass H:\n    __i = a\n",
        &expect![[r#"
            name=a binding_kind=import qualified_name=m.a symbol_id=symbol
            name=b binding_kind=module_attribute qualified_name=m.b symbol_id=symbol
            name=int binding_kind=global_implicit
            name=print binding_kind=global_implicit
            name=c binding_kind=module_attribute qualified_name=m.c symbol_id=symbol
            name=e binding_kind=module_attribute qualified_name=m.e symbol_id=symbol
            name=H binding_kind=module_attribute qualified_name=m.H symbol_id=symbol
            name=d binding_kind=parameter qualified_name=m.c.d symbol_id=symbol
            name=e binding_kind=global_explicit resolves_to=`e`:5
            name=f binding_kind=cell
            name=g binding_kind=local
            name=f binding_kind=free resolves_to=`f`:6
            name=d binding_kind=free resolves_to=`d`:4
            name=a binding_kind=global_implicit resolves_to=`a`:1
            name=_H__i binding_kind=class_attribute qualified_name=m.H._H__i symbol_id=symbol"#]],
    );
}

#[test]
fn diagnostics_have_a_place() {
    check_module(
        Dataset::Diagnostics,
        &["severity", "code", "message", "bstart", "bend", "line"],
        "x = 1\ny = = 2\ntype A = int\n",
        &expect![[r#"
            severity=error code=syntax_error message=Expected an expression bstart=10 bend=11 line=2
            severity=warning code=unsupported_syntax message=Cannot use `type` alias statement on Python 3.11 (syntax was added in Python 3.12) bstart=14 bend=18 line=3"#]],
    );
}

#[test]
fn files_say_what_they_are() {
    check(
        Dataset::Files,
        &[
            "path",
            "module_name",
            "is_package",
            "status",
            "reason",
            "encoding",
            "line_count",
            "size_bytes",
            "node_count",
            "definition_count",
            "call_count",
        ],
        &[
            ("p/__init__.py", "f()\n"),
            ("src/m.py", "def f(): pass"),
            ("broken.py", "def f(:\n"),
        ],
        &expect![[r#"
            path=p/__init__.py module_name=p is_package status=parsed encoding=utf-8 line_count=1 size_bytes=4 node_count=10 definition_count=1 call_count=1
            path=src/m.py module_name=m status=parsed encoding=utf-8 line_count=1 size_bytes=13 node_count=12 definition_count=2 call_count=0
            path=broken.py module_name=broken status=partial reason=syntax_error encoding=utf-8 line_count=1 size_bytes=8 node_count=13 definition_count=2 call_count=0"#]],
    );
}

#[test]
fn the_interface_hash_sees_what_others_see() {
    let hash = |source: &str| {
        let tree = SourceTree::new().with("m.py", source);
        Facts::of(tree.root()).rows(Dataset::Files)[0]["interface_hash"].clone()
    };
    let before = hash("import a\ndef f(x): return 1\nclass C(B): pass\n");
    for same in [
        "import a\n\n# comment\ndef f(x):\n    y = 2\n    return g(y)\nclass C(B):\n    'doc'\n",
        "import a\ndef f(x):\n    def inner(): pass\n    return inner\nclass C(B): pass\n",
    ] {
        assert_eq!(before, hash(same), "{same}");
    }
    for different in [
        "import a\ndef f(x, y): return 1\nclass C(B): pass\n",
        "import a\ndef f(x): return 1\nclass C(D): pass\n",
        "import a as b\ndef f(x): return 1\nclass C(B): pass\n",
        "import a\n@d\ndef f(x): return 1\nclass C(B): pass\n",
        "import a\ndef f(x): return 1\nclass C(B): x = 1\n",
        "import a\ndef f(x): return 1\nclass C(B): pass\n__all__ = []\n",
    ] {
        assert_ne!(before, hash(different), "{different}");
    }
}

#[test]
fn symbols_outlive_edits_and_sites_do_not_collide() {
    let symbols = |source: &str| {
        let tree = SourceTree::new().with("m.py", source);
        let facts = Facts::of(tree.root());
        let rows = facts.rows(Dataset::Definitions).iter();
        rows.map(|row| (row["qualified_name"].clone(), row["symbol_id"].clone()))
            .collect::<Vec<_>>()
    };
    let before = symbols("def f(): pass\nclass C:\n    def g(self): pass\n");
    let after =
        symbols("\n# more\nx = 1\ndef f(): return x\nclass C:\n    y = 1\n    def g(self): pass\n");
    assert_eq!(before, after);
}
