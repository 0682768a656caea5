//! Whether a table that was found may be written under a dataset's declaration.

use ossature_schema_spec::{Change, ColumnName, ColumnSpec, DatasetSpec, diff_columns};

use crate::{Error, Errors, SchemaMode};

/// The columns that the next commit adds to a table, in declared order: its metadata action, so to speak.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaPlan {
    /// The columns; empty when the table has all of them.
    pub add: Vec<ColumnName>,
}

/// Decides whether a table with the columns `found` may be written as `declared`, and what has to be added to it.
///
/// A table is created from its declaration, so it differs only when the declaration changed or somebody else wrote.
/// Columns may stand in another order. Everything else is refused, except that [`SchemaMode::Additive`] adds declared
/// columns that may be null.
///
/// **Determinism**: a function of its arguments only.
/// **Errors**: [`Error::SchemaDiffers`] for every difference that is not settled.
pub fn plan_schema(
    mode: SchemaMode,
    declared: &DatasetSpec,
    found: &[ColumnSpec],
) -> Result<SchemaPlan, Errors> {
    let mut plan = SchemaPlan::default();
    let mut errors = Vec::new();
    for change in diff_columns(declared, found) {
        match change {
            Change::Position { .. } => {}
            Change::Missing { column, .. } if is_addable(mode, declared, &column) => {
                plan.add.push(column);
            }
            change => errors.push(Error::SchemaDiffers {
                dataset: declared.name().clone(),
                mode: mode.as_str(),
                change: Box::new(change),
            }),
        }
    }
    Errors::none_or(errors, plan)
}

/// A default fills a column in where a table is opened; old files have nothing but null, so it has to be nullable.
/// Old files also lie in folders that do not name a partition column that is new.
fn is_addable(mode: SchemaMode, declared: &DatasetSpec, name: &ColumnName) -> bool {
    mode == SchemaMode::Additive
        && !declared.partition().contains(name)
        && declared.column(name).is_some_and(ColumnSpec::is_nullable)
}

#[cfg(test)]
mod tests;
