//! Real repositories, and what Git and its hosts make of them.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod bounds;
mod follow;
mod lineage;
mod mirror;
mod misbehaving;
mod openpgp;
mod promotion;
mod promotion_signatures;
mod publish;
mod repository;
mod signature;
mod support;
mod tree;
