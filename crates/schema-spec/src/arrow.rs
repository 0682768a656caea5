//! Declared types to Arrow and back; Arrow types that Delta lacks are refused here.

use std::sync::Arc;

use arrow_schema::extension::EXTENSION_TYPE_NAME_KEY;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::{ColumnName, ColumnSpec, ColumnType, DatasetSpec, Error, FieldSpec, SemanticType};

impl ColumnType {
    /// The Arrow type that it is read and written as.
    pub fn to_arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Utf8 => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::List(element) => DataType::List(Arc::new(element.to_arrow())),
            Self::Struct(fields) => {
                DataType::Struct(fields.iter().map(FieldSpec::to_arrow).collect())
            }
            Self::Map { key, value } => {
                let entries = Fields::from(vec![
                    Field::new("key", key.to_arrow(), false),
                    value.to_arrow().with_name("value"),
                ]);
                let entry = Field::new("key_value", DataType::Struct(entries), false);
                DataType::Map(Arc::new(entry), false)
            }
        }
    }

    /// The declared type of an Arrow type. View and large variants, and dictionaries, are the type that they encode.
    ///
    /// **Errors**: [`Error::UnsupportedType`], which names `column`, for what Delta cannot store: unsigned integers,
    /// null, nanoseconds and other zones, times of day, intervals, unions.
    pub fn from_arrow(column: &str, data_type: &DataType) -> Result<Self, Error> {
        Ok(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal128(precision, scale)
                if (1..=38).contains(precision) && *scale >= 0 =>
            {
                Self::Decimal {
                    precision: *precision,
                    scale: *scale,
                }
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Utf8,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Binary,
            DataType::Date32 => Self::Date,
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if is_utc(zone) => {
                Self::TimestampUtc
            }
            DataType::Timestamp(TimeUnit::Microsecond, None) => Self::TimestampNtz,
            DataType::Dictionary(_, value) => Self::from_arrow(column, value)?,
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::ListView(element)
            | DataType::LargeListView(element) => {
                Self::List(Box::new(nested_field(column, element)?))
            }
            DataType::Struct(fields) => Self::Struct(
                fields
                    .iter()
                    .map(|field| nested_field(column, field))
                    .collect::<Result<_, _>>()?,
            ),
            DataType::Map(entry, _) => map_from_arrow(column, entry)?,
            other => {
                return Err(Error::UnsupportedType {
                    column: column.to_owned(),
                    found: other.clone(),
                });
            }
        })
    }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "+00:00" | "Etc/UTC")
}

fn nested_field(column: &str, field: &Field) -> Result<FieldSpec, Error> {
    let path = format!("{column}.{}", field.name());
    let column_type = ColumnType::from_arrow(&path, field.data_type())?;
    let spec = if field.is_nullable() {
        FieldSpec::nullable(field.name(), column_type)
    } else {
        FieldSpec::required(field.name(), column_type)
    }?;
    Ok(match semantic_of(field) {
        Some(semantic) => spec.semantic(semantic),
        None => spec,
    })
}

fn map_from_arrow(column: &str, entry: &Field) -> Result<ColumnType, Error> {
    match entry.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Ok(ColumnType::Map {
            key: Box::new(ColumnType::from_arrow(column, fields[0].data_type())?),
            value: Box::new(nested_field(column, &fields[1])?),
        }),
        other => Err(Error::UnsupportedType {
            column: column.to_owned(),
            found: other.clone(),
        }),
    }
}

fn semantic_of(field: &Field) -> Option<SemanticType> {
    SemanticType::from_extension_name(field.extension_type_name()?)
}

impl FieldSpec {
    /// The Arrow field, with the extension type's name in its metadata.
    pub fn to_arrow(&self) -> Field {
        let field = Field::new(
            self.name().as_str(),
            self.column_type().to_arrow(),
            self.is_nullable(),
        );
        match self.semantic_type() {
            None => field,
            Some(semantic) => field.with_metadata(
                [(
                    EXTENSION_TYPE_NAME_KEY.to_owned(),
                    semantic.extension_name().to_owned(),
                )]
                .into(),
            ),
        }
    }
}

impl ColumnSpec {
    /// The column of an Arrow field.
    ///
    /// **Errors**: [`Error::InvalidColumnName`], [`Error::UnsupportedType`], [`Error::SemanticMismatch`].
    pub fn from_arrow(field: &Field) -> Result<Self, Error> {
        ColumnName::try_new(field.name())?;
        let column_type = ColumnType::from_arrow(field.name(), field.data_type())?;
        let column = if field.is_nullable() {
            Self::nullable(field.name(), column_type)
        } else {
            Self::required(field.name(), column_type)
        }?;
        match semantic_of(field) {
            Some(semantic) => column.semantic(semantic),
            None => Ok(column),
        }
    }
}

impl DatasetSpec {
    /// The Arrow schema of the dataset: columns in declared order, no schema-level metadata (delta-rs refuses it).
    pub fn arrow_schema(&self) -> SchemaRef {
        let fields: Fields = self
            .columns()
            .iter()
            .map(|column| column.field().to_arrow())
            .collect();
        Arc::new(Schema::new(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(data_type: &DataType, want: &Expect) {
        let verdict = match ColumnType::from_arrow("c", data_type) {
            Ok(found) => found.to_string(),
            Err(error) => match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            },
        };
        want.assert_eq(&verdict);
    }

    #[test]
    fn unsigned_and_null_columns_are_refused_because_delta_has_neither() {
        check(
            &DataType::UInt32,
            &expect![
                "column `c` has Arrow type UInt32, which Delta cannot store; cast it to a signed type that is twice as wide"
            ],
        );
        check(
            &DataType::UInt64,
            &expect![
                "column `c` has Arrow type UInt64, which Delta cannot store; cast it to Int64 or decimal(20, 0)"
            ],
        );
        check(
            &DataType::Null,
            &expect![
                "column `c` has Arrow type Null, which Delta cannot store; declare the type that the column will have"
            ],
        );
        let nested = DataType::List(Arc::new(Field::new("element", DataType::UInt8, true)));
        check(
            &nested,
            &expect![
                "column `c.element` has Arrow type UInt8, which Delta cannot store; cast it to a signed type that is twice as wide"
            ],
        );
        check(
            &DataType::Timestamp(TimeUnit::Nanosecond, None),
            &expect![
                "column `c` has Arrow type Timestamp(ns), which Delta cannot store; cast it to microseconds, in UTC or without a zone"
            ],
        );
    }

    #[test]
    fn every_declared_type_survives_the_way_to_arrow_and_back() {
        let element = FieldSpec::nullable("element", ColumnType::Utf8).unwrap();
        let inner = FieldSpec::required("a", ColumnType::Int32).unwrap();
        for column_type in [
            ColumnType::Boolean,
            ColumnType::Int64,
            ColumnType::Float64,
            ColumnType::Decimal {
                precision: 20,
                scale: 3,
            },
            ColumnType::Utf8,
            ColumnType::Binary,
            ColumnType::Date,
            ColumnType::TimestampUtc,
            ColumnType::TimestampNtz,
            ColumnType::List(Box::new(element)),
            ColumnType::Struct(vec![inner]),
            ColumnType::Map {
                key: Box::new(ColumnType::Utf8),
                value: Box::new(FieldSpec::nullable("value", ColumnType::Int64).unwrap()),
            },
        ] {
            let back = ColumnType::from_arrow("c", &column_type.to_arrow()).unwrap();
            assert_eq!(back, column_type);
        }
    }

    #[test]
    fn encodings_of_one_type_are_that_type() {
        check(&DataType::Utf8View, &expect!["string"]);
        let dictionary = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
        check(&dictionary, &expect!["string"]);
    }
}
