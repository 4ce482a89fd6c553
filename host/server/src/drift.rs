//! Compares what is applied with its definitions now and then, so that drift is told without anybody asking: one database at a
//! time, beside the environments' own loops, and never in the way of a run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use whimbrel_core::name::TargetName;
use whimbrel_engine::{Comparison, compare};

use crate::desired::Desired;
use crate::environment::{Environment, Phase};
use crate::server::Server;

/// What was found when an environment was compared last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Drift {
    /// How many migrations aren't as they were applied, on all databases that could be compared.
    migrations: usize,
    compared_at: Timestamp,
}

/// Compares all environments, again and again, until the server ends.
pub(crate) async fn keep(server: Arc<Server>) {
    let interval = server.limits.drift_interval;
    if interval.is_zero() {
        return;
    }
    let pulse = server.pulses.begin("drift".to_owned());
    loop {
        let pause = server.limits.pause(interval);
        pulse.beat(pause);
        tokio::select! {
            () = server.stop.requested() => return,
            () = tokio::time::sleep(pause) => {}
        }
        for environment in server.environments() {
            let Some(desired) = environment.desired() else {
                continue;
            };
            let mut found = Some(0);
            for target in desired.opened.names() {
                pulse.beat(server.limits.drift_time);
                let compared = tokio::select! {
                    () = server.stop.requested() => return,
                    compared = one(&server, &environment, &desired, &target) => compared,
                };
                found = found.zip(compared).map(|(all, more)| all + more);
            }
            if let Some(migrations) = found {
                environment.lock().drift = Some(Drift {
                    migrations,
                    compared_at: Timestamp::now(),
                });
            }
        }
    }
}

/// Compares one database; how many migrations differ there. None where that can't be said now: then what was known stays.
async fn one(
    server: &Server,
    environment: &Environment,
    desired: &Desired,
    target: &TargetName,
) -> Option<usize> {
    let _turn = server.readers.acquire().await;
    let runs = || {
        let state = environment.lock();
        (state.phase == Phase::Applying, state.last_run.clone())
    };
    let before = runs();
    if before.0 {
        return None;
    }
    let patience: Duration = server.limits.drift_time;
    let compared = tokio::time::timeout(patience, compare(&desired.opened, target)).await;
    let name = &environment.name;
    let Comparison {
        differences,
        is_moving,
        is_ahead,
        ..
    } = match compared {
        Ok(Ok(comparison)) => comparison,
        Ok(Err(error)) => {
            tracing::info!(environment = %name, %target, "it can't be compared: {error}");
            return None;
        }
        Err(_) => {
            tracing::warn!(environment = %name, %target, "comparing it took too long");
            return None;
        }
    };
    // Half of a run is no drift, whoever runs it, and what somebody else took from a newer commit is soon known here.
    if is_moving || is_ahead || runs() != before {
        return None;
    }
    for one in &differences {
        let message = &one.message;
        tracing::warn!(environment = %name, %target, migration = %one.migration, kind = one.kind, "it isn't as it was applied: {message}");
    }
    server.measures.drifted(name, target, differences.len());
    if environment.is_gone() {
        // What it had may be taken away already.
        server.ended(environment);
    }
    Some(differences.len())
}
