//! What an encoding of the engine would lose of a plan, found before it is used.
//!
//! Both encodings write some plans down as if they were others, without an error: two plans with different rows have the same
//! bytes, and what is decoded answers another question. Nothing in the bytes tells. Each loss here was seen in rows, see the
//! tests.

use std::collections::BTreeSet;
use std::fmt;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{
    AggregateFunction, GroupingSet, NullTreatment, ScalarFunction, WindowFunction,
};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, Expr, Join, JoinConstraint, JoinType, LogicalPlan, Operator, WindowFrameBound,
    WindowFrameUnits, WindowFunctionDefinition,
};

use crate::Error;

/// A part of a plan that an encoding loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// `NOT IN` becomes `NOT EXISTS`, which keeps other rows where there are nulls.
    NullAwareJoin,
    /// A join names its columns once, by `USING`.
    UsingJoin,
    /// A join other than an inner one has no condition.
    JoinWithoutCondition,
    /// The condition of a join that is no inner one equates two columns of one side.
    EqualityOfOneSide,
    /// A function skips nulls, and then does not.
    IgnoreNulls,
    /// A window has a filter or distinct values, and then has all.
    WindowOfSome,
    /// The frame of a window has an offset that is then another one, or none.
    WindowFrame,
    /// A time zone in an expression becomes UTC.
    TimeZone,
    /// The names of fields in an expression are lost.
    FieldNames,
    /// The metadata of a literal, an alias or a cast is lost.
    Metadata,
    /// An interval has more seconds than fit into 32 bits.
    LongInterval,
    /// A function's name is taken for another function or an operator.
    FunctionName,
    /// Groups by sets of expressions: what is decoded finds them in the wrong columns.
    GroupingSetOfExpressions,
    /// Groups by exactly one set, on which decoding panics.
    OneGroupingSet,
    /// A parameter of a lambda changes its type.
    LambdaParameter,
    /// A relation without rows loses its columns.
    EmptyRelation,
    /// A number of 16 bits becomes one of 32.
    Float16,
}

impl Loss {
    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NullAwareJoin => "null_aware_join",
            Self::UsingJoin => "using_join",
            Self::JoinWithoutCondition => "join_without_condition",
            Self::EqualityOfOneSide => "equality_of_one_side",
            Self::IgnoreNulls => "ignore_nulls",
            Self::WindowOfSome => "window_of_some",
            Self::WindowFrame => "window_frame",
            Self::TimeZone => "time_zone",
            Self::FieldNames => "field_names",
            Self::Metadata => "metadata",
            Self::LongInterval => "long_interval",
            Self::FunctionName => "function_name",
            Self::GroupingSetOfExpressions => "grouping_set_of_expressions",
            Self::OneGroupingSet => "one_grouping_set",
            Self::LambdaParameter => "lambda_parameter",
            Self::EmptyRelation => "empty_relation",
            Self::Float16 => "float16",
        }
    }

    /// Whether Substrait, as the engine writes and reads it, loses it.
    fn is_of_substrait(self) -> bool {
        !matches!(self, Self::EmptyRelation | Self::Float16)
    }

    /// Whether the engine's own encoding loses it.
    fn is_of_proto(self) -> bool {
        matches!(
            self,
            Self::Metadata | Self::GroupingSetOfExpressions | Self::EmptyRelation | Self::Float16
        )
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a plan has that one of the encodings loses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Losses(BTreeSet<Loss>);

impl Losses {
    /// Walks a plan with its subqueries.
    ///
    /// **Errors**: [`Error::Engine`], which no plan causes.
    pub(crate) fn of(plan: &LogicalPlan, state: &SessionState) -> Result<Self, Error> {
        let mut losses = Self::default();
        let shadows = |name: &&str| {
            state.scalar_functions().contains_key(*name)
                || state.higher_order_functions().contains_key(*name)
        };
        if RESERVED.iter().any(shadows) {
            // Decoding looks for a function before it takes a name for an operator.
            losses.0.insert(Loss::FunctionName);
        }
        plan.apply_with_subqueries(|node| {
            losses.node(node);
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    losses.expr(expr, state);
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })
        .map_err(Error::engine("looking for what an encoding loses"))?;
        Ok(losses)
    }

    /// What Substrait loses, in words.
    pub(crate) fn of_substrait(&self) -> Option<String> {
        self.named("substrait", Loss::is_of_substrait)
    }

    /// What the engine's own encoding loses, in words.
    pub(crate) fn of_proto(&self) -> Option<String> {
        self.named("datafusion_proto", Loss::is_of_proto)
    }

    fn named(&self, encoding: &str, of: impl Fn(Loss) -> bool) -> Option<String> {
        let losses = self.0.iter().filter(|loss| of(**loss));
        let losses: Vec<&str> = losses.map(|loss| loss.as_str()).collect();
        (!losses.is_empty()).then(|| format!("{encoding} loses {}", losses.join(", ")))
    }

    fn add(&mut self, loss: Loss, is_there: bool) {
        if is_there {
            self.0.insert(loss);
        }
    }

    fn node(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::EmptyRelation(empty) => {
                self.add(Loss::EmptyRelation, !empty.schema.fields().is_empty());
                self.schema(empty.schema.as_arrow());
            }
            LogicalPlan::Values(values) => self.schema(values.schema.as_arrow()),
            _ => {}
        }
    }

    fn schema(&mut self, schema: &Schema) {
        for field in schema.fields() {
            self.add(Loss::TimeZone, has_zone(field.data_type()));
            self.add(Loss::Metadata, !field.metadata().is_empty());
        }
    }

    fn join(&mut self, join: &Join) {
        self.add(Loss::NullAwareJoin, join.null_aware);
        let is_using = join.join_constraint == JoinConstraint::Using;
        self.add(Loss::UsingJoin, is_using);
        if join.join_type == JoinType::Inner {
            return;
        }
        let has_condition = !join.on.is_empty() || join.filter.is_some();
        self.add(Loss::JoinWithoutCondition, !has_condition);
        for part in join.filter.iter().flat_map(split_conjunction) {
            if let Expr::BinaryExpr(binary) = part
                && matches!(binary.op, Operator::Eq | Operator::IsNotDistinctFrom)
                && let (Expr::Column(one), Expr::Column(other)) =
                    (binary.left.as_ref(), binary.right.as_ref())
            {
                let is_left = |column| join.left.schema().has_column(column);
                self.add(Loss::EqualityOfOneSide, is_left(one) == is_left(other));
            }
        }
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        for key in &aggregate.group_expr {
            let Expr::GroupingSet(sets) = key else {
                continue;
            };
            let is_one = matches!(sets, GroupingSet::GroupingSets(sets) if sets.len() < 2);
            self.add(Loss::OneGroupingSet, is_one);
            let keys = sets.distinct_expr();
            let are_columns = keys.iter().all(|key| matches!(key, Expr::Column(_)));
            self.add(Loss::GroupingSetOfExpressions, !are_columns);
        }
    }

    fn expr(&mut self, expr: &Expr, state: &SessionState) {
        match expr {
            Expr::Literal(value, metadata) => {
                self.add(Loss::Metadata, metadata.is_some());
                self.value_type(&value.data_type());
                self.add(Loss::Float16, matches!(value, ScalarValue::Float16(_)));
                if let ScalarValue::IntervalMonthDayNano(Some(interval)) = value {
                    let seconds = interval.nanoseconds / 1_000_000_000;
                    self.add(Loss::LongInterval, i32::try_from(seconds).is_err());
                }
            }
            Expr::Cast(cast) => self.field(&cast.field),
            Expr::TryCast(cast) => self.field(&cast.field),
            Expr::Alias(alias) => {
                let metadata = alias.metadata.as_ref().map(FieldMetadata::to_hashmap);
                self.add(Loss::Metadata, metadata.is_some_and(|it| !it.is_empty()));
            }
            Expr::ScalarFunction(call) => self.scalar_function(call, state),
            Expr::AggregateFunction(call) => self.aggregate_function(call, state),
            Expr::WindowFunction(call) => self.window_function(call, state),
            Expr::HigherOrderFunction(call) => {
                self.add(Loss::FunctionName, !is_plain(call.name()));
            }
            Expr::LambdaVariable(variable) => {
                let is_kept = variable.field.as_ref().is_some_and(|field| {
                    let value_type = field.data_type();
                    let is_plain = field.is_nullable() && field.metadata().is_empty();
                    is_plain && !has_zone(value_type) && !has_names(value_type)
                });
                self.add(Loss::LambdaParameter, !is_kept);
            }
            _ => {}
        }
    }

    fn field(&mut self, field: &Field) {
        self.value_type(field.data_type());
        self.add(Loss::Metadata, !field.metadata().is_empty());
    }

    fn value_type(&mut self, value_type: &DataType) {
        self.add(Loss::TimeZone, has_zone(value_type));
        self.add(Loss::FieldNames, has_names(value_type));
    }

    fn scalar_function(&mut self, call: &ScalarFunction, state: &SessionState) {
        let name = call.func.name();
        let is_registered = (state.scalar_functions().get(name)).is_some_and(|it| *it == call.func);
        let is_hidden = state.higher_order_functions().contains_key(name);
        // Written down as a logarithm with a base, which it is not.
        let is_plain_logarithm = name == "log" && call.args.len() != 2;
        self.add(
            Loss::FunctionName,
            !is_plain(name) || !is_registered || is_hidden || is_plain_logarithm,
        );
    }

    fn aggregate_function(&mut self, call: &AggregateFunction, state: &SessionState) {
        let treatment = call.params.null_treatment;
        self.add(
            Loss::IgnoreNulls,
            treatment == Some(NullTreatment::IgnoreNulls),
        );
        let name = call.func.name();
        let registered = state.aggregate_functions().get(name);
        let is_registered = registered.is_some_and(|it| *it == call.func);
        self.add(Loss::FunctionName, !is_lower(name) || !is_registered);
    }

    fn window_function(&mut self, call: &WindowFunction, state: &SessionState) {
        let params = &call.params;
        let treatment = params.null_treatment;
        self.add(
            Loss::IgnoreNulls,
            treatment == Some(NullTreatment::IgnoreNulls),
        );
        self.add(
            Loss::WindowOfSome,
            params.distinct || params.filter.is_some(),
        );
        let is_kept = match &call.fun {
            WindowFunctionDefinition::AggregateUDF(function) => {
                let name = function.name();
                is_plain(name) && !state.window_functions().contains_key(name)
            }
            WindowFunctionDefinition::WindowUDF(function) => is_plain(function.name()),
        };
        self.add(Loss::FunctionName, !is_kept);
        let frame = &params.window_frame;
        self.add(Loss::WindowFrame, frame.units == WindowFrameUnits::Groups);
        for bound in [&frame.start_bound, &frame.end_bound] {
            let (WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset)) = bound
            else {
                continue;
            };
            let is_kept = match (frame.units, offset) {
                (_, offset) if offset.is_null() => true,
                (WindowFrameUnits::Rows, ScalarValue::UInt64(Some(rows))) => {
                    i64::try_from(*rows).is_ok_and(|rows| rows > 0)
                }
                _ => false,
            };
            self.add(Loss::WindowFrame, !is_kept);
        }
    }
}

/// Names that Substrait has for operators, or that decoding looks up before functions.
const RESERVED: [&str; 52] = [
    "add",
    "and",
    "and_not",
    "arrow_at",
    "at_arrow",
    "between",
    "bitwise_and",
    "bitwise_or",
    "bitwise_shift_left",
    "bitwise_shift_right",
    "bitwise_xor",
    "divide",
    "equal",
    "gt",
    "gte",
    "ilike",
    "is_distinct_from",
    "is_false",
    "is_nan",
    "is_not_distinct_from",
    "is_not_false",
    "is_not_null",
    "is_not_true",
    "is_not_unknown",
    "is_null",
    "is_true",
    "is_unknown",
    "like",
    "like_imatch",
    "like_match",
    "like_not_imatch",
    "like_not_match",
    "logb",
    "lt",
    "lte",
    "mod",
    "modulus",
    "multiply",
    "negate",
    "negative",
    "not",
    "not_equal",
    "not_ilike",
    "not_like",
    "or",
    "regex_imatch",
    "regex_match",
    "regex_not_imatch",
    "regex_not_match",
    "str_concat",
    "subtract",
    "xor",
];

fn is_lower(name: &str) -> bool {
    // Names are written in lower case, and read up to a colon.
    !name.contains(':') && name.to_lowercase() == name
}

fn is_plain(name: &str) -> bool {
    is_lower(name) && !RESERVED.contains(&name)
}

fn has_zone(value_type: &DataType) -> bool {
    match value_type {
        DataType::Timestamp(_, Some(zone)) => zone.as_ref() != "UTC",
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => has_zone(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_zone(field.data_type())),
        DataType::Dictionary(_, value) => has_zone(value),
        _ => false,
    }
}

/// Whether a type has names or marks that Substrait does not keep in expressions.
fn has_names(value_type: &DataType) -> bool {
    match value_type {
        DataType::Struct(_) => true,
        DataType::List(field) | DataType::LargeList(field) => {
            let is_plain = field.name() == Field::LIST_FIELD_DEFAULT_NAME && field.is_nullable();
            !is_plain || !field.metadata().is_empty() || has_names(field.data_type())
        }
        DataType::Map(field, is_sorted) => {
            *is_sorted
                || match field.data_type() {
                    DataType::Struct(pair) => pair.iter().any(|it| has_names(it.data_type())),
                    _ => true,
                }
        }
        _ => false,
    }
}
