//! What an operator writes, one after the other, and what the API server makes of it.

use std::sync::Arc;

use super::objects::go_if;
use super::process::{Pass, Write};
use super::rules::{self, Broken};
use super::survey;
use super::world::{NAMES, Notes, World};
use crate::api::Conditions;
use crate::reconcile::{Known, Last, Observed, Waiting, say};

impl World {
    /// Carries a write out; an error of the API server ends the pass.
    pub fn write_down(
        &mut self,
        index: usize,
        write: &Write,
        notes: &mut Notes,
    ) -> Result<Result<(), &'static str>, Broken> {
        let Some(keeper) = &mut self.processes[index].keeper else {
            return Ok(Ok(()));
        };
        let server = &mut self.server;
        let environment = &mut server.environment;
        match write {
            Write::Hold(seen, is_held) => {
                notes.add(|| {
                    format!("operator {index} writes the environment's finalizer: {is_held}")
                });
                let Some(one) = environment else {
                    return Ok(Ok(()));
                };
                if one != seen {
                    return Ok(Err("conflict"));
                }
                if *is_held && one.is_deleted {
                    return Ok(Err("no finalizer on what is deleted"));
                }
                Arc::make_mut(one).is_held = *is_held;
                go_if(environment, |one| one.is_deleted && !one.is_held);
            }
            Write::Mark(slot, uid, is_marked) => {
                notes.add(|| format!("operator {index} marks {}: {is_marked}", NAMES[*slot]));
                let place = &mut server.migrations[*slot];
                let Some(one) = place else {
                    // Applied to what isn't there, it would make it: the uid is a conflict then.
                    return Ok(Err("conflict"));
                };
                if one.uid != *uid || *is_marked && one.deleted.is_some() && !one.is_marked {
                    return Ok(Err("conflict"));
                }
                Arc::make_mut(one).is_marked = *is_marked;
                go_if(place, |one| one.deleted.is_some() && !one.is_marked);
                keeper.marks[*slot] = Some((*uid, *is_marked));
            }
            Write::Environment(uid, status) => {
                notes.add(|| {
                    format!(
                        "operator {index} writes the environment's {}",
                        sum(&status.conditions)
                    )
                });
                let Some(one) = environment else {
                    return Ok(Ok(()));
                };
                if one.uid != *uid {
                    return Ok(Err("conflict"));
                }
                Arc::make_mut(one).status = Some(Arc::clone(status));
                keeper.wrote = Some(Last {
                    status: (**status).clone(),
                    is_sure: true,
                });
            }
            Write::Migration(slot, uid, status) => {
                notes.add(|| {
                    format!(
                        "operator {index} writes {}'s {}",
                        NAMES[*slot],
                        sum(&status.conditions)
                    )
                });
                let Some(one) = &mut server.migrations[*slot] else {
                    return Ok(Ok(()));
                };
                if one.uid != *uid {
                    return Ok(Err("conflict"));
                }
                Arc::make_mut(one).status = Some(Arc::clone(status));
                keeper.unseen.hear(&uid.to_string());
            }
            Write::Approval(uid) => {
                notes.add(|| format!("operator {index} says that the approval is recorded"));
                let Some(one) = &mut server.approval else {
                    return Ok(Ok(()));
                };
                if one.uid != *uid {
                    return Ok(Err("conflict"));
                }
                Arc::make_mut(one).is_told = true;
                keeper.told = Some(*uid);
            }
            Write::Record(plan) => {
                notes.add(|| format!("operator {index} records an approval of {plan}"));
                self.database.approvals.insert(plan.clone());
            }
        }
        Ok(Ok(()))
    }

    pub fn environment_status(
        &self,
        index: usize,
        pass: &Pass,
        observed: &Observed,
    ) -> Result<Option<Write>, Broken> {
        let object = &pass.object;
        let before = object.status.as_deref().cloned().unwrap_or_default();
        let after = survey::environment_status(&before, pass, &say(observed));
        let keeper = self.processes[index].keeper.as_ref();
        let wrote = keeper.and_then(|keeper| keeper.wrote.as_ref());
        rules::says_of_environment(pass, &after, &self.database, self.processes.len())?;
        let is_news = (self.machine.is_news)(object.status.as_deref(), wrote, &after);
        Ok(is_news.then(|| Write::Environment(object.uid, Arc::new(after))))
    }

    pub fn migration_statuses(
        &mut self,
        index: usize,
        pass: &Pass,
        observed: &Observed,
    ) -> Result<Vec<Write>, Broken> {
        let Some(survey) = &pass.survey else {
            return Ok(Vec::new());
        };
        let mut writes = Vec::new();
        let process = &mut self.processes[index];
        let (Some(keeper), all) = (&mut process.keeper, &process.seen.migrations) else {
            return Ok(writes);
        };
        for (slot, seen) in all.iter().enumerate() {
            let Some(seen) = seen else { continue };
            let is_reverting = pass.reverting.contains(&slot);
            let said = is_reverting.then(|| crate::report::reverts(&say(observed)));
            let after = survey.migration_status(slot, seen, said.as_deref());
            if !is_reverting {
                rules::says_of_migration(survey, slot, seen, &after, &self.database)?;
            }
            let uid = seen.uid.to_string();
            if keeper.unseen.is_news(&uid, seen.status.as_deref(), &after) {
                keeper.unseen.add(&uid, &after);
                writes.push(Write::Migration(slot, seen.uid, Arc::new(after)));
            }
        }
        Ok(writes)
    }

    /// Says of an approval that the database has it, as `approvals::note` does.
    pub fn notes_of_approvals(&self, index: usize, pass: &Pass) -> Option<Write> {
        let asks = matches!(
            pass.known,
            Known::Waiting {
                on: Waiting::Approval,
                ..
            }
        );
        let process = &self.processes[index];
        let approval = process.seen.approval.as_ref().filter(|_| !asks)?;
        let survey = pass.survey.as_ref()?;
        let is_told = approval.is_told || process.keeper.as_ref()?.told == Some(approval.uid);
        let is_held = survey.approvals.contains(&approval.plan);
        (!is_told && is_held).then_some(Write::Approval(approval.uid))
    }

    /// Lets migrations go whose environment isn't there.
    pub fn release_orphans(&mut self, index: usize, notes: &mut Notes) {
        let process = &mut self.processes[index];
        process.orphans = false;
        if process.seen.environment.is_some() {
            return;
        }
        let all = process.seen.migrations.iter().zip(NAMES);
        for ((seen, name), place) in all.zip(&mut self.server.migrations) {
            let Some(seen) = seen else {
                continue;
            };
            if seen.deleted.is_some() && seen.is_marked && place.is_some() {
                notes.add(|| format!("operator {index} lets {name} go"));
                if let Some(one) = place.as_mut().filter(|one| one.uid == seen.uid) {
                    Arc::make_mut(one).is_marked = false;
                }
                go_if(place, |one| one.deleted.is_some() && !one.is_marked);
            }
        }
    }
}

fn sum(conditions: &Conditions) -> String {
    let main = conditions.first();
    main.map_or_else(String::new, |main| {
        format!(
            "{:?}={:?} ({}) of generation {}",
            main.r#type, main.status, main.reason, main.observed_generation
        )
    })
}
