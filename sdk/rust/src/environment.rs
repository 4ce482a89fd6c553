//! Variables of the host's environment. Each must be granted by name; without any such grant the call ends here.

#[cfg(target_arch = "wasm32")]
use crate::bindings::store::whimbrel::ambient::environment as host;
use crate::{Fault, FaultClass, import};

/// The value of a variable that was granted and is set.
#[must_use]
pub fn get(name: &str) -> Option<String> {
    import!(host::get, variable(name))
}

/// What was given under `credentials`, or else the value of a variable.
///
/// # Errors
/// There is neither, or it is blank. The fault has this code.
pub fn given_or(given: Option<&String>, name: &str, code: &str) -> Result<String, Fault> {
    let value = given.cloned().or_else(|| get(name));
    value.filter(|value| !value.trim().is_empty()).ok_or_else(|| {
        let message = format!("the variable {name} isn't set, or isn't granted");
        Fault::new(FaultClass::Denied, code, message).with_hint(format!(
            "set it for whoever runs whimbrel, and name it under `grants: environment`, or say under `credentials` what {name} would"
        ))
    })
}
