//! Where the program's memory comes from, and how eagerly it goes back.
//!
//! A command lives for milliseconds in which it reads a thousand files: a tenth of its processor time would be the system
//! allocator's. A service lives for weeks, mostly at rest. One allocator serves both when it is told which of them it is in
//! (docs/benchmarks.md).

#[cfg(target_os = "linux")]
mod code;

use std::cell::Cell;
use std::ffi::c_long;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
pub use code::let_go as let_go_of_code;
pub use mimalloc::MiMalloc as Allocator;

/// `mi_option_purge_delay` of mimalloc's `mi_option_t` (include/mimalloc.h of version 3), in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// What it is if nobody has said anything: if it is something else, either somebody did, or it is another option.
const USUAL_PURGE_DELAY: c_long = 1_000;

/// Never.
const NEVER: c_long = -1;

/// At once: who waits for a while to give it back does so at the next request only, which at rest doesn't come.
const AT_ONCE: c_long = 0;

/// How often a thread that goes to rest looks for what it can give back.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether this process is a service.
static IS_SERVICE: AtomicBool = AtomicBool::new(false);

thread_local! {
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// How long the program will live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until its one command is done: the system takes everything back at once, page by page would cost more.
    Command,
    /// Until somebody ends it: what isn't used goes back soon, and memory comes in small pages, of which a service at rest
    /// has much less than of huge ones.
    Service,
}

/// Says it; best before there are threads. What the system refuses, or somebody has said by `MIMALLOC_PURGE_DELAY`, is
/// left as it is.
pub fn suit(lifetime: Lifetime) {
    match lifetime {
        Lifetime::Command => purge(NEVER),
        Lifetime::Service => {
            IS_SERVICE.store(true, Ordering::Relaxed);
            small_pages();
            purge(AT_ONCE);
        }
    }
}

/// Asks the kernel for no huge pages (prctl(2), `PR_SET_THP_DISABLE`). A kernel that refuses goes on as before.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn small_pages() {
    let (yes, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: numbers only; the call changes nothing that memory holds.
    let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, yes, none, none, none) };
}

#[cfg(not(target_os = "linux"))]
fn small_pages() {}

/// Nothing, where nobody has asked yet how that is done.
#[cfg(not(target_os = "linux"))]
pub fn let_go_of_code() {}

/// Whether this process is a service.
#[must_use]
pub fn is_service() -> bool {
    IS_SERVICE.load(Ordering::Relaxed)
}

/// A thread goes to rest: in a service it gives back what it owns and others have freed since. Nobody else can.
pub fn rest() {
    if !is_service() {
        return;
    }
    let now = Instant::now();
    let is_early = |at: Instant| now.duration_since(at) < PAUSE;
    LOOKED.with(|looked| {
        if !looked.get().is_some_and(is_early) {
            looked.set(Some(now));
            collect();
        }
    });
}

#[allow(unsafe_code)]
fn collect() {
    // SAFETY: takes a flag, and looks only at the heap of the thread that calls it and at shared arenas under their locks.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

#[allow(unsafe_code)]
fn purge(delay: c_long) {
    // SAFETY: both only read or write one word of mimalloc's own table, and check the option's number against its length.
    unsafe {
        if libmimalloc_sys::mi_option_get(PURGE_DELAY) == USUAL_PURGE_DELAY {
            libmimalloc_sys::mi_option_set(PURGE_DELAY, delay);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_ONCE, Lifetime, NEVER, PURGE_DELAY, USUAL_PURGE_DELAY, purge, suit};

    #[allow(unsafe_code)]
    fn delay() -> std::ffi::c_long {
        // SAFETY: as in `purge`.
        unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }
    }

    /// One test, because the option is the process's.
    #[test]
    fn the_option_is_the_one_that_is_meant_and_what_was_said_before_counts() {
        assert_eq!(delay(), USUAL_PURGE_DELAY);
        suit(Lifetime::Command);
        assert_eq!(delay(), NEVER);
        purge(AT_ONCE);
        assert_eq!(delay(), NEVER);
    }
}
