//! What may stand where only a query may, and what may not, with its place.

use whimbrel_core::statement::Dialect::{self, Postgres, Sqlite};
use whimbrel_database::{require_read, split_query};

fn found(dialect: Dialect, text: &str) -> String {
    let error = match split_query(dialect, text) {
        Err(error) => error,
        Ok(statement) => panic!("{text}: {statement:?}"),
    };
    let message = error.message;
    let found = message.strip_prefix("expected a query that only reads, found ");
    found.unwrap_or(&message).to_owned()
}

#[test]
fn queries_pass() {
    let both = [
        "SELECT count(*) FROM orders WHERE total IS NULL;",
        "-- why\nselect 1",
        "WITH a AS (SELECT 1 AS x), b AS (SELECT 2) SELECT * FROM a, b",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        "VALUES (1)",
        "SELECT replace(name, 'a', 'b') FROM t",
        "SELECT 'DELETE FROM t', \"update\" FROM t WHERE \"insert\" = 'INSERT INTO t'",
        "SELECT updated_at FROM t",
        "EXPLAIN SELECT 1",
        "EXPLAIN DELETE FROM t WHERE id = 1",
    ];
    for dialect in [Postgres, Sqlite] {
        for text in both {
            split_query(dialect, text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        }
    }
    for text in [
        "(SELECT 1) UNION (SELECT 2)",
        "TABLE t",
        "SHOW server_version",
        "SELECT update FROM t WHERE (update IS NULL) AND (delete > 1)",
        "SELECT delete FROM t",
        "SELECT t.into, 1 AS into FROM t",
        "SELECT substring(name FROM 1 FOR 2), $1::int FROM t",
        "SELECT currval('s'), set_config_total FROM t",
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1",
        "EXPLAIN (FORMAT JSON) UPDATE t SET a = 1",
        "EXPLAIN VERBOSE SELECT 1",
    ] {
        split_query(Postgres, text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
    for text in [
        "PRAGMA foreign_key_check",
        "PRAGMA table_info(orders)",
        "PRAGMA main.user_version",
        "SELECT count(*) FROM pragma_table_info('orders')",
        "EXPLAIN QUERY PLAN SELECT 1",
    ] {
        split_query(Sqlite, text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
}

#[test]
fn what_writes_is_named() {
    let both = [
        ("DELETE FROM t RETURNING 0", "DELETE"),
        ("insert into t values (1) returning 1", "INSERT"),
        ("UPDATE t SET a = 1 RETURNING a", "UPDATE"),
        ("DROP TABLE t", "DROP"),
        ("CREATE TABLE t AS SELECT 1", "CREATE"),
        ("VACUUM", "VACUUM"),
        ("WITH a AS (SELECT 1) DELETE FROM t RETURNING 0", "DELETE"),
        ("WITH a AS (SELECT 1) UPDATE t SET a = 1", "UPDATE"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT 1", "INSERT"),
        ("EXPLAIN DROP TABLE t", "DROP"),
    ];
    for dialect in [Postgres, Sqlite] {
        for (text, word) in both {
            assert_eq!(found(dialect, text), word, "{text}");
        }
    }
    for (text, words) in [
        (
            "WITH a AS (DELETE FROM t RETURNING *) SELECT count(*) FROM a",
            "DELETE",
        ),
        (
            "WITH a AS (UPDATE ONLY t x SET b = 1 RETURNING *) SELECT 1",
            "UPDATE",
        ),
        (
            "WITH a AS (WITH b AS (SELECT 1) INSERT INTO t TABLE b) SELECT 1",
            "INSERT",
        ),
        (
            "WITH a AS (MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE) SELECT 1",
            "MERGE",
        ),
        (
            "WITH RECURSIVE a (i) AS (SELECT 1) CYCLE i SET c USING p DELETE FROM t RETURNING 0",
            "DELETE",
        ),
        ("SELECT 1 INTO t", "SELECT … INTO"),
        ("SELECT * INTO UNLOGGED t FROM u", "SELECT … INTO"),
        ("SELECT a FROM t FOR UPDATE", "SELECT … FOR UPDATE"),
        (
            "SELECT a FROM t FOR NO KEY UPDATE SKIP LOCKED",
            "SELECT … FOR NO KEY UPDATE",
        ),
        (
            "SELECT * FROM (SELECT a FROM t FOR KEY SHARE) x",
            "SELECT … FOR KEY SHARE",
        ),
        ("EXPLAIN ANALYZE DELETE FROM t", "DELETE"),
        ("EXPLAIN (COSTS OFF, ANALYZE) UPDATE t SET a = 1", "UPDATE"),
        (
            "EXPLAIN ANALYZE VERBOSE WITH a AS (DELETE FROM t) SELECT 1",
            "DELETE",
        ),
        ("EXPLAIN ANALYZE SELECT 1 INTO t", "SELECT … INTO"),
        ("EXPLAIN ANALYZE EXECUTE p", "EXECUTE"),
        (
            "SELECT set_config('search_path', 'a', false)",
            "set_config(…), which acts",
        ),
        (
            "SELECT pg_catalog.\"set_config\" ('a', 'b', true)",
            "set_config(…), which acts",
        ),
        ("SELECT nextval('s')", "nextval(…), which acts"),
        (
            "SELECT pg_advisory_unlock(1)",
            "pg_advisory_unlock(…), which acts",
        ),
        ("SET search_path = a", "SET"),
        ("RESET ALL", "RESET"),
        ("CALL p()", "CALL"),
        ("EXECUTE p", "EXECUTE"),
        ("DO $$ BEGIN END $$", "DO"),
        ("COPY t TO '/tmp/t'", "COPY"),
        ("LISTEN a", "LISTEN"),
        ("LOCK t", "LOCK"),
    ] {
        assert_eq!(found(Postgres, text), words, "{text}");
    }
    for (text, words) in [
        ("REPLACE INTO t VALUES (1) RETURNING 1", "REPLACE"),
        ("WITH a AS (SELECT 1) REPLACE INTO t SELECT 1", "REPLACE"),
        (
            "WITH a AS (SELECT 1) INSERT OR IGNORE INTO t SELECT 1",
            "INSERT",
        ),
        (
            "PRAGMA user_version = 7",
            "PRAGMA user_version with a value",
        ),
        ("PRAGMA foreign_keys(0)", "PRAGMA foreign_keys with a value"),
        ("PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint"),
        ("PRAGMA query_only = 0", "PRAGMA query_only with a value"),
        ("EXPLAIN PRAGMA user_version = 7", "PRAGMA"),
        ("SELECT * FROM pragma_optimize", "pragma_optimize"),
        (
            "SELECT load_extension('x')",
            "load_extension(…), which acts",
        ),
    ] {
        assert_eq!(found(Sqlite, text), words, "{text}");
    }
}

#[test]
fn what_no_definition_may_hold_and_more_than_one_are_refused() {
    for dialect in [Postgres, Sqlite] {
        for text in ["COMMIT", "BEGIN", "SELECT 1; COMMIT"] {
            assert!(
                found(dialect, text).contains("transaction control"),
                "{text}"
            );
        }
        assert_eq!(
            found(dialect, "SELECT 1; SELECT 2"),
            "expected one query, found 2"
        );
        assert_eq!(found(dialect, "-- nothing"), "expected one query, found 0");
    }
    for text in [
        "SET TRANSACTION READ WRITE",
        "SET transaction_read_only = off",
    ] {
        assert!(found(Postgres, text).contains("transaction"), "{text}");
    }
    assert!(found(Sqlite, "ATTACH 'x' AS x").contains("another file"));
}

#[test]
fn it_says_where_and_what_to_do() {
    let error = require_read(Postgres, "WITH a AS (\n  DELETE FROM t) SELECT 1").unwrap_err();
    assert_eq!((error.line, error.column), (2, 3));
    assert!(error.hint.unwrap().contains("a step"));
}
