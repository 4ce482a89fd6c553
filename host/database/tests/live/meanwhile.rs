//! Another run makes Whimbrel's tables while this one looks for them.

use async_trait::async_trait;
use whimbrel_core::statement::Dialect;
use whimbrel_database::history::read;
use whimbrel_database::session::Canceller;
use whimbrel_database::{Backend, Command, CommandError, DatabaseError, Done, Session};

use super::{Target, take, texts};

/// A session that is overtaken: after its first command that fails, `other` does what `then` says.
struct Overtaken {
    session: Box<dyn Session>,
    other: Option<Box<dyn Session>>,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    TablesAreMade,
    OneTableIsMissing,
}

#[async_trait]
impl Session for Overtaken {
    fn dialect(&self) -> Dialect {
        self.session.dialect()
    }

    async fn run(&mut self, commands: &[Command]) -> Result<Vec<Done>, CommandError> {
        let result = self.session.run(commands).await;
        if result.is_err()
            && let Some(mut other) = self.other.take()
        {
            take(other.as_mut(), "other").await;
            if matches!(self.then, Then::OneTableIsMissing) {
                texts(other.as_mut(), &["DROP TABLE whimbrel.journal CASCADE"])
                    .await
                    .unwrap();
            }
        }
        result
    }

    async fn backend(&mut self) -> Result<Option<Backend>, DatabaseError> {
        self.session.backend().await
    }

    fn canceller(&self) -> Option<Canceller> {
        self.session.canceller()
    }

    fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    fn in_transaction(&self) -> bool {
        self.session.in_transaction()
    }

    fn round_trips(&self) -> u64 {
        self.session.round_trips()
    }

    fn take_notices(&mut self) -> Vec<String> {
        self.session.take_notices()
    }

    async fn try_session_lock(&mut self, note: &str) -> Result<bool, DatabaseError> {
        self.session.try_session_lock(note).await
    }

    async fn release_session_lock(&mut self) -> Result<(), DatabaseError> {
        self.session.release_session_lock().await
    }

    async fn session_lock_note(&mut self) -> Result<Option<String>, DatabaseError> {
        self.session.session_lock_note().await
    }
}

async fn overtaken(target: &Target, then: Then) -> Overtaken {
    Overtaken {
        session: target.session().await,
        other: Some(target.session().await),
        then,
    }
}

#[tokio::test]
async fn tables_that_are_made_while_a_history_is_read_are_read() {
    let target = Target::postgres("meanwhile");
    let mut session = overtaken(&target, Then::TablesAreMade).await;
    let history = read(&mut session).await.unwrap();
    assert!(session.other.is_none(), "nothing failed");
    assert!(history.records.is_empty() && history.owner.is_none());
    assert_eq!(history.epoch, read(&mut session).await.unwrap().epoch);
    assert!(history.epoch > 0, "it was read before the other's lock");
}

#[tokio::test]
async fn a_table_that_is_really_missing_is_no_empty_history() {
    let target = Target::postgres("mutilated");
    let mut session = overtaken(&target, Then::OneTableIsMissing).await;
    let error = read(&mut session).await.unwrap_err().to_string();
    assert!(error.contains("whimbrel.journal"), "{error}");
    assert!(!session.in_transaction());
}
