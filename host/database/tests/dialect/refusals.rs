//! What a definition may not hold is refused with its place; what it may hold never is.

use whimbrel_core::statement::Dialect::{self, Postgres, Sqlite};
use whimbrel_database::{SqlError, split, split_whole, split_with_notices};

fn refuse(dialect: Dialect, text: &str) -> SqlError {
    match split(dialect, text) {
        Err(error) => error,
        Ok(statements) => panic!("{text}: {statements:?}"),
    }
}

#[test]
fn transaction_control_is_refused() {
    for text in [
        "SELECT 1; COMMIT",
        "BEGIN; SELECT 1",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT",
        "BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 1; COMMIT",
        "START TRANSACTION",
        "ROLLBACK",
        "ROLLBACK TO SAVEPOINT a",
        "SAVEPOINT a",
        "RELEASE a",
        "ABORT",
        "END",
        "PREPARE TRANSACTION 'x'",
        "COMMIT PREPARED 'x'",
        "SET TRANSACTION READ WRITE",
        "SET LOCAL TRANSACTION READ WRITE",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET transaction_read_only = off",
        "set local \"transaction_isolation\" to 'serializable'",
        "SET synchronous_commit = off",
    ] {
        let error = refuse(Postgres, text);
        assert!(error.message.contains("transaction"), "{text}: {error:?}");
    }
    for text in [
        "BEGIN",
        "COMMIT",
        "END TRANSACTION",
        "ROLLBACK",
        "SAVEPOINT a",
        "RELEASE a",
    ] {
        refuse(Sqlite, text);
    }
}

#[test]
fn an_outer_transaction_is_left_out_with_a_notice() {
    for text in [
        "BEGIN; SELECT 1; SELECT 2; COMMIT;",
        "start transaction; SELECT 1; SELECT 2; END WORK",
    ] {
        let (statements, notices) = split_with_notices(Postgres, text).unwrap();
        assert_eq!((statements.len(), notices.len()), (2, 1), "{text}");
    }
    let text = "-- first\n\nBEGIN;\nSELECT 1;\nEND;";
    let (_, notices) = split_with_notices(Postgres, text).unwrap();
    assert!(text[notices[0].offset..].starts_with("BEGIN"));
    let text =
        "PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE; SELECT 1; COMMIT; PRAGMA foreign_keys=ON;";
    let (statements, notices) = split_with_notices(Sqlite, text).unwrap();
    assert_eq!((statements.len(), notices.len()), (3, 1));
    assert!(whimbrel_database::dialect::is_foreign_keys_off(
        &statements[0]
    ));
    assert!(!whimbrel_database::dialect::is_foreign_keys_off(
        &statements[2]
    ));
}

#[test]
fn whimbrels_own_tables_are_refused() {
    for text in [
        "DELETE FROM whimbrel.migration",
        "DELETE FROM ONLY \"whimbrel\".migration",
        "INSERT INTO whimbrel.event VALUES (1)",
        "UPDATE Whimbrel.lock SET epoch = 0",
        "WITH x AS (UPDATE whimbrel.lock SET epoch = 0) SELECT 1",
        "DROP SCHEMA whimbrel CASCADE",
        "ALTER TABLE whimbrel.lock ADD COLUMN x int",
        "TRUNCATE t, whimbrel.event",
        "SET search_path = whimbrel",
        "SET search_path TO 'whimbrel'",
        "CREATE TRIGGER t AFTER INSERT ON whimbrel.event EXECUTE FUNCTION f()",
        "DO $$ BEGIN DELETE FROM whimbrel.event; END $$",
        "DO $a$ BEGIN IF true THEN DROP TABLE whimbrel.event; END IF; END $a$",
        "MERGE INTO whimbrel.lock USING t ON true WHEN MATCHED THEN DELETE",
    ] {
        assert!(
            refuse(Postgres, text).message.contains("own tables"),
            "{text}"
        );
    }
    for text in [
        "DELETE FROM whimbrel_event",
        "DROP TABLE [Whimbrel_lock]",
        "INSERT OR REPLACE INTO whimbrel_lock VALUES (1)",
    ] {
        assert!(
            refuse(Sqlite, text).message.contains("own tables"),
            "{text}"
        );
    }
    for (dialect, text) in [
        (Postgres, "SELECT * FROM whimbrel.migration"),
        (
            Postgres,
            "INSERT INTO t SELECT name FROM whimbrel.migration",
        ),
        (Postgres, "INSERT INTO birds (whimbrel) VALUES ('whimbrel')"),
        (Sqlite, "INSERT INTO t SELECT name FROM whimbrel_migration"),
    ] {
        split(dialect, text).unwrap();
    }
}

#[test]
fn what_the_session_could_not_survive_is_refused() {
    for text in ["DISCARD ALL", "SELECT pg_advisory_unlock_all()"] {
        assert!(refuse(Postgres, text).message.contains("lock"), "{text}");
    }
    for text in [
        "COPY t FROM STDIN",
        "COPY t (a) TO STDOUT WITH CSV",
        "\\connect x",
        "SELECT 1; \\i other.sql",
    ] {
        refuse(Postgres, text);
    }
    for text in ["ATTACH 'x' AS y", "DETACH y", ".mode csv"] {
        refuse(Sqlite, text);
    }
    split(
        Postgres,
        "COPY t FROM '/tmp/x'; DISCARD PLANS; DEALLOCATE ALL",
    )
    .unwrap();
}

/// Without a journal in a file, a process that is killed leaves half of a transaction.
#[test]
fn what_a_commit_hangs_on_is_left_alone() {
    for text in [
        "PRAGMA journal_mode = MEMORY",
        "SELECT 1; pragma main.journal_mode(off)",
        "PRAGMA journal_mode = 'memory'",
        "PRAGMA synchronous = OFF",
        "PRAGMA synchronous = normal",
        "PRAGMA \"synchronous\" = 0",
        "PRAGMA query_only = ON",
    ] {
        let error = refuse(Sqlite, text);
        assert!(error.message.contains("may not be"), "{text}: {error:?}");
    }
    for text in [
        "PRAGMA journal_mode",
        "PRAGMA journal_mode = WAL",
        "PRAGMA main.journal_mode = \"Delete\"",
        "PRAGMA synchronous = EXTRA",
        "PRAGMA query_only = 0",
        "PRAGMA user_version = 7",
    ] {
        split(Sqlite, text).unwrap();
    }
}

#[test]
fn unnamed_concurrent_indexes_are_refused() {
    let error = refuse(
        Postgres,
        "SELECT 1;\n  CREATE UNIQUE INDEX CONCURRENTLY ON t (a)",
    );
    assert_eq!((error.line, error.column), (2, 23));
    assert!(error.hint.unwrap().contains("CONCURRENTLY name ON"));
    split(Postgres, "CREATE INDEX ON t (a)").unwrap();
}

#[test]
fn what_never_ends_is_refused_where_it_begins() {
    let error = refuse(Postgres, "SELECT 1;\nSELECT 'ö', 'open");
    assert_eq!(
        (error.line, error.column, error.message.as_str()),
        (2, 13, "this string never ends")
    );
    assert!(error.hint.unwrap().starts_with("close it"));
    refuse(Sqlite, "SELECT [a");
    refuse(Postgres, "SELECT $x$ $y$");
}

#[test]
fn every_statement_that_may_not_be_there_is_told() {
    let text = "CREATE TABLE a (id int);\nCOMMIT;\n  DELETE FROM whimbrel_event; ROLLBACK";
    let errors = split_whole(Sqlite, text).unwrap_err();
    let places: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error.line,
                error.column,
                text.get(error.offset..error.offset + 6),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (2, 1, Some("COMMIT")),
            (3, 15, Some("whimbr")),
            (3, 31, Some("ROLLBA")),
        ]
    );
    assert_eq!(split(Sqlite, text), Err(errors[0].clone()));
    assert_eq!(split_whole(Sqlite, "SELECT 1; SELECT 2").unwrap().len(), 2);
}
