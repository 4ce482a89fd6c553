//! Ctrl-C and SIGTERM: first a request, then an order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use whimbrel_run::Stop;

use crate::exit::Exit;
use crate::output::Output;

/// Asks a run to end when a signal comes, and remembers which one came first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Listens from now on. Must be called inside the runtime.
    pub(crate) fn listen(stop: Stop, output: Output) -> Self {
        let interrupt = Self::default();
        let (Ok(mut interrupts), Ok(mut terminations)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            tracing::warn!("signals can't be heard here, so a run ends at once when one comes");
            return interrupt;
        };
        let heard = interrupt.clone();
        tokio::spawn(async move {
            loop {
                let exit = tokio::select! {
                    Some(()) = interrupts.recv() => Exit::Interrupted,
                    Some(()) = terminations.recv() => Exit::Terminated,
                    else => return,
                };
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
