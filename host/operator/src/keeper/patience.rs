//! How long is waited until something is tried again: longer and longer, as long as nothing gets any further.

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// Everything is said, and nothing is to be tried again by itself.
    Well,
    /// Everything is said, and something is away.
    Away,
    /// The API server didn't do something.
    Refused {
        /// Whether it did something else before.
        has_taken: bool,
    },
}

/// How often in a row something failed.
#[derive(Debug, Default)]
pub(super) struct Patience {
    away: u32,
    refused: u32,
}

impl Patience {
    /// How often in a row the same may have failed by now; none where nothing has. An API server that takes one write and
    /// not the next one isn't asked ever more slowly: a pass may have as many of them as there are migrations.
    pub(super) const fn after(&mut self, passed: Passed) -> Option<u32> {
        match passed {
            Passed::Well => {
                (self.away, self.refused) = (0, 0);
                None
            }
            Passed::Away => {
                (self.away, self.refused) = (self.away.saturating_add(1), 0);
                Some(self.away)
            }
            Passed::Refused { has_taken } => {
                if has_taken {
                    self.refused = 0;
                }
                self.refused = self.refused.saturating_add(1);
                Some(self.refused)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Passed, Patience};

    const REFUSED: Passed = Passed::Refused { has_taken: false };
    const FURTHER: Passed = Passed::Refused { has_taken: true };

    fn after(all: &[Passed]) -> Vec<Option<u32>> {
        let mut patience = Patience::default();
        all.iter().map(|one| patience.after(*one)).collect()
    }

    #[test]
    fn what_gets_no_further_is_tried_more_and_more_slowly() {
        let counted = after(&[REFUSED, REFUSED, REFUSED]);
        assert_eq!(counted, [Some(1), Some(2), Some(3)]);
        let counted = after(&[Passed::Away, Passed::Away, Passed::Well, Passed::Away]);
        assert_eq!(counted, [Some(1), Some(2), None, Some(1)]);
    }

    #[test]
    fn a_failure_after_something_was_done_is_the_first_one() {
        let counted = after(&[REFUSED, REFUSED, FURTHER, FURTHER, REFUSED]);
        assert_eq!(counted, [Some(1), Some(2), Some(1), Some(1), Some(2)]);
        // What is away is, whatever the API server does meanwhile; and it has said so.
        let counted = after(&[REFUSED, Passed::Away, REFUSED, Passed::Away]);
        assert_eq!(counted, [Some(1), Some(1), Some(1), Some(2)]);
    }
}
