//! From wanted features to the commits that bring them into a table.

use std::collections::{BTreeMap, BTreeSet};

use crate::properties::key;
use crate::protocol::{LISTED_READER_VERSION, LISTED_WRITER_VERSION};
use crate::{
    DeltaFeature, Enablement, Error, Errors, FEATURES, FeatureGate, Protocol, ProtocolSupport,
    Side, gate,
};

/// What a table is now, as far as features go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its properties: the configuration of its metadata.
    pub properties: BTreeMap<String, String>,
}

impl TableState {
    /// Whether the table may use the feature and the feature's property, if it has one, is set.
    pub fn has_active(&self, feature: DeltaFeature) -> bool {
        self.protocol.allows(feature)
            && feature.spec().property.is_none_or(|property| {
                self.properties
                    .get(property.key)
                    .is_some_and(|found| property.is_on(found))
            })
    }

    /// The constraints that rows have to satisfy: their names and expressions.
    pub fn constraints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().filter_map(|(key, expression)| {
            let name = key.strip_prefix(key::CONSTRAINT_PREFIX)?;
            Some((name, expression.as_str()))
        })
    }
}

/// One commit that changes what a table may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureChange {
    /// The protocol after the commit: its protocol action, word for word.
    pub protocol: Protocol,
    /// The features that are newly listed or newly active.
    pub features: BTreeSet<DeltaFeature>,
    /// The properties that go into the same commit's metadata.
    pub properties: BTreeMap<String, String>,
}

/// The commits that bring the wanted features into a table.
///
/// A change is one commit with a protocol action and a metadata action. Where that is not to be had, the protocol goes
/// first: properties in front of their protocol are what the runtime panics on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeaturePlan {
    /// What the creating commit holds besides the schema; nothing when the table exists.
    pub at_creation: Option<FeatureChange>,
    /// The one commit after the creation, or the one commit to an existing table; nothing when all is there.
    pub after_creation: Option<FeatureChange>,
}

/// Plans how a table gets the wanted features: in its first commit as far as possible, and in at most one other.
///
/// A new table has the oldest protocol that allows what is wanted (reader 1, writer 2 when nothing is), because old
/// protocols are what other readers open. An existing table keeps what its protocol allows:
/// [`plan_properties`](crate::plan_properties) switches features off, but nothing takes them out.
///
/// **Determinism**: a function of its arguments only.
/// **Errors**: [`Error::FeatureRefused`] for a feature that would lock the runtime out of the table or that no writer
/// here honours, [`Error::FeatureConflict`], and [`Error::TableNotWritable`] when the table is locked already.
///
/// ```
/// use ossature_delta_policy::{DeltaFeature, Protocol, plan_features};
/// let plan = plan_features(None, &[DeltaFeature::ChangeDataFeed].into())?;
/// let creation = plan.at_creation.ok_or("a new table has a first commit")?;
/// assert_eq!(creation.protocol, Protocol::versions(1, 4));
/// assert_eq!(creation.properties["delta.enableChangeDataFeed"], "true");
/// assert!(plan_features(None, &[DeltaFeature::RowTracking].into()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan_features(
    current: Option<&TableState>,
    wanted: &BTreeSet<DeltaFeature>,
) -> Result<FeaturePlan, Errors> {
    let mut errors = check_features(wanted);
    if let Some(table) = current {
        errors.extend(check_table(table, wanted));
    }
    let plan = match current {
        None => plan_creation(wanted),
        Some(table) => FeaturePlan {
            at_creation: None,
            after_creation: plan_change(table, wanted),
        },
    };
    Errors::none_or(errors, plan)
}

/// What is wrong with a set of features by itself.
pub(crate) fn check_features(wanted: &BTreeSet<DeltaFeature>) -> Vec<Error> {
    let mut errors = Vec::new();
    for feature in wanted {
        let spec = feature.spec();
        if let Enablement::Refused(reason) = spec.enablement {
            errors.push(Error::FeatureRefused {
                feature: *feature,
                reason,
            });
            continue;
        }
        errors.extend(conflicts(*feature, |other| wanted.contains(&other)));
    }
    errors
}

fn check_table(table: &TableState, wanted: &BTreeSet<DeltaFeature>) -> Vec<Error> {
    let report = gate(
        &FeatureGate::default(),
        &table.protocol,
        &ProtocolSupport::runtime(),
    );
    let locked = report
        .problems
        .iter()
        .map(|problem| Error::TableNotWritable {
            problem: problem.to_string(),
        });
    let conflicting = wanted
        .iter()
        .flat_map(|feature| conflicts(*feature, |other| table.has_active(other)));
    locked.chain(conflicting).collect()
}

fn conflicts(
    feature: DeltaFeature,
    has: impl Fn(DeltaFeature) -> bool,
) -> impl Iterator<Item = Error> {
    feature
        .spec()
        .conflicts
        .iter()
        .filter(move |other| has(**other))
        .map(move |other| Error::FeatureConflict {
            feature,
            other: *other,
        })
}

fn plan_creation(wanted: &BTreeSet<DeltaFeature>) -> FeaturePlan {
    let (late, early): (BTreeSet<_>, BTreeSet<_>) = wanted
        .iter()
        .copied()
        .partition(|feature| feature.spec().enablement == Enablement::AfterCreation);
    // The versions are final from the first commit on, so that a table that will list features lists them at once
    // instead of inheriting everything that an old version implied.
    let complete = extend(&Protocol::PLAIN, wanted);
    let mut first = complete.clone();
    for feature in &late {
        first.reader_features.remove(feature.name());
        first.writer_features.remove(feature.name());
    }
    let after_creation = (!late.is_empty()).then(|| change(complete, late));
    FeaturePlan {
        at_creation: Some(change(first, early)),
        after_creation,
    }
}

fn plan_change(table: &TableState, wanted: &BTreeSet<DeltaFeature>) -> Option<FeatureChange> {
    let missing: BTreeSet<DeltaFeature> = wanted
        .iter()
        .copied()
        .filter(|feature| !table.has_active(*feature))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let protocol = extend(&table.protocol, &missing);
    Some(change(protocol, missing))
}

fn change(protocol: Protocol, features: BTreeSet<DeltaFeature>) -> FeatureChange {
    let properties = features
        .iter()
        .filter_map(|feature| feature.spec().property)
        .map(|property| (property.key.to_owned(), property.on.to_owned()))
        .collect();
    FeatureChange {
        protocol,
        features,
        properties,
    }
}

/// The smallest protocol that allows what `base` allows, and `wanted` too.
fn extend(base: &Protocol, wanted: &BTreeSet<DeltaFeature>) -> Protocol {
    let missing = || wanted.iter().filter(|feature| !base.allows(**feature));
    let is_listed = base.min_writer_version >= LISTED_WRITER_VERSION;
    let oldest = missing().try_fold(base.clone(), |protocol, feature| {
        let legacy = feature.spec().legacy?;
        Some(Protocol {
            min_reader_version: protocol.min_reader_version.max(legacy.reader),
            min_writer_version: protocol.min_writer_version.max(legacy.writer),
            ..protocol
        })
    });
    match oldest {
        Some(protocol) if !is_listed => protocol,
        _ => list(base, missing().copied()),
    }
}

/// Lists what `base` allows, and the features that are added.
///
/// Whatever a version implied has to be listed when the version goes up, or the table loses it: without
/// `changeDataFeed` in the list, a change feed ends without a word.
fn list(base: &Protocol, added: impl Iterator<Item = DeltaFeature>) -> Protocol {
    let kept = || FEATURES.iter().filter(|row| base.allows(row.feature));
    let mut protocol = base.clone();
    if base.min_writer_version < LISTED_WRITER_VERSION {
        protocol.min_writer_version = LISTED_WRITER_VERSION;
        protocol
            .writer_features
            .extend(kept().map(|row| row.name.to_owned()));
    }
    for feature in added {
        let name = feature.name().to_owned();
        if feature.spec().side == Side::ReaderAndWriter {
            if protocol.min_reader_version < LISTED_READER_VERSION {
                protocol.min_reader_version = LISTED_READER_VERSION;
                protocol.reader_features.extend(
                    kept()
                        .filter(|row| row.side == Side::ReaderAndWriter)
                        .map(|row| row.name.to_owned()),
                );
            }
            protocol.reader_features.insert(name.clone());
        }
        protocol.writer_features.insert(name);
    }
    protocol
}

#[cfg(test)]
mod tests;
