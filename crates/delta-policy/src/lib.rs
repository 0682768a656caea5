//! Decides what is wanted of a Delta table, without touching one.
//!
//! A dataset declares a [`TablePolicy`]; the location and the request may override it; [`resolve`] makes one
//! [`ResolvedPolicy`] of all that, in which every value tells who decided it. The rest follows from the result.
//!
//! | question | answer |
//! |---|---|
//! | which value won, and who set it? | [`resolve`], [`Decided`], [`Source`], [`DEFAULTS`] |
//! | what may a policy file say, and what is wrong with one? | [`PolicyFile`], [`PolicyFileErrors`], [`LakeOverrides`] |
//! | what is admissible and may not be meant? | [`Warning`] |
//! | which columns get statistics, and why do the others not? | [`StatsDecision`], [`DropReason`] |
//! | what is a table feature, and may a policy ask for it? | [`DeltaFeature`], [`FEATURES`] |
//! | what brings the features into a table, in one commit? | [`plan_features`] |
//! | what does an existing table lack, all in all? | [`plan_change`] |
//! | can this runtime read and write that table? | [`gate`] |
//! | what becomes of it in `delta.*` properties? | [`render_properties`], [`plan_properties`] |
//! | may this table be written under that declaration? | [`plan_schema`], [`check_schema_mode`] |
//! | how is every column encoded? | [`resolve_layout`] |
//!
//! Policies, overrides and resolved policies are written and read by serde, in one spelling for every format.
//!
//! Knows: policies and their spelling, the Delta protocol's features and properties, what the linked runtime does with
//! them. Does not know: sessions, storage, clocks.
//!
//! ```
//! use ossature_delta_policy::{
//!     Override, PolicyOverrides, Source, TablePolicy, plan_features, render_properties, resolve,
//! };
//! use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
//!
//! let nodes = DatasetSpec::builder("extract.nodes", "One row per node.")
//!     .column(ColumnSpec::required("node_id", ColumnType::Int64)?)
//!     .column(ColumnSpec::nullable("weight", ColumnType::Float64)?)
//!     .key(["node_id"])
//!     .build()?;
//! let request = PolicyOverrides {
//!     change_feed: Override::Set(true),
//!     ..PolicyOverrides::none()
//! };
//!
//! let policy = resolve(&request, &PolicyOverrides::none(), &nodes, &TablePolicy::default(), &[])?;
//! assert_eq!(policy.change_feed.source, Source::Request);
//!
//! let properties = render_properties(&policy);
//! assert_eq!(properties["delta.dataSkippingStatsColumns"], "node_id");
//! assert_eq!(properties["delta.enableChangeDataFeed"], "true");
//!
//! let plan = plan_features(None, &policy.feature_request())?;
//! assert_eq!(plan.report.protocol_after.to_string(), "reader 1, writer 4");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cluster;
mod constraint;
mod error;
mod evolution;
mod feature;
mod file;
mod layout;
mod overrides;
mod plan;
mod policy;
mod properties;
mod protocol;
mod resolve;
#[cfg(test)]
mod sample;
mod spelling;
mod statistics;
mod warning;

pub use error::{Error, Errors};
pub use evolution::{SchemaPlan, check_schema_mode, plan_schema};
pub use feature::{
    DeltaFeature, Enablement, EnablingProperty, FEATURES, FeatureSpec, LegacyVersions, Side,
    Support,
};
pub use file::{
    FileQuery, Place, PolicyFile, PolicyFileError, PolicyFileErrors, PolicyFileProblem,
};
pub use layout::{LayoutReason, LeafLayout, ParquetLayout, resolve_layout};
pub use overrides::{
    ColumnOverrides, Decided, LakeOverrides, Override, ParquetOverrides, PolicyOverrides, Source,
};
pub use plan::{
    EnablementReport, FeatureChange, FeaturePlan, FeatureRequest, TableChange, TableState,
    plan_change, plan_features,
};
pub use policy::{
    ColumnMapping, Compaction, DEFAULTS, Defaults, Retention, SchemaMode, StatsPolicy, TablePolicy,
    Vacuum,
};
pub use properties::{
    PropertyChange, maps_columns, plan_properties, records_changes, render_properties, schema_key,
    tells_times,
};
pub use protocol::{FeatureGate, Protocol, ProtocolProblem, ProtocolReport, ProtocolSupport, gate};
pub use resolve::{ResolvedPolicy, resolve};
pub use spelling::{SpellingError, nearest_name};
pub use statistics::{DropReason, Dropped, StatsDecision, UsedColumn};
pub use warning::Warning;
