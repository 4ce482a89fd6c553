//! What a run asks for, answered by the project.

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_core::history::History;
use whimbrel_core::name::{PluginName, TargetName};
use whimbrel_core::plan::TargetPlan;
use whimbrel_database::{Endpoint, Session};
use whimbrel_plugin::{Plugin, PluginError};
use whimbrel_project::ProjectError;
use whimbrel_run::{ConnectError, PlanError};

/// Plans as the project does.
pub(crate) struct Planner(pub(crate) Arc<whimbrel_project::Planner>);

/// Connects as the project does.
pub(crate) struct Connector(pub(crate) Arc<whimbrel_project::Targets>);

/// Finds the project's plugins.
pub(crate) struct Plugins(pub(crate) Arc<whimbrel_project::Plugins>);

#[async_trait]
impl whimbrel_run::Planner for Planner {
    async fn plan(&self, target: &TargetName, history: &History) -> Result<TargetPlan, PlanError> {
        let plan = self.0.plan(target, history).await;
        plan.map_err(|error| PlanError {
            message: error.to_string(),
            hint: error.hint(),
        })
    }
}

#[async_trait]
impl whimbrel_run::Connector for Connector {
    async fn connect(
        &self,
        target: &TargetName,
    ) -> Result<(Endpoint, Box<dyn Session>), ConnectError> {
        let connected = self.0.connect(target).await;
        connected.map_err(|error| match error {
            ProjectError::Connect { source, .. } => match *source {
                whimbrel_project::ConnectError::Database(error) => ConnectError::Database(error),
                other => ConnectError::Credentials {
                    message: other.to_string(),
                    hint: other.hint(),
                },
            },
            other => ConnectError::Credentials {
                message: other.to_string(),
                hint: other.hint(),
            },
        })
    }

    fn server(&self, target: &TargetName) -> String {
        self.0
            .get(target)
            .map_or_else(|_| target.to_string(), |target| target.server.clone())
    }
}

#[async_trait]
impl whimbrel_run::Plugins for Plugins {
    async fn plugin(&self, name: &PluginName) -> Result<Plugin, PluginError> {
        self.0.plugin(name).await.map_err(PluginError::from)
    }
}
