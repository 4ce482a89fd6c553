//! A counter that says: this run is alive, however long its statement takes.

use std::time::Duration;

use tokio::task::JoinHandle;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;

use crate::endpoint::Endpoint;
use crate::lock::Fence;
use crate::session::{Command, Session, SessionSettings, connect};

/// Raises the heartbeat's counter over a small connection of its own until it is dropped. SQLite needs none.
#[derive(Debug)]
pub struct Heartbeat {
    task: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// How often the counter is raised. A contender takes 15 s of silence for death, so several beats may be lost.
    pub const INTERVAL: Duration = Duration::from_secs(2);

    /// Starts it, for the run that holds the fence. Must be called inside a runtime.
    #[must_use]
    pub fn start(
        endpoint: &Endpoint,
        settings: &SessionSettings,
        fence: &Fence,
        interval: Duration,
    ) -> Self {
        if endpoint.dialect() == Dialect::Sqlite {
            return Self { task: None };
        }
        let settings = SessionSettings {
            application_name: format!("{} heartbeat", settings.application_name),
            // A beat that waits is no beat; the next one comes soon.
            statement_timeout: Some(interval),
            ..settings.clone()
        };
        let sql = "UPDATE whimbrel.heartbeat SET counter = counter + 1 WHERE run = $1";
        let beat = Command::with(sql, vec![Value::Text(fence.run().to_string())]);
        let task = tokio::spawn(go_on(endpoint.clone(), settings, beat, interval));
        Self { task: Some(task) }
    }
}

/// Until somebody took over, when there is no row of this run any more. The takeover itself was the first beat, so a short
/// run never opens this connection. A lost connection is made anew.
async fn go_on(endpoint: Endpoint, settings: SessionSettings, beat: Command, interval: Duration) {
    let mut session: Option<Box<dyn Session>> = None;
    loop {
        tokio::time::sleep(interval).await;
        let open = match session.take() {
            Some(open) => Some(open),
            None => connect(&endpoint, &settings).await.ok(),
        };
        let Some(mut open) = open else { continue };
        match open.run(std::slice::from_ref(&beat)).await {
            Ok(done) if done.iter().any(|done| done.rows_affected == 0) => return,
            Err(failed) if failed.error.is_connection_lost() => {}
            _ => session = Some(open),
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
