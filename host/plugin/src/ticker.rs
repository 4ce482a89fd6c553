//! The clock that interrupts computing guests: it ticks while a call runs, and sleeps otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// A thread that advances the engine's epoch.
#[derive(Debug)]
pub struct Ticker {
    running: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

/// The value of `running` that ends the thread.
const CLOSED: usize = usize::MAX;

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(engine: &Engine, tick: Duration) -> std::io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let engine = engine.weak();
        let seen = Arc::clone(&running);
        let thread = thread::Builder::new()
            .name("whimbrel-epoch".to_owned())
            .spawn(move || {
                loop {
                    match seen.load(Ordering::Acquire) {
                        CLOSED => return,
                        0 => thread::park(),
                        _ => {
                            thread::sleep(tick);
                            match engine.upgrade() {
                                Some(engine) => engine.increment_epoch(),
                                None => return,
                            }
                        }
                    }
                }
            })?;
        Ok(Self {
            running,
            thread: Some(thread),
        })
    }

    /// Ticks until the guard is dropped.
    pub fn run(&self) -> Ticking<'_> {
        if self.running.fetch_add(1, Ordering::AcqRel) == 0
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Ticking(self)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.running.store(CLOSED, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Not joined: it may be asleep for a tick, and nothing depends on its end.
            thread.thread().unpark();
        }
    }
}

/// A call is running.
#[derive(Debug)]
pub struct Ticking<'a>(&'a Ticker);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
