//! How a call is asked to end.

use std::sync::Arc;

use tokio::sync::watch;

/// Why a call should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// The person at Terraform interrupted it.
    Stopped,
    /// The time of its `timeouts` block is up.
    Deadline,
    /// Terraform is gone: nobody hears the answer.
    Gone,
}

/// Asks calls to end at their next safe point. Clones ask the same calls.
#[derive(Clone, Debug)]
pub struct Cancel {
    sender: Arc<watch::Sender<Option<CancelReason>>>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl Cancel {
    /// Asks; the first reason counts.
    pub fn request(&self, reason: CancelReason) {
        self.sender.send_modify(|before| {
            before.get_or_insert(reason);
        });
    }

    /// Why it was asked, if it was.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        *self.sender.borrow()
    }

    /// Waits until it is asked, and says why.
    pub async fn requested(&self) -> CancelReason {
        let mut receiver = self.sender.subscribe();
        let asked = receiver.wait_for(Option::is_some).await;
        // The sender lives as long as `self`, so waiting can't fail.
        asked
            .ok()
            .and_then(|reason| *reason)
            .unwrap_or(CancelReason::Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts() {
        let cancel = Cancel::default();
        assert_eq!(cancel.reason(), None);
        cancel.clone().request(CancelReason::Deadline);
        cancel.request(CancelReason::Gone);
        assert_eq!(cancel.requested().await, CancelReason::Deadline);
        assert_eq!(cancel.reason(), Some(CancelReason::Deadline));
    }
}
