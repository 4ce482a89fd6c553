//! Resources of plugins behind Terraform's protocol, and the engine behind what they ask.
//!
//! A plugin of the world `resource-provider` decides what a resource's life means; what it wants done it says in a
//! [`Request`], and is told in documents of a few fields.

#![forbid(unsafe_code)]

mod answer;
mod belonging;
mod catalogue;
mod endpoint;
mod failure;
mod gathering;
mod here;
mod inline;
mod migrations;
mod opened;
mod project;
mod provider;
mod recorded;
mod request;
mod sealed;
mod there;
mod written;

pub use here::{Here, Places};
pub use provider::Resources;
pub use request::{MigrationRequest, ProjectRequest, Request, SourceRequest, Terms};
pub use sealed::{SEALED, Sealed};
pub use written::{EnvironmentDocument, writing};
