//! Events in text and JSON.

use serde_json::{Value as Json, json};
use whimbrel_core::digest::Digest;
use whimbrel_core::history::{Event, EventKind};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::TargetName;

use super::{HistoryView, TargetEvents};
use crate::plan::tests::plain;

fn event(id: i64, kind: EventKind, migration: Option<&str>, details: Json) -> Event {
    Event {
        id,
        kind,
        migration: migration.map(|name| name.parse().unwrap()),
        run: "run".to_owned(),
        actor: "ann".to_owned(),
        revision: Some(Revision::commit("0123456789abcdef")),
        plan: Some(Digest::of(b"plan")),
        at: format!("2026-01-02T03:04:0{id}Z"),
        details,
    }
}

#[test]
fn targets_are_shown_together_by_time() {
    let view = HistoryView {
        environment: "dev".parse().unwrap(),
        targets: vec![
            TargetEvents {
                target: TargetName::single("shop".parse().unwrap()),
                events: vec![
                    event(
                        7,
                        EventKind::Reverted,
                        Some("0002-b"),
                        json!({"reason": "it was wrong\nreally"}),
                    ),
                    event(
                        3,
                        EventKind::Failed,
                        Some("0002-b"),
                        json!({"error": "no such table"}),
                    ),
                    event(
                        1,
                        EventKind::Applied,
                        Some("0001-a"),
                        json!({"durationMilliseconds": 1500, "rows": 2400}),
                    ),
                ],
            },
            TargetEvents {
                target: TargetName::single("analytics".parse().unwrap()),
                events: vec![
                    event(
                        6,
                        EventKind::Renamed,
                        Some("0001-b"),
                        json!({"from": "0001-a", "to": "0001-b"}),
                    ),
                    event(
                        4,
                        EventKind::Overridden,
                        None,
                        json!({"gate": "window", "reason": "outage"}),
                    ),
                    event(2, EventKind::Approved, None, json!({})),
                ],
            },
        ],
    };
    insta::assert_snapshot!(plain(&view.text()));
    let value: Json = serde_json::from_str(&view.json()).unwrap();
    assert_eq!(value["targets"][1]["events"][0]["kind"], "renamed");
    assert_eq!(value["targets"][1]["target"], "analytics");
    assert_eq!(
        value["targets"][1]["events"][0]["revision"],
        "0123456789abcdef"
    );
}

#[test]
fn an_empty_history_says_so() {
    let view = HistoryView {
        environment: "dev".parse().unwrap(),
        targets: Vec::new(),
    };
    assert_eq!(view.text(), "nothing has happened yet\n");
}
