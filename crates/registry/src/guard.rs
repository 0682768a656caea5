//! Which filters a scan may take.
//!
//! A scan that says it applies a filter exactly takes the filter out of the plan. delta-rs says so of every filter
//! whose columns are all partition columns, which holds vacuously for a filter without columns: a filter that folds
//! to NULL disappears and every row comes back. It also keeps files whose partition predicate is NULL.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};

/// What a scan may do with a filter: help itself to it, and never more, so that the filter stays in the plan.
pub(crate) fn pushdown(filter: &Expr, schema: &SchemaRef) -> TableProviderFilterPushDown {
    if filter.column_refs().is_empty()
        || has_null_literal(filter)
        || uses(filter, |name| of_field(schema, name, &has_float))
    {
        TableProviderFilterPushDown::Unsupported
    } else {
        TableProviderFilterPushDown::Inexact
    }
}

/// The same for delta-rs, which in addition reads the bounds of decimals as floats, and so leaves out files that hold
/// what is looked for. `doubtful` are columns whose values are not what the log says.
pub(crate) fn pushdown_to_delta(
    filter: &Expr,
    schema: &SchemaRef,
    doubtful: &BTreeSet<String>,
) -> TableProviderFilterPushDown {
    if uses(filter, |name| {
        doubtful.contains(name) || of_field(schema, name, &has_long_decimal)
    }) {
        TableProviderFilterPushDown::Unsupported
    } else {
        pushdown(filter, schema)
    }
}

fn any(expr: &Expr, matches: impl Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    let walked = expr.apply(|node| {
        found = matches(node);
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    });
    // The closure never fails; should the walk fail all the same, the filter is not pushed.
    found || walked.is_err()
}

fn has_null_literal(expr: &Expr) -> bool {
    any(
        expr,
        |node| matches!(node, Expr::Literal(value, _) if ScalarValue::is_null(value)),
    )
}

/// Whether an expression uses a column for which it matters.
fn uses(expr: &Expr, matters: impl Fn(&str) -> bool) -> bool {
    any(
        expr,
        |node| matches!(node, Expr::Column(column) if matters(column.name())),
    )
}

/// Whether something holds of a column's type, or of a type inside of it: fields of structs have bounds as well.
fn of_field(schema: &SchemaRef, name: &str, holds: &impl Fn(&DataType) -> bool) -> bool {
    let field = schema.field_with_name(name);
    field.is_ok_and(|field| of_type(field.data_type(), holds))
}

fn of_type(data_type: &DataType, holds: &impl Fn(&DataType) -> bool) -> bool {
    holds(data_type)
        || match data_type {
            DataType::Struct(fields) => fields.iter().any(|it| of_type(it.data_type(), holds)),
            DataType::List(inner) | DataType::Map(inner, _) => of_type(inner.data_type(), holds),
            _ => false,
        }
}

/// Statistics of floats leave NaN out, while NaN is above every number in a comparison.
fn has_float(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Float16 | DataType::Float32 | DataType::Float64
    )
}

/// 15 digits are as many as a float of 64 bits always keeps.
fn has_long_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(precision, _) | DataType::Decimal256(precision, _) if *precision > 15)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::{Field, Schema};
    use datafusion::prelude::{col, lit};

    use super::*;

    fn schema() -> SchemaRef {
        let float = Field::new("f", DataType::Float64, true);
        Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("part", DataType::Utf8, true),
            Field::new("f", DataType::Float64, true),
            Field::new("pair", DataType::Struct(vec![float].into()), true),
            Field::new("short", DataType::Decimal128(15, 2), true),
            Field::new("long", DataType::Decimal128(16, 2), true),
        ]))
    }

    fn check(filter: &Expr, want: &TableProviderFilterPushDown) {
        assert_eq!(pushdown(filter, &schema()), *want, "{filter}");
    }

    #[test]
    fn delta_does_not_see_filters_on_bounds_that_it_gets_wrong() {
        use TableProviderFilterPushDown::{Inexact, Unsupported};
        let check = |column: &str, want| {
            let doubtful = ["part".to_owned()].into();
            let filter = col(column).is_not_null();
            assert_eq!(pushdown_to_delta(&filter, &schema(), &doubtful), want);
        };
        check("id", Inexact);
        check("short", Inexact);
        check("long", Unsupported);
        check("part", Unsupported);
        check("f", Unsupported);
    }

    #[test]
    fn no_filter_is_ever_taken_out_of_the_plan() {
        use TableProviderFilterPushDown::{Inexact, Unsupported};
        let null = || lit(ScalarValue::Boolean(None));
        check(&col("id").eq(lit(1_i64)), &Inexact);
        check(&col("part").eq(lit("a")), &Inexact);
        check(&null(), &Unsupported);
        check(&lit(true), &Unsupported);
        check(&col("part").eq(lit("a")).or(null()), &Unsupported);
        check(&col("f").gt(lit(10.0)), &Unsupported);
        check(&col("pair").is_not_null(), &Unsupported);
        check(
            &col("id").eq(lit(1_i64)).and(col("f").gt(lit(10.0))),
            &Unsupported,
        );
    }
}
