//! Each event as a line of JSON.

use std::io::Write;
use std::sync::OnceLock;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use whimbrel_signal::{ScrubbedWriter, Signal, Sink};

use super::Stream;

/// Writes each event of one run as one JSON object per line: the signal's fields, `at`, the target by its name, and
/// which run and which trace (W3C, the run's id without dashes) it is part of.
pub struct JsonLines {
    stream: Stream,
    clock: fn() -> Timestamp,
    run: OnceLock<String>,
}

impl JsonLines {
    /// Writes to a stream.
    #[must_use]
    pub fn new(stream: ScrubbedWriter<impl Write + Send + 'static>) -> Self {
        Self {
            stream: Stream::new(stream),
            clock: Timestamp::now,
            run: OnceLock::new(),
        }
    }

    #[cfg(test)]
    pub(super) const fn with_clock(mut self, clock: fn() -> Timestamp) -> Self {
        self.clock = clock;
        self
    }
}

impl Sink for JsonLines {
    fn emit(&self, signal: &Signal) {
        if let Signal::RunStarted { run, .. } = signal {
            // Only the first: a sink hears of one run.
            let _ = self.run.set(run.clone());
        }
        let mut value = event(signal, (self.clock)());
        if let (Some(fields), Some(run)) = (value.as_object_mut(), self.run.get()) {
            fields.insert("run".to_owned(), json!(run));
            fields.insert("trace".to_owned(), json!(run.replace('-', "")));
        }
        self.stream.line(&value.to_string());
    }
}

/// An event as a JSON object: the signal's fields, when it happened, and the target by its name.
#[must_use]
pub fn event(signal: &Signal, at: Timestamp) -> Json {
    let mut value = json!(signal);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("at".to_owned(), json!(at));
    }
    if let (Some(target), Some(place)) = (super::phrase::target(signal), value.get_mut("target")) {
        *place = json!(target.to_string());
    }
    value
}
