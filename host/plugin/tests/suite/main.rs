//! Components in the sandbox: admitted, called, limited, refused.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod admission;
mod ahead;
mod backfill;
mod compiled;
mod denied;
mod egress;
mod languages;
mod limits;
mod schema;
mod statements;
mod stores;
mod support;
