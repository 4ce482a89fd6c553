//! Deeds on a target's history that run no migration: approve, baseline, accept, adopt, unlock.
//!
//! They write under the same lock and the same fence as a run does.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;
use whimbrel_core::approval::Approval;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::history::{EventKind, History, MigrationState, Owner};
use whimbrel_core::name::{MigrationName, TargetName};
use whimbrel_core::plan::{DesiredMigration, Plan};
use whimbrel_database::history::{
    NewEvent, NewRecord, event_insert, journal_clear, owner_set, record_accept, record_finish,
    record_insert,
};
use whimbrel_database::lock::Terminated;
use whimbrel_database::{Command, Holder, LockError, Session, lock};

use crate::RunError;
use crate::held::{Held, hold};
use crate::surroundings::{Access, Connection};

/// Records a person's yes to a plan in every target that it touches.
///
/// # Errors
///
/// The first target that can't be written to; those before it hold the approval.
pub async fn approve(
    access: &Access,
    plan: &Plan,
    approver: &str,
    expires: Timestamp,
) -> Result<Vec<TargetName>, RunError> {
    let approval = Approval::of(plan, approver, expires);
    let details = approval.details().unwrap_or_default();
    let mut approved = Vec::new();
    for target in plan.targets.iter().filter(|target| !target.work.is_empty()) {
        let name = &target.target;
        with_target(access, name, |held, run| {
            let mut event = event(access, run, EventKind::Approved, None, details.clone());
            event.plan = Some(approval.plan);
            approver.clone_into(&mut event.actor);
            let mut records = owner(access, held);
            records.push(event_insert(held.writer.dialect(), &event));
            Ok(records)
        })
        .await?;
        approved.push(name.clone());
    }
    Ok(approved)
}

/// Records migrations as applied without running anything: how an existing database is adopted. What is recorded
/// already stays as it is.
///
/// # Errors
///
/// The target belongs to somebody else, or can't be written to.
pub async fn baseline(
    access: &Access,
    target: &TargetName,
    migrations: &[DesiredMigration],
) -> Result<Vec<MigrationName>, RunError> {
    let mut baselined = Vec::new();
    with_target(access, target, |held, run| {
        refuse_other_owner(access, held)?;
        let dialect = held.writer.dialect();
        let mut records = owner(access, held);
        for item in migrations
            .iter()
            .filter(|item| held.history.record(&item.migration.name).is_none())
        {
            let name = &item.migration.name;
            let definition = item
                .migration
                .canonical()
                .map_err(|error| not_canonical(&error))?;
            records.push(record_insert(
                dialect,
                &NewRecord {
                    name: name.clone(),
                    state: MigrationState::Baselined,
                    checksum: item.checksum.clone(),
                    definition,
                    parameters: std::collections::BTreeMap::new(),
                    plugins: std::collections::BTreeMap::new(),
                    revision: access.revision.clone(),
                    run: run.to_string(),
                    actor: access.actor.clone(),
                    duration_milliseconds: Some(0),
                    rows: 0,
                    undo: std::collections::BTreeMap::new(),
                },
            ));
            let details = json!({"checksum": item.checksum});
            let event = event(
                access,
                run,
                EventKind::Baselined,
                Some(name.clone()),
                details,
            );
            records.push(event_insert(dialect, &event));
            baselined.push(name.clone());
        }
        Ok(records)
    })
    .await?;
    Ok(baselined)
}

/// What [`accept`] changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The recorded definition is the one at hand now.
    Definition {
        /// What was recorded.
        from: Checksum,
        /// What is recorded now.
        to: Checksum,
    },
    /// The migration was unfinished and counts as applied now: a person says that its effect is there.
    Finished,
    /// There was nothing to accept.
    Nothing,
}

/// Accepts a migration as it is: an edited definition in place of the applied one, or an unfinished migration that a
/// person has brought to its end by hand.
///
/// # Errors
///
/// It isn't recorded, the target belongs to somebody else, or can't be written to.
pub async fn accept(
    access: &Access,
    target: &TargetName,
    item: &DesiredMigration,
    reason: &str,
) -> Result<Accepted, RunError> {
    let mut accepted = Accepted::Nothing;
    with_target(access, target, |held, run| {
        refuse_other_owner(access, held)?;
        let dialect = held.writer.dialect();
        let name = &item.migration.name;
        let record = held.history.record(name).ok_or_else(|| not_recorded(name))?;
        let definition = item.migration.canonical().map_err(|error| not_canonical(&error))?;
        let mut records = Vec::new();
        if record.checksum != item.checksum {
            records.push(record_accept(dialect, name, &item.checksum, &definition));
            accepted = Accepted::Definition { from: record.checksum.clone(), to: item.checksum.clone() };
        }
        if !record.state.is_complete() {
            records.push(journal_clear(dialect, name));
            let finished = whimbrel_database::history::Finished {
                state: MigrationState::Applied,
                run: run.to_string(),
                duration_milliseconds: None,
                rows: record.rows,
                undo: record.undo.clone(),
            };
            records.push(record_finish(dialect, name, &finished));
            if accepted == Accepted::Nothing {
                accepted = Accepted::Finished;
            }
        }
        if !records.is_empty() {
            let details = json!({
                "from": record.checksum, "to": item.checksum, "state": record.state.as_str(), "reason": reason,
            });
            let event = event(access, run, EventKind::Accepted, Some(name.clone()), details);
            records.push(event_insert(dialect, &event));
        }
        Ok(records)
    })
    .await?;
    Ok(accepted)
}

/// Makes a target this environment's own; who had it before.
///
/// # Errors
///
/// The target can't be written to.
pub async fn adopt(
    access: &Access,
    target: &TargetName,
    reason: &str,
) -> Result<Option<Owner>, RunError> {
    let mut before = None;
    with_target(access, target, |held, run| {
        before.clone_from(&held.history.owner);
        if before.as_ref() == Some(&access.owner) {
            return Ok(Vec::new());
        }
        let dialect = held.writer.dialect();
        let details = json!({"from": before, "reason": reason});
        let event = event(access, run, EventKind::Adopted, None, details);
        Ok(vec![
            owner_set(dialect, &access.owner),
            event_insert(dialect, &event),
        ])
    })
    .await?;
    Ok(before)
}

/// Clears what a dead holder left, after having proved that it is dead; who that was, none after a run that ended by
/// itself.
///
/// # Errors
///
/// [`RunError::Lock`] while the holder lives.
pub async fn unlock(access: &Access, target: &TargetName) -> Result<Option<String>, RunError> {
    let unlocked = unlocked(access, target, async |session, holder| {
        lock::unlock(session, &holder).await
    });
    Ok(unlocked.await?.previous)
}

/// Ends the session that holds the lock of a target, because a person says so, and clears what it left. The reason is
/// recorded.
///
/// # Errors
///
/// [`RunError::Lock`] when it can't be ended from here, which on SQLite is always so.
pub async fn terminate(
    access: &Access,
    target: &TargetName,
    reason: &str,
) -> Result<Terminated, RunError> {
    unlocked(access, target, async |session, holder| {
        lock::terminate(session, &holder, reason).await
    })
    .await
}

/// Does something to the lock of a target without taking it, over a connection of its own.
async fn unlocked<T>(
    access: &Access,
    target: &TargetName,
    deed: impl AsyncFnOnce(&mut dyn Session, Holder) -> Result<T, LockError>,
) -> Result<T, RunError> {
    let Connection {
        mut session,
        credentials,
        ..
    } = access.connector.connect(target).await?;
    let holder = Holder {
        run: Uuid::now_v7(),
        description: access.actor.clone(),
    };
    let done = deed(session.as_mut(), holder).await;
    drop(session);
    credentials.end().await;
    Ok(done?)
}

/// Takes the lock, writes what `records` gives in one fenced transaction, and releases the lock.
async fn with_target(
    access: &Access,
    target: &TargetName,
    records: impl FnOnce(&Held, Uuid) -> Result<Vec<Command>, RunError>,
) -> Result<(), RunError> {
    let run = Uuid::now_v7();
    let held = hold(access, target, run).await?;
    let result = match records(&held, run) {
        Ok(records) if records.is_empty() => Ok(()),
        Ok(records) => held.writer.record(records).await.map_err(RunError::from),
        Err(error) => Err(error),
    };
    held.release().await;
    result
}

fn owner(access: &Access, held: &Held) -> Vec<Command> {
    if held.history.owner.is_some() {
        return Vec::new();
    }
    vec![owner_set(held.writer.dialect(), &access.owner)]
}

fn refuse_other_owner(access: &Access, held: &Held) -> Result<(), RunError> {
    let history = History {
        owner: held.history.owner.clone(),
        ..History::default()
    };
    let decisions = whimbrel_core::plan::decide(
        &[],
        &history,
        &whimbrel_core::lineage::Lineage::default(),
        &access.owner,
        &whimbrel_core::plan::Goal::Revert(Vec::new()),
    );
    if decisions.blockers.is_empty() {
        Ok(())
    } else {
        Err(RunError::Blocked(decisions.blockers))
    }
}

fn event(
    access: &Access,
    run: Uuid,
    kind: EventKind,
    migration: Option<MigrationName>,
    details: serde_json::Value,
) -> NewEvent {
    NewEvent {
        kind,
        migration,
        run: run.to_string(),
        actor: access.actor.clone(),
        revision: access.revision.clone(),
        plan: None,
        details,
    }
}

fn not_recorded(name: &MigrationName) -> RunError {
    RunError::Plan(crate::PlanError {
        message: format!("`{name}` is not recorded here, so there is nothing to accept"),
        hint: Some(
            "`whimbrel baseline` records migrations that were applied by other means".to_owned(),
        ),
    })
}

fn not_canonical(error: &whimbrel_core::canonical::CanonicalError) -> RunError {
    RunError::Plan(crate::PlanError {
        message: error.to_string(),
        hint: None,
    })
}
