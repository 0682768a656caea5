//! One value of a row on its way into a column.

use std::borrow::Cow;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Int32Builder, Int64Builder, StringBuilder,
};
use ossature_schema_spec::ColumnType;

/// A type of values that a column can hold.
pub(crate) trait Cell {
    /// What collects them.
    type Column: ArrayBuilder + Default;
    /// Whether a value may be absent.
    const NULLABLE: bool;

    /// What the column stores.
    fn column_type() -> ColumnType;

    /// Appends the value.
    fn push(self, column: &mut Self::Column);
}

macro_rules! cell {
    ($value:ty, $builder:ty, $column:expr) => {
        impl Cell for $value {
            type Column = $builder;
            const NULLABLE: bool = false;

            fn column_type() -> ColumnType {
                $column
            }

            #[inline]
            fn push(self, column: &mut Self::Column) {
                column.append_value(self);
            }
        }

        impl Cell for Option<$value> {
            type Column = $builder;
            const NULLABLE: bool = true;

            fn column_type() -> ColumnType {
                $column
            }

            #[inline]
            fn push(self, column: &mut Self::Column) {
                column.append_option(self);
            }
        }
    };
}

cell!(bool, BooleanBuilder, ColumnType::Boolean);
cell!(i32, Int32Builder, ColumnType::Int32);
cell!(i64, Int64Builder, ColumnType::Int64);
cell!(&str, StringBuilder, ColumnType::Utf8);
cell!(Cow<'_, str>, StringBuilder, ColumnType::Utf8);
cell!(String, StringBuilder, ColumnType::Utf8);
cell!(&[u8], BinaryBuilder, ColumnType::Binary);

/// The finished column.
pub(crate) fn finish(column: &mut impl ArrayBuilder) -> ArrayRef {
    column.finish()
}
