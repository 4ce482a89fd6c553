//! Takes one of the guards out, so that the suite can show that it would notice.
//!
//! `WHIMBREL_SABOTAGE=fence`, `journal`, `compare-and-set` or `epoch`. Compiled in only under the feature `crash-points`.

#[cfg(feature = "crash-points")]
mod present {
    use whimbrel_core::statement::Dialect;
    use whimbrel_core::value::Value;
    use whimbrel_database::history::JournalKey;
    use whimbrel_database::{Command, Fence, Session};

    /// Whether a guard is taken out.
    pub(crate) fn without(guard: &str) -> bool {
        std::env::var("WHIMBREL_SABOTAGE").is_ok_and(|name| name == guard)
    }

    /// Takes a takeover's new epoch back.
    pub(crate) async fn same_epoch(session: &mut dyn Session, fence: Fence) -> Fence {
        if !without("epoch") {
            return fence;
        }
        let table = match session.dialect() {
            Dialect::Postgres => "whimbrel.lock",
            Dialect::Sqlite => "whimbrel_lock",
        };
        let command = Command::text(format!("UPDATE {table} SET epoch = epoch - 1"));
        let _ = session.run(&[command]).await;
        Fence::new(session.dialect(), fence.epoch() - 1, fence.run())
    }

    /// The batch that the journal holds now, in place of the one that this run knows of.
    pub(crate) async fn batch_now(session: &mut dyn Session, key: &JournalKey, known: i64) -> i64 {
        if !without("compare-and-set") {
            return known;
        }
        let table = match session.dialect() {
            Dialect::Postgres => "whimbrel.journal",
            Dialect::Sqlite => "whimbrel_journal",
        };
        let text = format!(
            "SELECT batch FROM {table} WHERE migration = '{}' AND position = {}",
            key.migration, key.position
        );
        let done = session.run(&[Command::with(text, Vec::new())]).await;
        match done
            .ok()
            .and_then(|done| done.first().and_then(|done| done.rows.single().cloned()))
        {
            Some(Value::Integer(batch)) => batch,
            _ => known,
        }
    }
}

#[cfg(not(feature = "crash-points"))]
mod present {
    use whimbrel_database::history::JournalKey;
    use whimbrel_database::{Fence, Session};

    pub(crate) const fn without(_guard: &str) -> bool {
        false
    }

    #[allow(clippy::unused_async)]
    pub(crate) async fn same_epoch(_session: &mut dyn Session, fence: Fence) -> Fence {
        fence
    }

    #[allow(clippy::unused_async)]
    pub(crate) async fn batch_now(
        _session: &mut dyn Session,
        _key: &JournalKey,
        known: i64,
    ) -> i64 {
        known
    }
}

pub(crate) use present::{batch_now, same_epoch, without};
