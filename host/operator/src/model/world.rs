//! The world around an operator: what can happen next, and what comes of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use super::objects::{
    Approval, BAD, Cause, Database, Environment, KINDS, Kind, Migration, NAMES, Objects, Record,
    SLOTS, Slots,
};
pub use super::people::Deed;
use super::process::Process;
use super::rules::Broken;
use super::{Allowed, Machine};

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    Do(Deed),
    /// The API server goes on with what goes: a namespace, a kind, or what somebody is about to delete. None is the environment.
    Sweep(Option<usize>),
    Deliver(usize, Kind),
    /// The next action of a process.
    Step(usize),
    /// The same, and it fails: before it is done, or after.
    Fail(usize, bool),
    Wake(usize),
    Orphans(usize),
    /// Its pause is over.
    Retry(usize),
    /// A deletion that a process waits for gets older.
    Age(usize, usize),
    /// It is killed, and begins anew.
    Crash(usize),
}

/// What happened, for people.
pub struct Notes(Option<Vec<String>>);

impl Notes {
    pub const fn none() -> Self {
        Self(None)
    }

    pub const fn some() -> Self {
        Self(Some(Vec::new()))
    }

    pub fn add(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push(line());
        }
    }

    pub fn into_lines(self) -> Vec<String> {
        self.0.unwrap_or_default()
    }
}

#[derive(Clone)]
pub struct World {
    pub machine: &'static Machine,
    pub allowed: Allowed,
    pub server: Objects,
    pub is_namespace_going: bool,
    pub is_kind_going: bool,
    /// Somebody deletes everything, and isn't done.
    pub is_clearing: bool,
    pub database: Database,
    pub processes: Vec<Process>,
    pub uids: u8,
    /// The process that went on last.
    pub current: usize,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Allowed {
            deeds,
            crashes,
            faults,
            overdue,
            switches,
            ..
        } = self.allowed;
        (deeds, crashes, faults, overdue, self.uids).hash(state);
        (switches, self.current).hash(state);
        (
            self.is_namespace_going,
            self.is_kind_going,
            self.is_clearing,
        )
            .hash(state);
        (&self.server, &self.database, &self.processes).hash(state);
    }
}

impl World {
    pub fn new(machine: &'static Machine, allowed: Allowed, environment: Environment) -> Self {
        let mut world = Self {
            machine,
            allowed,
            server: Objects::default(),
            is_namespace_going: false,
            is_kind_going: false,
            is_clearing: false,
            database: Database::default(),
            processes: Vec::new(),
            uids: 1,
            current: 0,
        };
        world.server.environment = Some(Arc::new(environment));
        world
    }

    /// Every way in which it can go on, but for time.
    pub fn transitions(&self) -> Vec<Transition> {
        let mut all = Vec::new();
        if self.allowed.deeds > 0 && !self.is_clearing {
            let deeds = self.allowed.of.iter().filter(|deed| self.can(**deed));
            all.extend(deeds.map(|deed| Transition::Do(*deed)));
        }
        all.extend(self.sweeps());
        let must_stay = self.allowed.switches == 0 && self.processes[self.current].is_awake();
        for (index, process) in self.processes.iter().enumerate() {
            if must_stay && index != self.current {
                continue;
            }
            for kind in KINDS {
                if !process.coming[kind as usize].is_empty() {
                    all.push(Transition::Deliver(index, kind));
                }
            }
            if process.is_busy() {
                all.push(Transition::Step(index));
                if self.allowed.faults > 0 && process.is_writing() {
                    all.push(Transition::Fail(index, false));
                    all.push(Transition::Fail(index, true));
                } else if self.allowed.faults > 0 && process.is_asking() {
                    all.push(Transition::Fail(index, false));
                }
            }
            if process.is_rung() {
                all.push(Transition::Wake(index));
            }
            if process.orphans {
                all.push(Transition::Orphans(index));
            }
            if process.is_soon() {
                all.push(Transition::Retry(index));
            }
            if self.allowed.crashes > 0 {
                all.push(Transition::Crash(index));
            }
            for slot in 0..SLOTS {
                let age = process.age(slot);
                let may = age == Some(false) || age == Some(true) && self.allowed.overdue > 0;
                if may && !self.is_clearing {
                    all.push(Transition::Age(index, slot));
                }
            }
        }
        all
    }

    pub fn sweeps(&self) -> Vec<Transition> {
        let mut all = Vec::new();
        let goes = self.is_namespace_going || self.is_clearing;
        let environment = &self.server.environment;
        if goes && environment.as_ref().is_some_and(|one| !one.is_deleted) {
            all.push(Transition::Sweep(None));
        }
        for (slot, one) in self.server.migrations.iter().enumerate() {
            let is_there = one.as_ref().is_some_and(|one| one.deleted.is_none());
            if (goes || self.is_kind_going) && is_there {
                all.push(Transition::Sweep(Some(slot)));
            }
        }
        all
    }

    /// What comes next when nothing more goes wrong, nobody does anything, and time passes when nothing else does.
    pub fn fair(&self) -> Option<Transition> {
        if let Some(sweep) = self.sweeps().first() {
            return Some(*sweep);
        }
        let all = || self.processes.iter().enumerate();
        for (index, process) in all() {
            for kind in KINDS {
                if !process.coming[kind as usize].is_empty() {
                    return Some(Transition::Deliver(index, kind));
                }
            }
            if process.is_busy() {
                return Some(Transition::Step(index));
            }
            if process.is_rung() {
                return Some(Transition::Wake(index));
            }
            if process.orphans {
                return Some(Transition::Orphans(index));
            }
        }
        for (index, process) in all() {
            if process.is_soon() {
                return Some(Transition::Retry(index));
            }
        }
        for wanted in [Some(false), Some(true)] {
            for (index, process) in all() {
                let aging = (0..SLOTS).find(|slot| process.age(*slot) == wanted);
                if let Some(slot) = aging {
                    return Some(Transition::Age(index, slot));
                }
            }
        }
        None
    }

    /// Makes it happen.
    ///
    /// # Errors
    /// It breaks a rule.
    pub fn apply(&mut self, transition: Transition, notes: &mut Notes) -> Result<(), Broken> {
        self.turn(transition);
        match transition {
            Transition::Do(deed) => {
                notes.add(|| format!("somebody: {deed:?}"));
                self.allowed.deeds -= 1;
                self.act(deed);
            }
            Transition::Sweep(None) => {
                notes.add(|| "the environment is deleted, too".to_owned());
                self.delete_environment();
                self.is_clearing &= !self.sweeps().is_empty();
            }
            Transition::Sweep(Some(slot)) => {
                notes.add(|| format!("{} is deleted, too", NAMES[slot]));
                self.delete(slot, Cause::Swept);
                self.is_clearing &= !self.sweeps().is_empty();
            }
            Transition::Deliver(index, kind) => {
                notes.add(|| format!("operator {index} hears of {kind:?}"));
                self.processes[index].deliver(kind);
            }
            Transition::Step(index) => self.step(index, notes)?,
            Transition::Fail(index, is_done) => {
                self.allowed.faults -= 1;
                self.fail(index, is_done, notes)?;
            }
            Transition::Wake(index) | Transition::Retry(index) => {
                notes.add(|| format!("operator {index} begins a pass"));
                self.begin(index, notes)?;
            }
            Transition::Orphans(index) => self.release_orphans(index, notes),
            Transition::Age(index, slot) => {
                if self.processes[index].grow(slot) {
                    self.allowed.overdue = self.allowed.overdue.saturating_sub(1);
                }
                notes.add(|| {
                    format!(
                        "to operator {index}, the deletion of {} gets older",
                        NAMES[slot]
                    )
                });
            }
            Transition::Crash(index) => {
                notes.add(|| format!("operator {index} is killed, and begins anew"));
                self.allowed.crashes -= 1;
                self.restart(index);
            }
        }
        self.publish();
        Ok(())
    }

    /// Takes note of who goes on.
    fn turn(&mut self, transition: Transition) {
        let next = match transition {
            Transition::Do(_) | Transition::Sweep(_) => return,
            Transition::Deliver(index, _)
            | Transition::Step(index)
            | Transition::Fail(index, _)
            | Transition::Wake(index)
            | Transition::Orphans(index)
            | Transition::Retry(index)
            | Transition::Age(index, _)
            | Transition::Crash(index) => index,
        };
        if next != self.current && self.processes[self.current].is_awake() {
            self.allowed.switches = self.allowed.switches.saturating_sub(1);
        }
        self.current = next;
    }

    /// A process begins anew: it lists what is there. What it ran is over, and so is its lock.
    pub fn restart(&mut self, index: usize) {
        if self.database.lock == Some(index) {
            self.database.lock = None;
        }
        self.processes[index] = Process::new(&self.server);
    }

    /// What changed is on its way to everybody.
    pub fn publish(&mut self) {
        for process in &mut self.processes {
            for kind in KINDS {
                let coming = &mut process.coming[kind as usize];
                if self
                    .server
                    .is_same(coming.back().unwrap_or(&process.seen), kind)
                {
                    continue;
                }
                if coming.len() == self.allowed.coming {
                    coming.pop_back();
                }
                let mut event = Objects::default();
                event.take(&self.server, kind);
                if !event.is_same(coming.back().unwrap_or(&process.seen), kind) {
                    coming.push_back(event);
                }
            }
        }
    }
}
