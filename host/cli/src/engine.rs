//! What the engine asks of whoever drives it, answered by the command line.

use std::path::PathBuf;
use std::sync::Arc;

use whimbrel_core::lineage::AbsentRule;
use whimbrel_engine::{Audience, Context, Meanwhile, Opened, Passing, Selection};
use whimbrel_plugin::Compiler;
use whimbrel_project::{Control, OpenProject, Opening};
use whimbrel_secrets::Ledger;
use whimbrel_signal::Bus;

use crate::arguments::{Global, Passing as Said};
use crate::error::CliError;
use crate::folder::{Place, locate};
use crate::output::Output;
use crate::remote::{remote, signing_key, verification};

impl Audience for Output {
    fn notice(&self, text: &str) {
        Self::notice(self, text);
    }

    fn bus(&self) -> Bus {
        Self::bus(self)
    }
}

/// The context of a command.
pub(crate) fn context(output: &Output) -> Context {
    let context = Context::new(Arc::new(output.clone()), output.scrubber().clone())
        .with_closing(output.closing().clone());
    let context = match state_folder() {
        Some(folder) => context.with_ledger(Ledger::new(folder.join("leases"))),
        None => context,
    };
    match output.metrics() {
        Some(metrics) => context.with_metrics(metrics.clone()),
        None => context,
    }
}

/// The context of a service: what it would keep for as long as it lives is done by another process.
pub(crate) fn service(output: &Output) -> Context {
    let context = context(output);
    match compiler() {
        Some(compiler) => context.with_compiler(compiler),
        None => context,
    }
}

/// This program as a compiler of plugins.
fn compiler() -> Option<Compiler> {
    let program = if cfg!(target_os = "linux") {
        // Also where its file was replaced by a newer one.
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().ok()?
    };
    Some(Compiler::new(program, &["plugin", "compile"]))
}

/// Where what must outlive this process is kept.
fn state_folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("WHIMBREL_STATE").or_else(|| {
        let state =
            variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")))?;
        Some(state.join("whimbrel"))
    })
}

/// What the command line means.
pub(crate) fn selection(global: &Global, output: &Output) -> Result<Selection, CliError> {
    let place = match locate(global.project.as_deref())? {
        Place::Here(location) => location.into(),
        Place::Elsewhere(location) => whimbrel_project::Place::Elsewhere {
            remote: remote(&location, output.scrubber())?,
            reference: location.reference,
        },
    };
    Ok(Selection {
        place,
        verification: verification(&global.signatures)?,
        signing: None,
        cache: None,
        control_ref: global.control_ref.clone(),
        environment: global.environment.clone(),
        databases: global.databases.clone(),
        absent: AbsentRule::AskGit,
    })
}

/// Opens the project and lists the targets of the environment.
pub(crate) async fn open(
    global: &Global,
    output: &Output,
    meanwhile: Meanwhile,
) -> Result<Opened, CliError> {
    Ok(Opened::open(&selection(global, output)?, &context(output), meanwhile).await?)
}

/// The same for a command that runs plans, and so publishes what the next environment may take over.
pub(crate) async fn open_to_run(
    global: &Global,
    output: &Output,
    meanwhile: Meanwhile,
) -> Result<Opened, CliError> {
    let mut selection = selection(global, output)?;
    selection.signing = signing_key(output.scrubber())?;
    Ok(Opened::open(&selection, &context(output), meanwhile).await?)
}

/// Opens the project as it is at hand.
pub(crate) fn project(global: &Global, output: &Output) -> Result<OpenProject, CliError> {
    let selection = selection(global, output)?;
    Ok(whimbrel_engine::project(&selection, &context(output))?)
}

/// Opens the project as far as its environments.
pub(crate) fn opening(
    global: &Global,
    output: &Output,
    control: Control,
) -> Result<Opening, CliError> {
    Ok(whimbrel_engine::opening(
        &selection(global, output)?,
        control,
    )?)
}

/// Each gate that is passed, with its reason; one reason may serve them all.
pub(crate) fn passing(said: &Said) -> Result<Passing, CliError> {
    let gates = &said.overrides;
    let overridden = match said.reasons.as_slice() {
        [] if gates.is_empty() => Vec::new(),
        [one] => gates.iter().map(|gate| (*gate, one.clone())).collect(),
        many if many.len() == gates.len() => {
            gates.iter().copied().zip(many.iter().cloned()).collect()
        }
        _ => {
            return Err(
                CliError::usage("every `--override GATE` needs its `--reason TEXT`")
                    .hint("overrides are recorded in every database, with their reason"),
            );
        }
    };
    Ok(Passing {
        destructive_confirmed: said.allow_destructive,
        overridden,
        ..Passing::default()
    })
}

#[cfg(test)]
mod tests {
    use super::passing;
    use crate::arguments::Passing;
    use whimbrel_core::gate::Gate;

    #[test]
    fn every_override_has_a_reason() {
        let said = |overrides: &[Gate], words: &[&str]| Passing {
            allow_destructive: false,
            overrides: overrides.to_vec(),
            reasons: words.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert!(passing(&said(&[Gate::Lint], &[])).is_err());
        assert_eq!(passing(&said(&[], &[])).unwrap().overridden, []);
        let both = passing(&said(&[Gate::Lint, Gate::Window], &["outage"])).unwrap();
        assert_eq!(both.overridden[1], (Gate::Window, "outage".to_owned()));
        let each = passing(&said(&[Gate::Lint, Gate::Window], &["a", "b"])).unwrap();
        assert_eq!(each.overridden[0], (Gate::Lint, "a".to_owned()));
    }
}
