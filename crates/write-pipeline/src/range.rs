//! Ranges of sort keys: what a replacement takes out of a table.

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{DataType, SortOptions};
use datafusion::common::ScalarValue;
use ossature_schema_spec::{DatasetSpec, SortKey};

use crate::Error;

/// Rows that lie next to each other in the declared order: from one place on, and before another.
///
/// A place is given by values of the leading columns of the order, partition columns aside; it lies before all rows
/// that begin with these values. In a partitioned table a range reaches through all partitions.
///
/// ```
/// use datafusion::common::ScalarValue;
/// use ossature_write_pipeline::KeyRange;
/// let ids = |id: i64| vec![ScalarValue::from(id)];
/// // 10, 11, ..., 19.
/// let tens = KeyRange::between(ids(10), ids(20));
/// // All rows of file 7, in a table ordered by file and place.
/// let file = KeyRange::prefix(ids(7));
/// assert_ne!(tens, file);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRange {
    from: Vec<ScalarValue>,
    below: Below,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Below {
    /// The place where it ends.
    Place(Vec<ScalarValue>),
    /// Behind everything that begins as it does.
    Prefix,
    /// Nowhere.
    Nothing,
}

impl KeyRange {
    /// From `from` on, and before `below`.
    pub fn between(from: Vec<ScalarValue>, below: Vec<ScalarValue>) -> Self {
        Self {
            from,
            below: Below::Place(below),
        }
    }

    /// The rows whose leading columns have these values.
    pub fn prefix(values: Vec<ScalarValue>) -> Self {
        Self {
            from: values,
            below: Below::Prefix,
        }
    }

    /// From `from` on.
    pub fn from(from: Vec<ScalarValue>) -> Self {
        Self {
            from,
            below: Below::Nothing,
        }
    }

    /// All rows.
    pub fn all() -> Self {
        Self::from(Vec::new())
    }
}

/// The same in row-encoded keys: from the one on, and before the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteRange {
    pub(crate) from: Vec<u8>,
    /// `None` for no end.
    pub(crate) below: Option<Vec<u8>>,
}

impl ByteRange {
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.from.as_slice() <= key && self.is_above(key)
    }

    /// Whether the range ends behind the key.
    pub(crate) fn is_above(&self, key: &[u8]) -> bool {
        self.below.as_deref().is_none_or(|below| key < below)
    }
}

/// Encodes ranges, and joins those that meet. They come out in order, and none is empty.
///
/// **Errors**: [`Error::RangeRefused`].
pub(crate) fn encode_ranges(
    contract: &DatasetSpec,
    ranges: &[KeyRange],
) -> Result<Vec<ByteRange>, Error> {
    let mut encoded = Vec::with_capacity(ranges.len());
    for range in ranges {
        let from = encode(contract, &range.from)?;
        let below = match &range.below {
            Below::Place(values) => Some(encode(contract, values)?),
            Below::Prefix => successor(&from),
            Below::Nothing => None,
        };
        if below.as_ref().is_some_and(|below| *below <= from) {
            return Err(refused(
                contract,
                format!("{range:?} ends before it begins"),
            ));
        }
        encoded.push(ByteRange { from, below });
    }
    encoded.sort();
    let mut joined: Vec<ByteRange> = Vec::with_capacity(encoded.len());
    for range in encoded {
        match joined.last_mut() {
            Some(last) if last.below.as_ref().is_none_or(|end| *end >= range.from) => {
                last.below = match (last.below.take(), range.below) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
            }
            _ => joined.push(range),
        }
    }
    Ok(joined)
}

/// The key of leading columns is a prefix of every longer key that begins with the same values.
fn encode(contract: &DatasetSpec, values: &[ScalarValue]) -> Result<Vec<u8>, Error> {
    let inside = |key: &&SortKey| !contract.partition().contains(&key.column);
    let order: Vec<&SortKey> = contract.order().iter().filter(inside).collect();
    if values.len() > order.len() {
        let (given, declared) = (values.len(), order.len());
        let reason = format!("a place has {given} values, the order inside of files {declared}");
        return Err(refused(contract, reason));
    }
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut fields = Vec::with_capacity(values.len());
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(values.len());
    for (value, key) in values.iter().zip(order) {
        let Some(column) = contract.column(&key.column) else {
            continue;
        };
        let wanted = column.column_type().to_arrow();
        let fitting = value.cast_to(&wanted).ok();
        let fitting = fitting.filter(|cast| is_same(value, cast));
        let Some(fitting) = fitting else {
            let (name, wanted) = (&key.column, column.column_type());
            let reason = format!("`{value}` is no value of column `{name}`, which is {wanted}");
            return Err(refused(contract, reason));
        };
        columns.push(fitting.to_array()?);
        let options = SortOptions {
            descending: key.descending,
            nulls_first: true,
        };
        fields.push(SortField::new_with_options(wanted, options));
    }
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    Ok(rows.row(0).data().to_vec())
}

/// Whether a value is still the same in the type of its column. What was rounded would be another place.
///
/// A text may spell a value in several ways, and gives one back.
fn is_same(value: &ScalarValue, cast: &ScalarValue) -> bool {
    if value.is_null() || cast.is_null() {
        return value.is_null() && cast.is_null();
    }
    let (from, to) = (value.data_type(), cast.data_type());
    if from.is_string() {
        return true;
    }
    let is_boolean = |data_type: &DataType| *data_type == DataType::Boolean;
    is_boolean(&from) == is_boolean(&to) && cast.cast_to(&from).is_ok_and(|back| back == *value)
}

/// The smallest key that is larger than all that begin with these bytes.
fn successor(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut next = bytes.to_vec();
    while let Some(last) = next.pop() {
        if let Some(larger) = last.checked_add(1) {
            next.push(larger);
            return Some(next);
        }
    }
    None
}

fn refused(contract: &DatasetSpec, reason: String) -> Error {
    Error::RangeRefused {
        dataset: contract.name().clone(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use ossature_schema_spec::{ColumnSpec, ColumnType};

    use super::*;

    fn contract() -> DatasetSpec {
        DatasetSpec::builder("cpg.things", "")
            .column(ColumnSpec::required("file", ColumnType::Int32).unwrap())
            .column(ColumnSpec::nullable("name", ColumnType::Utf8).unwrap())
            .order_by(["file", "name"])
            .build()
            .unwrap()
    }

    fn place(file: i64, name: Option<&str>) -> Vec<ScalarValue> {
        vec![ScalarValue::from(file), ScalarValue::from(name)]
    }

    fn key(file: i64, name: Option<&str>) -> Vec<u8> {
        encode(&contract(), &place(file, name)).unwrap()
    }

    #[test]
    fn a_prefix_holds_all_that_begins_with_it_and_nothing_else() {
        let file = KeyRange::prefix(vec![ScalarValue::from(7_i64)]);
        let ranges = encode_ranges(&contract(), &[file]).unwrap();
        let holds = |file, name| ranges[0].contains(&key(file, name));
        assert!(holds(7, None) && holds(7, Some("")) && holds(7, Some("zzzz")));
        assert!(!holds(6, Some("zzzz")) && !holds(8, None));
    }

    #[test]
    fn ranges_that_meet_are_one() {
        let files = |from: i64, below: i64| {
            KeyRange::between(
                vec![ScalarValue::from(from)],
                vec![ScalarValue::from(below)],
            )
        };
        let ranges = [files(5, 6), files(1, 3), files(2, 4), files(6, 9)];
        let found = encode_ranges(&contract(), &ranges).unwrap();
        assert_eq!(
            found,
            encode_ranges(&contract(), &[files(1, 4), files(5, 9)]).unwrap()
        );
        let all = [files(3, 4), KeyRange::all()];
        assert_eq!(
            encode_ranges(&contract(), &all).unwrap(),
            [ByteRange {
                from: Vec::new(),
                below: None
            }]
        );
    }

    #[track_caller]
    fn check_refused(range: KeyRange, want: &str) {
        let found = encode_ranges(&contract(), &[range]).map_err(|error| error.to_string());
        let found = found.err().unwrap_or_default();
        assert!(found.contains(want), "{found}");
    }

    #[test]
    fn places_that_are_none_are_refused() {
        let long = [place(1, None), place(2, None)].concat();
        check_refused(KeyRange::prefix(long), "a place has 4 values");
        let large = vec![ScalarValue::from(1_i64 << 40)];
        check_refused(KeyRange::from(large), "is no value of column `file`");
        check_refused(
            KeyRange::between(place(2, None), place(1, None)),
            "ends before it begins",
        );
    }

    #[test]
    fn nothing_follows_the_largest_bytes() {
        assert_eq!(successor(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(successor(&[255]), None);
        assert_eq!(successor(&[]), None);
    }
}
