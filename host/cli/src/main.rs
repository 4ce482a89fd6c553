//! The `whimbrel` program: arguments in, one call of the engine, an exit code out.

#![forbid(unsafe_code)]

mod arguments;
mod command;
mod each;
mod engine;
mod error;
mod exit;
mod folder;
mod interrupt;
mod logging;
mod metrics;
mod output;
mod protect;
mod remote;
mod run;
mod tail;
#[cfg(feature = "opentelemetry")]
mod traces;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: whimbrel_allocator::Allocator = whimbrel_allocator::Allocator;

fn main() -> ExitCode {
    // Asked while it may be asked. What it says is of no interest yet.
    let _ = whimbrel_plugin::sees_written_pages();
    // Before anything secret could be read.
    protect::memory();
    // One provider for all of TLS, before anything could choose another one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    command::main()
}
