//! `whimbrel approve`: a person's yes to one plan, kept in every database that the plan touches.

use jiff::{SignedDuration, Timestamp};
use whimbrel_core::gate::may_approve;
use whimbrel_core::plan::Goal;
use whimbrel_run::{Stop, administration};

use crate::actor::approver;
use crate::apply::{Prepared, unreadable};
use crate::arguments::{Approve, Global};
use crate::command::revert::{named, prepare};
use crate::error::CliError;
use crate::exit::Exit;
use crate::opened::Opened;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Approve,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    let opened = Opened::open_and_read(global, output).await?;
    let mut prepared = if arguments.goal.reverts.is_empty() {
        Prepared::new(&opened, Goal::Apply, None).await?
    } else {
        let names = named(&opened, &arguments.goal.reverts).await?;
        prepare(&opened, names, None).await?
    };
    unreadable(std::mem::take(&mut prepared.survey.failures))?;
    prepared.require(&arguments.digest)?;
    if let Some(blocked) = CliError::blocked(prepared.plan()) {
        return Err(blocked);
    }
    if prepared.plan().is_empty() {
        output.answer("the plan does nothing, so there is nothing to approve\n");
        return Ok(Exit::Success);
    }
    let policy = &opened.environment().policy;
    let approver = approver(
        arguments.approver.as_deref(),
        opened.project.folder(),
        &policy.approvers,
    );
    if !may_approve(&approver, &prepared.gates) {
        let who = if policy.approvers.is_empty() {
            "anybody but the author of the commit".to_owned()
        } else {
            policy.approvers.join(", ")
        };
        return Err(
            CliError::refused(format!("{approver} may not approve this plan"))
                .hint(format!("who may: {who}; `--as WHO` says who approves")),
        );
    }
    let lasting = i64::try_from(policy.approval_ttl.as_millis()).unwrap_or(i64::MAX);
    let expires = Timestamp::now()
        .checked_add(SignedDuration::from_millis(lasting))
        .unwrap_or(Timestamp::MAX);
    let access = opened.access(Stop::default());
    let approved = administration::approve(&access, prepared.plan(), &approver, expires).await?;
    let targets: Vec<String> = approved.iter().map(ToString::to_string).collect();
    output.answer(&format!(
        "{approver} approved {} on {} until {}\n",
        prepared.plan().digest(),
        targets.join(", "),
        expires.strftime("%Y-%m-%d %H:%MZ")
    ));
    Ok(Exit::Success)
}
