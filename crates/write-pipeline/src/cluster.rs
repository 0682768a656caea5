//! Clustering: rows that are near each other in several columns at once lie in the same files.
//!
//! The place of a row is made of its ranks, one for each column: the share of the column's values that are smaller, in
//! bits, taken in turns from the columns. Ranks are of the values that occur, so that neither texts with long common
//! beginnings nor numbers that bunch together spoil it, as they do where the first bytes of values are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, Schema};
use datafusion::common::Result as EngineResult;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use ossature_schema_spec::ColumnName;

use crate::Error;
use crate::order::{RowEncoder, SortKeys};

/// Bits of a rank.
const RANK_BITS: usize = 12;

/// Different values of a column that are looked at, at the most. They are those with the smallest digests, which is a
/// choice that depends on the values alone, and spread as they are.
const VALUES_MAX: usize = 1 << RANK_BITS;

/// Looks at values to find out how they are spread.
pub(crate) struct Spread {
    columns: Vec<ColumnSpread>,
}

struct ColumnSpread {
    converter: RowConverter,
    /// Encoded values by their digests.
    values: BTreeMap<[u8; 8], Box<[u8]>>,
}

impl Spread {
    /// Of columns of these types.
    pub(crate) fn try_new<'a>(
        types: impl IntoIterator<Item = &'a DataType>,
    ) -> Result<Self, Error> {
        let columns = types.into_iter().map(|data_type| -> Result<_, Error> {
            Ok(ColumnSpread {
                converter: RowConverter::new(vec![SortField::new(data_type.clone())])?,
                values: BTreeMap::new(),
            })
        });
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
        })
    }

    /// Looks at the values of the next rows.
    pub(crate) fn look(&mut self, columns: &[ArrayRef]) -> Result<(), Error> {
        for (spread, column) in self.columns.iter_mut().zip(columns) {
            let rows = spread
                .converter
                .convert_columns(std::slice::from_ref(column))?;
            for row in &rows {
                let digest = blake3::hash(row.data());
                let [digest, ..] = digest.as_bytes().as_chunks::<8>().0 else {
                    continue;
                };
                let is_full = spread.values.len() >= VALUES_MAX;
                let largest = || spread.values.last_key_value().map(|(digest, _)| *digest);
                if is_full && largest().is_some_and(|largest| *digest >= largest) {
                    continue;
                }
                let known = spread.values.insert(*digest, row.data().into());
                if known.is_none() && spread.values.len() > VALUES_MAX {
                    spread.values.pop_last();
                }
            }
        }
        Ok(())
    }

    /// What places rows by the values that were seen.
    pub(crate) fn ranks(self) -> ClusterKey {
        let columns = self.columns.into_iter().map(|spread| {
            let mut values: Vec<Box<[u8]>> = spread.values.into_values().collect();
            values.sort_unstable();
            (spread.converter, values)
        });
        ClusterKey {
            columns: columns.collect(),
        }
    }
}

/// Places rows by the ranks of their values.
#[derive(Debug)]
pub(crate) struct ClusterKey {
    columns: Vec<(RowConverter, Vec<Box<[u8]>>)>,
}

impl ClusterKey {
    /// The places of rows, of which these are the columns.
    pub(crate) fn places(
        &self,
        columns: &[ArrayRef],
    ) -> Result<BinaryArray, arrow_schema::ArrowError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut ranks: Vec<Vec<usize>> = Vec::with_capacity(self.columns.len());
        for ((converter, values), column) in self.columns.iter().zip(columns) {
            let encoded = converter.convert_columns(std::slice::from_ref(column))?;
            let rank = |row: arrow_row::Row<'_>| {
                let smaller = values.partition_point(|value| value.as_ref() < row.data());
                // All ranks are used, however few values there are, so that the first bits divide them evenly.
                (smaller << RANK_BITS)
                    .checked_div(values.len())
                    .unwrap_or_default()
                    .min(VALUES_MAX - 1)
            };
            ranks.push(encoded.iter().map(rank).collect());
        }
        let places = (0..rows).map(|row| {
            let ranks: Vec<usize> = ranks.iter().map(|column| column[row]).collect();
            Some(interleave(&ranks))
        });
        Ok(places.collect())
    }
}

/// The bits of all ranks, the highest ones first.
fn interleave(ranks: &[usize]) -> Vec<u8> {
    let mut bytes = vec![0; (ranks.len() * RANK_BITS).div_ceil(8)];
    let bits = (0..RANK_BITS)
        .rev()
        .flat_map(|bit| ranks.iter().map(move |rank| rank >> bit & 1));
    for (at, bit) in bits.enumerate() {
        if bit == 1 {
            bytes[at / 8] |= 0x80 >> (at % 8);
        }
    }
    bytes
}

/// The places of the rows that one write is given, and the proof that they come in that order.
#[derive(Debug)]
pub(crate) struct ClusterCheck {
    key: Arc<ClusterKey>,
    columns: Vec<usize>,
    encoder: Arc<RowEncoder>,
    last: Vec<u8>,
}

impl ClusterCheck {
    /// Of rows of this schema.
    pub(crate) fn try_new(
        key: Arc<ClusterKey>,
        columns: &[ColumnName],
        schema: &Schema,
    ) -> Result<Self, Error> {
        let columns = columns.iter().map(|name| schema.index_of(name.as_str()));
        Ok(Self {
            key,
            columns: columns.collect::<Result<_, _>>()?,
            encoder: Arc::new(RowEncoder::of_column(DataType::Binary)?),
            last: Vec::new(),
        })
    }

    /// Begins another partition: its rows are not compared with those before.
    pub(crate) fn begin_partition(&mut self) {
        self.last.clear();
    }

    /// The encoded places; `None` when a row comes before the one that it follows.
    pub(crate) fn keys(&mut self, rows: &RecordBatch) -> Result<Option<SortKeys>, Error> {
        let columns: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|index| Arc::clone(rows.column(*index)))
            .collect();
        let places = self.key.places(&columns)?;
        for place in places.iter().flatten() {
            if place < self.last.as_slice() {
                return Ok(None);
            }
            self.last.clear();
            self.last.extend_from_slice(place);
        }
        Ok(Some(SortKeys::new(&self.encoder, vec![Arc::new(places)])))
    }
}

/// The places of rows as a function in plans, to sort by.
#[derive(Debug)]
pub(crate) struct PlaceFunction {
    key: Arc<ClusterKey>,
    signature: Signature,
}

impl PlaceFunction {
    pub(crate) fn new(key: Arc<ClusterKey>) -> Self {
        Self {
            key,
            signature: Signature::variadic_any(Volatility::Immutable),
        }
    }
}

// One write has one such function, which is equal to itself.
impl PartialEq for PlaceFunction {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.key, &other.key)
    }
}

impl Eq for PlaceFunction {}

impl std::hash::Hash for PlaceFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.key).hash(state);
    }
}

impl ScalarUDFImpl for PlaceFunction {
    fn name(&self) -> &'static str {
        "cluster_place"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let places = self.key.places(&columns).map_err(DataFusionError::from)?;
        Ok(ColumnarValue::Array(Arc::new(places)))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};

    use super::*;

    fn key(columns: &[ArrayRef], batch_rows: usize) -> ClusterKey {
        let types: Vec<&DataType> = columns.iter().map(|column| column.data_type()).collect();
        let mut spread = Spread::try_new(types).unwrap();
        let rows = columns[0].len();
        for from in (0..rows).step_by(batch_rows) {
            let slice = |column: &ArrayRef| column.slice(from, batch_rows.min(rows - from));
            let slices: Vec<ArrayRef> = columns.iter().map(slice).collect();
            spread.look(&slices).unwrap();
        }
        spread.ranks()
    }

    #[test]
    fn bits_are_taken_in_turns() {
        assert_eq!(
            interleave(&[0b1100_0000_0000, 0b1010_0000_0000]),
            [0b1110_0100, 0, 0]
        );
    }

    #[test]
    fn places_depend_on_values_alone() {
        let numbers: ArrayRef =
            Arc::new(Int64Array::from_iter_values((0..20_000).map(|id| id * id)));
        let texts =
            (0..20_000).map(|id| format!("a long beginning that all have/{}", id * 7 % 20_000));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        let columns = [numbers, texts];
        let whole = key(&columns, 20_000).places(&columns).unwrap();
        let parts = key(&columns, 77).places(&columns).unwrap();
        assert_eq!(whole, parts);
        // Half of the rows have the first bit of the first column, however the numbers are spread.
        let upper = whole.iter().flatten().filter(|place| place[0] & 0x80 != 0);
        assert!((8_000..12_000).contains(&upper.count()));
        let upper = whole.iter().flatten().filter(|place| place[0] & 0x40 != 0);
        assert!((8_000..12_000).contains(&upper.count()));
    }

    #[test]
    fn few_values_use_all_bits() {
        let kinds: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
        let places = key(&[Arc::clone(&kinds)], 4).places(&[kinds]).unwrap();
        let first: Vec<u8> = places.iter().flatten().map(|place| place[0] >> 6).collect();
        assert_eq!(first, [0, 1, 2, 3]);
    }
}
