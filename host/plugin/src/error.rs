//! What can go wrong with a plugin, said so that a person knows who has to do what.

use std::time::Duration;

use whimbrel_core::fault::{Fault, FaultClass, Retry};

use crate::grants::Need;
use crate::trap::TrapReport;

/// A plugin could not be admitted, or a call of it did not give what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// The sandbox itself can't work here.
    #[error("starting the sandbox: {0}")]
    Engine(String),
    /// The bytes are no component.
    #[error("plugin {plugin}: not a component: {reason}")]
    NotAComponent {
        /// The plugin.
        plugin: String,
        /// Why.
        reason: String,
    },
    /// Its manifest is none.
    #[error("plugin {plugin}: {reason}")]
    Manifest {
        /// The plugin.
        plugin: String,
        /// Why.
        reason: String,
    },
    /// It imports what this host doesn't offer to any plugin.
    #[error("plugin {plugin} imports {imports}, which no plugin can have", imports = .imports.join(", "))]
    UnknownImports {
        /// The plugin.
        plugin: String,
        /// The imports.
        imports: Vec<String>,
    },
    /// It was built for another version of an interface.
    #[error(
        "plugin {plugin} was built for {interface}@{built_for}, this whimbrel has {interface}@{offered}: rebuild it with the SDK of this version, or take the release of the plugin that fits"
    )]
    Version {
        /// The plugin.
        plugin: String,
        /// The interface without its version.
        interface: String,
        /// The version that it was built for.
        built_for: String,
        /// The version that this host has.
        offered: String,
    },
    /// An interface of the same name and version has another shape.
    #[error("plugin {plugin} doesn't fit the interfaces of this whimbrel: {reason}")]
    Mismatch {
        /// The plugin.
        plugin: String,
        /// What differs.
        reason: String,
    },
    /// It exports nothing that is of use here.
    #[error("plugin {plugin} exports no {wanted}")]
    NoWorld {
        /// The plugin.
        plugin: String,
        /// What was looked for.
        wanted: String,
    },
    /// It needs what nobody granted.
    #[error(
        "plugin {plugin} needs {needs}, which isn't granted: say so under its `grants:` in whimbrel.yaml",
        needs = names(.needs)
    )]
    Ungranted {
        /// The plugin.
        plugin: String,
        /// The grants that are missing.
        needs: Vec<Need>,
    },
    /// It trapped: its own bug, or a limit.
    #[error("{0}")]
    Trap(Box<TrapReport>),
    /// It took too long.
    #[error("plugin {plugin}: {function} was ended after {after:?}, its time limit{committed}")]
    Timeout {
        /// The plugin.
        plugin: String,
        /// What was called.
        function: &'static str,
        /// The limit.
        after: Duration,
        /// What lasts of it, as the end of a sentence.
        committed: String,
    },
    /// It was asked to stop and did not.
    #[error(
        "plugin {plugin}: {function} was asked to stop and ended {grace:?} later, because it went on{committed}"
    )]
    Stopped {
        /// The plugin.
        plugin: String,
        /// What was called.
        function: &'static str,
        /// How long it was given.
        grace: Duration,
        /// What lasts of it, as the end of a sentence.
        committed: String,
    },
    /// It says that it can't.
    #[error("plugin {plugin}: {function}: {fault}")]
    Fault {
        /// The plugin.
        plugin: String,
        /// What was called.
        function: &'static str,
        /// What it says.
        fault: Box<Fault>,
    },
    /// What it answered can't be used.
    #[error("plugin {plugin}: {function} gave an answer that can't be used: {reason}")]
    Answer {
        /// The plugin.
        plugin: String,
        /// What was called.
        function: &'static str,
        /// Why.
        reason: String,
    },
    /// The host's own code failed while it served the plugin.
    #[error("plugin {plugin}: {function}: {reason}; this is a bug of whimbrel, please report it")]
    Bug {
        /// The plugin.
        plugin: String,
        /// What was called.
        function: &'static str,
        /// What happened.
        reason: String,
    },
}

fn names(needs: &[Need]) -> String {
    let names: Vec<&str> = needs.iter().map(|need| need.as_str()).collect();
    names.join(", ")
}

impl PluginError {
    /// The plugin's own fault, if it answered with one.
    #[must_use]
    pub const fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault { fault, .. } => Some(fault),
            _ => None,
        }
    }

    /// Whether the call ended because it was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
            Self::Fault { fault, .. } => fault.class == FaultClass::Cancelled,
            _ => false,
        }
    }

    /// Whether calling again may help, as the plugin advises.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.fault().is_some_and(|fault| {
            fault.retry != Retry::Never && fault.class != FaultClass::Cancelled
        })
    }

    /// What the operator can do next, if there is anything to say.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.fault().and_then(|fault| fault.hint.clone())
    }
}
