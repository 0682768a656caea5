//! Signals that ask the program to stop.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;

/// A signal that asks the program to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// SIGINT, or Ctrl-C where there are no signals.
    Keyboard,
    /// SIGTERM.
    Terminate,
}

impl Interrupt {
    /// 128 and the number of the signal.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Keyboard => 130,
            Self::Terminate => 143,
        }
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyboard => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Listens for signals. From its creation on they no longer end the process by themselves: whoever holds it waits for
/// [`Signals::next`], or for [`Signals::hold_back`] during work that should not be left half-done.
pub(crate) struct Signals {
    #[cfg(unix)]
    keyboard: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            keyboard: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "listening can fail where there are signals"
    )]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            biased;
            _ = self.keyboard.recv() => Interrupt::Keyboard,
            _ = self.terminate.recv() => Interrupt::Terminate,
        }
    }

    /// Waits for the next signal.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> Interrupt {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Interrupt::Keyboard
    }

    /// Does work that a first signal does not stop; it is handed back with the result. A second one does: then the work is
    /// dropped wherever it is.
    pub(crate) async fn hold_back<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> Result<(T, Option<Interrupt>), Interrupt> {
        hold_back(async || self.next().await, work).await
    }
}

async fn hold_back<T>(
    mut next: impl AsyncFnMut() -> Interrupt,
    work: impl Future<Output = T>,
) -> Result<(T, Option<Interrupt>), Interrupt> {
    let mut work = pin!(work);
    let mut first = None;
    loop {
        tokio::select! {
            biased;
            interrupt = next() => {
                if first.is_some() {
                    return Err(interrupt);
                }
                first = Some(interrupt);
            }
            done = &mut work => return Ok((done, first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// Work that `signals` come during, and that is done in the end unless it is dropped.
    #[track_caller]
    fn check(signals: &[Interrupt], want: Result<((), Option<Interrupt>), Interrupt>) {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let work = async {
            for signal in signals {
                sender.send(*signal).unwrap();
                tokio::task::yield_now().await;
            }
        };
        let next = async || match receiver.recv().await {
            Some(interrupt) => interrupt,
            None => std::future::pending().await,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        assert_eq!(runtime.unwrap().block_on(hold_back(next, work)), want);
    }

    #[test]
    fn work_is_done_where_no_signal_comes() {
        check(&[], Ok(((), None)));
    }

    #[test]
    fn a_first_signal_waits_until_the_work_is_done() {
        let first = Interrupt::Terminate;
        check(&[first], Ok(((), Some(first))));
    }

    #[test]
    fn a_second_signal_stops_the_work() {
        let signals = [Interrupt::Terminate, Interrupt::Keyboard];
        check(&signals, Err(Interrupt::Keyboard));
    }
}
