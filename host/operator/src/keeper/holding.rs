//! Waits until the shard of the environment is held, and forgets what another replica may change meanwhile.

use super::leaving::Departures;
use super::{Keeper, Referenced, Told};

impl Keeper {
    /// Waits until work on the environment may be begun here; false when it is gone or the operator ends.
    pub(super) async fn hold(&mut self) -> bool {
        if self.operator.shards.is_held(&self.name) {
            return true;
        }
        self.referenced = Referenced::default();
        self.departures = Departures::default();
        self.told = Told::new();
        self.publishing = None;
        // Another replica shows them now.
        self.operator.measures.forget(&self.name);
        // It may be another one's for as long as it likes.
        self.pulse.run();
        let mut changes = self.operator.shards.changes();
        loop {
            let operator = &self.operator;
            if operator.stop.is_requested() || operator.cluster.environment(&self.name).is_none() {
                return false;
            }
            if operator.shards.is_held(&self.name) {
                return true;
            }
            tokio::select! {
                () = operator.stop.requested() => return false,
                () = self.bell.notified() => {}
                _ = changes.changed() => {}
            }
        }
    }
}
