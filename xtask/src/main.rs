//! The project's own commands: `cargo xtask help` lists them.
//!
//! Builds in seconds and never compiles the query engine, so that `tidy` answers at once. Anything that
//! needs the engine is a test of the crate that owns it; the commands here only start that test.
//!
//! Knows: the layer table, the house rules, which command checks what. Does not know: what any crate computes.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool reports by printing"
)]

mod ci;
mod command;
mod error;
mod fuzz;
mod generated;
mod licences;
mod manifest;
mod oracle;
mod problem;
mod process;
mod repo;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use command::Command;
use error::Error;
use repo::Repo;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match Command::parse(&words).and_then(|command| run(&command, root())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            error.exit_code()
        }
    }
}

fn run(command: &Command, root: &Path) -> Result<(), Error> {
    match command {
        Command::Help => {
            print!("{}", command::USAGE);
            Ok(())
        }
        Command::Tidy { fix } => {
            if *fix {
                for path in tidy::fix(root, &Repo::read(root)?)? {
                    println!("rewrote {path}");
                }
            }
            report(&tidy::problems(&Repo::read(root)?))
        }
        Command::Licences => report(&licences::problems(root)?),
        Command::Contracts(mode) => generated::CONTRACTS.run(*mode, root),
        Command::ReleaseContracts => generated::release_contracts(root),
        Command::Goldens(mode) => generated::GOLDENS.run(*mode, root),
        Command::Fuzz { seconds } => fuzz::run(root, *seconds),
        Command::Oracle { corpus } => oracle::run(root, corpus),
        Command::Ci => ci::run(root),
        Command::CiSteps => {
            print!("{}", ci::render_steps());
            Ok(())
        }
    }
}

fn report(problems: &[problem::Problem]) -> Result<(), Error> {
    if problems.is_empty() {
        return Ok(());
    }
    print!("{}", problem::render(problems));
    Err(Error::Untidy {
        count: problems.len(),
    })
}

/// The root of the clone that this program was built in.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
