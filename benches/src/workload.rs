//! A source tree and what is measured of it.

use std::fs;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use ossature_python_extract::{ExtractOptions, ScanOptions, extract, list_sources};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

use crate::Failure;
use crate::arguments::{EXTRACT, PARSE};
use crate::figures::{Figure, row};
use crate::usage::Usage;

/// A source tree.
#[derive(Debug)]
pub(crate) struct Workload {
    source: PathBuf,
    files: usize,
    lines: f64,
    bytes: f64,
}

impl Workload {
    /// Counts what is extracted, and warms the page cache on the way.
    pub(crate) fn of(source: &Path) -> Result<Self, Failure> {
        let listing = list_sources(source, &ScanOptions::everything())?;
        let mut workload = Self {
            source: source.to_path_buf(),
            files: 0,
            lines: 0.0,
            bytes: 0.0,
        };
        for file in listing.files().iter().filter(|file| file.skip.is_none()) {
            let text = fs::read(file.location())?;
            let lines = text.split(|byte| *byte == b'\n').count() - 1;
            workload.files += 1;
            workload.lines += f64::from(u32::try_from(lines)?);
            workload.bytes += f64::from(u32::try_from(text.len())?);
        }
        Ok(workload)
    }

    /// Measures so many times and renders the medians.
    pub(crate) fn compare(&self, program: &Path, runs: NonZeroUsize) -> Result<String, Failure> {
        let mut figures: [(&str, Figure); 9] = [
            ("parsing alone, CPU s", Figure::default()),
            ("extraction alone, CPU s", Figure::default()),
            ("build, CPU s", Figure::default()),
            ("build, wall s", Figure::default()),
            ("build to parsing, CPU", Figure::default()),
            ("build to extraction, CPU", Figure::default()),
            ("kLoC per CPU s of the build", Figure::default()),
            ("peak memory of the build, MiB", Figure::default()),
            ("bytes in the lake per byte of source", Figure::default()),
        ];
        for _ in 0..runs.get() {
            let parsing = Usage::of(&mut self.own(PARSE)?)?;
            let extraction = Usage::of(&mut self.own(EXTRACT)?)?;
            let lake = tempfile::tempdir()?;
            let build = Usage::of(&mut self.build(program, lake.path()))?;
            let values = [
                parsing.cpu_seconds,
                extraction.cpu_seconds,
                build.cpu_seconds,
                build.wall_seconds,
                build.cpu_seconds / parsing.cpu_seconds,
                build.cpu_seconds / extraction.cpu_seconds,
                self.lines / 1000.0 / build.cpu_seconds,
                f64::from(u32::try_from(build.peak_bytes >> 10)?) / 1024.0,
                size_of(lake.path())? / self.bytes,
            ];
            for ((_, figure), value) in figures.iter_mut().zip(values) {
                figure.push(value);
            }
        }
        let rows: Vec<String> = figures
            .iter()
            .map(|(name, figure)| row(name, figure))
            .collect();
        Ok(format!(
            "{} files, {:.1} kLoC, {:.2} MB; {runs} runs\n\n| figure | median | spread |\n|---|---:|---:|\n{}",
            self.files,
            self.lines / 1e3,
            self.bytes / 1e6,
            rows.join("\n")
        ))
    }

    /// This program, doing one of its tasks with the tree.
    fn own(&self, task: &str) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(task).arg(&self.source);
        Ok(command)
    }

    /// The program, building the tree.
    fn build(&self, program: &Path, lake: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("build").arg(&self.source);
        command.arg("--lake").arg(lake).args(["--format", "json"]);
        command
    }
}

/// Extracts a tree on one thread and throws the rows away.
pub(crate) fn extract_all(source: &Path) -> Result<(), Failure> {
    let listing = list_sources(source, &ScanOptions::everything())?;
    let options = ExtractOptions::with_threads(NonZeroUsize::MIN);
    Ok(extract(&listing, &options, |_, _| {
        ControlFlow::Continue(())
    })?)
}

/// Stack of the thread that parses: sources nest as deep as they like.
const STACK_BYTES: usize = 1 << 30;

/// Reads and parses a tree on one thread, and nothing more: the floor under everything that looks at syntax. Files that
/// are not UTF-8 are read only.
pub(crate) fn parse_all(source: PathBuf) -> Result<(), Failure> {
    let parsing = move || -> Result<(), String> {
        let listing =
            list_sources(&source, &ScanOptions::everything()).map_err(|e| e.to_string())?;
        for file in listing.files().iter().filter(|file| file.skip.is_none()) {
            let bytes = fs::read(file.location()).map_err(|error| error.to_string())?;
            if let Ok(text) = str::from_utf8(&bytes) {
                black_box(parse_unchecked(text, ParseOptions::from(Mode::Module)));
            }
        }
        Ok(())
    };
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(parsing)?;
    Ok(thread.join().map_err(|_| "the parser failed")??)
}

/// Builds the program of this clone for release; gives back where it lies.
pub(crate) fn build_program() -> Result<PathBuf, Failure> {
    let command = ["build", "--release", "--package", "ossature"];
    let mut cargo = Command::new("cargo");
    cargo.args(command).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What cargo says of this package would make build scripts that listen to it run again.
    for (name, _) in std::env::vars_os() {
        let said = name.to_string_lossy();
        if said.starts_with("CARGO_MANIFEST_") || said.starts_with("CARGO_PKG_") {
            cargo.env_remove(&name);
        }
    }
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("`cargo {}` ended with {status}", command.join(" ")).into());
    }
    // This process lies in `target/<profile>/`.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).ok_or("no target folder")?;
    Ok(target.join("release").join("ossature"))
}

/// Bytes of all files below a folder.
fn size_of(folder: &Path) -> Result<f64, Failure> {
    let mut bytes = 0.0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            size_of(&entry.path())?
        } else {
            f64::from(u32::try_from(entry.metadata()?.len())?)
        };
    }
    Ok(bytes)
}
