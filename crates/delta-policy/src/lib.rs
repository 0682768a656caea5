//! Decides what is wanted of a Delta table, without touching one.
//!
//! A dataset declares a [`TablePolicy`]; the location and the request may override it; [`resolve`] makes one
//! [`ResolvedPolicy`] of all that, in which every value tells who decided it. The rest follows from the result.
//!
//! | question | answer |
//! |---|---|
//! | which value won, and who set it? | [`resolve`], [`Decided`], [`Source`], [`DEFAULTS`] |
//! | which columns get statistics, and why do the others not? | [`StatsDecision`], [`DropReason`] |
//! | what is a table feature, and may a policy ask for it? | [`DeltaFeature`], [`FEATURES`] |
//! | which commits bring the features into a table? | [`plan_features`] |
//! | can this runtime read and write that table? | [`gate`] |
//! | what becomes of it in `delta.*` properties? | [`render_properties`], [`plan_properties`] |
//! | may this table be written under that declaration? | [`plan_schema`] |
//! | how is every column encoded? | [`resolve_layout`] |
//!
//! Knows: policies, the Delta protocol's features and properties, what the linked runtime does with them. Does not
//! know: sessions, files, clocks, JSON.
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
//! let plan = plan_features(None, &policy.wanted_features())?;
//! assert_eq!(plan.after_creation, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod evolution;
mod feature;
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

pub use error::{Error, Errors};
pub use evolution::{SchemaPlan, plan_schema};
pub use feature::{
    DeltaFeature, Enablement, EnablingProperty, FEATURES, FeatureSpec, LegacyVersions, Side,
    Support,
};
pub use layout::{LayoutReason, LeafLayout, ParquetLayout, resolve_layout};
pub use overrides::{Decided, Override, PolicyOverrides, Source};
pub use plan::{FeatureChange, FeaturePlan, TableState, plan_features};
pub use policy::{DEFAULTS, Defaults, Retention, SchemaMode, StatsPolicy, TablePolicy};
pub use properties::{PropertyChange, maps_columns, plan_properties, render_properties};
pub use protocol::{FeatureGate, Protocol, ProtocolProblem, ProtocolReport, ProtocolSupport, gate};
pub use resolve::{ResolvedPolicy, resolve};
pub use statistics::{DropReason, Dropped, StatsDecision};
