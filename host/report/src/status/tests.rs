//! States in text and JSON.

use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::history::{MigrationState, Record};
use whimbrel_core::lineage::Revision;
use whimbrel_core::name::TargetName;

use super::{MigrationLine, MigrationStanding, StatusView, TargetStatus, moment};
use crate::plan::tests::plain;

fn record(name: &str, state: MigrationState) -> Record {
    Record {
        name: name.parse().unwrap(),
        sequence: 1,
        state,
        checksum: Checksum::w1(&json!(name)),
        definition: json!(null),
        parameters: [].into(),
        plugins: [].into(),
        revision: Some(Revision::commit("0123456789abcdef")),
        run: "run".to_owned(),
        actor: "ann@laptop".to_owned(),
        started: "2026-01-02T03:04:05.123456Z".to_owned(),
        finished: state
            .is_complete()
            .then(|| "2026-01-02T03:04:06.5Z".to_owned()),
        duration_milliseconds: Some(1_377),
        rows: 0,
        error: (state == MigrationState::Failed).then(|| "no such table: nowhere".to_owned()),
        undo: [].into(),
    }
}

fn view() -> StatusView {
    let recorded = |name, state| {
        MigrationLine::recorded(&record(name, state), Some(&Checksum::w1(&json!(name))))
    };
    let applied = record("0003-c", MigrationState::Applied);
    StatusView {
        environment: "dev".parse().unwrap(),
        revision: None,
        targets: vec![
            TargetStatus {
                target: TargetName::single("shop".parse().unwrap()),
                location: "sqlite:var/shop.db".to_owned(),
                migrations: vec![
                    recorded("0001-a", MigrationState::Baselined),
                    recorded("0002-b", MigrationState::Applied),
                    MigrationLine::recorded(&applied, Some(&Checksum::w1(&json!("edited")))),
                    MigrationLine::recorded(&record("0004-d", MigrationState::Applied), None),
                    recorded("0005-e", MigrationState::Applying),
                    recorded("0006-f", MigrationState::Reverting),
                    recorded("0007-g", MigrationState::Failed),
                    MigrationLine::pending("0008-h".parse().unwrap(), Checksum::w1(&json!("h"))),
                ],
                error: None,
            },
            TargetStatus {
                target: TargetName::single("analytics".parse().unwrap()),
                location: "postgres://db:5432/analytics".to_owned(),
                migrations: Vec::new(),
                error: Some("connection refused".to_owned()),
            },
        ],
    }
}

#[test]
fn people_see_where_everything_stands() {
    insta::assert_snapshot!(plain(&view().text()));
}

#[test]
fn programs_see_the_same() {
    let value: serde_json::Value = serde_json::from_str(&view().json()).unwrap();
    let migrations = &value["targets"][0]["migrations"];
    assert_eq!(migrations[2]["state"], "edited");
    assert_eq!(migrations[3]["absent"], true);
    assert_eq!(migrations[7]["state"], "pending");
    assert_eq!(value["targets"][1]["error"], "connection refused");
    assert_eq!(view().targets[0].number(MigrationStanding::Applied), 2);
}

#[test]
fn times_are_read_to_the_second() {
    assert_eq!(
        moment("2026-01-02T03:04:05.9+02:00"),
        "2026-01-02 01:04:05Z"
    );
    assert_eq!(moment("yesterday"), "yesterday");
}
