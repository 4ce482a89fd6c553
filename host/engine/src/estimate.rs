//! What plugins expect of their steps, asked over sessions that can't write.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Change, OperationAction, TargetPlan};
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::{RowSet, Value};
use whimbrel_database::{Command, Session, quote_identifier};
use whimbrel_plugin::{Call, SqlError, StepDatabase};
use whimbrel_report::Estimate;

use crate::opened::Opened;
use crate::prepared::Prepared;

/// How long an estimate may take: it decorates a plan, and a plan must not wait for it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks every plugin step that is still to be run. What can't be estimated, because its table comes with an earlier
/// migration of the same plan, is left out.
pub async fn estimates(opened: &Opened, prepared: &Prepared) -> Vec<Estimate> {
    let mut all = Vec::new();
    for target in &prepared.plan().targets {
        for change in target.applies() {
            of_change(opened, prepared, target, change, &mut all).await;
        }
    }
    all
}

async fn of_change(
    opened: &Opened,
    prepared: &Prepared,
    target: &TargetPlan,
    change: &Change,
    all: &mut Vec<Estimate>,
) {
    for planned in change.operations.iter().filter(|planned| !planned.done) {
        let OperationAction::Plugin { uses, with, .. } = &planned.operation.action else {
            continue;
        };
        let Ok(plugin) = prepared.plugins.plugin(uses).await else {
            continue;
        };
        let Ok(session) = opened.read_only(&target.target).await else {
            continue;
        };
        let mut call = Call::new("plan", change.migration.as_str());
        call.timeout = Some(TIMEOUT);
        let database = Reader::new(session);
        match plugin.estimate(with, call, Box::new(database)).await {
            Ok(details) => all.push(estimate(&target.target, change, planned.position, details)),
            Err(error) => {
                tracing::debug!(target_name = %target.target, migration = %change.migration, %error, "no estimate");
            }
        }
    }
}

fn estimate(
    target: &TargetName,
    change: &Change,
    position: u32,
    details: serde_json::Value,
) -> Estimate {
    Estimate {
        target: target.clone(),
        migration: change.migration.clone(),
        position,
        rows: details.get("rows").and_then(serde_json::Value::as_u64),
        details,
    }
}

/// A database that only answers queries. The session itself refuses to write, so nothing here looks at the SQL.
struct Reader {
    session: Arc<Mutex<Box<dyn Session>>>,
    dialect: Dialect,
}

impl Reader {
    fn new(session: Box<dyn Session>) -> Self {
        Self {
            dialect: session.dialect(),
            session: Arc::new(Mutex::new(session)),
        }
    }
}

fn refused(what: &str) -> SqlError {
    SqlError::Refused(format!("an estimate can't {what}"))
}

#[async_trait]
impl StepDatabase for Reader {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn quote(&self, name: &str) -> String {
        quote_identifier(self.dialect, name)
    }

    async fn query(&mut self, statement: &str, parameters: Vec<Value>) -> Result<RowSet, SqlError> {
        let command = Command::with(statement, parameters);
        let done = self.session.lock().await.run(&[command]).await;
        let done = done.map_err(|error| SqlError::Database {
            code: error.error.code,
            message: error.error.message,
            detail: error.error.detail,
        })?;
        Ok(done
            .into_iter()
            .next()
            .map(|done| done.rows)
            .unwrap_or_default())
    }

    async fn execute(&mut self, _: &str, _: Vec<Value>) -> Result<u64, SqlError> {
        Err(refused("change anything"))
    }

    async fn commit(&mut self, _: Vec<u8>, _: u64, _: Option<u64>) -> Result<(), SqlError> {
        Err(refused("commit"))
    }

    async fn rollback(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    async fn insert(&mut self, _: &str, _: &[String], _: Vec<Vec<Value>>) -> Result<u64, SqlError> {
        Err(refused("insert rows"))
    }

    fn last_checkpoint(&self) -> Option<Vec<u8>> {
        None
    }

    fn in_transaction(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_database::{Endpoint, SessionSettings, connect};
    use whimbrel_plugin::{SqlError, StepDatabase as _};

    use super::Reader;

    #[tokio::test]
    async fn an_estimate_reads_and_does_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::parse("sqlite:scratch.db", folder.path()).unwrap();
        let settings = SessionSettings::default().read_only();
        let mut reader = Reader::new(connect(&endpoint, &settings).await.unwrap());
        assert_eq!(reader.quote("a b"), "\"a b\"");
        let rows = reader.query("SELECT 7", Vec::new()).await.unwrap();
        assert_eq!(rows.rows.len(), 1);
        let wrong = reader.query("SELECT * FROM nowhere", Vec::new()).await;
        assert!(matches!(wrong, Err(SqlError::Database { .. })));
        let refused = |result: Result<(), SqlError>| matches!(result, Err(SqlError::Refused(_)));
        assert!(refused(
            reader
                .execute("DELETE FROM x", Vec::new())
                .await
                .map(|_| ())
        ));
        assert!(refused(reader.commit(Vec::new(), 0, None).await));
        assert!(refused(
            reader.insert("x", &[], Vec::new()).await.map(|_| ())
        ));
        reader.rollback().await.unwrap();
        assert!(!reader.in_transaction() && reader.last_checkpoint().is_none());
        assert!(!folder.path().join("scratch.db").exists());
    }
}
