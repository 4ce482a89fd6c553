//! What the next environment may take over, published when the environment stands: whoever waits for that doesn't wait for
//! this.

use whimbrel_engine::{Opened, Prepared, is_publishable, publish, publish_again};

use super::Worker;
use crate::environment::Reach;

impl Worker {
    /// Publishes what was run, or else what is there, unless it is published already.
    pub(super) async fn publish_again(&mut self, opened: &Opened, prepared: &Prepared) {
        let histories = prepared.every_history();
        if histories.is_none() && self.has_time(opened) {
            return;
        }
        let published = if self.unpublished.take().is_some() {
            Some(publish(opened, histories).await)
        } else {
            publish_again(self.publishing.as_ref(), opened, histories).await
        };
        if published.is_some() {
            self.publishing = published;
        }
    }

    /// The same where nothing more is done now. Where nobody waits for it, it has time until all databases are asked anyway: a
    /// record is about all of them.
    pub(super) async fn publish_soon(&mut self) {
        let ran = self.unpublished.as_ref();
        if ran.is_some_and(|ran| !self.has_time(&ran.opened)) {
            self.publish_rest().await;
        }
    }

    fn has_time(&self, opened: &Opened) -> bool {
        self.reach == Reach::Changes && !is_publishable(opened)
    }

    /// Publishes what was run, wherever the environment stands since.
    pub(super) async fn publish_rest(&mut self) {
        if let Some(ran) = self.unpublished.take() {
            self.publishing = Some(publish(&ran.opened, None).await);
        }
    }
}
