//! Asks a backend again where that may help, and not for ever.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use whimbrel_core::fault::{Fault, FaultClass, Retry};

use crate::clock::Clock;
use crate::limits::Limits;

/// Carries an operation through: each attempt is bounded, what may be cured by waiting is tried again after the pause
/// that the backend named or a growing one, and all of it ends within the budget.
pub(crate) async fn persist<T, F>(
    clock: &dyn Clock,
    limits: &Limits,
    budget: Duration,
    mut operation: impl FnMut() -> F + Send,
) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>> + Send,
{
    let begun = clock.now();
    let mut delays = ExponentialBuilder::default()
        .with_min_delay(limits.retry_delay)
        .with_max_delay(limits.retry_delay_limit)
        .with_jitter()
        .without_max_times()
        .build();
    loop {
        let left = budget.saturating_sub(clock.now().saturating_duration_since(begun));
        let attempt = left.min(limits.attempt_time);
        let result = tokio::select! {
            result = operation() => result,
            () = clock.sleep(attempt) => Err(slow(attempt)),
        };
        let fault = match result {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        let chosen = delays.next().unwrap_or(limits.retry_delay_limit);
        let Some(delay) = pause(&fault, chosen) else {
            return Err(fault);
        };
        let spent = clock.now().saturating_duration_since(begun);
        if spent.saturating_add(delay) >= budget {
            return Err(fault);
        }
        clock.sleep(delay).await;
    }
}

/// How long to wait before trying again; none when that can't help.
fn pause(fault: &Fault, chosen: Duration) -> Option<Duration> {
    match fault.class {
        FaultClass::Unavailable | FaultClass::Conflict => {}
        _ => return None,
    }
    match fault.retry {
        Retry::Never => None,
        Retry::Backoff => Some(chosen),
        Retry::After(milliseconds) => Some(chosen.max(Duration::from_millis(milliseconds))),
    }
}

fn slow(after: Duration) -> Fault {
    let mut fault = Fault::new(
        FaultClass::Unavailable,
        "secrets.timeout",
        format!("the backend gave no answer within {} s", after.as_secs()),
    );
    fault.retry = Retry::Backoff;
    fault
}
