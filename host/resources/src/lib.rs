//! Resources of plugins behind Terraform's protocol, and the engine behind what they ask.
//!
//! A plugin of the world `resource-provider` decides what a resource's life means; what it wants done it says in a
//! [`Request`], and is told in documents of a few fields.

#![forbid(unsafe_code)]

mod answer;
mod catalogue;
mod failure;
mod here;
mod inline;
mod provider;
mod request;
mod sealed;

pub use here::{Here, Places};
pub use provider::Resources;
pub use request::{MigrationRequest, ProjectRequest, Request};
pub use sealed::{SEALED, Sealed};
