//! The content hash: a digest of rows in their order, whatever batches, files and encodings they come in.
//!
//! Each column is hashed as a few streams of its own (validity, lengths, values, children), because whole buffers
//! then go into the digest at once; the streams are joined at the end. The streams are BLAKE3, because every stored
//! value passes through one of them; what joins them is the canonical hash of all declarations.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{Array, GenericByteArray, RecordBatch, StructArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, SchemaRef};
use blake3::Hasher;
use ossature_schema_spec::{CanonicalHasher, Fingerprint};

use crate::Error;

/// Hashes batches of one schema as one sequence of rows.
pub(crate) struct ContentDigest {
    schema: SchemaRef,
    columns: Vec<ColumnDigest>,
    rows: u64,
}

impl ContentDigest {
    /// Begins the digest of no rows.
    pub(crate) fn new(schema: &SchemaRef) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| ColumnDigest::new(field.data_type()));
        Self {
            schema: Arc::clone(schema),
            columns: columns.collect(),
            rows: 0,
        }
    }

    /// Adds rows behind those before.
    pub(crate) fn update(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        for (digest, array) in self.columns.iter_mut().zip(batch.columns()) {
            digest.update(array.as_ref(), None)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// The digest of all rows, with the names and types of the columns.
    pub(crate) fn finish(self) -> Fingerprint {
        let mut hasher = CanonicalHasher::new("ossature.content.v2");
        hasher.text(&self.rows.to_string());
        hasher.list(self.columns.len());
        for (field, column) in self.schema.fields().iter().zip(self.columns) {
            hasher.text(field.name());
            hasher.text(&field.data_type().to_string());
            column.finish_into(&mut hasher);
        }
        hasher.finish()
    }
}

/// The streams of one column.
struct ColumnDigest {
    validity: ValidityDigest,
    lengths: Hasher,
    values: Hasher,
    children: Vec<ColumnDigest>,
}

impl ColumnDigest {
    fn new(data_type: &DataType) -> Self {
        let children = match data_type {
            DataType::List(element) | DataType::Map(element, _) => {
                vec![Self::new(element.data_type())]
            }
            DataType::Struct(fields) => fields
                .iter()
                .map(|field| Self::new(field.data_type()))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            validity: ValidityDigest::new(),
            lengths: Hasher::new(),
            values: Hasher::new(),
            children,
        }
    }

    fn finish_into(self, hasher: &mut CanonicalHasher) {
        for stream in [self.validity.finish(), self.lengths, self.values] {
            hasher.fingerprint(Fingerprint::from_bytes(*stream.finalize().as_bytes()));
        }
        hasher.list(self.children.len());
        for child in self.children {
            child.finish_into(hasher);
        }
    }

    /// Adds the values of `array`; those that `hidden_by` leaves out, being below a null, count as null.
    fn update(&mut self, array: &dyn Array, hidden_by: Option<&NullBuffer>) -> Result<(), Error> {
        let nulls = NullBuffer::union(array.nulls(), hidden_by);
        let nulls = nulls.as_ref().filter(|nulls| nulls.null_count() > 0);
        self.validity.update(nulls, array.len());
        match array.data_type() {
            DataType::Boolean => {
                let array = array.as_boolean();
                let bytes: Vec<u8> = (0..array.len())
                    .map(|at| u8::from(is_valid(nulls, at) && array.value(at)))
                    .collect();
                self.values.update(&bytes);
            }
            DataType::Int8 => self.primitive::<Int8Type>(array, nulls),
            DataType::Int16 => self.primitive::<Int16Type>(array, nulls),
            DataType::Int32 => self.primitive::<Int32Type>(array, nulls),
            DataType::Int64 => self.primitive::<Int64Type>(array, nulls),
            DataType::Float32 => self.primitive::<Float32Type>(array, nulls),
            DataType::Float64 => self.primitive::<Float64Type>(array, nulls),
            DataType::Date32 => self.primitive::<Date32Type>(array, nulls),
            DataType::Decimal128(..) => self.primitive::<Decimal128Type>(array, nulls),
            DataType::Timestamp(..) => self.primitive::<TimestampMicrosecondType>(array, nulls),
            DataType::Utf8 => self.bytes(array.as_string::<i32>(), nulls),
            DataType::Binary => self.bytes(array.as_binary::<i32>(), nulls),
            DataType::Struct(_) => self.structure(array.as_struct(), nulls)?,
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                self.list(list.offsets(), nulls, list.values().as_ref())?;
            }
            DataType::Map(..) => {
                let map = array.as_map();
                self.list(map.offsets(), nulls, map.entries())?;
            }
            other => {
                return Err(Error::UnsupportedType {
                    found: other.clone(),
                });
            }
        }
        Ok(())
    }

    /// Values as their little-endian bytes; a null is all zeros.
    fn primitive<T: ArrowPrimitiveType>(&mut self, array: &dyn Array, nulls: Option<&NullBuffer>) {
        let values = array.as_primitive::<T>().values();
        let Some(nulls) = nulls else {
            self.values.update(values.inner().as_slice());
            return;
        };
        let masked = values.iter().zip(nulls.iter());
        let masked = masked.map(|(value, valid)| if valid { *value } else { T::default_value() });
        let masked = Buffer::from_vec(masked.collect::<Vec<_>>());
        self.values.update(masked.as_slice());
    }

    fn bytes<T: ByteArrayType<Offset = i32>>(
        &mut self,
        array: &GenericByteArray<T>,
        nulls: Option<&NullBuffer>,
    ) {
        let hidden = self.lengths(array.offsets(), nulls);
        let data = array.value_data();
        let range = |from: i32, to: i32| {
            data.get(
                usize::try_from(from).unwrap_or_default()..usize::try_from(to).unwrap_or_default(),
            )
            .unwrap_or_default()
        };
        let offsets = array.offsets();
        if hidden {
            for (at, pair) in offsets.windows(2).enumerate() {
                if is_valid(nulls, at) {
                    self.values.update(range(pair[0], pair[1]));
                }
            }
        } else if let (Some(first), Some(last)) = (offsets.first(), offsets.last()) {
            self.values.update(range(*first, *last));
        }
    }

    /// Adds the length of every value, 0 for null, and says whether a null hides bytes or elements.
    fn lengths(&mut self, offsets: &OffsetBuffer<i32>, nulls: Option<&NullBuffer>) -> bool {
        let mut hidden = false;
        let lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]);
        let lengths: Vec<i32> = match nulls {
            None => lengths.map(i32::to_le).collect(),
            Some(nulls) => {
                let mask = |(length, valid): (i32, bool)| {
                    hidden |= !valid && length != 0;
                    if valid { length.to_le() } else { 0 }
                };
                lengths.zip(nulls.iter()).map(mask).collect()
            }
        };
        self.lengths.update(Buffer::from_vec(lengths).as_slice());
        hidden
    }

    fn structure(&mut self, array: &StructArray, nulls: Option<&NullBuffer>) -> Result<(), Error> {
        for (digest, child) in self.children.iter_mut().zip(array.columns()) {
            digest.update(child.as_ref(), nulls)?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        offsets: &OffsetBuffer<i32>,
        nulls: Option<&NullBuffer>,
        child: &dyn Array,
    ) -> Result<(), Error> {
        let hidden = self.lengths(offsets, nulls);
        let Some(digest) = self.children.first_mut() else {
            return Ok(());
        };
        let mut add = |from: i32, to: i32| {
            let from = usize::try_from(from).unwrap_or_default();
            let length = usize::try_from(to).unwrap_or_default() - from;
            digest.update(child.slice(from, length).as_ref(), None)
        };
        if hidden {
            for (at, pair) in offsets.windows(2).enumerate() {
                if is_valid(nulls, at) {
                    add(pair[0], pair[1])?;
                }
            }
        } else if let (Some(first), Some(last)) = (offsets.first(), offsets.last()) {
            add(*first, *last)?;
        }
        Ok(())
    }
}

fn is_valid(nulls: Option<&NullBuffer>, at: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(at))
}

/// One bit for every value, 1 where there is one. Bits wait for their byte, so that the ends of batches do not show.
struct ValidityDigest {
    bytes: Hasher,
    waiting: BooleanBufferBuilder,
}

impl ValidityDigest {
    /// Bits that are gathered before they are hashed.
    const BITS: usize = 1 << 16;

    fn new() -> Self {
        Self {
            bytes: Hasher::new(),
            waiting: BooleanBufferBuilder::new(0),
        }
    }

    fn update(&mut self, nulls: Option<&NullBuffer>, rows: usize) {
        match nulls {
            Some(nulls) => self.waiting.append_buffer(nulls.inner()),
            None => self.waiting.append_n(rows, true),
        }
        if self.waiting.len() >= Self::BITS {
            let whole = self.waiting.len() / 8;
            self.bytes.update(&self.waiting.as_slice()[..whole]);
            let mut rest = BooleanBufferBuilder::new(Self::BITS);
            for at in 8 * whole..self.waiting.len() {
                rest.append(self.waiting.get_bit(at));
            }
            self.waiting = rest;
        }
    }

    /// The last byte is filled up with zeros; the number of rows is hashed elsewhere.
    fn finish(mut self) -> Hasher {
        self.waiting
            .append_n(self.waiting.len().wrapping_neg() % 8, false);
        self.bytes.update(self.waiting.as_slice());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Int64Array, ListArray, StringArray};
    use arrow_schema::{Field, Fields, Schema};
    use proptest::prelude::*;

    use super::*;

    fn batch(ids: Vec<Option<i64>>, names: Vec<Option<String>>) -> RecordBatch {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>(
            ids.iter()
                .map(|id| id.map(|id| vec![Some(id); usize::try_from(id % 3).unwrap_or(0)])),
        );
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("list", list.data_type().clone(), true),
        ]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(ids)),
            Arc::new(StringArray::from(names)),
            Arc::new(list),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn digest(batches: &[RecordBatch]) -> Fingerprint {
        let mut digest = ContentDigest::new(&batches[0].schema());
        for batch in batches {
            digest.update(batch).unwrap();
        }
        digest.finish()
    }

    proptest! {
        #[test]
        fn batches_do_not_matter(
            rows in proptest::collection::vec((any::<Option<i64>>(), any::<Option<String>>()), 1..40),
            cut in any::<prop::sample::Index>(),
        ) {
            let (ids, names): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let whole = batch(ids, names);
            let at = cut.index(whole.num_rows());
            let parts = [whole.slice(0, at), whole.slice(at, whole.num_rows() - at)];
            prop_assert_eq!(digest(&[whole]), digest(&parts));
        }
    }

    #[test]
    fn every_difference_of_rows_matters() {
        let of = |ids: &[Option<i64>], names: &[Option<&str>]| {
            let names = names.iter().map(|name| name.map(str::to_owned)).collect();
            digest(&[batch(ids.to_vec(), names)])
        };
        let base = of(&[Some(1), Some(2)], &[Some("a"), Some("b")]);
        for other in [
            of(&[Some(2), Some(1)], &[Some("b"), Some("a")]),
            of(&[Some(1), Some(2)], &[Some("ab"), Some("")]),
            of(&[Some(1), Some(2)], &[Some("a"), None]),
            of(&[Some(1), None], &[Some("a"), Some("b")]),
            of(&[Some(1)], &[Some("a")]),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(of(&[Some(0)], &[None]), of(&[None], &[None]));
        assert_ne!(of(&[Some(0)], &[Some("")]), of(&[Some(0)], &[None]));
    }

    /// One null and one row of a struct in a struct; the null hides what `hidden` gives, the row is always the same.
    fn nested(hidden: (bool, i64, &str, &[i64])) -> RecordBatch {
        let (flag, id, name, list) = hidden;
        let as_list = |ids: &[i64]| Some(ids.iter().copied().map(Some).collect::<Vec<_>>());
        let lists = [as_list(list), as_list(&[7])];
        let values: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![flag, true])),
            Arc::new(Int64Array::from(vec![id, 7])),
            Arc::new(StringArray::from(vec![name, "seven"])),
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
        ];
        let fields: Fields = ["flag", "id", "name", "list"]
            .into_iter()
            .zip(&values)
            .map(|(name, values)| Field::new(name, values.data_type().clone(), true))
            .collect();
        let inner: ArrayRef = Arc::new(StructArray::new(fields, values, None));
        let fields = Fields::from(vec![Field::new("inner", inner.data_type().clone(), true)]);
        let nulls = NullBuffer::from(vec![false, true]);
        let outer: ArrayRef = Arc::new(StructArray::new(fields, vec![inner], Some(nulls)));
        RecordBatch::try_from_iter_with_nullable([("outer", outer, true)]).unwrap()
    }

    #[test]
    fn what_a_null_hides_does_not_matter() {
        let base = digest(&[nested((false, 0, "", &[]))]);
        for other in [
            (true, 0, "", &[][..]),
            (false, 1, "", &[][..]),
            (false, 0, "one", &[][..]),
            (false, 0, "", &[1][..]),
        ] {
            assert_eq!(digest(&[nested(other)]), base, "{other:?}");
        }
        let shown = nested((false, 0, "", &[]));
        let inner = Arc::clone(shown.column(0).as_struct().column(0));
        let fields = Fields::from(vec![Field::new("inner", inner.data_type().clone(), true)]);
        let outer: ArrayRef = Arc::new(StructArray::new(fields, vec![inner], None));
        let shown = RecordBatch::try_from_iter_with_nullable([("outer", outer, true)]).unwrap();
        assert_ne!(digest(&[shown]), base);
    }
}
