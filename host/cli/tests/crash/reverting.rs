//! The same while migrations are taken back: finished ones, and one that failed half-way. What undoes them leaves its own
//! effects, which say when it was done twice.

use std::os::unix::process::ExitStatusExt;

use whimbrel_postgres_server::PostgresServer;

use super::stage::Stage;

/// Points at which the next run finds something else than at others, with the most times that each is tried.
const POINTS: [(&str, u32); 12] = [
    ("lock.after", 1),
    ("begin.after", 1),
    ("statement.after", 2),
    ("record.after", 2),
    ("fence.after", 2),
    ("commit.before", 3),
    ("commit.sent", 7),
    ("commit.after", 7),
    ("checkpoint.after", 3),
    ("outside.before", 1),
    ("outside.after", 1),
    ("unlock.before", 1),
];

/// The same for a migration that failed: between its transactions.
const POINTS_OF_FAILED: [(&str, u32); 3] = [
    ("commit.sent", 8),
    ("commit.after", 8),
    ("checkpoint.after", 3),
];

/// A migration whose last step fails, after some that are committed by then.
const BROKEN: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: Migration\nmetadata: {name: 6-broken}\nspec:\n  steps:\n    - sql: INSERT INTO audit VALUES ('6a')\n      revert: INSERT INTO audit VALUES ('6a back')\n    - uses: backfill\n      with: {table: many, key: id, set: touched = touched + 1, revert: touched = touched + 100, batchSize: 40}\n    - sql: INSERT INTO nowhere VALUES ('6b')\n      revert: INSERT INTO audit VALUES ('6b back')\n";

/// A database that one round after the other leaves as it was, except for what it wrote.
struct Rounds {
    stage: Stage,
    postgres: bool,
    /// How the apply of each round ends.
    code: i32,
    /// What taking everything back writes.
    back: Vec<&'static str>,
    /// How often each row was touched by then.
    touched: u32,
}

impl Rounds {
    fn new(postgres: bool, broken: bool) -> Self {
        let url = if postgres {
            PostgresServer::shared().database("crash_reverting")
        } else {
            "sqlite:main.db".to_owned()
        };
        let stage = Stage::new(url, postgres);
        let mut back = vec!["2 back", "3a back", "3b back", "5 back"];
        if postgres {
            back.extend(["4a back", "4b back"]);
        }
        if broken {
            stage.write("migrations/6-broken.yaml", BROKEN);
            back.push("6a back");
        }
        back.sort_unstable();
        stage.commit();
        Self {
            stage,
            postgres,
            code: i32::from(broken),
            back,
            touched: if broken { 202 } else { 101 },
        }
    }

    /// Applies, is killed while it takes back, goes on, and looks at every effect. Whether the point was reached at all.
    fn survive(&self, point: &str) -> bool {
        let Self { stage, code, .. } = self;
        let applied = stage.apply(None);
        assert_eq!(applied.status.code(), Some(*code), "{applied:?}");
        stage.rows("DELETE FROM audit RETURNING id");
        let take_back = ["revert", "--to", "HEAD~1"];
        let first = stage.run(&take_back, Some(point));
        let killed = first.status.signal() == Some(9);
        assert!(killed || first.status.success(), "{point}: {first:?}");
        let second = stage.run(&take_back, None);
        assert!(second.status.success(), "{point}, again: {second:?}");

        let written = stage.rows("SELECT id FROM audit ORDER BY id");
        assert_eq!(written, self.back, "{point}");
        let touched = format!("120 {0} {0}", self.touched);
        assert_eq!(
            stage.rows("SELECT count(*), min(touched), max(touched) FROM many"),
            [touched],
            "{point}"
        );
        let of = |table: &str| {
            let dot = if self.postgres { '.' } else { '_' };
            stage.rows(&format!("SELECT count(*) FROM whimbrel{dot}{table}"))
        };
        assert_eq!(
            (of("migration"), of("journal")),
            (vec!["1".to_owned()], vec!["0".to_owned()]),
            "{point}"
        );
        if self.postgres {
            let index = "SELECT count(*) FROM pg_class WHERE relname LIKE 'many_touched%'";
            assert_eq!(stage.rows(index), ["0"], "{point}");
            let labels = "SELECT count(*) FROM pg_enum";
            assert_eq!(stage.rows(labels), ["0"], "{point}");
        }
        stage.rows("DELETE FROM audit RETURNING id");
        stage.rows("UPDATE many SET touched = 0 RETURNING id");
        killed
    }
}

fn every_point(postgres: bool) {
    for broken in [false, true] {
        let rounds = Rounds::new(postgres, broken);
        let points: &[_] = if broken { &POINTS_OF_FAILED } else { &POINTS };
        let mut reached = Vec::new();
        for (point, most) in points {
            for time in 1..=*most {
                if !rounds.survive(&format!("{point}:{time}")) {
                    break;
                }
                reached.push(format!("{point}:{time}"));
            }
        }
        println!("{} crashes survived: {}", reached.len(), reached.join(" "));
        let never = points.iter().find(|(point, _)| {
            let is_there = postgres || !point.starts_with("outside");
            is_there && !reached.iter().any(|text| text.starts_with(point))
        });
        assert_eq!(never, None, "never reached");
    }
}

#[test]
fn sqlite_takes_everything_back_once_whatever_dies() {
    every_point(false);
}

#[test]
fn postgres_takes_everything_back_once_whatever_dies() {
    every_point(true);
}
