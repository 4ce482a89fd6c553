//! Planning: what is decided for every state that a target and the definitions can be in, and what becomes of it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod assembling;
mod deciding;

use std::collections::BTreeMap;
use whimbrel_core::definition::{Action, Checks, Migration, Origin, SqlAction, Step};
use whimbrel_core::history::{History, MigrationState, Owner, Record};
use whimbrel_core::lineage::{Absence, Lineage, Revision};
use whimbrel_core::name::MigrationName;
use whimbrel_core::plan::{BlockerCode, Decision, Decisions, DesiredMigration, Goal, decide};

pub(crate) fn name(text: &str) -> MigrationName {
    text.parse().unwrap()
}

pub(crate) fn migration(text: &str, sql: &str, depends_on: &[&str]) -> Migration {
    Migration {
        name: name(text),
        database: "shop".parse().unwrap(),
        depends_on: depends_on.iter().map(|other| name(other)).collect(),
        steps: vec![Step {
            name: None,
            action: Action::Sql(SqlAction {
                sql: sql.to_owned(),
                revert: None,
                file: None,
                revert_file: None,
            }),
            timeout: None,
        }],
        checks: Checks::default(),
        metrics: Vec::new(),
        origin: Origin {
            path: format!("migrations/{text}.yaml"),
            line: 1,
        },
    }
}

pub(crate) fn desired(text: &str) -> DesiredMigration {
    desired_as(text, text, &[])
}

pub(crate) fn desired_as(text: &str, sql: &str, depends_on: &[&str]) -> DesiredMigration {
    let migration = migration(text, sql, depends_on);
    DesiredMigration {
        checksum: migration.checksum().unwrap(),
        migration: migration.into(),
    }
}

pub(crate) fn record(item: &DesiredMigration, sequence: i64, state: MigrationState) -> Record {
    Record {
        name: item.migration.name.clone(),
        sequence,
        state,
        checksum: item.checksum.clone(),
        definition: item.migration.canonical().unwrap(),
        parameters: BTreeMap::new(),
        plugins: BTreeMap::new(),
        revision: Some(Revision::commit("0123456789abcdef")),
        run: "run".to_owned(),
        actor: "somebody".to_owned(),
        started: "2026-11-23T00:00:00Z".to_owned(),
        finished: None,
        duration_milliseconds: None,
        rows: 0,
        error: None,
        undo: BTreeMap::new(),
    }
}

pub(crate) fn owner() -> Owner {
    Owner {
        manager: "whimbrel".to_owned(),
        project: "p".parse().unwrap(),
        environment: "dev".parse().unwrap(),
    }
}

pub(crate) fn history(records: Vec<Record>) -> History {
    History {
        owner: Some(owner()),
        epoch: 1,
        records,
        ..History::default()
    }
}

pub(crate) fn applied(items: &[&DesiredMigration]) -> History {
    history(
        (1..)
            .zip(items)
            .map(|(n, item)| record(item, n, MigrationState::Applied))
            .collect(),
    )
}

pub(crate) fn lineage(text: &str, absence: Absence) -> Lineage {
    Lineage {
        absences: BTreeMap::from([(name(text), absence)]),
    }
}

pub(crate) fn run(items: &[DesiredMigration], history: &History, lineage: &Lineage) -> Decisions {
    decide(items, history, lineage, &owner(), &Goal::Apply)
}

pub(crate) fn apply(text: &str) -> Decision {
    Decision::Apply {
        name: name(text),
        resumed: false,
        out_of_order: false,
    }
}

pub(crate) fn codes(decisions: &Decisions) -> Vec<BlockerCode> {
    decisions
        .blockers
        .iter()
        .map(|blocker| blocker.code)
        .collect()
}
