//! Splitting finds every statement, keeps its text, and says how it can be run.

use proptest::prelude::*;
use whimbrel_core::statement::Dialect::{self, Postgres, Sqlite};
use whimbrel_core::statement::{Probe, StatementClass};

use super::{single, split};

fn probe(text: &str) -> Option<Probe> {
    match single(Postgres, text).class {
        StatementClass::NonTransactional(probe) => Some(probe),
        _ => None,
    }
}

#[test]
fn keeps_text_and_line() {
    let statements = split(
        Postgres,
        "\u{feff}-- a comment\nSELECT 1 -- inside\n ;\n\n/* x */ SELECT ';' ;",
    );
    assert_eq!(
        (statements[0].text.as_str(), statements[0].line),
        ("SELECT 1", 2)
    );
    assert_eq!(
        (statements[1].text.as_str(), statements[1].line),
        ("SELECT ';'", 5)
    );
}

#[test]
fn knows_what_can_not_run_in_a_transaction() {
    let create = |schema: Option<&str>, table: &str, index: &str| {
        Some(Probe::CreateIndex {
            schema: schema.map(str::to_owned),
            table: table.to_owned(),
            index: index.to_owned(),
        })
    };
    let drop = |schema: Option<&str>, index: &str| {
        Some(Probe::DropIndex {
            schema: schema.map(str::to_owned),
            index: index.to_owned(),
        })
    };
    let add = |schema: Option<&str>, name: &str, label: &str| {
        Some(Probe::AddEnumValue {
            schema: schema.map(str::to_owned),
            r#type: name.to_owned(),
            label: label.to_owned(),
        })
    };
    for (text, expected) in [
        (
            "CREATE INDEX CONCURRENTLY I ON T (a)",
            create(None, "t", "i"),
        ),
        (
            "create unique index concurrently if not exists \"I\" on only app.\"T\" using btree (a)",
            create(Some("app"), "T", "I"),
        ),
        (
            "DROP INDEX CONCURRENTLY IF EXISTS app.i",
            drop(Some("app"), "i"),
        ),
        ("DROP INDEX CONCURRENTLY a, b", Some(Probe::None)),
        (
            "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'so''so' BEFORE 'ok'",
            add(None, "mood", "so'so"),
        ),
        (
            "ALTER TYPE app.mood ADD VALUE 'x'",
            add(Some("app"), "mood", "x"),
        ),
        ("ALTER TYPE app.mood ADD VALUE E'x'", Some(Probe::None)),
        (
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            Some(Probe::None),
        ),
        ("CREATE DATABASE x", Some(Probe::None)),
        ("DROP DATABASE x", Some(Probe::None)),
        ("CREATE TABLESPACE x LOCATION '/x'", Some(Probe::None)),
        ("DROP TABLESPACE x", Some(Probe::None)),
        ("ALTER DATABASE x SET TABLESPACE y", Some(Probe::None)),
        (
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
            Some(Probe::None),
        ),
        ("DROP SUBSCRIPTION s", Some(Probe::None)),
        (
            "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
            Some(Probe::None),
        ),
        (
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false)",
            None,
        ),
        ("CREATE INDEX i ON t (a)", None),
        ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", None),
        ("ALTER TABLE t ADD COLUMN concurrently int", None),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", None),
        ("CALL p()", None),
        ("ANALYZE t", None),
    ] {
        assert_eq!(probe(text), expected, "{text}");
    }
}

#[test]
fn knows_what_can_be_repeated() {
    for text in [
        "VACUUM",
        "VACUUM (ANALYZE) t",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX (CONCURRENTLY) TABLE t",
        "REINDEX DATABASE x",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "CLUSTER",
        "CLUSTER (VERBOSE)",
    ] {
        assert_eq!(
            single(Postgres, text).class,
            StatementClass::Repeatable,
            "{text}"
        );
    }
    for text in ["REINDEX TABLE t", "CLUSTER t USING i", "CLUSTER VERBOSE t"] {
        assert_eq!(
            single(Postgres, text).class,
            StatementClass::Transactional,
            "{text}"
        );
    }
    for text in [
        "VACUUM",
        "PRAGMA journal_mode = WAL",
        "PRAGMA main.page_size(4096)",
    ] {
        assert_eq!(
            single(Sqlite, text).class,
            StatementClass::Repeatable,
            "{text}"
        );
    }
    for text in [
        "PRAGMA user_version = 3",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA",
    ] {
        assert_eq!(
            single(Sqlite, text).class,
            StatementClass::Transactional,
            "{text}"
        );
    }
}

/// What sqlparser doesn't know must come through as well.
#[test]
fn sqlite_keeps_all_that_sqlite_knows() {
    let text = "CREATE VIRTUAL TABLE s USING fts5(a, b);\n\
                CREATE TABLE t (a INTEGER PRIMARY KEY, b ANY) STRICT, WITHOUT ROWID;\n\
                CREATE TRIGGER g INSTEAD OF INSERT ON v WHEN new.a BEGIN\n\
                  INSERT INTO t VALUES (CASE WHEN 1 THEN ';' END, 2);\n\
                  SELECT RAISE(ABORT, 'no; END;');\n\
                END;\n\
                PRAGMA user_version = 2; -- end\n\
                INSERT INTO t VALUES (1, x'00') ON CONFLICT DO NOTHING RETURNING *;";
    let lines: Vec<_> = split(Sqlite, text)
        .iter()
        .map(|statement| statement.line)
        .collect();
    assert_eq!(lines, [1, 2, 3, 7, 8]);
}

/// A statement that squawk's parser refuses is left to the server.
#[test]
fn unknown_statements_are_kept() {
    for text in [
        "FROBNICATE THE TABLE",
        "SELECT FROM WHERE",
        "CREATE TABLE (",
        ")",
    ] {
        assert_eq!(single(Postgres, text).text, text);
    }
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    assert_eq!(single(Postgres, &deep).text, deep);
}

/// Squawk's own parser finds the same boundaries wherever it finds no error.
#[test]
fn agrees_with_squawk() {
    let text = "CREATE TABLE a (b text DEFAULT ';'); INSERT INTO a VALUES ($$;$$), (E'\\';');\n\
                CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM b; DELETE FROM c);\n\
                CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;\n\
                /* ; /* ; */ ; */ SELECT 1; -- ;\nSELECT U&\"a;\", B'1', X'1F', N'x';";
    let parsed = squawk_syntax::SourceFile::parse(text);
    assert_eq!(parsed.errors(), []);
    let expected = parsed
        .tree()
        .stmts()
        .filter(|s| !matches!(s, squawk_syntax::ast::Stmt::EmptyStmt(_)))
        .count();
    assert_eq!(split(Postgres, text).len(), expected);
}

fn dialects() -> impl Strategy<Value = Dialect> {
    prop_oneof![Just(Postgres), Just(Sqlite)]
}

/// Pieces that each are whole statements in both dialects, with every trap inside.
fn statements() -> impl Strategy<Value = String> {
    let literal = "[a-z;'\"$\\-/* \n]{0,12}";
    prop_oneof![
        "[a-z]{1,8}".prop_map(|name| format!("SELECT {name}")),
        literal.prop_map(|text| format!("SELECT '{}'", text.replace('\'', "''"))),
        literal.prop_map(|text| format!("SELECT \"{}\"", text.replace('"', "\"\""))),
        "[a-z;'\" ]{0,12}".prop_map(|text| format!("SELECT /* {text} */ 1")),
        "[a-z;'\" ]{0,12}".prop_map(|text| format!("SELECT -- {text}\n 1")),
    ]
}

proptest! {
    #[test]
    fn joined_statements_come_apart_again(dialect in dialects(), texts in prop::collection::vec(statements(), 1..8)) {
        let found: Vec<_> = split(dialect, &texts.join(";\n")).into_iter().map(|statement| statement.text).collect();
        prop_assert_eq!(found, texts);
    }

    #[test]
    fn dollar_quotes_hide_everything(body in "[a-z;'\"$ \\-/*\n]{0,30}") {
        let text = format!("DO $tag${body}$tag$");
        prop_assert_eq!(single(Postgres, &format!("{text};")).text, text);
    }

    #[test]
    fn nothing_makes_it_panic(dialect in dialects(), text in ".{0,80}") {
        let _ = whimbrel_database::split(dialect, &text);
        let _ = whimbrel_database::lint(dialect, &text);
    }

    #[test]
    fn no_sql_makes_it_panic(
        dialect in dialects(),
        words in prop::collection::vec(
            prop_oneof![
                Just("create"), Just("drop"), Just("index"), Just("concurrently"), Just("table"), Just("alter"),
                Just("type"), Just("add"), Just("value"), Just("whimbrel"), Just("."), Just("("), Just(")"), Just(";"),
                Just("$$"), Just("'"), Just("on"), Just("pragma"), Just("delete"), Just("from"), Just("x"), Just(","),
                Just("begin"), Just("end"), Just("trigger"), Just("do"), Just("with"), Just("/*"), Just("*/"),
            ],
            0..20,
        ),
    ) {
        let text = words.join(" ");
        let _ = whimbrel_database::split(dialect, &text);
        let _ = whimbrel_database::lint(dialect, &text);
    }

    #[test]
    fn a_quoted_literal_is_one_literal(dialect in dialects(), text in ".{0,40}") {
        let sql = format!("SELECT {}", whimbrel_database::quote_literal(dialect, &text));
        prop_assert_eq!(single(dialect, &sql).text, sql);
    }

    #[test]
    fn a_quoted_name_is_one_name(dialect in dialects(), text in "[^\0]{1,40}") {
        let sql = format!("SELECT {}", whimbrel_database::quote_identifier(dialect, &text));
        prop_assert_eq!(single(dialect, &sql).text, sql);
    }
}
