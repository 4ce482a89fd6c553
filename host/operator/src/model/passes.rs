//! The loop of an environment, as `keeper` has it: observes, asks what is to be done, does it, and observes again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::process::{After, Keeper, Pass, Phase, Write, question};
use super::rules::{self, Broken};
use super::survey::{self, Work};
use super::world::{Approval, BAD, Environment, Migration, NAMES, Notes, Record, World};
use crate::reconcile::{
    Action, Fate, Judged, Known, Last, Observed, Question, Reason, Source, Told, is_retried, judged,
};

impl World {
    /// Begins a pass, and looks.
    pub fn begin(&mut self, index: usize, notes: &mut Notes) -> Result<(), Broken> {
        let process = &mut self.processes[index];
        let (Some(keeper), seen) = (&mut process.keeper, &process.seen) else {
            return Ok(());
        };
        keeper.bell = false;
        let Some(object) = seen.environment.clone() else {
            // It is gone, and its keeper with it.
            process.keeper = None;
            return Ok(());
        };
        keeper.pass = Some(Pass {
            is_held: object.is_held,
            object,
            known: Known::Nothing,
            question: Question::default(),
            survey: None,
            reverting: Vec::new(),
            judged: Default::default(),
            recorded: Default::default(),
        });
        self.look(index, notes)
    }

    /// The next action of a process.
    pub fn step(&mut self, index: usize, notes: &mut Notes) -> Result<(), Broken> {
        let Some(keeper) = &mut self.processes[index].keeper else {
            return Ok(());
        };
        match keeper.phase.clone() {
            Phase::Asleep | Phase::Soon => Ok(()),
            Phase::Looking => self.look(index, notes),
            Phase::Asking => {
                self.ask(index, notes);
                Ok(())
            }
            Phase::Running(work) => self.run_on(index, work, notes),
            Phase::Writing(after) => {
                if let Some(write) = keeper.writes.pop_front()
                    && let Err(why) = self.write_down(index, &write, notes)?
                {
                    notes.add(|| format!("operator {index}: the API server says no: {why}"));
                    self.end(index, true);
                    return Ok(());
                }
                self.go_on(index, after, notes)
            }
        }
    }

    /// An action that fails: a write before or after it is done, or a question.
    pub fn fail(&mut self, index: usize, is_done: bool, notes: &mut Notes) -> Result<(), Broken> {
        let Some(keeper) = &mut self.processes[index].keeper else {
            return Ok(());
        };
        if keeper.phase == Phase::Asking {
            notes.add(|| format!("operator {index}: the database is away"));
            if let Some(pass) = &mut keeper.pass {
                pass.known = Known::Away("away".into());
                pass.survey = None;
            }
            keeper.phase = Phase::Looking;
            return Ok(());
        }
        let write = keeper.writes.pop_front();
        if let Some(Write::Environment(_, status)) = &write {
            keeper.wrote = Some(Last::tried((**status).clone()));
        }
        if let Some(write) = write.filter(|_| is_done) {
            // What it did to what the process remembers is undone: it didn't hear of it.
            let before = self.processes[index].keeper.clone();
            let _ = self.write_down(index, &write, notes)?;
            self.processes[index].keeper = before;
        }
        notes.add(|| format!("operator {index} doesn't hear that a write was done"));
        self.end(index, true);
        Ok(())
    }

    fn end(&mut self, index: usize, is_soon: bool) {
        if let Some(keeper) = &mut self.processes[index].keeper {
            keeper.end(is_soon);
        }
    }

    fn go_on(&mut self, index: usize, after: After, notes: &mut Notes) -> Result<(), Broken> {
        let Some(keeper) = &mut self.processes[index].keeper else {
            return Ok(());
        };
        if !keeper.writes.is_empty() {
            keeper.phase = Phase::Writing(after);
            return Ok(());
        }
        match after {
            After::Look => keeper.phase = Phase::Looking,
            After::Held => {
                if let Some(pass) = &mut keeper.pass {
                    pass.is_held = true;
                }
                keeper.phase = Phase::Looking;
            }
            After::Run => return self.admit(index, notes),
            After::End { is_soon } => keeper.end(is_soon),
        }
        Ok(())
    }

    /// Observes, asks what is to be done, and does it or begins to.
    fn look(&mut self, index: usize, notes: &mut Notes) -> Result<(), Broken> {
        let machine = self.machine;
        let seen = self.processes[index].seen.clone();
        let Some(keeper) = &mut self.processes[index].keeper else {
            return Ok(());
        };
        let Some(mut pass) = keeper.pass.take() else {
            return Ok(());
        };
        let object = seen.environment.as_ref();
        let Some(object) = object.filter(|one| one.uid == pass.object.uid) else {
            keeper.end(true);
            return Ok(());
        };
        pass.object = Arc::clone(object);
        let (slots, mut leaving): (Vec<_>, Vec<_>) =
            keeper.leaving(&seen.migrations, &pass).into_iter().unzip();
        let fates: Vec<(usize, Fate)> = slots
            .into_iter()
            .zip((machine.fates)(&mut leaving))
            .collect();
        let is = |wanted: fn(&Fate) -> bool| fates.iter().any(|(_, fate)| wanted(fate));
        let reverting = fates.iter().filter(|(_, fate)| *fate == Fate::Revert);
        pass.reverting = reverting.map(|(slot, _)| *slot).collect();
        let asked = (machine.question)(&question(&seen, &pass));
        if asked != pass.question {
            (pass.question, pass.known) = (asked, Known::Nothing);
            pass.survey = None;
        }
        let open = open(keeper, seen.approval.as_ref(), &pass);
        let listed = pass.reverting.first().map(|slot| NAMES[*slot].to_owned());
        let observed = Observed {
            is_deleted: pass.object.is_deleted,
            is_held: pass.is_held,
            is_abstract: pass.object.is_abstract,
            is_suspended: pass.object.is_suspended,
            source: Source::Known,
            is_unmarked: is(|fate| matches!(fate, Fate::Mark | Fate::LetGo(_))),
            is_unjudged: is(|fate| *fate == Fate::Judge),
            reverting: listed,
            is_approved: open.is_some(),
            known: pass.known.clone(),
        };
        let action = (machine.step)(&observed);
        notes.add(|| format!("operator {index}: {action:?} ({:?})", observed.known));
        let mut writes = VecDeque::new();
        let mut next = After::Look;
        match action {
            Action::Hold | Action::Release => {
                let holds = action == Action::Hold;
                writes.push_back(Write::Hold(Arc::clone(&pass.object), holds));
                next = if holds {
                    After::Held
                } else {
                    After::End { is_soon: false }
                };
            }
            Action::Forget => next = After::End { is_soon: false },
            Action::Mark => {
                for (slot, fate) in &fates {
                    let Some(one) = &seen.migrations[*slot] else {
                        continue;
                    };
                    if let Fate::LetGo(Reason::Reverted) = fate {
                        rules::let_go_as_reverted(&self.database, *slot, self.processes.len())?;
                    }
                    if let Fate::Mark | Fate::LetGo(_) = fate {
                        writes.push_back(Write::Mark(*slot, one.uid, *fate == Fate::Mark));
                    }
                }
            }
            Action::Judge => {
                for (slot, _) in fates.iter().filter(|(_, fate)| *fate == Fate::Judge) {
                    let seen = seen.migrations[*slot].as_ref();
                    pass.judged[*slot] = seen.map(|seen| self.judge(&pass.object, *slot, seen));
                }
            }
            Action::Survey => {
                pass.survey = None;
                self.put(index, pass, Phase::Asking);
                return Ok(());
            }
            Action::Approve => {
                pass.known = Known::Nothing;
                if let Some(approval) = open {
                    writes.push_back(Write::Record(approval.plan.clone()));
                    writes.push_back(Write::Approval(approval.uid));
                }
            }
            Action::Run => {
                rules::may_run(&self.database, &seen, &pass)?;
                writes.extend(self.environment_status(index, &pass, &observed)?);
                next = After::Run;
            }
            Action::Report => {
                writes.extend(self.notes_of_approvals(index, &pass));
                writes.extend(self.migration_statuses(index, &pass, &observed)?);
                writes.extend(self.environment_status(index, &pass, &observed)?);
                next = After::End {
                    is_soon: is_retried(&observed),
                };
            }
        }
        self.put(index, pass, Phase::Looking);
        if let Some(keeper) = &mut self.processes[index].keeper {
            keeper.writes = writes;
        }
        self.go_on(index, next, notes)
    }

    fn put(&mut self, index: usize, pass: Pass, phase: Phase) {
        if let Some(keeper) = &mut self.processes[index].keeper {
            (keeper.pass, keeper.phase) = (Some(pass), phase);
        }
    }

    fn judge(&self, environment: &Environment, slot: usize, seen: &Migration) -> Judged {
        let found = self.server.migrations[slot].as_ref();
        let of = self.server.environment.as_ref();
        judged(&Told {
            is_as_seen: found.is_some_and(|found| {
                found.uid == seen.uid && found.reverts && found.deleted.is_some()
            }),
            is_kind_there: !self.is_kind_going,
            is_environment_there: of
                .is_some_and(|found| found.uid == environment.uid && !found.is_deleted),
            is_namespace_there: !self.is_namespace_going,
        })
    }

    fn ask(&mut self, index: usize, notes: &mut Notes) {
        let process = &mut self.processes[index];
        let (Some(keeper), seen) = (&mut process.keeper, &process.seen) else {
            return;
        };
        let Some(pass) = &mut keeper.pass else { return };
        let (known, survey) = survey::survey(
            &pass.object,
            &seen.migrations,
            &pass.reverting,
            &self.database,
        );
        for slot in &pass.reverting {
            pass.recorded[*slot] = Some(self.database.records[*slot].is_some());
        }
        let plan = survey.plan.as_deref();
        let tried = (self.machine.tried)(&pass.question);
        pass.known = keeper.failures.known(&tried, None, plan, known);
        if !self.machine.holds_failures && matches!(pass.known, Known::Failed(_)) {
            pass.known = Known::Pending;
        }
        notes.add(|| format!("operator {index} asks the database: {:?}", pass.known));
        pass.survey = Some(Arc::new(survey));
        keeper.phase = Phase::Looking;
    }

    /// Takes the lock, and looks whether the plan is still what was planned.
    fn admit(&mut self, index: usize, notes: &mut Notes) -> Result<(), Broken> {
        let lock = self.database.lock;
        let Some(keeper) = &mut self.processes[index].keeper else {
            return Ok(());
        };
        let Some(pass) = &mut keeper.pass else {
            return Ok(());
        };
        pass.known = Known::Nothing;
        (pass.judged, pass.recorded) = Default::default();
        keeper.phase = Phase::Looking;
        let Some(survey) = pass.survey.clone() else {
            return Ok(());
        };
        if lock.is_some() {
            notes.add(|| format!("operator {index}: another one holds the lock"));
            pass.known = Known::Away("held".into());
            return Ok(());
        }
        if self.machine.looks_again && survey.again(&self.database) != survey.plan {
            notes.add(|| format!("operator {index}: the plan has moved"));
            return Ok(());
        }
        self.database.lock = Some(index);
        keeper.phase = Phase::Running(survey.work.iter().copied().collect());
        Ok(())
    }

    /// One migration of a run.
    fn run_on(
        &mut self,
        index: usize,
        mut work: VecDeque<Work>,
        notes: &mut Notes,
    ) -> Result<(), Broken> {
        let process = &mut self.processes[index];
        let (Some(keeper), seen) = (&mut process.keeper, &process.seen) else {
            return Ok(());
        };
        let Some(pass) = &mut keeper.pass else {
            return Ok(());
        };
        let object = seen.environment.as_ref();
        let is_gone = object.is_none_or(|one| one.is_deleted || one.uid != pass.object.uid);
        let next = work.pop_front().filter(|_| !is_gone);
        notes.add(|| format!("operator {index} runs {next:?}"));
        keeper.phase = Phase::Running(work);
        match next {
            Some(Work::Apply(slot, BAD)) => {
                self.database.records[slot] = Some(Record {
                    content: BAD,
                    is_failed: true,
                });
                let message = "it is bad".into();
                let tried = (self.machine.tried)(&pass.question);
                keeper.failures.end(&tried, None, message);
            }
            Some(Work::Apply(slot, content)) => {
                rules::apply(&self.database, slot)?;
                self.database.records[slot] = Some(Record {
                    content,
                    is_failed: false,
                });
                return Ok(());
            }
            Some(Work::Revert(slot)) => {
                rules::revert(&self.server, slot)?;
                self.database.records[slot] = None;
                return Ok(());
            }
            None => {}
        }
        self.database.lock = None;
        keeper.phase = Phase::Looking;
        Ok(())
    }
}

/// An approval of the plan at hand of which nobody knows yet what becomes of it, as `approvals::open` finds it.
fn open<'s>(
    keeper: &Keeper,
    seen: Option<&'s Arc<Approval>>,
    pass: &Pass,
) -> Option<&'s Arc<Approval>> {
    let plan = pass.survey.as_ref()?.plan.as_ref()?;
    let is_told = |one: &Approval| one.is_told || keeper.told == Some(one.uid);
    seen.filter(|one| one.plan == *plan && !is_told(one))
}
