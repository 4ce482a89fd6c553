//! A target that is locked: how it is got hold of, and how it is let go.

use std::time::Instant;

use uuid::Uuid;
use whimbrel_core::history::History;
use whimbrel_core::name::TargetName;
use whimbrel_core::statement::Dialect;
use whimbrel_database::history::{LeaseRecord, lease_insert, lease_remove, read_locked};
use whimbrel_database::{Endpoint, Heartbeat, Holder, LockSettings, lock, owned_by_login};
use whimbrel_signal::Signal;

use crate::change::milliseconds;
use crate::crash_point::{point, reach};
use crate::credentials::Credentials;
use crate::sabotage::same_epoch;
use crate::surroundings::{Access, Connection};
use crate::writer::Writer;
use crate::{ConnectError, RunError};

/// A target that is locked: what may be written to it, and what it recorded when the lock was taken.
pub(crate) struct Held {
    pub(crate) writer: Writer,
    pub(crate) history: History,
    heartbeat: Heartbeat,
}

/// Connects to a target, takes its lock, and reads its history, in this order. Leases that a holder of before left are
/// ended, and the own ones recorded, before anything else is done.
pub(crate) async fn hold(
    access: &Access,
    target: &TargetName,
    run: Uuid,
) -> Result<Held, RunError> {
    let Connection {
        endpoint,
        mut session,
        credentials,
    } = access.connector.connect(target).await?;
    if let Err(error) = require_role(credentials.as_ref(), &endpoint) {
        drop(session);
        credentials.end().await;
        return Err(error.into());
    }
    let holder = Holder {
        run,
        description: access.actor.clone(),
    };
    let settings = LockSettings {
        wait: access.lock_wait,
        ..LockSettings::default()
    };
    reach(point::LOCK_BEFORE);
    let begun = Instant::now();
    let (bus, name) = (access.bus.clone(), target.clone());
    let taking = lock::take(session.as_mut(), &holder, &settings, |holder| {
        bus.emit(Signal::LockWaiting {
            target: name.clone(),
            holder: holder.to_owned(),
        });
    });
    let taken = tokio::select! {
        biased;
        taken = taking => taken.map_err(RunError::from),
        // Nothing was begun here, and others may keep the lock for hours.
        () = access.stop.requested() => Err(RunError::Interrupted { committed: None }),
    };
    let fence = match taken {
        Ok(fence) => fence,
        Err(error) => {
            drop(session);
            credentials.end().await;
            return Err(error);
        }
    };
    reach(point::LOCK_AFTER);
    access.bus.emit(Signal::LockTaken {
        target: target.clone(),
        epoch: fence.epoch(),
        waited_milliseconds: milliseconds(begun),
    });
    let fence = same_epoch(session.as_mut(), fence).await;
    let locked = read_locked(session.as_mut()).await?;
    let backend = session.backend().await?;
    let heartbeat = access.heartbeats.join(
        &endpoint,
        backend.as_ref(),
        &fence,
        access.settings.heartbeat,
    );
    let held = Held {
        writer: Writer::new(session, fence, access.stop.clone(), credentials),
        history: locked.history,
        heartbeat,
    };
    held.record_leases(access, locked.leases, run).await?;
    Ok(held)
}

impl Held {
    /// Records the connection's own leases, and ends those that were left. One that can't be ended now stays recorded.
    async fn record_leases(
        &self,
        access: &Access,
        left: Vec<LeaseRecord>,
        run: Uuid,
    ) -> Result<(), RunError> {
        let own = self.writer.credentials().leases();
        let dialect = self.writer.dialect();
        let mut records: Vec<_> = own
            .iter()
            .map(|lease| lease_insert(dialect, lease, &run.to_string()))
            .collect();
        let left: Vec<_> = left
            .into_iter()
            .filter(|lease| !own.contains(lease))
            .collect();
        if !records.is_empty() {
            self.writer.record(std::mem::take(&mut records)).await?;
        }
        if !left.is_empty() {
            reach(point::LEASE_END_BEFORE);
            let ended = access.connector.end_leases(left).await;
            reach(point::LEASE_END_AFTER);
            records.extend(ended.iter().map(|lease| lease_remove(dialect, lease)));
        }
        if !records.is_empty() {
            self.writer.record(records).await?;
        }
        Ok(())
    }

    /// Whether whatever the run made belongs to `role:`, where the user itself is only lent.
    pub(crate) async fn nothing_is_owned_by_a_lent_user(&self) -> Result<(), RunError> {
        if self.writer.credentials().leases().is_empty() {
            return Ok(());
        }
        let mut session = self.writer.session().await;
        let objects = owned_by_login(session.as_mut()).await?;
        if objects.is_empty() {
            Ok(())
        } else {
            Err(RunError::Owned { objects })
        }
    }

    /// Gives the lock back, closes the connection and ends its credentials. A failure leaves nothing behind: the lock
    /// goes with the connection, and credentials that are still there are recorded for the next run.
    pub(crate) async fn release(self) {
        {
            let mut session = self.writer.session().await;
            if let Err(error) = lock::release(session.as_mut(), self.writer.fence()).await {
                tracing::debug!(%error, "the lock was not released; it goes with the connection");
            }
        }
        let credentials = self.writer.credentials().clone();
        drop(self.heartbeat);
        drop(self.writer);
        credentials.end().await;
    }
}

/// A user that is lent must act as a role that stays, or what it makes ends up owned by somebody who can't be dropped.
fn require_role(credentials: &dyn Credentials, endpoint: &Endpoint) -> Result<(), ConnectError> {
    let lent = !credentials.leases().is_empty();
    if lent && endpoint.dialect() == Dialect::Postgres && endpoint.role().is_none() {
        return Err(ConnectError::Credentials {
            message: "its user is lent for a while, and would own what is made".to_owned(),
            hint: Some(
                "set `role:` of the database to a role that stays and that the user is a member of"
                    .to_owned(),
            ),
            is_temporary: false,
        });
    }
    Ok(())
}
