//! The rules find what they know, and only that.

use whimbrel_core::finding::Severity;
use whimbrel_core::statement::Dialect::{self, Postgres, Sqlite};
use whimbrel_database::{LintFinding, lint};

fn find(dialect: Dialect, text: &str, rule: &str) -> LintFinding {
    let findings = lint(dialect, text);
    findings
        .iter()
        .find(|finding| finding.rule == rule)
        .unwrap_or_else(|| panic!("{rule}: {findings:?}"))
        .clone()
}

#[test]
fn postgres_uses_squawks_rules() {
    let finding = find(
        Postgres,
        "SELECT 1;\n\nALTER TABLE t ADD COLUMN a int NOT NULL;",
        "adding-required-field",
    );
    assert_eq!((finding.line, finding.severity), (3, Severity::Error));
    let finding = find(
        Postgres,
        "CREATE INDEX i ON t (a)",
        "require-concurrent-index-creation",
    );
    assert_eq!(finding.severity, Severity::Warning);
    assert_eq!(
        find(Postgres, "CREATE TABLE t (a int)", "prefer-bigint-over-int").severity,
        Severity::Note
    );
}

#[test]
fn postgres_leaves_out_what_whimbrel_answers() {
    assert_eq!(lint(Postgres, "CREATE INDEX CONCURRENTLY i ON t (a)"), []);
    assert_eq!(lint(Postgres, "DROP TABLE t"), []);
    assert_eq!(lint(Postgres, "'open"), []);
    assert_eq!(lint(Postgres, &"(".repeat(10_000)), []);
}

#[test]
fn postgres_honours_ignores() {
    let text = "-- squawk-ignore require-concurrent-index-creation\nCREATE INDEX i ON t (a);";
    assert_eq!(lint(Postgres, text), []);
}

#[test]
fn sqlite_has_rules_of_its_own() {
    let finding = find(
        Sqlite,
        "\nALTER TABLE t ADD COLUMN a int NOT NULL",
        "adding-required-field",
    );
    assert_eq!((finding.line, finding.severity), (2, Severity::Error));
    find(
        Sqlite,
        "ALTER TABLE t RENAME COLUMN a TO b",
        "renaming-column",
    );
    find(Sqlite, "ALTER TABLE t RENAME TO u", "renaming-table");
    find(
        Sqlite,
        "CREATE TABLE t (a INTEGER)",
        "table-without-primary-key",
    );
    find(
        Sqlite,
        "CREATE TABLE t (a, PRIMARY KEY (a))",
        "column-without-type",
    );
    find(
        Sqlite,
        "PRAGMA foreign_keys = OFF; SELECT 1",
        "foreign-keys-off",
    );
    for text in [
        "CREATE TABLE t (a INTEGER PRIMARY KEY) STRICT",
        "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 0",
        "CREATE TABLE t AS SELECT 1",
        "what is this",
        "'open",
    ] {
        assert_eq!(lint(Sqlite, text), [], "{text}");
    }
}
