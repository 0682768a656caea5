//! `ossature policy`: how tables are kept, and what a policy file says about it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ossature_artifacts::{DecidedV1, LeafLayoutV1, PolicyArtifactV1};
use ossature_delta_policy::{
    LakeOverrides, PolicyFile, PolicyFileErrors, ResolvedPolicy, Warning, nearest_name, resolve,
};
use ossature_pipeline::check_constraints;
use ossature_schema_spec::{DatasetName, DatasetSpec};
use ossature_view_graph::{ConsumerIndex, SavedQuery, ViewGraph};
use serde_json::Value;

use crate::cli::{Format, PolicyArguments};
use crate::error::Error;
use crate::graph::{consumers, graph};
use crate::output::{print, print_json, table, warn};

/// The most that a policy file may have: every field of every table several times over.
const POLICY_BYTES_MAX: u64 = 1 << 18;

/// How the tables are kept, and who reads them.
pub(crate) struct Kept {
    /// What a policy file says, checked against every table that is written. Without a file, nothing.
    pub(crate) overrides: LakeOverrides,
    /// The queries that are asked of the tables again and again, those of the policy file among them.
    pub(crate) queries: Vec<SavedQuery>,
    /// Who reads the tables, by which columns.
    pub(crate) consumers: ConsumerIndex,
}

impl Kept {
    /// Reads a policy file.
    pub(crate) async fn by(path: Option<&Path>, graph: &ViewGraph) -> Result<Self, Error> {
        let mut queries = ossature_cpg_views::queries();
        let Some(path) = path else {
            return Ok(Self {
                overrides: LakeOverrides::default(),
                consumers: consumers(graph, &queries).await?,
                queries,
            });
        };
        let text = read(path).map_err(|source| Error::PolicyFile {
            path: path.to_owned(),
            source,
        })?;
        let (file, misread) = PolicyFile::read(&path.to_string_lossy(), &text);
        let datasets = graph
            .written()
            .map(|it| (it, ossature_cpg_views::policy(it.name())));
        let refused = file.check(datasets).err();
        let own = queries.len();
        queries.extend(file.queries().iter().map(|query| SavedQuery {
            name: query.name.clone().into(),
            sql: query.sql.clone().into(),
        }));
        let (ours, theirs) = queries.split_at(own);
        let taken = theirs
            .iter()
            .filter(|it| ours.iter().any(|our| our.name == it.name));
        let taken = taken.map(|it| {
            let reason = format!("the program asks `{}` itself; wanted another name", it.name);
            (it.name.to_string(), reason)
        });
        let taken = file.refuse_queries(taken).err();
        let consumers = consumers(graph, &queries).await?;
        let failed = theirs.iter().filter_map(|it| {
            let reason = consumers.failures().get(it.name.as_ref())?;
            let reason = format!("found a query that cannot be planned over the tables: {reason}");
            Some((it.name.to_string(), reason))
        });
        let failed = file.refuse_queries(failed).err();
        let unusable = unusable_constraints(file.overrides(), graph, &consumers);
        let unusable = file.refuse_constraints(unusable).err();
        PolicyFileErrors::all_of([misread, refused, taken, failed, unusable])
            .map_err(Error::Policy)?;
        Ok(Self {
            overrides: file.overrides().clone(),
            consumers,
            queries,
        })
    }
}

/// Tells what is admissible and may not be meant of what a policy file says: each warning once, with its tables.
pub(crate) fn tell_warnings(
    overrides: &LakeOverrides,
    graph: &ViewGraph,
    consumers: &ConsumerIndex,
) -> Result<(), Error> {
    let none = LakeOverrides::default();
    let mut told: Vec<(Warning, Vec<&str>)> = Vec::new();
    for dataset in graph.written() {
        let declared = resolved(&none, dataset, consumers)?.warnings;
        let warnings = resolved(overrides, dataset, consumers)?
            .warnings
            .into_iter();
        for warning in warnings.filter(|warning| !declared.contains(warning)) {
            match told.iter_mut().find(|(other, _)| *other == warning) {
                Some((_, tables)) => tables.push(dataset.name().as_str()),
                None => told.push((warning, vec![dataset.name().as_str()])),
            }
        }
    }
    for (warning, tables) in told {
        let others = tables.len().saturating_sub(1);
        let of = tables.first().copied().unwrap_or_default();
        match others {
            0 => warn(&format!("{of}: {warning}")),
            others => warn(&format!("{of} and {others} others: {warning}")),
        }
    }
    Ok(())
}

fn resolved(
    overrides: &LakeOverrides,
    dataset: &DatasetSpec,
    consumers: &ConsumerIndex,
) -> Result<ResolvedPolicy, Error> {
    let request = overrides.request(dataset.name());
    let declared = ossature_cpg_views::policy(dataset.name());
    let used = ossature_pipeline::used_columns(consumers, dataset);
    let resolved = resolve(&request, &overrides.location, dataset, &declared, &used);
    Ok(resolved.map_err(ossature_pipeline::Error::from)?)
}

/// The constraints that cannot be evaluated, which takes an engine to tell: of which table, their names, and why.
fn unusable_constraints(
    overrides: &LakeOverrides,
    graph: &ViewGraph,
    consumers: &ConsumerIndex,
) -> Vec<(DatasetName, String, String)> {
    // What is refused for other reasons is told anyway.
    let resolved = graph.written().filter_map(|dataset| {
        let policy = resolved(overrides, dataset, consumers).ok()?;
        Some((dataset, policy))
    });
    let unusable = resolved.flat_map(|(dataset, policy)| {
        let unusable = check_constraints(dataset, &policy).into_iter();
        unusable.map(|it| {
            let (expression, reason) = (it.expression, it.reason);
            let reason = format!("found `{expression}`, which cannot be evaluated: {reason}");
            (dataset.name().clone(), it.name, reason)
        })
    });
    unusable.collect()
}

/// Reads a policy file, and no more than one can be.
fn read(path: &Path) -> io::Result<String> {
    let mut text = Vec::new();
    File::open(path)?
        .take(POLICY_BYTES_MAX + 1)
        .read_to_end(&mut text)?;
    if text.len() as u64 > POLICY_BYTES_MAX {
        let reason = format!("it has more than {POLICY_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Shows the resolved policy of tables.
pub(crate) async fn policy(arguments: &PolicyArguments) -> Result<(), Error> {
    let graph = graph()?;
    check_names(&arguments.tables, &graph)?;
    let kept = Kept::by(arguments.policy.as_deref(), &graph).await?;
    let (overrides, consumers) = (kept.overrides, kept.consumers);
    let is_asked = |dataset: &&DatasetSpec| {
        let name = dataset.name().as_str();
        arguments.tables.is_empty() || arguments.tables.iter().any(|it| it == name)
    };
    let mut policies = Vec::new();
    for dataset in graph.written().filter(is_asked) {
        policies.push(PolicyArtifactV1::from(&resolved(
            &overrides, dataset, &consumers,
        )?));
    }
    match arguments.format {
        Format::Json => print_json(&policies),
        Format::Human => {
            let shown: Result<Vec<String>, Error> = policies.iter().map(human).collect();
            print(&shown?.join("\n\n"))
        }
    }
}

pub(crate) fn check_names(names: &[String], graph: &ViewGraph) -> Result<(), Error> {
    let known: BTreeSet<&str> = graph.written().map(|it| it.name().as_str()).collect();
    let Some(found) = names.iter().find(|name| !known.contains(name.as_str())) else {
        return Ok(());
    };
    let view = DatasetName::try_new(found).ok();
    if let Some(view) = view.filter(|view| graph.view(view).is_some()) {
        let reads: Vec<String> = graph.inputs(&view).map(ToString::to_string).collect();
        return Err(Error::NotATable {
            found: found.clone(),
            reads: reads.join(", "),
        });
    }
    Err(Error::NoSuchTable {
        found: found.clone(),
        nearest: nearest_name(found, known),
    })
}

/// The name of the table, its values, what gets no statistics, and how every leaf is encoded.
fn human(policy: &PolicyArtifactV1) -> Result<String, Error> {
    let statistics = &policy.statistics.value;
    let dropped = statistics.dropped.iter();
    let dropped = dropped.map(|it| vec![it.column.clone(), it.reason.clone()]);
    let leaves = policy.layout.value.leaves.iter().map(leaf);
    let warnings = policy.warnings.iter();
    let warnings = warnings.map(|it| format!("\nwarning: {} ({})", it.message, it.code));
    let parts = [
        Some(policy.dataset.clone()),
        Some(table(
            ["field", "value", "source"],
            fields(policy)?,
            usize::MAX,
        )),
        (!statistics.dropped.is_empty())
            .then(|| table(["no statistics", "reason"], dropped, usize::MAX)),
        Some(table(
            ["leaf", "encoding", "why", "bounds", "why", "bloom filter"],
            leaves,
            usize::MAX,
        )),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Ok(parts.join("\n") + &warnings.collect::<String>())
}

/// Every value with its source, under the keys of policy files.
fn fields(policy: &PolicyArtifactV1) -> Result<Vec<Vec<String>>, Error> {
    let row =
        |key: &str, value: String, source: &str| vec![key.to_owned(), value, source.to_owned()];
    let layout = &policy.layout.value;
    let parquet = [
        of("parquet.codec", &layout.compression)?,
        of("parquet.row_group_rows_max", &layout.row_group_rows_max)?,
        of("parquet.page_rows_max", &layout.page_rows_max)?,
    ];
    let statistics = &policy.statistics;
    let columns = statistics.value.columns.join(", ");
    let statistics = row(
        "statistics",
        format!("{}: {columns}", statistics.value.policy),
        &statistics.source,
    );
    let mut rows = vec![
        row("policy_hash", policy.policy_hash.fingerprint().short(), ""),
        of("rows_per_file_max", &policy.rows_per_file_max)?,
        statistics,
        of("schema_mode", &policy.schema_mode)?,
        of("features", &policy.features)?,
        row("column_features", policy.column_features.join(", "), ""),
        of("change_feed", &policy.change_feed)?,
        of(
            "checkpoint_commits_interval",
            &policy.checkpoint_commits_interval,
        )?,
        of("log_retention_days", &policy.log_retention_days)?,
        of(
            "deleted_file_retention_days",
            &policy.deleted_file_retention_days,
        )?,
        of("properties", &policy.properties)?,
        of("cluster_by", &policy.cluster_by)?,
        of("constraints", &policy.constraints)?,
        of("persist_constraints", &policy.persist_constraints)?,
        of("column_mapping", &policy.column_mapping)?,
        of("allow_protocol_upgrade", &policy.allow_protocol_upgrade)?,
        of("compaction", &policy.compaction)?,
        of("vacuum", &policy.vacuum)?,
    ];
    rows.extend(parquet);
    Ok(rows)
}

fn of<T: serde::Serialize>(key: &str, decided: &DecidedV1<T>) -> Result<Vec<String>, Error> {
    let value =
        serde_json::to_value(&decided.value).map_err(|error| Error::Render(error.into()))?;
    Ok(vec![key.to_owned(), spell(&value), decided.source.clone()])
}

/// A value as people write it.
fn spell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(spell).collect::<Vec<_>>().join(", "),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, value)| format!("{key} = {}", spell(value)));
            entries.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn leaf(leaf: &LeafLayoutV1) -> Vec<String> {
    let filter = leaf.bloom_filter.as_ref().map(|filter| {
        format!(
            "{} values, {} per million ({})",
            filter.value.distinct_values_max,
            filter.value.false_positives_per_million,
            filter.source
        )
    });
    vec![
        leaf.path.join("."),
        leaf.encoding.clone(),
        leaf.encoding_reason.clone(),
        leaf.statistics.clone(),
        leaf.statistics_reason.clone(),
        filter.unwrap_or_default(),
    ]
}
