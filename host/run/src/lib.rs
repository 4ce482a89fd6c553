//! From a plan to a history row: the only code in the product that writes to a target.
//!
//! CLI, sidecar, operator, Job and Terraform all call [`run`] or one of the administrative deeds in
//! [`administration`]; none of them has its own way to apply a migration. What this crate must not know: where
//! definitions and credentials come from. It asks a [`Planner`] and a [`Connector`].

#![forbid(unsafe_code)]

pub mod administration;
mod change;
mod checks;
mod crash_point;
mod credentials;
mod dependencies;
mod error;
mod failure;
mod fan_out;
mod held;
mod outside;
mod plugin_step;
mod progress;
mod records;
mod sabotage;
mod segment;
mod settings;
mod step_database;
mod stop;
mod surroundings;
mod target;
mod transaction;
mod writer;

pub use checks::failing as failing_check;
pub use crash_point::reach_crash_point;
pub use credentials::{Credentials, Permanent, Standing};
pub use error::RunError;
pub use fan_out::{Done, LOG_SPAN, RunReport, TargetReport, run};
pub use settings::Settings;
pub use stop::Stop;
pub use surroundings::{
    Access, ConnectError, Connection, Connector, Gates, PlanError, Planner, Plugins, Request,
};
