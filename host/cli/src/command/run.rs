//! `whimbrel run`: the process of a Job. Runs the plan of an environment that is an object of a Kubernetes cluster.

use std::time::Duration;

use whimbrel_engine::{Ending, ending_before};
use whimbrel_operator::{Found, RunError, Settings, configuration, find};

use crate::arguments::{Global, Run};
use crate::engine::context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::metrics::{Deed, Measured};
use crate::output::Output;
use crate::remote::{cache_folder, signing_key};
use crate::run::{RUN_FORMATS, run_for};
use crate::tail::Tail;

pub(crate) async fn run(
    arguments: &Run,
    global: &Global,
    output: &Output,
) -> Result<Exit, CliError> {
    output.format(&RUN_FORMATS)?;
    if let Some(tail) = Tail::begin(arguments.termination_log.as_deref()) {
        output.keep(tail);
    }
    let mut measured = Measured::begin(&arguments.metrics, global, output);
    let result = brought(arguments, global, output, &mut measured).await;
    measured.end(&result, Deed::Whole).await;
    result
}

async fn brought(
    arguments: &Run,
    global: &Global,
    output: &Output,
    measured: &mut Measured<'_>,
) -> Result<Exit, CliError> {
    let found = found(arguments, global, output).await?;
    let environment = found.opened.environment().name.clone();
    measured.about(environment.as_str(), found.opened.targets.resolver());
    if found.is_current {
        return Ok(current(output));
    }
    let Found {
        opened, prepared, ..
    } = found;
    let plan = arguments.plan.as_ref();
    match run_for(&opened, prepared, plan, output, of_job).await {
        // A second Pod of the same Job may have been at it: what it has done is not another plan.
        Err(refused) if refused.exit() == Exit::Refused => {
            match self::found(arguments, global, output).await {
                Ok(again) if again.is_current => Ok(current(output)),
                _ => Err(refused),
            }
        }
        ended => ended,
    }
}

/// What a Job's process ends with where another Pod, or another Job, would do better: what the operator would do itself after
/// the same run. Nobody reads more than this number of it.
const fn of_job(exit: Exit, ending: Ending) -> Exit {
    match (exit, ending) {
        (Exit::Failed | Exit::Partly, Ending::Temporary) => Exit::Retry,
        (Exit::Failed | Exit::Partly, Ending::Moved) => Exit::Refused,
        (exit, _) => exit,
    }
}

fn current(output: &Output) -> Exit {
    output.notice("everything is applied");
    Exit::Success
}

async fn found(arguments: &Run, global: &Global, output: &Output) -> Result<Found, CliError> {
    let Some(environment) = &global.environment else {
        return Err(CliError::usage("`run` needs `--environment NAME`"));
    };
    let configuration = configuration().await.map_err(|error| {
        CliError::new(Exit::Usage, error)
            .hint("run it in a pod with a service account, or set KUBECONFIG")
    })?;
    let cache = arguments.cache.clone().or_else(cache_folder);
    let cache = cache.ok_or_else(|| {
        CliError::failed("there is no place to keep mirrors of repositories")
            .hint("`--cache FOLDER`, or set HOME, XDG_CACHE_HOME or WHIMBREL_CACHE")
    })?;
    let namespace = arguments.namespace.clone();
    let settings = Settings {
        namespace: namespace.unwrap_or_else(|| configuration.default_namespace.clone()),
        cache,
        has_local_secrets: arguments.local_secrets,
        signing: signing_key(output.scrubber())?,
        run_arguments: Vec::new(),
        // Of one that keeps what it finds.
        resync: Duration::ZERO,
        drift_interval: Duration::ZERO,
        revert_within: Duration::ZERO,
        release_within: Duration::ZERO,
        watch_timeout: Duration::ZERO,
        shards: std::num::NonZeroU16::MIN,
        lease_duration: Duration::ZERO,
        runs: std::num::NonZeroUsize::MIN,
    };
    let context = context(output).with_actor(format!("{} (operator)", whimbrel_engine::actor()));
    let reverts = &arguments.reverts;
    Ok(find(configuration, settings, context, environment, reverts).await?)
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        let kind = match error {
            RunError::Engine(error) => {
                let ending = ending_before(&error);
                let error = Self::from(error);
                let exit = of_job(error.exit(), ending);
                return error.kind(exit);
            }
            RunError::Deleted(_) => Exit::Refused,
            ref other if other.is_temporary() => Exit::Retry,
            _ => Exit::Failed,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_engine::Ending;

    use super::of_job;
    use crate::exit::Exit;

    #[test]
    fn a_job_is_failed_only_by_what_would_fail_again() {
        let (failed, later) = (Exit::Failed, Ending::Temporary);
        assert_eq!(of_job(failed, later), Exit::Retry);
        assert_eq!(of_job(Exit::Partly, later), Exit::Retry);
        assert_eq!(of_job(Exit::Partly, Ending::Moved), Exit::Refused);
        assert_eq!(of_job(failed, Ending::Failed), failed);
        for graver in [Exit::Unknown, Exit::Terminated, Exit::Locked] {
            assert_eq!(of_job(graver, later), graver);
        }
    }
}
