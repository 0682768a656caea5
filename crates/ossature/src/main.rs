//! `ossature`: builds a code property graph from a source tree into a lake, and queries it.

mod build;
mod cli;
mod difference;
mod error;
mod graph;
mod interrupt;
mod lock;
mod maintain;
mod openlineage;
mod output;
mod policy;
mod progress;
mod query;
mod replay;
mod runs;
mod stats;
mod verify;

use std::process::ExitCode;
use std::thread;

use clap::Parser;

use crate::cli::{Arguments, Command};
use crate::error::Error;

/// Stack of the thread that plans, and of those that compute. Plans are walked by recursion, and pages that are not
/// touched cost nothing.
const PLANNING_STACK_BYTES: usize = 512 << 20;
const COMPUTING_STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.log.as_deref());
    let planning = thread::Builder::new()
        .stack_size(PLANNING_STACK_BYTES)
        .spawn(|| run(arguments.command))
        .map_err(|source| Error::Runtime { source });
    let done = planning.and_then(|thread| match thread.join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Output { source }) if source.kind() == std::io::ErrorKind::BrokenPipe => {
            // Whoever reads our output has seen enough.
            ExitCode::SUCCESS
        }
        Err(error) => {
            let code = error.exit_code();
            error.report();
            ExitCode::from(code)
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(command.threads().get())
        .thread_stack_size(COMPUTING_STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|source| Error::Runtime { source })?;
    let done = runtime.block_on(async {
        match command {
            Command::Build(arguments) => Box::pin(build::build(arguments)).await,
            Command::Query(arguments) => query::query(arguments).await,
            Command::Runs(arguments) => runs::runs(arguments).await,
            Command::Show(arguments) => runs::show(arguments).await,
            Command::Policy(arguments) => policy::policy(&arguments).await,
            Command::Verify(arguments) => verify::verify(arguments).await,
            Command::Stats(arguments) => Box::pin(stats::stats(arguments)).await,
            Command::Replay(arguments) => Box::pin(replay::replay(arguments)).await,
            Command::ExplainDiff(arguments) => difference::explain_diff(arguments).await,
            Command::Maintain(arguments) => maintain::maintain(arguments).await,
        }
    });
    // A failed run may leave readers of the source tree behind; nobody waits for them.
    runtime.shutdown_background();
    done
}

fn start_log(filter: Option<&str>) {
    if let Some(filter) = filter {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
            .with_writer(std::io::stderr)
            .init();
    }
}
