//! What a session is opened with. All of them are the session's defaults, so that RESET brings them back.

use std::time::Duration;

/// What a session is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long a statement waits for a lock; none waits for ever (SQLite: not at all).
    pub lock_timeout: Option<Duration>,
    /// How long a statement may take; none means for ever.
    pub statement_timeout: Option<Duration>,
    /// The name that the server shows for this connection.
    pub application_name: String,
    /// Whether nothing may be written. SQLite opens the file read-only; a file that isn't there is an empty database.
    pub read_only: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// After how long the server looks whether this client is still there while a statement runs.
    pub client_check_interval: Duration,
    /// After how long the server ends a session that sits in an open transaction.
    pub idle_in_transaction_timeout: Duration,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            lock_timeout: Some(Duration::from_secs(5)),
            statement_timeout: None,
            application_name: "whimbrel".to_owned(),
            read_only: false,
            connect_timeout: Duration::from_secs(10),
            client_check_interval: Duration::from_secs(2),
            idle_in_transaction_timeout: Duration::from_secs(60),
        }
    }
}

impl SessionSettings {
    /// The same for a session that writes nothing.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}
