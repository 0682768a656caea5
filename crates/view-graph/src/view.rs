//! A view: a query and the contract of what it returns.

use std::borrow::Cow;

use ossature_schema_spec::{DatasetName, DatasetSpec, SortKey};

/// What becomes of a view's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Materialization {
    /// They are written as a version of a table.
    Table,
    /// They are computed anew wherever the view is named.
    Inline,
}

/// A declared query. Other views and the sources are named in its SQL as `stage.table`.
///
/// ```
/// use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
/// use ossature_view_graph::View;
/// let contract = DatasetSpec::builder("cpg.files", "One row per file.")
///     .column(ColumnSpec::required("path", ColumnType::Utf8)?)
///     .build()?;
/// let view = View::table(contract, "SELECT path FROM extract.files");
/// assert_eq!(view.name().as_str(), "cpg.files");
/// # Ok::<(), ossature_schema_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    contract: DatasetSpec,
    sql: Cow<'static, str>,
    materialization: Materialization,
    /// Leading columns of the contract's order that are sorted by; all when absent.
    sorted_columns: Option<usize>,
}

impl View {
    /// A view whose rows are written as a table.
    pub fn table(contract: DatasetSpec, sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            contract,
            sql: sql.into(),
            materialization: Materialization::Table,
            sorted_columns: None,
        }
    }

    /// A view that is computed where it is named.
    pub fn inline(contract: DatasetSpec, sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            contract,
            sql: sql.into(),
            materialization: Materialization::Inline,
            sorted_columns: None,
        }
    }

    /// Sorts the rows by the first `columns` columns of the contract's order only.
    ///
    /// For queries whose rows come in the declared order once they are in the order of those columns, which the engine
    /// cannot know: lists that were sorted before they were unnested, for example. That it is so is not taken on trust:
    /// the writer proves the whole order row by row, and refuses rows that break it.
    #[must_use]
    pub fn sorted_by_first(mut self, columns: usize) -> Self {
        self.sorted_columns = Some(columns);
        self
    }

    /// What the rows are sorted by before they are written: the contract's [`DatasetSpec::write_order`], or as much of its
    /// order as [`View::sorted_by_first`] says.
    pub fn sort_keys(&self) -> Vec<SortKey> {
        let order = self.contract.order().iter();
        match self.sorted_columns {
            Some(columns) => order.take(columns).cloned().collect(),
            None => self.contract.write_order(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &DatasetName {
        self.contract.name()
    }

    /// What it returns.
    pub fn contract(&self) -> &DatasetSpec {
        &self.contract
    }

    /// The query.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// What becomes of its rows.
    pub fn materialization(&self) -> Materialization {
        self.materialization
    }
}
