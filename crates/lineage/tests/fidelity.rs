//! What is recorded of a plan is the plan: decoded, it gives the rows of the original, and no other plan has its bytes.
//!
//! `fidelity.txt` begins with the tables. Every case has a title, a query and, behind `=>`, how its plan is written down. Behind
//! `!=` stands a query with other rows, whose plan is another one. `UPDATE_EXPECT=1` writes the encodings anew.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be made fails its test"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use expect_test::expect_file;
use ossature_lineage::{CanonicalPlan, PlanBundle, PlanContext, PlanEncoding, optimize};
use ossature_schema_spec::{DatasetName, Fingerprint, PinIdentity, TablePin, Version};

struct Case {
    title: String,
    sql: String,
    other: Option<String>,
}

struct Cases {
    tables: String,
    cases: Vec<Case>,
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fidelity.txt")
}

impl Cases {
    fn read() -> Self {
        let text = std::fs::read_to_string(file()).unwrap();
        let mut parts = text.split("\n# ");
        let tables = parts.next().unwrap().trim_end().to_owned();
        let cases = parts.map(|part| {
            let (title, rest) = part.split_once('\n').unwrap();
            let sql = rest.split("\n=>").next().unwrap().trim();
            let (sql, other) = match sql.split_once("\n!=\n") {
                Some((sql, other)) => (sql, Some(other.to_owned())),
                None => (sql, None),
            };
            Case {
                title: title.to_owned(),
                sql: sql.to_owned(),
                other,
            }
        });
        let cases = cases.collect();
        Self { tables, cases }
    }

    async fn session(&self) -> SessionContext {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema("lake", "t")
            .with_target_partitions(2)
            .with_batch_size(4);
        let session = SessionContext::new_with_config(config);
        for statement in self.tables.split(";\n") {
            session
                .sql(statement)
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
        }
        session
    }
}

/// The plan of a query, or the code of the error that refuses it.
async fn optimized(session: &SessionContext, sql: &str) -> Result<LogicalPlan, &'static str> {
    let (state, plan) = session.sql(sql).await.unwrap().into_parts();
    optimize(&plan, &state).map_err(|error| error.code())
}

/// The lines of a result, ordered; without the order of rows, which few of these queries ask for.
async fn rows(session: &SessionContext, plan: LogicalPlan) -> Result<String, DataFusionError> {
    let batches = session.execute_logical_plan(plan).await?.collect().await?;
    let text = pretty_format_batches(&batches)?.to_string();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    Ok(lines.join("\n"))
}

/// Every table that the cases read, at one version.
fn pins(tables: &SessionContext) -> BTreeMap<DatasetName, TablePin> {
    let schema = tables.catalog("lake").unwrap().schema("t").unwrap();
    let pins = schema.table_names().into_iter().map(|name| {
        let dataset = DatasetName::try_new(&format!("t.{name}")).unwrap();
        let pin = TablePin {
            dataset: dataset.clone(),
            table_id: String::new(),
            version: Version::new(1),
            snapshot: Fingerprint::from_bytes([1; 32]),
            identity: PinIdentity::TableVersion,
        };
        (dataset, pin)
    });
    pins.collect()
}

async fn settled(
    session: &SessionContext,
    state: &SessionState,
    plan: &LogicalPlan,
) -> Result<(CanonicalPlan, LogicalPlan), String> {
    let context = PlanContext::of(state, &BTreeMap::new(), BTreeMap::new());
    let bundle = PlanBundle::try_new(plan, state, &pins(session), &context);
    let bundle = bundle.map_err(|error| error.code().to_owned())?;
    let (bundle, plan) = bundle
        .settle(plan, state)
        .await
        .map_err(|it| it.to_string())?;
    Ok((bundle.canonical().clone(), plan))
}

#[tokio::test]
async fn what_is_recorded_is_the_plan() {
    let cases = Cases::read();
    assert!(cases.cases.len() > 300, "{}", cases.cases.len());
    let session = cases.session().await;
    let state = session.state();
    let mut text = format!("{}\n", cases.tables);
    let mut wrong = Vec::new();
    for Case { title, sql, other } in &cases.cases {
        let plan = optimized(&session, sql).await;
        let settled_plan = match &plan {
            Ok(plan) => settled(&session, &state, plan).await,
            Err(code) => Err((*code).to_owned()),
        };
        let verdict = match settled_plan {
            Err(code) => format!("refused: {code}"),
            Ok((canonical, decoded)) => {
                let original = rows(&session, plan.unwrap())
                    .await
                    .map_err(|it| it.strip_backtrace());
                let again = rows(&session, decoded)
                    .await
                    .map_err(|it| it.strip_backtrace());
                if original != again {
                    wrong.push(format!("{title}: {original:?} became {again:?}"));
                }
                if let Some(other) = other {
                    let plan = optimized(&session, other).await.unwrap();
                    let other = settled(&session, &state, &plan).await.unwrap().0;
                    if (canonical.encoding(), canonical.bytes())
                        == (other.encoding(), other.bytes())
                        && original
                            != rows(&session, plan)
                                .await
                                .map_err(|it| it.strip_backtrace())
                    {
                        wrong.push(format!("{title}: both plans have the same bytes"));
                    }
                }
                let reason = canonical.fallback_reason();
                let reason = reason.map(|it| format!(": {it}")).unwrap_or_default();
                format!("{}{reason}", canonical.encoding())
            }
        };
        let other = other
            .as_ref()
            .map(|it| format!("!=\n{it}\n"))
            .unwrap_or_default();
        write!(text, "\n# {title}\n{sql}\n{other}=> {verdict}\n").unwrap();
    }
    expect_file![file()].assert_eq(&text);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Bytes are the same in every session, whatever it has planned before.
#[tokio::test]
async fn bytes_depend_on_the_plan_only() {
    let cases = Cases::read();
    let first = cases.session().await;
    let mut expected = Vec::new();
    for case in &cases.cases {
        let plan = optimized(&first, &case.sql).await;
        expected.push(plan.map(|plan| CanonicalPlan::encode(&plan, &first.state()).unwrap()));
    }
    for _ in 0..3 {
        let session = cases.session().await;
        for (case, expected) in cases.cases.iter().zip(&expected).rev() {
            let plan = optimized(&session, &case.sql).await;
            let again = plan.map(|plan| CanonicalPlan::encode(&plan, &session.state()).unwrap());
            assert_eq!(again, *expected, "{}", case.title);
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_plan_are_refused() {
    let session = SessionContext::new();
    for encoding in PlanEncoding::ALL {
        for bytes in [&b"\xff\xff\xff"[..], b"", b"plan"] {
            let plan = CanonicalPlan::recorded(encoding, bytes.to_vec());
            let error = plan.decode(&session.state()).await.unwrap_err();
            assert_eq!(error.code(), "plan_not_decodable");
        }
    }
}

/// Bytes may name files, which nobody pinned: only tables of the session are read, and by their names.
#[tokio::test]
async fn a_plan_that_names_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.csv");
    std::fs::write(&file, "id\n7\n").unwrap();
    let path = file.to_str().unwrap();
    let theirs = SessionContext::new();
    let options = datafusion::prelude::CsvReadOptions::new();
    theirs.register_csv("things", path, options).await.unwrap();
    let (_, plan) = theirs
        .sql("SELECT id FROM things")
        .await
        .unwrap()
        .into_parts();
    let bytes = datafusion_proto::bytes::logical_plan_to_bytes(&plan)
        .unwrap()
        .to_vec();

    let ours = SessionContext::new();
    let create = "CREATE TABLE things (id BIGINT)";
    ours.sql(create).await.unwrap().collect().await.unwrap();
    let recorded = CanonicalPlan::recorded(PlanEncoding::Proto, bytes);
    let error = recorded.decode(&ours.state()).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("`things` in it is no table of the session"),
        "{said}"
    );
}

/// Rows in an order that leaves no two in doubt come in it.
#[tokio::test]
async fn the_order_of_rows_is_kept() {
    let cases = Cases::read();
    let session = cases.session().await;
    for sql in [
        "SELECT id, v FROM w ORDER BY id DESC",
        "SELECT id FROM w ORDER BY id LIMIT 2",
        "SELECT a, id FROM u WHERE id IS NOT NULL ORDER BY a NULLS FIRST, id DESC",
        "SELECT id FROM w WHERE id NOT IN (SELECT id FROM u WHERE id > 5) ORDER BY id DESC",
    ] {
        let plan = optimized(&session, sql).await.unwrap();
        let (_, decoded) = settled(&session, &session.state(), &plan).await.unwrap();
        let mut texts = Vec::new();
        for plan in [plan, decoded] {
            let rows = session.execute_logical_plan(plan).await.unwrap();
            let rows = rows.collect().await.unwrap();
            texts.push(pretty_format_batches(&rows).unwrap().to_string());
        }
        assert_eq!(texts[0], texts[1], "{sql}");
    }
}
