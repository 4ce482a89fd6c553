//! What everyone may say: the events of a run, the sinks that listen, and the vocabulary of redaction.
//!
//! Sinks read; they never decide, and none of them can fail a run.

#![forbid(unsafe_code)]

mod event;
mod limits;
pub mod metric;
mod scrub;

pub use event::{Bus, Progress, Signal, Sink};
pub use scrub::{Concealed, Scrubbed, ScrubbedWriter, Scrubber};
