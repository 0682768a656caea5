//! Declares a table once: its row, its columns and its [`DatasetSpec`](ossature_schema_spec::DatasetSpec) come from the
//! same lines and cannot disagree.

/// `table! { /// What a row is. struct Row<'a> => Columns in "stage.table", key [a, b]; /// A column. a: i64 as NodeId, ... }`
///
/// Every table is ordered by its key.
macro_rules! table {
    (
        $(#[doc = $doc:literal])*
        struct $row:ident<$life:lifetime> => $columns:ident in $name:literal, key [$($key:ident),+];
        $( $(#[doc = $column_doc:literal])* $column:ident : $cell:ty $(as $semantic:ident)? ),+ $(,)?
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $row<$life> { $( $(#[doc = $column_doc])* pub $column: $cell ),+ }

        /// The columns under construction.
        #[derive(Debug, Default)]
        pub(crate) struct $columns<$life> {
            $( $column: <$cell as $crate::datasets::cell::Cell>::Column ),+
        }

        impl<$life> $columns<$life> {
            /// The declaration.
            pub(crate) fn spec() -> Result<ossature_schema_spec::DatasetSpec, ossature_schema_spec::Error> {
                use $crate::datasets::cell::Cell;
                let doc = concat!($($doc, "\n"),*);
                ossature_schema_spec::DatasetSpec::builder($name, &$crate::datasets::table::tidy(doc))
                    $(.column({
                        let doc = $crate::datasets::table::tidy(concat!($($column_doc, "\n"),*));
                        let column = if <$cell as Cell>::NULLABLE {
                            ossature_schema_spec::ColumnSpec::nullable
                        } else {
                            ossature_schema_spec::ColumnSpec::required
                        };
                        column(stringify!($column), <$cell as Cell>::column_type())?
                            $(.semantic(ossature_schema_spec::SemanticType::$semantic)?)?
                            .doc(&doc)
                    }))+
                    .key([$(stringify!($key)),+])
                    .order_by([$(stringify!($key)),+])
                    .build()
            }

            /// Appends a row.
            #[inline]
            pub(crate) fn push(&mut self, row: $row<'_>) {
                $( $crate::datasets::cell::Cell::push(row.$column, &mut self.$column); )+
            }

            /// Takes what was appended, as columns in declared order.
            pub(crate) fn finish(&mut self) -> Vec<arrow_array::ArrayRef> {
                vec![$( $crate::datasets::cell::finish(&mut self.$column) ),+]
            }
        }
    };
}

pub(crate) use table;

/// The text of a documentation comment as one line.
pub(crate) fn tidy(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
