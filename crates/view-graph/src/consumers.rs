//! The consumer index: who reads a table, and which of its columns they keep, match and gather rows by.
//!
//! Statistics, bloom filters and orders serve those who read a table. The plan that makes it says nothing about them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::SessionContext;
use ossature_lineage::{PlanFacts, Role, optimize};
use ossature_schema_spec::{ColumnName, ColumnType, DatasetName, DatasetSpec};

use crate::schedule::unplannable;
use crate::{Error, Materialization, Step, ViewGraph};

/// A query that somebody asks of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedQuery {
    /// Its name.
    pub name: Cow<'static, str>,
    /// The query, in SQL.
    pub sql: Cow<'static, str>,
}

/// A column of a table that somebody reads by, with who does and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The column.
    pub column: ColumnName,
    /// How much depends on it: for every consumer the weights of the roles in which it uses the column.
    pub score: u32,
    /// The roles, each with the names of the consumers, views by `stage.table`.
    pub roles: BTreeMap<Role, BTreeSet<String>>,
}

impl Candidate {
    /// Everybody who uses the column in any of these roles.
    pub fn consumers(&self) -> BTreeSet<&str> {
        self.roles.values().flatten().map(String::as_str).collect()
    }

    /// Whether anybody uses it so.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains_key(&role)
    }
}

/// What a column could have besides bounds, for those who read by it. It is advice: what a table has is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Suggestion {
    /// A bloom filter: it is compared for equality, and rows are not ordered by it, so that its bounds find little.
    BloomFilter,
    /// The lead of the order: no column is read by more.
    SortKey,
    /// A place in a clustering: it is one of several that rows are kept by, and rows are in no order.
    ClusterKey,
}

impl Suggestion {
    /// The name, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BloomFilter => "bloom_filter",
            Self::SortKey => "sort_key",
            Self::ClusterKey => "cluster_key",
        }
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the columns of a dataset could have, by what its readers do. `candidates` are those of
/// [`ConsumerIndex::candidates`].
pub fn suggestions(
    dataset: &DatasetSpec,
    candidates: &[Candidate],
) -> BTreeMap<ColumnName, BTreeSet<Suggestion>> {
    let leading = dataset.order().first().map(|key| &key.column);
    let is_filtered = |it: &Candidate| it.has(Role::FilterEq) || it.has(Role::FilterRange);
    let filtered = candidates.iter().filter(|it| is_filtered(it)).count();
    let mut suggestions: BTreeMap<ColumnName, BTreeSet<Suggestion>> = BTreeMap::new();
    for (place, candidate) in candidates.iter().enumerate() {
        let Some(column) = dataset.column(&candidate.column) else {
            continue;
        };
        let is_leading = leading == Some(&candidate.column);
        let of_column = suggestions.entry(candidate.column.clone()).or_default();
        // What has few values is in every file and every row group: text and integers alone may have many.
        let may_have_many = *column.column_type() == ColumnType::Utf8
            || matches!(column.column_type(), ColumnType::Int32 | ColumnType::Int64);
        let is_compared = candidate.has(Role::FilterEq) || candidate.has(Role::JoinKey);
        let layout = dataset.parquet().columns.get(&candidate.column);
        let has_filter = layout.is_some_and(|it| it.bloom_filter.is_some());
        if is_compared && may_have_many && !is_leading && !has_filter {
            of_column.insert(Suggestion::BloomFilter);
        }
        if place == 0 && !is_leading && column.column_type().has_min_max() {
            of_column.insert(Suggestion::SortKey);
        }
        if leading.is_none() && filtered > 1 && is_filtered(candidate) {
            of_column.insert(Suggestion::ClusterKey);
        }
    }
    suggestions.retain(|_, of_column| !of_column.is_empty());
    suggestions
}

/// How much a role says for knowing the bounds of a column: those of a join find the files of the other side, those of a filter
/// skip files. What is only computed with, or compared in a way that bounds do not answer, weighs nothing.
fn weight(role: Role) -> u32 {
    match role {
        Role::JoinKey => 4,
        Role::FilterEq | Role::FilterRange => 3,
        Role::Group => 2,
        Role::Sort | Role::Window => 1,
        _ => 0,
    }
}

/// Who reads the tables of a graph, by which columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsumerIndex {
    uses: BTreeMap<DatasetName, BTreeMap<ColumnName, BTreeMap<Role, BTreeSet<String>>>>,
    readers: BTreeMap<DatasetName, BTreeSet<String>>,
    failures: BTreeMap<String, String>,
}

impl ConsumerIndex {
    /// Plans every view that is a table, and every query, against the contracts of what they read, and gathers the roles of
    /// the columns. Views that are computed where they are named count for whoever names them.
    ///
    /// `session` has the catalog and the functions that the queries name, and none of the tables: empty ones are registered
    /// in their place. A consumer that cannot be planned or traced is in [`ConsumerIndex::failures`] and counts for nothing.
    ///
    /// **Determinism**: a function of the declarations and the queries; no table is opened.
    /// **Errors**: [`Error::Unplannable`] when the tables cannot be registered.
    pub async fn of(
        graph: &ViewGraph,
        queries: &[SavedQuery],
        session: &SessionContext,
    ) -> Result<Self, Error> {
        let mut index = Self::default();
        for step in graph.schedule() {
            let name = step.dataset();
            let Some(contract) = graph.contract(name) else {
                continue;
            };
            let provider: Arc<dyn TableProvider> = match (&step, graph.view(name)) {
                (Step::Inline { .. }, Some(view)) => {
                    let frame = session.sql(view.sql()).await.map_err(unplannable(name))?;
                    let plan = frame.into_unoptimized_plan();
                    Arc::new(ViewTable::new(plan, Some(view.sql().to_owned())))
                }
                _ => Arc::new(EmptyTable::new(contract.arrow_schema())),
            };
            let reference = TableReference::partial(name.stage(), name.table());
            session
                .register_table(reference, provider)
                .map_err(unplannable(name))?;
        }
        let views = graph
            .views()
            .filter(|it| it.materialization() == Materialization::Table);
        let views = views.map(|view| (view.name().as_str(), view.sql()));
        let queries = queries
            .iter()
            .map(|query| (query.name.as_ref(), query.sql.as_ref()));
        for (consumer, sql) in views.chain(queries) {
            match facts(session, sql).await {
                Ok(facts) => index.add(graph, consumer, &facts),
                Err(reason) => {
                    index.failures.insert(consumer.to_owned(), reason);
                }
            }
        }
        Ok(index)
    }

    fn add(&mut self, graph: &ViewGraph, consumer: &str, facts: &PlanFacts) {
        for input in facts.inputs() {
            let Ok(dataset) = DatasetName::try_new(input) else {
                continue;
            };
            if graph.contract(&dataset).is_none() {
                continue;
            }
            // One that only counts the rows reads no column.
            let readers = self.readers.entry(dataset.clone()).or_default();
            readers.insert(consumer.to_owned());
            let uses = self.uses.entry(dataset).or_default();
            for (column, roles) in facts.columns(input) {
                let Ok(column) = ColumnName::try_new(column) else {
                    continue;
                };
                let of_column = uses.entry(column).or_default();
                for role in roles {
                    let consumers = of_column.entry(*role).or_default();
                    consumers.insert(consumer.to_owned());
                }
            }
        }
    }

    /// The columns of a dataset that somebody reads by, the most important first; of two that are as important the one that is
    /// declared first.
    pub fn candidates(&self, dataset: &DatasetSpec) -> Vec<Candidate> {
        let uses = self.uses.get(dataset.name());
        let columns = dataset.columns().iter().filter_map(|column| {
            let roles = uses?.get(column.name())?;
            let score = roles.iter().map(|(role, consumers)| {
                let consumers = u32::try_from(consumers.len()).unwrap_or(u32::MAX);
                weight(*role).saturating_mul(consumers)
            });
            let score = score.fold(0, u32::saturating_add);
            (score > 0).then(|| Candidate {
                column: column.name().clone(),
                score,
                roles: roles.clone(),
            })
        });
        let mut candidates: Vec<Candidate> = columns.collect();
        candidates.sort_by_key(|it| std::cmp::Reverse(it.score));
        candidates
    }

    /// Everybody who reads a dataset, by name.
    pub fn consumers(&self, dataset: &DatasetName) -> BTreeSet<&str> {
        let readers = self.readers.get(dataset).into_iter().flatten();
        readers.map(String::as_str).collect()
    }

    /// The consumers whose reading is not known, with the reason.
    pub fn failures(&self) -> &BTreeMap<String, String> {
        &self.failures
    }
}

async fn facts(session: &SessionContext, sql: &str) -> Result<PlanFacts, String> {
    // Whoever asks may not drop a table that others are planned against.
    let only_reads = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    let frame = session.sql_with_options(sql, only_reads).await;
    let (state, plan) = frame.map_err(|error| error.strip_backtrace())?.into_parts();
    let parameters = plan.get_parameter_names();
    if let Some(parameter) = parameters
        .map_err(|error| error.strip_backtrace())?
        .iter()
        .min()
    {
        return Err(format!(
            "it has a parameter, `{parameter}`, that nobody gives a value"
        ));
    }
    let plan = optimize(&plan, &state).map_err(|error| with_cause(&error))?;
    let stage = &state.config_options().catalog.default_schema;
    PlanFacts::with_default_stage(&plan, stage).map_err(|error| with_cause(&error))
}

fn with_cause(error: &ossature_lineage::Error) -> String {
    match error {
        ossature_lineage::Error::Engine { source, .. } => {
            format!("{error}: {}", source.strip_backtrace())
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use ossature_schema_spec::ColumnSpec;

    use super::*;
    use crate::View;

    fn dataset(name: &str, order: &[&str]) -> DatasetSpec {
        DatasetSpec::builder(name, "")
            .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
            .column(ColumnSpec::required("name", ColumnType::Utf8).unwrap())
            .column(ColumnSpec::required("flag", ColumnType::Boolean).unwrap())
            .column(ColumnSpec::required("size", ColumnType::Int64).unwrap())
            .order_by(order.iter().copied())
            .build()
            .unwrap()
    }

    async fn index(order: &[&str], queries: &[&str]) -> (DatasetSpec, ConsumerIndex) {
        let things = dataset("extract.things", order);
        let small = View::inline(
            dataset("cpg.small", order),
            "SELECT id, name, flag, size FROM extract.things WHERE size < 10",
        );
        let graph = ViewGraph::try_new([things.clone()], [small]).unwrap();
        let queries = queries.iter().enumerate().map(|(at, sql)| SavedQuery {
            name: format!("q{at}").into(),
            sql: (*sql).to_owned().into(),
        });
        let config = datafusion::prelude::SessionConfig::new()
            .with_default_catalog_and_schema("lake", "cpg");
        let session = SessionContext::new_with_config(config);
        let catalog = session.catalog("lake").unwrap();
        let stage = Arc::new(datafusion::catalog::MemorySchemaProvider::new());
        catalog.register_schema("extract", stage).unwrap();
        let queries: Vec<SavedQuery> = queries.collect();
        let index = ConsumerIndex::of(&graph, &queries, &session).await.unwrap();
        (things, index)
    }

    fn render(things: &DatasetSpec, index: &ConsumerIndex) -> String {
        let candidates = index.candidates(things);
        let suggestions = suggestions(things, &candidates);
        let lines = candidates.iter().map(|it| {
            let suggested = suggestions.get(&it.column).into_iter().flatten();
            let suggested: Vec<&str> = suggested.map(|it| it.as_str()).collect();
            let consumers: Vec<&str> = it.consumers().into_iter().collect();
            let (consumers, suggested) = (consumers.join(" "), suggested.join(" "));
            format!("{} {} ({consumers}) {suggested}", it.column, it.score)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn columns_are_ranked_by_what_is_done_with_them() {
        let queries = [
            "SELECT size FROM extract.things WHERE name = 'a'",
            // A view that is computed where it is named counts for the query, and its table may be named alone.
            "SELECT name FROM small WHERE flag",
            "SELECT a.name FROM extract.things a JOIN extract.things b ON a.id = b.size",
        ];
        let (things, index) = index(&["id"], &queries).await;
        expect![[r#"
            size 7 (q0 q1 q2) bloom_filter sort_key
            id 4 (q2) 
            name 3 (q0 q1 q2) bloom_filter
            flag 3 (q1) "#]]
        .assert_eq(&render(&things, &index));
        let consumers: Vec<&str> = index.consumers(things.name()).into_iter().collect();
        assert_eq!(consumers, ["q0", "q1", "q2"]);
    }

    #[tokio::test]
    async fn without_an_order_columns_are_clustered_by() {
        let queries = ["SELECT id FROM extract.things WHERE size > 3 AND name = 'a'"];
        let (things, index) = index(&[], &queries).await;
        expect![[r#"
            name 3 (q0) bloom_filter sort_key cluster_key
            size 3 (q0) cluster_key"#]]
        .assert_eq(&render(&things, &index));
    }

    #[tokio::test]
    async fn a_consumer_that_cannot_be_traced_is_told() {
        let queries = [
            "SELECT nothing FROM extract.things",
            "SELECT random() FROM extract.things",
        ];
        let (things, index) = index(&["id"], &queries).await;
        assert!(index.candidates(&things).is_empty());
        let failed: Vec<&str> = index.failures().keys().map(String::as_str).collect();
        assert_eq!(failed, ["q0", "q1"]);
        assert!(index.failures()["q1"].contains("random"));
    }
}
