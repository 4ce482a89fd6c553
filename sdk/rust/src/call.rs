//! What the current call is part of.

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::observe::call as host;
use crate::{Duration, Fault, import};

/// The run's id.
#[must_use]
pub fn run_id() -> String {
    import!(host::run_id, run_id())
}

/// The same for every attempt of one operation: an idempotency key for whatever is called.
#[must_use]
pub fn operation_id() -> String {
    import!(host::operation_id, operation_id())
}

/// Which attempt this is, from 1.
#[must_use]
pub fn attempt() -> u32 {
    import!(host::attempt, attempt())
}

/// When the call must be done, in milliseconds since the Unix epoch.
#[must_use]
pub fn deadline() -> Option<u64> {
    import!(host::deadline, deadline())
}

/// Whether the call should stop.
#[must_use]
pub fn is_cancelled() -> bool {
    import!(host::cancelled, cancelled())
}

/// Gives the fault to return when the call should stop: `call::check()?` between batches.
///
/// # Errors
/// The call should stop.
pub fn check() -> Result<(), Fault> {
    if is_cancelled() {
        Err(Fault::cancelled())
    } else {
        Ok(())
    }
}

/// Sleeps between batches; only after a commit, since an open transaction would hold the database up.
///
/// # Errors
/// It was cut short because the call should stop.
pub fn pause(duration: Duration) -> Result<(), Fault> {
    if duration.as_millis() > 0 && import!(host::pause, pause(duration.as_millis())) {
        return Err(Fault::cancelled());
    }
    Ok(())
}
