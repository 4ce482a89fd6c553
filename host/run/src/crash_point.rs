//! Named points at which a test can have the process killed, as a power cut would.
//!
//! `WHIMBREL_CRASH_POINT=name` or `name:N` (the N-th time, from 1); with `WHIMBREL_CRASH_WORDS` it dies by a panic that says
//! those words. Compiled in only under the feature `crash-points`.

/// The points, in the order in which a migration passes them.
pub(crate) mod point {
    pub(crate) const LOCK_BEFORE: &str = "lock.before";
    pub(crate) const LOCK_AFTER: &str = "lock.after";
    pub(crate) const BEGIN: &str = "begin";
    pub(crate) const STATEMENT: &str = "statement";
    pub(crate) const RECORD: &str = "record";
    pub(crate) const FENCE: &str = "fence";
    pub(crate) const COMMIT: &str = "commit";
    pub(crate) const CHECKPOINT: &str = "checkpoint";
    pub(crate) const OUTSIDE: &str = "outside";
    pub(crate) const LEASE_END_BEFORE: &str = "lease.end.before";
    pub(crate) const LEASE_END_AFTER: &str = "lease.end.after";
    pub(crate) const UNLOCK_BEFORE: &str = "unlock.before";
    pub(crate) const UNLOCK_AFTER: &str = "unlock.after";
}

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Armed {
        name: String,
        left: AtomicU32,
    }

    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        ARMED
            .get_or_init(|| {
                let text = std::env::var("WHIMBREL_CRASH_POINT").ok()?;
                let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
                Some(Armed {
                    name: name.to_owned(),
                    left: AtomicU32::new(count.parse().unwrap_or(1)),
                })
            })
            .as_ref()
    }

    /// Whether a point with this beginning is armed: then commands are sent one by one, so that it can be reached.
    pub(crate) fn is_armed(beginning: &str) -> bool {
        armed().is_some_and(|armed| armed.name.starts_with(beginning))
    }

    /// Whether this is the place and the time.
    pub(crate) fn is_due(name: &str) -> bool {
        armed().is_some_and(|armed| {
            armed.name == name && armed.left.fetch_sub(1, Ordering::SeqCst) == 1
        })
    }

    /// Dies.
    pub(crate) fn die() {
        if let Ok(words) = std::env::var("WHIMBREL_CRASH_WORDS") {
            #[allow(
                clippy::panic,
                reason = "the canary suite provokes it; compiled in for tests only"
            )]
            std::panic::panic_any(words);
        }
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }

    /// Dies here, if this is the place and the time.
    pub(crate) fn reach(name: &str) {
        if is_due(name) {
            die();
        }
    }
}

#[cfg(not(feature = "crash-points"))]
mod armed {
    pub(crate) const fn is_armed(_beginning: &str) -> bool {
        false
    }

    pub(crate) const fn is_due(_name: &str) -> bool {
        false
    }

    pub(crate) const fn die() {}

    pub(crate) const fn reach(_name: &str) {}
}

pub(crate) use armed::{die, is_armed, is_due, reach};

/// A point of whoever drives runs, at which a test can have the process killed.
pub fn reach_crash_point(name: &str) {
    reach(name);
}
