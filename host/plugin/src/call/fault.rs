//! What goes wrong in a call, as the fault that whoever called gets.

use whimbrel_core::fault::{Fault, FaultClass, Retry};

use crate::error::PluginError;
use crate::schema::Mismatch;

/// One fault for everything that is wrong with a configuration, at the place of the first thing that is written there.
pub fn mismatched(mismatches: &[Mismatch]) -> Option<Fault> {
    let (last, others) = mismatches.split_last()?;
    let messages: Vec<&str> = mismatches.iter().map(|one| one.message.as_str()).collect();
    let mut fault = Fault::new(FaultClass::Invalid, "config.mismatch", messages.join("; "));
    // What is missing isn't written anywhere; what stands in its place often is.
    let written = mismatches.iter().find(|one| !one.is_missing);
    fault.pointer = Some(written.unwrap_or(last).pointer.clone());
    let hints = others
        .iter()
        .chain([last])
        .filter_map(|one| one.hint.as_deref());
    let hints: Vec<&str> = hints.collect();
    fault.hint = Some(if hints.is_empty() {
        "look at the plugin's `with:`".to_owned()
    } else {
        hints.join("; ")
    });
    Some(fault)
}

/// What the sandbox's error means for who called.
pub fn fault(error: &PluginError) -> Fault {
    let (class, code, retry) = match error {
        PluginError::Fault { fault, .. } => return (**fault).clone(),
        PluginError::Timeout { .. } => (FaultClass::Unavailable, "plugin.timeout", Retry::Backoff),
        PluginError::Stopped { .. } => (FaultClass::Cancelled, "plugin.stopped", Retry::Never),
        PluginError::Trap(_) => (FaultClass::Internal, "plugin.trap", Retry::Never),
        PluginError::Answer { .. } => (FaultClass::Internal, "plugin.answer", Retry::Never),
        PluginError::NoWorld { .. } => (FaultClass::Invalid, "plugin.world", Retry::Never),
        _ => (FaultClass::Internal, "plugin.unusable", Retry::Never),
    };
    Fault {
        retry,
        ..Fault::new(class, code, error.to_string())
    }
}
