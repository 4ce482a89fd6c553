//! What the next environment may take over, published when the environment stands: whoever waits for that doesn't wait for
//! this.

use whimbrel_engine::{Opened, Prepared, publish, publish_again};

use super::Worker;

impl Worker {
    /// Publishes what was run, or else what is there, unless it is published already.
    pub(super) async fn publish_again(&mut self, opened: &Opened, prepared: &Prepared) {
        let histories = &prepared.survey.histories;
        let published = if self.unpublished.take().is_some() {
            Some(publish(opened, Some(histories)).await)
        } else {
            publish_again(self.publishing.as_ref(), opened, histories).await
        };
        if published.is_some() {
            self.publishing = published;
        }
    }

    /// Publishes what was run, wherever the environment stands since.
    pub(super) async fn publish_rest(&mut self) {
        if let Some(ran) = self.unpublished.take() {
            self.publishing = Some(publish(&ran.opened, None).await);
        }
    }
}
