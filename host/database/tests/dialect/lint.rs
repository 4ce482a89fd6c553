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
    let text = "SELECT 1;\n\nALTER TABLE t ADD COLUMN a int NOT NULL;";
    let finding = find(Postgres, text, "adding-required-field");
    assert_eq!(&text[finding.offset..][..3], "ADD");
    assert_eq!(finding.severity, Severity::Error);
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
    let text = "\nALTER TABLE t ADD COLUMN a int NOT NULL";
    let finding = find(Sqlite, text, "adding-required-field");
    assert_eq!((finding.offset, finding.severity), (1, Severity::Error));
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
        "'open",
    ] {
        assert_eq!(lint(Sqlite, text), [], "{text}");
    }
}

fn syntax_errors(dialect: Dialect, text: &str) -> Vec<(usize, Severity, String)> {
    let line = |offset| text[..offset].matches('\n').count() + 1;
    lint(dialect, text)
        .into_iter()
        .filter(|finding| finding.rule == "syntax-error")
        .map(|finding| (line(finding.offset), finding.severity, finding.message))
        .collect()
}

#[test]
fn postgres_warns_of_what_its_parser_does_not_understand() {
    let text = "SELECT 1;\nCREATE TABLE (;";
    // An open parenthesis reaches to the end.
    let found = syntax_errors(Postgres, text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1), (2, Severity::Warning));
    let text = "SELEC 1 FROM WHERE;\nSELECT 1;\n\nALTER TABLE ADD ADD COLUMN;\nSELECT 2";
    let lines: Vec<_> = syntax_errors(Postgres, text)
        .iter()
        .map(|found| found.0)
        .collect();
    assert_eq!(lines, [1, 4]);
}

#[test]
fn postgres_passes_what_its_parser_misjudges() {
    for text in [
        "CREATE TRUSTED LANGUAGE x HANDLER h",
        "CREATE OR REPLACE TRUSTED PROCEDURAL LANGUAGE x",
        "CREATE PROCEDURAL LANGUAGE x HANDLER h INLINE i VALIDATOR v",
        "COPY t FROM '/x' DELIMITERS ','",
        "ALTER GROUP g ADD USER a, b",
        "ALTER ROLE ALL IN DATABASE d SET a TO DEFAULT",
    ] {
        assert_eq!(syntax_errors(Postgres, text), [], "{text}");
    }
}

#[test]
fn postgres_leaves_strings_to_their_languages() {
    for text in [
        "DO $$ this is anything $$",
        "DO LANGUAGE plpython3u $$ print(1) $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN what is; END $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT FROM WHERE'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
        r"SELECT E'\u12', U&'\12'",
    ] {
        assert_eq!(syntax_errors(Postgres, text), [], "{text}");
    }
}

#[test]
fn sqlite_itself_finds_syntax_errors() {
    let error = |line, message: &str| (line, Severity::Error, message.to_owned());
    assert_eq!(
        syntax_errors(
            Sqlite,
            "SELECT 1;\nCREATE TABLE t (\n  a int b int,,\n);\nselec 1;\nSELECT 2"
        ),
        [
            error(3, "near \",\": syntax error"),
            error(5, "near \"selec\": syntax error")
        ]
    );
    assert_eq!(
        syntax_errors(Sqlite, "\nCREATE TABLE ("),
        [error(2, "near \"(\": syntax error")]
    );
    assert_eq!(
        syntax_errors(Sqlite, "\nCREATE TABLE t (a"),
        [error(2, "incomplete input")]
    );
    assert_eq!(
        syntax_errors(Sqlite, "SELECT 1;\nSELECT 1x"),
        [error(2, "unrecognized token: \"1x\"")]
    );
}

#[test]
fn sqlite_leaves_what_hangs_on_the_database() {
    for text in [
        "INSERT INTO missing (a) VALUES (1)",
        "DROP TABLE \"near \"\"x\"\": syntax error\"",
        "SELECT missing(1), * FROM \"syntax error\"",
        "CREATE TRIGGER g AFTER INSERT ON missing BEGIN SELECT 1; SELECT 2; END",
        "CREATE VIRTUAL TABLE v USING missing(a, b)",
        "ALTER TABLE missing ADD COLUMN a int",
        "PRAGMA hard_heap_limit = 1; PRAGMA foreign_key_check; SELECT 1",
        "BEGIN; COMMIT; VACUUM; ATTACH 'nowhere/x' AS x; REINDEX missing; ANALYZE missing",
        "INSERT INTO missing VALUES (1) ON CONFLICT DO NOTHING RETURNING *",
        "SELECT ?1, $name, :a",
    ] {
        assert_eq!(syntax_errors(Sqlite, text), [], "{text}");
    }
}
