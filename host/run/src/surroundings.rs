//! What a run needs from outside, as traits: plans, connections, plugins.

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_core::digest::Digest;
use whimbrel_core::gate::{Gate, Refusal};
use whimbrel_core::history::{History, Owner};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::{PluginName, TargetName};
use whimbrel_core::plan::{Plan, TargetPlan};
use whimbrel_core::policy::Policy;
use whimbrel_database::history::LeaseRecord;
use whimbrel_database::{DatabaseError, Endpoint, Heartbeats, Session};
use whimbrel_plugin::{Plugin, PluginError};
use whimbrel_signal::Bus;

use crate::credentials::Credentials;
use crate::{Settings, Stop};

/// Why a target can't be planned: a message and a hint for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Why a target can't be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The database refused or could not be reached.
    #[error("{0}")]
    Database(#[from] DatabaseError),
    /// Its credentials could not be resolved.
    #[error("{message}")]
    Credentials {
        /// What went wrong, without any value.
        message: String,
        /// What to do about it.
        hint: Option<String>,
        /// Whether the same may work later without anybody changing anything.
        is_temporary: bool,
    },
}

/// Plans a target against a history: once before the run, and again under the target's lock.
#[async_trait]
pub trait Planner: Send + Sync {
    /// The target's plan. The same history gives the same plan.
    ///
    /// # Errors
    ///
    /// The definitions or the source's history can't be read.
    async fn plan(&self, target: &TargetName, history: &History) -> Result<TargetPlan, PlanError>;
}

/// A connection to a target.
pub struct Connection {
    /// Where it leads, with the same credentials.
    pub endpoint: Endpoint,
    /// The connection itself.
    pub session: Box<dyn Session>,
    /// What it was opened with.
    pub credentials: Arc<dyn Credentials>,
}

/// Opens connections to targets, with credentials resolved anew for each.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Opens one.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    async fn connect(&self, target: &TargetName) -> Result<Connection, ConnectError>;

    /// Ends leases that a holder of before left; those that are over now, whoever ended them.
    async fn end_leases(&self, left: Vec<LeaseRecord>) -> Vec<LeaseRecord>;

    /// The same text for all targets of one server.
    fn server(&self, target: &TargetName) -> String;
}

/// Finds plugins by name.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// The admitted plugin.
    ///
    /// # Errors
    ///
    /// It isn't there, or it was refused.
    async fn plugin(&self, name: &PluginName) -> Result<Plugin, PluginError>;
}

/// How targets are reached and who does it: what every deed on a target needs.
#[derive(Clone)]
pub struct Access {
    /// Connects.
    pub connector: Arc<dyn Connector>,
    /// Who does it.
    pub actor: String,
    /// Who the targets belong to.
    pub owner: Owner,
    /// The source revision.
    pub revision: Option<Revision>,
    /// How long to wait for another run's lock.
    pub lock_wait: std::time::Duration,
    /// Hears what happens.
    pub bus: Bus,
    /// Ends it early.
    pub stop: Stop,
    /// Limits and retries.
    pub settings: Settings,
    /// Say that this process is alive; one connection for each server.
    pub heartbeats: Heartbeats,
}

/// Asks every gate about a plan; the ones that say no.
pub type Gates = dyn Fn(&Plan) -> Vec<Refusal> + Send + Sync;

/// Everything a run is about.
#[derive(Clone)]
pub struct Request {
    /// How targets are reached.
    pub access: Access,
    /// The plan that was shown, and by which the gates were passed. The lock is taken before anything is done, and
    /// the plan is made again then.
    pub plan: Arc<Plan>,
    /// Whether exactly this plan must be run: it was approved, or named with `--plan`.
    pub exact: Option<Digest>,
    /// The environment's policy.
    pub policy: Policy,
    /// Gates that are passed for this run, with the reason; recorded in every target.
    pub overridden: Vec<(Gate, String)>,
    /// The gates, asked again when the plan under the lock differs from the one that was shown.
    pub gates: Arc<Gates>,
    /// Plans.
    pub planner: Arc<dyn Planner>,
    /// Finds plugins.
    pub plugins: Arc<dyn Plugins>,
}
