//! What must hold whatever happens, and what must have come about when nothing more does.

use std::sync::Arc;

use super::process::{Pass, Process};
use super::survey::{self, Survey, Work};
use super::world::{BAD, Cause, Database, Migration, NAMES, Notes, Objects, SLOTS, World};
use crate::api::{ConditionStatus, EnvironmentStatus, MigrationStatus};

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

/// The most steps from a state of rest to the next.
const STEPS: usize = 400;

fn holds(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), Broken> {
    if is_so {
        return Ok(());
    }
    Err(Broken(otherwise()))
}

/// Nothing is begun while it is suspended, deleted or abstract, without an approval that is asked for, or of what is defined
/// otherwise by now: as far as the process has seen it.
pub fn may_run(database: &Database, seen: &Objects, pass: &Pass) -> Result<(), Broken> {
    let object = &pass.object;
    let is_open = !object.is_suspended && !object.is_deleted && !object.is_abstract;
    holds(is_open, || {
        "a run begins although its environment says no".to_owned()
    })?;
    let survey = pass.survey.as_ref();
    let survey = survey.ok_or_else(|| Broken("a run begins that nobody planned".to_owned()))?;
    let plan = survey.plan.clone().unwrap_or_default();
    let is_approved = !object.is_gated || database.approvals.contains(&plan);
    holds(is_approved, || {
        "a run begins without its approval".to_owned()
    })?;
    for work in &survey.work {
        let is_wanted = match *work {
            Work::Apply(slot, content) => seen.migrations[slot]
                .as_ref()
                .is_some_and(|seen| seen.deleted.is_none() && seen.content == content),
            Work::Revert(slot) => seen.migrations[slot]
                .as_ref()
                .is_some_and(|seen| seen.deleted.is_some() && seen.reverts),
        };
        holds(is_wanted, || {
            format!("{work:?} begins although its object was seen to say otherwise")
        })?;
    }
    Ok(())
}

/// No migration is applied twice.
pub fn apply(database: &Database, slot: usize) -> Result<(), Broken> {
    holds(!database.has(slot), || {
        format!("{} is applied twice", NAMES[slot])
    })
}

/// Only what somebody deleted for itself, to be reverted, is.
pub fn revert(server: &Objects, slot: usize) -> Result<(), Broken> {
    let object = server.migrations[slot].as_ref();
    let is_own = object.is_some_and(|one| one.deleted == Some(Cause::Own));
    holds(is_own, || {
        format!(
            "{} is reverted, and was not deleted for itself",
            NAMES[slot]
        )
    })
}

/// What is let go as reverted is.
pub fn let_go_as_reverted(database: &Database, slot: usize, of: usize) -> Result<(), Broken> {
    holds(of > 1 || database.records[slot].is_none(), || {
        format!("{} is let go as reverted, and isn't", NAMES[slot])
    })
}

/// A status is about what was looked at, and claims nothing that the history doesn't hold.
pub fn says_of_environment(
    pass: &Pass,
    after: &EnvironmentStatus,
    database: &Database,
    of: usize,
) -> Result<(), Broken> {
    let reason = after.conditions.first().map(|main| main.reason.as_str());
    let reason = reason.unwrap_or_default();
    let is_found = [
        "Current",
        "Applying",
        "Reverting",
        "ApprovalRequired",
        "Failed",
        "Blocked",
    ];
    if !is_found.contains(&reason) {
        return Ok(());
    }
    let survey = pass.survey.as_ref();
    let survey = survey.ok_or_else(|| Broken(format!("{reason}, and nobody looked")))?;
    let looked_at = (survey.of.uid, survey.of.generation);
    holds(
        looked_at == (pass.object.uid, after.observed_generation),
        || {
            let (about, looked) = (after.observed_generation, survey.of.generation);
            format!("{reason} of generation {about}, and generation {looked} was looked at")
        },
    )?;
    holds(survey.of.request == pass.object.request, || {
        "a request is answered, and nobody looked since".to_owned()
    })?;
    let is_current =
        (0..SLOTS).all(|slot| survey.definitions[slot].is_none() || database.has(slot));
    holds(reason != "Current" || of > 1 || is_current, || {
        "Current, and the history says otherwise".to_owned()
    })
}

/// The same of a migration.
pub fn says_of_migration(
    survey: &Survey,
    slot: usize,
    seen: &Arc<Migration>,
    after: &MigrationStatus,
    database: &Database,
) -> Result<(), Broken> {
    let main = after.conditions.first();
    if main.is_none_or(|main| main.status != ConditionStatus::True) {
        return Ok(());
    }
    holds(database.has(slot), || {
        format!("{} succeeded, and the history says otherwise", NAMES[slot])
    })?;
    let looked_at = survey.definitions[slot];
    let is_of = looked_at == Some((seen.uid, after.observed_generation, seen.content));
    holds(seen.deleted.is_some() || is_of, || {
        let about = after.observed_generation;
        format!(
            "{} succeeded in generation {about}, and another was looked at",
            NAMES[slot]
        )
    })
}

/// What must have come about when nothing more happens.
pub fn at_rest(world: &World) -> Result<(), Broken> {
    let server = &world.server;
    let is_left = server
        .environment
        .as_ref()
        .is_some_and(|one| one.is_deleted)
        || server
            .migrations
            .iter()
            .flatten()
            .any(|one| one.deleted.is_some());
    holds(!is_left, || {
        "what is deleted is kept from going for ever".to_owned()
    })?;
    as_it_should_be(world)?;
    marked(server)?;

    let mut again = world.clone();
    for process in &mut again.processes {
        process.ring();
    }
    come_to_rest(&mut again)?;
    let is_same = again.server == world.server && again.database == world.database;
    holds(is_same, || {
        "a look at nothing new does something".to_owned()
    })?;

    let mut anew = world.clone();
    let stands = server.environment.as_ref();
    let stands = stands.is_some_and(|one| !one.is_suspended && !one.is_abstract);
    if stands {
        if let Some(one) = &mut anew.server.environment {
            Arc::make_mut(one).status = None;
        }
        for one in anew.server.migrations.iter_mut().flatten() {
            Arc::make_mut(one).status = None;
        }
    }
    anew.processes = vec![Process::new(&anew.server)];
    anew.current = 0;
    come_to_rest(&mut anew)?;
    holds(anew.database == world.database, || {
        "an operator that begins anew does what was left undone".to_owned()
    })?;
    holds(anew.server == world.server, || {
        let of = |world: &World| format!("{:#?}", world.server);
        format!(
            "an undisturbed operator would have said:\n{}\nand not:\n{}",
            of(&anew),
            of(world)
        )
    })
}

/// What asks to be reverted when it is deleted, and only that, can't go before it is.
fn marked(server: &Objects) -> Result<(), Broken> {
    let environment = server.environment.as_ref();
    let stands = environment.is_some_and(|one| !one.is_suspended && !one.is_abstract);
    for (slot, one) in server.migrations.iter().enumerate() {
        let Some(one) = one.as_ref().filter(|_| stands) else {
            continue;
        };
        holds(one.is_marked == one.reverts, || {
            let (is, should) = (one.is_marked, one.reverts);
            format!("{}: finalizer {is}, and it should be {should}", NAMES[slot])
        })?;
    }
    Ok(())
}

fn come_to_rest(world: &mut World) -> Result<(), Broken> {
    for _ in 0..STEPS {
        let Some(next) = world.fair() else {
            return Ok(());
        };
        world.apply(next, &mut Notes::none())?;
    }
    Err(Broken("it doesn't come to rest".to_owned()))
}

/// What the environment says by what is wanted and what the history holds, whatever the product thinks of it.
fn as_it_should_be(world: &World) -> Result<(), Broken> {
    let Some(environment) = &world.server.environment else {
        return Ok(());
    };
    let mut definitions = [None; SLOTS];
    for (definition, one) in definitions.iter_mut().zip(&world.server.migrations) {
        *definition = one
            .as_ref()
            .map(|one| (one.uid, one.generation, one.content));
    }
    let (work, is_edited) = survey::work(&definitions, &[], &world.database);
    let plan = survey::plan(&work);
    let is_approved = plan.as_ref().is_some_and(|plan| {
        let asked = world.server.approval.as_ref();
        world.database.approvals.contains(plan) || asked.is_some_and(|asked| asked.plan == *plan)
    });
    let expected = match work.first() {
        _ if environment.is_abstract => "Abstract",
        _ if environment.is_suspended => "Suspended",
        _ if is_edited => "Blocked",
        None => "Current",
        Some(_) if environment.is_gated && !is_approved => "ApprovalRequired",
        Some(Work::Apply(_, BAD)) => "Failed",
        Some(_) => "something that is done by now",
    };
    let said = environment.status.as_ref();
    let said =
        said.and_then(|status| Some((status.observed_generation, status.conditions.first()?)));
    let said = said.map(|(generation, main)| (generation, main.reason.as_str()));
    holds(said == Some((environment.generation, expected)), || {
        format!(
            "it should say {expected} of generation {}, and says {said:?}",
            environment.generation
        )
    })
}
