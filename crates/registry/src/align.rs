//! From the stored columns to the declared ones: a projection on top of the scan.
//!
//! A projection, and not a rewriting of batches, because the optimizer then unwraps its casts: a filter on a cast
//! column still skips the files that the stored column lets it skip.

use std::collections::BTreeSet;
use std::fmt;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::common::metadata::FieldMetadata;
use datafusion::logical_expr::Expr;
use datafusion::prelude::{cast, lit};
use ossature_schema_spec::{
    Change, ColumnName, ColumnSpec, DatasetSpec, DefaultValue, Severity, diff_columns,
};

use crate::projection::{Origin, columns_of, normalised};
use crate::{Error, ScanProjection};

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
    /// The stored column of another name, widened where it has another type.
    Rename {
        /// The stored name.
        from: String,
        /// The stored type, where it is another one.
        cast: Option<DataType>,
    },
    /// What an expression gives, widened where that has another type.
    Expression {
        /// The expression, as normalised SQL.
        sql: String,
        /// Its type, where it is another one.
        cast: Option<DataType>,
    },
}

impl fmt::Display for ColumnAlignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Tag => f.write_str("tag"),
            Self::Cast { from } => write!(f, "cast from {from}"),
            Self::Default(value) => write!(f, "default {value}"),
            Self::NullFill => f.write_str("null"),
            Self::Rename { from, cast } => {
                write!(f, "rename from {from}")?;
                cast.iter()
                    .try_for_each(|from| write!(f, ", cast from {from}"))
            }
            Self::Expression { sql, cast } => {
                write!(f, "expression {sql}")?;
                cast.iter()
                    .try_for_each(|from| write!(f, ", cast from {from}"))
            }
        }
    }
}

/// How every declared column comes to be, and what is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignmentPlan {
    columns: Vec<AlignedColumn>,
    dropped: Vec<String>,
    reordered: bool,
}

/// How one declared column comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedColumn {
    column: ColumnSpec,
    alignment: ColumnAlignment,
    /// Without the name.
    value: Expr,
}

impl AlignedColumn {
    /// The declared column.
    pub fn name(&self) -> &ColumnName {
        self.column.name()
    }

    /// How it comes to be.
    pub fn alignment(&self) -> &ColumnAlignment {
        &self.alignment
    }

    /// Its value, as normalised SQL over the stored columns.
    pub fn sql(&self) -> String {
        normalised(&self.value)
    }

    /// The stored columns that it is made of.
    pub fn sources(&self) -> BTreeSet<String> {
        columns_of(&self.value)
    }

    /// The stored column that it is, value by value.
    pub(crate) fn is_stored_as(&self) -> Option<&str> {
        match &self.alignment {
            ColumnAlignment::Pass | ColumnAlignment::Tag => Some(self.column.name().as_str()),
            ColumnAlignment::Rename { from, cast: None } => Some(from),
            _ => None,
        }
    }

    fn expression(&self) -> Expr {
        let name = self.column.name().as_str();
        if self.alignment == ColumnAlignment::Pass {
            return self.value.clone();
        }
        let field = self.column.field().to_arrow();
        if field.metadata().is_empty() {
            self.value.clone().alias(name)
        } else {
            let metadata = FieldMetadata::from(field.metadata());
            self.value.clone().alias_with_metadata(name, Some(metadata))
        }
    }
}

impl AlignmentPlan {
    /// Compares a stored schema with the contract.
    ///
    /// **Errors**: as [`AlignmentPlan::of_projection`].
    pub fn try_new(contract: &DatasetSpec, stored: &SchemaRef) -> Result<Self, Error> {
        Self::of_projection(contract, &ScanProjection::all(stored))
    }

    /// Compares what a projection of the stored columns gives with the contract.
    ///
    /// **Shape**: one entry for every declared column, in declared order.
    ///
    /// **Errors**: [`Error::Unalignable`] with every difference that no projection settles, [`Error::Unreadable`] for a
    /// declared column that is stored in a type that cannot be declared.
    pub fn of_projection(
        contract: &DatasetSpec,
        projection: &ScanProjection,
    ) -> Result<Self, Error> {
        let stored = projection.schema();
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
            .map(|column| align(column, &others, projection))
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

    /// How each declared column comes to be, in declared order.
    pub fn columns(&self) -> &[AlignedColumn] {
        &self.columns
    }

    /// Stored columns that the contract does not declare.
    pub fn dropped(&self) -> &[String] {
        &self.dropped
    }

    /// Whether the stored schema is the declared one.
    pub fn is_identity(&self) -> bool {
        !self.reordered
            && self.dropped.is_empty()
            && (self.columns.iter()).all(|column| column.alignment == ColumnAlignment::Pass)
    }

    /// The projection, in declared order.
    pub fn expressions(&self) -> Vec<Expr> {
        let columns = self.columns.iter();
        columns.map(AlignedColumn::expression).collect()
    }
}

/// The column, and what has to be done to what is stored of it.
fn align(column: &ColumnSpec, changes: &[Change], projection: &ScanProjection) -> AlignedColumn {
    let name = column.name();
    let wanted = column.column_type().to_arrow();
    let mut from = None;
    let mut is_tagged = false;
    for change in changes {
        match change {
            Change::Type {
                column: other,
                found,
                ..
            } if other == name => from = Some(found.to_arrow()),
            Change::Meaning { column: other, .. } if other == name => is_tagged = true,
            _ => {}
        }
    }
    let origin = projection.origin(name.as_str());
    let value = match origin {
        Some(origin) if from.is_some() => cast(origin.expression(), wanted),
        Some(origin) => origin.expression(),
        None => match column.default_value() {
            Some(value) => cast(literal(value), wanted),
            None => cast(lit(ScalarValue::Null), wanted),
        },
    };
    let alignment = match (origin, from) {
        (None, _) => match column.default_value() {
            Some(value) => ColumnAlignment::Default(value.clone()),
            None => ColumnAlignment::NullFill,
        },
        (Some(Origin::Computed(expression)), cast) => ColumnAlignment::Expression {
            sql: normalised(expression),
            cast,
        },
        (Some(Origin::Stored(stored)), cast) if stored != name.as_str() => {
            ColumnAlignment::Rename {
                from: stored.clone(),
                cast,
            }
        }
        (Some(Origin::Stored(_)), Some(from)) => ColumnAlignment::Cast { from },
        (Some(Origin::Stored(_)), None) if is_tagged => ColumnAlignment::Tag,
        (Some(Origin::Stored(_)), None) => ColumnAlignment::Pass,
    };
    AlignedColumn {
        column: column.clone(),
        alignment,
        value,
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
