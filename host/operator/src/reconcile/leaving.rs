//! What becomes of a migration that asks to be reverted when its object is deleted.
//!
//! The object is marked by a finalizer before it is applied, so that its deletion is never missed. A deletion reverts only where
//! it is one of its own: not where a namespace, the kind or the environment goes, and the object with it. The mark is taken
//! away in bounded time whatever happens; what wasn't reverted by then stays applied.

/// What was observed of one migration of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Its environment isn't deleted.
    pub is_environment_there: bool,
    /// Somebody deleted it.
    pub is_deleted: bool,
    /// `deletionPolicy: Revert`.
    pub reverts: bool,
    /// Our finalizer is on it.
    pub is_marked: bool,
    /// How long ago it was first seen as deleted.
    pub age: Age,
    /// Another one of the same environment was deleted just now: whoever deletes both has them reverted in their order.
    pub is_followed: bool,
    /// What goes with it.
    pub judged: Option<Judged>,
    /// Whether any database has it; none before all were asked.
    pub is_recorded: Option<bool>,
}

/// How long ago a deletion was first seen, by the clock of whoever saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Age {
    /// Just now: who deletes many objects may be at the next one.
    Fresh,
    /// Long enough to ask what goes with it.
    Settled,
    /// Longer than an object may be kept from going.
    Overdue,
}

/// What a deletion is part of, by the API server's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judged {
    /// Of nothing: somebody deleted this object.
    Own,
    /// Its namespace goes.
    Namespace,
    /// The kind goes.
    Kind,
    /// Its environment goes, or is gone.
    Environment,
    /// It isn't as it was seen: a look will show.
    Changed,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Stay,
    /// Put our finalizer on it.
    Mark,
    /// Take the finalizer away, for this reason.
    LetGo(Reason),
    /// Wait until the deletion has settled, or is seen as it is.
    Wait,
    /// Ask the API server what the deletion is part of.
    Judge,
    /// Have it reverted.
    Revert,
}

/// Why a migration is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No database has it, or not any more.
    Reverted,
    /// It no longer asks to be reverted.
    Unmarked,
    /// What it is part of goes.
    Swept(Judged),
    /// It couldn't be reverted in time.
    Overdue,
}

/// What the API server says of the deletion of a migration, asked one after the other, and not as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The object is the one that was seen, deleted, and asks to be reverted.
    pub is_as_seen: bool,
    /// The kind isn't deleted.
    pub is_kind_there: bool,
    /// The environment is the one that was seen, and isn't deleted.
    pub is_environment_there: bool,
    /// The namespace isn't deleted.
    pub is_namespace_there: bool,
}

/// What a deletion is part of.
#[must_use]
pub const fn judged(told: &Told) -> Judged {
    if !told.is_as_seen {
        Judged::Changed
    } else if !told.is_kind_there {
        Judged::Kind
    } else if !told.is_environment_there {
        Judged::Environment
    } else if !told.is_namespace_there {
        Judged::Namespace
    } else {
        Judged::Own
    }
}

/// What becomes of the migrations of an environment, of each. Where one was deleted just now, all that are to be reverted wait
/// for it.
#[must_use]
pub fn fates(all: &mut [Leaving]) -> Vec<Fate> {
    let is_followed = all
        .iter()
        .any(|of| of.is_deleted && of.reverts && of.is_marked && matches!(of.age, Age::Fresh));
    for of in all.iter_mut() {
        of.is_followed = is_followed;
    }
    all.iter().map(fate).collect()
}

/// What becomes of a migration.
const fn fate(of: &Leaving) -> Fate {
    if !of.is_marked {
        return if of.reverts && !of.is_deleted && of.is_environment_there {
            Fate::Mark
        } else {
            Fate::Stay
        };
    }
    if !of.is_environment_there {
        return Fate::LetGo(Reason::Swept(Judged::Environment));
    }
    if !of.reverts {
        return Fate::LetGo(Reason::Unmarked);
    }
    if !of.is_deleted {
        return Fate::Stay;
    }
    if matches!(of.is_recorded, Some(false)) {
        return Fate::LetGo(Reason::Reverted);
    }
    match (of.judged, of.age) {
        (Some(swept @ (Judged::Namespace | Judged::Kind | Judged::Environment)), _) => {
            Fate::LetGo(Reason::Swept(swept))
        }
        (_, Age::Overdue) => Fate::LetGo(Reason::Overdue),
        (Some(Judged::Changed), _) | (_, Age::Fresh) => Fate::Wait,
        (_, Age::Settled) if of.is_followed => Fate::Wait,
        (None, Age::Settled) => Fate::Judge,
        (Some(Judged::Own), Age::Settled) => Fate::Revert,
    }
}

#[cfg(test)]
mod tests {
    use super::{Age, Fate, Judged, Leaving, Reason, fate};

    /// Every way in which a migration can be observed.
    fn all() -> Vec<Leaving> {
        let flags = [false, true];
        let judged = [
            None,
            Some(Judged::Own),
            Some(Judged::Namespace),
            Some(Judged::Kind),
            Some(Judged::Environment),
            Some(Judged::Changed),
        ];
        let mut all = Vec::new();
        for bits in 0..32_u32 {
            let flag = |bit: u32| flags[usize::from(bits >> bit & 1 == 1)];
            for age in [Age::Fresh, Age::Settled, Age::Overdue] {
                for judged in judged {
                    for is_recorded in [None, Some(false), Some(true)] {
                        all.push(Leaving {
                            is_environment_there: flag(0),
                            is_deleted: flag(1),
                            reverts: flag(2),
                            is_marked: flag(3),
                            is_followed: flag(4),
                            age,
                            judged,
                            is_recorded,
                        });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn only_a_deletion_of_its_own_that_has_settled_reverts() {
        for of in all() {
            let may = of.is_environment_there
                && of.is_deleted
                && of.reverts
                && of.is_marked
                && of.age == Age::Settled
                && !of.is_followed
                && of.judged == Some(Judged::Own)
                && of.is_recorded != Some(false);
            assert_eq!(fate(&of) == Fate::Revert, may, "{of:?}");
        }
    }

    #[test]
    fn what_is_deleted_is_let_go_in_time() {
        for of in all() {
            if of.is_deleted && of.is_marked && of.age == Age::Overdue {
                assert!(matches!(fate(&of), Fate::LetGo(_)), "{of:?}");
            }
        }
    }

    #[test]
    fn nothing_is_held_without_its_environment() {
        for of in all().into_iter().filter(|of| !of.is_environment_there) {
            let expected = if of.is_marked {
                Fate::LetGo(Reason::Swept(Judged::Environment))
            } else {
                Fate::Stay
            };
            assert_eq!(fate(&of), expected);
        }
    }

    #[test]
    fn it_is_marked_exactly_while_it_asks_to_be_reverted() {
        for of in all().into_iter().filter(|of| !of.is_deleted) {
            let wanted = of.reverts && of.is_environment_there;
            match fate(&of) {
                Fate::Mark => assert!(wanted && !of.is_marked),
                Fate::LetGo(_) => assert!(!wanted && of.is_marked),
                other => assert!(other == Fate::Stay && wanted == of.is_marked, "{of:?}"),
            }
        }
    }
}
