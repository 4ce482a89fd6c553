//! Structured log lines, redacted and limited by the host.

#[cfg(target_arch = "wasm32")]
use crate::bindings::whimbrel::observe::log as host;
pub use crate::bindings::whimbrel::observe::log::Level;
use crate::import;

/// Writes a line: a constant sentence, and fields for what varies.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: Vec<(String, String)> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    import!(host::write, write(level, message, &fields));
}

/// For someone who looks for the cause of a trouble.
pub fn debug(message: &str) {
    write(Level::Debug, message, &[]);
}

/// For someone who follows the run.
pub fn info(message: &str) {
    write(Level::Info, message, &[]);
}

/// Something that a person should look at.
pub fn warn(message: &str) {
    write(Level::Warn, message, &[]);
}

/// Something that failed.
pub fn error(message: &str) {
    write(Level::Error, message, &[]);
}

/// Sends what a panic says through the log, since the trap that follows says nothing.
#[cfg(target_arch = "wasm32")]
pub(crate) fn hook_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|information| error(&information.to_string())));
    });
}

/// Outside a component the test harness shows panics.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) const fn hook_panics() {}
