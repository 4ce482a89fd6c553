//! A reviewer sees which locks a statement takes on PostgreSQL.

use whimbrel_core::statement::Dialect::Postgres;

use super::single;

#[test]
fn names_relation_and_mode() {
    for (text, locks) in [
        (
            "ALTER TABLE app.t ADD COLUMN a int",
            "app.t ACCESS EXCLUSIVE",
        ),
        (
            "ALTER TABLE t VALIDATE CONSTRAINT c",
            "t SHARE UPDATE EXCLUSIVE",
        ),
        (
            "ALTER TABLE t ALTER a SET STATISTICS 5",
            "t SHARE UPDATE EXCLUSIVE",
        ),
        (
            "ALTER TABLE t VALIDATE CONSTRAINT c, ADD COLUMN b int",
            "t ACCESS EXCLUSIVE",
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (a)",
            "t SHARE ROW EXCLUSIVE, u SHARE ROW EXCLUSIVE",
        ),
        (
            "ALTER TABLE t ADD COLUMN a int REFERENCES u",
            "t ACCESS EXCLUSIVE, u SHARE ROW EXCLUSIVE",
        ),
        ("ALTER TABLE t DISABLE TRIGGER ALL", "t SHARE ROW EXCLUSIVE"),
        (
            "ALTER TABLE t ATTACH PARTITION p DEFAULT",
            "t SHARE UPDATE EXCLUSIVE, p ACCESS EXCLUSIVE",
        ),
        (
            "ALTER TABLE t DETACH PARTITION p",
            "t ACCESS EXCLUSIVE, p ACCESS EXCLUSIVE",
        ),
        (
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            "t SHARE UPDATE EXCLUSIVE, p SHARE UPDATE EXCLUSIVE",
        ),
        ("CREATE INDEX i ON t (a)", "t SHARE"),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY i ON ONLY t (a)",
            "t SHARE UPDATE EXCLUSIVE",
        ),
        ("DROP INDEX i", "i ACCESS EXCLUSIVE"),
        ("DROP INDEX CONCURRENTLY i", "i SHARE UPDATE EXCLUSIVE"),
        ("DROP TABLE a, b", "a ACCESS EXCLUSIVE, b ACCESS EXCLUSIVE"),
        ("DROP VIEW v", "v ACCESS EXCLUSIVE"),
        ("DROP MATERIALIZED VIEW v", "v ACCESS EXCLUSIVE"),
        ("TRUNCATE a, b", "a ACCESS EXCLUSIVE, b ACCESS EXCLUSIVE"),
        (
            "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
            "t SHARE ROW EXCLUSIVE",
        ),
        ("CREATE POLICY p ON t USING (true)", "t ACCESS EXCLUSIVE"),
        (
            "CREATE TABLE t (a int REFERENCES u)",
            "u SHARE ROW EXCLUSIVE",
        ),
        ("REFRESH MATERIALIZED VIEW v", "v ACCESS EXCLUSIVE"),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", "v EXCLUSIVE"),
        ("CLUSTER t USING i", "t ACCESS EXCLUSIVE"),
        ("VACUUM t", "t SHARE UPDATE EXCLUSIVE"),
        ("VACUUM (FULL) t", "t ACCESS EXCLUSIVE"),
        ("VACUUM FULL t", "t ACCESS EXCLUSIVE"),
        ("ANALYZE t", "t SHARE UPDATE EXCLUSIVE"),
        ("REINDEX TABLE t", "t SHARE"),
        ("REINDEX TABLE CONCURRENTLY t", "t SHARE UPDATE EXCLUSIVE"),
        ("LOCK TABLE t IN SHARE MODE", "t SHARE"),
        ("LOCK t", "t ACCESS EXCLUSIVE"),
        (
            "LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE",
            "t SHARE ROW EXCLUSIVE",
        ),
        ("INSERT INTO t VALUES (1)", "t ROW EXCLUSIVE"),
        ("UPDATE t SET a = 1 WHERE b", "t ROW EXCLUSIVE"),
        ("DELETE FROM t WHERE b", "t ROW EXCLUSIVE"),
        (
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
            "t ROW EXCLUSIVE",
        ),
        ("SELECT 1", ""),
    ] {
        let found: Vec<_> = single(Postgres, text)
            .locks
            .iter()
            .map(|lock| format!("{} {}", lock.relation, lock.mode))
            .collect();
        assert_eq!(found.join(", "), locks, "{text}");
    }
}
