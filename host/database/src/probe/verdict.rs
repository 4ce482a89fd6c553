//! What two looks at the catalog mean. Pure: nothing is guessed, and what nobody can tell is said.

use serde_json::Value as Json;
use whimbrel_core::statement::Probe;

use super::qualified;

/// What a probe's two observations mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The statement took effect.
    Done,
    /// Nothing changed: run it again.
    RunAgain,
    /// It left an invalid index that wasn't there before: drop that concurrently, then run it again.
    DropInvalidThenRunAgain {
        /// The statement that drops it; runs outside of a transaction, with `lock_timeout` 0.
        drop: String,
    },
    /// Nobody can tell: a person decides.
    Unknown {
        /// What was seen.
        saw: String,
        /// How a person finds out and goes on.
        how_to_decide: String,
    },
}

struct Seen<'a> {
    present: bool,
    valid: bool,
    oid: Option<i64>,
    definition: &'a str,
}

impl<'a> Seen<'a> {
    fn of(json: &'a Json) -> Self {
        let get = |key| json.get(key);
        Self {
            present: get("present").and_then(Json::as_bool).unwrap_or_default(),
            valid: get("valid").and_then(Json::as_bool).unwrap_or_default(),
            oid: get("oid").and_then(Json::as_i64),
            definition: get("definition").and_then(Json::as_str).unwrap_or_default(),
        }
    }

    fn describe(&self) -> String {
        match (self.present, self.valid) {
            (false, _) => "no such index".to_owned(),
            (true, true) => format!("a valid index ({})", self.definition),
            (true, false) => format!(
                "an invalid index, or something that is none ({})",
                self.definition
            ),
        }
    }
}

/// Decides after a crash, by what was seen before the statement and now.
#[must_use]
pub fn decide(probe: &Probe, before: &Json, now: &Json) -> Verdict {
    let (was, is) = (Seen::of(before), Seen::of(now));
    match probe {
        Probe::None => Verdict::Unknown {
            saw: "the statement was begun, and the catalog doesn't tell whether it took effect"
                .to_owned(),
            how_to_decide:
                "look at what it was to change; then either mark it as done or let it run again"
                    .to_owned(),
        },
        Probe::AddEnumValue { .. } => match (was.present, is.present) {
            (false, true) => Verdict::Done,
            _ => Verdict::RunAgain,
        },
        Probe::DropIndex { .. } => match (was.present, is.present) {
            (true, false) => Verdict::Done,
            (true, true) if was.oid != is.oid => changed(&was, &is),
            // Interrupted, it may be left invalid: dropping goes on from there.
            _ => Verdict::RunAgain,
        },
        Probe::CreateIndex { schema, index, .. } => match (was.present, is.present) {
            (false, false) => Verdict::RunAgain,
            (false, true) if is.valid => Verdict::Done,
            (false, true) => Verdict::DropInvalidThenRunAgain {
                drop: format!(
                    "DROP INDEX CONCURRENTLY {}",
                    qualified(schema.as_deref(), index)
                ),
            },
            (true, true) if was.oid == is.oid && was.valid && is.valid => Verdict::RunAgain,
            (true, true) if was.oid != is.oid && is.valid && !was.valid => Verdict::Done,
            _ => changed(&was, &is),
        },
    }
}

fn changed(was: &Seen<'_>, is: &Seen<'_>) -> Verdict {
    Verdict::Unknown {
        saw: format!("before the statement there was {}, now there is {}", was.describe(), is.describe()),
        how_to_decide: "somebody else changed this index, or left an invalid one: drop it with DROP INDEX CONCURRENTLY, \
                        or rebuild it with REINDEX INDEX CONCURRENTLY, then apply again"
            .to_owned(),
    }
}

/// Decides after the statement reported success: with `IF NOT EXISTS` an invalid index of an earlier attempt makes it
/// "succeed". Never asks to run it again.
#[must_use]
pub fn confirm(probe: &Probe, before: &Json, now: &Json) -> Verdict {
    let is = Seen::of(now);
    let holds = match probe {
        Probe::None => true,
        Probe::AddEnumValue { .. } => is.present,
        Probe::DropIndex { .. } => !is.present,
        Probe::CreateIndex { .. } => is.present && is.valid,
    };
    if holds {
        Verdict::Done
    } else {
        changed(&Seen::of(before), &is)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use whimbrel_core::statement::Probe;

    use super::{Verdict, confirm, decide};

    fn index(oid: i64, valid: bool) -> Json {
        json!({ "present": true, "oid": oid, "valid": valid, "definition": "CREATE INDEX …" })
    }

    fn absent() -> Json {
        json!({ "present": false })
    }

    fn present() -> Json {
        json!({ "present": true })
    }

    #[test]
    fn of_a_new_index() {
        let probe = Probe::CreateIndex {
            schema: Some("a".to_owned()),
            table: "t".to_owned(),
            index: "i\"x".to_owned(),
        };
        let drop = Verdict::DropInvalidThenRunAgain {
            drop: "DROP INDEX CONCURRENTLY \"a\".\"i\"\"x\"".to_owned(),
        };
        assert_eq!(decide(&probe, &absent(), &absent()), Verdict::RunAgain);
        assert_eq!(decide(&probe, &absent(), &index(1, true)), Verdict::Done);
        assert_eq!(decide(&probe, &absent(), &index(1, false)), drop);
        assert_eq!(
            decide(&probe, &index(1, true), &index(1, true)),
            Verdict::RunAgain
        );
        assert_eq!(
            decide(&probe, &index(1, false), &index(2, true)),
            Verdict::Done
        );
        for (before, now) in [
            (index(1, false), index(1, false)),
            (index(1, true), index(2, true)),
            (index(1, true), absent()),
            (index(1, true), index(1, false)),
        ] {
            assert!(
                matches!(decide(&probe, &before, &now), Verdict::Unknown { .. }),
                "{before} {now}"
            );
        }
        assert_eq!(
            confirm(&probe, &index(1, true), &index(1, true)),
            Verdict::Done
        );
        assert!(matches!(
            confirm(&probe, &absent(), &index(1, false)),
            Verdict::Unknown { .. }
        ));
    }

    #[test]
    fn of_a_dropped_index() {
        let probe = Probe::DropIndex {
            schema: None,
            index: "i".to_owned(),
        };
        assert_eq!(decide(&probe, &index(1, true), &absent()), Verdict::Done);
        assert_eq!(
            decide(&probe, &index(1, true), &index(1, false)),
            Verdict::RunAgain
        );
        assert_eq!(decide(&probe, &absent(), &absent()), Verdict::RunAgain);
        assert!(matches!(
            decide(&probe, &index(1, true), &index(2, true)),
            Verdict::Unknown { .. }
        ));
        assert_eq!(confirm(&probe, &absent(), &absent()), Verdict::Done);
    }

    #[test]
    fn of_a_new_label() {
        let probe = Probe::AddEnumValue {
            schema: None,
            r#type: "t".to_owned(),
            label: "x".to_owned(),
        };
        assert_eq!(decide(&probe, &absent(), &present()), Verdict::Done);
        assert_eq!(decide(&probe, &absent(), &absent()), Verdict::RunAgain);
        assert_eq!(decide(&probe, &present(), &present()), Verdict::RunAgain);
        assert_eq!(confirm(&probe, &present(), &present()), Verdict::Done);
    }

    #[test]
    fn of_anything_else() {
        assert!(matches!(
            decide(&Probe::None, &Json::Null, &Json::Null),
            Verdict::Unknown { .. }
        ));
        assert_eq!(
            confirm(&Probe::None, &Json::Null, &Json::Null),
            Verdict::Done
        );
    }
}
