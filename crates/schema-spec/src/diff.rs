//! How a schema that was found differs from the one that was declared.

use std::fmt;

use crate::{ColumnName, ColumnSpec, ColumnType, DatasetSpec, FieldSpec, SemanticType};

/// One difference between the declared columns and those found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A declared column is not there.
    Missing {
        /// The column.
        column: ColumnName,
        /// Its declared type.
        wanted: ColumnType,
        /// Whether reading can fill it in: it may be null or has a default.
        fillable: bool,
    },
    /// A column is there that is not declared.
    Extra {
        /// The column.
        column: ColumnName,
        /// Its type.
        found: ColumnType,
    },
    /// A column has another type.
    Type {
        /// The column.
        column: ColumnName,
        /// The declared type.
        wanted: ColumnType,
        /// The type found.
        found: ColumnType,
    },
    /// A column that is declared as never null may be null where it was found, or the other way round.
    Nullability {
        /// The column.
        column: ColumnName,
        /// Whether the declaration lets it be null.
        wanted: bool,
        /// Whether it may be null where it was found.
        found: bool,
    },
    /// A column means something else.
    Meaning {
        /// The column.
        column: ColumnName,
        /// The declared meaning.
        wanted: Option<SemanticType>,
        /// The meaning found.
        found: Option<SemanticType>,
    },
    /// A column stands at another place.
    Position {
        /// The column.
        column: ColumnName,
        /// Its declared place, counted from 0 among the columns that both have.
        wanted: usize,
        /// Its place where it was found.
        found: usize,
    },
}

/// What a difference means for a reader who relies on the declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Names decide, so nothing is lost.
    Harmless,
    /// A projection at the scan settles it without losing a value.
    Alignable,
    /// No projection settles it.
    Breaking,
}

impl Change {
    /// The column that it is about.
    pub fn column(&self) -> &ColumnName {
        match self {
            Self::Missing { column, .. }
            | Self::Extra { column, .. }
            | Self::Type { column, .. }
            | Self::Nullability { column, .. }
            | Self::Meaning { column, .. }
            | Self::Position { column, .. } => column,
        }
    }

    /// A stable identifier of the kind of difference, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Extra { .. } => "extra",
            Self::Type { .. } => "type",
            Self::Nullability { .. } => "nullability",
            Self::Meaning { .. } => "meaning",
            Self::Position { .. } => "position",
        }
    }

    /// What the difference means for a reader.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Position { .. } | Self::Extra { .. } | Self::Nullability { wanted: true, .. } => {
                Severity::Harmless
            }
            Self::Missing { fillable: true, .. } | Self::Meaning { found: None, .. } => {
                Severity::Alignable
            }
            Self::Type { wanted, found, .. } if widens(found, wanted) => Severity::Alignable,
            Self::Missing { .. }
            | Self::Type { .. }
            | Self::Nullability { .. }
            | Self::Meaning { .. } => Severity::Breaking,
        }
    }
}

/// Whether every value of `from` is a value of `to`. Of groups, fields go by their names: those that are not wanted are left
/// out, and those that are not there are null.
fn widens(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType::{
        Date, Float32, Float64, Int8, Int16, Int32, Int64, List, Struct, TimestampNtz,
    };
    match (from, to) {
        (List(from), List(to)) => return becomes(from, to),
        (Struct(from), Struct(to)) => {
            let stored = |field: &FieldSpec| from.iter().find(|it| it.name() == field.name());
            // Nothing tells how many of no rows there are: the engine refuses groups without a field in common.
            return to.iter().any(|field| stored(field).is_some())
                && to.iter().all(|field| match stored(field) {
                    Some(from) => becomes(from, field),
                    None => field.is_nullable(),
                });
        }
        _ => {}
    }
    matches!(
        (from, to),
        (Int8, Int16 | Int32 | Int64 | Float32 | Float64)
            | (Int16, Int32 | Int64 | Float32 | Float64)
            | (Int32, Int64 | Float64)
            | (Float32, Float64)
            | (Date, TimestampNtz)
    )
}

/// Whether a field can be read as another.
fn becomes(from: &FieldSpec, to: &FieldSpec) -> bool {
    (to.is_nullable() || !from.is_nullable())
        && (from.semantic_type().is_none() || from.semantic_type() == to.semantic_type())
        && (from.column_type() == to.column_type() || widens(from.column_type(), to.column_type()))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = |semantic: &Option<SemanticType>| match semantic {
            Some(semantic) => semantic.extension_name(),
            None => "no meaning",
        };
        let nullability = |nullable: &bool| if *nullable { "nullable" } else { "never null" };
        match self {
            Self::Missing { column, wanted, .. } => {
                write!(f, "{column}: wanted {wanted}, found no such column")
            }
            Self::Extra { column, found } => write!(f, "{column}: not declared, found {found}"),
            Self::Type {
                column,
                wanted,
                found,
            } => {
                write!(f, "{column}: wanted {wanted}, found {found}")
            }
            Self::Nullability {
                column,
                wanted,
                found,
            } => {
                write!(
                    f,
                    "{column}: wanted {}, found {}",
                    nullability(wanted),
                    nullability(found)
                )
            }
            Self::Meaning {
                column,
                wanted,
                found,
            } => {
                write!(
                    f,
                    "{column}: wanted {}, found {}",
                    meaning(wanted),
                    meaning(found)
                )
            }
            Self::Position {
                column,
                wanted,
                found,
            } => {
                write!(f, "{column}: wanted at place {wanted}, found at {found}")
            }
        }
    }
}

/// All differences, in declared order, the columns that are not declared last.
///
/// **Determinism**: a function of its arguments only; the difference of a declaration to itself is empty.
///
/// ```
/// use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, Severity, diff_columns};
/// let declared = DatasetSpec::builder("extract.things", "")
///     .column(ColumnSpec::required("id", ColumnType::Int64)?)
///     .build()?;
/// let found = [ColumnSpec::required("id", ColumnType::Int32)?];
/// let changes = diff_columns(&declared, &found);
/// assert_eq!(changes[0].to_string(), "id: wanted long, found integer");
/// assert_eq!(changes[0].severity(), Severity::Alignable);
/// # Ok::<(), ossature_schema_spec::Error>(())
/// ```
pub fn diff_columns(declared: &DatasetSpec, found: &[ColumnSpec]) -> Vec<Change> {
    let common: Vec<&ColumnName> = found
        .iter()
        .map(ColumnSpec::name)
        .filter(|name| declared.column(name).is_some())
        .collect();
    let mut changes = Vec::new();
    let mut place = 0;
    for wanted in declared.columns() {
        let Some(actual) = found.iter().find(|column| column.name() == wanted.name()) else {
            changes.push(Change::Missing {
                column: wanted.name().clone(),
                wanted: wanted.column_type().clone(),
                fillable: wanted.is_nullable() || wanted.default_value().is_some(),
            });
            continue;
        };
        compare(wanted, actual, &mut changes);
        let found_at = common.iter().position(|name| *name == wanted.name());
        if let Some(found_at) = found_at.filter(|at| *at != place) {
            changes.push(Change::Position {
                column: wanted.name().clone(),
                wanted: place,
                found: found_at,
            });
        }
        place += 1;
    }
    changes.extend(
        found
            .iter()
            .filter(|column| declared.column(column.name()).is_none())
            .map(|column| Change::Extra {
                column: column.name().clone(),
                found: column.column_type().clone(),
            }),
    );
    changes
}

fn compare(wanted: &ColumnSpec, actual: &ColumnSpec, changes: &mut Vec<Change>) {
    let column = wanted.name();
    if wanted.column_type() != actual.column_type() {
        changes.push(Change::Type {
            column: column.clone(),
            wanted: wanted.column_type().clone(),
            found: actual.column_type().clone(),
        });
    }
    if wanted.is_nullable() != actual.is_nullable() {
        changes.push(Change::Nullability {
            column: column.clone(),
            wanted: wanted.is_nullable(),
            found: actual.is_nullable(),
        });
    }
    if wanted.semantic_type() != actual.semantic_type() {
        changes.push(Change::Meaning {
            column: column.clone(),
            wanted: wanted.semantic_type(),
            found: actual.semantic_type(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn dataset(columns: Vec<ColumnSpec>) -> DatasetSpec {
        DatasetSpec::builder("test.things", "")
            .columns(columns)
            .build()
            .unwrap()
    }

    fn required(name: &str, column_type: ColumnType) -> ColumnSpec {
        ColumnSpec::required(name, column_type).unwrap()
    }

    #[track_caller]
    fn check(declared: Vec<ColumnSpec>, found: &[ColumnSpec], want: &Expect) {
        let changes: Vec<String> = diff_columns(&dataset(declared), found)
            .iter()
            .map(|change| format!("{change} ({:?})", change.severity()))
            .collect();
        want.assert_eq(&changes.join("\n"));
    }

    #[test]
    fn every_kind_of_difference_is_told_with_what_was_wanted_and_found() {
        let id = required("id", ColumnType::Int64);
        let marked = id.clone().semantic(SemanticType::NodeId).unwrap();
        let name = ColumnSpec::nullable("name", ColumnType::Utf8).unwrap();
        check(
            vec![marked, name.clone(), required("size", ColumnType::Int64)],
            &[
                ColumnSpec::nullable("id", ColumnType::Int64).unwrap(),
                required("size", ColumnType::Utf8),
                required("more", ColumnType::Binary),
            ],
            &expect![[r"
                id: wanted never null, found nullable (Breaking)
                id: wanted ossature.node_id, found no meaning (Alignable)
                name: wanted string, found no such column (Alignable)
                size: wanted long, found string (Breaking)
                more: not declared, found binary (Harmless)"]],
        );
        check(
            vec![id.clone(), name.clone()],
            &[name, id],
            &expect![[r"
                id: wanted at place 0, found at 1 (Harmless)
                name: wanted at place 1, found at 0 (Harmless)"]],
        );
    }

    proptest! {
        #[test]
        fn a_declaration_does_not_differ_from_itself(nullable in proptest::collection::vec(any::<bool>(), 1..6)) {
            let columns: Vec<ColumnSpec> = nullable
                .iter()
                .enumerate()
                .map(|(at, nullable)| {
                    let name = format!("c{at}");
                    if *nullable {
                        ColumnSpec::nullable(&name, ColumnType::Utf8).unwrap()
                    } else {
                        ColumnSpec::required(&name, ColumnType::Int64).unwrap()
                    }
                })
                .collect();
            prop_assert!(diff_columns(&dataset(columns.clone()), &columns).is_empty());
        }
    }
}
