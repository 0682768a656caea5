//! A run event: which run of which job began or ended, and what it read and wrote.

use serde::Serialize;
use uuid::Uuid;

use super::facet::{DatasetFacets, JobFacets, OutputDatasetFacets, RunFacets};
use super::place::Place;

/// An event in the life of a run; as JSON it is what tools take in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEvent {
    pub(super) event_type: EventType,
    pub(super) event_time: String,
    pub(super) run: Run,
    pub(super) job: Job,
    pub(super) inputs: Vec<Dataset>,
    pub(super) outputs: Vec<Dataset>,
    pub(super) producer: String,
    #[serde(rename = "schemaURL")]
    pub(super) schema_url: &'static str,
}

impl RunEvent {
    pub(super) const SCHEMA_URL: &str =
        "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum EventType {
    Start,
    Complete,
    Abort,
    Fail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    #[serde(serialize_with = "as_text")]
    pub(super) run_id: Uuid,
    pub(super) facets: RunFacets,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Job {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) facets: JobFacets,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dataset {
    #[serde(flatten)]
    place: Place,
    facets: DatasetFacets,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_facets: Option<OutputDatasetFacets>,
}

impl Dataset {
    pub(super) fn input(place: Place, facets: DatasetFacets) -> Self {
        Self {
            place,
            facets,
            output_facets: None,
        }
    }

    pub(super) fn output(place: Place, facets: DatasetFacets, of: OutputDatasetFacets) -> Self {
        Self {
            place,
            facets,
            output_facets: Some(of),
        }
    }
}

/// With hyphens, whatever else a serializer would choose.
pub(super) fn as_text<S: serde::Serializer>(uuid: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&uuid.hyphenated())
}
