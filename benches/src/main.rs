//! The macro bench: what a build of a source tree costs as a process, beside what parsing and extraction alone cost.

mod arguments;
mod figures;
mod usage;
mod workload;

use std::process::ExitCode;

use crate::arguments::Task;
use crate::workload::Workload;

type Failure = Box<dyn std::error::Error>;

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
    match Task::of(std::env::args_os().skip(1))? {
        Task::Compare {
            source,
            runs,
            program,
        } => {
            let program = program.map_or_else(workload::build_program, Ok)?;
            Workload::of(&source)?.compare(&program, runs)
        }
        Task::Extract { source } => {
            workload::extract_all(&source)?;
            Ok(String::new())
        }
        Task::Parse { source } => {
            workload::parse_all(source)?;
            Ok(String::new())
        }
    }
}
