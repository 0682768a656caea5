//! The payload types: serialisable twins of the facts that the crates below state.
//!
//! A twin takes its original apart field by field, so that a new field stops the build until the contract is decided.

mod cache;
mod digest;
mod environment;
mod failure;
mod feed;
mod layout;
mod maintenance;
mod manifest;
mod pin;
mod plan;
mod policy;
mod protocol;
mod scan;
mod validation;
mod write;

pub use cache::{CacheStatusV1, ViewCacheV1};
pub use digest::DigestV1;
pub(crate) use digest::{DIGEST_PATTERN, is_digest};
pub use environment::EnvironmentV1;
pub use failure::WriteFailureV1;
pub use feed::{FeedConsumptionV1, FeedModeV1};
pub use layout::{BloomFilterV1, LayoutV1, LeafLayoutV1};
pub use maintenance::MaintenanceFactV1;
pub use manifest::{
    CallCoverageV1, ExecutionProfileV1, ExtractSummaryV1, FailureV1, OutputRecords, OutputV1,
    PlanRecord, RunCompletion, RunManifestV1, RunOptionsV1, RunStart, RunStatusV1,
};
pub use pin::PinV1;
pub(crate) use plan::plan_hash;
pub use plan::{ColumnOriginV1, PlanArtifactV1, PlanColumnV1, PlanInputV1, PlanOutputV1};
pub use policy::{
    CompactionV1, DecidedV1, DroppedV1, PolicyArtifactV1, StatsDecisionV1, UsedColumnV1, VacuumV1,
    WarningV1,
};
pub use protocol::{
    EnablementV1, ProtocolReportV1, ProtocolV1, RefusedFeatureV1, RequiredProtocolV1,
};
pub use scan::{OrderProofV1, ScanAlignmentV1, ScanArtifactV1, ScanModeV1};
pub use validation::{SemanticFindingV1, SemanticValidationV1};
pub use write::WriteArtifactV1;
