//! The first-party components that travel inside the binary, as many as there were when it was built.

include!(concat!(env!("OUT_DIR"), "/components.rs"));

/// A component of the binary's own.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static [u8]> {
    COMPONENTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, bytes)| *bytes)
}

/// The names of the binary's own components, in order. Empty in a binary that was built without plugins.
#[must_use]
pub fn builtin_names() -> Vec<&'static str> {
    COMPONENTS.iter().map(|(name, _)| *name).collect()
}
