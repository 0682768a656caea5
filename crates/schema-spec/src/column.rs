//! One column: its type, whether it may be null, its default and its meaning.

use std::fmt;

use crate::{ColumnName, Error, SemanticType};

/// What a column stores. Exactly the types that Delta has and that every reader agrees on: no unsigned integers, no
/// null type, no nanoseconds, no times of day, no intervals.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// A signed integer of 8 bits.
    Int8,
    /// A signed integer of 16 bits.
    Int16,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// An IEEE 754 number of 32 bits.
    Float32,
    /// An IEEE 754 number of 64 bits.
    Float64,
    /// An exact decimal number; at most 38 digits, none of them after the digits that precede the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to `precision`.
        scale: i8,
    },
    /// UTF-8 text.
    Utf8,
    /// Bytes.
    Binary,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    TimestampUtc,
    /// Microseconds since 1970-01-01 00:00:00 of a clock without a zone (needs the table feature `timestampNtz`).
    TimestampNtz,
    /// A list of one type of element.
    List(Box<FieldSpec>),
    /// Named fields.
    Struct(Vec<FieldSpec>),
    /// Keys, each once and never null, with their values.
    Map {
        /// The key's type.
        key: Box<ColumnType>,
        /// The value.
        value: Box<FieldSpec>,
    },
}

impl ColumnType {
    /// Whether file statistics can hold a smallest and a largest value of it that prune correctly.
    ///
    /// Not for nested types and binary (delta-rs writes none), booleans (worthless), and floats, whose statistics
    /// leave NaN out while queries order NaN above every number.
    pub fn has_min_max(&self) -> bool {
        !matches!(
            self,
            Self::Boolean
                | Self::Float32
                | Self::Float64
                | Self::Binary
                | Self::List(_)
                | Self::Struct(_)
                | Self::Map { .. }
        )
    }

    /// Whether it is a number whose bits are an integer.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int8 => f.write_str("byte"),
            Self::Int16 => f.write_str("short"),
            Self::Int32 => f.write_str("integer"),
            Self::Int64 => f.write_str("long"),
            Self::Float32 => f.write_str("float"),
            Self::Float64 => f.write_str("double"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Utf8 => f.write_str("string"),
            Self::Binary => f.write_str("binary"),
            Self::Date => f.write_str("date"),
            Self::TimestampUtc => f.write_str("timestamp"),
            Self::TimestampNtz => f.write_str("timestamp_ntz"),
            Self::List(element) => write!(f, "array<{element}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (at, field) in fields.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{field}", field.name())?;
                }
                f.write_str(">")
            }
            Self::Map { key, value } => write!(f, "map<{key},{value}>"),
        }
    }
}

/// A field inside a nested type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldSpec {
    name: ColumnName,
    column_type: ColumnType,
    nullable: bool,
    semantic: Option<SemanticType>,
}

impl FieldSpec {
    /// A field that is never null.
    ///
    /// **Errors**: [`Error::InvalidColumnName`].
    pub fn required(name: &str, column_type: ColumnType) -> Result<Self, Error> {
        let name = ColumnName::try_new(name)?;
        Ok(Self {
            name,
            column_type,
            nullable: false,
            semantic: None,
        })
    }

    /// A field that may be null.
    ///
    /// **Errors**: [`Error::InvalidColumnName`].
    pub fn nullable(name: &str, column_type: ColumnType) -> Result<Self, Error> {
        Ok(Self {
            nullable: true,
            ..Self::required(name, column_type)?
        })
    }

    /// The same field with a meaning.
    #[must_use]
    pub fn semantic(mut self, semantic: SemanticType) -> Self {
        self.semantic = Some(semantic);
        self
    }

    /// Its name.
    pub fn name(&self) -> &ColumnName {
        &self.name
    }

    /// What it stores.
    pub fn column_type(&self) -> &ColumnType {
        &self.column_type
    }

    /// Whether it may be null.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What it means, if that is declared.
    pub fn semantic_type(&self) -> Option<SemanticType> {
        self.semantic
    }
}

impl fmt::Display for FieldSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let required = if self.nullable { "" } else { "!" };
        write!(f, "{}{required}", self.column_type)
    }
}

/// The value that a column has where a stored table lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DefaultValue {
    /// A truth value.
    Boolean(bool),
    /// An integer, for a column of any integer type that holds it.
    Integer(i64),
    /// Text.
    Text(String),
}

impl DefaultValue {
    fn fits(&self, column_type: &ColumnType) -> bool {
        match (self, column_type) {
            (Self::Boolean(_), ColumnType::Boolean)
            | (Self::Integer(_), ColumnType::Int64)
            | (Self::Text(_), ColumnType::Utf8) => true,
            (Self::Integer(value), ColumnType::Int32) => i32::try_from(*value).is_ok(),
            (Self::Integer(value), ColumnType::Int16) => i16::try_from(*value).is_ok(),
            (Self::Integer(value), ColumnType::Int8) => i8::try_from(*value).is_ok(),
            _ => false,
        }
    }
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
        }
    }
}

/// One column of a dataset.
///
/// ```
/// use ossature_schema_spec::{ColumnSpec, ColumnType, SemanticType};
/// let column = ColumnSpec::required("node_id", ColumnType::Int64)?
///     .semantic(SemanticType::NodeId)?
///     .doc("The node.");
/// assert!(!column.is_nullable());
/// # Ok::<(), ossature_schema_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    field: FieldSpec,
    default: Option<DefaultValue>,
    doc: String,
}

impl ColumnSpec {
    /// A column that is never null.
    ///
    /// **Errors**: [`Error::InvalidColumnName`], [`Error::InvalidDecimal`].
    pub fn required(name: &str, column_type: ColumnType) -> Result<Self, Error> {
        check_decimals(&column_type)?;
        let field = FieldSpec::required(name, column_type)?;
        Ok(Self {
            field,
            default: None,
            doc: String::new(),
        })
    }

    /// A column that may be null.
    ///
    /// **Errors**: [`Error::InvalidColumnName`], [`Error::InvalidDecimal`].
    pub fn nullable(name: &str, column_type: ColumnType) -> Result<Self, Error> {
        let mut column = Self::required(name, column_type)?;
        column.field.nullable = true;
        Ok(column)
    }

    /// The same column with a meaning, which becomes an Arrow extension type.
    ///
    /// **Errors**: [`Error::SemanticMismatch`] when the meaning is stored as another type.
    pub fn semantic(mut self, semantic: SemanticType) -> Result<Self, Error> {
        let wanted = semantic.storage();
        if *self.column_type() != wanted {
            return Err(Error::SemanticMismatch {
                column: self.name().clone(),
                semantic: semantic.extension_name(),
                wanted: wanted.to_string(),
                found: self.column_type().to_string(),
            });
        }
        self.field.semantic = Some(semantic);
        Ok(self)
    }

    /// The same column with a value for tables that lack it.
    ///
    /// **Errors**: [`Error::DefaultMismatch`] when the value does not belong to the column's type.
    pub fn default(mut self, value: DefaultValue) -> Result<Self, Error> {
        if !value.fits(self.column_type()) {
            return Err(Error::DefaultMismatch {
                column: self.name().clone(),
                found: value.to_string(),
                wanted: self.column_type().to_string(),
            });
        }
        self.default = Some(value);
        Ok(self)
    }

    /// The same column with a description: one sentence or more, with units.
    #[must_use]
    pub fn doc(mut self, text: &str) -> Self {
        text.clone_into(&mut self.doc);
        self
    }

    /// Its name.
    pub fn name(&self) -> &ColumnName {
        self.field.name()
    }

    /// What it stores.
    pub fn column_type(&self) -> &ColumnType {
        self.field.column_type()
    }

    /// Whether its values compare alike in all engines: those of nested types do not.
    pub fn is_comparable(&self) -> bool {
        !self.column_type().to_arrow().is_nested()
    }

    /// Whether it may be null.
    pub fn is_nullable(&self) -> bool {
        self.field.is_nullable()
    }

    /// What it means, if that is declared.
    pub fn semantic_type(&self) -> Option<SemanticType> {
        self.field.semantic_type()
    }

    /// The value where a stored table lacks the column.
    pub fn default_value(&self) -> Option<&DefaultValue> {
        self.default.as_ref()
    }

    /// The description.
    pub fn description(&self) -> &str {
        &self.doc
    }

    /// The column without default and description.
    pub fn field(&self) -> &FieldSpec {
        &self.field
    }
}

fn check_decimals(column_type: &ColumnType) -> Result<(), Error> {
    match column_type {
        ColumnType::Decimal { precision, scale } => {
            let digits = i16::from(*precision);
            let valid = (1..=38).contains(&digits) && (0..=digits).contains(&i16::from(*scale));
            if valid {
                Ok(())
            } else {
                Err(Error::InvalidDecimal {
                    precision: *precision,
                    scale: *scale,
                })
            }
        }
        ColumnType::List(element) => check_decimals(element.column_type()),
        ColumnType::Struct(fields) => fields
            .iter()
            .try_for_each(|field| check_decimals(field.column_type())),
        ColumnType::Map { key, value } => {
            check_decimals(key)?;
            check_decimals(value.column_type())
        }
        _ => Ok(()),
    }
}
