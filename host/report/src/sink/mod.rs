//! Who listens to a run: a terminal with progress bars, plain lines off a terminal, JSON lines for machines.
//!
//! They write to a stream that they are given, and never fail: a stream that is gone is silence. A stream of lines stands behind
//! a scrubber: what an event says comes without secrets, but the names in it, such as a migration's, come as they are.

mod json;
mod lines;
mod phrase;
mod terminal;

use std::io::Write;
use std::sync::{Mutex, PoisonError};

pub use json::{JsonLines, event};
pub use lines::Lines;
pub use terminal::Terminal;
use whimbrel_signal::ScrubbedWriter;

/// A stream that several tasks write whole lines to.
struct Stream(Mutex<Box<dyn Write + Send>>);

impl Stream {
    fn new(stream: ScrubbedWriter<impl Write + Send + 'static>) -> Self {
        Self(Mutex::new(Box::new(stream)))
    }

    /// Writes a line. A failure is dropped: a closed pipe must not end a run.
    fn line(&self, text: &str) {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = stream.write_all(format!("{text}\n").as_bytes());
        let _ = stream.flush();
    }
}

#[cfg(test)]
mod tests;
