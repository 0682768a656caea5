//! What a query reads, found by parsing it: the tables that it names, common table expressions left out.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::resolve::resolve_table_references;
use ossature_schema_spec::DatasetName;

use crate::{Error, View};

/// The relations that a view names, as `stage.table`, in order of name.
///
/// **Errors**: [`Error::NotAQuery`] when the text is not exactly one query, or names something without a stage.
pub(crate) fn named_relations(view: &View) -> Result<BTreeSet<String>, Error> {
    let refuse = |reason: String| Error::NotAQuery {
        view: view.name().clone(),
        reason,
    };
    let mut statements =
        DFParser::parse_sql(view.sql()).map_err(|error| refuse(error.strip_backtrace()))?;
    let statement = match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => statement,
        (_, more) => return Err(refuse(format!("it has {} statements", more + 1))),
    };
    if !is_query(&statement) {
        return Err(refuse("it changes something".to_owned()));
    }
    let (relations, _) = resolve_table_references(&statement, true)
        .map_err(|error| refuse(error.strip_backtrace()))?;
    relations
        .into_iter()
        .map(|relation| match relation.schema() {
            Some(stage) => Ok(format!("{stage}.{}", relation.table())),
            None => Err(refuse(format!("`{}` names no stage", relation.table()))),
        })
        .collect()
}

fn is_query(statement: &Statement) -> bool {
    use datafusion::sql::sqlparser::ast::Statement as Sql;
    matches!(statement, Statement::Statement(sql) if matches!(sql.as_ref(), Sql::Query(_)))
}

/// The declared name that is most alike, if one is alike enough to be what was meant.
pub(crate) fn nearest_name<'a>(
    wanted: &str,
    declared: impl Iterator<Item = &'a DatasetName>,
) -> Option<DatasetName> {
    declared
        .map(|name| (strsim::damerau_levenshtein(wanted, name.as_str()), name))
        .filter(|(distance, name)| distance * 3 <= name.as_str().len())
        .min()
        .map(|(_, name)| name.clone())
}

/// A circle among `edges`, if there is one, told as the path from a view to itself.
pub(crate) fn find_cycle(
    edges: &[(DatasetName, BTreeSet<DatasetName>)],
) -> Option<Vec<DatasetName>> {
    let reads = |name: &DatasetName| {
        edges
            .iter()
            .find(|(view, _)| view == name)
            .map(|(_, inputs)| inputs)
    };
    for (start, _) in edges {
        let mut path = vec![start.clone()];
        let mut visited = BTreeSet::new();
        let found = walk(start, start, &reads, &mut path, &mut visited);
        if found.is_break() {
            return Some(path);
        }
    }
    None
}

fn walk<'a>(
    start: &DatasetName,
    at: &DatasetName,
    reads: &impl Fn(&DatasetName) -> Option<&'a BTreeSet<DatasetName>>,
    path: &mut Vec<DatasetName>,
    visited: &mut BTreeSet<DatasetName>,
) -> ControlFlow<()> {
    for next in reads(at).into_iter().flatten() {
        path.push(next.clone());
        if next == start {
            return ControlFlow::Break(());
        }
        if visited.insert(next.clone()) {
            walk(start, next, reads, path, visited)?;
        }
        path.pop();
    }
    ControlFlow::Continue(())
}
