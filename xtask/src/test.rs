//! Runs everything that can tell whether the product is right: Rust tests, then the acceptance suite, with coverage.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::command::Call;
use crate::coverage::{self, Reach};
use crate::failure::{Doing, Failure, Result};
use crate::workspace::Workspace;
use crate::{git, plugins, postgresql, python, real_parts};

/// Features that tests compile in and a plain build doesn't.
pub const FEATURES: &str = "whimbrel/crash-points,whimbrel-run/crash-points,whimbrel/opentelemetry,whimbrel-report/opentelemetry";

/// The least share of the host's lines, in percent, that the tests must reach.
pub const COVERAGE_FLOOR: f64 = 90.0;

/// The most processes that share the acceptance suite.
const MOST_PROCESSES: usize = 4;

/// Where the acceptance suite's results go, from the root of the clone.
const RESULTS: &str = "pytest_results.json";

/// Installs what is missing, builds once, runs all tests, prints coverage.
pub fn run(workspace: &Workspace) -> Result {
    postgresql::present()?;
    git::present()?;
    real_parts::present(workspace)?;
    let python = python::environment(workspace)?;
    let tools = coverage::Tools::present()?;
    plugins::build(workspace)?;

    coverage::begin(workspace)?;
    let programs = build(workspace)?;

    println!("\n=== Rust tests");
    let rust = instrumented(workspace, Reach::Rust)
        // One failure says nothing of the crates after it.
        .args(["test", "--workspace", "--no-fail-fast", "--features"])
        .arg(FEATURES)
        .env("WHIMBREL_REQUIRE_REAL", "1")
        .within(workspace.root())
        .show_and_run();

    println!("\n=== plugins' own tests");
    let guests = workspace.guests().into_iter().try_for_each(|folder| {
        Call::cargo()
            .args(["test", "--workspace", "--no-fail-fast"])
            .env("CARGO_TARGET_DIR", workspace.target().join("plugins"))
            .within(folder)
            .show_and_run()
    });

    println!("\n=== acceptance tests");
    let acceptance = acceptance(workspace, &python, &programs);

    println!("\n=== coverage");
    let report = coverage::measure(workspace, &tools, &programs.all)?;
    report.print();
    rust?;
    guests?;
    acceptance?;
    report.hold(COVERAGE_FLOOR)?;
    println!("\neverything passed; the acceptance suite's results are in {RESULTS}");
    Ok(())
}

/// The instrumented programs.
struct Programs {
    /// A copy of the `whimbrel` binary: the one under `debug/` is replaced by the next plain build.
    product: PathBuf,
    /// The proxy that stands before stores in the acceptance suite.
    proxy: PathBuf,
    /// The Terraform provider that does next to nothing.
    idle_provider: PathBuf,
    /// Every program that holds counters: test programs and the product.
    all: Vec<PathBuf>,
}

fn instrumented(workspace: &Workspace, reach: Reach) -> Call {
    Call::cargo()
        .env(
            "RUSTC_WORKSPACE_WRAPPER",
            workspace.root().join("xtask/instrument.sh"),
        )
        .env("LLVM_PROFILE_FILE", coverage::profile(workspace, reach))
}

fn build(workspace: &Workspace) -> Result<Programs> {
    let call = instrumented(workspace, Reach::Rust)
        .args([
            "build",
            "--workspace",
            "--all-targets",
            "--features",
            FEATURES,
        ])
        .args(["--message-format", "json-render-diagnostics"])
        .within(workspace.root());
    println!("$ {call}");
    let mut tests = Vec::new();
    let (mut product, mut proxy, mut idle_provider) = (None, None, None);
    for line in call.text()?.lines() {
        let Ok(message) = serde_json::from_str::<Json>(line) else {
            continue;
        };
        let Some(program) = message.get("executable").and_then(Json::as_str) else {
            continue;
        };
        let at = |pointer: &str| message.pointer(pointer);
        if at("/profile/test") == Some(&Json::Bool(true)) {
            tests.push(PathBuf::from(program));
        } else {
            match at("/target/name").and_then(Json::as_str) {
                Some("whimbrel") => product = Some(PathBuf::from(program)),
                Some("whimbrel-faulty-proxy") => proxy = Some(PathBuf::from(program)),
                Some("terraform-provider-idle") => idle_provider = Some(PathBuf::from(program)),
                _ => {}
            }
        }
    }
    let product = product.doing("the build made no `whimbrel` program")?;
    let idle_provider =
        idle_provider.doing("the build made no `terraform-provider-idle` program")?;
    let copy = coverage::folder(workspace).join("whimbrel");
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(&product, &copy).doing("copying the instrumented program")?;
    let mut all = tests;
    all.push(copy.clone());
    // What the host says to Terraform is reached by it alone.
    all.push(idle_provider.clone());
    Ok(Programs {
        product: copy,
        proxy: proxy.doing("the build made no `whimbrel-faulty-proxy` program")?,
        idle_provider,
        all,
    })
}

/// How many processes share the acceptance suite, each with servers of its own: one more than there are processors, since most of
/// its time each waits.
fn processes() -> String {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    (processors + 1).min(MOST_PROCESSES).to_string()
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
