//! A Terraform provider that does next to nothing, in plain Rust.
//!
//! Started by Terraform it serves that; started with `--reattach ADDRESS` it prints the value of `TF_REATTACH_PROVIDERS` and
//! serves whoever comes, until it is interrupted.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stderr,
    clippy::panic,
    reason = "a program of tests, one of whose faults is to panic"
)]

mod fault;
mod files;
mod provider;
mod thing;

use std::io::stdout;
use std::process::ExitCode;
use std::sync::Arc;

use whimbrel_signal::Scrubber;
use whimbrel_terraform::{Environment, serve, serve_reattached};

use provider::Idle;

#[tokio::main]
async fn main() -> ExitCode {
    let provider = Arc::new(Idle::default());
    let scrubber = Scrubber::default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let served = match arguments.as_slice() {
        [flag, address] if flag == "--reattach" => {
            serve_reattached(provider, scrubber, address, stdout()).await
        }
        _ => serve(provider, scrubber, Environment::of_process(), stdout()).await,
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
