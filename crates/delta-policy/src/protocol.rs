//! What a table asks of its readers and writers, and whether this runtime meets it.

use std::collections::BTreeSet;
use std::fmt;

use crate::{DeltaFeature, FEATURES, FeatureSpec, Side, Support};

/// The reader version from which on features are listed.
pub(crate) const LISTED_READER_VERSION: u32 = 3;
/// The writer version from which on features are listed.
pub(crate) const LISTED_WRITER_VERSION: u32 = 7;

/// The protocol of a table: the versions that readers and writers must have, and the features that they must know.
///
/// Features are kept by name, because a table may have one that this runtime has never heard of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Protocol {
    /// The version that readers must have, 1 to 3.
    pub min_reader_version: u32,
    /// The version that writers must have, 1 to 7.
    pub min_writer_version: u32,
    /// The features that readers must know; meaningful at reader version 3.
    pub reader_features: BTreeSet<String>,
    /// The features that writers must know; meaningful at writer version 7.
    pub writer_features: BTreeSet<String>,
}

impl Protocol {
    /// Reader 1 and writer 2: what every reader of Delta tables opens.
    pub const PLAIN: Self = Self::versions(1, 2);

    /// A protocol that lists no features.
    pub const fn versions(reader: u32, writer: u32) -> Self {
        Self {
            min_reader_version: reader,
            min_writer_version: writer,
            reader_features: BTreeSet::new(),
            writer_features: BTreeSet::new(),
        }
    }

    /// The features that readers must know, those included that the version implies.
    pub fn required_of_readers(&self) -> BTreeSet<String> {
        if self.min_reader_version >= LISTED_READER_VERSION {
            return self.reader_features.clone();
        }
        implied(|row| {
            row.side == Side::ReaderAndWriter
                && row
                    .legacy
                    .is_some_and(|legacy| legacy.reader <= self.min_reader_version)
        })
    }

    /// The features that writers must know, those included that the version implies.
    pub fn required_of_writers(&self) -> BTreeSet<String> {
        if self.min_writer_version >= LISTED_WRITER_VERSION {
            return self.writer_features.clone();
        }
        implied(|row| {
            row.legacy
                .is_some_and(|legacy| legacy.writer <= self.min_writer_version)
        })
    }

    /// Whether a table with this protocol may use the feature.
    pub fn allows(&self, feature: DeltaFeature) -> bool {
        let name = feature.name();
        self.required_of_writers().contains(name)
            && (feature.spec().side == Side::Writer || self.required_of_readers().contains(name))
    }
}

fn implied(is_implied: impl Fn(&FeatureSpec) -> bool) -> BTreeSet<String> {
    FEATURES
        .iter()
        .filter(|row| is_implied(row))
        .map(|row| row.name.to_owned())
        .collect()
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "reader {}, writer {}",
            self.min_reader_version, self.min_writer_version
        )?;
        if self.min_reader_version >= LISTED_READER_VERSION {
            write!(f, ", readers know [{}]", join(&self.reader_features))?;
        }
        if self.min_writer_version >= LISTED_WRITER_VERSION {
            write!(f, ", writers know [{}]", join(&self.writer_features))?;
        }
        Ok(())
    }
}

/// What a runtime can do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProtocolSupport {
    /// The newest reader version that it knows.
    pub max_reader_version: u32,
    /// The newest writer version that it knows.
    pub max_writer_version: u32,
    /// The features that it reads.
    pub reader_features: BTreeSet<String>,
    /// The features that it writes.
    pub writer_features: BTreeSet<String>,
}

impl ProtocolSupport {
    /// The linked runtime, as [`FEATURES`] says.
    ///
    /// It writes to tables whose version implies constraints or generated columns. Before a table is written that
    /// somebody else made, look at [`TableState::constraints`](crate::TableState::constraints), which hold for its rows as well as
    /// those of the policy, and for generation expressions in its schema, which nothing here computes.
    pub fn runtime() -> Self {
        Self {
            max_reader_version: LISTED_READER_VERSION,
            max_writer_version: LISTED_WRITER_VERSION,
            reader_features: implied(|row| {
                row.side == Side::ReaderAndWriter && row.support >= Support::ReadOnly
            }),
            writer_features: implied(|row| row.support == Support::Writable),
        }
    }
}

/// What somebody requires a table to have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FeatureGate {
    /// The least reader version, 0 for any.
    pub min_reader_version: u32,
    /// The least writer version, 0 for any.
    pub min_writer_version: u32,
    /// The features that the table must be allowed to use.
    pub features: BTreeSet<DeltaFeature>,
}

/// One thing that a table lacks, or that it has and the runtime does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ProtocolProblem {
    /// The table's reader version is older than required.
    ReaderVersionTooOld {
        /// The version required.
        wanted: u32,
        /// The table's version.
        found: u32,
    },
    /// The table's writer version is older than required.
    WriterVersionTooOld {
        /// The version required.
        wanted: u32,
        /// The table's version.
        found: u32,
    },
    /// The table may not use a required feature.
    FeatureMissing {
        /// The feature.
        feature: DeltaFeature,
    },
    /// The table's reader version is newer than the runtime.
    ReaderVersionUnknown {
        /// The newest version that the runtime knows.
        known: u32,
        /// The table's version.
        found: u32,
    },
    /// The table's writer version is newer than the runtime.
    WriterVersionUnknown {
        /// The newest version that the runtime knows.
        known: u32,
        /// The table's version.
        found: u32,
    },
    /// The runtime does not read a feature of the table.
    Unreadable {
        /// The feature's name.
        feature: String,
    },
    /// The runtime reads, but does not write, a feature of the table.
    Unwritable {
        /// The feature's name.
        feature: String,
    },
}

impl ProtocolProblem {
    /// Whether the table can be read in spite of it, when nothing is required of it.
    fn leaves_readable(&self) -> bool {
        !matches!(
            self,
            Self::ReaderVersionUnknown { .. } | Self::Unreadable { .. }
        )
    }

    /// The sentence under which callers of earlier pipelines know the failure, for what was required of the table.
    pub fn gate(&self) -> Option<&'static str> {
        match self {
            Self::ReaderVersionTooOld { .. } => Some("Delta reader protocol gate failed."),
            Self::WriterVersionTooOld { .. } => Some("Delta writer protocol gate failed."),
            Self::FeatureMissing { feature } => Some(match feature.spec().side {
                Side::ReaderAndWriter => "Delta reader feature gate failed.",
                Side::Writer => "Delta writer feature gate failed.",
            }),
            _ => None,
        }
    }

    /// Whether it is about what the runtime can do, not about what was required.
    fn is_of_runtime(&self) -> bool {
        !matches!(
            self,
            Self::ReaderVersionTooOld { .. }
                | Self::WriterVersionTooOld { .. }
                | Self::FeatureMissing { .. }
        )
    }
}

impl fmt::Display for ProtocolProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReaderVersionTooOld { wanted, found } => {
                write!(
                    f,
                    "reader version {wanted} is required, the table has {found}"
                )
            }
            Self::WriterVersionTooOld { wanted, found } => {
                write!(
                    f,
                    "writer version {wanted} is required, the table has {found}"
                )
            }
            Self::FeatureMissing { feature } => {
                write!(f, "feature `{feature}` is required, the table lacks it")
            }
            Self::ReaderVersionUnknown { known, found } => {
                write!(
                    f,
                    "the table has reader version {found}, the runtime knows {known}"
                )
            }
            Self::WriterVersionUnknown { known, found } => {
                write!(
                    f,
                    "the table has writer version {found}, the runtime knows {known}"
                )
            }
            Self::Unreadable { feature } => {
                write!(f, "the runtime does not read feature `{feature}`")
            }
            Self::Unwritable { feature } => {
                write!(f, "the runtime does not write feature `{feature}`")
            }
        }
    }
}

/// What was required, what was found, and everything that is wrong; recorded when nothing is wrong as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProtocolReport {
    /// What was required.
    pub required: FeatureGate,
    /// The table's protocol.
    pub found: Protocol,
    /// What the runtime can do.
    pub runtime: ProtocolSupport,
    /// What is wrong: requirements first, then what the runtime does not know.
    pub problems: Vec<ProtocolProblem>,
}

impl ProtocolReport {
    /// Whether the table has what is required and the runtime reads and writes it.
    pub fn is_compatible(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether the runtime reads the table, whatever is required.
    pub fn is_readable(&self) -> bool {
        self.problems.iter().all(ProtocolProblem::leaves_readable)
    }

    /// Whether the runtime writes the table, whatever is required.
    pub fn is_writable(&self) -> bool {
        !self.problems.iter().any(ProtocolProblem::is_of_runtime)
    }
}

impl fmt::Display for ProtocolReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_compatible() {
            return write!(f, "compatible ({})", self.found);
        }
        write!(f, "not compatible ({})", self.found)?;
        for problem in &self.problems {
            write!(f, "\n- {problem}")?;
        }
        Ok(())
    }
}

/// Compares a table's protocol with what is required of it and with what the runtime can do.
///
/// A version implies its features: a table at writer 4 has `changeDataFeed`, and one at writer 6 has
/// `identityColumns`.
///
/// **Determinism**: a function of its arguments only; problems come in a fixed order.
///
/// ```
/// use ossature_delta_policy::{FeatureGate, Protocol, ProtocolSupport, gate};
/// let report = gate(&FeatureGate::default(), &Protocol::versions(1, 6), &ProtocolSupport::runtime());
/// assert!(report.is_readable() && !report.is_writable());
/// assert_eq!(report.problems[0].to_string(), "the runtime does not write feature `identityColumns`");
/// ```
pub fn gate(required: &FeatureGate, found: &Protocol, runtime: &ProtocolSupport) -> ProtocolReport {
    let mut problems = Vec::new();
    let (reader, writer) = (found.min_reader_version, found.min_writer_version);
    if reader < required.min_reader_version {
        problems.push(ProtocolProblem::ReaderVersionTooOld {
            wanted: required.min_reader_version,
            found: reader,
        });
    }
    if writer < required.min_writer_version {
        problems.push(ProtocolProblem::WriterVersionTooOld {
            wanted: required.min_writer_version,
            found: writer,
        });
    }
    for feature in required.features.iter().filter(|it| !found.allows(**it)) {
        problems.push(ProtocolProblem::FeatureMissing { feature: *feature });
    }
    if reader > runtime.max_reader_version {
        problems.push(ProtocolProblem::ReaderVersionUnknown {
            known: runtime.max_reader_version,
            found: reader,
        });
    }
    if writer > runtime.max_writer_version {
        problems.push(ProtocolProblem::WriterVersionUnknown {
            known: runtime.max_writer_version,
            found: writer,
        });
    }
    let unread = &found.required_of_readers() - &runtime.reader_features;
    let unwritten = &(&found.required_of_writers() - &runtime.writer_features) - &unread;
    problems.extend(
        unread
            .into_iter()
            .map(|feature| ProtocolProblem::Unreadable { feature }),
    );
    problems.extend(
        unwritten
            .into_iter()
            .map(|feature| ProtocolProblem::Unwritable { feature }),
    );
    ProtocolReport {
        required: required.clone(),
        found: found.clone(),
        runtime: runtime.clone(),
        problems,
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
