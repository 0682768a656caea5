//! Whether a dataset is read through its change feed, and what happens when that cannot be.

use std::fmt;

use ossature_schema_spec::DatasetName;

use super::request::ChangeFeedRequest;
use super::window::FeedClass;
use super::{ChangeFeed, open_change_feed};
use crate::{Error, TableLocation};

/// What a dataset is in a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatasetKind {
    /// Its rows are what counts.
    #[default]
    Primary,
    /// The changes of its rows are what counts.
    DeltaCdf,
}

/// Who stands for a dataset in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScanProvider {
    /// The scan of its rows alone.
    Primary,
    /// Its change feed as well.
    ChangeFeed,
}

/// What is wanted of change feeds, whatever a request says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FeedPolicy {
    /// Whether there must be a feed: without it nothing is registered.
    pub required: bool,
    /// Whether windows beyond the table's versions hold no rows, instead of being refused.
    pub allow_out_of_range: bool,
}

/// Everything that decides whether a dataset gets a change feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedSelection {
    /// What the caller says, if anything.
    pub provider: Option<ScanProvider>,
    /// The policy.
    pub policy: FeedPolicy,
    /// What the dataset is.
    pub kind: DatasetKind,
    /// The window that is wanted.
    pub request: Option<ChangeFeedRequest>,
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeedSource {
    /// The caller said it.
    Explicit,
    /// The policy requires a feed.
    Policy,
    /// The dataset is one of changes.
    Kind,
    /// A window is asked for.
    Request,
    /// Nothing did.
    Default,
}

impl fmt::Display for FeedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "the caller",
            Self::Policy => "the policy",
            Self::Kind => "the dataset's kind",
            Self::Request => "the request",
            Self::Default => "nothing",
        })
    }
}

/// Who stands for a dataset, and what decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedChoice {
    /// Who stands for it.
    pub provider: ScanProvider,
    /// What decided.
    pub source: FeedSource,
}

impl FeedSelection {
    /// Decides: what the caller says, then the policy, then the dataset's kind, then whether a window is asked for.
    pub fn choose(&self) -> FeedChoice {
        let feed = ScanProvider::ChangeFeed;
        let (provider, source) = match self.provider {
            Some(provider) => (provider, FeedSource::Explicit),
            None if self.policy.required => (feed, FeedSource::Policy),
            None if self.kind == DatasetKind::DeltaCdf => (feed, FeedSource::Kind),
            None if self.request.is_some() => (feed, FeedSource::Request),
            None => (ScanProvider::Primary, FeedSource::Default),
        };
        FeedChoice { provider, source }
    }
}

/// What became of a selection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FeedOutcome {
    /// No feed was wanted.
    Primary(FeedChoice),
    /// The feed was opened.
    Opened {
        /// What was decided.
        choice: FeedChoice,
        /// The feed.
        feed: Box<ChangeFeed>,
    },
    /// A feed was wanted and not required, and there is none.
    Unavailable {
        /// What was decided.
        choice: FeedChoice,
        /// Why there is none, for programs: the code of the error.
        code: &'static str,
        /// What the window is, where that is why.
        class: Option<FeedClass>,
        /// Why there is none, in words.
        reason: String,
    },
}

/// Decides whether a dataset gets a change feed, and opens it.
///
/// **Errors**: [`Error::FeedNotConfigured`] when a feed is wanted and no window given; [`Error::FeedRequired`] when a
/// required one cannot be opened; and those of [`open_change_feed`] that have nothing to do with whether there is one.
pub async fn select_change_feed(
    dataset: &DatasetName,
    location: &TableLocation,
    selection: &FeedSelection,
) -> Result<FeedOutcome, Error> {
    let choice = selection.choose();
    if choice.provider == ScanProvider::Primary {
        return Ok(FeedOutcome::Primary(choice));
    }
    let Some(request) = &selection.request else {
        return Err(Error::FeedNotConfigured {
            dataset: dataset.clone(),
            wanted_by: choice.source,
        });
    };
    let policy = selection.policy;
    let request = ChangeFeedRequest {
        allow_out_of_range: request.allow_out_of_range || policy.allow_out_of_range,
        ..request.clone()
    };
    match open_change_feed(dataset, location, &request).await {
        Ok(feed) => Ok(FeedOutcome::Opened {
            choice,
            feed: Box::new(feed),
        }),
        Err(error) if is_misuse(&error) => Err(error),
        Err(error) if policy.required => Err(Error::FeedRequired {
            dataset: dataset.clone(),
            source: Box::new(error),
        }),
        Err(error) => unavailable(choice, error),
    }
}

/// Whether the request is at fault, and no feed would have these rows.
fn is_misuse(error: &Error) -> bool {
    matches!(
        error,
        Error::UnknownFeedColumn { .. } | Error::InvalidFeedPredicate { .. }
    )
}

/// What there is no feed for is a fact; a failure stays one.
fn unavailable(choice: FeedChoice, error: Error) -> Result<FeedOutcome, Error> {
    let class = match &error {
        Error::ChangeFeed { class, .. } => Some(class.as_ref().clone()),
        Error::Unsupported { .. } | Error::NoTable { .. } | Error::Recreated { .. } => None,
        _ => return Err(error),
    };
    Ok(FeedOutcome::Unavailable {
        choice,
        code: error.code(),
        class,
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selection: &FeedSelection, provider: ScanProvider, source: FeedSource) {
        assert_eq!(selection.choose(), FeedChoice { provider, source });
    }

    #[test]
    fn the_caller_decides_before_the_policy_the_kind_and_the_request() {
        let mut selection = FeedSelection::default();
        check(&selection, ScanProvider::Primary, FeedSource::Default);
        selection.request = Some(ChangeFeedRequest::default());
        check(&selection, ScanProvider::ChangeFeed, FeedSource::Request);
        selection.kind = DatasetKind::DeltaCdf;
        check(&selection, ScanProvider::ChangeFeed, FeedSource::Kind);
        selection.policy.required = true;
        check(&selection, ScanProvider::ChangeFeed, FeedSource::Policy);
        selection.provider = Some(ScanProvider::Primary);
        check(&selection, ScanProvider::Primary, FeedSource::Explicit);
    }
}
