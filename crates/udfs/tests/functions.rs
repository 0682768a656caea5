//! The functions through SQL: published vectors, nulls, encodings, and independence of the order of rows.

#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringArray, StringViewArray};
use datafusion::arrow::array::{DictionaryArray, Int64Array, LargeStringArray, RecordBatch};
use datafusion::arrow::datatypes::Int32Type;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn session(partitions: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions);
    let mut session = SessionContext::new_with_config(config);
    ossature_udfs::register(&mut session).unwrap();
    session
}

async fn answer(session: &SessionContext, sql: &str) -> String {
    let query = match session.sql(sql).await {
        Ok(query) => query,
        Err(error) => return error.strip_backtrace(),
    };
    match query.collect().await {
        Ok(batches) => pretty_format_batches(&batches).unwrap().to_string(),
        Err(error) => error.strip_backtrace(),
    }
}

async fn check(sql: &str, want: Expect) {
    want.assert_eq(&answer(&session(2), sql).await);
}

#[tokio::test]
async fn identities_are_the_published_vectors() {
    check(
        "SELECT symbol_id('class', 'pkg.mod.A', 0) AS symbol, file_of(1294890310437208069) AS file,
         edge_id('REF', 1, 2, NULL, NULL) AS edge, edge_id('REF', 1, 2, '', 0) AS labelled,
         is_symbol(symbol_id('class', 'pkg.mod.A', 0)) AS yes, is_symbol(5) AS no,
         file_of(symbol_id('class', 'pkg.mod.A', 0)) AS nowhere",
        expect![[r#"
            +---------------------+---------------------+---------------------+---------------------+------+-------+---------+
            | symbol              | file                | edge                | labelled            | yes  | no    | nowhere |
            +---------------------+---------------------+---------------------+---------------------+------+-------+---------+
            | 7245332120676084290 | 1294890310433767424 | 4359985087539841442 | 4393400938600306256 | true | false |         |
            +---------------------+---------------------+---------------------+---------------------+------+-------+---------+"#]],
    )
    .await;
}

#[tokio::test]
async fn null_arguments_give_null_unless_null_is_a_value() {
    check(
        "SELECT file_of(NULL) AS file, is_symbol(NULL) AS symbol, symbol_id(NULL, 'a', 0) AS kind,
         symbol_id('class', 'a', NULL) AS duplicate, edge_id('REF', NULL, 2, 'l', 0) AS edge",
        expect![[r#"
            +------+--------+------+-----------+------+
            | file | symbol | kind | duplicate | edge |
            +------+--------+------+-----------+------+
            |      |        |      |           |      |
            +------+--------+------+-----------+------+"#]],
    )
    .await;
}

#[tokio::test]
async fn names_of_one_symbol_are_one_name() {
    check(
        "SELECT same_name(a, b) AS name
         FROM (VALUES (1, 'm.f', 'm.f'), (2, 'm.f', NULL), (3, NULL, 'm.f'), (4, NULL, NULL)) AS t(i, a, b)
         ORDER BY i",
        expect![[r#"
            +------+
            | name |
            +------+
            | m.f  |
            | m.f  |
            | m.f  |
            |      |
            +------+"#]],
    )
    .await;
}

#[tokio::test]
async fn wrong_arguments_are_told() {
    for (sql, want) in [
        (
            "SELECT symbol_id('klass', 'a', 0)",
            expect![
                "External error: `klass` is no kind of symbol; the kinds are module, class, function, parameter, attribute, external"
            ],
        ),
        (
            "SELECT symbol_id('class', 'a', -1)",
            expect!["External error: the duplicate index must be at least 0, not -1"],
        ),
        (
            "SELECT file_of('a')",
            expect![[r#"
            Error during planning: Execution error: Function 'file_of' user-defined coercion failed with: External error: argument `node_id` of `file_of` is Utf8, not an integer. No function matches the given name and argument types 'file_of(Utf8)'. You might need to add explicit type casts.
            	Candidate functions:
            	file_of(UserDefined)"#]],
        ),
        (
            "SELECT file_of(1, 2)",
            expect![[r#"
            Error during planning: Execution error: Function 'file_of' user-defined coercion failed with: External error: `file_of` takes 1 arguments, not 2. No function matches the given name and argument types 'file_of(Int64, Int64)'. You might need to add explicit type casts.
            	Candidate functions:
            	file_of(UserDefined)"#]],
        ),
        (
            "SELECT list_buckets([1, 2], 0)",
            expect!["External error: the length of a bucket must be at least 1, not 0"],
        ),
        (
            "SELECT same_name(a, b) FROM (VALUES ('m.f', 'm.f'), ('m.f', 'n.g')) AS t(a, b)",
            expect!["External error: `m.f` and `n.g` have one symbol id"],
        ),
        (
            "SELECT sorted_map(k, 1) FROM (VALUES ('a'), ('a')) AS t(k)",
            expect!["External error: key `a` occurs twice in one map"],
        ),
        (
            "SELECT sorted_map(k, 1) FROM (VALUES ('a'), (NULL)) AS t(k)",
            expect!["External error: `sorted_map` needs a value for `key`, not null"],
        ),
        (
            "SELECT resolve_names(k, k, k, k, 1) FROM (VALUES ('a')) AS t(k)",
            expect![
                "External error: `a` is no role of `resolve_names`; the roles are module, class, name, alias, star, public, ancestor, module_query and name_query"
            ],
        ),
    ] {
        check(sql, want).await;
    }
}

#[tokio::test]
async fn text_may_come_in_any_encoding_and_arrays_agree_with_scalars() {
    let names = ["pkg.a", "pkg.b", "pkg.a"];
    let dictionary: DictionaryArray<Int32Type> = names.into_iter().collect();
    let encodings: [ArrayRef; 4] = [
        Arc::new(StringArray::from(names.to_vec())),
        Arc::new(LargeStringArray::from(names.to_vec())),
        Arc::new(StringViewArray::from(names.to_vec())),
        Arc::new(dictionary),
    ];
    let mut answers = Vec::new();
    for encoding in encodings {
        let session = session(1);
        let table = RecordBatch::try_from_iter([("name", encoding)]).unwrap();
        session.register_batch("names", table).unwrap();
        let sql = "SELECT symbol_id('function', name, 0) = symbol_id('function', 'pkg.a', 0) AS same FROM names";
        answers.push(answer(&session, sql).await);
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    expect![[r#"
        +-------+
        | same  |
        +-------+
        | true  |
        | false |
        | true  |
        +-------+"#]]
    .assert_eq(&answers[0]);
}

#[tokio::test]
async fn results_say_what_they_mean() {
    let sql = "SELECT file_of(1) AS file, edge_id('REF', 1, 2, NULL, NULL) AS edge, is_symbol(1) AS symbol";
    let query = session(1).sql(sql).await.unwrap();
    let fields = query.schema().fields().iter().map(|field| {
        format!(
            "{} {:?} nullable={}",
            field.name(),
            field.extension_type_name(),
            field.is_nullable()
        )
    });
    expect![[r#"
        file Some("ossature.node_id") nullable=true
        edge Some("ossature.edge_id") nullable=false
        symbol None nullable=false"#]]
    .assert_eq(&fields.collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn collections_are_sorted_and_cut_into_buckets() {
    let rows = "(VALUES (1, 'b', 3), (1, 'a', 1), (2, 'x', 9), (1, 'a', NULL), (1, 'c', 2)) AS t(node, kind, place)";
    check(
        &format!(
            "SELECT node, b['bucket'] AS bucket, b['degree'] AS degree, b['entries'] AS entries FROM (
             SELECT node, unnest(list_buckets(sorted_entries(named_struct('kind', kind, 'place', place)), 3)) AS b
             FROM {rows} GROUP BY node) ORDER BY node, bucket"
        ),
        expect![[r#"
            +------+--------+--------+----------------------------------------------------------------+
            | node | bucket | degree | entries                                                        |
            +------+--------+--------+----------------------------------------------------------------+
            | 1    | 0      | 4      | [{kind: a, place: }, {kind: a, place: 1}, {kind: b, place: 3}] |
            | 1    | 1      | 4      | [{kind: c, place: 2}]                                          |
            | 2    | 0      | 1      | [{kind: x, place: 9}]                                          |
            +------+--------+--------+----------------------------------------------------------------+"#]],
    )
    .await;
    check(
        "SELECT sorted_map(k, v) AS map FROM (VALUES ('b', 2), ('a', NULL)) AS t(k, v)",
        expect![[r#"
            +-------------+
            | map         |
            +-------------+
            | {a: , b: 2} |
            +-------------+"#]],
    )
    .await;
    check(
        "SELECT sorted_entries(named_struct('k', k)) AS none FROM (VALUES (1)) AS t(k) WHERE k > 1",
        expect![[r#"
            +------+
            | none |
            +------+
            | []   |
            +------+"#]],
    )
    .await;
}

#[tokio::test]
async fn classes_are_linearised_and_names_resolved_in_sql() {
    check(
        "SELECT m['class_id'] AS class, m['position'] AS place, m['ancestor_id'] AS ancestor, m['is_exact'] AS exact
         FROM (SELECT unnest(c3_mro(c, p, b)) AS m
         FROM (VALUES (1, NULL, NULL), (2, 0, 1), (3, 0, 1), (4, 0, 2), (4, 1, 3), (5, 0, NULL)) AS t(c, p, b))",
        expect![[r#"
            +-------+-------+----------+-------+
            | class | place | ancestor | exact |
            +-------+-------+----------+-------+
            | 1     | 0     | 1        | true  |
            | 2     | 0     | 2        | true  |
            | 2     | 1     | 1        | true  |
            | 3     | 0     | 3        | true  |
            | 3     | 1     | 1        | true  |
            | 4     | 0     | 4        | true  |
            | 4     | 1     | 2        | true  |
            | 4     | 2     | 3        | true  |
            | 4     | 3     | 1        | true  |
            | 5     | 0     | 5        | false |
            +-------+-------+----------+-------+"#]],
    )
    .await;
    check(
        "SELECT r['key'] AS key, r['status'] AS status, r['target'] AS target FROM (
         SELECT unnest(resolve_names(role, name, target, path, 0)) AS r FROM (VALUES
         ('module', 'pkg', NULL, NULL), ('name', 'pkg.f', NULL, NULL), ('module_query', 'q', 'pkg', 'f')
         ) AS t(role, name, target, path))",
        expect![[r#"
            +-----+--------+--------+
            | key | status | target |
            +-----+--------+--------+
            | q   | name   | pkg.f  |
            +-----+--------+--------+"#]],
    )
    .await;
}

#[tokio::test]
async fn the_registry_is_a_published_list() {
    let entries = ossature_udfs::snapshot().entries.into_iter().map(|entry| {
        format!(
            "{} v{} {} {}",
            entry.kind, entry.version, entry.signature, entry.semantic_type
        )
    });
    let lines: Vec<String> = entries.map(|line| line.trim_end().to_owned()).collect();
    expect![[r#"
        aggregate v1 c3_mro(class_id long, position integer?, base_id long?)
        scalar v1 edge_id(kind text, src long, dst long, label text?, position integer?) ossature.edge_id
        scalar v1 file_of(node_id long) ossature.node_id
        scalar v1 is_symbol(node_id long)
        scalar v2 list_buckets(entries list, length_max integer)
        aggregate v1 resolve_names(role text, name text, target text?, path text?, rank integer?)
        scalar v1 same_name(one text?, other text?)
        aggregate v1 sorted_entries(entry struct)
        aggregate v1 sorted_map(key text, value any?)
        scalar v1 symbol_id(kind text, qualified_name text, duplicate_index integer) ossature.node_id"#]].assert_eq(&lines.join("\n"));
    expect!["395e4b40329d"].assert_eq(&ossature_udfs::snapshot_hash().short());
}

fn table(rows: &[(i64, Option<i64>, String)]) -> RecordBatch {
    let groups = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
    let places: Int64Array = rows.iter().map(|row| row.1).collect();
    let names = StringArray::from_iter_values(rows.iter().map(|row| row.2.as_str()));
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("g", Arc::new(groups), true),
        ("p", Arc::new(places), true),
        ("n", Arc::new(names), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The engine's own ordered aggregation, one partition, is the model.
    #[test]
    fn entries_do_not_depend_on_the_order_of_rows_or_on_partitions(
        rows in proptest::collection::vec((0_i64..6, proptest::option::of(0_i64..4), "[ab]{0,2}"), 1..60),
        cut in 0_usize..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let entries = "SELECT g, sorted_entries(named_struct('p', p, 'n', n)) AS e FROM t GROUP BY g ORDER BY g";
        let model = "SELECT g, array_agg(named_struct('p', p, 'n', n) ORDER BY p NULLS FIRST, n) AS e \
                     FROM t GROUP BY g ORDER BY g";
        let shown = |partitions: usize, batches: Vec<RecordBatch>, sql: &str| {
            let session = session(partitions);
            let schema = batches[0].schema();
            let parts: Vec<_> = batches.into_iter().map(|batch| vec![batch]).collect();
            let table = datafusion::catalog::MemTable::try_new(schema, parts).unwrap();
            session.register_table("t", Arc::new(table)).unwrap();
            runtime.block_on(answer(&session, sql))
        };
        let whole = table(&rows);
        let mut turned = rows.clone();
        turned.reverse();
        let (left, right) = turned.split_at(cut.min(turned.len()));
        let parts = vec![table(left), table(right)];
        let want = shown(1, vec![whole.clone()], model);
        prop_assert_eq!(&shown(1, vec![whole], entries), &want);
        prop_assert_eq!(&shown(3, parts, entries), &want);
    }
}
