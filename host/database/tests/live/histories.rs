//! What is recorded is read back, whole, on both databases.

use std::collections::BTreeMap;

use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::digest::Digest;
use whimbrel_core::history::{
    Direction, EventKind, JournalEntry, JournalState, MigrationState, Owner,
};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::MigrationName;
use whimbrel_database::history::{
    Finished, JournalKey, NewEvent, NewRecord, event_insert, journal_clear, journal_insert,
    owner_set, read, read_definition, read_events, read_without_definitions,
    read_without_definitions_of, record_accept, record_delete, record_fail, record_finish,
    record_insert, record_insert_with_event, record_rename, record_replace, record_state,
};
use whimbrel_database::session::{begin, commit, rollback};
use whimbrel_database::{Command, Session};

use super::{BOTH, Target, take};

fn name(text: &str) -> MigrationName {
    text.parse().unwrap()
}

pub(crate) fn record(text: &str, state: MigrationState) -> NewRecord {
    let definition = json!({ "name": text, "sql": "SELECT '\u{1F426}' \\ \"\"", "n": 1.5 });
    NewRecord {
        name: name(text),
        state,
        checksum: Checksum::w1(&definition),
        definition,
        parameters: BTreeMap::from([("a".to_owned(), "'b'".to_owned())]),
        plugins: BTreeMap::from([("backfill".parse().unwrap(), Digest::of(b"x"))]),
        revision: Some(Revision {
            commit: "ab".repeat(20),
            dirty: true,
        }),
        run: "run-1".to_owned(),
        actor: "anna".to_owned(),
        duration_milliseconds: None,
        rows: 5,
        undo: BTreeMap::from([(3, "AAE=".to_owned())]),
    }
}

pub(crate) fn event(kind: EventKind, migration: Option<&str>) -> NewEvent {
    NewEvent {
        kind,
        migration: migration.map(name),
        run: "run-1".to_owned(),
        actor: "anna".to_owned(),
        revision: Some(Revision::commit("cd")),
        plan: Some(Digest::of(b"plan")),
        details: json!({ "x": [1, null] }),
    }
}

pub(crate) fn entry(text: &str, position: u32) -> JournalEntry {
    JournalEntry {
        migration: name(text),
        direction: Direction::Apply,
        position,
        hash: Digest::of(b"statement"),
        state: JournalState::Intent,
        batch: 0,
        checkpoint: None,
        rows_done: 0,
        rows_total: None,
        probe: Some(json!({ "present": false })),
        undo: None,
    }
}

pub(crate) fn key(text: &str, position: u32) -> JournalKey {
    JournalKey {
        migration: name(text),
        direction: Direction::Apply,
        position,
    }
}

pub(crate) async fn run(session: &mut dyn Session, commands: Vec<Command>) {
    let dialect = session.dialect();
    let all = [vec![begin(dialect)], commands, vec![commit(dialect)]].concat();
    session.run(&all).await.unwrap();
}

/// Runs one command in a transaction and expects the conflict that a row wasn't changed exactly once.
pub(crate) async fn conflict(session: &mut dyn Session, command: Command) {
    let dialect = session.dialect();
    let failed = session
        .run(&[begin(dialect), command, commit(dialect)])
        .await
        .unwrap_err();
    assert!(
        failed.error.is_conflict() && failed.index == 1,
        "{failed:?}"
    );
    session.run(&[rollback(dialect)]).await.unwrap();
}

#[tokio::test]
async fn a_small_migration_is_recorded_at_once() {
    for dialect in BOTH {
        let target = Target::new(dialect, "small");
        let mut session = target.session().await;
        let fence = take(session.as_mut(), "me").await;
        for text in ["1-b", "2-a"] {
            let new = record(text, MigrationState::Applied);
            run(
                session.as_mut(),
                record_insert_with_event(&new, &event(EventKind::Applied, Some(text)), &fence),
            )
            .await;
        }
        let history = read(session.as_mut()).await.unwrap();
        assert_eq!(
            (history.epoch, history.owner, history.records.len()),
            (1, None, 2)
        );
        let found = &history.records[0];
        let new = record("1-b", MigrationState::Applied);
        assert_eq!(
            (&found.name, found.sequence, found.state),
            (&new.name, 1, MigrationState::Applied)
        );
        assert_eq!(
            (&found.checksum, &found.definition, &found.parameters),
            (&new.checksum, &new.definition, &new.parameters)
        );
        assert_eq!(
            (&found.plugins, &found.revision, &found.undo),
            (&new.plugins, &new.revision, &new.undo)
        );
        assert_eq!(
            (found.run.as_str(), found.actor.as_str(), found.rows),
            ("run-1", "anna", 5)
        );
        assert!(
            found.started.ends_with('Z')
                && found.finished.as_ref().is_some_and(|at| at.ends_with('Z'))
        );
        assert!(
            found
                .duration_milliseconds
                .is_some_and(|duration| duration < 5_000)
                && found.error.is_none()
        );
        assert_eq!(history.records[1].sequence, 2);
        let events = read_events(session.as_mut(), 1).await.unwrap();
        assert_eq!(
            (events.len(), events[0].kind, &events[0].migration),
            (1, EventKind::Applied, &Some(name("2-a")))
        );
        assert_eq!(
            (events[0].plan, &events[0].details),
            (Some(Digest::of(b"plan")), &json!({ "x": [1, null] }))
        );
        let outdated = whimbrel_database::Fence::new(dialect, 0, fence.run());
        let late = record_insert_with_event(
            &record("3", MigrationState::Applied),
            &event(EventKind::Applied, None),
            &outdated,
        );
        let failed = session
            .run(&[vec![begin(dialect)], late, vec![commit(dialect)]].concat())
            .await
            .unwrap_err();
        assert!(failed.error.is_fenced());
        session.run(&[rollback(dialect)]).await.unwrap();
        assert_eq!(read(session.as_mut()).await.unwrap().records.len(), 2);
    }
}

#[tokio::test]
async fn a_record_goes_through_its_states() {
    for dialect in BOTH {
        let target = Target::new(dialect, "states");
        let mut session = target.session().await;
        take(session.as_mut(), "me").await;
        let session = session.as_mut();
        let migration = name("1");
        run(
            session,
            vec![record_insert(
                dialect,
                &record("1", MigrationState::Applying),
            )],
        )
        .await;
        let failed = session
            .run(&[record_insert(
                dialect,
                &record("1", MigrationState::Applying),
            )])
            .await
            .unwrap_err();
        assert!(failed.error.is_unique_violation());
        run(
            session,
            vec![record_fail(dialect, &migration, "run-2", "it \0 broke")],
        )
        .await;
        let found = read(session).await.unwrap().records.remove(0);
        assert_eq!(
            (found.state, found.error.as_deref(), found.finished),
            (MigrationState::Failed, Some("it \u{fffd} broke"), None)
        );
        let mut again = record("1", MigrationState::Applying);
        again.definition = json!({ "edited": true });
        run(session, vec![record_replace(dialect, &again)]).await;
        let found = read(session).await.unwrap().records.remove(0);
        assert_eq!(
            (found.state, found.error, found.definition),
            (MigrationState::Applying, None, json!({ "edited": true }))
        );
        let finished = Finished {
            state: MigrationState::Applied,
            run: "run-3".to_owned(),
            duration_milliseconds: None,
            rows: 9,
            undo: BTreeMap::new(),
        };
        run(session, vec![record_finish(dialect, &migration, &finished)]).await;
        let found = read(session).await.unwrap().records.remove(0);
        assert_eq!(
            (found.state, found.rows, found.run.as_str()),
            (MigrationState::Applied, 9, "run-3")
        );
        assert!(
            found.finished.is_some()
                && found
                    .duration_milliseconds
                    .is_some_and(|duration| (0..60_000).contains(&duration))
        );
        let checksum = Checksum::w1(&json!(1));
        run(
            session,
            vec![record_accept(
                dialect,
                &migration,
                &checksum,
                &json!({ "accepted": 1 }),
            )],
        )
        .await;
        assert_eq!(
            read_definition(session, &migration).await.unwrap(),
            Some(json!({ "accepted": 1 }))
        );
        assert_eq!(
            read_without_definitions(session).await.unwrap().records[0].definition,
            json!(null)
        );
        run(
            session,
            vec![record_state(
                dialect,
                &migration,
                MigrationState::Reverting,
                "run-4",
            )],
        )
        .await;
        run(
            session,
            vec![
                journal_insert(dialect, &entry("1", 0)),
                record_rename(dialect, &migration, &name("2")),
            ],
        )
        .await;
        let history = read(session).await.unwrap();
        assert_eq!(
            (&history.records[0].name, &history.journal[0].migration),
            (&name("2"), &name("2"))
        );
        assert_eq!(history.records[0].state, MigrationState::Reverting);
        run(
            session,
            vec![
                journal_clear(dialect, &name("2")),
                record_delete(dialect, &name("2")),
            ],
        )
        .await;
        assert!(read(session).await.unwrap().records.is_empty());
        assert_eq!(read_definition(session, &migration).await.unwrap(), None);
        for command in [
            record_delete(dialect, &migration),
            record_rename(dialect, &migration, &name("2")),
            record_finish(dialect, &migration, &finished),
            record_state(dialect, &migration, MigrationState::Applied, "x"),
            record_fail(dialect, &migration, "x", "y"),
            record_accept(dialect, &migration, &checksum, &json!(1)),
            record_replace(dialect, &again),
        ] {
            conflict(session, command).await;
        }
    }
}

#[tokio::test]
async fn owner_and_approvals_are_part_of_the_history() {
    for dialect in BOTH {
        let target = Target::new(dialect, "owner");
        let mut session = target.session().await;
        assert_eq!(
            read(session.as_mut()).await.unwrap(),
            whimbrel_core::history::History::default()
        );
        assert!(read_events(session.as_mut(), 5).await.unwrap().is_empty());
        take(session.as_mut(), "me").await;
        let session = session.as_mut();
        let owner = Owner {
            manager: "whimbrel".to_owned(),
            project: "shop".parse().unwrap(),
            environment: "staging".parse().unwrap(),
        };
        let events = [EventKind::Approved, EventKind::Applied, EventKind::Approved]
            .map(|kind| event_insert(dialect, &event(kind, None)));
        run(
            session,
            [vec![owner_set(dialect, &owner)], events.to_vec()].concat(),
        )
        .await;
        let history = read(session).await.unwrap();
        assert_eq!(history.owner, Some(owner));
        assert_eq!(
            history
                .approvals
                .iter()
                .map(|event| event.id)
                .collect::<Vec<_>>(),
            [1, 3]
        );
        session.run(&[begin(dialect)]).await.unwrap();
        assert_eq!(
            read(session).await.unwrap(),
            history,
            "inside a transaction, too"
        );
        session.run(&[rollback(dialect)]).await.unwrap();
    }
}

#[tokio::test]
async fn a_few_are_read_without_the_others() {
    for dialect in BOTH {
        let target = Target::new(dialect, "few");
        let mut session = target.session().await;
        take(session.as_mut(), "me").await;
        let session = session.as_mut();
        let names = ["1", "2", "3"];
        let mut commands = Vec::new();
        for text in names {
            commands.push(record_insert(
                dialect,
                &record(text, MigrationState::Applying),
            ));
            commands.push(journal_insert(dialect, &entry(text, 0)));
        }
        run(session, commands).await;
        let whole = read_without_definitions(session).await.unwrap();
        assert_eq!((whole.records.len(), whole.journal.len()), (3, 3));
        let few = [name("3"), name("1"), name("4")];
        let few = read_without_definitions_of(session, &few).await.unwrap();
        assert_eq!(
            few.records,
            [whole.records[0].clone(), whole.records[2].clone()]
        );
        assert_eq!(
            few.journal,
            [whole.journal[0].clone(), whole.journal[2].clone()]
        );
        assert_eq!((few.owner, few.epoch), (whole.owner.clone(), whole.epoch));
        // More than can be asked for by name are asked for as all.
        let many: Vec<_> = (1..=1_000)
            .map(|number| name(&number.to_string()))
            .collect();
        let all = read_without_definitions_of(session, &many).await.unwrap();
        assert_eq!(all.records, whole.records);
        // None is none in particular.
        let all = read_without_definitions_of(session, &[]).await.unwrap();
        assert_eq!(all, whole);
    }
}
