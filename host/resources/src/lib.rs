//! What resources of plugins ask of the engine, and who answers: this process.
//!
//! A plugin of the world `resource-provider` decides what a resource's life means; what it wants done it says in a
//! [`Request`], and is told in documents of a few fields. Nothing here knows Terraform.

#![forbid(unsafe_code)]

mod answer;
mod failure;
mod here;
mod inline;
mod request;
mod sealed;

pub use here::{Here, Places};
pub use request::{MigrationRequest, ProjectRequest, Request};
pub use sealed::{SEALED, Sealed};
