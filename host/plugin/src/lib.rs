//! The sandbox: runs plugins, which are WebAssembly components, and believes nothing that they say.
//!
//! A plugin is admitted once ([`Sandbox::admit`]) and then called. Every call gets a store of its own, with limits on
//! memory, compute, time and talk; what it may touch is what its manifest needs *and* the operator granted. This crate
//! knows no database and no Git: what a step works on comes in as a [`StepDatabase`]. A secret store is a [`SecretStore`],
//! a backend like any other; its requests go out by the `egress`, the only part that knows a network. What a Git host sends
//! is read by a [`WebhookReceiver`], what is shown there goes through a [`Reporter`].

#![deny(unsafe_code)]

mod admission;
mod bindings;
mod builtin;
mod cache;
mod call;
mod capability;
mod ceiling;
mod compiler;
mod convert;
mod database;
mod desk;
mod egress;
mod engine;
mod error;
mod grants;
mod hush;
mod instance;
mod known;
mod limits;
mod live;
mod manifest;
mod meter;
mod plugin;
mod room;
mod sandbox;
mod schema;
mod session;
mod tail;
mod ticker;
mod trap;

pub use builtin::{builtin, builtin_names};
pub use call::{
    Call, CommitState, CommitStatus, GitEvent, Going, Level, LogSink, Outcome, Planned, Preview,
    PullRequest, Push, Rejection, Reporter, ReporterSettings, ResourceProvider, SecretStore,
    StopFlag, StoreSettings, Stored, Verified, WebhookReceiver, WebhookSettings,
};
pub use compiler::{Compiler, compile};
pub use database::{SqlError, StepDatabase};
pub use egress::{Materials, Names, NoMaterials};
pub use engine::{EngineQuestion, ResourceEngine};
pub use error::PluginError;
pub use grants::{Folder, Grants, HttpGrant, Need};
pub use known::World;
pub use limits::{Limit, Limits};
pub use manifest::Manifest;
pub use plugin::Plugin;
pub use room::sees_written_pages;
pub use sandbox::{Sandbox, Settings};
pub use schema::{ConfigSchema, Mismatch, SchemaError};
pub use trap::TrapReport;
