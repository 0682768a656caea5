//! Views that need not be computed, because their tables hold already what their plans compute.
//!
//! Equal work over equal rows gives equal bytes: that is what every other part of this system sees to. So a view is only
//! computed when something differs that its table follows from. The plan's fingerprint has the digests of the rows that it
//! reads, so a table that was written anew with the same rows is no reason to compute what is read from it.

use std::num::NonZeroUsize;

use ossature_artifacts::{CacheStatusV1, DigestV1, OutputV1, RunManifestV1, ViewCacheV1};
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

    /// The parts that differ from those of a published version whose key is another one.
    fn differing(&self, run: &RunManifestV1, output: &OutputV1) -> Vec<&'static str> {
        let environment = run.environment.as_ref().map(|it| it.hash.fingerprint());
        let parts = [
            (
                "plan",
                Some(self.plan),
                output.plan_fingerprint.map(DigestV1::fingerprint),
            ),
            ("environment", Some(self.environment), environment),
            (
                "contract",
                Some(self.contract),
                Some(output.contract_hash.fingerprint()),
            ),
            (
                "policy",
                Some(self.policy),
                Some(output.policy_hash.fingerprint()),
            ),
        ];
        let parts = parts.into_iter().filter(|(_, now, then)| now != then);
        let mut names: Vec<&'static str> = parts.map(|(name, ..)| name).collect();
        // What is left of the key has no record of its own.
        if names.is_empty() {
            names.push("writer");
        }
        names
    }
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
    pub(crate) async fn look_up(&mut self, key: &CacheKey, request: &WriteRequest) -> Lookup {
        let name = request.contract.name();
        let found = self.find(key, request).await;
        let digest = key.digest();
        let of = |status, reason: String| ViewCacheV1::of(name, status, reason);
        let decision = match &found {
            Found::Disabled => of(
                CacheStatusV1::Disabled,
                "every view was to be computed".to_owned(),
            ),
            Found::Unpublished => of(CacheStatusV1::Miss, "it was not published yet".to_owned()),
            Found::Other(parts) => {
                let mut decision = of(
                    CacheStatusV1::Miss,
                    format!("another {} than in the published run", listed(parts)),
                );
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

    async fn find(&mut self, key: &CacheKey, request: &WriteRequest) -> Found {
        if !self.is_used {
            return Found::Disabled;
        }
        let name = request.contract.name();
        let published = self.published.as_deref();
        let published = published.and_then(|run| Some((run, run.output(name.as_str())?)));
        let Some((run, output)) = published else {
            return Found::Unpublished;
        };
        if output.cache_key.map(DigestV1::fingerprint) != Some(key.digest()) {
            return Found::Other(key.differing(run, output));
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
    let files = verifier.verify(&request.contract, &open).await;
    let files = files.map_err(|error| describe(&error))?;
    if let Some((path, damage)) = files.damaged.first_key_value() {
        let count = files.damaged.len();
        return Err(format!(
            "{count} of {} files are damaged; `{path}`: {damage}",
            files.files
        ));
    }
    let wanted = output.content_hash.fingerprint();
    if files.without_digest > 0 || files.content != Some(wanted) {
        return Err("its log does not have the digest of every file".to_owned());
    }
    let outcome = stored_outcome(request, published.version).await;
    let outcome = outcome.map_err(|error| describe(&error))?;
    match outcome.filter(|outcome| outcome.content == wanted) {
        Some(outcome) => Ok(outcome),
        None => Err(format!(
            "version {} is not the newest one, or not kept as the policy wants",
            published.version
        )),
    }
}

fn listed(parts: &[&str]) -> String {
    match parts {
        [] => String::new(),
        [part] => (*part).to_owned(),
        [parts @ .., last] => format!("{} and another {last}", parts.join(", another ")),
    }
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
