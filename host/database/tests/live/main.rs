//! With real databases: PostgreSQL on a private server, SQLite in a temporary folder.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed, in its helpers as well"
)]

mod encryption;
mod fence;
mod heartbeat;
mod histories;
mod interleavings;
mod journals;
mod locks;
mod meanwhile;
mod postgres_sessions;
mod postgres_values;
mod probes;
mod reading;
mod silence;
mod sqlite_sessions;
mod terminations;
mod told;
mod versions;

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;
use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;
use whimbrel_database::{
    Command, CommandError, Done, Endpoint, Fence, Holder, LockSettings, Session, SessionSettings,
    connect, lock,
};
use whimbrel_postgres_server::PostgresServer;

/// A database of its own for one test.
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    _folder: Option<tempfile::TempDir>,
}

impl Target {
    pub(crate) fn new(dialect: Dialect, name: &str) -> Self {
        match dialect {
            Dialect::Postgres => Self::postgres(name),
            Dialect::Sqlite => Self::sqlite(),
        }
    }

    pub(crate) fn postgres(name: &str) -> Self {
        let url = PostgresServer::shared().database(name);
        Self {
            endpoint: Endpoint::parse(&url, Path::new("/")).unwrap(),
            _folder: None,
        }
    }

    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::parse("sqlite:test.db", folder.path()).unwrap();
        Self {
            endpoint,
            _folder: Some(folder),
        }
    }

    pub(crate) async fn session(&self) -> Box<dyn Session> {
        connect(&self.endpoint, &SessionSettings::default())
            .await
            .unwrap()
    }
}

pub(crate) const BOTH: [Dialect; 2] = [Dialect::Postgres, Dialect::Sqlite];

pub(crate) fn holder(name: &str) -> Holder {
    Holder {
        run: Uuid::new_v4(),
        description: name.to_owned(),
    }
}

/// Gives up at once.
pub(crate) fn impatient() -> LockSettings {
    LockSettings {
        wait: Duration::ZERO,
        poll: Duration::from_millis(20),
        silence: Duration::from_secs(15),
    }
}

pub(crate) async fn take(session: &mut dyn Session, name: &str) -> Fence {
    lock::take(session, &holder(name), &impatient(), |_| {})
        .await
        .unwrap()
}

pub(crate) async fn texts(
    session: &mut dyn Session,
    texts: &[&str],
) -> Result<Vec<Done>, CommandError> {
    let commands: Vec<_> = texts.iter().map(|text| Command::text(*text)).collect();
    session.run(&commands).await
}

/// The first value that a question gives.
pub(crate) async fn value(session: &mut dyn Session, sql: &str) -> Value {
    let done = session
        .run(&[Command::with(sql, Vec::new())])
        .await
        .unwrap();
    done[0].rows.single().cloned().unwrap_or(Value::Null)
}
