//! From the stored columns to the declared ones: a projection on top of the scan.
//!
//! A projection, and not a rewriting of batches, because the optimizer then unwraps its casts: a filter on a cast
//! column still skips the files that the stored column lets it skip.

use std::fmt;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::common::metadata::FieldMetadata;
use datafusion::logical_expr::{Expr, ident};
use datafusion::prelude::{cast, lit};
use ossature_schema_spec::{
    Change, ColumnName, ColumnSpec, DatasetSpec, DefaultValue, Severity, diff_columns,
};

use crate::Error;

/// How one declared column comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnAlignment {
    /// The stored column as it is.
    Pass,
    /// The stored column under the declared extension type.
    Tag,
    /// The stored column, widened.
    Cast {
        /// The stored type.
        from: DataType,
    },
    /// The declared default, since no column is stored.
    Default(DefaultValue),
    /// Null, since no column is stored.
    NullFill,
}

impl fmt::Display for ColumnAlignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Tag => f.write_str("tag"),
            Self::Cast { from } => write!(f, "cast from {from}"),
            Self::Default(value) => write!(f, "default {value}"),
            Self::NullFill => f.write_str("null"),
        }
    }
}

/// How every declared column comes to be, and what is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignmentPlan {
    columns: Vec<(ColumnSpec, ColumnAlignment)>,
    dropped: Vec<String>,
    reordered: bool,
}

impl AlignmentPlan {
    /// Compares a stored schema with the contract.
    ///
    /// **Shape**: one entry for every declared column, in declared order.
    ///
    /// **Errors**: [`Error::Unalignable`] with every difference that no projection settles, [`Error::Unreadable`] for a
    /// declared column that is stored in a type that cannot be declared.
    pub fn try_new(contract: &DatasetSpec, stored: &SchemaRef) -> Result<Self, Error> {
        let mut found = Vec::new();
        let mut dropped = Vec::new();
        for field in stored.fields() {
            let is_declared = || {
                let mut columns = contract.columns().iter();
                columns.any(|column| column.name().as_str() == field.name())
            };
            match ColumnSpec::from_arrow(field) {
                Ok(column) => found.push(column),
                // Not to be taken for a column that is missing, in whose place a default would be read.
                Err(_) if is_declared() => {
                    return Err(Error::Unreadable {
                        dataset: contract.name().clone(),
                        column: field.name().clone(),
                        found: field.data_type().clone(),
                    });
                }
                // A column that could not be declared is none of ours.
                Err(_) => dropped.push(field.name().clone()),
            }
        }
        let (breaking, others): (Vec<Change>, Vec<Change>) = diff_columns(contract, &found)
            .into_iter()
            .partition(|change| change.severity() == Severity::Breaking);
        if !breaking.is_empty() {
            return Err(Error::Unalignable {
                dataset: contract.name().clone(),
                changes: breaking,
            });
        }
        let columns = contract
            .columns()
            .iter()
            .map(|column| (column.clone(), align(column, &others, stored)))
            .collect();
        for change in &others {
            if let Change::Extra { column, .. } = change {
                dropped.push(column.to_string());
            }
        }
        let reordered = others
            .iter()
            .any(|change| matches!(change, Change::Position { .. }));
        Ok(Self {
            columns,
            dropped,
            reordered,
        })
    }

    /// How each declared column comes to be.
    pub fn columns(&self) -> impl Iterator<Item = (&ColumnName, &ColumnAlignment)> {
        self.columns
            .iter()
            .map(|(column, alignment)| (column.name(), alignment))
    }

    /// Stored columns that the contract does not declare.
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// Whether the stored schema is the declared one.
    pub fn is_identity(&self) -> bool {
        !self.reordered
            && self.dropped.is_empty()
            && self
                .columns
                .iter()
                .all(|(_, alignment)| *alignment == ColumnAlignment::Pass)
    }

    /// The projection, in declared order.
    pub fn expressions(&self) -> Vec<Expr> {
        self.columns
            .iter()
            .map(|(column, alignment)| expression(column, alignment))
            .collect()
    }
}

fn align(column: &ColumnSpec, changes: &[Change], stored: &SchemaRef) -> ColumnAlignment {
    let name = column.name();
    let mut alignment = ColumnAlignment::Pass;
    for change in changes {
        match change {
            Change::Missing {
                column: missing, ..
            } if missing == name => {
                return match column.default_value() {
                    Some(value) => ColumnAlignment::Default(value.clone()),
                    None => ColumnAlignment::NullFill,
                };
            }
            Change::Type { column: other, .. } if other == name => {
                if let Ok(field) = stored.field_with_name(name.as_str()) {
                    return ColumnAlignment::Cast {
                        from: field.data_type().clone(),
                    };
                }
            }
            Change::Meaning { column: other, .. } if other == name => {
                alignment = ColumnAlignment::Tag;
            }
            _ => {}
        }
    }
    alignment
}

fn expression(column: &ColumnSpec, alignment: &ColumnAlignment) -> Expr {
    let name = column.name().as_str();
    let wanted = column.column_type().to_arrow();
    let value = match alignment {
        ColumnAlignment::Pass => return ident(name),
        ColumnAlignment::Tag => ident(name),
        ColumnAlignment::Cast { .. } => cast(ident(name), wanted),
        ColumnAlignment::Default(value) => cast(literal(value), wanted),
        ColumnAlignment::NullFill => cast(lit(ScalarValue::Null), wanted),
    };
    let field = column.field().to_arrow();
    if field.metadata().is_empty() {
        value.alias(name)
    } else {
        value.alias_with_metadata(name, Some(FieldMetadata::from(field.metadata())))
    }
}

fn literal(value: &DefaultValue) -> Expr {
    match value {
        DefaultValue::Boolean(value) => lit(*value),
        DefaultValue::Integer(value) => lit(*value),
        DefaultValue::Text(value) => lit(value.as_str()),
        // `DefaultValue` may grow; a default that cannot be written down is absent.
        _ => lit(ScalarValue::Null),
    }
}
