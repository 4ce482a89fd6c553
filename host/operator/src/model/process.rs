//! What an operator has seen and remembers. All of it but the objects is lost when the process is.

use std::collections::VecDeque;
use std::sync::Arc;

use whimbrel_core::name::MigrationName;

use super::survey::{Survey, Work};
use super::world::{Environment, Kind, Migration, NAMES, Objects, SLOTS, Slots};
use crate::api::{EnvironmentStatus, MigrationStatus};
use crate::reconcile::{Age, Failures, Judged, Known, Last, Leaving, Question, Unseen};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub seen: Objects,
    pub coming: [VecDeque<Objects>; 3],
    pub keeper: Option<Keeper>,
    pub orphans: bool,
}

/// What the loop of the environment knows: all of it is lost when the process is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keeper {
    pub bell: bool,
    pub phase: Phase,
    pub pass: Option<Pass>,
    pub writes: VecDeque<Write>,
    pub failures: Failures,
    pub wrote: Option<Last<EnvironmentStatus>>,
    pub unseen: Unseen,
    pub told: Option<u8>,
    pub ages: Slots<(u8, Age)>,
    pub marks: Slots<(u8, bool)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    #[default]
    Asleep,
    /// Asleep, and soon awake again.
    Soon,
    Looking,
    Asking,
    /// Writes one after the other, and then goes on so.
    Writing(After),
    Running(VecDeque<Work>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum After {
    Look,
    Held,
    Run,
    End { is_soon: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pass {
    pub object: Arc<Environment>,
    pub is_held: bool,
    pub known: Known,
    pub question: Question,
    pub survey: Option<Arc<Survey>>,
    pub reverting: Vec<usize>,
    pub judged: Slots<Judged>,
    pub recorded: Slots<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    Hold(Arc<Environment>, bool),
    Mark(usize, u8, bool),
    Environment(u8, Arc<EnvironmentStatus>),
    Migration(usize, u8, Arc<MigrationStatus>),
    Approval(u8),
    /// Into the database.
    Record(String),
}

impl Process {
    pub fn new(server: &Objects) -> Self {
        Self {
            seen: server.clone(),
            coming: Default::default(),
            keeper: server.environment.as_ref().map(|_| Keeper::woken()),
            orphans: true,
        }
    }

    pub fn is_busy(&self) -> bool {
        let phase = self.keeper.as_ref().map(|keeper| &keeper.phase);
        !matches!(phase, None | Some(Phase::Asleep | Phase::Soon))
    }

    /// Whether it can go on by itself.
    pub fn is_awake(&self) -> bool {
        let is_told = self.coming.iter().any(|events| !events.is_empty());
        self.is_busy() || self.is_rung() || self.is_soon() || self.orphans || is_told
    }

    pub fn is_writing(&self) -> bool {
        let phase = self.keeper.as_ref().map(|keeper| &keeper.phase);
        matches!(phase, Some(Phase::Writing(_)))
    }

    pub fn is_asking(&self) -> bool {
        let phase = self.keeper.as_ref().map(|keeper| &keeper.phase);
        matches!(phase, Some(Phase::Asking))
    }

    pub fn is_rung(&self) -> bool {
        !self.is_busy() && self.keeper.as_ref().is_some_and(|keeper| keeper.bell)
    }

    pub fn is_soon(&self) -> bool {
        let phase = self.keeper.as_ref().map(|keeper| &keeper.phase);
        phase == Some(&Phase::Soon)
    }

    pub fn ring(&mut self) {
        match &mut self.keeper {
            Some(keeper) => keeper.bell = true,
            None if self.seen.environment.is_some() => self.keeper = Some(Keeper::woken()),
            None => {}
        }
    }

    /// Whether a deletion that it waits for has settled; none when it waits for none.
    pub fn age(&self, slot: usize) -> Option<bool> {
        let (uid, age) = self.keeper.as_ref()?.ages[slot]?;
        let seen = self.seen.migrations[slot].as_ref()?;
        let waits = seen.uid == uid && seen.deleted.is_some() && seen.is_marked;
        match age {
            Age::Fresh if waits => Some(false),
            Age::Settled if waits => Some(true),
            _ => None,
        }
    }

    /// Time passes; whether too much of it did.
    pub fn grow(&mut self, slot: usize) -> bool {
        let Some(keeper) = &mut self.keeper else {
            return false;
        };
        keeper.bell = true;
        let Some((_, age)) = &mut keeper.ages[slot] else {
            return false;
        };
        *age = match age {
            Age::Fresh => Age::Settled,
            Age::Settled | Age::Overdue => Age::Overdue,
        };
        *age == Age::Overdue
    }

    /// The next event of a kind: whoever keeps what changed is woken, and not by what an operator writes.
    pub fn deliver(&mut self, kind: Kind) {
        let Some(event) = self.coming[kind as usize].pop_front() else {
            return;
        };
        let before = self.seen.clone();
        self.seen.take(&event, kind);
        match kind {
            Kind::Environments => {
                let face = |one: &Option<Arc<Environment>>| {
                    let one = one.as_ref()?;
                    Some((one.uid, one.generation, one.request, one.is_deleted))
                };
                if face(&before.environment) != face(&self.seen.environment) {
                    self.orphans = true;
                    self.ring();
                }
            }
            Kind::Migrations => {
                let face = |one: &Option<Arc<Migration>>| {
                    let one = one.as_ref()?;
                    Some((one.uid, one.generation, one.deleted.is_some()))
                };
                for slot in 0..SLOTS {
                    let now = &self.seen.migrations[slot];
                    let was_marked = |one: &Option<Arc<Migration>>| {
                        one.as_ref().is_some_and(|one| one.is_marked)
                    };
                    let is_unmarked = was_marked(&before.migrations[slot]) && !was_marked(now);
                    if is_unmarked || face(&before.migrations[slot]) != face(now) {
                        self.orphans |= now.as_ref().is_none_or(|one| one.deleted.is_some());
                        self.ring();
                    }
                }
            }
            Kind::Approvals => self.ring(),
        }
    }
}

impl Keeper {
    fn woken() -> Self {
        Self {
            bell: true,
            ..Self::default()
        }
    }

    pub fn end(&mut self, is_soon: bool) {
        self.pass = None;
        self.writes.clear();
        self.phase = if is_soon { Phase::Soon } else { Phase::Asleep };
    }

    /// What was observed of its migrations, as `keeper::leaving` does.
    pub fn leaving(&mut self, seen: &Slots<Arc<Migration>>, pass: &Pass) -> Vec<(usize, Leaving)> {
        let mut all = Vec::new();
        for (slot, one) in seen.iter().enumerate() {
            let uid = one.as_ref().map(|one| one.uid);
            self.ages[slot] = self.ages[slot].filter(|(of, _)| uid == Some(*of));
            self.marks[slot] = self.marks[slot].filter(|(of, _)| uid == Some(*of));
            let Some(one) = one else { continue };
            let is_deleted = one.deleted.is_some();
            let is_marked = self.marks[slot].map_or(one.is_marked, |(_, mark)| mark);
            let mut age = Age::Fresh;
            if is_deleted && one.reverts && is_marked {
                age = self.ages[slot].get_or_insert((one.uid, Age::Fresh)).1;
            }
            let of = Leaving {
                is_environment_there: !pass.object.is_deleted,
                is_deleted,
                reverts: one.reverts,
                is_marked,
                age,
                is_followed: false,
                judged: pass.judged[slot],
                is_recorded: pass.recorded[slot],
            };
            all.push((slot, of));
        }
        all
    }
}

/// What the databases are to be asked about.
pub fn question(seen: &Objects, pass: &Pass) -> Question {
    let object = &pass.object;
    let mut objects = vec![(object.uid.to_string(), object.generation)];
    let own = seen.migrations.iter().flatten();
    let own = own.filter(|one| one.deleted.is_none());
    objects.extend(own.map(|one| (one.uid.to_string(), one.generation)));
    Question {
        objects,
        requested: (object.request > 0).then(|| object.request.to_string()),
        reverting: pass.reverting.iter().map(|slot| name(*slot)).collect(),
    }
}

pub fn name(slot: usize) -> MigrationName {
    NAMES[slot].parse().unwrap()
}
