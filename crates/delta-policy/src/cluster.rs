//! Which columns rows may be clustered by.

use std::collections::BTreeSet;

use ossature_schema_spec::{ColumnName, ColumnType, DatasetSpec};

use crate::{Error, Warning};

/// Beyond this, hardly any bit of a column is left in the first bits of the interleaved ranks.
const COLUMNS_MAX: usize = 8;

/// What is wrong with a clustering, and what is worth knowing about it. No columns are no clustering.
pub(crate) fn check(
    dataset: &DatasetSpec,
    columns: &[ColumnName],
    errors: &mut Vec<Error>,
    warnings: &mut Vec<Warning>,
) {
    if columns.is_empty() {
        return;
    }
    if !dataset.order().is_empty() {
        errors.push(Error::ClusterWithOrder {
            dataset: dataset.name().clone(),
        });
    }
    let mut seen = BTreeSet::new();
    for column in columns {
        let reason = if seen.insert(column) {
            unfit(dataset, column)
        } else {
            Some("it is named twice")
        };
        match reason {
            Some(reason) => errors.push(Error::ClusterColumn {
                dataset: dataset.name().clone(),
                column: column.clone(),
                reason,
            }),
            None if is_text(dataset, column) => warnings.push(Warning::TextClustered {
                column: column.clone(),
            }),
            None => {}
        }
    }
    if !(2..=COLUMNS_MAX).contains(&columns.len()) {
        errors.push(Error::ClusterCount {
            dataset: dataset.name().clone(),
            found: columns.len(),
        });
    }
}

fn unfit(dataset: &DatasetSpec, name: &ColumnName) -> Option<&'static str> {
    let Some(column) = dataset.column(name) else {
        return Some("the dataset declares no such column");
    };
    if dataset.partition().contains(name) {
        return Some("it is a partition column, which rows are split by already");
    }
    matches!(
        column.column_type(),
        ColumnType::List(_) | ColumnType::Struct(_) | ColumnType::Map { .. }
    )
    .then_some("values of its type have no rank")
}

fn is_text(dataset: &DatasetSpec, name: &ColumnName) -> bool {
    dataset
        .column(name)
        .is_some_and(|column| *column.column_type() == ColumnType::Utf8)
}

#[cfg(test)]
mod tests;
