//! One way to get from a folder or a revision to a gated plan: load, resolve, reach, plan, gates. Every surface uses it.
//!
//! This crate reads: definitions, Git, secrets, histories. It never writes to a target; it doesn't know how a plan is
//! run or shown.

#![forbid(unsafe_code)]

mod absence;
mod allowance;
mod attached;
mod backends;
mod changed;
mod control;
mod credential;
mod dial;
mod entropy;
mod error;
mod for_each;
mod gates;
mod idle;
mod instances;
mod lint;
mod location;
mod mistakes;
mod notices;
mod open;
mod opening;
mod overriding;
mod parameters;
mod place;
mod plain_text;
mod planner;
mod plugins;
mod prepare;
mod promotions;
mod queries;
mod remote;
mod rules;
mod secrets;
mod sessions;
mod source_secrets;
mod sql_lint;
mod survey;
mod targets;
mod verification;

pub use attached::{reporter, resource_provider, webhook_receiver};
pub use backends::resolver;
pub use changed::changed_databases;
pub use control::Control;
pub use dial::Connected;
pub use error::{ConnectError, ProjectError};
pub use gates::{GateOptions, gate_input};
pub use idle::Idle;
pub use lint::{LintOptions, lint};
pub use location::Location;
pub use notices::OUTER_TRANSACTION;
pub use open::{OpenOptions, OpenProject, load_options};
pub use opening::Opening;
pub use overriding::{DatabaseOverride, Override, Unsayable, holds_password};
pub use place::Place;
pub use planner::Planner;
pub use plugins::{PluginUnavailable, Plugins};
pub use promotions::{Publisher, promotable};
pub use remote::{Remote, RemoteLocation};
pub use secrets::{CheckedSecret, check_secrets};
pub use sessions::Sessions;
pub use source_secrets::SourceSecrets;
pub use survey::{Histories, Survey, histories, histories_but, histories_of, survey, survey_of};
pub use targets::{Target, Targets};
pub use verification::Verification;
pub use whimbrel_config::{DefinitionCache, WrittenTree};
