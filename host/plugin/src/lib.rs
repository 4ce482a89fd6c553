//! The sandbox: runs plugins, which are WebAssembly components, and believes nothing that they say.
//!
//! A plugin is admitted once ([`Sandbox::admit`]) and then called. Every call gets a store of its own, with limits on
//! memory, compute, time and talk; what it may touch is what its manifest needs *and* the operator granted. This crate
//! knows no database, no Git and no network: what a step works on comes in as a [`StepDatabase`].

#![deny(unsafe_code)]

mod admission;
mod bindings;
mod builtin;
mod cache;
mod call;
mod capability;
mod ceiling;
mod convert;
mod database;
mod desk;
mod error;
mod grants;
mod instance;
mod known;
mod limits;
mod manifest;
mod meter;
mod plugin;
mod room;
mod sandbox;
mod schema;
mod tail;
mod ticker;
mod trap;

pub use builtin::{builtin, builtin_names};
pub use call::{Call, Level, LogSink, Outcome, Preview, StopFlag};
pub use database::{SqlError, StepDatabase};
pub use error::PluginError;
pub use grants::{Grants, HttpGrant, Need};
pub use known::World;
pub use limits::{Limit, Limits};
pub use manifest::Manifest;
pub use plugin::Plugin;
pub use sandbox::{Metric, MetricSink, Sandbox, Settings};
pub use schema::{ConfigSchema, Mismatch, SchemaError};
pub use trap::TrapReport;
