//! What becomes of a plan that Jobs run: whether one is followed, made, or has said all there is to say.

/// The exit codes of `whimbrel run` after which the same would fail again, whoever starts it: everything but a lock held
/// elsewhere (5), what is worth retrying (75), signals, and what the kernel ends.
pub const FINAL_EXITS: [i32; 7] = [1, 2, 3, 4, 7, 8, 64];
/// A gate says no, or the plan isn't the one that was named: another look shows which plan there is.
pub const REFUSED_EXIT: i32 = 6;

/// What was asked of a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The digest of the plan.
    pub plan: String,
    /// What it was made for: the digest of the question that the plan answers.
    pub of: String,
}

/// A Job of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// What was asked of it.
    pub asked: Asked,
    /// The how-manieth of its plan it is, from one.
    pub attempt: u32,
    /// The plan that was left when it had failed: a part may be done, and what failed is tried otherwise.
    pub left: Option<String>,
    /// How it ended; none while it goes on.
    pub end: Option<End>,
}

/// How a Job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its process says that everything is applied.
    Done,
    /// The plan isn't what it was, or may not be run now.
    Moved,
    /// The same may work later.
    Temporary,
    /// The same would fail again.
    Failed,
}

/// What to do about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait for a Job that goes on, of whatever plan: there is never a second one.
    Follow(String),
    /// Take what a Job has said of this very plan, which nobody asked to try again.
    Take(String),
    /// Make a Job.
    Start {
        /// The how-manieth of its plan.
        attempt: u32,
    },
}

/// What to do about a plan, with all Jobs of its environment.
#[must_use]
pub fn next(jobs: &[Seen], asked: &Asked) -> Next {
    if let Some(going) = going(jobs) {
        return Next::Follow(going.to_owned());
    }
    let own = jobs.iter().filter(|job| job.asked.plan == asked.plan);
    let last = own.max_by_key(|job| job.attempt);
    let has_left = |job: &&Seen| job.left.as_ref() == Some(&asked.plan);
    let failed = last.or_else(|| jobs.iter().find(has_left));
    match (failed, last) {
        (Some(failed), _) if failed.end == Some(End::Failed) && failed.asked.of == asked.of => {
            Next::Take(failed.name.clone())
        }
        (_, Some(last)) => Next::Start {
            attempt: last.attempt.saturating_add(1),
        },
        (_, None) => Next::Start { attempt: 1 },
    }
}

/// The Job that goes on. Where two operators have each made one, both take the same for it, and the other is ended.
#[must_use]
pub fn going(jobs: &[Seen]) -> Option<&str> {
    let going = jobs.iter().filter(|job| job.end.is_none());
    going.map(|job| job.name.as_str()).min()
}

/// How a Job ended that didn't succeed: by the reason of its condition `Failed`, and by how the container of its last Pod
/// ended, where that is known. The reasons are those of the Job controller (`k8s.io/api/batch/v1`).
#[must_use]
pub fn end(reason: &str, exit: Option<i32>) -> End {
    match (reason, exit) {
        // A deadline that somebody set: it was too short, and would be again.
        ("DeadlineExceeded", _) => End::Failed,
        (_, Some(REFUSED_EXIT)) => End::Moved,
        (_, Some(exit)) if FINAL_EXITS.contains(&exit) => End::Failed,
        ("BackoffLimitExceeded", _) | (_, Some(_)) => End::Temporary,
        ("PodFailurePolicy", None) => End::Failed,
        (_, None) => End::Temporary,
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, End, Next, Seen, end, going, next};

    fn asked(plan: &str, of: &str) -> Asked {
        Asked {
            plan: plan.to_owned(),
            of: of.to_owned(),
        }
    }

    fn seen(name: &str, of: Asked, attempt: u32, end: Option<End>) -> Seen {
        Seen {
            name: name.to_owned(),
            asked: of,
            attempt,
            left: None,
            end,
        }
    }

    #[test]
    fn a_plan_that_a_failed_job_has_left_is_not_tried_either() {
        let left = Seen {
            left: Some("rest".to_owned()),
            ..seen("a", asked("a", "1/"), 1, Some(End::Failed))
        };
        let jobs = [left];
        let next = |of| next(&jobs, &asked("rest", of));
        assert_eq!(next("1/"), Next::Take("a".to_owned()));
        assert_eq!(next("1/again"), Next::Start { attempt: 1 });
    }

    #[test]
    fn there_is_never_a_second_one() {
        let now = asked("a", "1/");
        let going = seen("b", asked("b", "1/"), 3, None);
        let failed = seen("a", now.clone(), 1, Some(End::Failed));
        let jobs = [failed, going];
        assert_eq!(next(&jobs, &now), Next::Follow("b".to_owned()));
    }

    #[test]
    fn everybody_takes_the_same_for_the_one_that_goes_on() {
        let of = || asked("a", "1/");
        let (one, two) = (seen("x", of(), 1, None), seen("y", of(), 1, None));
        assert_eq!(going(&[two.clone(), one.clone()]), Some("x"));
        assert_eq!(going(&[one, two]), Some("x"));
        assert_eq!(going(&[seen("z", of(), 1, Some(End::Done))]), None);
    }

    #[test]
    fn what_failed_is_tried_again_only_when_somebody_changes_something_or_asks() {
        let failed = |of: Asked| [seen("a", of, 2, Some(End::Failed))];
        let now = asked("a", "1/");
        assert_eq!(next(&failed(now.clone()), &now), Next::Take("a".to_owned()));
        for other in [asked("a", "2/"), asked("a", "1/again")] {
            let started = Next::Start { attempt: 3 };
            assert_eq!(next(&failed(now.clone()), &other), started);
        }
        let other = asked("b", "1/");
        assert_eq!(next(&failed(now), &other), Next::Start { attempt: 1 });
    }

    #[test]
    fn what_may_work_later_is_tried_again() {
        let now = asked("a", "1/");
        for end in [End::Temporary, End::Moved, End::Done] {
            let jobs = [
                seen("a-2", now.clone(), 2, Some(end)),
                seen("a-1", now.clone(), 1, Some(End::Failed)),
            ];
            assert_eq!(next(&jobs, &now), Next::Start { attempt: 3 });
        }
    }

    #[test]
    fn ends_are_told_apart_by_reason_and_exit_code() {
        assert_eq!(end("PodFailurePolicy", Some(1)), End::Failed);
        assert_eq!(end("PodFailurePolicy", Some(7)), End::Failed);
        assert_eq!(end("PodFailurePolicy", Some(6)), End::Moved);
        assert_eq!(end("PodFailurePolicy", None), End::Failed);
        assert_eq!(end("BackoffLimitExceeded", Some(75)), End::Temporary);
        assert_eq!(end("BackoffLimitExceeded", Some(137)), End::Temporary);
        assert_eq!(end("BackoffLimitExceeded", None), End::Temporary);
        assert_eq!(end("DeadlineExceeded", Some(143)), End::Failed);
    }
}
