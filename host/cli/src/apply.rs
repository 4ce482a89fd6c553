//! From a survey through the gates to a run: what `apply` and `revert` share, and of which `plan` and `approve` show
//! the first half.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use whimbrel_core::gate::{Gate, GateInput, Refusal, evaluate};
use whimbrel_core::name::TargetName;
use whimbrel_core::plan::{Goal, Plan};
use whimbrel_project::{
    GateOptions, OUTER_TRANSACTION, Planner, Plugins, ProjectError, Survey, gate_input,
};
use whimbrel_report::{DoneView, OutcomeView, TargetOutcome};
use whimbrel_run::{Request, RunError, RunReport, Stop};

use crate::arguments::{Format, Passing};
use crate::elsewhere::require_dependencies;
use crate::error::{CliError, of_run};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::opened::Opened;
use crate::surroundings;

/// The first characters of a digest that name a plan.
const DIGEST_PREFIX: usize = 12;

/// How the outcome of a run can be shown.
pub(crate) const RUN_FORMATS: [Format; 3] = [Format::Text, Format::Json, Format::Junit];

/// A plan with everything that it was made from.
pub(crate) struct Prepared {
    pub(crate) planner: Arc<Planner>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) survey: Survey,
    pub(crate) gates: GateInput,
    pub(crate) reasons: Vec<(Gate, String)>,
}

impl Prepared {
    /// Reads every target and plans it. Targets that can't be read are in the survey's failures.
    pub(crate) async fn new(
        opened: &Opened,
        goal: Goal,
        passing: Option<&Passing>,
    ) -> Result<Self, CliError> {
        let reasons = passing.map_or_else(|| Ok(Vec::new()), reasons)?;
        let plugins = Arc::clone(&opened.plugins);
        let planner = opened.planner(Arc::clone(&plugins), goal);
        let survey = opened.survey(&planner).await;
        let options = GateOptions {
            now: Timestamp::now(),
            destructive_confirmed: passing.is_some_and(|passing| passing.allow_destructive),
            overridden: reasons.iter().map(|(gate, _)| *gate).collect(),
        };
        let gates = gate_input(
            &opened.project,
            opened.environment(),
            &survey.histories,
            options,
        )?;
        Ok(Self {
            planner,
            plugins,
            survey,
            gates,
            reasons,
        })
    }

    /// The plan.
    pub(crate) const fn plan(&self) -> &Plan {
        &self.survey.plan
    }

    /// What the gates say of it.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        evaluate(self.plan(), &self.gates)
    }

    /// Refuses unless the plan is the one that was named.
    pub(crate) fn require(&self, digest: &str) -> Result<(), CliError> {
        let found = self.plan().digest();
        let wanted = digest.strip_prefix("sha256:").unwrap_or(digest);
        if wanted.len() < DIGEST_PREFIX || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(
                CliError::usage(format!("`{digest}` is no digest of a plan"))
                    .hint("`whimbrel plan` shows it on its last line"),
            );
        }
        if found.hex().starts_with(&wanted.to_ascii_lowercase()) {
            return Ok(());
        }
        Err(CliError::refused(format!(
            "the plan changed: {digest} was asked for, and it is {found} now"
        ))
        .hint("look at the plan again with `whimbrel plan`, then name that one"))
    }
}

/// Each gate that is passed, with its reason; one reason may serve them all.
fn reasons(passing: &Passing) -> Result<Vec<(Gate, String)>, CliError> {
    let gates = &passing.overrides;
    match passing.reasons.as_slice() {
        [] if gates.is_empty() => Ok(Vec::new()),
        [one] => Ok(gates.iter().map(|gate| (*gate, one.clone())).collect()),
        many if many.len() == gates.len() => {
            Ok(gates.iter().copied().zip(many.iter().cloned()).collect())
        }
        _ => Err(
            CliError::usage("every `--override GATE` needs its `--reason TEXT`")
                .hint("overrides are recorded in every database, with their reason"),
        ),
    }
}

/// Fails with the first of the targets that could not be read, all of them told.
pub(crate) fn unreadable(failures: BTreeMap<TargetName, ProjectError>) -> Result<(), CliError> {
    let more: Vec<String> = failures
        .values()
        .skip(1)
        .map(ProjectError::to_string)
        .collect();
    match failures.into_values().next() {
        None => Ok(()),
        Some(first) => {
            let error = CliError::from(first);
            Err(more
                .into_iter()
                .fold(error, |error, other| error.hint(format!("also: {other}"))))
        }
    }
}

/// Runs a plan that was prepared, reports it, and publishes what the next environment may take over.
pub(crate) async fn run(
    opened: &Opened,
    mut prepared: Prepared,
    named: Option<&str>,
) -> Result<Exit, CliError> {
    let format = opened.output.format(&RUN_FORMATS)?;
    let failures = std::mem::take(&mut prepared.survey.failures);
    if needs_unread(&prepared, &failures) || prepared.plan().targets.is_empty() {
        unreadable(failures)?;
        return Ok(Exit::Success);
    }
    if let Some(digest) = named {
        prepared.require(digest)?;
    }
    if let Some(blocked) = CliError::blocked(prepared.plan()) {
        return Err(blocked);
    }
    let refusals = prepared.refusals();
    if !refusals.is_empty() {
        return Err(CliError::gates(&refusals));
    }
    require_dependencies(opened, prepared.plan()).await?;
    say_notices(opened, prepared.plan());
    let nothing = prepared.plan().is_empty();
    let digest = prepared.plan().digest();
    let stop = Stop::default();
    let interrupt = Interrupt::listen(stop.clone(), opened.output.clone());
    let report = if nothing {
        None
    } else {
        Some(execute(opened, &prepared, named.map(|_| digest), stop).await)
    };
    let mut outcome = OutcomeView {
        environment: opened.environment().name.clone(),
        run: report.as_ref().map(|report| report.run.to_string()),
        plan: digest,
        targets: Vec::new(),
        milliseconds: report.as_ref().map_or(0, |report| report.milliseconds),
    };
    let mut exits = Vec::new();
    let mut done = nothing && failures.is_empty();
    if let Some(report) = report {
        for target in report.targets {
            done |= target.error.is_none();
            exits.extend(
                target
                    .error
                    .as_ref()
                    .map(|error| of_run(error, interrupt.exit())),
            );
            outcome.targets.push(view(target));
        }
    }
    for (target, error) in failures {
        let (text, hint) = (error.to_string(), error.hint());
        exits.push(CliError::from(error).exit());
        outcome.targets.push(TargetOutcome {
            target,
            done: Vec::new(),
            error: Some(text),
            hint,
            committed: None,
        });
    }
    // Before a format escapes characters that a secret may have.
    for target in &mut outcome.targets {
        for text in [&mut target.error, &mut target.hint, &mut target.committed] {
            *text = text
                .take()
                .map(|text| opened.output.scrubber().scrub(&text));
        }
    }
    match format {
        Format::Json => opened.output.data(&outcome.json()),
        Format::Junit => opened.output.data(&outcome.junit()),
        _ => opened.output.answer(&outcome.text()),
    }
    let exit = overall(&exits, done);
    if exit == Exit::Success {
        crate::publish::publish(
            opened,
            if nothing {
                Some(&prepared.survey.histories)
            } else {
                None
            },
        )
        .await;
        return Ok(exit);
    }
    Err(failure(&outcome, exit))
}

/// What failed: one database's error as the error, several as a list.
fn failure(outcome: &OutcomeView, exit: Exit) -> CliError {
    let failed: Vec<&TargetOutcome> = outcome
        .targets
        .iter()
        .filter(|target| target.error.is_some())
        .collect();
    if let ([target], false) = (failed.as_slice(), exit == Exit::Partly) {
        let mut message = format!(
            "{}: {}",
            target.target,
            target.error.as_deref().unwrap_or_default()
        );
        if let Some(committed) = &target.committed {
            message.push_str(&format!("\n  committed before that: {committed}"));
        }
        let error = CliError::failed(message).kind(exit);
        return match &target.hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
    }
    let message = match exit {
        Exit::Interrupted | Exit::Terminated => "interrupted",
        Exit::Unknown => "the outcome is unknown",
        Exit::Partly => "some databases failed, others are done",
        _ => "all of these databases failed",
    };
    let failures = outcome.failures();
    CliError::failed(format!("{message}\n{}", failures.trim_end())).kind(exit)
}

/// Whether something that is planned depends on a database that could not be read.
fn needs_unread(prepared: &Prepared, failures: &BTreeMap<TargetName, ProjectError>) -> bool {
    failures.keys().any(|unread| {
        let there = prepared.planner.desired(&unread.database);
        prepared
            .plan()
            .targets
            .iter()
            .flat_map(whimbrel_core::plan::TargetPlan::applies)
            .flat_map(|change| &change.prepared.depends_on)
            .any(|needed| there.iter().any(|item| &item.migration.name == needed))
    })
}

/// Says how the SQL of what will be run is taken, where that is not as it is written; each thing once.
fn say_notices(opened: &Opened, plan: &Plan) {
    let mut said = BTreeSet::new();
    for finding in plan.targets.iter().flat_map(|target| &target.findings) {
        if finding.rule != OUTER_TRANSACTION {
            continue;
        }
        let path = finding.path.as_deref().unwrap_or_default();
        let line = finding.line.unwrap_or_default();
        if said.insert((path, line)) {
            let message = &finding.message;
            opened
                .output
                .notice(&format!("note: {path}:{line}: {message}"));
        }
    }
}

pub(crate) async fn execute(
    opened: &Opened,
    prepared: &Prepared,
    exact: Option<whimbrel_core::digest::Digest>,
    stop: Stop,
) -> RunReport {
    let gates = prepared.gates.clone();
    let targets = &prepared.plan().targets;
    let busy = targets.iter().filter(|target| !target.work.is_empty());
    let busy: Vec<_> = busy.map(|target| &target.target).collect();
    opened.sessions.retain(&busy);
    let request = Request {
        access: opened.access(stop),
        plan: Arc::new(prepared.plan().clone()),
        exact,
        policy: opened.environment().policy.clone(),
        overridden: prepared.reasons.clone(),
        gates: Arc::new(move |plan| evaluate(plan, &gates)),
        planner: Arc::new(surroundings::Planner(Arc::clone(&prepared.planner))),
        plugins: Arc::new(surroundings::Plugins(Arc::clone(&prepared.plugins))),
    };
    whimbrel_run::run(request).await
}

fn view(report: whimbrel_run::TargetReport) -> TargetOutcome {
    let committed = report.error.as_ref().and_then(|error| match error {
        RunError::Migration { committed, .. } => {
            Some(committed.clone()).filter(|text| !text.is_empty())
        }
        _ => None,
    });
    let done = report.done.into_iter().map(|done| DoneView {
        migration: done.migration,
        direction: done.direction,
        milliseconds: done.milliseconds,
        rows: done.rows,
    });
    TargetOutcome {
        done: done.collect(),
        hint: report.error.as_ref().and_then(RunError::hint),
        error: report.error.map(|error| error.to_string()),
        target: report.target,
        committed,
    }
}

/// One exit code for all targets: the one that a person must act on first.
fn overall(exits: &[Exit], done: bool) -> Exit {
    let Some(first) = exits.first() else {
        return Exit::Success;
    };
    for grave in [Exit::Unknown, Exit::Interrupted, Exit::Terminated] {
        if exits.contains(&grave) {
            return grave;
        }
    }
    if done {
        Exit::Partly
    } else if exits.iter().all(|exit| exit == first) {
        *first
    } else {
        Exit::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::{overall, reasons};
    use crate::arguments::Passing;
    use crate::exit::Exit;
    use whimbrel_core::gate::Gate;

    #[test]
    fn the_gravest_end_counts() {
        assert_eq!(overall(&[], true), Exit::Success);
        assert_eq!(overall(&[Exit::Locked], false), Exit::Locked);
        assert_eq!(overall(&[Exit::Locked, Exit::Failed], false), Exit::Failed);
        assert_eq!(overall(&[Exit::Locked], true), Exit::Partly);
        assert_eq!(overall(&[Exit::Failed, Exit::Unknown], true), Exit::Unknown);
        assert_eq!(overall(&[Exit::Interrupted], true), Exit::Interrupted);
    }

    #[test]
    fn every_override_has_a_reason() {
        let passing = |overrides: &[Gate], words: &[&str]| Passing {
            allow_destructive: false,
            overrides: overrides.to_vec(),
            reasons: words.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert!(reasons(&passing(&[Gate::Lint], &[])).is_err());
        assert_eq!(reasons(&passing(&[], &[])).unwrap(), []);
        let both = reasons(&passing(&[Gate::Lint, Gate::Window], &["outage"])).unwrap();
        assert_eq!(both[1], (Gate::Window, "outage".to_owned()));
        let each = reasons(&passing(&[Gate::Lint, Gate::Window], &["a", "b"])).unwrap();
        assert_eq!(each[0], (Gate::Lint, "a".to_owned()));
    }
}
