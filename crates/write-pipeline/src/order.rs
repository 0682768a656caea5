//! Proves the order of rows, and their key where the order leads with it, while they pass: every row is compared with
//! the one before.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, ByteArrayType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowNativeTypeOp, GenericByteArray, PrimitiveArray, RecordBatch,
    new_null_array,
};
use arrow_buffer::ArrowNativeType;
use arrow_row::{OwnedRow, RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType, Schema, SortOptions};
use ossature_schema_spec::{ColumnName, DatasetSpec, SortKey};

use crate::Error;

/// Checks that rows ascend, and encodes their sort keys as bytes that compare as the rows do.
///
/// Rows are compared where they lie, column by column: encoding every key costs several times as much, and those who
/// cut files look at few of them.
///
/// Within a partition, the key is proven to be unique when its columns are the leading ones of the order, in any
/// sequence: then rows with equal keys are neighbours. Of another key, only rows that are equal in the whole order are
/// found. Partition columns count for neither, as all rows of a partition agree in them; so a key that leaves one out
/// is not compared across partitions.
pub(crate) struct OrderCheck {
    contract: DatasetSpec,
    order: Arc<RowEncoder>,
    columns: Vec<OrderColumn>,
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
    /// They are equal in so many leading columns, which are the key's and lead a longer order.
    LeadingColumns(usize, RowEncoder),
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
            KeyProof::LeadingColumns(leading.len(), RowEncoder::try_new(schema, &leading)?)
        } else {
            KeyProof::WholeOrder
        };
        Ok(Self {
            contract: contract.clone(),
            order: Arc::new(RowEncoder::try_new(schema, &order)?),
            columns: order
                .iter()
                .map(|key| OrderColumn::try_new(schema, key))
                .collect::<Result<_, _>>()?,
            proof,
            last: None,
            rows: 0,
        })
    }

    /// Begins another partition: its rows are not compared with those before.
    pub(crate) fn begin_partition(&mut self) {
        self.last = None;
    }

    /// Checks the next rows, and gives back their sort keys.
    ///
    /// **Errors**: [`Error::OutOfOrder`], [`Error::DuplicateKey`].
    pub(crate) fn keys(&mut self, batch: &RecordBatch) -> Result<SortKeys, Error> {
        let mut keys = SortKeys::new(&self.order, self.order.columns(batch));
        let Some(end) = batch.num_rows().checked_sub(1) else {
            return Ok(keys);
        };
        keys.ends = Some(Arc::new((keys.get(0)?, keys.get(end)?)));
        self.check_first(batch, &keys)?;
        self.check_others(batch)?;
        self.last = Some(LastRow {
            order: keys.get(end)?,
            key: self.proven_key(batch, end)?,
        });
        self.rows += batch.num_rows() as u64;
        Ok(keys)
    }

    /// The key of one row, where it is proven by itself.
    fn proven_key(&self, batch: &RecordBatch, at: usize) -> Result<Option<OwnedRow>, Error> {
        Ok(match &self.proof {
            KeyProof::LeadingColumns(_, key) => Some(key.encode_row(&key.columns(batch), at)?),
            KeyProof::None | KeyProof::WholeOrder => None,
        })
    }

    /// Compares the first row with the last one of the batch before.
    fn check_first(&self, batch: &RecordBatch, keys: &SortKeys) -> Result<(), Error> {
        let Some(last) = &self.last else {
            return Ok(());
        };
        let is_duplicate = match (last.order.cmp(&keys.get(0)?), &self.proof) {
            (Ordering::Greater, _) => return Err(self.out_of_order(0)),
            (_, KeyProof::None) | (Ordering::Less, KeyProof::WholeOrder) => false,
            (Ordering::Equal, _) => true,
            (Ordering::Less, KeyProof::LeadingColumns(..)) => {
                last.key == self.proven_key(batch, 0)?
            }
        };
        if is_duplicate {
            return Err(self.duplicate_key(0));
        }
        Ok(())
    }

    /// Compares every other row with the one before, and refuses the first that does not follow it.
    fn check_others(&self, batch: &RecordBatch) -> Result<(), Error> {
        let key_columns = match self.proof {
            KeyProof::None => None,
            KeyProof::WholeOrder => Some(self.columns.len()),
            KeyProof::LeadingColumns(columns, _) => Some(columns),
        };
        let mut neighbours = Neighbours::new(batch.num_rows());
        let mut duplicate = None;
        for compared in 0..=self.columns.len() {
            if key_columns == Some(compared) {
                duplicate = neighbours.first_equal();
            }
            if let Some(column) = self.columns.get(compared)
                && neighbours.first_equal().is_some()
            {
                column.compare(batch, &mut neighbours)?;
            }
        }
        match (neighbours.falling, duplicate) {
            (Some(falling), None) => Err(self.out_of_order(falling)),
            (Some(falling), Some(duplicate)) if falling <= duplicate => {
                Err(self.out_of_order(falling))
            }
            (_, Some(duplicate)) => Err(self.duplicate_key(duplicate)),
            (None, None) => Ok(()),
        }
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

/// The rows of a batch that agree with the one before in all columns that were compared.
struct Neighbours {
    /// Which rows do, 64 to a word: the first bit is the second row, which has one before it.
    equal: Vec<u64>,
    /// No column was compared yet.
    is_untouched: bool,
    /// The first row that comes before its predecessor.
    falling: Option<usize>,
}

/// What is known of 64 rows and those before them, a bit for each.
#[derive(Default)]
struct Judgement {
    /// They are equal.
    equal: u64,
    /// The row comes before its predecessor.
    falling: u64,
    /// They have to be looked at one by one.
    unsure: u64,
}

impl Judgement {
    /// Notes one row.
    fn note(&mut self, bit: usize, order: Ordering) {
        self.equal |= u64::from(order.is_eq()) << bit;
        self.falling |= u64::from(order.is_gt()) << bit;
    }
}

impl Neighbours {
    fn new(rows: usize) -> Self {
        let pairs = rows.saturating_sub(1);
        let mut equal = vec![u64::MAX; pairs.div_ceil(64)];
        if let Some(last) = equal.last_mut() {
            *last >>= (64 - pairs % 64) % 64;
        }
        Self {
            equal,
            is_untouched: true,
            falling: None,
        }
    }

    /// The first row that is equal to the one before.
    fn first_equal(&self) -> Option<usize> {
        let mut words = self.equal.iter().enumerate();
        let (at, word) = words.find(|(_, word)| **word != 0)?;
        Some(at * 64 + word.trailing_zeros() as usize + 1)
    }

    /// Compares equal neighbours in one more column: `look` judges 64 rows behind the one that it is given, and `compare` those
    /// that it is unsure of.
    fn judge(
        &mut self,
        look: impl Fn(usize) -> Judgement,
        compare: impl Fn(usize, usize) -> Ordering,
    ) {
        self.is_untouched = false;
        for (at, word) in self.equal.iter_mut().enumerate() {
            if *word == 0 {
                continue;
            }
            let mut judged = look(at * 64);
            let mut unsure = judged.unsure & *word;
            while unsure != 0 {
                let bit = unsure.trailing_zeros() as usize;
                let before = at * 64 + bit;
                judged.note(bit, compare(before, before + 1));
                unsure &= unsure - 1;
            }
            let falling = judged.falling & *word;
            if falling != 0 {
                let row = at * 64 + falling.trailing_zeros() as usize + 1;
                self.falling = Some(self.falling.map_or(row, |first| first.min(row)));
            }
            *word &= judged.equal;
        }
    }

    /// Compares equal neighbours in one more column, one by one.
    fn compare(&mut self, compare: impl Fn(usize, usize) -> Ordering) {
        let look = |_| Judgement {
            unsure: u64::MAX,
            ..Judgement::default()
        };
        self.judge(look, compare);
    }

    /// Whether rows remain to be compared in a column whose values are all alike: then they stay as they are.
    fn is_settled_by(&self, is_constant: impl FnOnce() -> bool) -> bool {
        self.is_untouched && is_constant()
    }
}

/// Whether all values are one and the same, told by looking at their bytes as a whole: all are of one length, and the
/// bytes are those one value further on.
fn is_constant<T: ByteArrayType>(column: &GenericByteArray<T>) -> bool {
    let offsets = column.offsets();
    let (Some(first), Some(second)) = (offsets.first(), offsets.get(1)) else {
        return true;
    };
    let length = second.as_usize() - first.as_usize();
    let last = offsets[offsets.len() - 1].as_usize();
    if last - first.as_usize() != length * column.len() {
        return false;
    }
    let bytes = &column.value_data()[first.as_usize()..last];
    bytes[length..] == bytes[..bytes.len() - length]
        && offsets
            .windows(2)
            .all(|pair| pair[1].as_usize() - pair[0].as_usize() == length)
}

/// The first eight bytes of a text as a number that compares as they do; behind the end of a shorter one are zeros.
///
/// Most texts have eight bytes more behind them in the column, so that no byte has to be looked at by itself.
fn head(bytes: &[u8], from: usize, length: usize) -> u64 {
    let kept = length.min(8);
    let from = bytes.get(from..).unwrap_or_default();
    let word = from.first_chunk::<8>().copied().unwrap_or_else(|| {
        let mut word = [0; 8];
        for (to, byte) in word.iter_mut().zip(from) {
            *to = *byte;
        }
        word
    });
    // A number cannot be shifted by all of its bits.
    let behind = u32::try_from(64 - 8 * kept).unwrap_or(64);
    let word = u64::from_be_bytes(word);
    word.checked_shr(behind).map_or(0, |word| word << behind)
}

/// Compares texts by their heads and lengths, as far as those tell.
fn compare_heads(a: (u64, usize), b: (u64, usize)) -> Option<Ordering> {
    match a.0.cmp(&b.0) {
        // What one has and the other has not is behind its end.
        Ordering::Equal if a.1 <= 8 || b.1 <= 8 => Some(a.1.cmp(&b.1)),
        Ordering::Equal => None,
        order => Some(order),
    }
}

/// A column of the order.
struct OrderColumn {
    index: usize,
    descending: bool,
    /// For types that are not compared where they lie.
    encoder: RowEncoder,
}

impl OrderColumn {
    fn try_new(schema: &Schema, key: &SortKey) -> Result<Self, Error> {
        Ok(Self {
            index: schema.index_of(key.column.as_str())?,
            descending: key.descending,
            encoder: RowEncoder::try_new(schema, &[key])?,
        })
    }

    /// Compares neighbours as the row encoding does.
    fn compare(&self, batch: &RecordBatch, neighbours: &mut Neighbours) -> Result<(), Error> {
        let column = batch.column(self.index).as_ref();
        match column.data_type() {
            DataType::Int8 => self.primitives::<Int8Type>(column.as_primitive(), neighbours),
            DataType::Int16 => self.primitives::<Int16Type>(column.as_primitive(), neighbours),
            DataType::Int32 => self.primitives::<Int32Type>(column.as_primitive(), neighbours),
            DataType::Int64 => self.primitives::<Int64Type>(column.as_primitive(), neighbours),
            DataType::Date32 => self.primitives::<Date32Type>(column.as_primitive(), neighbours),
            DataType::Decimal128(..) => {
                self.primitives::<Decimal128Type>(column.as_primitive(), neighbours);
            }
            DataType::Timestamp(..) => {
                self.primitives::<TimestampMicrosecondType>(column.as_primitive(), neighbours);
            }
            DataType::Utf8 => self.bytes(column.as_string::<i32>(), neighbours),
            DataType::Binary => self.bytes(column.as_binary::<i32>(), neighbours),
            _ => {
                let rows = self.encoder.encode(&self.encoder.columns(batch))?;
                neighbours.compare(|a, b| rows.row(a).cmp(&rows.row(b)));
            }
        }
        Ok(())
    }

    fn primitives<T: ArrowPrimitiveType>(
        &self,
        column: &PrimitiveArray<T>,
        neighbours: &mut Neighbours,
    ) {
        let values = column.values().as_ref();
        let compare = |a: usize, b: usize| values[a].compare(values[b]);
        if column.null_count() > 0 {
            return self.values(column, compare, neighbours);
        }
        let look = |first: usize| {
            let mut judged = Judgement::default();
            let rows = &values[first..values.len().min(first + 65)];
            for (bit, pair) in rows.windows(2).enumerate() {
                judged.note(bit, self.directed(pair[0].compare(pair[1])));
            }
            judged
        };
        neighbours.judge(look, |a, b| self.directed(compare(a, b)));
    }

    /// An order of values as one of rows.
    fn directed(&self, order: Ordering) -> Ordering {
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }

    fn bytes<T: ByteArrayType>(&self, column: &GenericByteArray<T>, neighbours: &mut Neighbours) {
        let (offsets, bytes) = (column.value_offsets(), column.value_data());
        let value = |at: usize| offsets[at].as_usize()..offsets[at + 1].as_usize();
        let compare = |a, b| bytes[value(a)].cmp(&bytes[value(b)]);
        if column.null_count() > 0 {
            return self.values(column, compare, neighbours);
        }
        if neighbours.is_settled_by(|| is_constant(column)) {
            return;
        }
        let look = |first: usize| {
            let mut judged = Judgement::default();
            let ends = &offsets[first..offsets.len().min(first + 66)];
            let mut values = ends.windows(2).map(|ends| {
                let (from, to) = (ends[0].as_usize(), ends[1].as_usize());
                (head(bytes, from, to - from), to - from)
            });
            let Some(mut before) = values.next() else {
                return judged;
            };
            for (bit, value) in values.enumerate() {
                match compare_heads(before, value) {
                    Some(order) => judged.note(bit, self.directed(order)),
                    None => judged.unsure |= 1 << bit,
                }
                before = value;
            }
            judged
        };
        neighbours.judge(look, |a, b| self.directed(compare(a, b)));
    }

    /// Compares values, and nulls before them.
    fn values(
        &self,
        column: &dyn Array,
        compare: impl Fn(usize, usize) -> Ordering,
        neighbours: &mut Neighbours,
    ) {
        let compare = |a, b| self.directed(compare(a, b));
        match column.nulls() {
            None => neighbours.compare(compare),
            Some(nulls) => {
                neighbours.compare(|a, b| match (nulls.is_valid(a), nulls.is_valid(b)) {
                    (true, true) => compare(a, b),
                    (a, b) => a.cmp(&b),
                });
            }
        }
    }
}

/// The sort keys of a batch, encoded when they are asked for.
#[derive(Clone)]
pub(crate) struct SortKeys {
    encoder: Arc<RowEncoder>,
    columns: Vec<ArrayRef>,
    /// The first and the last one, once they are known: nearly every batch is asked for them several times.
    ends: Option<Arc<(OwnedRow, OwnedRow)>>,
}

impl SortKeys {
    /// The keys of rows, of which these are the columns that the encoder encodes.
    pub(crate) fn new(encoder: &Arc<RowEncoder>, columns: Vec<ArrayRef>) -> Self {
        Self {
            encoder: Arc::clone(encoder),
            columns,
            ends: None,
        }
    }

    /// The keys of all rows.
    pub(crate) fn all(&self) -> Result<Rows, ArrowError> {
        self.encoder.encode(&self.columns)
    }

    /// The key of one row.
    pub(crate) fn get(&self, at: usize) -> Result<OwnedRow, ArrowError> {
        let rows = self.columns.first().map_or(0, Array::len);
        match &self.ends {
            Some(ends) if at == 0 => return Ok(ends.0.clone()),
            Some(ends) if at + 1 == rows => return Ok(ends.1.clone()),
            _ => {}
        }
        self.encoder.encode_row(&self.columns, at)
    }

    /// The keys of some rows.
    pub(crate) fn slice(&self, from: usize, rows: usize) -> Self {
        let slice = |column: &ArrayRef| column.slice(from, rows);
        Self {
            encoder: Arc::clone(&self.encoder),
            columns: self.columns.iter().map(slice).collect(),
            ends: None,
        }
    }
}

/// Encodes some columns of rows. Without columns, all rows are equal.
#[derive(Debug)]
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

    /// Encodes one column of this type.
    pub(crate) fn of_column(data_type: DataType) -> Result<Self, Error> {
        Ok(Self {
            converter: RowConverter::new(vec![SortField::new(data_type)])?,
            columns: vec![0],
        })
    }

    /// The columns that it encodes.
    pub(crate) fn columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        if self.columns.is_empty() {
            return vec![new_null_array(&DataType::Null, batch.num_rows())];
        }
        let column = |index: &usize| Arc::clone(batch.column(*index));
        self.columns.iter().map(column).collect()
    }

    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Rows, ArrowError> {
        self.converter.convert_columns(columns)
    }

    fn encode_row(&self, columns: &[ArrayRef], at: usize) -> Result<OwnedRow, ArrowError> {
        let columns: Vec<ArrayRef> = columns.iter().map(|column| column.slice(at, 1)).collect();
        Ok(self.encode(&columns)?.row(0).owned())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{BooleanArray, Float64Array, Int64Array, StringArray};
    use ossature_schema_spec::{ColumnSpec, ColumnType};
    use proptest::prelude::*;

    use super::*;

    /// `id`, `name`, `flag` and `weight`.
    type JudgedRow = (Option<i64>, Option<String>, Option<bool>, f64);

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

    proptest! {
        #[test]
        fn rows_are_compared_as_their_encoded_keys_are(
            rows in proptest::collection::vec(
                (
                    proptest::option::of(0..2_i64),
                    prop_oneof![
                        Just(None),
                        "[ab]{0,2}".prop_map(Some),
                        "a{7,8}[ab]{0,2}".prop_map(Some),
                        Just(Some("all alike".to_owned())),
                    ],
                    proptest::option::of(any::<bool>()),
                    prop::sample::select(vec![-f64::NAN, -0.0, 0.0, f64::NAN]),
                ),
                1..200,
            ),
            sorted in any::<bool>(),
            name_first in any::<bool>(),
            begin in any::<prop::sample::Index>(),
        ) {
            let builder = DatasetSpec::builder("cpg.things", "")
                .column(ColumnSpec::nullable("id", ColumnType::Int64).unwrap())
                .column(ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
                .column(ColumnSpec::nullable("flag", ColumnType::Boolean).unwrap())
                .column(ColumnSpec::nullable("weight", ColumnType::Float64).unwrap());
            let builder = if name_first {
                builder.order_by(["name", "flag", "id"])
            } else {
                builder.order_by(["flag", "id"]).then_descending("name")
            };
            let contract = builder.then_descending("weight").build().unwrap();
            let batch = |rows: &[JudgedRow]| {
                let columns: Vec<ArrayRef> = vec![
                    Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
                    Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>()),
                    Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
                    Arc::new(rows.iter().map(|row| Some(row.3)).collect::<Float64Array>()),
                ];
                RecordBatch::try_new(contract.arrow_schema(), columns).unwrap()
            };
            let encoder = OrderCheck::try_new(&contract, &contract.arrow_schema()).unwrap().order;
            let encoded = |batch: &RecordBatch| encoder.encode(&encoder.columns(batch)).unwrap();
            let mut rows = rows;
            if sorted {
                let keys = encoded(&batch(&rows));
                let mut places: Vec<usize> = (0..rows.len()).collect();
                places.sort_by_key(|at| keys.row(*at));
                rows = places.into_iter().map(|at| rows[at].clone()).collect();
            }
            let begin = begin.index(rows.len());
            let batch = batch(&rows).slice(begin, rows.len() - begin);
            let keys = encoded(&batch);
            let want = (1..batch.num_rows()).find(|at| keys.row(at - 1) > keys.row(*at));
            let found = match OrderCheck::try_new(&contract, &batch.schema()).unwrap().keys(&batch).err() {
                Some(Error::OutOfOrder { row, .. }) => usize::try_from(row).ok(),
                Some(other) => panic!("{other}"),
                None => None,
            };
            prop_assert_eq!(found, want);
        }
    }

    #[test]
    fn a_column_of_one_value_is_seen_as_such() {
        let is_constant = |values: &[&str], from: usize| {
            let column = StringArray::from_iter_values(values);
            is_constant(&column.slice(from, values.len() - from))
        };
        for alike in [&[][..], &[""], &["ab"], &["", "", ""], &["ab", "ab", "ab"]] {
            assert!(is_constant(alike, 0), "{alike:?}");
        }
        assert!(is_constant(&["b", "a", "a"], 1));
        for others in [
            &["ab", "aa"][..],
            &["aa", "a", "aaa"],
            &["a", "", "aa"],
            &["ab", "ab", "a", "bab"],
            &["", "a"],
        ] {
            assert!(!is_constant(others, 0), "{others:?}");
        }
    }

    #[test]
    fn a_longer_order_is_proven_to_its_end() {
        let falling = [(1, "b", 0), (1, "a", 0)];
        check(&[], &["id", "name"], &falling, Some(("out_of_order", 1)));
        check(&[], &[], &falling, None);
    }
}
