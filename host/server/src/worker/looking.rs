//! What an environment's loop looks at: the newest revision, and the databases for which that may change something.

use std::sync::Arc;
use std::time::Instant;

use whimbrel_engine::{Closing, Context, EngineError, Kept, Meanwhile, Opened, opening};
use whimbrel_project::Control;

use super::Worker;
use crate::desired::{Desired, Marker};
use crate::environment::{Phase, Reach, Unread};
use crate::source::Freshness;

impl Worker {
    /// Looks at every database unless a push alone is why it looks. Whoever pushes all the time doesn't keep the others from
    /// being asked.
    pub(super) fn begin(&mut self) {
        let interval = self.environment.source.settings.interval;
        let interval = interval.unwrap_or(self.server.limits.interval);
        if self.environment.begin() == Reach::Everything || self.asked_all.elapsed() >= interval {
            self.reach = Reach::Everything;
        }
        if self.reach == Reach::Everything {
            self.kept = Kept::default();
            self.asked_all = Instant::now();
        }
    }

    /// Reads the newest revision if there is one; whether it could be looked for.
    pub(super) async fn refresh(&mut self) -> bool {
        match self.read().await {
            Ok(newer) => {
                let mut state = self.environment.lock();
                state.unread = None;
                // What was there before is given back outside of the lock.
                let before = newer.and_then(|newer| state.desired.replace(newer));
                let now = state.desired.clone();
                drop(state);
                if let (Some(before), Some(now)) = (&before, now) {
                    self.kept.forget_changed(&before.opened, &now.opened);
                }
                drop(before);
                true
            }
            Err(error) => {
                let freshness = if error.is_definition() {
                    Freshness::Invalid
                } else {
                    Freshness::Stale
                };
                tracing::warn!(environment = %self.environment.name, %error, "the newest revision can't be read");
                let error = self.server.context.scrubber().clean(error);
                let mut state = self.environment.lock();
                if state.desired.is_none() {
                    state.phase = Phase::Retrying;
                }
                state.unread = Some(Unread { freshness, error });
                false
            }
        }
    }

    /// The newest revision, if it is another one than what is there, or what is there is old.
    async fn read(&self) -> Result<Option<Arc<Desired>>, EngineError> {
        let selection = self.environment.source.selection(&self.environment.name);
        let control = Control::Environment(selection.environment.clone());
        let asked = selection.clone();
        let opening = tokio::task::spawn_blocking(move || opening(&asked, control)).await;
        let opening = opening.map_err(EngineError::Task)??;
        let marker = Marker::of(&opening);
        if let Some(known) = self.environment.desired()
            && marker.is_some()
            && known.marker == marker
            && known.at.elapsed() < self.server.limits.reopen
        {
            return Ok(None);
        }
        let context = self.context();
        let opened = Opened::of(opening, &selection, &context, self.meanwhile()).await?;
        let desired = Desired::new(opened, marker, self.guard.clone());
        Ok(Some(Arc::new(desired)))
    }

    /// Which of several databases are to be asked is known when the definitions are.
    fn meanwhile(&self) -> Meanwhile {
        let desired = self.environment.desired();
        let are_several = desired.is_some_and(|desired| desired.opened.targets.len() > 1);
        if self.reach == Reach::Changes && are_several && !self.kept.is_empty() {
            Meanwhile::Nothing
        } else {
            Meanwhile::Read
        }
    }

    pub(super) fn context(&self) -> Context {
        let stand = Arc::new(self.environment.stand.clone());
        let context = self.server.context.clone();
        context
            .with_audience(stand)
            .with_closing(Closing::default())
    }
}
