//! Each event as a line of JSON.

use std::io::Write;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use whimbrel_signal::{Signal, Sink};

use super::Stream;

/// Writes each event as one JSON object per line: the signal's fields, `at`, and the target by its name.
pub struct JsonLines {
    stream: Stream,
    clock: fn() -> Timestamp,
}

impl JsonLines {
    /// Writes to a stream.
    #[must_use]
    pub fn new(stream: Box<dyn Write + Send>) -> Self {
        Self {
            stream: Stream::new(stream),
            clock: Timestamp::now,
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
        self.stream.line(&event(signal, (self.clock)()).to_string());
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
