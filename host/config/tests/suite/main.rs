//! Projects as they are written, right and wrong.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod bad_input;
mod definitions;
mod foreign;
mod git_source;
mod properties;
mod provider;
mod schema;
mod spots;
mod support;
mod tree;
