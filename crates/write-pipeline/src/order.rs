//! Proves the order of rows, and their key where the order leads with it, while they pass: every row is compared with
//! the one before.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_row::{OwnedRow, RowConverter, Rows, SortField};
use arrow_schema::{DataType, Schema, SortOptions};
use ossature_schema_spec::{ColumnName, DatasetSpec, SortKey};

use crate::Error;

/// Encodes sort keys as bytes that compare as the rows do, and checks that they ascend.
///
/// Within a partition, the key is proven to be unique when its columns are the leading ones of the order, in any
/// sequence: then rows with equal keys are neighbours. Of another key, only rows that are equal in the whole order are
/// found. Partition columns count for neither, as all rows of a partition agree in them; so a key that leaves one out
/// is not compared across partitions.
pub(crate) struct OrderCheck {
    contract: DatasetSpec,
    order: RowEncoder,
    proof: KeyProof,
    last: Option<LastRow>,
    rows: u64,
}

/// How two neighbours are known to have one key.
enum KeyProof {
    /// Not at all: no key is declared, or the order does not contain it.
    None,
    /// They are equal in the whole order.
    WholeOrder,
    /// They are equal in these columns, which are the key's and lead a longer order.
    LeadingColumns(RowEncoder),
}

/// What the next row is compared with.
struct LastRow {
    order: OwnedRow,
    key: Option<OwnedRow>,
}

impl OrderCheck {
    /// Checks the declared order in rows of `schema`, the contract's columns inside of files. The partition columns are
    /// left out of it: within one partition they are all alike.
    pub(crate) fn try_new(contract: &DatasetSpec, schema: &Schema) -> Result<Self, Error> {
        let is_inside = |column: &ColumnName| !contract.partition().contains(column);
        let order: Vec<&SortKey> = contract
            .order()
            .iter()
            .filter(|key| is_inside(&key.column))
            .collect();
        let key: BTreeSet<&ColumnName> = contract
            .key()
            .iter()
            .filter(|column| is_inside(column))
            .collect();
        let leading: Vec<&SortKey> = order
            .iter()
            .copied()
            .take_while(|sort| key.contains(&sort.column))
            .collect();
        let leads = key.iter().all(|column| has(&leading, column));
        let proof = if contract.key().is_empty() || !key.iter().all(|column| has(&order, column)) {
            KeyProof::None
        } else if leads && leading.len() < order.len() {
            KeyProof::LeadingColumns(RowEncoder::try_new(schema, &leading)?)
        } else {
            KeyProof::WholeOrder
        };
        Ok(Self {
            contract: contract.clone(),
            order: RowEncoder::try_new(schema, &order)?,
            proof,
            last: None,
            rows: 0,
        })
    }

    /// Begins another partition: its rows are not compared with those before.
    pub(crate) fn begin_partition(&mut self) {
        self.last = None;
    }

    /// Encodes the sort keys of the next rows.
    ///
    /// **Errors**: [`Error::OutOfOrder`], [`Error::DuplicateKey`].
    pub(crate) fn keys(&mut self, batch: &RecordBatch) -> Result<Arc<Rows>, Error> {
        let order = self.order.encode(batch)?;
        let key = match &self.proof {
            KeyProof::LeadingColumns(columns) => Some(columns.encode(batch)?),
            KeyProof::None | KeyProof::WholeOrder => None,
        };
        self.check(&order, key.as_ref())?;
        if let Some(end) = order.num_rows().checked_sub(1) {
            self.last = Some(LastRow {
                order: order.row(end).owned(),
                key: key.map(|key| key.row(end).owned()),
            });
        }
        self.rows += batch.num_rows() as u64;
        Ok(Arc::new(order))
    }

    fn check(&self, order: &Rows, key: Option<&Rows>) -> Result<(), Error> {
        if order.num_rows() == 0 {
            return Ok(());
        }
        if let Some(last) = &self.last {
            let same_key = || match (&last.key, key) {
                (Some(last), Some(key)) => last.row() == key.row(0),
                _ => false,
            };
            self.compare(last.order.row().cmp(&order.row(0)), same_key, 0)?;
        }
        for at in 1..order.num_rows() {
            let same_key = || key.is_some_and(|key| key.row(at - 1) == key.row(at));
            self.compare(order.row(at - 1).cmp(&order.row(at)), same_key, at)?;
        }
        Ok(())
    }

    /// Judges the row at `at` by how the one before compares with it.
    fn compare(
        &self,
        order: Ordering,
        same_key: impl FnOnce() -> bool,
        at: usize,
    ) -> Result<(), Error> {
        let is_duplicate = match (order, &self.proof) {
            (Ordering::Greater, _) => return Err(self.out_of_order(at)),
            (_, KeyProof::None) | (Ordering::Less, KeyProof::WholeOrder) => false,
            (Ordering::Equal, _) => true,
            (Ordering::Less, KeyProof::LeadingColumns(_)) => same_key(),
        };
        if is_duplicate {
            return Err(self.duplicate_key(at));
        }
        Ok(())
    }

    fn out_of_order(&self, at: usize) -> Error {
        let names = self.contract.order().iter().map(ToString::to_string);
        Error::OutOfOrder {
            dataset: self.contract.name().clone(),
            order: names.collect::<Vec<_>>().join(", "),
            row: self.rows + at as u64,
        }
    }

    fn duplicate_key(&self, at: usize) -> Error {
        let names = self.contract.key().iter().map(ToString::to_string);
        Error::DuplicateKey {
            dataset: self.contract.name().clone(),
            key: names.collect::<Vec<_>>().join(", "),
            row: self.rows + at as u64,
        }
    }
}

fn has(order: &[&SortKey], column: &ColumnName) -> bool {
    order.iter().any(|sort| sort.column == *column)
}

/// Encodes some columns of every row. Without columns, all rows are equal.
pub(crate) struct RowEncoder {
    converter: RowConverter,
    columns: Vec<usize>,
}

impl RowEncoder {
    /// Encodes the order of rows inside of files.
    pub(crate) fn of_order(contract: &DatasetSpec, schema: &Schema) -> Result<Self, Error> {
        let inside = |key: &&SortKey| !contract.partition().contains(&key.column);
        let order: Vec<&SortKey> = contract.order().iter().filter(inside).collect();
        Self::try_new(schema, &order)
    }

    /// Encodes the key, if its columns are the leading ones of the order: the beginning of what the whole order's columns
    /// encode to. Partition columns count for neither.
    pub(crate) fn of_leading_key(
        contract: &DatasetSpec,
        schema: &Schema,
    ) -> Result<Option<Self>, Error> {
        let is_inside = |column: &ColumnName| !contract.partition().contains(column);
        let key: BTreeSet<&ColumnName> = contract
            .key()
            .iter()
            .filter(|column| is_inside(column))
            .collect();
        let leading: Vec<&SortKey> = contract
            .order()
            .iter()
            .filter(|sort| is_inside(&sort.column))
            .take_while(|sort| key.contains(&sort.column))
            .collect();
        if key.is_empty() || !key.iter().all(|column| has(&leading, column)) {
            return Ok(None);
        }
        Self::try_new(schema, &leading).map(Some)
    }

    fn try_new(schema: &Schema, order: &[&SortKey]) -> Result<Self, Error> {
        let mut columns = Vec::with_capacity(order.len());
        let mut fields = Vec::with_capacity(order.len());
        for key in order {
            let index = schema.index_of(key.column.as_str())?;
            let options = SortOptions {
                descending: key.descending,
                nulls_first: true,
            };
            columns.push(index);
            let data_type = schema.field(index).data_type().clone();
            fields.push(SortField::new_with_options(data_type, options));
        }
        if fields.is_empty() {
            // A converter of no columns cannot tell how many rows it is given.
            fields.push(SortField::new(DataType::Null));
        }
        Ok(Self {
            converter: RowConverter::new(fields)?,
            columns,
        })
    }

    pub(crate) fn encode(&self, batch: &RecordBatch) -> Result<Rows, Error> {
        let columns: Vec<ArrayRef> = if self.columns.is_empty() {
            vec![new_null_array(&DataType::Null, batch.num_rows())]
        } else {
            let column = |index: &usize| Arc::clone(batch.column(*index));
            self.columns.iter().map(column).collect()
        };
        Ok(self.converter.convert_columns(&columns)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};
    use ossature_schema_spec::{ColumnSpec, ColumnType};

    use super::*;

    /// Pushes rows of `id`, `name` and `size` as one batch, and as one batch each; both must be judged alike.
    #[track_caller]
    fn check(key: &[&str], order: &[&str], rows: &[(i64, &str, i64)], want: Option<(&str, u64)>) {
        let contract = DatasetSpec::builder("cpg.things", "")
            .column(ColumnSpec::required("id", ColumnType::Int64).unwrap())
            .column(ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
            .column(ColumnSpec::required("size", ColumnType::Int64).unwrap())
            .key(key.iter().copied())
            .order_by(order.iter().copied())
            .build()
            .unwrap();
        let ids = rows.iter().map(|row| row.0);
        let names = rows.iter().map(|row| row.1);
        let sizes = rows.iter().map(|row| row.2);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(ids)),
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(Int64Array::from_iter_values(sizes)),
        ];
        let batch = RecordBatch::try_new(contract.arrow_schema(), columns).unwrap();
        for batch_rows in [rows.len(), 1] {
            let mut check = OrderCheck::try_new(&contract, &batch.schema()).unwrap();
            let refused = (0..rows.len())
                .step_by(batch_rows)
                .find_map(|at| check.keys(&batch.slice(at, batch_rows)).err());
            let found = refused.map(|error| match error {
                Error::OutOfOrder { row, .. } => ("out_of_order", row),
                Error::DuplicateKey { row, .. } => ("duplicate_key", row),
                other => (other.code(), 0),
            });
            assert_eq!(found, want, "in batches of {batch_rows}");
        }
    }

    #[test]
    fn a_key_that_leads_the_order_is_proven() {
        let twice = [(0, "a", 0), (1, "a", 0), (1, "b", 0)];
        check(&["id"], &["id", "name"], &twice, Some(("duplicate_key", 2)));
        let ascending = [(1, "a", 0), (1, "b", 0), (2, "a", 0)];
        check(&["name", "id"], &["id", "name", "size"], &ascending, None);
        let sizes = [(1, "a", 0), (1, "a", 1)];
        let leading = ["id", "name", "size"];
        check(
            &["name", "id"],
            &leading,
            &sizes,
            Some(("duplicate_key", 1)),
        );
    }

    #[test]
    fn a_key_that_is_the_order_is_proven() {
        let twice = [(1, "a", 0), (1, "a", 1)];
        check(
            &["name", "id"],
            &["id", "name"],
            &twice,
            Some(("duplicate_key", 1)),
        );
    }

    #[test]
    fn of_a_key_behind_other_columns_only_equal_rows_are_found() {
        let apart = [(1, "a", 0), (2, "a", 0)];
        check(&["name"], &["id", "name"], &apart, None);
        let equal = [(1, "a", 0), (1, "a", 1)];
        check(
            &["name"],
            &["id", "name"],
            &equal,
            Some(("duplicate_key", 1)),
        );
        check(&["size"], &["id", "name"], &equal, None);
    }

    #[test]
    fn a_longer_order_is_proven_to_its_end() {
        let falling = [(1, "b", 0), (1, "a", 0)];
        check(&[], &["id", "name"], &falling, Some(("out_of_order", 1)));
        check(&[], &[], &falling, None);
    }
}
