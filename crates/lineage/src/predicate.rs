//! Which columns a condition compares, and how.

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchemaRef, TableReference};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison};
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};
use datafusion::scalar::ScalarValue;

use crate::origins::Origins;
use crate::trace::{Scope, Tracer, is_column};
use crate::{Error, Role};

/// What a condition says about one operand.
#[derive(Clone)]
struct Mark {
    origins: Origins,
    /// What the operand belongs to, where it is a column.
    relation: Option<Relation>,
    /// For columns that are compared themselves.
    exactly: Role,
    /// For columns that something was computed of.
    roughly: Role,
}

/// One side of a comparison.
struct Operand {
    origins: Origins,
    is_column: bool,
    /// Whether it has one value for all rows.
    is_constant: bool,
    /// What the column belongs to, where the operand is one.
    relation: Relation,
}

/// What a column belongs to.
#[derive(Clone, PartialEq, Eq)]
enum Relation {
    /// An input of this query, by its name there.
    Here(Option<TableReference>),
    /// The query around this one.
    Around,
}

impl Tracer {
    /// Gives roles to the columns by which a condition keeps rows.
    pub(crate) fn keep_by(&mut self, condition: &Expr, scope: &Scope) -> Result<(), Error> {
        for mark in self.marks(condition, scope, Role::Filter)? {
            self.mark_compared(&mark.origins, mark.exactly, Some(mark.roughly));
        }
        Ok(())
    }

    /// Gives roles to the columns by which the condition of a join matches rows. It drops no row of the sides that are kept whole.
    pub(crate) fn match_by(
        &mut self,
        condition: &Expr,
        scope: &Scope,
        kept_whole: &[&DFSchemaRef],
    ) -> Result<(), Error> {
        for mark in self.marks(condition, scope, Role::Join)? {
            let is_kept = match &mark.relation {
                Some(Relation::Here(Some(relation))) => kept_whole.iter().any(|schema| {
                    schema
                        .iter()
                        .any(|(qualifier, _)| qualifier == Some(relation))
                }),
                _ => false,
            };
            let is_filter = matches!(mark.exactly, Role::FilterEq | Role::FilterRange);
            let mark = if is_kept && is_filter {
                mark.weakened(Role::Join)
            } else {
                mark
            };
            self.mark_compared(&mark.origins, mark.exactly, Some(mark.roughly));
        }
        Ok(())
    }

    fn marks(&mut self, condition: &Expr, scope: &Scope, by: Role) -> Result<Vec<Mark>, Error> {
        match condition {
            Expr::BinaryExpr(binary) => self.binary(binary, scope, by),
            Expr::Alias(alias) => self.marks(&alias.expr, scope, by),
            Expr::Not(inner) if is_column(inner) => self.column_alone(inner, scope),
            Expr::Not(inner) => {
                let marks = self.marks(inner, scope, by)?;
                // Whatever is compared, rows without the value are kept.
                Ok(marks.into_iter().map(|mark| mark.weakened(by)).collect())
            }
            Expr::IsTrue(inner) | Expr::IsFalse(inner) if is_column(inner) => {
                self.column_alone(inner, scope)
            }
            flag if is_column(flag) => self.column_alone(flag, scope),
            Expr::Between(between) => {
                let column = self.operand(&between.expr, scope)?;
                let low = self.operand(&between.low, scope)?;
                let high = self.operand(&between.high, scope)?;
                let is_range = low.is_constant && high.is_constant && !between.negated;
                let role = if is_range { Role::FilterRange } else { by };
                Ok([column, low, high]
                    .into_iter()
                    .map(|it| it.marked(role, by))
                    .collect())
            }
            Expr::InList(list) => {
                let column = self.operand(&list.expr, scope)?;
                let mut marks = Vec::new();
                let mut is_constant = true;
                for item in &list.list {
                    let item = self.operand(item, scope)?;
                    is_constant &= item.is_constant;
                    marks.push(item.marked(by, by));
                }
                let is_eq = is_constant && !list.negated;
                marks.push(column.marked(if is_eq { Role::FilterEq } else { by }, by));
                Ok(marks)
            }
            Expr::Like(like) => {
                let role = if prefix(like) { Role::FilterRange } else { by };
                let column = self.operand(&like.expr, scope)?;
                let pattern = self.operand(&like.pattern, scope)?;
                Ok(vec![column.marked(role, by), pattern.marked(by, by)])
            }
            // These mark what they match themselves.
            Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => {
                self.expr(condition, scope)?;
                Ok(Vec::new())
            }
            other => {
                let origins = self.expr(other, scope)?;
                Ok(vec![Mark {
                    origins,
                    relation: None,
                    exactly: by,
                    roughly: by,
                }])
            }
        }
    }

    fn binary(&mut self, binary: &BinaryExpr, scope: &Scope, by: Role) -> Result<Vec<Mark>, Error> {
        let BinaryExpr { left, op, right } = binary;
        match op {
            Operator::And => {
                let mut marks = self.marks(left, scope, by)?;
                marks.extend(self.marks(right, scope, by)?);
                Ok(marks)
            }
            Operator::Or => {
                let one = self.marks(left, scope, by)?;
                let other = self.marks(right, scope, by)?;
                // A choice narrows a column down where every part of it does.
                let in_both =
                    |mark: &Mark, marks: &[Mark]| marks.iter().any(|it| it.narrows(by, mark));
                let (mut kept, mut lost) = (Vec::new(), Vec::new());
                for (mark, marks) in one
                    .iter()
                    .map(|mark| (mark, &other))
                    .chain(other.iter().map(|mark| (mark, &one)))
                {
                    if mark.narrows(by, mark) && in_both(mark, marks) {
                        kept.push(mark.clone());
                    } else {
                        lost.push(mark.clone().weakened(by));
                    }
                }
                kept.extend(lost);
                Ok(kept)
            }
            Operator::Eq | Operator::IsNotDistinctFrom => {
                self.comparison(left, right, scope, by, Role::FilterEq, Role::JoinKey)
            }
            Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                self.comparison(left, right, scope, by, Role::FilterRange, Role::Join)
            }
            _ => self.comparison(left, right, scope, by, by, Role::Join),
        }
    }

    /// `one op other`: between a column and what does not depend on the row, or between columns of two relations.
    fn comparison(
        &mut self,
        one: &Expr,
        other: &Expr,
        scope: &Scope,
        by: Role,
        with_constant: Role,
        with_other: Role,
    ) -> Result<Vec<Mark>, Error> {
        let one = self.operand(one, scope)?;
        let other = self.operand(other, scope)?;
        let (exactly, roughly) = if one.is_constant || other.is_constant {
            (with_constant, by)
        } else if !one.is_column || !other.is_column {
            (by, by)
        } else if one.is_of_another_relation_than(&other) {
            (with_other, Role::Join)
        } else {
            (by, by)
        };
        Ok(vec![
            one.marked(exactly, roughly),
            other.marked(exactly, roughly),
        ])
    }

    fn column_alone(&mut self, flag: &Expr, scope: &Scope) -> Result<Vec<Mark>, Error> {
        let flag = self.operand(flag, scope)?;
        Ok(vec![flag.marked(Role::FilterEq, Role::Filter)])
    }

    fn operand(&mut self, expr: &Expr, scope: &Scope) -> Result<Operand, Error> {
        Ok(Operand {
            origins: self.expr(expr, scope)?,
            is_column: is_column(expr),
            is_constant: is_constant(expr)?,
            relation: relation(expr),
        })
    }
}

impl Operand {
    /// Whether the operands are columns of two relations. What is computed belongs to none.
    fn is_of_another_relation_than(&self, other: &Self) -> bool {
        match (&self.relation, &other.relation) {
            (Relation::Here(Some(one)), Relation::Here(Some(other))) => one != other,
            (Relation::Around, Relation::Around) | (Relation::Here(_), Relation::Here(_)) => false,
            _ => true,
        }
    }

    fn marked(self, exactly: Role, roughly: Role) -> Mark {
        Mark {
            origins: self.origins,
            relation: self.is_column.then_some(self.relation),
            exactly: if self.is_column { exactly } else { roughly },
            roughly,
        }
    }
}

impl Mark {
    /// Whether it narrows the column of the other mark down: by more than a condition that bounds do not answer.
    fn narrows(&self, by: Role, other: &Self) -> bool {
        let is_same = self.origins == other.origins && self.relation == other.relation;
        self.exactly != by && !self.origins.is_empty() && is_same
    }

    fn weakened(self, by: Role) -> Self {
        Self {
            exactly: by,
            roughly: by,
            ..self
        }
    }
}

/// Whether an expression has one value for all rows: it names no column, and neither does a subquery in it.
fn is_constant(expr: &Expr) -> Result<bool, Error> {
    let varies = expr.exists(|expr| {
        Ok(match expr {
            Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::LambdaVariable(_) => true,
            Expr::ScalarSubquery(subquery)
            | Expr::Exists(Exists { subquery, .. })
            | Expr::InSubquery(InSubquery { subquery, .. })
            | Expr::SetComparison(SetComparison { subquery, .. }) => {
                !subquery.outer_ref_columns.is_empty()
            }
            _ => false,
        })
    });
    Ok(!varies.map_err(Error::engine("reading a condition"))?)
}

fn relation(expr: &Expr) -> Relation {
    match expr {
        Expr::Column(column) => Relation::Here(column.relation.clone()),
        Expr::OuterReferenceColumn(..) => Relation::Around,
        Expr::Alias(alias) => relation(&alias.expr),
        Expr::Cast(cast) => relation(&cast.expr),
        Expr::TryCast(cast) => relation(&cast.expr),
        _ => Relation::Here(None),
    }
}

/// Whether a pattern asks for texts that begin with something.
fn prefix(like: &Like) -> bool {
    let Expr::Literal(
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)),
        _,
    ) = like.pattern.as_ref()
    else {
        return false;
    };
    !like.negated && !like.case_insensitive && !text.starts_with(['%', '_'])
}
