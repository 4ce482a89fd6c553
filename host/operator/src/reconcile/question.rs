//! What the databases of an environment are asked about, and what is remembered of a plan that failed.

use whimbrel_core::digest::Digest;
use whimbrel_core::name::MigrationName;
use whimbrel_signal::Scrubbed;

use super::Known;

/// What the databases are asked about: objects as they were seen, and what is to be reverted. An answer to another question
/// says nothing of this one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Question {
    /// The environment, those that it is defined by, and its migrations: by uid, with the generation.
    pub objects: Vec<(String, i64)>,
    /// Somebody's request for a look.
    pub requested: Option<String>,
    /// What is to be reverted, and then nothing else is asked.
    pub reverting: Vec<MigrationName>,
}

impl Question {
    /// What tells it from others, short enough for an annotation.
    #[must_use]
    pub fn digest(&self) -> String {
        let objects = self.objects.iter();
        let mut lines: Vec<String> = objects
            .map(|(uid, generation)| format!("{uid} {generation}"))
            .collect();
        lines.extend(self.requested.iter().map(|at| format!("requested {at:?}")));
        lines.extend(self.reverting.iter().map(|name| format!("revert {name}")));
        Digest::of(lines.join("\n").as_bytes()).short()
    }
}

/// A plan that failed isn't tried again as long as it stays the same, and what it was made of: the same would fail again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Failures {
    /// How the last run failed. Its plan is the one that is made next, of the same: what was done before it failed isn't in it.
    ended: Option<Failure<Option<String>>>,
    /// The plan that failed, by its digest.
    held: Option<Failure<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Failure<K> {
    of: Question,
    key: K,
    message: Scrubbed,
}

impl Failures {
    /// A run failed, of a plan that was made for this question from this revision of a source; none where there is no
    /// source, or it isn't known.
    pub fn end(&mut self, of: &Question, revision: Option<String>, message: Scrubbed) {
        self.ended = Some(Failure {
            of: of.clone(),
            key: revision,
            message,
        });
    }

    /// What is known, where the plan that is made now may be the one that failed. An empty one is none.
    #[must_use]
    pub fn known(
        &mut self,
        of: &Question,
        revision: Option<&str>,
        plan: Option<&str>,
        known: Known,
    ) -> Known {
        let ended = self
            .ended
            .take_if(|ended| plan.is_some() || ended.of != *of);
        if let (Some(ended), Some(plan)) = (ended, plan)
            && ended.of == *of
            && ended.key.as_deref().is_none_or(|of| Some(of) == revision)
        {
            self.held = Some(Failure {
                of: ended.of,
                key: plan.to_owned(),
                message: ended.message,
            });
        }
        let is_held = |held: &Failure<String>| held.of == *of && Some(held.key.as_str()) == plan;
        self.held = self.held.take().filter(is_held);
        match (&self.held, known) {
            (Some(held), Known::Pending) => Known::Failed(held.message.clone()),
            (_, known) => known,
        }
    }

    /// The digest of the plan that failed.
    #[must_use]
    pub fn held(&self) -> Option<&str> {
        self.held.as_ref().map(|held| held.key.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Failures, Question};
    use crate::reconcile::Known;

    fn of(generation: i64) -> Question {
        Question {
            objects: vec![("a".to_owned(), generation)],
            ..Question::default()
        }
    }

    fn failed(question: &Question) -> Failures {
        let mut tried = Failures::default();
        tried.end(question, None, "it is bad".into());
        tried
    }

    #[test]
    fn what_failed_is_not_tried_again_as_long_as_it_is_the_same() {
        let mut tried = failed(&of(1));
        let again = Known::Failed("it is bad".into());
        for _ in 0..2 {
            assert_eq!(tried.known(&of(1), None, Some("x"), Known::Pending), again);
        }
        let other = tried.known(&of(1), None, Some("y"), Known::Pending);
        assert_eq!(other, Known::Pending);
    }

    #[test]
    fn what_was_mended_while_it_failed_is_tried() {
        let mut tried = failed(&of(1));
        let mended = tried.known(&of(2), None, Some("y"), Known::Pending);
        assert_eq!(mended, Known::Pending);
        let mut tried = Failures::default();
        tried.end(&of(1), Some("a commit".to_owned()), "".into());
        let pushed = tried.known(&of(1), Some("another"), Some("y"), Known::Pending);
        assert_eq!(pushed, Known::Pending);
    }

    #[test]
    fn questions_are_told_apart_by_their_digests() {
        let asked = |at: &str| Question {
            requested: Some(at.to_owned()),
            ..of(1)
        };
        let reverting = Question {
            reverting: vec!["0001-people".parse().unwrap()],
            ..of(1)
        };
        let all = [of(1), of(2), asked("a"), asked("b"), reverting];
        let digests: std::collections::BTreeSet<_> = all.iter().map(Question::digest).collect();
        assert_eq!(digests.len(), all.len());
        assert_eq!(of(1).digest(), of(1).digest());
    }

    #[test]
    fn somebody_who_asks_has_it_tried_again() {
        let mut tried = failed(&of(1));
        let _ = tried.known(&of(1), None, Some("x"), Known::Pending);
        let asked = Question {
            requested: Some("now".to_owned()),
            ..of(1)
        };
        let known = tried.known(&asked, None, Some("x"), Known::Pending);
        assert_eq!(known, Known::Pending);
    }
}
