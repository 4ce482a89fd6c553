//! The next action of an environment.

use whimbrel_signal::Scrubbed;

/// What was observed of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Somebody wants the object gone.
    pub is_deleted: bool,
    /// Our finalizer is on it.
    pub is_held: bool,
    /// Others only extend it.
    pub is_abstract: bool,
    /// Nothing new is to be begun.
    pub is_suspended: bool,
    /// Where it is defined.
    pub source: Source,
    /// A migration's finalizer isn't as it should be.
    pub is_unmarked: bool,
    /// It isn't known what the deletion of a migration is part of.
    pub is_unjudged: bool,
    /// What is to be reverted, because its object was deleted; none when nothing is. Nothing else is done before.
    pub reverting: Option<String>,
    /// An approval of exactly the plan at hand is there, and isn't recorded in the databases.
    pub is_approved: bool,
    /// What its databases say.
    pub known: Known,
}

/// Where an environment is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the object and the namespace's migrations, or in a source that was read.
    Known,
    /// In a source that isn't there.
    Missing(String),
    /// In a source that wasn't read yet, and why.
    Unread(String),
}

/// What the databases of an environment say. It is told, and so is without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// They weren't asked.
    Nothing,
    /// Everything is applied.
    Current,
    /// Something is missing, and may be done.
    Pending,
    /// Something is missing, and gates say no.
    Waiting {
        /// Which of them count most.
        on: Waiting,
        /// What they say.
        message: Scrubbed,
    },
    /// What is pending was tried and failed: the same would fail again.
    Failed(Scrubbed),
    /// It can't be run, or what it is made from is wrong.
    Wrong {
        /// Whether the definition is what is wrong, and not how it fits to what is applied.
        is_definition: bool,
        /// What.
        message: Scrubbed,
    },
    /// It couldn't be read or reached, or somebody else holds it.
    Away(Scrubbed),
}

/// What a plan waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// Somebody's approval, and nothing else.
    Approval,
    /// Time, or another environment.
    Time,
    /// A change of what is asked for.
    Change,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Put our finalizer on it.
    Hold,
    /// Put our finalizer on its migrations that ask for it, and take it away where it is over.
    Mark,
    /// Ask the API server what the deletion of its migrations is part of.
    Judge,
    /// End what goes on, give back what was lent, and take the finalizer away.
    Release,
    /// Ask the databases.
    Survey,
    /// Record the approval in the databases.
    Approve,
    /// Run the plan.
    Run,
    /// Write how it stands, and wait.
    Report,
    /// It is gone.
    Forget,
}

/// The next action.
#[must_use]
pub const fn step(observed: &Observed) -> Action {
    if observed.is_deleted {
        return if observed.is_held && observed.is_unmarked {
            Action::Mark
        } else if observed.is_held {
            Action::Release
        } else {
            Action::Forget
        };
    }
    if observed.is_abstract || observed.is_suspended {
        // What waits for a revert waits for a bounded time, also here.
        return if observed.is_held && observed.is_unmarked {
            Action::Mark
        } else {
            Action::Report
        };
    }
    if !matches!(observed.source, Source::Known) {
        return Action::Report;
    }
    if !observed.is_held {
        return Action::Hold;
    }
    if observed.is_unmarked {
        return Action::Mark;
    }
    if observed.is_unjudged {
        return Action::Judge;
    }
    match &observed.known {
        Known::Nothing => Action::Survey,
        Known::Waiting {
            on: Waiting::Approval,
            ..
        } if observed.is_approved => Action::Approve,
        Known::Pending => Action::Run,
        _ => Action::Report,
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Known, Observed, Source, Waiting, step};

    fn observed(known: Known) -> Observed {
        Observed {
            is_deleted: false,
            is_held: true,
            is_abstract: false,
            is_suspended: false,
            source: Source::Known,
            is_unmarked: false,
            is_unjudged: false,
            reverting: None,
            is_approved: false,
            known,
        }
    }

    fn waiting(on: Waiting) -> Known {
        Known::Waiting {
            on,
            message: "".into(),
        }
    }

    /// Every way in which an environment can be observed.
    fn all() -> Vec<Observed> {
        let flags = [false, true];
        let sources = [
            Source::Known,
            Source::Missing("x".to_owned()),
            Source::Unread("x".to_owned()),
        ];
        let knowns = [
            Known::Nothing,
            Known::Current,
            Known::Pending,
            waiting(Waiting::Approval),
            waiting(Waiting::Time),
            waiting(Waiting::Change),
            Known::Failed("".into()),
            Known::Wrong {
                is_definition: true,
                message: "".into(),
            },
            Known::Away("".into()),
        ];
        let mut all = Vec::new();
        for bits in 0..128_u32 {
            let flag = |bit: u32| flags[usize::from(bits >> bit & 1 == 1)];
            for source in &sources {
                for known in &knowns {
                    all.push(Observed {
                        is_deleted: flag(0),
                        is_held: flag(1),
                        is_abstract: flag(2),
                        is_suspended: flag(3),
                        is_approved: flag(4),
                        is_unmarked: flag(5),
                        is_unjudged: flag(6),
                        reverting: None,
                        source: source.clone(),
                        known: known.clone(),
                    });
                }
            }
        }
        all
    }

    #[test]
    fn nothing_runs_that_is_deleted_suspended_or_not_held() {
        for observed in all() {
            let acts = matches!(
                step(&observed),
                Action::Run | Action::Approve | Action::Judge
            );
            let may = observed.is_held
                && !observed.is_deleted
                && !observed.is_suspended
                && !observed.is_abstract
                && !observed.is_unmarked
                && observed.source == Source::Known;
            assert!(!acts || may, "{observed:?}");
        }
    }

    #[test]
    fn what_is_deleted_is_let_go_whatever_else_is_known() {
        for observed in all().into_iter().filter(|observed| observed.is_deleted) {
            let expected = if observed.is_held && observed.is_unmarked {
                Action::Mark
            } else if observed.is_held {
                Action::Release
            } else {
                Action::Forget
            };
            assert_eq!(step(&observed), expected);
        }
    }

    #[test]
    fn an_approval_is_recorded_only_where_nothing_else_is_waited_for() {
        let approved = |known| Observed {
            is_approved: true,
            ..observed(known)
        };
        assert_eq!(step(&approved(waiting(Waiting::Approval))), Action::Approve);
        for other in [Waiting::Time, Waiting::Change] {
            assert_eq!(step(&approved(waiting(other))), Action::Report);
        }
        assert_eq!(step(&observed(waiting(Waiting::Approval))), Action::Report);
    }

    #[test]
    fn it_is_held_before_its_databases_are_asked() {
        let free = Observed {
            is_held: false,
            ..observed(Known::Nothing)
        };
        assert_eq!(step(&free), Action::Hold);
        assert_eq!(step(&observed(Known::Nothing)), Action::Survey);
        assert_eq!(step(&observed(Known::Pending)), Action::Run);
        assert_eq!(step(&observed(Known::Failed("".into()))), Action::Report);
    }

    #[test]
    fn its_migrations_are_marked_and_judged_before_its_databases_are_asked() {
        let unjudged = Observed {
            is_unjudged: true,
            ..observed(Known::Pending)
        };
        assert_eq!(step(&unjudged), Action::Judge);
        let unmarked = Observed {
            is_unmarked: true,
            ..unjudged.clone()
        };
        assert_eq!(step(&unmarked), Action::Mark);
        // Without our finalizer on it, nobody would take theirs away.
        let free = Observed {
            is_held: false,
            ..unmarked.clone()
        };
        assert_eq!(step(&free), Action::Hold);
        let suspended = Observed {
            is_suspended: true,
            ..unmarked.clone()
        };
        assert_eq!(step(&suspended), Action::Mark);
        // What became abstract reverts nothing any more, and keeps nobody from going.
        let extended = Observed {
            is_abstract: true,
            ..unmarked
        };
        assert_eq!(step(&extended), Action::Mark);
        let suspended = Observed {
            is_suspended: true,
            ..unjudged
        };
        assert_eq!(step(&suspended), Action::Report);
    }
}
