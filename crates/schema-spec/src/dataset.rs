//! A dataset: its columns, its key, the order of its rows and how its files are laid out.

use std::collections::BTreeSet;
use std::fmt;

use crate::{
    CanonicalHasher, ColumnName, ColumnSpec, ColumnType, DatasetName, DefaultValue, Error,
    FieldSpec, Fingerprint, ParquetSpec,
};

/// One column of an order. Nulls come first, as in Arrow's row format.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey {
    /// The column.
    pub column: ColumnName,
    /// Whether the largest value comes first.
    pub descending: bool,
}

impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { " desc" } else { "" };
        write!(f, "{}{direction}", self.column)
    }
}

/// The declaration of a dataset. Everything that is declared is checked when it is built, and not again.
///
/// ```
/// use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, SemanticType};
/// let nodes = DatasetSpec::builder("extract.nodes", "One row for every node of a file's tree.")
///     .column(
///         ColumnSpec::required("node_id", ColumnType::Int64)?
///             .semantic(SemanticType::NodeId)?
///             .doc("The node."),
///     )
///     .column(ColumnSpec::nullable("name", ColumnType::Utf8)?.doc("Its name, if it has one."))
///     .key(["node_id"])
///     .order_by(["node_id"])
///     .build()?;
/// assert_eq!(nodes.arrow_schema().fields().len(), 2);
/// # Ok::<(), ossature_schema_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSpec {
    name: DatasetName,
    doc: String,
    columns: Vec<ColumnSpec>,
    key: Vec<ColumnName>,
    order: Vec<SortKey>,
    partition: Vec<ColumnName>,
    parquet: ParquetSpec,
}

impl DatasetSpec {
    /// Begins a declaration; what is wrong with it is told by [`DatasetSpecBuilder::build`].
    pub fn builder(name: &str, doc: &str) -> DatasetSpecBuilder {
        DatasetSpecBuilder {
            name: name.to_owned(),
            doc: doc.to_owned(),
            columns: Vec::new(),
            key: Vec::new(),
            order: Vec::new(),
            partition: Vec::new(),
            parquet: ParquetSpec::default(),
        }
    }

    /// The name.
    pub fn name(&self) -> &DatasetName {
        &self.name
    }

    /// What one row is.
    pub fn description(&self) -> &str {
        &self.doc
    }

    /// The columns, in declared order.
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// The column of that name.
    pub fn column(&self, name: &ColumnName) -> Option<&ColumnSpec> {
        self.columns.iter().find(|column| column.name() == name)
    }

    /// The columns whose values together occur once; empty when no key is declared.
    pub fn key(&self) -> &[ColumnName] {
        &self.key
    }

    /// The order of the rows; empty when none is declared.
    pub fn order(&self) -> &[SortKey] {
        &self.order
    }

    /// The columns whose values are kept in the log instead of the files.
    pub fn partition(&self) -> &[ColumnName] {
        &self.partition
    }

    /// Whether the order leaves no two rows in doubt, because it contains the key.
    pub fn is_totally_ordered(&self) -> bool {
        let has = |column: &ColumnName| self.order.iter().any(|key| key.column == *column);
        !self.key.is_empty() && self.key.iter().all(has)
    }

    /// What rows are sorted by before they are written, so that equal rows come in one sequence: the declared order, or the
    /// partition columns where none is declared, and then the other columns, unless the order leaves no two rows in doubt.
    /// Nested columns are left out, as engines do not agree on how they compare; rows that differ in nothing else keep their sequence.
    pub fn write_order(&self) -> Vec<SortKey> {
        let ascending = |column: &ColumnName| SortKey {
            column: column.clone(),
            descending: false,
        };
        let mut keys = self.order.clone();
        if keys.is_empty() {
            keys.extend(self.partition.iter().map(ascending));
        }
        if !self.is_totally_ordered() {
            let is_placed = |column: &ColumnName| keys.iter().any(|key| key.column == *column);
            let comparable = self.columns.iter().filter(|column| column.is_comparable());
            let others = comparable.map(ColumnSpec::name);
            let others: Vec<_> = others
                .filter(|name| !is_placed(name))
                .map(ascending)
                .collect();
            keys.extend(others);
        }
        keys
    }

    /// How the files are encoded.
    pub fn parquet(&self) -> &ParquetSpec {
        &self.parquet
    }

    /// The same dataset with files that are encoded like this; no reader sees a difference.
    ///
    /// **Errors**: [`Error::UndeclaredColumn`] for the layout of a column that is not there.
    pub fn with_parquet(self, parquet: ParquetSpec) -> Result<Self, Error> {
        let mut names = parquet.columns.keys();
        match names.find(|name| self.column(name).is_none()) {
            Some(column) => Err(Error::UndeclaredColumn {
                dataset: self.name,
                column: column.clone(),
                role: "parquet layout",
            }),
            None => Ok(Self { parquet, ..self }),
        }
    }

    /// A digest of what readers rely on: names, types, nullability, meanings, defaults, key, order and partition.
    ///
    /// Descriptions and the encoding of files are left out: they change no row.
    pub fn contract_hash(&self) -> Fingerprint {
        let mut hasher = CanonicalHasher::new("ossature.dataset_contract.v1");
        hasher.text(self.name.as_str());
        hasher.list(self.columns.len());
        for column in &self.columns {
            hash_field(&mut hasher, column.field());
            match column.default_value() {
                None => hasher.absent(),
                Some(DefaultValue::Boolean(value)) => hasher.flag(*value),
                Some(DefaultValue::Integer(value)) => hasher.integer(*value),
                Some(DefaultValue::Text(value)) => hasher.text(value),
            }
        }
        hash_names(&mut hasher, &self.key);
        hasher.list(self.order.len());
        for key in &self.order {
            hasher.text(key.column.as_str());
            hasher.flag(key.descending);
        }
        hash_names(&mut hasher, &self.partition);
        hasher.finish()
    }
}

fn hash_names(hasher: &mut CanonicalHasher, names: &[ColumnName]) {
    hasher.list(names.len());
    for name in names {
        hasher.text(name.as_str());
    }
}

fn hash_field(hasher: &mut CanonicalHasher, field: &FieldSpec) {
    hasher.text(field.name().as_str());
    hash_type(hasher, field.column_type());
    hasher.flag(field.is_nullable());
    match field.semantic_type() {
        Some(semantic) => hasher.text(semantic.extension_name()),
        None => hasher.absent(),
    }
}

/// Meanings and nullability inside nested types count too, so types are not hashed by their display form.
fn hash_type(hasher: &mut CanonicalHasher, column_type: &ColumnType) {
    match column_type {
        ColumnType::List(element) => {
            hasher.text("array");
            hash_field(hasher, element);
        }
        ColumnType::Struct(fields) => {
            hasher.text("struct");
            hasher.list(fields.len());
            for field in fields {
                hash_field(hasher, field);
            }
        }
        ColumnType::Map { key, value } => {
            hasher.text("map");
            hash_type(hasher, key);
            hash_field(hasher, value);
        }
        plain => hasher.text(&plain.to_string()),
    }
}

/// Collects a declaration and checks it as a whole.
#[derive(Debug, Clone)]
pub struct DatasetSpecBuilder {
    name: String,
    doc: String,
    columns: Vec<ColumnSpec>,
    key: Vec<String>,
    order: Vec<(String, bool)>,
    partition: Vec<String>,
    parquet: ParquetSpec,
}

impl DatasetSpecBuilder {
    /// Adds a column after those before.
    #[must_use]
    pub fn column(mut self, column: ColumnSpec) -> Self {
        self.columns.push(column);
        self
    }

    /// Adds columns after those before.
    #[must_use]
    pub fn columns(mut self, columns: impl IntoIterator<Item = ColumnSpec>) -> Self {
        self.columns.extend(columns);
        self
    }

    /// Names the columns whose values together occur once.
    #[must_use]
    pub fn key<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.key = columns.into_iter().map(str::to_owned).collect();
        self
    }

    /// Orders the rows by these columns, smallest first.
    #[must_use]
    pub fn order_by<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.order = columns
            .into_iter()
            .map(|column| (column.to_owned(), false))
            .collect();
        self
    }

    /// Orders by one more column, largest first.
    #[must_use]
    pub fn then_descending(mut self, column: &str) -> Self {
        self.order.push((column.to_owned(), true));
        self
    }

    /// Keeps the values of these columns in the log, one folder of files for each. Where an order is declared, they lead it.
    #[must_use]
    pub fn partition_by<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.partition = columns.into_iter().map(str::to_owned).collect();
        self
    }

    /// Lays the files out like this.
    #[must_use]
    pub fn parquet(mut self, parquet: ParquetSpec) -> Self {
        self.parquet = parquet;
        self
    }

    /// Checks the declaration.
    ///
    /// **Errors**: [`Error::InvalidDatasetName`], [`Error::InvalidColumnName`], [`Error::DuplicateColumn`],
    /// [`Error::UndeclaredColumn`] for a key, order, partition or layout of a column that is not there,
    /// [`Error::RepeatedColumn`], [`Error::PartitionBehindOrder`] and [`Error::NoColumns`].
    pub fn build(self) -> Result<DatasetSpec, Error> {
        let dataset = DatasetName::try_new(&self.name)?;
        let mut folded = BTreeSet::new();
        for column in &self.columns {
            if !folded.insert(column.name().as_str().to_ascii_lowercase()) {
                return Err(Error::DuplicateColumn {
                    dataset,
                    column: column.name().clone(),
                });
            }
        }
        let declared = |name: &str, role| {
            let name = ColumnName::try_new(name)?;
            if self.columns.iter().any(|column| *column.name() == name) {
                Ok(name)
            } else {
                Err(Error::UndeclaredColumn {
                    dataset: dataset.clone(),
                    column: name,
                    role,
                })
            }
        };
        let all = |names: &mut dyn Iterator<Item = &String>, role| {
            let mut found: Vec<ColumnName> = Vec::new();
            for name in names {
                let column = declared(name, role)?;
                if found.contains(&column) {
                    let dataset = dataset.clone();
                    return Err(Error::RepeatedColumn {
                        dataset,
                        column,
                        role,
                    });
                }
                found.push(column);
            }
            Ok(found)
        };
        let key = all(&mut self.key.iter(), "key")?;
        let partition = all(&mut self.partition.iter(), "partition")?;
        let ordered = all(&mut self.order.iter().map(|(name, _)| name), "order")?;
        let descending = self.order.iter().map(|(_, descending)| *descending);
        let order: Vec<SortKey> = ordered
            .into_iter()
            .zip(descending)
            .map(|(column, descending)| SortKey { column, descending })
            .collect();
        for name in self.parquet.columns.keys() {
            declared(name.as_str(), "parquet layout")?;
        }
        if self.columns.len() <= partition.len() {
            return Err(Error::NoColumns { dataset });
        }
        let leads = |column: &ColumnName| {
            let mut leading = order.iter().take(partition.len());
            order.is_empty() || leading.any(|key: &SortKey| key.column == *column)
        };
        if let Some(column) = partition.iter().find(|column| !leads(column)).cloned() {
            return Err(Error::PartitionBehindOrder { dataset, column });
        }
        let Self {
            doc,
            columns,
            parquet,
            ..
        } = self;
        Ok(DatasetSpec {
            name: dataset,
            doc,
            columns,
            key,
            order,
            partition,
            parquet,
        })
    }
}

#[cfg(test)]
mod tests;
