//! The words for how a plan uses a column, and for how an output column comes from one.

use std::fmt;

/// How a plan uses a column of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// A scan reads it.
    Read,
    /// Its value, or what is computed of it, is in an output column.
    Projected,
    /// Rows are kept by comparing it for equality with what does not depend on the row: `=`, `IN (...)`, a flag alone.
    FilterEq,
    /// Rows are kept by comparing its order with what does not depend on the row: `<`, `BETWEEN`, `LIKE 'a%'`.
    FilterRange,
    /// Rows are kept by it in another way: a function of it, `<>`, `IS NULL`, a choice between columns.
    Filter,
    /// Rows of two inputs are matched where it equals a column of the other.
    JoinKey,
    /// Rows of two inputs are matched by it in another way.
    Join,
    /// Rows are gathered by it: `GROUP BY`, `DISTINCT`.
    Group,
    /// Rows are ordered by it.
    Sort,
    /// A window is partitioned or ordered by it.
    Window,
}

impl Role {
    /// Every role, in the order in which artifacts list them.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Projected,
        Self::FilterEq,
        Self::FilterRange,
        Self::Filter,
        Self::JoinKey,
        Self::Join,
        Self::Group,
        Self::Sort,
        Self::Window,
    ];

    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Projected => "projected",
            Self::FilterEq => "filter_eq",
            Self::FilterRange => "filter_range",
            Self::Filter => "filter",
            Self::JoinKey => "join_key",
            Self::Join => "join",
            Self::Group => "group_key",
            Self::Sort => "sort_key",
            Self::Window => "window",
        }
    }

    pub(crate) fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an output column comes from a column of an input.
///
/// **Source**: the transformation types of `OpenLineage`'s column lineage facet; casts are told apart, because engines
/// compare through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Derivation {
    /// It has the column's values.
    Identity,
    /// It has the column's values as another type.
    Cast,
    /// Each value is computed from one row.
    Transformation,
    /// Each value is computed from several rows.
    Aggregation,
    /// The column decides which of several values it is.
    Conditional,
    /// The column decides which rows are computed from, and in which order.
    Window,
}

impl Derivation {
    /// Every derivation, in the order in which artifacts list them.
    pub const ALL: [Self; 6] = [
        Self::Identity,
        Self::Cast,
        Self::Transformation,
        Self::Aggregation,
        Self::Conditional,
        Self::Window,
    ];

    /// The name in artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Cast => "cast",
            Self::Transformation => "transformation",
            Self::Aggregation => "aggregation",
            Self::Conditional => "conditional",
            Self::Window => "window",
        }
    }

    /// Whether the column's values enter the output's values, instead of only deciding about them.
    pub fn is_direct(self) -> bool {
        !matches!(self, Self::Conditional | Self::Window)
    }

    pub(crate) fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
