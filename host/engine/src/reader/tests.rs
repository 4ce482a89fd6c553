//! What a guest sends as a query of its estimate, against real databases: nothing of it writes, and nothing leaves the
//! target.

use std::path::Path;

use whimbrel_core::statement::Dialect;
use whimbrel_core::value::Value;
use whimbrel_database::{Command, Endpoint, SessionSettings, connect};
use whimbrel_plugin::{SqlError, StepDatabase as _};
use whimbrel_postgres_server::PostgresServer;

use super::Reader;

const INSERT: &str = "INSERT INTO people VALUES (1) RETURNING id";

/// Texts sent one after the other over one session of PostgreSQL, whatever becomes of each.
const ON_POSTGRES: [&[&str]; 14] = [
    &[INSERT],
    &[
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        INSERT,
    ],
    &["SET default_transaction_read_only = off", INSERT],
    &[
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        INSERT,
    ],
    &["RESET ALL", INSERT],
    &["BEGIN READ WRITE", INSERT, "COMMIT"],
    &["SET TRANSACTION READ WRITE", INSERT],
    &["COMMIT", INSERT],
    &["COMMIT; BEGIN READ WRITE; INSERT INTO people VALUES (1); COMMIT"],
    &["BEGIN; INSERT INTO people VALUES (1) RETURNING id; COMMIT"],
    // What a function does, no text shows.
    &["SELECT loosen()", "SELECT enter()"],
    &["SELECT loosen(), enter()"],
    &["DO $$ BEGIN SET LOCAL transaction_read_only = off; INSERT INTO people VALUES (1); END $$"],
    &["WITH entered AS (INSERT INTO people VALUES (1) RETURNING id) SELECT * FROM entered"],
];

const FUNCTIONS: &str = "
    CREATE FUNCTION loosen() RETURNS text LANGUAGE sql
        AS $$ SELECT set_config('default_transaction_read_only', 'off', false) $$;
    CREATE FUNCTION enter() RETURNS integer LANGUAGE sql
        AS $$ INSERT INTO people VALUES (1) RETURNING id $$";

async fn endpoint(dialect: Dialect, folder: &Path) -> Endpoint {
    let endpoint = match dialect {
        Dialect::Sqlite => Endpoint::parse("sqlite:people.db", folder),
        Dialect::Postgres => {
            Endpoint::parse(&PostgresServer::shared().database("estimates"), folder)
        }
    };
    let endpoint = endpoint.unwrap();
    let mut session = connect(&endpoint, &SessionSettings::default())
        .await
        .unwrap();
    let mut commands = vec![Command::text("CREATE TABLE people (id integer)")];
    if dialect == Dialect::Postgres {
        commands.push(Command::text(FUNCTIONS));
    }
    session.run(&commands).await.unwrap();
    endpoint
}

async fn reader(endpoint: &Endpoint) -> Reader {
    let settings = SessionSettings::default().read_only();
    Reader::new(connect(endpoint, &settings).await.unwrap())
}

/// How many people there are, for another session.
async fn people(endpoint: &Endpoint) -> Value {
    let mut session = connect(endpoint, &SessionSettings::default())
        .await
        .unwrap();
    let count = Command::with("SELECT count(*) FROM people", Vec::new());
    let done = session.run(&[count]).await.unwrap();
    done[0].rows.single().unwrap().clone()
}

#[tokio::test]
async fn an_estimate_reads_and_does_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = Endpoint::parse("sqlite:scratch.db", folder.path()).unwrap();
    let mut reader = reader(&endpoint).await;
    assert_eq!(reader.quote("a b"), "\"a b\"");
    let rows = reader.query("SELECT 7", Vec::new()).await.unwrap();
    assert_eq!(rows.rows.len(), 1);
    let wrong = reader.query("SELECT * FROM nowhere", Vec::new()).await;
    assert!(matches!(wrong, Err(SqlError::Database { .. })));
    let refused = |result: Result<(), SqlError>| matches!(result, Err(SqlError::Refused(_)));
    assert!(refused(
        reader
            .execute("DELETE FROM x", Vec::new())
            .await
            .map(|_| ())
    ));
    assert!(refused(reader.commit(Vec::new(), 0, None).await));
    assert!(refused(
        reader.insert("x", &[], Vec::new()).await.map(|_| ())
    ));
    reader.rollback().await.unwrap();
    assert!(!reader.in_transaction() && reader.last_checkpoint().is_none());
    assert!(!folder.path().join("scratch.db").exists());
}

#[tokio::test]
async fn an_estimate_may_ask_much() {
    let folder = tempfile::tempdir().unwrap();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let endpoint = endpoint(dialect, folder.path()).await;
        let mut reader = reader(&endpoint).await;
        let rows = reader
            .query("SELECT $1 + count(*) FROM people;", vec![Value::Integer(7)])
            .await
            .unwrap();
        assert_eq!(rows.single(), Some(&Value::Integer(7)));
        let plan = match dialect {
            Dialect::Sqlite => "EXPLAIN QUERY PLAN UPDATE people SET id = 1",
            Dialect::Postgres => "EXPLAIN (FORMAT JSON) UPDATE people SET id = 1",
        };
        let rows = reader.query(plan, Vec::new()).await.unwrap();
        assert!(!rows.rows.is_empty());
        // An error costs that query only.
        let wrong = reader.query("SELECT * FROM nowhere", Vec::new()).await;
        assert!(matches!(wrong, Err(SqlError::Database { .. })));
        let rows = reader.query("SELECT 7", Vec::new()).await.unwrap();
        assert_eq!(rows.single(), Some(&Value::Integer(7)));
    }
}

#[tokio::test]
async fn no_sequence_of_queries_writes_to_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = endpoint(Dialect::Postgres, folder.path()).await;
    for texts in ON_POSTGRES {
        let mut reader = reader(&endpoint).await;
        let mut last = Ok(Default::default());
        for text in texts {
            last = reader.query(text, Vec::new()).await;
        }
        drop(reader);
        assert_eq!(people(&endpoint).await, Value::Integer(0), "{texts:?}");
        assert!(last.is_err(), "{texts:?}");
    }
}

#[tokio::test]
async fn no_sequence_of_queries_writes_to_sqlite_or_leaves_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = endpoint(Dialect::Sqlite, folder.path()).await;
    let other = Endpoint::parse("sqlite:other.db", folder.path()).unwrap();
    let mut session = connect(&other, &SessionSettings::default()).await.unwrap();
    session
        .run(&[Command::text(
            "CREATE TABLE secrets (id); INSERT INTO secrets VALUES (1)",
        )])
        .await
        .unwrap();
    let missing = Endpoint::parse("sqlite:missing.db", folder.path()).unwrap();
    let attach = |name: &str| format!("ATTACH '{}/{name}' AS x", folder.path().display());
    let loosen = "PRAGMA query_only = 0";
    let texts: [&[&str]; 6] = [
        &[INSERT],
        &[loosen, INSERT],
        &[loosen, "BEGIN IMMEDIATE", INSERT, "COMMIT"],
        &[loosen, &attach("made.db"), "CREATE TABLE x.made (id)"],
        &[&attach("other.db"), "SELECT * FROM x.secrets"],
        &[
            loosen,
            &attach("other.db"),
            "DELETE FROM x.secrets RETURNING id",
        ],
    ];
    for endpoint in [&endpoint, &missing] {
        for texts in texts {
            let mut reader = reader(endpoint).await;
            let mut last = Ok(Default::default());
            for text in texts {
                last = reader.query(text, Vec::new()).await;
            }
            assert!(last.is_err(), "{texts:?}: {last:?}");
        }
    }
    assert_eq!(people(&endpoint).await, Value::Integer(0));
    let files = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["other.db", "people.db"]);
    let kept = Command::with("SELECT count(*) FROM secrets", Vec::new());
    let done = session.run(&[kept]).await.unwrap();
    assert_eq!(done[0].rows.single(), Some(&Value::Integer(1)));
}
