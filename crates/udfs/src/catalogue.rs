//! The list of all functions, how a session gets them, and what identifies the list.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, DocSection, Documentation, ScalarUDF};
use ossature_schema_spec::{CanonicalHasher, Fingerprint};

use crate::aggregate::{AggregateFunction, AggregateSpec};
use crate::argument::{Argument, render};
use crate::collection::{LIST_BUCKETS, SORTED_ENTRIES, SORTED_MAP};
use crate::id::{EDGE_ID, FILE_OF, IS_SYMBOL, SAME_NAME, SYMBOL_ID};
use crate::mro::C3_MRO;
use crate::names::RESOLVE_NAMES;
use crate::scalar::{ScalarFunction, ScalarSpec};

static SCALARS: [ScalarSpec; 6] = [
    EDGE_ID,
    FILE_OF,
    IS_SYMBOL,
    LIST_BUCKETS,
    SAME_NAME,
    SYMBOL_ID,
];
static AGGREGATES: [AggregateSpec; 4] = [C3_MRO, RESOLVE_NAMES, SORTED_ENTRIES, SORTED_MAP];

/// A function for the engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Function {
    /// One value for each row.
    Scalar(Arc<ScalarUDF>),
    /// One value for each group.
    Aggregate(Arc<AggregateUDF>),
}

/// Every function, scalar ones first, each part in the order of names.
pub fn functions() -> Vec<Function> {
    let scalars = SCALARS.iter().map(|spec| {
        Function::Scalar(Arc::new(ScalarUDF::new_from_impl(ScalarFunction::new(
            spec,
        ))))
    });
    let aggregates = AGGREGATES.iter().map(|spec| {
        let function = AggregateUDF::new_from_impl(AggregateFunction::new(spec));
        Function::Aggregate(Arc::new(function))
    });
    scalars.chain(aggregates).collect()
}

/// Makes every function known to a session.
///
/// **Errors**: those of the registry, which may refuse functions.
///
/// ```
/// use datafusion::prelude::SessionContext;
/// let mut session = SessionContext::new();
/// ossature_udfs::register(&mut session)?;
/// # Ok::<(), datafusion::error::DataFusionError>(())
/// ```
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<(), DataFusionError> {
    for function in functions() {
        match function {
            Function::Scalar(function) => drop(registry.register_udf(function)?),
            Function::Aggregate(function) => drop(registry.register_udaf(function)?),
        }
    }
    Ok(())
}

/// What is known of one function without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionEntry {
    /// The name in SQL.
    pub name: &'static str,
    /// Grows whenever the function returns something else for the same arguments.
    pub version: u32,
    /// `scalar` or `aggregate`.
    pub kind: &'static str,
    /// The name with its arguments; `?` marks those for which null is a value.
    pub signature: String,
    /// The extension name of what the result means; empty when it means nothing in particular.
    pub semantic_type: &'static str,
    /// `immutable`: the result depends on the arguments only.
    pub volatility: &'static str,
    /// What it gives, in a sentence or more.
    pub doc: &'static str,
}

/// The functions that a plan may use, in the order of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySnapshot {
    /// One entry for each function.
    pub entries: Vec<FunctionEntry>,
}

/// Takes stock of [`functions`].
pub fn snapshot() -> RegistrySnapshot {
    let scalars = SCALARS.iter().map(|spec| FunctionEntry {
        name: spec.name,
        version: spec.version,
        kind: "scalar",
        signature: render(spec.name, spec.arguments),
        semantic_type: spec
            .semantic
            .map_or("", |semantic| semantic.extension_name()),
        volatility: "immutable",
        doc: spec.doc,
    });
    let aggregates = AGGREGATES.iter().map(|spec| FunctionEntry {
        name: spec.name,
        version: spec.version,
        kind: "aggregate",
        signature: render(spec.name, spec.arguments),
        semantic_type: "",
        volatility: "immutable",
        doc: spec.doc,
    });
    let mut entries: Vec<_> = scalars.chain(aggregates).collect();
    entries.sort_by_key(|entry| entry.name);
    RegistrySnapshot { entries }
}

impl RegistrySnapshot {
    /// The version of a function.
    pub fn version_of(&self, name: &str) -> Option<u32> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        Some(entry.version)
    }

    /// A digest of everything but the descriptions. Functions of the engine are not in it: they change with its version.
    pub fn hash(&self) -> Fingerprint {
        let mut hasher = CanonicalHasher::new("ossature.udf_registry.v1");
        hasher.list(self.entries.len());
        for entry in &self.entries {
            hasher.text(entry.name);
            hasher.integer(i64::from(entry.version));
            hasher.text(entry.kind);
            hasher.text(&entry.signature);
            hasher.text(entry.semantic_type);
            hasher.text(entry.volatility);
        }
        hasher.finish()
    }
}

/// The digest of the registry that this library offers.
pub fn snapshot_hash() -> Fingerprint {
    snapshot().hash()
}

/// What the engine shows of a function.
pub(crate) fn documentation(
    name: &str,
    doc: &str,
    example: &str,
    arguments: &[Argument],
) -> Documentation {
    let section = DocSection {
        include: true,
        label: "Code property graph",
        description: None,
    };
    let mut builder = Documentation::builder(section, doc, render(name, arguments))
        .with_sql_example(format!("SELECT {example}"));
    for argument in arguments {
        let null = if argument.accepts_null {
            "May be null."
        } else {
            "Not null."
        };
        builder = builder.with_argument(argument.name, null);
    }
    builder.build()
}
