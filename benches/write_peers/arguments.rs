//! The command line of the bench.

use std::num::NonZeroUsize;
use std::str::FromStr;

use ossature_schema_spec::Codec;

use crate::Failure;
use crate::memory::Source;
use crate::peers::Peer;
use crate::rows::{Shape, Workload};

const USAGE: &str = "usage: write_peers [--shape graph|wide] [--codec zstd|snappy] [--rows N] [--runs N] [--memory]";

/// What the process is for.
#[derive(Debug)]
pub(crate) enum Task {
    /// Write rows that are in memory in every way, so many times.
    Time(Workload, NonZeroUsize),
    /// Have every writer write in a process of its own, so many times.
    Memory(Wanted, NonZeroUsize),
    /// Write once, to be measured by another process.
    Write(Workload, Peer, Source),
}

/// The rows that are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) shape: Shape,
    pub(crate) codec: Codec,
    pub(crate) rows: u64,
}

impl Wanted {
    pub(crate) fn workload(self) -> Result<Workload, Failure> {
        Workload::try_new(self.shape, self.codec, self.rows)
    }

    /// Asks another process for the same.
    pub(crate) fn words(self) -> [String; 6] {
        let codec = match self.codec {
            Codec::Snappy => "snappy",
            _ => "zstd",
        };
        let (shape, rows) = (self.shape.as_str(), self.rows.to_string());
        ["--shape", shape, "--codec", codec, "--rows", &rows].map(str::to_owned)
    }
}

impl Task {
    /// What the words after the program's name ask for.
    pub(crate) fn of(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut wanted = Wanted {
            shape: Shape::Wide,
            codec: Codec::Zstd(1),
            rows: 5_000_000,
        };
        let mut runs = NonZeroUsize::MIN.saturating_add(4);
        let (mut memory, mut peer, mut source) = (false, None, Source::Held);
        while let Some(option) = words.next() {
            match option.as_str() {
                // What cargo adds.
                "--bench" => {}
                "--memory" => memory = true,
                "--shape" => wanted.shape = parsed(words.next())?,
                "--codec" => {
                    wanted.codec = match words.next().as_deref() {
                        Some("snappy") => Codec::Snappy,
                        Some("zstd") => Codec::Zstd(1),
                        _ => return Err(USAGE.into()),
                    }
                }
                "--rows" => wanted.rows = parsed(words.next())?,
                "--runs" => runs = parsed(words.next())?,
                "--writer" => peer = Some(parsed(words.next())?),
                "--source" => source = parsed(words.next())?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(match peer {
            Some(peer) => Self::Write(wanted.workload()?, peer, source),
            None if memory => Self::Memory(wanted, runs),
            None => Self::Time(wanted.workload()?, runs),
        })
    }
}

fn parsed<T: FromStr>(word: Option<String>) -> Result<T, Failure>
where
    Failure: From<T::Err>,
{
    Ok(word.ok_or(USAGE)?.parse()?)
}
