//! The project's only automation. Whoever clones the repository starts here, so it depends on next to nothing.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose output is for the person at the terminal"
)]

mod architecture;
mod bench;
mod ci;
mod command;
mod coverage;
mod demo;
mod failure;
mod git;
mod gitea;
mod go;
mod kubernetes;
mod opentofu;
mod payloads;
mod plugins;
mod postgresql;
mod programs;
mod provider;
mod python;
mod real_parts;
mod requirement;
mod scene;
mod sources;
mod test;
mod tidy;
mod together;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Result};
use workspace::Workspace;

const HELP: &str = "\
cargo xtask <command>

  demo       builds everything and shows the product on SQLite files, with examples/shop
  test       installs what the tests need and runs all of them, with coverage
  tools      installs the real parts that tests start: OpenBao, an AWS Secrets Manager, Prometheus, payloads of Git hosts;
             `tools opentofu` that one, which tests take beside Terraform
  plugins    builds the first-party components for the binary to embed
  provider   what a registry of Terraform gets: `pages`, or `release VERSION [--binary FILE] [--into FOLDER]`
  bench      measures the product against its bars: [--only NAME] [--json FILE]
  coverage   prints the coverage of the last test run again, file by file
  tidy       checks the house rules that no other tool checks
  ci         what CI runs: formatting, clippy, licences, tidy, test
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result {
    let workspace = Workspace::find()?;
    let (name, rest) = match arguments.split_first() {
        None => ("help", arguments),
        Some((name, rest)) => (name.as_str(), rest),
    };
    match name {
        "demo" => demo::run(&workspace),
        "test" => test::run(&workspace),
        "tools" if rest == ["opentofu"] => opentofu::present(&workspace),
        "tools" => real_parts::present(&workspace),
        "plugins" => plugins::build(&workspace).map(|_| ()),
        "provider" => provider::run(&workspace, rest),
        "bench" => bench::run(&workspace, rest),
        "coverage" => coverage::print_again(&workspace),
        "tidy" => tidy::run(&workspace),
        "ci" => ci::run(&workspace),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        unknown => Err(Failure::new(format!(
            "there is no command {unknown:?}\n\n{HELP}"
        ))),
    }
}
