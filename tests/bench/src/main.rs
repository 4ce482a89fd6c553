//! The product against its bars. Everything is measured beside what it is compared with, turn by turn, in one run.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program whose output is for the person at the terminal"
)]

mod failure;
mod git_server;
mod kubernetes;
mod machine;
mod measure;
mod options;
mod postgres;
mod project;
mod report;
mod repository;
mod rows;
mod scraper;
mod server;

use std::process::ExitCode;

use failure::Result;
use options::Options;
use rows::Stage;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        // The bare client process that rows are compared with.
        Some((word, url)) if word == rows::bare::WORD => rows::bare::read(url),
        _ => Options::parse(&arguments).and_then(|options| run(&options)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result {
    let stage = Stage::set()?;
    println!("{}\n", machine::description());
    let mut report = report::Report::default();
    let mut outcome = Ok(());
    for (name, benchmark) in rows::ALL {
        if options.wants(name) {
            eprintln!("measuring {name}");
            // What was measured is worth telling even when a later benchmark can't be run.
            let measured = benchmark(&stage, &mut report);
            outcome = outcome.and(measured);
        }
    }
    report.print();
    if let Some(file) = &options.json {
        report.write(file)?;
    }
    outcome
}
