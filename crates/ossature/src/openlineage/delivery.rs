//! Delivers events: one after another, in their order, until one fails.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ossature_artifacts::RunEvent;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, StatusCode, redirect};
use url::Url;

use super::target::{Destination, Target};
use super::{ANSWER_MAX, CONNECTION_MAX};
use crate::interrupt::Interrupt;

/// Why events did not reach whom they were for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undelivered {
    /// The endpoint was not reached, or did not answer.
    #[error("the endpoint could not be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The endpoint did not answer in time.
    #[error("the endpoint did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// The endpoint did not take an event.
    #[error("the endpoint answered {0}")]
    Refused(StatusCode),
    /// The file could not be written.
    #[error("the file cannot be written")]
    File(#[source] io::Error),
    /// The file could not be written in time.
    #[error("the file was not written within {} s", .0.as_secs())]
    Stuck(Duration),
    /// An event has no JSON form.
    #[error("an event cannot be encoded")]
    Unencodable(#[source] serde_json::Error),
    /// A dataset of the run has no place.
    #[error("an event cannot be made")]
    Unmade(#[source] ossature_artifacts::Error),
    /// All of it took too long.
    #[error("not all were delivered within {} s", .0.as_secs())]
    Late(Duration),
    /// A signal ended it.
    #[error("interrupted by {0}")]
    Interrupted(Interrupt),
}

impl Undelivered {
    /// A stable identifier, for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "openlineage_unreachable",
            Self::Silent(_) | Self::Stuck(_) | Self::Late(_) => "openlineage_timeout",
            Self::Refused(_) => "openlineage_refused",
            Self::File(_) => "openlineage_file_failed",
            Self::Unencodable(_) | Self::Unmade(_) => "openlineage_event_unmade",
            Self::Interrupted(_) => "openlineage_interrupted",
        }
    }

    fn of_request(error: reqwest::Error) -> Self {
        if error.is_timeout() && !error.is_connect() {
            Self::Silent(ANSWER_MAX)
        } else {
            // The URL is told beside it.
            Self::Unreachable(error.without_url())
        }
    }
}

/// Events on their way.
#[derive(Debug)]
pub(super) struct Outbox {
    destination: Destination,
    waiting: VecDeque<RunEvent>,
}

impl Outbox {
    pub(super) fn of(destination: Destination) -> Self {
        Self {
            destination,
            waiting: VecDeque::new(),
        }
    }

    /// Adds events, behind those that wait.
    pub(super) fn put(&mut self, events: Vec<RunEvent>) {
        self.waiting.extend(events);
    }

    /// Delivers what waits; what was not delivered goes on waiting.
    pub(super) async fn deliver(&mut self) -> Result<(), Undelivered> {
        match self.destination.target.clone() {
            Target::File(path) => self.append(path).await,
            Target::Endpoint(url) => self.post(&url).await,
        }
    }

    /// All at once, so that lines of several builds do not get into each other.
    async fn append(&mut self, path: PathBuf) -> Result<(), Undelivered> {
        let mut lines = String::new();
        for event in &self.waiting {
            lines.push_str(&encoded(event)?);
            lines.push('\n');
        }
        // Opening what is no plain file may take for ever.
        let written = tokio::task::spawn_blocking(move || append(&path, &lines));
        match tokio::time::timeout(ANSWER_MAX, written).await {
            Err(_) => Err(Undelivered::Stuck(ANSWER_MAX)),
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Ok(Ok(Err(error))) => Err(Undelivered::File(error)),
            Ok(Ok(Ok(()))) => {
                self.waiting.clear();
                Ok(())
            }
        }
    }

    async fn post(&mut self, url: &Url) -> Result<(), Undelivered> {
        let client = Client::builder()
            .connect_timeout(CONNECTION_MAX)
            .timeout(ANSWER_MAX)
            // Who is redirected is told so, instead of sending elsewhere what was meant for this endpoint.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("ossature/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(Undelivered::of_request)?;
        while let Some(event) = self.waiting.front() {
            let mut request = client
                .post(url.clone())
                .header(CONTENT_TYPE, "application/json")
                .body(encoded(event)?);
            if let Some(authorization) = &self.destination.authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            let answer = request.send().await.map_err(Undelivered::of_request)?;
            if !answer.status().is_success() {
                return Err(Undelivered::Refused(answer.status()));
            }
            self.waiting.pop_front();
        }
        Ok(())
    }
}

fn encoded(event: &RunEvent) -> Result<String, Undelivered> {
    serde_json::to_string(event).map_err(Undelivered::Unencodable)
}

fn append(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).open(path)?;
    file.write_all(lines.as_bytes())
}
