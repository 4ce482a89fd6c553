//! The reconcile state machine, model-checked: everything that can happen at a small size is tried, in every order.
//!
//! The decisions are the product's own functions of [`crate::reconcile`]. Around them is a model of the rest: an API server
//! whose events arrive late, together and in any order across kinds, people, a database, and the loop of an environment, of
//! which each write is an action that can fail or be the last one of its process. Rules are held at every step; and from
//! every state, once nothing more goes wrong, the system comes to rest, with the statuses that an undisturbed operator writes.
//!
//! That the rules would find a fault is shown by breaking one decision at a time.

mod explore;
mod objects;
mod passes;
mod people;
mod process;
mod rules;
mod scenarios;
mod survey;
mod world;
mod writes;

use explore::{Counterexample, explore};
use scenarios::{
    applying, approving, deleting, deleting_one, failing, failing_requests, two, two_by_turns,
    two_failing,
};
use world::{Deed, World};

use crate::api::EnvironmentStatus;
use crate::reconcile::{Action, Fate, Last, Leaving, Observed, Question, fates, is_news, step};

type IsNews =
    fn(Option<&EnvironmentStatus>, Option<&Last<EnvironmentStatus>>, &EnvironmentStatus) -> bool;

/// The decisions. Each can be broken.
pub struct Machine {
    step: fn(&Observed) -> Action,
    fates: fn(&mut [Leaving]) -> Vec<Fate>,
    question: fn(&Question) -> Question,
    /// Of which question a failure is.
    tried: fn(&Question) -> Question,
    is_news: IsNews,
    /// Whether a plan that failed waits until something changes.
    holds_failures: bool,
    /// Whether a run looks at the plan again under its lock: the engine's part.
    looks_again: bool,
}

const PRODUCT: Machine = Machine {
    step,
    fates,
    question: Clone::clone,
    tried: Clone::clone,
    is_news,
    holds_failures: true,
    looks_again: true,
};

/// What can happen, and how often.
#[derive(Clone, Copy)]
pub struct Allowed {
    /// By people, of those.
    deeds: u8,
    of: &'static [Deed],
    /// Processes that are killed.
    crashes: u8,
    /// Requests that fail, or whose answer is lost.
    faults: u8,
    /// Deletions that take too long.
    overdue: u8,
    /// Whether migrations ask to be reverted.
    reverts: bool,
    /// How many events of a kind can be on their way. Later ones come together, as after a watch that was lost.
    coming: usize,
    /// How often another process goes on although the one that did could.
    switches: u8,
}

const NOTHING: Allowed = Allowed {
    deeds: 0,
    of: &[],
    crashes: 0,
    faults: 0,
    overdue: 0,
    reverts: false,
    coming: 2,
    switches: 0,
};

/// With this variable a scenario is explored with everything that it allows together, which takes minutes. Without, crashes
/// come with one deed less, and all deeds without a crash.
const WHOLE: &str = "WHIMBREL_MODEL_WHOLE";

type Scenario = fn(&'static Machine) -> World;

#[track_caller]
fn holds(name: &str, scenario: Scenario) {
    let whole = scenario(&PRODUCT);
    let Allowed { deeds, crashes, .. } = whole.allowed;
    let is_whole = std::env::var_os(WHOLE).is_some() || deeds < 2;
    let sizes = if is_whole {
        vec![(deeds, crashes)]
    } else {
        vec![(deeds - 1, crashes), (deeds, 0)]
    };
    for (deeds, crashes) in sizes {
        let mut world = whole.clone();
        (world.allowed.deeds, world.allowed.crashes) = (deeds, crashes);
        match explore(&world) {
            Ok(explored) => println!("{name}, {deeds} deeds, {crashes} crashes: {explored}"),
            Err(found) => panic!("{}", shown(&found)),
        }
    }
}

/// Breaks a decision, and finds it.
#[track_caller]
fn finds(scenario: Scenario, broken: &'static Machine, expected: &str) {
    let found = explore(&scenario(broken)).expect_err("nobody noticed");
    println!("{}", shown(&found));
    assert!(found.broken.0.contains(expected), "{}", found.broken.0);
}

fn shown(found: &Counterexample) -> String {
    format!("{}\n  {}", found.broken.0, found.trace.join("\n  "))
}

#[test]
fn what_is_applied_is_applied_once_and_said_truly() {
    holds("applying", applying);
}

#[test]
fn requests_that_fail_change_nothing_in_the_end() {
    holds("failing requests", failing_requests);
}

#[test]
fn what_failed_is_tried_again_exactly_when_something_changed() {
    holds("failing", failing);
}

#[test]
fn nothing_runs_without_its_approval() {
    holds("approving", approving);
}

#[test]
fn only_an_explicit_deletion_reverts_and_everything_deleted_goes() {
    holds("deleting", deleting);
    holds("deleting one", deleting_one);
}

#[test]
fn any_two_operators_at_once_do_as_one() {
    holds("two", two);
    holds("two by turns", two_by_turns);
    holds("two, and failing requests", two_failing);
}

#[test]
fn it_is_found_when_suspension_is_ignored() {
    static BROKEN: Machine = Machine {
        step: |observed| {
            step(&Observed {
                is_suspended: false,
                ..observed.clone()
            })
        },
        ..PRODUCT
    };
    finds(applying, &BROKEN, "although its environment says no");
}

#[test]
fn it_is_found_when_nobody_asks_what_a_deletion_is_part_of() {
    static BROKEN: Machine = Machine {
        fates: |all| {
            let judged = crate::reconcile::Judged::Own;
            all.iter_mut().for_each(|of| of.judged = Some(judged));
            fates(all)
        },
        ..PRODUCT
    };
    finds(deleting, &BROKEN, "was not deleted for itself");
}

#[test]
fn it_is_found_when_marks_are_not_put() {
    static BROKEN: Machine = Machine {
        step: |observed| {
            step(&Observed {
                is_unmarked: false,
                ..observed.clone()
            })
        },
        ..PRODUCT
    };
    finds(deleting, &BROKEN, "finalizer false, and it should be true");
}

/// As it was before: what was found of one generation was said of the next, and run without an approval that it asks for.
#[test]
fn it_is_found_when_answers_to_older_questions_count() {
    static BROKEN: Machine = Machine {
        question: |_| Question::default(),
        ..PRODUCT
    };
    finds(applying, &BROKEN, "was seen to say otherwise");
}

/// As it was before: who mends a migration while it fails waits for ever.
#[test]
fn it_is_found_when_a_failure_counts_for_what_was_mended() {
    static BROKEN: Machine = Machine {
        tried: |_| Question::default(),
        ..PRODUCT
    };
    finds(
        failing,
        &BROKEN,
        "it should say something that is done by now",
    );
}

/// As it was before: a status that was seen late counted as the one that is there.
#[test]
fn it_is_found_when_a_status_is_compared_with_what_was_seen_only() {
    static BROKEN: Machine = Machine {
        is_news: |seen, _, after| is_news(seen, None, after),
        ..PRODUCT
    };
    finds(failing_requests, &BROKEN, "it should say Current");
}

/// As it was before: a status that never got there counted as one that had, where it was seen from the time before.
#[test]
fn it_is_found_when_a_write_that_failed_counts_as_done() {
    static BROKEN: Machine = Machine {
        is_news: |seen, wrote, after| {
            let status = wrote.map(|wrote| wrote.status.clone());
            let is_sure = true;
            let sure = status.map(|status| Last { status, is_sure });
            is_news(seen, sure.as_ref(), after)
        },
        ..PRODUCT
    };
    finds(two_failing, &BROKEN, "it should say Current");
}

#[test]
fn it_is_found_when_a_plan_that_failed_is_tried_for_ever() {
    static BROKEN: Machine = Machine {
        holds_failures: false,
        ..PRODUCT
    };
    finds(failing, &BROKEN, "it goes on for ever");
}

#[test]
fn it_is_found_when_a_run_does_not_look_again_under_its_lock() {
    static BROKEN: Machine = Machine {
        looks_again: false,
        ..PRODUCT
    };
    finds(two, &BROKEN, "is applied twice");
}
