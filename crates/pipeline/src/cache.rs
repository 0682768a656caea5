//! Views that need not be computed, because their tables hold already what their plans compute.
//!
//! Equal work over equal rows gives equal bytes: that is what every other part of this system sees to. So a view is only
//! computed when something differs that its table follows from. The plan's fingerprint has the digests of the rows that it
//! reads, so a table that was written anew with the same rows is no reason to compute what is read from it.

use std::num::NonZeroUsize;

use ossature_artifacts::{
    CacheStatusV1, DigestV1, OutputV1, PinV1, PlanArtifactV1, RunManifestV1, ViewCacheV1,
};
use ossature_lineage::PlanBundle;
use ossature_schema_spec::{CanonicalHasher, DatasetName, Fingerprint};
use ossature_write_pipeline::{
    FileVerifier, WRITER_VERSION, WriteOutcome, WriteRequest, stored_outcome,
};

use crate::describe;

/// What the rows and the bytes of a view's table depend on.
///
/// How the engine carries a plan out (threads, memory, size of batches) is no part of it: no row and no byte depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheKey {
    /// The fingerprint of the plan, which knows the rows that it reads and the functions that it calls.
    pub(crate) plan: Fingerprint,
    /// The planning environment: versions, and settings that may change rows.
    pub(crate) environment: Fingerprint,
    pub(crate) contract: Fingerprint,
    pub(crate) policy: Fingerprint,
    /// The version of the rules by which rows become files.
    pub(crate) writer: u32,
}

impl CacheKey {
    pub(crate) fn of(bundle: &PlanBundle, request: &WriteRequest) -> Self {
        Self {
            plan: bundle.fingerprint(),
            environment: bundle.environment(),
            contract: request.contract.contract_hash(),
            policy: request.policy.fingerprint(),
            writer: WRITER_VERSION,
        }
    }

    pub(crate) fn digest(&self) -> Fingerprint {
        let Self {
            plan,
            environment,
            contract,
            policy,
            writer,
        } = self;
        let mut hasher = CanonicalHasher::new("ossature.view_cache.v1");
        for part in [plan, environment, contract, policy] {
            hasher.fingerprint(*part);
        }
        hasher.integer(i64::from(*writer));
        hasher.finish()
    }

    /// What differs from a published version. `plan` is the one that the key has.
    fn differing(
        &self,
        plan: &PlanArtifactV1,
        run: &RunManifestV1,
        output: &OutputV1,
    ) -> Vec<&'static str> {
        let digest = |it: Option<DigestV1>| it.map(DigestV1::fingerprint);
        let environment = run.environment.as_ref().map(|it| it.hash);
        let is_other_plan = digest(output.plan_fingerprint) != Some(self.plan);
        let rows = is_other_plan && !other_inputs(plan, run).is_empty();
        let query = is_other_plan && output.plan_hash != Some(plan.plan_hash);
        let parts = [
            ("rows", rows),
            ("query", query),
            // What is left of a fingerprint.
            ("functions", is_other_plan && !rows && !query),
            ("environment", digest(environment) != Some(self.environment)),
            (
                "contract",
                output.contract_hash.fingerprint() != self.contract,
            ),
            ("policy", output.policy_hash.fingerprint() != self.policy),
            ("writer", output.writer_version != self.writer),
        ];
        let parts = parts.into_iter().filter(|(_, differs)| *differs);
        parts.map(|(name, _)| name).collect()
    }
}

/// The inputs of a plan whose rows are others than those that a run published.
fn other_inputs<'a>(plan: &'a PlanArtifactV1, run: &RunManifestV1) -> Vec<&'a str> {
    let is_other = |pin: &&PinV1| {
        let published = run.output(&pin.dataset).map(|output| output.content_hash);
        published.is_none() || published != pin.content_hash
    };
    let pins = plan.inputs.iter().map(|input| &input.pin);
    pins.filter(is_other)
        .map(|pin| pin.dataset.as_str())
        .collect()
}

/// What was found of a view.
pub(crate) struct Lookup {
    pub(crate) decision: ViewCacheV1,
    /// The version that is taken as it is.
    pub(crate) stored: Option<WriteOutcome>,
}

/// The tables of the newest published run.
#[derive(Debug)]
pub(crate) struct ViewCache {
    published: Option<Box<RunManifestV1>>,
    verifier: FileVerifier,
    is_used: bool,
}

impl ViewCache {
    pub(crate) fn of(
        published: Option<RunManifestV1>,
        threads: NonZeroUsize,
        is_used: bool,
    ) -> Self {
        Self {
            published: published.map(Box::new),
            verifier: FileVerifier::new(threads),
            is_used,
        }
    }

    /// Looks whether the table of a view holds, byte for byte, what `key` stands for. Whatever is in the way of that is a
    /// reason to compute the view, and no error: who writes the table meets it, too.
    pub(crate) async fn look_up(
        &mut self,
        key: &CacheKey,
        plan: &PlanArtifactV1,
        request: &WriteRequest,
    ) -> Lookup {
        let name = request.contract.name();
        let found = self.find(key, plan, request).await;
        let digest = key.digest();
        let of = |status, reason: String| ViewCacheV1::of(name, status, reason);
        let decision = match &found {
            Found::Disabled => of(
                CacheStatusV1::Disabled,
                "every view was to be computed".to_owned(),
            ),
            Found::Unpublished => of(CacheStatusV1::Miss, "it was not published yet".to_owned()),
            Found::Other(parts) => {
                let why = self.why_other(parts, plan);
                let mut decision = of(CacheStatusV1::Miss, why);
                decision.differs = parts.iter().map(ToString::to_string).collect();
                decision
            }
            Found::Stale(reason) => of(CacheStatusV1::Stale, reason.clone()),
            Found::Stored(outcome) => of(
                CacheStatusV1::Hit,
                "its files are those that the same work gave".to_owned(),
            )
            .taken(outcome.version, outcome.rows, outcome.bytes),
        };
        let run_id = match &found {
            Found::Disabled | Found::Unpublished => None,
            _ => self.published.as_ref().map(|run| run.run_id.as_str()),
        };
        Lookup {
            decision: decision.keyed(digest, run_id),
            stored: match found {
                Found::Stored(outcome) => Some(*outcome),
                _ => None,
            },
        }
    }

    /// What differs, in words; of rows, those of which inputs.
    fn why_other(&self, parts: &[&str], plan: &PlanArtifactV1) -> String {
        let words = parts.iter().map(|part| match (*part, &self.published) {
            ("rows", Some(run)) => format!("other rows of {}", other_inputs(plan, run).join(", ")),
            ("functions", _) => "other functions, or other columns of inputs,".to_owned(),
            (part, _) => format!("another {part}"),
        });
        let words: Vec<String> = words.collect();
        format!("{} than in the published run", words.join(" and "))
    }

    async fn find(
        &mut self,
        key: &CacheKey,
        plan: &PlanArtifactV1,
        request: &WriteRequest,
    ) -> Found {
        if !self.is_used {
            return Found::Disabled;
        }
        let name = request.contract.name();
        let published = self.published.as_deref();
        let published = published.and_then(|run| Some((run, run.output(name.as_str())?)));
        let Some((run, output)) = published else {
            return Found::Unpublished;
        };
        let differing = key.differing(plan, run, output);
        if !differing.is_empty() {
            return Found::Other(differing);
        }
        match verify(&mut self.verifier, output, request).await {
            Ok(outcome) => Found::Stored(Box::new(outcome)),
            Err(reason) => Found::Stale(reason),
        }
    }
}

enum Found {
    Disabled,
    Unpublished,
    /// The parts of the key that differ.
    Other(Vec<&'static str>),
    Stale(String),
    Stored(Box<WriteOutcome>),
}

/// The published version, if it is the newest one, all its files are what was written, and a write would not change how the
/// table is kept.
async fn verify(
    verifier: &mut FileVerifier,
    output: &OutputV1,
    request: &WriteRequest,
) -> Result<WriteOutcome, String> {
    let published = output.published();
    let open = published.open(&request.location).await;
    let open = open.map_err(|error| describe(&error))?;
    // What costs least comes first.
    let outcome = stored_outcome(request, published.version).await;
    let outcome = outcome.map_err(|error| describe(&error))?;
    let files = verifier.verify(&request.contract, &open).await;
    let files = files.map_err(|error| describe(&error))?;
    if let Some((path, damage)) = files.damaged.first_key_value() {
        let (damaged, all) = (files.damaged.len(), files.files);
        return Err(format!(
            "{damaged} of {all} files are damaged; `{path}`: {damage}"
        ));
    }
    let wanted = output.content_hash.fingerprint();
    // Nothing but the commit tells the sequence of clustered files, which their digest follows.
    let is_clustered = !request.policy.cluster_by.value.is_empty();
    let is_told = match files.content {
        Some(content) => content == wanted,
        None => is_clustered,
    };
    if files.without_digest > 0 || !is_told || outcome.content != wanted {
        return Err(
            "its log does not have the digests of the files that were published".to_owned(),
        );
    }
    Ok(outcome)
}

/// What is recorded of a view that has no table.
pub(crate) fn inline(view: &DatasetName) -> ViewCacheV1 {
    ViewCacheV1::of(
        view,
        CacheStatusV1::Inline,
        "it has no table; whoever names it computes it",
    )
}

#[cfg(test)]
mod tests;
