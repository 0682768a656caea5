//! What a process uses, from start to end, as the operating system counts it.

use std::process::{Command, Stdio};
use std::time::Instant;

use wait4::Wait4;

use crate::Failure;

/// What a process used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Seconds of processor time of all threads, in user and system mode.
    pub(crate) cpu_seconds: f64,
    /// Seconds from start to end.
    pub(crate) wall_seconds: f64,
    /// Largest resident memory, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Usage {
    /// Runs a command to its end; it is to succeed. What it says on standard error is passed on.
    pub(crate) fn of(command: &mut Command) -> Result<Self, Failure> {
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let done = child.wait4()?;
        let wall_seconds = began.elapsed().as_secs_f64();
        if !done.status.success() {
            return Err(format!("{command:?} ended with {}", done.status).into());
        }
        Ok(Self {
            cpu_seconds: (done.rusage.utime + done.rusage.stime).as_secs_f64(),
            wall_seconds,
            peak_bytes: done.rusage.maxrss,
        })
    }
}
