//! Proves the order of rows while they pass: every row is compared with the one before.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{OwnedRow, RowConverter, Rows, SortField};
use arrow_schema::SortOptions;
use ossature_schema_spec::{ColumnName, DatasetSpec};

use crate::Error;

/// Encodes sort keys as bytes that compare as the rows do, and checks that they ascend.
pub(crate) struct OrderCheck {
    contract: DatasetSpec,
    converter: RowConverter,
    columns: Vec<usize>,
    /// Whether the order contains the key, so that equal neighbours are duplicates.
    strict: bool,
    last: Option<OwnedRow>,
    rows: u64,
}

impl OrderCheck {
    /// Checks the declared order, leaving out the partition columns: within one partition they are all alike.
    pub(crate) fn try_new(contract: &DatasetSpec) -> Result<Self, Error> {
        let schema = contract.arrow_schema();
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for key in contract
            .order()
            .iter()
            .filter(|key| !contract.partition().contains(&key.column))
        {
            let index = schema.index_of(key.column.as_str())?;
            let options = SortOptions {
                descending: key.descending,
                nulls_first: true,
            };
            columns.push(index);
            fields.push(SortField::new_with_options(
                schema.field(index).data_type().clone(),
                options,
            ));
        }
        let ordered = |column: &ColumnName| {
            contract.partition().contains(column)
                || contract.order().iter().any(|key| key.column == *column)
        };
        let strict = !contract.key().is_empty() && contract.key().iter().all(ordered);
        Ok(Self {
            contract: contract.clone(),
            converter: RowConverter::new(fields)?,
            columns,
            strict,
            last: None,
            rows: 0,
        })
    }

    /// Begins another partition: its rows are not compared with those before.
    pub(crate) fn begin_partition(&mut self) {
        self.last = None;
    }

    /// Encodes the keys of the next rows.
    ///
    /// **Errors**: [`Error::OutOfOrder`], [`Error::DuplicateKey`].
    pub(crate) fn keys(&mut self, batch: &RecordBatch) -> Result<Arc<Rows>, Error> {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|index| Arc::clone(batch.column(*index)))
            .collect();
        let keys = if columns.is_empty() {
            // Without an order every row has the same, empty, key: rows stay as they come.
            let mut keys = self.converter.empty_rows(0, 0);
            let empty = RowConverter::new(vec![SortField::new(arrow_schema::DataType::Null)])?;
            if batch.num_rows() > 0 {
                keys = empty.convert_columns(&[arrow_array::new_null_array(
                    &arrow_schema::DataType::Null,
                    batch.num_rows(),
                )])?;
            }
            keys
        } else {
            self.converter.convert_columns(&columns)?
        };
        if !self.columns.is_empty() {
            self.check(&keys)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(Arc::new(keys))
    }

    fn check(&mut self, keys: &Rows) -> Result<(), Error> {
        if let (Some(last), Some(first)) = (&self.last, keys.iter().next()) {
            self.compare(last.row().cmp(&first), 0)?;
        }
        for at in 1..keys.num_rows() {
            self.compare(keys.row(at - 1).cmp(&keys.row(at)), at)?;
        }
        if keys.num_rows() > 0 {
            self.last = Some(keys.row(keys.num_rows() - 1).owned());
        }
        Ok(())
    }

    fn compare(&self, order: std::cmp::Ordering, at: usize) -> Result<(), Error> {
        let row = || self.rows + at as u64;
        if order.is_gt() {
            let names = self.contract.order().iter().map(ToString::to_string);
            return Err(Error::OutOfOrder {
                dataset: self.contract.name().clone(),
                order: names.collect::<Vec<_>>().join(", "),
                row: row(),
            });
        }
        if order.is_eq() && self.strict {
            let names = self.contract.key().iter().map(ToString::to_string);
            return Err(Error::DuplicateKey {
                dataset: self.contract.name().clone(),
                key: names.collect::<Vec<_>>().join(", "),
                row: row(),
            });
        }
        Ok(())
    }
}
