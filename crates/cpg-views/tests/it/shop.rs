//! The tree `trees/shop`: packages with relative imports, re-exports and star imports, class hierarchies, definitions
//! that occur twice, builtins, decorators, and a file that does not parse.

use std::path::Path;

use datafusion::prelude::SessionContext;
use expect_test::{Expect, expect};
use ossature_cpg_views::{rules, views};
use ossature_view_graph::Materialization;

use crate::session::{count, graph_of, rows};

async fn shop(partitions: usize) -> SessionContext {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees/shop");
    graph_of(&root, partitions).await
}

async fn check(sql: &str, want: Expect) {
    want.assert_eq(&rows(&shop(2).await, sql).await);
}

#[tokio::test]
async fn every_call_has_a_status_and_its_candidates() {
    check(
        "SELECT files.path, nodes.line, extracted.callee_text AS callee, calls.status, calls.method, calls.reason,
         calls.confidence AS conf, edges.label, targets.qualified_name AS target
         FROM cpg.calls AS calls
         JOIN extract.calls AS extracted ON extracted.node_id = calls.node_id
         JOIN cpg.cpg_nodes AS nodes ON nodes.node_id = calls.node_id
         JOIN extract.files AS files ON files.file_id = nodes.file_id
         LEFT JOIN cpg.cpg_edges AS edges ON edges.src_node_id = calls.node_id AND edges.edge_kind = 'CALL'
         LEFT JOIN cpg.cpg_nodes AS targets ON targets.node_id = edges.dst_node_id
         ORDER BY files.path, nodes.node_id, target, label",
        expect![[r#"
            +-------------------------+------+-----------------------------+------------+------------------+-------------------+-------+--------------+----------------------------------------------+
            | path                    | line | callee                      | status     | method           | reason            | conf  | label        | target                                       |
            +-------------------------+------+-----------------------------+------------+------------------+-------------------+-------+--------------+----------------------------------------------+
            | broken.py               | 6    | whole                       | resolved   | local_definition |                   | 1.0   |              | broken.whole                                 |
            | main.py                 | 5    | load                        | resolved   | import           |                   | 0.95  |              | shop.plugins.loader.load                     |
            | main.py                 | 6    | s.total                     | resolved   | import           |                   | 0.95  |              | shop.pricing.total                           |
            | shop/__init__.py        | 12   | print                       | external   | builtin          |                   | 0.95  |              | builtins.print                               |
            | shop/__init__.py        | 13   | Shop                        | resolved   | local_definition |                   | 1.0   | instantiates | shop.Shop                                    |
            | shop/__init__.py        | 13   | Shop                        | resolved   | local_definition |                   | 1.0   | __init__     | shop.Shop.__init__                           |
            | shop/__init__.py        | 22   | self.items.append           | unresolved | none             | dynamic_attribute | 0.0   |              |                                              |
            | shop/__init__.py        | 23   | total                       | resolved   | star_import      |                   | 0.95  |              | shop.pricing.total                           |
            | shop/catalogue/base.py  | 16   | cls                         | unresolved | none             | parameter         | 0.0   |              |                                              |
            | shop/catalogue/base.py  | 26   | field                       | external   | import           |                   | 0.95  |              | dataclasses.field                            |
            | shop/catalogue/books.py | 17   | Book.Page                   | resolved   | class_attribute  |                   | 0.95  | instantiates | shop.catalogue.books.Book.Page               |
            | shop/catalogue/books.py | 17   | Book.Page                   | resolved   | class_attribute  |                   | 0.95  | __init__     | shop.catalogue.books.Book.Page.__init__      |
            | shop/catalogue/books.py | 24   | sorted                      | external   | builtin          |                   | 0.95  |              | builtins.sorted                              |
            | shop/catalogue/books.py | 25   | by_name                     | resolved   | local_definition |                   | 1.0   |              | shop.catalogue.books.bundle.<locals>.by_name |
            | shop/catalogue/books.py | 26   | total                       | resolved   | import           |                   | 0.95  |              | shop.pricing.total                           |
            | shop/compat.py          | 13   | Timer                       | ambiguous  | local_definition |                   | 0.5   | instantiates | shop.compat.Timer                            |
            | shop/compat.py          | 13   | Timer                       | ambiguous  | local_definition |                   | 0.5   | instantiates | shop.compat.Timer                            |
            | shop/compat.py          | 13   | Timer                       | ambiguous  | local_definition |                   | 0.5   | __init__     | shop.compat.Timer.__init__                   |
            | shop/plugins/loader.py  | 15   | start                       | resolved   | import           |                   | 0.95  |              | shop.open_shop                               |
            | shop/plugins/loader.py  | 20   | start                       | resolved   | import           |                   | 0.95  |              | shop.open_shop                               |
            | shop/plugins/loader.py  | 21   | opened.add                  | unresolved | none             | dynamic_attribute | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 21   | Book                        | resolved   | import           |                   | 0.95  | __init__     | shop.catalogue.base.Named.__init__           |
            | shop/plugins/loader.py  | 21   | Book                        | resolved   | import           |                   | 0.95  | instantiates | shop.catalogue.books.Book                    |
            | shop/plugins/loader.py  | 22   | shop.Book.called            | resolved   | import           |                   | 0.95  |              | shop.catalogue.base.Named.called             |
            | shop/plugins/loader.py  | 23   | shop.catalogue.books.bundle | resolved   | import           |                   | 0.95  |              | shop.catalogue.books.bundle                  |
            | shop/plugins/loader.py  | 24   | printed.Book.Page           | resolved   | import           |                   | 0.95  | instantiates | shop.catalogue.books.Book.Page               |
            | shop/plugins/loader.py  | 24   | printed.Book.Page           | resolved   | import           |                   | 0.95  | __init__     | shop.catalogue.books.Book.Page.__init__      |
            | shop/plugins/loader.py  | 25   | Library                     | resolved   | local_definition |                   | 1.0   | __init__     | shop.catalogue.base.Named.__init__           |
            | shop/plugins/loader.py  | 25   | Library                     | resolved   | local_definition |                   | 1.0   | instantiates | shop.plugins.loader.Library                  |
            | shop/plugins/loader.py  | 26   | Library.price               | resolved   | class_attribute  |                   | 0.95  |              | shop.catalogue.base.Item.price               |
            | shop/plugins/loader.py  | 27   | shop.pricing.total_of       | resolved   | import           |                   | 0.95  |              | shop.pricing.total_of                        |
            | shop/plugins/loader.py  | 28   | shop.Shop.gone              | unresolved | none             | unknown_member    | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 29   | total                       | resolved   | star_import      |                   | 0.95  |              | shop.pricing.total                           |
            | shop/plugins/loader.py  | 30   | separator                   | ambiguous  | star_import      |                   | 0.475 |              | shop.pricing.separator                       |
            | shop/plugins/loader.py  | 30   | separator                   | ambiguous  | star_import      |                   | 0.475 |              | shop.pricing.separator                       |
            | shop/plugins/loader.py  | 31   | reassigned                  | resolved   | star_import      |                   | 0.95  |              | shop.pricing.reassigned                      |
            | shop/plugins/loader.py  | 32   | missing                     | unresolved | none             | missing_name      | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 33   | callback                    | unresolved | none             | parameter         | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 34   | registry["k"]               | unresolved | none             | subscript         | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 35   | lambda: 1                   | unresolved | none             | lambda            | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 36   | load(callback)              | unresolved | none             | call_result       | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 36   | load                        | resolved   | local_definition |                   | 1.0   |              | shop.plugins.loader.load                     |
            | shop/plugins/loader.py  | 37   | nonsense                    | unresolved | none             | unknown_name      | 0.0   |              |                                              |
            | shop/plugins/loader.py  | 38   | too_far                     | external   | import           |                   | 0.95  |              | too_far                                      |
            | shop/plugins/loader.py  | 39   | len                         | external   | builtin          |                   | 0.95  |              | builtins.len                                 |
            | shop/pricing.py         | 9    | floor                       | external   | import           |                   | 0.95  |              | math.floor                                   |
            | shop/pricing.py         | 14   | item.price                  | unresolved | none             | dynamic_attribute | 0.0   |              |                                              |
            | shop/pricing.py         | 15   | _round                      | ambiguous  | import           |                   | 0.5   |              | fastround.fast                               |
            | shop/pricing.py         | 15   | _round                      | ambiguous  | import           |                   | 0.5   |              | shop.pricing._round                          |
            | shop/pricing.py         | 15   | d.Decimal                   | external   | import           |                   | 0.95  |              | decimal.Decimal                              |
            | shop/pricing.py         | 19   | total                       | resolved   | local_definition |                   | 1.0   |              | shop.pricing.total                           |
            | shop/pricing.py         | 19   | os.path.basename            | external   | import           |                   | 0.95  |              | os.path.basename                             |
            | shop/pricing.py         | 34   | staticmethod                | external   | builtin          |                   | 0.95  |              | builtins.staticmethod                        |
            +-------------------------+------+-----------------------------+------------+------------------+-------------------+-------+--------------+----------------------------------------------+"#]],
    )
    .await;
}

#[tokio::test]
async fn imports_name_symbols_in_and_outside_of_the_tree() {
    check(
        "SELECT files.path, nodes.line, nodes.name, edges.resolution, edges.confidence AS conf,
         targets.node_kind, targets.qualified_name AS target
         FROM extract.imports AS imports
         JOIN cpg.cpg_nodes AS nodes ON nodes.node_id = imports.node_id
         JOIN extract.files AS files ON files.file_id = nodes.file_id
         LEFT JOIN cpg.cpg_edges AS edges ON edges.src_node_id = imports.node_id AND edges.edge_kind = 'IMPORTS'
         LEFT JOIN cpg.cpg_nodes AS targets ON targets.node_id = edges.dst_node_id
         ORDER BY files.path, nodes.node_id, target",
        expect![[r#"
            +----------------------------+------+----------------------+------------+-------+-------------+---------------------------+
            | path                       | line | name                 | resolution | conf  | node_kind   | target                    |
            +----------------------------+------+----------------------+------------+-------+-------------+---------------------------+
            | main.py                    | 1    | load                 | resolved   | 0.95  | PY_SYMBOL   | shop.plugins.loader.load  |
            | main.py                    | 2    | shop                 | resolved   | 0.95  | PY_SYMBOL   | shop                      |
            | shop/__init__.py           | 3    | Book                 | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.books.Book |
            | shop/__init__.py           | 3    | Item                 | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.base.Item  |
            | shop/__init__.py           | 4    | *                    | resolved   | 0.95  | PY_SYMBOL   | shop.pricing              |
            | shop/__init__.py           | 5    | _round               | ambiguous  | 0.475 | PY_EXTERNAL | fastround.fast            |
            | shop/__init__.py           | 5    | _round               | ambiguous  | 0.475 | PY_SYMBOL   | shop.pricing._round       |
            | shop/catalogue/__init__.py | 1    | Item                 | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.base.Item  |
            | shop/catalogue/__init__.py | 2    | Book                 | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.books.Book |
            | shop/catalogue/__init__.py | 3    | books                | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.books      |
            | shop/catalogue/base.py     | 1    | abc                  | external   | 0.95  | PY_EXTERNAL | abc                       |
            | shop/catalogue/base.py     | 2    | dataclass            | external   | 0.95  | PY_EXTERNAL | dataclasses.dataclass     |
            | shop/catalogue/base.py     | 2    | field                | external   | 0.95  | PY_EXTERNAL | dataclasses.field         |
            | shop/catalogue/books.py    | 1    | overload             | external   | 0.95  | PY_EXTERNAL | typing.overload           |
            | shop/catalogue/books.py    | 3    | Item                 | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.base.Item  |
            | shop/catalogue/books.py    | 4    | total                | resolved   | 0.95  | PY_SYMBOL   | shop.pricing.total        |
            | shop/compat.py             | 1    | sys                  | external   | 0.95  | PY_EXTERNAL | sys                       |
            | shop/plugins/loader.py     | 1    | shop                 | resolved   | 0.95  | PY_SYMBOL   | shop                      |
            | shop/plugins/loader.py     | 2    | shop.catalogue.books | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.books      |
            | shop/plugins/loader.py     | 3    | Book                 | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.books.Book |
            | shop/plugins/loader.py     | 3    | missing              | missing    | 0.5   | PY_EXTERNAL | shop.missing              |
            | shop/plugins/loader.py     | 3    | open_shop            | resolved   | 0.95  | PY_SYMBOL   | shop.open_shop            |
            | shop/plugins/loader.py     | 4    | printed              | resolved   | 0.95  | PY_SYMBOL   | shop.catalogue.books      |
            | shop/plugins/loader.py     | 5    | *                    | resolved   | 0.95  | PY_SYMBOL   | shop.pricing              |
            | shop/plugins/loader.py     | 6    | nowhere              | missing    | 0.5   | PY_EXTERNAL | shop.plugins.nowhere      |
            | shop/plugins/loader.py     | 8    | too_far              | external   | 0.95  | PY_EXTERNAL | too_far                   |
            | shop/pricing.py            | 1    | decimal              | external   | 0.95  | PY_EXTERNAL | decimal                   |
            | shop/pricing.py            | 2    | os.path              | external   | 0.95  | PY_EXTERNAL | os.path                   |
            | shop/pricing.py            | 3    | floor                | external   | 0.95  | PY_EXTERNAL | math.floor                |
            | shop/pricing.py            | 6    | fast                 | external   | 0.95  | PY_EXTERNAL | fastround.fast            |
            +----------------------------+------+----------------------+------------+-------+-------------+---------------------------+"#]],
    )
    .await;
}

#[tokio::test]
async fn classes_have_bases_and_a_resolution_order() {
    check(
        "SELECT class_name, position, ancestor_name, is_exact FROM normalize.class_mro
         ORDER BY class_name, position",
        expect![[r#"
            +--------------------------------+----------+--------------------------------+----------+
            | class_name                     | position | ancestor_name                  | is_exact |
            +--------------------------------+----------+--------------------------------+----------+
            | shop.Shop                      | 0        | shop.Shop                      | true     |
            | shop.catalogue.base.Item       | 0        | shop.catalogue.base.Item       | true     |
            | shop.catalogue.base.Item       | 1        | shop.catalogue.base.Named      | true     |
            | shop.catalogue.base.Item       | 2        | shop.catalogue.base.Priced     | true     |
            | shop.catalogue.base.Item       | 3        | abc.ABC                        | true     |
            | shop.catalogue.base.Named      | 0        | shop.catalogue.base.Named      | true     |
            | shop.catalogue.base.Priced     | 0        | shop.catalogue.base.Priced     | true     |
            | shop.catalogue.base.Priced     | 1        | abc.ABC                        | true     |
            | shop.catalogue.base.Tag        | 0        | shop.catalogue.base.Tag        | true     |
            | shop.catalogue.books.Book      | 0        | shop.catalogue.books.Book      | true     |
            | shop.catalogue.books.Book      | 1        | shop.catalogue.base.Item       | true     |
            | shop.catalogue.books.Book      | 2        | shop.catalogue.base.Named      | true     |
            | shop.catalogue.books.Book      | 3        | shop.catalogue.base.Priced     | true     |
            | shop.catalogue.books.Book      | 4        | abc.ABC                        | true     |
            | shop.catalogue.books.Book.Page | 0        | shop.catalogue.books.Book.Page | true     |
            | shop.compat.Timer              | 0        | shop.compat.Timer              | true     |
            | shop.compat.Timer              | 0        | shop.compat.Timer              | true     |
            | shop.plugins.loader.Library    | 0        | shop.plugins.loader.Library    | false    |
            | shop.plugins.loader.Library    | 1        | shop.catalogue.books.Book      | false    |
            | shop.plugins.loader.Library    | 2        | shop.catalogue.base.Item       | false    |
            | shop.plugins.loader.Library    | 3        | shop.catalogue.base.Named      | false    |
            | shop.plugins.loader.Library    | 4        | shop.catalogue.base.Priced     | false    |
            | shop.plugins.loader.Library    | 5        | abc.ABC                        | false    |
            | shop.plugins.loader.Library    | 6        | builtins.object                | false    |
            | shop.plugins.loader.Odd        | 0        | shop.plugins.loader.Odd        | false    |
            +--------------------------------+----------+--------------------------------+----------+"#]],
    )
    .await;
}

#[tokio::test]
async fn symbols_are_what_has_a_name_of_its_own() {
    check(
        "SELECT symbol_kind, qualified_name, is_overload, declaration_count FROM normalize.symbols
         WHERE symbol_kind <> 'parameter' ORDER BY qualified_name, symbol_kind, symbol_id",
        expect![[r#"
            +-------------+----------------------------------------------+-------------+-------------------+
            | symbol_kind | qualified_name                               | is_overload | declaration_count |
            +-------------+----------------------------------------------+-------------+-------------------+
            | module      | broken                                       | false       | 1                 |
            | function    | broken.broken                                | false       | 1                 |
            | function    | broken.whole                                 | false       | 1                 |
            | module      | main                                         | false       | 1                 |
            | module      | shop                                         | false       | 1                 |
            | class       | shop.Shop                                    | false       | 1                 |
            | function    | shop.Shop.__init__                           | false       | 1                 |
            | function    | shop.Shop.add                                | false       | 1                 |
            | attribute   | shop.__all__                                 | false       | 1                 |
            | module      | shop.catalogue                               | false       | 1                 |
            | module      | shop.catalogue.base                          | false       | 1                 |
            | class       | shop.catalogue.base.Item                     | false       | 1                 |
            | function    | shop.catalogue.base.Item.price               | false       | 1                 |
            | class       | shop.catalogue.base.Named                    | false       | 1                 |
            | function    | shop.catalogue.base.Named.__init__           | false       | 1                 |
            | function    | shop.catalogue.base.Named.called             | false       | 1                 |
            | class       | shop.catalogue.base.Priced                   | false       | 1                 |
            | function    | shop.catalogue.base.Priced.price             | false       | 1                 |
            | class       | shop.catalogue.base.Tag                      | false       | 1                 |
            | attribute   | shop.catalogue.base.Tag.text                 | false       | 1                 |
            | module      | shop.catalogue.books                         | false       | 1                 |
            | class       | shop.catalogue.books.Book                    | false       | 1                 |
            | class       | shop.catalogue.books.Book.Page               | false       | 1                 |
            | function    | shop.catalogue.books.Book.Page.__init__      | false       | 1                 |
            | function    | shop.catalogue.books.Book.read               | true        | 1                 |
            | function    | shop.catalogue.books.Book.read               | false       | 1                 |
            | function    | shop.catalogue.books.Book.read               | true        | 1                 |
            | function    | shop.catalogue.books.bundle                  | false       | 1                 |
            | function    | shop.catalogue.books.bundle.<locals>.by_name | false       | 1                 |
            | module      | shop.compat                                  | false       | 1                 |
            | class       | shop.compat.Timer                            | false       | 1                 |
            | class       | shop.compat.Timer                            | false       | 1                 |
            | function    | shop.compat.Timer.__init__                   | false       | 1                 |
            | function    | shop.compat.timer                            | false       | 1                 |
            | function    | shop.open_shop                               | false       | 1                 |
            | module      | shop.plugins                                 | false       | 1                 |
            | module      | shop.plugins.loader                          | false       | 1                 |
            | class       | shop.plugins.loader.Library                  | false       | 1                 |
            | class       | shop.plugins.loader.Odd                      | false       | 1                 |
            | function    | shop.plugins.loader.load                     | false       | 1                 |
            | function    | shop.plugins.loader.load.<locals>.<lambda>   | false       | 1                 |
            | function    | shop.plugins.loader.load.<locals>.<listcomp> | false       | 1                 |
            | function    | shop.plugins.loader.load.<locals>.again      | false       | 1                 |
            | module      | shop.pricing                                 | false       | 1                 |
            | function    | shop.pricing._round                          | false       | 1                 |
            | function    | shop.pricing.reassigned                      | false       | 1                 |
            | function    | shop.pricing.separator                       | false       | 1                 |
            | function    | shop.pricing.separator                       | false       | 1                 |
            | function    | shop.pricing.total                           | false       | 1                 |
            | function    | shop.pricing.total_of                        | false       | 1                 |
            +-------------+----------------------------------------------+-------------+-------------------+"#]],
    )
    .await;
}

#[tokio::test]
async fn edges_of_every_kind_are_there() {
    check(
        "SELECT family, edge_kind, origin, resolution, count(*) AS edges FROM cpg.edges_all
         GROUP BY family, edge_kind, origin, resolution ORDER BY family, edge_kind, origin, resolution",
        expect![[r#"
            +--------+-------------------+------------------+------------+-------+
            | family | edge_kind         | origin           | resolution | edges |
            +--------+-------------------+------------------+------------+-------+
            | linked | CALL              | builtin          | external   | 4     |
            | linked | CALL              | class_attribute  | resolved   | 2     |
            | linked | CALL              | class_init       | ambiguous  | 1     |
            | linked | CALL              | class_init       | resolved   | 5     |
            | linked | CALL              | import           | ambiguous  | 1     |
            | linked | CALL              | import           | external   | 5     |
            | linked | CALL              | import           | resolved   | 10    |
            | linked | CALL              | local_definition | ambiguous  | 3     |
            | linked | CALL              | local_definition | resolved   | 6     |
            | linked | CALL              | star_import      | ambiguous  | 2     |
            | linked | CALL              | star_import      | resolved   | 3     |
            | linked | IMPORTS           | import           | ambiguous  | 2     |
            | linked | IMPORTS           | import           | external   | 10    |
            | linked | IMPORTS           | import           | missing    | 2     |
            | linked | IMPORTS           | import           | resolved   | 16    |
            | linked | INHERITS_FROM     | class_base       | external   | 2     |
            | linked | INHERITS_FROM     | class_base       | resolved   | 4     |
            | local  | ARGUMENT          | syntax           | exact      | 36    |
            | local  | AST               | syntax           | exact      | 754   |
            | local  | BINDS             | scope            | exact      | 131   |
            | local  | CAPTURE           | scope            | exact      | 1     |
            | local  | CONTAINS          | syntax           | exact      | 530   |
            | local  | DECLARES          | declaration      | exact      | 80    |
            | local  | PY_DOCUMENTS      | syntax           | exact      | 2     |
            | local  | PY_EXPORTS        | declaration      | exact      | 46    |
            | local  | PY_HAS_DIAGNOSTIC | syntax           | exact      | 2     |
            | local  | PY_SCOPE_PARENT   | scope            | exact      | 38    |
            | local  | RECEIVER          | syntax           | exact      | 13    |
            | local  | REF               | scope            | free       | 1     |
            | local  | REF               | scope            | global     | 42    |
            | local  | REF               | scope            | local      | 41    |
            +--------+-------------------+------------------+------------+-------+"#]],
    )
    .await;
}

#[tokio::test]
async fn the_tree_of_a_file_is_contained_in_its_methods() {
    check(
        "SELECT containers.node_kind AS container, containers.name, nodes.node_kind, count(*) AS nodes
         FROM cpg.contains_edges AS edges
         JOIN cpg.cpg_nodes AS containers ON containers.node_id = edges.src_node_id
         JOIN cpg.cpg_nodes AS nodes ON nodes.node_id = edges.dst_node_id
         JOIN extract.files AS files ON files.file_id = nodes.file_id
         WHERE files.path = 'shop/catalogue/base.py'
         GROUP BY containers.node_id, containers.node_kind, containers.name, nodes.node_kind
         ORDER BY containers.node_id, nodes.node_kind",
        expect![[r#"
            +-----------+----------+------------------+-------+
            | container | name     | node_kind        | nodes |
            +-----------+----------+------------------+-------+
            | FILE      |          | METHOD           | 9     |
            | FILE      |          | TYPE_DECL        | 4     |
            | METHOD    | <module> | BLOCK            | 1     |
            | METHOD    | <module> | CALL             | 1     |
            | METHOD    | <module> | FIELD_IDENTIFIER | 1     |
            | METHOD    | <module> | IDENTIFIER       | 4     |
            | METHOD    | <module> | IMPORT           | 5     |
            | TYPE_DECL | Priced   | METHOD           | 2     |
            | METHOD    | <body>   | BLOCK            | 1     |
            | METHOD    | price    | BLOCK            | 2     |
            | METHOD    | price    | CALL             | 1     |
            | METHOD    | price    | FIELD_IDENTIFIER | 1     |
            | METHOD    | price    | IDENTIFIER       | 1     |
            | METHOD    | price    | LITERAL          | 1     |
            | TYPE_DECL | Named    | METHOD           | 3     |
            | METHOD    | <body>   | BLOCK            | 1     |
            | METHOD    | __init__ | BLOCK            | 1     |
            | METHOD    | __init__ | CALL             | 2     |
            | METHOD    | __init__ | FIELD_IDENTIFIER | 1     |
            | METHOD    | __init__ | IDENTIFIER       | 2     |
            | METHOD    | called   | BLOCK            | 1     |
            | METHOD    | called   | CALL             | 1     |
            | METHOD    | called   | IDENTIFIER       | 3     |
            | METHOD    | called   | RETURN           | 1     |
            | TYPE_DECL | Item     | METHOD           | 2     |
            | METHOD    | <body>   | BLOCK            | 1     |
            | METHOD    | price    | BLOCK            | 1     |
            | METHOD    | price    | LITERAL          | 1     |
            | METHOD    | price    | RETURN           | 1     |
            | TYPE_DECL | Tag      | METHOD           | 1     |
            | METHOD    | <body>   | BLOCK            | 2     |
            | METHOD    | <body>   | CALL             | 2     |
            | METHOD    | <body>   | IDENTIFIER       | 3     |
            | METHOD    | <body>   | LITERAL          | 1     |
            +-----------+----------+------------------+-------+"#]],
    )
    .await;
}

#[tokio::test]
async fn properties_come_from_the_catalogue() {
    check(
        "SELECT prop_key, value_type, count(*) AS properties, min(value_string) AS least, max(value_string) AS greatest
         FROM cpg.cpg_props WHERE prop_key NOT IN ('sha256', 'interface_hash', 'message')
         GROUP BY prop_key, value_type ORDER BY prop_key",
        expect![[r#"
            +-----------------+------------+------------+-------------------------------------------------------+-----------------------+
            | prop_key        | value_type | properties | least                                                 | greatest              |
            +-----------------+------------+------------+-------------------------------------------------------+-----------------------+
            | annotation_id   | int        | 2          |                                                       |                       |
            | asname          | string     | 6          | _round                                                | start                 |
            | ast_kind        | string     | 98         | ClassDef                                              | alias                 |
            | bases           | string     | 5          | Book, nowhere.Base, object                            | start()               |
            | binding_kind    | string     | 101        | class_attribute                                       | module_attribute      |
            | callee_shape    | string     | 44         | attribute                                             | subscript             |
            | callee_text     | string     | 44         | Book                                                  | whole                 |
            | code            | string     | 2          | syntax_error                                          | syntax_error          |
            | code_hash       | int        | 36         |                                                       |                       |
            | decorator_count | int        | 5          |                                                       |                       |
            | default_id      | int        | 4          |                                                       |                       |
            | definition_kind | string     | 48         | class                                                 | module                |
            | docstring       | string     | 2          | A shop: what the package offers is defined elsewhere. | Opens a shop.         |
            | duplicate_index | int        | 4          |                                                       |                       |
            | encoding        | string     | 10         | utf-8                                                 | utf-8                 |
            | import_kind     | string     | 29         | from                                                  | import                |
            | imported_name   | string     | 22         | *                                                     | total                 |
            | is_abstract     | bool       | 1          |                                                       |                       |
            | is_annotated    | bool       | 1          |                                                       |                       |
            | is_classmethod  | bool       | 1          |                                                       |                       |
            | is_method       | bool       | 11         |                                                       |                       |
            | is_nested       | bool       | 4          |                                                       |                       |
            | is_overload     | bool       | 2          |                                                       |                       |
            | is_package      | bool       | 3          |                                                       |                       |
            | is_star         | bool       | 2          |                                                       |                       |
            | level           | int        | 11         |                                                       |                       |
            | line_count      | int        | 10         |                                                       |                       |
            | module          | string     | 26         | abc                                                   | typing                |
            | module_name     | string     | 10         | broken                                                | shop.pricing          |
            | parameter_kind  | string     | 30         | positional_only                                       | positional_or_keyword |
            | parse_reason    | string     | 1          | syntax_error                                          | syntax_error          |
            | parse_status    | string     | 10         | parsed                                                | partial               |
            | path            | string     | 10         | broken.py                                             | shop/pricing.py       |
            | scope_kind      | string     | 48         | class                                                 | module                |
            | severity        | string     | 2          | error                                                 | error                 |
            | signature       | string     | 26         | ()                                                    | (value)               |
            | size_bytes      | int        | 10         |                                                       |                       |
            | summary         | string     | 2          | A shop: what the package offers is defined elsewhere. | Opens a shop.         |
            | symbol_kind     | string     | 80         | attribute                                             | parameter             |
            +-----------------+------------+------------+-------------------------------------------------------+-----------------------+"#]],
    )
    .await;
}

#[tokio::test]
async fn no_rule_is_broken() {
    let session = shop(2).await;
    for rule in rules() {
        let found = rows(
            &session,
            &format!("SELECT * FROM ({}) AS v LIMIT 20", rule.sql),
        )
        .await;
        assert_eq!(
            count(&session, &rule.sql).await,
            0,
            "{}\n{found}",
            rule.name
        );
    }
}

/// Every rule has something to say when the graph is wrong.
#[tokio::test]
async fn a_broken_graph_breaks_the_rules() {
    let session = shop(2).await;
    session
        .sql("CREATE OR REPLACE TABLE cpg.cpg_edges AS
             SELECT * FROM (SELECT edge_kind, src_node_id, CASE edge_kind WHEN 'REF' THEN src_node_id
             WHEN 'RECEIVER' THEN -1 WHEN 'ARGUMENT' THEN src_node_id + 4194304 ELSE dst_node_id END AS dst_node_id, label,
             position, origin, resolution, confidence, ambiguity_group,
             CASE edge_kind WHEN 'BINDS' THEN 'linked' ELSE family END AS family FROM cpg.cpg_edges) AS t
             CROSS JOIN (VALUES (1), (2)) AS twice(n)")
        .await
        .unwrap();
    session
        .sql("CREATE OR REPLACE TABLE cpg.cpg_nodes AS
             SELECT node_id, node_kind, file_id, CASE node_kind WHEN 'LITERAL' THEN node_id ELSE parent_id END AS parent_id,
             subtree_end, position, name, qualified_name, bstart, bend, line
             FROM cpg.cpg_nodes CROSS JOIN (VALUES (1), (2)) AS twice(n) WHERE node_kind <> 'METHOD'")
        .await
        .unwrap();
    session
        .sql("CREATE OR REPLACE TABLE cpg.calls AS SELECT node_id, status, reason, 7 AS candidate_count FROM cpg.calls")
        .await
        .unwrap();
    session
        .sql("CREATE OR REPLACE TABLE cpg.cpg_props AS SELECT entity_kind, entity_id, prop_key, value_type,
             'other' AS value_string FROM cpg.cpg_props")
        .await
        .unwrap();
    let mut silent = Vec::new();
    for rule in rules() {
        if count(&session, &rule.sql).await == 0 {
            silent.push(rule.name);
        }
    }
    // Two names with one symbol id cannot be made from source text.
    assert_eq!(silent, ["symbols_have_one_name"]);
}

/// The rows of the first query are those of the second, each as often.
async fn check_same(session: &SessionContext, left: &str, right: &str) {
    assert_eq!(count(session, left).await, count(session, right).await);
    let missing = format!("SELECT * FROM ({left}) AS l EXCEPT ALL SELECT * FROM ({right}) AS r");
    assert_eq!(
        count(session, &missing).await,
        0,
        "{}",
        rows(session, &missing).await
    );
}

#[tokio::test]
async fn accelerators_explode_to_their_tables() {
    let session = shop(2).await;
    for (own, other) in [("src", "dst"), ("dst", "src")] {
        let exploded = format!(
            "SELECT e['edge_kind'] AS edge_kind, {own}_id AS own, e['{other}_node_id'] AS other, e['label'] AS label,
             e['position'] AS position, e['origin'] AS origin, e['resolution'] AS resolution,
             e['confidence'] AS confidence, e['ambiguity_group'] AS ambiguity_group, e['family'] AS family
             FROM (SELECT node_id AS {own}_id, unnest(entries) AS e FROM cpg.cpg_edges_by_{own}) AS t"
        );
        let base = format!(
            "SELECT edge_kind, {own}_node_id, {other}_node_id, label, position, origin, resolution, confidence,
             ambiguity_group, family FROM cpg.cpg_edges"
        );
        check_same(&session, &exploded, &base).await;
        let degrees = format!(
            "SELECT node_id, degree FROM cpg.cpg_edges_by_{own} GROUP BY node_id, degree
             HAVING sum(cardinality(entries)) <> degree"
        );
        assert_eq!(count(&session, &degrees).await, 0);
    }
    let exploded = "SELECT entity_kind, entity_id, k, v['value_type'], v['value_string'], v['value_int'],
        v['value_float'], v['value_bool'] FROM (SELECT entity_kind, entity_id, unnest(map_keys(props)) AS k,
        unnest(map_values(props)) AS v FROM cpg.cpg_props_map) AS t";
    check_same(&session, exploded, "SELECT * FROM cpg.cpg_props").await;
}

#[tokio::test]
async fn tables_do_not_depend_on_partitions() {
    let (one, four) = (shop(1).await, shop(4).await);
    for view in views().unwrap() {
        if view.materialization() == Materialization::Table {
            let sql = format!("SELECT * FROM {}", view.name());
            assert!(
                rows(&one, &sql).await == rows(&four, &sql).await,
                "{}",
                view.name()
            );
        }
    }
}
