//! Variables of the host's environment. Each must be granted by name; without any such grant the call ends here.

#[cfg(target_arch = "wasm32")]
use crate::bindings::store::whimbrel::ambient::environment as host;
use crate::import;

/// The value of a variable that was granted and is set.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    import!(host::get, variable(name))
}
