//! From wanted features to the one commit that brings them into a table.

use std::collections::{BTreeMap, BTreeSet};

use crate::properties::key;
use crate::protocol::{LISTED_READER_VERSION, LISTED_WRITER_VERSION};
use crate::{
    ColumnMapping, DeltaFeature, Enablement, Error, Errors, FEATURES, FeatureGate, Protocol,
    ProtocolSupport, ResolvedPolicy, Side, gate, plan_properties,
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

    /// The constraints that are kept in the table, which rows have to satisfy whoever writes them: names and expressions.
    pub fn constraints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().filter_map(|(key, expression)| {
            let name = key.strip_prefix(key::CONSTRAINT_PREFIX)?;
            Some((name, expression.as_str()))
        })
    }
}

/// What a table should be able to do, and what may be done about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeatureRequest {
    /// The features that the table should have.
    pub wanted: BTreeSet<DeltaFeature>,
    /// Those of them that its columns need, whoever asks for what.
    pub needed_by_columns: BTreeSet<DeltaFeature>,
    /// How columns are mapped, where column mapping is wanted.
    pub column_mapping: ColumnMapping,
    /// Whether features may raise the protocol to lists of features (reader 3, writer 7).
    pub allow_protocol_upgrade: bool,
}

impl FeatureRequest {
    /// The properties that switch features on.
    fn properties(&self, features: &BTreeSet<DeltaFeature>) -> BTreeMap<String, String> {
        features
            .iter()
            .filter_map(|feature| Some((*feature, feature.spec().property?)))
            .map(|(feature, property)| {
                let on = match feature {
                    DeltaFeature::ColumnMapping => self.column_mapping.as_str(),
                    _ => property.on,
                };
                (property.key.to_owned(), on.to_owned())
            })
            .collect()
    }

    /// The properties of a table that is created with all of it.
    pub(crate) fn properties_at_creation(&self) -> BTreeMap<String, String> {
        self.properties(&self.wanted)
    }
}

/// What one commit changes in what a table may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureChange {
    /// The protocol after the commit: its protocol action, word for word.
    pub protocol: Protocol,
    /// The features that are newly listed or newly active.
    pub features: BTreeSet<DeltaFeature>,
    /// The properties that go into the same commit's metadata.
    pub properties: BTreeMap<String, String>,
}

/// What was asked for, what was there, and what is new. Features that are refused are errors instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnablementReport {
    /// The features that the table should have.
    pub requested: BTreeSet<DeltaFeature>,
    /// Those of them that it had.
    pub already_enabled: BTreeSet<DeltaFeature>,
    /// Those of them that it gets.
    pub newly_enabled: BTreeSet<DeltaFeature>,
    /// The protocol before; nothing when the table is created.
    pub protocol_before: Option<Protocol>,
    /// The protocol after.
    pub protocol_after: Protocol,
    /// The properties that are set in the same commit.
    pub properties_set: BTreeMap<String, String>,
}

/// How the wanted features get into a table: in one commit, or in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeaturePlan {
    /// What the creating commit holds besides the schema, or what the one commit to an existing table changes; nothing when
    /// all is there.
    pub change: Option<FeatureChange>,
    /// The same for people and artifacts.
    pub report: EnablementReport,
}

/// Plans how a table gets the wanted features, all of them in one commit: the one that creates it, or one later.
///
/// A new table has the oldest protocol that allows what is wanted (reader 1, writer 2 when nothing is), because old
/// protocols are what other readers open. An existing table keeps what its protocol allows:
/// [`plan_properties`] switches features off, but nothing takes them out.
///
/// **Determinism**: a function of its arguments only.
/// **Errors**: everything that is wrong, at once: [`Error::FeatureRefused`] for a feature that would lock the runtime out
/// of the table or that no writer here honours, [`Error::FeatureConflict`], [`Error::CannotEnableOnExisting`],
/// [`Error::ProtocolUpgrade`] when the protocol would be raised to lists of features and that is not allowed, and
/// [`Error::TableNotWritable`] when the table is locked already.
///
/// ```
/// use ossature_delta_policy::{DeltaFeature, FeatureRequest, Protocol, plan_features};
/// let wanting = |feature| FeatureRequest {
///     wanted: [feature].into(),
///     ..FeatureRequest::default()
/// };
/// let plan = plan_features(None, &wanting(DeltaFeature::ChangeDataFeed))?;
/// let creation = plan.change.ok_or("a new table has a first commit")?;
/// assert_eq!(creation.protocol, Protocol::versions(1, 4));
/// assert_eq!(creation.properties["delta.enableChangeDataFeed"], "true");
/// assert!(plan_features(None, &wanting(DeltaFeature::RowTracking)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan_features(
    current: Option<&TableState>,
    request: &FeatureRequest,
) -> Result<FeaturePlan, Errors> {
    let mut errors = check_features(&request.wanted);
    if let Some(table) = current {
        errors.extend(check_table(table, request));
    }
    let is_active = |feature: &DeltaFeature| current.is_some_and(|it| it.has_active(*feature));
    let (already_enabled, newly_enabled): (BTreeSet<_>, BTreeSet<_>) =
        request.wanted.iter().copied().partition(is_active);
    let protocol_before = current.map(|table| table.protocol.clone());
    let base = protocol_before.clone().unwrap_or(Protocol::PLAIN);
    let protocol_after = extend(&base, &newly_enabled);
    errors.extend(check_upgrade(current, request, &protocol_after));
    let properties_set = request.properties(&newly_enabled);
    let change = FeatureChange {
        protocol: protocol_after.clone(),
        features: newly_enabled.clone(),
        properties: properties_set.clone(),
    };
    let plan = FeaturePlan {
        change: (current.is_none() || !newly_enabled.is_empty()).then_some(change),
        report: EnablementReport {
            requested: request.wanted.clone(),
            already_enabled,
            newly_enabled,
            protocol_before,
            protocol_after,
            properties_set,
        },
    };
    Errors::none_or(errors, plan)
}

/// What one commit changes in the protocol and in the properties of an existing table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableChange {
    /// The protocol after the commit; nothing when it stays as it is.
    pub protocol: Option<Protocol>,
    /// Properties with the values that they get.
    pub set: BTreeMap<String, String>,
    /// Properties that go.
    pub unset: Vec<String>,
    /// What becomes of the features.
    pub report: EnablementReport,
}

impl TableChange {
    /// Whether a feature goes that has a property.
    pub fn switches_off(&self, feature: DeltaFeature) -> bool {
        feature
            .spec()
            .property
            .and_then(|property| Some(!property.is_on(self.set.get(property.key)?)))
            .unwrap_or_default()
    }

    /// Whether the table is as its policy wants it, so that nothing has to be committed.
    pub fn is_empty(&self) -> bool {
        self.protocol.is_none() && self.set.is_empty() && self.unset.is_empty()
    }
}

/// Plans the one commit after which an existing table is as if created under a policy.
///
/// **Determinism**: a function of its arguments only.
/// **Errors**: those of [`plan_features`], [`Error::CannotDisable`] for a feature that the policy does not want and that
/// cannot be switched off, and [`Error::ConstraintPersisted`] for a constraint that the table keeps with another
/// expression, and [`Error::ConstraintInvalid`] for one that it keeps under another spelling. Constraints that only the table has
/// stay in it.
pub fn plan_change(current: &TableState, policy: &ResolvedPolicy) -> Result<TableChange, Errors> {
    let request = policy.feature_request();
    let mut errors = check_permanent(current, &request);
    errors.extend(check_constraints(current, policy));
    let features = match plan_features(Some(current), &request) {
        Ok(features) => features,
        Err(others) => {
            errors.extend(others);
            return Err(Errors::all(errors));
        }
    };
    let properties = plan_properties(current, policy);
    let mut set = properties.set;
    let mut protocol = None;
    if let Some(change) = features.change {
        set.extend(change.properties);
        protocol = Some(change.protocol).filter(|after| *after != current.protocol);
    }
    let change = TableChange {
        protocol,
        unset: properties.unset,
        report: EnablementReport {
            properties_set: set.clone(),
            ..features.report
        },
        set,
    };
    Errors::none_or(errors, change)
}

/// Features that the table has, that are not wanted, and that stay.
fn check_permanent(table: &TableState, request: &FeatureRequest) -> Vec<Error> {
    let unwanted = FEATURES
        .iter()
        .filter(|row| !request.wanted.contains(&row.feature) && table.has_active(row.feature));
    unwanted
        .filter_map(|row| {
            Some(Error::CannotDisable {
                feature: row.feature,
                reason: row.permanent?,
            })
        })
        .collect()
}

/// Rows were checked against what the table keeps, and readers rely on it: a policy may add to it, and does not change it
/// in passing. What the policy does not name stays as it is.
fn check_constraints(table: &TableState, policy: &ResolvedPolicy) -> Vec<Error> {
    let persisted = policy.persisted_constraints();
    table
        .constraints()
        .filter_map(|(name, found)| {
            let is_named = |other: &&String| other.eq_ignore_ascii_case(name);
            let other = persisted.keys().find(is_named)?;
            if other != name {
                // Somebody else may have put both there.
                let is_there = table.constraints().any(|(known, _)| known == other);
                return (!is_there).then(|| Error::ConstraintInvalid {
                    name: other.clone(),
                    reason: "the table keeps one that has that name, but for the case of letters",
                });
            }
            let wanted = persisted.get(name).filter(|wanted| *wanted != found)?;
            Some(Error::ConstraintPersisted {
                name: name.to_owned(),
                found: found.to_owned(),
                wanted: wanted.clone(),
            })
        })
        .collect()
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

fn check_table(table: &TableState, request: &FeatureRequest) -> Vec<Error> {
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
    let conflicting = request
        .wanted
        .iter()
        .flat_map(|feature| conflicts(*feature, |other| table.has_active(other)));
    let late = request
        .wanted
        .iter()
        .filter(|feature| !table.has_active(**feature))
        .filter_map(|feature| match feature.spec().enablement {
            Enablement::OnlyAtCreation(reason) => Some(Error::CannotEnableOnExisting {
                feature: *feature,
                reason: reason.to_owned(),
            }),
            _ => None,
        });
    let mut errors: Vec<Error> = locked.chain(conflicting).chain(late).collect();
    let mode = table.properties.get(key::COLUMN_MAPPING_MODE);
    if let Some(mode) = mode
        && request.wanted.contains(&DeltaFeature::ColumnMapping)
        && table.has_active(DeltaFeature::ColumnMapping)
        && mode != request.column_mapping.as_str()
    {
        errors.push(Error::CannotEnableOnExisting {
            feature: DeltaFeature::ColumnMapping,
            reason: format!(
                "its columns are mapped by `{mode}`, not by `{}`",
                request.column_mapping
            ),
        });
    }
    errors
}

/// Features that only lists of features know shut out everybody who does not know such lists. A table whose columns need
/// one is born with it; apart from that, somebody has to allow it.
fn check_upgrade(
    current: Option<&TableState>,
    request: &FeatureRequest,
    after: &Protocol,
) -> Vec<Error> {
    if request.allow_protocol_upgrade {
        return Vec::new();
    }
    let is_born_with =
        |feature: &DeltaFeature| current.is_none() && request.needed_by_columns.contains(feature);
    let is_there =
        |feature: &DeltaFeature| current.is_some_and(|table| table.protocol.allows(*feature));
    request
        .wanted
        .iter()
        .filter(|feature| feature.spec().legacy.is_none())
        .filter(|feature| !matches!(feature.spec().enablement, Enablement::Refused(_)))
        .filter(|feature| !is_born_with(feature) && !is_there(feature))
        .map(|feature| Error::ProtocolUpgrade {
            feature: *feature,
            reader: after.min_reader_version,
            writer: after.min_writer_version,
        })
        .collect()
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
