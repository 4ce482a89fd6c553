//! Terraform's plugin protocol 6, from the handshake to a trait that answers it.
//!
//! What this crate must not know: what a migration is. Below the trait [`Provider`] there are only values, schemas and calls.
//! Minor version 6.8, which Terraform 1.11 speaks; what it may ask beyond that is UNIMPLEMENTED, by name.

#![forbid(unsafe_code)]

mod cancel;
mod diagnostic;
mod limits;
mod message;
mod provider;
pub mod schema;
mod sealed;
mod serve;
mod service;
mod value;

pub use cancel::{Cancel, CancelReason};
pub use diagnostic::{Diagnostic, Severity};
pub use provider::{Answer, Call, Configured, FunctionFault, Planned, Provider, Stored};
pub use schema::{ProviderSchema, SchemaError};
pub use sealed::Sealed;
pub use serve::{Environment, ServeError, serve, serve_reattached};
pub use value::{Number, NumberError, Token, Type, Value, ValueError};
