//! References resolved, shared, lent and given back.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod leases;
mod parameters;
mod resolver;
mod sharing;
mod silence;
mod support;
mod telltale;
