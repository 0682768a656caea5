//! What is admissible and still worth knowing.

use std::fmt;
use std::num::NonZeroU64;

use ossature_schema_spec::ColumnName;
use serde::{Deserialize, Serialize};

/// Something about a policy that is admissible and may not be meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Warning {
    /// Rows are clustered by a column of text.
    TextClustered {
        /// The column.
        column: ColumnName,
    },
    /// There were more candidates for statistics than columns allowed.
    StatisticsOverCap {
        /// The columns that were left out.
        columns: Vec<ColumnName>,
        /// How many columns are allowed.
        columns_max: u32,
    },
    /// Files hold so few rows that opening them costs more than reading them.
    SmallFiles {
        /// How many rows a file holds at the most.
        rows_per_file_max: NonZeroU64,
    },
    /// Files are deleted while somebody may still read them.
    ShortVacuum {
        /// After how many days.
        days: u32,
    },
}

impl Warning {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TextClustered { .. } => "text_clustered",
            Self::StatisticsOverCap { .. } => "statistics_over_cap",
            Self::SmallFiles { .. } => "small_files",
            Self::ShortVacuum { .. } => "short_vacuum",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextClustered { column } => write!(
                f,
                "rows are clustered by the text `{column}`: the runtime's own z-order would compare its first 16 bytes; \
                 the clustering here uses ranks"
            ),
            Self::StatisticsOverCap {
                columns,
                columns_max,
            } => {
                let names: Vec<&str> = columns.iter().map(ColumnName::as_str).collect();
                write!(
                    f,
                    "at most {columns_max} columns get statistics, so these get none: {}",
                    names.join(", ")
                )
            }
            Self::SmallFiles { rows_per_file_max } => write!(
                f,
                "a file holds at most {rows_per_file_max} rows, so opening files takes most of the time"
            ),
            Self::ShortVacuum { days } => write!(
                f,
                "files are deleted {days} days after their last version, while long queries and published runs may \
                 still read them; 7 days are usual"
            ),
        }
    }
}
