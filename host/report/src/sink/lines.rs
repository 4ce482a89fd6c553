//! One line per event, for logs and pipes.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_signal::{ScrubbedWriter, Signal, Sink};

use super::Stream;
use super::phrase::{phrase, progress};

/// The shortest time between two lines of progress of one target: a log is read afterwards.
const PACE: Duration = Duration::from_secs(2);

/// Writes one line per event, and progress now and then.
pub struct Lines {
    stream: Stream,
    verbose: bool,
    pace: Duration,
    shown: Mutex<BTreeMap<(TargetName, MigrationName), Shown>>,
}

/// When and how far a step's progress was shown last.
#[derive(Clone, Copy)]
struct Shown {
    at: Instant,
    done: u64,
}

impl Lines {
    /// Writes to a stream; `verbose` adds locks and every statement.
    #[must_use]
    pub fn new(stream: ScrubbedWriter<impl Write + Send + 'static>, verbose: bool) -> Self {
        Self {
            stream: Stream::new(stream),
            verbose,
            pace: PACE,
            shown: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(super) const fn with_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Rows per second since progress was shown last; none when it was shown just now. The first batch is shown at
    /// once, without a rate.
    fn due(
        &self,
        target: &TargetName,
        migration: &MigrationName,
        done: u64,
    ) -> Option<Option<u64>> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let key = (target.clone(), migration.clone());
        let rate = match shown.get(&key) {
            None => None,
            Some(last) => {
                let since = now.duration_since(last.at);
                if since < self.pace {
                    return None;
                }
                let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
                Some(done.saturating_sub(last.done).saturating_mul(1_000) / milliseconds)
            }
        };
        shown.insert(key, Shown { at: now, done });
        Some(rate)
    }
}

impl Sink for Lines {
    fn emit(&self, signal: &Signal) {
        if let Signal::StepProgress {
            target,
            migration,
            title,
            progress: rows,
            ..
        } = signal
        {
            if let Some(rate) = self.due(target, migration, rows.done) {
                self.stream
                    .line(&progress(target, migration, title, *rows, rate));
            }
            return;
        }
        if let Some(text) = phrase(signal, self.verbose) {
            self.stream.line(&text);
        }
    }
}
