//! Arguments of a function: the types that are read, and what other types become.

use datafusion::arrow::datatypes::{DataType, Field};

use crate::Error;

/// What an argument holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reads {
    /// Text, in any of Arrow's encodings.
    Text,
    /// A 64-bit integer; narrower ones are widened.
    Long,
    /// A 32-bit integer.
    Integer,
    /// A struct.
    Struct,
    /// A list.
    List,
    /// Any type.
    Anything,
}

/// An argument as it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Argument {
    pub(crate) name: &'static str,
    pub(crate) reads: Reads,
    /// Whether null is a value of its own. Otherwise a null argument makes the result null (of a scalar function) or
    /// is an error (of an aggregate).
    pub(crate) accepts_null: bool,
}

impl Argument {
    pub(crate) const fn required(name: &'static str, reads: Reads) -> Self {
        Self {
            name,
            reads,
            accepts_null: false,
        }
    }

    pub(crate) const fn optional(name: &'static str, reads: Reads) -> Self {
        Self {
            name,
            reads,
            accepts_null: true,
        }
    }

    /// The field that the argument's values have in a struct of all arguments.
    pub(crate) fn field(&self) -> Field {
        let data_type = match self.reads {
            Reads::Text => DataType::Utf8,
            Reads::Integer => DataType::Int32,
            _ => DataType::Int64,
        };
        Field::new(self.name, data_type, true)
    }

    fn coerce(&self, function: &'static str, found: &DataType) -> Result<DataType, Error> {
        let refuse = |wanted| {
            Err(Error::ArgumentType {
                function,
                argument: self.name,
                found: found.clone(),
                wanted,
            })
        };
        match (self.reads, found) {
            (Reads::Text, found) if is_text(found) || found.is_null() => Ok(DataType::Utf8),
            (Reads::Text, _) => refuse("text"),
            (Reads::Long, found) if found.is_integer() || found.is_null() => Ok(DataType::Int64),
            (Reads::Integer, found) if found.is_integer() || found.is_null() => Ok(DataType::Int32),
            (Reads::Long | Reads::Integer, _) => refuse("an integer"),
            (Reads::Struct, DataType::Struct(_))
            | (Reads::List, DataType::List(_))
            | (Reads::Anything, _) => Ok(found.clone()),
            (Reads::Struct, _) => refuse("a struct"),
            (Reads::List, _) => refuse("a list"),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, value) => is_text(value),
        _ => false,
    }
}

/// The types that the engine casts the arguments of a call to.
pub(crate) fn coerce(
    function: &'static str,
    arguments: &[Argument],
    found: &[DataType],
) -> Result<Vec<DataType>, Error> {
    if arguments.len() != found.len() {
        return Err(Error::ArgumentCount {
            function,
            found: found.len(),
            wanted: arguments.len(),
        });
    }
    arguments
        .iter()
        .zip(found)
        .map(|(argument, found)| argument.coerce(function, found))
        .collect()
}

/// The signature in words: `name(argument type, ...)`.
pub(crate) fn render(function: &str, arguments: &[Argument]) -> String {
    let rendered: Vec<String> = arguments
        .iter()
        .map(|argument| {
            let reads = match argument.reads {
                Reads::Text => "text",
                Reads::Long => "long",
                Reads::Integer => "integer",
                Reads::Struct => "struct",
                Reads::List => "list",
                Reads::Anything => "any",
            };
            let null = if argument.accepts_null { "?" } else { "" };
            format!("{} {reads}{null}", argument.name)
        })
        .collect();
    format!("{function}({})", rendered.join(", "))
}
