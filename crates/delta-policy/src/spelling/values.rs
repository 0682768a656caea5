//! How each value of a policy is spelled.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use ossature_schema_spec::{BloomFilter, Codec, ColumnName, Encoding, PageStatistics};

use crate::spelling::node::{Node, Value};
use crate::spelling::reader::{Reader, Writer, enumerate};
use crate::spelling::{Spelled, SpellingError, nearest_name, read_map};
use crate::{
    ColumnMapping, ColumnOverrides, Compaction, DeltaFeature, FEATURES, ParquetOverrides,
    Retention, SchemaMode, StatsPolicy, Vacuum,
};

impl Spelled for bool {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node.value {
            Value::Boolean(value) => Some(value),
            _ => reader.refuse(node, "`true` or `false`"),
        }
    }

    fn write(&self) -> Value {
        Value::Boolean(*self)
    }
}

/// A number of at least `least` that fits its type.
fn number<T: TryFrom<i128>>(
    node: &Node,
    reader: &mut Reader,
    least: i128,
    wanted: &str,
) -> Option<T> {
    let number = match node.value {
        Value::Integer(value) if value >= least => T::try_from(value).ok(),
        _ => None,
    };
    number.or_else(|| reader.refuse(node, wanted))
}

impl Spelled for u32 {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        number(node, reader, 0, "a number from 0 to 4294967295")
    }

    fn write(&self) -> Value {
        Value::Integer((*self).into())
    }
}

impl Spelled for NonZeroU32 {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let found: u32 = number(node, reader, 1, "a number from 1 to 4294967295")?;
        Self::new(found)
    }

    fn write(&self) -> Value {
        Value::Integer(self.get().into())
    }
}

const WANTED_ROWS: &str = "a number of 1 or more";

impl Spelled for NonZeroU64 {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let found: u64 = number(node, reader, 1, WANTED_ROWS)?;
        Self::new(found)
    }

    fn write(&self) -> Value {
        Value::Integer(self.get().into())
    }
}

/// One of a few names.
fn choice<T: Copy>(node: &Node, reader: &mut Reader, choices: &[(&str, T)]) -> Option<T> {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    named(node, reader, &names, |name| {
        let found = choices.iter().find(|(known, _)| *known == name)?;
        Some(found.1)
    })
}

/// A text that `find` knows; `names` are what it knows, or some of it.
fn named<T>(
    node: &Node,
    reader: &mut Reader,
    names: &[&str],
    find: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let text = match &node.value {
        Value::Text(text) => text.as_str(),
        _ => "",
    };
    let found = find(text);
    if found.is_none() {
        let error = SpellingError::WrongValue {
            found: node.value.to_string(),
            wanted: enumerate(names),
            nearest: nearest_name(text, names.iter().copied()),
        };
        reader.complain(&node.span, error);
    }
    found
}

/// Spells a type by the names of its values.
macro_rules! spelled_by_name {
    ($name:ty) => {
        impl Spelled for $name {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                choice(node, reader, &Self::ALL.map(|it| (it.as_str(), it)))
            }

            fn write(&self) -> Value {
                Value::text(self.as_str())
            }
        }
    };
}

spelled_by_name!(SchemaMode);
spelled_by_name!(ColumnMapping);
spelled_by_name!(Encoding);
spelled_by_name!(PageStatistics);

impl Spelled for Codec {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        named(
            node,
            reader,
            &["uncompressed", "snappy", "zstd(1)"],
            Self::from_name,
        )
    }

    fn write(&self) -> Value {
        Value::text(&self.to_string())
    }
}

impl Spelled for DeltaFeature {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Text(text) = &node.value else {
            return reader.refuse(node, "the name of a table feature");
        };
        let found = Self::from_name(text);
        if found.is_none() {
            let error = SpellingError::WrongValue {
                found: node.value.to_string(),
                wanted: "the name of a table feature".to_owned(),
                nearest: nearest_name(text, FEATURES.iter().map(|row| row.name)),
            };
            reader.complain(&node.span, error);
        }
        found
    }

    fn write(&self) -> Value {
        Value::text(self.name())
    }
}

impl Spelled for ColumnName {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Text(text) = &node.value else {
            return reader.refuse(node, "the name of a column");
        };
        match Self::try_new(text) {
            Ok(name) => Some(name),
            Err(_) if text.contains('.') => reader.refuse(
                node,
                "the name of a whole column, not of a field inside of one",
            ),
            Err(ossature_schema_spec::Error::InvalidColumnName { reason, .. }) => {
                reader.refuse(node, &format!("the name of a column ({reason})"))
            }
            Err(_) => reader.refuse(node, "the name of a column"),
        }
    }

    fn write(&self) -> Value {
        Value::text(self.as_str())
    }
}

impl<T: Spelled> Spelled for Vec<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::List(nodes) = &node.value else {
            return reader.refuse(node, "a list");
        };
        // All of them are looked at, so that all complaints come at once.
        let items: Vec<Option<T>> = nodes.iter().map(|node| T::read(node, reader)).collect();
        items.into_iter().collect()
    }

    fn write(&self) -> Value {
        Value::list(self.iter().map(Spelled::write))
    }
}

impl<T: Spelled + Ord> Spelled for BTreeSet<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let items: Vec<T> = Spelled::read(node, reader)?;
        Some(items.into_iter().collect())
    }

    fn write(&self) -> Value {
        Value::list(self.iter().map(Spelled::write))
    }
}

impl Spelled for String {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            _ => reader.refuse(node, "a text"),
        }
    }

    fn write(&self) -> Value {
        Value::text(self)
    }
}

impl Spelled for BTreeMap<String, String> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        read_map(node, reader, "a table of texts", |entry, _| {
            Some(entry.key.clone())
        })
    }

    fn write(&self) -> Value {
        Value::table(
            self.iter()
                .map(|(key, value)| (key.as_str(), value.write())),
        )
    }
}

const WANTED_STATISTICS: &str = "`\"off\"`, `{ auto = <columns> }` or `{ explicit = [<column>, ...], strict = <true or false> }`";

impl Spelled for StatsPolicy {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if node.value == Value::text("off") {
            return Some(Self::Off);
        }
        let fields = reader.fields(node, &["auto", "explicit", "strict"], WANTED_STATISTICS)?;
        match (fields.has("auto"), fields.has("explicit")) {
            (true, false) if !fields.has("strict") => {
                let columns_max = reader.option(&fields, "auto")?;
                Some(Self::Auto { columns_max })
            }
            (false, true) => {
                let columns = reader.option(&fields, "explicit");
                let is_strict = if fields.has("strict") {
                    reader.option(&fields, "strict")
                } else {
                    Some(true)
                };
                Some(if is_strict? {
                    Self::Explicit(columns?)
                } else {
                    Self::ExplicitLenient(columns?)
                })
            }
            (false, false) if fields.has_others => None,
            _ => reader.refuse(node, WANTED_STATISTICS),
        }
    }

    fn write(&self) -> Value {
        match self {
            Self::Off => Value::text("off"),
            Self::Auto { columns_max } => Value::table([("auto", columns_max.write())]),
            Self::Explicit(columns) => Value::table([("explicit", columns.write())]),
            Self::ExplicitLenient(columns) => {
                Value::table([("explicit", columns.write()), ("strict", false.write())])
            }
        }
    }
}

impl Spelled for Retention {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let wanted = "a number of days from 1 to 36500";
        let days = number(node, reader, 1, wanted)?;
        Self::try_days(days)
            .ok()
            .or_else(|| reader.refuse(node, wanted))
    }

    fn write(&self) -> Value {
        self.days().write()
    }
}

/// The value of the only key of a table, beside the text `off`.
fn only<T: Spelled>(
    node: &Node,
    reader: &mut Reader,
    key: &'static str,
    wanted: &str,
) -> Option<T> {
    let fields = reader.fields(node, &[key], wanted)?;
    if !(fields.has(key) || fields.has_others) {
        return reader.refuse(node, wanted);
    }
    reader.option(&fields, key)
}

impl Spelled for Compaction {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if node.value == Value::text("off") {
            return Some(Self::Off);
        }
        let wanted = "`\"off\"` or `{ small_files_max = <files> }`";
        let small_files_max = only(node, reader, "small_files_max", wanted)?;
        Some(Self::Auto { small_files_max })
    }

    fn write(&self) -> Value {
        match self {
            Self::Off => Value::text("off"),
            Self::Auto { small_files_max } => {
                Value::table([("small_files_max", small_files_max.write())])
            }
        }
    }
}

impl Spelled for Vacuum {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if node.value == Value::text("off") {
            return Some(Self::Off);
        }
        let wanted = "`\"off\"` or `{ after_days = <days> }`";
        only(node, reader, "after_days", wanted).map(Self::After)
    }

    fn write(&self) -> Value {
        match self {
            Self::Off => Value::text("off"),
            Self::After(retention) => Value::table([("after_days", retention.write())]),
        }
    }
}

impl Spelled for BloomFilter {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let wanted = "`{ distinct_values_max = <values>, false_positives_per_million = <values> }`";
        let keys = ["distinct_values_max", "false_positives_per_million"];
        let fields = reader.fields(node, &keys, wanted)?;
        if !(keys.iter().all(|key| fields.has(key)) || fields.has_others) {
            return reader.refuse(node, wanted);
        }
        let distinct_values_max: Option<NonZeroU64> = reader.option(&fields, keys[0]);
        let false_positives_per_million = reader.option(&fields, keys[1]);
        Some(Self {
            distinct_values_max: distinct_values_max?.get(),
            false_positives_per_million: false_positives_per_million?,
        })
    }

    fn write(&self) -> Value {
        let Self {
            distinct_values_max,
            false_positives_per_million,
        } = self;
        Value::table([
            (
                "distinct_values_max",
                Value::Integer((*distinct_values_max).into()),
            ),
            (
                "false_positives_per_million",
                false_positives_per_million.write(),
            ),
        ])
    }
}

impl Spelled for ColumnOverrides {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let keys = ["encoding", "dictionary", "statistics", "bloom_filter"];
        let fields = reader.overrides(node, &keys, &[], "a table of the layout of a column")?;
        Some(Self {
            encoding: reader.field(&fields, "encoding"),
            dictionary: reader.field(&fields, "dictionary"),
            statistics: reader.field(&fields, "statistics"),
            bloom_filter: reader.field(&fields, "bloom_filter"),
        })
    }

    fn write(&self) -> Value {
        let Self {
            encoding,
            dictionary,
            statistics,
            bloom_filter,
        } = self;
        let mut writer = Writer::default();
        writer.field("encoding", encoding);
        writer.field("dictionary", dictionary);
        writer.field("statistics", statistics);
        writer.field("bloom_filter", bloom_filter);
        writer.finish()
    }
}

/// The layouts of columns by name.
type Columns = BTreeMap<ColumnName, ColumnOverrides>;

impl Spelled for Columns {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        read_map(node, reader, "a table of columns", |entry, reader| {
            let name = Node {
                value: Value::text(&entry.key),
                span: entry.key_span.clone(),
            };
            ColumnName::read(&name, reader)
        })
    }

    fn write(&self) -> Value {
        Value::table(
            self.iter()
                .map(|(name, overrides)| (name.as_str(), overrides.write())),
        )
    }
}

impl Spelled for ParquetOverrides {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let keys = ["codec", "row_group_rows_max", "page_rows_max", "statistics"];
        let wanted = "a table of the layout of files";
        let fields = reader.overrides(node, &keys, &["columns"], wanted)?;
        Some(Self {
            codec: reader.field(&fields, "codec"),
            row_group_rows_max: reader.field(&fields, "row_group_rows_max"),
            page_rows_max: reader.field(&fields, "page_rows_max"),
            statistics: reader.field(&fields, "statistics"),
            columns: reader.option(&fields, "columns").unwrap_or_default(),
        })
    }

    fn write(&self) -> Value {
        let Self {
            codec,
            row_group_rows_max,
            page_rows_max,
            statistics,
            columns,
        } = self;
        let mut writer = Writer::default();
        writer.field("codec", codec);
        writer.field("row_group_rows_max", row_group_rows_max);
        writer.field("page_rows_max", page_rows_max);
        writer.field("statistics", statistics);
        writer.option("columns", (!columns.is_empty()).then_some(columns));
        writer.finish()
    }
}
