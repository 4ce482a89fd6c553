//! A project with its environments, as commands ask for it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod absence;
mod again;
mod backends;
mod control;
mod gates;
mod lent;
mod lint;
mod lint_rules;
mod open;
mod plan;
mod plugins;
mod postgres;
mod promotions;
mod support;
mod targets;
