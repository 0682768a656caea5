//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What the program's exit code says.
const EXIT_CODES: &str = "\
Exit codes:
  0    done; what was built is published
  1    there are findings, or a difference
  2    the command cannot be carried out as it was typed
  3    a policy refuses it
  4    the outcome is not the recorded one
  5    the storage or the engine failed
  130  interrupted by SIGINT (Ctrl-C)
  143  interrupted by SIGTERM";

/// What `build` does about signals, and about events that do not reach anybody.
const BUILD: &str = "\
Ctrl-C and SIGTERM end the run: it is recorded as failed, nothing is published, and the exit code is 130 or 143. \
A signal that comes while the run is being published comes too late: publishing is completed, and the exit code is 0. \
A second signal ends the program wherever it is; the next build or maintenance records what became of the run.

OpenLineage events that cannot be delivered are told as one warning; the run and the exit code do not depend on them. \
OPENLINEAGE_API_KEY, OPENLINEAGE_ENDPOINT, OPENLINEAGE_NAMESPACE and OPENLINEAGE_DISABLED are heeded.";

/// What stands in a policy file.
const POLICY_FILE: &str = "\
A policy file is TOML: `[defaults]` holds for every table, `[tables.\"cpg.cpg_nodes\"]` for one, and \
`[queries.NAME]` with `sql = \"...\"` names what is asked again and again, which statistics are chosen for. \
Everything that is wrong with it is told at once, each with its line.";

/// What `verify` does, and what helps.
const DAMAGE: &str = "\
Nothing is written. Files are compared by length and digest, versions by content hash. The exit code is 4 when \
something differs. A build of the same sources restores damaged files.";

/// What `stats` tells.
const STATISTICS: &str = "\
Bounds are the smallest and the largest value of a column per file, kept in the log. A column is read by those who filter, \
join, group or order by it: views, and queries that are asked again and again. Those queries are run: *planned* are the files \
that the log does not rule out, *opened* those that were read of them.";

/// What `replay` does.
const REPLAY: &str = "\
Every recorded plan is executed over the versions that the run read, and its rows are written as the recorded policy \
says, into a temporary folder that is removed at the end; the lake stays as it is. Tables that came from \
outside, the extracted ones, are read and not made again: their outcome is `source`. The exit code is 4 when a table has \
other bytes than the run published, or its records or declarations are not what they were; and 5 when nothing is known because \
memory or storage gave out. Whether the lake still has the files of the run, `verify` tells.";

/// What `explain-diff` tells.
const DIFFERENCES: &str = "\
A fingerprint differs only where a field of its plan does. The exit code is 1 when something differs.";

/// What `maintain` promises.
const UPKEEP: &str = "\
Every published run stays readable: no file is deleted that one of them reads. What was done is recorded in \
`runs.maintenance_facts`. A table that fails does not keep the others from their upkeep; the exit code is 5 then. \
Ctrl-C and SIGTERM end it between one thing and the next: what was done stays done.";

/// Turns a Python source tree into a code property graph in a lake of Delta tables, and queries it.
#[derive(Debug, Parser)]
#[command(name = "ossature", version = crate::build::VERSION, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log to standard error, for example `info` or `ossature=debug`
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the graph of a source tree and publish it
    #[command(after_help = BUILD)]
    Build(BuildArguments),
    /// Query the published graph with SQL; tables are `cpg_nodes`, `extract.files`, `runs.run_manifest` ...
    Query(QueryArguments),
    /// List the runs of a lake, newest first
    Runs(RunsArguments),
    /// Show what a run read, planned, wrote and decided
    Show(ShowArguments),
    /// Show how tables are kept: every value, who decided it, and why
    #[command(after_help = POLICY_FILE)]
    Policy(PolicyArguments),
    /// Compare every file of what was published with what was recorded when it was written
    #[command(after_help = DAMAGE)]
    Verify(VerifyArguments),
    /// Show which statistics a table has, who reads by which column, and what they skip
    #[command(after_help = STATISTICS)]
    Stats(StatsArguments),
    /// Carry a published run out again from what it recorded, and compare every byte
    #[command(after_help = REPLAY)]
    Replay(ReplayArguments),
    /// Show which fields differ between two runs
    #[command(after_help = DIFFERENCES)]
    ExplainDiff(ExplainDiffArguments),
    /// Keep the tables of a lake up as their policies say: compaction, checkpoints, vacuum
    #[command(after_help = UPKEEP)]
    Maintain(MaintainArguments),
}

impl Command {
    pub(crate) fn threads(&self) -> NonZeroUsize {
        match self {
            Self::Build(arguments) => arguments.threads(),
            Self::Replay(arguments) => arguments.threads(),
            _ => available_threads(),
        }
    }
}

pub(crate) fn available_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Arguments of `build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// The folder of the source tree; nothing is written into it, but for a lake that is put there
    pub(crate) source: PathBuf,
    /// The folder or URL of the lake; made when it is not there
    #[arg(long)]
    pub(crate) lake: String,
    /// Threads, at most 1024 [default: one per processor]; the tables do not depend on it
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// The version of Python that the sources are written in
    #[arg(long, value_name = "3.X", default_value = "3.14", value_parser = python_minor)]
    pub(crate) python_version: u8,
    /// Files longer than this many bytes are skipped, each with a row that says so
    #[arg(long, value_name = "N", default_value_t = 8 << 20, value_parser = clap::value_parser!(u64).range(1..=i32::MAX as i64 as u64))]
    pub(crate) max_file_bytes: u64,
    /// Sorts, joins and aggregates spill to disk before they hold more than this many bytes
    #[arg(long, value_name = "N", default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1 << 20..))]
    pub(crate) max_memory_bytes: u64,
    /// A file that says how tables are kept; `ossature policy` shows what comes of it
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Compute every view, also those whose tables hold already what they compute
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Tell the run as `OpenLineage` events: to a file, which they are appended to as lines of JSON, or to the URL of an
    /// endpoint [default: the one that `OPENLINEAGE_URL` names]
    #[arg(long, value_name = "TARGET")]
    pub(crate) openlineage: Option<String>,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

impl BuildArguments {
    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads.unwrap_or_else(available_threads)
    }
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads: Option<NonZeroUsize> = text.parse().ok();
    threads
        .filter(|threads| threads.get() <= 1024)
        .ok_or_else(|| "wanted a number from 1 to 1024".to_owned())
}

fn python_minor(text: &str) -> Result<u8, String> {
    let wanted = "wanted a version from 3.7 to 3.14, such as `3.12`";
    let minor = text.strip_prefix("3.").ok_or(wanted)?;
    let minor: u8 = minor.parse().map_err(|_| wanted)?;
    if (7..=14).contains(&minor) {
        Ok(minor)
    } else {
        Err(wanted.to_owned())
    }
}

/// Arguments of `query`.
#[derive(Debug, Args)]
pub(crate) struct QueryArguments {
    /// One SQL query; whatever would change something is refused
    pub(crate) sql: String,
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// The run to read [default: the newest published one]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// How to print the rows
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    pub(crate) format: RowFormat,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// How to print the list
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The run
    pub(crate) run: String,
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    /// The tables, like `cpg.cpg_nodes` [default: all]
    pub(crate) tables: Vec<String>,
    /// A file that says how tables are kept
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The run whose tables are compared [default: the newest published one]
    pub(crate) run: Option<String>,
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// Every published run
    #[arg(long, conflicts_with = "run")]
    pub(crate) all: bool,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArguments {
    /// The table, like `cpg.cpg_nodes`
    pub(crate) table: String,
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// The run to read [default: the newest published one]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// The policy file that the lake is built with: its queries are run, too
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The run [default: the newest published one]
    pub(crate) run: Option<String>,
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// Threads, at most 1024 [default: one per processor]; the tables do not depend on it
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// Sorts, joins and aggregates spill to disk before they hold more than this many bytes
    #[arg(long, value_name = "N", default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1 << 20..))]
    pub(crate) max_memory_bytes: u64,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

impl ReplayArguments {
    pub(crate) fn threads(&self) -> NonZeroUsize {
        self.threads.unwrap_or_else(available_threads)
    }
}

/// Arguments of `explain-diff`.
#[derive(Debug, Args)]
pub(crate) struct ExplainDiffArguments {
    /// The one run
    #[arg(value_name = "RUN_A")]
    pub(crate) one: String,
    /// The other run
    #[arg(value_name = "RUN_B")]
    pub(crate) other: String,
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// How to print what differs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Arguments of `maintain`.
#[derive(Debug, Args)]
pub(crate) struct MaintainArguments {
    /// The folder or URL of the lake
    #[arg(long)]
    pub(crate) lake: String,
    /// A file that says how tables are kept: the one that the lake is built with
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Only tell what would be done; nothing is written, and no build is waited for
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// How to print a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

/// How to print rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// For people: at most 1,000 rows
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One array of objects
    Json,
    /// A Parquet file; needs `--output`
    Parquet,
}
