//! WASI 0.2 with nothing in it: many languages need it to start. No files, no environment, no arguments, no network.
//!
//! Time stands still at the epoch without the grant `clock`, so that a plan is pure, and a date that is wrong is wrong
//! beyond doubt. Randomness is a plan's only as a fixed sequence; elsewhere it is real, because guests seed their hash
//! tables with it and a predictable one would be worse than none.

use std::time::Duration;

use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use crate::tail::Tail;

/// A clock that stands still.
struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// An empty context whose output goes to the tail.
pub fn context(tail: &Tail, clock: bool, pure: bool) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .stdout(tail.clone())
        .stderr(tail.clone())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if !clock {
        builder.wall_clock(Stopped).monotonic_clock(Stopped);
    }
    if pure {
        builder
            .secure_random(Deterministic::new(vec![0x5a]))
            .insecure_random(Deterministic::new(vec![0x5a]))
            .insecure_random_seed(0);
    }
    builder.build()
}
