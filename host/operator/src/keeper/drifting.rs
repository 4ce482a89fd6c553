//! Compares what is applied with its definitions now and then, beside everything else: what differs is measured, logged and told
//! as an event, and nothing else follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use whimbrel_config::Kind;
use whimbrel_core::name::TargetName;
use whimbrel_engine::{Comparison, Difference, compare};

use super::{Keeper, Pass};
use crate::operator::Operator;
use crate::survey::Surveyed;

/// What is known of an environment's drift.
pub(super) struct Drift {
    /// When to compare next; never if absent.
    next: Option<Instant>,
    /// What differs, as it was told last: by database, in words.
    told: BTreeMap<TargetName, String>,
}

impl Drift {
    /// Nothing is known yet. A process that has just begun has something else to do.
    pub(super) fn new(operator: &Operator) -> Self {
        Self {
            next: later(operator),
            told: BTreeMap::new(),
        }
    }

    /// How long until the next comparison.
    pub(super) fn pause(&self) -> Option<Duration> {
        let next = self.next?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

fn later(operator: &Operator) -> Option<Instant> {
    let interval = operator.settings.drift_interval;
    (!interval.is_zero()).then(|| Instant::now() + operator.limits.pause(interval))
}

impl Keeper {
    /// Compares what a pass has asked, if it is time. Whatever happens meanwhile goes first, and then it is time still.
    pub(super) async fn compare(&mut self, pass: &Pass, is_reported: bool) {
        if self.drift.pause().is_none_or(|pause| !pause.is_zero()) {
            return;
        }
        let is_settled = is_reported && pass.reverting.is_empty();
        if let Some(surveyed) = pass.surveyed.as_ref().filter(|_| is_settled) {
            let (operator, bell) = (Arc::clone(&self.operator), Arc::clone(&self.bell));
            let name = self.name.clone();
            tokio::select! {
                biased;
                () = operator.stop.requested() => return,
                () = operator.shards.lost(&name) => return,
                () = bell.notified() => {
                    bell.notify_one();
                    return;
                }
                () = self.compare_all(pass, surveyed) => {}
            }
        }
        self.drift.next = later(&self.operator);
    }

    async fn compare_all(&mut self, pass: &Pass, surveyed: &Surveyed) {
        let operator = Arc::clone(&self.operator);
        // Nobody closes it.
        let Ok(_turn) = operator.turns.acquire().await else {
            return;
        };
        for target in surveyed.opened.names() {
            self.pulse.beat(operator.limits.drift_time);
            if let Some(found) = self.compared(pass, surveyed, &target).await {
                self.found(pass, &target, &found);
            }
        }
        self.pulse.beat(Duration::ZERO);
    }

    /// What differs on one database. None where that can't be said now: then what was known stays.
    async fn compared(
        &self,
        pass: &Pass,
        surveyed: &Surveyed,
        target: &TargetName,
    ) -> Option<Vec<Difference>> {
        let patience = self.operator.limits.drift_time;
        let compared = tokio::time::timeout(patience, compare(&surveyed.opened, target)).await;
        let Comparison {
            mut differences,
            is_moving,
            is_ahead,
            ..
        } = match compared {
            Ok(Ok(comparison)) => comparison,
            Ok(Err(error)) => {
                let error = self.scrubbed(&error.to_string());
                tracing::info!(environment = %self.name, %target, "it can't be compared: {error}");
                return None;
            }
            Err(_) => {
                tracing::warn!(environment = %self.name, %target, "comparing it took too long");
                return None;
            }
        };
        // Half of a run is no drift, whoever runs it, nor is what somebody else took from a newer commit.
        if is_moving || is_ahead {
            return None;
        }
        if pass.object.spec.source_ref.is_none() {
            // Of objects, one that was deleted stays applied on purpose.
            differences.retain(|one| one.kind != "absent");
        }
        Some(differences)
    }

    fn found(&mut self, pass: &Pass, target: &TargetName, differences: &[Difference]) {
        let operator = &self.operator;
        operator
            .measures
            .drifted(&self.name, target, differences.len());
        for one in differences {
            let message = self.scrubbed(&one.message);
            tracing::warn!(environment = %self.name, %target, migration = %one.migration, kind = one.kind, "it isn't as it was applied: {message}");
        }
        let words = differences.iter();
        let words = words.map(|one| format!("{}: {}", one.migration, self.scrubbed(&one.message)));
        let words = words.collect::<Vec<_>>().join("; ");
        let before = self.drift.told.get(target);
        if before.map_or("", String::as_str) == words {
            return;
        }
        let cluster = &operator.cluster;
        if words.is_empty() {
            self.drift.told.remove(target);
            let note = format!("{target}: everything is as it was applied");
            cluster.tell_of(
                Kind::Environment,
                &*pass.object,
                false,
                "DriftResolved",
                &note,
            );
        } else {
            let note = format!("{target}: {words}");
            cluster.tell_of(
                Kind::Environment,
                &*pass.object,
                true,
                "DriftDetected",
                &note,
            );
            self.drift.told.insert(target.clone(), words);
        }
    }

    fn scrubbed(&self, text: &str) -> String {
        self.operator.context.scrubber().scrub(text)
    }
}
