//! Whether a table that was found may be written under a dataset's declaration.

use ossature_schema_spec::{
    Change, ColumnName, ColumnSpec, ColumnType, DatasetSpec, FieldSpec, Severity, diff_columns,
};

use crate::{Error, Errors, SchemaMode};

/// What the next commit does to the columns of a table: its metadata action, so to speak.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaPlan {
    /// Columns that are added, in declared order.
    pub add: Vec<ColumnName>,
    /// Columns whose groups of fields get more fields, in declared order.
    pub extend: Vec<ColumnName>,
    /// Whether the columns and the partition become the declared ones, whatever they are now.
    pub replace: bool,
}

impl SchemaPlan {
    /// Whether the table stays as it is.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.extend.is_empty() && !self.replace
    }
}

/// Decides whether a table with the columns `found`, partitioned by `found_partition`, may be written as `declared`, and
/// what has to be changed in it.
///
/// A table is created from its declaration, so it differs only when the declaration changed or somebody else wrote.
/// Columns may stand in another order. Beyond that,
/// - [`SchemaMode::Strict`] refuses every difference,
/// - [`SchemaMode::Additive`] adds declared columns that may be null, and fields that may be null to groups of fields,
/// - [`SchemaMode::Replace`] accepts every difference; see [`check_schema_mode`].
///
/// **Determinism**: a function of its arguments only.
/// **Errors**: for every difference that is not settled, [`Error::SchemaWidens`], [`Error::PartitionDiffers`] or
/// [`Error::SchemaDiffers`].
pub fn plan_schema(
    mode: SchemaMode,
    declared: &DatasetSpec,
    found: &[ColumnSpec],
    found_partition: &[ColumnName],
) -> Result<SchemaPlan, Errors> {
    let changes: Vec<Change> = diff_columns(declared, found)
        .into_iter()
        .filter(|change| !matches!(change, Change::Position { .. }))
        .collect();
    let is_partitioned_alike = declared.partition() == found_partition;
    let mut plan = SchemaPlan::default();
    if mode == SchemaMode::Replace {
        plan.replace = !(changes.is_empty() && is_partitioned_alike);
        return Ok(plan);
    }
    let mut errors = Vec::new();
    for change in changes {
        match &change {
            Change::Missing { column, .. } if is_addable(mode, declared, column) => {
                plan.add.push(column.clone());
            }
            Change::Type {
                column,
                wanted,
                found,
            } if mode == SchemaMode::Additive && extends(found, wanted) => {
                plan.extend.push(column.clone());
            }
            Change::Type { wanted, .. }
                if change.severity() == Severity::Alignable
                    && !matches!(wanted, ColumnType::Struct(_) | ColumnType::List(_)) =>
            {
                errors.push(Error::SchemaWidens {
                    dataset: declared.name().clone(),
                    change: Box::new(change),
                });
            }
            _ => errors.push(Error::SchemaDiffers {
                dataset: declared.name().clone(),
                mode,
                change: Box::new(change),
            }),
        }
    }
    if !is_partitioned_alike {
        errors.push(Error::PartitionDiffers {
            dataset: declared.name().clone(),
            mode,
            wanted: join(declared.partition()),
            found: join(found_partition),
        });
    }
    Errors::none_or(errors, plan)
}

/// Checks a schema mode against what a write does: columns can be replaced only together with every row.
///
/// **Errors**: [`Error::ReplaceNeedsOverwrite`].
///
/// ```
/// use ossature_delta_policy::{SchemaMode, check_schema_mode};
/// assert!(check_schema_mode(SchemaMode::Replace, false).is_err());
/// assert!(check_schema_mode(SchemaMode::Replace, true).is_ok());
/// ```
pub fn check_schema_mode(mode: SchemaMode, is_overwrite_of_everything: bool) -> Result<(), Error> {
    if mode == SchemaMode::Replace && !is_overwrite_of_everything {
        return Err(Error::ReplaceNeedsOverwrite);
    }
    Ok(())
}

fn join(columns: &[ColumnName]) -> String {
    let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
    names.join(", ")
}

/// A default fills a column in where a table is opened; old files have nothing but null, so it has to be nullable.
/// Old files also lie in folders that do not name a partition column that is new.
fn is_addable(mode: SchemaMode, declared: &DatasetSpec, name: &ColumnName) -> bool {
    mode == SchemaMode::Additive
        && !declared.partition().contains(name)
        && declared.column(name).is_some_and(ColumnSpec::is_nullable)
}

/// Whether `wanted` is the group of fields `found` with more fields, each of which may be null, and nothing else.
///
/// Only groups directly within groups: what readers make of old elements of lists and maps was not measured.
fn extends(found: &ColumnType, wanted: &ColumnType) -> bool {
    let (ColumnType::Struct(found), ColumnType::Struct(wanted)) = (found, wanted) else {
        return false;
    };
    let kept = |field: &FieldSpec| {
        wanted.iter().any(|other| {
            other.name() == field.name()
                && other.is_nullable() == field.is_nullable()
                && other.semantic_type() == field.semantic_type()
                && (other.column_type() == field.column_type()
                    || extends(field.column_type(), other.column_type()))
        })
    };
    let is_new = |field: &FieldSpec| !found.iter().any(|other| other.name() == field.name());
    found.iter().all(kept)
        && wanted
            .iter()
            .filter(|it| is_new(it))
            .all(FieldSpec::is_nullable)
}

#[cfg(test)]
mod tests;
