//! Ctrl-C and SIGTERM: first a request, then an order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use whimbrel_run::Stop;

use crate::exit::Exit;
use crate::output::Output;

/// Whether a run listens, which ends at a safe point.
static IS_HEEDED: AtomicBool = AtomicBool::new(false);

/// Both signals.
struct Signals {
    interrupts: Signal,
    terminations: Signal,
}

impl Signals {
    /// Hears them from now on, and the system's own way of ending the program is gone. Must be called inside the runtime.
    fn hear() -> Option<Self> {
        Some(Self {
            interrupts: signal(SignalKind::interrupt()).ok()?,
            terminations: signal(SignalKind::terminate()).ok()?,
        })
    }

    /// How the next one wants the program to end.
    async fn next(&mut self) -> Option<Exit> {
        tokio::select! {
            Some(()) = self.interrupts.recv() => Some(Exit::Interrupted),
            Some(()) = self.terminations.recv() => Some(Exit::Terminated),
            else => None,
        }
    }
}

/// Ends a command that a signal reaches before, or without, a run: at once, but what was lent to it is given back before.
/// A second signal doesn't wait for that; the next command ends what is left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving(Arc<AtomicBool>);

impl Leaving {
    /// Listens from now on. Must be called inside the runtime.
    pub(crate) fn listen(output: Output) -> Self {
        let leaving = Self::default();
        let Some(mut signals) = Signals::hear() else {
            return leaving;
        };
        let begun = leaving.clone();
        tokio::spawn(async move {
            let exit = loop {
                match signals.next().await {
                    None => return,
                    Some(_) if IS_HEEDED.load(Ordering::Relaxed) => {}
                    Some(exit) => break exit,
                }
            };
            begun.0.store(true, Ordering::Relaxed);
            tokio::select! {
                () = output.closing().close() => {}
                _ = signals.next() => {}
            }
            output.end();
            // The command may stand in a call that nothing ends.
            std::process::exit(exit.code().into())
        });
        leaving
    }

    /// What a command ended with, unless the program is being left: then that is no answer.
    pub(crate) async fn unless_begun<T>(&self, result: T) -> T {
        if self.0.load(Ordering::Relaxed) {
            std::future::pending().await
        } else {
            result
        }
    }
}

/// Asks a run to end when a signal comes, and remembers which one came first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Listens from now on. Must be called inside the runtime.
    pub(crate) fn listen(stop: Stop, output: Output) -> Self {
        let interrupt = Self::default();
        let Some(mut signals) = Signals::hear() else {
            tracing::warn!("signals can't be heard here, so a run ends at once when one comes");
            return interrupt;
        };
        IS_HEEDED.store(true, Ordering::Relaxed);
        let heard = interrupt.clone();
        tokio::spawn(async move {
            while let Some(exit) = signals.next().await {
                let first = heard.remember(exit);
                stop.request();
                let said = if first {
                    "ending at the next safe point; again to cancel what is running"
                } else {
                    "cancelling what is running"
                };
                if output.logs_json() {
                    // Whoever reads the log expects nothing else in it.
                    tracing::warn!("{said}");
                } else {
                    output.notice(&format!("\n{said}"));
                }
            }
        });
        interrupt
    }

    /// Keeps the first signal; whether this is it.
    fn remember(&self, exit: Exit) -> bool {
        self.0
            .compare_exchange(0, exit.code(), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// How to end when a signal ended the run.
    pub(crate) fn exit(&self) -> Exit {
        if self.0.load(Ordering::Relaxed) == Exit::Terminated.code() {
            Exit::Terminated
        } else {
            Exit::Interrupted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Interrupt;
    use crate::exit::Exit;

    #[test]
    fn the_first_signal_decides() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.exit(), Exit::Interrupted);
        assert!(interrupt.remember(Exit::Terminated));
        assert!(!interrupt.remember(Exit::Interrupted));
        assert_eq!(interrupt.exit(), Exit::Terminated);
    }
}
