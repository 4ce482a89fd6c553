//! What a run does to real databases, and what it leaves when it is stopped, overtaken or killed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod administration;
mod checks;
mod guards;
mod in_flight;
mod index_builds;
mod migrations;
mod postgres;
mod retries;
mod rotation;
mod steps;
mod support;
