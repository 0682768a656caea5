//! What is asked of a change feed.

use std::fmt;

use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::prelude::lit;
use ossature_schema_spec::{ColumnName, Version};

/// The column that says what became of a row: `insert`, `update_preimage`, `update_postimage` or `delete`.
pub const CHANGE_TYPE: &str = "_change_type";
/// The column with the version that made the change.
pub const COMMIT_VERSION: &str = "_commit_version";
/// The column with the time of that version, as its commit says; 1970 where it says none.
pub const COMMIT_TIMESTAMP: &str = "_commit_timestamp";

/// The columns that a feed adds.
pub(super) const ADDED_COLUMNS: [&str; 3] = [CHANGE_TYPE, COMMIT_VERSION, COMMIT_TIMESTAMP];

/// Where a window begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeedBound {
    /// At this version, which belongs to the window.
    Version(Version),
    /// At this time, in milliseconds since 1970 in UTC: a window begins with the first version that was made then or
    /// later, and ends with the last one that was made then or before.
    UnixMs(i64),
}

impl fmt::Display for FeedBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(f),
            Self::UnixMs(time) => write!(f, "{time} ms"),
        }
    }
}

/// The changes that are wanted. Rows as they were before an update are never among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChangeFilter {
    /// Rows that came.
    pub insert: bool,
    /// Rows as they are after an update.
    pub update_postimage: bool,
    /// Rows that went.
    pub delete: bool,
}

impl Default for ChangeFilter {
    /// All of them.
    fn default() -> Self {
        Self {
            insert: true,
            update_postimage: true,
            delete: true,
        }
    }
}

impl ChangeFilter {
    /// The change types that pass, as the feed spells them.
    pub fn change_types(self) -> Vec<&'static str> {
        [
            (self.insert, "insert"),
            (self.update_postimage, "update_postimage"),
            (self.delete, "delete"),
        ]
        .into_iter()
        .filter_map(|(wanted, name)| wanted.then_some(name))
        .collect()
    }

    /// The filter as an expression over a feed; with nothing wanted, `FALSE`.
    pub fn predicate(self) -> Expr {
        let types: Vec<Expr> = self.change_types().into_iter().map(lit).collect();
        if types.is_empty() {
            return lit(false);
        }
        Expr::Column(Column::from_name(CHANGE_TYPE)).in_list(types, false)
    }
}

/// Which rows of a feed are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Changes {
    /// Rows as they are after a change, and rows that went.
    Chosen(ChangeFilter),
    /// All rows, those before an update as well.
    WithPreimages,
}

impl Default for Changes {
    fn default() -> Self {
        Self::Chosen(ChangeFilter::default())
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithPreimages => f.write_str("all, with pre-images"),
            Self::Chosen(filter) => match filter.change_types().as_slice() {
                [] => f.write_str("none"),
                types => f.write_str(&types.join(", ")),
            },
        }
    }
}

/// A window of a table's change feed, and what is wanted of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFeedRequest {
    /// The first version.
    pub start: FeedBound,
    /// The last version; without it, the newest one when the window is opened.
    pub end: Option<FeedBound>,
    /// The stored columns that are wanted, in this order; without it, all of them. The columns that the feed adds
    /// follow them in either case.
    pub columns: Option<Vec<ColumnName>>,
    /// An expression of SQL over all columns of the feed: rows for which it is true are read.
    pub predicate: Option<String>,
    /// Which changes are wanted.
    pub changes: Changes,
    /// Whether a window beyond the table's versions holds no rows, instead of being refused.
    pub allow_out_of_range: bool,
    /// The id that the table must have, when the caller has read it before.
    pub table_id: Option<String>,
}

impl ChangeFeedRequest {
    /// Everything from `start` to the newest version.
    pub fn starting(start: FeedBound) -> Self {
        Self {
            start,
            end: None,
            columns: None,
            predicate: None,
            changes: Changes::default(),
            allow_out_of_range: false,
            table_id: None,
        }
    }

    /// Everything from one version to another, both included.
    pub fn versions(from: Version, to: Version) -> Self {
        Self {
            end: Some(FeedBound::Version(to)),
            ..Self::starting(FeedBound::Version(from))
        }
    }
}

impl Default for ChangeFeedRequest {
    /// Everything since the table was created.
    fn default() -> Self {
        Self::starting(FeedBound::Version(Version::new(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_filter_lets_a_row_before_an_update_pass() {
        for bits in 0..8 {
            let filter = ChangeFilter {
                insert: bits & 1 != 0,
                update_postimage: bits & 2 != 0,
                delete: bits & 4 != 0,
            };
            let predicate = filter.predicate().to_string();
            assert!(!predicate.contains("preimage"), "{predicate}");
            assert_ne!(predicate, "Boolean(true)");
        }
    }

    #[test]
    fn a_filter_of_nothing_is_false() {
        let nothing = ChangeFilter {
            insert: false,
            update_postimage: false,
            delete: false,
        };
        assert_eq!(nothing.predicate(), lit(false));
        assert_eq!(Changes::Chosen(nothing).to_string(), "none");
    }
}
