//! The table features of the Delta protocol: what each one is, what the linked runtime does with it, and whether a
//! policy may ask for it.

use std::fmt;

use crate::properties::key;

/// A table feature of the Delta protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeltaFeature {
    /// The files of a version are listed in a tree beside the log.
    AdaptiveMetadataPreview,
    /// Values for columns that a write leaves out.
    AllowColumnDefaults,
    /// Rows are added and never removed.
    AppendOnly,
    /// Commits go through a catalog.
    CatalogManaged,
    /// An early form of [`CatalogManaged`](Self::CatalogManaged).
    CatalogOwnedPreview,
    /// Every commit tells which rows it changed.
    ChangeDataFeed,
    /// Boolean expressions that every row satisfies.
    CheckConstraints,
    /// Rules about which checkpoints may be cleaned up.
    CheckpointProtection,
    /// Files clustered by columns.
    ClusteredTable,
    /// Columns have other names in files than in the schema.
    ColumnMapping,
    /// Deleted rows are marked instead of rewritten.
    DeletionVectors,
    /// Configuration in named domains.
    DomainMetadata,
    /// Columns computed from other columns.
    GeneratedColumns,
    /// Geometry and geography.
    Geospatial,
    /// Readable as an Iceberg table of version 1.
    IcebergCompatV1,
    /// Readable as an Iceberg table of version 2.
    IcebergCompatV2,
    /// Readable as an Iceberg table of version 3.
    IcebergCompatV3,
    /// Columns that number their rows.
    IdentityColumns,
    /// The time of a commit is inside of it.
    InCommitTimestamp,
    /// Expressions in the schema that every row satisfies.
    Invariants,
    /// Partition columns are in the files as well.
    MaterializePartitionColumns,
    /// Rows keep an identifier when files are rewritten.
    RowTracking,
    /// Timestamps of a clock without a zone.
    TimestampNtz,
    /// Columns get a wider type without a rewrite.
    TypeWidening,
    /// An early form of [`TypeWidening`](Self::TypeWidening).
    TypeWideningPreview,
    /// Checkpoints in several files, with manifests.
    V2Checkpoint,
    /// Vacuum checks the protocol as a reader and a writer do.
    VacuumProtocolCheck,
    /// Variants whose fields are stored as columns.
    VariantShredding,
    /// An early form of [`VariantShredding`](Self::VariantShredding).
    VariantShreddingPreview,
    /// Semi-structured values.
    VariantType,
    /// An early form of [`VariantType`](Self::VariantType).
    VariantTypePreview,
}

impl DeltaFeature {
    /// Its row in [`FEATURES`].
    pub const fn spec(self) -> &'static FeatureSpec {
        &FEATURES[self as usize]
    }

    /// The name in feature lists, as the protocol spells it.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The feature of that name; nothing for names that the protocol got later.
    pub fn from_name(name: &str) -> Option<Self> {
        FEATURES
            .iter()
            .find(|row| row.name == name)
            .map(|row| row.feature)
    }
}

impl fmt::Display for DeltaFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who must know a feature to work with a table that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Writers; readers need not care.
    Writer,
    /// Readers and writers.
    ReaderAndWriter,
}

/// The first protocol versions that imply a feature, from before there were lists of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LegacyVersions {
    /// The reader version; 1 where readers need not care.
    pub reader: u32,
    /// The writer version.
    pub writer: u32,
}

/// What the linked runtime does with a table that has the feature; measured on tables made by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Support {
    /// Neither reads nor writes it.
    Refused,
    /// Reads it and refuses every commit.
    ReadOnly,
    /// Reads it and commits to it.
    Writable,
}

/// When a feature enters a table, if a policy may ask for it at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Enablement {
    /// In the commit that creates the table, or in one commit later.
    AtCreation,
    /// Only in the commit that creates the table; why not later.
    OnlyAtCreation(&'static str),
    /// Never; the reason.
    Refused(&'static str),
}

/// A table property that switches a feature on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EnablingProperty {
    /// The key.
    pub key: &'static str,
    /// The value that switches it on.
    pub on: &'static str,
    /// The value that switches it off, which is also what a table without the property has.
    pub off: &'static str,
}

impl EnablingProperty {
    /// Whether a value that was found under the key leaves the feature on.
    pub fn is_on(&self, found: &str) -> bool {
        !found.is_empty() && !found.eq_ignore_ascii_case(self.off)
    }
}

/// One table feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FeatureSpec {
    /// The feature.
    pub feature: DeltaFeature,
    /// The name in feature lists, as the protocol spells it.
    pub name: &'static str,
    /// Who must know it.
    pub side: Side,
    /// The protocol versions that imply it; without them it has to be listed, which needs writer 7 and, if readers
    /// must know it, reader 3.
    pub legacy: Option<LegacyVersions>,
    /// The property that switches it on; without one, being listed does.
    pub property: Option<EnablingProperty>,
    /// Features that it needs.
    pub requires: &'static [DeltaFeature],
    /// Features that it cannot be active with.
    pub conflicts: &'static [DeltaFeature],
    /// What the linked runtime does with it.
    pub support: Support,
    /// When it enters a table.
    pub enablement: Enablement,
    /// Why it cannot be switched off again, if that is so.
    pub permanent: Option<&'static str>,
    /// What is worth knowing about it.
    pub doc: &'static str,
}

const LOCKED_OUT: &str = "the runtime reads such tables but never writes them again";
const UNREADABLE: &str = "the runtime does not read such tables";
const NO_VARIANT: &str = "no column type stores a variant";

/// A feature of writers that the runtime does not write.
const LOCKING: FeatureSpec = FeatureSpec {
    feature: DeltaFeature::AllowColumnDefaults,
    name: "",
    side: Side::Writer,
    legacy: None,
    property: None,
    requires: &[],
    conflicts: &[],
    support: Support::ReadOnly,
    enablement: Enablement::Refused(LOCKED_OUT),
    permanent: None,
    doc: "",
};

/// A feature that the runtime does not read.
const FOREIGN: FeatureSpec = FeatureSpec {
    side: Side::ReaderAndWriter,
    support: Support::Refused,
    enablement: Enablement::Refused(UNREADABLE),
    ..LOCKING
};

/// A feature of writers that the runtime writes.
const WRITER: FeatureSpec = FeatureSpec {
    support: Support::Writable,
    enablement: Enablement::AtCreation,
    ..LOCKING
};

/// A feature of readers and writers that the runtime writes.
const BOTH: FeatureSpec = FeatureSpec {
    side: Side::ReaderAndWriter,
    ..WRITER
};

const fn versions(reader: u32, writer: u32) -> LegacyVersions {
    LegacyVersions { reader, writer }
}

const fn flag(key: &'static str) -> EnablingProperty {
    EnablingProperty {
        key,
        on: "true",
        off: "false",
    }
}

/// Every table feature, in the order of [`DeltaFeature`].
///
/// **Source**: Delta protocol, "Valid Feature Names in Table Features"; `support` was measured on deltalake-core 1.1.3
/// by reading, appending to and deleting from one table per feature.
pub const FEATURES: &[FeatureSpec] = &[
    FeatureSpec {
        feature: DeltaFeature::AdaptiveMetadataPreview,
        name: "adaptiveMetadata-preview",
        doc: "A format in the making, which the runtime's kernel knows by name.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::AllowColumnDefaults,
        name: "allowColumnDefaults",
        doc: "Defaults are declared by the dataset and filled in where a table is opened.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::AppendOnly,
        name: "appendOnly",
        legacy: Some(versions(1, 2)),
        property: Some(flag(key::APPEND_ONLY)),
        doc: "For journals: an overwrite, a delete or a merge of such a table is refused at the commit.",
        ..WRITER
    },
    FeatureSpec {
        feature: DeltaFeature::CatalogManaged,
        name: "catalogManaged",
        requires: &[DeltaFeature::InCommitTimestamp],
        doc: "Fails when the table is loaded, before its protocol can be looked at.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::CatalogOwnedPreview,
        name: "catalogOwned-preview",
        requires: &[DeltaFeature::InCommitTimestamp],
        doc: "As catalogManaged.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::ChangeDataFeed,
        name: "changeDataFeed",
        legacy: Some(versions(1, 4)),
        property: Some(flag(key::ENABLE_CHANGE_DATA_FEED)),
        conflicts: &[DeltaFeature::ColumnMapping],
        doc: "At writer 7 the property alone silently records nothing: the feature must be listed too.",
        ..WRITER
    },
    FeatureSpec {
        feature: DeltaFeature::CheckConstraints,
        name: "checkConstraints",
        legacy: Some(versions(1, 3)),
        doc: "Follows from constraints that are persisted. The runtime enforces them in its own writer, and not in \
              `INSERT INTO`.",
        ..WRITER
    },
    FeatureSpec {
        feature: DeltaFeature::CheckpointProtection,
        name: "checkpointProtection",
        enablement: Enablement::Refused("the runtime has no operation that adds it"),
        doc: "Left behind by tables that once dropped a feature.",
        ..WRITER
    },
    FeatureSpec {
        feature: DeltaFeature::ClusteredTable,
        name: "clustering",
        requires: &[DeltaFeature::DomainMetadata],
        doc: "Datasets declare a total order instead.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::ColumnMapping,
        name: "columnMapping",
        legacy: Some(versions(2, 5)),
        property: Some(EnablingProperty {
            key: key::COLUMN_MAPPING_MODE,
            on: "name",
            off: "none",
        }),
        conflicts: &[DeltaFeature::ChangeDataFeed],
        enablement: Enablement::OnlyAtCreation(
            "its files and its schema know no other names than those that readers see",
        ),
        permanent: Some("its files have columns under names that readers do not know"),
        doc: "Follows from the policy's column mapping. The runtime's compaction, change feed and added columns refuse \
              mapped tables.",
        ..BOTH
    },
    FeatureSpec {
        feature: DeltaFeature::DeletionVectors,
        name: "deletionVectors",
        property: Some(flag(key::ENABLE_DELETION_VECTORS)),
        conflicts: &[DeltaFeature::IcebergCompatV1, DeltaFeature::IcebergCompatV2],
        doc: "The runtime reads vectors and writes none: its deletes copy. For tables that other writers delete from.",
        ..BOTH
    },
    FeatureSpec {
        feature: DeltaFeature::DomainMetadata,
        name: "domainMetadata",
        doc: "The runtime has an operation that adds it, after which it refuses its own commits.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::GeneratedColumns,
        name: "generatedColumns",
        legacy: Some(versions(1, 4)),
        enablement: Enablement::Refused(
            "the deterministic writer computes no column; compute it in the view",
        ),
        doc: "The runtime computes them when they are absent and verifies them when they are there.",
        ..WRITER
    },
    FeatureSpec {
        feature: DeltaFeature::Geospatial,
        name: "geospatial",
        doc: "No column type stores a geometry.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::IcebergCompatV1,
        name: "icebergCompatV1",
        property: Some(flag(key::ENABLE_ICEBERG_COMPAT_V1)),
        requires: &[DeltaFeature::ColumnMapping],
        conflicts: &[
            DeltaFeature::DeletionVectors,
            DeltaFeature::IcebergCompatV2,
            DeltaFeature::IcebergCompatV3,
        ],
        doc: "Rules about types and files that no writer here follows.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::IcebergCompatV2,
        name: "icebergCompatV2",
        property: Some(flag(key::ENABLE_ICEBERG_COMPAT_V2)),
        requires: &[DeltaFeature::ColumnMapping],
        conflicts: &[
            DeltaFeature::DeletionVectors,
            DeltaFeature::IcebergCompatV1,
            DeltaFeature::IcebergCompatV3,
        ],
        doc: "Rules about types and files that no writer here follows.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::IcebergCompatV3,
        name: "icebergCompatV3",
        property: Some(flag(key::ENABLE_ICEBERG_COMPAT_V3)),
        requires: &[DeltaFeature::ColumnMapping, DeltaFeature::RowTracking],
        conflicts: &[DeltaFeature::IcebergCompatV1, DeltaFeature::IcebergCompatV2],
        doc: "Rules about types and files that no writer here follows.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::IdentityColumns,
        name: "identityColumns",
        legacy: Some(versions(1, 6)),
        doc: "Implied by writer version 6, which therefore locks the runtime out as well.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::InCommitTimestamp,
        name: "inCommitTimestamp",
        property: Some(flag(key::ENABLE_IN_COMMIT_TIMESTAMPS)),
        doc: "The runtime does not know the property either.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::Invariants,
        name: "invariants",
        legacy: Some(versions(1, 2)),
        doc: "Part of every table that the runtime creates; no column of ours declares one.",
        ..WRITER
    },
    FeatureSpec {
        feature: DeltaFeature::MaterializePartitionColumns,
        name: "materializePartitionColumns",
        doc: "The runtime has an operation that adds it, after which it refuses its own commits.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::RowTracking,
        name: "rowTracking",
        property: Some(flag(key::ENABLE_ROW_TRACKING)),
        requires: &[DeltaFeature::DomainMetadata],
        doc: "The runtime has an operation that adds it, after which it refuses its own commits.",
        ..LOCKING
    },
    FeatureSpec {
        feature: DeltaFeature::TimestampNtz,
        name: "timestampNtz",
        doc: "Follows from a column of type `timestamp_ntz`.",
        ..BOTH
    },
    FeatureSpec {
        feature: DeltaFeature::TypeWidening,
        name: "typeWidening",
        property: Some(flag(key::ENABLE_TYPE_WIDENING)),
        doc: "Declared types widen where a table is opened.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::TypeWideningPreview,
        name: "typeWidening-preview",
        property: Some(flag(key::ENABLE_TYPE_WIDENING)),
        doc: "As typeWidening.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::V2Checkpoint,
        name: "v2Checkpoint",
        property: Some(EnablingProperty {
            key: key::CHECKPOINT_POLICY,
            on: "v2",
            off: "classic",
        }),
        permanent: Some(
            "its checkpoints stay in the log, and readers that do not know them would still meet them",
        ),
        doc: "Handed to the runtime's own create, its property makes the runtime list the feature for readers only, on \
              which it panics: the protocol has to be said in full, in the same commit.",
        ..BOTH
    },
    FeatureSpec {
        feature: DeltaFeature::VacuumProtocolCheck,
        name: "vacuumProtocolCheck",
        doc: "The runtime cannot be made to claim it.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::VariantShredding,
        name: "variantShredding",
        requires: &[DeltaFeature::VariantType],
        doc: "No column type stores a variant.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::VariantShreddingPreview,
        name: "variantShredding-preview",
        requires: &[DeltaFeature::VariantTypePreview],
        doc: "As variantShredding.",
        ..FOREIGN
    },
    FeatureSpec {
        feature: DeltaFeature::VariantType,
        name: "variantType",
        enablement: Enablement::Refused(NO_VARIANT),
        doc: "Read and written as long as no variant is touched; variants themselves were not measured.",
        ..BOTH
    },
    FeatureSpec {
        feature: DeltaFeature::VariantTypePreview,
        name: "variantType-preview",
        enablement: Enablement::Refused(NO_VARIANT),
        doc: "As variantType.",
        ..BOTH
    },
];

// `spec` indexes the table by variant, and nothing may be enabled that the runtime does not write.
const _: () = {
    assert!(FEATURES.len() == DeltaFeature::VariantTypePreview as usize + 1);
    let mut at = 0;
    while at < FEATURES.len() {
        let row = &FEATURES[at];
        assert!(row.feature as usize == at);
        let is_refused = matches!(row.enablement, Enablement::Refused(_));
        assert!(matches!(row.support, Support::Writable) || is_refused);
        // Nothing would be planned for what it needs.
        assert!(row.requires.is_empty() || is_refused);
        at += 1;
    }
};

#[cfg(test)]
mod tests;
