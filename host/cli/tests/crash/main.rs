//! Power cuts: the program is killed at every named point of the protocol, started again, and the database must show
//! every effect exactly once.
//!
//! The effects describe themselves: each migration appends its name to a table in its own transaction, and each row of
//! the backfill counts how often it was touched.

#![cfg(feature = "crash-points")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod reverting;
mod stage;

use std::os::unix::process::ExitStatusExt;

use stage::Stage;
use whimbrel_postgres_server::PostgresServer;

/// Every point, with the most times that it is tried in one run.
const POINTS: [(&str, u32); 19] = [
    ("lock.before", 1),
    ("lock.after", 1),
    ("begin.before", 6),
    ("begin.after", 6),
    ("statement.before", 6),
    ("statement.after", 6),
    ("record.before", 12),
    ("record.after", 12),
    ("fence.before", 8),
    ("fence.after", 8),
    ("commit.before", 9),
    ("commit.sent", 9),
    ("commit.after", 9),
    ("checkpoint.before", 3),
    ("checkpoint.after", 3),
    ("outside.before", 3),
    ("outside.after", 3),
    ("unlock.before", 1),
    ("unlock.after", 1),
];

/// Kills at one point, starts again, and looks at every effect. Whether the point was reached at all.
fn survives(stage: &Stage, postgres: bool, point: &str) -> bool {
    let first = stage.apply(Some(point));
    let killed = first.status.signal() == Some(9);
    assert!(
        killed || first.status.success(),
        "{point}: {}",
        String::from_utf8_lossy(&first.stderr)
    );
    let second = stage.apply(None);
    assert!(
        second.status.success(),
        "{point}, started again: {}",
        String::from_utf8_lossy(&second.stderr)
    );
    let audit = stage.rows("SELECT id FROM audit ORDER BY id");
    let expected: &[&str] = if postgres {
        &["1", "2", "3a", "3b", "4a", "4b", "5"]
    } else {
        &["1", "2", "3a", "3b", "5"]
    };
    assert_eq!(audit, expected, "{point}");
    assert_eq!(
        stage.rows("SELECT count(*), min(touched), max(touched) FROM many"),
        ["120 1 1"],
        "{point}"
    );
    if postgres {
        let valid = "SELECT count(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname LIKE 'many_touched%' AND indisvalid";
        assert_eq!(stage.rows(valid), ["1"], "{point}");
        let labels = "SELECT enumlabel FROM pg_enum ORDER BY enumsortorder";
        assert_eq!(stage.rows(labels), ["good", "bad"], "{point}");
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel.journal"),
            ["0"],
            "{point}"
        );
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel.migration WHERE state <> 'applied'"),
            ["0"],
            "{point}"
        );
    } else {
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel_journal"),
            ["0"],
            "{point}"
        );
        assert_eq!(
            stage.rows("SELECT count(*) FROM whimbrel_migration WHERE state <> 'applied'"),
            ["0"],
            "{point}"
        );
    }
    killed
}

fn every_point(postgres: bool) {
    let mut reached = Vec::new();
    for (point, most) in POINTS {
        for time in 1..=most {
            let url = if postgres {
                PostgresServer::shared()
                    .database(&format!("crash_{}_{time}", point.replace('.', "_")))
            } else {
                "sqlite:main.db".to_owned()
            };
            let stage = Stage::new(url, postgres);
            if !survives(&stage, postgres, &format!("{point}:{time}")) {
                break;
            }
            reached.push(format!("{point}:{time}"));
        }
    }
    println!("{} crashes survived: {}", reached.len(), reached.join(" "));
    let never: Vec<_> = POINTS
        .iter()
        .map(|(point, _)| *point)
        .filter(|point| !reached.iter().any(|text| text.starts_with(point)))
        .filter(|point| postgres || !point.starts_with("outside"))
        .collect();
    assert!(never.is_empty(), "never reached: {never:?}");
}

#[test]
fn sqlite_shows_every_effect_once_whatever_dies() {
    every_point(false);
}

#[test]
fn postgres_shows_every_effect_once_whatever_dies() {
    every_point(true);
}
