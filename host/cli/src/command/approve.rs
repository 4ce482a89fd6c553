//! `whimbrel approve`: a person's yes to one plan, kept in every database that the plan touches.

use whimbrel_core::plan::Goal;
use whimbrel_engine::{
    EngineError, Meanwhile, Passing, Prepared, approve, approver, named, prepare_revert,
};

use crate::arguments::{Approve, Global};
use crate::engine::open;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(
    arguments: &Approve,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.words_only()?;
    let opened = open(global, output, Meanwhile::Read).await?;
    let mut prepared = if arguments.goal.reverts.is_empty() {
        Prepared::new(&opened, Goal::Apply, Passing::default()).await?
    } else {
        let names = named(&opened, &arguments.goal.reverts).await?;
        prepare_revert(&opened, names, Passing::default()).await?
    };
    prepared.require_all()?;
    prepared.require(arguments.digest.as_str())?;
    if let Some(blocked) = EngineError::blocked(prepared.plan()) {
        return Err(blocked.into());
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
    let approved = approve(&opened, &prepared, &approver).await?;
    let targets: Vec<String> = approved.targets.iter().map(ToString::to_string).collect();
    output.answer(&format!(
        "{approver} approved {} on {} until {}\n",
        prepared.plan().digest(),
        targets.join(", "),
        approved.expires.strftime("%Y-%m-%d %H:%MZ")
    ));
    Ok(Exit::Success)
}
