//! What every row must satisfy besides its types: constraints of the policy, and those that the table has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNode as _;
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::prelude::SessionContext;
use ossature_delta_policy::schema_key::{GENERATION_EXPRESSION, INVARIANT};
use ossature_delta_policy::{ResolvedPolicy, TableState};
use ossature_schema_spec::{DatasetName, DatasetSpec};
use serde_json::Value;

use crate::Error;

/// Constraints, ready to be evaluated on batches of one schema.
pub(crate) struct ConstraintCheck {
    dataset: DatasetName,
    /// The columns of the key, as places in the schema.
    key: Vec<usize>,
    constraints: Vec<Constraint>,
    rows: u64,
}

struct Constraint {
    name: String,
    text: String,
    expression: Arc<dyn PhysicalExpr>,
}

/// A constraint of a policy that is no boolean expression over the columns of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnusableConstraint {
    /// Its name.
    pub name: String,
    /// Its expression.
    pub expression: String,
    /// Why it cannot be evaluated, in one line.
    pub reason: String,
}

/// Everything that is wrong with the constraints of a policy, in the order of their names.
pub fn check_constraints(
    contract: &DatasetSpec,
    policy: &ResolvedPolicy,
) -> Vec<UnusableConstraint> {
    let schema = contract.arrow_schema();
    let each = policy.constraints.value.iter();
    each.filter_map(|(name, expression)| {
        let one = BTreeMap::from([(name.clone(), expression.clone())]);
        let reason = match ConstraintCheck::try_new(contract, &schema, &one).err()? {
            Error::ConstraintUnusable { reason, .. } => reason,
            other => other.to_string(),
        };
        Some(UnusableConstraint {
            name: name.clone(),
            expression: expression.clone(),
            reason,
        })
    })
    .collect()
}

/// Constraints by name: those of the policy, of the table's properties, and of its columns.
///
/// A generated column has to be what its expression says; its rows are given, not computed.
pub(crate) fn constraints_of(
    policy: &BTreeMap<String, String>,
    table: &TableState,
    stored: &arrow_schema::Schema,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for field in stored.fields() {
        let name = field.name();
        if let Some(text) = field.metadata().get(INVARIANT) {
            // What is no such expression is kept, and refused as one that cannot be parsed.
            let found = invariant(text).unwrap_or_else(|| text.clone());
            all.insert(format!("{name} invariant"), found);
        }
        if let Some(text) = field.metadata().get(GENERATION_EXPRESSION) {
            let is_generated = format!("\"{name}\" IS NOT DISTINCT FROM ({text})");
            all.insert(format!("{name} generated"), is_generated);
        }
    }
    let stored = table.constraints();
    all.extend(stored.map(|(name, text)| (name.to_owned(), text.to_owned())));
    all.extend(policy.clone());
    all
}

/// The expression inside of `{"expression": {"expression": "..."}}`.
fn invariant(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let found = value.get("expression")?.get("expression")?.as_str()?;
    Some(found.to_owned())
}

impl ConstraintCheck {
    /// Parses the constraints.
    ///
    /// **Errors**: [`Error::ConstraintUnusable`] for the first one that is no boolean expression over the columns.
    pub(crate) fn try_new(
        contract: &DatasetSpec,
        schema: &SchemaRef,
        constraints: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let dataset = contract.name();
        let mut ready = Vec::with_capacity(constraints.len());
        if !constraints.is_empty() {
            let session = session();
            let columns: DFSchemaRef = Arc::new(DFSchema::try_from(Arc::clone(schema))?);
            for (name, text) in constraints {
                let expression = parse(&session, &columns, text).map_err(|reason| {
                    Error::ConstraintUnusable {
                        dataset: dataset.clone(),
                        constraint: name.clone(),
                        expression: text.clone(),
                        reason,
                    }
                })?;
                ready.push(Constraint {
                    name: name.clone(),
                    text: text.clone(),
                    expression,
                });
            }
        }
        Ok(Self {
            key: (contract.key().iter())
                .filter_map(|name| schema.index_of(name.as_str()).ok())
                .collect(),
            dataset: dataset.clone(),
            constraints: ready,
            rows: 0,
        })
    }

    /// Evaluates every constraint on the next rows. As in every Delta writer, neither false nor null will do.
    pub(crate) fn check(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        for constraint in &self.constraints {
            let found = constraint.expression.evaluate(batch)?;
            let found = found.into_array(batch.num_rows())?;
            let found = found.as_boolean();
            let is_broken = |at: &usize| found.is_null(*at) || !found.value(*at);
            if found.null_count() == 0 && found.true_count() == found.len() {
                continue;
            }
            if let Some(at) = (0..found.len()).find(is_broken) {
                return Err(Error::ConstraintViolated {
                    dataset: self.dataset.clone(),
                    constraint: constraint.name.clone(),
                    expression: constraint.text.clone(),
                    row: self.rows + at as u64,
                    values: self.values(constraint, batch, at),
                });
            }
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// What tells a row apart, and what the constraint looks at.
    fn values(&self, constraint: &Constraint, batch: &RecordBatch, row: usize) -> String {
        let used = collect_columns(&constraint.expression);
        let used: BTreeSet<usize> = used.iter().map(Column::index).collect();
        let others = used.into_iter().filter(|place| !self.key.contains(place));
        let places = self.key.iter().copied().chain(others);
        let values = places.filter_map(|place| {
            let name = batch.schema_ref().fields().get(place)?.name().clone();
            Some(format!("{name} = {}", value(batch.column(place), row)))
        });
        values.collect::<Vec<_>>().join(", ")
    }
}

/// One value, for people: on one line, and not all of a long one.
fn value(column: &dyn Array, row: usize) -> String {
    const CHARS_MAX: usize = 60;
    if column.is_null(row) {
        return "null".to_owned();
    }
    let options = FormatOptions::default();
    let shown =
        ArrayFormatter::try_new(column, &options).and_then(|it| it.value(row).try_to_string());
    let shown = shown.unwrap_or_else(|_| "?".to_owned());
    let text: String = shown
        .chars()
        .take(CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    let more = if shown.chars().nth(CHARS_MAX).is_some() {
        "..."
    } else {
        ""
    };
    if matches!(column.data_type(), DataType::Utf8) {
        format!("\"{text}{more}\"")
    } else {
        format!("{text}{more}")
    }
}

/// A session that parses names as they are spelled: columns of Delta tables keep their case.
fn session() -> SessionContext {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    state
        .config_mut()
        .options_mut()
        .sql_parser
        .enable_ident_normalization = false;
    SessionContext::new_with_state(state)
}

fn parse(
    session: &SessionContext,
    columns: &DFSchemaRef,
    text: &str,
) -> Result<Arc<dyn PhysicalExpr>, String> {
    let describe = |error: datafusion::error::DataFusionError| error.strip_backtrace();
    let expression = session.parse_sql_expr(text, columns).map_err(describe)?;
    // What was true of a row when it was written has to stay so: neither chance nor the clock has a say.
    let is_fixed = |expression: &Expr| match expression {
        Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Immutable,
        _ => true,
    };
    let is_free = expression.exists(|inner| Ok(!is_fixed(inner)));
    if expression.is_volatile() || is_free.map_err(describe)? {
        return Err("it is not the same every time it is computed".to_owned());
    }
    let physical = session
        .create_physical_expr(expression, columns)
        .map_err(describe)?;
    match physical.data_type(columns.as_arrow()).map_err(describe)? {
        DataType::Boolean => Ok(physical),
        other => Err(format!("it is {other}, not a boolean")),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};
    use arrow_schema::{Field, Schema};
    use ossature_schema_spec::{ColumnSpec, ColumnType};

    use super::*;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("Id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
        ]))
    }

    fn check(expression: &str, ids: &[Option<i64>]) -> Result<(), Error> {
        let contract = DatasetSpec::builder("cpg.things", "")
            .column(ColumnSpec::nullable("Id", ColumnType::Int64).unwrap())
            .column(ColumnSpec::required("name", ColumnType::Utf8).unwrap())
            .key(["name"])
            .build()
            .unwrap();
        let constraints = BTreeMap::from([("c".to_owned(), expression.to_owned())]);
        let mut check = ConstraintCheck::try_new(&contract, &schema(), &constraints)?;
        let names = StringArray::from(vec!["x"; ids.len()]);
        let ids = Int64Array::from(ids.to_vec());
        let batch = RecordBatch::try_new(schema(), vec![Arc::new(ids), Arc::new(names)]).unwrap();
        check.check(&batch.slice(0, 1))?;
        check.check(&batch.slice(1, batch.num_rows() - 1))
    }

    #[test]
    fn rows_satisfy_a_constraint_when_it_is_true_of_them() {
        assert!(check("Id > 0 AND name = 'x'", &[Some(1), Some(2)]).is_ok());
        for broken in [Some(0), None] {
            let found = check("Id > 0", &[Some(1), Some(2), broken]).err();
            assert!(
                matches!(&found, Some(Error::ConstraintViolated { row: 2, values, .. }) if values.starts_with("name = \"x\", Id = ")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn what_is_no_boolean_expression_over_the_columns_is_refused() {
        for text in [
            "Id +",
            "Id + 1",
            "missing > 0",
            "id > 0",
            "now() > timestamp '2020-01-01T00:00:00Z'",
            "current_date() > date '2020-01-01'",
            "random() > 0.5",
            "",
        ] {
            let found = check(text, &[Some(1)]).err().map(|error| error.code());
            assert_eq!(found, Some("constraint_unusable"), "{text}");
        }
    }

    #[test]
    fn invariants_and_generated_columns_are_constraints() {
        let field = |key: &str, value: &str| {
            let metadata = [(key.to_owned(), value.to_owned())].into();
            Field::new("a", DataType::Int64, true).with_metadata(metadata)
        };
        let table = TableState {
            protocol: ossature_delta_policy::Protocol::PLAIN,
            properties: BTreeMap::from([(
                "delta.constraints.small".to_owned(),
                "a < 9".to_owned(),
            )]),
        };
        let stored = Schema::new(vec![
            field(INVARIANT, r#"{"expression": {"expression": "a > 3"}}"#),
            field(GENERATION_EXPRESSION, "b + 1"),
        ]);
        let found = constraints_of(&BTreeMap::new(), &table, &stored);
        let want = [
            ("a generated", r#""a" IS NOT DISTINCT FROM (b + 1)"#),
            ("a invariant", "a > 3"),
            ("small", "a < 9"),
        ];
        let found: Vec<_> = found
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        assert_eq!(found, want);
    }
}
