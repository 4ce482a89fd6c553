//! The time of day. Needs the grant `clock`: say so with `export_step!(Type, needs: ["clock"])`.

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::ambient::clock as host;
use crate::import;

/// Milliseconds since the Unix epoch. Without the grant the call ends here.
#[must_use]
pub fn now() -> u64 {
    import!(host::now, now())
}
