//! Which filters a scan may take.
//!
//! A scan that says it applies a filter exactly takes the filter out of the plan. delta-rs says so of every filter
//! whose columns are all partition columns, which holds vacuously for a filter without columns: a filter that folds
//! to NULL disappears and every row comes back. It also keeps files whose partition predicate is NULL.

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};

/// What a scan may do with a filter: help itself to it, and never more, so that the filter stays in the plan.
pub(crate) fn pushdown(filter: &Expr, schema: &SchemaRef) -> TableProviderFilterPushDown {
    if filter.column_refs().is_empty() || has_null_literal(filter) || compares_float(filter, schema)
    {
        TableProviderFilterPushDown::Unsupported
    } else {
        TableProviderFilterPushDown::Inexact
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

/// File statistics of floats leave NaN out, while NaN is above every number in a comparison.
fn compares_float(expr: &Expr, schema: &SchemaRef) -> bool {
    any(expr, |node| match node {
        Expr::Column(column) => schema.field_with_name(column.name()).is_ok_and(|field| {
            matches!(
                field.data_type(),
                DataType::Float16 | DataType::Float32 | DataType::Float64
            )
        }),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::{Field, Schema};
    use datafusion::prelude::{col, lit};

    use super::*;

    fn check(filter: &Expr, want: &TableProviderFilterPushDown) {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("part", DataType::Utf8, true),
            Field::new("f", DataType::Float64, true),
        ]));
        assert_eq!(pushdown(filter, &schema), *want, "{filter}");
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
        check(
            &col("id").eq(lit(1_i64)).and(col("f").gt(lit(10.0))),
            &Unsupported,
        );
    }
}
