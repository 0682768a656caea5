//! The policy file: what somebody wants of the tables of a lake, with the place of everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ossature_schema_spec::{DatasetName, DatasetSpec};

use crate::spelling::{
    Complaint, Entry, Node, Reader, Span, Spelled, SpellingError, Value, nearest_name, parse_toml,
    read_map,
};
use crate::{Error, LakeOverrides, PolicyOverrides, TablePolicy, resolve};

const DEFAULTS: &str = "defaults";
const TABLES: &str = "tables";
const QUERIES: &str = "queries";
const SQL: &str = "sql";
const CONSTRAINTS: &str = "constraints";

/// A line and a column of a text, both counted from 1. Columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Tells the places of bytes in a text.
struct Places<'a> {
    text: &'a str,
    /// Where lines begin, but for the first.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.match_indices('\n');
        Self {
            text,
            lines: ends.map(|(end, _)| end + 1).collect(),
        }
    }

    fn of(&self, byte: usize) -> Place {
        let before = self.lines.partition_point(|begin| *begin <= byte);
        // The first line begins the text.
        let begin = self.lines.get(..before).and_then(<[_]>::last);
        let begin = begin.copied().unwrap_or_default();
        let line = self.text.get(begin..byte.min(self.text.len()));
        Place {
            line: before + 1,
            column: line.unwrap_or_default().chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFileError {
    /// Where.
    pub place: Place,
    /// The keys that lead there, dotted; empty when the text is no TOML.
    pub path: String,
    /// What.
    pub problem: PolicyFileProblem,
}

/// What is wrong at one place of a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileProblem {
    /// It cannot be read.
    #[error(transparent)]
    Spelling(SpellingError),
    /// It is about a table that is not there.
    #[error("found table `{found}`, wanted one that is written")]
    UnknownTable {
        /// The table.
        found: DatasetName,
        /// The nearest table that is there, if one is near.
        nearest: Option<String>,
    },
    /// A query is none over the tables.
    #[error("{reason}")]
    Query {
        /// What is wrong with it, in one line.
        reason: String,
    },
    /// A constraint is none over the columns of a table.
    #[error("{reason}{}", of_tables(tables))]
    Constraint {
        /// The tables for which it is refused.
        tables: Vec<DatasetName>,
        /// What is wrong with it for the first of them, in one line.
        reason: String,
    },
    /// No table can be kept like that.
    #[error("{error}{}", of_tables(tables))]
    Refused {
        /// The tables that are refused for the same reason, in the order in which they were checked.
        tables: Vec<DatasetName>,
        /// Why.
        error: Error,
    },
}

/// Whose fault it is is plain where a message is about one table.
fn of_tables(tables: &[DatasetName]) -> String {
    match tables.len() {
        0 | 1 => String::new(),
        count => format!(" ({count} tables)"),
    }
}

impl PolicyFileProblem {
    /// A stable identifier of what is wrong, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Spelling(error) => error.code(),
            Self::UnknownTable { .. } => "unknown_table",
            Self::Query { .. } => "query_unusable",
            Self::Constraint { .. } => "constraint_unusable",
            Self::Refused { error, .. } => error.code(),
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Spelling(error) => error.hint(),
            Self::UnknownTable { nearest, .. } => {
                nearest.as_ref().map(|nearest| format!("write `{nearest}`"))
            }
            Self::Query { .. } | Self::Constraint { .. } => None,
            Self::Refused { error, .. } => error.hint(),
        }
    }
}

/// A query that somebody asks of the tables again and again, as a policy file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileQuery {
    /// Its name.
    pub name: String,
    /// The query, in SQL.
    pub sql: String,
}

/// Everything that is wrong with a policy file, in the order of its lines; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFileErrors {
    file: String,
    errors: Vec<PolicyFileError>,
}

impl PolicyFileErrors {
    fn none_or<T>(file: &str, mut errors: Vec<PolicyFileError>, value: T) -> Result<T, Self> {
        if errors.is_empty() {
            return Ok(value);
        }
        errors.sort_by_key(|error| error.place);
        Err(Self {
            file: file.to_owned(),
            errors,
        })
    }

    /// What several looks at one file found, in the order of its lines.
    ///
    /// **Errors**: all of it; none where nothing was found.
    pub fn all_of(found: impl IntoIterator<Item = Option<Self>>) -> Result<(), Self> {
        let mut found = found.into_iter().flatten();
        let Some(first) = found.next() else {
            return Ok(());
        };
        let others = found.flat_map(|other| other.errors);
        let errors: Vec<PolicyFileError> = first.errors.into_iter().chain(others).collect();
        Self::none_or(&first.file, errors, ())
    }

    /// The file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The errors, in the order of the file's lines.
    pub fn iter(&self) -> std::slice::Iter<'_, PolicyFileError> {
        self.errors.iter()
    }

    /// Whether the file can be read, and a policy in it is refused.
    pub fn is_refusal(&self) -> bool {
        let mut problems = self.errors.iter().map(|error| &error.problem);
        problems.all(|problem| {
            matches!(
                problem,
                PolicyFileProblem::Refused { .. } | PolicyFileProblem::Constraint { .. }
            )
        })
    }

    /// A stable identifier, for programs: `policy_refused`, or `policy_file_invalid` when it cannot be read.
    pub fn code(&self) -> &'static str {
        if self.is_refusal() {
            "policy_refused"
        } else {
            "policy_file_invalid"
        }
    }
}

impl<'a> IntoIterator for &'a PolicyFileErrors {
    type Item = &'a PolicyFileError;
    type IntoIter = std::slice::Iter<'a, PolicyFileError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for PolicyFileErrors {
    /// One line for each error: place, keys, what was found and wanted, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{}: ", self.file, error.place)?;
            if !error.path.is_empty() {
                write!(f, "{}: ", error.path)?;
            }
            write!(f, "{}", error.problem)?;
            if let Some(hint) = error.problem.hint() {
                write!(f, "; {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for PolicyFileErrors {}

/// A policy file: `[defaults]` for every table, `[tables."stage.table"]` for single ones, and `[queries.NAME]` for what is asked of
/// them again and again, which statistics are chosen for.
///
/// ```
/// use ossature_delta_policy::PolicyFile;
/// let file = PolicyFile::parse(
///     "policy.toml",
///     r#"
///     [defaults]
///     statistics = { auto = 8 }
///
///     [tables."cpg.cpg_nodes"]
///     rows_per_file_max = 500000
///     parquet = { codec = "zstd(3)", columns.node_id.statistics = "page" }
///     default = ["change_feed"]
///
///     [queries.long_files]
///     sql = "SELECT path FROM extract.files WHERE line_count > 1000"
///     "#,
/// )?;
/// assert_eq!(file.overrides().tables.len(), 1);
///
/// let wrong = PolicyFile::parse("policy.toml", "[defaults]\nrows_per_file = 5\n").unwrap_err();
/// assert!(wrong.to_string().starts_with("policy.toml:2:1: defaults.rows_per_file: found key"));
/// # Ok::<(), ossature_delta_policy::PolicyFileErrors>(())
/// ```
#[derive(Debug, Clone)]
pub struct PolicyFile {
    name: String,
    text: String,
    overrides: LakeOverrides,
    queries: Vec<FileQuery>,
    places: BTreeMap<Vec<String>, Span>,
    /// The sections in which something could not be read.
    misread: BTreeSet<Vec<String>>,
}

impl PolicyFile {
    /// Reads the text of a file; `file_name` is for messages.
    ///
    /// **Errors**: everything that is wrong with its form, at once, each with its place. Of a line that is no TOML, only that is
    /// told.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, PolicyFileErrors> {
        match Self::read(file_name, text) {
            (file, None) => Ok(file),
            (_, Some(errors)) => Err(errors),
        }
    }

    /// Reads the text of a file as far as that is possible, with what [`PolicyFile::parse`] would have refused: so that what is
    /// wrong elsewhere can be told beside it ([`PolicyFileErrors::all_of`]).
    pub fn read(file_name: &str, text: &str) -> (Self, Option<PolicyFileErrors>) {
        let places = Places::new(text);
        let (node, mut complaints) = parse_toml(text);
        let mut reader = Reader::default();
        let (overrides, queries) = read(&node, &mut reader).unwrap_or_default();
        let broken: BTreeSet<usize> = complaints
            .iter()
            .map(|complaint| places.of(complaint.span.start).line)
            .collect();
        let is_sound =
            |complaint: &Complaint| !broken.contains(&places.of(complaint.span.start).line);
        complaints.extend(reader.complaints.into_iter().filter(is_sound));
        let misread = complaints.iter().map(|complaint| section(&complaint.path));
        let misread = misread.collect();
        let errors = complaints.into_iter().map(|complaint| PolicyFileError {
            place: places.of(complaint.span.start),
            path: dotted(&complaint),
            problem: PolicyFileProblem::Spelling(complaint.error),
        });
        let file = Self {
            name: file_name.to_owned(),
            text: text.to_owned(),
            overrides,
            queries: queries.0,
            places: reader.places,
            misread,
        };
        let errors = PolicyFileErrors::none_or(file_name, errors.collect(), ()).err();
        (file, errors)
    }

    /// What the file says.
    pub fn overrides(&self) -> &LakeOverrides {
        &self.overrides
    }

    /// The queries that it names, in order of name.
    pub fn queries(&self) -> &[FileQuery] {
        &self.queries
    }

    /// Refuses queries of the file, each by its name and for a reason.
    ///
    /// **Errors**: all of them, each at the place of its text; none where there are no reasons.
    pub fn refuse_queries(
        &self,
        reasons: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), PolicyFileErrors> {
        let places = Places::new(&self.text);
        let errors = reasons.into_iter().map(|(name, reason)| {
            let path = [QUERIES.to_owned(), name, SQL.to_owned()];
            let span = self.places.get(&path[..]);
            PolicyFileError {
                place: places.of(span.map_or(0, |span| span.start)),
                path: join(&path),
                problem: PolicyFileProblem::Query { reason },
            }
        });
        PolicyFileErrors::none_or(&self.name, errors.collect(), ())
    }

    /// Refuses constraints of the file: of a table, by name, and for a reason.
    ///
    /// **Errors**: all of them, each at its place; of one that several tables refuse, the reason of the first. None where there are
    /// no reasons.
    pub fn refuse_constraints(
        &self,
        reasons: impl IntoIterator<Item = (DatasetName, String, String)>,
    ) -> Result<(), PolicyFileErrors> {
        let mut errors: Vec<PolicyFileError> = Vec::new();
        for (dataset, name, reason) in reasons {
            let (place, path, _) = self.place(&dataset, &[CONSTRAINTS.to_owned(), name]);
            let told = errors.iter_mut().find_map(|told| match &mut told.problem {
                PolicyFileProblem::Constraint { tables, .. } if told.place == place => Some(tables),
                _ => None,
            });
            if let Some(tables) = told {
                tables.push(dataset);
                continue;
            }
            let tables = vec![dataset];
            let problem = PolicyFileProblem::Constraint { tables, reason };
            errors.push(PolicyFileError {
                place,
                path,
                problem,
            });
        }
        PolicyFileErrors::none_or(&self.name, errors, ())
    }

    /// Resolves the policy of every table that is written, with what the datasets themselves declare.
    ///
    /// **Errors**: every table that the file names and that is not among `datasets`, and everything that
    /// [`resolve`] refuses, each at the place in the file that it is about. In a section of a file in which something could not
    /// be read, nothing is told to be refused: that may be a consequence.
    pub fn check<'a>(
        &self,
        datasets: impl IntoIterator<Item = (&'a DatasetSpec, TablePolicy)>,
    ) -> Result<(), PolicyFileErrors> {
        let mut known = BTreeSet::new();
        let mut errors: Vec<PolicyFileError> = Vec::new();
        for (dataset, policy) in datasets {
            let name = dataset.name();
            known.insert(name.clone());
            let request = self.overrides.request(name);
            let Err(refused) = resolve(&request, &self.overrides.location, dataset, &policy, &[])
            else {
                continue;
            };
            for error in refused {
                let (place, path, section) = self.place(name, &error.path());
                if self.misread.contains(&section) {
                    continue;
                }
                let told = errors.iter_mut().find_map(|told| match &mut told.problem {
                    PolicyFileProblem::Refused {
                        tables,
                        error: other,
                    } if told.place == place
                        && tables.first().map(|first| error.as_of(first)).as_ref()
                            == Some(other) =>
                    {
                        Some(tables)
                    }
                    _ => None,
                });
                if let Some(tables) = told {
                    tables.push(name.clone());
                    continue;
                }
                errors.push(PolicyFileError {
                    place,
                    path,
                    problem: PolicyFileProblem::Refused {
                        tables: vec![name.clone()],
                        error,
                    },
                });
            }
        }
        let unknown = self
            .overrides
            .tables
            .keys()
            .filter(|it| !known.contains(it));
        errors.extend(unknown.map(|name| {
            let (place, path, _) = self.place(name, &[]);
            let known = known.iter().map(DatasetName::as_str);
            PolicyFileError {
                place,
                path,
                problem: PolicyFileProblem::UnknownTable {
                    found: name.clone(),
                    nearest: nearest_name(name.as_str(), known),
                },
            }
        }));
        PolicyFileErrors::none_or(&self.name, errors, ())
    }

    /// The place that says most of what a path says: for the table, or else for every table; with its path and its section.
    fn place(&self, dataset: &DatasetName, path: &[String]) -> (Place, String, Vec<String>) {
        let own = vec![TABLES.to_owned(), dataset.to_string()];
        let common = vec![DEFAULTS.to_owned()];
        let longest = |base: &[String]| {
            (0..=path.len()).rev().find_map(|length| {
                let full = [base, path.get(..length)?].concat();
                let span = self.places.get(&full)?;
                Some((length, full, span))
            })
        };
        let found = [longest(&common), longest(&own)].into_iter().flatten();
        match found.max_by_key(|(length, ..)| *length) {
            Some((_, full, span)) => {
                let place = Places::new(&self.text).of(span.start);
                (place, join(&full), section(&full))
            }
            None => (Place { line: 1, column: 1 }, String::new(), Vec::new()),
        }
    }
}

/// What a path begins with: `defaults`, or one of the tables or queries.
fn section(path: &[String]) -> Vec<String> {
    let is_common = path.first().is_some_and(|first| first == DEFAULTS);
    path.iter()
        .take(if is_common { 1 } else { 2 })
        .cloned()
        .collect()
}

/// What a file says, as far as it can be read.
fn read(node: &Node, reader: &mut Reader) -> Option<(LakeOverrides, Queries)> {
    let wanted = "the tables `defaults`, `tables` and `queries`";
    let fields = reader.fields(node, &[DEFAULTS, TABLES, QUERIES], wanted)?;
    let location: Option<PolicyOverrides> = reader.option(&fields, DEFAULTS);
    let tables: Option<Tables> = reader.option(&fields, TABLES);
    let queries: Option<Queries> = reader.option(&fields, QUERIES);
    let overrides = LakeOverrides {
        location: location.unwrap_or_default(),
        tables: tables.unwrap_or_default().0,
    };
    Some((overrides, queries.unwrap_or_default()))
}

#[derive(Default)]
struct Queries(Vec<FileQuery>);

/// The text of a query.
struct Sql(String);

impl Spelled for Sql {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let wanted = "a table with the query as `sql`";
        let fields = reader.fields(node, &[SQL], wanted)?;
        if !fields.has(SQL) {
            return reader.refuse(node, wanted);
        }
        reader.option(&fields, SQL).map(Self)
    }

    fn write(&self) -> Value {
        Value::table([(SQL, Value::text(&self.0))])
    }
}

impl Spelled for Queries {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let wanted = "queries by names of 1 to 100 letters, digits, `_` and `-`";
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let queries = read_map(node, reader, wanted, |entry, reader| {
            let name = &entry.key;
            if (1..=100).contains(&name.len()) && name.bytes().all(is_plain) {
                return Some(name.clone());
            }
            let (found, wanted) = (name.clone(), wanted.to_owned());
            let error = SpellingError::UnknownKey {
                found,
                wanted,
                nearest: None,
            };
            reader.complain(&entry.key_span, error);
            None
        });
        let queries = queries?.into_iter();
        let queries = queries.map(|(name, Sql(sql))| FileQuery { name, sql });
        Some(Self(queries.collect()))
    }

    fn write(&self) -> Value {
        let queries = self.0.iter();
        Value::table(queries.map(|it| (it.name.as_str(), Sql(it.sql.clone()).write())))
    }
}

#[derive(Default)]
struct Tables(BTreeMap<DatasetName, PolicyOverrides>);

impl Spelled for Tables {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let wanted = "tables that are named like `\"cpg.cpg_nodes\"`";
        let entries = reader.entries(node, wanted)?;
        // A name without quotes is two keys, and would be complained of once for every field below.
        let (named, others): (Vec<&Entry>, Vec<&Entry>) = entries
            .into_iter()
            .partition(|entry| DatasetName::try_new(&entry.key).is_ok());
        for entry in others {
            reader.complain(
                &entry.key_span,
                SpellingError::UnknownKey {
                    found: entry.key.clone(),
                    wanted: wanted.to_owned(),
                    nearest: quoted(entry),
                },
            );
        }
        let named = Node {
            value: Value::Table(named.into_iter().cloned().collect()),
            span: node.span.clone(),
        };
        read_map(&named, reader, wanted, |entry, _| {
            DatasetName::try_new(&entry.key).ok()
        })
        .map(Self)
    }

    fn write(&self) -> Value {
        let tables = self.0.iter();
        Value::table(tables.map(|(name, overrides)| (name.as_str(), overrides.write())))
    }
}

/// The name that is meant by `cpg.cpg_nodes` without quotes, which is a table in a table.
fn quoted(entry: &Entry) -> Option<String> {
    let Value::Table(inner) = &entry.node.value else {
        return None;
    };
    let inner = inner.first()?;
    // A field of a policy may stand there, too; what is said of a table is itself a table.
    if !matches!(inner.node.value, Value::Table(_)) {
        return None;
    }
    let name = format!("{}.{}", entry.key, inner.key);
    DatasetName::try_new(&name).ok()?;
    Some(format!("\"{name}\""))
}

fn dotted(complaint: &Complaint) -> String {
    let mut path = complaint.path.clone();
    match &complaint.error {
        SpellingError::UnknownKey { found, .. } | SpellingError::DuplicateKey { found } => {
            path.push(found.clone());
        }
        _ => {}
    }
    join(&path)
}

/// Keys as TOML writes them.
fn join(path: &[String]) -> String {
    let is_bare = |key: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        !key.is_empty() && key.bytes().all(is_plain)
    };
    let keys = path.iter().map(|key| {
        if is_bare(key) {
            key.clone()
        } else {
            format!("{key:?}")
        }
    });
    keys.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests;
