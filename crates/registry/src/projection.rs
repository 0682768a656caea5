//! What a scan computes from the stored columns, before they are compared with the contract.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, SchemaError};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::prelude::{SessionContext, ident};
use datafusion::sql::sqlparser::ast::{self, visit_expressions};
use datafusion::sql::unparser::expr_to_sql;
use ossature_delta_policy::nearest_name;

use crate::count_operators;

/// Bytes that an expression may have.
const BYTES_MAX: usize = 16 << 10;

/// Operators that an expression may have. Less than half as many as the stack of a worker thread stands in a build without
/// optimisation.
const OPERATORS_MAX: usize = 100;

/// Why an expression of a scan is refused. The expression is told as it was written, shortened when it is long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// There is nothing to compute.
    #[error("expression {} is empty", at + 1)]
    Empty {
        /// Its place, counted from 0.
        at: usize,
    },
    /// It is too long to be looked at.
    #[error("`{expression}` has {found} {what}, and at most {max} are looked at")]
    TooLong {
        /// The expression.
        expression: String,
        /// What is counted.
        what: &'static str,
        /// How many it has.
        found: usize,
        /// How many it may have.
        max: usize,
    },
    /// It is no SQL expression, or the engine finds no meaning in it.
    #[error("projection expression parse failed: `{expression}` ({reason})")]
    Unparsable {
        /// The expression.
        expression: String,
        /// Why, in the engine's words.
        reason: String,
    },
    /// It computes something without saying what that is called.
    #[error("`{expression}` is computed and has no name: write `{expression} AS name`")]
    Unnamed {
        /// The expression.
        expression: String,
    },
    /// It uses a column that is not stored.
    #[error(
        "`{expression}` uses `{column}`, which is not stored{}",
        did_you_mean(nearest.as_deref())
    )]
    UnknownColumn {
        /// The expression.
        expression: String,
        /// The column.
        column: String,
        /// The stored column with the nearest name.
        nearest: Option<String>,
    },
    /// It calls a function that the session does not have.
    #[error("`{expression}` calls `{function}`, which no session of this program has")]
    UnknownFunction {
        /// The expression.
        expression: String,
        /// The function.
        function: String,
    },
    /// It is more than a function of one row that always gives the same.
    #[error("`{expression}` holds {what}; a scan computes each row by itself, and always the same")]
    Refused {
        /// The expression.
        expression: String,
        /// What it holds.
        what: String,
    },
    /// Two expressions give columns of one name.
    #[error("`{name}` is given twice")]
    Duplicate {
        /// The name.
        name: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("; `{nearest}` is"),
        None => String::new(),
    }
}

impl ProjectionError {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "projection_empty",
            Self::TooLong { .. } => "projection_too_long",
            Self::Unparsable { .. } => "projection_unparsable",
            Self::Unnamed { .. } => "projection_unnamed",
            Self::UnknownColumn { .. } => "projection_unknown_column",
            Self::UnknownFunction { .. } => "projection_unknown_function",
            Self::Refused { .. } => "projection_refused",
            Self::Duplicate { .. } => "projection_duplicate",
        }
    }
}

/// Columns that a scan gives in place of the stored ones: some of them under their names or others, some computed.
///
/// Each comes from one text: `*` for all stored columns, the name of one, or a SQL expression with its name, as
/// `coalesce(owner_id, '') AS owner_id`. Names are folded to lower case unless they are quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanProjection {
    columns: Vec<ProjectedColumn>,
}

/// A column that a scan gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectedColumn {
    /// Its name, type and whether it may be null.
    pub(crate) field: FieldRef,
    pub(crate) origin: Origin,
}

/// Where a column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is stored, under this name.
    Stored(String),
    /// It is computed.
    Computed(Box<Expr>),
}

impl Origin {
    pub(crate) fn expression(&self) -> Expr {
        match self {
            Self::Stored(name) => ident(name),
            Self::Computed(expression) => expression.as_ref().clone(),
        }
    }
}

/// An expression as SQL that has one form for everything that means the same to the parser.
pub(crate) fn normalised(expression: &Expr) -> String {
    expr_to_sql(expression).map_or_else(|_| expression.to_string(), |sql| sql.to_string())
}

/// The columns that an expression uses.
pub(crate) fn columns_of(expression: &Expr) -> BTreeSet<String> {
    let columns = expression.column_refs().into_iter();
    columns.map(|column| column.name.clone()).collect()
}

impl ScanProjection {
    /// Understands the expressions, over stored columns and with the functions of a session.
    ///
    /// **Errors**: every reason why one of them is refused.
    pub fn try_new<T: AsRef<str>>(
        expressions: &[T],
        stored: &SchemaRef,
        session: &SessionContext,
    ) -> Result<Self, Vec<ProjectionError>> {
        let state = session.state();
        let mut columns = Vec::new();
        let mut errors = Vec::new();
        for (at, text) in expressions.iter().enumerate() {
            match project(at, text.as_ref(), stored, &state) {
                Ok(found) => columns.extend(found),
                Err(error) => errors.push(error),
            }
        }
        let mut seen = BTreeSet::new();
        let mut twice = BTreeSet::new();
        for column in &columns {
            let name = column.field.name().clone();
            if !seen.insert(name.clone()) && twice.insert(name.clone()) {
                errors.push(ProjectionError::Duplicate { name });
            }
        }
        if errors.is_empty() {
            Ok(Self { columns })
        } else {
            Err(errors)
        }
    }

    /// Every stored column as it is.
    pub(crate) fn all(stored: &SchemaRef) -> Self {
        let columns = stored.fields().iter().map(stored_column).collect();
        Self { columns }
    }

    /// The schema of what it gives.
    pub fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|column| Arc::clone(&column.field));
        Schema::new(fields.collect::<Vec<_>>()).into()
    }

    pub(crate) fn origin(&self, name: &str) -> Option<&Origin> {
        let column = self.columns.iter().find(|it| it.field.name() == name)?;
        Some(&column.origin)
    }
}

fn stored_column(field: &FieldRef) -> ProjectedColumn {
    ProjectedColumn {
        field: Arc::clone(field),
        origin: Origin::Stored(field.name().clone()),
    }
}

fn project(
    at: usize,
    text: &str,
    stored: &SchemaRef,
    state: &SessionState,
) -> Result<Vec<ProjectedColumn>, ProjectionError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ProjectionError::Empty { at });
    }
    if text == "*" {
        return Ok(ScanProjection::all(stored).columns);
    }
    check_length(text)?;
    let failed = |error: &DataFusionError| unparsable(text, error);
    let dialect = state.config_options().sql_parser.dialect;
    let parsed = state.sql_to_expr_with_alias(text, &dialect);
    let parsed = parsed.map_err(|error| failed(&error))?;
    check_tree(text, &parsed.expr, state)?;
    let is_named = parsed.alias.is_some() || matches!(parsed.expr, ast::Expr::Identifier(_));
    if !is_named {
        return Err(ProjectionError::Unnamed {
            expression: shortened(text),
        });
    }
    let schema = DFSchema::try_from(Arc::clone(stored)).map_err(|error| failed(&error))?;
    let planned = state.create_logical_expr_from_sql_expr(parsed, &schema);
    let planned = planned.map_err(|error| unknown_column(text, &error, stored))?;
    let (name, expression) = match planned {
        Expr::Alias(alias) => (alias.name, *alias.expr),
        other => {
            let name = other.schema_name().to_string();
            (name, other)
        }
    };
    check_functions(text, &expression)?;
    if let Expr::Column(column) = &expression {
        let field = stored.field_with_name(&column.name);
        let field = field.map_err(|error| failed(&error.into()))?.clone();
        return Ok(vec![ProjectedColumn {
            field: field.with_name(name).into(),
            origin: Origin::Stored(column.name.clone()),
        }]);
    }
    // Types are those that the engine computes with, which the expression as it is written may not have yet.
    let context = SimplifyContext::builder().with_schema(schema.clone().into());
    let coerced = ExprSimplifier::new(context.build()).coerce(expression, &schema);
    let coerced = coerced.map_err(|error| failed(&error))?;
    let field = coerced.to_field(&schema).map_err(|error| failed(&error))?.1;
    Ok(vec![ProjectedColumn {
        field: field.as_ref().clone().with_name(name).into(),
        origin: Origin::Computed(Box::new(coerced)),
    }])
}

fn check_length(text: &str) -> Result<(), ProjectionError> {
    let too_long = |what, found, max| {
        Err(ProjectionError::TooLong {
            expression: shortened(text),
            what,
            found,
            max,
        })
    };
    if text.len() > BYTES_MAX {
        return too_long("bytes", text.len(), BYTES_MAX);
    }
    match count_operators(text) {
        found if found > OPERATORS_MAX => too_long("operators", found, OPERATORS_MAX),
        _ => Ok(()),
    }
}

/// Refuses what is no function of one row, by what the text says. What names mean is found out later.
fn check_tree(text: &str, tree: &ast::Expr, state: &SessionState) -> Result<(), ProjectionError> {
    let refused = |what: String| {
        ControlFlow::Break(ProjectionError::Refused {
            expression: shortened(text),
            what,
        })
    };
    let found = visit_expressions(tree, |expression| match expression {
        ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => {
            refused("a subquery".to_owned())
        }
        ast::Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            if matches!(function.args, ast::FunctionArguments::Subquery(_)) {
                refused("a subquery".to_owned())
            } else if function.over.is_some() || state.window_functions().contains_key(&name) {
                refused(format!("the window function `{name}`"))
            } else if state.scalar_functions().contains_key(&name) {
                ControlFlow::Continue(())
            } else if state.aggregate_functions().contains_key(&name) {
                refused(format!("the aggregate `{name}`"))
            } else {
                ControlFlow::Break(ProjectionError::UnknownFunction {
                    expression: shortened(text),
                    function: name,
                })
            }
        }
        ast::Expr::Value(value) => match &value.value {
            ast::Value::Placeholder(name) => refused(format!("the parameter `{name}`")),
            _ => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Refuses functions that do not always give the same, and whatever else the planner made of harmless words.
fn check_functions(text: &str, expression: &Expr) -> Result<(), ProjectionError> {
    match more_than_a_row(expression) {
        Some(what) => Err(ProjectionError::Refused {
            expression: shortened(text),
            what,
        }),
        None => Ok(()),
    }
}

/// What an expression holds that is more than a function of one row that always gives the same.
pub(crate) fn more_than_a_row(expression: &Expr) -> Option<String> {
    let mut what = None;
    let walked = expression.apply(|node| {
        what = match node {
            Expr::ScalarFunction(call) if is_unsteady(call.func.signature().volatility) => {
                Some(format!("the volatile function `{}`", call.func.name()))
            }
            Expr::HigherOrderFunction(call) => Some(format!("the function `{}`", call.func.name())),
            Expr::AggregateFunction(call) => Some(format!("the aggregate `{}`", call.func.name())),
            Expr::WindowFunction(call) => Some(format!("the window function `{}`", call.fun)),
            Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::ScalarSubquery(_)
            | Expr::SetComparison(_) => Some("a subquery".to_owned()),
            Expr::ScalarVariable(..) => Some("a variable".to_owned()),
            Expr::Unnest(_) => Some("`unnest`".to_owned()),
            _ => None,
        };
        Ok(if what.is_some() {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    // The closure never fails; should the walk fail all the same, nothing is known.
    what.or_else(|| {
        walked
            .is_err()
            .then(|| "what cannot be looked at".to_owned())
    })
}

/// Whether a function may give something else another time: the present day is the same in one query, and not in the next.
fn is_unsteady(volatility: Volatility) -> bool {
    volatility != Volatility::Immutable
}

fn unknown_column(text: &str, error: &DataFusionError, stored: &SchemaRef) -> ProjectionError {
    let DataFusionError::SchemaError(found, _) = error.find_root() else {
        return unparsable(text, error);
    };
    let SchemaError::FieldNotFound { field, .. } = found.as_ref() else {
        return unparsable(text, error);
    };
    let names = stored.fields().iter().map(|field| field.name().as_str());
    ProjectionError::UnknownColumn {
        expression: shortened(text),
        nearest: nearest_name(&field.name, names),
        column: field.name.clone(),
    }
}

fn unparsable(text: &str, error: &DataFusionError) -> ProjectionError {
    ProjectionError::Unparsable {
        expression: shortened(text),
        reason: error.find_root().strip_backtrace(),
    }
}

/// A text as it may stand in an error.
fn shortened(text: &str) -> String {
    const CHARS: usize = 200;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for ScanProjection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, column) in self.columns.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            let sql = normalised(&column.origin.expression());
            write!(f, "{comma}{sql} AS {}", column.field.name())?;
        }
        Ok(())
    }
}
