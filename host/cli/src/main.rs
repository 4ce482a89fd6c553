//! The `whimbrel` program: arguments in, one call of the engine, an exit code out.

#![forbid(unsafe_code)]

mod actor;
mod apply;
mod arguments;
mod closing;
mod command;
mod elsewhere;
mod error;
mod estimate;
mod exit;
mod folder;
mod interrupt;
mod lent;
mod logging;
mod opened;
mod output;
mod protect;
mod publish;
mod surroundings;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything secret could be read.
    protect::memory();
    // One provider for all of TLS, before anything could choose another one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    command::main()
}
