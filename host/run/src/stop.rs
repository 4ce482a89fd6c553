//! How a run is asked to end: first at the next safe point, and when that is asked twice, now.

use std::sync::Arc;

use tokio::sync::watch;

/// How urgently a run should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    None,
    SafePoint,
    Now,
}

/// Asks a run to end. Clones ask the same run.
#[derive(Clone, Debug)]
pub struct Stop {
    sender: Arc<watch::Sender<Urgency>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(Urgency::None)),
        }
    }
}

impl Stop {
    /// Asks to end at the next statement or batch boundary; asked again, to cancel what is running.
    pub fn request(&self) {
        self.sender.send_modify(|urgency| {
            *urgency = if *urgency == Urgency::None {
                Urgency::SafePoint
            } else {
                Urgency::Now
            };
        });
    }

    /// Whether it was asked to end.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.sender.borrow() > Urgency::None
    }

    /// Waits until it is asked to end.
    pub async fn requested(&self) {
        self.at_least(Urgency::SafePoint).await;
    }

    /// Waits until it is asked to end at once.
    pub async fn insisted(&self) {
        self.at_least(Urgency::Now).await;
    }

    async fn at_least(&self, wanted: Urgency) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = receiver.wait_for(|urgency| *urgency >= wanted).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Stop;

    #[tokio::test]
    async fn the_first_request_is_gentle_and_the_second_is_not() {
        let stop = Stop::default();
        assert!(!stop.is_requested());
        stop.request();
        stop.requested().await;
        assert!(stop.is_requested());
        let insisted = stop.clone();
        let waiting = tokio::spawn(async move { insisted.insisted().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        stop.request();
        waiting.await.unwrap();
    }
}
