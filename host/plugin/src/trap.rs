//! The report on a guest that died.

use std::fmt;

use wasmtime::{Error, Trap, WasmBacktrace};

use crate::capability::Denied;
use crate::ceiling::Exceeded;
use crate::desk::HostPanic;
use crate::meter::Exhausted;

/// The most frames that a report shows.
const MAXIMUM_FRAMES: usize = 20;

/// Who died where, why, and what lasts of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapReport {
    /// The plugin.
    pub plugin: String,
    /// What was called.
    pub function: &'static str,
    /// Why it died, in a sentence.
    pub reason: String,
    /// Its last log lines; a panic's message is the last of them.
    pub log: Vec<String>,
    /// The end of its standard output and error.
    pub stderr: String,
    /// The guest's frames, innermost first, by name where the component has names.
    pub backtrace: Vec<String>,
    /// What it had committed, as the end of a sentence; empty for calls that commit nothing.
    pub committed: String,
}

impl fmt::Display for TrapReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "plugin {}: {} trapped: {}{}",
            self.plugin, self.function, self.reason, self.committed
        )?;
        let stderr = self.stderr.trim_end();
        if !stderr.is_empty() {
            write!(formatter, "\nit wrote:\n{stderr}")?;
        }
        if !self.log.is_empty() {
            write!(formatter, "\nits last log lines:\n{}", self.log.join("\n"))?;
        }
        if !self.backtrace.is_empty() {
            write!(formatter, "\nwhere:\n{}", self.backtrace.join("\n"))?;
        }
        Ok(())
    }
}

/// Why wasmtime ended a guest, in a person's words.
pub fn reason(error: &Error) -> String {
    if let Some(denied) = error.downcast_ref::<Denied>() {
        return denied.to_string();
    }
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return exceeded.to_string();
    }
    if let Some(exhausted) = error.downcast_ref::<Exhausted>() {
        return exhausted.to_string();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) => "it gave up (unreachable code reached)".to_owned(),
        Some(Trap::StackOverflow) => "its stack overflowed".to_owned(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}

/// Whether the host's own code is to blame.
pub fn host_panic(error: &Error) -> Option<String> {
    error.downcast_ref::<HostPanic>().map(ToString::to_string)
}

/// The guest's frames.
pub fn backtrace(error: &Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    backtrace
        .frames()
        .iter()
        .take(MAXIMUM_FRAMES)
        .map(|frame| {
            let name = frame
                .func_name()
                .map_or_else(|| format!("function {}", frame.func_index()), demangle);
            format!("  {name}")
        })
        .collect()
}

/// Names as their authors wrote them. wasmtime demangles only in its own display of a backtrace.
fn demangle(name: &str) -> String {
    rustc_demangle::try_demangle(name).map_or_else(|_| name.to_owned(), |name| format!("{name:#}"))
}
