//! The programs that tests run: compiled once, with counters of lines in the project's own crates (docs/decisions/0002).

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::command::Call;
use crate::coverage::{self, Reach};
use crate::failure::{Doing, Result};
use crate::plugins;
use crate::workspace::Workspace;

/// Features that tests compile in and a plain build doesn't.
pub const FEATURES: &str = "whimbrel/crash-points,whimbrel-run/crash-points,whimbrel/opentelemetry,whimbrel-report/opentelemetry";

/// What compiles the project's own crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// rustc.
    Plain,
    /// Clippy's, for which a warning is an error: whoever lints and tests compiles once for both (docs/decisions/0019).
    Linting,
}

impl Compiler {
    fn wrapper(self) -> &'static str {
        match self {
            Self::Plain => "xtask/instrument.sh",
            Self::Linting => "xtask/lint-and-instrument.sh",
        }
    }
}

/// The instrumented programs.
#[derive(Debug)]
pub struct Programs {
    /// What compiled them.
    pub compiler: Compiler,
    /// A copy of the `whimbrel` binary: the one under `debug/` is replaced by the next plain build.
    pub product: PathBuf,
    /// The proxy that stands before stores in the acceptance suite.
    pub proxy: PathBuf,
    /// The Terraform provider that does next to nothing.
    pub idle_provider: PathBuf,
    /// Every program that holds counters: test programs and the product.
    pub all: Vec<PathBuf>,
}

impl Programs {
    /// Compiles components, product and tests.
    pub fn build(workspace: &Workspace, compiler: Compiler) -> Result<Self> {
        plugins::build(workspace)?;
        let call = cargo(workspace, compiler, Reach::Rust)
            .args(["build", "--workspace", "--all-targets", "--features"])
            .arg(FEATURES)
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
        std::fs::create_dir_all(coverage::folder(workspace))
            .doing("making the folder for profiles")?;
        let _ = std::fs::remove_file(&copy);
        std::fs::copy(&product, &copy).doing("copying the instrumented program")?;
        let mut all = tests;
        all.push(copy.clone());
        // What the host says to Terraform is reached by it alone.
        all.push(idle_provider.clone());
        Ok(Self {
            compiler,
            product: copy,
            proxy: proxy.doing("the build made no `whimbrel-faulty-proxy` program")?,
            idle_provider,
            all,
        })
    }

    /// Cargo as these were compiled by, for their own tests: nothing is compiled again.
    pub fn cargo(&self, workspace: &Workspace, reach: Reach) -> Call {
        cargo(workspace, self.compiler, reach)
    }
}

fn cargo(workspace: &Workspace, compiler: Compiler, reach: Reach) -> Call {
    Call::cargo()
        .env(
            "RUSTC_WORKSPACE_WRAPPER",
            workspace.root().join(compiler.wrapper()),
        )
        .env("LLVM_PROFILE_FILE", coverage::profile(workspace, reach))
}
