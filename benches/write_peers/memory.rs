//! Peak memory, each writer in a process of its own.

use std::num::NonZeroUsize;
use std::process::Command;
use std::str::FromStr;

use ossature_tests::TemporaryLake;

use crate::arguments::Wanted;
use crate::figures::{Figure, row};
use crate::peers::{Peer, Rows};
use crate::rows::Workload;
use crate::usage::Usage;
use crate::{Failure, runtime};

/// Where a process takes its rows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// All of them are in memory before the first is written.
    Held,
    /// They are made batch by batch.
    Streamed,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Streamed => "streamed",
        }
    }
}

impl FromStr for Source {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        match word {
            "held" => Ok(Self::Held),
            "streamed" => Ok(Self::Streamed),
            _ => Err(format!("no source of rows is called {word}").into()),
        }
    }
}

/// Measures so many times and renders the medians: what every writer takes over the rows in memory, and what the two
/// that take streams need in all, for the rows and for four times as many.
pub(crate) fn compare(wanted: &Wanted, runs: NonZeroUsize) -> Result<String, Failure> {
    let four_times = Wanted {
        rows: 4 * wanted.rows,
        ..*wanted
    };
    let mut lines = Vec::new();
    let mut measure = |name: String, measured: &dyn Fn() -> Result<f64, Failure>| {
        let mut figure = Figure::default();
        for _ in 0..runs.get() {
            figure.push(measured()?);
        }
        lines.push(row(&name, &figure));
        Ok::<_, Failure>(())
    };
    for peer in Peer::WRITERS {
        let over = || {
            let alone = peak(wanted, Peer::Nobody, Source::Held)?;
            Ok(peak(wanted, peer, Source::Held)? - alone)
        };
        measure(format!("{}, over the rows", peer.as_str()), &over)?;
    }
    for peer in [Peer::Nobody, Peer::Ours, Peer::TwoFiles] {
        let name = peer.as_str();
        let peak = |wanted| move || peak(wanted, peer, Source::Streamed);
        measure(format!("{name}, streamed, in all"), &peak(wanted))?;
        measure(format!("{name}, four times the rows"), &peak(&four_times))?;
    }
    Ok(format!(
        "{} rows, {}; {runs} runs\n\n| peak memory, MiB | median | spread |\n|---|---:|---:|\n{}",
        wanted.rows,
        wanted.codec,
        lines.join("\n")
    ))
}

/// The largest resident memory of a process that writes once, in MiB.
fn peak(wanted: &Wanted, peer: Peer, source: Source) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(wanted.words())
        .args(["--writer", peer.as_str(), "--source", source.as_str()]);
    let usage = Usage::of(&mut command)?;
    Ok(f64::from(u32::try_from(usage.peak_bytes >> 10)?) / 1024.0)
}

/// Writes once.
pub(crate) fn write(workload: &Workload, peer: Peer, source: Source) -> Result<(), Failure> {
    let rows = match source {
        Source::Held => Rows::held(workload)?,
        Source::Streamed => Rows::Streamed,
    };
    peer.write(&runtime()?, workload, &rows, &TemporaryLake::try_new()?)
}
