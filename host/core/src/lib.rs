//! The pure heart of Whimbrel: definitions, environments, history as data, plans and the rules over them.
//!
//! Nothing here does I/O, knows about async, a database driver, Git, or a clock: whatever a function needs to
//! know comes in as an argument, so that the same inputs always give the same bytes.

#![forbid(unsafe_code)]

pub mod approval;
pub mod canonical;
pub mod checksum;
pub mod definition;
pub mod destination;
pub mod digest;
pub mod duration;
pub mod environment;
pub mod fault;
pub mod finding;
pub mod gate;
pub mod git_source;
pub mod history;
pub mod lineage;
pub mod name;
pub mod order;
pub mod place;
pub mod plan;
pub mod policy;
pub mod project;
pub mod promotion;
pub mod reference;
mod secret_reference;
pub mod size;
pub mod statement;
pub mod suggestion;
pub mod template;
pub mod value;
pub mod window;
