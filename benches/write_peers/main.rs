//! The writer beside its peers: seconds and processor time in one run, memory in a process for each.
//!
//! ```text
//! write_peers [--shape graph|wide] [--codec zstd|snappy] [--rows N] [--runs N] [--memory]
//! ```

mod arguments;
#[path = "../src/figures.rs"]
mod figures;
mod memory;
mod peers;
mod rows;
mod time;
#[expect(
    dead_code,
    reason = "of what a process uses, memory is all that is asked for here"
)]
#[path = "../src/usage.rs"]
mod usage;

use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::arguments::Task;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench reports by printing"
)]
fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Failure> {
    match Task::of(std::env::args().skip(1))? {
        Task::Time(workload, runs) => time::compare(&workload, runs),
        Task::Memory(wanted, runs) => memory::compare(&wanted, runs),
        Task::Write(workload, peer, source) => {
            memory::write(&workload, peer, source)?;
            Ok(String::new())
        }
    }
}

/// The runtime that writers are driven by: as many threads as a writer may use.
fn runtime() -> Result<Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(peers::THREADS)
        .enable_all()
        .build()?)
}
