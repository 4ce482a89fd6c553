//! What loses data is found on every dialect.

use whimbrel_core::statement::Dialect::{Postgres, Sqlite};

use super::{single, split};

#[test]
fn postgres_reasons_name_what_is_lost() {
    for (text, reasons) in [
        (
            "DROP TABLE IF EXISTS orders, app.\"Items\" CASCADE",
            vec!["drops table orders", "drops table app.\"Items\""],
        ),
        (
            "ALTER TABLE ONLY a.t DROP COLUMN IF EXISTS x, DROP y",
            vec!["drops column x of a.t", "drops column y of a.t"],
        ),
        (
            "ALTER TABLE t ALTER COLUMN x TYPE int USING x::int",
            vec!["changes the type of column x of t"],
        ),
        (
            "ALTER TABLE t ALTER x SET DATA TYPE int",
            vec!["changes the type of column x of t"],
        ),
        ("TRUNCATE a, b", vec!["empties table a, b"]),
        ("DELETE FROM t", vec!["deletes all rows of t"]),
        (
            "WITH gone AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM gone",
            vec!["deletes all rows of t"],
        ),
        ("UPDATE t SET a = 1", vec!["overwrites all rows of t"]),
        ("DROP SCHEMA a CASCADE", vec!["drops schema a"]),
        ("DROP DATABASE a", vec!["drops database a"]),
        (
            "DROP MATERIALIZED VIEW a",
            vec!["drops materialized view a"],
        ),
        ("DROP TYPE a", vec!["drops type a"]),
        ("DROP DOMAIN a", vec!["drops domain a"]),
        ("DROP SEQUENCE a", vec!["drops sequence a"]),
        ("DROP EXTENSION a", vec!["drops extension a"]),
        ("DROP OWNED BY a", vec!["drops everything owned by a"]),
        ("ALTER TYPE t DROP ATTRIBUTE a", vec!["drops attribute a"]),
        (
            "DO $x$ BEGIN IF true THEN DROP TABLE t; END IF; END $x$",
            vec!["drops table t"],
        ),
    ] {
        assert_eq!(single(Postgres, text).destructive, reasons, "{text}");
    }
}

#[test]
fn postgres_leaves_the_harmless_alone() {
    for text in [
        "DELETE FROM t WHERE a",
        "DELETE FROM t USING u WHERE t.a = u.a",
        "UPDATE t SET a = 1 WHERE b",
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1",
        "SELECT * FROM t FOR UPDATE",
        "CREATE TABLE t (a int REFERENCES u ON DELETE CASCADE)",
        "DROP VIEW v",
        "DROP INDEX i",
        "ALTER TABLE t ADD COLUMN a int",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM t $$",
    ] {
        assert!(single(Postgres, text).destructive.is_empty(), "{text}");
    }
}

#[test]
fn sqlite_reasons_name_what_is_lost() {
    for (text, reasons) in [
        (
            "drop table if exists [my orders]",
            vec!["drops table my orders"],
        ),
        ("ALTER TABLE t DROP COLUMN x", vec!["drops column x of t"]),
        ("ALTER TABLE t DROP x", vec!["drops column x of t"]),
        ("DELETE FROM t", vec!["deletes all rows of t"]),
        ("DELETE FROM t WHERE a", vec![]),
        (
            "WITH x AS (SELECT 1 WHERE 2) DELETE FROM t",
            vec!["deletes all rows of t"],
        ),
        (
            "UPDATE OR IGNORE t SET a = (SELECT 1 WHERE 2)",
            vec!["overwrites all rows of t"],
        ),
        ("UPDATE t SET a = 1 WHERE b", vec![]),
        ("ALTER TABLE t RENAME TO u", vec![]),
        ("DROP INDEX i", vec![]),
        (
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; END",
            vec![],
        ),
    ] {
        assert_eq!(single(Sqlite, text).destructive, reasons, "{text}");
    }
    assert_eq!(split(Sqlite, "DELETE FROM a; DROP TABLE b").len(), 2);
}
