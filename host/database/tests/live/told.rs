//! What a history tells of each migration besides its record.

use whimbrel_core::history::EventKind;
use whimbrel_core::statement::Dialect;
use whimbrel_database::history::{event_insert, read, read_telling};

use super::histories::{event, run};
use super::{BOTH, Target, take, texts};

#[tokio::test]
async fn what_is_told_of_a_migration_outlasts_its_record() {
    for dialect in BOTH {
        let target = Target::new(dialect, "told");
        let mut session = target.session().await;
        take(session.as_mut(), "me").await;
        let session = session.as_mut();
        let (one, other) = (Some("1"), Some("2"));
        let happened = [
            (EventKind::Failed, one),
            (EventKind::Applied, other),
            (EventKind::Applied, one),
            (EventKind::Reverted, one),
            (EventKind::Unlocked, None),
        ];
        for (kind, migration) in happened {
            run(
                session,
                vec![event_insert(dialect, &event(kind, migration))],
            )
            .await;
        }
        let plain = read(session).await.unwrap();
        assert!(plain.told.is_empty());
        let mut history = read_telling(session, true).await.unwrap();
        let told = history.told.iter();
        let told: Vec<_> = told
            .map(|(name, told)| (name.as_str(), told.attempts, told.last.as_str()))
            .collect();
        assert_eq!(told, [("1", 2, "reverted"), ("2", 1, "applied")]);
        assert!(history.told.values().all(|told| told.at.ends_with('Z')));
        history.told.clear();
        assert_eq!(history, plain);
    }
}

#[tokio::test]
async fn a_word_of_a_later_version_is_told_as_it_is() {
    for dialect in BOTH {
        let target = Target::new(dialect, "later");
        let mut session = target.session().await;
        take(session.as_mut(), "me").await;
        let session = session.as_mut();
        let known = event_insert(dialect, &event(EventKind::Applied, Some("1")));
        run(session, vec![known]).await;
        let later = match dialect {
            Dialect::Postgres => "UPDATE whimbrel.event SET kind = 'later'",
            Dialect::Sqlite => "UPDATE whimbrel_event SET kind = 'later'",
        };
        texts(session, &[later]).await.unwrap();
        let history = read_telling(session, false).await.unwrap();
        let told: Vec<_> = history.told.values().collect();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].attempts, told[0].last.as_str()), (0, "later"));
    }
}
