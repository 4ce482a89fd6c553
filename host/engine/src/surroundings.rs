//! What a run asks for, answered by the project.

use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_core::history::History;
use whimbrel_core::name::{PluginName, TargetName};
use whimbrel_core::plan::TargetPlan;
use whimbrel_database::history::LeaseRecord;
use whimbrel_plugin::{Plugin, PluginError};
use whimbrel_project::ProjectError;
use whimbrel_run::{ConnectError, Connection, PlanError};

use crate::lent::{Lent, end_left};

/// Plans as the project does.
pub(crate) struct Planner(pub(crate) Arc<whimbrel_project::Planner>);

/// Connects as the project does.
pub(crate) struct Connector {
    pub(crate) targets: Arc<whimbrel_project::Targets>,
    pub(crate) sessions: Arc<whimbrel_project::Sessions>,
}

/// Finds the project's plugins.
pub(crate) struct Plugins(pub(crate) Arc<whimbrel_project::Plugins>);

#[async_trait]
impl whimbrel_run::Planner for Planner {
    async fn plan(&self, target: &TargetName, history: &History) -> Result<TargetPlan, PlanError> {
        self.0.plan(target, history).await.map_err(plan_error)
    }
}

#[async_trait]
impl whimbrel_run::Connector for Connector {
    async fn connect(&self, target: &TargetName) -> Result<Connection, ConnectError> {
        let connected = match self.sessions.take(target) {
            Some(connected) => connected,
            None => self
                .targets
                .connect_lent(target)
                .await
                .map_err(connect_error)?,
        };
        Ok(Connection {
            endpoint: connected.endpoint,
            session: connected.session,
            credentials: Arc::new(Lent(connected.lent)),
        })
    }

    async fn end_leases(&self, left: Vec<LeaseRecord>) -> Vec<LeaseRecord> {
        end_left(self.targets.resolver(), left).await
    }

    fn server(&self, target: &TargetName) -> String {
        self.targets
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

#[allow(clippy::needless_pass_by_value)] // for map_err
fn plan_error(error: ProjectError) -> PlanError {
    PlanError {
        message: error.to_string(),
        hint: error.hint(),
    }
}

/// The database's own error where there is one, because a run looks at its code.
fn connect_error(error: ProjectError) -> ConnectError {
    let (message, hint) = (error.to_string(), error.hint());
    let is_temporary = error.is_temporary();
    if let ProjectError::Connect { source, .. } = error
        && let whimbrel_project::ConnectError::Database(error) = *source
    {
        return ConnectError::Database(error);
    }
    ConnectError::Credentials {
        message,
        hint,
        is_temporary,
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_core::name::TargetName;
    use whimbrel_database::DatabaseError;
    use whimbrel_database::session::ErrorKind;
    use whimbrel_project::{ConnectError as Cause, ProjectError};
    use whimbrel_run::ConnectError;

    use super::{connect_error, plan_error};

    fn failed(source: Cause) -> ProjectError {
        ProjectError::Connect {
            target: TargetName::single("main".parse().unwrap()),
            source: Box::new(source),
        }
    }

    #[test]
    fn a_run_gets_the_database_s_own_error() {
        let gone = DatabaseError::new(ErrorKind::Connection, "", "gone");
        let error = connect_error(failed(Cause::Database(gone.clone())));
        assert_eq!(error, ConnectError::Database(gone));
        let error = connect_error(failed(Cause::Url("no host".to_owned())));
        assert!(matches!(error, ConnectError::Credentials { .. }), "{error}");
    }

    #[test]
    fn a_plan_s_error_keeps_its_hint() {
        let error = plan_error(ProjectError::NoFolder("elsewhere".into()));
        assert!(error.message.contains("no folder elsewhere") && error.hint.is_some());
    }
}
