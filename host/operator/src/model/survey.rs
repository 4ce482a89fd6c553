//! What an engine does, in a few lines: what is to be done by definitions and a history, and how each migration stands.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::json;
use whimbrel_core::checksum::Checksum;
use whimbrel_core::name::TargetName;
use whimbrel_report::{MigrationLine, MigrationStanding, TargetStatus};

use super::process::{Pass, name};
use super::world::{BAD, Database, Environment, Migration, SLOTS, Slots};
use crate::api::{EnvironmentStatus, MigrationStatus, Said, conditions};
use crate::reconcile::{self, Found, Known, Waiting};

/// One migration of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    Apply(usize, u8),
    Revert(usize),
}

/// What was asked, and what the database said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Survey {
    pub of: Arc<Environment>,
    /// By uid, generation and content.
    pub definitions: Slots<(u8, i64, u8)>,
    pub reverting: Vec<usize>,
    pub work: Vec<Work>,
    /// None when there is nothing to do.
    pub plan: Option<String>,
    pub approvals: BTreeSet<String>,
    standing: Slots<(Standing, u8)>,
}

/// How a migration stands, as it can be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Standing {
    Pending,
    Applied,
    Edited,
    Failed,
}

/// Asks the database: what is to be done, and what else is known.
pub fn survey(
    of: &Arc<Environment>,
    migrations: &Slots<Arc<Migration>>,
    reverting: &[usize],
    database: &Database,
) -> (Known, Survey) {
    let mut definitions = Slots::default();
    for (definition, one) in definitions.iter_mut().zip(migrations) {
        let there = one.as_ref().filter(|one| one.deleted.is_none());
        *definition = there.map(|one| (one.uid, one.generation, one.content));
    }
    let (work, is_edited) = work(&definitions, reverting, database);
    let mut survey = Survey {
        of: Arc::clone(of),
        definitions,
        reverting: reverting.to_vec(),
        plan: plan(&work),
        work,
        approvals: database.approvals.clone(),
        standing: Slots::default(),
    };
    for slot in 0..SLOTS {
        survey.standing[slot] = standing(&survey, slot, database);
    }
    let known = match &survey.plan {
        _ if is_edited && reverting.is_empty() => Known::Wrong {
            is_definition: false,
            message: "edited".into(),
        },
        None => Known::Current,
        Some(plan) if of.is_gated && !database.approvals.contains(plan) => Known::Waiting {
            on: Waiting::Approval,
            message: "approval".into(),
        },
        Some(_) => Known::Pending,
    };
    (known, survey)
}

/// What is to be done, and whether something that was applied is defined otherwise now.
pub fn work(
    definitions: &Slots<(u8, i64, u8)>,
    reverting: &[usize],
    database: &Database,
) -> (Vec<Work>, bool) {
    let mut is_edited = false;
    let mut work = Vec::new();
    let all = definitions.iter().zip(&database.records);
    for (slot, (definition, record)) in all.enumerate() {
        match (*definition, *record) {
            _ if !reverting.is_empty() => {}
            (Some((.., content)), Some(record)) if !record.is_failed => {
                is_edited |= record.content != content;
            }
            (Some((.., content)), _) => work.push(Work::Apply(slot, content)),
            (None, _) => {}
        }
    }
    let recorded = reverting.iter().rev();
    let recorded = recorded.filter(|slot| database.records[**slot].is_some());
    work.extend(recorded.map(|slot| Work::Revert(*slot)));
    (work, is_edited)
}

/// The digest of a plan.
pub fn plan(work: &[Work]) -> Option<String> {
    (!work.is_empty()).then(|| format!("{work:?}"))
}

fn standing(survey: &Survey, slot: usize, database: &Database) -> Option<(Standing, u8)> {
    let defined = survey.definitions[slot].map(|(.., content)| content);
    let Some(record) = database.records[slot] else {
        return defined.map(|content| (Standing::Pending, content));
    };
    let is_same = defined.is_none_or(|content| content == record.content);
    let standing = match (record.is_failed, is_same) {
        (false, true) => Standing::Applied,
        (false, false) => Standing::Edited,
        (true, true) => Standing::Failed,
        (true, false) => Standing::Pending,
    };
    Some((standing, record.content))
}

impl Survey {
    /// The plan as it would be now.
    pub fn again(&self, database: &Database) -> Option<String> {
        plan(&work(&self.definitions, &self.reverting, database).0)
    }

    fn line(&self, slot: usize) -> Option<MigrationLine> {
        static CHECKSUMS: LazyLock<Vec<Checksum>> = LazyLock::new(|| {
            let all = 0..=BAD;
            all.map(|content| Checksum::w1(&json!({ "content": content })))
                .collect()
        });
        let (standing, content) = self.standing[slot]?;
        let checksum = CHECKSUMS[usize::from(content)].clone();
        let mut line = MigrationLine::pending(name(slot), checksum);
        line.state = match standing {
            Standing::Pending => MigrationStanding::Pending,
            Standing::Applied => MigrationStanding::Applied,
            Standing::Edited => MigrationStanding::Edited,
            Standing::Failed => MigrationStanding::Failed,
        };
        line.error = (standing == Standing::Failed).then(|| "it is bad".to_owned());
        Some(line)
    }

    pub fn migration_status(
        &self,
        slot: usize,
        seen: &Migration,
        said: Option<&[Said]>,
    ) -> MigrationStatus {
        let (line, now) = (self.line(slot), Timestamp::UNIX_EPOCH);
        let lines: Vec<_> = line.iter().collect();
        let before = seen.status.as_deref();
        let mut after = reconcile::migration_status(before, &lines, seen.generation, now);
        if let Some(said) = said {
            after.conditions = conditions(&[], said, seen.generation, now);
        }
        after
    }

    fn found(&self) -> Found {
        let lines = (0..SLOTS).filter_map(|slot| self.line(slot));
        let target = TargetStatus {
            target: TargetName::single("shop".parse().unwrap()),
            location: String::new(),
            migrations: lines.collect(),
            error: None,
        };
        let (databases, sums) = reconcile::counts(&[target]);
        Found {
            databases,
            sums,
            revision: None,
            plan: self.plan.clone(),
        }
    }
}

pub fn environment_status(
    before: &EnvironmentStatus,
    pass: &Pass,
    said: &[Said],
) -> EnvironmentStatus {
    let object = &pass.object;
    let request = (object.request > 0).then(|| object.request.to_string());
    let found = pass.survey.as_ref().map(|survey| survey.found());
    let (generation, now) = (object.generation, Timestamp::UNIX_EPOCH);
    reconcile::environment_status(before, said, found, generation, request.as_deref(), now)
}
