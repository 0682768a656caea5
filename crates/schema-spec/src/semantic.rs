//! Semantic types: what the values of a column mean, as Arrow extension types over plain storage.
//!
//! The meaning travels as `ARROW:extension:name` in the field's metadata of record batches and plans. In stored schemas
//! it stands under a key of ours, see [`to_stored`](crate::to_stored); other engines see the storage type.

use std::fmt;

use arrow_schema::extension::ExtensionType;
use arrow_schema::{ArrowError, DataType};

use crate::{ColumnType, FieldSpec};

/// What the values of a column mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SemanticType {
    /// A node of the graph: a site or a symbol, see [`SiteId`](crate::SiteId) and [`SymbolId`](crate::SymbolId).
    NodeId,
    /// An edge of the graph, see [`EdgeId`](crate::EdgeId).
    EdgeId,
    /// A half-open range of bytes of one decoded file: `struct<bstart: integer, bend: integer>`.
    Span,
}

impl SemanticType {
    /// Every semantic type, in a fixed order.
    pub const ALL: [Self; 3] = [Self::NodeId, Self::EdgeId, Self::Span];

    /// The name under which Arrow knows it.
    pub const fn extension_name(self) -> &'static str {
        match self {
            Self::NodeId => NodeId::NAME,
            Self::EdgeId => EdgeIdType::NAME,
            Self::Span => Span::NAME,
        }
    }

    /// The semantic type of that extension name.
    pub fn from_extension_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|semantic| semantic.extension_name() == name)
    }

    /// What it is stored as.
    pub fn storage(self) -> ColumnType {
        match self {
            Self::NodeId | Self::EdgeId => ColumnType::Int64,
            Self::Span => ColumnType::Struct(
                ["bstart", "bend"]
                    .into_iter()
                    .filter_map(|name| FieldSpec::required(name, ColumnType::Int32).ok())
                    .collect(),
            ),
        }
    }
}

impl fmt::Display for SemanticType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension_name())
    }
}

/// Declares an extension type without metadata.
macro_rules! extension_type {
    ($(#[$doc:meta])* $name:ident, $text:literal, $semantic:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name;

        impl ExtensionType for $name {
            const NAME: &'static str = $text;
            type Metadata = ();

            fn metadata(&self) -> &Self::Metadata {
                &()
            }

            fn serialize_metadata(&self) -> Option<String> {
                None
            }

            fn deserialize_metadata(_metadata: Option<&str>) -> Result<Self::Metadata, ArrowError> {
                Ok(())
            }

            fn supports_data_type(&self, data_type: &DataType) -> Result<(), ArrowError> {
                let storage = $semantic.storage();
                let wanted = storage.to_arrow();
                if wanted.equals_datatype(data_type) {
                    Ok(())
                } else {
                    Err(ArrowError::InvalidArgumentError(format!(
                        "{} is stored as {wanted}, not {data_type}",
                        Self::NAME
                    )))
                }
            }

            fn try_new(data_type: &DataType, _metadata: Self::Metadata) -> Result<Self, ArrowError> {
                Self.supports_data_type(data_type)?;
                Ok(Self)
            }
        }
    };
}

extension_type!(
    /// The Arrow extension type of [`SemanticType::NodeId`].
    NodeId,
    "ossature.node_id",
    SemanticType::NodeId
);
extension_type!(
    /// The Arrow extension type of [`SemanticType::EdgeId`].
    EdgeIdType,
    "ossature.edge_id",
    SemanticType::EdgeId
);
extension_type!(
    /// The Arrow extension type of [`SemanticType::Span`].
    Span,
    "ossature.span",
    SemanticType::Span
);

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::Field;

    #[test]
    fn a_field_carries_its_extension_type_and_only_on_its_storage() {
        let mut field = Field::new("id", DataType::Int64, false);
        assert!(field.try_with_extension_type(NodeId).is_ok());
        assert_eq!(field.extension_type_name(), Some("ossature.node_id"));
        assert!(field.try_extension_type::<NodeId>().is_ok());
        assert!(
            Field::new("id", DataType::Utf8, false)
                .try_with_extension_type(NodeId)
                .is_err()
        );
    }

    #[test]
    fn names_are_unique_and_found_again() {
        for semantic in SemanticType::ALL {
            assert_eq!(
                SemanticType::from_extension_name(semantic.extension_name()),
                Some(semantic)
            );
        }
        assert_eq!(SemanticType::from_extension_name("ossature.nothing"), None);
    }
}
