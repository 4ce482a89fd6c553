//! Runs everything that can tell whether the product is right: Rust tests, then the acceptance suite, with coverage.

use std::path::{Path, PathBuf};

use crate::command::Call;
use crate::coverage::{self, Reach};
use crate::failure::{Failure, Result};
use crate::programs::{Compiler, FEATURES, Programs};
use crate::together::together;
use crate::workspace::Workspace;
use crate::{git, postgresql, python, real_parts};

/// The least share of the host's lines, in percent, that the tests must reach.
pub const COVERAGE_FLOOR: f64 = 90.0;

/// The most processes that share the acceptance suite.
const MOST_PROCESSES: usize = 4;

/// Where the acceptance suite's results go, from the root of the clone.
const RESULTS: &str = "pytest_results.json";

/// What tests need besides the programs that are tested.
#[derive(Debug)]
pub struct Installed {
    python: PathBuf,
    tools: coverage::Tools,
}

impl Installed {
    /// Installs what is missing.
    pub fn present(workspace: &Workspace) -> Result<Self> {
        let tools = coverage::Tools::present()?;
        postgresql::present()?;
        git::present()?;
        let python = python::environment(workspace)?;
        real_parts::present(workspace)?;
        Ok(Self { python, tools })
    }
}

/// Installs what is missing and compiles, runs all tests, prints coverage.
pub fn run(workspace: &Workspace) -> Result {
    let (programs, installed) = together(
        || Programs::build(workspace, Compiler::Plain),
        || Installed::present(workspace),
    )?;
    all(workspace, &programs, &installed)
}

/// Runs all tests, prints coverage.
pub fn all(workspace: &Workspace, programs: &Programs, installed: &Installed) -> Result {
    coverage::begin(workspace)?;

    println!("\n=== Rust tests, beside those of the plugins");
    let (rust, (guests, told)) = together(
        || {
            let cargo = programs
                .cargo(workspace, Reach::Rust)
                // One failure says nothing of the crates after it.
                .args(["test", "--workspace", "--no-fail-fast", "--features"])
                .arg(FEATURES)
                .env("WHIMBREL_REQUIRE_REAL", "1")
                .env("RUST_TEST_THREADS", threads())
                .within(workspace.root());
            Ok(cargo.show_and_run())
        },
        || Ok(guests(workspace, programs.compiler)),
    )?;

    println!("\n=== plugins' own tests\n{told}");

    println!("\n=== acceptance tests");
    let acceptance = acceptance(workspace, &installed.python, programs);

    println!("\n=== coverage");
    let report = coverage::measure(workspace, &installed.tools, &programs.all)?;
    report.print();
    rust?;
    guests?;
    acceptance?;
    report.hold(COVERAGE_FLOOR)?;
    println!("\neverything passed; the acceptance suite's results are in {RESULTS}");
    Ok(())
}

/// Runs the tests of the plugins, compiled natively as their SDK's mock host wants them, after clippy where that is the compiler; and
/// gives what there is to show. Beside tests that wait, most of the time, there is a processor for it.
fn guests(workspace: &Workspace, compiler: Compiler) -> (Result, String) {
    let mut told = String::new();
    let cargo = |folder: &Path, arguments: &[&str]| {
        Call::cargo()
            .args(arguments)
            .env("CARGO_TARGET_DIR", workspace.target().join("plugins"))
            .within(folder)
            .run_aside()
    };
    let lint: &[&str] = &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    let test: &[&str] = &["test", "--workspace", "--no-fail-fast"];
    let lint = Some(lint).filter(|_| compiler == Compiler::Linting);
    for folder in workspace.guests() {
        for arguments in lint.into_iter().chain([test]) {
            let (ended, said) = cargo(&folder, arguments);
            told.push_str(&said);
            if ended.is_err() {
                return (ended, told);
            }
        }
    }
    (Ok(()), told)
}

/// How many Rust tests run at once: many wait for a server or a clock.
fn threads() -> String {
    (2 * processors()).to_string()
}

/// How many processes share the acceptance suite, each with servers of its own: one more than there are processors, since most of
/// its time each waits.
fn processes() -> String {
    (processors() + 1).min(MOST_PROCESSES).to_string()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

fn acceptance(workspace: &Workspace, python: &Path, programs: &Programs) -> Result {
    let results = workspace.root().join(RESULTS);
    let _ = std::fs::remove_file(&results);
    let ran = Call::new(python)
        .args(["-m", "pytest", "--json-report"])
        .arg(format!("--json-report-file={RESULTS}"))
        // Tests of time have the machine for themselves (`support/workers.py`).
        .args(["--numprocesses", &processes(), "--dist", "loadfile"])
        .arg("--no-loadscope-reorder")
        .env("WHIMBREL_BIN", &programs.product)
        .env("FAULTY_PROXY_BIN", &programs.proxy)
        .env("IDLE_PROVIDER_BIN", &programs.idle_provider)
        .env("WHIMBREL_TEST_COMPONENTS", workspace.test_components())
        .env("WHIMBREL_REQUIRE_REAL", "1")
        .env(
            "LLVM_PROFILE_FILE",
            coverage::profile(workspace, Reach::Acceptance),
        )
        .within(workspace.root())
        .show_and_run();
    if results.is_file() {
        ran
    } else {
        Err(Failure::new(format!("pytest left no {RESULTS}")))
    }
}
