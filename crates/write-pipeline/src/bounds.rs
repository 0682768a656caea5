//! The bounds of texts in a column chunk, found in one pass that looks at the beginning of most values.
//!
//! The encoder compares every value with both bounds in full, which is what most comparisons of bytes were when edges of a graph
//! were written: many of their columns are few words over and over.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, ArrayRef, BinaryArray, GenericByteArray};
use arrow_cast::cast;
use arrow_schema::{DataType, FieldRef, Schema};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::LevelHistogram;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::SerializedFileWriter;

use crate::Error;
use crate::encode::offset_bytes;

/// What becomes of bounds in the metadata of a chunk: the library decides, asked with the two values alone.
pub(crate) struct BoundsEncoder {
    field: FieldRef,
    columns: ArrowRowGroupWriterFactory,
}

impl BoundsEncoder {
    /// Whether the bounds of such a column are found here.
    pub(crate) fn is_for(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Utf8 | DataType::Binary)
    }

    /// Bounds of a column, of which at most so many bytes are kept.
    pub(crate) fn try_new(field: &FieldRef, bytes_max: usize) -> Result<Self, ParquetError> {
        let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_statistics_truncate_length(Some(bytes_max))
            .build();
        let parquet = ArrowSchemaConverter::new().convert(&schema)?;
        let root = parquet.root_schema_ptr();
        let writer = SerializedFileWriter::new(std::io::sink(), root, Arc::new(properties))?;
        Ok(Self {
            field: Arc::clone(field),
            columns: ArrowRowGroupWriterFactory::new(&writer, schema),
        })
    }

    /// The statistics of values that lie between these, both of which are among them.
    fn statistics(&self, ends: Option<(&[u8], &[u8])>) -> Result<Option<Statistics>, Error> {
        let parquet = Error::parquet("a file");
        let mut writers = self.columns.create_column_writers(0).map_err(&parquet)?;
        let Some(mut writer) = writers.pop() else {
            return Ok(None);
        };
        // One by one: together they may be longer than an array can be.
        for end in ends.into_iter().flat_map(<[_; 2]>::from) {
            let end = cast(
                &BinaryArray::from_iter_values([end]),
                self.field.data_type(),
            )?;
            for leaf in compute_leaves(&self.field, &end).map_err(&parquet)? {
                writer.write(&leaf).map_err(&parquet)?;
            }
        }
        let chunk = writer.close().map_err(&parquet)?;
        Ok(chunk.close().metadata.statistics().cloned())
    }
}

/// The least and the greatest value of a column chunk, and what else its metadata says of sizes.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    ends: Option<(Vec<u8>, Vec<u8>)>,
    values: usize,
    nulls: usize,
    bytes: usize,
}

impl Bounds {
    /// Looks at more values of the chunk.
    pub(crate) fn look(&mut self, values: &ArrayRef) {
        match values.data_type() {
            DataType::Utf8 => self.look_at(values.as_string::<i32>()),
            DataType::Binary => self.look_at(values.as_binary::<i32>()),
            _ => {}
        }
    }

    fn look_at<T: ByteArrayType<Offset = i32>>(&mut self, array: &GenericByteArray<T>) {
        let (offsets, bytes) = (array.value_offsets(), array.value_data());
        let places = offsets.windows(2).map(|ends| {
            let [from, to] = [ends[0], ends[1]].map(|end| end.unsigned_abs() as usize);
            Place { from, to }
        });
        self.nulls += array.null_count();
        self.values += array.len() - array.null_count();
        let ends = match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                self.bytes += offset_bytes(offsets);
                ends_of(bytes, places)
            }
            Some(nulls) => {
                let valid = places.zip(nulls);
                let valid = valid.filter_map(|(place, is_valid)| is_valid.then_some(place));
                self.bytes += valid
                    .clone()
                    .map(|place| place.to - place.from)
                    .sum::<usize>();
                ends_of(bytes, valid)
            }
        };
        let Some((least, greatest)) = ends else {
            return;
        };
        match &mut self.ends {
            None => self.ends = Some((least.to_vec(), greatest.to_vec())),
            Some((first, last)) => {
                if least < &first[..] {
                    least.clone_into(first);
                }
                if greatest > &last[..] {
                    greatest.clone_into(last);
                }
            }
        }
    }

    /// Puts into the metadata of an encoded chunk what its encoder would have put there.
    pub(crate) fn tell(
        &self,
        chunk: &mut ArrowColumnChunk,
        encoder: &BoundsEncoder,
    ) -> Result<(), Error> {
        let ends = self.ends.as_ref();
        let ends = ends.map(|(least, greatest)| (&least[..], &greatest[..]));
        let Some(Statistics::ByteArray(told)) = encoder.statistics(ends)? else {
            return Ok(());
        };
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let end = |end: Option<&ByteArray>| end.cloned();
        let nulls = Some(self.nulls as u64);
        let statistics =
            ValueStatistics::new(end(told.min_opt()), end(told.max_opt()), None, nulls, false)
                .with_min_is_exact(told.min_is_exact())
                .with_max_is_exact(told.max_is_exact())
                .with_backwards_compatible_min_max(told.is_min_max_backwards_compatible());
        let levels = vec![count(self.nulls), count(self.values)];
        let levels = encoder
            .field
            .is_nullable()
            .then(|| LevelHistogram::from(levels));
        let metadata = &mut chunk.close_mut().metadata;
        *metadata = metadata
            .clone()
            .into_builder()
            .set_statistics(Statistics::ByteArray(statistics))
            .set_unencoded_byte_array_data_bytes(Some(count(self.bytes)))
            .set_definition_level_histogram(levels)
            .build()
            .map_err(Error::parquet("a file"))?;
        Ok(())
    }
}

/// Where a value lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    from: usize,
    to: usize,
}

/// Values that are looked at before anything is decided.
const BLOCK_VALUES: usize = 64;

/// The least and the greatest of the values that lie at these places.
fn ends_of(
    bytes: &[u8],
    mut places: impl Iterator<Item = Place> + Clone,
) -> Option<(&[u8], &[u8])> {
    let value = |place: Place| &bytes[place.from..place.to];
    let first = value(places.clone().next()?);
    let (mut least, mut greatest) = ((u128::MAX, first), (0, first));
    loop {
        let block = places.clone().take(BLOCK_VALUES);
        // The bounds of heads alone: nothing that depends on values decides what the processor does next.
        let (mut low, mut high) = (u128::MAX, 0);
        for place in places.by_ref().take(BLOCK_VALUES) {
            let head = head(bytes, place);
            low = low.min(head);
            high = high.max(head);
        }
        if low > high {
            // There was none.
            return Some((least.1, greatest.1));
        }
        // Where heads tell nothing, as of paths below one folder, all are compared in full from there on.
        if (low == least.0 || high == greatest.0) && is_long(low) && is_long(high) {
            let values = block.chain(places).map(value);
            let ends = (least.1, greatest.1);
            return Some(values.fold(ends, |ends, value| (ends.0.min(value), ends.1.max(value))));
        }
        let with = |wanted: u128| {
            let found = block
                .clone()
                .filter(move |place| head(bytes, *place) == wanted);
            // Of those that are not told apart by their heads, all count.
            let found = found.take(if is_long(wanted) { BLOCK_VALUES } else { 1 });
            found.map(move |place| (wanted, value(place)))
        };
        if low < least.0 || (low == least.0 && is_long(low)) {
            least = with(low).fold(least, Ord::min);
        }
        if high > greatest.0 || (high == greatest.0 && is_long(high)) {
            greatest = with(high).fold(greatest, Ord::max);
        }
    }
}

/// Bytes of a value that are in its head.
const HEAD_BYTES: usize = 15;

/// For every length: the bits of a head that hold bytes of the value.
const OF_VALUE: [u128; HEAD_BYTES + 2] = {
    let mut masks = [!(u128::MAX >> (8 * HEAD_BYTES)); HEAD_BYTES + 2];
    let mut length = 0;
    while length < HEAD_BYTES {
        masks[length] = !(u128::MAX >> (8 * length));
        length += 1;
    }
    masks
};

/// The first bytes of a value and its length, as a number that compares as values do: only those that are longer, and begin alike,
/// are not told apart.
///
/// Most values have more bytes behind them in the column, so that none has to be looked at by itself.
#[inline]
fn head(bytes: &[u8], place: Place) -> u128 {
    let word = match bytes.get(place.from..place.from + 16) {
        Some(word) => word.first_chunk().copied().unwrap_or_default(),
        None => padded(bytes, place.from),
    };
    let length = (place.to - place.from).min(HEAD_BYTES + 1);
    (u128::from_be_bytes(word) & OF_VALUE[length]) | length as u128
}

/// The bytes from there on, and zeros behind them.
#[cold]
fn padded(bytes: &[u8], from: usize) -> [u8; 16] {
    let mut word = [0; 16];
    for (to, byte) in word.iter_mut().zip(bytes.iter().skip(from)) {
        *to = *byte;
    }
    word
}

/// Whether a head may be that of several values.
fn is_long(head: u128) -> bool {
    head & 0xff > HEAD_BYTES as u128
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use proptest::prelude::*;

    use super::*;

    /// Texts that begin alike, with zeros, and about as long as a head.
    fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
        let text = proptest::string::string_regex("[\0ab]{0,3}(aaaaaaaaaaaa)?[\0ab]{0,4}").unwrap();
        let few = proptest::collection::vec(proptest::option::weighted(0.8, text), 1..12);
        let places = proptest::collection::vec(any::<proptest::sample::Index>(), 0..300);
        (few, places)
            .prop_map(|(few, places)| places.iter().map(|place| place.get(&few).clone()).collect())
    }

    proptest! {
        #[test]
        fn bounds_are_the_least_and_the_greatest(parts in proptest::collection::vec(texts(), 0..4)) {
            let mut bounds = Bounds::default();
            for part in &parts {
                let whole: ArrayRef = Arc::new(part.iter().cloned().collect::<StringArray>());
                let cut = part.len() / 3;
                bounds.look(&whole.slice(0, cut));
                bounds.look(&whole.slice(cut, part.len() - cut));
            }
            let all = parts.concat();
            let valid: Vec<&String> = all.iter().flatten().collect();
            let ends = valid.iter().min().zip(valid.iter().max());
            let want = ends.map(|(least, greatest)| (least.as_bytes(), greatest.as_bytes()));
            let found = bounds.ends.as_ref().map(|ends| (&ends.0[..], &ends.1[..]));
            prop_assert_eq!(found, want);
            let bytes: usize = valid.iter().map(|text| text.len()).sum();
            let counts = (bounds.values, bounds.nulls, bounds.bytes);
            prop_assert_eq!(counts, (valid.len(), all.len() - valid.len(), bytes));
        }
    }
}
