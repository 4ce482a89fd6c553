//! The program as its users meet it: run with arguments, in a folder, with exit codes and two streams.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod adoption;
mod applying;
mod formats;
mod gates;
mod git;
mod interrupts;
mod linting;
mod planning;
mod plugins;
mod protocol;
mod reverting;
mod secrets;
mod starting;
mod stores;
mod support;
mod waiting;
