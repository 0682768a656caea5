//! The tables that extraction fills: one declaration each, from which rows, columns and specifications are made.

pub(crate) mod cell;
mod definitions;
mod files;
mod names;
pub(crate) mod table;
mod tree;
mod uses;

pub(crate) use definitions::{ClassBaseRow, DefinitionRow, DocstringRow, ParameterRow};
pub(crate) use files::{DiagnosticRow, ExportRow, FileRow};
pub(crate) use names::{BindingRow, ReferenceRow, ScopeRow};
pub(crate) use tree::NodeRow;
pub(crate) use uses::{ArgumentRow, CallRow, ImportRow};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use ossature_schema_spec::DatasetSpec;

use crate::Error;

macro_rules! datasets {
    ($($(#[$doc:meta])* $variant:ident, $field:ident: $module:ident::$columns:ident;)+) => {
        /// A table of the extract stage.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Dataset { $($(#[$doc])* $variant),+ }

        impl Dataset {
            /// Every table, in the order in which the batches of a unit are delivered.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The declaration: columns, key, order and descriptions.
            ///
            /// **Errors**: [`Error::Declaration`] when a declaration breaks a rule of the schema layer; a test shows
            /// that none does.
            pub fn spec(self) -> Result<DatasetSpec, Error> {
                let spec = match self { $(Self::$variant => $module::$columns::spec()),+ };
                spec.map_err(Error::Declaration)
            }
        }

        /// The columns of every table, under construction.
        #[derive(Debug, Default)]
        pub(crate) struct Columns { $(pub $field: $module::$columns<'static>),+ }

        impl Columns {
            /// Takes what was appended, table by table.
            fn finish(&mut self) -> Vec<(Dataset, Vec<ArrayRef>)> {
                vec![$((Dataset::$variant, self.$field.finish())),+]
            }
        }
    };
}

datasets! {
    /// `extract.files`: one row per file.
    Files, files: files::FileColumns;
    /// `extract.nodes`: one row per node of a tree.
    Nodes, nodes: tree::NodeColumns;
    /// `extract.scopes`: one row per scope.
    Scopes, scopes: names::ScopeColumns;
    /// `extract.bindings`: one row per name and scope.
    Bindings, bindings: names::BindingColumns;
    /// `extract.references`: one row per identifier.
    References, references: names::ReferenceColumns;
    /// `extract.definitions`: one row per module, class and function.
    Definitions, definitions: definitions::DefinitionColumns;
    /// `extract.class_bases`: one row per base of a class.
    ClassBases, class_bases: definitions::ClassBaseColumns;
    /// `extract.parameters`: one row per parameter.
    Parameters, parameters: definitions::ParameterColumns;
    /// `extract.imports`: one row per imported name.
    Imports, imports: uses::ImportColumns;
    /// `extract.calls`: one row per call expression.
    Calls, calls: uses::CallColumns;
    /// `extract.arguments`: one row per argument.
    Arguments, arguments: uses::ArgumentColumns;
    /// `extract.docstrings`: one row per docstring.
    Docstrings, docstrings: definitions::DocstringColumns;
    /// `extract.diagnostics`: one row per complaint.
    Diagnostics, diagnostics: files::DiagnosticColumns;
    /// `extract.exports`: one row per name that a module offers.
    Exports, exports: files::ExportColumns;
}

/// The declarations of all tables, in the order of [`Dataset::ALL`].
///
/// **Errors**: [`Error::Declaration`], see [`Dataset::spec`].
///
/// ```
/// let names: Vec<String> = ossature_python_extract::datasets()?
///     .iter()
///     .map(|spec| spec.name().to_string())
///     .collect();
/// assert!(names.contains(&"extract.nodes".to_owned()));
/// # Ok::<(), ossature_python_extract::Error>(())
/// ```
pub fn datasets() -> Result<Vec<DatasetSpec>, Error> {
    Dataset::ALL.iter().map(|dataset| dataset.spec()).collect()
}

/// The Arrow schemas of all tables, in the order of [`Dataset::ALL`].
pub(crate) fn schemas() -> Result<Vec<SchemaRef>, Error> {
    Ok(datasets()?.iter().map(DatasetSpec::arrow_schema).collect())
}

/// The rows that were appended, as one batch for each table that has any.
pub(crate) fn batches(
    columns: &mut Columns,
    schemas: &[SchemaRef],
) -> Result<Vec<(Dataset, RecordBatch)>, Error> {
    let mut batches = Vec::with_capacity(schemas.len());
    for ((dataset, columns), schema) in columns.finish().into_iter().zip(schemas) {
        let rows = columns.first().map_or(0, |column| column.len());
        if rows > 0 {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch =
                RecordBatch::try_new_with_options(SchemaRef::clone(schema), columns, &options)
                    .map_err(Error::Batch)?;
            batches.push((dataset, batch));
        }
    }
    Ok(batches)
}
